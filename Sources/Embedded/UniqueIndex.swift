// Handles of unique fields.

/// Names a field of which no two ids of a tree carry the same value.
///
/// The handle is the index's name, its field and the type of its values in one place:
///
/// ```swift
/// static let byNumber = UniqueIndex<Part, String>("number", \.number)
/// let found = try db.tree(Part.self).find(Part.byNumber, "R-100")
/// ```
///
/// Values compare by their bytes in JSON, texts by UTF-8; nil is not indexed.
public struct UniqueIndex<R: Record, V: Hashable & Sendable & Codable>: Sendable {
    /// The field's stored name.
    let field: String
    /// Where the field is in the Swift type.
    let path: any KeyPath<R, V> & Sendable

    /// Names an index.
    ///
    /// - Parameters:
    ///   - field: The field's stored name. When a database opens, name and path are compared.
    ///   - path: The property that holds it.
    public init(_ field: String, _ path: any KeyPath<R, V> & Sendable) {
        self.field = field
        self.path = path
    }
}

/// A unique index whose type of values is known to whoever opens it.
protocol AnyUniqueIndex<R>: Sendable {
    /// The record's type.
    associatedtype R: Record
    /// The type of the field.
    associatedtype V: Hashable & Sendable & Codable

    /// The field's stored name.
    var field: String { get }
    /// The field's value.
    func value(of record: R) -> V
}

extension UniqueIndex: AnyUniqueIndex {
    /// The field's value.
    func value(of record: R) -> V { record[keyPath: path] }
}

extension AnyUniqueIndex {
    /// The bytes by which the field's value compares; nil when it is not indexed.
    func bytes(of record: R) -> [UInt8]? { IndexBytes.bytes(of: value(of: record)) }

    /// Whether two records differ in the field.
    func differs(_ a: R, _ b: R) -> Bool {
        bytes(of: a) != bytes(of: b)
    }
}
