// A store that was opened for reading follows the one that writes, and changes nothing.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

@Suite struct ReadOnlyTests {
    private func reader(_ disk: any Disk) throws -> Store {
        try Store(
            disk: disk,
            application: "stockroom",
            options: LogOptions(isWritable: false),
            time: FakeTime(),
            logger: StoreBench.silent
        )
    }

    private func compareAll(_ reader: Store, _ writer: Store) throws {
        try compare(reader.lines, writer.lines, "the reading store with the writing one")
        func hashes(_ store: Store) -> [Hash128] { store.read { $0.state.hashes.map(\.hash) } }
        #expect(hashes(reader) == hashes(writer))
        #expect(reader.read { $0.progress.durable } == writer.progress.durable)
        #expect(reader.read { $0.state.position } == writer.read { $0.state.position })
    }

    @Test("A reading store is the writing one's durable state at every look, over compactions too")
    func follows() throws {
        var (moves, looks) = (0, 0)
        try Seed.each(Seed.count(usually: 2)) { seed, random in
            let disk = SimulatedDisk(seed: seed)
            let bench = try StoreBench(disk, seed: seed)
            let life = try StockLife(bench, seed: seed)
            bench.sync()
            let directory = ReadingDisk(disk)
            let reading = try reader(directory)
            // A consumer that keeps every record it was told of finds all of them.
            let kept = Lock<[Touched: UInt64]>([:])
            reading.attach { reader, touched in
                kept.withLock { kept in
                    for one in touched ?? Array(kept.keys) {
                        kept[one] = reader.state.tree(one.tree).flatMap { tree in
                            reader.state.location(tree, one.key)
                        }.map { reader.withEffect(at: $0) { $1.seq } }
                    }
                }
            }
            for _ in 1...600 {
                try life.step()
                if random.oneIn(8) { bench.sync() }
                if random.oneIn(50) { try bench.store.compact(sizes: .small) }
                if random.oneIn(200) {
                    bench.sync()
                    try bench.reopen()
                }
                guard random.oneIn(12) else { continue }
                let before = reading.read { $0.oldest.seq }
                bench.sync()
                try reading.refresh()
                looks += 1
                try compareAll(reading, bench.store)
                try life.model.compare(with: reading)
                if reading.read({ $0.oldest.seq }) > before { moves += 1 }
                // What is dropped there is let go of here.
                #expect(reading.read { $0.oldest.seq } == bench.store.read { $0.oldest.seq })
                if random.oneIn(3) { try compareAll(try reader(directory), bench.store) }
            }
            let known = kept.withLock { $0 }
            for (touched, seq) in known {
                let now = bench.store.read { reader in
                    reader.state.tree(touched.tree).flatMap { tree in
                        reader.state.location(tree, touched.key)
                    }.map { reader.withEffect(at: $0) { $1.seq } }
                }
                try #require(now == seq || (now ?? 0) > reading.progress.durable, "\(touched)")
            }
            #expect(known.count > 100)
            #expect(directory.refusedCount == 0)
            let isBehind = reading.progress.durable < bench.store.progress.durable
            #expect(try reading.refresh() == isBehind)
            #expect(try !reading.refresh())
        }
        #expect(moves > 5 && looks > 50, "\(moves) \(looks)")
    }

    @Test("Who falls behind what was dropped reads the state anew; its readers of the log are told")
    func behind() throws {
        let disk = SimulatedDisk(seed: 4)
        let bench = try StoreBench(disk, seed: 4)
        let life = try StockLife(bench, seed: 4)
        for _ in 0..<200 { try life.step() }
        bench.sync()
        let reading = try reader(ReadingDisk(disk))
        let isToldAll = Lock(false)
        reading.attach { _, touched in isToldAll.withLock { $0 = $0 || touched == nil } }
        let pin = try reading.pin()
        var log = reading.logReader()
        var cursor = try #require(try log.cursor(before: log.head + 1))
        let before = reading.lines
        for _ in 0..<900 { try life.step() }
        bench.sync()
        try bench.store.compact(sizes: .small)
        let oldest = bench.store.read { $0.oldest.seq } + 1
        try #require(oldest > log.head + 1)
        #expect(try reading.refresh())
        try compareAll(reading, bench.store)
        #expect(reading.lines != before)
        #expect(!reading.touch(pin))
        log = reading.logReader()
        #expect(throws: CommitLogError.compacted(oldest: oldest)) { try cursor.goOn(in: log) }
        // The cursor stands, and reads what it had.
        #expect(try cursor.previous() != nil)
        #expect(isToldAll.withLock { $0 })
        for _ in 0..<50 { try life.step() }
        bench.sync()
        #expect(try reading.refresh())
        try compareAll(reading, bench.store)
        try life.model.compare(with: reading)
    }

    @Test("A reader that is pinned keeps what it reads while the log is compacted under it")
    func pinned() throws {
        let disk = SimulatedDisk(seed: 5)
        let bench = try StoreBench(disk, seed: 5)
        let life = try StockLife(bench, seed: 5)
        for _ in 0..<600 { try life.step() }
        bench.sync()
        let reading = try reader(ReadingDisk(disk))
        let pin = try reading.pin()
        let seen = life.model.recordLines
        for _ in 0..<4 {
            for _ in 0..<150 { try life.step() }
            bench.sync()
            try reading.refresh()
            try bench.store.compact(sizes: .small)
            try reading.refresh()
            try compare(
                reading.recordLines(at: pin.position.seq, pageCount: 9),
                seen,
                "what a pinned reader sees with what it saw"
            )
            try life.model.compare(with: reading)
        }
        #expect(reading.read { $0.oldest.seq } < bench.store.read { $0.oldest.seq })
        reading.unpin(pin)
        try reading.refresh()
        #expect(reading.read { $0.oldest.seq } == bench.store.read { $0.oldest.seq })
        try life.model.compare(with: reading)
    }

    @Test("A compaction at any moment of an opening, a look or a check is not taken for damage")
    func compactedUnderneath() throws {
        let disk = SimulatedDisk(seed: 6)
        let bench = try StoreBench(disk, seed: 6)
        let life = try StockLife(bench, seed: 6)
        func live(_ count: Int) throws {
            for _ in 0..<count { try life.step() }
            bench.sync()
        }
        try live(300)
        try bench.store.compact()
        try live(200)
        let following = try reader(ReadingDisk(disk))
        let watching = try LogReader.open(disk: disk)
        typealias Pass = (ReadingDisk) throws -> Void
        let passes: [(String, Pass)] = [
            (
                "opening a store",
                { disk in
                    let opened = try reader(disk)
                    // It, and the first look, may have been done before the commits came; what came
                    // at the end of the second look is the third one's.
                    for _ in 0..<3 { try opened.refresh() }
                    try compareAll(opened, bench.store)
                }
            ),
            ("opening the log", { _ = try LogReader.open(disk: $0) }),
            ("opening it to read all", { _ = try CommitLog.openForReading(disk: $0) }),
            (
                "checking",
                { disk in
                    let report = try CommitLog.lookingAgain(disk) {
                        let report = try CommitLog.verify(disk: disk) { _ in }
                        try Checkpoint.newest(on: disk)?.verify()
                        if let damage = report.damages.first { throw damage }
                        return report
                    }
                    #expect(report.head <= bench.store.progress.durable)
                }
            ),
        ]
        for (what, pass) in passes {
            var (operation, isOver, again) = (1, false, 0)
            while !isOver {
                let directory = ReadingDisk(disk)
                nonisolated(unsafe) let act = {
                    try live(45)
                    try bench.store.compact()
                }
                directory.before(operation: operation, act)
                let quiet = operation
                try pass(directory)
                #expect(directory.failure == nil && directory.refusedCount == 0)
                isOver = directory.operationCount < quiet
                if !isOver { again += 1 }
                operation += 1
            }
            #expect(again > 5, "\(what) has more steps")
        }
        #expect(throws: CommitLogError.self) { try watching.refreshed(disk: disk) }
        for operation in 1...12 {
            let directory = ReadingDisk(disk)
            let late = try reader(directory)
            try live(50)
            nonisolated(unsafe) let act = {
                try live(60)
                _ = try bench.store.compact()
            }
            directory.before(operation: operation, act)
            try late.refresh()
            try late.refresh()
            // What came at the end of the second look is the third one's.
            try late.refresh()
            try compareAll(late, bench.store)
        }
        #expect(try following.refresh())
        try compareAll(following, bench.store)
    }

    @Test("Commits exposed unsynced go on in a new epoch after a kill, and a reader goes with them")
    func epochs() throws {
        let disk = SimulatedDisk(seed: 8)
        var options = StoreBench.small
        options.syncing = .never
        var bench = [try StoreBench(disk, seed: 8, options: options)]
        #expect(bench[0].submit(StockModel.definitions).isAccepted)
        bench[0].sync()
        let reading = try reader(ReadingDisk(disk))
        let epoch = reading.read { $0.state.epoch }
        for round in 1...4 {
            bench.removeAll()
            bench.append(try StoreBench(disk, seed: UInt64(8 + round), options: options))
            // Before the first commit of the epoch, and after it.
            try reading.refresh()
            #expect(reading.read { $0.state.lineage.count } == round + 1)
            #expect(bench[0].submit([put("n\(round)")]).isAccepted)
            bench[0].sync()
            #expect(try reading.refresh())
            try compareAll(reading, bench[0].store)
        }
        #expect(reading.read { $0.state.epoch } != epoch)
    }

    private func put(_ name: String) -> HoldfastRecords.Operation {
        .put(
            WriteOperation(
                tree: StockModel.footprints,
                key: RecordKey(name: name),
                expects: .absent,
                value: Array("{}".utf8)
            )
        )
    }

    @Test("Damage a look meets is thrown, reads stand where they stood, the next look tries again")
    func damage() throws {
        let disk = SimulatedDisk(seed: 9)
        let bench = try StoreBench(disk, seed: 9)
        let life = try StockLife(bench, seed: 9)
        for _ in 0..<40 { try life.step() }
        bench.sync()
        let reading = try reader(ReadingDisk(disk))
        let before = reading.lines
        let start = Int(reading.read { $0.logByteCount })
        for _ in 0..<3 {
            for _ in 0..<5 { try life.step() }
            bench.sync()
        }
        let name = try #require(disk.paths.first { $0.hasSuffix(".seg") })
        let file = try disk.open(name, .readWrite)
        let byte = try file.read(1, at: start + 60)
        try file.write([byte[0] ^ 1], at: start + 60)
        #expect(throws: StoreError.self) { try reading.refresh() }
        #expect(throws: StoreError.self) { try reading.refresh() }
        try compare(reading.lines, before, "what stands after damage with before")
        #expect(reading.writeRefusal?.code == .readOnly)
        try file.write(byte, at: start + 60)
        #expect(try reading.refresh())
        try compareAll(reading, bench.store)
    }
}
