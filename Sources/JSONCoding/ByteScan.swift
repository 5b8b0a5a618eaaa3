// The innermost steps of every JSON loop: eight bytes at a time where there are eight.
//
// Unsafe, with this argument: a function that takes a range of pointers reads inside it only; one
// that takes a single pointer says how many bytes its caller must have checked.

/// Bytes with a meaning in JSON.
enum ASCII {
    static let quote = UInt8(ascii: "\"")
    static let backslash = UInt8(ascii: "\\")
    static let comma = UInt8(ascii: ",")
    static let colon = UInt8(ascii: ":")
    static let brace = UInt8(ascii: "{")
    static let braceEnd = UInt8(ascii: "}")
    static let bracket = UInt8(ascii: "[")
    static let bracketEnd = UInt8(ascii: "]")
    static let minus = UInt8(ascii: "-")
    static let plus = UInt8(ascii: "+")
    static let point = UInt8(ascii: ".")
    static let t = UInt8(ascii: "t")
    static let f = UInt8(ascii: "f")
    static let n = UInt8(ascii: "n")
    static let u = UInt8(ascii: "u")
    static let e = UInt8(ascii: "e")
    static let space = UInt8(ascii: " ")
    static let newline = UInt8(ascii: "\n")
}

/// Steps over raw bytes.
enum ByteScan {
    typealias Pointer = UnsafePointer<UInt8>

    /// The high bit of every byte of a word.
    static let highs: UInt64 = 0x8080_8080_8080_8080
    private static let ones: UInt64 = 0x0101_0101_0101_0101

    /// The eight bytes at `pointer`, the first in the lowest bits; the caller has checked eight.
    @inline(__always)
    static func word(_ pointer: Pointer) -> UInt64 {
        UInt64(littleEndian: UnsafeRawPointer(pointer).loadUnaligned(as: UInt64.self))
    }

    /// The four bytes at `pointer`; the caller has checked four.
    @inline(__always)
    static func half(_ pointer: Pointer) -> UInt32 {
        UInt32(littleEndian: UnsafeRawPointer(pointer).loadUnaligned(as: UInt32.self))
    }

    /// High bits where a word holds a quote, a backslash or a control character.
    ///
    /// The lowest bit set is exact; above it a borrow may set more.
    ///
    /// Source: "Bit Twiddling Hacks", determine if a word has a byte equal to or less than n.
    @inline(__always)
    static func stops(_ word: UInt64) -> UInt64 {
        let quotes = word ^ (ones &* 0x22)
        let slashes = word ^ (ones &* 0x5C)
        let low = (word &- ones &* 0x20) & ~word
        return (((quotes &- ones) & ~quotes) | ((slashes &- ones) & ~slashes) | low) & highs
    }

    /// The first quote, backslash or control character of a range, or its end.
    @inline(__always)
    static func stop(from start: Pointer, to end: Pointer) -> Pointer {
        var at = start
        while end - at >= 8 {
            let hits = stops(word(at))
            if hits != 0 { return at + hits.trailingZeroBitCount >> 3 }
            at += 8
        }
        while at < end {
            let byte = at.pointee
            if byte == ASCII.quote || byte == ASCII.backslash || byte < 0x20 { return at }
            at += 1
        }
        return end
    }

    /// Length of the UTF-8 sequence of two to four bytes at `at`, or 0 when it is not one.
    ///
    /// The caller has checked that there is a byte, and that it is 0x80 or above.
    ///
    /// Source: Unicode 15, table 3-7, well-formed UTF-8 byte sequences.
    @inline(__always)
    static func sequenceLength(_ at: Pointer, end: Pointer) -> Int {
        let lead = at[0]
        let left = end - at
        if lead < 0xE0 {
            return lead >= 0xC2 && left >= 2 && at[1] & 0xC0 == 0x80 ? 2 : 0
        }
        guard left >= 3, at[1] & 0xC0 == 0x80, at[2] & 0xC0 == 0x80 else { return 0 }
        if lead < 0xF0 {
            let overlong = lead == 0xE0 && at[1] < 0xA0
            let surrogate = lead == 0xED && at[1] >= 0xA0
            return overlong || surrogate ? 0 : 3
        }
        guard lead <= 0xF4, left >= 4, at[3] & 0xC0 == 0x80 else { return 0 }
        let overlong = lead == 0xF0 && at[1] < 0x90
        let beyond = lead == 0xF4 && at[1] >= 0x90
        return overlong || beyond ? 0 : 4
    }

    /// The value of a hexadecimal digit, or 255.
    @inline(__always)
    static func hex(_ byte: UInt8) -> UInt8 {
        let digit = byte &- 48
        if digit <= 9 { return digit }
        let letter = (byte | 0x20) &- 97
        return letter <= 5 ? letter + 10 : 255
    }

    /// The value of four hexadecimal digits, or nil; the caller has checked four bytes.
    @inline(__always)
    static func codeUnit(_ at: Pointer) -> UInt32? {
        let digits = (hex(at[0]), hex(at[1]), hex(at[2]), hex(at[3]))
        guard digits.0 | digits.1 | digits.2 | digits.3 < 16 else { return nil }
        return UInt32(digits.0) << 12 | UInt32(digits.1) << 8 | UInt32(digits.2) << 4
            | UInt32(digits.3)
    }

    /// Resolves the escapes of a string's content.
    ///
    /// - Parameters:
    ///   - source: The bytes between the quotes.
    ///   - count: How many there are.
    ///   - output: Room for `count` bytes; an escape is never shorter than what it stands for.
    /// - Returns: Bytes written, or nil when an escape is malformed or half a surrogate pair.
    static func unescape(
        _ source: Pointer,
        _ count: Int,
        into output: UnsafeMutablePointer<UInt8>
    ) -> Int? {
        var at = source
        var out = output
        let end = source + count
        while at < end {
            let byte = at.pointee
            at += 1
            guard byte == ASCII.backslash else {
                out.pointee = byte
                out += 1
                continue
            }
            guard at < end else { return nil }
            let letter = at.pointee
            at += 1
            if letter == ASCII.u {
                guard let scalar = scalar(&at, end: end) else { return nil }
                out += put(scalar, out)
                continue
            }
            guard let plain = plainEscape(letter) else { return nil }
            out.pointee = plain
            out += 1
        }
        return out - output
    }

    /// What a one-letter escape stands for.
    @inline(__always)
    static func plainEscape(_ letter: UInt8) -> UInt8? {
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): letter
        case UInt8(ascii: "b"): 8
        case UInt8(ascii: "f"): 12
        case UInt8(ascii: "n"): 10
        case UInt8(ascii: "r"): 13
        case UInt8(ascii: "t"): 9
        default: nil
        }
    }

    /// Reads the digits of a `\u` escape, and of its second half; `at` stands behind the `u`.
    static func scalar(_ at: inout Pointer, end: Pointer) -> UInt32? {
        guard end - at >= 4, let unit = codeUnit(at) else { return nil }
        at += 4
        guard unit & 0xF800 == 0xD800 else { return unit }
        guard unit < 0xDC00, end - at >= 6, at[0] == ASCII.backslash, at[1] == ASCII.u,
            let second = codeUnit(at + 2), second & 0xFC00 == 0xDC00
        else { return nil }
        at += 6
        return 0x10000 + (unit & 0x3FF) << 10 + (second & 0x3FF)
    }

    /// Writes a scalar as UTF-8, at most four bytes, and says how many.
    private static func put(_ scalar: UInt32, _ out: UnsafeMutablePointer<UInt8>) -> Int {
        func tail(_ shift: UInt32) -> UInt8 { UInt8(0x80 | scalar >> shift & 0x3F) }
        switch scalar {
        case 0..<0x80:
            out[0] = UInt8(scalar)
            return 1
        case 0x80..<0x800:
            out[0] = UInt8(0xC0 | scalar >> 6)
            out[1] = tail(0)
            return 2
        case 0x800..<0x10000:
            out[0] = UInt8(0xE0 | scalar >> 12)
            out[1] = tail(6)
            out[2] = tail(0)
            return 3
        default:
            out[0] = UInt8(0xF0 | scalar >> 18)
            out[1] = tail(12)
            out[2] = tail(6)
            out[3] = tail(0)
            return 4
        }
    }
}
