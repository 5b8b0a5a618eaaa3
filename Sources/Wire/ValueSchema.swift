// The values of a tree as JSON Schema (2020-12): what a descriptor says, in words that others read.
//
// A value that the engine accepts is one of the schema. The other way round it is so as far as JSON
// Schema can say: to it `1.0` is an integer, and a name has characters, not bytes.
public import HoldfastBasics
internal import HoldfastJSONCoding
public import HoldfastRecords

/// Writes JSON Schema.
public enum ValueSchema {
    /// Appends the schemas of a tree's values, as members of an object of schemas.
    ///
    /// Shape: `"parts.Value":{...},"parts.Value.1":{...},"parts.Stored":{...}`: what a write takes,
    /// what each older major version took, and what a read gives.
    ///
    /// - Parameters:
    ///   - tree: Name of the tree.
    ///   - declaration: What it holds.
    ///   - buffer: Gets the members.
    public static func append(
        _ tree: TreeName,
        _ declaration: TreeDeclaration,
        to buffer: inout ByteBuffer
    ) {
        buffer.append(text: "\"\(tree).Value\":")
        guard let current = declaration.current else {
            buffer.append("{\"description\":\"Any JSON value: the tree has no schema.\"}")
            buffer.append(text: ",\n\"\(tree).Stored\":")
            return buffer.appendReference("\(tree).Value")
        }
        buffer.appendDescriptor(current, of: tree)
        // Of a major version the last minor one says all that any of them takes.
        var majors: [UInt16: Descriptor] = [:]
        for schema in declaration.schemas { majors[schema.version.major] = schema }
        majors[current.version.major] = nil
        let older = majors.values.sorted { $0.version < $1.version }
        for schema in older {
            buffer.append(text: ",\n\"\(tree).Value.\(schema.version.major)\":")
            buffer.appendDescriptor(schema, of: tree)
        }
        buffer.append(text: ",\n\"\(tree).Stored\":")
        guard !older.isEmpty else { return buffer.appendReference("\(tree).Value") }
        buffer.append("{\"anyOf\":[")
        buffer.appendReference("\(tree).Value")
        for schema in older {
            buffer.append(",")
            buffer.appendReference("\(tree).Value.\(schema.version.major)")
        }
        buffer.append("]}")
    }
}

extension ByteBuffer {
    fileprivate mutating func appendDescriptor(_ schema: Descriptor, of tree: TreeName) {
        append(text: "{\"title\":\"\(tree), version \(schema.version)\",")
        appendObject(schema.fields, orNull: false)
        append("}")
    }

    fileprivate mutating func appendReference(_ name: String) {
        append(text: "{\"$ref\":\"#/components/schemas/\(name)\"}")
    }

    /// The members that say what a value is.
    private mutating func append(_ type: FieldType, orNull: Bool) {
        switch type {
        case .bool: append("boolean", orNull)
        case .int(let bits):
            let high = Int64.max >> Int64(64 - bits)
            append("integer", orNull)
            append(text: ",\"format\":\"\(type.word)\"")
            append(text: ",\"minimum\":\(-high - 1),\"maximum\":\(high)")
        case .uint(let bits):
            let high = UInt64.max >> UInt64(64 - bits)
            append("integer", orNull)
            append(text: ",\"format\":\"\(type.word)\"")
            append(text: ",\"minimum\":0,\"maximum\":\(high)")
        case .float:
            // Whatever is nearer to the greatest number of the type than to infinity.
            append("number", orNull)
            append(",\"format\":\"float\",\"exclusiveMinimum\":-3.4028235677973366e38")
            append(",\"exclusiveMaximum\":3.4028235677973366e38")
        case .double:
            append("number", orNull)
            append(",\"format\":\"double\",\"minimum\":-1.7976931348623157e308")
            append(",\"maximum\":1.7976931348623157e308")
        case .string: append("string", orNull)
        case .date: append(shape: "Date", orNull)
        case .uuid: append(shape: "UUID", orNull)
        case .data: append(shape: "Data", orNull)
        case .url: append(shape: "URL", orNull)
        case .decimal: append(shape: "Decimal", orNull)
        case .file: append(shape: "FileReference", orNull)
        case .key(let tree):
            append(shape: "Reference", orNull)
            append(text: ",\"x-tree\":\"\(tree)\"")
        case .array(let element):
            append("array", orNull)
            append(",\"items\":{")
            append(element, orNull: false)
            append("}")
        case .dictionary(let element):
            append("object", orNull)
            append(",\"additionalProperties\":{")
            append(element, orNull: false)
            append("}")
        case .structure(let fields): appendObject(fields, orNull: orNull)
        case .stringEnum(let cases, let isOpen):
            append("string", orNull)
            append(cases: cases, orNull, isOpen) { $1.appendJSONString($0) }
        case .integerEnum(let cases, let isOpen):
            append("integer", orNull)
            append(cases: cases, orNull, isOpen) { $1.append(decimal: $0) }
        case .payloadEnum(let cases, let isOpen):
            append("object", orNull)
            append(",\"minProperties\":1,\"maxProperties\":1,\"additionalProperties\":false")
            append(",\"properties\":{")
            for (index, one) in cases.enumerated() {
                if index > 0 { append(",") }
                appendJSONString(one.name)
                append(":{")
                appendObject(one.fields, orNull: false)
                append("}")
            }
            append("}")
            append(open: isOpen)
        case .any: append("\"description\":\"Any JSON value.\"")
        }
    }

    private mutating func append(_ word: StaticString, _ orNull: Bool) {
        append("\"type\":")
        if orNull { append("[") }
        append("\"")
        append(word)
        append("\"")
        if orNull { append(",\"null\"]") }
    }

    /// A shape that stands in the contract.
    private mutating func append(shape name: String, _ orNull: Bool) {
        let reference = "\"$ref\":\"#/components/schemas/\(name)\""
        append(text: orNull ? "\"anyOf\":[{\(reference)},{\"type\":\"null\"}]" : reference)
    }

    private mutating func append<T>(
        cases: [T],
        _ orNull: Bool,
        _ isOpen: Bool,
        _ append: (T, inout ByteBuffer) -> Void
    ) {
        self.append(",\"enum\":")
        appendList(cases, append)
        if orNull {
            truncate(to: count - 1)
            self.append(",null]")
        }
        self.append(open: isOpen)
    }

    /// Whoever reads must be ready for cases of later minor versions.
    private mutating func append(open isOpen: Bool) {
        if isOpen { append(",\"x-open\":true") }
    }

    private mutating func appendObject(_ fields: [Field], orNull: Bool) {
        append("object", orNull)
        append(",\"additionalProperties\":false")
        let required = fields.filter { !$0.isOptional && $0.defaultValue == nil }
        if !required.isEmpty {
            append(",\"required\":")
            appendList(required) { $1.appendJSONString($0.name) }
        }
        append(",\"properties\":{")
        for (index, field) in fields.enumerated() {
            if index > 0 { append(",") }
            appendJSONString(field.name)
            append(":{")
            append(field.type, orNull: field.isOptional)
            if let value = field.defaultValue {
                append(",\"default\":")
                append(value)
            }
            if field.isUnique { append(",\"x-unique\":true") }
            if field.isIndexed { append(",\"x-indexed\":true") }
            append("}")
        }
        append("}")
    }
}
