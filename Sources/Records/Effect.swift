// Effects, blocks and commits as values: what `decide` gives and the encoder writes.
public import HoldfastBasics

/// Why an effect happened.
///
/// Descriptive: `apply` does not read it, and unknown labels are accepted.
public enum Label: UInt8, Sendable, CaseIterable {
    /// A record was made.
    case create = 1
    /// A value was replaced.
    case put = 2
    /// A value was patched.
    case patch = 3
    /// A record was deleted.
    case delete = 4
    /// A draft became immutable.
    case release = 5
    /// A next revision was made.
    case revise = 6
    /// The number of the state changed.
    case setState = 7
    /// A borrow was taken.
    case borrow = 8
    /// A borrower joined the line.
    case queue = 9
    /// A borrow was given back.
    case `return` = 10
    /// A waiting borrower left the line.
    case cancel = 11
    /// The next in line was served.
    case grant = 12
    /// A grant was confirmed by its taker.
    case confirm = 13
    /// A grant was not confirmed in time, or a lease not renewed.
    case lapse = 14
    /// The holder was asked to give back.
    case recall = 15
    /// A borrow was taken away.
    case seize = 16
    /// A borrow moved to another holder.
    case setHolder = 17
    /// A key range was given out.
    case reserve = 18
    /// A tree was declared or changed.
    case defineTree = 19
    /// A device was seen for the first time, or changed.
    case device = 20
    /// A borrow ended because its record did.
    case end = 21
    /// A token was made.
    case createToken = 22
    /// A token was revoked.
    case revokeToken = 23
    /// What a commit did to a record was taken back.
    case undo = 24
    /// A file was uploaded.
    case storeFile = 25
    /// A file that nothing names any more was taken away.
    case collectFile = 26
    /// A token opens something else.
    case changeToken = 27

    /// The word used in the feed and in `holdfast log`.
    public var name: String { String(describing: self) }
}

/// When and by whom something was done.
///
/// Unit of `at`: milliseconds since 1970, the authority's clock.
public struct Stamp: Hashable, Sendable {
    /// Commit time.
    public let at: Int64
    /// Who.
    public let user: String
    /// From which device.
    public let device: String

    /// Puts a stamp together.
    public init(at: Int64, user: String, device: String) {
        self.at = at
        self.user = user
        self.device = device
    }
}

/// What a commit leaves behind of a record: all of it.
///
/// An object, as it goes through many hands on its way into the log: a value of its parts would be
/// copied part by part each time.
public final class PostImage: Hashable, Sendable {
    /// Where it stands in its life.
    public let state: RecordState
    /// The schema version its value was written with.
    public let schema: SchemaVersion
    /// When and by whom it was made.
    public let created: Stamp
    /// Normalised JSON.
    public let value: [UInt8]

    /// Puts a post-image together.
    public init(state: RecordState, schema: SchemaVersion, created: Stamp, value: [UInt8]) {
        self.state = state
        self.schema = schema
        self.created = created
        self.value = value
    }

    /// Whether all parts are equal.
    public static func == (a: PostImage, b: PostImage) -> Bool {
        a.state == b.state && a.schema == b.schema && a.created == b.created && a.value == b.value
    }

    /// Hashes all parts.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(state)
        hasher.combine(schema)
        hasher.combine(created)
        hasher.combine(value)
    }
}

/// One record set or removed.
public struct Effect: Hashable, Sendable {
    /// Which record.
    public var key: RecordKey
    /// Why.
    public var label: Label
    /// Seq of the record's previous version; 0 when there is none.
    public var previousSeq: UInt64
    /// What stands afterwards; nil removes the record.
    public var image: PostImage?

    /// Puts an effect together.
    public init(key: RecordKey, label: Label, previousSeq: UInt64, image: PostImage?) {
        self.key = key
        self.label = label
        self.previousSeq = previousSeq
        self.image = image
    }
}

/// The effects of a commit on one tree.
public struct Block: Hashable, Sendable {
    /// Which tree.
    public let name: BlockName
    /// Random; hides the content from whoever sees the hash alone.
    public let salt: Hash128
    /// In the order they happen.
    public var effects: [Effect]

    /// Puts a block together.
    public init(name: BlockName, salt: Hash128, effects: [Effect]) {
        self.name = name
        self.salt = salt
        self.effects = effects
    }
}

/// An accepted change: the unit of log, replication, feed, mirror and undo.
public struct Commit: Hashable, Sendable {
    /// Dense from 1.
    public var seq: UInt64
    /// Index of the epoch in the log's lineage.
    public var epochIndex: UInt32
    /// Commit time; never before the previous one's.
    ///
    /// Unit: milliseconds since 1970.
    public var at: Int64
    /// The device's clock when the change was made; informational, 0 when unknown.
    public var madeAt: Int64
    /// The change's id.
    public var changeID: UniqueID
    /// The job it belongs to, or `none`.
    public var jobID: UniqueID
    /// Digest of the request, to tell a resend from a reuse of its id; zero when there is none.
    public var digest: Hash128
    /// Number of the change on its device; 0 when it was not numbered.
    public var deviceSeq: UInt64
    /// Who.
    public var user: String
    /// From which device.
    public var device: String
    /// With which application.
    public var app: String
    /// For what reason.
    public var why: String
    /// Random; hides app and why from whoever sees their hash alone.
    public var detailsSalt: Hash128
    /// One per tree.
    public var blocks: [Block]

    /// Puts a commit together.
    public init(
        seq: UInt64,
        epochIndex: UInt32,
        at: Int64,
        madeAt: Int64 = 0,
        changeID: UniqueID,
        jobID: UniqueID = .none,
        digest: Hash128 = .zero,
        deviceSeq: UInt64 = 0,
        user: String,
        device: String,
        app: String = "",
        why: String = "",
        detailsSalt: Hash128 = .zero,
        blocks: [Block]
    ) {
        self.seq = seq
        self.epochIndex = epochIndex
        self.at = at
        self.madeAt = madeAt
        self.changeID = changeID
        self.jobID = jobID
        self.digest = digest
        self.deviceSeq = deviceSeq
        self.user = user
        self.device = device
        self.app = app
        self.why = why
        self.detailsSalt = detailsSalt
        self.blocks = blocks
    }
}
