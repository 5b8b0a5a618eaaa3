// Media types with parameters, and what a client takes. Source: RFC 9110, sections 8.3 and 12.5.1.
public import HoldfastBasics

/// A media type such as `application/json; charset=utf-8`, borrowed from the field's value.
public struct MediaType {
    /// Before the slash.
    public let type: ByteView
    /// After the slash.
    public let subtype: ByteView
    private let rest: ByteView

    /// Reads a media type; nil when it is malformed.
    public init?(_ value: ByteView) {
        let end = value.firstIndex(of: ASCII.semicolon) ?? value.count
        let essence = value[0..<end].trimmed
        guard let slash = essence.firstIndex(of: ASCII.slash) else { return nil }
        type = essence[0..<slash]
        subtype = essence.suffix(from: slash + 1)
        rest = value.suffix(from: end)
        guard type.isToken, subtype.isToken else { return nil }
    }

    /// Whether type and subtype are these, given in lower case.
    public func isType(_ type: StaticString, _ subtype: StaticString) -> Bool {
        self.type.equalsIgnoringCase(type) && self.subtype.equalsIgnoringCase(subtype)
    }

    /// The value of a parameter, its quotes taken off; nil when it is missing.
    public func parameter(_ lowerCase: StaticString) -> [UInt8]? {
        var parameters = Parameters(rest)
        while let (name, value) = parameters.next() {
            if name.equalsIgnoringCase(lowerCase) { return value }
        }
        return nil
    }

    /// Walks `name=value` pairs separated by semicolons.
    struct Parameters {
        private var items: [ByteView] = []
        private var index = 0

        init(_ bytes: ByteView) {
            FieldList.forEach(bytes, separator: ASCII.semicolon) { items.append($0) }
        }

        /// The next pair; the value is empty when there is no `=`.
        mutating func next() -> (name: ByteView, value: [UInt8])? {
            guard index < items.count else { return nil }
            defer { index += 1 }
            let item = items[index]
            guard let equals = item.firstIndex(of: ASCII.equals) else { return (item, []) }
            let value = QuotedString.text(item.suffix(from: equals + 1).trimmed)
            return (item[0..<equals].trimmed, value)
        }
    }
}

/// The types a client takes, without weighing them: only `q=0` counts, as a refusal.
public enum Accept {
    /// How an Accept field speaks of a type.
    public enum Answer: Sendable {
        /// It is named itself.
        case named
        /// It falls under `*/*` or `type/*`, or there is no Accept field.
        case allowed
        /// It is not taken.
        case refused
    }

    /// What the Accept fields of a request say of a type.
    ///
    /// - Parameters:
    ///   - head: The request's head.
    ///   - type: In lower case.
    ///   - subtype: In lower case.
    /// - Returns: The answer of the most specific range that speaks of it.
    public static func answer(
        _ head: RequestHead,
        _ type: StaticString,
        _ subtype: StaticString
    ) -> Answer {
        // 0 nothing, 1 any type, 2 any subtype, 3 the type itself.
        var (specificity, isRefused, hasField) = (0, false, false)
        head.forEach("accept") { value in
            hasField = true
            FieldList.forEach(value) { item in
                guard let range = MediaType(item) else { return }
                let rank: Int
                if range.isType(type, subtype) {
                    rank = 3
                } else if range.type.equalsIgnoringCase(type), range.subtype.equals("*") {
                    rank = 2
                } else if range.isType("*", "*") {
                    rank = 1
                } else {
                    return
                }
                guard rank > specificity else { return }
                specificity = rank
                isRefused = range.parameter("q").map(isZero) ?? false
            }
        }
        if !hasField { return .allowed }
        if specificity == 0 || isRefused { return .refused }
        return specificity == 3 ? .named : .allowed
    }

    /// `0`, `0.`, `0.0`, `0.00` and `0.000`.
    private static func isZero(_ weight: [UInt8]) -> Bool {
        weight.first == 48 && weight.allSatisfy { $0 == 48 || $0 == UInt8(ascii: ".") }
    }
}
