// The commit log as the store uses it: append, read, and hand batches to the writer.
//
// Rules of use:
// 1. The store's lock guards every call. `LogWriter` alone is used outside it, by the sync thread.
// 2. `append` does no I/O. It fills the gathering batch; `beginBatch` puts that on its way,
//    `LogWriter.write` makes it durable, `finish` moves the durable mark. One batch is on its way.
// 3. Commits are readable from the moment they are appended: below `writtenEnd` through the map,
//    above it in the pieces that gather or are on their way.
//
// Why reading is safe while a batch is written: bytes below `writtenEnd` are never changed again,
// and the map shows what `pwrite` wrote before `finish` (one page cache, and the lock orders the
// two threads); a piece on its way is only read, by both sides; a piece that gathers is touched
// under the lock alone, and views into it end with the closure they were lent to.
public import HoldfastBasics
public import HoldfastRecords
public import HoldfastStorage

/// An append-only log of commits in segment files.
///
/// Not thread-safe by itself: see the rules of use at the head of this file.
public final class CommitLog {
    /// Which database this is.
    public private(set) var identity: Identity
    /// The epochs of this log, oldest first.
    public private(set) var lineage: [EpochStart]
    /// Whether it is an authority's or a mirror's.
    public let role: LogRole
    /// What opening found.
    public let recovery: LogRecovery
    /// Writes batches, outside the store's lock; nil when the log was opened for reading, and while
    /// others who share it may write.
    public internal(set) var writer: LogWriter?
    /// Seq of the last commit appended; 0 before the first.
    public private(set) var head: UInt64
    /// Seq of the last commit that may be exposed: known synced, or, where batches are not synced
    /// as they are written, known written.
    public private(set) var durable: UInt64
    /// Seq of the last commit known synced.
    public internal(set) var synced: UInt64
    /// What was read of the files that another process writes; nil in the process that alone
    /// writes.
    public private(set) var seen: LogReader?
    /// Whether a write failed: nothing can be appended until the log is opened anew.
    public private(set) var isPoisoned = false

    let options: LogOptions
    let random: any RandomSource
    private let lock: (any DiskLock)?
    var segments: [Segment]
    // Logical offset up to which bytes are written, and synced if batches are.
    var writtenEnd: UInt64
    var gathering: [TailPiece] = []
    var onItsWay: Batch?
    private var spares: [TailPiece] = []
    var isClean: Bool

    // Room every segment keeps for marks after its last frame: of a recovery, of an opening without
    // syncs, of a clean close.
    static let reservedByteCount = 3 * FrameLayout.markByteCount

    init(_ opened: LogOpening, _ options: LogOptions, _ random: any RandomSource) {
        identity = opened.identity
        lineage = opened.lineage
        role = opened.role
        chainBeforeOldest = opened.chainBeforeOldest
        recovery = opened.recovery
        writer = opened.writer
        lock = opened.lock
        segments = opened.segments
        head = opened.head
        durable = opened.head
        synced = opened.head
        writtenEnd = opened.end
        isClean = opened.isClean
        seen = opened.seen
        self.options = options
        self.random = random
    }

    /// Seq of the oldest commit the log still has; 1 until segments are dropped.
    ///
    /// After a write failed that was to begin the only segment anew, there is none.
    public var oldest: UInt64 { segments.first?.firstSeq ?? head + 1 }

    /// Chain of the commit before `oldest`, for whoever verifies from the beginning.
    public private(set) var chainBeforeOldest: Hash128

    /// Logical offset behind what has gathered.
    public var endOffset: UInt64 { segments.last.map { $0.base + UInt64($0.end) } ?? 0 }

    /// Logical offset of the first byte the log still has.
    public var oldestOffset: UInt64 { segments.first?.base ?? 0 }

    /// Bytes of the log, from its first segment to what has gathered.
    public var byteCount: UInt64 {
        guard let first = segments.first, let last = segments.last else { return 0 }
        return last.base + UInt64(last.end) - first.base
    }

    /// Whether commits wait for the next batch.
    public var hasGathered: Bool { !gathering.isEmpty }

    /// When batches are synced.
    public var syncing: Syncing { options.syncing }

    /// Whether several processes have it open for writing.
    public var isShared: Bool { options.isShared }

    /// Whether commits can be appended: it is open for writing, not closed, no write failed, and
    /// none of those who share it but this one may write.
    public var takesCommits: Bool { writer != nil && !isPoisoned }

    var isLoose: Bool { options.syncing.isLoose }

    // MARK: Appending

    /// Adds a commit to the gathering batch.
    ///
    /// - Parameters:
    ///   - seq: Its number, `head + 1`.
    ///   - content: What is replicated and hashed.
    ///   - effectOffsets: Where each effect begins in the content.
    ///   - previous: Where the version before each effect lies, as many.
    ///   - chainBefore: Chain of the commit before it, for the head of a segment it begins.
    /// - Returns: The frame's logical offset.
    public func append(
        seq: UInt64,
        content: ByteView,
        effectOffsets: [UInt32],
        previous: [Location],
        chainBefore: Hash128
    ) -> UInt64 {
        precondition(takesCommits, "the log takes no commits")
        precondition(seq == head + 1, "commits are numbered without gaps")
        precondition(effectOffsets.count == previous.count, "one earlier version per effect")
        let frame = FrameLayout.byteCount(content: content.count, effects: effectOffsets.count)
        precondition(frame <= FrameLayout.frameByteCountMax, "a commit above its limit")
        let mark = FrameLayout.markByteCount
        let beginsBatch = gathering.isEmpty || options.syncing == .commits
        var wanted = frame + (beginsBatch ? mark : 0)
        let slot = segments.count - 1
        if segments[slot].end + wanted + Self.reservedByteCount > segments[slot].capacity {
            // Every segment must tell by itself that its commits may be exposed unsynced.
            let isBetween = isLoose && wanted == frame
            if isBetween { wanted += mark }
            roll(to: seq, for: wanted, chainBefore: chainBefore)
            if isBetween {
                appendMark(seq)
                wanted = frame
            }
        } else if beginsBatch {
            gathering.append(freshPiece(segments[slot], at: segments[slot].end))
        }
        let last = segments.count - 1
        let piece = gathering[gathering.count - 1]
        let salt = segments[last].salt
        if wanted > frame { appendBatchMark(seq) }
        let start = piece.end
        FrameLayout.append(
            seq: seq,
            content: content,
            effectOffsets: effectOffsets,
            previous: previous,
            salt: salt,
            to: &piece.buffer
        )
        segments[last].index.note(seq, at: start)
        segments[last].end = piece.end
        head = seq
        return segments[last].base + UInt64(start)
    }

    /// Goes on in other epochs: a segment begins whose head names them.
    ///
    /// Like `append`, it does no I/O; the batch it leaves may hold no commit.
    ///
    /// - Parameters:
    ///   - lineage: The epochs, of which those up to `head` are the same as now; the last may begin
    ///     behind commits that are still to come.
    ///   - chain: Chain of the last commit.
    /// - Precondition: Every batch is finished.
    public func goOn(in lineage: [EpochStart], after chain: Hash128) {
        precondition(takesCommits, "the log takes no commits")
        precondition(gathering.isEmpty && onItsWay == nil, "a batch is not finished")
        precondition(
            LogStart.isLineage(lineage) && lineage.agrees(with: self.lineage, upTo: head),
            "the epochs of commits never change"
        )
        self.lineage = lineage
        identity = identity.brought(to: lineage)
        roll(to: head + 1, for: FrameLayout.markByteCount, chainBefore: chain)
        appendBatchMark(head + 1)
        segments[segments.count - 1].end = gathering[gathering.count - 1].end
    }

    /// Adds a mark to what gathers.
    private func appendMark(_ seq: UInt64) {
        let mark = BatchMark(firstSeq: seq, syncedSeq: synced, isLoose: isLoose)
        let salt = segments[segments.count - 1].salt
        FrameLayout.appendMark(mark, salt: salt, to: &gathering[gathering.count - 1].buffer)
    }

    /// Adds the mark a batch begins with, which `beginBatch` completes.
    private func appendBatchMark(_ seq: UInt64) {
        let piece = gathering[gathering.count - 1]
        piece.markOffset = piece.buffer.count
        appendMark(seq)
    }

    /// Begins a new segment in memory; its file comes with the batch.
    private func roll(to seq: UInt64, for byteCount: Int, chainBefore: Hash128) {
        let last = segments[segments.count - 1]
        // A segment without a commit would have the same name: the new one takes its place.
        let replaces = last.firstSeq == seq
        let base = replaces ? last.base : last.base + UInt64(last.end)
        let header = header(firstSeq: seq, base: base, chainBefore)
        if replaces {
            segments.removeLast()
            writtenEnd = last.base
        }
        let needed = header.byteCount + byteCount + Self.reservedByteCount
        var segment = Segment(
            firstSeq: seq,
            base: header.base,
            salt: header.salt,
            headerByteCount: header.byteCount,
            capacity: max(options.segmentByteCount, needed),
            end: header.byteCount,
            index: SeqIndex(firstSeq: seq),
            map: nil
        )
        let piece = freshPiece(segment, at: 0)
        header.append(to: &piece.buffer)
        segment.end = piece.end
        segments.append(segment)
        gathering.append(piece)
    }

    /// The head of a segment that begins now.
    func header(firstSeq seq: UInt64, base: UInt64, _ chainBefore: Hash128) -> SegmentHeader {
        precondition(
            base < Location.parts.lowerBound,
            "the log is longer than a location can tell"
        )
        return SegmentHeader(
            databaseID: identity.databaseID,
            salt: UInt32(truncatingIfNeeded: random.next()),
            firstSeq: seq,
            base: base,
            chainBefore: chainBefore,
            lineage: lineage,
            role: role
        )
    }

    private func freshPiece(_ segment: Segment, at start: Int) -> TailPiece {
        let piece = spares.popLast() ?? TailPiece()
        piece.begin(segment, at: start)
        return piece
    }

    // MARK: Batches

    /// Puts what has gathered on its way; nil when there is nothing.
    ///
    /// The one before must be finished. What is appended from now on belongs to the next batch.
    public func beginBatch() -> Batch? {
        precondition(onItsWay == nil, "one batch is on its way at a time")
        guard !isPoisoned, let first = gathering.first else { return nil }
        // The mark was made with the first commit; more may have become durable since.
        let firstSeq = markedSeq(of: first)
        let slot = segments.slot(ofOffset: first.logicalStart)
        var mark = ByteBuffer(capacity: FrameLayout.markByteCount)
        FrameLayout.appendMark(
            BatchMark(firstSeq: firstSeq, syncedSeq: synced, isLoose: isLoose),
            salt: segments[slot].salt,
            to: &mark
        )
        first.buffer.replace(mark.view, at: first.markOffset)
        // Where every commit is a batch, it is one piece; one that only begins a segment has none.
        let isAll = options.syncing != .commits || gathering.count == 1
        let batch = Batch(
            pieces: isAll ? gathering : [first],
            lastSeq: isAll ? head : markedSeq(of: gathering[1]) - 1
        )
        onItsWay = batch
        gathering.removeFirst(batch.pieces.count)
        isClean = false
        return batch
    }

    private func markedSeq(of piece: TailPiece) -> UInt64 {
        piece.buffer.view.integer(at: piece.markOffset + 16)
    }

    /// Takes a sync of all that was written as done.
    ///
    /// - Parameter seq: The last commit that was written when the sync began.
    public func finishSync(upTo seq: UInt64) { synced = max(synced, seq) }

    /// Takes a written batch as durable.
    public func finish(_ written: WrittenBatch) {
        precondition(onItsWay?.lastSeq == written.batch.lastSeq, "another batch is on its way")
        onItsWay = nil
        durable = written.batch.lastSeq
        if written.isSynced { synced = durable }
        var maps = written.maps.makeIterator()
        for piece in written.batch.pieces {
            writtenEnd = piece.logicalStart + UInt64(piece.buffer.count)
            guard piece.start == 0 else { continue }
            let slot = segments.slot(ofOffset: piece.base)
            segments[slot].map = maps.next()
            if slot > 0 { writer?.seal(segments[slot - 1]) }
        }
        spares += written.batch.pieces.suffix(2 - min(spares.count, 2))
    }

    /// Forgets every commit above `durable`, after a write failed.
    ///
    /// From now on nothing can be appended; reading goes on.
    public func discard() {
        isPoisoned = true
        onItsWay = nil
        gathering = []
        head = durable
        while let last = segments.last, last.map == nil { segments.removeLast() }
        guard !segments.isEmpty else { return }
        let slot = segments.count - 1
        segments[slot].index.cut(from: durable + 1)
        segments[slot].end = Int(writtenEnd - segments[slot].base)
    }

    /// Closes the log in order: a last mark says that everything is synced.
    ///
    /// All batches must be finished. Nothing can be appended afterwards.
    ///
    /// - Throws: `disk`; then the next opening treats the log as if the process had been killed.
    public func close() throws(CommitLogError) {
        defer {
            lock?.release()
            isPoisoned = true
        }
        guard let writer, !isPoisoned else { return }
        precondition(gathering.isEmpty && onItsWay == nil, "a batch is not finished")
        guard !isClean, let last = segments.last else { return }
        var mark = ByteBuffer(capacity: FrameLayout.markByteCount)
        FrameLayout.appendMark(
            BatchMark(firstSeq: head + 1, syncedSeq: head, isClean: true),
            salt: last.salt,
            to: &mark
        )
        let bytes = mark.array
        try onDisk { () throws(DiskError) in try writer.append(bytes) }
    }

    // MARK: Dropping

    /// The first commit of the segment that holds what follows a durable commit: everything before
    /// it can be dropped, and nothing else.
    ///
    /// - Parameter seq: Durable.
    /// - Returns: `oldest` when nothing can be dropped.
    public func droppable(upTo seq: UInt64) -> UInt64 {
        guard let slot = segments.slot(ofSeq: seq + 1) else { return oldest }
        // One that is not written yet cannot be the first.
        return segments[0...slot].last { $0.map != nil }?.firstSeq ?? oldest
    }

    /// Forgets the segments before the one that begins with a commit; their files stay.
    ///
    /// Whoever reads the log without the lock still reads them.
    ///
    /// - Parameter seq: As `droppable` gave it.
    /// - Throws: `damaged` when that segment's head cannot be read any more; nothing is forgotten.
    public func drop(before seq: UInt64) throws(CommitLogError) {
        guard let slot = segments.firstIndex(where: { $0.firstSeq == seq }), slot > 0,
            let map = segments[slot].map
        else { return }
        let path = segments[slot].path
        let header = try SegmentHeader(map.view[0..<segments[slot].end], file: path)
        chainBeforeOldest = header.chainBefore
        segments.removeFirst(slot)
        seen = seen?.dropping(before: seq)
        writer?.forget(before: seq)
    }

    /// Removes the files of dropped segments, oldest first, so that what a crash leaves is a log.
    ///
    /// Called without the lock.
    ///
    /// - Parameters:
    ///   - seq: The oldest commit that stays.
    ///   - disk: The database's directory.
    /// - Returns: Bytes that were freed.
    /// - Throws: `disk`.
    public static func removeFiles(
        before seq: UInt64,
        on disk: any Disk
    ) throws(CommitLogError) -> Int {
        try onDisk { () throws(DiskError) in
            var freed = 0
            for name in try disk.names(in: Segment.directory) {
                // An index may be written beside this, and be left until the next time.
                guard let first = Segment.firstSeq(ofFile: name), first < seq else { continue }
                let path = Segment.directory + "/" + name
                freed += try disk.open(path, .read).size()
                try disk.remove(path)
            }
            if freed > 0 { try disk.syncDirectory(Segment.directory) }
            return freed
        }
    }

    // MARK: What others wrote

    /// Goes on to what another process has written; only where this one reads.
    ///
    /// - Parameters:
    ///   - news: A later look at `seen`.
    ///   - seq: How far: from `head` to the last commit of `news`.
    public func take(_ news: LogReader, upTo seq: UInt64) {
        precondition(seen != nil && seq >= head && seq <= news.head, "nothing to go on to")
        seen = news
        segments = news.segments
        lineage = news.lineage
        identity = news.identity
        (head, durable, synced, writtenEnd) = (seq, seq, seq, news.end)
    }

    /// Stands at an earlier commit of what was taken, when the later ones cannot be folded.
    public func takeBack(to seq: UInt64) {
        precondition(seen != nil && seq <= head, "nothing to take back")
        (head, durable, synced) = (seq, seq, seq)
    }
}
