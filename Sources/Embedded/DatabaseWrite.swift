// Writes: one body at a time, all or nothing.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStore

extension Database {
    /// Changes records, all or nothing.
    ///
    /// `body` runs once, synchronously, while no other write of this process runs. When it throws,
    /// or the change is refused, nothing happened, in memory and on the disk; its own error comes
    /// out as it was thrown.
    ///
    /// ```swift
    /// let made = try await db.write(why: "goods in") { tx in try tx.create(part) }
    /// print(made.value)
    /// ```
    ///
    /// - Parameters:
    ///   - why: For what reason; kept with the change.
    ///   - isolation: Where `body` runs: where the caller is.
    ///   - body: What is to happen. Its result must not hold the transaction.
    /// - Returns: What `body` returned, when the change is durable here.
    /// - Throws: `refused` (with `busy` when others that share the database do not let this process
    ///   write in time), `poisoned`, `full`, `closed`, `CancellationError` when the task is
    ///   cancelled before its turn, and what `body` throws.
    @discardableResult
    public func write<T: Sendable>(
        why: String? = nil,
        isolation: isolated (any Actor)? = #isolation,
        _ body: (inout Transaction) throws -> T
    ) async throws -> Receipt<T> {
        try checkOpen()
        try await gate.enter()
        let state: TransactionState
        let value: T
        do {
            try checkOpen()
            try await authority.prepare()
            state = TransactionState(self, why: why ?? "")
            var transaction = Transaction(state)
            do {
                value = try body(&transaction)
            } catch {
                authority.abandon(state.draft)
                // What the body saw, and its error may tell, must be durable too.
                if let watch { try await watch.settle(state.seen) }
                throw error
            }
        } catch {
            gate.leave()
            throw error
        }
        return try await propose(state.draft, seen: state.seen, value)
    }

    /// Proposes a change, leaves the gate, and waits for the disk.
    private func propose<T: Sendable>(
        _ draft: ChangeDraft,
        seen: UInt64,
        _ value: T
    ) async throws(DatabaseError) -> Receipt<T> {
        guard !draft.operations.isEmpty else {
            authority.abandon(draft)
            gate.leave()
            if let watch { try await watch.settle(seen) }
            let position = store.read { $0.state.position }
            let proposal = Proposal(id: draft.id, position: position)
            return Receipt(value: value, proposal: proposal, authority: authority)
        }
        let proposal: Proposal
        do throws(DatabaseError) {
            proposal = try await authority.propose(draft)
        } catch {
            gate.leave()
            throw error
        }
        gate.leave()
        try await authority.settle(proposal)
        return Receipt(value: value, proposal: proposal, authority: authority)
    }

    /// Proposes operations that need no body, through the gate.
    func submit(
        _ operations: [Operation],
        requires: [UniqueID] = [],
        why: String?
    ) async throws -> Proposal {
        var draft = ChangeDraft(id: newID(), why: why ?? "", madeAt: time.wallMilliseconds())
        draft.operations = operations
        draft.requires = requires
        await enterUncancelled(gate)
        do {
            try checkOpen()
        } catch {
            gate.leave()
            throw error
        }
        return try await propose(draft, seen: 0, ()).proposal
    }
}
