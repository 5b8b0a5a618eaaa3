// A string or member name as it stands in a document, and what it means.
public import HoldfastBasics

/// A string inside a document: its bytes between the quotes, and whether they hold escapes.
///
/// Valid as long as the document's view.
public struct JSONString {
    /// The bytes between the quotes, escapes unresolved.
    public let raw: ByteView
    /// Whether there is a backslash among them; if not, `raw` is the content.
    public let isEscaped: Bool

    /// Puts a string together from the bytes between its quotes.
    public init(raw: ByteView, isEscaped: Bool) {
        self.raw = raw
        self.isEscaped = isEscaped
    }

    /// Whether the content is exactly these bytes.
    public func equals(_ bytes: ByteView) -> Bool {
        guard isEscaped else { return raw == bytes }
        // An escape is longer than what it stands for.
        guard raw.count > bytes.count else { return false }
        var content = ByteBuffer(capacity: raw.count)
        return append(to: &content) && content.view == bytes
    }

    /// Whether the content is exactly an ASCII literal.
    public func equals(_ literal: StaticString) -> Bool {
        guard isEscaped else { return raw.equals(literal) }
        var content = ByteBuffer(capacity: raw.count)
        return append(to: &content) && content.view.equals(literal)
    }

    /// Appends the content, escapes resolved.
    ///
    /// - Parameter buffer: Gets the bytes; not the document's own memory.
    /// - Returns: False, with nothing appended, when an escape is malformed, which a normalised
    ///   document never holds.
    @discardableResult
    public func append(to buffer: inout ByteBuffer) -> Bool {
        guard isEscaped else {
            buffer.append(raw)
            return true
        }
        var isWellFormed = false
        buffer.appendUnsafe(raw.count) { memory in
            // The room is as long as the escaped form, and unescaping never lengthens.
            guard let count = Self.unescape(raw, memory) else { return 0 }
            isWellFormed = true
            return count
        }
        return isWellFormed
    }

    /// The content as text; nil when an escape is malformed.
    public var text: String? {
        guard isEscaped else { return raw.text }
        var content = ByteBuffer(capacity: raw.count)
        return append(to: &content) ? content.view.text : nil
    }

    private static func unescape(
        _ raw: ByteView,
        _ memory: UnsafeMutableRawBufferPointer
    ) -> Int? {
        raw.withUnsafeBytes { source in
            guard let from = source.baseAddress, let to = memory.baseAddress else { return 0 }
            return ByteScan.unescape(
                from.assumingMemoryBound(to: UInt8.self),
                source.count,
                into: to.assumingMemoryBound(to: UInt8.self)
            )
        }
    }
}
