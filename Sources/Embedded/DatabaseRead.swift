// Reads: synchronous, from memory.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStore

extension Database {
    /// Lends the value of a record.
    ///
    /// Copies no field, counts no reference and allocates nothing when the record is in the cache.
    /// No lock is held while `body` runs. What other threads replace meanwhile is kept in memory
    /// until it has ended, so keep it short.
    ///
    /// - Parameters:
    ///   - key: Which record, which revision.
    ///   - body: Is lent the value.
    /// - Returns: What `body` returns; nil when there is no such record.
    /// - Throws: `undecodable`, `closed`, and what `body` throws.
    public func withRecord<R: Record, T>(
        _ key: Key<R>,
        _ body: (borrowing R) throws -> T
    ) throws -> T? {
        try checkOpen()
        return try withCache(R.self) { try $0.lend(key, watch, body) }
    }

    /// A record with its key and its facts.
    ///
    /// - Parameter key: Which record, which revision.
    /// - Returns: An owned copy; nil when there is no such record.
    /// - Throws: `undecodable`, `closed`.
    public func record<R: Record>(_ key: Key<R>) throws(DatabaseError) -> Entry<R>? {
        try checkOpen()
        return try cache(R.self).box(key, watch).map { $0.content.entry($0.key) }
    }

    /// The value of a record; nil when there is none.
    public subscript<R: Record>(_ key: Key<R>) -> R? {
        get throws(DatabaseError) {
            try checkOpen()
            return try cache(R.self).box(key, watch)?.content.value
        }
    }

    /// Reads several things at one position.
    ///
    /// Nothing is applied meanwhile, so keep `body` short; it must not wait for a write. Reads
    /// inside it may also go through the database itself.
    ///
    /// - Parameter body: Is lent the view, which it can neither keep nor hand on.
    /// - Returns: What `body` returns.
    /// - Throws: `closed`, and what `body` throws.
    public func read<T>(_ body: (borrowing ReadView) throws -> T) throws -> T {
        try checkOpen()
        return try store.hold(durable: watch != nil) {
            let view = ReadView(self, store.read { Position($0.state.position) })
            return try body(view)
        }
    }

    /// Reads at one position what throws nothing but the database's own errors.
    func snapshot<T>(
        _ body: (borrowing ReadView) throws(DatabaseError) -> T
    ) throws(DatabaseError) -> T {
        try checkOpen()
        let result: Result<T, DatabaseError> = store.hold(durable: watch != nil) {
            do throws(DatabaseError) {
                let view = ReadView(self, store.read { Position($0.state.position) })
                return .success(try body(view))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }
}

/// A database at one position; lent by ``Database/read(_:)``.
public struct ReadView: ~Copyable {
    /// What it shows.
    public let position: Position
    let database: Database

    init(_ database: Database, _ position: Position) {
        self.database = database
        self.position = position
    }

    /// Lends the value of a record.
    ///
    /// - Parameters:
    ///   - key: Which record, which revision.
    ///   - body: Is lent the value.
    /// - Returns: What `body` returns; nil when there is no such record.
    /// - Throws: `undecodable`, and what `body` throws.
    public func withRecord<R: Record, T>(
        _ key: Key<R>,
        _ body: (borrowing R) throws -> T
    ) throws -> T? {
        try database.withCache(R.self) { try $0.lend(key, nil, body) }
    }

    /// A record with its key and its facts; nil when there is no such record.
    ///
    /// - Throws: `undecodable`.
    public func record<R: Record>(_ key: Key<R>) throws(DatabaseError) -> Entry<R>? {
        try database.cache(R.self).box(key, nil).map { $0.content.entry($0.key) }
    }

    /// The record that carries a value in a unique field: the latest revision of its id.
    ///
    /// - Precondition: The index is declared in the type's `define`.
    /// - Throws: `undecodable`.
    public func find<R: Record, V>(
        _ index: UniqueIndex<R, V>,
        _ value: V
    ) throws(DatabaseError) -> Entry<R>? {
        let cache = database.cache(R.self)
        guard let key = cache.owner(index, value) else { return nil }
        return try cache.box(key, nil).map { $0.content.entry($0.key) }
    }

    /// The latest revision of an id.
    ///
    /// - Parameters:
    ///   - id: Which id.
    ///   - type: Of which tree.
    ///   - released: Whether only released revisions count.
    /// - Returns: Nil when there is none.
    /// - Throws: `undecodable`.
    public func latest<R: Record>(
        _ id: R.ID,
        of type: R.Type = R.self,
        released: Bool = false
    ) throws(DatabaseError) -> Entry<R>? {
        let cache = database.cache(type)
        guard let key = cache.latestKey(id, released: released) else { return nil }
        return try cache.box(key, nil).map { $0.content.entry($0.key) }
    }

    /// The rows of a query.
    ///
    /// - Throws: `undecodable`.
    public func fetch<R: Record>(_ query: Query<R>) throws(DatabaseError) -> [Entry<R>] {
        try query.rows().map { $0.content.entry($0.key) }
    }
}

extension TreeCache {
    /// The latest revision of an id.
    func latestKey(_ id: R.ID, released: Bool) -> Key<R>? {
        guard let id = id.stored else { return nil }
        return store.read { reader in
            guard let tree = reader.state.tree(name) else { return nil }
            let choice: RevisionChoice = released ? .released : .latest
            return reader.state.revision(tree, of: id, choice, at: reader.state.head)
                .flatMap { Key<R>(stored: $0.key) }
        }
    }

    /// The latest revision of the id that carries a value in a unique field.
    func owner<V>(_ index: UniqueIndex<R, V>, _ value: V) -> Key<R>? {
        precondition(
            schema.uniques.contains { $0.field == index.field },
            "unique index '\(index.field)' is not declared by \(R.self)"
        )
        guard let bytes = IndexBytes.bytes(of: value) else { return nil }
        return store.read { reader in
            guard let tree = reader.state.tree(name),
                let id = bytes.withView({
                    reader.state.owner(tree: tree, field: index.field, value: $0)
                }),
                let found = reader.state.revision(tree, of: id, .latest, at: reader.state.head)
            else { return nil }
            return Key<R>(stored: found.key)
        }
    }
}
