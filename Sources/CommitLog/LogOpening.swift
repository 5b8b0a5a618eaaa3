// Making a database directory, and opening one: read everything, decide what the end of the log
// means, repair it, and make sure that what is served afterwards is on the disk.
public import HoldfastBasics
internal import HoldfastRecords
public import HoldfastStorage

/// What opening found, for the log to go on with.
struct LogOpening {
    var identity: Identity
    let lock: (any DiskLock)?
    var lineage: [EpochStart] = []
    var role = LogRole.authority
    var chainBeforeOldest = Hash128.zero
    var segments: [Segment] = []
    var head: UInt64 = 0
    var end: UInt64 = 0
    var isClean = false
    var recovery = LogRecovery()
    var writer: LogWriter?
    /// Where the log is only read: what was seen of its files.
    var seen: LogReader?
}

extension CommitLog {
    static let lockPath = "LOCK"

    /// Makes an empty database in a directory.
    ///
    /// IDENTITY comes last: a directory without it holds no database, and making one can be tried
    /// again. A directory that holds commits but no IDENTITY is refused.
    ///
    /// - Parameters:
    ///   - disk: The directory.
    ///   - identity: Which database it will be.
    ///   - role: Whether it decides itself or follows another node.
    ///   - start: What it goes on from, in the identity's epoch; nil for the first commit of all.
    ///   - options: Length of the first segment.
    ///   - random: Gives the segment's salt.
    /// - Throws: `alreadyPresent`, `inUse`, `damaged` (commits without IDENTITY), `disk`.
    public static func create(
        disk: any Disk,
        identity: Identity,
        role: LogRole = .authority,
        after start: LogStart? = nil,
        options: LogOptions = LogOptions(),
        random: any RandomSource
    ) throws(CommitLogError) {
        let start = start ?? LogStart(identity.epoch)
        precondition(
            start.lineage.last?.epoch == identity.epoch,
            "the identity's epoch is the last"
        )
        let lock = try onDisk { () throws(DiskError) in try disk.lock(lockPath) }
        defer { lock.release() }
        guard try !isPresent(disk: disk) else { throw .alreadyPresent }
        let path = Segment.path(firstSeq: start.seq + 1)
        try refuseCommits(disk: disk, besides: path)
        let header = SegmentHeader(
            databaseID: identity.databaseID,
            salt: UInt32(truncatingIfNeeded: random.next()),
            firstSeq: start.seq + 1,
            base: start.base,
            chainBefore: start.chain,
            lineage: start.lineage,
            role: role
        )
        var head = ByteBuffer()
        header.append(to: &head)
        let bytes = head.array
        try onDisk { () throws(DiskError) in
            try disk.makeDirectory(Segment.directory)
            let file = try disk.open(Segment.sparePath, .create)
            try file.write(bytes, at: 0)
            let zeroed = min(options.segmentByteCount, bytes.count + options.growByteCount)
            try file.writeZeros(bytes.count..<max(bytes.count, zeroed))
            try file.sync()
            try disk.rename(Segment.sparePath, to: path)
            try disk.syncDirectory(Segment.directory)
            try disk.syncDirectory("")
            try disk.replace(Identity.path, with: identity.bytes)
        }
    }

    /// Whether a directory holds a database.
    ///
    /// - Throws: `disk`.
    public static func isPresent(disk: any Disk) throws(CommitLogError) -> Bool {
        try onDisk { () throws(DiskError) in
            try disk.names(in: "").contains(Identity.path)
        }
    }

    /// A `create` that was interrupted leaves one segment without a frame at most.
    private static func refuseCommits(
        disk: any Disk,
        besides path: String
    ) throws(CommitLogError) {
        let names = try onDisk { () throws(DiskError) -> [String] in
            guard try disk.names(in: "").contains(Segment.directory) else { return [] }
            return try disk.names(in: Segment.directory).filter { $0.hasSuffix(".seg") }
        }
        for name in names {
            let found = Segment.directory + "/" + name
            let bytes = try onDisk { () throws(DiskError) in try disk.contents(of: found) }
            let header = bytes.withView { view in
                Result { () throws(CommitLogError) in try SegmentHeader(view, file: found) }
            }
            let begin = try header.get().byteCount
            guard found == path, bytes[begin...].allSatisfy({ $0 == 0 }) else {
                throw .damaged(
                    file: Identity.path,
                    offset: 0,
                    why: "it is missing, commits are not"
                )
            }
        }
    }

    /// Opens a database, reads its whole log and repairs its end.
    ///
    /// When it returns for writing, every commit it visited is synced, whatever was before. Where
    /// others share the log, the caller holds the lock under which one of them writes. For reading
    /// it is `openForReading`, and then the visits.
    ///
    /// - Parameters:
    ///   - disk: The directory.
    ///   - options: How.
    ///   - random: Gives the salts of new segments.
    ///   - visit: Is given all commits in order, each when its checksum was taken; what it throws
    ///     ends the opening.
    /// - Returns: The open log.
    /// - Throws: `CommitLogError` (`notPresent`, `inUse`, `damaged`, `unsupportedFormat`, `disk`),
    ///   and what `visit` throws.
    public static func open(
        disk: any Disk,
        options: LogOptions = LogOptions(),
        random: any RandomSource,
        visit: (LogStretch) throws -> Void
    ) throws -> CommitLog {
        guard options.isWritable else {
            let log = try openForReading(disk: disk)
            for stretch in log.openedStretches { try visit(stretch) }
            return log
        }
        let files = LogFiles(disk: disk)
        let identity = try files.identity()
        let lock = try onDisk { () throws(DiskError) in
            try disk.lock(lockPath, isShared: options.isShared)
        }
        var opening = LogOpening(identity: identity, lock: lock)
        try removeRemnants(disk)
        let (entry, scan) = try readAll(files, options, &opening, visit: visit)
        let tail = try tornTail(of: entry, after: scan)
        if options.isShared { opening.seen = LogReader(opening, entry, scan, tail) }
        opening.recovery.cutByteCount = tail.end - scan.end
        opening.recovery.cutCommitCount = tail.commitCount
        try repair(disk, options, entry, scan, tail, &opening)
        try restart(disk, options, random, &opening, after: scan, of: entry)
        try correctIdentity(disk, &opening)
        return CommitLog(opening, options, random)
    }

    /// What follows the last whole frame, where that is no damage.
    ///
    /// - Throws: `damaged` when a commit that was synced should stand there.
    static func tornTail(
        of entry: LogFiles.Entry,
        after scan: SegmentScan
    ) throws(CommitLogError) -> Tail {
        let tail = Tail(entry.bytes, from: scan.end, seq: scan.nextSeq, salt: entry.header.salt)
        guard let proof = tail.proof else { return tail }
        throw .damaged(
            file: entry.path,
            offset: scan.end,
            why: "commit \(scan.nextSeq) was synced (up to \(proof.syncedSeq)): \(scan.reason)"
        )
    }

    /// What an interrupted writer left: files that have not got their name yet.
    static func removeRemnants(_ disk: any Disk) throws(CommitLogError) {
        try onDisk { () throws(DiskError) in
            for name in try disk.names(in: Segment.directory)
            where name.hasSuffix(".new") || Segment.directory + "/" + name == Segment.sparePath {
                try disk.remove(Segment.directory + "/" + name)
            }
        }
    }

    private static func readAll(
        _ files: LogFiles,
        _ options: LogOptions,
        _ opening: inout LogOpening,
        visit: (LogStretch) throws -> Void
    ) throws -> (LogFiles.Entry, SegmentScan) {
        var last: (entry: LogFiles.Entry, scan: SegmentScan)?
        let firstSeqs = try files.firstSeqs()
        for firstSeq in firstSeqs {
            let entry = try files.entry(
                firstSeq: firstSeq,
                capacity: firstSeq == firstSeqs.last ? options.segmentByteCount : 0,
                identity: opening.identity
            )
            try LogFiles.checkSeam(entry, after: last)
            if last == nil { opening.chainBeforeOldest = entry.header.chainBefore }
            var scan = SegmentScan(entry.header)
            entry.map.advise(sequential: true)
            try read(entry, &scan, visit: visit)
            entry.map.advise(sequential: false)
            opening.recovery.commitCount += scan.nextSeq - firstSeq
            opening.segments.append(
                Segment(
                    firstSeq: firstSeq,
                    base: entry.header.base,
                    salt: entry.header.salt,
                    headerByteCount: entry.header.byteCount,
                    capacity: entry.map.count,
                    end: scan.end,
                    index: scan.index,
                    map: entry.map
                )
            )
            last = (entry, scan)
        }
        guard let last else {
            throw CommitLogError.damaged(file: Segment.directory, offset: 0, why: "no segment")
        }
        opening.lineage = last.entry.header.lineage
        opening.role = last.entry.header.role
        opening.head = last.scan.nextSeq - 1
        opening.end = last.entry.header.base + UInt64(last.scan.end)
        opening.isClean = last.scan.isClean
        opening.recovery.wasClean = last.scan.isClean
        return last
    }

    /// Takes a segment's frames, and hands them on as they are found whole.
    private static func read(
        _ entry: LogFiles.Entry,
        _ scan: inout SegmentScan,
        visit: (LogStretch) throws -> Void
    ) throws {
        let base = entry.header.base
        var begin = scan.end
        func hand(_ end: Int) throws {
            guard end > begin else { return }
            try visit(LogStretch(entry.path, entry.map, base: base, begin..<end))
            begin = end
        }
        try scan.run(entry.bytes, entry.header) { frame in
            let end = Int(frame.offset - base) + frame.byteCount
            if end - begin >= LogStretch.byteCountMin { try hand(end) }
        }
        try hand(scan.end)
    }

    /// Cuts a torn tail, writes what may not be on the disk again, and says so in a mark.
    ///
    /// After a failed sync the page cache holds bytes the disk has never seen and takes them for
    /// written: what was read above proves nothing about the disk. Writing the bytes again makes
    /// the system write them. What lies up to the last commit that a mark calls synced is safe.
    static func repair(
        _ disk: any Disk,
        _ options: LogOptions,
        _ entry: LogFiles.Entry,
        _ scan: SegmentScan,
        _ tail: Tail,
        _ opening: inout LogOpening
    ) throws(CommitLogError) {
        let slot = opening.segments.count - 1
        let capacity = opening.segments[slot].capacity
        let start = scan.syncedEnd(entry.bytes, entry.header)
        let unsynced = scan.nextSeq - 1 - scan.syncedSeq
        var end = scan.end
        try onDisk { () throws(DiskError) in
            // The same holds for names: of this segment, and of IDENTITY.
            try disk.syncDirectory(Segment.directory)
            try disk.syncDirectory("")
            let file = try disk.open(entry.path, .readWrite)
            // Zeros to the end, or a later frame of a torn tail would follow a shorter new one.
            if !scan.isClean { try file.writeZeros(end..<max(entry.byteCount, tail.end)) }
            try file.write(entry.bytes[start..<end].array, at: start)
            try file.sync()
            if unsynced > 0 || tail.end > end, end + FrameLayout.markByteCount <= capacity {
                let mark = BatchMark(
                    firstSeq: scan.nextSeq,
                    syncedSeq: scan.nextSeq - 1,
                    // Until a new epoch stands, the next opening must begin one.
                    isLoose: scan.isLoose
                )
                var bytes = ByteBuffer(capacity: FrameLayout.markByteCount)
                FrameLayout.appendMark(mark, salt: entry.header.salt, to: &bytes)
                try file.write(bytes.view, at: end)
                try file.sync()
                end += FrameLayout.markByteCount
                opening.isClean = false
            }
            opening.writer = LogWriter(
                disk: disk,
                options: options,
                state: LogWriter.State(
                    file: file,
                    path: entry.path,
                    end: end,
                    allocated: max(entry.byteCount, end),
                    capacity: capacity
                )
            )
        }
        opening.recovery.resyncedCommitCount = unsynced
        opening.segments[slot].end = end
        opening.end = entry.header.base + UInt64(end)
        try sealIndexes(disk, opening)
    }

    /// Hands the writer the indexes that sealed segments lack.
    private static func sealIndexes(
        _ disk: any Disk,
        _ opening: LogOpening
    ) throws(CommitLogError) {
        let names = try onDisk { () throws(DiskError) in try disk.names(in: Segment.directory) }
        for segment in opening.segments.dropLast()
        where !names.contains(where: { Segment.directory + "/" + $0 == segment.indexPath }) {
            opening.writer?.seal(segment)
        }
    }
}

extension SegmentScan {
    /// Where the last commit that is known synced ends: the segment's head, when that is none here.
    func syncedEnd(_ bytes: ByteView, _ header: SegmentHeader) -> Int {
        guard syncedSeq >= header.firstSeq, let start = index.start(for: syncedSeq) else {
            return header.byteCount
        }
        var offset = start.offset
        var seq = start.seq
        while seq <= syncedSeq {
            if bytes.integer(UInt32.self, at: offset) == FrameLayout.commitMagic { seq += 1 }
            offset += Int(bytes.integer(UInt32.self, at: offset + 8))
        }
        return offset
    }
}
