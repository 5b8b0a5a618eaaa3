// Entity tags and the preconditions made of them. Source: RFC 9110, sections 8.8.3 and 13.1.
public import HoldfastBasics

/// The value of If-Match or If-None-Match.
public enum EntityTagCondition: Sendable, Equatable {
    /// `*`: anything that exists.
    case any
    /// One of these.
    case tags([EntityTag])

    /// Reads the fields of one name, which together are one list.
    ///
    /// - Parameters:
    ///   - name: `if-match` or `if-none-match`.
    ///   - head: The request's head.
    /// - Returns: Nil when there is no such field.
    /// - Throws: `badField` when the list is empty or malformed, or `*` is not alone.
    public static func read(
        _ name: StaticString,
        _ head: RequestHead
    ) throws(HTTPError) -> EntityTagCondition? {
        var (lines, isAny, isMalformed) = (0, false, false)
        var tags: [EntityTag] = []
        head.forEach(name) { value in
            lines += 1
            FieldList.forEach(value) { item in
                if item.equals("*") {
                    isMalformed = isMalformed || isAny
                    isAny = true
                } else if let tag = EntityTag(item) {
                    tags.append(tag)
                } else {
                    isMalformed = true
                }
            }
        }
        if lines == 0 { return nil }
        if isMalformed || isAny != tags.isEmpty { throw .badField(name: ByteView(name).text) }
        return isAny ? .any : .tags(tags)
    }

    /// Whether a tag is named, by the strong comparison of If-Match.
    public func matchesStrongly(_ tag: ByteView) -> Bool {
        guard case .tags(let tags) = self else { return true }
        return tags.contains { !$0.isWeak && $0.value.withView { $0 == tag } }
    }

    /// Whether a tag is named, by the weak comparison of If-None-Match.
    public func matchesWeakly(_ tag: ByteView) -> Bool {
        guard case .tags(let tags) = self else { return true }
        return tags.contains { $0.value.withView { $0 == tag } }
    }
}

/// One entity tag, such as `"7d3k:48213"` or `W/"a"`.
public struct EntityTag: Sendable, Equatable {
    /// Whether it only says "equivalent".
    public let isWeak: Bool
    /// What stands between the quotes.
    public let value: [UInt8]

    /// Reads one tag; nil when it is malformed.
    public init?(_ bytes: ByteView) {
        isWeak = bytes.count >= 2 && bytes[0..<2].equals("W/")
        let quoted = isWeak ? bytes.suffix(from: 2) : bytes
        guard quoted.count >= 2, quoted[0] == ASCII.quote, quoted[quoted.count - 1] == ASCII.quote
        else { return nil }
        let inner = quoted[1..<quoted.count - 1]
        for index in 0..<inner.count {
            // A tag holds neither quotes nor blanks, and knows no escapes.
            let byte = inner[index]
            guard byte > ASCII.space, byte != ASCII.quote, byte != 127 else { return nil }
        }
        value = inner.array
    }
}
