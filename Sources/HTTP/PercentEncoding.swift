// `%XX`, both ways. Source: RFC 3986, section 2.
public import HoldfastBasics

/// Percent-encoding of path segments, query values and header values.
public enum PercentEncoding {
    /// Appends bytes with everything encoded but letters, digits, `-`, `.`, `_` and `~`.
    public static func append(_ bytes: ByteView, to buffer: inout ByteBuffer) {
        buffer.append(percentEncoded: bytes)
    }

    /// Appends the decoded bytes; `+` is a plus sign, not a blank.
    ///
    /// - Throws: `badEscape`; the buffer then holds what came before it.
    public static func decode(
        _ bytes: ByteView,
        to buffer: inout ByteBuffer
    ) throws(HTTPError) {
        guard bytes.firstIndex(of: ASCII.percent) != nil else { return buffer.append(bytes) }
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if byte != ASCII.percent {
                buffer.append(byte)
                index += 1
                continue
            }
            guard index + 2 < bytes.count, let high = ASCII.hexadecimal(bytes[index + 1]),
                let low = ASCII.hexadecimal(bytes[index + 2])
            else { throw .badEscape }
            buffer.append(high << 4 | low)
            index += 3
        }
    }

    /// The decoded text of a value that is percent-encoded UTF-8.
    ///
    /// - Throws: `badEscape`, `notUTF8`.
    public static func text(_ bytes: ByteView) throws(HTTPError) -> String {
        var buffer = ByteBuffer(capacity: bytes.count)
        try decode(bytes, to: &buffer)
        guard UTF8Validator.isValid(buffer.view) else { throw .notUTF8 }
        return buffer.view.text
    }
}
