// Views that an application defines.
internal import HoldfastRecords

/// Something an application derives from a tree's records and reads as a whole: sums, a graph, an
/// index of its own.
///
/// Each id puts an item in, made of its latest (or latest released) record. Whatever happens to the
/// record, the item that stood before is taken out and the one that stands now is put in, in the
/// same step: a view never lags what a reader sees, and shows a mirror's pending changes as queries
/// do. It is folded when it is first asked for.
///
/// ```swift
/// struct StockValue: DerivedView {
///     typealias R = Part
///     let name = "stock-value", version = 1
///     let empty: [String: Int] = [:]
///
///     func item(of part: Entry<Part>) -> Pile? { Pile(package: part.package, value: part.value) }
///     func add(_ pile: Pile, of key: Key<Part>, to sums: inout [String: Int]) {
///         sums[pile.package, default: 0] += pile.value
///     }
///     func remove(_ pile: Pile, of key: Key<Part>, from sums: inout [String: Int]) {
///         sums[pile.package, default: 0] -= pile.value
///         if sums[pile.package] == 0 { sums[pile.package] = nil }
///     }
/// }
/// // In `define`: tree.view(StockValue())
/// let value = try db.tree(Part.self).withView(StockValue()) { $0["0603"] ?? 0 }
/// ```
///
/// Three rules make a view the same however it came about: `item` is pure; `remove` undoes `add`;
/// the order of adding and removing does not matter. The methods run while the database is locked:
/// they are short, and do not call it.
///
/// Items are kept in the database's directory when it is closed or compacted
/// (`views/<name>.<version>`), so that the next opening reads only what has changed. A view whose
/// version is another is folded anew, as is one whose file is damaged.
public protocol DerivedView<R>: Sendable {
    /// The record's type.
    associatedtype R: Record
    /// What a record puts in; comes back from JSON as it was.
    associatedtype Item: Codable & Sendable
    /// What the view holds.
    associatedtype State: Sendable

    /// Tells it apart from the tree's other views: `[a-z][a-z0-9_-]{0,62}`.
    var name: String { get }
    /// From 0; raise it whenever items mean something else.
    var version: Int { get }
    /// The revision of each id that puts an item in; the latest unless said otherwise.
    var revisions: Revisions { get }
    /// What the view holds of no records.
    var empty: State { get }
    /// What a record puts in; nil for nothing.
    func item(of record: Entry<R>) -> Item?
    /// Puts an item in.
    func add(_ item: Item, of key: Key<R>, to state: inout State)
    /// Takes an item out that was put in.
    func remove(_ item: Item, of key: Key<R>, from state: inout State)
}

extension DerivedView {
    /// The latest.
    public var revisions: Revisions { .latest }
}

/// A view an application defines, as the tree keeps it.
struct DerivedRecordView<V: DerivedView>: RecordView {
    typealias R = V.R

    let view: V

    static var kind: String { "view" }
    var name: String { view.name }
    var version: Int? { view.version }
    var words: String { "the view '\(view.name)'" }
    var revisions: Revisions { view.revisions }
    var empty: V.State { view.empty }

    func item(of record: FoldedRecord<V.R>) -> V.Item? {
        guard let key = Key<V.R>(stored: record.key) else { return nil }
        let meta = record.facts.meta(hasUnknownFields: record.hasUnknownFields)
        return view.item(of: Entry(key: key, value: record.value, meta: meta))
    }

    func add(_ item: V.Item, of key: RecordKey, to state: inout V.State) {
        guard let key = Key<V.R>(stored: key) else { return }
        view.add(item, of: key, to: &state)
    }

    func remove(_ item: V.Item, of key: RecordKey, from state: inout V.State) {
        guard let key = Key<V.R>(stored: key) else { return }
        view.remove(item, of: key, from: &state)
    }

    /// Nothing is known of how it may be compared.
    func lines(_ state: V.State) -> [String] { [] }
}

extension Tree {
    /// Lends what a view holds.
    ///
    /// Nothing is applied meanwhile, so keep `body` short; it must not wait for a write.
    ///
    /// - Parameters:
    ///   - view: One that is declared in the type's `define`, or one of the same name.
    ///   - body: Is lent it.
    /// - Returns: What `body` returns.
    /// - Throws: `closed`, and what `body` throws.
    public func withView<V: DerivedView, T>(
        _ view: V,
        _ body: (borrowing V.State) throws -> T
    ) throws -> T where V.R == R {
        try database.read { try $0.withView(view, body) }
    }
}

extension ReadView {
    /// Lends what a view holds.
    ///
    /// - Parameters:
    ///   - view: One that is declared in the type's `define`, or one of the same name.
    ///   - body: Is lent it.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws.
    public func withView<V: DerivedView, T>(
        _ view: V,
        _ body: (borrowing V.State) throws -> T
    ) rethrows -> T {
        let cache = database.cache(V.R.self)
        return try body(cache.state(DerivedRecordView<V>.self, view.name, view.revisions))
    }
}
