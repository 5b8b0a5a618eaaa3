// A field of a tree's values by its name, and how its value is found in a document.
public import HoldfastBasics
internal import HoldfastJSONCoding
public import HoldfastRecords

/// A field of the current schema version, or one inside a struct, a dictionary or a file.
///
/// Names are compared by their bytes.
public struct FieldPath: Hashable, Sendable, CustomStringConvertible {
    /// Names of members from the outside in, never empty.
    let names: [[UInt8]]
    /// The type of the value.
    public let type: FieldType
    /// Whether no two ids carry the same value.
    let isUnique: Bool
    /// Normalised JSON that stands for an absent value; nil when nothing does.
    let defaultValue: [UInt8]?
    /// Whether a value must be there.
    public let isRequired: Bool

    /// Finds a field.
    ///
    /// A name that holds dots itself is found before one inside another.
    ///
    /// - Parameters:
    ///   - text: Names of members, joined by dots.
    ///   - descriptor: The tree's current version; nil for a tree without schema.
    /// - Throws: When there is no such field.
    public init(_ text: String, in descriptor: Descriptor?) throws(QueryError) {
        guard let descriptor else {
            throw QueryError("The tree has no schema: it knows no field '\(text)'.")
        }
        guard let found = Self.find(text, in: descriptor.fields, []) else {
            throw QueryError("Version \(descriptor.version) has no field '\(text)'.")
        }
        self = found
    }

    /// The fields declared `indexed`: always fields of the value itself, of a scalar type.
    static func indexed(_ descriptor: Descriptor?) -> [FieldPath] {
        (descriptor?.fields ?? []).filter { $0.isIndexed && $0.type.isScalar }.map {
            FieldPath([Array($0.name.utf8)], $0)
        }
    }

    /// A field of the value itself.
    public init(_ field: Field) { self.init([Array(field.name.utf8)], field) }

    /// Finds a field that is to be shown; in a tree without schema any is, and dots lead inwards.
    ///
    /// - Parameters:
    ///   - text: Names of members, joined by dots.
    ///   - descriptor: The tree's current version; nil for a tree without schema.
    /// - Throws: When there is no such field.
    public init(shown text: String, in descriptor: Descriptor?) throws(QueryError) {
        guard descriptor == nil else {
            self = try FieldPath(text, in: descriptor)
            return
        }
        guard !text.isEmpty else {
            throw QueryError("Name fields, separated by commas, as number,stock.")
        }
        let names = text.split(separator: ".", omittingEmptySubsequences: false)
        self.init(names.map { Array($0.utf8) }, Field(name: "", type: .any))
    }

    private init(_ names: [[UInt8]], _ field: Field) {
        self.names = names
        type = field.type
        isUnique = field.isUnique
        let value = field.defaultValue
        isRequired = !field.isOptional && value == nil
        defaultValue = value.map { $0.withView { $0.equals("null") } } == true ? nil : value
    }

    private static func find(
        _ text: String,
        in fields: [Field],
        _ outer: [[UInt8]]
    ) -> FieldPath? {
        let bytes = Array(text.utf8)
        if let field = fields.first(where: { Array($0.name.utf8) == bytes }) {
            return FieldPath(outer + [bytes], field)
        }
        for field in fields {
            let name = Array(field.name.utf8)
            guard bytes.count > name.count + 1, bytes.starts(with: name),
                bytes[name.count] == UInt8(ascii: ".")
            else { continue }
            let rest = String(decoding: bytes[(name.count + 1)...], as: UTF8.self)
            if let found = find(rest, inside: field.type, outer + [name]) { return found }
        }
        return nil
    }

    private static func find(
        _ text: String,
        inside type: FieldType,
        _ outer: [[UInt8]]
    ) -> FieldPath? {
        switch type {
        case .structure(let fields): return find(text, in: fields, outer)
        case .file: return find(text, in: fileFields, outer)
        case .dictionary(let element):
            if element.isScalar { return FieldPath(outer + [Array(text.utf8)], member(element)) }
            // Of several names only the last may hold dots.
            guard let dot = text.utf8.firstIndex(of: UInt8(ascii: ".")) else {
                return FieldPath(outer + [Array(text.utf8)], member(element))
            }
            let name = Array(text.utf8[..<dot])
            let rest = String(decoding: text.utf8[text.utf8.index(after: dot)...], as: UTF8.self)
            return find(rest, inside: element, outer + [name])
        default: return nil
        }
    }

    /// What a dictionary has under any name.
    private static func member(_ type: FieldType) -> Field { Field(name: "", type: type) }

    /// What every reference to a file has.
    private static var fileFields: [Field] {
        [
            Field(name: "$file", type: .string), Field(name: "size", type: .uint(bits: 64)),
            Field(name: "type", type: .string), Field(name: "name", type: .string),
        ]
    }

    /// The names, joined by dots.
    public var description: String {
        names.map { String(decoding: $0, as: UTF8.self) }.joined(separator: ".")
    }

    /// Whether an index of unique values answers for the field.
    var isLookedUp: Bool { isUnique && names.count == 1 }

    /// The value a document has at this path.
    ///
    /// - Parameter document: Normalised JSON.
    /// - Returns: The value as it stands there; nil when it, or what it is inside of, is absent or
    ///   null. The default is not looked at.
    public func value(in document: ByteView) -> ByteView? {
        var found = document
        for name in names {
            guard let member = name.withView({ Self.member($0, of: found) }) else { return nil }
            found = member
        }
        return found.equals("null") ? nil : found
    }

    private static func member(_ name: ByteView, of document: ByteView) -> ByteView? {
        do throws(JSONError) {
            return try JSONScanner.member(named: name, in: document)
        } catch {
            // No normalised document has such bytes.
            return nil
        }
    }
}
