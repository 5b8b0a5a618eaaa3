// A log that several processes have open for writing, of which one at a time writes.
//
// Whoever writes holds the writing lock of the directory, has read all there is, and ends with a
// mark that calls it synced before it lets go. So the last mark tells the next one how the one
// before ended: where it calls all commits synced and nothing follows, in order; otherwise in the
// middle, and the next one repairs the end as an opening does. A commit is acknowledged after that
// mark was written: none that was is ever taken for torn.
public import HoldfastBasics
public import HoldfastStorage

extension LogReader {
    /// Seq of the last commit that a mark calls synced; 0 in the process that alone writes.
    public var syncedSeq: UInt64 { min(head, sighting?.scan.syncedSeq ?? 0) }

    /// Whether whoever wrote last ended in order: a mark calls all commits synced, and nothing
    /// follows it.
    public var isSettled: Bool {
        guard let sighting else { return false }
        return sighting.scan.syncedSeq == head && sighting.tail.byteCount == 0
    }

    /// What an opening has read, to look again.
    init(_ opening: LogOpening, _ entry: LogFiles.Entry, _ scan: SegmentScan, _ tail: Tail) {
        let oldest = opening.segments[0].firstSeq
        self.init(
            identity: opening.identity,
            lineage: opening.lineage,
            segments: opening.segments,
            oldest: oldest,
            head: opening.head,
            end: opening.end,
            sighting: LogSighting(entry, scan, isChecked: true, oldestNamed: oldest, tail: tail)
        )
    }
}

extension LogWriter {
    /// Stands behind the last commit of a log that is shared.
    ///
    /// The mark that whoever wrote last has left is written again, as what follows counts on it: it
    /// was not synced, and after a failed sync the page cache may show what the disk never saw.
    ///
    /// - Parameters:
    ///   - news: The log as it is now, settled.
    ///   - disk: The directory, whose writing lock the caller holds.
    ///   - options: As the log was opened.
    /// - Throws: `disk`.
    public convenience init(
        behind news: LogReader,
        on disk: any Disk,
        _ options: LogOptions
    ) throws(CommitLogError) {
        guard let sighting = news.sighting else { preconditionFailure("it is not read from files") }
        let (entry, end) = (sighting.entry, sighting.scan.end)
        let file = try onDisk { () throws(DiskError) in
            let file = try disk.open(entry.path, .readWrite)
            let start = sighting.scan.syncedEnd(entry.bytes, entry.header)
            if start < end { try file.write(entry.bytes[start..<end], at: start) }
            return file
        }
        self.init(
            disk: disk,
            options: options,
            state: State(
                file: file,
                path: entry.path,
                end: end,
                allocated: max(entry.byteCount, end),
                capacity: min(entry.map.count, max(options.segmentByteCount, end)),
                isUnsynced: true
            )
        )
    }

    /// How long its segment may become.
    var capacity: Int { state.withLock(\.capacity) }
}

extension CommitLog {
    /// Appends behind the last commit of what was taken: nobody else does now.
    ///
    /// - Parameter writer: Stands there; nil where the log was opened just now and still does.
    public func beginWriting(_ writer: LogWriter?) {
        precondition(isShared && gathering.isEmpty && onItsWay == nil, "a batch is not finished")
        guard let writer else { return }
        segments[segments.count - 1].capacity = writer.capacity
        self.writer = writer
    }

    /// The mark that calls what was written here synced, for `LogWriter.end`; nil when nothing was,
    /// or a write failed.
    public func endMark() -> [UInt8]? {
        guard takesCommits, let seen, let last = segments.last, head > seen.head else { return nil }
        precondition(gathering.isEmpty && onItsWay == nil, "a batch is not finished")
        var mark = ByteBuffer(capacity: FrameLayout.markByteCount)
        FrameLayout.appendMark(
            BatchMark(firstSeq: head + 1, syncedSeq: synced),
            salt: last.salt,
            to: &mark
        )
        return mark.array
    }

    /// Appends nothing more: others may.
    public func endWriting() { writer = nil }

    /// Reads what others who share the log have written, and repairs its end where one of them left
    /// it in the middle: as an opening does.
    ///
    /// - Parameters:
    ///   - seen: What was read before.
    ///   - disk: The directory, whose writing lock the caller holds.
    ///   - options: As the log was opened.
    /// - Returns: The log as it is now, every commit of it synced.
    /// - Throws: `compacted` when the log does not have what follows any more, `damaged`, `disk`.
    public static func settle(
        _ seen: LogReader,
        on disk: any Disk,
        _ options: LogOptions
    ) throws(CommitLogError) -> LogReader {
        let news = try seen.followed(disk: disk)
        guard !news.isSettled, let sighting = news.sighting else { return news }
        let (entry, scan) = (sighting.entry, sighting.scan)
        let tail = try tornTail(of: entry, after: scan)
        var opening = LogOpening(identity: news.identity, lock: nil)
        opening.segments = news.segments
        try removeRemnants(disk)
        try repair(disk, options, entry, scan, tail, &opening)
        try onDisk { () throws(DiskError) in try opening.writer?.writeIndexes() }
        return try news.followed(disk: disk)
    }

    /// Takes the lock under which one of those who share a log writes, waiting for it.
    ///
    /// Who waits holds another lock, so that the one who lets go is not always the next: between
    /// two of them each has every second turn.
    ///
    /// - Parameters:
    ///   - disk: The directory.
    ///   - nanoseconds: How long to wait at most.
    ///   - time: Tells how long it has been.
    /// - Returns: The lock; nil when the time has passed.
    /// - Throws: `disk`.
    public static func lockForWriting(
        _ disk: any Disk,
        waitingNanoseconds nanoseconds: UInt64,
        _ time: any TimeSource
    ) throws(CommitLogError) -> (any DiskLock)? {
        let end = time.monotonicNanoseconds() + nanoseconds
        guard let next = try lock(nextPath, disk, until: end, time) else { return nil }
        defer { next.release() }
        return try lock(writingPath, disk, until: end, time)
    }

    /// Takes the lock under which one of those who share a log compacts it, waiting for it.
    ///
    /// - Returns: The lock; nil when the time has passed.
    /// - Throws: `disk`.
    public static func lockForCompacting(
        _ disk: any Disk,
        waitingNanoseconds nanoseconds: UInt64,
        _ time: any TimeSource
    ) throws(CommitLogError) -> (any DiskLock)? {
        try lock(compactingPath, disk, until: time.monotonicNanoseconds() + nanoseconds, time)
    }

    private static let writingPath = "LOCK.write"
    private static let nextPath = "LOCK.next"
    private static let compactingPath = "LOCK.compact"

    /// The files of a directory in which no database was made yet, but for those of its log.
    public static let lockNames: Set = [lockPath, writingPath, nextPath, compactingPath]

    private static func lock(
        _ path: String,
        _ disk: any Disk,
        until end: UInt64,
        _ time: any TimeSource
    ) throws(CommitLogError) -> (any DiskLock)? {
        let bell = Condition(())
        var pause = pauseNanosecondsMin
        while true {
            do throws(DiskError) {
                return try disk.lock(path)
            } catch {
                guard error.isLocked else { throw .disk(error) }
            }
            guard time.monotonicNanoseconds() < end else { return nil }
            // The system tells nobody of a lock that was let go of, but who waits in a call that
            // nothing ends.
            _ = bell.wait(until: { _ in false }, nanosecondsMax: pause)
            pause = min(2 * pause, pauseNanosecondsMax)
        }
    }

    private static let pauseNanosecondsMin: UInt64 = 50_000
    private static let pauseNanosecondsMax: UInt64 = 1_000_000
}
