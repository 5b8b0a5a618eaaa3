// What a client proposes.
public import HoldfastBasics

/// What an operation expects of the record it changes.
public enum Expectation: Hashable, Sendable {
    /// There is none.
    case absent
    /// Its last change is this commit's.
    case version(Position)
    /// Its last change is that change of mine.
    case change(UniqueID)
}

/// How long a borrow lasts.
public enum BorrowKind: String, Sendable, Hashable {
    /// Never ends by itself.
    case held
    /// Ends when it is not renewed.
    case leased
}

/// A write of a value: `put` or `patch`.
public struct WriteOperation: Hashable, Sendable {
    /// Which tree.
    public var tree: TreeName
    /// Which record; nil lets the authority choose an id.
    public var key: RecordKey?
    /// What the writer saw.
    public var expects: Expectation?
    /// The borrow it writes under.
    public var borrow: UniqueID?
    /// Id of a borrow the creator is left with.
    public var hold: UniqueID?
    /// The schema version it was written with; nil means the current one.
    public var schema: SchemaVersion?
    /// Whether a `put` rewrites, by a newer schema, what an older major version wrote: whoever has
    /// borrowed the record is not in its way, and keeps it.
    public var isMigration: Bool
    /// Normalised JSON: the value, or the merge patch.
    public var value: [UInt8]

    /// Proposes a write.
    @inlinable
    public init(
        tree: TreeName,
        key: RecordKey?,
        expects: Expectation? = nil,
        borrow: UniqueID? = nil,
        hold: UniqueID? = nil,
        schema: SchemaVersion? = nil,
        isMigration: Bool = false,
        value: [UInt8]
    ) {
        self.tree = tree
        self.key = key
        self.expects = expects
        self.borrow = borrow
        self.hold = hold
        self.schema = schema
        self.isMigration = isMigration
        self.value = value
    }
}

/// A change of a record that gives no value: `delete`, `release`, `setState`.
public struct RecordOperation: Hashable, Sendable {
    /// Which tree.
    public var tree: TreeName
    /// Which record.
    public var key: RecordKey
    /// What the writer saw.
    public var expects: Expectation?
    /// The borrow it writes under.
    public var borrow: UniqueID?

    /// Proposes a change.
    public init(
        tree: TreeName,
        key: RecordKey,
        expects: Expectation? = nil,
        borrow: UniqueID? = nil
    ) {
        self.tree = tree
        self.key = key
        self.expects = expects
        self.borrow = borrow
    }
}

/// The taking of a borrow.
public struct BorrowOperation: Hashable, Sendable {
    /// Which tree.
    public var tree: TreeName
    /// Which record.
    public var key: RecordKey
    /// The id the taker chose.
    public var borrow: UniqueID
    /// How long it lasts.
    public var kind: BorrowKind
    /// How long a leased one lasts when it is not renewed; nil for the usual term.
    public var termSeconds: Int64?
    /// Seen by others.
    public var note: String
    /// When it should be back, in milliseconds since 1970.
    public var dueAt: Int64?
    /// Whether to wait in line when another holds it.
    public var queue: Bool

    /// Proposes a borrow.
    public init(
        tree: TreeName,
        key: RecordKey,
        borrow: UniqueID,
        kind: BorrowKind = .held,
        termSeconds: Int64? = nil,
        note: String = "",
        dueAt: Int64? = nil,
        queue: Bool = false
    ) {
        self.tree = tree
        self.key = key
        self.borrow = borrow
        self.kind = kind
        self.termSeconds = termSeconds
        self.note = note
        self.dueAt = dueAt
        self.queue = queue
    }
}

/// One step of a change.
public enum Operation: Hashable, Sendable {
    /// Creates or replaces a record.
    case put(WriteOperation)
    /// Merges into a record's value (RFC 7396); logged as the whole new value.
    case patch(WriteOperation)
    /// Deletes a record and ends its borrows.
    case delete(RecordOperation)
    /// `draft(n)` to `released(number)`.
    case release(RecordOperation, number: UInt32)
    /// Copies a released record to a draft with the next revision, held by `hold` when given.
    case revise(tree: TreeName, key: RecordKey, hold: UniqueID?)
    /// Changes the number of a state.
    case setState(RecordOperation, RecordState)
    /// Takes a borrow, joins its line, or confirms a grant.
    case borrow(BorrowOperation)
    /// Gives a borrow back.
    case `return`(UniqueID)
    /// Leaves a line.
    case cancel(UniqueID)
    /// Asks a holder to give back; the holder sees who asks, and why.
    case recall(UniqueID, note: String)
    /// Takes a borrow away from its holder; the change says why.
    case seize(UniqueID)
    /// Moves a borrow to another user, or to another device of its user.
    case setHolder(UniqueID, user: String, device: String)
    /// Takes a key range of `count` ids for the caller's device.
    case reserve(tree: TreeName, range: UniqueID, count: UInt64)
    /// Declares a tree or changes its declaration.
    case defineTree(TreeName, TreeDefinition)

    /// The tree it names; nil for one that names a borrow alone.
    public var tree: TreeName? {
        switch self {
        case .put(let write), .patch(let write): write.tree
        case .delete(let target), .release(let target, _), .setState(let target, _): target.tree
        case .revise(let tree, _, _), .reserve(let tree, _, _), .defineTree(let tree, _): tree
        case .borrow(let taking): taking.tree
        case .return, .cancel, .recall, .seize, .setHolder: nil
        }
    }

    /// The borrow it takes, or comes under; nil for one that ends or moves it, or names none.
    public var borrow: UniqueID? {
        switch self {
        case .put(let write), .patch(let write): write.borrow
        case .delete(let target), .release(let target, _), .setState(let target, _): target.borrow
        case .borrow(let taking): taking.borrow
        case .revise, .return, .cancel, .recall, .seize, .setHolder, .reserve, .defineTree: nil
        }
    }
}

/// What a client proposes: accepted or refused as a whole.
public struct Change: Hashable, Sendable {
    /// Chosen by the client; remembered, so that a resend is not done twice.
    public var id: UniqueID
    /// Digest of the request; zero when there is none.
    public var digest: Hash128
    /// The job it belongs to, or `none`.
    public var jobID: UniqueID
    /// The device's clock in milliseconds since 1970; 0 when unknown.
    public var madeAt: Int64
    /// Number of the change on its device; 0 when it is not numbered.
    public var deviceSeq: UInt64
    /// Pending changes whose result it read, overwrote or refers to.
    public var requires: [UniqueID]
    /// For what reason.
    public var why: String
    /// Steps, in order.
    public var operations: [Operation]

    /// Proposes a change.
    public init(
        id: UniqueID,
        digest: Hash128 = .zero,
        jobID: UniqueID = .none,
        madeAt: Int64 = 0,
        deviceSeq: UInt64 = 0,
        requires: [UniqueID] = [],
        why: String = "",
        operations: [Operation]
    ) {
        self.id = id
        self.digest = digest
        self.jobID = jobID
        self.madeAt = madeAt
        self.deviceSeq = deviceSeq
        self.requires = requires
        self.why = why
        self.operations = operations
    }
}

/// Who proposes a change.
public struct Caller: Hashable, Sendable {
    /// User.
    public var user: String
    /// Device.
    public var device: String
    /// Application; empty when unknown.
    public var app: String

    /// Names a caller.
    public init(user: String, device: String, app: String = "") {
        self.user = user
        self.device = device
        self.app = app
    }

    /// Whoever names nobody, where callers are taken at their word.
    public static let unnamed = Caller(user: "local", device: "rest")

    /// The system itself: timers, and ids for callers that give none.
    public static let system = Caller(user: "_system", device: "_system")
}
