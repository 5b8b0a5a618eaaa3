// A refusal is a value: a stable code and the facts. Nothing of a refused change happens.
public import HoldfastBasics

/// Why a change was refused.
public struct Refusal: Error, Hashable, Sendable {
    /// The stable code.
    public var code: RefusalCode
    /// What happened and what to do next, for people.
    public var detail: String
    /// Ordinal of the operation that was refused.
    public var operation: Int?
    /// The field, as a path of member names joined by dots, array elements as numbers.
    public var field: String?
    /// The borrow in the way, or the one that ended.
    public var borrow: BorrowFacts?
    /// The record as it stands; where the log has it.
    public var current: RecordReference?
    /// Who did what ended the thing asked for.
    public var ended: Ending?
    /// The rules a definition breaks, one sentence each.
    public var rules: [String]

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
        self.code = code
        self.detail = detail
        self.field = field
        self.borrow = borrow
        self.current = current
        self.ended = ended
        self.rules = rules
    }
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
