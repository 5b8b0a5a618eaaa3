// Reads fixed fields from bytes that may be damaged or hostile: every read is checked and throws.

/// Why bytes could not be read as what they should be.
public enum ByteReaderError: Error, Equatable, Sendable {
    /// `wanted` bytes were needed at `offset`, fewer are there.
    case truncated(offset: Int, wanted: Int)
}

/// A cursor over bytes nobody has checked yet.
public struct ByteReader {
    /// All bytes, from the first.
    public let bytes: ByteView
    /// Where the next read begins.
    public private(set) var offset: Int

    /// Begins at the first byte.
    public init(_ bytes: ByteView) {
        self.bytes = bytes
        offset = 0
    }

    /// Bytes not read yet.
    public var remaining: Int { bytes.count - offset }

    /// Reads a little-endian integer.
    ///
    /// - Throws: `truncated` when it reaches beyond the end.
    public mutating func integer<I: FixedWidthInteger>(
        _: I.Type = I.self
    ) throws(ByteReaderError) -> I {
        guard remaining >= MemoryLayout<I>.size else {
            throw .truncated(offset: offset, wanted: MemoryLayout<I>.size)
        }
        defer { offset += MemoryLayout<I>.size }
        return bytes.integer(I.self, at: offset)
    }

    /// Takes the next `count` bytes.
    ///
    /// - Throws: `truncated` when there are fewer, or `count` is negative.
    public mutating func take(_ count: Int) throws(ByteReaderError) -> ByteView {
        guard count >= 0, remaining >= count else {
            throw .truncated(offset: offset, wanted: count)
        }
        defer { offset += count }
        return bytes[offset..<offset + count]
    }
}
