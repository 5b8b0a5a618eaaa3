// The writes of a mirror: into the outbox and shown, sent when there is a connection.
internal import HoldfastBasics
internal import HoldfastEmbedded
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

extension MirrorAuthority {
    func prepare() async throws(DatabaseError) { try checkOpen() }

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
        change.requires = outbox.requirements(of: change)
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
        while true {
            let count = rounds.count
            let id = proposal.id
            let position = store.read { $0.position(ofChange: id) }
            if let position { return position }
            if let bundle = outbox.stranded.first(where: { $0.changes.contains { $0.id == id } }) {
                throw .refused(HoldfastEmbedded.Refusal(bundle.refusal))
            }
            // It asked for what stood already: it left no commit.
            if !outbox.pending.contains(where: { $0.id == id }) {
                return store.read(\.confirmedPosition)
            }
            try checkOpen()
            if Task.isCancelled { throw .offline }
            await rounds.wait(past: count)
        }
    }

    func ask(
        _ operations: [Operation],
        id: UniqueID
    ) async throws(DatabaseError) -> [OperationResult] {
        try checkOpen()
        guard core.withLock(\.isConnected) else { throw .offline }
        let change = Change(id: id, madeAt: time.wallMilliseconds(), operations: operations)
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
            case .return(let id), .cancel(let id): results.append(.ended(id))
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

    /// The pending changes a change builds on: those it names, and those that made a record it
    /// refers to from inside a value.
    func requirements(of change: Change) -> [UniqueID] {
        var requires = change.requires
        let made = pending.flatMap { pending in
            pending.operations.compactMap { operation -> (String, UniqueID)? in
                guard case .put(let write) = operation, write.expects == .absent,
                    let key = write.key
                else { return nil }
                return (key.description, pending.id)
            }
        }
        guard !made.isEmpty else { return requires }
        let makers = Dictionary(made) { $1 }
        for operation in change.operations {
            let value: [UInt8]
            switch operation {
            case .put(let write), .patch(let write): value = write.value
            default: continue
            }
            for text in value.split(separator: UInt8(ascii: "\"")) where text.contains(46) {
                guard let maker = makers[String(decoding: text, as: UTF8.self)],
                    maker != change.id, !requires.contains(maker)
                else { continue }
                requires.append(maker)
            }
        }
        return requires
    }
}
