// The shapes of types that are written as text: what is inside the quotes, unescaped.
internal import HoldfastBasics
internal import HoldfastRecords

/// Checks texts that stand for something else than text.
enum SchemaText {
    /// RFC 3339 in UTC with at most three digits of fraction: `2026-11-20T10:00:00.123Z`.
    static func isDate(_ text: ByteView) -> Bool {
        text.count <= 24 && Timestamp.milliseconds(text) != nil
    }

    /// RFC 9562, in either case.
    static func isUUID(_ text: ByteView) -> Bool { UniqueID(text) != nil }

    /// 64 lower-case hexadecimal digits.
    static func isDigest(_ text: ByteView) -> Bool {
        guard text.count == 64 else { return false }
        for index in 0..<64 {
            guard (48...57).contains(text[index]) || (97...102).contains(text[index]) else {
                return false
            }
        }
        return true
    }

    /// RFC 4648, section 4: padded, and unused bits are zero (section 3.5), so that equal data have
    /// equal texts.
    static func isBase64(_ text: ByteView) -> Bool {
        guard text.count % 4 == 0 else { return false }
        var length = text.count
        while length > 0, text.count - length < 2, text[length - 1] == UInt8(ascii: "=") {
            length -= 1
        }
        var last: UInt8 = 0
        for index in 0..<length {
            guard let value = sextet(text[index]) else { return false }
            last = value
        }
        switch text.count - length {
        case 1: return last & 0b11 == 0
        case 2: return last & 0b1111 == 0
        default: return true
        }
    }

    private static func sextet(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 65...90: byte - 65
        case 97...122: byte - 71
        case 48...57: byte + 4
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }

    /// RFC 3986: its characters, whole percent triplets and one fragment at most; not empty.
    static func isURL(_ text: ByteView) -> Bool {
        guard text.count > 0 else { return false }
        var hasFragment = false
        var index = 0
        while index < text.count {
            let byte = text[index]
            switch byte {
            case 48...57, 65...90, 97...122:
                break
            case 33, 36, 38...47, 58, 59, 61, 63, 64, 91, 93, 95, 126:
                // ! $ & ' ( ) * + , - . / : ; = ? @ [ ] _ ~
                break
            case UInt8(ascii: "#"):
                if hasFragment { return false }
                hasFragment = true
            case UInt8(ascii: "%"):
                guard index + 2 < text.count, isHex(text[index + 1]), isHex(text[index + 2]) else {
                    return false
                }
                index += 2
            default:
                return false
            }
            index += 1
        }
        return true
    }

    private static func isHex(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...70).contains(byte) || (97...102).contains(byte)
    }

    /// `-?digits[.digits]`, no leading zero, at most 38 significant digits and 127 of fraction:
    /// what Foundation's `Decimal` and common databases hold exactly.
    static func isDecimal(_ text: ByteView) -> Bool {
        var index = text.count > 0 && text[0] == UInt8(ascii: "-") ? 1 : 0
        let start = index
        var significant = 0
        func isDigit(_ index: Int) -> Bool { index < text.count && (48...57).contains(text[index]) }
        while isDigit(index) {
            if significant > 0 || text[index] != 48 { significant += 1 }
            index += 1
        }
        guard index > start, index == start + 1 || text[start] != 48 else { return false }
        if index < text.count {
            guard text[index] == UInt8(ascii: ".") else { return false }
            index += 1
            let fraction = index
            while isDigit(index) {
                if significant > 0 || text[index] != 48 { significant += 1 }
                index += 1
            }
            guard index > fraction, index - fraction <= 127 else { return false }
        }
        return index == text.count && significant <= 38
    }

    /// An id, a dot and a revision, as `12.0`.
    ///
    /// Ids are of either kind: the other tree may not be declared yet.
    static func isReference(_ text: ByteView) -> Bool {
        var dot = text.count - 1
        while dot >= 0, text[dot] != UInt8(ascii: ".") { dot -= 1 }
        guard dot > 0, RecordID.isName(text[0..<dot]),
            let revision = decimalNumber(text.suffix(from: dot + 1))
        else { return false }
        return revision <= UInt64(Limits.revisionMax)
    }
}
