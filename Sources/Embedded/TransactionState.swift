// A change while its body runs: what it does so far, and what it has to see of it.
//
// Invariants: an operation is added when everything about it is known, so that a call that throws
// adds nothing; a record read inside is the one that stands, or this change's own version of it.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStore

/// A change while its body runs; confined to it.
final class TransactionState {
    /// A record of a tree.
    struct Slot: Hashable {
        let tree: TreeName
        let key: RecordKey
    }

    /// A record as this change leaves it so far.
    struct Own {
        /// Nil when it was deleted.
        var document: [UInt8]?
        var schema: SchemaVersion
        var state: HoldfastRecords.RecordState
        var createdAt: Int64
        /// The borrow under which it is written.
        var borrow: UniqueID?
        /// The operation that wrote its value last, when nothing happened to it since.
        var write: Int?
    }

    /// What stands under a key.
    enum Standing {
        case nothing
        case own(Own)
        case stored(StoredRecord, borrow: UniqueID?)
    }

    let database: Database
    var draft: ChangeDraft
    private var own: [Slot: Own] = [:]
    /// The highest commit it has seen something of.
    private(set) var seen: UInt64 = 0

    init(_ database: Database, why: String) {
        self.database = database
        draft = ChangeDraft(
            id: database.newID(),
            why: why,
            madeAt: database.time.wallMilliseconds()
        )
    }

    /// What stands under a key, as this change sees it.
    func standing(_ slot: Slot) -> Standing {
        if let own = own[slot] { return .own(own) }
        let caller = database.authority.caller
        let found = database.store.read { reader -> (StoredRecord, UniqueID?)? in
            seen = max(seen, reader.state.head)
            guard let tree = reader.state.tree(slot.tree),
                let location = reader.state.location(tree, slot.key),
                let record = StoredRecord(reader, at: location)
            else { return nil }
            let holder = tree.holder(of: slot.key)
            let isMine = holder?.user == caller.user && holder?.device == caller.device
            return (record, isMine ? holder?.id : nil)
        }
        guard let (record, borrow) = found else { return .nothing }
        if record.facts.isPending { require(record.changeID) }
        return .stored(record, borrow: borrow)
    }

    /// Notes that this change stands on a pending one.
    func require(_ id: UniqueID) {
        if !draft.requires.contains(id) { draft.requires.append(id) }
    }

    /// What an operation on a record has to name: the version it goes out from, and the borrow.
    func terms(_ standing: Standing) -> (expects: Expectation?, borrow: UniqueID?) {
        switch standing {
        case .nothing: (.absent, nil)
        case .own(let own): (own.document == nil ? .absent : .change(draft.id), own.borrow)
        case .stored(let record, let borrow):
            (
                record.facts.isPending
                    ? .change(record.changeID) : .version(record.facts.version),
                borrow
            )
        }
    }

    // MARK: Operations

    /// Writes a value.
    ///
    /// - Parameters:
    ///   - slot: Which record.
    ///   - document: The value.
    ///   - schema: The version it is written in; nil for the tree's current one.
    ///   - standing: What the value was made of.
    ///   - expecting: A version to insist on instead.
    ///   - isMigration: Whether it rewrites what an older major version wrote.
    func put(
        _ slot: Slot,
        _ document: [UInt8],
        _ schema: SchemaVersion?,
        over standing: Standing,
        expecting: Expectation? = nil,
        isMigration: Bool = false
    ) {
        var (expects, borrow) = terms(standing)
        if let expecting { expects = expecting }
        let write = WriteOperation(
            tree: slot.tree,
            key: slot.key,
            expects: expects,
            borrow: isMigration ? nil : borrow,
            schema: schema,
            isMigration: isMigration,
            value: document
        )
        var after = fresh(standing, in: slot.tree)
        after.document = document
        after.schema = schema ?? .none
        if case .own(let before) = standing, let index = before.write,
            case .put(var earlier) = draft.operations[index]
        {
            // Written twice is written once.
            earlier.value = document
            earlier.schema = schema
            draft.operations[index] = .put(earlier)
        } else {
            after.write = draft.operations.count
            draft.operations.append(.put(write))
        }
        own[slot] = after
    }

    /// Does something to a record beside writing a value.
    func perform(_ operation: Operation, on slot: Slot, leaving after: Own) {
        draft.operations.append(operation)
        var after = after
        after.write = nil
        own[slot] = after
    }

    /// What a record looks like before this change does anything to it.
    func fresh(_ standing: Standing, in tree: TreeName) -> Own {
        switch standing {
        case .own(let own) where own.document != nil: own
        case .own, .nothing:
            Own(
                schema: .none,
                state: isVersioned(tree) ? .draft(0) : .plain,
                createdAt: draft.madeAt
            )
        case .stored(let record, let borrow):
            Own(
                document: record.document,
                schema: record.facts.schema,
                state: record.facts.state,
                createdAt: record.facts.createdAt,
                borrow: borrow
            )
        }
    }

    private func isVersioned(_ tree: TreeName) -> Bool {
        database.store.read { $0.state.tree(tree)?.declaration.isVersioned ?? false }
    }

    // MARK: Reading

    /// The facts of a record of this change's own.
    func facts(_ own: Own) -> RecordFacts {
        database.store.read { reader in
            RecordFacts(
                version: reader.state.position(of: reader.state.head + 1),
                state: own.state,
                schema: own.schema,
                createdAt: own.createdAt,
                modifiedAt: draft.madeAt,
                modifiedBy: database.authority.caller.user,
                isPending: true
            )
        }
    }

    /// This change's own records of a tree, by key.
    func records(of tree: TreeName) -> [(key: RecordKey, own: Own)] {
        own.filter { $0.key.tree == tree }.map { ($0.key.key, $0.value) }
            .sorted { $0.key < $1.key }
    }

    /// The highest revision ever used of an id.
    func highestRevision(_ tree: TreeName, _ id: HoldfastRecords.RecordID) -> UInt32 {
        let mine = own.keys.filter { $0.tree == tree && $0.key.id == id }.map(\.key.revision).max()
        let stored = database.store.read { reader -> UInt32? in
            guard let tree = reader.state.tree(tree),
                let location = reader.state.lastLocation(tree, of: id)
            else { return nil }
            return reader.withEffect(at: location) { effect, _ in effect.revision }
        }
        return max(mine ?? 0, stored ?? 0)
    }
}
