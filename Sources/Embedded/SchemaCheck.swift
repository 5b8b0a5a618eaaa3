// Holds what the recorder saw against what the type does: samples go through the stored form and
// back, and indexes must look at the field they name.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastJSONCoding
internal import HoldfastRecords

/// A sample document, member by member.
struct SampleDocument {
    /// Stored names and their JSON.
    var members: [(name: String, json: [UInt8])]

    /// Takes an object apart.
    init(_ json: [UInt8]) throws(JSONError) {
        var members: [(name: String, json: [UInt8])] = []
        do {
            try json.withView { view in
                var scanner = JSONScanner(view)
                try scanner.enterObject()
                while let name = try scanner.nextMember() {
                    members.append((name.text ?? "", try scanner.skipValue().array))
                }
            }
        } catch let error as JSONError {
            throw error
        } catch {
            throw .empty
        }
        self.members = members
    }

    /// The object.
    var json: [UInt8] { JSONText.object(members) }

    /// A member's JSON.
    subscript(name: String) -> [UInt8]? {
        get { members.first { $0.name.sameBytes(as: name) }?.json }
        set {
            if let index = members.firstIndex(where: { $0.name.sameBytes(as: name) }) {
                if let newValue {
                    members[index].json = newValue
                } else {
                    members.remove(at: index)
                }
            } else if let newValue {
                members.append((name, newValue))
            }
        }
    }
}

/// Checks a record type whose schema has been recorded.
struct SchemaCheck<R: Record> {
    let fields: [Field]
    let samples: [[UInt8]]

    // MARK: Samples

    /// Decodes and encodes each sample: the same members must come out.
    func checkSamples() throws(Refusal) {
        for sample in samples {
            let encoded: [UInt8]
            do {
                encoded = try RecordEncoder().encode(RecordDecoder().decode(R.self, from: sample))
            } catch {
                throw bad(
                    "\(R.self) does not take a value its schema allows: \(error). So "
                        + "\(SchemaRecorder.hook)",
                    DecodingPath(error).text
                )
            }
            do {
                if let lost = try sample.withView({ sample in
                    try encoded.withView { try Self.lost(from: sample, in: $0) }
                }) {
                    throw bad("\(R.self) reads '\(lost)' and does not write it.", lost)
                }
            } catch let refusal as Refusal {
                throw refusal
            } catch {
                throw bad("\(R.self) writes no JSON: \(error)", "")
            }
            if let refusal = FieldType.structure(fields).refusal(of: encoded) {
                let field = refusal.field.map { String($0.dropFirst("value.".utf8.count)) }
                throw bad(
                    "\(R.self) writes other values than it reads. \(refusal.detail) So "
                        + "\(SchemaRecorder.hook)",
                    field ?? ""
                )
            }
        }
    }

    /// The path of a member that stands in one document and not in another.
    private static func lost(from a: ByteView, in b: ByteView) throws -> String? {
        var (left, right) = (JSONScanner(a), JSONScanner(b))
        let kind = try left.peekKind()
        guard kind == (try right.peekKind()) else { return nil }
        switch kind {
        case .object:
            var values: [[UInt8]: ByteView] = [:]
            try right.enterObject()
            while let name = try right.nextMember() {
                values[Array((name.text ?? "").utf8)] = try right.skipValue()
            }
            try left.enterObject()
            while let name = try left.nextMember() {
                let value = try left.skipValue()
                if value.equals("null") { continue }
                let text = name.text ?? ""
                guard let twin = values[Array(text.utf8)] else { return text }
                if let inner = try lost(from: value, in: twin) { return text + "." + inner }
            }
        case .array:
            try left.enterArray()
            try right.enterArray()
            var index = 0
            while try left.nextElement(), try right.nextElement() {
                if let inner = try lost(from: try left.skipValue(), in: try right.skipValue()) {
                    return "\(index).\(inner)"
                }
                index += 1
            }
        case .string, .number, .true, .false, .null: break
        }
        return nil
    }

    // MARK: Indexes

    /// Checks that an index looks at the field it names and at no other.
    ///
    /// - Parameters:
    ///   - name: The field.
    ///   - differs: Whether the index tells two records apart.
    ///   - value: What the index finds a record by, in JSON.
    /// - Throws: `bad-definition` when it looks elsewhere.
    func checkIndex(
        _ name: String,
        differs: (R, R) -> Bool,
        value: (R) throws -> [UInt8]
    ) throws(Refusal) {
        try checkField(name, of: "index")
        var altering: [String] = []
        do {
            let documents = try samples.map { json throws(JSONError) in try SampleDocument(json) }
            guard let base = documents.first else { return }
            let record = try RecordDecoder().decode(R.self, from: base.json)
            for field in fields
            where try variants(of: field, base, documents).contains(where: { differs(record, $0) })
            {
                altering.append(field.name)
            }
            guard altering.count == 1, altering[0].sameBytes(as: name) else {
                // A field with one value only shows nothing.
                if altering.isEmpty, try variants(of: name, base, documents).isEmpty { return }
                let seen = altering.isEmpty ? "no field" : "'\(altering.joined(separator: "', '"))'"
                throw bad(
                    "The index '\(name)' of \(R.self) looks at \(seen): name its field.",
                    name
                )
            }
            if let stored = base[name] {
                let found = try value(record)
                guard try Self.form(found) == Self.form(stored) else {
                    throw bad(
                        "The index '\(name)' of \(R.self) holds something made of the field, not "
                            + "the field: use MultiIndex with each.",
                        name
                    )
                }
            }
        } catch let refusal as Refusal {
            throw refusal
        } catch {
            throw bad("The index '\(name)' of \(R.self) cannot be tried: \(error)", name)
        }
    }

    /// Checks that a field exists.
    func checkField(_ name: String, of what: String) throws(Refusal) {
        guard fields.contains(where: { $0.name.sameBytes(as: name) }) else {
            throw bad("\(R.self) has no field '\(name)', which its \(what) names.", name)
        }
    }

    private func variants(
        of name: String,
        _ base: SampleDocument,
        _ documents: [SampleDocument]
    ) throws -> [R] {
        guard let field = fields.first(where: { $0.name.sameBytes(as: name) }) else { return [] }
        return try variants(of: field, base, documents)
    }

    /// Records that differ from a sample in one field only.
    private func variants(
        of field: Field,
        _ base: SampleDocument,
        _ documents: [SampleDocument]
    ) throws -> [R] {
        var records: [R] = []
        for document in documents {
            let other = document[field.name]
            guard other != base[field.name], other != nil || field.isOptional else { continue }
            var variant = base
            variant[field.name] = other
            do {
                records.append(try RecordDecoder().decode(R.self, from: variant.json))
            } catch {
                // The type takes this value only together with others.
                continue
            }
        }
        return records
    }

    private static func form(_ json: [UInt8]) throws -> [UInt8] {
        try json.withView { try CanonicalForm.bytes($0) }
    }

    private func bad(_ message: String, _ field: String) -> Refusal {
        Refusal(.badDefinition, message, field: field.isEmpty ? nil : field)
    }
}

/// Where coding failed, and why.
struct DecodingPath {
    /// Member names joined by dots, array elements as numbers.
    let text: String
    /// What is wrong there.
    let reason: String

    /// Reads an error of Codable; for any other the path is empty.
    init(_ error: any Error) {
        var path: [any CodingKey] = []
        var reason = "\(error)"
        switch error {
        case DecodingError.keyNotFound(let key, let context):
            path = context.codingPath + [key]
            reason = "it is missing, and the type gives no default"
        case DecodingError.valueNotFound(_, let context),
            DecodingError.typeMismatch(_, let context),
            DecodingError.dataCorrupted(let context):
            path = context.codingPath
            reason = context.debugDescription
        case EncodingError.invalidValue(_, let context):
            path = context.codingPath
            reason = context.debugDescription
        default: break
        }
        text = path.map { key in key.intValue.map(String.init) ?? key.stringValue }
            .joined(separator: ".")
        self.reason = reason
    }
}
