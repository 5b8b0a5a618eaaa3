// Who decides: the seam between a database and the two ways of having one.
//
// Embedded, this process decides (`LocalAuthority`). On a mirror a server does, and what stands
// here meanwhile is a preview (module `Holdfast`). `Database` knows only this protocol.
//
// Order of a write, all but the last step under the database's writer gate:
// `prepare` - the body runs, with `nextNumber` for each record it creates - `propose` (or `abandon`
// when the body throws) - `settle`.
public import HoldfastEngine
public import HoldfastBasics
public import HoldfastRecords
public import HoldfastStore

/// Decides changes, or speaks with whoever does.
///
/// For this package's own modules: an application never meets it.
public protocol Authority: AnyObject, Sendable {
    /// Who writes through this database.
    var caller: Caller { get }

    /// Whether a read waits until everything it shows survives a power cut.
    ///
    /// True where this process decides: nobody else could bring back what the disk lost. A mirror
    /// shows at once what its server has durable.
    var exposesOnlyDurable: Bool { get }

    // MARK: State of the connection

    /// How it stands with the server.
    var status: Database.Status { get }

    /// Notified after `status` changed.
    var statusChanges: WakeUp { get }

    /// Why what others commit does not arrive here any more; nil while it does.
    var followingFailure: DatabaseError? { get }

    /// Takes up what other processes have written to the same directory, where there are any.
    ///
    /// - Throws: `damaged`, `unavailable`, `refused` with `busy`, `closed`.
    func refresh() async throws(DatabaseError)

    /// Returns when everything the server had at the time of asking is here.
    ///
    /// - Throws: `offline`, `closed`, or why the server refused.
    func firstSync() async throws(DatabaseError)

    // MARK: Opening and closing

    /// Sees to it that the trees are declared so; called once, before the database is handed out.
    ///
    /// A mirror that has no connection yet proposes them when it has one.
    ///
    /// - Throws: `refused` naming the rules a declaration breaks.
    func declare(_ trees: [TreeProposal]) async throws(DatabaseError)

    /// Lets what is on its way arrive, for a moment; before the gate is closed for good.
    func drain() async

    /// Ends what runs for this database and closes its files; called once.
    ///
    /// - Throws: `poisoned` when the end cannot be written; everything is let go of even so.
    func close() async throws(DatabaseError)

    // MARK: Writing

    /// Gets ready for a body that may create records: a mirror tops up its key ranges, a process
    /// that shares its database waits for its turn.
    ///
    /// `propose` or `abandon` follows.
    ///
    /// - Throws: `closed`, `poisoned`, `full`, `refused` with `busy`; running out of ids is
    ///   `nextNumber`'s to say.
    func prepare() async throws(DatabaseError)

    /// The next id of a tree, never used before and never given out again once proposed.
    ///
    /// - Parameters:
    ///   - tree: A tree of numbers.
    ///   - draft: The change it is for; what reserves the id may be put into it.
    /// - Returns: The id.
    /// - Throws: `keysExhausted`.
    func nextNumber(
        _ tree: TreeName,
        for draft: inout ChangeDraft
    ) throws(DatabaseError) -> UInt64

    /// Takes a change whose body ended well.
    ///
    /// Reads show it from now on, as far as `exposesOnlyDurable` lets them. On a mirror it is
    /// durable in the outbox already when this returns.
    ///
    /// - Parameter draft: The change, with at least one operation.
    /// - Returns: What is known of it.
    /// - Throws: `refused`, `poisoned`, `full`, `closed`; nothing happened then.
    func propose(_ draft: ChangeDraft) async throws(DatabaseError) -> Proposal

    /// Forgets a change whose body threw, or did nothing.
    func abandon(_ draft: ChangeDraft)

    /// Returns when a proposed change survives a power cut here.
    ///
    /// - Throws: `poisoned` when that cannot be known.
    func settle(_ proposal: Proposal) async throws(DatabaseError)

    /// The word of whoever decides.
    ///
    /// - Returns: Where it stands in the log.
    /// - Throws: `refused` (the change is among the stranded ones), `closed`.
    func acceptance(
        of proposal: Proposal
    ) async throws(DatabaseError) -> HoldfastRecords.Position

    // MARK: What only the authority can do

    /// Asks for operations that are never previewed or kept for later: all that are on borrows.
    ///
    /// Asked again with the same id it is done once. A cancelled task still gets the answer.
    ///
    /// - Parameters:
    ///   - operations: What is asked for, all or none.
    ///   - id: Of the change.
    ///   - why: For what reason; empty for none.
    /// - Returns: What each operation led to, durable and visible here.
    /// - Throws: `refused`, `offline`, `poisoned`, `full`, `closed`.
    func ask(
        _ operations: [Operation],
        id: UniqueID,
        why: String
    ) async throws(DatabaseError) -> [OperationResult]

    // MARK: Files

    /// Where the contents of files lie here.
    ///
    /// - Throws: `closed`.
    func files() throws(DatabaseError) -> FileStore

    /// Makes a content that was written here a file that values may name.
    ///
    /// - Parameters:
    ///   - upload: Ended, its bytes synced; given up when this throws.
    ///   - file: What is known of it.
    /// - Throws: `diskFailed`, `full`, `poisoned`, `closed`, `refused`.
    func keep(_ upload: FileUpload, as file: FileRecord) async throws(DatabaseError)

    /// Brings a content here that is not here.
    ///
    /// - Throws: `refused` with `unknown-file`, `offline`, `diskFailed`, `full`, `closed`.
    func fetch(_ digest: Digest256) async throws(DatabaseError)

    /// A content was asked for.
    func used(_ digest: Digest256)

    // MARK: Stranded changes

    /// Changes that were refused after they had been made here.
    func stranded() throws(DatabaseError) -> [StrandedChange]

    /// Proposes a stranded change anew, as a new change.
    func reoffer(_ id: UniqueID) async throws(DatabaseError) -> Proposal

    /// Forgets a stranded change.
    func drop(_ id: UniqueID) async throws(DatabaseError)
}

extension Authority {
    /// Where this process decides nothing has to arrive, and a mirror says it by its status.
    public var followingFailure: DatabaseError? { nil }

    /// No other process writes.
    public func refresh() async throws(DatabaseError) {}

    /// What is not here is nowhere.
    public func fetch(_ digest: Digest256) async throws(DatabaseError) {
        throw .refused(Refusal(.unknownFile, "There is no file \(digest)."))
    }

    /// Contents stay for as long as their records.
    public func used(_ digest: Digest256) {}
}

/// A tree as an application declares it.
public struct TreeProposal: Sendable {
    /// The tree.
    public let tree: TreeName
    /// What is proposed of it.
    public let definition: HoldfastRecords.TreeDefinition
}

/// A change while its body runs.
public struct ChangeDraft: Sendable {
    /// The change's id.
    public let id: UniqueID
    /// For what reason.
    public let why: String
    /// When the body began, in milliseconds since 1970, by this device's clock.
    public let madeAt: Int64
    /// What happens, in order.
    public var operations: [Operation] = []
    /// Pending changes whose result it read or overwrote, each once.
    ///
    /// Those it only refers to from inside a value are the authority's to add.
    public var requires: [UniqueID] = []
    /// Where the ids of each tree go on if this change is accepted: the authority's to use.
    public var numbers: [TreeName: Range<UInt64>] = [:]

    /// A change of which nothing is known yet.
    public init(id: UniqueID, why: String, madeAt: Int64) {
        self.id = id
        self.why = why
        self.madeAt = madeAt
    }

    /// The change as it is proposed.
    public var change: Change {
        Change(id: id, madeAt: madeAt, requires: requires, why: why, operations: operations)
    }
}

/// A change that was taken.
public struct Proposal: Sendable {
    /// The change's id.
    public let id: UniqueID
    /// Where it stands in the log; nil while the server has not accepted it.
    public let position: HoldfastRecords.Position?

    /// Names a change that was taken.
    public init(id: UniqueID, position: HoldfastRecords.Position?) {
        self.id = id
        self.position = position
    }
}
