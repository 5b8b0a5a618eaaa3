// Documents for people: one member or element a line.
public import HoldfastBasics

/// Lays documents out over lines.
public enum JSONPrinter {
    /// The text of a document, indented by two spaces a level, without a newline at its end.
    ///
    /// Tokens stay byte for byte; empty containers stay on one line.
    ///
    /// - Parameter document: A normalised document; other bytes give text of no meaning.
    /// - Returns: The text.
    public static func pretty(_ document: ByteView) -> String {
        var buffer = ByteBuffer(capacity: document.count * 2)
        pretty(document, into: &buffer)
        return buffer.view.text
    }

    /// Appends the text of a document, as ``pretty(_:)``.
    ///
    /// - Parameters:
    ///   - document: A normalised document.
    ///   - buffer: Gets the text; not the document's own memory.
    public static func pretty(_ document: ByteView, into buffer: inout ByteBuffer) {
        var depth = 0
        var at = 0
        while at < document.count {
            let byte = document[at]
            at += 1
            switch byte {
            case ASCII.quote:
                let end = stringEnd(document, at)
                buffer.append(document[at - 1..<end])
                at = end
            case ASCII.brace, ASCII.bracket:
                buffer.append(byte)
                // The closing bracket comes two bytes after the opening one in ASCII.
                if at < document.count, document[at] == byte + 2 {
                    buffer.append(byte + 2)
                    at += 1
                } else {
                    depth += 1
                    breakLine(depth, &buffer)
                }
            case ASCII.braceEnd, ASCII.bracketEnd:
                depth -= 1
                breakLine(depth, &buffer)
                buffer.append(byte)
            case ASCII.comma:
                buffer.append(byte)
                breakLine(depth, &buffer)
            case ASCII.colon: buffer.append(": ")
            default: buffer.append(byte)
            }
        }
    }

    /// Behind the closing quote of the string whose content begins at `first`.
    private static func stringEnd(_ document: ByteView, _ first: Int) -> Int {
        var cursor = JSONCursor(document)
        cursor.seek(first - 1)
        // A string without an end reaches to the end of the bytes.
        return (try? cursor.string()) == nil ? document.count : cursor.offset
    }

    /// Bytes that are no document may claim any depth; a document never exceeds the limit.
    private static func breakLine(_ depth: Int, _ buffer: inout ByteBuffer) {
        buffer.append(ASCII.newline)
        for _ in 0..<max(0, min(depth, Limits.depthMax)) { buffer.append("  ") }
    }
}
