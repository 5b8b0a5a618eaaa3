// How a log is opened, and what opening it found.
public import HoldfastBasics

/// When what was written is synced.
///
/// A written batch survives the end of the process, whatever it is; a synced one a power cut too.
public enum Syncing: Hashable, Sendable {
    /// With every batch.
    case batches
    /// With every commit: a batch holds one.
    case commits
    /// When so many milliseconds have passed since the last time.
    case every(milliseconds: Int64)
    /// When a segment ends, and in the end.
    case never

    /// Whether commits may be exposed before they are synced.
    var isLoose: Bool {
        switch self {
        case .batches, .commits: false
        case .every, .never: true
        }
    }
}

/// How a log is opened.
public struct LogOptions: Sendable {
    /// Length of a segment; a frame that is longer gets a segment of its own.
    public var segmentByteCount: Int
    /// How far a segment is zeroed ahead at a time.
    public var growByteCount: Int
    /// Whether commits will be appended; otherwise nothing is locked, repaired or changed.
    public var isWritable: Bool
    /// When batches are synced.
    ///
    /// Where commits may be exposed before they are synced, an opening that finds the log not
    /// closed in order begins a new epoch: what others have seen may be gone.
    public var syncing: Syncing
    /// How long one waits for its turn among several processes that have the log open for writing;
    /// nil where one has it alone.
    ///
    /// Unit: milliseconds.
    public var sharedWaitMilliseconds: Int64?

    /// Whether other processes may have the log open for writing too.
    public var isShared: Bool { sharedWaitMilliseconds != nil }

    /// Segments of 64 MiB, zeroed 4 MiB ahead, for writing, every batch synced, unless told
    /// otherwise.
    public init(
        segmentByteCount: Int = Limits.segmentByteCount,
        growByteCount: Int = 4 << 20,
        isWritable: Bool = true,
        syncing: Syncing = .batches,
        sharedWaitMilliseconds: Int64? = nil
    ) {
        precondition(segmentByteCount >= 512 && segmentByteCount < 2 << 30, "no segment's length")
        precondition(growByteCount >= 0, "no length")
        self.segmentByteCount = segmentByteCount
        self.growByteCount = growByteCount
        self.isWritable = isWritable
        precondition(
            sharedWaitMilliseconds == nil || isWritable && !syncing.isLoose,
            "what is shared is synced before the next one writes"
        )
        self.syncing = syncing
        self.sharedWaitMilliseconds = sharedWaitMilliseconds
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
    /// Whether a new epoch began, because commits that were exposed before they were synced may be
    /// lost.
    public var beganEpoch = false

    /// Nothing found.
    public init() {}
}
