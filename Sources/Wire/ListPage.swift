// A page of a list: `{"records":[...],"next":"..."}`. Elements are written in between by their own
// writers, so that a page needs no memory but its bytes.
public import HoldfastBasics
internal import HoldfastJSONCoding
public import HoldfastRecords

/// A page while it is written.
public struct ListPage {
    /// What a page lists; the name of its member.
    public enum Kind: String, Sendable {
        /// Envelopes.
        case records
        /// Commits.
        case commits
        /// Borrows.
        case borrows
        /// Key ranges.
        case ranges
        /// Declarations of trees.
        case trees
        /// Tokens.
        case tokens
        /// Devices.
        case devices
        /// Versions of a record.
        case history
    }

    /// Elements begun so far.
    public private(set) var count = 0

    /// Begins a page.
    public init(_ kind: Kind, in buffer: inout ByteBuffer) {
        buffer.append("{\"")
        buffer.append(text: kind.rawValue)
        buffer.append("\":[")
    }

    /// Begins an element, which the caller appends.
    public mutating func beginElement(in buffer: inout ByteBuffer) {
        if count > 0 { buffer.append(",") }
        count += 1
    }

    /// Ends the page.
    ///
    /// - Parameters:
    ///   - next: The cursor of the page after it; nil on the last one.
    ///   - isTruncated: Whether there was more that is not kept any longer.
    ///   - buffer: Gets the rest of the page.
    public func end(
        next: ListCursor? = nil,
        isTruncated: Bool = false,
        in buffer: inout ByteBuffer
    ) {
        buffer.append("]")
        if let next {
            buffer.append(",\"next\":\"")
            next.append(to: &buffer)
            buffer.append("\"")
        }
        if isTruncated { buffer.append(",\"truncated\":true") }
        buffer.append("}")
    }

    /// Ends a page of commits.
    ///
    /// - Parameters:
    ///   - next: The `since` of the page after it.
    ///   - buffer: Gets the rest of the page.
    public func end(since next: Position, in buffer: inout ByteBuffer) {
        buffer.append("],\"next\":")
        buffer.appendQuoted(next)
        buffer.append("}")
    }
}
