// Commits that a restore lost come back from a whole log: the database then is what it was, and
// goes on in an epoch of its own behind them.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

@Suite(.serialized) struct HandingBackTests {
    /// A database that was backed up in the middle of its life, and restored to that.
    private struct Scene {
        let life: StockLife
        let folder = SimulatedDisk(seed: 2)
        let backup: Backup

        init(
            seed: UInt64,
            steps: Int = 60,
            forgets: Bool = false,
            options: LogOptions = StoreBench.small
        ) throws {
            life = try StockLife(
                StoreBench(SimulatedDisk(seed: 1), seed: seed, options: options),
                seed: seed,
                keepsHistory: true
            )
            for _ in 0..<steps { try life.step() }
            life.bench.sync()
            if forgets {
                let time = life.bench.time.wallMilliseconds()
                try life.compact(forgettingBefore: time, sizes: .small)
                let manifest = try #require(life.bench.store.manifest)
                try #require(life.hasForgotten && manifest.parts.contains { $0.kind == .used })
            }
            var writer = try BackupWriter(folder, of: life.bench.store.identity)
            backup = try #require(try life.bench.store.backUp(into: &writer)).backup
            writer.close()
            for _ in 0..<steps { try life.step() }
            life.bench.sync()
        }

        /// Another try at a restored database.
        func restored(seed: UInt64 = 3) throws -> SimulatedDisk {
            let disk = SimulatedDisk(seed: seed)
            _ = try backup.restore(from: folder, to: disk, random: SeededRandom(seed: seed))
            return disk
        }

        func open(_ disk: SimulatedDisk, seed: UInt64 = 7) throws -> StoreBench {
            try StoreBench(disk, seed: seed, time: life.bench.time)
        }

        var lineage: [EpochStart] { life.bench.store.lineage }

        var hashes: [BlockName: Hash128] { HandingBackTests.hashes(life.bench.store) }

        /// The contents of what was committed after a seq.
        func contents(after seq: UInt64) throws -> [[UInt8]] {
            try HandingBackTests.contents(of: life.bench.store, after: seq)
        }
    }

    private static func hashes(_ store: Store) -> [BlockName: Hash128] {
        let hashes = store.read(\.confirmedHashes).filter { $0.hash != .zero }
        return Dictionary(uniqueKeysWithValues: hashes.map { ($0.block, $0.hash) })
    }

    private static func contents(of store: Store, after seq: UInt64) throws -> [[UInt8]] {
        let reader = store.logReader()
        guard var cursor = try reader.cursor(before: seq + 1) else { return [] }
        var contents: [[UInt8]] = []
        while let frame = try cursor.next() { contents.append(frame.content.array) }
        return contents
    }

    private static func head(_ bench: StoreBench) -> UInt64 { bench.store.read(\.state.head) }

    @Test(
        "Handed back in pieces, commits are what they were; what was retried is known",
        arguments: [(1, false), (2, false), (3, true)]
    )
    func pieces(seed: UInt64, forgets: Bool) throws {
        let scene = try Scene(seed: seed, steps: forgets ? 200 : 60, forgets: forgets)
        let bench = try scene.open(try scene.restored())
        let contents = try scene.contents(after: Self.head(bench))
        let old = scene.life.bench.store
        #expect(contents.count > 14)
        for start in stride(from: 0, to: contents.count, by: 7) {
            let piece = Array(contents[start..<min(start + 7, contents.count)])
            let isLast = start + 7 >= contents.count
            let position = try bench.store.handBack(
                piece,
                of: scene.lineage,
                leadingTo: isLast ? scene.hashes : nil
            )
            #expect(position == old.read { $0.state.position(of: position.seq) })
            #expect(bench.store.progress.durable == position.seq)
            #expect(bench.submit([StockModel.definitions[0]]).refusal == .healing)
            if start == 14 { try bench.reopen() }
        }
        #expect(bench.store.read(\.healing)?.restored == scene.backup.position)
        #expect(bench.store.read(\.state.chain) == old.read(\.state.chain))
        #expect(Self.hashes(bench.store) == scene.hashes)
        try scene.life.model.compare(with: bench.store)
        let lost = scene.life.accepted.filter { $0.seq > scene.backup.position.seq }
        #expect(!lost.isEmpty)
        for (change, caller, _) in lost {
            #expect(bench.store.submit(change, by: caller).isReplayed)
        }
        // The pieces again change nothing.
        let before = bench.store.read(\.state.position)
        #expect(try bench.store.handBack(contents, of: scene.lineage) == before)
        let position = try bench.store.discardLost()
        #expect(bench.store.lineage.dropLast() == scene.lineage[...])
        #expect(bench.store.lineage.last?.firstSeq == before.seq + 1)
        #expect(position.epoch == bench.store.lineage.last?.epoch && position.seq == before.seq + 1)
        bench.sync()
        let lines = bench.store.recordLines(at: .max, pageCount: 50)
        try bench.reopen()
        try compare(bench.store.recordLines(at: .max, pageCount: 50), lines, "opened again")
        #expect(bench.store.read(\.healing) == nil)
        #expect(
            bench.submit([.reserve(tree: StockModel.bins, range: bench.id(), count: 5)]).isAccepted
        )
    }

    @Test("What does not fit is refused, and nothing is changed")
    func refused() throws {
        let scene = try Scene(seed: 4)
        // A commit of two blocks: one of which nothing is shown may be a token's, and passes.
        let bin = WriteOperation(
            tree: StockModel.bins,
            key: nil,
            expects: .absent,
            value: Array("{}".utf8)
        )
        let both = [StoreBench.name("beside a bin"), .put(bin)]
        try #require(scene.life.bench.submit(both).isAccepted)
        scene.life.bench.sync()
        let disk = try scene.restored()
        let bench = try scene.open(disk)
        let contents = try scene.contents(after: Self.head(bench))
        let before = bench.store.read { dump($0.state) }
        func refuse(
            _ what: String,
            _ contents: [[UInt8]],
            _ lineage: [EpochStart]? = nil,
            _ isExpected: (StoreError) -> Bool
        ) throws {
            do throws(StoreError) {
                _ = try bench.store.handBack(contents, of: lineage ?? scene.lineage)
                Issue.record("\(what) were taken")
            } catch {
                #expect(isExpected(error), "\(what): \(error)")
            }
            #expect(bench.store.lineage.count == 2, "the restore's own epoch stands still")
            try compare(bench.store.read { dump($0.state) }, before, "after a refused piece")
        }
        try refuse("commits after a gap", Array(contents.dropFirst())) {
            if case .gap = $0 { true } else { false }
        }
        var flipped = contents
        flipped[3][flipped[3].count - 1] ^= 1
        try refuse("flipped commits", flipped) { if case .badContent = $0 { true } else { false } }
        let other = try Scene(seed: 5)
        try refuse("another's commits", try other.contents(after: Self.head(bench))) {
            if case .badContent = $0 { true } else { false }
        }
        try refuse(
            "commits of another lineage",
            contents,
            [EpochStart(epoch: Epoch(rawValue: 9), firstSeq: 1)]
        ) {
            if case .diverged = $0 { true } else { false }
        }
        let projected = try contents.map { content in
            try content.withView { try CommitView($0).project { $0.equals("_trees") } }
        }
        try refuse("projections", projected) { if case .badContent = $0 { true } else { false } }
        // The restored records are others than the mirror's.
        #expect(throws: StoreError.self) {
            try bench.store.handBack(contents, of: scene.lineage, leadingTo: [:])
        }
        #expect(bench.store.read(\.healing) != nil)
        _ = try bench.store.discardLost()
        #expect {
            try bench.store.handBack(contents, of: scene.lineage)
        } throws: {
            if case .notHealing? = $0 as? StoreError { true } else { false }
        }
    }

    @Test("Tokens given out since the backup do not come back; all else does, and verifies")
    func tokens() throws {
        let folder = SimulatedDisk(seed: 2)
        let bench = try StoreBench(SimulatedDisk(seed: 1), seed: 4)
        #expect(
            bench.submit([.defineTree(StockModel.footprints, TreeDefinition(keys: .name))])
                .isAccepted
        )
        bench.sync()
        var writer = try BackupWriter(folder, of: bench.store.identity)
        let backup = try #require(try bench.store.backUp(into: &writer)).backup
        writer.close()
        let random = SeededRandom(seed: 5)
        for name in ["one", "two"] {
            let write = WriteOperation(
                tree: StockModel.footprints,
                key: RecordKey(name: name),
                expects: .absent,
                value: Array("{\"pads\":1}".utf8)
            )
            #expect(bench.submit([.put(write)]).isAccepted)
            let id = UniqueID(high: random.next(), low: random.next())
            let token = TokenRecord(
                id: id,
                hash: TokenSecret(random: random).hash,
                user: "anna",
                bearer: .device("PC-1"),
                rights: Rights(everywhere: [.admin])
            )
            let made = bench.store.submit(
                .create(token),
                Change(id: id, operations: []),
                by: Caller(user: "op", device: "desk"),
                rights: nil
            )
            #expect(made.isAccepted)
        }
        bench.sync()
        let shown = BlockFilter(trees: nil)
        let contents = try Self.contents(of: bench.store, after: backup.position.seq).map {
            content in
            try content.withView { try CommitView($0).project(permitting: shown.permits) }
        }
        let hashes = Self.hashes(bench.store).filter { shown.permits($0.key) }
        let disk = SimulatedDisk(seed: 3)
        _ = try backup.restore(from: folder, to: disk, random: SeededRandom(seed: 3))
        let healed = try StoreBench(disk, seed: 7, time: bench.time)
        let position = try healed.store.handBack(
            contents,
            of: bench.store.lineage,
            leadingTo: hashes
        )
        #expect(position.seq == bench.store.read(\.state.head))
        #expect(healed.store.read(\.state.chain) == bench.store.read(\.state.chain))
        #expect(try healed.store.read { try $0.state.tokens() } == [])
        _ = try healed.store.discardLost()
        try healed.reopen()
        #expect(healed.store.read { $0.state.tree(StockModel.footprints)?.count } == 2)
        // What another tree's commits are withheld of is no whole log.
        let less = try contents.map { content in
            try content.withView { try CommitView($0).project { _ in false } }
        }
        let other = SimulatedDisk(seed: 9)
        _ = try backup.restore(from: folder, to: other, random: SeededRandom(seed: 9))
        let refusing = try StoreBench(other, seed: 8, time: bench.time)
        #expect {
            try refusing.store.handBack(less, of: bench.store.lineage, leadingTo: hashes)
        } throws: {
            if case .otherRecords? = $0 as? StoreError { true } else { false }
        }
    }

    @Test("A tail of several epochs comes back with them, also to a log cut off in the middle")
    func epochs() throws {
        let scene = try Scene(seed: 6)
        // The database went on after an earlier restore, in its second epoch, and was lost again.
        let second = try scene.open(try scene.restored())
        _ = try second.store.discardLost()
        for _ in 0..<20 {
            let bin = WriteOperation(
                tree: StockModel.bins,
                key: nil,
                expects: .absent,
                value: Array("{}".utf8)
            )
            #expect(second.submit([.put(bin)]).isAccepted)
        }
        second.sync()
        let contents = try Self.contents(of: second.store, after: scene.backup.position.seq)
        let bench = try scene.open(try scene.restored(seed: 8), seed: 9)
        _ = try bench.store.handBack(Array(contents.prefix(10)), of: second.store.lineage)
        try bench.reopen()
        // Another one, not so far ahead, had been handed back: its epochs count up to there alone.
        let position = try bench.store.handBack(contents, of: second.store.lineage)
        #expect(position == second.store.read(\.state.position))
        #expect(Self.hashes(bench.store) == Self.hashes(second.store))
        _ = try bench.store.discardLost()
        #expect(
            bench.store.lineage.map(\.firstSeq) == [
                1, scene.backup.position.seq + 1, position.seq + 1,
            ]
        )
        try bench.reopen()
        #expect(bench.store.read { $0.state.position(of: position.seq) } == position)
    }

    @Test("A reader of the files beside it goes on through the handing back and the new epoch")
    func beside() throws {
        let scene = try Scene(seed: 7)
        let disk = try scene.restored()
        let bench = try scene.open(disk)
        let reading = try Store(
            disk: disk,
            application: "stockroom",
            options: LogOptions(isWritable: false),
            time: scene.life.bench.time,
            logger: StoreBench.silent
        )
        var reader = bench.store.logReader()
        var cursor = try #require(try reader.cursor(before: reader.head + 1))
        let contents = try scene.contents(after: Self.head(bench))
        var seen = Self.head(bench)
        for piece in [contents.prefix(5), contents.dropFirst(5)] {
            _ = try bench.store.handBack(Array(piece), of: scene.lineage)
            try reading.refresh()
            #expect(reading.read(\.state.position) == bench.store.read(\.state.position))
            reader = bench.store.logReader()
            try cursor.goOn(in: reader)
            while let frame = try cursor.next() {
                #expect(frame.seq == seen + 1)
                seen = frame.seq
            }
        }
        _ = try bench.store.discardLost()
        try reading.refresh()
        #expect(reading.read(\.state.position) == bench.store.read(\.state.position))
        #expect(Self.hashes(reading) == Self.hashes(bench.store))
        try cursor.goOn(in: bench.store.logReader())
        #expect(try cursor.next()?.seq == seen + 1)
    }

    @Test(
        "Ended at any operation, a prefix is there, healing; the same again ends it",
        arguments: [
            LogOptions(segmentByteCount: 4096, growByteCount: 1024),
            LogOptions(segmentByteCount: 64 << 10, growByteCount: 4096, syncing: .commits),
        ]
    )
    func everyOperation(options: LogOptions) throws {
        let scene = try Scene(seed: 10, steps: 20)
        let disk = try scene.restored()
        let old = scene.life.bench.store
        let target = old.read(\.state.position)
        func heal(_ bench: StoreBench, from seq: UInt64) throws {
            let contents = try scene.contents(after: seq)
            let middle = contents.count / 2
            for piece in [contents.prefix(middle), contents.dropFirst(middle)] where !piece.isEmpty
            {
                _ = try bench.store.handBack(Array(piece), of: scene.lineage)
            }
            _ = try bench.store.discardLost()
        }
        var (count, middleCount) = (0, 0)
        while true {
            let image = disk.copy()
            let time = scene.life.bench.time
            let bench = try StoreBench(image, seed: 7, time: time, options: options)
            let start = Self.head(bench)
            image.halt(afterOperations: count)
            var isDone = false
            do {
                try heal(bench, from: start)
                isDone = true
            } catch {
                #expect(error is StoreError)
            }
            let after = image.crash(seed: UInt64(count))
            let next = try StoreBench(after, seed: 8, time: time, options: options)
            let (healing, head) = next.store.read { ($0.healing, $0.state.head) }
            if healing != nil {
                try #require(!isDone)
                if head <= target.seq {
                    if head > start, head < target.seq { middleCount += 1 }
                    #expect(next.store.read(\.state.chain) == scene.life.chains[Int(head)])
                    try heal(next, from: head)
                } else {
                    // The commit that passes over ids was durable, the mark stands still.
                    _ = try next.store.discardLost()
                }
            }
            #expect(next.store.read { $0.state.position(of: target.seq) } == target)
            #expect(next.store.read { $0.chain(atSeq: target.seq) } == old.read(\.state.chain))
            #expect(next.store.read(\.healing) == nil)
            #expect(next.store.read(\.state.epoch) != target.epoch)
            #expect(
                next.submit([.reserve(tree: StockModel.bins, range: next.id(), count: 5)])
                    .isAccepted
            )
            next.sync()
            let lines = next.store.recordLines(at: .max, pageCount: 50)
            try next.reopen()
            try compare(next.store.recordLines(at: .max, pageCount: 50), lines, "opened again")
            if isDone { break }
            count += 1
        }
        #expect(count > 6 && middleCount > 0, "\(count) operations, \(middleCount) in the middle")
    }

    @Test("A mirror that has all of it goes on in the new epoch, in the copy it has")
    func mirror() throws {
        let scene = try Scene(seed: 11)
        let disk = SimulatedDisk(seed: 12)
        let old = scene.life.bench.store
        try Store.create(following: old.identity, on: disk, options: StoreBench.small)
        let mirror = try scene.open(disk)
        let all = try scene.contents(after: 0)
        _ = try mirror.store.ingest(Array(all.dropLast(3)))
        let bench = try scene.open(try scene.restored())
        _ = try bench.store.handBack(
            try scene.contents(after: Self.head(bench)),
            of: scene.lineage
        )
        _ = try bench.store.discardLost()
        #expect(
            bench.submit([.reserve(tree: StockModel.bins, range: bench.id(), count: 5)]).isAccepted
        )
        bench.sync()
        // Its epochs first, behind commits that are still to come.
        #expect(try mirror.store.goOn(in: bench.store.lineage))
        try mirror.reopen()
        #expect(mirror.store.lineage == bench.store.lineage)
        let rest = try Self.contents(of: bench.store, after: Self.head(mirror))
        for content in rest { _ = try mirror.store.ingest([content]) }
        mirror.sync()
        #expect(mirror.store.read(\.confirmedPosition) == bench.store.read(\.state.position))
        #expect(Self.hashes(mirror.store) == Self.hashes(bench.store))
        try mirror.reopen()
        #expect(Self.hashes(mirror.store) == Self.hashes(bench.store))
        // What parts before its last commit is not gone on with.
        let other = scene.lineage + [EpochStart(epoch: Epoch(rawValue: 5), firstSeq: 3)]
        #expect(try !mirror.store.goOn(in: other))
        #expect(mirror.store.lineage == bench.store.lineage)
    }
}
