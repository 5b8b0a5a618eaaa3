// Ids that this device gives to records it creates: from its key ranges, ascending, each once.
internal import HoldfastBasics
internal import HoldfastRecords

extension Outbox {
    /// The first block of a tree nobody has created records in yet: with the one in reserve, two
    /// thousand records can be created on a new device that has been online once.
    static let firstBlockCount: UInt64 = 1024
    /// The longest block that is asked for.
    static let lastBlockCount: UInt64 = 100_000

    /// Gives out the next id of a tree.
    ///
    /// It is below the durable mark when this returns: whatever happens, nobody gets it again. What
    /// is leased and not given out is lost with the process: leases begin at one id and double, so
    /// that a device which is started often without the server loses no more ids than it uses.
    ///
    /// - Parameters:
    ///   - tree: A tree of numbers.
    ///   - ranges: The ranges of this device, ascending.
    /// - Returns: The id; nil when the ranges are used up.
    /// - Throws: `full`, `poisoned`.
    func nextNumber(
        _ tree: TreeName,
        in ranges: [RangeRecord]
    ) throws(MirrorError) -> UInt64? {
        try state.withLock { (state) throws(MirrorError) in
            let from = state.nextIDs[tree] ?? 1
            guard let range = ranges.first(where: { $0.end > from }) else { return nil }
            let id = max(from, range.first)
            let cursor = state.cursors[tree]
            if id >= cursor?.mark ?? 0 {
                let leaseCount = state.leaseCounts[tree] ?? 1
                let leased = KeyCursor(
                    mark: min(range.end, id + leaseCount),
                    blockCount: cursor?.blockCount ?? Self.firstBlockCount
                )
                try commit([set(.keys, tree.description, leased.json)])
                state.cursors[tree] = leased
                state.leaseCounts[tree] = min(leaseCount * 2, Self.leaseCountMax)
            }
            state.nextIDs[tree] = id + 1
            return id
        }
    }

    /// How many ids are left in ranges.
    func remaining(_ tree: TreeName, in ranges: [RangeRecord]) -> UInt64 {
        let from = state.withLock { $0.nextIDs[tree] } ?? 1
        return ranges.reduce(0) { sum, range in
            sum + (range.end > from ? range.end - max(from, range.first) : 0)
        }
    }

    /// How many ids to ask for now; nil while half of a block and a block in reserve are left.
    ///
    /// What is left is measured by the newest block: by the next one, every growth would at once
    /// ask for more, whether an id is used or not.
    ///
    /// - Parameters:
    ///   - tree: A tree of numbers.
    ///   - ranges: The ranges of this device, ascending.
    /// - Returns: The count.
    func wantedBlock(_ tree: TreeName, in ranges: [RangeRecord]) -> UInt64? {
        let count = state.withLock { $0.cursors[tree]?.blockCount } ?? Self.firstBlockCount
        let newest = ranges.last.map { $0.end - $0.first } ?? 0
        return remaining(tree, in: ranges) <= newest + newest / 2 ? count : nil
    }

    /// A block was used up while the device was online: the next ones are larger.
    ///
    /// - Throws: `full`, `poisoned`.
    func growBlock(_ tree: TreeName) throws(MirrorError) {
        try state.withLock { (state) throws(MirrorError) in
            guard var cursor = state.cursors[tree], cursor.blockCount < Self.lastBlockCount else {
                return
            }
            cursor.blockCount = min(cursor.blockCount * 2, Self.lastBlockCount)
            try commit([set(.keys, tree.description, cursor.json)])
            state.cursors[tree] = cursor
        }
    }
}
