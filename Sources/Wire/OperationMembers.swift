// The members of operations, read by one loop; which of them an operation has is a set.
internal import HoldfastBasics
internal import HoldfastJSONCoding
internal import HoldfastRecords

/// What may stand in an operation.
struct OperationMemberNames: OptionSet {
    let rawValue: UInt32

    static let tree = Self(rawValue: 1 << 0)
    static let key = Self(rawValue: 1 << 1)
    static let expects = Self(rawValue: 1 << 2)
    static let borrow = Self(rawValue: 1 << 3)
    static let hold = Self(rawValue: 1 << 4)
    static let schema = Self(rawValue: 1 << 5)
    static let value = Self(rawValue: 1 << 6)
    static let released = Self(rawValue: 1 << 7)
    static let state = Self(rawValue: 1 << 8)
    /// `kind`, `termSeconds`, `dueAt` and `queue`.
    static let taking = Self(rawValue: 1 << 9)
    static let count = Self(rawValue: 1 << 10)
    static let definition = Self(rawValue: 1 << 11)
    static let range = Self(rawValue: 1 << 12)
    static let note = Self(rawValue: 1 << 13)
    static let holder = Self(rawValue: 1 << 14)
    static let why = Self(rawValue: 1 << 15)
    static let migrate = Self(rawValue: 1 << 16)
}

/// The members an operation came with.
struct OperationMembers {
    var tree: TreeName?
    var key: KeyChoice?
    var expects: Expectation?
    var borrow: UniqueID?
    var hold: UniqueID?
    var schema: SchemaVersion?
    var migrate: Bool?
    var value: [UInt8]?
    var released: UInt32?
    var state: RecordState?
    var kind: BorrowKind?
    var termSeconds: Int64?
    var note: String?
    var dueAt: Int64?
    var queue: Bool?
    var why: String?
    var count: UInt64?
    var definition: TreeDefinition?
    var range: UniqueID?
    var holder: (user: String, device: String)?
    /// Where the operation's object begins.
    var start = 0

    /// Reads an object that may have these members and no others.
    init(_ names: OperationMemberNames, from reader: inout FormReader) throws(FormError) {
        start = try reader.enterObject()
        while let name = try reader.nextMember() {
            guard try !readTarget(name, names, &reader), try !readContent(name, names, &reader)
            else { continue }
            try reader.unknownMember()
        }
    }

    /// Reads the members that say which record, and under what.
    private mutating func readTarget(
        _ name: JSONString,
        _ names: OperationMemberNames,
        _ reader: inout FormReader
    ) throws(FormError) -> Bool {
        switch name {
        case "tree" where names.contains(.tree):
            tree = try reader.treeName()
        case "key" where names.contains(.key):
            guard try !reader.null() else { break }
            let (id, revision) = try reader.openKey()
            key = KeyChoice(id, revision: revision)
        case "expects" where names.contains(.expects):
            if try !reader.null() { expects = try reader.expectation() }
        case "borrow" where names.contains(.borrow):
            if try !reader.null() { borrow = try reader.namedID() }
        case "hold" where names.contains(.hold):
            if try !reader.null() { hold = try reader.namedID() }
        default:
            return false
        }
        return true
    }

    /// Reads the members that say what shall be.
    private mutating func readContent(
        _ name: JSONString,
        _ names: OperationMemberNames,
        _ reader: inout FormReader
    ) throws(FormError) -> Bool {
        switch name {
        case "schema" where names.contains(.schema):
            if try !reader.null() { schema = try reader.schemaVersion() }
        case "migrate" where names.contains(.migrate):
            if try !reader.null() { migrate = try reader.bool() }
        case "value" where names.contains(.value):
            // Null is a value like others.
            value = try reader.skipValue().array
        case "released" where names.contains(.released):
            if try !reader.null() { released = try reader.integer(0...UInt32.max) }
        case "state" where names.contains(.state):
            state = try reader.state()
        case "kind" where names.contains(.taking):
            guard try !reader.null() else { break }
            kind = try reader.word("\"held\" or \"leased\"") { BorrowKind(rawValue: $0.text) }
        case "termSeconds" where names.contains(.taking):
            if try !reader.null() { termSeconds = try reader.integer(1...Int64.max) }
        case "note" where names.contains(.note):
            if try !reader.null() { note = try reader.text() }
        case "why" where names.contains(.why):
            if try !reader.null() { why = try reader.text() }
        case "dueAt" where names.contains(.taking):
            if try !reader.null() { dueAt = try reader.time() }
        case "queue" where names.contains(.taking):
            if try !reader.null() { queue = try reader.bool() }
        case "count" where names.contains(.count):
            count = try reader.integer(1...Limits.numberMax)
        case "range" where names.contains(.range):
            if try !reader.null() { range = try reader.namedID() }
        case "holder" where names.contains(.holder):
            holder = try reader.holder()
        case "definition" where names.contains(.definition):
            definition = try reader.treeDefinition()
        default:
            return false
        }
        return true
    }
}

extension FormReader {
    /// Reads what a writer saw of a record.
    mutating func expectation() throws(FormError) -> Expectation {
        try word("\"absent\", a version like \"epoch:seq\", or \"change:<id>\"") { text in
            if text.equals("absent") { return .absent }
            guard text.count > 7, text[0..<7].equals("change:") else {
                return Position(text).map { .version($0) }
            }
            return UniqueID(text.suffix(from: 7)).map { .change($0) }
        }
    }
}
