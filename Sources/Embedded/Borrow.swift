// Borrows as values: they outlive the process and are given back by whoever has them.
public import FoundationEssentials
internal import HoldfastBasics
internal import HoldfastRecords

/// A borrow that this device holds.
///
/// It stands until it is returned, through restarts and power cuts; ``Database/borrows(mine:)``
/// lists what stands.
public struct Borrow<R: Record>: Hashable, Identifiable, Sendable {
    /// Its id.
    public let id: UUID
    /// The borrowed record.
    public let key: Key<R>
    /// When it should be back.
    public let dueAt: Date?

    init(id: UUID, key: Key<R>, dueAt: Date?) {
        self.id = id
        self.key = key
        self.dueAt = dueAt
    }

    /// A borrow that ``Database/borrows(mine:)`` has listed, with its type: one taken before the
    /// process was restarted, say.
    ///
    /// - Parameter borrow: What stands; nil comes of one of another tree, or of one that waits.
    public init?(_ borrow: AnyBorrow) {
        guard borrow.place == nil, let key = borrow.key.key(of: R.self) else { return nil }
        self.init(id: borrow.id, key: key, dueAt: borrow.dueAt)
    }
}

/// A borrow of a record of any tree, and where its taker stands.
public struct AnyBorrow: Hashable, Identifiable, Sendable {
    /// Its id.
    public let id: UUID
    /// The borrowed record.
    public let key: AnyKey
    /// The taker's user.
    public let user: String
    /// The taker's device.
    public let device: String
    /// How many stand before the taker; nil for the holder.
    public let place: Int?
    /// Whether somebody asked for it back.
    public let recalled: Bool

    /// What a taker wrote for others to see.
    public let note: String
    /// When it should be back.
    public let dueAt: Date?

    init(_ record: BorrowRecord, place: Int) {
        id = UUID(record.id)
        key = AnyKey(tree: record.tree, key: record.key)
        user = record.user
        device = record.device
        self.place = place == 0 ? nil : place
        recalled = record.recalled != nil
        note = record.note
        dueAt = record.dueAt.map { Date(milliseconds: $0) }
    }
}

/// Tasks of this process that want the same record, in the order they came.
///
/// The authority knows users and devices, not tasks: to it a second task is the same taker again.
final class LocalLines: Sendable {
    private let lines = Lock<[AnyKey: [UniqueID]]>([:])

    /// Joins the line of a record.
    func join(_ key: AnyKey, _ id: UniqueID) {
        lines.withLock { $0[key, default: []].append(id) }
    }

    /// Whether it is a task's turn.
    func isFirst(_ key: AnyKey, _ id: UniqueID) -> Bool {
        lines.withLock { $0[key]?.first == id }
    }

    /// How many stand in the line of a record.
    func count(_ key: AnyKey) -> Int { lines.withLock { $0[key]?.count ?? 0 } }

    /// Leaves the line.
    func leave(_ key: AnyKey, _ id: UniqueID) {
        lines.withLock { lines in
            lines[key]?.removeAll { $0 == id }
            if lines[key]?.isEmpty ?? false { lines[key] = nil }
        }
    }
}
