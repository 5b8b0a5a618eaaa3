// The rules of the model once more, as plain dictionaries: what a store must answer and hold.
//
// It shares no code with the engine. It knows three fixed trees, and of every change it says which
// code refuses it, or what stands afterwards.
public import HoldfastBasics
public import HoldfastRecords

/// What a stockroom holds, and how it answers.
public struct StockModel: Equatable, Sendable {
    /// A record's place.
    public struct Slot: Hashable, Sendable, CustomStringConvertible {
        /// Which tree.
        public let tree: TreeName
        /// Which key.
        public let key: RecordKey

        /// `parts 12.0`.
        public var description: String { "\(tree) \(key)" }
    }

    /// A record as it stands.
    public struct Record: Equatable, Sendable {
        /// Its value.
        public var part: Part
        /// Where it stands in its life.
        public var state: RecordState
        /// Seq of its last change.
        public var version: UInt64
        /// Id of its last change.
        public var change: UniqueID
    }

    /// Who stands in a line.
    public struct Taker: Equatable, Sendable {
        let id: UniqueID
        var user: String
        var device: String
        var state: BorrowState
        var grantedAt: Int64 = 0
        /// How often it was asked for back.
        var recallCount = 0

        func isOf(_ caller: Caller) -> Bool { user == caller.user && device == caller.device }

        /// `id user state`.
        public var text: String { "\(id) \(user) \(state)" }
    }

    /// Ids one device may create.
    struct Range: Equatable, Sendable {
        let device: String
        let ids: Swift.Range<UInt64>
    }

    /// Records that stand.
    public internal(set) var records: [Slot: Record] = [:]
    /// Lines that stand, the holder first.
    public internal(set) var lines: [Slot: [Taker]] = [:]
    /// Seq of the removal of records that are gone, and remembered as such.
    var removed: [Slot: UInt64] = [:]
    /// Seq of the end of borrows that ended, and are remembered as such.
    var ended: [UniqueID: UInt64] = [:]
    var used: [TreeName: Set<UInt64>] = [:]
    /// The highest revision ever used of an id of `parts`.
    var highest: [RecordID: UInt32] = [:]
    var ranges: [TreeName: [Range]] = [:]

    /// Nothing stands.
    public init() {}

    /// An id tree with revisions and a schema; its field `number` is unique.
    public static let parts = known("parts")
    /// An id tree without.
    public static let bins = known("bins")
    /// A name tree.
    public static let footprints = known("footprints")
    /// All three.
    public static let trees = [parts, bins, footprints]

    private static func known(_ text: String) -> TreeName {
        guard let name = TreeName(text) else { preconditionFailure("\(text) is no tree's name") }
        return name
    }

    /// The declarations of all three.
    public static let definitions: [HoldfastRecords.Operation] = [
        .defineTree(
            parts,
            TreeDefinition(
                keys: .id,
                isVersioned: true,
                schema: Descriptor(
                    version: SchemaVersion(1, 0),
                    fields: [
                        Field(name: "number", type: .string, isUnique: true),
                        Field(name: "stock", type: .int(bits: 64), isOptional: true),
                    ]
                )
            )
        ),
        .defineTree(bins, TreeDefinition(keys: .id)),
        .defineTree(footprints, TreeDefinition(keys: .name)),
    ]
}

/// A value of the stockroom: `{"number":"n1","stock":3}`, also as a merge patch.
public struct Part: Equatable, Sendable {
    /// Unique among parts.
    public var number: String?
    /// How many there are.
    public var stock: Int?
    /// In a value of `parts` it breaks the schema, in a patch too.
    public var hasOddStock = false

    /// Names a value.
    public init(number: String?, stock: Int?, hasOddStock: Bool = false) {
        self.number = number
        self.stock = stock
        self.hasOddStock = hasOddStock
    }

    /// The value as normalised JSON.
    public var json: String {
        var members: [String] = []
        if let number { members.append("\"number\":\"\(number)\"") }
        if let stock { members.append("\"stock\":\(stock)") }
        if hasOddStock { members.append("\"stock\":\"many\"") }
        return "{" + members.joined(separator: ",") + "}"
    }

    /// Reads what `json` wrote.
    public init(json: [UInt8]) {
        let text = String(decoding: json.dropFirst().dropLast(), as: UTF8.self)
        for member in text.split(separator: ",") {
            let value = member.drop { $0 != ":" }.dropFirst()
            if member.hasPrefix("\"number\"") {
                number = String(value.dropFirst().dropLast())
            } else if let count = Int(value) {
                stock = count
            } else {
                hasOddStock = true
            }
        }
    }

    /// The value after a merge patch.
    func merged(with patch: Part) -> Part {
        Part(
            number: patch.number ?? number,
            stock: patch.hasOddStock ? nil : patch.stock ?? stock,
            hasOddStock: patch.hasOddStock || (patch.stock == nil && hasOddStock)
        )
    }
}
