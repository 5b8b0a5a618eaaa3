// The values of unique fields, as the bytes by which they are compared.
public import HoldfastBasics
public import HoldfastJSONCoding
public import HoldfastRecords

/// The unique fields of a tree's current schema version.
public struct UniqueFields: Sendable {
    /// Their stored names; an ordinal is a place in this list.
    public let names: [String]
    private let program: SchemaProgram

    /// Gathers the fields marked `unique`.
    ///
    /// - Parameter descriptor: The tree's current version; nil for a tree without schema.
    public init(_ descriptor: Descriptor?) {
        let fields = (descriptor?.fields ?? []).filter(\.isUnique)
        names = fields.map(\.name)
        program = SchemaProgram(.structure(fields))
    }

    /// Whether the tree has none.
    public var isEmpty: Bool { names.isEmpty }

    /// Lends the values a document has in these fields, in the order they stand in it.
    ///
    /// Text is given without quotes and escapes. Numbers that are equal have one text: digits for a
    /// whole number (`-0`, `0.0` and `0e5` are `0`), else the shortest text of the nearest double.
    /// The form depends on the value alone, never on the field's type, so that what was indexed
    /// under one major version is found under the next. A field that is absent or null is not
    /// indexed and not lent, nor is what an older major may have had there: arrays and objects.
    ///
    /// - Parameters:
    ///   - document: Normalised JSON, as it was accepted.
    ///   - body: Gets the ordinal and the bytes, which are valid only meanwhile.
    public func forEachValue(in document: ByteView, _ body: (Int, ByteView) -> Void) {
        guard !names.isEmpty else { return }
        do throws(JSONError) {
            try walk(document, body)
        } catch {
            // No normalised document: what stood before the damage has been lent.
        }
    }

    private func walk(
        _ document: ByteView,
        _ body: (Int, ByteView) -> Void
    ) throws(JSONError) {
        let shape = program.shapes[program.nodes[program.root].index]
        var scanner = JSONScanner(document)
        var left = shape.members.count
        guard try scanner.peekKind() == .object else { return }
        try scanner.enterObject()
        while left > 0, let name = try scanner.nextMember() {
            let token = try scanner.skipValue()
            let found = program.names.withView { names in
                name.isEscaped
                    ? name.unescaped.withView { program.member($0, of: shape, names: names) }
                    : program.member(name.raw, of: shape, names: names)
            }
            guard let found else { continue }
            left -= 1
            try Self.lend(token) { body(found - shape.members.lowerBound, $0) }
        }
    }

    /// Lends the bytes by which a value of a unique field is compared.
    ///
    /// - Parameters:
    ///   - token: The value as normalised JSON.
    ///   - body: Gets the bytes, which are valid only meanwhile; not called for what is not
    ///     indexed.
    /// - Throws: When the value is no JSON.
    public static func lend(
        _ token: ByteView,
        _ body: (ByteView) -> Void
    ) throws(JSONError) {
        var scanner = JSONScanner(token)
        switch try scanner.peekKind() {
        case .null, .object, .array: return
        case .true, .false: body(token)
        case .string:
            let text = try scanner.readString()
            if text.isEscaped {
                text.unescaped.withView(body)
            } else {
                body(text.raw)
            }
        case .number:
            let number = try scanner.readNumber()
            if number.isInteger, !token.equals("-0") { return body(token) }
            guard let value = number.double else { return body(token) }
            let text = Int64(exactly: value).map(String.init) ?? value.description
            Array(text.utf8).withView(body)
        }
    }
}
