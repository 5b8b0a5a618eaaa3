// Every limit of the product, in one place, each with its reason. Exceeding one is an error with a
// test, never a crash. `Configuration` may lower or raise what is marked so.

/// The product's limits.
///
/// Units are part of the names.
public enum Limits {
    /// Largest id and seq: a JSON number that every client reads exactly (2^53 - 1).
    public static let numberMax: UInt64 = (1 << 53) - 1
    /// Largest name key: it must fit a URL's path even when every byte is percent-encoded.
    public static let nameByteCountMax = 512
    /// Longest tree name, as in DNS labels.
    public static let treeNameByteCountMax = 63
    /// Largest revision: 32 bits in the index.
    public static let revisionMax: UInt32 = .max
    /// Largest value by default: mirrors hold every value, files are for the rest.
    public static let valueByteCountMax = 1 << 20
    /// Largest file by default: far above what anybody attaches, far below what overflows.
    public static let fileByteCountMax = 1 << 40
    /// Longest name and longest media type of a file, as file systems and RFC 6838 have them.
    public static let fileNameByteCountMax = 255
    /// Bytes of a file that are read, hashed or written at once.
    public static let fileBlockByteCount = 256 << 10
    /// For how long a file that nothing names stays, and its uploader may read it.
    public static let fileMilliseconds: Int64 = 7 * 86_400_000
    /// For how long an upload that was cut waits to be resumed.
    public static let uploadMilliseconds: Int64 = 86_400_000
    /// Uploads that were cut and whose files stay open; of more the hash is taken anew.
    public static let openUploadCountMax = 64
    /// Files one commit of a collection takes away.
    public static let collectedCountMax = 1000
    /// Largest commit, so that a frame always fits a buffer and a WebSocket message.
    public static let commitByteCountMax = 16 << 20
    /// Most effects of one commit: an effect's ordinal has 17 bits in a location.
    public static let effectCountMax = 100_000
    /// Deepest nesting of a JSON document, so that recursion is bounded.
    public static let depthMax = 128
    /// Most trees of one database: every commit and heartbeat may name them all.
    public static let treeCountMax = 10_000
    /// Most fields of one descriptor, nested ones included.
    public static let fieldCountMax = 4096
    /// Most schema versions a tree keeps.
    public static let schemaVersionCountMax = 1000
    /// Longest user, device, application or note.
    public static let identityByteCountMax = 256
    /// Longest "why" of a change.
    public static let whyByteCountMax = 4096
    /// Most tokens of one database: all are in memory, and looked through when one is made.
    public static let tokenCountMax = 10_000
    /// Most trees one token names: every feed that it opens has them as a filter.
    public static let tokenTreeCountMax = 1000
    /// Most tickets that wait to be used: one is for one page that opens now.
    public static let ticketCountMax = 10_000
    /// Longest line of waiting borrowers of one key.
    public static let borrowLineMax = 1000
    /// A queued grant that is not confirmed in this time lapses.
    public static let grantMilliseconds: Int64 = 120_000
    /// Terms a leased borrow may have.
    public static let leaseSeconds: ClosedRange<Int64> = 5...86_400
    /// Term of a leased borrow whose taker names none.
    public static let leaseSecondsDefault: Int64 = 60
    /// Most ids of one range request.
    public static let rangeCountMax: UInt64 = 10_000_000
    /// Ids the server takes at once for callers that give none.
    public static let serverRangeCount: UInt64 = 1000
    /// Ids of each tree that are passed over when commits are given up after a restore: as many as
    /// one range may have, so that those the lost commits gave out are not given out twice.
    public static let lostRangeCount: UInt64 = rangeCountMax
    /// A forward jump of the clock above this suspends time-based rules.
    public static let clockJumpMilliseconds: Int64 = 3_600_000
    /// Room the disk must keep: what opening and closing a log need, and the operator's own.
    public static let diskReserveByteCount: UInt64 = 32 << 20
    /// For how long what a change did is remembered at least, as the API promises.
    ///
    /// Unit: seconds.
    public static let changeMemorySeconds: Int64 = 30 * 86_400
    /// For how long it is remembered that a record was deleted, unless a setting says otherwise: as
    /// long as directories that replicate keep their tombstones, well above any history or absence.
    ///
    /// Unit: seconds.
    public static let tombstoneSeconds: Int64 = 180 * 86_400
    /// Size of a log segment.
    public static let segmentByteCount = 64 << 20
    /// Longest part of a checkpoint.
    public static let partByteCountMax = 64 << 20
    /// Request head, as most servers have it.
    public static let headByteCountMax = 16 << 10
    /// Request target, as RFC 9112 recommends at least.
    public static let targetByteCountMax = 8000
    /// Header fields of one request.
    public static let headerCountMax = 100
    /// JSON body.
    public static let bodyByteCountMax = 8 << 20
    /// Output held for one connection before its input is paused.
    public static let outputByteCountHigh = 256 << 10
    /// Entries of one list page.
    public static let pageCountMax = 1000
    /// Entries of one list page when the caller names none.
    public static let pageCountDefault = 100
    /// Places of records kept at once for a sorted stream: some MiB at most.
    public static let sortedCountMax = 16_384
    /// Ids that an index names for one list; what follows them is walked through.
    public static let candidateCountMax = 4096
    /// Entries read under one taking of the store's lock.
    public static let lockedEntryCountMax = 256
    /// Longest time a request may ask to wait for a commit, as proxies cut what is silent longer.
    public static let waitSecondsMax: UInt64 = 60
    /// Output held for one connection below which more is made for it: less than a feed, a stream
    /// or a mirror fills it up to, or whoever has filled it is asked again at once, and for ever.
    public static let outputByteCountLow = 16 << 10
    /// Commits a page of changes passes over that its reader may not see, before it ends early.
    public static let passedOverCountMax = 10_000
    /// Message a WebSocket client may send, and each frame of one.
    public static let messageByteCountMax = 1 << 20
    /// Readers pinned to a position at one time: each keeps what was deleted since.
    public static let pinCountMax = 1000
    /// A pinned reader that makes no progress for so long ends.
    public static let pinSeconds = 60.0
    /// Message of a mirror, either way: the largest commit as JSON, and what is around it.
    public static let mirrorMessageByteCountMax = commitByteCountMax + (1 << 20)
    /// Commits gathered into one message for a mirror; a larger commit goes alone.
    public static let mirrorPageByteCount = 256 << 10
    /// Changes one change may require: what an application reads and writes in one go.
    public static let requiredCountMax = 10_000
    /// A device's confirmed outcomes are logged after so many at the latest.
    public static let settledCountMax: UInt64 = 100
    /// A device's confirmed outcomes are logged after this time at the latest.
    public static let settledMilliseconds: Int64 = 10_000
}
