// Writes the lines of an export: each a change that makes again what stands.
internal import HoldfastBasics
internal import HoldfastJSONCoding
internal import HoldfastRecords
internal import HoldfastWire

/// A record as a line of a list tells it.
private struct Listed: Decodable {
    struct Key: Decodable {
        let id: UInt64?
        let name: String?
        let revision: UInt32
    }

    struct State {
        let kind: String
        let number: UInt32
    }

    let key: Key
    let state: State
    let schema: String?
}

extension Listed.State: Decodable {
    private enum Member: String, CodingKey { case draft, released }

    init(from decoder: any Decoder) throws {
        guard let members = try? decoder.container(keyedBy: Member.self),
            let member = members.allKeys.first
        else {
            (kind, number) = ("plain", 0)
            return
        }
        (kind, number) = (member.rawValue, try members.decode(UInt32.self, forKey: member))
    }
}

/// Turns declarations and lists into changes on standard output.
struct ExportWriter: ~Copyable {
    private let output = Output()
    private let job = UniqueID.version7(
        milliseconds: SystemTime().wallMilliseconds(),
        random: SystemRandom()
    )
    private var progress = Progress("records exported")
    private var lineCount = 0
    private var tree: ServerTrees.Tree?
    /// Ids below this are reserved by the lines so far.
    private var reservedEnd: UInt64 = 1
    /// The change of the id whose revisions are being read.
    private var line = ByteBuffer()
    private var changeID = UniqueID.none
    private var current: (id: UInt64?, name: String?)?
    private var nextRevision: UInt32 = 0
    private var lastReleased: UInt32?

    /// How many ids a line reserves at least.
    private static let reserveCountMin: UInt64 = 10_000

    init() {}

    // MARK: Trees

    /// Every version of a tree's schema, oldest first.
    mutating func declare(_ tree: ServerTrees.Tree) throws(CommandFailure) {
        let declaration = tree.declaration
        let versions: [Descriptor?] = declaration.schemas.isEmpty ? [nil] : declaration.schemas
        for schema in versions {
            let definition = TreeDefinition(
                keys: declaration.keys,
                isVersioned: declaration.isVersioned,
                borrow: declaration.borrow,
                transitions: nil,
                schema: schema
            )
            try declare(tree.name, definition)
        }
    }

    private mutating func declare(
        _ name: TreeName,
        _ definition: TreeDefinition
    ) throws(CommandFailure) {
        beginLine()
        line.append(text: "{\"defineTree\":{\"tree\":\"\(name)\",\"definition\":")
        definition.appendJSON(to: &line)
        line.append("}}")
        try endLine()
    }

    /// Records of this tree follow.
    mutating func begin(_ tree: ServerTrees.Tree) {
        self.tree = tree
        reservedEnd = 1
    }

    /// The tree's records are complete; what restricts their states comes now, so that it did not
    /// stand in the way of making them.
    mutating func end() throws(CommandFailure) {
        try endRecord()
        guard let tree, let transitions = tree.declaration.transitions else { return }
        let declaration = tree.declaration
        let definition = TreeDefinition(
            keys: declaration.keys,
            isVersioned: declaration.isVersioned,
            borrow: declaration.borrow,
            transitions: transitions,
            schema: declaration.current
        )
        try declare(tree.name, definition)
    }

    func finish() throws(CommandFailure) { try output.flush() }

    // MARK: Records

    /// Takes the next envelope of the list.
    mutating func record(_ envelope: ByteView) throws(CommandFailure) {
        let listed: Listed
        let value: ByteView
        do {
            listed = try RecordDecoder().decode(Listed.self, from: envelope)
            guard let found = try JSONScanner.member(named: ByteView("value"), in: envelope) else {
                throw JSONError.empty
            }
            value = found
        } catch {
            throw CommandFailure(.unreachable, "a line of the answer is no record: \(error)")
        }
        if current == nil || current?.id != listed.key.id || current?.name != listed.key.name {
            try endRecord()
            try beginRecord(listed)
        }
        append(listed, value)
        progress.step()
    }

    private mutating func beginRecord(_ listed: Listed) throws(CommandFailure) {
        if let id = listed.key.id, id >= reservedEnd { try reserve(through: id) }
        current = (listed.key.id, listed.key.name)
        nextRevision = 0
        lastReleased = nil
        beginLine()
    }

    private mutating func endRecord() throws(CommandFailure) {
        guard current != nil else { return }
        current = nil
        try endLine()
    }

    /// Ids come from ranges: a new tree gives them out from 1 on.
    private mutating func reserve(through id: UInt64) throws(CommandFailure) {
        guard let tree else { return }
        while reservedEnd <= id {
            let wanted = max(id - reservedEnd + 1, Self.reserveCountMin)
            let count = min(wanted, Limits.rangeCountMax)
            beginLine()
            line.append(text: "{\"reserve\":{\"tree\":\"\(tree.name)\",\"count\":\(count)}}")
            try endLine()
            reservedEnd += count
        }
    }

    /// One revision: made as the first, or revised from the released one before it.
    private mutating func append(_ listed: Listed, _ value: ByteView) {
        // A revision that was deleted is made and deleted again: its number is used for ever.
        while nextRevision < listed.key.revision {
            appendMaking(nextRevision, nil, listed.schema)
            separate()
            open("delete", nextRevision)
            appendExpects()
            line.append("}}")
            nextRevision += 1
        }
        appendMaking(listed.key.revision, value, listed.schema)
        nextRevision = listed.key.revision + 1
        switch listed.state.kind {
        case "released":
            separate()
            open("release", listed.key.revision)
            appendExpects()
            line.append(text: ",\"released\":\(listed.state.number)}}")
            lastReleased = listed.key.revision
        case "draft" where listed.state.number != 0:
            separate()
            open("setState", listed.key.revision)
            appendExpects()
            line.append(text: ",\"state\":{\"draft\":\(listed.state.number)}}}")
        default: break
        }
    }

    private mutating func appendMaking(_ revision: UInt32, _ value: ByteView?, _ schema: String?) {
        separate()
        if let source = lastReleased {
            open("revise", source)
            line.append("}}")
            guard value != nil else { return }
            separate()
            open("put", revision)
            appendExpects()
        } else {
            open("put", revision)
            line.append(",\"expects\":\"absent\"")
        }
        if let schema {
            line.append(",\"schema\":")
            line.appendJSONString(schema)
        }
        line.append(",\"value\":")
        if let value { line.append(value) } else { line.append("{}") }
        line.append("}}")
    }

    // MARK: Lines

    private mutating func beginLine() {
        lineCount += 1
        changeID = JobLine.changeID(job: job, line: lineCount)
        line.removeAll()
        line.append(text: "{\"id\":\"\(changeID)\",\"operations\":[")
    }

    private mutating func endLine() throws(CommandFailure) {
        line.append("]}\n")
        try output.append(line.view)
    }

    private mutating func separate() {
        if line.view[line.count - 1] == UInt8(ascii: "}") { line.append(",") }
    }

    private mutating func open(_ operation: StaticString, _ revision: UInt32) {
        guard let tree, let current else { return }
        line.append("{\"")
        line.append(operation)
        line.append(text: "\":{\"tree\":\"\(tree.name)\",\"key\":{")
        if let id = current.id { line.append(text: "\"id\":\(id)") }
        if let name = current.name {
            line.append("\"name\":")
            line.appendJSONString(name)
        }
        line.append(text: ",\"revision\":\(revision)}")
    }

    private mutating func appendExpects() {
        line.append(text: ",\"expects\":\"change:\(changeID)\"")
    }
}
