// Gives the elements of sets an order, so that documents with sets can be compared.
//
// A Swift set encodes in any order, and another one each time. Before the difference of two
// encodings is taken, their sets are sorted; and the sets of the document it is applied to are
// brought into the same order, element by element, matched by what the application knows of them.
internal import HoldfastBasics
internal import HoldfastJSONCoding

extension ValueShape {
    /// A document with all its sets sorted.
    ///
    /// - Parameter document: A value as its type encodes it.
    /// - Returns: The document.
    /// - Throws: When it is no normalised document.
    func sorted(_ document: ByteView) throws -> [UInt8] {
        guard hasSets else { return document.array }
        var scanner = JSONScanner(document)
        var output = ByteBuffer(capacity: document.count)
        switch (self, try scanner.peekKind()) {
        case (.object, .object), (.dictionary, .object):
            try scanner.enterObject()
            output.append("{")
            var isFirst = true
            while let name = try scanner.nextMember() {
                if !isFirst { output.append(",") }
                isFirst = false
                name.appendName(to: &output)
                let value = try scanner.skipValue()
                output.append(try (member(name) ?? .plain).sorted(value))
            }
            output.append("}")
        case (.array(let element), .array):
            output.append(list: try elements(&scanner).map { try element.sorted($0) })
        case (.set(let element, _), .array):
            let sorted = try elements(&scanner)
                .map { try element.keyed($0) }
                .sorted { $0.key.lexicographicallyPrecedes($1.key) }
            output.append(list: sorted.map(\.json))
        default:
            output.append(document)
        }
        return output.array
    }

    /// A stored document whose sets stand in the order of their sorted encoding, but for those
    /// known not to change.
    ///
    /// - Parameters:
    ///   - document: As it is stored.
    ///   - known: What its type makes of it, sorted.
    ///   - new: What it is to become, sorted; nil where it cannot be told which value that is.
    /// - Returns: The same document; elements of a set that mean the same stand in it once.
    /// - Throws: When one is no normalised document, or an element does not decode.
    func aligned(
        _ document: ByteView,
        with known: ByteView,
        to new: ByteView?
    ) throws -> [UInt8] {
        guard hasSets, new != known else { return document.array }
        var (scanner, other) = (JSONScanner(document), JSONScanner(known))
        let kind = try scanner.peekKind()
        guard kind == (try other.peekKind()) else { return document.array }
        var output = ByteBuffer(capacity: document.count)
        switch (self, kind) {
        case (.object, .object), (.dictionary, .object):
            let twins = try members(of: known)
            let wanted = try new.map { try members(of: $0) } ?? [:]
            try scanner.enterObject()
            output.append("{")
            var isFirst = true
            while let name = try scanner.nextMember() {
                if !isFirst { output.append(",") }
                isFirst = false
                name.appendName(to: &output)
                let value = try scanner.skipValue()
                let content = Array((name.text ?? "").utf8)
                if let inner = member(name), let twin = twins[content] {
                    output.append(try inner.aligned(value, with: twin, to: wanted[content]))
                } else {
                    output.append(value)
                }
            }
            output.append("}")
        case (.array(let element), .array):
            let (mine, theirs) = (try elements(&scanner), try elements(&other))
            guard mine.count == theirs.count else { return document.array }
            output.append(
                list: try zip(mine, theirs).map { try element.aligned($0, with: $1, to: nil) }
            )
        case (.set(let element, let asKnown), .array):
            var found: [[UInt8]: [UInt8]] = [:]
            for value in try elements(&scanner) {
                let twin = try element.keyed(try asKnown(value))
                found[twin.key] = try twin.json.withView {
                    try element.aligned(value, with: $0, to: nil)
                }
            }
            output.append(
                list: try elements(&other).map { try found[element.keyed($0).key] ?? $0.array }
            )
        default:
            return document.array
        }
        return output.array
    }

    private func members(of object: ByteView) throws -> [[UInt8]: ByteView] {
        var values: [[UInt8]: ByteView] = [:]
        var scanner = JSONScanner(object)
        guard try scanner.peekKind() == .object else { return values }
        try scanner.enterObject()
        while let name = try scanner.nextMember() {
            values[Array((name.text ?? "").utf8)] = try scanner.skipValue()
        }
        return values
    }

    private func elements(_ scanner: inout JSONScanner) throws -> [ByteView] {
        var elements: [ByteView] = []
        try scanner.enterArray()
        while try scanner.nextElement() { elements.append(try scanner.skipValue()) }
        return elements
    }

    /// An element with its own sets sorted, and the bytes by which it is found.
    private func keyed(_ element: ByteView) throws -> (key: [UInt8], json: [UInt8]) {
        let json = try sorted(element)
        return (try json.withView { try CanonicalForm.bytes($0) }, json)
    }

    private func keyed(_ element: [UInt8]) throws -> (key: [UInt8], json: [UInt8]) {
        try element.withView { try keyed($0) }
    }
}

extension ByteBuffer {
    /// Appends an array of values in JSON.
    fileprivate mutating func append(list: [[UInt8]]) {
        append("[")
        for (index, element) in list.enumerated() {
            if index > 0 { append(",") }
            append(element)
        }
        append("]")
    }
}
