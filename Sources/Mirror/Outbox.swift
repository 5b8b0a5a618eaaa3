// What a mirror must not lose: changes the authority has not answered, stranded ones, and how far
// ids are given out. A small store of its own, so that atomicity, checksums and repair are the
// log's.
//
// Invariants:
// - every function that writes returns when it is durable; killed before, nothing of it happened;
// - `deviceSeq` is dense from 1 and never used twice, also after everything was settled;
// - an id is below its tree's durable mark before it is given out, so that it is given out once;
// - a change is pending, stranded in one bundle, or gone; never two of these.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStorage
internal import HoldfastStore
internal import HoldfastWire

/// The durable memory of a mirror beside the copy of the database.
final class Outbox: Sendable {
    struct State {
        /// Changes without an outcome.
        var queue = OutboxQueue()
        var bundles: [StrandedBundle] = []
        /// The highest number ever used.
        var last: UInt64 = 0
        var cursors: [TreeName: KeyCursor] = [:]
        /// The next id of each tree, at most its mark.
        var nextIDs: [TreeName: UInt64] = [:]
        /// How many ids the next lease of each tree covers.
        var leaseCounts: [TreeName: UInt64] = [:]
        var holds = OutboxHolds()
        var facts: [String: [UInt8]] = [:]
        /// Files that were attached here.
        var files: [Digest256: StagedFile] = [:]
    }

    /// The application every outbox belongs to.
    static let application = "holdfast.outbox"
    /// Most ids a lease covers.
    static let leaseCountMax: UInt64 = 64

    let log: Lock<OutboxLog>
    let state: Lock<State>
    let options: OutboxOptions
    let time: any TimeSource
    let random: any RandomSource
    let logger: Logger
    private static let caller = Caller(user: "outbox", device: "outbox")

    /// Opens an outbox, making it where there is none.
    ///
    /// - Parameters:
    ///   - disk: Its directory.
    ///   - options: How its log is laid out.
    ///   - time: The clocks.
    ///   - random: Gives ids.
    ///   - logger: Is told what was repaired.
    /// - Throws: `store`, `unreadable`.
    init(
        disk: any Disk,
        options: OutboxOptions = OutboxOptions(),
        time: any TimeSource = SystemTime(),
        random: any RandomSource = SystemRandom(),
        logger: Logger = Logger(level: .error)
    ) throws(MirrorError) {
        self.options = options
        self.time = time
        self.random = random
        self.logger = logger
        do {
            let disk = try OutboxDisk(disk)
            let directory = try disk.directory(disk.name)
            let store = try Self.open(on: directory, options, time, random, logger)
            log = Lock(OutboxLog(disk: disk, store: store, limit: options.anewByteCount))
        } catch let error as DiskError {
            throw .store(.log(.disk(error)))
        } catch let error as StoreError {
            throw .store(error)
        } catch let error as CommitLogError {
            throw .store(.log(error))
        } catch {
            preconditionFailure("opening throws nothing else: \(error)")
        }
        state = Lock(State())
        try declareTrees()
        let loaded = try load()
        state.withLock { $0 = loaded }
    }

    /// Closes it; called once, as the last.
    ///
    /// - Throws: `store`.
    func close() throws(MirrorError) {
        try log.withLock { (log) throws(MirrorError) in
            defer { log.disk.release() }
            do throws(StoreError) {
                try log.store.close()
            } catch {
                throw .store(error)
            }
        }
    }

    var store: Store { log.withLock(\.store) }

    // MARK: Reading

    /// Changes without an outcome, in the order they were made; `deviceSeq` is set.
    var pending: [Change] { state.withLock(\.queue.all) }

    /// How many changes have no outcome.
    var pendingCount: Int { state.withLock(\.queue.count) }

    /// A change without an outcome; nil for others.
    func pendingChange(_ id: UniqueID) -> Change? { state.withLock { $0.queue[id] } }

    /// The changes without an outcome after a number, in order, at most so many.
    func pending(after number: UInt64, count: Int) -> [Change] {
        state.withLock { $0.queue.after(number, count: count) }
    }

    /// Stranded changes, oldest first.
    var stranded: [StrandedBundle] { state.withLock(\.bundles) }

    /// Whether a change without an outcome creates records.
    var hasMakers: Bool { state.withLock(\.queue.hasMakers) }

    /// The change without an outcome that creates the record others refer to.
    func maker(of reference: Reference) -> UniqueID? {
        state.withLock { $0.queue.maker(of: reference) }
    }

    /// The highest number every change up to which has an outcome.
    var settledThrough: UInt64 {
        state.withLock { $0.queue.firstNumber.map { $0 - 1 } ?? $0.last }
    }

    /// Borrows that creations took on their own and that are not known to have ended.
    var holds: [UniqueID: HoldRecord] { state.withLock(\.holds.records) }

    /// Whether one of these borrows is among the holds.
    func isHold(_ id: UniqueID) -> Bool { state.withLock { $0.holds.records[id] != nil } }

    /// Holds of records nothing pends for, as far as the outbox knows.
    var freeHolds: [UniqueID] { state.withLock { $0.holds.free($0.queue) } }

    /// Whether nothing pends for a record and no creation holds it.
    func isFree(_ record: HoldRecord) -> Bool {
        state.withLock { !$0.queue.isUsing(record) && !$0.holds.isHeld(record) }
    }

    /// The bundle a change is stranded in.
    func bundle(of id: UniqueID) -> StrandedBundle? {
        state.withLock { $0.bundles.first { bundle in bundle.changes.contains { $0.id == id } } }
    }

    /// A small text kept under a name; nil when there is none.
    func fact(_ name: String) -> [UInt8]? { state.withLock { $0.facts[name] } }

    // MARK: Changes

    /// Keeps a change, numbered.
    ///
    /// - Parameters:
    ///   - change: Its `deviceSeq` is set here.
    ///   - holds: Borrows it takes on its own, with what they are of.
    /// - Returns: The change with its number.
    /// - Throws: `full`, `poisoned`, `tooLarge`.
    func put(
        _ change: Change,
        holds: [UniqueID: (tree: TreeName, key: RecordKey)] = [:]
    ) throws(MirrorError) -> Change {
        try state.withLock { (state) throws(MirrorError) in
            try put(change, replacing: nil, holds: holds, &state)
        }
    }

    func put(
        _ change: Change,
        replacing bundle: UniqueID?,
        holds: [UniqueID: (tree: TreeName, key: RecordKey)],
        _ state: inout State
    ) throws(MirrorError) -> Change {
        var change = change
        change.deviceSeq = state.last + 1
        var operations = try Self.records(of: change).map { name, json in
            set(.changes, name, json)
        }
        operations.append(set(.facts, Self.lastFact, Array("\(change.deviceSeq)".utf8)))
        let records = Self.records(of: holds)
        for (id, record) in records.sorted(by: { $0.key < $1.key }) {
            operations.append(set(.holds, id.description, record.json))
        }
        try commit(operations)
        state.last = change.deviceSeq
        state.queue.append(change)
        for (id, record) in records { state.holds.insert(record, for: id) }
        return change
    }

    /// Forgets pending changes whose outcome is known for ever.
    ///
    /// - Parameter ids: Unknown ones are passed over.
    /// - Throws: `full`, `poisoned`.
    func settle(_ ids: Set<UniqueID>) throws(MirrorError) {
        try state.withLock { (state) throws(MirrorError) in
            var gone = ids.compactMap { state.queue[$0] }.sorted { $0.deviceSeq < $1.deviceSeq }
            while !gone.isEmpty {
                let part = gone.prefix(Self.settledCount)
                gone.removeFirst(part.count)
                try commit(part.flatMap { removal(of: $0) })
                for change in part { state.holds.offer(change, leaving: &state.queue) }
            }
            try unstrand(ids, &state)
            try beginAnew(state)
        }
    }

    /// Most changes forgotten by one commit.
    private static let settledCount = 4096

    /// Stranded changes that were accepted after all leave their bundles.
    private func unstrand(_ ids: Set<UniqueID>, _ state: inout State) throws(MirrorError) {
        for (index, bundle) in state.bundles.enumerated().reversed() {
            let gone = bundle.changes.filter { ids.contains($0.id) }
            guard !gone.isEmpty else { continue }
            var left = bundle
            left.changes.removeAll { ids.contains($0.id) }
            try commit(gone.flatMap { removal(of: $0) } + record(of: left))
            if left.changes.isEmpty {
                state.bundles.remove(at: index)
            } else {
                state.bundles[index] = left
            }
        }
    }

    /// Sets a refused change aside, with all pending changes that require it, directly or not.
    ///
    /// - Parameters:
    ///   - id: The refused change.
    ///   - refusal: Why.
    /// - Returns: What was set aside; nil when the change does not pend.
    /// - Throws: `full`, `poisoned`.
    func strand(
        _ id: UniqueID,
        _ refusal: Refusal
    ) throws(MirrorError) -> StrandedBundle? {
        try state.withLock { (state) throws(MirrorError) in
            guard let first = state.queue[id] else { return nil }
            let changes = state.queue.closure(of: first)
            let bundle = StrandedBundle(
                id: id,
                refusal: refusal,
                changes: changes,
                at: time.wallMilliseconds()
            )
            try commit(record(of: bundle))
            for change in changes { state.holds.offer(change, leaving: &state.queue) }
            state.bundles.append(bundle)
            return bundle
        }
    }

    /// Forgets a bundle.
    ///
    /// - Returns: Whether there was one.
    /// - Throws: `full`, `poisoned`.
    @discardableResult
    func drop(_ id: UniqueID) throws(MirrorError) -> Bool {
        try state.withLock { (state) throws(MirrorError) in
            guard let index = state.bundles.firstIndex(where: { $0.id == id }) else { return false }
            let bundle = state.bundles[index]
            try commit(
                [remove(.stranded, id.description)] + bundle.changes.flatMap { removal(of: $0) }
            )
            state.bundles.remove(at: index)
            return true
        }
    }

    /// Puts new changes in the place of a bundle, in one step.
    ///
    /// - Parameters:
    ///   - id: The bundle.
    ///   - changes: With new ids; numbered here.
    ///   - holds: Borrows they take on their own, with what they are of.
    /// - Returns: The changes with their numbers.
    /// - Throws: `full`, `poisoned`, `tooLarge`.
    func reoffer(
        _ id: UniqueID,
        as changes: [Change],
        holds: [UniqueID: (tree: TreeName, key: RecordKey)] = [:]
    ) throws(MirrorError) -> [Change] {
        try state.withLock { (state) throws(MirrorError) in
            guard let index = state.bundles.firstIndex(where: { $0.id == id }) else { return [] }
            let bundle = state.bundles[index]
            var numbered: [Change] = []
            var operations =
                [remove(.stranded, id.description)] + bundle.changes.flatMap { removal(of: $0) }
            for change in changes {
                var change = change
                change.deviceSeq = state.last + UInt64(numbered.count) + 1
                operations += try Self.records(of: change).map { set(.changes, $0, $1) }
                numbered.append(change)
            }
            let last = state.last + UInt64(numbered.count)
            operations.append(set(.facts, Self.lastFact, Array("\(last)".utf8)))
            let records = Self.records(of: holds)
            operations += records.sorted { $0.key < $1.key }.map { id, record in
                set(.holds, id.description, record.json)
            }
            try commit(operations)
            state.last = last
            for (id, record) in records { state.holds.insert(record, for: id) }
            state.bundles.remove(at: index)
            for change in numbered { state.queue.append(change) }
            return numbered
        }
    }

    // MARK: Facts and holds

    private static func records(
        of holds: [UniqueID: (tree: TreeName, key: RecordKey)]
    ) -> [UniqueID: HoldRecord] {
        holds.mapValues { HoldRecord(tree: $0.tree, key: $0.key) }
    }

    /// Keeps a small JSON text under a name.
    ///
    /// - Throws: `full`, `poisoned`.
    func setFact(_ name: String, _ json: [UInt8]) throws(MirrorError) {
        try state.withLock { (state) throws(MirrorError) in
            guard state.facts[name] != json else { return }
            try commit([set(.facts, name, json)])
            state.facts[name] = json
        }
    }

    /// Forgets borrows that ended.
    func forgetHolds(_ ids: [UniqueID]) throws(MirrorError) {
        try state.withLock { (state) throws(MirrorError) in
            let known = ids.filter { state.holds.records[$0] != nil }
            guard !known.isEmpty else { return }
            try commit(known.map { remove(.holds, $0.description) })
            for id in known { state.holds.remove(id) }
        }
    }

    // MARK: Committing

    /// Makes operations durable as one step.
    func commit(_ operations: [Operation]) throws(MirrorError) {
        if let failure = log.withLock(\.failure) { throw .poisoned(failure) }
        try commit(operations, to: store)
    }

    func commit(_ operations: [Operation], to store: Store) throws(MirrorError) {
        let id = UniqueID.version7(milliseconds: time.wallMilliseconds(), random: random)
        let change = Change(id: id, operations: operations)
        var answer = store.submit(change, by: Self.caller)
        if case .refused(_, let refusal) = answer, refusal.code == .full {
            // Nobody else looks whether there is room again.
            store.tick()
            answer = store.submit(change, by: Self.caller)
        }
        switch answer {
        case .accepted(let position, _):
            store.syncStep()
            guard store.progress.outcome(of: position.seq) == .durable else {
                throw .poisoned(store.progress.failure ?? "the write did not reach the disk")
            }
        case .unchanged, .replayed: return
        case .refused(_, let refusal):
            switch refusal.code {
            case .full: throw .full
            case .readOnly: throw .poisoned(refusal.detail)
            case .tooLarge:
                let count = operations.reduce(0) { $0 + $1.valueByteCount }
                throw .tooLarge(byteCount: count, limit: Limits.commitByteCountMax)
            default: preconditionFailure("the outbox broke its own rules: \(refusal)")
            }
        }
    }
}

extension Operation {
    fileprivate var valueByteCount: Int {
        switch self {
        case .put(let write), .patch(let write): write.value.count
        default: 0
        }
    }
}
