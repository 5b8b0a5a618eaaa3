// What trying a type has shown.
internal import HoldfastBasics
internal import HoldfastRecords

/// Why a type has no schema, and where.
struct SchemaFinding: Error {
    /// Stored names from the outside in.
    var path: [String]
    /// What is wrong and what to do.
    let reason: String
}

/// A value that a type accepts, and its JSON.
struct Sample<T> {
    let value: T
    let json: [UInt8]
}

/// A type's place in a schema, and values to try it with.
struct Recording<T> {
    /// The type in the schema.
    let type: FieldType
    /// What a value's members are known to be.
    let shape: ValueShape
    /// Whether null is a value.
    var isOptional = false
    /// One at least.
    let samples: [Sample<T>]

    /// The sample of an ordinal; they are used in turn.
    func sample(_ index: Int) -> Sample<T> { samples[index % samples.count] }
}

/// The members a type knows, at every level.
indirect enum ValueShape: Sendable {
    /// A value without members, or one about which nothing is known.
    case plain
    /// An object with these members.
    case object([Member])
    /// An array.
    case array(ValueShape)
    /// An array without order; the closure decodes an element and encodes it again.
    case set(ValueShape, asKnown: @Sendable (ByteView) throws -> [UInt8])
    /// An object with any members.
    case dictionary(ValueShape)

    /// A member that is known.
    struct Member: Sendable {
        /// The stored name in UTF-8.
        let name: [UInt8]
        let shape: ValueShape
    }

    /// Whether a set stands anywhere in it.
    var hasSets: Bool {
        switch self {
        case .plain: false
        case .set: true
        case .array(let element), .dictionary(let element): element.hasSets
        case .object(let members): members.contains { $0.shape.hasSets }
        }
    }

    /// The shape of a type of which only the declaration is known.
    init(_ type: FieldType) {
        switch type {
        case .array(let element): self = .array(ValueShape(element))
        case .dictionary(let element): self = .dictionary(ValueShape(element))
        case .structure(let fields): self = .object(Self.members(fields))
        case .payloadEnum(let cases, _):
            self = .object(
                cases.map {
                    Member(name: Array($0.name.utf8), shape: .object(Self.members($0.fields)))
                }
            )
        case .bool, .int, .uint, .float, .double, .string, .date, .uuid, .data, .url, .decimal,
            .key,
            .file, .stringEnum, .integerEnum, .any:
            self = .plain
        }
    }

    private static func members(_ fields: [Field]) -> [Member] {
        fields.map { Member(name: Array($0.name.utf8), shape: ValueShape($0.type)) }
    }
}

/// A field that a type was seen to read.
struct SeenField {
    let name: String
    let type: FieldType
    let shape: ValueShape
    var isOptional: Bool

    /// As a schema has it.
    var field: Field { Field(name: name, type: type, isOptional: isOptional) }

    /// As a value has it.
    var member: ValueShape.Member { ValueShape.Member(name: Array(name.utf8), shape: shape) }
}
