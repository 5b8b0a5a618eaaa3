// The values of `_borrows`, `_ranges` and `_devices`. Shapes: 2-model's table of system trees.
public import HoldfastBasics

/// Where a borrower stands.
public enum BorrowState: String, Sendable, Hashable {
    /// Waits in line.
    case queued
    /// Was served by the line and has not confirmed yet.
    case granted
    /// Holds the record.
    case held
}

/// A record of `_borrows`: one taker of one key.
public struct BorrowRecord: Hashable, Sendable {
    /// Its id, chosen by the taker; the record's key, not part of its value.
    public var id: UniqueID
    /// Tree of the borrowed record.
    public var tree: TreeName
    /// Key of the borrowed record.
    public var key: RecordKey
    /// How long it lasts.
    public var kind: BorrowKind
    /// Where the taker stands.
    public var state: BorrowState
    /// Seq of the commit by which it joined; the line is ordered by it.
    public var order: UInt64
    /// The taker's user.
    public var user: String
    /// The taker's device.
    public var device: String
    /// When it was asked for, in milliseconds since 1970.
    public var takenAt: Int64
    /// When the line served it, in milliseconds since 1970.
    public var grantedAt: Int64?
    /// When it should be back, in milliseconds since 1970.
    public var dueAt: Int64?
    /// Term of a leased borrow.
    public var termSeconds: Int64?
    /// Seen by others.
    public var note: String
    /// Who asked for it back, when set.
    public var recalled: Recall?

    /// A request to give back.
    public struct Recall: Hashable, Sendable {
        /// Who.
        public var by: String
        /// When, in milliseconds since 1970.
        public var at: Int64
        /// Why.
        public var note: String

        /// Names a recall.
        public init(by: String, at: Int64, note: String) {
            self.by = by
            self.at = at
            self.note = note
        }
    }

    /// A new taker.
    public init(
        _ operation: BorrowOperation,
        state: BorrowState,
        order: UInt64,
        caller: Caller,
        at: Int64
    ) {
        id = operation.borrow
        tree = operation.tree
        key = operation.key
        kind = operation.kind
        self.state = state
        self.order = order
        user = caller.user
        device = caller.device
        takenAt = at
        dueAt = operation.dueAt
        termSeconds = operation.termSeconds
        note = operation.note
    }

    /// All members as they are stored.
    public init(
        id: UniqueID,
        tree: TreeName,
        key: RecordKey,
        kind: BorrowKind,
        state: BorrowState,
        order: UInt64,
        user: String,
        device: String,
        takenAt: Int64,
        grantedAt: Int64?,
        dueAt: Int64?,
        termSeconds: Int64?,
        note: String,
        recalled: Recall?
    ) {
        self.id = id
        self.tree = tree
        self.key = key
        self.kind = kind
        self.state = state
        self.order = order
        self.user = user
        self.device = device
        self.takenAt = takenAt
        self.grantedAt = grantedAt
        self.dueAt = dueAt
        self.termSeconds = termSeconds
        self.note = note
        self.recalled = recalled
    }
}

/// A record of `_ranges`: ids one device may create.
public struct RangeRecord: Hashable, Sendable {
    /// Its id; the record's key, not part of its value.
    public var id: UniqueID
    /// Tree the ids are for.
    public var tree: TreeName
    /// Device that may create them.
    public var device: String
    /// First id.
    public var first: UInt64
    /// One beyond the last id.
    public var end: UInt64
    /// When it was given out, in milliseconds since 1970.
    public var at: Int64

    /// The device of ids that may have been given out by commits a restore has lost: nobody is
    /// given them again, and whoever has one may create it.
    public static let lostDevice = "_lost"

    /// Names a range.
    public init(
        id: UniqueID,
        tree: TreeName,
        device: String,
        first: UInt64,
        end: UInt64,
        at: Int64
    ) {
        self.id = id
        self.tree = tree
        self.device = device
        self.first = first
        self.end = end
        self.at = at
    }
}

/// A record of `_devices`: a device the database knows.
public struct DeviceRecord: Hashable, Sendable {
    /// Its id; the record's key, not part of its value.
    public var id: String
    /// Its name.
    public var name: String
    /// Who used it last.
    public var user: String
    /// Application.
    public var app: String
    /// Version of the application.
    public var appVersion: String
    /// The schema version it writes each tree with, as far as it said.
    public var schemaVersions: [TreeName: SchemaVersion]
    /// Up to where the outcomes of its changes are confirmed.
    public var confirmedDeviceSeq: UInt64
    /// When it was seen first, in milliseconds since 1970.
    public var firstSeen: Int64

    /// Names a device.
    public init(
        id: String,
        name: String,
        user: String,
        app: String,
        appVersion: String,
        schemaVersions: [TreeName: SchemaVersion] = [:],
        confirmedDeviceSeq: UInt64,
        firstSeen: Int64
    ) {
        self.id = id
        self.name = name
        self.user = user
        self.app = app
        self.appVersion = appVersion
        self.schemaVersions = schemaVersions
        self.confirmedDeviceSeq = confirmedDeviceSeq
        self.firstSeen = firstSeen
    }
}
