// Handles of ordered indexes.

/// Names an ordered index of a tree: any number of records may carry a value.
///
/// ```swift
/// static let byPackage = MultiIndex<Part, String>("package", \.package)
/// static let byPin = MultiIndex<Part, String>("pins", each: { $0.pins.map(\.name) })
/// ```
///
/// It is a view of the tree: it changes in the same step as the records, and is folded when it is
/// first asked for. Texts are equal and ordered by UTF-8 bytes, other values by their own `<`.
public struct MultiIndex<R: Record, V: Comparable & Sendable & Codable>: Sendable {
    /// The values a record is found by.
    let values: RecordValues<R, V>

    /// Names an index of a field.
    ///
    /// - Parameters:
    ///   - field: The field's stored name. When a database opens, name and path are compared.
    ///   - path: The property that holds it.
    ///   - revisions: The revision of each id that is found by its value.
    public init(
        _ field: String,
        _ path: any KeyPath<R, V> & Sendable,
        of revisions: Revisions = .latest
    ) {
        values = RecordValues(field, path, of: revisions)
    }

    /// Names an index of values computed from a record.
    ///
    /// - Parameters:
    ///   - field: The stored name of the field they are computed from; it must exist.
    ///   - revisions: The revision of each id that is found by its values.
    ///   - version: Given one, the index keeps a checkpoint; raise it with every change of what
    ///     `keys` gives.
    ///   - keys: Gives the values; pure. A value given twice counts once.
    public init(
        _ field: String,
        of revisions: Revisions = .latest,
        version: Int? = nil,
        each keys: @escaping @Sendable (borrowing R) -> [V]
    ) {
        values = RecordValues(field, of: revisions, version: version, each: keys)
    }
}

extension MultiIndex: ValueView {
    /// The view behind it.
    var view: any RecordView<R> { IndexView(index: self) }
}
