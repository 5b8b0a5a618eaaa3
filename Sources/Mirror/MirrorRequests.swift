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
        let known = knownRanges[tree]
        let found = store.read { reader -> (hash: Hash128, ranges: [RangeRecord])? in
            guard let tree = reader.state.tree(tree) else { return (.zero, []) }
            if let known, known.hash == tree.rangesHash { return nil }
            return (tree.rangesHash, tree.keyRanges.filter { $0.device == device })
        }
        guard let found else { return known?.ranges ?? [] }
        knownRanges[tree] = found
        return found.ranges
    }

    /// Ids of a tree a body should find, as long as there is a server to give some.
    static let stockCount: UInt64 = 256

    /// Sees to it that ids of some trees are on their way when there are few.
    ///
    /// - Parameters:
    ///   - trees: Trees of numbers.
    ///   - mayAsk: Whether to ask for more: not again for one who waited for them already.
    /// - Returns: Whether to wait for a round and look again, and actions.
    /// - Throws: `full`, `poisoned`.
    func stockUp(
        _ trees: [TreeName],
        mayAsk: Bool
    ) throws(MirrorError) -> (isWaiting: Bool, actions: [MirrorAction]) {
        let trees = trees.filter(identity.uses)
        let stocks = trees.map { outbox.remaining($0, in: ranges($0)) }
        switch phase {
        case .offline: return (false, [])
        // The server is about to say welcome, or the connection to end.
        case .greeting: return (stocks.contains(0), [])
        case .open: break
        }
        let few = zip(trees, stocks).filter { $0.1 < Self.stockCount }.map { $0.0 }
        guard !few.isEmpty else { return (false, []) }
        if few.contains(where: isAwaiting) { return (true, []) }
        guard mayAsk else { return (false, []) }
        let actions = try topUp()
        return (few.contains(where: isAwaiting), actions)
    }

    /// Whether ids of a tree, or the tree itself, are on their way.
    private func isAwaiting(_ tree: TreeName) -> Bool {
        requests.contains { request in
            switch request.change.operations.first {
            case .reserve(tree, _, _), .defineTree(tree, _): true
            default: false
            }
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
        // Before everything of the server is here, a hold that is not may stand there.
        guard isConnected, isCaughtUp else { return [] }
        let free = outbox.freeHolds
        guard !free.isEmpty else { return [] }
        var asked: Set<UniqueID> = []
        for request in requests { asked.formUnion(request.change.subjects.borrows) }
        var (standing, ended): ([UniqueID], [UniqueID]) = ([], [])
        store.read { reader in
            for id in free where !asked.contains(id) {
                // What another device holds is not this one's to give back.
                let isMine = reader.state.borrow(id)?.record.device == identity.device
                if isMine { standing.append(id) } else { ended.append(id) }
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
        !change.operations.isEmpty
            && change.operations.allSatisfy { operation in
                if case .return(let id) = operation { return outbox.isHold(id) }
                return false
            }
    }

    /// Whether everything is sent and answered, and nothing is to be given back.
    var isIdle: Bool { outbox.pendingCount == 0 && outbox.holds.isEmpty && requests.isEmpty }

    private func askOwn(_ operations: [Operation]) -> [MirrorAction] {
        let change = Change(id: newID(), operations: operations)
        requests.append(Request(change: change, answer: nil, isOwn: true))
        return [.send(.change(MirrorChange(change)))]
    }

    private func newID() -> UniqueID {
        .version7(milliseconds: time.wallMilliseconds(), random: random)
    }
}
