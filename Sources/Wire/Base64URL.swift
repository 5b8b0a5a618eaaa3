// Base64 for URLs, without padding. Source: RFC 4648, section 5.
internal import HoldfastBasics

/// Base64 of the alphabet that needs no escaping in a URL.
enum Base64URL {
    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8
    )

    /// Appends the text of bytes.
    static func append(_ bytes: ByteView, to buffer: inout ByteBuffer) {
        var (bits, bitCount): (UInt32, UInt32) = (0, 0)
        for index in 0..<bytes.count {
            bits = bits << 8 | UInt32(bytes[index])
            bitCount += 8
            while bitCount >= 6 {
                bitCount -= 6
                buffer.append(alphabet[Int(bits >> bitCount & 63)])
            }
        }
        if bitCount > 0 { buffer.append(alphabet[Int(bits << (6 - bitCount) & 63)]) }
    }

    /// The bytes of a text; nil when it is not what `append` writes.
    static func decode(_ text: ByteView) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count * 3 / 4)
        var (bits, bitCount): (UInt32, UInt32) = (0, 0)
        for index in 0..<text.count {
            guard let digit = digit(text[index]) else { return nil }
            bits = bits << 6 | digit
            bitCount += 6
            guard bitCount >= 8 else { continue }
            bitCount -= 8
            bytes.append(UInt8(truncatingIfNeeded: bits >> bitCount))
        }
        // What is left over is less than a digit, and zero: every text has one meaning only.
        guard bitCount < 6, bits & ((1 << bitCount) - 1) == 0 else { return nil }
        return bytes
    }

    private static func digit(_ byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(byte) - 65
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(byte) - 71
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte) + 4
        case UInt8(ascii: "-"): 62
        case UInt8(ascii: "_"): 63
        default: nil
        }
    }
}
