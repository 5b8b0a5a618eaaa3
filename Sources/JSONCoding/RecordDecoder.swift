// From a document to a value: Codable straight over bytes.
public import HoldfastBasics

/// Decodes `Decodable` values from documents.
///
/// The counterpart of ``RecordEncoder``. It reads in place and in one pass as long as members stand
/// in the order in which they are asked for, and keeps an index of an object's members otherwise.
///
/// Documents are expected to have passed ``JSONNormalizer``; white space is tolerated. On bytes
/// that have not passed, it throws or gives a wrong value, but never reads outside them.
public struct RecordDecoder: Sendable {
    /// Handed to `init(from:)` of every value.
    public var userInfo: [CodingUserInfoKey: any Sendable]

    /// A decoder; it keeps nothing between values.
    public init(userInfo: [CodingUserInfoKey: any Sendable] = [:]) { self.userInfo = userInfo }

    /// Decodes a value.
    ///
    /// - Parameters:
    ///   - type: What is wanted.
    ///   - document: One JSON value; it must stay as it is until this returns.
    /// - Returns: The value.
    /// - Throws: `DecodingError` with the coding path: `keyNotFound`, `valueNotFound` for a `null`
    ///   where a value is wanted, `typeMismatch` for another kind, `dataCorrupted` for everything
    ///   else, as an integer with a fraction or out of range; or what the value throws.
    public func decode<T: Decodable>(_ type: T.Type, from document: ByteView) throws -> T {
        guard document.count <= JSONNormalizer.byteCountMax else {
            throw DecodingSession.corrupted(.tooLong(byteCountMax: JSONNormalizer.byteCountMax), [])
        }
        let session = DecodingSession(document, userInfo: userInfo)
        defer { session.end() }
        let value = try session.decode(type, in: .root)
        guard session.core.pointee.isAtEnd() else {
            throw DecodingSession.corrupted(
                .trailingBytes(offset: session.core.pointee.cursor.offset),
                []
            )
        }
        return value
    }

    /// Decodes a value from owned bytes.
    ///
    /// - Parameters:
    ///   - type: What is wanted.
    ///   - document: One JSON value.
    /// - Returns: The value.
    /// - Throws: As ``decode(_:from:)-(_,ByteView)``.
    public func decode<T: Decodable>(_ type: T.Type, from document: [UInt8]) throws -> T {
        try document.withView { try decode(type, from: $0) }
    }
}
