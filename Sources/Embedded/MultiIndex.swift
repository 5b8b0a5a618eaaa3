// Handles of ordered indexes.

/// Names an ordered index of a tree: any number of records may carry a value.
///
/// ```swift
/// static let byPackage = MultiIndex<Part, String>("package", \.package)
/// static let byPin = MultiIndex<Part, String>("pins", each: { $0.pins.map(\.name) })
/// ```
///
/// Texts are equal and ordered by UTF-8 bytes, other values by their own `<`.
public struct MultiIndex<R: Record, V: Comparable & Sendable & Codable>: Sendable {
    /// The field's stored name.
    let field: String
    /// Whether the values are computed, not the field itself.
    let isComputed: Bool
    /// The values a record is found by.
    let keys: @Sendable (borrowing R) -> [V]

    /// Names an index of a field.
    ///
    /// - Parameters:
    ///   - field: The field's stored name. When a database opens, name and path are compared.
    ///   - path: The property that holds it.
    public init(_ field: String, _ path: any KeyPath<R, V> & Sendable) {
        self.field = field
        isComputed = false
        keys = { (record: borrowing R) in [(copy record)[keyPath: path]] }
    }

    /// Names an index of values computed from a record.
    ///
    /// - Parameters:
    ///   - field: The stored name of the field they are computed from; it must exist.
    ///   - keys: Gives the values; pure. A value given twice counts once.
    public init(_ field: String, each keys: @escaping @Sendable (borrowing R) -> [V]) {
        self.field = field
        isComputed = true
        self.keys = keys
    }
}

/// An ordered index whose type of values is known to whoever opens it.
protocol AnyMultiIndex<R>: Sendable {
    /// The record's type.
    associatedtype R: Record
    /// The type of the values.
    associatedtype V: Comparable & Sendable & Codable

    /// The field's stored name.
    var field: String { get }
    /// Whether the values are computed, not the field itself.
    var isComputed: Bool { get }
    /// The values a record is found by.
    func values(of record: borrowing R) -> [V]
}

extension MultiIndex: AnyMultiIndex {
    /// The values a record is found by.
    func values(of record: borrowing R) -> [V] { keys(record) }
}

extension AnyMultiIndex {
    /// Whether two records are found by different values.
    func differs(_ a: R, _ b: R) -> Bool {
        values(of: a).map(IndexValue.init) != values(of: b).map(IndexValue.init)
    }
}
