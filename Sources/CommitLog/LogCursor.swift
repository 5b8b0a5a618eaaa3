// A place in a log, moved forwards by the length at a frame's beginning and backwards by the one at
// its end.
//
// Invariant: `offset` is where a frame of segment `slot` begins or ends, and commit `nextSeq` is
// the first that begins at it or later. What does not fit is thrown as damage; nil says that the
// log that was read has nothing more on that side.
internal import HoldfastBasics
internal import HoldfastStorage

/// A place between two commits, moved either way.
///
/// Every frame's checksum is checked as it is read, but by a cursor over what an opening has just
/// checked.
public struct LogCursor: Sendable {
    private var reader: LogReader
    private var isChecking: Bool
    private var slot = 0
    private var offset: Int
    /// The seq `next` gives.
    public private(set) var nextSeq: UInt64

    init(_ reader: LogReader, isChecking: Bool = true) {
        self.reader = reader
        self.isChecking = isChecking
        nextSeq = reader.oldest
        offset = reader.segments.first?.headerByteCount ?? 0
    }

    /// Moves forward over one commit.
    ///
    /// - Returns: The commit; nil after the last durable one.
    /// - Throws: `damaged`.
    public mutating func next() throws(CommitLogError) -> Frame? {
        guard nextSeq <= reader.head else { return nil }
        while true {
            let limit = reader.limit(slot)
            if offset == limit && slot + 1 < reader.segments.count {
                slot += 1
                offset = reader.segments[slot].headerByteCount
                continue
            }
            let bytes = bytes(limit)
            switch FrameLayout.look(bytes, at: offset, salt: salt) {
            case .mark:
                offset += FrameLayout.markByteCount
            case .commit(let byteCount):
                let frame = frame(bytes, byteCount)
                guard frame.seq == nextSeq else { throw damage("another commit stands here") }
                offset += byteCount
                nextSeq += 1
                return frame
            case .nothing(let why):
                throw damage(why)
            }
        }
    }

    /// Moves backward over one commit.
    ///
    /// - Returns: The commit; nil before the oldest.
    /// - Throws: `damaged`.
    public mutating func previous() throws(CommitLogError) -> Frame? {
        guard nextSeq > reader.oldest else { return nil }
        while true {
            if offset <= reader.segments[slot].headerByteCount {
                guard slot > 0 else { throw damage("the log begins too late") }
                slot -= 1
                offset = reader.limit(slot)
                continue
            }
            let bytes = bytes(reader.limit(slot))
            let trailer = offset - FrameLayout.trailerByteCount
            let length = Int(bytes.integer(UInt32.self, at: trailer))
            guard bytes.integer(UInt32.self, at: trailer + 4) == FrameLayout.endMagic,
                length % 8 == 0, length >= FrameLayout.markByteCount,
                length <= offset - reader.segments[slot].headerByteCount
            else { throw damage("no frame ends here") }
            offset -= length
            switch FrameLayout.look(bytes, at: offset, salt: salt) {
            case .mark:
                continue
            case .commit(let byteCount):
                let frame = frame(bytes, byteCount)
                guard byteCount == length, frame.seq == nextSeq - 1 else {
                    throw damage("another commit stands here")
                }
                nextSeq -= 1
                return frame
            case .nothing(let why):
                throw damage(why)
            }
        }
    }

    /// Goes on in a later snapshot of the same log, at the same place.
    ///
    /// - Parameter later: Not older than the one it reads in.
    /// - Throws: `compacted` when the log does not have the commit after this place any more;
    ///   `damaged`. The cursor is where it was then.
    public mutating func goOn(in later: LogReader) throws(CommitLogError) {
        guard nextSeq >= later.oldest else { throw .compacted(oldest: later.oldest) }
        let own = reader.segments[slot]
        // A segment without commits may have given its name, and its place, to another.
        let same = later.segments.firstIndex { $0.firstSeq == own.firstSeq && $0.salt == own.salt }
        if let same {
            (reader, slot) = (later, same)
            return
        }
        guard var moved = try later.cursor(before: nextSeq) else {
            throw damage("commit \(nextSeq - 1) was there, and is not any more")
        }
        moved.isChecking = isChecking
        self = moved
    }

    /// Moves to the place after a commit that is there.
    mutating func move(after seq: UInt64) throws(CommitLogError) {
        guard let slot = reader.segments.slot(ofSeq: seq),
            let start = reader.segments[slot].index.start(for: seq)
        else { throw damage("no segment holds commit \(seq)") }
        self.slot = slot
        offset = start.offset
        nextSeq = start.seq
        while nextSeq <= seq { _ = try next() }
    }

    /// The salt of checksums; nil when they are not to be checked.
    private var salt: UInt32? { isChecking ? reader.segments[slot].salt : nil }

    private func bytes(_ limit: Int) -> ByteView {
        guard let map = reader.segments[slot].map else { return .empty }
        return map.view[0..<limit]
    }

    private func frame(_ bytes: ByteView, _ byteCount: Int) -> Frame {
        Frame(
            bytes[offset..<offset + byteCount],
            offset: reader.segments[slot].base + UInt64(offset)
        )
    }

    private func damage(_ why: String) -> CommitLogError {
        .damaged(file: reader.segments[slot].path, offset: offset, why: why)
    }
}
