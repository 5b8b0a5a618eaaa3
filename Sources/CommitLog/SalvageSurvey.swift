// The way through a damaged log's segments: keeps what is whole up to the first damage, and looks
// for whole commits behind it.
//
// Where no whole frame begins, the next one is looked for at every multiple of 8 bytes. A checksum
// that begins with the segment's random salt keeps bytes that only look like a frame from being
// taken for one.
internal import HoldfastBasics
internal import HoldfastRecords
internal import HoldfastStorage

/// The way through the segments, oldest first.
struct SalvageSurvey {
    var found: LogSalvage
    /// Whether the first damage lies behind.
    private var isBroken: Bool { !found.damages.isEmpty }
    /// The commit that should come next; after damage, one above the highest that was seen.
    private var nextSeq: UInt64 = 1
    /// The chain before `nextSeq`; nil when the commit before it was not seen whole.
    private var chain: Hash128? = .zero
    /// Whether commits may be missing before the next one because of what was told already.
    private var isGapTold = false
    /// Logical offset at which the next segment of the kept part must begin.
    private var base: UInt64 = 0

    /// Whether the next segment may be any, as what came before it was dropped.
    private var startsAnywhere = false

    init(identity: Identity) { found = LogSalvage(identity: identity) }

    /// Says that the log's beginning was dropped, and what there is in its place.
    mutating func begin(_ checkpoint: Result<Checkpoint?, CommitLogError>) {
        switch checkpoint {
        case .success(let checkpoint):
            found.checkpoint = checkpoint
            startsAnywhere = checkpoint != nil
        case .failure(let error):
            note(error)
        }
    }

    /// What was found, after the last segment.
    func end() -> LogSalvage {
        var found = found
        guard let checkpoint = found.checkpoint else { return found }
        found.keepsCheckpoint = !found.kept.isEmpty && found.keptHead >= checkpoint.manifest.seq
        guard !found.keepsCheckpoint else { return found }
        // Commits that do not lead to the checkpoint are older than what it holds.
        (found.kept, found.keptHead, found.keptChain) = ([], 0, .zero)
        return found
    }

    mutating func take(
        _ disk: any Disk,
        firstSeq: UInt64,
        next: UInt64?,
        visit: () -> Void
    ) throws(CommitLogError) {
        let path = Segment.path(firstSeq: firstSeq)
        let piece = try onDisk { () throws(DiskError) in
            let file = try disk.open(path, .read)
            let size = try file.size()
            return LogSalvage.Piece(path: path, byteCount: size, map: try file.map(size))
        }
        found.pieces.append(piece)
        let header: SegmentHeader
        do throws(CommitLogError) {
            header = try SegmentHeader(piece.bytes, file: path)
        } catch {
            guard case .damaged = error else { throw error }
            note(error)
            // The salt may be what is damaged: the frames know it.
            guard let salt = FrameLayout.salt(ofFramesIn: piece.bytes) else { return }
            rescue(piece, from: 0, told: 0, salt: salt, isLast: next == nil, visit: visit)
            return
        }
        guard header.databaseID == found.identity.databaseID else {
            note(piece, 24, "the segment is another database's")
            return
        }
        if startsAnywhere, header.firstSeq == firstSeq {
            (nextSeq, base, chain) = (firstSeq, header.base, header.chainBefore)
        }
        startsAnywhere = false
        found.role = header.role
        if header.lineage.count > found.lineage.count { found.lineage = header.lineage }
        var start = header.byteCount
        var told: Int?
        if isBroken {
            if header.firstSeq == nextSeq, chain == nil { chain = header.chainBefore }
        } else if let why = misfit(header, firstSeq) {
            note(place(ofMisfit: why, piece))
        } else {
            start = keep(piece, header, next: next, visit: visit)
            told = start
        }
        guard isBroken else { return }
        let salt = header.salt
        rescue(piece, from: start, told: told, salt: salt, isLast: next == nil, visit: visit)
    }

    // MARK: Before the first damage

    /// Why a segment does not go on where the one before it ended; nil when it does.
    private func misfit(_ header: SegmentHeader, _ firstSeq: UInt64) -> String? {
        guard header.firstSeq == firstSeq else { return "the name is another segment's" }
        guard header.firstSeq == nextSeq else { return "commit \(nextSeq) is missing" }
        guard header.base == base, header.chainBefore == chain else {
            return "the segment does not join the one before it"
        }
        return nil
    }

    /// Missing commits are told at the place where they should be.
    private func place(ofMisfit why: String, _ piece: LogSalvage.Piece) -> CommitLogError {
        guard found.kept.isEmpty, nextSeq == 1 else {
            return .damaged(file: piece.path, offset: 40, why: why)
        }
        let first = Segment.path(firstSeq: 1)
        return piece.path == first
            ? .damaged(file: first, offset: 40, why: why)
            : .damaged(file: first, offset: 0, why: "the log's first segment is missing")
    }

    /// Takes a segment as far as it is whole.
    ///
    /// - Returns: Where to look for later commits, when damage was found.
    private mutating func keep(
        _ piece: LogSalvage.Piece,
        _ header: SegmentHeader,
        next: UInt64?,
        visit: () -> Void
    ) -> Int {
        var scan = SegmentScan(header)
        var broken: (byteCount: Int, why: String)?
        var chain = header.chainBefore
        do {
            try scan.run(piece.bytes, header) { frame in
                do throws(ContentError) {
                    let commit = try CommitView(frame.content)
                    try commit.verify(after: chain)
                    chain = commit.chain
                } catch {
                    broken = (frame.byteCount, "commit \(frame.seq): \(error)")
                    throw error
                }
                visit()
            }
        } catch {
            // `broken` says it.
        }
        (nextSeq, self.chain, base) = (scan.nextSeq, chain, header.base + UInt64(scan.end))
        found.kept.append(LogSalvage.Kept(piece: piece, header: header, end: scan.end))
        (found.keptHead, found.keptChain) = (scan.nextSeq - 1, chain)
        if let broken {
            note(piece, scan.end, broken.why)
            return scan.end + broken.byteCount
        }
        judgeEnd(piece, header, scan, next: next)
        return scan.end
    }

    /// What follows the last whole frame: by the rule of FORMAT.md, "Damage and torn tails".
    private mutating func judgeEnd(
        _ piece: LogSalvage.Piece,
        _ header: SegmentHeader,
        _ scan: SegmentScan,
        next: UInt64?
    ) {
        let tail = Tail(piece.bytes, from: scan.end, seq: scan.nextSeq, salt: header.salt)
        if let next {
            // A segment that has a successor was synced to its end.
            if tail.isTorn(after: scan.end) {
                note(piece, scan.end, "commit \(scan.nextSeq) was synced: \(scan.reason)")
            } else if next != scan.nextSeq {
                let why = "commit \(scan.nextSeq) is missing: the next segment begins with \(next)"
                note(piece, scan.end, why)
            }
        } else if let proof = tail.proof {
            let why = "commit \(scan.nextSeq) was synced (up to \(proof.syncedSeq))"
            note(piece, scan.end, why + ": " + scan.reason)
        } else {
            found.tailByteCount = tail.end - scan.end
            found.tailCommitCount = tail.commitCount
        }
    }

    // MARK: Behind it

    /// Looks for whole commits in bytes that may be damaged anywhere.
    ///
    /// That nothing whole begins at `told` is known already.
    private mutating func rescue(
        _ piece: LogSalvage.Piece,
        from start: Int,
        told: Int?,
        salt: UInt32,
        isLast: Bool,
        visit: () -> Void
    ) {
        let bytes = piece.bytes
        var offset = start
        var gap: (start: Int, why: String)?
        while offset + FrameLayout.markByteCount <= bytes.count {
            let magic = bytes.integer(UInt32.self, at: offset)
            if gap != nil, magic != FrameLayout.commitMagic, magic != FrameLayout.markMagic {
                offset += 8
                continue
            }
            switch FrameLayout.look(bytes, at: offset, salt: salt) {
            case .nothing(let why):
                if gap == nil { gap = (offset, why) }
                offset += 8
            case .mark:
                if let gap { tell(gap, piece, besides: told) }
                gap = nil
                offset += FrameLayout.markByteCount
            case .commit(let byteCount):
                if let gap { tell(gap, piece, besides: told) }
                gap = nil
                take(piece, offset, byteCount, visit: visit)
                offset += byteCount
            }
        }
        let end = gap?.start ?? offset
        guard end != told, end < bytes.count else { return }
        let tail = Tail(bytes, from: end, seq: nextSeq, salt: salt)
        guard tail.isTorn(after: end) else { return }
        if isLast {
            found.tailByteCount = tail.end - end
        } else {
            note(piece, end, gap?.why ?? "a frame is cut")
        }
    }

    private mutating func tell(
        _ gap: (start: Int, why: String),
        _ piece: LogSalvage.Piece,
        besides told: Int?
    ) {
        isGapTold = true
        if gap.start == told { return }
        note(piece, gap.start, gap.why)
    }

    /// Takes a commit behind the first damage, when it is one.
    private mutating func take(
        _ piece: LogSalvage.Piece,
        _ offset: Int,
        _ byteCount: Int,
        visit: () -> Void
    ) {
        let frame = Frame(piece.bytes[offset..<offset + byteCount], offset: 0)
        guard frame.seq >= nextSeq else {
            note(piece, offset, "commit \(frame.seq) stands behind commit \(nextSeq - 1)")
            return
        }
        if frame.seq > nextSeq {
            let why = "commits \(nextSeq) to \(frame.seq - 1) are missing"
            if !isGapTold { note(piece, offset, why) }
            chain = nil
        }
        nextSeq = frame.seq + 1
        isGapTold = false
        do {
            let commit = try CommitView(frame.content)
            if let chain { try commit.verify(after: chain) }
            try commit.forEachBlock { block, _ in try block.forEachEffect { _ in } }
            chain = commit.chain
        } catch {
            chain = nil
            note(piece, offset, "commit \(frame.seq): \(error)")
            return
        }
        found.later.append(
            LogSalvage.Place(
                piece: found.pieces.count - 1,
                offset: offset,
                byteCount: byteCount
            )
        )
        visit()
    }

    private mutating func note(_ piece: LogSalvage.Piece, _ offset: Int, _ why: String) {
        note(.damaged(file: piece.path, offset: offset, why: why))
    }

    private mutating func note(_ damage: CommitLogError) {
        found.damages.append(damage)
        isGapTold = true
    }
}
