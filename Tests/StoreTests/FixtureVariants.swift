// Databases that have what the story of log-v1 has not: several epochs, a checkpoint in the place of
// the log's beginning, commits that are withheld, removals that were forgotten.
//
// Tests/Fixtures/log-vN-NAME was written by these and stays as it is; they show what is in it, and write
// the fixtures of the next format.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport

enum FixtureVariant: String, CaseIterable {
    /// Commits that were exposed before they were synced, and a process that was killed, twice.
    case epochs
    /// Parts of records, removals and changes; the log begins behind the first commit.
    case checkpoint
    /// A mirror of two trees: blocks of the others are withheld.
    case partial
    /// Removals beyond the horizon are gone; what they used is in parts of its own.
    case forgotten

    /// The version of the format that brought what is in it.
    var version: Int { self == .forgotten ? 2 : 1 }

    private static let options = LogOptions(segmentByteCount: 4096, growByteCount: 512)

    /// How a database of it is opened.
    var application: String? { self == .partial ? nil : "stockroom" }

    /// Writes the database.
    func write() throws -> SimulatedDisk {
        switch self {
        case .epochs: try epochs()
        case .checkpoint: try compacted()
        case .partial: try partial()
        case .forgotten: try forgotten()
        }
    }

    private func epochs() throws -> SimulatedDisk {
        var disk = SimulatedDisk()
        var options = Self.options
        options.syncing = .never
        let time = FakeTime()
        for seed in 1...UInt64(3) {
            let bench = try StoreBench(disk, seed: seed, time: time, options: options)
            if seed == 1 { try bench.declareTrees() }
            for number in 1...25 {
                time.advance(milliseconds: 1000)
                bench.submit([StoreBench.name("name \(number) of \(seed)")])
                if number % 5 == 0 { _ = try bench.part("part \(number) of \(seed)") }
            }
            bench.sync()
            // Killed: the next opening begins an epoch. The last is closed in order.
            if seed == 3 { try bench.store.close() } else { disk = disk.copy() }
        }
        return disk
    }

    private func compacted() throws -> SimulatedDisk {
        let disk = SimulatedDisk()
        let life = try StockLife(StoreBench(disk, options: Self.options), seed: 2)
        for round in 1...3 {
            for _ in 0..<70 { try life.step() }
            life.bench.sync()
            guard round < 3 else { continue }
            try life.bench.store.compact(sizes: PartSizes(least: 500, most: 2048, mask: 3))
        }
        try life.bench.store.close()
        return disk
    }

    private func forgotten() throws -> SimulatedDisk {
        let disk = SimulatedDisk()
        let life = try StockLife(StoreBench(disk, options: Self.options), seed: 5)
        for round in 1...3 {
            for _ in 0..<120 { try life.step() }
            life.bench.sync()
            guard round < 3 else { continue }
            let time = life.bench.time.wallMilliseconds() - 60_000
            try life.compact(
                forgettingBefore: time,
                sizes: PartSizes(least: 500, most: 2048, mask: 3)
            )
        }
        try life.bench.store.close()
        return disk
    }

    private func partial() throws -> SimulatedDisk {
        let life = try StockLife(StoreBench(options: Self.options), seed: 3)
        for _ in 0..<60 { try life.step() }
        life.bench.sync()
        let trees: Set = [StockModel.parts, StockModel.footprints]
        let disk = SimulatedDisk()
        try Store.create(
            following: life.bench.store.identity,
            trees: trees,
            on: disk,
            options: Self.options,
            random: SeededRandom(seed: 3)
        )
        let mirror = try Store(
            disk: disk,
            application: nil,
            options: Self.options,
            time: life.bench.time,
            random: SeededRandom(seed: 4),
            logger: StoreBench.silent
        )
        let filter = BlockFilter(trees: trees)
        guard var cursor = try life.bench.store.logReader().cursor(before: 1) else { return disk }
        while let frame = try cursor.next() {
            let commit = try CommitView(frame.content)
            _ = try mirror.ingest([commit.project(permitting: filter.permits)])
            mirror.syncStep()
        }
        try mirror.close()
        return disk
    }
}
