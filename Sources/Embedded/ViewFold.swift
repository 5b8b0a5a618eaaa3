// Views: what is derived from a tree's records and kept in step with them.
//
// Invariants:
// - a view is a fold of items: each id puts the item of its shown revision in, and a step takes the
//   item out that stood before and puts the one in that stands now;
// - so it is a function of the records that stand: commits that are taken back, pending changes
//   that are judged anew and a copy that is replaced are steps like others, and folded anew it is
//   the same;
// - it is confined by whoever keeps it (the lock of its tree's cache).
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStore

/// What a view makes of records.
protocol RecordView<R>: Sendable {
    /// The record's type.
    associatedtype R: Record
    /// What a record puts into the view.
    associatedtype Item: Sendable
    /// What the view holds.
    associatedtype State: Sendable

    /// Tells it apart from the tree's other views of its type.
    var name: String { get }
    /// What it is to people.
    var words: String { get }
    /// The revision of each id that it is about.
    var revisions: Revisions { get }
    /// What it holds of no records.
    var empty: State { get }
    /// What a record puts in; nil for nothing.
    func item(of record: FoldedRecord<R>) -> Item?
    /// Puts an item in.
    func add(_ item: Item, of key: RecordKey, to state: inout State)
    /// Takes an item out that was put in.
    func remove(_ item: Item, of key: RecordKey, from state: inout State)
    /// What it holds as text, for comparing two folds.
    func lines(_ state: State) -> [String]
}

/// A revision as views are given it.
struct FoldedRecord<R: Record> {
    let key: RecordKey
    let value: R
    /// Normalised JSON.
    let document: [UInt8]
}

/// A view and what it holds, whatever its type.
protocol AnyViewFold<R>: AnyObject {
    /// The record's type.
    associatedtype R: Record
    /// The revision of each id that it is about.
    var revisions: Revisions { get }
    /// The same view of no records.
    func fresh() -> any AnyViewFold<R>
    /// What an id puts in from now on.
    func set(_ id: HoldfastRecords.RecordID, to record: FoldedRecord<R>?)
    /// What it holds as text, for comparing two folds.
    var lines: [String] { get }
}

/// A view and what it holds.
final class ViewFold<V: RecordView>: AnyViewFold {
    private let view: V
    private(set) var state: V.State
    /// What stands in `state`.
    private var items: [HoldfastRecords.RecordID: (key: RecordKey, item: V.Item)] = [:]

    /// A view of no records.
    init(_ view: V) {
        self.view = view
        state = view.empty
    }

    var revisions: Revisions { view.revisions }

    func fresh() -> any AnyViewFold<V.R> { ViewFold(view) }

    func set(_ id: HoldfastRecords.RecordID, to record: FoldedRecord<V.R>?) {
        if let old = items.removeValue(forKey: id) {
            view.remove(old.item, of: old.key, from: &state)
        }
        guard let record, let item = view.item(of: record) else { return }
        view.add(item, of: record.key, to: &state)
        items[id] = (record.key, item)
    }

    var lines: [String] { view.lines(state) }
}

extension RecordView {
    /// Tells it apart from all other views of the tree.
    var signature: String { "\(Self.self) \(name) \(revisions)" }

    /// The view of no records.
    var fold: any AnyViewFold<R> { ViewFold(self) }
}

extension TreeCache {
    /// What a view holds; it is folded first when it was not asked for before.
    ///
    /// Called while the state is held, and to be used as long as it is.
    ///
    /// - Precondition: The view is declared in the type's `define`.
    func state<V: RecordView>(_ type: V.Type, _ name: String, _ revisions: Revisions) -> V.State
    where V.R == R {
        let place = schema.views.firstIndex {
            $0 is V && $0.revisions == revisions && $0.name.sameBytes(as: name)
        }
        guard let place else { preconditionFailure("view '\(name)' is not declared by \(R.self)") }
        guard let fold = fold(place) as? ViewFold<V> else {
            preconditionFailure("the place of another view")
        }
        return fold.state
    }

    private func fold(_ place: Int) -> any AnyViewFold<R> {
        if let found = views.withLock({ $0[place] }) { return found }
        let made = schema.views[place].fold
        fill(made)
        return views.withLock { views in
            // Who was faster has folded the same.
            if let found = views[place] { return found }
            views[place] = made
            return made
        }
    }

    /// Puts every record into a view of none, a page at a time.
    private func fill(_ fold: any AnyViewFold<R>) {
        var after: RecordKey?
        repeat {
            var page: [StoredRecord] = []
            after = store.read { reader in
                guard let tree = reader.state.tree(name) else { return nil }
                return reader.state.scan(
                    tree,
                    after: after,
                    prefix: nil,
                    fold.revisions.choice,
                    at: reader.state.head,
                    entryCountMax: Self.pageEntryCount
                ) { _, location in
                    if let record = StoredRecord(reader, at: location) { page.append(record) }
                    return true
                }
            }
            for record in page { fold.set(record.key.id, to: folded(record)) }
        } while after != nil
    }

    /// Folds a step: some ids may stand differently now.
    func fold(
        _ reader: StoreReader,
        _ ids: Set<HoldfastRecords.RecordID>,
        into folds: [any AnyViewFold<R>]
    ) {
        for id in ids {
            var shown: [Revisions: FoldedRecord<R>?] = [:]
            for fold in folds {
                let record = shown[fold.revisions] ?? folded(reader, id, fold.revisions)
                shown.updateValue(record, forKey: fold.revisions)
                fold.set(id, to: record)
            }
        }
    }

    /// The revision of an id that views are about, decoded; nil when there is none that can be.
    private func folded(
        _ reader: StoreReader,
        _ id: HoldfastRecords.RecordID,
        _ revisions: Revisions
    ) -> FoldedRecord<R>? {
        guard let tree = reader.state.tree(name),
            let found = reader.state.revision(
                tree,
                of: id,
                revisions.choice,
                at: reader.state.head
            ),
            let record = StoredRecord(reader, at: found.location)
        else { return nil }
        return folded(record)
    }

    private func folded(_ record: StoredRecord) -> FoldedRecord<R>? {
        do throws(DatabaseError) {
            let decoded = try decode(record.document, record.facts.schema, record.key)
            return FoldedRecord(key: record.key, value: decoded.value, document: record.document)
        } catch {
            // It cannot be found by its values; reading it says why.
            return nil
        }
    }

    /// Compares every view that was folded with one folded anew, while the state is held; the first
    /// difference in words, or nil.
    func checkInvariants() -> String? {
        if let broken = checkBoxes() { return broken }
        let folded = views.withLock { views in views.map { ($0?.fresh(), $0?.lines) } }
        for (place, (fresh, lines)) in folded.enumerated() {
            guard let fresh, let lines else { continue }
            fill(fresh)
            if fresh.lines != lines {
                return "view \(place) of \(name): \(lines) instead of \(fresh.lines)"
            }
        }
        return nil
    }
}
