// The view behind a multi index: records by their values, in order.
internal import HoldfastRecords

/// Records by values, in order.
struct IndexView<R: Record, V: Comparable & Sendable & Codable>: RecordView {
    /// One value of one record.
    struct Entry: Comparable, Sendable {
        let value: IndexValue<V>
        let key: RecordKey

        static func < (a: Entry, b: Entry) -> Bool {
            a.value == b.value ? a.key < b.key : a.value < b.value
        }
    }

    let index: MultiIndex<R, V>

    static var kind: String { "index" }
    var name: String { index.field }
    var version: Int? { index.values.version }
    var words: String { "the index '\(index.field)'" }
    var revisions: Revisions { index.values.revisions }
    var empty: SortedChunks<Entry> { SortedChunks() }

    func item(of record: FoldedRecord<R>) -> [V]? { index.values.item(of: record) }

    func add(_ item: [V], of key: RecordKey, to state: inout SortedChunks<Entry>) {
        for value in item { state.insert(Entry(value: IndexValue(value), key: key)) }
    }

    func remove(_ item: [V], of key: RecordKey, from state: inout SortedChunks<Entry>) {
        for value in item { state.remove(Entry(value: IndexValue(value), key: key)) }
    }

    func lines(_ state: SortedChunks<Entry>) -> [String] {
        state.elements.map { "\($0.value.value) \($0.key)" }
    }
}

/// The values an index is asked for.
struct IndexRange<V: Comparable & Sendable>: Sendable {
    /// Whether a value stands before the range.
    let isBefore: @Sendable (IndexValue<V>) -> Bool
    /// Whether a value stands behind it.
    let isBehind: @Sendable (IndexValue<V>) -> Bool
    /// What only the expression itself can say of a value between; nil when all are wanted.
    let test: (@Sendable (V) -> Bool)?

    private init(
        from lower: V? = nil,
        to upper: V? = nil,
        includesUpper: Bool = true,
        test: (@Sendable (V) -> Bool)? = nil
    ) {
        let (lower, upper) = (lower.map(IndexValue.init), upper.map(IndexValue.init))
        isBefore = { value in lower.map { value < $0 } ?? false }
        isBehind = { value in
            upper.map { includesUpper ? $0 < value : !(value < $0) } ?? false
        }
        self.test = test
    }

    /// All values.
    init() { self.init(from: nil) }

    /// One value.
    init(only value: V) { self.init(from: value, to: value) }

    /// The values a range names.
    init(_ range: any RangeExpression<V> & Sendable) {
        switch range {
        case let range as Range<V>:
            self.init(from: range.lowerBound, to: range.upperBound, includesUpper: false)
        case let range as ClosedRange<V>: self.init(from: range.lowerBound, to: range.upperBound)
        case let range as PartialRangeFrom<V>: self.init(from: range.lowerBound)
        case let range as PartialRangeUpTo<V>:
            self.init(to: range.upperBound, includesUpper: false)
        case let range as PartialRangeThrough<V>: self.init(to: range.upperBound)
        default: self.init(test: { range.contains($0) })
        }
    }
}

extension IndexRange where V == String {
    /// The texts that begin with a text, by bytes.
    init(prefix: String) {
        let prefix = Array(prefix.utf8)
        isBefore = { $0.value.utf8.lexicographicallyPrecedes(prefix) }
        isBehind = { value in
            let text = value.value.utf8
            return prefix.lexicographicallyPrecedes(text) && !text.starts(with: prefix)
        }
        test = nil
    }
}

extension TreeCache {
    /// Runs `body` over the keys an index has for a range, each once, until it returns false.
    ///
    /// Called while the state is held.
    func forEachKey<V, E: Error>(
        _ index: MultiIndex<R, V>,
        _ range: IndexRange<V>,
        isReversed: Bool,
        _ body: (RecordKey) throws(E) -> Bool
    ) throws(E) {
        let entries = state(IndexView<R, V>.self, index.field, index.values.revisions)
        // A record with one value comes once by itself.
        var seen: Set<RecordKey> = []
        try entries.forEach(
            from: { range.isBefore($0.value) },
            to: { range.isBehind($0.value) },
            isReversed: isReversed
        ) { (entry) throws(E) in
            if let test = range.test, !test(entry.value.value) { return true }
            if index.isComputed, !seen.insert(entry.key).inserted { return true }
            return try body(entry.key)
        }
    }
}
