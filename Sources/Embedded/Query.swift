// What is asked of a tree, as a value.
public import FoundationEssentials
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStore

/// What is asked of a tree: a value that is run by `fetch`, `count`, `forEach` or `live`.
///
/// ```swift
/// let low = try parts.filter { $0.stock < $0.minimum }.sorted(by: \.number).limit(20).fetch()
/// ```
public struct Query<R: Record>: Sendable {
    /// Runs its argument over keys until that returns false.
    typealias Walk =
        @Sendable (
            TreeCache<R>,
            (RecordKey) throws(DatabaseError) -> Bool
        ) throws(DatabaseError) -> Void

    /// Where rows come from, before tests.
    enum Source: Sendable {
        /// One revision of every id, in key order.
        case keys(Revisions)
        /// The keys a view gives, in its order.
        case view(Walk)

        /// The keys an index has for a range.
        static func index<V>(
            _ index: MultiIndex<R, V>,
            _ range: IndexRange<V>,
            _ order: SortOrder
        ) -> Source {
            .view { (cache, body) throws(DatabaseError) in
                try cache.forEachKey(index, range, isReversed: order == .reverse, body)
            }
        }

        /// Keys by rank.
        static func ranked(_ keys: @escaping @Sendable (TreeCache<R>) -> [RecordKey]) -> Source {
            .view { (cache, body) throws(DatabaseError) in
                for key in keys(cache) {
                    guard try body(key) else { return }
                }
            }
        }
    }

    private let tree: Tree<R>
    private let source: Source
    private var tests: [@Sendable (borrowing R) -> Bool] = []
    private var orders: [@Sendable (Box<R>, Box<R>) -> ComparisonResult] = []
    private var countMax = Int.max

    init(_ tree: Tree<R>, _ source: Source) {
        self.tree = tree
        self.source = source
    }

    var database: Database { tree.database }
    var cache: TreeCache<R> { tree.cache }

    // MARK: Saying more

    /// Only rows that pass a test, beside the tests that stand.
    ///
    /// - Parameter test: Pure; is lent each value.
    /// - Returns: The narrower query.
    public func filter(_ test: @escaping @Sendable (borrowing R) -> Bool) -> Query<R> {
        var query = self
        query.tests.append(test)
        return query
    }

    /// Rows ordered by a field; said again, by the next field among equals of the ones before.
    ///
    /// Texts are ordered by their UTF-8 bytes, other values by their own `<`; equals stay in the
    /// order they come in.
    ///
    /// - Parameters:
    ///   - path: The field.
    ///   - order: `forward` begins with the smallest.
    /// - Returns: The ordered query.
    public func sorted<V: Comparable & Sendable>(
        by path: any KeyPath<R, V> & Sendable,
        _ order: SortOrder = .forward
    ) -> Query<R> {
        var query = self
        query.orders.append { a, b in
            let x = IndexValue(a.content.value[keyPath: path])
            let y = IndexValue(b.content.value[keyPath: path])
            if x == y { return .orderedSame }
            return (x < y) == (order == .forward) ? .orderedAscending : .orderedDescending
        }
        return query
    }

    /// At most so many rows.
    ///
    /// - Parameter count: From 0.
    /// - Returns: The shorter query.
    public func limit(_ count: Int) -> Query<R> {
        precondition(count >= 0, "a negative count of rows")
        var query = self
        query.countMax = min(countMax, count)
        return query
    }

    // MARK: Running

    /// The rows, of one position.
    ///
    /// - Returns: Owned copies.
    /// - Throws: `undecodable`, `closed`.
    public func fetch() throws(DatabaseError) -> [Entry<R>] {
        try database.snapshot { (view) throws(DatabaseError) in try view.fetch(self) }
    }

    /// How many rows there are.
    ///
    /// - Throws: `undecodable`, `closed`.
    public func count() throws(DatabaseError) -> Int {
        try database.snapshot { (_) throws(DatabaseError) in try rowCount() }
    }

    /// Runs `body` over the rows, lending each value.
    ///
    /// The rows are of one position; other changes may be applied while `body` runs.
    ///
    /// - Parameter body: Is given the key and lent the value.
    /// - Throws: `undecodable`, `closed`, and what `body` throws.
    public func forEach(_ body: (Key<R>, borrowing R) throws -> Void) throws {
        let rows = try database.snapshot { (_) throws(DatabaseError) -> [Box<R>] in
            try self.rows()
        }
        for row in rows { try body(row.key, row.content.value) }
    }

    /// The rows now, and again after every change of them.
    public func live() -> Updates<Live<R>> { Updates { LiveCursor(self) } }

    // MARK: Rows, while the state is held

    private func rowCount() throws(DatabaseError) -> Int {
        guard tests.isEmpty else { return try rows().count }
        guard countMax > 0 else { return 0 }
        var count = 0
        try forEachKey { (_) throws(DatabaseError) in
            count += 1
            return count < countMax
        }
        return count
    }

    /// The rows; called while the state is held.
    func rows() throws(DatabaseError) -> [Box<R>] {
        var rows: [Box<R>] = []
        guard countMax > 0 else { return rows }
        try forEachKey { (key) throws(DatabaseError) in
            guard let key = Key<R>(stored: key), let box = try cache.box(key, nil),
                tests.allSatisfy({ $0(box.content.value) })
            else { return true }
            rows.append(box)
            return !orders.isEmpty || rows.count < countMax
        }
        guard !orders.isEmpty else { return rows }
        let sorted = rows.enumerated().sorted { a, b in
            for order in orders {
                switch order(a.element, b.element) {
                case .orderedAscending: return true
                case .orderedDescending: return false
                case .orderedSame: continue
                }
            }
            return a.offset < b.offset
        }
        return sorted.prefix(countMax).map(\.element)
    }

    /// Runs `body` over the keys of the source until it returns false.
    private func forEachKey(
        _ body: (RecordKey) throws(DatabaseError) -> Bool
    ) throws(DatabaseError) {
        switch source {
        case .view(let walk): try walk(cache, body)
        case .keys(let revisions):
            var after: RecordKey?
            repeat {
                let (page, last) = cache.keys(revisions, after: after)
                for key in page {
                    guard try body(key) else { return }
                }
                after = last
            } while after != nil
        }
    }
}

extension TreeCache {
    /// A page of one revision of every id, and the key after which the next page begins.
    func keys(_ revisions: Revisions, after: RecordKey?) -> (page: [RecordKey], last: RecordKey?) {
        store.read { reader in
            var page: [RecordKey] = []
            guard let tree = reader.state.tree(name) else { return (page, nil) }
            let last = reader.state.scan(
                tree,
                after: after,
                prefix: nil,
                revisions.choice,
                at: reader.state.head,
                entryCountMax: Self.pageEntryCount
            ) { key, _ in
                page.append(key)
                return true
            }
            return (page, last)
        }
    }
}
