// UTF-8, checked as it arrives. Source: RFC 3629, section 4; Unicode 16, table 3-7.
public import HoldfastBasics

/// Checks text that comes in pieces, and fails at the first byte that cannot be UTF-8.
public struct UTF8Validator {
    /// Continuation bytes the current character still needs.
    private var missing = 0
    /// What the next continuation byte may be; narrower than 0x80...0xBF after some first bytes,
    /// which keeps out overlong forms, surrogates and what is above U+10FFFF.
    private var low: UInt8 = 0x80
    private var high: UInt8 = 0xBF

    /// Begins a text.
    public init() {}

    /// Whether the text may end here.
    public var isComplete: Bool { missing == 0 }

    /// Takes the next bytes.
    ///
    /// - Returns: False when they cannot be UTF-8.
    public mutating func take(_ bytes: ByteView) -> Bool {
        var index = 0
        while index < bytes.count {
            if missing > 0 {
                let byte = bytes[index]
                index &+= 1
                guard byte >= low, byte <= high else { return false }
                (low, high) = (0x80, 0xBF)
                missing &-= 1
                continue
            }
            while bytes.count &- index >= 8,
                bytes.integer(UInt64.self, at: index) & 0x8080_8080_8080_8080 == 0
            { index &+= 8 }
            guard index < bytes.count else { break }
            guard begin(bytes[index]) else { return false }
            index &+= 1
        }
        return true
    }

    private mutating func begin(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x00...0x7F: break
        case 0xC2...0xDF: missing = 1
        case 0xE0: (missing, low) = (2, 0xA0)
        case 0xED: (missing, high) = (2, 0x9F)
        case 0xE1...0xEF: missing = 2
        case 0xF0: (missing, low) = (3, 0x90)
        case 0xF4: (missing, high) = (3, 0x8F)
        case 0xF1...0xF3: missing = 3
        default: return false
        }
        return true
    }

    /// Whether bytes are UTF-8 from the first to the last.
    public static func isValid(_ bytes: ByteView) -> Bool {
        var validator = UTF8Validator()
        return validator.take(bytes) && validator.isComplete
    }
}
