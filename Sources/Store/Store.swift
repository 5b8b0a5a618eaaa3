// A database: its log and the state folded from it.
//
// Threads: everything under one lock, on whichever thread comes. A change is decided, logged in
// memory and applied there (microseconds, no I/O); `syncStep`, driven by one thread handed in,
// writes and syncs all that has gathered, then tells whoever waits. The store starts no thread or
// timer.
//
// Invariants:
// - state.head == log.head; progress.durable <= head;
// - no reader is shown a commit above `durable`: whoever reads asks `waits(for:)` first;
// - after a failed write the state is rolled back to durable and takes no more writes until
//   reopened.
public import HoldfastBasics
public import HoldfastCommitLog
public import HoldfastEngine
public import HoldfastRecords
public import HoldfastStorage

/// An open database.
public final class Store: Sendable {
    /// What is guarded by the lock.
    ///
    /// A class, so that readers are lent one reference and not a copy of all of it.
    final class Core {
        var log: CommitLog
        var state: EngineState
        var source: LogSource
        /// The directory.
        var disk: any Disk
        /// The manifest of the checkpoint in the directory; nil while there is none.
        var manifest: Manifest?
        /// Whether checkpoints are written.
        var mayCompact = true
        /// Whether somebody compacts, takes up what another process wrote, or puts another copy in
        /// place.
        var isBusy = false
        /// Whether somebody looks at what others wrote who share the database.
        var isLooking = false
        var encoder = EncoderBox()
        var failure: String?
        var lostUpTo: UInt64 = 0
        var pins = PinTable()
        var clock: ClockGuard
        var isClosing = false
        var isFull = false
        /// When what was written was last synced, on the monotonic clock.
        var syncedAt: UInt64 = 0
        /// Whether a thread writes or syncs.
        var isStepping = false
        /// Threads that wait for their turn to do so.
        var stepWaiterCount = 0
        /// How long the last of them took.
        var stepNanoseconds: UInt64 = 0
        /// The commit whose writer has promised to sync it.
        var promised: UInt64?
        var observers: [Observer] = []
        var consumers: [Consumer] = []
        var holds = HoldGate()
        var leases = LeaseTable()
        /// Whether the database was restored, and waits for what came after its backup.
        var healing: HealingState?
        /// Whether the bytes of files are kept here, so that values may name no others.
        var keepsFiles = false
        /// A mirror's pending changes; nil where this process decides.
        var overlay: Overlay?

        init(
            _ opened: Opened,
            disk: any Disk,
            time: any TimeSource,
            healing: HealingState?,
            overlay: Overlay?
        ) {
            (log, state, source) = opened
            self.disk = disk
            manifest = source.checkpoint?.manifest
            clock = ClockGuard(time: time)
            self.healing = healing
            self.overlay = overlay
        }

        /// Whether commits wait for the sync thread.
        var hasUnwritten: Bool { failure == nil && log.hasGathered }

        var progress: Progress {
            Progress(durable: log.durable, lostUpTo: lostUpTo, failure: failure)
        }
    }

    /// What the thread that makes room ahead of the log is told.
    struct RoomWork {
        var isWanted = false
        var isClosing = false
    }

    /// The database's own name and application, in the epoch it was opened in.
    public let identity: Identity
    /// What was repaired when it was opened.
    public let recovery: LogRecovery
    /// Seq of the checkpoint the state was taken up from; nil when the log alone was folded.
    public let checkpointSeq: UInt64?
    /// The bytes of files.
    public let files: FileStore
    let core: Condition<Core>
    /// How it was opened.
    let options: LogOptions
    /// Held while this one, of those who share the database, writes.
    let writingLock = Lock<(any DiskLock)?>(nil)
    let room = Condition(RoomWork())
    let time: any TimeSource
    let random: any RandomSource
    let logger: Logger

    /// Opens a database, folds its log, and repairs a torn tail.
    ///
    /// With options that are not writable it is opened for reading, beside the process that writes
    /// it too: nothing is locked, repaired or changed, and `refresh` goes on to what came since.
    /// With shared options others may have it open for writing too: changes are taken between
    /// `beginWriting` and `endWriting` alone.
    ///
    /// - Parameters:
    ///   - disk: Its directory.
    ///   - application: The application it must belong to; nil takes any.
    ///   - options: How the log is opened.
    ///   - time: The clocks.
    ///   - random: Gives ids and salts.
    ///   - logger: Is told what was repaired.
    /// - Throws: `StoreError`; nothing is changed then, but for a torn tail that was cut.
    public init(
        disk: any Disk,
        application: String?,
        options: LogOptions = LogOptions(),
        time: any TimeSource = SystemTime(),
        random: any RandomSource = SystemRandom(),
        logger: Logger = Logger()
    ) throws(StoreError) {
        self.time = time
        self.random = random
        self.logger = logger
        self.options = options
        files = FileStore(disk)
        let lock = options.isShared ? try Self.lockForWriting(disk, options, time) : nil
        defer { lock?.release() }
        let (log, state, source) = try Self.open(disk, application, options, random, logger)
        identity = log.identity
        recovery = log.recovery
        checkpointSeq = source.checkpoint?.manifest.seq
        var overlay: Overlay?
        if case .mirror(let trees) = log.role {
            overlay = Overlay(trees: trees, time: time, random: random)
        }
        core = Condition(
            Core(
                (log, state, source),
                disk: disk,
                time: time,
                healing: try Self.healing(disk, state, source),
                overlay: overlay
            )
        )
        guard options.isWritable else { return }
        lookForRoom()
        if options.isShared { endOpening() }
    }

    /// Makes an empty database in an empty directory.
    ///
    /// - Parameters:
    ///   - disk: The directory.
    ///   - application: The application it belongs to from now on.
    ///   - options: How its log is laid out.
    ///   - time: Stamps the database id.
    ///   - random: Gives the database id and the first epoch.
    /// - Throws: `log`; `busy` with shared options.
    public static func create(
        on disk: any Disk,
        application: String,
        options: LogOptions = LogOptions(),
        time: any TimeSource = SystemTime(),
        random: any RandomSource = SystemRandom()
    ) throws(StoreError) {
        let identity = Identity(
            databaseID: .version7(milliseconds: time.wallMilliseconds(), random: random),
            application: application,
            epoch: Epoch(rawValue: random.next())
        )
        let lock = options.isShared ? try lockForWriting(disk, options, time) : nil
        defer { lock?.release() }
        do throws(CommitLogError) {
            // Another one of those who will share it may have come first.
            if options.isShared, try CommitLog.isPresent(disk: disk) { return }
            try CommitLog.create(disk: disk, identity: identity, options: options, random: random)
        } catch {
            throw .log(error)
        }
    }

    /// A log, and what it folds to.
    typealias Opened = (log: CommitLog, state: EngineState, source: LogSource)

    /// Opens a log and folds it; where another process may compact it meanwhile, as often as that
    /// comes between.
    static func open(
        _ disk: any Disk,
        _ application: String?,
        _ options: LogOptions,
        _ random: any RandomSource,
        _ logger: Logger
    ) throws(StoreError) -> Opened {
        func open() throws(StoreError) -> Opened {
            var reading: (found: FoundCheckpoint, gathering: LogGathering)?
            defer { reading?.gathering.stop() }
            func begin() -> (FoundCheckpoint, LogGathering) {
                let found = Result { () throws(CommitLogError) in
                    try Checkpoint.newest(on: disk)
                }
                return (found, LogGathering(behind: try? found.get()))
            }
            let log = try openLog(disk, options, random) { stretch in
                let (found, gathering) = reading ?? begin()
                reading = (found, gathering)
                gathering.take(stretch)
            }
            if let application, log.identity.application != application {
                throw .otherApplication(expected: application, found: log.identity.application)
            }
            let (found, gathering) = reading ?? begin()
            gathering.end(log)
            let fitting = try checkpoint(found, of: log, logger)
            let (state, source) = try fold(log, fitting, gathering, logger)
            return (log, state, source)
        }
        let isAlone = options.isWritable && !options.isShared
        return isAlone ? try open() : try CommitLog.lookingAgain(disk, open)
    }

    private static func openLog(
        _ disk: any Disk,
        _ options: LogOptions,
        _ random: any RandomSource,
        _ visit: (LogStretch) -> Void
    ) throws(StoreError) -> CommitLog {
        do {
            return try CommitLog.open(disk: disk, options: options, random: random, visit: visit)
        } catch let error as CommitLogError {
            throw .log(error)
        } catch {
            preconditionFailure("opening throws nothing else: \(error)")
        }
    }

    // MARK: Writing

    /// Decides a change, and logs and applies it when it is accepted.
    ///
    /// - Parameters:
    ///   - change: What is proposed.
    ///   - caller: Who proposes it.
    ///   - trees: The trees the caller sees, nil for all; it changes no other, and no answer tells
    ///     it of another.
    ///   - rights: What the caller may do; nil for everything.
    ///   - willSync: The caller calls `syncPromised` next; where that serves, the sync thread is
    ///     not woken.
    /// - Returns: The answer; an accepted change counts when its position is durable.
    public func submit(
        _ change: Change,
        by caller: Caller,
        seeing trees: Set<TreeName>? = nil,
        rights: Rights? = nil,
        willSync: Bool = false
    ) -> Submission {
        settle(change, by: caller, seeing: trees, rights: rights, willSync: willSync) {
            $0.decide(change, $1)
        }
    }

    /// The same, and has the answer taken further where nothing came in between.
    ///
    /// - Parameters:
    ///   - change: What is proposed.
    ///   - caller: Who proposes it.
    ///   - rights: What the caller may do; nil for everything.
    ///   - body: Is called under the lock with the answer and what stands behind it; nothing of
    ///     that counts before the answer's position is durable.
    /// - Returns: What `body` returns.
    public func submit<T>(
        _ change: Change,
        by caller: Caller,
        rights: Rights?,
        _ body: (Submission, StoreReader) -> T
    ) -> T {
        mutate { core in
            let submission = settle(core, change, by: caller, rights: rights, willSync: false) {
                $0.decide(change, $1)
            }
            return body(submission, core.reader)
        }
    }

    /// Has a change decided, and logs and applies the commit it becomes.
    func settle(
        _ change: Change,
        by caller: Caller,
        seeing trees: Set<TreeName>? = nil,
        rights: Rights?,
        willSync: Bool = false,
        _ decide: (EngineState, DecisionContext) -> Decision
    ) -> Submission {
        mutate { core in
            settle(
                core,
                change,
                by: caller,
                seeing: trees,
                rights: rights,
                willSync: willSync,
                decide
            )
        }
    }

    private func settle(
        _ core: Core,
        _ change: Change,
        by caller: Caller,
        seeing trees: Set<TreeName>? = nil,
        rights: Rights?,
        willSync: Bool,
        _ decide: (EngineState, DecisionContext) -> Decision
    ) -> Submission {
        // What was accepted before is answered again: nothing is written for it.
        if let refusal = core.writeRefusal, !core.state.remembers(change.id) {
            return .refused(core.state.position, refusal)
        }
        let context = DecisionContext(
            caller: caller,
            now: time.wallMilliseconds(),
            random: random,
            visibleTrees: trees,
            rights: rights,
            keepsFiles: core.keepsFiles
        )
        let decision = decide(core.state, context)
        if !core.leases.isEmpty { core.renewLeases(by: change, decision, time) }
        switch decision {
        case .commit(let commit, let results):
            core.append(commit)
            if willSync, core.takesPromises { core.promised = commit.seq }
            return .accepted(core.state.position, results)
        case .unchanged(let results): return .unchanged(core.state.position, results)
        case .replayed(let offset): return core.replay(change, at: offset)
        case .refused(let refusal): return .refused(core.state.position, refusal)
        case .undetermined: preconditionFailure("the authority always decides")
        }
    }

    /// Decides what a change would lead to, and does nothing.
    ///
    /// - Parameters:
    ///   - change: What would be proposed.
    ///   - caller: Who would propose it.
    ///   - trees: The trees the caller sees; nil for all.
    /// - Returns: What `submit` would decide now.
    public func rehearse(
        _ change: Change,
        by caller: Caller,
        seeing trees: Set<TreeName>? = nil
    ) -> Decision {
        core.withLock { core in
            let context = DecisionContext(
                caller: caller,
                now: time.wallMilliseconds(),
                random: random,
                visibleTrees: trees,
                keepsFiles: core.keepsFiles
            )
            return core.state.decide(change, context)
        }
    }

    /// Commits what is due because of time, lets go of pins nobody moves, and looks for room on a
    /// disk that was full.
    ///
    /// - Returns: When to come again, in milliseconds from now; nil when nothing waits for time.
    @discardableResult
    public func tick() -> Int64? {
        // Nothing is written meanwhile that could notice the room.
        if core.withLock(\.isFull) { lookForRoom() }
        return isShared ? tickShared() : commitDue()
    }

    /// Commits what is due because of time, where this process may write now.
    func commitDue() -> Int64? {
        mutate { core in
            core.pins.expire(now: time.monotonicNanoseconds())
            let pause = core.isFull ? Self.roomMilliseconds : nil
            guard core.clock.check(time, logger) else { return pause }
            let now = time.wallMilliseconds()
            guard core.writeRefusal == nil else { return pause }
            let ended = isShared ? [] : core.leases.update(core.state.leases, time)
            if let commit = core.state.decideDue(now: now, random: random, ended: ended) {
                core.append(commit)
            }
            let due = core.state.nextDue.map { max(0, $0 - now) }
            return core.leases.isEmpty ? due : min(due ?? .max, Self.leaseMilliseconds)
        }
    }

    /// How often leases are looked at.
    private static let leaseMilliseconds: Int64 = 1000
    /// How often a full disk is looked at again.
    private static let roomMilliseconds: Int64 = 1000

    /// How far the store is.
    public var progress: Progress { core.withLock(\.progress) }

    /// Is told after every sync how far the store is and how many nanoseconds the sync took.
    public typealias Observer = @Sendable (Progress, UInt64) -> Void

    /// Is told after every sync, on the thread that synced.
    public func observe(_ observer: @escaping Observer) {
        core.withLock { $0.observers.append(observer) }
    }
}
