// What a checkpoint is made of: the last effect of every record at a pinned position.
public import HoldfastBasics
public import HoldfastRecords

extension EngineState {
    /// Runs `body` over the last effects on a tree's records, removals too, in key order.
    ///
    /// - Parameters:
    ///   - tree: Which tree.
    ///   - bound: The key after which to begin; nil begins at the first.
    ///   - seq: The pinned position.
    ///   - entryCountMax: Stop after having looked at this many records.
    ///   - body: Is lent the effect, its commit, and the name of the block it stands in; false ends
    ///     the scan after it.
    /// - Returns: The last key looked at when it stopped early; nil at the end.
    /// - Throws: What `body` throws.
    public func scanLastEffects(
        _ tree: TreeState,
        after bound: RecordKey?,
        at seq: UInt64,
        entryCountMax: Int,
        _ body: (EffectView, CommitView, ByteView) throws -> Bool
    ) rethrows -> RecordKey? {
        var looked = 0
        var last: RecordKey?
        var stopped: RecordKey?
        try tree.index.scan(from: bound, inclusive: false) { number, name, revision, place in
            if looked == entryCountMax {
                stopped = last
                return false
            }
            looked += 1
            last = RecordKey(number.map { .number($0) } ?? .name(name.array), revision: revision)
            guard let location = lastEffect(from: place, at: seq).location else { return true }
            let goesOn = try source.withEffect(at: location) { effect, commit in
                // Blocks of other trees have their tree's name.
                guard tree.name == .borrows || tree.name == .ranges else {
                    return try tree.block.withView { try body(effect, commit, $0) }
                }
                return try body(effect, commit, commit.block(of: location.effectOrdinal))
            }
            if !goesOn { stopped = last }
            return goesOn
        }
        return stopped
    }
}
