// A mirror's store fed by hand from an authority's, with pending changes of its own.
public import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
public import HoldfastRecords
public import HoldfastStorage
public import HoldfastStore

/// A store that follows the store of a random life, and proposes random changes of its own.
public final class MirrorBench {
    /// Who uses it.
    public static let caller = Caller(user: "dora", device: "PC-9")

    /// The authority.
    public let life: StockLife
    /// The mirror's disk.
    public let disk: any Disk
    /// The mirror.
    public private(set) var store: Store
    /// The outbox: changes neither settled nor withdrawn, in order.
    public private(set) var outbox: [PendingChange] = []
    /// Changes proposed here that were shown at least once, and those contested at least once.
    public private(set) var seen = (shown: 0, contested: 0, settled: 0, refused: 0)
    /// Set hashes of the authority after each commit.
    private var hashes: [UInt64: [String]] = [:]
    private var nextIDs: [TreeName: UInt64] = [:]
    private let random: SeededRandom

    /// Makes an empty mirror.
    ///
    /// - Throws: What the stores throw.
    public init(_ life: StockLife, _ disk: any Disk, seed: UInt64) throws {
        self.life = life
        self.disk = disk
        random = SeededRandom(seed: seed &+ 0x0D0A)
        try Store.create(
            following: life.bench.store.identity,
            on: disk,
            options: StoreBench.small,
            random: random
        )
        store = try Self.open(disk, life.bench.time, random)
        noteHashes()
        for tree in [StockModel.parts, StockModel.bins] {
            let range = life.bench.id()
            let change = Change(
                id: life.bench.id(),
                digest: Hash128(high: 1, low: 2),
                operations: [.reserve(tree: tree, range: range, count: 500)]
            )
            try life.propose(change, by: Self.caller)
            noteHashes()
            let ranges = life.bench.store.read { $0.state.tree(tree)?.keyRanges ?? [] }
            nextIDs[tree] = ranges.first { $0.id == range }?.first
        }
    }

    /// Opens a mirror's store.
    ///
    /// - Throws: `StoreError`.
    public static func open(
        _ disk: any Disk,
        _ time: FakeTime,
        _ random: SeededRandom
    ) throws -> Store {
        try Store(
            disk: disk,
            application: "stockroom",
            options: StoreBench.small,
            time: time,
            random: random,
            logger: StoreBench.silent
        )
    }

    // MARK: The authority's side

    /// Lets the authority live on.
    ///
    /// - Throws: `Disagreement`.
    public func stepAuthority(_ count: Int) throws {
        for _ in 0..<count {
            try life.step()
            noteHashes()
        }
    }

    private func noteHashes() {
        life.bench.store.read { reader in
            hashes[reader.state.head] = reader.state.hashes.map { "\($0.block) \($0.hash)" }
        }
    }

    /// Contents of the authority's commits after a seq.
    ///
    /// - Throws: `CommitLogError`.
    public func contents(after seq: UInt64, count: Int = .max) throws -> [[UInt8]] {
        life.bench.sync()
        let reader = life.bench.store.logReader()
        guard reader.head > seq, var cursor = try reader.cursor(before: seq + 1) else { return [] }
        var contents: [[UInt8]] = []
        while contents.count < count, let frame = try cursor.next() {
            contents.append(frame.content.array)
        }
        return contents
    }

    /// Sends the first pending changes to the authority; refused ones are withdrawn.
    ///
    /// - Throws: `Disagreement`.
    public func send(_ count: Int) throws {
        for pending in outbox.prefix(count) {
            let id = pending.change.id
            guard !life.accepted.contains(where: { $0.change.id == id }) else { continue }
            let before = life.accepted.count
            try life.propose(pending.change, by: pending.caller)
            noteHashes()
            guard life.accepted.count == before else { continue }
            // Refused, or nothing happened: no commit will come.
            seen.refused += 1
            store.withdraw([id])
            outbox.removeAll { $0.change.id == id }
        }
    }

    // MARK: The mirror's side

    /// Takes some of the commits that are not here yet.
    ///
    /// - Throws: `StoreError`, `CommitLogError`, `Disagreement`.
    public func receive(_ count: Int) throws {
        let head = store.read { $0.confirmedHead }
        // Now and then the last ones come twice, of those that the log here has.
        let oldest = store.read { $0.oldest.seq }
        let from = random.oneIn(4) ? max(oldest, head - min(head, UInt64(random.below(3)))) : head
        let result = try store.ingest(try contents(after: from, count: count))
        for status in result.settled {
            guard outbox.contains(where: { $0.change.id == status.id }) else {
                throw Disagreement("settled what did not pend")
            }
            outbox.removeAll { $0.change.id == status.id }
            seen.settled += 1
        }
    }

    /// Withdraws some of what pends, from anywhere.
    public func withdrawSome() {
        let gone = Set(outbox.map(\.change.id).filter { _ in random.oneIn(4) })
        store.withdraw(gone)
        outbox.removeAll { gone.contains($0.change.id) }
    }

    /// Withdraws everything that pends.
    public func withdrawAll() {
        store.withdraw(Set(outbox.map(\.change.id)))
        outbox = []
    }

    /// Proposes a random change of the mirror's user.
    public func propose() {
        let count = random.oneIn(5) ? 2 : 1
        let change = Change(
            id: life.bench.id(),
            digest: Hash128(high: random.next() | 1, low: 3),
            madeAt: life.bench.time.wallMilliseconds(),
            operations: (0..<count).map { _ in operation() }
        )
        let pending = PendingChange(change, by: Self.caller)
        // A mirror refuses at once what the preview refuses; some are pushed through to be contested.
        if case .refused = store.preview(change, by: Self.caller), !random.oneIn(6) { return }
        if store.show(pending) == .shown { seen.shown += 1 } else { seen.contested += 1 }
        outbox.append(pending)
    }

    private func operation() -> HoldfastRecords.Operation {
        let part = Part(number: "n\(random.below(60))", stock: random.below(9))
        let value = Array(part.json.utf8)
        guard !random.oneIn(3), let found = anyRecord() else { return creation(value) }
        let target = RecordOperation(tree: found.tree, key: found.key, expects: found.version)
        switch random.below(8) {
        case 0: return .delete(target)
        case 1 where found.tree == StockModel.parts: return .release(target, number: 1)
        case 2 where found.tree == StockModel.parts:
            return .revise(tree: found.tree, key: found.key, hold: nil)
        case 3:
            let patch = Array(Part(number: nil, stock: random.below(9)).json.utf8)
            return .patch(
                WriteOperation(
                    tree: found.tree,
                    key: found.key,
                    expects: found.version,
                    value: patch
                )
            )
        default:
            return .put(
                WriteOperation(
                    tree: found.tree,
                    key: found.key,
                    expects: found.version,
                    value: value
                )
            )
        }
    }

    private func creation(_ value: [UInt8]) -> HoldfastRecords.Operation {
        let tree = StockModel.trees[random.below(3)]
        var key = RecordKey(name: "f\(random.below(40))")
        if let next = nextIDs[tree] {
            key = RecordKey(number: next)
            nextIDs[tree] = next + 1
        }
        let hold = random.oneIn(3) ? life.bench.id() : nil
        return .put(
            WriteOperation(tree: tree, key: key, expects: .absent, hold: hold, value: value)
        )
    }

    private func anyRecord() -> (tree: TreeName, key: RecordKey, version: Expectation)? {
        store.read { reader in
            let name = StockModel.trees[random.below(3)]
            guard let tree = reader.state.tree(name) else { return nil }
            var all: [(RecordKey, Location)] = []
            _ = reader.state.scan(
                tree,
                after: nil,
                prefix: nil,
                .all,
                at: .max,
                entryCountMax: .max
            ) {
                all.append(($0, $1))
                return true
            }
            guard !all.isEmpty else { return nil }
            let (key, location) = all[random.below(all.count)]
            let version = reader.withEffect(at: location) { _, commit in
                reader.isPending(location)
                    ? Expectation.change(commit.changeID)
                    : .version(reader.state.position(of: commit.seq))
            }
            return (name, key, version)
        }
    }

    // MARK: Checking

    /// Compares everything: with the model, with the authority's hashes, and with another store
    /// that folds the same log and is shown the same changes.
    ///
    /// - Parameter comparesFold: Whether to compare with a fold of the log: not after a failed write,
    ///   which leaves more on the disk than is durable.
    /// - Throws: `Disagreement`, and what the stores throw.
    public func check(comparesFold: Bool = true) throws {
        try compareWithModel()
        let (head, found) = store.read { reader in
            (reader.confirmedHead, reader.confirmedHashes.map { "\($0.block) \($0.hash)" })
        }
        try compare(found, hashes[head] ?? [], "confirmed hashes with the authority's")
        store.syncStep()
        guard comparesFold, let disk = disk as? SimulatedDisk else { return }
        let other = try Self.open(disk.copy(), life.bench.time, SeededRandom(seed: 5))
        for pending in outbox { other.show(pending) }
        try compare(lines(store), lines(other), "the state with a fresh one")
        guard store.pending == other.pending else {
            throw Disagreement("pending changes are shown otherwise: \(store.pending)")
        }
    }

    /// Everything a state holds but chain and hashes, which salts and chance enter.
    private func lines(_ store: Store) -> [String] {
        let ids = outbox.map(\.change.id)
        return store.read { dump($0.state, changes: ids) }.dropFirst().filter {
            outbox.isEmpty || !$0.hasPrefix("hash ")
        }
    }

    private func compareWithModel() throws {
        let head = store.read { $0.confirmedHead }
        var model = life.models[Int(head)]
        var seq = head
        let now = life.bench.time.wallMilliseconds()
        for (pending, status) in zip(outbox, store.pending) {
            let answer = try model.decide(
                pending.change,
                by: pending.caller,
                now: now,
                seq: seq + 1,
                results: []
            )
            switch (answer, status.showing) {
            case (.accepted(let next), .shown):
                model = next
                seq += 1
            case (.unchanged, .shown): break
            case (.refused(let code), .contested(let refusal)) where refusal.code == code: break
            default:
                throw Disagreement(
                    "at \(head), \(pending.change.operations):\nshown \(status.showing)\n"
                        + "the model \(answer.text)"
                )
            }
        }
        try compare(
            store.recordLines(at: .max),
            model.recordLines,
            "what the mirror shows with the model"
        )
    }
}
