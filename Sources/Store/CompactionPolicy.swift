// When a database is compacted by itself, and how much of its history stays.
public import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStorage

/// How far back the log goes, and what it may weigh before it is cut.
public struct CompactionPolicy: Sendable {
    /// Commits of the last so many seconds stay.
    public var historySeconds: Int64
    /// But no more of the log than this, whatever its age.
    ///
    /// Unit: bytes.
    public var historyByteCount: UInt64
    /// What a change did is remembered for so many seconds at least.
    public var memorySeconds: Int64
    /// That a record was deleted, when and by whom, is remembered for so many seconds; as long as
    /// the log has the commit in any case.
    public var tombstoneSeconds: Int64
    /// The log is cut when what can be dropped of it weighs so many times what stands.
    public var garbageRatio: Double

    /// A month of history in 4 GiB at most, changes remembered for a month, deletions for half a
    /// year; cut when half of all bytes are garbage.
    public init(
        historySeconds: Int64 = 30 * 86_400,
        historyByteCount: UInt64 = 4 << 30,
        memorySeconds: Int64 = Limits.changeMemorySeconds,
        tombstoneSeconds: Int64 = Limits.tombstoneSeconds,
        garbageRatio: Double = 1
    ) {
        self.memorySeconds = memorySeconds
        self.tombstoneSeconds = tombstoneSeconds
        self.historySeconds = historySeconds
        self.historyByteCount = historyByteCount
        self.garbageRatio = garbageRatio
    }
}

/// Since when is remembered what a compaction may forget, where the commits that told of it go.
///
/// Times are in milliseconds since 1970; nil forgets nothing.
public struct Horizons: Hashable, Sendable {
    /// Changes.
    ///
    /// One that is sent again is done again when it is forgotten. What a device has not confirmed
    /// the outcome of is remembered in any case.
    public var changes: Int64?
    /// Removals.
    ///
    /// A forgotten record is as one that never was, but for its id and its revisions, which
    /// are never used again.
    public var tombstones: Int64?

    /// Since when what is remembered.
    public init(changes: Int64? = nil, tombstones: Int64? = nil) {
        self.changes = changes
        self.tombstones = tombstones
    }

    /// Nothing is forgotten.
    public static let none = Horizons()
}

extension Store {
    /// The oldest commit that stays under a policy now.
    public func historyStart(_ policy: CompactionPolicy) -> UInt64 {
        max(
            firstSeq(since: time(before: policy.historySeconds)),
            core.withLock { $0.firstSeq(in: policy.historyByteCount) }
        )
    }

    /// The times from which on changes and removals are remembered under a policy now.
    public func horizons(_ policy: CompactionPolicy) -> Horizons {
        Horizons(
            changes: time(before: policy.memorySeconds),
            tombstones: time(before: policy.tombstoneSeconds)
        )
    }

    private func time(before seconds: Int64) -> Int64 {
        time.wallMilliseconds() - min(seconds, Int64.max / 2000) * 1000
    }

    /// What a compaction would free of the log.
    ///
    /// - Parameter limit: The oldest commit that stays.
    /// - Returns: Bytes; 0 when no segment is dropped, nor worth to be ended for it.
    public func garbageByteCount(before limit: UInt64) -> UInt64 {
        core.withLock { core in
            if core.mayEndSegment(keepingFrom: limit) { return core.log.byteCount }
            let first = core.log.droppable(upTo: min(core.log.durable, core.log.synced, limit - 1))
            guard first > core.log.oldest else { return 0 }
            let end = core.log.location(ofSeq: first)?.frameOffset ?? core.log.endOffset
            return end - core.log.oldestOffset
        }
    }

    /// Whether so much of the log can be dropped that it pays to write a checkpoint.
    public func isCompactionDue(_ policy: CompactionPolicy) -> Bool {
        let garbage = garbageByteCount(before: historyStart(policy))
        let standing = manifest.map { $0.parts.reduce(0) { $0 + $1.byteCount } } ?? 0
        return garbage > 0 && Double(garbage) >= policy.garbageRatio * Double(standing)
    }

    /// Bytes that can still be written to the disk before writes are refused; nil when the system
    /// does not say.
    public var roomByteCount: UInt64? {
        do {
            let free = try core.withLock(\.disk).freeByteCount()
            return free > Limits.diskReserveByteCount ? free - Limits.diskReserveByteCount : 0
        } catch {
            logger.log(.warning, "store.room.failed", ["error": "\(error)"])
            return nil
        }
    }

    /// Logical offset behind the log: how much was ever appended.
    public var appendedByteCount: UInt64 { core.withLock(\.log.endOffset) }
}

extension Store.Core {
    /// The first commit of the last so many bytes of the log.
    fileprivate func firstSeq(in byteCount: UInt64) -> UInt64 {
        guard log.byteCount > byteCount else { return log.oldest }
        let start = log.endOffset - byteCount
        var (low, high) = (log.oldest, log.durable + 1)
        while low < high {
            let middle = low + (high - low) / 2
            let isInside = log.location(ofSeq: middle).map { $0.frameOffset >= start } ?? true
            if isInside { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
