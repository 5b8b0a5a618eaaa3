// Reads the JSON forms of values, member by member.
//
// Invariants:
// - reading costs nothing for the sake of errors: the path of a bad member is found by walking the
//   document again to where the reader stands;
// - a member whose value is null counts as left out wherever it may be left out.
public import HoldfastBasics
public import HoldfastJSONCoding

/// A scanner that knows where in its document it stands.
public struct FormReader {
    /// The whole document.
    public let document: ByteView
    /// The place reached.
    public var scanner: JSONScanner
    /// Whether a member nobody knows is an error; if not it is passed over, as stored records may
    /// have been written by newer software.
    public let isStrict: Bool

    /// Begins at a document's first byte.
    ///
    /// - Parameters:
    ///   - document: Normalised JSON.
    ///   - isStrict: Whether members nobody knows are errors.
    public init(_ document: ByteView, isStrict: Bool) {
        self.document = document
        self.isStrict = isStrict
        scanner = JSONScanner(document)
    }

    // MARK: Containers

    /// Enters an object.
    ///
    /// - Returns: The place before it, for `missing`.
    /// - Throws: `unfit` when another value comes.
    public mutating func enterObject(_ expected: String = "an object") throws(FormError) -> Int {
        let start = scanner.offset
        do throws(JSONError) {
            try scanner.enterObject()
        } catch {
            throw unfit(expected, at: start)
        }
        return start
    }

    /// Goes to the next member, whose value must be read or passed over.
    ///
    /// - Returns: Its name; nil at the end of the object, which is left.
    /// - Throws: `unfit` when the document is no JSON.
    public mutating func nextMember() throws(FormError) -> JSONString? {
        do throws(JSONError) {
            return try scanner.nextMember()
        } catch {
            throw unfit("JSON", at: scanner.offset)
        }
    }

    /// Enters an array.
    ///
    /// - Throws: `unfit` when another value comes.
    public mutating func enterArray() throws(FormError) {
        let start = scanner.offset
        do throws(JSONError) {
            try scanner.enterArray()
        } catch {
            throw unfit("an array", at: start)
        }
    }

    /// Goes to the next element, which must be read or passed over.
    ///
    /// - Returns: Whether there is one; if not the array is left.
    /// - Throws: `unfit` when the document is no JSON.
    public mutating func nextElement() throws(FormError) -> Bool {
        do throws(JSONError) {
            return try scanner.nextElement()
        } catch {
            throw unfit("JSON", at: scanner.offset)
        }
    }

    /// Passes over a value.
    ///
    /// - Returns: Its bytes.
    /// - Throws: `unfit` when the document is no JSON.
    @discardableResult
    public mutating func skipValue() throws(FormError) -> ByteView {
        let start = scanner.offset
        do throws(JSONError) {
            return try scanner.skipValue()
        } catch {
            throw unfit("JSON", at: start)
        }
    }

    /// Deals with a member the form does not have: the reader stands before its value.
    ///
    /// - Throws: `unknownMember` when the reader is strict.
    public mutating func unknownMember() throws(FormError) {
        guard !isStrict else { throw .unknownMember(path: path(to: scanner.offset)) }
        try skipValue()
    }

    /// Expects that nothing follows.
    ///
    /// - Throws: `unfit` when something does.
    public func expectEnd() throws(FormError) {
        guard scanner.isAtEnd else {
            throw .unfit(path: "", expected: "one JSON value and nothing after it")
        }
    }

    // MARK: Values

    /// Reads null when it comes.
    ///
    /// - Returns: Whether it came; if not nothing is read.
    /// - Throws: `unfit` when the document is no JSON.
    public mutating func null() throws(FormError) -> Bool {
        do throws(JSONError) {
            return try scanner.readNull()
        } catch {
            throw unfit("JSON", at: scanner.offset)
        }
    }

    /// Reads a truth value.
    ///
    /// - Throws: `unfit` when another value comes.
    public mutating func bool() throws(FormError) -> Bool {
        let start = scanner.offset
        do throws(JSONError) {
            return try scanner.readBool()
        } catch {
            throw unfit("true or false", at: start)
        }
    }

    /// Reads a text.
    ///
    /// - Throws: `unfit` when another value comes.
    public mutating func string(_ expected: String = "text") throws(FormError) -> JSONString {
        let start = scanner.offset
        do throws(JSONError) {
            return try scanner.readString()
        } catch {
            throw unfit(expected, at: start)
        }
    }

    /// Reads a text as an owned one.
    ///
    /// - Throws: `unfit` when another value comes.
    public mutating func text(_ expected: String = "text") throws(FormError) -> String {
        let start = scanner.offset
        guard let text = try string(expected).text else { throw unfit(expected, at: start) }
        return text
    }

    /// Reads an integer in a range.
    ///
    /// - Throws: `unfit` when another value comes.
    public mutating func integer<I: FixedWidthInteger>(
        _ range: ClosedRange<I>
    ) throws(FormError) -> I {
        let start = scanner.offset
        do throws(JSONError) {
            let value = try scanner.readInteger(I.self)
            if range.contains(value) { return value }
        } catch {
            // Not of its kind or width.
        }
        throw unfit("an integer from \(range.lowerBound) to \(range.upperBound)", at: start)
    }

    /// Reads a text that stands for something else.
    ///
    /// - Parameters:
    ///   - expected: What the text should be, for the error.
    ///   - make: Gives what the text stands for, or nil.
    /// - Returns: What `make` gave.
    /// - Throws: `unfit` when another value comes, or `make` gives nil.
    public mutating func word<T>(
        _ expected: String,
        _ make: (ByteView) -> T?
    ) throws(FormError) -> T {
        let start = scanner.offset
        let text = try string(expected)
        var value: T?
        if text.isEscaped {
            var content = ByteBuffer(capacity: text.raw.count)
            if text.append(to: &content) { value = content.array.withView(make) }
        } else {
            value = make(text.raw)
        }
        guard let value else { throw unfit(expected, at: start) }
        return value
    }

    /// Reads a time.
    ///
    /// - Returns: Milliseconds since 1970.
    /// - Throws: `unfit` when it is not RFC 3339 in UTC.
    public mutating func time() throws(FormError) -> Int64 {
        try word("a time in UTC like \"2026-11-20T10:00:00.123Z\"", Timestamp.milliseconds)
    }

    /// Reads a UUID.
    ///
    /// - Throws: `unfit` when it is none.
    public mutating func uniqueID() throws(FormError) -> UniqueID {
        try word("a UUID") { UniqueID($0) }
    }

    /// Reads the name of any tree.
    ///
    /// - Throws: `unfit` when it is none.
    public mutating func treeName() throws(FormError) -> TreeName {
        try word("the name of a tree") { TreeName(any: $0.text) }
    }

    // MARK: Errors

    /// The error for a value of the wrong shape.
    ///
    /// - Parameters:
    ///   - expected: What should have come, for a sentence: "an array".
    ///   - offset: Where the value begins, as the scanner said when it stood before it.
    /// - Returns: `unfit` with the path.
    public func unfit(_ expected: String, at offset: Int) -> FormError {
        .unfit(path: path(to: offset), expected: expected)
    }

    /// What a member must have, or the error that it is missing.
    ///
    /// - Parameters:
    ///   - value: What was read, or nil.
    ///   - name: The member.
    ///   - offset: Where its object begins.
    /// - Returns: The value.
    /// - Throws: `missingMember` when there is none.
    public func required<T>(
        _ value: T?,
        _ name: String,
        at offset: Int
    ) throws(FormError) -> T {
        guard let value else {
            let outer = path(to: offset)
            throw .missingMember(path: outer.isEmpty ? name : outer + "." + name)
        }
        return value
    }

    /// The path of the value that begins at an offset.
    private func path(to target: Int) -> String {
        var steps: [String] = []
        var scanner = JSONScanner(document)
        do throws(JSONError) {
            while scanner.offset < target {
                guard let step = try Self.step(&scanner, to: target) else { break }
                steps.append(step)
            }
        } catch {
            // Not JSON beyond here: the path ends where the damage is.
        }
        return steps.joined(separator: ".")
    }

    /// Enters the value a scanner stands before, up to the part that holds an offset.
    private static func step(
        _ scanner: inout JSONScanner,
        to target: Int
    ) throws(JSONError) -> String? {
        switch try scanner.peekKind() {
        case .object:
            try scanner.enterObject()
            while let name = try scanner.nextMember() {
                if try holds(target, scanner) { return name.text }
                try scanner.skipValue()
            }
        case .array:
            try scanner.enterArray()
            var index = 0
            while try scanner.nextElement() {
                if try holds(target, scanner) { return String(index) }
                try scanner.skipValue()
                index += 1
            }
        case .string, .number, .true, .false, .null:
            break
        }
        return nil
    }

    private static func holds(
        _ target: Int,
        _ scanner: JSONScanner
    ) throws(JSONError) -> Bool {
        var behind = scanner
        try behind.skipValue()
        return target < behind.offset
    }
}

/// Lets a `switch` compare a member's name with literals, byte by byte.
public func ~= (literal: StaticString, name: JSONString) -> Bool { name.equals(literal) }
