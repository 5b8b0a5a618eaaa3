// What handles of views by value have in common: a field, or what is computed of it.
internal import HoldfastRecords

/// The values a record stands under in a view.
struct RecordValues<R: Record, V: Comparable & Sendable & Codable>: Sendable {
    /// The field's stored name.
    let field: String
    /// Whether the values are computed, not the field itself.
    let isComputed: Bool
    /// The revision of each id that stands there.
    let revisions: Revisions
    /// Counts the meanings of the values; nil when nobody does.
    let version: Int?
    private let values: @Sendable (borrowing R) -> [V]

    /// The value of a field.
    init(_ field: String, _ path: any KeyPath<R, V> & Sendable, of revisions: Revisions) {
        self.field = field
        self.revisions = revisions
        version = 1
        isComputed = false
        values = { (record: borrowing R) in [(copy record)[keyPath: path]] }
    }

    /// Values computed of a field; pure.
    init(
        _ field: String,
        of revisions: Revisions,
        version: Int?,
        each values: @escaping @Sendable (borrowing R) -> [V]
    ) {
        self.field = field
        self.revisions = revisions
        self.version = version
        isComputed = true
        self.values = values
    }

    /// The values of a record, as they are given.
    func callAsFunction(_ record: borrowing R) -> [V] { values(record) }

    /// The item of a record: its values, each once; nil for none.
    func item(of record: FoldedRecord<R>) -> [V]? {
        let values = values(record.value).distinct
        return values.isEmpty ? nil : values
    }
}

/// A view by values whose type is known to whoever opens it.
protocol ValueView<R>: Sendable {
    /// The record's type.
    associatedtype R: Record
    /// The type of the values.
    associatedtype V: Comparable & Sendable & Codable

    /// The values a record stands under.
    var values: RecordValues<R, V> { get }
    /// The view behind it.
    var view: any RecordView<R> { get }
}

extension ValueView {
    /// The field's stored name.
    var field: String { values.field }
    /// Whether the values are computed, not the field itself.
    var isComputed: Bool { values.isComputed }

    /// Whether two records stand under different values.
    func differs(_ a: R, _ b: R) -> Bool {
        values(a).map(IndexValue.init) != values(b).map(IndexValue.init)
    }
}

extension Array where Element: Comparable & Sendable {
    /// These values in order, each once.
    var distinct: [Element] {
        guard count > 1 else { return self }
        var all: [IndexValue<Element>] = []
        for value in map(IndexValue.init).sorted() where value != all.last { all.append(value) }
        return all.map(\.value)
    }
}
