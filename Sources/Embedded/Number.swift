// Ids from key ranges.

/// An id of a tree whose keys are numbers.
///
/// Shape: 1 to 2^53 - 1; in JSON and in text a decimal number. The database gives it out from the
/// key ranges of this device and never uses it again.
public struct Number: RecordID {
    /// The number.
    public let rawValue: UInt64

    /// An id of this number.
    public init(_ rawValue: UInt64) { self.rawValue = rawValue }

    /// Reads a decimal number; nil for anything else.
    public init?(_ text: String) {
        guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let number = UInt64(text)
        else { return nil }
        rawValue = number
    }

    /// The number in decimal digits.
    public var description: String { String(rawValue) }

    /// By number.
    public static func < (a: Number, b: Number) -> Bool { a.rawValue < b.rawValue }

    /// Reads an integer.
    ///
    /// - Throws: `DecodingError` when there is none.
    public init(from decoder: any Decoder) throws {
        rawValue = try decoder.singleValueContainer().decode(UInt64.self)
    }

    /// Writes an integer.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(rawValue)
    }
}
