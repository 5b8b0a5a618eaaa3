// A database as an application sees it.
//
// The way of a read: box in the tree's cache, else the engine's index and the log, decoded once.
// The way of a write: gate, body, authority (see Authority.swift), disk.
//
// Threads: everything here may be called from any task or thread. Reads are synchronous and never
// wait for the network; they may wait for a sync of the disk (less than a millisecond) when they
// meet what was just written.
public import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastRecords
public import HoldfastStore
internal import Synchronization

/// A database: typed trees of records, with everything that happened to them.
///
/// ```swift
/// let db = try await Database.open("data", application: "rig", trees: [Part.self])
/// let made = try await db.write(why: "goods in") { tx in try tx.create(part) }
/// let stock = try db.withRecord(made.value) { $0.stock }
/// ```
///
/// A handle is cheap to pass on; every handle sees the same state. ``close()`` it when done.
public final class Database: Sendable {
    let store: Store
    let authority: any Authority
    let gate: WriterGate
    /// One compaction at a time.
    let upkeep = WriterGate()
    let time: any TimeSource
    let random: any RandomSource
    /// Rings when something new can be read.
    let news = WakeUp()
    /// Waits for the disk; nil when reads show what stands at once.
    let watch: DurableWatch?
    /// Tasks of this process that wait for one another's borrows.
    let lines = LocalLines()
    private let caches: ObjectsByType
    private let trees: [any AnyTreeCache]
    private let isClosed = Atomic<Bool>(false)

    /// Puts a database together, before any thread works on its store.
    ///
    /// For this package's own modules: applications call `open` or `connect`.
    ///
    /// - Parameters:
    ///   - store: The log and the state.
    ///   - authority: Who decides.
    ///   - gate: The gate everything goes through that changes the store.
    ///   - trees: The record types.
    ///   - cacheByteCount: What decoded records of one tree may weigh together.
    ///   - time: The clocks.
    ///   - random: Gives ids.
    public init(
        store: Store,
        authority: any Authority,
        gate: WriterGate,
        trees: RecordTrees,
        cacheByteCount: Int = Database.defaultCacheByteCount,
        time: any TimeSource = SystemTime(),
        random: any RandomSource = SystemRandom()
    ) {
        self.store = store
        self.authority = authority
        self.gate = gate
        self.time = time
        self.random = random
        let caches = trees.caches(store, byteCountMax: cacheByteCount)
        self.caches = ObjectsByType(caches.map { ($0.type, $0.cache) })
        self.trees = caches.map(\.cache)
        watch = authority.exposesOnlyDurable ? DurableWatch(store) : nil
        let byName = Dictionary(uniqueKeysWithValues: caches.map { ($0.cache.name, $0.cache) })
        let (news, isShown) = (news, watch == nil)
        store.attach { reader, touched in
            defer { if isShown { news.notify() } }
            guard let touched else {
                for cache in byName.values { cache.refreshAll() }
                return
            }
            var start = 0
            while start < touched.count {
                let tree = touched[start].tree
                let end = touched[start...].firstIndex { $0.tree != tree } ?? touched.count
                byName[tree]?.refresh(reader, touched[start..<end].map(\.key))
                start = end
            }
        }
        if !isShown { store.observe { _, _ in news.notify() } }
    }

    /// What decoded records of one tree may weigh together, unless said otherwise.
    public static let defaultCacheByteCount = 256 << 20

    // MARK: Trees

    /// The tree of a record type.
    ///
    /// - Precondition: The type is one of those the database was opened with.
    public func tree<R: Record>(_ type: R.Type) -> Tree<R> {
        Tree(database: self, cache: cache(type))
    }

    func cache<R: Record>(_ type: R.Type) -> TreeCache<R> { withCache(type) { $0 } }

    /// Lends the cache of a tree.
    func withCache<R: Record, T>(
        _ type: R.Type,
        _ body: (TreeCache<R>) throws -> T
    ) rethrows -> T {
        if let result = try caches.lend(type, as: TreeCache<R>.self, body) { return result }
        preconditionFailure("\(type) is none of the types this database was opened with")
    }

    /// What the caches hold: boxes, and their weight in bytes.
    func checkInvariants<R: Record>(_ type: R.Type) -> String? {
        store.hold { cache(type).checkInvariants() }
    }

    // MARK: Life

    /// How it stands with whoever decides.
    public var status: Status { authority.status }

    /// Every status from now on, the present one first.
    public var statuses: Updates<Status> {
        Updates { StatusCursor(authority: self.authority) }
    }

    /// Waits until everything the server has is here; returns at once where this process decides.
    ///
    /// - Throws: `offline`, `refused`, `closed`.
    public func firstSync() async throws(DatabaseError) {
        try checkOpen()
        try await authority.firstSync()
    }

    /// Changes made here that the server refused, oldest first.
    ///
    /// - Throws: `closed`.
    public func stranded() throws(DatabaseError) -> [StrandedChange] {
        try checkOpen()
        return try authority.stranded()
    }

    /// Ends the database: syncs what is left, ends its threads, lets go of its directory.
    ///
    /// Writers that wait for their turn, and everything after it, get `closed`; a compaction that
    /// runs is waited for. Called again, it does nothing.
    ///
    /// - Throws: `poisoned` when the end cannot be written.
    public func close() async throws(DatabaseError) {
        guard !isClosed.exchange(true, ordering: .acquiringAndReleasing) else { return }
        await authority.drain()
        await enterUncancelled(upkeep)
        defer { upkeep.leave() }
        await enterUncancelled(gate)
        defer { gate.leave() }
        await saveViews(each: false)
        let result: Result<Void, DatabaseError>
        do throws(DatabaseError) {
            result = .success(try await authority.close())
        } catch {
            result = .failure(error)
        }
        watch?.end()
        news.end()
        authority.statusChanges.end()
        try result.get()
    }

    /// Writes the checkpoints of the views that were asked for, where this process may write.
    ///
    /// - Parameter isEach: Also of those in which little changed since the last one.
    func saveViews(each isEach: Bool) async {
        // Those who share a database would write into one another's files.
        guard !store.isReadOnly, !store.isShared, store.progress.failure == nil else { return }
        let trees = trees
        await Worker.run {
            for tree in trees { tree.saveViews(each: isEach) }
        }
    }

    /// Waits for a gate also in a cancelled task.
    func enterUncancelled(_ gate: WriterGate) async {
        let entering = Task.detached {
            do throws(CancellationError) {
                try await gate.enter()
            } catch {
                preconditionFailure("nobody cancels this task")
            }
        }
        await entering.value
    }

    /// - Throws: `closed`.
    func checkOpen() throws(DatabaseError) {
        if isClosed.load(ordering: .acquiring) { throw .closed }
    }

    /// A new id for a change, a borrow.
    func newID() -> UniqueID {
        .version7(milliseconds: time.wallMilliseconds(), random: random)
    }
}
