// The answer to a change that was accepted before: what its resend asks, told from its commit.
//
// A commit holds effects, not operations. The resend holds the operations again (its digest says
// so), and each finds its own effect: by the key it names, or, where the authority chose the key,
// as the next one of its kind. Effects stand in the order of their operations.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastRecords

/// What a commit did to records, as far as a reply needs it.
private struct Deed {
    let tree: TreeName
    let key: RecordKey
    let label: Label?
    let isSet: Bool
    let isNew: Bool
}

extension Store.Core {
    /// The answer to a change that was accepted before.
    func replay(_ change: Change, at offset: UInt64) -> Submission {
        source.withCommit(at: offset) { commit in
            do {
                var replay = try Replay(change, commit, state)
                let results = change.operations.map { replay.result(of: $0) }
                return .replayed(state.position(of: commit.seq), results)
            } catch {
                preconditionFailure("a commit that was applied cannot be read: \(error)")
            }
        }
    }
}

/// Finds the effects of operations.
private struct Replay {
    private let state: EngineState
    private var records: [Deed] = []
    private var declared: [TreeName: Bool] = [:]
    /// Ids of the ranges that were asked for, oldest first.
    private var ranges: [UniqueID] = []
    /// Keys that operations name themselves: none of them was chosen by the authority.
    private let named: Set<NamedKey>
    private var given: Set<NamedKey> = []

    private struct NamedKey: Hashable {
        let tree: TreeName
        let key: RecordKey
    }

    init(_ change: Change, _ commit: CommitView, _ state: EngineState) throws {
        self.state = state
        named = Set(
            change.operations.compactMap { operation in
                guard case .put(let write) = operation, let key = write.key else { return nil }
                return NamedKey(tree: write.tree, key: key)
            }
        )
        try commit.forEachBlock { block, _ in
            let name = block.name.text
            if name.hasPrefix("_ranges/") {
                try block.forEachEffect { effect in
                    if let id = UniqueID(effect.name), state.asked(for: id) { ranges.append(id) }
                }
            } else if name == "_trees" {
                try block.forEachEffect { effect in
                    guard let tree = TreeName(effect.name.text) else { return }
                    declared[tree] = effect.previousSeq == 0
                }
            } else if let tree = TreeName(name) {
                try block.forEachEffect { effect in
                    records.append(
                        Deed(
                            tree: tree,
                            key: effect.key,
                            label: effect.label,
                            isSet: effect.isSet,
                            isNew: effect.previousSeq == 0
                        )
                    )
                }
            }
        }
        ranges.reverse()
    }

    mutating func result(of operation: Operation) -> OperationResult {
        switch operation {
        case .put(let write):
            if let key = write.key {
                return write.expects == .absent
                    ? .created(write.tree, key) : .changed(write.tree, key)
            }
            let key = next(write.tree) { $0.isNew && $0.label != .revise }
            return .created(write.tree, key ?? RecordKey(number: 0))
        case .patch(let write):
            return .changed(write.tree, write.key ?? RecordKey(number: 0))
        case .delete(let target): return .deleted(target.tree, target.key)
        case .release(let target, _), .setState(let target, _):
            return .changed(target.tree, target.key)
        case .revise(let tree, let key, _):
            let made = next(tree) { $0.isNew && $0.key.id == key.id && $0.key != key }
            return .created(tree, made ?? key)
        case .borrow(let taking): return borrow(taking.borrow)
        case .recall(let id, _), .setHolder(let id, _, _): return borrow(id)
        case .return(let id), .cancel(let id), .seize(let id): return .ended(id)
        case .reserve(_, let range, _):
            let id = ranges.popLast() ?? range
            return state.range(id).map { .range($0) } ?? .ended(id)
        case .defineTree(let name, _): return .tree(name, isNew: declared[name] ?? false)
        }
    }

    private func borrow(_ id: UniqueID) -> OperationResult {
        guard let (tree, record) = state.borrow(id) else { return .ended(id) }
        let place = tree.line(of: record.key).firstIndex(of: record.id) ?? 0
        return .borrow(record, place: place)
    }

    /// The next key of a tree that the authority chose.
    private mutating func next(_ tree: TreeName, _ isMeant: (Deed) -> Bool) -> RecordKey? {
        for deed in records where deed.tree == tree && isMeant(deed) {
            let key = NamedKey(tree: tree, key: deed.key)
            if !named.contains(key), given.insert(key).inserted { return deed.key }
        }
        return nil
    }
}

extension EngineState {
    /// A key range by its id.
    fileprivate func range(_ id: UniqueID) -> RangeRecord? {
        for tree in allTrees {
            if let range = tree.keyRanges.first(where: { $0.id == id }) { return range }
        }
        return nil
    }

    /// Whether a caller asked for a range; those of the system come with records without a key.
    fileprivate func asked(for id: UniqueID) -> Bool {
        range(id).map { $0.device != Caller.system.device } ?? false
    }
}
