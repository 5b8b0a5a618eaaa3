// Reading a log's files while another process writes them, rolls segments and drops old ones.
//
// Invariants of the writer this stands on (FORMAT.md, "Reading"):
// - the names are listed before bytes are read: a segment that has a successor then is whole;
// - bytes of whole frames never change, a removed file stays readable for whoever has it open;
// - a mark that calls a commit synced was written after that commit was whole, so a second look at
//   a place where nothing whole stood tells damage from a frame that was just being written.
//
// What fails while files come and go is looked at again: `lookingAgain`.
internal import HoldfastBasics
public import HoldfastStorage

/// What a look at a log's files found, so that the next one goes on from there.
///
/// Immutable: each look makes its own.
final class LogSighting: Sendable {
    /// The last segment.
    let entry: LogFiles.Entry
    /// How far it was read.
    let scan: SegmentScan
    /// Whether every byte of the segments before it was read too.
    let isChecked: Bool
    /// The first segment that had a name.
    let oldestNamed: UInt64
    /// Bytes behind the last whole frame, and whole commits in them.
    let tail: (byteCount: Int, commitCount: Int)

    init(
        _ entry: LogFiles.Entry,
        _ scan: SegmentScan,
        isChecked: Bool,
        oldestNamed: UInt64,
        tail: Tail
    ) {
        self.entry = entry
        self.scan = scan
        self.isChecked = isChecked
        self.oldestNamed = oldestNamed
        self.tail = (tail.end - scan.end, tail.commitCount)
    }
}

extension LogReader {
    /// Opens a log for reading, beside a writer too; takes no lock and changes nothing.
    ///
    /// Ended segments are not read: their index files tell where commits lie, and where one is
    /// missing or not whole it is made anew in memory. The last commits of a live writer's log may
    /// be written, but not synced yet.
    ///
    /// - Parameter disk: The directory.
    /// - Returns: The log as it is now.
    /// - Throws: `notPresent`, `damaged`, `unsupportedFormat`, `disk`.
    public static func open(disk: any Disk) throws(CommitLogError) -> LogReader {
        try CommitLog.lookingAgain(disk) { () throws(CommitLogError) in
            try look(LogFiles(disk: disk), after: nil, isChecking: false)
        }
    }

    /// The log as it is now; in the process that writes it, `CommitLog.reader` gives that.
    ///
    /// Costs a list of names and the reading of what is new. Segments that were removed are not in
    /// it; who still reads there goes on in the older value.
    ///
    /// - Parameter disk: The directory it was opened in.
    /// - Returns: A later snapshot.
    /// - Throws: `compacted` when the log does not have what follows `head` any more, `damaged`,
    ///   `unsupportedFormat`, `disk`; this value stays what it is.
    public func refreshed(disk: any Disk) throws(CommitLogError) -> LogReader {
        let later = try followed(disk: disk)
        return later.dropping(before: later.sighting?.oldestNamed ?? later.oldest)
    }

    /// As `refreshed`, and keeps segments whose files were removed.
    ///
    /// - Throws: As `refreshed`.
    public func followed(disk: any Disk) throws(CommitLogError) -> LogReader {
        try CommitLog.lookingAgain(disk) { () throws(CommitLogError) in
            try Self.look(
                LogFiles(disk: disk),
                after: sighting == nil ? nil : self,
                isChecking: sighting?.isChecked ?? false
            )
        }
    }

    /// The first commit of the oldest segment that had a name when this was read; `oldest` where
    /// no removed segment is kept.
    public var oldestNamed: UInt64 { max(oldest, sighting?.oldestNamed ?? oldest) }

    /// Looks at the files once.
    ///
    /// - Parameters:
    ///   - files: Of the directory.
    ///   - before: What was seen already.
    ///   - isChecking: Whether every byte is read, and not of the last segment alone.
    /// - Returns: What was seen, with segments whose files were removed since.
    /// - Throws: As `refreshed`; `disk` too when a file goes away meanwhile.
    static func look(
        _ files: LogFiles,
        after before: LogReader?,
        isChecking: Bool
    ) throws(CommitLogError) -> LogReader {
        // The names before the bytes; IDENTITY may change with an epoch, which the heads tell too.
        let identity = if let before { before.identity } else { try files.identity() }
        let names = try files.firstSeqs()
        var look = LogLook(files: files, identity: identity, isChecking: isChecking)
        if let before { try look.goOn(from: before, names) }
        try look.add(names)
        return try look.end(names)
    }
}

/// One look at a log's files.
private struct LogLook {
    let files: LogFiles
    let identity: Identity
    let isChecking: Bool
    private var segments: [Segment] = []
    private var last: (entry: LogFiles.Entry, scan: SegmentScan?)?
    /// How far behind the last frame is looked for one that is damaged.
    private var windowByteCount = Int.max

    /// A look that finds nothing new does not read all the zeros ahead.
    private static let idleWindowByteCount = 64 << 10

    init(files: LogFiles, identity: Identity, isChecking: Bool) {
        self.files = files
        self.identity = identity
        self.isChecking = isChecking
    }

    /// Reads on in the last segment that was seen.
    mutating func goOn(from before: LogReader, _ names: [UInt64]) throws(CommitLogError) {
        guard let sighting = before.sighting else { return }
        segments = before.segments
        var (entry, scan) = (sighting.entry, sighting.scan)
        let own = entry.header.firstSeq
        guard let newest = names.last, newest >= own else {
            throw .damaged(file: entry.path, offset: 0, why: "the segment is gone")
        }
        if scan.nextSeq == own, names.contains(own) {
            // Without a commit it may have given its name to another.
            let now = try files.entry(firstSeq: own, capacity: capacity, identity: identity)
            if now.header.salt != entry.header.salt {
                guard now.header.base == entry.header.base else {
                    throw .damaged(file: now.path, offset: 48, why: "segments do not join")
                }
                (entry, scan) = (now, SegmentScan(now.header))
            }
        }
        let known = (end: scan.end, byteCount: entry.byteCount)
        try read(&entry, &scan)
        // Nor one behind a mark that calls all before it synced: what follows begins there.
        if known == (scan.end, entry.byteCount) || scan.syncedSeq + 1 == scan.nextSeq {
            windowByteCount = Self.idleWindowByteCount
        }
        segments.removeLast()
        append(entry, scan)
        // Its file may be removed, and be read to its end: others in between are not.
        if let next = names.first(where: { $0 > own }), !names.contains(own), next > scan.nextSeq {
            throw .compacted(oldest: names[0])
        }
    }

    /// Takes the segments behind the last one.
    mutating func add(_ names: [UInt64]) throws(CommitLogError) {
        for firstSeq in names where firstSeq > (last?.entry.header.firstSeq ?? 0) {
            let isLast = firstSeq == names.last
            let entry = try files.entry(
                firstSeq: firstSeq,
                capacity: isLast ? capacity : 0,
                identity: identity
            )
            try seal(before: entry)
            guard isChecking || isLast else {
                append(entry, nil)
                continue
            }
            var scan = SegmentScan(entry.header)
            entry.map.advise(sequential: true)
            scan.run(entry.bytes, entry.header) { _ in }
            entry.map.advise(sequential: false)
            append(entry, scan)
            windowByteCount = .max
        }
    }

    /// Judges what stands behind the last whole frame, and puts the findings together.
    mutating func end(_ names: [UInt64]) throws(CommitLogError) -> LogReader {
        guard var entry = last?.entry, var scan = last?.scan else {
            throw .damaged(file: Segment.directory, offset: 0, why: "there is no segment")
        }
        var tail: Tail
        while true {
            let window = min(entry.byteCount - scan.end, windowByteCount)
            let bytes = entry.map.view[0..<scan.end + window]
            tail = Tail(bytes, from: scan.end, seq: scan.nextSeq, salt: entry.header.salt)
            guard let proof = tail.proof else { break }
            let known = scan.end
            try read(&entry, &scan)
            guard scan.end > known else {
                throw .damaged(
                    file: entry.path,
                    offset: scan.end,
                    why: "commit \(scan.nextSeq) was synced (up to \(proof.syncedSeq)): "
                        + scan.reason
                )
            }
        }
        segments.removeLast()
        append(entry, scan)
        return LogReader(
            identity: identity.brought(to: entry.header.lineage),
            lineage: entry.header.lineage,
            segments: segments,
            oldest: segments[0].firstSeq,
            head: scan.nextSeq - 1,
            end: entry.header.base + UInt64(scan.end),
            sighting: LogSighting(
                entry,
                scan,
                isChecked: isChecking,
                oldestNamed: names[0],
                tail: tail
            )
        )
    }

    /// Bytes mapped of a segment that may grow.
    private var capacity: Int { Limits.segmentByteCount }

    /// Reads what was written to a segment since.
    private func read(
        _ entry: inout LogFiles.Entry,
        _ scan: inout SegmentScan
    ) throws(CommitLogError) {
        let (file, mapped) = (entry.file, entry.map.count)
        let (size, map) = try onDisk { () throws(DiskError) in
            let size = try file.size()
            return (size, size > mapped ? try file.map(size) : nil)
        }
        if let map { entry.map = map }
        entry.byteCount = size
        scan.run(entry.bytes, entry.header) { _ in }
    }

    /// Ends the last segment, as another follows it.
    private mutating func seal(before next: LogFiles.Entry) throws(CommitLogError) {
        guard let (entry, scan) = last else { return }
        if let scan { return try LogFiles.checkSeam(next, after: (entry, scan)) }
        guard next.header.base > entry.header.base,
            next.header.base - entry.header.base <= UInt64(entry.byteCount)
        else { throw .damaged(file: entry.path, offset: 48, why: "segments do not join") }
        let end = Int(next.header.base - entry.header.base)
        segments[segments.count - 1].end = end
        segments[segments.count - 1].index = try index(of: entry, end: end)
    }

    private func index(
        of entry: LogFiles.Entry,
        end: Int
    ) throws(CommitLogError) -> SeqIndex {
        let (firstSeq, salt) = (entry.header.firstSeq, entry.header.salt)
        do throws(DiskError) {
            let bytes = try files.disk.contents(of: Segment.indexPath(firstSeq: firstSeq))
            let index = SeqIndex(bytes, firstSeq: firstSeq, salt: salt, end: end)
            if let index { return index }
        } catch {
            guard error.isMissing else { throw .disk(error) }
        }
        var scan = SegmentScan(entry.header)
        scan.run(entry.bytes, entry.header) { _ in }
        return scan.index
    }

    private mutating func append(_ entry: LogFiles.Entry, _ scan: SegmentScan?) {
        segments.append(
            Segment(
                firstSeq: entry.header.firstSeq,
                base: entry.header.base,
                salt: entry.header.salt,
                headerByteCount: entry.header.byteCount,
                capacity: entry.map.count,
                end: scan?.end ?? entry.header.byteCount,
                index: scan?.index ?? SeqIndex(firstSeq: entry.header.firstSeq),
                map: entry.map
            )
        )
        last = (entry, scan)
    }
}

extension CommitLog {
    /// Opens a log for reading alone, beside a writer too, and reads all of it.
    ///
    /// Takes no lock and changes nothing: a torn tail stays where it is. `followed` on `seen`, and
    /// `take`, go on to what is written later.
    ///
    /// - Parameter disk: The directory.
    /// - Returns: The log as it is now, every byte of it checked.
    /// - Throws: `notPresent`, `damaged`, `unsupportedFormat`, `disk`.
    public static func openForReading(disk: any Disk) throws(CommitLogError) -> CommitLog {
        let seen = try lookingAgain(disk) { () throws(CommitLogError) in
            try LogReader.look(LogFiles(disk: disk), after: nil, isChecking: true)
        }
        guard let sighting = seen.sighting, let first = seen.segments.first, let map = first.map
        else { preconditionFailure("what was read has a segment") }
        var opening = LogOpening(identity: seen.identity, lock: nil)
        let head = map.view[0..<first.headerByteCount]
        opening.chainBeforeOldest = try SegmentHeader(head, file: first.path).chainBefore
        opening.lineage = seen.lineage
        opening.role = sighting.entry.header.role
        opening.segments = seen.segments
        opening.head = seen.head
        opening.end = seen.end
        opening.isClean = sighting.scan.isClean
        opening.recovery.commitCount = seen.head + 1 - seen.oldest
        opening.recovery.wasClean = sighting.scan.isClean
        opening.recovery.cutByteCount = sighting.tail.byteCount
        opening.recovery.cutCommitCount = sighting.tail.commitCount
        opening.seen = seen
        return CommitLog(opening, LogOptions(isWritable: false), SystemRandom())
    }

    /// Runs `body` again when it failed while another process rolled or compacted the log.
    ///
    /// A compaction removes files that a reader may just have found the names of. When the names of
    /// segments and checkpoints are the same before and after, a failure is none of that.
    ///
    /// - Parameters:
    ///   - disk: The directory.
    ///   - body: Reads files; what it did before it failed is forgotten.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws.
    public static func lookingAgain<T, E: Error>(
        _ disk: any Disk,
        _ body: () throws(E) -> T
    ) throws(E) -> T {
        for _ in 1..<lookCountMax {
            let before = fileNames(disk)
            do throws(E) {
                return try body()
            } catch {
                let after = fileNames(disk)
                guard after != nil, before != after else { throw error }
            }
        }
        return try body()
    }

    /// Each time the writer has compacted or rolled meanwhile: more often is no accident.
    private static let lookCountMax = 100

    /// The names of segments and checkpoints; nil when they cannot be listed.
    private static func fileNames(_ disk: any Disk) -> [String]? {
        do throws(DiskError) {
            let segments = try disk.names(in: Segment.directory).filter { $0.hasSuffix(".seg") }
            guard try disk.names(in: "").contains(Manifest.directory) else { return segments }
            return segments + (try disk.names(in: Manifest.directory))
        } catch {
            return nil
        }
    }
}
