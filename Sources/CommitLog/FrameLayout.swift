// The bytes of frames: writes them, and recognises them in bytes nobody has checked yet. The
// contract is FORMAT.md, section "Frames".
internal import Glibc
internal import HoldfastBasics
internal import HoldfastRecords

/// Where the parts of a frame lie.
///
/// Every frame begins with magic, checksum and length, ends with length and end magic, and has a
/// multiple of 8 bytes, so that it is found at multiples of 8 and read from either end.
enum FrameLayout {
    static let commitMagic: UInt32 = 0x4346_4C48  // "HLFC"
    static let markMagic: UInt32 = 0x4D46_4C48  // "HLFM"
    static let endMagic: UInt32 = 0x4546_4C48  // "HLFE"
    static let headerByteCount = 32
    static let trailerByteCount = 8
    static let markByteCount = 40
    /// Bytes before the first that the checksum covers.
    static let crcStart = 8
    static let cleanFlag: UInt32 = 1
    static let looseFlag: UInt32 = 2

    /// Largest frame: the largest commit with the largest table, and its frame.
    static let frameByteCountMax = byteCount(
        content: Limits.commitByteCountMax,
        effects: Limits.effectCountMax
    )

    /// The highest seq there is: the names of segments and manifests have 16 digits.
    static let seqMax: UInt64 = 9_999_999_999_999_999

    static func padded(_ count: Int) -> Int { (count + 7) & ~7 }

    /// Length of a commit frame.
    static func byteCount(content: Int, effects: Int) -> Int {
        headerByteCount + padded(content) + effects * 8 + padded(effects * 4) + trailerByteCount
    }

    /// Appends a commit frame.
    static func append(
        seq: UInt64,
        content: ByteView,
        effectOffsets: [UInt32],
        previous: [Location],
        salt: UInt32,
        to buffer: inout ByteBuffer
    ) {
        let count = effectOffsets.count
        let total = byteCount(content: content.count, effects: count)
        buffer.appendUnsafe(total) { memory in
            guard let start = memory.baseAddress else { return 0 }
            store(commitMagic, start, 0)
            store(UInt32(total), start, 8)
            store(UInt32(content.count), start, 12)
            store(UInt32(count), start, 16)
            store(UInt32(0), start, 20)
            store(seq, start, 24)
            content.withUnsafeBytes {
                if let source = $0.baseAddress { memcpy(start + headerByteCount, source, $0.count) }
            }
            let contentEnd = headerByteCount + content.count
            let table = headerByteCount + padded(content.count)
            memset(start + contentEnd, 0, table - contentEnd)
            for index in 0..<count { store(previous[index].rawValue, start, table + index * 8) }
            let offsets = table + count * 8
            for index in 0..<count { store(effectOffsets[index], start, offsets + index * 4) }
            let trailer = total - trailerByteCount
            memset(start + offsets + count * 4, 0, trailer - offsets - count * 4)
            store(UInt32(total), start, trailer)
            store(endMagic, start, trailer + 4)
            let covered = UnsafeRawBufferPointer(rebasing: memory[crcStart..<total])
            store(CRC32C.extend(salt, ByteView(covered)), start, 4)
            return total
        }
    }

    /// Appends a batch mark.
    static func appendMark(_ mark: BatchMark, salt: UInt32, to buffer: inout ByteBuffer) {
        let start = buffer.count
        buffer.append(integer: markMagic)
        buffer.append(integer: UInt32(0))
        buffer.append(integer: UInt32(markByteCount))
        buffer.append(
            integer: (mark.isClean ? cleanFlag : 0) | (mark.isLoose ? looseFlag : 0)
        )
        buffer.append(integer: mark.firstSeq)
        buffer.append(integer: mark.syncedSeq)
        buffer.append(integer: UInt32(markByteCount))
        buffer.append(integer: endMagic)
        let crc = CRC32C.extend(salt, buffer.view.suffix(from: start + crcStart))
        buffer.replace(integer: crc, at: start + 4)
    }

    @inline(__always)
    private static func store<I: FixedWidthInteger>(
        _ value: I,
        _ start: UnsafeMutableRawPointer,
        _ offset: Int
    ) {
        (start + offset).storeBytes(of: value.littleEndian, as: I.self)
    }

    // MARK: Recognising

    /// What stands at a place in a segment.
    enum Found {
        /// A whole commit frame of that many bytes.
        case commit(byteCount: Int)
        /// A whole batch mark.
        case mark(BatchMark)
        /// Nothing whole, and why; all zeros are "nothing was written here" to the caller.
        case nothing(String)
    }

    /// Looks at the bytes from `offset` on; every length is checked before it is believed.
    static func look(_ bytes: ByteView, at offset: Int, salt: UInt32?) -> Found {
        guard bytes.count - offset >= markByteCount else { return .nothing("a frame is cut") }
        let magic = bytes.integer(UInt32.self, at: offset)
        if magic == commitMagic { return lookAtCommit(bytes, at: offset, salt: salt) }
        guard magic == markMagic else { return .nothing("no frame begins here") }
        let frame = bytes[offset..<offset + markByteCount]
        let flags = frame.integer(UInt32.self, at: 12)
        guard frame.integer(UInt32.self, at: 8) == UInt32(markByteCount),
            fits(frame, salt)
        else { return .nothing("the checksum of a batch mark does not fit") }
        guard isEnded(frame), flags & ~(cleanFlag | looseFlag) == 0,
            frame.integer(at: 16) <= seqMax + 1, frame.integer(at: 24) <= seqMax
        else {
            return .nothing("a batch mark is none of this version")
        }
        return .mark(
            BatchMark(
                firstSeq: frame.integer(at: 16),
                syncedSeq: frame.integer(at: 24),
                isClean: flags & cleanFlag != 0,
                isLoose: flags & looseFlag != 0
            )
        )
    }

    /// Whether a frame's checksum is right, or not asked for.
    private static func fits(_ frame: ByteView, _ salt: UInt32?) -> Bool {
        guard let salt else { return true }
        return CRC32C.extend(salt, frame.suffix(from: crcStart)) == frame.integer(at: 4)
    }

    private static func lookAtCommit(_ bytes: ByteView, at offset: Int, salt: UInt32?) -> Found {
        let total = Int(bytes.integer(UInt32.self, at: offset + 8))
        let content = Int(bytes.integer(UInt32.self, at: offset + 12))
        let effects = Int(bytes.integer(UInt32.self, at: offset + 16))
        guard total <= frameByteCountMax, effects <= Limits.effectCountMax,
            total == byteCount(content: content, effects: effects)
        else { return .nothing("the lengths of a frame do not fit together") }
        guard total <= bytes.count - offset else { return .nothing("a frame is cut") }
        let frame = bytes[offset..<offset + total]
        guard fits(frame, salt) else {
            return .nothing("the checksum of a frame does not fit")
        }
        if salt != nil, !isFormed(frame, content: content, effects: effects) {
            return .nothing("a frame is none of this version")
        }
        return .commit(byteCount: total)
    }

    /// Whether a frame says its length at its end too.
    private static func isEnded(_ frame: ByteView) -> Bool {
        let trailer = frame.count - trailerByteCount
        return frame.integer(at: trailer) == UInt32(frame.count)
            && frame.integer(at: trailer + 4) == endMagic
    }

    /// Whether what the checksum vouches for is what `append` writes: nothing behind it is checked
    /// again.
    private static func isFormed(_ frame: ByteView, content: Int, effects: Int) -> Bool {
        let table = headerByteCount + padded(content)
        let offsets = table + effects * 8
        let offsetsEnd = offsets + effects * 4
        let seq = frame.integer(UInt64.self, at: 24)
        guard isEnded(frame), frame.integer(UInt32.self, at: 20) == 0, seq >= 1, seq <= seqMax,
            isZero(frame, headerByteCount + content, table),
            isZero(frame, offsetsEnd, frame.count - trailerByteCount)
        else { return false }
        var at = offsets
        while at < offsetsEnd {
            guard frame.integer(UInt32.self, at: at) < UInt32(content) else { return false }
            at += 4
        }
        return true
    }

    // Loops, not ranges: this is done for every frame at every opening.
    private static func isZero(_ frame: ByteView, _ start: Int, _ end: Int) -> Bool {
        var at = start
        while at < end {
            guard frame[at] == 0 else { return false }
            at += 1
        }
        return true
    }
}

/// What a batch mark says; node-local, never replicated.
struct BatchMark: Equatable, Sendable {
    /// The seq of the first commit after it.
    let firstSeq: UInt64
    /// The highest seq known synced when it was written.
    let syncedSeq: UInt64
    /// Whether the log was closed in order after it.
    var isClean = false
    /// Whether commits after it are exposed before they are synced.
    var isLoose = false
}
