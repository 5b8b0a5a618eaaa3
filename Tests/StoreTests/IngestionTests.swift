// What is not the authority's next commit changes nothing.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

@Suite struct IngestionTests {
    private struct Scene {
        let bench: MirrorBench
        let next: [[UInt8]]

        init(seed: UInt64) throws {
            let life = try StockLife(StoreBench(seed: seed), seed: seed, keepsHistory: true)
            bench = try MirrorBench(life, SimulatedDisk(), seed: seed)
            try bench.stepAuthority(140)
            try bench.receive(25)
            for _ in 0..<4 { bench.propose() }
            next = try bench.contents(after: bench.store.read { $0.confirmedHead })
        }

        private var everything: [String] {
            bench.store.read { dump($0.state) } + bench.store.pending.map { "\($0)" }
        }

        /// Ingests what must be refused, and sees that nothing is changed.
        func refuse(_ contents: [[UInt8]]) throws -> StoreError? {
            let before = everything
            do throws(StoreError) {
                _ = try bench.store.ingest(contents)
                return nil
            } catch {
                try compare(everything, before, "the state after a refused batch")
                return error
            }
        }
    }

    @Test("A gap is refused, and so is a batch with a gap inside")
    func gap() throws {
        let scene = try Scene(seed: 1)
        for contents in [Array(scene.next.dropFirst()), [scene.next[0], scene.next[2]]] {
            guard case .gap = try scene.refuse(contents) else {
                Issue.record("a gap was taken")
                return
            }
        }
        try scene.bench.receive(.max)
        try scene.bench.check()
    }

    @Test("A closed mirror takes nothing")
    func closed() throws {
        let scene = try Scene(seed: 6)
        try scene.bench.store.close()
        guard case .readOnly = try scene.refuse(scene.next) else {
            Issue.record("a closed mirror took commits")
            return
        }
    }

    @Test("Any changed byte is refused, wherever it stands in the batch")
    func damage() throws {
        let scene = try Scene(seed: 2)
        let random = SeededRandom(seed: 2)
        for _ in 0..<300 {
            var contents = Array(scene.next.prefix(4))
            let which = random.below(contents.count)
            let at = random.below(contents[which].count)
            contents[which][at] ^= UInt8(1 + random.below(255))
            #expect(try scene.refuse(contents) != nil, "byte \(at) of \(which)")
            contents[which].removeLast(1 + random.below(contents[which].count))
            #expect(try scene.refuse(contents) != nil)
        }
        #expect(try scene.refuse([[]]) != nil)
        try scene.bench.receive(.max)
        try scene.bench.check()
    }

    @Test("Another history is refused: of the same seq below the head, and of the next above it")
    func diverged() throws {
        let scene = try Scene(seed: 3)
        let other = try Scene(seed: 4)
        let head = scene.bench.store.read { $0.confirmedHead }
        let theirs = try other.bench.contents(after: head - 1, count: 1)
        guard case .diverged(let seq) = try scene.refuse(theirs) else {
            Issue.record("another history was taken")
            return
        }
        #expect(seq == head)
        let later = try other.bench.contents(after: head, count: 1)
        guard case .badContent = try scene.refuse(later) else {
            Issue.record("another history was taken")
            return
        }
    }

    @Test("A commit of an epoch that is not the log's is refused")
    func epoch() throws {
        let scene = try Scene(seed: 5)
        // Made anew with the right hashes, so that the epoch alone is wrong.
        var encoder = CommitEncoder()
        var buffer = ByteBuffer()
        let (head, chain) = scene.bench.store.read { ($0.confirmedHead, $0.confirmedChain) }
        let commit = Commit(
            seq: head + 1,
            epochIndex: 1,
            at: 1,
            changeID: scene.bench.life.bench.id(),
            user: "anna",
            device: "PC-1",
            blocks: []
        )
        _ = encoder.encode(commit, after: chain, into: &buffer)
        guard case .otherEpoch = try scene.refuse([buffer.array]) else {
            Issue.record("another epoch was taken")
            return
        }
    }

    @Test("A commit that verifies and cannot be folded is refused before anything of it is kept")
    func unfoldable() throws {
        let scene = try Scene(seed: 6)
        let (head, chain) = scene.bench.store.read { ($0.confirmedHead, $0.confirmedChain) }
        func effect(_ key: RecordKey, _ value: String) -> Effect {
            let stamp = Stamp(at: 1, user: "anna", device: "PC-1")
            return Effect(
                key: key,
                label: .put,
                previousSeq: 0,
                image: PostImage(
                    state: .plain,
                    schema: .none,
                    created: stamp,
                    value: Array(value.utf8)
                )
            )
        }
        let unknown = try #require(TreeName("unknown"))
        let name = RecordKey(name: "x")
        let id = RecordKey(scene.bench.life.bench.id())
        let blocks: [(BlockName, [Effect])] = [
            (BlockName(tree: unknown), [effect(name, "{}")]),
            (BlockName(tree: StockModel.parts), [effect(name, "{}")]),
            (BlockName(tree: StockModel.footprints), [effect(name, "{}"), effect(name, "{}")]),
            (BlockName(tree: .trees), [effect(RecordKey(name: "new"), "{}")]),
            (TreeName.borrows.block(about: StockModel.parts), [effect(id, "{}")]),
            (TreeName.borrows.block(about: StockModel.parts), [effect(name, "{}")]),
            (TreeName.ranges.block(about: StockModel.parts), [effect(id, "[]")]),
            (TreeName.borrows.block(about: unknown), [effect(id, "{}")]),
        ]
        for (block, effects) in blocks {
            var encoder = CommitEncoder()
            var buffer = ByteBuffer()
            let good = Block(
                name: BlockName(tree: StockModel.footprints),
                salt: .zero,
                effects: [effect(RecordKey(name: "good"), "{}")]
            )
            let commit = Commit(
                seq: head + 1,
                epochIndex: 0,
                at: 1,
                changeID: scene.bench.life.bench.id(),
                user: "anna",
                device: "PC-1",
                blocks: [good, Block(name: block, salt: .zero, effects: effects)]
            )
            _ = encoder.encode(commit, after: chain, into: &buffer)
            #expect(try scene.refuse([buffer.array]) != nil, "\(block)")
        }
        try scene.bench.receive(.max)
        try scene.bench.check()
    }

    @Test("A mirror's log says what it is, and which trees it copies")
    func role() throws {
        let disk = SimulatedDisk()
        let identity = Identity(
            databaseID: UniqueID(high: 1, low: 2),
            application: "stockroom",
            epoch: Epoch(rawValue: 3)
        )
        try Store.create(
            following: identity,
            trees: [StockModel.parts, StockModel.bins],
            on: disk,
            random: SeededRandom(seed: 1)
        )
        let store = try Store(disk: disk, application: nil, logger: StoreBench.silent)
        #expect(store.role == .mirror(trees: [StockModel.parts, StockModel.bins]))
        #expect(store.identity == identity)
    }
}
