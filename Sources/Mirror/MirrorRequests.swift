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
    func giveBackHolds() throws(MirrorError) -> [MirrorAction] {
        let holds = outbox.holds
        guard isConnected, !holds.isEmpty else { return [] }
        let pending = outbox.pending
        var actions: [MirrorAction] = []
        var ended: [UniqueID] = []
        for (id, hold) in holds.sorted(by: { $0.key < $1.key }) {
            guard !pending.contains(where: { $0.touches(hold.tree, hold.key, hold: id) }),
                !isReturning(id)
            else { continue }
            if store.read({ $0.state.borrow(id) == nil }) {
                ended.append(id)
            } else {
                actions += askOwn([.return(id)])
            }
        }
        try outbox.forgetHolds(ended)
        return actions
    }

    private func isReturning(_ id: UniqueID) -> Bool {
        requests.contains { $0.change.operations.first == .return(id) }
    }

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
    /// Whether it is about a record, or about the borrow of its maker.
    fileprivate func touches(_ tree: TreeName, _ key: RecordKey, hold: UniqueID) -> Bool {
        operations.contains { operation in
            switch operation {
            case .put(let write), .patch(let write):
                write.hold == hold || write.borrow == hold || write.tree == tree && write.key == key
            case .delete(let target), .release(let target, _), .setState(let target, _):
                target.borrow == hold || target.tree == tree && target.key == key
            case .revise(let name, let base, let held):
                held == hold || name == tree && base.id == key.id
            case .borrow(let taking): taking.borrow == hold
            case .return(let id), .cancel(let id): id == hold
            case .reserve, .defineTree: false
            }
        }
    }
}
