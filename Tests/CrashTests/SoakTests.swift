// Lives of a database against a model: random operations, and between them power cuts, kills, failing
// disks, checkpoints, compactions and reopenings.
//
// HOLDFAST_MODEL_OPERATIONS=1000000 asks for so many operations (`make soak`), HOLDFAST_SEED for one
// life. A life that fails is lived again with ever less in it, and what it still fails with is printed.
import Foundation
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

@Suite struct SoakTests {
    private static let usualCount = 2500
    private static let wanted = ProcessInfo.processInfo.environment["HOLDFAST_MODEL_OPERATIONS"]

    @Test("Whatever comes between them, random operations leave what the model says")
    func soak() throws {
        let count = Self.wanted.flatMap { Int($0) } ?? Self.usualCount
        var tally = SoakLife.Tally()
        var seed = Seed.chosen ?? 1
        let began = Date()
        while tally.operations < count {
            let life = SoakLife(seed: seed)
            do {
                try life.run(&tally)
            } catch {
                throw shrunk(life, error)
            }
            if Seed.chosen != nil { break }
            seed += 1
            if seed % 100 == 0 { print("soak: \(tally)") }
        }
        print("soak: \(tally), \(Int(Date().timeIntervalSince(began))) s")
        guard Seed.chosen == nil else { return }
        for event in SoakLife.Event.allCases {
            #expect(tally.events[event, default: 0] > 0, "\(event) never came")
        }
    }

    /// The shortest life found that still fails, in words.
    private func shrunk(_ life: SoakLife, _ error: any Error) -> Disagreement {
        var (least, why) = (life, error)
        func fails(_ other: SoakLife) -> (any Error)? {
            var tally = SoakLife.Tally()
            do {
                try other.run(&tally)
                return nil
            } catch {
                return error
            }
        }
        // Without one kind of event after the other, then shorter and shorter.
        for event in SoakLife.Event.allCases {
            var other = least
            other.events.remove(event)
            if let error = fails(other) { (least, why) = (other, error) }
        }
        var step = least.operationCount / 2
        while step > 0 {
            var other = least
            other.operationCount -= step
            if other.operationCount > 0, let error = fails(other) {
                (least, why) = (other, error)
            } else {
                step /= 2
            }
        }
        let events = least.events.map(\.rawValue).sorted().joined(separator: " ")
        return Disagreement(
            "HOLDFAST_SEED=\(life.seed) fails with \(least.operationCount) operations and "
                + "[\(events)]: \(why)"
        )
    }

    @Test("A life that fails is shrunk: a model that forgets a commit is found in a few operations")
    func shrinks() throws {
        var life = SoakLife(seed: 3)
        life.isBroken = true
        var tally = SoakLife.Tally()
        #expect(throws: (any Error).self) { try life.run(&tally) }
        let found = shrunk(life, Disagreement("broken")).description
        #expect(found.contains("HOLDFAST_SEED=3 fails with"))
        // None of the events is needed to see it.
        #expect(found.contains("[]"), "\(found)")
    }
}

/// One life of a database, decided by its seed.
struct SoakLife {
    /// What comes between operations.
    enum Event: String, CaseIterable {
        /// The power fails, perhaps in the middle of an operation of the disk.
        case cut
        /// The process is killed: what it wrote is there, what it did not sync too.
        case kill
        /// A sync or a write fails, and the process goes on until it is opened again.
        case failure
        case checkpoint, compaction, reopening, sync
        /// A compaction that forgets the older removals.
        case forgetting
    }

    /// What lives have met.
    struct Tally: CustomStringConvertible {
        var operations = 0
        var lives = 0
        var lost = 0
        var events: [Event: Int] = [:]

        var description: String {
            let events = events.map { "\($0.value) \($0.key.rawValue)s" }.sorted()
            return "\(operations) operations in \(lives) lives, " + events.joined(separator: ", ")
                + ", \(lost) commits lost that nobody was promised"
        }
    }

    let seed: UInt64
    var operationCount = 1000
    var events = Set(Event.allCases)
    /// Whether the model forgets what the third operation did: to show that it would be found.
    var isBroken = false

    init(seed: UInt64) { self.seed = seed }

    private static let sizes = PartSizes(least: 500, most: 4096, mask: 3)

    private static func options(_ seed: UInt64) -> LogOptions {
        LogOptions(
            segmentByteCount: 4096,
            growByteCount: 1024,
            syncing: seed.isMultiple(of: 2) ? .batches : .commits
        )
    }

    /// Lives it.
    ///
    /// - Throws: `Disagreement`, and what opening throws.
    func run(_ tally: inout Tally) throws {
        let random = SeededRandom(seed: seed)
        var disk = SimulatedDisk(seed: seed)
        let bench = try StoreBench(disk, seed: seed, options: Self.options(seed))
        var life = try StockLife(bench, seed: seed, keepsHistory: true)
        bench.sync()
        tally.lives += 1
        for number in 1...operationCount {
            if life.bench.store.writeRefusal == nil { try life.step() }
            tally.operations += 1
            if isBroken, number > 2 { throw Disagreement("the model is broken") }
            // Drawn whether it happens or not, so that a shrunk life goes the same way.
            let (draw, other) = (random.below(1000), random.next())
            guard let event = Self.event(draw), events.contains(event) else { continue }
            tally.events[event, default: 0] += 1
            try meet(event, other, &life, &disk, &tally)
        }
        life.bench.store.syncStep()
        if events.contains(.reopening), life.bench.store.progress.failure == nil {
            life.bench.sync()
            try life.bench.reopen()
            try life.model.compare(with: life.bench.store)
        }
    }

    private static func event(_ draw: Int) -> Event? {
        switch draw {
        case 0..<100: .sync
        case 100..<110: .checkpoint
        case 110..<114: .compaction
        case 114..<120: .reopening
        case 120..<126: .cut
        case 126..<130: .kill
        case 130..<133: .failure
        case 133..<137: .forgetting
        default: nil
        }
    }

    private func meet(
        _ event: Event,
        _ draw: UInt64,
        _ life: inout StockLife,
        _ disk: inout SimulatedDisk,
        _ tally: inout Tally
    ) throws {
        let store = life.bench.store
        switch event {
        case .sync: life.bench.sync()
        case .checkpoint:
            life.bench.sync()
            try store.checkpoint(sizes: Self.sizes)
        case .compaction:
            life.bench.sync()
            try store.compact(sizes: Self.sizes)
        case .forgetting:
            life.bench.sync()
            try life.compact(forgettingBefore: horizon(draw, life), sizes: Self.sizes)
        case .reopening:
            life.bench.sync()
            try life.bench.reopen()
            try life.model.compare(with: life.bench.store)
            try life.checkRemembered()
        case .failure:
            disk.fail(.init(draw % 2 == 0 ? .sync : .write, after: Int(draw / 2 % 5)))
            life.bench.sync()
            disk.heal()
            if store.progress.failure != nil {
                try goOn(with: disk.copy(), draw, &life, &disk, &tally)
            }
        case .cut:
            // In the middle of a sync, a checkpoint or a compaction, or between two operations.
            disk.halt(afterOperations: Int(draw % 40))
            switch draw / 64 % 5 {
            case 0: life.bench.sync()
            case 1: _ = try? store.checkpoint(sizes: Self.sizes)
            case 2: _ = try? store.compact(sizes: Self.sizes)
            case 3:
                let time = horizon(draw, life)
                _ = try? life.compact(forgettingBefore: time, sizes: Self.sizes)
            default: break
            }
            try goOn(with: disk.crash(seed: draw), draw, &life, &disk, &tally)
        case .kill:
            disk.halt(afterOperations: Int(draw % 40))
            if draw / 64 % 2 == 0 { life.bench.sync() }
            try goOn(with: disk.copy(), draw, &life, &disk, &tally)
        }
    }

    /// A moment of the last hours.
    private func horizon(_ draw: UInt64, _ life: StockLife) -> Int64 {
        life.bench.time.wallMilliseconds() - Int64(draw / 256 % 1_000_000)
    }

    /// Opens what is left: a beginning of what was made, with all that was called durable.
    private func goOn(
        with image: SimulatedDisk,
        _ draw: UInt64,
        _ life: inout StockLife,
        _ disk: inout SimulatedDisk,
        _ tally: inout Tally
    ) throws {
        let (durable, made) = (life.bench.store.progress.durable, UInt64(life.models.count - 1))
        let bench = try StoreBench(
            image,
            seed: draw,
            time: life.bench.time,
            options: Self.options(seed)
        )
        let head = bench.store.read { $0.state.head }
        guard head >= durable else {
            throw Disagreement("\(durable) commits were durable, \(head) are there")
        }
        tally.lost += Int(made - head)
        life = try life.resumed(with: bench, seed: draw)
        try life.model.compare(with: bench.store)
        let isAllThere = bench.store.read { $0.oldest.seq } <= 1 && !life.hasForgotten
        if isAllThere { try bench.store.compareWithFreshFold() }
        disk = image
    }
}
