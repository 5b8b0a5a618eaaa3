// What a mirror shows on top of the authority's commits: the changes that wait in its outbox, as
// provisional commits in memory.
//
// Invariants:
// - the confirmed state is the fold of the log; provisional commits stand above it on the undo
//   stack, so that rolling back to the log's head gives it exactly;
// - `confirmed` is set while the state may be above it, and tells what it was;
// - every pending change is judged in order, on the confirmed state and those shown before it.
public import HoldfastBasics
internal import HoldfastEngine
public import HoldfastRecords

/// A change that waits in a mirror's outbox.
public struct PendingChange: Hashable, Sendable {
    /// What is proposed.
    public let change: Change
    /// Who proposes it.
    public let caller: Caller

    /// Puts the two together.
    public init(_ change: Change, by caller: Caller) {
        self.change = change
        self.caller = caller
    }
}

/// How a mirror shows a pending change.
public enum PendingShowing: Hashable, Sendable {
    /// Reads show what it does.
    case shown
    /// It would be refused where the mirror stands: reads show the confirmed records.
    case contested(Refusal)
    /// The authority alone can tell: reads show the confirmed records.
    case undetermined
    /// It is the authority's commit at this position already, and pends no more.
    case settled(Position)
}

/// A pending change and how it is shown.
public struct PendingStatus: Hashable, Sendable {
    /// The change's id.
    public let id: UniqueID
    /// How it is shown.
    public let showing: PendingShowing
}

/// The end of the confirmed state.
struct Confirmed {
    let head: UInt64
    let chain: Hash128
    let hashes: [(block: BlockName, hash: Hash128)]
}

/// The pending changes of a mirror.
struct Overlay {
    struct Entry {
        let pending: PendingChange
        let showing: PendingShowing
        /// The last commit of the state it was judged on, provisional ones too.
        let base: UInt64
        /// Of an undetermined one the trees it is about; nil when that cannot be told.
        let trees: Set<TreeName>?
    }

    /// What undetermined changes are about: a refusal of a later one may come of them.
    struct Undetermined {
        var ids: Set<UniqueID> = []
        var trees: Set<TreeName> = []
        /// Whether of one it cannot be told which trees it is about.
        var isAnywhere = false
    }

    /// What is kept of the authority's commits; another one when another copy takes its place.
    var filter: BlockFilter
    let time: any TimeSource
    let random: any RandomSource
    private(set) var entries: [Entry] = []
    /// The ids of all entries.
    private(set) var ids: Set<UniqueID> = []
    private(set) var undetermined = Undetermined()
    /// The confirmed state while provisional commits stand above it.
    var confirmed: Confirmed?

    init(trees: Set<TreeName>?, time: any TimeSource, random: any RandomSource) {
        filter = BlockFilter(trees: trees)
        self.time = time
        self.random = random
    }

    /// Adds a change that was judged.
    mutating func append(_ entry: Entry) {
        entries.append(entry)
        ids.insert(entry.pending.change.id)
        guard entry.showing == .undetermined else { return }
        undetermined.ids.insert(entry.pending.change.id)
        undetermined.trees.formUnion(entry.trees ?? [])
        if entry.trees == nil { undetermined.isAnywhere = true }
    }

    /// Forgets the judgements of all, or of those from an index on.
    ///
    /// - Returns: The entries that are to be judged anew.
    mutating func takeEntries(from index: Int) -> [Entry] {
        let taken = Array(entries[index...])
        let kept = entries[..<index]
        (entries, ids, undetermined) = ([], [], Undetermined())
        for entry in kept { append(entry) }
        return taken
    }

    /// Takes out changes whose judgement says nothing about that of others.
    mutating func remove(_ gone: Set<UniqueID>) {
        entries.removeAll { gone.contains($0.pending.change.id) }
        ids.subtract(gone)
    }
}

extension Store.Core {
    var confirmedHead: UInt64 {
        overlay == nil ? state.head : overlay?.confirmed?.head ?? state.head
    }
    var confirmedChain: Hash128 { overlay?.confirmed?.chain ?? state.chain }

    /// Takes all provisional commits off the state.
    func takeOverlayOff(_ touched: inout Touched.Gathering) {
        guard let confirmed = overlay?.confirmed else { return }
        rollBack(to: confirmed.head, &touched)
        overlay?.confirmed = nil
        source.arena.removeAll()
    }

    /// Rolls the state back and gathers what that touches.
    func rollBack(to seq: UInt64, _ touched: inout Touched.Gathering) {
        do {
            try state.rollback(to: seq) { commit in
                if !consumers.isEmpty { touched.add(commit) }
            }
        } catch {
            preconditionFailure("what was applied here cannot be taken back: \(error)")
        }
    }

    /// Judges every pending change anew, in order; what is settled leaves.
    ///
    /// - Returns: What has left.
    @discardableResult
    func putOverlayOn(_ touched: inout Touched.Gathering) -> [PendingStatus] {
        judgeAnew(from: 0, without: [], &touched)
    }

    /// Judges pending changes anew, in order, on a state without what they had led to.
    private func judgeAnew(
        from index: Int,
        without gone: Set<UniqueID>,
        _ touched: inout Touched.Gathering
    ) -> [PendingStatus] {
        let waiting = overlay?.takeEntries(from: index) ?? []
        var settled: [PendingStatus] = []
        for entry in waiting where !gone.contains(entry.pending.change.id) {
            let showing = judge(entry.pending, &touched)
            if case .settled = showing {
                settled.append(PendingStatus(id: entry.pending.change.id, showing: showing))
            }
        }
        return settled
    }

    /// Takes changes out of what is shown; those that come after them are judged anew.
    func takeOut(_ ids: Set<UniqueID>, _ touched: inout Touched.Gathering) {
        guard let overlay else { return }
        // A contested change left no trace: the others stand as if it had never been.
        let first = overlay.entries.firstIndex { entry in
            guard ids.contains(entry.pending.change.id) else { return false }
            if case .contested = entry.showing { return false }
            return true
        }
        guard let first else {
            self.overlay?.remove(ids)
            return
        }
        let base = overlay.entries[first].base
        if let confirmed = overlay.confirmed, base > confirmed.head {
            rollBack(to: base, &touched)
            source.arena.keep(Int(base - confirmed.head))
        } else {
            takeOverlayOff(&touched)
        }
        _ = judgeAnew(from: first, without: ids, &touched)
        self.overlay?.remove(ids)
    }

    /// Judges a change on what is shown, as the last one, and keeps it unless it is settled.
    func judge(
        _ pending: PendingChange,
        _ touched: inout Touched.Gathering
    ) -> PendingShowing {
        let base = state.head
        let showing = outcome(of: pending, &touched)
        if case .settled = showing { return showing }
        let entry = Overlay.Entry(
            pending: pending,
            showing: showing,
            base: base,
            trees: showing == .undetermined ? pending.change.trees(state) : []
        )
        overlay?.append(entry)
        return showing
    }

    /// Previews a change on what is shown, and applies it when it would be accepted.
    private func outcome(
        of pending: PendingChange,
        _ touched: inout Touched.Gathering
    ) -> PendingShowing {
        switch preview(pending.change, by: pending.caller) {
        case .commit(let commit, _):
            applyProvisionally(commit, &touched)
            return .shown
        case .unchanged: return .shown
        case .replayed(let offset):
            return .settled(state.position(of: source.withCommit(at: offset, \.seq)))
        case .refused(let refusal): return .contested(refusal)
        case .undetermined: return .undetermined
        }
    }

    /// Decides a change as a mirror can.
    func preview(_ change: Change, by caller: Caller) -> Decision {
        guard let overlay else { preconditionFailure("only a mirror previews") }
        // A pending record keeps its time, however often it is judged anew.
        let context = DecisionContext(
            caller: caller,
            now: change.madeAt != 0 ? change.madeAt : overlay.time.wallMilliseconds(),
            random: overlay.random,
            role: .preview,
            visibleTrees: overlay.filter.trees
        )
        let decision = state.decide(change, context)
        // A refusal may come of what is not shown and yet stands before it in the outbox.
        if case .refused = decision, leansOnUndetermined(change) { return .undetermined }
        return decision
    }

    private func leansOnUndetermined(_ change: Change) -> Bool {
        guard let others = overlay?.undetermined, !others.ids.isEmpty else { return false }
        if change.requires.contains(where: others.ids.contains) { return true }
        guard !others.isAnywhere, let trees = change.trees(state) else { return true }
        return !trees.isDisjoint(with: others.trees)
    }

    private func applyProvisionally(
        _ commit: Commit,
        _ touched: inout Touched.Gathering
    ) {
        if overlay?.confirmed == nil {
            let confirmed = Confirmed(
                head: state.head,
                chain: state.chain,
                hashes: state.hashes
            )
            overlay?.confirmed = confirmed
        }
        let box = encode(commit)
        let offset = source.arena.append(
            content: box.buffer.array,
            effectOffsets: box.encoder.effectOffsets,
            previous: box.previous
        )
        do {
            let view = try CommitView(box.buffer.view)
            try state.apply(view, at: offset, undoable: true)
            if !consumers.isEmpty { touched.add(view) }
        } catch {
            preconditionFailure("a preview made a commit that cannot be applied: \(error)")
        }
    }
}

extension Change {
    /// The trees it is about; nil when that cannot be told.
    fileprivate func trees(_ state: EngineState) -> Set<TreeName>? {
        var trees: Set<TreeName> = []
        for operation in operations {
            switch operation {
            case .put(let write), .patch(let write): trees.insert(write.tree)
            case .delete(let target), .release(let target, _), .setState(let target, _):
                trees.insert(target.tree)
            case .revise(let tree, _, _), .reserve(let tree, _, _), .defineTree(let tree, _):
                trees.insert(tree)
            case .borrow(let taking): trees.insert(taking.tree)
            case .return(let id), .cancel(let id), .recall(let id, _), .seize(let id),
                .setHolder(let id, _, _):
                guard let tree = state.borrow(id)?.tree.name else { return nil }
                trees.insert(tree)
            }
        }
        return trees
    }
}
