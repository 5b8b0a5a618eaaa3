// Folding a checkpoint: the state after a commit, from the last effect of every record.
//
// The same steps as `apply`, but for what only a history has: effects come in the order of keys,
// and none has a version before it here.
public import HoldfastBasics
public import HoldfastRecords

extension EngineState {
    /// Takes an excerpt of a part; excerpts of `_trees` come before those of other blocks.
    ///
    /// - Parameters:
    ///   - excerpt: A commit's envelope and the last effects of some records of one block.
    ///   - frameOffset: Logical offset of its frame, which the source can read already.
    /// - Throws: `ApplyError`; the state is then not to be used any more.
    public func adopt(_ excerpt: CommitView, at frameOffset: UInt64) throws {
        let seq = excerpt.seq
        try excerpt.forEachBlock { block, firstOrdinal in
            let step = try resolve(block.name, seq: seq)
            var ordinal = firstOrdinal
            try block.forEachEffect { effect in
                let location = Location(frame: frameOffset, effect: ordinal)
                guard step.tree.index.replace(effect, with: location) == nil else {
                    throw ApplyError.repeated(tree: step.tree.name.description, seq: seq)
                }
                try enter(step, effect, seq: seq)
                ordinal += 1
            }
            step.tree.lastSeq = max(step.tree.lastSeq, seq)
            step.subject.map { $0.lastSeq = max($0.lastSeq, seq) }
        }
    }

    /// Points the index at the same effects in another place, before theirs goes away.
    ///
    /// - Parameters:
    ///   - excerpt: Last effects of some records at an earlier commit.
    ///   - frameOffset: Logical offset of its frame, which the source can read already.
    ///   - isLeaving: Whether a place goes away; records that changed since stand elsewhere.
    /// - Throws: `ApplyError`.
    public func move(
        _ excerpt: CommitView,
        to frameOffset: UInt64,
        from isLeaving: (Location) -> Bool
    ) throws {
        try excerpt.forEachBlock { block, firstOrdinal in
            let step = try resolve(block.name, seq: excerpt.seq)
            var ordinal = firstOrdinal
            try block.forEachEffect { effect in
                if let place = step.tree.index.location(effect.key), isLeaving(place) {
                    let location = Location(frame: frameOffset, effect: ordinal)
                    step.tree.index.replace(effect, with: location)
                }
                ordinal += 1
            }
        }
    }

    /// Remembers a change in another place, before its commit goes away.
    public func move(change id: UniqueID, to frameOffset: UInt64) {
        changes.insert(frameOffset, for: id)
    }

    /// Forgets a change: one with its id is a new one from now on.
    public func forget(change id: UniqueID) { changes.remove(id) }

    /// Goes on after the commit whose state was adopted.
    ///
    /// - Parameters:
    ///   - seq: Its seq.
    ///   - chain: Chain after it.
    ///   - time: Its time, in milliseconds since 1970.
    ///   - names: Declared trees in the order in which they were declared.
    /// - Throws: `ApplyError` when other trees were adopted.
    public func resume(
        after seq: UInt64,
        chain: Hash128,
        time: Int64,
        trees names: [String]
    ) throws(ApplyError) {
        precondition(head == 0, "commits were applied before the checkpoint was adopted")
        guard arrange(names) else {
            throw .badSystemRecord(tree: "_trees", seq: seq, what: "the order of the trees")
        }
        head = seq
        self.chain = chain
        lastTime = time
        files?.forgetVersions(upTo: seq)
    }
}
