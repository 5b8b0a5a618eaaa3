// The index beside a sealed segment: spares readers that need one old commit a pass over the whole
// segment. It holds nothing that the segment does not; a bad one counts as a missing one.
internal import HoldfastBasics
internal import HoldfastStorage

extension SeqIndex {
    private static let magic: UInt64 = 0x5844_4946_444C_4F48  // "HOLDFIDX", little-endian
    private static let headByteCount = 24

    /// The content of an index file.
    ///
    /// Shape: magic (8), CRC-32C of what follows (4), count (4), first seq (8), offsets (4 each).
    /// The checksum begins with the segment's salt: an index fits no other segment of the same
    /// name.
    func bytes(salt: UInt32) -> [UInt8] {
        var buffer = ByteBuffer(capacity: Self.headByteCount + offsets.count * 4)
        buffer.append(integer: Self.magic)
        buffer.append(integer: UInt32(0))
        buffer.append(integer: UInt32(offsets.count))
        buffer.append(integer: firstSeq)
        for offset in offsets { buffer.append(integer: offset) }
        let crc = CRC32C.extend(salt, buffer.view.suffix(from: 12))
        buffer.replace(integer: crc, at: 8)
        return buffer.array
    }

    /// Reads an index file; nil when it is not whole, not this segment's, or leads out of it.
    init?(_ bytes: [UInt8], firstSeq: UInt64, salt: UInt32, end: Int) {
        let offsets: [UInt32]? = bytes.withView { view in
            guard view.count >= Self.headByteCount, view.integer(at: 0) == Self.magic,
                CRC32C.extend(salt, view.suffix(from: 12)) == view.integer(at: 8),
                view.integer(at: 16) == firstSeq,
                (view.count - Self.headByteCount) % 4 == 0,
                view.count == Self.headByteCount + Int(view.integer(UInt32.self, at: 12)) * 4
            else { return nil }
            return (0..<(view.count - Self.headByteCount) / 4).map {
                view.integer(at: Self.headByteCount + $0 * 4)
            }
        }
        guard let offsets, offsets.allSatisfy({ Int($0) < end }) else { return nil }
        self.init(firstSeq: firstSeq, offsets: offsets)
    }
}
