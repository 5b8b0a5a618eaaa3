// What a refusal says of the type a value should have had.
internal import HoldfastBasics

extension SchemaProgram {
    /// The type of a node in words: "an integer from 0 to 255".
    func expectation(of index: Int) -> String {
        let node = nodes[index]
        return switch node.kind {
        case .bool: "true or false"
        case .signed:
            "an integer from -\(UInt64(1) << (node.bits - 1)) to \((UInt64(1) << (node.bits - 1)) - 1)"
        case .unsigned: "an integer from 0 to \(UInt64.max >> (64 - node.bits))"
        case .float: "a number that is finite in 32 bits"
        case .double: "a number that is finite in 64 bits"
        case .string: "text"
        case .date: "a time in UTC like \"2026-11-20T10:00:00.123Z\""
        case .uuid: "a UUID like \"0198c5f2-7b1e-7c3a-9d55-0a1b2c3d4e5f\""
        case .data: "base64 text with padding"
        case .url: "a URL (RFC 3986), percent-encoded"
        case .decimal: "a decimal number as text, like \"12.50\""
        case .key: "the key of a record as text, like \"12.0\""
        case .digest: "64 lower-case hexadecimal digits"
        case .file: "a file reference with $file, size, type and name"
        case .array: "an array"
        case .structure, .dictionary: "an object"
        case .any: "a JSON value"
        case .stringEnum: "one of " + caseNames(of: shapes[node.index])
        case .integerEnum: "one of " + listed(integers[ranges[node.index]].map(String.init))
        case .payloadEnum:
            "an object with one member, one of " + caseNames(of: shapes[node.index])
        }
    }

    private func caseNames(of shape: Shape) -> String {
        listed(shape.members.map { "\"" + name(of: $0) + "\"" })
    }

    /// The first cases: a sentence is for people.
    private func listed(_ cases: [String]) -> String {
        let shown = cases.prefix(12).joined(separator: ", ")
        return cases.count > 12 ? shown + " and \(cases.count - 12) more" : shown
    }
}
