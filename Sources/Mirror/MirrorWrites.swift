// What a mirror does with a change of its own: refused at once, or durable in the outbox and shown.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStore

/// What came of a proposal.
enum MirrorProposal {
    /// It is durable in the outbox, numbered, and shown as far as it can be.
    case kept(Change, PendingShowing)
    /// It asks for what stands already.
    case unchanged
    /// It is refused here.
    case refused(Refusal)
    /// Offline, a record of a tree that requires borrows is changed under one alone.
    case borrowNeeded(TreeName, RecordKey)
    /// The first sync has not happened.
    case offline
}

extension MirrorCore {
    /// The fact that says that the first sync has happened.
    static let syncedFact = "synced"

    /// Decides a change as far as it can be decided here, keeps it and shows it.
    ///
    /// - Parameter change: A change with at least one operation.
    /// - Returns: What came of it; nothing happened unless it is kept.
    /// - Throws: `full`, `poisoned`, `tooLarge`; nothing happened then.
    func propose(_ change: Change) throws(MirrorError) -> MirrorProposal {
        guard outbox.hasSynced else { return .offline }
        if let refusal = refusalOfFiles(change) { return .refused(refusal) }
        var change = change
        let holds = addHolds(to: &change)
        if let (tree, key) = recordToBorrow(change) { return .borrowNeeded(tree, key) }
        switch store.preview(change, by: identity.caller) {
        case .refused(let refusal): return .refused(refusal)
        case .unchanged, .replayed: return .unchanged
        case .commit, .undetermined: break
        }
        let kept = try outbox.put(change, holds: holds)
        return .kept(kept, store.show(PendingChange(kept, by: identity.caller)))
    }

    /// A record that is created where a borrow is required stays with its maker until the outbox
    /// has no more for it.
    private func addHolds(
        to change: inout Change
    ) -> [UniqueID: (tree: TreeName, key: RecordKey)] {
        var holds: [UniqueID: (tree: TreeName, key: RecordKey)] = [:]
        for index in change.operations.indices {
            guard case .put(var write) = change.operations[index], let key = write.key,
                write.expects == .absent, write.hold == nil, policy(write.tree) == .required
            else { continue }
            let id = UniqueID.version7(milliseconds: time.wallMilliseconds(), random: random)
            write.hold = id
            change.operations[index] = .put(write)
            holds[id] = (write.tree, key)
        }
        return holds
    }

    /// The record that must be borrowed before the change is made offline.
    private func recordToBorrow(_ change: Change) -> (TreeName, RecordKey)? {
        guard !isConnected else { return nil }
        for operation in change.operations {
            let target: (tree: TreeName, key: RecordKey)?
            switch operation {
            case .put(let write) where write.isMigration: target = nil
            case .put(let write) where write.expects != .absent && write.borrow == nil,
                .patch(let write) where write.borrow == nil:
                target = write.key.map { (write.tree, $0) }
            case .delete(let record) where record.borrow == nil,
                .release(let record, _) where record.borrow == nil,
                .setState(let record, _) where record.borrow == nil:
                target = (record.tree, record.key)
            default: target = nil
            }
            if let target, policy(target.tree) == .required { return target }
        }
        return nil
    }

    private func policy(_ tree: TreeName) -> BorrowPolicy? {
        store.read { $0.state.tree(tree)?.declaration.borrow }
    }
}
