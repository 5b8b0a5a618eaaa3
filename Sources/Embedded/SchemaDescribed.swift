// The word of a type whose schema cannot be seen.

/// A type that says itself how its values stand in a schema.
///
/// A schema is found by trying a type's `init(from:)` on samples. That cannot show which members a
/// decoder reads only for some values, what a superclass reads, or anything at all when
/// `init(from:)` refuses every sample. Such a type conforms to this protocol. Its word is not taken
/// on trust: each of its samples is encoded and must be what it says.
///
/// ```swift
/// /// Keeps the cases that a newer version added.
/// enum Kind: SchemaDescribed, Hashable {
///     case resistor, capacitor, other(String)
///
///     static let schemaType = """
///         {"enum":{"raw":"string","cases":["resistor","capacitor"],"open":true}}
///         """
///     static let samples: [Kind] = [.resistor, .capacitor]
///
///     init(from decoder: any Decoder) throws {
///         switch try decoder.singleValueContainer().decode(String.self) {
///         case "resistor": self = .resistor
///         case "capacitor": self = .capacitor
///         case let text: self = .other(text)
///         }
///     }
///     func encode(to encoder: any Encoder) throws {
///         var container = encoder.singleValueContainer()
///         switch self {
///         case .resistor: try container.encode("resistor")
///         case .capacitor: try container.encode("capacitor")
///         case .other(let text): try container.encode(text)
///         }
///     }
/// }
/// ```
public protocol SchemaDescribed: Codable {
    /// The type in JSON, as a tree's declaration writes it: `"string"`, `{"array":"int64"}`,
    /// `{"struct":[{"name":"x","type":"double"}]}`.
    static var schemaType: String { get }

    /// Values to try the type with: one at least, better two that differ.
    static var samples: [Self] { get }
}
