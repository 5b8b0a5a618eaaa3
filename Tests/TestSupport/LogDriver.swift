// Drives a commit log as the store does, and remembers what it should hold.
internal import HoldfastBasics
public import HoldfastCommitLog
public import HoldfastRecords
public import HoldfastStorage

/// A commit log with the commits that a test expects in it.
public final class LogDriver {
    /// One commit as it was appended.
    public struct Commit: Equatable, Sendable {
        /// The bytes appended.
        public let content: [UInt8]
        /// The effect table's offsets.
        public let effectOffsets: [UInt32]
        /// The effect table's locations.
        public let previous: [Location]

        /// A commit of these bytes, offsets and locations.
        public init(content: [UInt8], effectOffsets: [UInt32], previous: [Location]) {
            self.content = content
            self.effectOffsets = effectOffsets
            self.previous = previous
        }
    }

    /// The log under test.
    public let log: CommitLog
    /// What it holds, from its first commit on.
    public private(set) var commits: [Commit] = []
    /// Where each commit lies.
    public private(set) var offsets: [UInt64] = []
    private let random: SeededRandom

    /// The database every driver makes.
    public static let identity = Identity(
        databaseID: UniqueID(high: 0x0123_4567_89AB_7DEF, low: 0x8123_4567_89AB_CDEF),
        application: "stockroom",
        epoch: Epoch(rawValue: 0x0102_0304_0506_0708)
    )

    /// Small segments, so that a few commits cross from one to the next.
    public static let small = LogOptions(segmentByteCount: 2048, growByteCount: 512)

    /// Opens the log, making it where there is none, and reads all of it.
    ///
    /// - Throws: What opening throws.
    public init(
        _ disk: any Disk,
        seed: UInt64 = 1,
        options: LogOptions = LogDriver.small
    ) throws {
        random = SeededRandom(seed: seed)
        if try !CommitLog.isPresent(disk: disk) {
            try CommitLog.create(
                disk: disk,
                identity: Self.identity,
                options: options,
                random: random
            )
        }
        var commits: [Commit] = []
        var offsets: [UInt64] = []
        log = try CommitLog.open(disk: disk, options: options, random: random) { stretch in
            try stretch.forEachCommit { frame in
                precondition(frame.seq == UInt64(commits.count) + 1, "commits come in order")
                commits.append(Commit(frame))
                offsets.append(frame.offset)
            }
        }
        self.commits = commits
        self.offsets = offsets
    }

    /// Appends a commit of random bytes.
    public func append(byteCount: Int? = nil, effectCount: Int? = nil) {
        let content = random.bytes(byteCount ?? random.within(1...300))
        let count = effectCount ?? random.below(4)
        append(
            Commit(
                content: content,
                effectOffsets: (0..<count).map { _ in UInt32(random.below(content.count)) },
                previous: (0..<count).map { _ in
                    guard let earlier = offsets.randomElement(using: &generator) else {
                        return .none
                    }
                    return Location(frame: earlier, effect: 0)
                }
            )
        )
    }

    private lazy var generator = random

    /// Appends a commit.
    public func append(_ commit: Commit) {
        let offset = commit.content.withView { content in
            log.append(
                seq: log.head + 1,
                content: content,
                effectOffsets: commit.effectOffsets,
                previous: commit.previous,
                chainBefore: .zero
            )
        }
        commits.append(commit)
        offsets.append(offset)
    }

    /// Small segments; of every other seed each commit is a batch of its own.
    public static func options(_ seed: UInt64) -> LogOptions {
        var options = small
        options.syncing = seed.isMultiple(of: 2) ? .batches : .commits
        return options
    }

    /// Writes and syncs what has gathered.
    ///
    /// - Throws: What the disk throws, after the log has forgotten what was not durable.
    public func flush() throws(DiskError) {
        while let batch = log.beginBatch(), let writer = log.writer {
            do throws(DiskError) {
                log.finish(try writer.write(batch))
            } catch {
                log.discard()
                throw error
            }
        }
    }

    /// Flushes, then closes in order.
    ///
    /// - Throws: `DiskError`, `CommitLogError`.
    public func close() throws {
        try flush()
        try log.close()
    }
}

extension LogDriver.Commit {
    /// Copies a frame.
    public init(_ frame: Frame) {
        let effects = 0..<frame.effectCount
        self.init(
            content: frame.content.array,
            effectOffsets: effects.map {
                UInt32(frame.content.count - frame.effectBytes($0).count)
            },
            previous: effects.map { frame.previous($0) }
        )
    }
}
