// A tree of records, and where queries begin.
internal import HoldfastBasics
internal import HoldfastRecords

/// All records of one type.
///
/// Queries show the latest revision of each id. A handle is cheap to copy.
public struct Tree<R: Record>: Sendable {
    let database: Database
    let cache: TreeCache<R>

    init(database: Database, cache: TreeCache<R>) {
        self.database = database
        self.cache = cache
    }

    /// Every record, in key order.
    public var all: Query<R> { Query(self, .all) }

    /// The records that pass a test, in key order.
    public func filter(_ test: @escaping @Sendable (borrowing R) -> Bool) -> Query<R> {
        all.filter(test)
    }

    /// The record that carries a value in a unique field: the latest revision of its id.
    ///
    /// - Precondition: The index is declared in the type's `define`.
    /// - Throws: `undecodable`, `closed`.
    public func find<V>(
        _ index: UniqueIndex<R, V>,
        _ value: V
    ) throws(DatabaseError) -> Entry<R>? {
        try database.snapshot { (view) throws(DatabaseError) in try view.find(index, value) }
    }

    /// The records with values in a range, in the order of the values.
    ///
    /// - Precondition: The index is declared in the type's `define`.
    public func with<V>(
        _ index: MultiIndex<R, V>,
        in range: any RangeExpression<V> & Sendable
    ) -> Query<R> {
        Query(self, .keys(indexKeys(index, IndexRange(range))))
    }

    /// The records with a value, in key order.
    ///
    /// - Precondition: The index is declared in the type's `define`.
    public func with<V>(_ index: MultiIndex<R, V>, _ value: V) -> Query<R> {
        Query(self, .keys(indexKeys(index, IndexRange(only: value))))
    }

    /// The records whose text fields have, for every word of a text, a word that begins with it;
    /// those with the most such words first.
    ///
    /// Case and marks do not matter. A text without words matches nothing.
    public func matching(_ text: String) -> Query<R> {
        let words = TextFolding.words(of: text)
        return Query(self, .keys { cache in cache.keys(matching: words) })
    }

    /// The latest revision of an id.
    ///
    /// - Parameters:
    ///   - id: Which id.
    ///   - released: Whether only released revisions count.
    /// - Returns: Nil when there is none.
    /// - Throws: `undecodable`, `closed`.
    public func latest(_ id: R.ID, released: Bool = false) throws(DatabaseError) -> Entry<R>? {
        try database.snapshot { (view) throws(DatabaseError) in
            try view.latest(id, of: R.self, released: released)
        }
    }

    private func indexKeys<V>(
        _ index: MultiIndex<R, V>,
        _ range: IndexRange<V>
    ) -> @Sendable (TreeCache<R>) -> [RecordKey] {
        { cache in cache.keys(index, range) }
    }
}

/// The values an index is asked for.
struct IndexRange<V: Comparable & Sendable>: Sendable {
    /// Where they begin; nil for the first.
    let lower: V?
    private let upper: V?
    private let includesUpper: Bool
    /// What only the expression itself can say.
    private let test: (any RangeExpression<V> & Sendable)?

    /// One value.
    init(only value: V) {
        lower = value
        upper = value
        includesUpper = true
        test = nil
    }

    /// The values a range names.
    init(_ range: any RangeExpression<V> & Sendable) {
        switch range {
        case let range as Range<V>:
            (lower, upper, includesUpper, test) = (range.lowerBound, range.upperBound, false, nil)
        case let range as ClosedRange<V>:
            (lower, upper, includesUpper, test) = (range.lowerBound, range.upperBound, true, nil)
        case let range as PartialRangeFrom<V>:
            (lower, upper, includesUpper, test) = (range.lowerBound, nil, true, nil)
        case let range as PartialRangeUpTo<V>:
            (lower, upper, includesUpper, test) = (nil, range.upperBound, false, nil)
        case let range as PartialRangeThrough<V>:
            (lower, upper, includesUpper, test) = (nil, range.upperBound, true, nil)
        default: (lower, upper, includesUpper, test) = (nil, nil, true, range)
        }
    }

    /// Whether a value lies behind the range, as all that follow it do.
    func isBehind(_ value: V) -> Bool {
        guard let upper else { return false }
        let (value, end) = (IndexValue(value), IndexValue(upper))
        return includesUpper ? end < value : !(value < end)
    }

    /// Whether a value that is not behind is one of them.
    func contains(_ value: V) -> Bool { test?.contains(value) ?? true }
}

extension TreeCache {
    /// The keys an ordered index has for a range, by value and key, each once.
    func keys<V>(_ index: MultiIndex<R, V>, _ range: IndexRange<V>) -> [RecordKey] {
        guard
            let place = schema.indexes.firstIndex(where: {
                $0.field == index.field && $0 is MultiIndex<R, V>
            })
        else { preconditionFailure("index '\(index.field)' is not declared by \(R.self)") }
        return withIndex(place) {
            OrderedIndex<R, V> { latest in index.values(of: latest.value) }
        } _: { found in
            var keys: [RecordKey] = []
            var seen: Set<RecordKey> = []
            (found as? OrderedIndex<R, V>)?.forEach(from: range.lower) { value, key in
                guard !range.isBehind(value) else { return false }
                if range.contains(value), seen.insert(key).inserted { keys.append(key) }
                return true
            }
            return keys
        }
    }

    /// The keys whose text has every word, those with the most matches first.
    func keys(matching words: [String]) -> [RecordKey] {
        guard !words.isEmpty else { return [] }
        let fields = schema.texts.map { Array($0.utf8) }
        return withIndex(schema.indexes.count) {
            OrderedIndex<R, String> { latest in Self.words(latest.document, fields) }
        } _: { found in
            guard let index = found as? OrderedIndex<R, String> else { return [] }
            var scores: [RecordKey: Int]?
            for word in Set(words) {
                var hits: [RecordKey: Int] = [:]
                index.forEach(from: word) { value, key in
                    guard value.utf8.starts(with: word.utf8) else { return false }
                    // A word that is there as a whole counts twice.
                    hits[key, default: 0] += value.utf8.count == word.utf8.count ? 2 : 1
                    return true
                }
                guard let known = scores else {
                    scores = hits
                    continue
                }
                scores = hits.reduce(into: [:]) { both, hit in
                    if let score = known[hit.key] { both[hit.key] = score + hit.value }
                }
            }
            return (scores ?? [:])
                .sorted { $0.value == $1.value ? $0.key < $1.key : $0.value > $1.value }
                .map(\.key)
        }
    }

    private static func words(_ document: [UInt8], _ fields: [[UInt8]]) -> [String] {
        document.withView { document in
            fields.flatMap { field -> [String] in
                field.withView { field in
                    TextFolding.words(ofMember: field, in: document)
                }
            }
        }
    }
}
