// What gathers between two syncs, and what is on its way to the disk.
internal import HoldfastBasics
internal import HoldfastStorage

/// The bytes of one batch for one segment.
///
/// @unchecked Sendable: filled under the store's lock while it gathers; from `beginBatch` on nobody
/// changes it, so the writing thread and readers under the lock read the same still bytes; it is
/// filled anew only after `finish`, when the writing thread has let go of it.
final class TailPiece: @unchecked Sendable {
    var buffer = ByteBuffer()
    /// The segment it belongs to.
    private(set) var firstSeq: UInt64 = 0
    private(set) var base: UInt64 = 0
    private(set) var capacity = 0
    /// Offset of its first byte in the file; 0 when it begins the segment.
    private(set) var start = 0
    /// Where the mark of the batch it begins stands in the buffer.
    var markOffset = 0

    /// Begins anew, for a segment and a place in it.
    func begin(_ segment: Segment, at start: Int) {
        buffer.removeAll()
        // A rare huge batch must not hold its memory for ever.
        buffer.shrinkIfEmpty(above: Self.keptByteCountMax)
        firstSeq = segment.firstSeq
        base = segment.base
        capacity = segment.capacity
        self.start = start
    }

    private static let keptByteCountMax = 8 << 20

    /// Logical offset of the first byte.
    var logicalStart: UInt64 { base + UInt64(start) }
    /// Offset in the file after the last byte.
    var end: Int { start + buffer.count }
}

/// A batch on its way to the disk: `LogWriter.write` takes it, outside the store's lock.
///
/// Its commits stay readable meanwhile. One batch is on its way at a time.
public struct Batch: Sendable {
    let pieces: [TailPiece]
    /// The last commit of the batch.
    public let lastSeq: UInt64

    /// Bytes that will be written.
    public var byteCount: Int { pieces.reduce(0) { $0 + $1.buffer.count } }
}

/// The proof that a batch is written, for `CommitLog.finish`.
public struct WrittenBatch: Sendable {
    let batch: Batch
    /// Maps of the segments that the batch began, in order.
    let maps: [MappedFile]
    /// Whether it survives a power cut already.
    let isSynced: Bool
}
