// What an application's type says to be stored.

/// A plain Codable struct that lives in one tree.
///
/// The key is never part of the value: it stands beside it in an ``Entry``. The type itself is the
/// schema: the stored names of its fields are its coding keys, and permanent. A property that is
/// renamed keeps its coding key.
///
/// ```swift
/// struct Part: Record, Hashable {
///     var number: String, title: String, package: String, stock: Int, pins: [Pin]
///     var footprint: Key<Footprint>?
///
///     static let byNumber = UniqueIndex<Part, String>("number", \.number)
///     static let byPackage = MultiIndex<Part, String>("package", \.package)
///     static func define(_ tree: inout TreeDefinition<Part>) {
///         tree.name = "parts"
///         tree.versioned = true
///         tree.unique(byNumber)
///         tree.index(byPackage)
///     }
/// }
/// ```
///
/// What may stand in a value: `Bool`, all integers up to 64 bits, `Float`, `Double`, `String`,
/// `Date`, `UUID`, `Data`, `URL`, `Decimal`, ``Key``, arrays, sets, dictionaries with `String`
/// keys, optionals, nested structs, and enums with raw values or payloads. A type whose
/// `init(from:)` cannot be understood by trying it says itself what it is: ``SchemaDescribed``.
public protocol Record: Codable, Sendable {
    /// ``Number`` (ids from key ranges) unless the type says otherwise: `typealias ID = Name`.
    associatedtype ID: RecordID = Number

    /// Says the tree's name, version and options.
    ///
    /// Pure: it gives the same each time, and may be called more than once.
    static func define(_ tree: inout TreeDefinition<Self>)
}
