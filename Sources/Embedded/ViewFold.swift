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
internal import HoldfastJSONCoding
internal import HoldfastRecords

/// What a view makes of records.
protocol RecordView<R>: Sendable {
    /// The record's type.
    associatedtype R: Record
    /// What a record puts into the view; comes back from JSON as it was.
    associatedtype Item: Codable & Sendable
    /// What the view holds.
    associatedtype State: Sendable

    /// The kind of view it is: a word.
    static var kind: String { get }
    /// Tells it apart from the tree's other views of its kind.
    var name: String { get }
    /// Counts the meanings of its items; nil when nobody says so, and no checkpoint may be kept.
    var version: Int? { get }
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
    let facts: RecordFacts
    let hasUnknownFields: Bool
    /// Normalised JSON.
    let document: [UInt8]
}

/// What an id puts into views.
enum Folding<R: Record> {
    /// There is no such revision.
    case nothing
    /// There is one, which cannot be decoded: it cannot be found by its values, and reading it says
    /// why.
    case undecodable
    /// There is one.
    case record(FoldedRecord<R>)
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
    func set(_ id: HoldfastRecords.RecordID, to folding: Folding<R>)
    /// What it holds as text, for comparing two folds.
    var lines: [String] { get }

    // MARK: Checkpoints

    /// Whether so much has changed since the last checkpoint that the next is worth writing.
    var isWorthSaving: Bool { get }
    /// A checkpoint has all that changed so far.
    func didSave()
    /// Appends the item of a record in JSON, nothing for none; false when it has no JSON.
    func appendItem(of key: RecordKey, to buffer: inout ByteBuffer) -> Bool
    /// Puts in an item of a checkpoint; false when it is none of this view's.
    func set(_ key: RecordKey, toSaved item: [UInt8]) -> Bool
}

/// A view and what it holds.
final class ViewFold<V: RecordView>: AnyViewFold {
    private let view: V
    private(set) var state: V.State
    /// What stands in `state`.
    private var items: [HoldfastRecords.RecordID: (key: RecordKey, item: V.Item)] = [:]
    private var undecodable: Set<HoldfastRecords.RecordID> = []
    /// Ids set since the last checkpoint, repeated ones too.
    private var unsavedCount = 0

    /// A view of no records.
    init(_ view: V) {
        self.view = view
        state = view.empty
    }

    var revisions: Revisions { view.revisions }

    func fresh() -> any AnyViewFold<V.R> { ViewFold(view) }

    func set(_ id: HoldfastRecords.RecordID, to folding: Folding<V.R>) {
        unsavedCount += 1
        if !undecodable.isEmpty { undecodable.remove(id) }
        var new: (RecordKey, V.Item)?
        switch folding {
        case .nothing: break
        case .undecodable: undecodable.insert(id)
        case .record(let record): new = view.item(of: record).map { (record.key, $0) }
        }
        put(id, new)
    }

    private func put(_ id: HoldfastRecords.RecordID, _ new: (key: RecordKey, item: V.Item)?) {
        if let old = items.removeValue(forKey: id) {
            view.remove(old.item, of: old.key, from: &state)
        }
        guard let new else { return }
        view.add(new.item, of: new.key, to: &state)
        items[id] = new
    }

    var lines: [String] { view.lines(state) }

    // MARK: Checkpoints

    var isWorthSaving: Bool { unsavedCount > items.count / 16 }

    func didSave() { unsavedCount = 0 }

    func appendItem(of key: RecordKey, to buffer: inout ByteBuffer) -> Bool {
        guard !undecodable.contains(key.id) else { return false }
        guard let item = items[key.id] else { return true }
        guard item.key == key else { return false }
        do {
            try RecordEncoder().encode(item.item, into: &buffer)
            return true
        } catch {
            // A number that is not finite, say: the item is made anew of the record.
            return false
        }
    }

    func set(_ key: RecordKey, toSaved item: [UInt8]) -> Bool {
        do {
            let item = item.isEmpty ? nil : try RecordDecoder().decode(V.Item.self, from: item)
            put(key.id, item.map { (key, $0) })
            return true
        } catch {
            // Of another type in spite of all names: it is made anew of the record.
            return false
        }
    }
}

extension RecordView {
    /// Tells it apart from all other views of the tree.
    var signature: String { "\(Self.self) \(name) \(revisions)" }

    /// The view of no records.
    var fold: any AnyViewFold<R> { ViewFold(self) }

    /// Where its checkpoint is kept; nil when it keeps none.
    func checkpoint(_ schema: RecordSchema<R>) -> ViewCheckpoint? {
        guard let version else { return nil }
        return ViewCheckpoint(
            tree: schema.tree,
            kind: revisions == .latest ? Self.kind : "\(Self.kind)-\(revisions)",
            name: name,
            version: version,
            signature: "\(signature) \(version) \(schema.version) \(schema.texts)"
        )
    }
}
