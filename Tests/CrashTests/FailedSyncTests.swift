// The disk fails under a batch in which everything happens: back to what is durable, in every
// structure, and exactly once after a reopening.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

@Suite struct FailedSyncTests {
    typealias Operation = HoldfastRecords.Operation

    private static let anna = Caller(user: "anna", device: "PC-1")
    private static let bert = Caller(user: "bert", device: "PC-2")
    private static let options = LogOptions(segmentByteCount: 2048, growByteCount: 512)

    /// A store with a durable past, and the changes of the batch that will fail.
    private final class Scene {
        let disk: SimulatedDisk
        let bench: StoreBench
        var batch: [(change: Change, caller: Caller)] = []

        init(seed: UInt64) throws {
            disk = SimulatedDisk(seed: seed)
            bench = try StoreBench(disk, seed: seed, options: FailedSyncTests.options)
        }

        func add(_ operation: Operation, by caller: Caller = FailedSyncTests.anna) {
            let digest = Hash128(high: bench.random.next() | 1, low: 7)
            let change = Change(id: bench.id(), digest: digest, operations: [operation])
            batch.append((change, caller))
        }
    }

    private func create(_ tree: TreeName, _ key: RecordKey?, _ number: String) -> Operation {
        .put(
            WriteOperation(
                tree: tree,
                key: key,
                expects: .absent,
                value: Array("{\"number\":\"\(number)\"}".utf8)
            )
        )
    }

    private func taking(_ key: RecordKey, _ id: UniqueID) -> Operation {
        .borrow(BorrowOperation(tree: StockModel.parts, key: key, borrow: id, queue: true))
    }

    private func target(_ key: RecordKey, _ seq: UInt64, _ bench: StoreBench) -> RecordOperation {
        RecordOperation(
            tree: StockModel.parts,
            key: key,
            expects: .version(Position(epoch: bench.store.identity.epoch, seq: seq))
        )
    }

    /// The durable past: parts, a line with a grant that will lapse, a line that will be granted.
    private func scene(seed: UInt64) throws -> Scene {
        let scene = try Scene(seed: seed)
        let bench = scene.bench
        for definition in StockModel.definitions { bench.submit([definition]) }
        var keys: [(key: RecordKey, seq: UInt64)] = []
        for number in ["a", "b", "c", "d"] {
            let answer = bench.submit([create(StockModel.parts, nil, number)])
            guard case .accepted(let position, let results) = answer,
                case .created(_, let key) = results.last
            else { throw Disagreement("\(answer)") }
            keys.append((key, position.seq))
        }
        let ids = (0..<5).map { _ in bench.id() }
        bench.submit([taking(keys[0].key, ids[0])], by: Self.anna)
        bench.submit([taking(keys[0].key, ids[1])], by: Self.bert)
        bench.submit([.return(ids[0])], by: Self.anna)
        bench.submit([taking(keys[1].key, ids[2])], by: Self.anna)
        bench.submit([taking(keys[1].key, ids[3])], by: Self.bert)
        bench.submit([create(StockModel.footprints, RecordKey(name: "old"), "x")])
        bench.sync()
        #expect(bench.store.progress.durable == bench.store.read { $0.state.head })
        let shelves = try #require(TreeName("shelves"))
        let old = RecordOperation(
            tree: StockModel.footprints,
            key: RecordKey(name: "old"),
            expects: .version(bench.store.read { $0.state.position })
        )
        scene.add(.return(ids[2]))
        scene.add(create(StockModel.parts, nil, "e"))
        scene.add(.delete(old))
        scene.add(create(StockModel.footprints, RecordKey(name: "old"), "y"))
        scene.add(create(StockModel.footprints, RecordKey(name: "new"), "z"))
        scene.add(.reserve(tree: StockModel.bins, range: bench.id(), count: 50), by: Self.bert)
        scene.add(.defineTree(shelves, TreeDefinition(keys: .name)))
        scene.add(create(shelves, RecordKey(name: "s"), "s"))
        // The number c moves from one part to another.
        scene.add(.delete(target(keys[2].key, keys[2].seq, bench)))
        scene.add(create(StockModel.parts, nil, "c"))
        scene.add(.release(target(keys[3].key, keys[3].seq, bench), number: 1))
        scene.add(.revise(tree: StockModel.parts, key: keys[3].key, hold: ids[4]))
        scene.add(.defineTree(StockModel.bins, TreeDefinition(keys: .id, borrow: .optional)))
        return scene
    }

    /// Everything a store shows, the failed batch's traces asked for by name.
    private func everything(_ scene: Scene) -> [String] {
        let names = ["old", "new", "s"].map { RecordKey(name: $0) }
        let numbers = (1...8).map { RecordKey(number: $0) }
        let keys =
            names.map { (tree: StockModel.footprints, key: $0) }
            + numbers.map { (tree: StockModel.parts, key: $0) }
        return scene.bench.store.read {
            dump($0.state, changes: scene.batch.map(\.change.id), keys: keys)
        }
    }

    /// Runs the batch into a failure.
    ///
    /// - Returns: Whether the failure was met.
    private func fail(_ scene: Scene, _ fault: SimulatedDisk.Fault) throws -> Bool {
        let bench = scene.bench
        let durable = bench.store.progress.durable
        let before = everything(scene)
        scene.disk.fail(fault)
        bench.time.advance(milliseconds: Limits.grantMilliseconds)
        bench.store.tick()
        var seqs = [durable + 1]
        for (change, caller) in scene.batch {
            let answer = bench.store.submit(change, by: caller)
            try #require(answer.isAccepted, "\(answer)")
            seqs.append(answer.position.seq)
        }
        let seen = Lock<[Progress]>([])
        bench.store.observe { progress, _ in seen.withLock { $0.append(progress) } }
        #expect(everything(scene) != before)
        bench.sync()
        let progress = bench.store.progress
        guard progress.failure != nil else { return false }
        #expect(seen.withLock { $0 } == [progress], "who waits is told once")
        #expect(progress.durable == durable)
        #expect(progress.lostUpTo == seqs.last)
        #expect(seqs.allSatisfy { progress.outcome(of: $0) == .unknown })
        #expect(progress.outcome(of: durable) == .durable)
        try compare(everything(scene), before, "the state after the failure with before")
        try bench.store.compareWithFreshFold()
        // Reads go on, writes do not, and time passes without a commit.
        #expect(bench.store.recordLines(at: durable).count == 5)
        for (change, caller) in scene.batch {
            #expect(bench.store.submit(change, by: caller).refusal == .readOnly)
        }
        bench.store.tick()
        bench.sync()
        #expect(bench.store.progress == progress)
        #expect(bench.store.read { $0.state.head } == durable)
        #expect(bench.store.logReader().head == durable)
        return true
    }

    /// Opens what is there: a prefix that reaches at least to `durable`; every change of the batch
    /// sent again is done exactly once.
    private func expectOnce(
        _ scene: Scene,
        on disk: SimulatedDisk,
        durable: UInt64,
        _ what: String
    ) throws {
        let bench = try StoreBench(
            disk,
            seed: 99,
            time: scene.bench.time,
            options: Self.options
        )
        let head = bench.store.read { $0.state.head }
        try #require(head >= durable, "\(what): durable commits lost")
        try bench.store.compareWithFreshFold()
        bench.store.tick()
        for (change, caller) in scene.batch {
            let answer = bench.store.submit(change, by: caller)
            try #require(answer.isAccepted || answer.isReplayed, "\(what): \(answer)")
            if answer.isReplayed { try #require(answer.position.seq <= head, "\(what)") }
        }
        bench.sync()
        try bench.store.compareWithFreshFold()
        let changes = try LogCopy(bench.store.logReader()).changes
        try #require(Set(changes).count == changes.count, "\(what): doubled")
        #expect(Set(changes).isSuperset(of: scene.batch.map(\.change.id)))
        // 1 lapse besides the batch.
        #expect(changes.count == Int(durable) + scene.batch.count + 1, "\(what)")
        try bench.reopen()
        #expect(bench.store.read { $0.state.head } == UInt64(changes.count))
    }

    @Test(
        "After a failing write the state is a fresh fold to durable, and nothing is doubled later",
        arguments: [DiskError.Operation.sync, .write, .open, .rename, .syncDirectory, .map]
    )
    func everyFailure(_ operation: DiskError.Operation) throws {
        var met = 0
        for after in 0..<12 {
            let scene = try scene(seed: UInt64(after) + 1)
            let durable = scene.bench.store.progress.durable
            guard try fail(scene, .init(operation, after: after)) else { continue }
            met += 1
            scene.disk.heal()
            try scene.bench.store.close()
            for cut in 1...4 {
                try expectOnce(
                    scene,
                    on: scene.disk.crash(seed: UInt64(cut)),
                    durable: durable,
                    "\(operation) \(after), cut \(cut)"
                )
            }
            // The same machine, whose page cache shows what the disk may not have.
            try expectOnce(
                scene,
                on: scene.disk,
                durable: durable,
                "\(operation) \(after), restarted"
            )
        }
        #expect(met > 0)
    }
}
