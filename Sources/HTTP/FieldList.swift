// Field values that are lists. Source: RFC 9110, sections 5.6.1 and 5.6.4.
public import HoldfastBasics

/// A comma-separated list in a field's value.
public enum FieldList {
    /// Lends every item, without blanks around it; empty items are passed over.
    ///
    /// A comma inside a quoted string does not separate.
    public static func forEach(
        _ value: ByteView,
        separator: UInt8 = UInt8(ascii: ","),
        _ body: (ByteView) throws -> Void
    ) rethrows {
        var (start, index) = (0, 0)
        while index <= value.count {
            if index < value.count, value[index] == ASCII.quote,
                let end = QuotedString.end(value, from: index)
            {
                index = end
                continue
            }
            if index == value.count || value[index] == separator {
                let item = value[start..<index].trimmed
                if !item.isEmpty { try body(item) }
                start = index + 1
            }
            index += 1
        }
    }

    /// Whether a list of tokens names one of them.
    ///
    /// - Parameters:
    ///   - value: The field's value.
    ///   - lowerCase: The token, in lower case; letters of the list match in either case.
    /// - Returns: True when it stands in the list.
    public static func contains(_ value: ByteView, _ lowerCase: StaticString) -> Bool {
        var found = false
        forEach(value) { if $0.equalsIgnoringCase(lowerCase) { found = true } }
        return found
    }
}

/// Text in double quotes with backslash escapes.
enum QuotedString {
    /// Where a quoted string that begins at `start` has ended, or nil when it does not.
    static func end(_ bytes: ByteView, from start: Int) -> Int? {
        var index = start + 1
        while index < bytes.count {
            switch bytes[index] {
            case ASCII.quote: return index + 1
            case ASCII.backslash: index += 2
            case let byte where ASCII.isFieldContent(byte): index += 1
            default: return nil
            }
        }
        return nil
    }

    /// The text of a token or a quoted string, its escapes resolved.
    static func text(_ bytes: ByteView) -> [UInt8] {
        guard bytes.count >= 2, bytes[0] == ASCII.quote, bytes[bytes.count - 1] == ASCII.quote
        else { return bytes.array }
        var out: [UInt8] = []
        var index = 1
        while index < bytes.count - 1 {
            if bytes[index] == ASCII.backslash, index + 1 < bytes.count - 1 { index += 1 }
            out.append(bytes[index])
            index += 1
        }
        return out
    }
}
