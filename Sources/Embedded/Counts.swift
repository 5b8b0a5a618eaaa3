// Handles of counts, and the view behind them.
internal import HoldfastRecords

/// Names counts of a tree's records by a value: how many parts there are of each package.
///
/// ```swift
/// static let perPackage = Counts<Part, String>("package", \.package)
/// let small = try db.tree(Part.self).count(Part.perPackage, "0603")
/// ```
///
/// It is a view of the tree, as an index is, and holds no keys: it costs memory for values and what
/// each record counts under. Texts are equal and ordered by UTF-8 bytes, other values by their own
/// `<`.
public struct Counts<R: Record, V: Comparable & Sendable & Codable>: Sendable {
    /// The values a record counts under.
    let values: RecordValues<R, V>

    /// Names counts by a field.
    ///
    /// - Parameters:
    ///   - field: The field's stored name. When a database opens, name and path are compared.
    ///   - path: The property that holds it.
    ///   - revisions: The revision of each id that counts.
    public init(
        _ field: String,
        _ path: any KeyPath<R, V> & Sendable,
        of revisions: Revisions = .latest
    ) {
        values = RecordValues(field, path, of: revisions)
    }

    /// Names counts by values computed from a record.
    ///
    /// - Parameters:
    ///   - field: The stored name of the field they are computed from; it must exist.
    ///   - revisions: The revision of each id that counts.
    ///   - version: Given one, the counts keep a checkpoint; raise it with every change of what
    ///     `keys` gives.
    ///   - keys: Gives the values; pure. A record counts once under each, and under none when there
    ///     are none.
    public init(
        _ field: String,
        of revisions: Revisions = .latest,
        version: Int? = nil,
        each keys: @escaping @Sendable (borrowing R) -> [V]
    ) {
        values = RecordValues(field, of: revisions, version: version, each: keys)
    }
}

extension Counts: ValueView {
    /// The view behind it.
    var view: any RecordView<R> { CountView(counts: self) }
}

/// How many records stand under each value.
struct CountView<R: Record, V: Comparable & Sendable & Codable>: RecordView {
    /// A value and its records; equal to another of the same value.
    struct Group: Comparable, Sendable {
        let value: IndexValue<V>
        /// From 1.
        var count = 1

        static func == (a: Group, b: Group) -> Bool { a.value == b.value }
        static func < (a: Group, b: Group) -> Bool { a.value < b.value }
    }

    let counts: Counts<R, V>

    static var kind: String { "counts" }
    var name: String { counts.field }
    var version: Int? { counts.values.version }
    var words: String { "the counts by '\(counts.field)'" }
    var revisions: Revisions { counts.values.revisions }
    var empty: SortedChunks<Group> { SortedChunks() }

    func item(of record: FoldedRecord<R>) -> [V]? { counts.values.item(of: record) }

    func add(_ item: [V], of key: RecordKey, to state: inout SortedChunks<Group>) {
        for value in item {
            var group = Group(value: IndexValue(value))
            group.count += state.remove(group)?.count ?? 0
            state.insert(group)
        }
    }

    func remove(_ item: [V], of key: RecordKey, from state: inout SortedChunks<Group>) {
        for value in item {
            guard var group = state.remove(Group(value: IndexValue(value))) else { continue }
            group.count -= 1
            if group.count > 0 { state.insert(group) }
        }
    }

    func lines(_ state: SortedChunks<Group>) -> [String] {
        state.elements.map { "\($0.value.value) \($0.count)" }
    }
}

extension TreeCache {
    /// How many records count under the values of a range, ascending.
    ///
    /// Called while the state is held.
    func groups<V>(_ counts: Counts<R, V>, _ range: IndexRange<V>) -> [(value: V, count: Int)] {
        var groups: [(V, Int)] = []
        state(CountView<R, V>.self, counts.field, counts.values.revisions).forEach(
            from: { range.isBefore($0.value) },
            to: { range.isBehind($0.value) }
        ) { group in
            groups.append((group.value.value, group.count))
            return true
        }
        return groups
    }
}

extension Tree {
    /// How many records count under a value.
    ///
    /// - Precondition: The counts are declared in the type's `define`.
    /// - Throws: `closed`.
    public func count<V>(_ counts: Counts<R, V>, _ value: V) throws(DatabaseError) -> Int {
        try database.snapshot { (view) throws(DatabaseError) in view.count(counts, value) }
    }

    /// How many records count under each value there is, the smallest value first.
    ///
    /// - Precondition: The counts are declared in the type's `define`.
    /// - Throws: `closed`.
    public func counts<V>(
        _ counts: Counts<R, V>
    ) throws(DatabaseError) -> [(value: V, count: Int)] {
        try database.snapshot { (view) throws(DatabaseError) in view.counts(counts) }
    }
}

extension ReadView {
    /// How many records count under a value.
    ///
    /// - Precondition: The counts are declared in the type's `define`.
    public func count<R: Record, V>(_ counts: Counts<R, V>, _ value: V) -> Int {
        database.cache(R.self).groups(counts, IndexRange(only: value)).first?.count ?? 0
    }

    /// How many records count under each value there is, the smallest value first.
    ///
    /// - Precondition: The counts are declared in the type's `define`.
    public func counts<R: Record, V>(_ counts: Counts<R, V>) -> [(value: V, count: Int)] {
        database.cache(R.self).groups(counts, IndexRange())
    }
}
