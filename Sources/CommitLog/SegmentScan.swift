// Reads one segment from its first frame to where it ends, and says why it ends there.
//
// The rule (FORMAT.md, "Damage and torn tails"): a place that should hold commit s and holds
// nothing whole is *damage* when a whole later batch mark, or the head of a later segment, says
// that s was synced; otherwise it is a *torn tail*.
internal import HoldfastBasics

/// What a pass over a segment found.
struct SegmentScan {
    /// Where the frames lie.
    var index: SeqIndex
    /// End of the last whole frame, in bytes of the file.
    var end: Int
    /// The seq that should come next.
    var nextSeq: UInt64
    /// The highest seq that is known synced.
    var syncedSeq: UInt64
    /// Whether the last frame is the mark of a clean close.
    var isClean = false
    /// Whether commits after the last mark were exposed before they were synced.
    var isLoose = false
    /// Why no whole frame begins at `end`.
    var reason = ""

    /// Begins at a segment's head, which counts as a mark.
    init(_ header: SegmentHeader) {
        index = SeqIndex(firstSeq: header.firstSeq)
        end = header.byteCount
        nextSeq = header.firstSeq
        syncedSeq = header.firstSeq - 1
    }

    /// Takes frames as long as they are whole and in order.
    ///
    /// - Parameters:
    ///   - bytes: The file's bytes.
    ///   - header: Its head.
    ///   - visit: Is given every commit.
    /// - Throws: What `visit` throws.
    mutating func run(
        _ bytes: ByteView,
        _ header: SegmentHeader,
        visit: (Frame) throws -> Void
    ) rethrows {
        while true {
            switch FrameLayout.look(bytes, at: end, salt: header.salt) {
            case .commit(let byteCount):
                let frame = Frame(
                    bytes[end..<end + byteCount],
                    offset: header.base + UInt64(end)
                )
                guard frame.seq == nextSeq else {
                    reason = "commit \(frame.seq) stands where \(nextSeq) should"
                    return
                }
                index.note(nextSeq, at: end)
                try visit(frame)
                nextSeq += 1
                end += byteCount
                isClean = false
            case .mark(let mark):
                guard mark.firstSeq == nextSeq, mark.syncedSeq < nextSeq else {
                    reason = "a batch mark stands where it does not belong"
                    return
                }
                syncedSeq = max(syncedSeq, mark.syncedSeq)
                end += FrameLayout.markByteCount
                isClean = mark.isClean
                isLoose = mark.isLoose
            case .nothing(let why):
                reason = why
                return
            }
        }
    }
}

/// What follows the last whole frame of the last segment.
struct Tail: Equatable {
    /// Offset after the last byte that is not zero; `end` of the scan when all are.
    var end: Int
    /// Whole commits in it, which are lost with it.
    var commitCount = 0
    /// A mark that knows the missing commit synced: then this is damage.
    var proof: BatchMark?

    /// Looks at every place where a frame could begin.
    ///
    /// - Parameters:
    ///   - bytes: The file's bytes.
    ///   - start: Where no whole frame begins; a multiple of 8.
    ///   - seq: The commit that should stand there.
    ///   - salt: The segment's.
    init(_ bytes: ByteView, from start: Int, seq: UInt64, salt: UInt32) {
        end = start
        var last = bytes.count
        // Megabytes of zeros are the rule: by pages first.
        while last - Self.page >= start, Self.isZero(bytes[last - Self.page..<last]) {
            last -= Self.page
        }
        while last > start && bytes[last - 1] == 0 { last -= 1 }
        guard last > start else { return }
        end = last
        var offset = start
        while offset + FrameLayout.markByteCount <= bytes.count && offset < last {
            let magic = bytes.integer(UInt32.self, at: offset)
            guard magic == FrameLayout.markMagic || magic == FrameLayout.commitMagic else {
                offset += 8
                continue
            }
            switch FrameLayout.look(bytes, at: offset, salt: salt) {
            case .commit(let byteCount):
                commitCount += 1
                offset += byteCount
            case .mark(let mark):
                if mark.syncedSeq >= seq { proof = mark }
                offset += FrameLayout.markByteCount
            case .nothing:
                offset += 8
            }
        }
    }

    private static let page = 4096

    /// Whether a run of bytes is all zeros: the first is, and each equals the one after it.
    private static func isZero(_ run: ByteView) -> Bool {
        run[0] == 0 && run[0..<run.count - 1] == run[1..<run.count]
    }

    /// Whether bytes follow that were meant to be frames.
    func isTorn(after start: Int) -> Bool { end > start }
}
