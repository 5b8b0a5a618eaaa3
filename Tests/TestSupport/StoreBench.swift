// A store with a disk, a clock and chance that a test owns, driven step by step.
public import HoldfastBasics
public import HoldfastCommitLog
public import HoldfastRecords
public import HoldfastStorage
public import HoldfastStore

/// An open store whose sync steps, clock and random numbers are the test's.
public final class StoreBench {
    /// The database's disk.
    public let disk: any Disk
    /// The store's clocks.
    public let time: FakeTime
    /// Gives the store's ids and salts, and the test's ids.
    public let random: SeededRandom
    /// The store as it was opened last.
    public private(set) var store: Store
    private let options: LogOptions

    /// Small segments, so that a few commits cross from one to the next.
    public static let small = LogOptions(segmentByteCount: 16 << 10, growByteCount: 4096)

    /// Says nothing.
    public static let silent = Logger(level: .error, time: FakeTime()) { _ in }

    /// Opens a store, making the database where there is none.
    ///
    /// - Throws: `StoreError`, `CommitLogError`.
    public init(
        _ disk: any Disk = SimulatedDisk(),
        seed: UInt64 = 1,
        time: FakeTime = FakeTime(),
        options: LogOptions = StoreBench.small
    ) throws {
        self.disk = disk
        self.time = time
        self.options = options
        random = SeededRandom(seed: seed)
        if try !CommitLog.isPresent(disk: disk) {
            try Store.create(
                on: disk,
                application: "stockroom",
                options: options,
                time: time,
                random: random
            )
        }
        store = try Self.open(disk, options, time, random)
    }

    private static func open(
        _ disk: any Disk,
        _ options: LogOptions,
        _ time: FakeTime,
        _ random: SeededRandom
    ) throws -> Store {
        try Store(
            disk: disk,
            application: "stockroom",
            options: options,
            time: time,
            random: random,
            logger: silent
        )
    }

    /// Closes the store in order and opens it again.
    ///
    /// - Parameter isClosing: False when it is closed already.
    /// - Throws: `StoreError`.
    public func reopen(closing isClosing: Bool = true) throws {
        if isClosing { try store.close() }
        store = try Self.open(disk, options, time, random)
    }

    /// Goes on with another store of the same database.
    public func use(_ other: Store) { store = other }

    /// A new id.
    public func id() -> UniqueID {
        .version7(milliseconds: time.wallMilliseconds(), random: random)
    }

    /// Proposes operations as one change.
    @discardableResult
    public func submit(
        _ operations: [HoldfastRecords.Operation],
        by caller: Caller = Caller(user: "anna", device: "PC-1"),
        id: UniqueID? = nil,
        digest: Hash128 = .zero
    ) -> Submission {
        store.submit(
            Change(id: id ?? self.id(), digest: digest, operations: operations),
            by: caller
        )
    }

    /// Syncs what has gathered; `progress` says how it went.
    public func sync() {
        let head = store.read(\.confirmedHead)
        repeat {
            store.syncStep()
            store.roomStep()
        } while store.progress.failure == nil && store.progress.durable < head
    }
}

extension Submission {
    /// Why it was refused; nil when it was not.
    public var refusal: RefusalCode? {
        if case .refused(_, let refusal) = self { return refusal.code }
        return nil
    }

    /// Whether it became a commit now.
    public var isAccepted: Bool {
        if case .accepted = self { return true }
        return false
    }

    /// Whether it had become a commit before.
    public var isReplayed: Bool {
        if case .replayed = self { return true }
        return false
    }
}
