// A commit as JSON: the same element in the feed, in `GET /v1/changes` and in its stream.
public import HoldfastBasics
internal import HoldfastJSONCoding
public import HoldfastRecords

/// Writes commits.
public enum CommitMessage {
    /// Gives the value a record had before an effect; nil when there was none.
    ///
    /// Is given the ordinal of the effect in its commit.
    public typealias Before = (Int) -> [UInt8]?

    /// Appends what passes of a commit.
    ///
    /// Shape: `{"seq","chain","id","at","by","device","app"?,"why"?,"job"?,"effects":[...]}`;
    /// effects are `{"set":{"tree","key","label","state","schema"?,"value","before"?}}` and
    /// `{"remove":{"tree","key","label","before"?}}`.
    ///
    /// - Parameters:
    ///   - commit: The commit.
    ///   - filter: What passes.
    ///   - before: Gives what stood before; nil leaves `before` out.
    ///   - buffer: Gets the object; unchanged when nothing passes and when the commit is damaged.
    /// - Returns: Whether something was appended: always, when everything passes.
    /// - Throws: `ContentError` when the commit is damaged.
    public static func append(
        _ commit: CommitView,
        _ filter: CommitFilter = .all,
        before: Before? = nil,
        to buffer: inout ByteBuffer
    ) throws -> Bool {
        let start = buffer.count
        var isPassed = false
        defer { if !isPassed { buffer.truncate(to: start) } }
        try appendEnvelope(commit, to: &buffer)
        var count = 0
        try commit.forEachBlock { block, first in
            let slash = block.name.firstIndex(of: UInt8(ascii: "/"))
            let tree = block.name[0..<(slash ?? block.name.count)]
            let subject = slash.map { block.name.suffix(from: $0 + 1) }
            guard filter.passes(tree: tree, subject: subject) else { return }
            var ordinal = first
            try block.forEachEffect { effect in
                defer { ordinal += 1 }
                guard filter.passes(effect) else { return }
                if count > 0 { buffer.append(",") }
                count += 1
                append(effect, of: tree, before: before.flatMap { $0(ordinal) }, to: &buffer)
            }
        }
        if count == 0, filter.isEverything {
            // Its effects stay on the server, and so does what they were for.
            buffer.truncate(to: start)
            try appendEnvelope(commit, isEmpty: true, to: &buffer)
        }
        buffer.append("]}")
        isPassed = count > 0 || filter.isEverything
        return isPassed
    }

    private static func appendEnvelope(
        _ commit: CommitView,
        isEmpty: Bool = false,
        to buffer: inout ByteBuffer
    ) throws(ContentError) {
        buffer.append("{\"seq\":")
        buffer.append(decimal: commit.seq)
        buffer.append(",\"chain\":")
        buffer.appendQuoted(commit.chain)
        try buffer.appendOrigin(of: commit, hasDetails: !isEmpty)
        buffer.append(",\"effects\":[")
    }

    private static func append(
        _ effect: EffectView,
        of tree: ByteView,
        before: [UInt8]?,
        to buffer: inout ByteBuffer
    ) {
        buffer.append(effect.isSet ? "{\"set\":{\"tree\":" : "{\"remove\":{\"tree\":")
        buffer.appendJSONString(tree)
        buffer.append(",\"key\":")
        buffer.appendKey(of: effect)
        buffer.append(",\"label\":\"")
        buffer.append(effect.label.word)
        buffer.append("\"")
        if effect.isSet {
            buffer.append(",\"state\":")
            effect.state.appendJSON(to: &buffer)
            buffer.appendSchemaMember(effect.schema)
            buffer.append(",\"value\":")
            buffer.append(effect.value)
        }
        if let before {
            buffer.append(",\"before\":")
            buffer.append(before)
        }
        buffer.append("}}")
    }
}

extension ByteBuffer {
    /// Appends who made a commit, when and why: `,"id","at","by","device","app"?,"why"?,"job"?`.
    mutating func appendOrigin(
        of commit: CommitView,
        hasDetails: Bool = true
    ) throws(ContentError) {
        let (app, why) = hasDetails ? try commit.details() : (.empty, .empty)
        append(",\"id\":")
        appendQuoted(commit.changeID)
        append(",\"at\":")
        appendTime(commit.at)
        append(",\"by\":")
        appendJSONString(commit.user)
        append(",\"device\":")
        appendJSONString(commit.device)
        if !app.isEmpty {
            append(",\"app\":")
            appendJSONString(app)
        }
        if !why.isEmpty {
            append(",\"why\":")
            appendJSONString(why)
        }
        if commit.jobID != .none {
            append(",\"job\":")
            appendQuoted(commit.jobID)
        }
    }
}
