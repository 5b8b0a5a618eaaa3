// Everything that is known of one tree.
public import HoldfastBasics
public import HoldfastRecords

/// One tree's index and what is derived from its records.
///
/// Confined by the owner of its `EngineState`.
public final class TreeState {
    /// Its name.
    public let name: TreeName
    /// Whether it is the system's.
    let isSystem: Bool
    /// Its name as bytes, as blocks carry it.
    let block: [UInt8]
    /// Its name as the hashes of its records begin with it.
    let hashBlock: TreeHash.Block
    /// Its declaration, with all schema versions.
    public internal(set) var declaration: TreeDeclaration
    /// Checks values against the declaration's schemas.
    var validator: SchemaValidator
    let index: RecordIndex
    /// Ids ever used in an id tree; never used again.
    var usedIDs = IntervalSet()
    /// What had been used up to the checkpoint the index stands on, where that forgot removals.
    var usedKeys = UsedKeys()
    var uniques: [UniqueIndex] = []
    /// Indexes of fields declared `indexed`, where somebody has them made.
    var fieldIndexes: [FieldIndex] = []
    /// Fields declared `indexed`.
    var indexedFields: [FieldPath] = []
    var lines = BorrowLines()
    var ranges = RangeTable()
    /// Set hash of the tree's own records.
    public internal(set) var hash = Hash128.zero
    /// Set hashes of its records of `_borrows` and `_ranges`.
    public internal(set) var borrowsHash = Hash128.zero
    /// Set hash of its key ranges.
    public internal(set) var rangesHash = Hash128.zero
    /// Live records.
    public internal(set) var count = 0
    /// Highest seq that touched the tree.
    public internal(set) var lastSeq: UInt64 = 0

    init(name: TreeName, declaration: TreeDeclaration) {
        self.name = name
        isSystem = name.isSystem
        block = Array(name.description.utf8)
        hashBlock = block.withView { TreeHash.Block($0) }
        self.declaration = declaration
        validator = SchemaValidator(declaration)
        index = RecordIndex(declaration.keys)
        uniques = validator.uniqueFields.names.map { UniqueIndex(field: $0) }
        indexedFields = FieldPath.indexed(declaration.current)
    }

    /// Entries of the index, tombstones included.
    public var entryCount: Int { index.count }
    /// Whether the index has removals, and not only what stands.
    public var hasRemovals: Bool { entryCount > count }
    /// Estimated memory of the index in bytes.
    public var indexByteCount: Int { index.byteCount }
    /// Estimated memory of the indexes of its fields in bytes.
    public var fieldIndexByteCount: Int { fieldIndexes.reduce(0) { $0 + $1.byteCount } }
    /// How many fields declared `indexed` have no whole index yet.
    public var growingFieldIndexCount: Int { indexedFields.count { index(of: $0) == nil } }
    /// The borrows of the tree's records.
    public var borrows: [BorrowRecord] { Array(lines.records.values) }
    /// Its key ranges, ascending.
    public var keyRanges: [RangeRecord] { ranges.ranges }

    /// How many ids of each device's ranges nothing has borne yet.
    ///
    /// Complexity: that of all ranges of the tree and all runs of ids ever used in it.
    public var idsLeft: [String: UInt64] {
        let used = usedIDs.intervals
        var left: [String: UInt64] = [:]
        var next = 0
        for range in ranges.ranges {
            var count = range.end - range.first
            while next < used.count, used[next].upperBound <= range.first { next += 1 }
            var index = next
            while index < used.count, used[index].lowerBound < range.end {
                let end = min(used[index].upperBound, range.end)
                count -= end - max(used[index].lowerBound, range.first)
                index += 1
            }
            left[range.device, default: 0] += count
        }
        return left
    }

    /// The borrow that holds a record, or was granted it.
    public func holder(of key: RecordKey) -> BorrowRecord? { lines.holder(of: key) }

    /// The line of a record, its holder first.
    public func line(of key: RecordKey) -> [UniqueID] { lines.line(key) }

    /// Whether an id was used before.
    func isUsed(_ number: UInt64) -> Bool { usedIDs.contains(number) }

    /// System trees have a fixed declaration: names, no revisions, no schema.
    static func system(_ name: TreeName) -> TreeState {
        TreeState(
            name: name,
            declaration: TreeDeclaration(keys: .name, isVersioned: false, borrow: .optional)
        )
    }
}

extension TreeState {
    /// What is derived from the records and never shown: used ids and unique values, as text.
    ///
    /// For comparing two folds of one history.
    public var derived: [String] {
        var lines = usedIDs.intervals.map { "used \($0)" }
        for unique in uniques {
            var owned: [String] = []
            unique.owners.forEach { value, owner in
                owned.append("unique \(unique.field) \(value.text) \(owner.id.text) \(owner.count)")
            }
            lines += owned.sorted()
        }
        return lines
    }
}

extension TreeState {
    /// Whether any record of the tree is borrowed or waited for.
    public var hasBorrows: Bool { !lines.records.isEmpty }
}
