// The character classes of HTTP. Source: RFC 9110, section 5.6; RFC 9112, section 2.2.
internal import HoldfastBasics

/// Named bytes and character classes.
enum ASCII {
    static let tab: UInt8 = 9
    static let lineFeed: UInt8 = 10
    static let carriageReturn: UInt8 = 13
    static let space: UInt8 = 32
    static let quote: UInt8 = 34
    static let hash: UInt8 = 35
    static let percent: UInt8 = 37
    static let ampersand: UInt8 = 38
    static let asterisk: UInt8 = 42
    static let comma: UInt8 = 44
    static let slash: UInt8 = 47
    static let colon: UInt8 = 58
    static let semicolon: UInt8 = 59
    static let equals: UInt8 = 61
    static let question: UInt8 = 63
    static let backslash: UInt8 = 92

    /// Whether a byte may stand in a token: a bit per byte, two words for the lower 128.
    static func isToken(_ byte: UInt8) -> Bool {
        if byte < 64 { return 0x03FF_6CFA_0000_0000 >> UInt64(byte) & 1 != 0 }
        if byte < 128 { return 0x57FF_FFFF_C7FF_FFFE >> UInt64(byte &- 64) & 1 != 0 }
        return false
    }

    /// Whether a byte may stand in a field's value: everything but control characters, and the tab.
    static func isFieldContent(_ byte: UInt8) -> Bool {
        byte >= 32 ? byte != 127 : byte == tab
    }

    /// Whether a byte is a visible ASCII character.
    static func isVisible(_ byte: UInt8) -> Bool { byte > 32 && byte < 127 }

    /// Whether a byte is a decimal digit.
    static func isDigit(_ byte: UInt8) -> Bool { byte &- 48 < 10 }

    /// Whether a byte is a letter.
    static func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) &- 97 < 26 }

    /// The value of a hexadecimal digit of either case, or nil.
    static func hexadecimal(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 48...57: byte &- 48
        case 65...70: byte &- 55
        case 97...102: byte &- 87
        default: nil
        }
    }

    /// The upper-case hexadecimal digit of a value below 16.
    static func digit(_ value: UInt8) -> UInt8 { value < 10 ? 48 &+ value : 55 &+ value }
}

extension ByteView {
    /// The view without blanks and tabs at either end.
    var trimmed: ByteView {
        var (from, to) = (0, count)
        while from < to, self[from] == ASCII.space || self[from] == ASCII.tab { from &+= 1 }
        while to > from, self[to &- 1] == ASCII.space || self[to &- 1] == ASCII.tab { to &-= 1 }
        return self[from..<to]
    }

    /// Whether the view is one or more token characters.
    var isToken: Bool {
        for index in 0..<count where !ASCII.isToken(self[index]) { return false }
        return count > 0
    }

    /// A decimal number of 1 to 18 digits and nothing else, or nil.
    var decimal: Int? {
        guard count > 0, count <= 18 else { return nil }
        var value = 0
        for index in 0..<count {
            guard ASCII.isDigit(self[index]) else { return nil }
            value = value &* 10 &+ Int(self[index] &- 48)
        }
        return value
    }
}
