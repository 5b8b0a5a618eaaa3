// The last step of opening a log whose commits are, or were, exposed before they are synced.
//
// Whoever saw a commit that a power cut took away must notice: the numbers go on under a new epoch.
// So two things are on the disk before the first commit of such a session: that its commits are
// exposed unsynced (a mark), and, when the session before was one and was not closed in order, the
// new epoch (a segment whose head names it). IDENTITY follows; what the segment says counts.
internal import HoldfastBasics
internal import HoldfastRecords
internal import HoldfastStorage

extension CommitLog {
    /// Begins a new epoch where one is needed, and says on the disk that commits will be exposed
    /// unsynced where they will be.
    ///
    /// Killed anywhere, the next opening does it again; then the epoch may be another one, and no
    /// commit was made in the first.
    static func restart(
        _ disk: any Disk,
        _ options: LogOptions,
        _ random: any RandomSource,
        _ opening: inout LogOpening,
        after scan: SegmentScan,
        of entry: LogFiles.Entry
    ) throws(CommitLogError) {
        let isLoose = options.syncing.isLoose
        let needsEpoch = scan.isLoose && !scan.isClean
        guard isLoose || needsEpoch, let last = opening.segments.last else { return }
        if needsEpoch { appendEpoch(random, &opening) }
        if needsEpoch || last.end + Self.reservedByteCount > last.capacity {
            let chain = try scan.lastChain(entry)
            try beginSegment(disk, options, random, &opening, after: chain, isLoose: isLoose)
        } else {
            try appendMark(&opening)
        }
        opening.isClean = false
    }

    /// The numbers go on under a new epoch from the next commit on; `beginSegment` writes it.
    static func appendEpoch(_ random: any RandomSource, _ opening: inout LogOpening) {
        var epoch = Epoch(rawValue: random.next())
        // One that was is none, also where IDENTITY alone still knows of it.
        while epoch == opening.identity.epoch
            || opening.lineage.contains(where: { $0.epoch == epoch })
        {
            epoch = Epoch(rawValue: random.next())
        }
        let next = opening.head + 1
        // One that would begin behind commits that are not here does not any more.
        opening.lineage =
            opening.lineage.known(upTo: next) + [
                EpochStart(epoch: epoch, firstSeq: next)
            ]
        opening.recovery.beganEpoch = true
    }

    /// Brings IDENTITY to the epoch the log is in.
    static func correctIdentity(
        _ disk: any Disk,
        _ opening: inout LogOpening
    ) throws(CommitLogError) {
        let identity = opening.identity.brought(to: opening.lineage)
        guard identity != opening.identity else { return }
        opening.identity = identity
        let bytes = identity.bytes
        try onDisk { () throws(DiskError) in try disk.replace(Identity.path, with: bytes) }
    }

    private static func mark(_ opening: LogOpening, isLoose: Bool) -> BatchMark {
        BatchMark(firstSeq: opening.head + 1, syncedSeq: opening.head, isLoose: isLoose)
    }

    private static func appendMark(_ opening: inout LogOpening) throws(CommitLogError) {
        let slot = opening.segments.count - 1
        var bytes = ByteBuffer(capacity: FrameLayout.markByteCount)
        FrameLayout.appendMark(
            mark(opening, isLoose: true),
            salt: opening.segments[slot].salt,
            to: &bytes
        )
        let mark = bytes.array
        try onDisk { () throws(DiskError) in try opening.writer?.append(mark) }
        opening.segments[slot].end += mark.count
        opening.end += UInt64(mark.count)
    }

    /// Begins the segment after the last one, or in the place of one without commits.
    static func beginSegment(
        _ disk: any Disk,
        _ options: LogOptions,
        _ random: any RandomSource,
        _ opening: inout LogOpening,
        after chain: Hash128,
        isLoose: Bool
    ) throws(CommitLogError) {
        guard let last = opening.segments.last else { return }
        let replaces = last.firstSeq == opening.head + 1
        let header = SegmentHeader(
            databaseID: opening.identity.databaseID,
            salt: UInt32(truncatingIfNeeded: random.next()),
            firstSeq: opening.head + 1,
            base: replaces ? last.base : opening.end,
            chainBefore: chain,
            lineage: opening.lineage,
            role: opening.role
        )
        var head = ByteBuffer()
        header.append(to: &head)
        if isLoose {
            FrameLayout.appendMark(mark(opening, isLoose: true), salt: header.salt, to: &head)
        }
        let bytes = head.array
        let capacity = max(options.segmentByteCount, bytes.count + Self.reservedByteCount)
        let path = Segment.path(firstSeq: header.firstSeq)
        let zeroed = min(capacity, bytes.count + options.growByteCount)
        let (file, map) = try onDisk { () throws(DiskError) in
            let file = try disk.open(Segment.sparePath, .create)
            try file.write(bytes, at: 0)
            try file.writeZeros(bytes.count..<max(bytes.count, zeroed))
            try file.sync()
            let map = try file.map(capacity)
            try disk.rename(Segment.sparePath, to: path)
            try disk.syncDirectory(Segment.directory)
            return (file, map)
        }
        if replaces { opening.segments.removeLast() } else { opening.writer?.seal(last) }
        opening.segments.append(
            Segment(
                firstSeq: header.firstSeq,
                base: header.base,
                salt: header.salt,
                headerByteCount: header.byteCount,
                capacity: capacity,
                end: bytes.count,
                index: SeqIndex(firstSeq: header.firstSeq),
                map: map
            )
        )
        opening.end = header.base + UInt64(bytes.count)
        opening.writer = LogWriter(
            disk: disk,
            options: options,
            state: LogWriter.State(
                file: file,
                path: path,
                end: bytes.count,
                allocated: max(bytes.count, zeroed),
                capacity: capacity
            )
        )
    }
}

extension SegmentScan {
    /// Chain of the last commit that was found, or of the one before the segment.
    fileprivate func lastChain(_ entry: LogFiles.Entry) throws(CommitLogError) -> Hash128 {
        guard nextSeq > entry.header.firstSeq, let start = index.start(for: nextSeq - 1) else {
            return entry.header.chainBefore
        }
        var (seq, offset) = (start.seq, start.offset)
        while true {
            let length = Int(entry.bytes.integer(UInt32.self, at: offset + 8))
            if entry.bytes.integer(UInt32.self, at: offset) == FrameLayout.commitMagic {
                if seq == nextSeq - 1 {
                    let frame = Frame(entry.bytes[offset..<offset + length], offset: 0)
                    do throws(ContentError) {
                        return try CommitView(frame.content).chain
                    } catch {
                        throw .damaged(file: entry.path, offset: offset, why: "\(error)")
                    }
                }
                seq += 1
            }
            offset += length
        }
    }
}
