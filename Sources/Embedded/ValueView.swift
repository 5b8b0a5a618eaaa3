// What handles of views by value have in common: a field, or what is computed of it.

/// A view by values whose type is known to whoever opens it.
protocol ValueView<R>: Sendable {
    /// The record's type.
    associatedtype R: Record
    /// The type of the values.
    associatedtype V: Comparable & Sendable & Codable

    /// The field's stored name.
    var field: String { get }
    /// Whether the values are computed, not the field itself.
    var isComputed: Bool { get }
    /// The values a record stands under.
    func values(of record: borrowing R) -> [V]
    /// The view behind it.
    var view: any RecordView<R> { get }
}

extension ValueView {
    /// Whether two records stand under different values.
    func differs(_ a: R, _ b: R) -> Bool {
        values(of: a).map(IndexValue.init) != values(of: b).map(IndexValue.init)
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
