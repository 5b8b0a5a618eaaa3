// A mirror of chosen trees beside an authority with all of them: what it decides there, and what it
// holds.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

private typealias Operation = HoldfastRecords.Operation

@Suite struct ChosenTreesTests {
    /// A random life, followed commit by commit by a mirror of some of its trees.
    private final class Scene {
        let life: StockLife
        let filter: BlockFilter
        let disk: SimulatedDisk
        private(set) var mirror: Store
        private(set) var shownCount = 0
        private var nextIDs: UInt64 = 0

        init(seed: UInt64, trees: Set<TreeName>) throws {
            life = try StockLife(StoreBench(seed: seed), seed: seed)
            filter = BlockFilter(trees: trees)
            disk = SimulatedDisk(seed: seed)
            try Store.create(
                following: life.bench.store.identity,
                trees: trees,
                on: disk,
                options: StoreBench.small,
                random: SeededRandom(seed: seed)
            )
            mirror = try MirrorBench.open(disk, life.bench.time, SeededRandom(seed: seed))
        }

        func reopen() throws {
            mirror.syncStep()
            try mirror.close()
            mirror = try MirrorBench.open(disk, life.bench.time, SeededRandom(seed: 9))
        }

        /// Takes what the authority has, cut to what the mirror may see.
        ///
        /// - Parameter isCut: False sends it whole, as no authority does.
        /// - Throws: What the stores throw.
        func follow(isCut: Bool = true) throws {
            life.bench.sync()
            let reader = life.bench.store.logReader()
            let head = mirror.read { $0.confirmedHead }
            guard reader.head > head, var cursor = try reader.cursor(before: head + 1) else {
                return
            }
            var contents: [[UInt8]] = []
            while let frame = try cursor.next() {
                let commit = try CommitView(frame.content)
                let whole = commit.bytes.array
                contents.append(isCut ? try commit.project(permitting: filter.permits) : whole)
            }
            _ = try mirror.ingest(contents)
        }

        /// Judges a change here and at the authority, for this mirror and for one of all trees.
        ///
        /// - Returns: The answer, in a word.
        func judge(_ change: Change, _ caller: Caller) throws -> String {
            let store = life.bench.store
            let answer: String
            let preview = mirror.preview(change, by: caller)
            let word = store.rehearse(change, by: caller, seeing: filter.trees)
            let whole = store.rehearse(change, by: caller)
            switch (preview, word) {
            case (.undetermined, _): answer = "undetermined"
            case (.commit(let mine, _), .commit(let theirs, _))
            where mine.blocks.map(\.name) == theirs.blocks.map(\.name)
                && mine.blocks.map(\.effects) == theirs.blocks.map(\.effects):
                answer = "commit"
            case (.unchanged, .unchanged): answer = "unchanged"
            // A borrow of this id stands or stood where the mirror does not see it.
            case (.commit, .refused(let theirs)) where theirs.code == .borrowMismatch:
                answer = "hidden"
            case (.refused(let mine), .refused(let theirs)) where mine.code == theirs.code:
                answer = mine.code.rawValue
                // What it is told is what its own copy knows.
                guard mine.detail == theirs.detail, mine.borrow == theirs.borrow,
                    mine.ended == theirs.ended
                else { throw Disagreement("\(mine)\nthe authority: \(theirs)") }
            default:
                throw Disagreement(
                    "\(change.operations)\npreview: \(preview)\nthe authority: \(word)"
                )
            }
            // Seeing less makes no change possible, and in its own trees none impossible.
            let isOwn = change.operations.allSatisfy { operation in
                operation.tree.map { filter.trees?.contains($0) ?? true } ?? false
            }
            if case .commit = word {
                guard case .commit = whole else { throw Disagreement("only by seeing less") }
            } else if isOwn, case .commit = whole {
                throw Disagreement("refused for what it does not see: \(word)")
            }
            return answer
        }

        static let dora = Caller(user: "dora", device: "PC-9")

        /// Gets ids for creations of its own.
        func reserve() throws {
            for tree in [StockModel.parts, StockModel.bins] {
                let reserve = Operation.reserve(tree: tree, range: life.bench.id(), count: 500)
                let digest = Hash128(high: 1, low: 1)
                let change = Change(id: life.bench.id(), digest: digest, operations: [reserve])
                try life.propose(change, by: Self.dora)
            }
        }

        /// A creation that names its id, often with a number that another part has.
        func creation(_ random: SeededRandom) throws -> Change? {
            let tree = random.oneIn(2) ? StockModel.parts : StockModel.bins
            let range = life.bench.store.read { reader in
                reader.state.tree(tree)?.keyRanges.first { $0.device == Self.dora.device }
            }
            guard let range, nextIDs < range.end - range.first else { return nil }
            defer { nextIDs += 1 }
            let write = WriteOperation(
                tree: tree,
                key: RecordKey(number: range.first + nextIDs),
                expects: .absent,
                value: Array(Part(number: "d\(random.below(9))", stock: nil).json.utf8)
            )
            let digest = Hash128(high: 1, low: 2)
            return Change(id: life.bench.id(), digest: digest, operations: [.put(write)])
        }

        /// What it holds is what the authority holds of its trees.
        func compareHashes() throws {
            let mine = mirror.read { ($0.confirmedHead, $0.confirmedChain, $0.confirmedHashes) }
            let theirs = life.bench.store.read {
                ($0.state.head, $0.state.chain, $0.state.hashes)
            }
            guard mine.0 == theirs.0, mine.1 == theirs.1 else {
                throw Disagreement("the mirror is at another commit, or another chain")
            }
            for (block, hash) in mine.2 {
                let expected =
                    filter.permits(block) ? theirs.2.first { $0.block == block }?.hash : .zero
                guard hash == expected else { throw Disagreement("another hash of \(block)") }
                if hash != .zero { shownCount += 1 }
            }
        }
    }

    private static let choices: [Set<TreeName>] = [
        [StockModel.parts], [StockModel.bins], [StockModel.footprints],
        [StockModel.parts, StockModel.footprints], [StockModel.bins, StockModel.footprints],
    ]

    @Test("At the same position a preview decides as the authority does for that mirror")
    func agreement() throws {
        var seen: [String: Int] = [:]
        try Seed.each(Seed.count(usually: 10)) { seed, random in
            let scene = try Scene(seed: seed, trees: Self.choices[Int(seed) % Self.choices.count])
            scene.life.beforeProposal = { [unowned scene] change, caller in
                try scene.follow()
                try scene.compareHashes()
                seen[try scene.judge(change, caller), default: 0] += 1
            }
            try scene.reserve()
            for step in 1...150 {
                try scene.life.step()
                if let change = try scene.creation(random) {
                    try scene.life.propose(change, by: Scene.dora)
                }
                if step % 50 == 0 { try scene.reopen() }
            }
            try scene.follow()
            scene.mirror.syncStep()
            try scene.mirror.compareWithFreshFold()
            #expect(scene.shownCount > 0)
        }
        // A test of rare paths must have met them.
        for what in ["commit", "unknown-tree", "unknown-borrow", "borrowed", "stale", "unique"] {
            #expect(seen[what, default: 0] > 0, "\(what) never came: \(seen)")
        }
    }

    @Test("The files of a mirror hold nothing of other trees, even of commits sent whole")
    func files() throws {
        try Seed.each(Seed.count(usually: 2)) { seed, random in
            let scene = try Scene(seed: seed, trees: [StockModel.bins])
            for _ in 0..<150 {
                try scene.life.step()
                if random.oneIn(9) { try scene.follow(isCut: random.oneIn(2)) }
            }
            let marker = "Pl4nted"
            let write = WriteOperation(
                tree: StockModel.footprints,
                key: RecordKey(name: marker),
                expects: .absent,
                value: Array("{\"number\":\"\(marker)\"}".utf8)
            )
            let change = Change(
                id: scene.life.bench.id(),
                why: marker,
                operations: [.put(write)]
            )
            let caller = Caller(user: "anna", device: "PC-1", app: marker)
            #expect(scene.life.bench.store.submit(change, by: caller).isAccepted)
            try scene.follow(isCut: seed % 2 == 0)
            try scene.compareHashes()
            try scene.reopen()
            try scene.compareHashes()
            func holds(_ disk: any Disk) throws -> Bool {
                try disk.names(in: "log").contains { name in
                    let bytes = try disk.contents(of: "log/" + name)
                    return bytes.firstRange(of: Array(marker.utf8)) != nil
                }
            }
            #expect(try !holds(scene.disk))
            #expect(try holds(scene.life.bench.disk))
        }
    }
}
