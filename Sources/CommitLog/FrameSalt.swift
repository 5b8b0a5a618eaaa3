// The salt of a segment whose head is damaged, told by its frames.
internal import HoldfastBasics

extension FrameLayout {
    /// The salt that frames of a segment were written with, found without the segment's head.
    ///
    /// A checksum is a linear function of what it began with: from the checksum and the bytes a
    /// frame tells its salt. Two frames that agree are proof enough.
    static func salt(ofFramesIn bytes: ByteView) -> UInt32? {
        var seen: Set<UInt32> = []
        var offset = 0
        while offset + markByteCount <= bytes.count {
            defer { offset += 8 }
            guard let length = framedByteCount(bytes, at: offset) else { continue }
            let frame = bytes[offset..<offset + length]
            let covered = frame.suffix(from: crcStart)
            var salt = frame.integer(UInt32.self, at: 4) ^ CRC32C.extend(0, covered)
            for _ in 0..<covered.count * 8 {
                salt = salt & 0x8000_0000 == 0 ? salt << 1 : (salt ^ 0x82F6_3B78) << 1 | 1
            }
            if !seen.insert(salt).inserted { return salt }
        }
        return nil
    }

    /// Length of what looks like a frame by its magic and lengths.
    private static func framedByteCount(_ bytes: ByteView, at offset: Int) -> Int? {
        switch look(bytes, at: offset, salt: nil) {
        case .nothing: return nil
        case .mark: return markByteCount
        case .commit(let byteCount):
            let trailer = offset + byteCount - trailerByteCount
            let isFramed =
                bytes.integer(UInt32.self, at: trailer) == UInt32(byteCount)
                && bytes.integer(UInt32.self, at: trailer + 4) == endMagic
            return isFramed ? byteCount : nil
        }
    }
}
