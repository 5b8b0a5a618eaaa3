// The writes of a mirror: into the outbox and shown, sent when there is a connection.
internal import HoldfastBasics
internal import HoldfastEmbedded
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

extension MirrorAuthority {
    /// Waits, outside the gate, while ids are on their way of which the body may need some.
    func prepare() async throws(DatabaseError) {
        try checkOpen()
        let trees = state.withLock(\.numberedTrees)
        guard !trees.isEmpty, outbox.hasSynced else { return }
        var mayAsk = true
        while true {
            let count = rounds.count
            let (isWaiting, actions): (Bool, [MirrorAction])
            do throws(MirrorError) {
                (isWaiting, actions) = try core.withLock { (core) throws(MirrorError) in
                    try core.stockUp(trees, mayAsk: mayAsk)
                }
            } catch {
                throw Self.error(error)
            }
            act(actions)
            guard isWaiting, !Task.isCancelled else { return }
            if !actions.isEmpty { mayAsk = false }
            gate.leave()
            await waitUrgently(past: count)
            await enterGate()
            try checkOpen()
        }
    }

    /// Waits for a round; commits that have come are not put off meanwhile.
    private func waitUrgently(past count: UInt64) async {
        state.withLock { $0.urgentCount += 1 }
        await rounds.wait(past: count)
        state.withLock { $0.urgentCount -= 1 }
    }

    /// Enters the gate, whether or not this task is cancelled: whoever called is inside.
    private func enterGate() async {
        let gate = gate
        let entering = Task.detached {
            do throws(CancellationError) {
                try await gate.enter()
            } catch {
                preconditionFailure("nobody cancels this task")
            }
        }
        await entering.value
    }

    func nextNumber(
        _ tree: TreeName,
        for draft: inout ChangeDraft
    ) throws(DatabaseError) -> UInt64 {
        let number: UInt64?
        do throws(MirrorError) {
            number = try core.withLock { (core) throws(MirrorError) in
                guard core.outbox.hasSynced else { return UInt64?.none }
                return try core.nextNumber(tree)
            }
        } catch {
            throw Self.error(error)
        }
        if let number { return number }
        throw outbox.hasSynced ? .keysExhausted(tree: tree.description) : .offline
    }

    func propose(_ draft: ChangeDraft) async throws(DatabaseError) -> Proposal {
        try checkOpen()
        var change = draft.change
        change.requires = core.withLock { $0.requirements(of: change) }
        return try keep(change)
    }

    /// Proposes a change under the gate.
    private func keep(_ change: Change) throws(DatabaseError) -> Proposal {
        let (proposal, actions): (MirrorProposal, [MirrorAction])
        do throws(MirrorError) {
            (proposal, actions) = try core.withLock { (core) throws(MirrorError) in
                let proposal = try core.propose(change)
                return (proposal, core.proposed())
            }
        } catch {
            throw Self.error(error)
        }
        act(actions)
        switch proposal {
        case .kept: return Proposal(id: change.id, position: nil)
        case .unchanged:
            return Proposal(id: change.id, position: store.read(\.confirmedPosition))
        case .refused(let refusal): throw .refused(HoldfastEmbedded.Refusal(refusal))
        case .borrowNeeded(let tree, let key):
            throw .refused(
                HoldfastEmbedded.Refusal(
                    .borrowNeeded,
                    "Record \(key) of \(tree) is changed offline under a borrow alone. Borrow it "
                        + "while you are online, or change it then."
                )
            )
        case .offline: throw .offline
        }
    }

    func abandon(_ draft: ChangeDraft) {
        // Its ids stay unused: they may have been seen.
    }

    func settle(_ proposal: Proposal) async throws(DatabaseError) {
        // It is durable in the outbox when it was proposed.
    }

    func acceptance(of proposal: Proposal) async throws(DatabaseError) -> Position {
        if let position = proposal.position { return position }
        let id = proposal.id
        while true {
            let bell = state.withLock { state in
                let bell = state.bells[id] ?? WakeUp()
                if !state.isClosed { state.bells[id] = bell }
                return bell
            }
            do throws(DatabaseError) {
                if let position = try outcome(of: id) {
                    ring([id])
                    return position
                }
            } catch {
                ring([id])
                throw error
            }
            try checkOpen()
            if Task.isCancelled { throw .offline }
            await bell.wait(past: 0)
        }
    }

    /// Where a change stands; nil while that is not known.
    private func outcome(of id: UniqueID) throws(DatabaseError) -> Position? {
        // Asked first: it leaves the outbox after its commit came, so that one is not missed.
        let isPending = outbox.pendingChange(id) != nil
        if let position = store.read({ $0.position(ofChange: id) }) { return position }
        if let bundle = outbox.bundle(of: id) {
            throw .refused(HoldfastEmbedded.Refusal(bundle.refusal))
        }
        // It asked for what stood already: it left no commit.
        return isPending ? nil : store.read(\.confirmedPosition)
    }

    /// Waits until nothing pends for records that are to be borrowed, and no creation of this
    /// device holds them any more: the server would refuse them as held by another borrow.
    private func waitUntilFree(_ operations: [Operation]) async throws(DatabaseError) {
        let records = operations.compactMap { operation -> HoldRecord? in
            guard case .borrow(let taking) = operation else { return nil }
            return HoldRecord(tree: taking.tree, key: taking.key)
        }
        while true {
            let count = rounds.count
            if records.allSatisfy(outbox.isFree) || Task.isCancelled { return }
            try checkOpen()
            guard core.withLock(\.isConnected) else { throw .offline }
            await rounds.wait(past: count)
        }
    }

    func ask(
        _ operations: [Operation],
        id: UniqueID,
        why: String
    ) async throws(DatabaseError) -> [OperationResult] {
        try checkOpen()
        try await waitUntilFree(operations)
        guard core.withLock(\.isConnected) else { throw .offline }
        let change = Change(
            id: id,
            madeAt: time.wallMilliseconds(),
            why: why,
            operations: operations
        )
        let answer: MirrorAnswer? = await withCheckedContinuation { continuation in
            let isTaken = state.withLock { state in
                guard !state.isClosed else { return false }
                state.answers[id] = continuation
                return true
            }
            guard isTaken else {
                continuation.resume(returning: nil)
                return
            }
            ask(change)
        }
        // As `Worker.run`: an answer there before anybody waits is seen to come through a lock.
        state.withLock { _ in }
        switch answer {
        case nil: throw .closed
        case .refused(let problem): throw .refused(HoldfastEmbedded.Refusal(problem.refusal))
        case .accepted(_, let shapes): return results(of: operations, shapes)
        }
    }

    /// What operations led to, as the copy shows it now.
    private func results(
        of operations: [Operation],
        _ shapes: [ResultShape]
    ) -> [OperationResult] {
        var results: [OperationResult] = []
        for (index, operation) in operations.enumerated() {
            switch operation {
            case .borrow(let taking):
                guard let record = store.read({ $0.state.borrow(taking.borrow)?.record }) else {
                    results.append(.ended(taking.borrow))
                    continue
                }
                var place = 0
                if index < shapes.count, case .place(let found) = shapes[index] { place = found }
                results.append(.borrow(record, place: place))
            case .recall(let id, _), .setHolder(let id, _, _):
                let record = store.read { $0.state.borrow(id)?.record }
                results.append(record.map { .borrow($0, place: 0) } ?? .ended(id))
            case .return(let id), .cancel(let id), .seize(let id): results.append(.ended(id))
            case .reserve:
                if index < shapes.count, case .range(let range) = shapes[index] {
                    results.append(.range(range))
                }
            case .defineTree(let tree, _): results.append(.tree(tree, isNew: false))
            case .put(let write), .patch(let write):
                if let key = write.key { results.append(.changed(write.tree, key)) }
            case .delete(let target): results.append(.deleted(target.tree, target.key))
            case .release(let target, _), .setState(let target, _):
                results.append(.changed(target.tree, target.key))
            case .revise(let tree, let key, _): results.append(.created(tree, key))
            }
        }
        return results
    }

    static func error(_ error: MirrorError) -> DatabaseError {
        switch error {
        case .full: .full
        case .poisoned(let why): .poisoned(why)
        case .tooLarge(let count, let limit):
            .refused(
                HoldfastEmbedded.Refusal(
                    .tooLarge,
                    "The change has \(count) bytes; the outbox takes \(limit). Make several."
                )
            )
        case .store, .unreadable: .unavailable(directory: "outbox", reason: "\(error)")
        }
    }
}

extension Outbox {
    /// Whether everything of the server has been here once.
    var hasSynced: Bool { fact(MirrorCore.syncedFact) == Array("true".utf8) }
}
