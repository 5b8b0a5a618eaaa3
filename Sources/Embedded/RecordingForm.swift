// Types of the library, and keys, whose form in a schema is known without trying them.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastJSONCoding
internal import HoldfastRecords

/// A type that tells the recorder what it is.
protocol RecordingForm {
    /// Gives a `Recording` of the type.
    static func record(_ recorder: SchemaRecorder) throws -> Any
}

extension Optional: RecordingForm where Wrapped: Decodable {
    static func record(_ recorder: SchemaRecorder) throws -> Any {
        let inner = try recorder.see(Wrapped.self, at: [])
        guard !inner.isOptional else {
            throw recorder.finding("is optional twice: one level is enough", at: [])
        }
        let samples = inner.samples.map { Sample<Wrapped?>(value: $0.value, json: $0.json) }
        return Recording<Wrapped?>(
            type: inner.type,
            shape: inner.shape,
            isOptional: true,
            samples: samples + [Sample(value: nil, json: Array("null".utf8))]
        )
    }
}

extension SchemaRecorder {
    /// What is inside a container, which has no place for null.
    fileprivate func element<T: Decodable>(_ type: T.Type) throws -> Recording<T> {
        let element = try see(type, at: [])
        guard !element.isOptional else {
            throw finding("holds optionals: leave absent elements out", at: [])
        }
        return element
    }

    /// What a type makes of a stored value: decodes it and encodes it again.
    fileprivate func rewriting<T: Codable & SendableMetatype>(
        _ type: T.Type
    ) -> @Sendable (ByteView) throws -> [UInt8] {
        { try RecordEncoder().encode(try RecordDecoder().decode(T.self, from: $0)) }
    }

    /// Arrays of one element each.
    fileprivate func list<C>(_ inner: [[UInt8]], _ values: [C]) -> [Sample<C>] {
        zip(values, inner).map { Sample(value: $0, json: Array("[".utf8) + $1 + Array("]".utf8)) }
    }
}

extension Array: RecordingForm where Element: Decodable {
    static func record(_ recorder: SchemaRecorder) throws -> Any {
        let inner = try recorder.element(Element.self)
        return Recording<[Element]>(
            type: .array(inner.type),
            shape: .array(inner.shape),
            samples: recorder.list(inner.samples.map(\.json), inner.samples.map { [$0.value] })
        )
    }
}

extension Set: RecordingForm where Element: Decodable {
    static func record(_ recorder: SchemaRecorder) throws -> Any {
        let inner = try recorder.element(Element.self)
        guard let known = Element.self as? any (Codable & SendableMetatype).Type else {
            throw recorder.finding("holds \(Element.self), which is not Codable", at: [])
        }
        return Recording<Set<Element>>(
            type: .array(inner.type),
            shape: .set(inner.shape, asKnown: recorder.rewriting(known)),
            samples: recorder.list(inner.samples.map(\.json), inner.samples.map { [$0.value] })
        )
    }
}

extension Dictionary: RecordingForm where Key: Decodable, Value: Decodable {
    static func record(_ recorder: SchemaRecorder) throws -> Any {
        guard Key.self == String.self else {
            throw recorder.finding(
                "is a dictionary whose keys are \(Key.self): only String keys stand in JSON as "
                    + "members",
                at: []
            )
        }
        let inner = try recorder.element(Value.self)
        let samples = inner.samples.compactMap { sample in
            ("k" as? Key).map { key in
                Sample<[Key: Value]>(
                    value: [key: sample.value],
                    json: JSONText.object([("k", sample.json)])
                )
            }
        }
        return Recording<[Key: Value]>(
            type: .dictionary(inner.type),
            shape: .dictionary(inner.shape),
            samples: samples
        )
    }
}

extension Key: RecordingForm {
    static func record(_ recorder: SchemaRecorder) throws -> Any {
        let name = TreeDefinition<R>.defined.name
        guard let tree = TreeName(name) else {
            throw recorder.finding("refers to \(R.self), whose tree '\(name)' has no name", at: [])
        }
        let samples = ["1.0", "2.0", "1.1"].compactMap { text in
            Key(text: text).map { Sample(value: $0, json: Array("\"\(text)\"".utf8)) }
        }
        guard !samples.isEmpty else {
            throw recorder.finding("refers to \(R.self), whose ids refuse '1' and '2'", at: [])
        }
        return Recording<Key>(type: .key(tree: tree), shape: .plain, samples: samples)
    }
}

extension SchemaDescribed {
    /// Gives a `Recording` of what the type says, after trying its samples.
    static func describe(_ recorder: SchemaRecorder) throws -> Any {
        let type = try declaredType(recorder)
        let values = samples
        guard !values.isEmpty else {
            throw recorder.finding("is of type \(Self.self), which gives no samples", at: [])
        }
        var recorded: [Sample<Self>] = []
        for value in values {
            let json: [UInt8]
            do {
                json = try RecordEncoder().encode(value)
                _ = try RecordDecoder().decode(Self.self, from: json)
            } catch {
                throw recorder.finding(
                    "is of type \(Self.self), one of whose samples does not encode and decode: "
                        + "\(error)",
                    at: []
                )
            }
            if let refusal = type.refusal(of: json) {
                throw recorder.finding(
                    "is of type \(Self.self), whose samples are not what it says: "
                        + refusal.detail,
                    at: []
                )
            }
            recorded.append(Sample(value: value, json: json))
        }
        return Recording<Self>(type: type, shape: ValueShape(type), samples: recorded)
    }

    private static func declaredType(_ recorder: SchemaRecorder) throws -> FieldType {
        let text =
            "{\"version\":\"1.0\",\"fields\":[{\"name\":\"value\",\"type\":\(schemaType)}]}"
        do {
            let document = try Array(text.utf8).withView { try JSONNormalizer.normalized($0) }
            let descriptor = try document.withView { view in
                var reader = FormReader(view, isStrict: true)
                return try reader.descriptor()
            }
            if descriptor.fields.count == 1 { return descriptor.fields[0].type }
        } catch let error as FormError {
            throw recorder.finding(
                "is of type \(Self.self), whose schemaType is none: \(error.detail)",
                at: []
            )
        } catch {
            throw recorder.finding(
                "is of type \(Self.self), whose schemaType is no JSON: \(error)",
                at: []
            )
        }
        throw recorder.finding("is of type \(Self.self), whose schemaType is none", at: [])
    }
}

extension FieldType {
    /// Why a value is none of this type; nil when it is one.
    func refusal(of json: [UInt8]) -> HoldfastRecords.Refusal? {
        let schema = Descriptor(
            version: SchemaVersion(1, 0),
            fields: [Field(name: "value", type: self)]
        )
        let declaration = TreeDeclaration(
            keys: .id,
            isVersioned: false,
            borrow: .optional,
            schemas: [schema]
        )
        return JSONText.object([("value", json)]).withView {
            SchemaValidator(declaration).validate($0, writtenWith: nil)
        }
    }
}
