// What the body of a write may do.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStore

/// A change while its body runs; lent by ``Database/write(why:isolation:_:)``.
///
/// Reads inside see what the change did so far. What the rules say to it is known when the body
/// has ended: everything is accepted or refused as a whole when
/// the body ends; a body that throws leaves nothing behind.
public struct Transaction: ~Copyable {
    let state: TransactionState

    init(_ state: TransactionState) { self.state = state }

    private var database: Database { state.database }

    private func slot<R: Record>(
        _ key: Key<R>,
        _ cache: TreeCache<R>
    ) throws(DatabaseError) -> TransactionState.Slot {
        guard let stored = key.stored else {
            throw .refused(Refusal(.badKey, "'\(key)' is no key of '\(cache.name)'."))
        }
        return TransactionState.Slot(tree: cache.name, key: stored)
    }

    // MARK: Writing values

    /// Creates a record under the next id of this device.
    ///
    /// - Parameter value: What it holds.
    /// - Returns: Its key, which is final.
    /// - Throws: `keysExhausted`; `refused` with `invalid-field` for a value that has no JSON.
    public mutating func create<R: Record>(
        _ value: R
    ) throws(DatabaseError) -> Key<R> where R.ID == Number {
        let cache = database.cache(R.self)
        let document = try cache.encode(value, over: nil)
        let number = try database.authority.nextNumber(cache.name, for: &state.draft)
        let slot = TransactionState.Slot(tree: cache.name, key: RecordKey(number: number))
        state.put(slot, document, cache.schema.version, over: .nothing)
        return Key(Number(number))
    }

    /// Creates a record under a key that was chosen.
    ///
    /// A deleted name may be created anew. A number must lie in a range of this device.
    ///
    /// - Parameters:
    ///   - value: What it holds.
    ///   - key: Where; revision 0.
    /// - Throws: `refused` with `exists`, `bad-key` or `invalid-field`.
    public mutating func create<R: Record>(
        _ value: R,
        at key: Key<R>
    ) throws(DatabaseError) {
        let cache = database.cache(R.self)
        let slot = try slot(key, cache)
        let standing = state.standing(slot)
        state.put(
            slot,
            try cache.encode(value, over: nil),
            cache.schema.version,
            over: standing,
            expecting: .absent
        )
    }

    /// Replaces the value of a record, or creates it where there is none.
    ///
    /// Fields of the stored value that the type does not know are kept.
    ///
    /// - Parameters:
    ///   - value: What it holds from now on.
    ///   - key: Which record.
    ///   - version: The version the value was made of, as `meta.version` said; nil goes out from
    ///     the one that stands.
    /// - Throws: `refused` with `bad-key` or `invalid-field`; `undecodable`.
    public mutating func put<R: Record>(
        _ value: R,
        at key: Key<R>,
        expecting version: Position? = nil
    ) throws(DatabaseError) {
        let cache = database.cache(R.self)
        let slot = try slot(key, cache)
        let standing = state.standing(slot)
        let before = state.fresh(standing, in: slot.tree)
        let base = before.document.map { (document: $0, schema: before.schema) }
        state.put(
            slot,
            try cache.encode(value, over: base),
            cache.schema.version,
            over: standing,
            expecting: version.map { .version($0.stored) }
        )
    }

    /// Edits the value of a record.
    ///
    /// Fields of the stored value that the type does not know are kept.
    ///
    /// - Parameters:
    ///   - key: Which record.
    ///   - edit: Changes the value; when it throws, nothing happened.
    /// - Returns: What `edit` returns.
    /// - Throws: `refused` with `not-found` or `invalid-field`, `undecodable`, and what `edit`
    ///   throws.
    @discardableResult
    public mutating func update<R: Record, T>(
        _ key: Key<R>,
        _ edit: (inout R) throws -> T
    ) throws -> T {
        let cache = database.cache(R.self)
        let slot = try slot(key, cache)
        let (standing, before, document) = try existing(slot)
        var value = try cache.decode(document, before.schema, slot.key).value
        let result = try edit(&value)
        state.put(
            slot,
            try cache.encode(value, over: (document, before.schema)),
            cache.schema.version,
            over: standing
        )
        return result
    }

    /// Rewrites in the current version what an older major version wrote.
    mutating func migrate<R: Record>(_ key: Key<R>) throws {
        let cache = database.cache(R.self)
        let slot = try slot(key, cache)
        let (standing, before, document) = try existing(slot)
        let value = try cache.decode(document, before.schema, slot.key).value
        state.put(
            slot,
            try cache.encode(value, over: (document, before.schema)),
            cache.schema.version,
            over: standing,
            isMigration: true
        )
    }

    /// Deletes a record.
    ///
    /// - Throws: `refused` with `bad-key`.
    public mutating func delete<R: Record>(_ key: Key<R>) throws(DatabaseError) {
        let slot = try slot(key, database.cache(R.self))
        let standing = state.standing(slot)
        var after = state.fresh(standing, in: slot.tree)
        after.document = nil
        state.perform(.delete(operation(slot, standing)), on: slot, leaving: after)
    }

    // MARK: Lifecycle

    /// Makes a draft final: immutable for everyone, for ever.
    ///
    /// - Throws: `refused` with `not-found`, `released` or `bad-state`.
    public mutating func release<R: Record>(_ key: Key<R>) throws(DatabaseError) {
        let slot = try slot(key, database.cache(R.self))
        let (standing, before, _) = try existing(slot)
        var after = before
        after.state = .released(0)
        state.perform(.release(operation(slot, standing), number: 0), on: slot, leaving: after)
    }

    /// Copies a released record to a draft with the next revision.
    ///
    /// - Returns: The draft's key.
    /// - Throws: `refused` with `not-found`, `not-released` or `bad-state`.
    public mutating func revise<R: Record>(_ key: Key<R>) throws(DatabaseError) -> Key<R> {
        let slot = try slot(key, database.cache(R.self))
        let (_, before, _) = try existing(slot)
        let revision = state.highestRevision(slot.tree, slot.key.id) + 1
        let next = RecordKey(slot.key.id, revision: revision)
        var after = before
        after.state = .draft(0)
        after.createdAt = state.draft.madeAt
        after.borrow = nil
        state.perform(
            .revise(tree: slot.tree, key: slot.key, hold: nil),
            on: TransactionState.Slot(tree: slot.tree, key: next),
            leaving: after
        )
        return Key(key.id, revision: revision)
    }

    /// Changes the number of a record's state: that of a draft, or of a released one.
    ///
    /// - Throws: `refused` with `not-found` or `bad-state`.
    public mutating func setState<R: Record>(
        _ key: Key<R>,
        _ number: Int
    ) throws(DatabaseError) {
        let slot = try slot(key, database.cache(R.self))
        let (standing, before, _) = try existing(slot)
        guard let number = UInt32(exactly: number) else {
            throw .refused(Refusal(.badState, "A state's number runs from 0 to \(UInt32.max)."))
        }
        var after = before
        after.state = before.state.isReleased ? .released(number) : .draft(number)
        state.perform(
            .setState(operation(slot, standing), after.state),
            on: slot,
            leaving: after
        )
    }

    // MARK: Reading

    /// A record as this change sees it; nil when there is none.
    ///
    /// A record this change wrote shows as pending.
    ///
    /// - Throws: `undecodable`.
    public func record<R: Record>(_ key: Key<R>) throws(DatabaseError) -> Entry<R>? {
        let cache = database.cache(R.self)
        guard let stored = key.stored else { return nil }
        let slot = TransactionState.Slot(tree: cache.name, key: stored)
        switch state.standing(slot) {
        case .nothing: return nil
        case .stored(let record, _): return try cache.box(of: record, key).content.entry(key)
        case .own(let own): return try entry(key, stored, own, cache)
        }
    }

    /// The record that carries a value in a unique field, as this change sees it: the latest
    /// revision of its id.
    ///
    /// - Precondition: The index is declared in the type's `define`.
    /// - Throws: `undecodable`.
    public func find<R: Record, V>(
        _ index: UniqueIndex<R, V>,
        _ value: V
    ) throws(DatabaseError) -> Entry<R>? {
        let cache = database.cache(R.self)
        let owner = cache.owner(index, value)
        guard let wanted = IndexBytes.bytes(of: value) else { return nil }
        for (stored, own) in state.records(of: cache.name).reversed() {
            guard let key = Key<R>(stored: stored),
                let entry = try entry(key, stored, own, cache),
                index.bytes(of: entry.value) == wanted
            else { continue }
            return entry
        }
        guard let owner, let entry = try record(owner) else { return nil }
        // What stands may have lost the value, or gone, by this change.
        return index.bytes(of: entry.value) == wanted || !entry.meta.pending ? entry : nil
    }

    private func entry<R: Record>(
        _ key: Key<R>,
        _ stored: RecordKey,
        _ own: TransactionState.Own,
        _ cache: TreeCache<R>
    ) throws(DatabaseError) -> Entry<R>? {
        guard let document = own.document else { return nil }
        let decoded = try cache.decode(document, own.schema, stored)
        let meta = state.facts(own).meta(hasUnknownFields: decoded.hasUnknownFields)
        return Entry(key: key, value: decoded.value, meta: meta)
    }

    // MARK: Helpers

    private func operation(
        _ slot: TransactionState.Slot,
        _ standing: TransactionState.Standing
    ) -> RecordOperation {
        let (expects, borrow) = state.terms(standing)
        return RecordOperation(tree: slot.tree, key: slot.key, expects: expects, borrow: borrow)
    }

    private func existing(
        _ slot: TransactionState.Slot
    ) throws(DatabaseError) -> (
        TransactionState.Standing, before: TransactionState.Own, document: [UInt8]
    ) {
        let standing = state.standing(slot)
        let before = state.fresh(standing, in: slot.tree)
        guard let document = before.document else {
            throw .refused(
                Refusal(.notFound, "There is no record \(slot.key) in '\(slot.tree)'.")
            )
        }
        return (standing, before, document)
    }
}
