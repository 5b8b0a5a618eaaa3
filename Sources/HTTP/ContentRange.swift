// Which bytes of something a body is. Source: RFC 9110, sections 14.4 and 14.5.
public import HoldfastBasics

/// The value of Content-Range: `bytes 0-99/1000`.
public struct ContentRange: Hashable, Sendable {
    /// The bytes, of which there is at least one.
    public let range: Range<Int>
    /// How many there are in all.
    public let byteCount: Int

    /// Reads the field; nil when it is malformed, of another unit, or does not tell the whole
    /// length.
    public init?(_ value: ByteView) {
        guard value.count > 6, value[0..<6].equalsIgnoringCase("bytes "),
            let dash = value.firstIndex(of: UInt8(ascii: "-")),
            let slash = value.firstIndex(of: ASCII.slash), dash < slash,
            let first = value[6..<dash].trimmed.decimal,
            let last = value[dash + 1..<slash].decimal,
            let count = value.suffix(from: slash + 1).decimal, first <= last, last < count
        else { return nil }
        range = first..<last + 1
        byteCount = count
    }
}
