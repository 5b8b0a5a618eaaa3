// A refusal is a value: a stable code and the facts. Nothing of a refused change happens.
public import HoldfastBasics

/// Why a change was refused.
///
/// It is one reference to all of them: whatever can be refused passes through places for a
/// refusal, which would otherwise be made, moved and emptied for each change that is not.
public struct Refusal: Error, Hashable, Sendable {
    private struct Facts: Hashable, Sendable {
        var code: RefusalCode
        var detail: String
        var operation: Int?
        var field: String?
        var borrow: BorrowFacts?
        var current: RecordReference?
        var ended: Ending?
        var rules: [String]
    }

    private final class Storage: Sendable {
        let facts: Facts

        init(_ facts: Facts) { self.facts = facts }
    }

    private var storage: Storage

    private var facts: Facts {
        get { storage.facts }
        set { storage = Storage(newValue) }
    }

    /// Refuses.
    public init(
        _ code: RefusalCode,
        _ detail: String,
        field: String? = nil,
        borrow: BorrowFacts? = nil,
        current: RecordReference? = nil,
        ended: Ending? = nil,
        rules: [String] = []
    ) {
        storage = Storage(
            Facts(
                code: code,
                detail: detail,
                operation: nil,
                field: field,
                borrow: borrow,
                current: current,
                ended: ended,
                rules: rules
            )
        )
    }

    /// The stable code.
    public var code: RefusalCode {
        get { storage.facts.code }
        set { facts.code = newValue }
    }

    /// What happened and what to do next, for people.
    public var detail: String {
        get { storage.facts.detail }
        set { facts.detail = newValue }
    }

    /// Ordinal of the operation that was refused.
    public var operation: Int? {
        get { storage.facts.operation }
        set { facts.operation = newValue }
    }

    /// The field, as a path of member names joined by dots, array elements as numbers.
    public var field: String? {
        get { storage.facts.field }
        set { facts.field = newValue }
    }

    /// The borrow in the way, or the one that ended.
    public var borrow: BorrowFacts? {
        get { storage.facts.borrow }
        set { facts.borrow = newValue }
    }

    /// The record as it stands; where the log has it.
    public var current: RecordReference? {
        get { storage.facts.current }
        set { facts.current = newValue }
    }

    /// Who did what ended the thing asked for.
    public var ended: Ending? {
        get { storage.facts.ended }
        set { facts.ended = newValue }
    }

    /// The rules a definition breaks, one sentence each.
    public var rules: [String] {
        get { storage.facts.rules }
        set { facts.rules = newValue }
    }

    /// Equality of all facts.
    public static func == (a: Refusal, b: Refusal) -> Bool { a.facts == b.facts }

    /// Hashes all facts.
    public func hash(into hasher: inout Hasher) { hasher.combine(facts) }
}

/// A record at a version, by the place of its effect in the log.
public struct RecordReference: Hashable, Sendable {
    /// Which tree.
    public let tree: TreeName
    /// Where its effect lies.
    public let location: Location

    /// Names a record's version.
    public init(tree: TreeName, location: Location) {
        self.tree = tree
        self.location = location
    }
}

/// What a refused caller may know of a borrow.
public struct BorrowFacts: Hashable, Sendable {
    /// Its id.
    public var id: UniqueID
    /// The holder's user.
    public var user: String
    /// The holder's device.
    public var device: String
    /// Since when, in milliseconds since 1970.
    public var takenAt: Int64
    /// When it should be back, in milliseconds since 1970.
    public var dueAt: Int64?
    /// What the holder wrote.
    public var note: String
    /// How many wait.
    public var queue: Int
    /// Whether it is the caller's own.
    public var isYours: Bool

    /// Gathers the facts.
    public init(
        id: UniqueID,
        user: String,
        device: String,
        takenAt: Int64,
        dueAt: Int64?,
        note: String,
        queue: Int,
        isYours: Bool
    ) {
        self.id = id
        self.user = user
        self.device = device
        self.takenAt = takenAt
        self.dueAt = dueAt
        self.note = note
        self.queue = queue
        self.isYours = isYours
    }
}

/// Who ended something, when and how.
public struct Ending: Hashable, Sendable {
    /// When and by whom.
    public let stamp: Stamp
    /// The label of the effect that ended it.
    public let label: Label?
    /// The reason that was given; empty for none.
    public let reason: String

    /// Names an end.
    public init(stamp: Stamp, label: Label?, reason: String = "") {
        self.stamp = stamp
        self.label = label
        self.reason = reason
    }
}
