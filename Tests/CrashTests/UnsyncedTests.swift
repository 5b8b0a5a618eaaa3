// Logs whose commits are exposed before they are synced: what a killed process and a power cut
// leave, and that whoever saw more notices.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

@Suite struct UnsyncedTests {
    private let tree: TreeName

    init() throws { tree = try #require(TreeName("bins")) }

    private func bench(
        _ disk: any Disk,
        _ seed: UInt64,
        _ syncing: Syncing,
        time: FakeTime = FakeTime(),
        segmentByteCount: Int = 4096
    ) throws -> StoreBench {
        let options = LogOptions(
            segmentByteCount: segmentByteCount,
            growByteCount: segmentByteCount / 4,
            syncing: syncing
        )
        return try StoreBench(disk, seed: seed, time: time, options: options)
    }

    /// Writes records `from` to `to`, each a batch of its own or with its neighbours.
    private func write(_ bench: StoreBench, _ numbers: Range<Int>, _ random: SeededRandom) {
        for number in numbers {
            let write = WriteOperation(
                tree: tree,
                key: RecordKey(name: "record \(number)"),
                expects: .absent,
                value: Array("\"\(number)\"".utf8)
            )
            guard bench.submit([.put(write)]).isAccepted else { return }
            if random.oneIn(3) { bench.sync() }
        }
        bench.sync()
    }

    private func define(_ bench: StoreBench) {
        bench.submit([.defineTree(tree, TreeDefinition(keys: .name))])
        bench.sync()
    }

    /// How many of the records are there; they must be the first ones.
    private func count(_ store: Store) throws -> Int {
        let names: [String] = store.read { reader in
            var names: [String] = []
            guard let tree = reader.state.tree(tree) else { return names }
            _ = reader.state.scan(
                tree,
                after: nil,
                prefix: nil,
                .all,
                at: reader.state.head,
                entryCountMax: .max
            ) { key, _ in
                if case .name(let name) = key.id {
                    names.append(String(decoding: name, as: UTF8.self))
                }
                return true
            }
            return names
        }
        let expected = Set((0..<names.count).map { "record \($0)" })
        guard Set(names) == expected else { throw Disagreement("no prefix: \(names.sorted())") }
        return names.count
    }

    private func lineage(_ store: Store) -> [UInt64] {
        store.read { $0.state.lineage.map(\.firstSeq) }
    }

    @Test("A killed process loses nothing of what it exposed, and the next one begins an epoch")
    func killed() throws {
        try Seed.each(Seed.count(usually: 20)) { seed, random in
            let disk = SimulatedDisk(seed: seed)
            let first = try bench(disk, seed, .never)
            define(first)
            write(first, 0..<random.within(1...80), random)
            let head = first.store.progress.durable
            let next = try bench(disk.copy(), seed + 1, .never)
            #expect(next.store.recovery.beganEpoch)
            #expect(next.store.read { $0.state.head } == head)
            #expect(lineage(next.store) == [1, head + 1])
            #expect(next.store.identity.epoch != first.store.identity.epoch)
            _ = try count(next.store)
            try next.store.compareWithFreshFold()
        }
    }

    @Test("A power cut leaves a whole prefix; positions that may be gone are never given again")
    func cuts() throws {
        var lost = 0
        try Seed.each(Seed.count(usually: 60)) { seed, random in
            var disk = SimulatedDisk(seed: seed)
            var written = 0
            var seen: Set<Position> = []
            var epochs: Set<Epoch> = []
            for generation in 0..<4 {
                let syncing: Syncing = random.oneIn(3) ? .every(milliseconds: 50) : .never
                let time = FakeTime()
                let bench = try bench(disk, seed &* 8 + UInt64(generation), syncing, time: time)
                let store = bench.store
                #expect(store.recovery.beganEpoch == (generation > 0))
                #expect(epochs.insert(store.identity.epoch).inserted)
                // The declaration may be gone with the rest.
                if store.read({ $0.state.tree(tree) == nil }) { define(bench) }
                let found = try count(store)
                lost += written - found
                try store.compareWithFreshFold()
                let head = store.read { $0.state.position }
                let more = random.within(1...60)
                for number in found..<found + more {
                    time.advance(milliseconds: Int64(random.below(40)))
                    write(bench, number..<number + 1, random)
                }
                written = found + more
                for seq in head.seq + 1...store.progress.durable {
                    let position = store.read { $0.state.position(of: seq) }
                    #expect(seen.insert(position).inserted, "\(position) was given twice")
                }
                disk = disk.crash(seed: random.next())
            }
        }
        if Seed.chosen == nil { #expect(lost > 0) }
    }

    @Test("What was synced because it was due survives a power cut")
    func interval() throws {
        try Seed.each(Seed.count(usually: 20)) { seed, random in
            let disk = SimulatedDisk(seed: seed)
            let time = FakeTime()
            let bench = try bench(
                disk,
                seed,
                .every(milliseconds: 100),
                time: time,
                segmentByteCount: 1 << 16
            )
            define(bench)
            time.advance(milliseconds: 100)
            let syncs = disk.count(.sync)
            write(bench, 0..<10, random)
            #expect(disk.count(.sync) == syncs + 1, "the first write was due, the others were not")
            time.advance(milliseconds: 99)
            bench.sync()
            #expect(disk.count(.sync) == syncs + 1)
            time.advance(milliseconds: 1)
            bench.sync()
            #expect(disk.count(.sync) == syncs + 2)
            bench.sync()
            #expect(disk.count(.sync) == syncs + 2, "nothing is left to sync")
            let image = disk.crash(seed: random.next())
            let next = try self.bench(image, seed + 1, .batches)
            #expect(try count(next.store) == 10)
            #expect(next.store.recovery.beganEpoch)
        }
    }

    @Test("Closed in order, everything is synced and the epoch goes on, however it is opened next")
    func clean() throws {
        try Seed.each(Seed.count(usually: 20)) { seed, random in
            var disk = SimulatedDisk(seed: seed)
            var epoch: Epoch?
            var written = 0
            for round in 0..<30 {
                let syncing = [Syncing.never, .every(milliseconds: 5), .batches][random.below(3)]
                let bench = try bench(disk, seed &* 40 + UInt64(round), syncing)
                if round == 0 { define(bench) }
                #expect(try count(bench.store) == written)
                #expect(!bench.store.recovery.beganEpoch)
                #expect(bench.store.identity.epoch == epoch ?? bench.store.identity.epoch)
                epoch = bench.store.identity.epoch
                let more = random.below(6)
                write(bench, written..<written + more, random)
                written += more
                try bench.store.close()
                disk = disk.crash(seed: random.next())
            }
            #expect(try CommitLog.verify(disk: disk) { _ in }.damages.isEmpty)
        }
    }

    @Test(
        "An opening that is cut off anywhere leaves a database that opens, in an epoch of its own"
    )
    func openingIsCut() throws {
        try Seed.each(Seed.count(usually: 10)) { seed, random in
            let disk = SimulatedDisk(seed: seed)
            let first = try bench(disk, seed, .never)
            define(first)
            write(first, 0..<30, random)
            let image = disk.crash(seed: random.next())
            let kept = try count(try bench(image.copy(), seed, .batches).store)
            for operations in 0... {
                let cut = image.copy()
                cut.halt(afterOperations: operations)
                let opened: StoreBench?
                do {
                    opened = try bench(cut, seed + 2, .never)
                } catch {
                    opened = nil
                }
                let after = try bench(cut.crash(seed: random.next()), seed + 3, .never)
                #expect(try count(after.store) == kept)
                #expect(after.store.identity.epoch != first.store.identity.epoch)
                write(after, kept..<kept + 3, random)
                #expect(try count(after.store) == kept + 3)
                try after.store.compareWithFreshFold()
                if opened != nil { return }
            }
        }
    }

    @Test("A sync that fails poisons the store; what was exposed stays readable")
    func failingSync() throws {
        let disk = SimulatedDisk()
        let time = FakeTime()
        let random = SeededRandom(seed: 1)
        let bench = try bench(disk, 1, .every(milliseconds: 10), time: time)
        define(bench)
        write(bench, 0..<5, random)
        time.advance(milliseconds: 10)
        disk.fail(SimulatedDisk.Fault(.sync))
        bench.sync()
        #expect(bench.store.progress.failure != nil)
        #expect(bench.store.writeRefusal?.code == .readOnly)
        #expect(try count(bench.store) == 5)
        disk.heal()
        let next = try self.bench(disk.crash(seed: 3), 2, .batches)
        #expect(next.store.recovery.beganEpoch)
        _ = try count(next.store)
    }
}
