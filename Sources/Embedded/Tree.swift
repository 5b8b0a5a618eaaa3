// A tree of records, and where queries begin.
public import FoundationEssentials
internal import HoldfastRecords

/// All records of one type.
///
/// Queries show the latest revision of each id, unless they say otherwise. A handle is cheap to
/// copy.
public struct Tree<R: Record>: Sendable {
    let database: Database
    let cache: TreeCache<R>

    init(database: Database, cache: TreeCache<R>) {
        self.database = database
        self.cache = cache
    }

    /// The latest revision of every id, in key order.
    public var all: Query<R> { Query(self, .keys(.latest)) }

    /// The latest released revision of every id that has one, in key order.
    public var released: Query<R> { Query(self, .keys(.released)) }

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
    /// ```swift
    /// let cheapest = try parts.with(Part.byPrice, in: 5...).limit(20).fetch()
    /// let dearest = try parts.with(Part.byPrice, in: 5..., .reverse).limit(20).fetch()
    /// ```
    ///
    /// - Parameters:
    ///   - index: Which values.
    ///   - range: Those that are wanted.
    ///   - order: `forward` begins with the smallest value, and among equal ones with the smallest
    ///     key; `reverse` is the same backwards.
    /// - Returns: A query that looks at no more entries of the index than it needs.
    /// - Precondition: The index is declared in the type's `define`.
    public func with<V>(
        _ index: MultiIndex<R, V>,
        in range: any RangeExpression<V> & Sendable,
        _ order: SortOrder = .forward
    ) -> Query<R> {
        Query(self, .index(index, IndexRange(range), order))
    }

    /// The records with a value, in key order.
    ///
    /// - Precondition: The index is declared in the type's `define`.
    public func with<V>(_ index: MultiIndex<R, V>, _ value: V) -> Query<R> {
        Query(self, .index(index, IndexRange(only: value), .forward))
    }

    /// The records with a text that begins with another, in the order of the texts.
    ///
    /// Compared by UTF-8 bytes, as the index orders them.
    ///
    /// - Parameters:
    ///   - index: Which texts.
    ///   - prefix: How they begin; the empty text begins all.
    ///   - order: `reverse` goes from the last text to the first.
    /// - Returns: The query.
    /// - Precondition: The index is declared in the type's `define`.
    public func with(
        _ index: MultiIndex<R, String>,
        prefix: String,
        _ order: SortOrder = .forward
    ) -> Query<R> {
        Query(self, .index(index, IndexRange(prefix: prefix), order))
    }

    /// Every record that has a value in an index, in the order of the values.
    ///
    /// - Parameters:
    ///   - index: Which values.
    ///   - order: `reverse` goes from the largest to the smallest.
    /// - Returns: The query.
    /// - Precondition: The index is declared in the type's `define`.
    public func ordered<V>(
        by index: MultiIndex<R, V>,
        _ order: SortOrder = .forward
    ) -> Query<R> {
        Query(self, .index(index, IndexRange(), order))
    }

    /// The records whose text fields have, for every word of a text, a word that begins with it;
    /// those that fit best first.
    ///
    /// Case and marks do not matter: "strasse" finds "Straße", "nandu" finds "Ñandú". A record fits
    /// the better the more often it has the words, the rarer they are in the tree and the fewer
    /// other words it has; a whole word counts twice. Equals stand in key order. A text without
    /// words matches nothing.
    ///
    /// - Parameters:
    ///   - text: The words.
    ///   - revisions: The revision of each id that is searched.
    /// - Returns: The query.
    public func matching(_ text: String, of revisions: Revisions = .latest) -> Query<R> {
        let words = TextFolding.words(of: text)
        return Query(self, .ranked { cache in cache.keys(matching: words, revisions) })
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
}
