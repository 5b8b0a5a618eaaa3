// What a mirror asks the authority alone: borrows, returns, key ranges. Nothing of it stands in the
// outbox; asked again after a reconnection under the same id it is done once.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

extension MirrorCore {
    /// Whether requests can be asked.
    var isConnected: Bool { phase == .open }

    /// Asks for operations that the authority alone decides.
    ///
    /// - Parameter change: Its id names the request; `deviceSeq` stays 0.
    /// - Returns: Actions; `answered` comes later, also over another connection.
    func ask(_ change: Change) -> [MirrorAction] {
        requests.append(Request(change: change, answer: nil, isOwn: false))
        return isConnected ? [.send(.change(MirrorChange(change)))] : []
    }

    /// Forgets requests nobody waits for any more.
    func abandon(_ id: UniqueID) { requests.removeAll { $0.change.id == id && !$0.isOwn } }

    /// Answers requests whose commits are here.
    func answerRequests() -> [MirrorAction] {
        let head = confirmedHead
        var actions: [MirrorAction] = []
        requests.removeAll { request in
            guard let answer = request.answer, answer.position.seq <= head else { return false }
            if !request.isOwn {
                let accepted = MirrorAnswer.accepted(answer.position, answer.results)
                actions.append(.answered(request.change.id, accepted))
            }
            return true
        }
        return actions
    }

    // MARK: Key ranges

    /// The ranges of this device in a tree, ascending.
    func ranges(_ tree: TreeName) -> [RangeRecord] {
        let device = identity.device
        return store.read { reader in
            (reader.state.tree(tree)?.keyRanges ?? []).filter { $0.device == device }
        }
    }

    /// The next id of a tree; nil when this device has none left.
    ///
    /// - Throws: `full`, `poisoned`.
    func nextNumber(_ tree: TreeName) throws(MirrorError) -> UInt64? {
        try outbox.nextNumber(tree, in: ranges(tree))
    }

    /// Asks for new blocks in trees whose ids run low.
    func topUp() throws(MirrorError) -> [MirrorAction] {
        guard isConnected else { return [] }
        let trees = store.read { reader in
            reader.state.allTrees.filter { tree in
                !tree.name.isSystem && tree.declaration.keys == .id && identity.uses(tree.name)
            }.map(\.name)
        }
        var actions: [MirrorAction] = []
        for tree in trees where !isReserving(tree) {
            let ranges = ranges(tree)
            guard let count = outbox.wantedBlock(tree, in: ranges) else { continue }
            // What is left of all blocks was used up to half of one: it is used fast.
            if !ranges.isEmpty { try outbox.growBlock(tree) }
            let reserve = Operation.reserve(tree: tree, range: newID(), count: count)
            actions += askOwn([reserve])
        }
        return actions
    }

    private func isReserving(_ tree: TreeName) -> Bool {
        requests.contains { request in
            if case .reserve(tree, _, _) = request.change.operations.first { return true }
            return false
        }
    }

    // MARK: Holds

    /// Gives back borrows that creations took on their own, once nothing pends for the record.
    ///
    /// By a change like any other, numbered and shown: whatever the application writes to the
    /// records from now on is decided, and sent, after it.
    func giveBackHolds() throws(MirrorError) -> [MirrorAction] {
        let holds = outbox.holds
        guard isConnected, !holds.isEmpty else { return [] }
        var (records, borrows): (Set<HoldRecord>, Set<UniqueID>) = ([], [])
        for change in outbox.pending { change.gatherSubjects(&records, &borrows) }
        for request in requests { request.change.gatherSubjects(&records, &borrows) }
        var standing: [UniqueID] = []
        var ended: [UniqueID] = []
        for (id, hold) in holds.sorted(by: { $0.key < $1.key }) {
            guard !borrows.contains(id), !records.contains(hold) else { continue }
            if store.read({ $0.state.borrow(id) == nil }) {
                ended.append(id)
            } else {
                standing.append(id)
            }
        }
        try outbox.forgetHolds(ended)
        guard !standing.isEmpty else { return [] }
        let operations = standing.prefix(Self.giveBackCount).map { Operation.return($0) }
        let change = Change(id: newID(), madeAt: time.wallMilliseconds(), operations: operations)
        _ = store.show(PendingChange(try outbox.put(change), by: identity.caller))
        return proposed()
    }

    /// Most borrows given back by one change.
    private static let giveBackCount = 1000

    /// Whether a change gives back what creations took, and nothing else.
    func isGiveBack(_ change: Change) -> Bool {
        let holds = outbox.holds
        return !change.operations.isEmpty
            && change.operations.allSatisfy { operation in
                if case .return(let id) = operation { return holds[id] != nil }
                return false
            }
    }

    /// Whether everything is sent and answered, and nothing is to be given back.
    var isIdle: Bool { outbox.pending.isEmpty && outbox.holds.isEmpty && requests.isEmpty }

    private func askOwn(_ operations: [Operation]) -> [MirrorAction] {
        let change = Change(id: newID(), operations: operations)
        requests.append(Request(change: change, answer: nil, isOwn: true))
        return [.send(.change(MirrorChange(change)))]
    }

    private func newID() -> UniqueID {
        .version7(milliseconds: time.wallMilliseconds(), random: random)
    }
}

extension Change {
    /// Gathers the records it is about, and the borrows it names.
    fileprivate func gatherSubjects(
        _ records: inout Set<HoldRecord>,
        _ borrows: inout Set<UniqueID>
    ) {
        func add(_ tree: TreeName, _ key: RecordKey?, _ ids: UniqueID?...) {
            if let key { records.insert(HoldRecord(tree: tree, key: key)) }
            for case .some(let id) in ids { borrows.insert(id) }
        }
        for operation in operations {
            switch operation {
            case .put(let write), .patch(let write):
                add(write.tree, write.key, write.hold, write.borrow)
            case .delete(let target), .release(let target, _), .setState(let target, _):
                add(target.tree, target.key, target.borrow)
            case .revise(let tree, let key, let hold): add(tree, key, hold)
            case .borrow(let taking): borrows.insert(taking.borrow)
            case .return(let id), .cancel(let id): borrows.insert(id)
            case .reserve, .defineTree: continue
            }
        }
    }
}
