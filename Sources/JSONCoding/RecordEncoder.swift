// From a value to its document: Codable straight into bytes.
public import HoldfastBasics

/// Encodes `Encodable` values as compact JSON.
///
/// Beside what Codable says of itself: dates are RFC 3339 text in UTC with milliseconds, UUIDs
/// lower case text, data base64 text, URLs and decimals text. Integers are exact in 64 bits,
/// floating point numbers the shortest text that reads back equal. Members stand in the order in
/// which they are encoded.
public struct RecordEncoder: Sendable {
    /// Handed to `encode(to:)` of every value.
    public var userInfo: [CodingUserInfoKey: any Sendable]

    /// An encoder; it keeps nothing between values.
    public init(userInfo: [CodingUserInfoKey: any Sendable] = [:]) { self.userInfo = userInfo }

    /// Encodes a value.
    ///
    /// - Parameter value: What is to be encoded.
    /// - Returns: A document, as ``JSONNormalizer`` would leave it.
    /// - Throws: `EncodingError.invalidValue`, with the coding path, for numbers that are not
    ///   finite, dates outside the years 0 to 9999, values that encode nothing, and nesting beyond
    ///   `Limits.depthMax`; or what the value throws.
    public func encode<T: Encodable>(_ value: T) throws -> [UInt8] {
        let segment = EncodingSegment(userInfo: userInfo)
        defer { segment.end() }
        try segment.encodeRoot(value)
        return segment.core.pointee.output.array
    }

    /// Encodes a value behind what a buffer holds.
    ///
    /// - Parameters:
    ///   - value: What is to be encoded.
    ///   - buffer: Gets the document; unchanged when the value is refused.
    /// - Throws: As ``encode(_:)``.
    public func encode<T: Encodable>(_ value: T, into buffer: inout ByteBuffer) throws {
        let segment = EncodingSegment(userInfo: userInfo)
        let mark = buffer.count
        // The caller's memory stands in for the segment's own, so that nothing is copied.
        swap(&buffer, &segment.core.pointee.output)
        defer {
            swap(&buffer, &segment.core.pointee.output)
            segment.end()
        }
        do {
            try segment.encodeRoot(value)
        } catch {
            segment.core.pointee.output.truncate(to: mark)
            throw error
        }
    }
}
