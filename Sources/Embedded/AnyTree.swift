// Trees without a Swift type: viewers, tools, conversions.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastJSONCoding
internal import HoldfastRecords
internal import HoldfastStore

extension Database {
    /// A tree by its name, also one no type of this application stands for.
    ///
    /// - Throws: `refused` with `unknown-tree`; `closed`.
    public func anyTree(_ name: String) throws(DatabaseError) -> AnyTree {
        try checkOpen()
        guard let tree = TreeName(name), store.read({ $0.state.tree(tree) != nil }) else {
            throw .refused(Refusal(.unknownTree, "There is no tree '\(name)'."))
        }
        if case .mirror(let trees?) = store.role, !trees.contains(tree) {
            throw .refused(
                Refusal(
                    .unknownTree,
                    "This mirror does not copy tree '\(name)'. Open it with that tree as well, and "
                        + "a token that opens it."
                )
            )
        }
        return AnyTree(database: self, tree: tree)
    }
}

/// A tree whose values are JSON documents.
public struct AnyTree: Sendable {
    private let database: Database
    private let tree: TreeName

    init(database: Database, tree: TreeName) {
        self.database = database
        self.tree = tree
    }

    /// Its name.
    public var name: String { tree.description }

    /// Its declaration as the database keeps it: kind of keys, policy, every schema version.
    public var descriptor: JSONDocument {
        let bytes = database.store.read { $0.state.tree(tree)?.declaration.json ?? [] }
        return bytes.withView { JSONDocument(stored: $0) }
    }

    /// The value of a record; nil when there is none.
    ///
    /// - Throws: `refused` with `bad-key`; `closed`.
    public func record(_ key: AnyKey) throws(DatabaseError) -> JSONDocument? {
        let key = try stored(key)
        return try database.snapshot { (_) throws(DatabaseError) in
            database.store.read { find($0, key)?.document }
                .map { $0.withView { JSONDocument(stored: $0) } }
        }
    }

    /// The keys of all records, latest revisions only, in order.
    ///
    /// - Throws: `closed`.
    public func keys() throws(DatabaseError) -> [AnyKey] {
        try database.snapshot { (_) throws(DatabaseError) in
            var keys: [AnyKey] = []
            var after: RecordKey?
            repeat {
                after = database.store.read { reader in
                    guard let state = reader.state.tree(tree) else { return nil }
                    return reader.state.scan(
                        state,
                        after: after,
                        prefix: nil,
                        .latest,
                        at: reader.state.head,
                        entryCountMax: 256
                    ) { key, _ in
                        keys.append(AnyKey(tree: tree, key: key))
                        return true
                    }
                }
            } while after != nil
            return keys
        }
    }

    /// Replaces the whole value of a record, or creates it where there is none.
    ///
    /// - Parameters:
    ///   - value: What it holds from now on; checked against the tree's current schema.
    ///   - key: Which record.
    ///   - why: For what reason.
    /// - Returns: A receipt, when the change is durable here.
    /// - Throws: As ``Database/write(why:isolation:_:)``.
    @discardableResult
    public func put(
        _ value: JSONDocument,
        at key: AnyKey,
        why: String? = nil
    ) async throws(DatabaseError) -> Receipt<Void> {
        let slot = TransactionState.Slot(tree: tree, key: try stored(key))
        do {
            return try await database.write(why: why) { tx in tx.put(slot, value.bytes) }
        } catch let error as DatabaseError {
            throw error
        } catch {
            // Only a cancelled task gets here: nothing was proposed.
            throw .refused(Refusal(.notYet, "The task was cancelled before its turn."))
        }
    }

    private func stored(_ key: AnyKey) throws(DatabaseError) -> RecordKey {
        try database.checkOpen()
        let kind = database.store.read { $0.state.tree(tree)?.declaration.keys }
        guard key.tree == name, let kind, let stored = key.stored(kind: kind) else {
            throw .refused(Refusal(.badKey, "'\(key)' is no key of '\(name)'."))
        }
        return stored
    }

    private func find(_ reader: StoreReader, _ key: RecordKey) -> StoredRecord? {
        guard let state = reader.state.tree(tree),
            let location = reader.state.location(state, key)
        else { return nil }
        return StoredRecord(reader, at: location)
    }
}

extension Transaction {
    /// Writes a document as the value of a record.
    mutating func put(_ slot: TransactionState.Slot, _ document: [UInt8]) {
        state.put(slot, document, nil, over: state.standing(slot))
    }
}
