// Base64 with padding. Source: RFC 4648, section 4.
public import HoldfastBasics

/// Base64 of the standard alphabet.
public enum Base64 {
    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8
    )

    /// The text of bytes, padded with `=`.
    public static func encode(_ bytes: ByteView) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity((bytes.count + 2) / 3 * 4)
        var index = 0
        while index < bytes.count {
            let count = min(3, bytes.count - index)
            var group = UInt32(bytes[index]) << 16
            if count > 1 { group |= UInt32(bytes[index + 1]) << 8 }
            if count > 2 { group |= UInt32(bytes[index + 2]) }
            for place in 0..<4 {
                let digit = Int(group >> UInt32(18 - 6 * place) & 63)
                out.append(place <= count ? alphabet[digit] : ASCII.equals)
            }
            index += 3
        }
        return out
    }

    /// Whether text is what `encode` gives for 16 bytes, as a WebSocket key must be.
    static func isSixteenBytes(_ text: ByteView) -> Bool {
        guard text.count == 24, text.suffix(from: 22).equals("==") else { return false }
        for index in 0..<22 {
            let byte = text[index]
            guard
                ASCII.isLetter(byte) || ASCII.isDigit(byte) || byte == UInt8(ascii: "+")
                    || byte == ASCII.slash
            else { return false }
        }
        return true
    }
}
