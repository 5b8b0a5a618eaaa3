// Where a mirror's copy leaves its server's history, and what of the device's own work that takes
// away: after a restore the server lacks commits that the copy has.
//
// The copy's log, and behind it the parts of its checkpoint, tell every commit of this device; what
// it did is put together again as changes, those that touched the same records in one bundle.
internal import HoldfastBasics
internal import HoldfastRecords
internal import HoldfastStore

/// The histories of a mirror and its server, compared by their epochs.
enum MirrorFork {
    /// The last commit both have.
    ///
    /// - Parameters:
    ///   - mine: The epochs of the copy.
    ///   - head: The copy's last commit.
    ///   - theirs: The epochs of the server.
    /// - Returns: Nil when the server has all of the copy, or nothing of it, as far as epochs tell.
    static func last(
        of mine: [EpochStart],
        upTo head: UInt64,
        and theirs: [EpochStart]
    ) -> UInt64? {
        let common = zip(mine, theirs).prefix { $0 == $1 }.count
        guard common > 0 else { return nil }
        let mineEnd = common < mine.count ? mine[common].firstSeq - 1 : head
        let theirEnd = common < theirs.count ? theirs[common].firstSeq - 1 : .max
        let last = min(mineEnd, theirEnd)
        return last < head ? last : nil
    }

    /// What this device did after a commit, as changes to be offered again.
    ///
    /// - Parameters:
    ///   - seq: The last commit the server has.
    ///   - device: This device.
    ///   - pending: Changes the outbox has still: they are sent again as they are.
    ///   - store: The copy.
    /// - Returns: Bundles of changes that touched the same records, each in order.
    /// - Throws: `CommitLogError`, `ContentError`.
    static func lostChanges(
        after seq: UInt64,
        of device: String,
        besides pending: Set<UniqueID>,
        in store: Store
    ) throws -> [[Change]] {
        var deeds: [Deed] = []
        try store.forEachCommit(of: device, after: seq) { commit in
            guard !pending.contains(commit.changeID) else { return }
            deeds += try Deed.all(of: commit)
        }
        // Those of a checkpoint's parts come in the order of their keys.
        deeds.sort { $0.seq < $1.seq }
        let lineage = store.lineage
        var changes: [Change] = []
        var makers: [LostRecord: UniqueID] = [:]
        for deed in deeds {
            let record = LostRecord(tree: deed.tree, key: deed.key)
            let operation = deed.operation(after: makers[record], lineage)
            if changes.last?.id == deed.change {
                changes[changes.count - 1].operations.append(operation)
            } else {
                changes.append(
                    Change(
                        id: deed.change,
                        madeAt: deed.at,
                        why: deed.why,
                        operations: [operation]
                    )
                )
            }
            makers[record] = deed.change
        }
        return bundles(of: changes)
    }

    /// Changes that share a record, directly or not, belong together.
    private static func bundles(of changes: [Change]) -> [[Change]] {
        var bundles: [[Change]] = []
        var bundleOf: [LostRecord: Int] = [:]
        for change in changes {
            let records = Set(change.operations.compactMap(LostRecord.init))
            let touched = Set(records.compactMap { bundleOf[$0] }).sorted()
            let target = touched.first ?? bundles.count
            if touched.isEmpty { bundles.append([]) }
            for other in touched.dropFirst() {
                bundles[target] += bundles[other]
                bundles[other] = []
                for (record, index) in bundleOf where index == other { bundleOf[record] = target }
            }
            bundles[target].append(change)
            for record in records { bundleOf[record] = target }
        }
        let order = Dictionary(
            uniqueKeysWithValues: changes.enumerated().map { ($1.id, $0) }
        )
        return bundles.filter { !$0.isEmpty }.map { bundle in
            bundle.sorted { order[$0.id] ?? 0 < order[$1.id] ?? 0 }
        }
    }
}

/// A record of some tree.
private struct LostRecord: Hashable {
    let tree: TreeName
    let key: RecordKey

    init(tree: TreeName, key: RecordKey) {
        self.tree = tree
        self.key = key
    }

    /// The record an operation is about.
    init?(_ operation: Operation) {
        switch operation {
        case .put(let write):
            guard let key = write.key else { return nil }
            self.init(tree: write.tree, key: key)
        case .delete(let target), .release(let target, _), .setState(let target, _):
            self.init(tree: target.tree, key: target.key)
        default: return nil
        }
    }
}

/// What a commit did to one record of the user's.
private struct Deed {
    let seq: UInt64
    let change: UniqueID
    let at: Int64
    let why: String
    let tree: TreeName
    let key: RecordKey
    let label: Label?
    let previousSeq: UInt64
    let schema: SchemaVersion
    let state: HoldfastRecords.RecordState
    /// Nil for a removal.
    let value: [UInt8]?

    static func all(of commit: CommitView) throws -> [Deed] {
        var deeds: [Deed] = []
        let why = try commit.details().why.text
        try commit.forEachBlock { block, _ in
            // What the system keeps is the server's to keep.
            guard let tree = TreeName(block.name.text), !tree.isSystem else { return }
            try block.forEachEffect { effect in
                deeds.append(
                    Deed(
                        seq: commit.seq,
                        change: commit.changeID,
                        at: commit.madeAt > 0 ? commit.madeAt : commit.at,
                        why: why,
                        tree: tree,
                        key: effect.key,
                        label: effect.label,
                        previousSeq: effect.previousSeq,
                        schema: effect.schema,
                        state: effect.state,
                        value: effect.isSet ? effect.value.array : nil
                    )
                )
            }
        }
        return deeds
    }

    /// The same as an operation on what stood before it.
    ///
    /// - Parameters:
    ///   - change: The lost change that stood before; nil for what the server may have.
    ///   - lineage: The epochs of the copy.
    /// - Returns: The operation.
    func operation(after change: UniqueID?, _ lineage: [EpochStart]) -> Operation {
        var expects = Expectation.absent
        if let change {
            expects = .change(change)
        } else if previousSeq > 0,
            let epoch = lineage.last(where: { $0.firstSeq <= previousSeq })?.epoch
        {
            expects = .version(Position(epoch: epoch, seq: previousSeq))
        }
        let target = RecordOperation(tree: tree, key: key, expects: expects)
        guard let value else { return .delete(target) }
        switch (label, state) {
        case (.release?, .released(let number)): return .release(target, number: number)
        case (.setState?, _): return .setState(target, state)
        default:
            return .put(
                WriteOperation(
                    tree: tree,
                    key: key,
                    expects: expects,
                    schema: schema == .none ? nil : schema,
                    value: value
                )
            )
        }
    }
}

extension Outbox {
    /// Sets aside what a restore of the server took away.
    ///
    /// Done again, it changes nothing.
    ///
    /// - Parameter bundles: Changes that belong together; numbered here.
    /// - Throws: `full`, `poisoned`, `tooLarge`.
    func strandLost(_ bundles: [[Change]]) throws(MirrorError) {
        let refusal = Refusal(
            .lostByRestore,
            "The server had accepted this, and was restored from a backup that does not have it. "
                + "Offer it again."
        )
        try state.withLock { (state) throws(MirrorError) in
            for changes in bundles {
                guard let id = changes.first?.id, !state.bundles.contains(where: { $0.id == id })
                else { continue }
                var numbered: [Change] = []
                var operations: [Operation] = []
                for change in changes {
                    var change = change
                    change.deviceSeq = state.last + UInt64(numbered.count) + 1
                    operations += try Self.records(of: change).map { set(.changes, $0, $1) }
                    numbered.append(change)
                }
                let last = state.last + UInt64(numbered.count)
                let bundle = StrandedBundle(
                    id: id,
                    refusal: refusal,
                    changes: numbered,
                    at: time.wallMilliseconds()
                )
                operations.append(set(.facts, Self.lastFact, Array("\(last)".utf8)))
                try commit(operations + record(of: bundle))
                state.last = last
                state.bundles.append(bundle)
            }
        }
    }
}
