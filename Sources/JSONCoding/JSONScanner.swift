// Walks through a normalised document without building anything: for compiled validators, indexes
// and message shapes.
//
// One flag is enough to check commas: it is set when a container is entered and cleared by its
// first step, and containers are left in the reverse order in which they are entered.
public import HoldfastBasics

/// A pull reader over a document.
///
/// It expects what ``JSONNormalizer`` has passed (white space between tokens is tolerated). On
/// other bytes its answers mean nothing, but it never reads outside the view. Valid as long as the
/// view.
@safe public struct JSONScanner {
    private var cursor: JSONCursor
    private var isFirst = false

    /// Stands before the first value of `bytes`.
    public init(_ bytes: ByteView) { cursor = JSONCursor(bytes) }

    /// Bytes read so far.
    public var offset: Int { cursor.offset }

    /// Whether all bytes are read.
    public var isAtEnd: Bool { cursor.at == cursor.end }

    /// The kind of the value that comes next.
    ///
    /// - Returns: The kind; nothing is consumed but white space.
    /// - Throws: `unexpectedByte` or `unexpectedEnd` when no value comes.
    public mutating func peekKind() throws(JSONError) -> JSONKind { try cursor.kind() }

    // MARK: Containers

    /// Enters an object; `nextMember` follows until it gives nil.
    ///
    /// - Throws: `wrongKind` when the next value is none.
    public mutating func enterObject() throws(JSONError) {
        try cursor.open(ASCII.brace, .object)
        isFirst = true
    }

    /// Goes to the next member of the object entered last; its value must be read or skipped.
    ///
    /// - Returns: The member's name, or nil when the object has ended and is left.
    /// - Throws: When the bytes are not JSON.
    public mutating func nextMember() throws(JSONError) -> JSONString? {
        guard try step(ASCII.braceEnd) else { return nil }
        return try cursor.name()
    }

    /// Enters an array; `nextElement` follows until it gives false.
    ///
    /// - Throws: `wrongKind` when the next value is none.
    public mutating func enterArray() throws(JSONError) {
        try cursor.open(ASCII.bracket, .array)
        isFirst = true
    }

    /// Goes to the next element of the array entered last; it must be read or skipped.
    ///
    /// - Returns: False when the array has ended and is left.
    /// - Throws: When the bytes are not JSON.
    public mutating func nextElement() throws(JSONError) -> Bool { try step(ASCII.bracketEnd) }

    private mutating func step(_ closing: UInt8) throws(JSONError) -> Bool {
        let goesOn = try cursor.nextEntry(isFirst: isFirst, closing: closing)
        isFirst = false
        return goesOn
    }

    // MARK: Values

    /// Passes over the next value.
    ///
    /// - Returns: Its bytes.
    /// - Throws: When the bytes are not JSON.
    @discardableResult
    public mutating func skipValue() throws(JSONError) -> ByteView {
        _ = try cursor.peek()
        let first = cursor.offset
        try cursor.skipValue()
        return cursor.view(from: first)
    }

    /// Reads a string.
    ///
    /// - Returns: The string, escapes unresolved.
    /// - Throws: `wrongKind` when the next value is none.
    public mutating func readString() throws(JSONError) -> JSONString { try cursor.string() }

    /// Reads a number.
    ///
    /// - Returns: The token and its exact meaning.
    /// - Throws: `wrongKind` when the next value is none.
    public mutating func readNumber() throws(JSONError) -> JSONNumber { try cursor.number() }

    /// Reads an integer of any width, exactly.
    ///
    /// - Returns: The integer; `-0` is 0.
    /// - Throws: `wrongKind`, `notAnInteger` for a fraction or exponent, `numberOutOfRange`.
    public mutating func readInteger<I: FixedWidthInteger>(
        _: I.Type = I.self
    ) throws(JSONError) -> I {
        try cursor.integer()
    }

    /// Reads a number as the nearest double.
    ///
    /// - Returns: A finite value.
    /// - Throws: `wrongKind` when it is no number, `numberOutOfRange` above every double.
    public mutating func readDouble() throws(JSONError) -> Double { try Double.read(&cursor) }

    /// Reads `true` or `false`.
    ///
    /// - Returns: The value.
    /// - Throws: `wrongKind` when the next value is neither.
    public mutating func readBool() throws(JSONError) -> Bool { try cursor.bool() }

    /// Reads `null` when it comes next.
    ///
    /// - Returns: False, with nothing consumed, when another value comes.
    /// - Throws: When the bytes are not JSON.
    public mutating func readNull() throws(JSONError) -> Bool { try cursor.null() }

    // MARK: Looking up

    /// Looks up a member of an object document, as indexes do.
    ///
    /// - Parameters:
    ///   - name: Compared by bytes, after unescaping the document's names.
    ///   - document: A normalised document.
    /// - Returns: The member's value, or nil when there is none or the document is no object.
    /// - Throws: When the bytes are not JSON.
    public static func member(
        named name: ByteView,
        in document: ByteView
    ) throws(JSONError) -> ByteView? {
        var scanner = JSONScanner(document)
        guard try scanner.peekKind() == .object else { return nil }
        try scanner.enterObject()
        while let found = try scanner.nextMember() {
            if found.equals(name) { return try scanner.skipValue() }
            try scanner.skipValue()
        }
        return nil
    }
}
