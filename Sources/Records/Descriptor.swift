// What a schema version says of the values of a tree.

/// The type of a field's value, and how it is written in JSON.
public indirect enum FieldType: Hashable, Sendable {
    /// `true` or `false`.
    case bool
    /// Signed integer of 8, 16, 32 or 64 bits: digits without fraction or exponent, in range.
    case int(bits: Int)
    /// Unsigned integer of 8, 16, 32 or 64 bits.
    case uint(bits: Int)
    /// A finite number of 32 bits precision.
    case float
    /// A finite number of 64 bits precision.
    case double
    /// Text.
    case string
    /// Text: RFC 3339 in UTC, to the millisecond.
    case date
    /// Text: RFC 9562.
    case uuid
    /// Text: base64.
    case data
    /// Text: an absolute or relative reference.
    case url
    /// Text: a decimal number.
    case decimal
    /// Text: a reference `12.0` into a tree; its shape is checked, not that the record exists.
    case key(tree: TreeName)
    /// A reference to a file: `{"$file":...,"size":...,"type":...,"name":...}`.
    case file
    /// Array of one type.
    case array(FieldType)
    /// Object with fields.
    case structure([Field])
    /// Object with any names and one type of value.
    case dictionary(FieldType)
    /// One of some texts; an open one may get more in a minor version.
    case stringEnum(cases: [String], open: Bool)
    /// One of some integers.
    case integerEnum(cases: [Int64], open: Bool)
    /// One member named after the case, its value an object with the payload's fields.
    case payloadEnum(cases: [PayloadCase], open: Bool)
    /// Any JSON value.
    case any
}

/// A case of an enum that carries a payload.
public struct PayloadCase: Hashable, Sendable {
    /// The member's name.
    public let name: String
    /// Fields of its value.
    public let fields: [Field]

    /// Names a case.
    public init(name: String, fields: [Field]) {
        self.name = name
        self.fields = fields
    }
}

/// A field: a member of the value's object.
public struct Field: Hashable, Sendable {
    /// The stored name, permanent.
    public let name: String
    /// The type of its value.
    public let type: FieldType
    /// May be absent or null.
    public let isOptional: Bool
    /// Normalised JSON read when the member is absent; nil when there is no default.
    public let defaultValue: [UInt8]?
    /// No two ids of the tree carry the same value.
    public let isUnique: Bool
    /// Looked up, not scanned.
    public let isIndexed: Bool

    /// Names a field.
    public init(
        name: String,
        type: FieldType,
        isOptional: Bool = false,
        defaultValue: [UInt8]? = nil,
        isUnique: Bool = false,
        isIndexed: Bool = false
    ) {
        self.name = name
        self.type = type
        self.isOptional = isOptional
        self.defaultValue = defaultValue
        self.isUnique = isUnique
        self.isIndexed = isIndexed
    }
}

/// One schema version of a tree.
public struct Descriptor: Hashable, Sendable {
    /// Its version.
    public let version: SchemaVersion
    /// Fields of the value's object.
    public let fields: [Field]

    /// Names a schema version.
    public init(version: SchemaVersion, fields: [Field]) {
        self.version = version
        self.fields = fields
    }
}
