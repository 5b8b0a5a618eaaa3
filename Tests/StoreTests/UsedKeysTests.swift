// Who shares parts with a database that forgot removals, or holds a copy of it, knows the same used
// keys.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

@Suite struct UsedKeysTests {
    private static let options = LogOptions(segmentByteCount: 4096, growByteCount: 1024)

    private func used(_ manifest: Manifest?) -> [PartReference] {
        (manifest?.parts ?? []).filter { $0.kind == .used }
    }

    /// A mirror made of the newest checkpoint of a database.
    private func mirror(of bench: StoreBench, _ disk: SimulatedDisk) throws -> Store {
        let source = try #require(bench.disk as? SimulatedDisk)
        let newest = try #require(bench.store.manifest)
        let manifest = Manifest(
            databaseID: newest.databaseID,
            seq: newest.seq,
            chain: newest.chain,
            time: newest.time,
            trees: newest.trees,
            parts: newest.parts.filter { $0.kind != .changes }
        )
        var writer = try CheckpointWriter(disk)
        for part in manifest.parts {
            let bytes = try #require(source.bytes(part.path))
            try writer.write(BuiltPart(reference: part, bytes: bytes))
        }
        let random = SeededRandom(seed: 31)
        try Store.create(
            following: bench.store.identity,
            trees: nil,
            from: manifest,
            lineage: bench.store.lineage,
            base: 0,
            &writer,
            on: disk,
            options: Self.options,
            random: random
        )
        return try MirrorBench.open(disk, bench.time, random)
    }

    /// Has a mirror take what it lacks of a database's log.
    private func follow(_ mirror: Store, _ bench: StoreBench) throws {
        bench.sync()
        let head = mirror.read { $0.confirmedHead }
        var cursor = try #require(try bench.store.logReader().cursor(before: head + 1))
        var contents: [[UInt8]] = []
        while let frame = try cursor.next() { contents.append(frame.content.array) }
        _ = try mirror.ingest(contents)
        while mirror.progress.durable < mirror.read(\.confirmedHead) { mirror.syncStep() }
    }

    @Test("A mirror of a snapshot that forgot holds the same, and writes the same parts")
    func snapshot() throws {
        let bench = try StoreBench(SimulatedDisk(seed: 11), seed: 11, options: Self.options)
        let life = try StockLife(bench, seed: 11)
        for _ in 0..<500 { try life.step() }
        bench.sync()
        try life.compact(forgettingBefore: bench.time.wallMilliseconds(), sizes: .small)
        #expect(life.hasForgotten && !used(bench.store.manifest).isEmpty)
        let disk = SimulatedDisk(seed: 12)
        let mirror = try mirror(of: bench, disk)
        try compare(mirror.lines, bench.store.lines, "a mirror of a snapshot with its server")
        func parts(_ store: Store) -> [PartReference] {
            (store.manifest?.parts ?? []).filter { $0.kind != .changes }
        }
        // Its own checkpoint of the same position is the same.
        try #require(try mirror.checkpoint(sizes: .small) != nil)
        #expect(parts(mirror) == parts(bench.store))
        for _ in 0..<4 {
            for _ in 0..<150 { try life.step() }
            let time = bench.time.wallMilliseconds()
            bench.time.advance(milliseconds: 1)
            for _ in 0..<30 { try life.step() }
            try follow(mirror, bench)
            try compare(mirror.lines, bench.store.lines, "a mirror that followed with its server")
            // Each by itself, the log of before at least, with one horizon.
            try life.compact(forgettingBefore: time, sizes: .small)
            let horizons = Horizons(tombstones: time)
            #expect(try mirror.compact(horizons: horizons, sizes: .small)?.isHeld == false)
            #expect(parts(mirror) == parts(bench.store))
            try compare(mirror.lines, bench.store.lines, "a mirror that forgot with its server")
        }
    }

    @Test(
        "Used keys are a function of the history, whatever of it each node has forgotten, and when"
    )
    func pure() throws {
        let bench = try StoreBench(SimulatedDisk(seed: 13), seed: 13, options: Self.options)
        let life = try StockLife(bench, seed: 13)
        for _ in 0..<300 { try life.step() }
        bench.sync()
        try bench.store.checkpoint(sizes: .small)
        #expect(used(bench.store.manifest).isEmpty)
        let mirror = try mirror(of: bench, SimulatedDisk(seed: 14))
        var compared = 0
        for round in 0..<6 {
            // The server forgets again and again, the mirror at the end alone.
            for _ in 0..<100 { try life.step() }
            try follow(mirror, bench)
            let time = bench.time.wallMilliseconds() - 50_000
            try life.compact(forgettingBefore: time, sizes: .small)
            guard round == 5 else { continue }
            let late = Horizons(tombstones: time - 300_000)
            try mirror.compact(horizons: late, sizes: .small)
            let (theirs, mine) = (used(bench.store.manifest), used(mirror.manifest))
            #expect(theirs.count > 1 && Set(mine).isSubset(of: theirs) && !mine.isEmpty)
            compared += mine.count
            let tombstones = { (store: Store) in
                (store.manifest?.parts ?? []).filter { $0.kind == .tombstones }
            }
            #expect(tombstones(mirror) != tombstones(bench.store))
        }
        #expect(compared > 0)
    }

    @Test("A reading store forgets what the writer forgot, at every look")
    func reading() throws {
        let disk = SimulatedDisk(seed: 15)
        let bench = try StoreBench(disk, seed: 15, options: Self.options)
        let life = try StockLife(bench, seed: 15)
        bench.sync()
        let reading = try Store(
            disk: ReadingDisk(disk),
            application: "stockroom",
            options: LogOptions(isWritable: false),
            time: FakeTime(),
            logger: StoreBench.silent
        )
        for _ in 0..<12 {
            for _ in 0..<60 { try life.step() }
            bench.sync()
            try reading.refresh()
            try life.compact(
                forgettingBefore: bench.time.wallMilliseconds() - 50_000,
                sizes: .small
            )
            try reading.refresh()
            try compare(reading.lines, bench.store.lines, "a reading store with the writing one")
        }
        #expect(life.hasForgotten)
    }

    @Test("A mirror forgets below what pends on it")
    func pending() throws {
        let authority = try StoreBench(SimulatedDisk(seed: 16), seed: 16)
        let life = try StockLife(authority, seed: 16, keepsHistory: true)
        let mirror = try MirrorBench(life, SimulatedDisk(seed: 17), seed: 17)
        var forgotten = 0
        for _ in 0..<5 {
            try mirror.stepAuthority(150)
            authority.sync()
            try mirror.receive(.max)
            for _ in 0..<20 { mirror.propose() }
            mirror.store.syncStep()
            let before = mirror.store.recordLines(at: .max)
            let (count, hashes) = mirror.store.read { reader in
                (
                    reader.state.allTrees.reduce(0) { $0 + $1.entryCount },
                    reader.confirmedHashes.map(\.hash)
                )
            }
            let horizons = Horizons(tombstones: .max)
            _ = try #require(try mirror.store.compact(horizons: horizons, sizes: .small))
            try compare(
                mirror.store.recordLines(at: .max),
                before,
                "what a mirror shows after forgetting with before"
            )
            #expect(mirror.store.read { $0.confirmedHashes.map(\.hash) } == hashes)
            forgotten +=
                count
                - mirror.store.read { $0.state.allTrees.reduce(0) { $0 + $1.entryCount } }
        }
        #expect(forgotten > 50)
        try mirror.send(.max)
        try mirror.receive(.max)
        #expect(mirror.outbox.isEmpty)
    }

    @Test("Used keys survive a backup and its restoring, and a salvage")
    func copies() throws {
        let disk = SimulatedDisk(seed: 18)
        let bench = try StoreBench(disk, seed: 18, options: Self.options)
        let life = try StockLife(bench, seed: 18, keepsHistory: true)
        for _ in 0..<400 { try life.step() }
        bench.sync()
        try life.compact(forgettingBefore: bench.time.wallMilliseconds(), sizes: .small)
        for _ in 0..<60 { try life.step() }
        bench.sync()
        let folder = SimulatedDisk(seed: 19)
        var writer = try BackupWriter(folder, of: bench.store.identity)
        let backup = try #require(try bench.store.backUp(into: &writer, sizes: .small)).backup
        writer.close()
        #expect(!used(backup.manifest).isEmpty)
        #expect(try Backup.all(on: folder).backups == [backup])
        let restored = SimulatedDisk(seed: 20)
        _ = try backup.restore(from: folder, to: restored, random: SeededRandom(seed: 21))
        let again = try StoreBench(restored, seed: 22, time: bench.time, options: Self.options)
        try compare(again.store.lines, bench.store.lines, "a restored database with its origin")
        try bench.store.close()
        let salvaged = SimulatedDisk(seed: 23)
        _ = try CommitLog.salvage(disk: disk).write(to: salvaged, random: SeededRandom(seed: 24))
        let rest = try life.resumed(
            with: StoreBench(salvaged, seed: 25, time: bench.time, options: Self.options),
            seed: 25
        )
        try rest.model.compare(with: rest.bench.store)
        for _ in 0..<100 { try rest.step() }
    }
}
