// One form for all documents that mean the same: members sorted by name, escapes in their short
// form. Numbers stay as they are written, as both sides come from the same encoder.
public import HoldfastBasics

/// Compares documents by what they mean.
public enum CanonicalForm {
    /// Whether two documents differ in nothing but the order of members and the form of escapes.
    static func equal(_ a: ByteView, _ b: ByteView) throws(JSONError) -> Bool {
        if a == b { return true }
        // Only containers and strings have more than one form.
        let kind = try a.kind()
        guard kind == (try b.kind()), kind == .object || kind == .array || kind == .string else {
            return false
        }
        return try bytes(a) == bytes(b)
    }

    /// The canonical form of a document.
    ///
    /// - Parameter document: Normalised JSON.
    /// - Returns: The same bytes for documents that differ in nothing but the order of members and
    ///   the form of escapes.
    /// - Throws: When the document is none.
    public static func bytes(_ document: ByteView) throws(JSONError) -> [UInt8] {
        var output = ByteBuffer(capacity: document.count)
        try append(document, 1, to: &output)
        return output.array
    }

    private static func append(
        _ document: ByteView,
        _ depth: Int,
        to output: inout ByteBuffer
    ) throws(JSONError) {
        guard depth <= Limits.depthMax + 1 else {
            throw .tooDeep(offset: 0, depthMax: Limits.depthMax)
        }
        var scanner = JSONScanner(document)
        switch try scanner.peekKind() {
        case .object:
            let members = try ObjectMembers(document).all
                .map { (name: $0.name.content, value: $0.value) }
                .sorted { $0.name.lexicographicallyPrecedes($1.name) }
            output.append(ASCII.brace)
            for (name, value) in members {
                name.withView { output.appendJSONString($0) }
                output.append(ASCII.colon)
                try append(value, depth + 1, to: &output)
                output.append(ASCII.comma)
            }
            output.append(ASCII.braceEnd)
        case .array:
            try scanner.enterArray()
            output.append(ASCII.bracket)
            while try scanner.nextElement() {
                try append(try scanner.skipValue(), depth + 1, to: &output)
                output.append(ASCII.comma)
            }
            output.append(ASCII.bracketEnd)
        case .string: try scanner.readString().content.withView { output.appendJSONString($0) }
        case .number, .true, .false, .null: output.append(document)
        }
    }
}
