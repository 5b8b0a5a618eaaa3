// This process decides: every change goes straight to the store.
//
// Invariants:
// - ids come from ranges reserved for this device, lowest first, and the log remembers every one
//   that was ever used: an id is never given out twice, whatever happens between;
// - a range is reserved by the same change that uses its first id: a body that throws leaves no
//   trace of it;
// - where several processes share the database, everything from the body to the disk happens while
//   none of the others writes.
internal import HoldfastBasics
internal import HoldfastEngine
public import HoldfastRecords
internal import HoldfastStore

/// The authority of an embedded database.
final class LocalAuthority: Authority {
    let caller: Caller
    let statusChanges = WakeUp()
    private let store: Store
    private let folder: StoreDirectory
    private let watch: DurableWatch
    private let time: any TimeSource
    private let random: any RandomSource
    /// Whether every change gets a sync of its own.
    private let syncsEach: Bool
    /// What this process knows beside the store.
    private struct State {
        var isClosed = false
        /// Whether others who share the database wait for the change that is prepared; written
        /// under the gate.
        var isPrepared = false
        /// Where the ids of each tree go on; written under the gate.
        var numbers: [TreeName: Range<UInt64>] = [:]
        var runner: StoreRunner?
        var ticking: Task<Void, Never>?
        /// Takes up what others wrote who share the database.
        var follower: StoreFollower?
    }
    private let state = Lock(State())

    /// Ids reserved at a time.
    static let rangeCount: UInt64 = 1000

    /// Decides for a store that no thread drives yet.
    init(
        _ store: Store,
        _ folder: StoreDirectory,
        caller: Caller,
        durability: Database.Durability,
        time: any TimeSource = SystemTime(),
        random: any RandomSource = SystemRandom()
    ) {
        self.store = store
        self.folder = folder
        self.caller = caller
        self.time = time
        self.random = random
        syncsEach = durability == .each
        watch = DurableWatch(store)
        store.keepFiles()
    }

    /// Drives the store from now on; called once.
    ///
    /// - Parameter failed: Is called when what others write cannot be taken up any more.
    func start(failed: @escaping @Sendable () -> Void) {
        if !store.isShared { openFiles() }
        let runner = StoreRunner(store)
        let follower =
            store.isShared
            ? StoreFollower(store, everyMilliseconds: Self.lookMilliseconds, failed: failed) : nil
        let ticking = store.isShared ? nil : ticks()
        state.withLock { state in
            state.runner = runner
            state.follower = follower
            state.ticking = ticking
        }
    }

    /// Removes what an ended process left of files on their way.
    private func openFiles() {
        do throws(FileError) {
            try store.openFiles()
        } catch {
            // It takes room and does no harm: another opening tries again.
        }
    }

    /// From one look at what others wrote to the next.
    private static let lookMilliseconds: UInt64 = 50

    /// From one look for files that nothing needs to the next: an hour.
    private static let collectNanoseconds: UInt64 = 3_600_000_000_000

    private func ticks() -> Task<Void, Never> {
        Task.detached { [weak self, time] in
            await self?.collectFiles(isOpening: true)
            var collected = time.monotonicNanoseconds()
            while !Task.isCancelled, let next = self?.tick() {
                let now = time.monotonicNanoseconds()
                if now - collected > Self.collectNanoseconds {
                    collected = now
                    await self?.collectFiles(isOpening: false)
                }
                do {
                    try await Task.sleep(for: .milliseconds(min(max(next, 1), 1000)))
                } catch {
                    return
                }
            }
        }
    }

    deinit {
        let (runner, follower, isClosed) = state.withLock { state in
            state.ticking?.cancel()
            return (state.runner, state.follower, state.isClosed)
        }
        guard !isClosed, let runner else { return }
        // Forgotten without being closed: its threads must not outlive it.
        Worker.detach {
            follower?.close()
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
        let (runner, follower, ticking) = state.withLock { state in
            state.isClosed = true
            return (state.runner, state.follower, state.ticking)
        }
        ticking?.cancel()
        await ticking?.value
        let store = store
        let result = await Worker.run {
            follower?.close()
            // What was asked for before is still answered.
            if store.isShared { store.awaitEndOfWriting() }
            return Result { () throws(StoreError) in try runner?.close() }
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

    // MARK: Sharing

    var followingFailure: DatabaseError? {
        state.withLock { $0.follower?.failure }.map { folder.error($0) }
    }

    func refresh() async throws(DatabaseError) {
        guard let follower = state.withLock(\.follower) else { return }
        let folder = folder
        try await Worker.run {
            Result { () throws(DatabaseError) in
                do throws(StoreError) { try follower.look() } catch { throw folder.error(error) }
            }
        }.get()
    }

    /// Keeps others who share the database from writing, when they let it, until `endWriting`.
    ///
    /// - Throws: `closed`, `poisoned`, `full`, `refused` with `busy`; they may write then.
    private func beginWriting() async throws(DatabaseError) {
        if isClosed { throw .closed }
        if store.isShared {
            let (store, folder) = (store, folder)
            do throws(StoreError) {
                do throws(StoreError) {
                    // Nearly always nobody is in the way.
                    try store.beginWriting(waitingMilliseconds: 0)
                } catch .busy {
                    try await Worker.run {
                        Result { () throws(StoreError) in try store.beginWriting() }
                    }.get()
                }
            } catch {
                if isClosed { throw .closed }
                if case .readOnly(let reason) = error { throw .poisoned(reason) }
                throw folder.error(error)
            }
        }
        do throws(DatabaseError) {
            try checkWritable()
        } catch {
            endWriting()
            throw error
        }
    }

    private func endWriting() { store.endWriting() }

    // MARK: Trees

    func declare(_ trees: [TreeProposal]) async throws(DatabaseError) {
        for proposal in trees {
            let stands = store.read { reader in
                reader.state.tree(proposal.tree)?.declaration.covers(proposal.definition) ?? false
            }
            guard !stands else { continue }
            let operation = Operation.defineTree(proposal.tree, proposal.definition)
            _ = try await ask([operation], id: newID(), why: "")
        }
    }

    // MARK: Changes

    func prepare() async throws(DatabaseError) {
        try await beginWriting()
        if store.isShared { state.withLock { $0.isPrepared = true } }
    }

    /// Whether others who share the database wait for the change: what follows ends that.
    private func takePrepared() -> Bool {
        state.withLock { state in
            defer { state.isPrepared = false }
            return state.isPrepared
        }
    }

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
        if store.isShared, !takePrepared() { try await beginWriting() }
        defer { endWriting() }
        if isClosed { throw .closed }
        let position: HoldfastRecords.Position
        switch store.submit(draft.change, by: caller, willSync: true) {
        case .refused(_, let refusal): throw error(refusal)
        case .accepted(let accepted, _), .unchanged(let accepted, _), .replayed(let accepted, _):
            position = accepted
        }
        state.withLock { $0.numbers.merge(draft.numbers) { $1 } }
        let proposal = Proposal(id: draft.id, position: position)
        if syncsEach || store.isShared { try await settle(proposal) }
        return proposal
    }

    func abandon(_ draft: ChangeDraft) {
        // Nothing of it left this process: its ids are still unused.
        if store.isShared, takePrepared() { endWriting() }
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
        id: UniqueID,
        why: String
    ) async throws(DatabaseError) -> [OperationResult] {
        try await beginWriting()
        defer { endWriting() }
        let change = Change(
            id: id,
            madeAt: time.wallMilliseconds(),
            why: why,
            operations: operations
        )
        switch store.submit(change, by: caller) {
        case .refused(_, let refusal): throw error(refusal)
        case .accepted(let position, let results), .unchanged(let position, let results),
            .replayed(let position, let results):
            try await watch.settle(position.seq)
            return results
        }
    }

    // MARK: Files

    func files() throws(DatabaseError) -> FileStore {
        if isClosed { throw .closed }
        return store.files
    }

    func keep(_ upload: FileUpload, as file: FileRecord) async throws(DatabaseError) {
        do throws(DatabaseError) {
            try await beginWriting()
            defer { endWriting() }
            let (store, caller) = (store, caller)
            let change = Change(id: newID(), madeAt: file.at, operations: [])
            let answer = await Worker.run {
                Result { () throws(FileError) in
                    try store.submit(upload, as: file, change, by: caller, rights: nil)
                }
            }
            switch answer {
            case .failure(let error): throw DatabaseError(error)
            case .success(.refused(_, let refusal)): throw error(refusal)
            case .success(.accepted(let position, _)), .success(.unchanged(let position, _)),
                .success(.replayed(let position, _)):
                try await watch.settle(position.seq)
            }
        } catch {
            await giveUp(upload)
            throw error
        }
    }

    /// Removes what came of an upload; what cannot be removed is at the next opening.
    private func giveUp(_ upload: FileUpload) async {
        let files = store.files
        _ = await Worker.run { Result { () throws(FileError) in try files.giveUp(upload) } }
    }

    /// Takes files away that nothing needs.
    ///
    /// What cannot be done is tried again an hour later; those who share a database would take away
    /// what another one is about to name.
    private func collectFiles(isOpening: Bool) async {
        let store = store
        _ = await Worker.run {
            Result { () throws(FileError) in
                if isOpening { try store.removeUnrecordedFiles() }
                try store.collectFiles()
            }
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
