// This process decides: every change goes straight to the store.
//
// Invariants:
// - ids come from ranges reserved for this device, lowest first, and the log remembers every one
//   that was ever used: an id is never given out twice, whatever happens between;
// - a range is reserved by the same change that uses its first id: a body that throws leaves no
//   trace of it.
internal import HoldfastBasics
internal import HoldfastEngine
public import HoldfastRecords
internal import HoldfastStore

/// The authority of an embedded database.
final class LocalAuthority: Authority {
    let caller: Caller
    let statusChanges = WakeUp()
    private let store: Store
    private let watch: DurableWatch
    private let time: any TimeSource
    private let random: any RandomSource
    /// Whether every change gets a sync of its own.
    private let syncsEach: Bool
    /// What this process knows beside the store.
    private struct State {
        var isClosed = false
        /// Where the ids of each tree go on; written under the gate.
        var numbers: [TreeName: Range<UInt64>] = [:]
        var runner: StoreRunner?
        var ticking: Task<Void, Never>?
    }
    private let state = Lock(State())

    /// Ids reserved at a time.
    static let rangeCount: UInt64 = 1000

    /// Decides for a store that no thread drives yet.
    init(
        _ store: Store,
        caller: Caller,
        durability: Database.Durability,
        time: any TimeSource = SystemTime(),
        random: any RandomSource = SystemRandom()
    ) {
        self.store = store
        self.caller = caller
        self.time = time
        self.random = random
        syncsEach = durability == .each
        watch = DurableWatch(store)
    }

    /// Drives the store from now on; called once.
    func start() {
        let runner = StoreRunner(store)
        let ticking = Task.detached { [weak self] in
            while !Task.isCancelled, let next = self?.tick() {
                do {
                    try await Task.sleep(for: .milliseconds(min(max(next, 1), 1000)))
                } catch {
                    return
                }
            }
        }
        state.withLock { state in
            state.runner = runner
            state.ticking = ticking
        }
    }

    deinit {
        let (runner, isClosed) = state.withLock { state in
            state.ticking?.cancel()
            return (state.runner, state.isClosed)
        }
        guard !isClosed, let runner else { return }
        // Forgotten without being closed: its thread must not outlive it.
        Task.detached {
            do throws(StoreError) {
                try runner.close()
            } catch {
                // Nobody is left to be told; opening it again says what is wrong.
            }
        }
    }

    private func tick() -> Int64? { isClosed ? nil : store.tick() ?? 1000 }

    private var isClosed: Bool { state.withLock(\.isClosed) }

    var exposesOnlyDurable: Bool { true }

    var status: Database.Status { .embedded }

    func firstSync() async throws(DatabaseError) { try checkWritable() }

    func drain() async {
        // Whoever waits for the disk is answered by closing itself.
    }

    func close() async throws(DatabaseError) {
        let (runner, ticking) = state.withLock { state in
            state.isClosed = true
            return (state.runner, state.ticking)
        }
        ticking?.cancel()
        await ticking?.value
        let result = await Worker.run {
            Result { () throws(StoreError) in try runner?.close() }
        }
        watch.end()
        if case .failure(let error) = result { throw .poisoned("\(error)") }
    }

    private func checkWritable() throws(DatabaseError) {
        if isClosed { throw .closed }
        guard let refusal = store.writeRefusal else { return }
        throw error(refusal)
    }

    /// The error a refusal becomes.
    private func error(_ refusal: HoldfastRecords.Refusal) -> DatabaseError {
        switch refusal.code {
        case .full: .full
        case .readOnly: .poisoned(store.progress.failure ?? refusal.detail)
        default: .refused(Refusal(refusal))
        }
    }

    // MARK: Trees

    func declare(_ trees: [TreeProposal]) async throws(DatabaseError) {
        for proposal in trees {
            let stands = store.read { reader in
                reader.state.tree(proposal.tree)?.declaration.covers(proposal.definition) ?? false
            }
            guard !stands else { continue }
            _ = try await ask([.defineTree(proposal.tree, proposal.definition)], id: newID())
        }
    }

    // MARK: Changes

    func prepare() async throws(DatabaseError) { try checkWritable() }

    func nextNumber(
        _ tree: TreeName,
        for draft: inout ChangeDraft
    ) throws(DatabaseError) -> UInt64 {
        let known = draft.numbers[tree] ?? state.withLock { $0.numbers[tree] }
        if let known, let number = store.read({ $0.state.firstUnused(tree, in: known) }) {
            draft.numbers[tree] = number + 1..<known.upperBound
            return number
        }
        // What earlier sessions left of their ranges.
        if let (number, rest) = unused(tree, from: known?.upperBound ?? 1) {
            draft.numbers[tree] = rest
            return number
        }
        let first = store.read { $0.state.tree(tree)?.keyRanges.last?.end ?? 1 }
        let start = max(first, draft.numbers[tree]?.upperBound ?? 1)
        guard start + Self.rangeCount - 1 <= Limits.numberMax else {
            throw .keysExhausted(tree: tree.description)
        }
        draft.operations.append(
            .reserve(tree: tree, range: newID(), count: Self.rangeCount)
        )
        draft.numbers[tree] = start + 1..<start + Self.rangeCount
        return start
    }

    private func unused(
        _ tree: TreeName,
        from first: UInt64
    ) -> (number: UInt64, rest: Range<UInt64>)? {
        store.read { reader in
            for range in reader.state.tree(tree)?.keyRanges ?? []
            where range.device == caller.device && range.first >= first {
                if let number = reader.state.firstUnused(tree, in: range.first..<range.end) {
                    return (number, number + 1..<range.end)
                }
            }
            return nil
        }
    }

    func propose(_ draft: ChangeDraft) async throws(DatabaseError) -> Proposal {
        if isClosed { throw .closed }
        let position: HoldfastRecords.Position
        switch store.submit(draft.change, by: caller, willSync: true) {
        case .refused(_, let refusal): throw error(refusal)
        case .accepted(let accepted, _), .unchanged(let accepted, _), .replayed(let accepted, _):
            position = accepted
        }
        state.withLock { $0.numbers.merge(draft.numbers) { $1 } }
        let proposal = Proposal(id: draft.id, position: position)
        if syncsEach { try await settle(proposal) }
        return proposal
    }

    func abandon(_ draft: ChangeDraft) {
        // Nothing of it left this process: its ids are still unused.
    }

    func settle(_ proposal: Proposal) async throws(DatabaseError) {
        guard let position = proposal.position else { return }
        // A writer alone does it itself: two threads woken for each other would cost as much again
        // as the disk.
        store.syncPromised(position.seq)
        try await watch.settle(position.seq)
    }

    func acceptance(
        of proposal: Proposal
    ) async throws(DatabaseError) -> HoldfastRecords.Position {
        try await settle(proposal)
        return proposal.position ?? store.read { $0.state.position }
    }

    func ask(
        _ operations: [Operation],
        id: UniqueID
    ) async throws(DatabaseError) -> [OperationResult] {
        try checkWritable()
        let change = Change(id: id, madeAt: time.wallMilliseconds(), operations: operations)
        switch store.submit(change, by: caller) {
        case .refused(_, let refusal): throw error(refusal)
        case .accepted(let position, let results), .unchanged(let position, let results),
            .replayed(let position, let results):
            try await watch.settle(position.seq)
            return results
        }
    }

    private func newID() -> UniqueID {
        .version7(milliseconds: time.wallMilliseconds(), random: random)
    }

    // MARK: Stranded changes: there are none where this process decides

    func stranded() throws(DatabaseError) -> [StrandedChange] { [] }

    func reoffer(_ id: UniqueID) async throws(DatabaseError) -> Proposal {
        throw .refused(Refusal(.notFound, "There is no stranded change \(id)."))
    }

    func drop(_ id: UniqueID) async throws(DatabaseError) {
        throw .refused(Refusal(.notFound, "There is no stranded change \(id)."))
    }
}

extension TreeDeclaration {
    /// Whether a definition asks for nothing that does not stand: an older version of an
    /// application declares what a newer one has gone on from.
    ///
    /// For this package's own modules.
    public func covers(_ definition: HoldfastRecords.TreeDefinition) -> Bool {
        keys == definition.keys && isVersioned == definition.isVersioned
            && (definition.borrow ?? borrow) == borrow
            && (definition.transitions == nil || definition.transitions == transitions)
            && (definition.schema.map { schemas.contains($0) } ?? true)
    }
}
