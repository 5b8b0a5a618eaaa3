// A store cut off anywhere: what it called durable is there, nothing is half there, and it goes on.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

@Suite struct StoreCrashTests {
    /// Of every other seed each commit gets a sync of its own.
    private static func options(_ seed: UInt64) -> LogOptions {
        LogOptions(
            segmentByteCount: 4096,
            growByteCount: 1024,
            syncing: seed.isMultiple(of: 2) ? .batches : .commits
        )
    }

    /// Lives until the disk fails or the steps are over.
    private func live(_ life: StockLife, _ random: SeededRandom, steps: Int) throws {
        for _ in 0..<steps {
            guard life.bench.store.writeRefusal == nil else { return }
            try life.step()
            if random.oneIn(8) { life.bench.sync() }
            guard random.oneIn(25) else { continue }
            do throws(StoreError) {
                try life.bench.store.checkpoint(sizes: PartSizes(least: 500, most: 4096, mask: 3))
            } catch {
                // The disk has failed: what was there before is there still.
            }
        }
    }

    /// Opens an image and compares it with the history it must be a beginning of.
    private func opened(
        _ image: SimulatedDisk,
        after life: StockLife,
        durable: UInt64,
        seed: UInt64
    ) throws -> StockLife {
        let bench = try StoreBench(
            image,
            seed: seed,
            time: life.bench.time,
            options: Self.options(seed)
        )
        let head = bench.store.read { $0.state.head }
        guard head >= durable else {
            throw Disagreement("\(durable) commits were durable, \(head) are there")
        }
        let next = try life.resumed(with: bench, seed: seed)
        try next.model.compare(with: bench.store)
        try bench.store.compareWithFreshFold()
        return next
    }

    @Test("A power cut keeps every durable commit and a whole prefix, again and again")
    func cuts() throws {
        var (kept, lost) = (0, 0)
        try Seed.each(Seed.count(usually: 60)) { seed, random in
            var disk = SimulatedDisk(seed: seed)
            let bench = try StoreBench(disk, seed: seed, options: Self.options(seed))
            var life = try StockLife(bench, seed: seed, keepsHistory: true)
            bench.sync()
            for generation in 1...4 {
                // In every second generation the end comes in the middle of an operation.
                if random.oneIn(2) { disk.halt(afterOperations: random.below(40)) }
                try live(life, random, steps: random.within(1...60))
                let store = life.bench.store
                let durable = store.progress.durable
                let head = UInt64(life.models.count - 1)
                if store.progress.failure != nil { try store.compareWithFreshFold() }
                for cut in 1...2 {
                    let image = disk.crash(seed: seed &* 100 + UInt64(generation * 10 + cut))
                    let next = try opened(image, after: life, durable: durable, seed: random.next())
                    let found = next.bench.store.read { $0.state.head }
                    kept += Int(found - durable)
                    lost += Int(head - found)
                    guard cut == 2 else { continue }
                    life = next
                    disk = image
                }
            }
            life.bench.sync()
            try life.bench.reopen()
            try life.model.compare(with: life.bench.store)
        }
        // The rare paths were met: commits that nobody was promised and that survived, or did not.
        if Seed.chosen == nil { #expect(kept > 0 && lost > 0) }
    }

    @Test("A killed process leaves what it wrote; nothing durable is missing, nothing is twice")
    func kills() throws {
        try Seed.each(Seed.count(usually: 20)) { seed, random in
            let disk = SimulatedDisk(seed: seed)
            let bench = try StoreBench(disk, seed: seed, options: Self.options(seed))
            let life = try StockLife(bench, seed: seed, keepsHistory: true)
            bench.sync()
            disk.halt(afterOperations: random.within(5...60))
            try live(life, random, steps: 80)
            let durable = bench.store.progress.durable
            let next = try opened(disk.copy(), after: life, durable: durable, seed: random.next())
            // Every accepted change sent again: replayed where it is, done where it is not.
            for (change, caller, seq) in life.accepted where seq <= durable {
                let answer = next.bench.store.submit(change, by: caller)
                guard answer.isReplayed, answer.position.seq == seq else {
                    throw Disagreement("change \(change.id) of commit \(seq): \(answer)")
                }
            }
            try live(next, random, steps: 40)
            next.bench.sync()
            let changes = try LogCopy(next.bench.store.logReader()).changes
            #expect(Set(changes).count == changes.count)
        }
    }
}
