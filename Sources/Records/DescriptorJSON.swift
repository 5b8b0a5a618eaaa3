// A schema version as JSON: how it is written.
//
// The bytes are canonical: members stand in one order and are left out when they say nothing, so
// that two descriptors are the same exactly when their bytes are.
public import HoldfastBasics
internal import HoldfastJSONCoding

extension Descriptor {
    /// The descriptor as canonical, normalised JSON.
    public var json: [UInt8] {
        var buffer = ByteBuffer()
        appendJSON(to: &buffer)
        return buffer.array
    }

    /// Appends the descriptor.
    public func appendJSON(to buffer: inout ByteBuffer) {
        buffer.append("{\"version\":")
        buffer.appendJSONString(version.description)
        buffer.append(",\"fields\":")
        buffer.appendFields(fields)
        buffer.append("}")
    }
}

extension FieldType {
    /// The type in one word, without what is inside: `int32`, `array`, `enum`.
    public var word: String {
        switch self {
        case .bool: "bool"
        case .int(let bits): "int\(bits)"
        case .uint(let bits): "uint\(bits)"
        case .float: "float"
        case .double: "double"
        case .string: "string"
        case .date: "date"
        case .uuid: "uuid"
        case .data: "data"
        case .url: "url"
        case .decimal: "decimal"
        case .key: "key"
        case .file: "file"
        case .array: "array"
        case .structure: "struct"
        case .dictionary: "dictionary"
        case .stringEnum, .integerEnum, .payloadEnum: "enum"
        case .any: "any"
        }
    }

    /// Types that are only a word, by that word.
    static let words: [(word: String, type: FieldType)] = {
        let integers = [8, 16, 32, 64].flatMap { [FieldType.int(bits: $0), .uint(bits: $0)] }
        let others: [FieldType] = [
            .bool, .float, .double, .string, .date, .uuid, .data, .url, .decimal, .file, .any,
        ]
        return (integers + others).map { ($0.word, $0) }
    }()
}

extension ByteBuffer {
    fileprivate mutating func appendFields(_ fields: [Field]) {
        appendList(fields) { field, buffer in
            buffer.append("{\"name\":")
            buffer.appendJSONString(field.name)
            buffer.append(",\"type\":")
            buffer.appendType(field.type)
            if field.isOptional { buffer.append(",\"optional\":true") }
            if let value = field.defaultValue {
                buffer.append(",\"default\":")
                buffer.append(value)
            }
            if field.isUnique { buffer.append(",\"unique\":true") }
            if field.isIndexed { buffer.append(",\"indexed\":true") }
            buffer.append("}")
        }
    }

    private mutating func appendType(_ type: FieldType) {
        switch type {
        case .array(let element):
            append("{\"array\":")
            appendType(element)
            append("}")
        case .dictionary(let element):
            append("{\"dictionary\":")
            appendType(element)
            append("}")
        case .structure(let fields):
            append("{\"struct\":")
            appendFields(fields)
            append("}")
        case .key(let tree):
            append("{\"key\":")
            appendJSONString(tree.description)
            append("}")
        case .stringEnum(let cases, let open):
            append("{\"enum\":{\"raw\":\"string\",\"cases\":")
            appendList(cases) { $1.appendJSONString($0) }
            appendOpen(open)
        case .integerEnum(let cases, let open):
            append("{\"enum\":{\"raw\":\"int64\",\"cases\":")
            appendList(cases) { $1.append(decimal: $0) }
            appendOpen(open)
        case .payloadEnum(let cases, let open):
            append("{\"enum\":{\"payload\":")
            appendList(cases) { one, buffer in
                buffer.append("{\"name\":")
                buffer.appendJSONString(one.name)
                buffer.append(",\"fields\":")
                buffer.appendFields(one.fields)
                buffer.append("}")
            }
            appendOpen(open)
        case .bool, .int, .uint, .float, .double, .string, .date, .uuid, .data, .url, .decimal,
            .file, .any:
            appendJSONString(type.word)
        }
    }

    private mutating func appendOpen(_ isOpen: Bool) {
        append(isOpen ? ",\"open\":true}}" : ",\"open\":false}}")
    }
}
