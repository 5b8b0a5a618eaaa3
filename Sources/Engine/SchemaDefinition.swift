// Whether a proposed declaration makes sense by itself, whatever stands before it.
//
// Invariants: a definition that passes can be compiled (integer widths exist, names differ, the
// nesting is bounded), and each of its defaults is a value of its field.
internal import HoldfastBasics
internal import HoldfastRecords

/// Looks for the first thing wrong with a definition.
struct SchemaDefinition {
    private var fieldCount = 0

    /// What is wrong with a definition, with the path of the member at fault; nil when nothing is.
    static func refusal(of definition: TreeDefinition) -> Refusal? {
        do throws(Refusal) {
            if let transitions = definition.transitions {
                try check(transitions, isVersioned: definition.isVersioned)
            }
            if let schema = definition.schema {
                guard schema.version.major < .max, schema.version.minor < .max else {
                    throw bad("A version is two numbers below 65535.", "schema.version")
                }
                var check = SchemaDefinition()
                try check.fields(schema.fields, at: "schema.fields", depth: 1)
            }
            return nil
        } catch {
            return error
        }
    }

    private static func bad(_ detail: String, _ path: String) -> Refusal {
        Refusal(.badDefinition, detail, field: path)
    }

    private static func check(
        _ transitions: [StateTransition],
        isVersioned: Bool
    ) throws(Refusal) {
        guard isVersioned || transitions.isEmpty else {
            throw bad("Only the records of a versioned tree have states.", "transitions")
        }
        for (index, transition) in transitions.enumerated() {
            guard transition.from != .plain, transition.to != .plain else {
                throw bad("A versioned tree has no plain records.", "transitions.\(index)")
            }
            guard !transition.from.isReleased || transition.to.isReleased else {
                throw bad("A released record is released for ever.", "transitions.\(index)")
            }
        }
    }

    private mutating func fields(
        _ fields: [Field],
        at path: String,
        depth: Int
    ) throws(Refusal) {
        fieldCount += fields.count
        guard fieldCount <= Limits.fieldCountMax else {
            throw Self.bad(
                "A schema has at most \(Limits.fieldCountMax) fields, nested ones included.",
                path
            )
        }
        var names: Set<[UInt8]> = []
        for (index, field) in fields.enumerated() {
            let place = "\(path).\(index)"
            try name(field.name, at: place + ".name", among: &names)
            try type(field.type, at: place + ".type", depth: depth)
            try options(of: field, at: place, isTopLevel: depth == 1)
            try defaultValue(of: field, at: place + ".default")
        }
    }

    private func name(
        _ name: String,
        at path: String,
        among names: inout Set<[UInt8]>
    ) throws(Refusal) {
        let bytes = Array(name.utf8)
        guard bytes.withView(RecordID.isName), bytes.first != UInt8(ascii: "$") else {
            throw Self.bad(
                "A name is 1 to \(Limits.nameByteCountMax) bytes of UTF-8 without control "
                    + "characters and does not begin with $.",
                path
            )
        }
        guard names.insert(bytes).inserted else {
            throw Self.bad("The name '\(name)' stands twice.", path)
        }
    }

    private mutating func type(_ type: FieldType, at path: String, depth: Int) throws(Refusal) {
        guard depth < Limits.depthMax else {
            throw Self.bad("Types nest at most \(Limits.depthMax) deep, as values do.", path)
        }
        switch type {
        case .int(let bits), .uint(let bits):
            guard [8, 16, 32, 64].contains(bits) else {
                throw Self.bad("Integers have 8, 16, 32 or 64 bits.", path)
            }
        case .array(let element):
            try self.type(element, at: path + ".array", depth: depth + 1)
        case .dictionary(let element):
            try self.type(element, at: path + ".dictionary", depth: depth + 1)
        case .structure(let fields):
            try self.fields(fields, at: path + ".struct", depth: depth + 1)
        case .stringEnum(let cases, _):
            try count(cases.count, at: path)
            guard Set(cases.map { Array($0.utf8) }).count == cases.count else {
                throw Self.bad("A case stands twice.", path + ".enum.cases")
            }
        case .integerEnum(let cases, _):
            try count(cases.count, at: path)
            guard Set(cases).count == cases.count else {
                throw Self.bad("A case stands twice.", path + ".enum.cases")
            }
        case .payloadEnum(let cases, _):
            try count(cases.count, at: path)
            var names: Set<[UInt8]> = []
            for (index, one) in cases.enumerated() {
                let place = "\(path).enum.payload.\(index)"
                try name(one.name, at: place + ".name", among: &names)
                try fields(one.fields, at: place + ".fields", depth: depth + 2)
            }
        case .bool, .float, .double, .string, .date, .uuid, .data, .url, .decimal, .key, .file,
            .any:
            break
        }
    }

    private func count(_ cases: Int, at path: String) throws(Refusal) {
        guard (1...Limits.fieldCountMax).contains(cases) else {
            throw Self.bad("An enum has 1 to \(Limits.fieldCountMax) cases.", path + ".enum")
        }
    }

    private func options(
        of field: Field,
        at path: String,
        isTopLevel: Bool
    ) throws(Refusal) {
        guard field.isUnique || field.isIndexed else { return }
        let place = path + (field.isUnique ? ".unique" : ".indexed")
        guard isTopLevel else {
            throw Self.bad("Only fields of the value itself can be unique or indexed.", place)
        }
        guard field.type.isScalar else {
            throw Self.bad("Only a single number, text or truth value can be looked up.", place)
        }
        guard !field.isUnique || field.defaultValue == nil else {
            throw Self.bad(
                "A unique field has no default: all records without it would carry the same value.",
                place
            )
        }
    }

    private func defaultValue(of field: Field, at path: String) throws(Refusal) {
        guard let value = field.defaultValue else { return }
        if field.isOptional, value.withView({ $0.equals("null") }) { return }
        guard let failure = value.withView({ SchemaProgram(field.type).check($0) }) else { return }
        let inner = failure.path.reversed().map { "." + $0 }.joined()
        throw Self.bad("The default does not fit the type. " + failure.detail, path + inner)
    }
}

extension FieldType {
    /// Whether its values are single ones that an index can hold.
    var isScalar: Bool {
        switch self {
        case .bool, .int, .uint, .float, .double, .string, .date, .uuid, .data, .url, .decimal,
            .key, .stringEnum, .integerEnum:
            true
        case .file, .array, .structure, .dictionary, .payloadEnum, .any:
            false
        }
    }
}
