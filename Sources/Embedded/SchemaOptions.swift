// Puts a tree's options into its recorded schema.
internal import HoldfastRecords

extension FieldType {
    /// This type with an enum inside it open.
    ///
    /// - Parameter path: Names of fields on the way to it; empty when it is this type itself.
    /// - Returns: The type; nil when there is no enum at that path.
    func opening(_ path: ArraySlice<String>) -> FieldType? {
        switch self {
        case .array(let element): return element.opening(path).map { .array($0) }
        case .dictionary(let element): return element.opening(path).map { .dictionary($0) }
        case .structure(let fields):
            return fields.opening(path).map { .structure($0) }
        case .stringEnum(let cases, _):
            return path.isEmpty ? .stringEnum(cases: cases, open: true) : nil
        case .integerEnum(let cases, _):
            return path.isEmpty ? .integerEnum(cases: cases, open: true) : nil
        case .payloadEnum(let cases, let isOpen):
            guard let first = path.first else { return .payloadEnum(cases: cases, open: true) }
            var cases = cases
            guard let index = cases.firstIndex(where: { $0.name.sameBytes(as: first) }),
                let fields = cases[index].fields.opening(path.dropFirst())
            else { return nil }
            cases[index] = PayloadCase(name: first, fields: fields)
            return .payloadEnum(cases: cases, open: isOpen)
        case .bool, .int, .uint, .float, .double, .string, .date, .uuid, .data, .url, .decimal,
            .key, .file, .any:
            return nil
        }
    }

    /// Whether its values are single ones that the server's indexes hold.
    var isIndexable: Bool {
        switch self {
        case .bool, .int, .uint, .float, .double, .string, .date, .uuid, .data, .url, .decimal,
            .key, .stringEnum, .integerEnum:
            true
        case .file, .array, .structure, .dictionary, .payloadEnum, .any: false
        }
    }
}

extension [Field] {
    /// These fields with an enum inside them open; nil when there is none at that path.
    func opening(_ path: ArraySlice<String>) -> [Field]? {
        guard let first = path.first,
            let index = firstIndex(where: { $0.name.sameBytes(as: first) }),
            let type = self[index].type.opening(path.dropFirst())
        else { return nil }
        var fields = self
        fields[index] = self[index].with(type: type)
        return fields
    }
}

extension Field {
    /// The field with another type, or marked for look-up.
    func with(type: FieldType? = nil, isUnique: Bool = false, isIndexed: Bool = false) -> Field {
        Field(
            name: name,
            type: type ?? self.type,
            isOptional: isOptional,
            defaultValue: defaultValue,
            isUnique: self.isUnique || isUnique,
            isIndexed: self.isIndexed || isIndexed
        )
    }
}
