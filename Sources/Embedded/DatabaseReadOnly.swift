// Opening a database that another process writes, or nobody.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStore

extension Database {
    /// Opens a database for reading alone: beside the process that writes it, or where nobody may
    /// write.
    ///
    /// Takes no lock and changes nothing in the directory, which may be read-only or lie on a
    /// read-only medium. Reads, queries and events are those of every database; writes, borrows and
    /// compaction throw `refused` with the code `read-only`.
    ///
    /// What the writing process commits is taken up at every look, or when ``refresh()`` asks.
    /// ``events(since:)`` wake with it. The last commits may be written and not synced yet: they
    /// outlive the end of the writing process, and a power cut may take them. When a look fails,
    /// reads stand where they stood, events throw, and the next look tries again; when the log was
    /// compacted beyond where this process was, records are read anew, and events throw `refused`
    /// with `compacted`.
    ///
    /// ```swift
    /// let db = try await Database.openReadOnly("data", application: "rig", trees: [Part.self])
    /// for try await event in db.events() { print(event.changes.count) }
    /// ```
    ///
    /// - Parameters:
    ///   - directory: Where the database lives; there must be one.
    ///   - application: The application it belongs to.
    ///   - trees: The record types. A tree that is not declared yet has no records; one that is
    ///     declared in another way is refused.
    ///   - interval: From one look to the next.
    ///   - cacheByteCount: What decoded records of one tree may weigh together.
    /// - Returns: The open database.
    /// - Throws: `refused` (another application's, another declaration), `damaged`, `unavailable`.
    public static func openReadOnly(
        _ directory: String,
        application: String,
        trees: [any Record.Type],
        lookingEvery interval: Duration = .milliseconds(50),
        cacheByteCount: Int = defaultCacheByteCount
    ) async throws(DatabaseError) -> Database {
        let types = try RecordTrees(trees)
        let folder = StoreDirectory(directory)
        let store = try await Worker.run {
            Result { () throws(DatabaseError) in
                try folder.openForReading(application: application)
            }
        }.get()
        let authority = ReadingAuthority(store, folder, application: application)
        try await authority.declare(types.proposals)
        let database = Database(
            store: store,
            authority: authority,
            gate: WriterGate(),
            trees: types,
            cacheByteCount: cacheByteCount
        )
        let news = database.news
        let milliseconds = max(1, interval / .milliseconds(1))
        authority.start(everyMilliseconds: UInt64(min(milliseconds, 3_600_000))) { news.notify() }
        return database
    }

    /// Takes up everything that another process has committed until now.
    ///
    /// Returns at once where this process alone decides, and on a mirror, whose server tells it.
    ///
    /// - Throws: `damaged`, `unavailable` (a file cannot be read), `closed`; `refused` with `busy`
    ///   when others that share the database do not let this process look.
    public func refresh() async throws(DatabaseError) {
        try checkOpen()
        try await authority.refresh()
    }
}

/// Another process decides, and this one reads what it writes.
final class ReadingAuthority: Authority {
    let caller: Caller
    let statusChanges = WakeUp()
    private let store: Store
    private let folder: StoreDirectory
    private let follower = Lock<StoreFollower?>(nil)

    /// Reads for a store that was opened for reading.
    init(_ store: Store, _ folder: StoreDirectory, application: String) {
        self.store = store
        self.folder = folder
        // Nothing is done in this name: what others did is told as theirs.
        caller = Caller(user: "", device: "", app: application)
    }

    deinit {
        // Forgotten without being closed: its thread must not outlive it.
        guard let follower = follower.withLock(\.self) else { return }
        Worker.detach { follower.close() }
    }

    /// Looks for news from now on; called once.
    func start(everyMilliseconds milliseconds: UInt64, failed: @escaping @Sendable () -> Void) {
        let started = StoreFollower(store, everyMilliseconds: milliseconds, failed: failed)
        follower.withLock { $0 = started }
    }

    /// Looks now.
    func refresh() async throws(DatabaseError) {
        guard let follower = follower.withLock(\.self) else { throw .closed }
        let folder = folder
        try await Worker.run {
            Result { () throws(DatabaseError) in
                do throws(StoreError) {
                    try follower.look()
                } catch {
                    throw folder.error(error)
                }
            }
        }.get()
    }

    var exposesOnlyDurable: Bool { false }

    var status: Database.Status { .readOnly }

    var followingFailure: DatabaseError? {
        follower.withLock { $0?.failure }.map { folder.error($0) }
    }

    func firstSync() async throws(DatabaseError) { try await refresh() }

    /// Checks what stands against the application's types, which nothing here can bring about.
    func declare(_ trees: [TreeProposal]) async throws(DatabaseError) {
        for proposal in trees {
            let stands = store.read { reader in
                reader.state.tree(proposal.tree)?.declaration.covers(proposal.definition) ?? true
            }
            guard !stands else { continue }
            throw .refused(
                Refusal(
                    .incompatible,
                    "The tree '\(proposal.tree)' is declared in another way than this application "
                        + "does; open the database once for writing with this version."
                )
            )
        }
    }

    func drain() async {
        // Nothing is on its way to anywhere.
    }

    func close() async throws(DatabaseError) {
        let taken = follower.withLock { follower in
            defer { follower = nil }
            return follower
        }
        await Worker.run { taken?.close() }
    }

    // MARK: Nothing is written here

    private var refusal: DatabaseError {
        .refused(
            Refusal(
                .readOnly,
                "The database is open for reading alone; write in the process that has it open for "
                    + "writing, or open it with Database.open."
            )
        )
    }

    func prepare() async throws(DatabaseError) { throw refusal }

    func nextNumber(
        _ tree: TreeName,
        for draft: inout ChangeDraft
    ) throws(DatabaseError) -> UInt64 { throw refusal }

    func propose(_ draft: ChangeDraft) async throws(DatabaseError) -> Proposal { throw refusal }

    func abandon(_ draft: ChangeDraft) {
        // No body ever ran.
    }

    func settle(_ proposal: Proposal) async throws(DatabaseError) { throw refusal }

    func acceptance(
        of proposal: Proposal
    ) async throws(DatabaseError) -> HoldfastRecords.Position { throw refusal }

    func ask(
        _ operations: [Operation],
        id: UniqueID,
        why: String
    ) async throws(DatabaseError) -> [OperationResult] { throw refusal }

    func files() throws(DatabaseError) -> FileStore { store.files }

    func keep(_ upload: FileUpload, as file: FileRecord) async throws(DatabaseError) {
        throw refusal
    }

    func stranded() throws(DatabaseError) -> [StrandedChange] { [] }

    func reoffer(_ id: UniqueID) async throws(DatabaseError) -> Proposal { throw refusal }

    func drop(_ id: UniqueID) async throws(DatabaseError) { throw refusal }
}
