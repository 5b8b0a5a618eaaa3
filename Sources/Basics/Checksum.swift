// CRC-32C for frames, and a fast non-cryptographic hash for tables and the tree hash.
internal import CHoldfastChecksum

/// CRC-32C (Castagnoli).
///
/// Source: RFC 3720, appendix B.4.
public enum CRC32C {
    /// Extends `crc` (0 to begin) over bytes.
    public static func extend(_ crc: UInt32 = 0, _ bytes: ByteView) -> UInt32 {
        bytes.withUnsafeBytes { holdfast_crc32c(crc, $0.baseAddress, $0.count) }
    }

    /// The same without CPU instructions; for tests.
    public static func extendPortably(_ crc: UInt32 = 0, _ bytes: ByteView) -> UInt32 {
        bytes.withUnsafeBytes { holdfast_crc32c_portable(crc, $0.baseAddress, $0.count) }
    }
}

/// A fast 64-bit hash by 64 x 64 -> 128 bit multiplication, folded.
///
/// Not for adversaries.
///
/// Shape: the state takes little-endian words of 8 bytes, the last one padded with zeros, then the
/// length. Test vectors stand in FORMAT.md; the tree hash depends on it, so it never changes.
public struct FoldHash: Sendable {
    private var state: UInt64
    // Odd constants with half their bits set: the fractional digits of e and of the golden ratio.
    private static let first: UInt64 = 0xB7E1_5162_8AED_2A6B
    private static let second: UInt64 = 0x9E37_79B9_7F4A_7C15

    /// Begins with a seed; two seeds give two independent hashes.
    public init(seed: UInt64) { state = seed ^ Self.first }

    /// Takes one word.
    public mutating func combine(_ word: UInt64) {
        state = holdfast_multiply_fold(state ^ word, Self.second) &+ Self.first
    }

    /// Takes bytes and their length.
    public mutating func combine(_ bytes: ByteView) {
        let rest = bytes.count & 7
        bytes.withUnsafeBytes { memory in
            var offset = 0
            let end = memory.count &- rest
            // Every load lies below `end`, a multiple of 8 that is at most the memory's length.
            while offset < end {
                combine(memory.loadUnaligned(fromByteOffset: offset, as: UInt64.self).littleEndian)
                offset &+= 8
            }
        }
        if rest > 0 { combine(Self.last(bytes, rest)) }
        combine(UInt64(bytes.count))
    }

    /// The last bytes as a word, padded with zeros.
    private static func last(_ bytes: ByteView, _ rest: Int) -> UInt64 {
        if bytes.count >= 8 {
            return bytes.integer(UInt64.self, at: bytes.count - 8) >> UInt64(8 * (8 - rest))
        }
        var last: UInt64 = 0
        for index in 0..<rest { last |= UInt64(bytes[index]) << UInt64(8 * index) }
        return last
    }

    /// The hash of what was taken.
    public var value: UInt64 {
        holdfast_multiply_fold(state ^ (state >> 32), Self.first)
    }
}
