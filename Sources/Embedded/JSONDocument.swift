// Values without a Swift type.
internal import HoldfastBasics
internal import HoldfastJSONCoding

/// A JSON value as the database stores it.
///
/// Every token stands as it was written, without white space between tokens. Documents are equal
/// when their bytes are.
public struct JSONDocument: Hashable, Sendable, CustomStringConvertible {
    /// Normalised JSON.
    let bytes: [UInt8]

    /// Takes a JSON text.
    ///
    /// - Parameter text: One value of RFC 8259, no member named twice, nested at most 128 deep.
    /// - Throws: `DatabaseError.refused` with the code `bad-json`.
    public init(_ text: String) throws(DatabaseError) {
        do {
            bytes = try Array(text.utf8).withView { try JSONNormalizer.normalized($0) }
        } catch {
            throw .refused(Refusal(.badJSON, "This is not JSON: \(error)."))
        }
    }

    /// Encodes a value.
    ///
    /// - Parameter value: Any Encodable value.
    /// - Throws: `DatabaseError.refused` with the code `invalid-field` when it has no JSON.
    public init(encoding value: some Encodable) throws(DatabaseError) {
        do {
            bytes = try RecordEncoder().encode(value)
        } catch {
            throw .refused(Refusal(.invalidField, "The value cannot be encoded: \(error)."))
        }
    }

    /// Takes bytes that are stored, and therefore normalised.
    init(stored: ByteView) { bytes = stored.array }

    /// Decodes the document.
    ///
    /// - Parameter type: What is wanted.
    /// - Returns: The value.
    /// - Throws: `DecodingError` with the coding path.
    public func decode<T: Decodable>(_ type: T.Type) throws -> T {
        try RecordDecoder().decode(type, from: bytes)
    }

    /// The JSON text.
    public var description: String { String(decoding: bytes, as: UTF8.self) }
}
