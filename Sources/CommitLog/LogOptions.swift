// How a log is opened, and what opening it found.
public import HoldfastBasics

/// How a log is opened.
public struct LogOptions: Sendable {
    /// Length of a segment; a frame that is longer gets a segment of its own.
    public var segmentByteCount: Int
    /// How far a segment is zeroed ahead at a time.
    public var growByteCount: Int
    /// Whether commits will be appended; otherwise nothing is locked, repaired or changed.
    public var isWritable: Bool

    /// Segments of 64 MiB, zeroed 4 MiB ahead, for writing, unless told otherwise.
    public init(
        segmentByteCount: Int = Limits.segmentByteCount,
        growByteCount: Int = 4 << 20,
        isWritable: Bool = true
    ) {
        precondition(segmentByteCount >= 512 && segmentByteCount < 2 << 30, "no segment's length")
        precondition(growByteCount >= 0, "no length")
        self.segmentByteCount = segmentByteCount
        self.growByteCount = growByteCount
        self.isWritable = isWritable
    }
}

/// What opening a log found and did.
public struct LogRecovery: Equatable, Sendable {
    /// Whole commits that were there.
    public var commitCount: UInt64 = 0
    /// Whether the log had been closed in order.
    public var wasClean = false
    /// Bytes of a torn tail that were cut.
    public var cutByteCount = 0
    /// Whole commits in the torn tail, lost with it (the torn one itself is not counted).
    public var cutCommitCount = 0
    /// Commits above the last synced one that were written and synced anew.
    public var resyncedCommitCount: UInt64 = 0

    /// Nothing found.
    public init() {}
}
