// RFC 9562 UUIDs as two words: fast to hash, to compare and to read from text.

/// A UUID: the id of a change, a borrow, a range, a job, a database.
public struct UniqueID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The first 8 bytes, big-endian.
    public let high: UInt64
    /// The last 8 bytes, big-endian.
    public let low: UInt64

    /// Puts two halves together, as they are.
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// All zero: "none" where an id may be missing.
    public static let none = UniqueID(high: 0, low: 0)

    /// A version 7 UUID.
    ///
    /// Source: RFC 9562, section 5.7.
    ///
    /// - Parameters:
    ///   - milliseconds: Wall clock since 1970.
    ///   - random: Gives the 74 random bits.
    /// - Returns: An id that sorts by its time.
    public static func version7(milliseconds: Int64, random: any RandomSource) -> UniqueID {
        UniqueID(
            high: UInt64(truncatingIfNeeded: milliseconds) << 16 | 0x7000 | random.next() & 0x0FFF,
            low: random.next() & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        )
    }

    /// A version 8 UUID made of a hash.
    ///
    /// Source: RFC 9562, section 5.8.
    public static func version8(_ hash: Hash128) -> UniqueID {
        UniqueID(
            high: hash.high & 0xFFFF_FFFF_FFFF_0FFF | 0x8000,
            low: hash.low & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        )
    }

    /// Order by bytes.
    public static func < (a: UniqueID, b: UniqueID) -> Bool { (a.high, a.low) < (b.high, b.low) }

    /// The 36 characters of RFC 9562, in lower case.
    public var description: String {
        String(unsafeUninitializedCapacity: 36) { memory in
            var index = 0
            for position in 0..<32 {
                if position == 8 || position == 12 || position == 16 || position == 20 {
                    memory[index] = UInt8(ascii: "-")
                    index += 1
                }
                let word = position < 16 ? high : low
                let digit = UInt8(truncatingIfNeeded: word >> UInt64(60 - position % 16 * 4)) & 15
                memory[index] = digit < 10 ? 48 + digit : 87 + digit
                index += 1
            }
            return 36
        }
    }

    /// Reads the 36 characters of RFC 9562, in either case; anything else is nil.
    public init?(_ bytes: ByteView) {
        guard bytes.count == 36 else { return nil }
        var halves: (UInt64, UInt64) = (0, 0)
        var position = 0
        for index in 0..<36 {
            let byte = bytes[index]
            if index == 8 || index == 13 || index == 18 || index == 23 {
                guard byte == UInt8(ascii: "-") else { return nil }
                continue
            }
            let digit: UInt8
            switch byte {
            case 48...57: digit = byte - 48
            case 97...102: digit = byte - 87
            case 65...70: digit = byte - 55
            default: return nil
            }
            if position < 16 {
                halves.0 = halves.0 << 4 | UInt64(digit)
            } else {
                halves.1 = halves.1 << 4 | UInt64(digit)
            }
            position += 1
        }
        self.init(high: halves.0, low: halves.1)
    }

    /// Reads the 36 characters of RFC 9562, in either case; anything else is nil.
    public init?(_ text: String) {
        guard let id = Array(text.utf8).withView({ UniqueID($0) }) else { return nil }
        self = id
    }
}
