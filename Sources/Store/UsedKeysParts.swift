// Used keys on their way into a checkpoint's parts and back.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastRecords

extension Store {
    /// The keys a tree had used up to the checkpoint in use, where that forgot removals.
    func usedKeys(_ name: TreeName) -> UsedKeys {
        core.withLock { core in core.state.tree(name).map(core.state.usedKeys) ?? UsedKeys() }
    }

    /// Writes used keys.
    ///
    /// - Returns: The places of the parts in the pipe.
    func write<Sink: PartSink>(
        _ used: UsedKeys,
        of block: [UInt8],
        _ sizes: PartSizes,
        _ pipe: PartPipe<Sink>
    ) throws(CommitLogError) -> [Int] {
        let builder = UsedPartBuilder(of: block, sizes: sizes)
        var places: [Int] = []
        func take() throws(CommitLogError) {
            guard let part = builder.finish() else { return }
            places.append(try pipe.write(part))
        }
        for ids in used.ids.intervals where builder.add(ids) { try take() }
        for (id, revision) in used.revisions.sorted(by: { $0.key < $1.key })
        where builder.add(id, revision: revision) { try take() }
        try take()
        return places
    }
}

extension Checkpoint {
    /// The used keys in its parts, by block.
    ///
    /// - Throws: `CommitLogError.damaged`.
    func usedKeys() throws -> [String: UsedKeys] {
        var used: [String: UsedKeys] = [:]
        try forEachUsed { block, keys in used[block, default: UsedKeys()].add(keys) }
        return used
    }
}
