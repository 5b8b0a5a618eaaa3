// A schema version as JSON: how it is read. Only the form is checked here; whether the definition
// makes sense (widths, names, defaults, limits) is the engine's to say, whoever made it.
//
// Types nest no deeper than the document does, whose depth was bounded when it was normalised.
internal import HoldfastBasics
internal import HoldfastJSONCoding

extension FormReader {
    /// Reads `{"version":"1.0","fields":[...]}`.
    ///
    /// - Throws: `unfit`, `unknownMember` or `missingMember` with the path.
    public mutating func descriptor() throws(FormError) -> Descriptor {
        let start = try enterObject("a schema with version and fields")
        var version: SchemaVersion?
        var fields: [Field]?
        while let name = try nextMember() {
            switch name {
            case "version": version = try schemaVersion()
            case "fields": fields = try self.fields()
            default: try unknownMember()
            }
        }
        return Descriptor(
            version: try required(version, "version", at: start),
            fields: try required(fields, "fields", at: start)
        )
    }

    /// Reads a schema version like `"1.0"`.
    ///
    /// - Throws: `unfit` when it is none.
    public mutating func schemaVersion() throws(FormError) -> SchemaVersion {
        try word("a version like \"1.0\"") { SchemaVersion($0.text) }
    }

    private mutating func fields() throws(FormError) -> [Field] {
        var fields: [Field] = []
        try enterArray()
        while try nextElement() { fields.append(try field()) }
        return fields
    }

    private mutating func field() throws(FormError) -> Field {
        let start = try enterObject("a field with name and type")
        var fieldName: String?
        var type: FieldType?
        var isOptional = false
        var defaultValue: [UInt8]?
        var isUnique = false
        var isIndexed = false
        while let name = try nextMember() {
            switch name {
            case "name": fieldName = try text()
            case "type": type = try fieldType()
            case "optional": isOptional = try bool()
            case "default": if try !null() { defaultValue = try skipValue().array }
            case "unique": isUnique = try bool()
            case "indexed": isIndexed = try bool()
            default: try unknownMember()
            }
        }
        return Field(
            name: try required(fieldName, "name", at: start),
            type: try required(type, "type", at: start),
            isOptional: isOptional,
            defaultValue: defaultValue,
            isUnique: isUnique,
            isIndexed: isIndexed
        )
    }

    private mutating func fieldType() throws(FormError) -> FieldType {
        let expected =
            "a type: bool, int8 to int64, uint8 to uint64, float, double, string, date, uuid, "
            + "data, url, decimal, file, any, or an object with the one member array, struct, "
            + "dictionary, key or enum"
        let start = scanner.offset
        guard document.count > start, document[start] == UInt8(ascii: "{") else {
            return try word(expected) { text in
                FieldType.words.first { Array($0.word.utf8).withView { $0 == text } }?.type
            }
        }
        _ = try enterObject(expected)
        guard let name = try nextMember() else { throw unfit(expected, at: start) }
        let type: FieldType
        switch name {
        case "array": type = .array(try fieldType())
        case "dictionary": type = .dictionary(try fieldType())
        case "struct": type = .structure(try fields())
        case "key": type = .key(tree: try treeName())
        case "enum": type = try enumeration()
        default: throw unfit(expected, at: start)
        }
        guard try nextMember() == nil else { throw unfit(expected, at: start) }
        return type
    }

    private mutating func enumeration() throws(FormError) -> FieldType {
        let expected = "an enum with raw and cases, or with payload"
        let start = try enterObject(expected)
        var isText: Bool?
        var cases: JSONScanner?
        var payload: [PayloadCase]?
        var isOpen = false
        while let name = try nextMember() {
            switch name {
            case "raw":
                isText = try word("\"string\" or \"int64\"") { text in
                    text.equals("string") ? true : text.equals("int64") ? false : nil
                }
            case "cases":
                // Read when it is known what they are.
                cases = scanner
                try skipValue()
            case "payload": payload = try payloadCases()
            case "open": isOpen = try bool()
            default: try unknownMember()
            }
        }
        if let payload {
            guard isText == nil, cases == nil else { throw unfit(expected, at: start) }
            return .payloadEnum(cases: payload, open: isOpen)
        }
        guard let isText, let cases else { throw unfit(expected, at: start) }
        var reader = self
        reader.scanner = cases
        if isText {
            return .stringEnum(
                cases: try reader.list { r throws(FormError) in try r.text() },
                open: isOpen
            )
        }
        return .integerEnum(
            cases: try reader.list { r throws(FormError) in try r.integer(Int64.min...Int64.max) },
            open: isOpen
        )
    }

    private mutating func payloadCases() throws(FormError) -> [PayloadCase] {
        try list { reader throws(FormError) in
            let start = try reader.enterObject("a case with name and fields")
            var caseName: String?
            var fields: [Field]?
            while let name = try reader.nextMember() {
                switch name {
                case "name": caseName = try reader.text()
                case "fields": fields = try reader.fields()
                default: try reader.unknownMember()
                }
            }
            return PayloadCase(
                name: try reader.required(caseName, "name", at: start),
                fields: try reader.required(fields, "fields", at: start)
            )
        }
    }

    /// Reads an array, its elements by a closure.
    mutating func list<T>(
        _ element: (inout FormReader) throws(FormError) -> T
    ) throws(FormError) -> [T] {
        var list: [T] = []
        try enterArray()
        while try nextElement() { list.append(try element(&self)) }
        return list
    }
}
