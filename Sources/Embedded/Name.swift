// Ids that people and machines choose.
internal import HoldfastBasics
internal import HoldfastRecords

/// An id of a tree whose keys are names.
///
/// Shape: 1 to 512 bytes of UTF-8 without control characters, not `.` or `..`. Compares, orders and
/// hashes by bytes: `"caf\u{e9}"` and `"cafe\u{301}"` are two names.
public struct Name: RecordName, ExpressibleByStringLiteral {
    /// The name.
    public let rawValue: String

    /// Takes a name; nil for a text that is none.
    public init?(_ text: String) {
        guard Array(text.utf8).withView(HoldfastRecords.RecordID.isName) else { return nil }
        rawValue = text
    }

    /// Takes a literal.
    ///
    /// - Precondition: It is a name.
    public init(stringLiteral value: String) {
        guard let name = Name(value) else {
            preconditionFailure("'\(value)' is no name: 1 to 512 bytes without control characters")
        }
        self = name
    }

    /// The name.
    public var description: String { rawValue }

    /// Reads a text.
    ///
    /// - Throws: `DecodingError` when there is none, or it is no name.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let name = Name(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(
                in: container,
                debugDescription: "not a name: 1 to 512 bytes without control characters"
            )
        }
        self = name
    }

    /// Writes a text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(rawValue)
    }
}
