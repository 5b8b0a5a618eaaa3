// A compaction that keeps nothing of the log drops its last segment too, beside everything else.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

@Suite struct EndingSegmentTests {
    /// Far longer than what these tests write.
    private static let options = LogOptions(segmentByteCount: 1 << 20, growByteCount: 4096)

    private static let writeCount = 1500

    private func segments(_ disk: SimulatedDisk) -> [String] {
        disk.paths.filter { $0.hasPrefix("log/") && $0.hasSuffix(".seg") }
    }

    private func live(
        _ disk: SimulatedDisk,
        steps: Int,
        _ options: LogOptions = options
    ) throws -> StockLife {
        let life = try StockLife(try StoreBench(disk, options: options), seed: 1)
        for _ in 0..<steps { try life.step() }
        life.bench.sync()
        return life
    }

    @Test(
        "A log that is shorter than a segment goes as a whole, in every mode",
        arguments: [Syncing.batches, .commits, .every(milliseconds: 1000), .never]
    )
    func shrinks(_ syncing: Syncing) throws {
        let disk = SimulatedDisk()
        let options = LogOptions(
            segmentByteCount: 1 << 20,
            growByteCount: 4096,
            syncing: syncing
        )
        let life = try live(disk, steps: 300, options)
        let store = life.bench.store
        for round in 0..<3 {
            let before = store.read(\.logByteCount)
            #expect(store.garbageByteCount(before: .max) == before)
            let report = try #require(try store.compact(sizes: .small))
            #expect(report.oldest == store.read(\.state.head) + 1, "round \(round)")
            #expect(report.freedByteCount > 4096)
            #expect(store.read(\.logByteCount) < 400 && segments(disk).count == 1)
            try life.model.compare(with: store)
            // Nothing is gained a second time.
            let names = segments(disk)
            #expect(store.garbageByteCount(before: .max) == 0)
            _ = try store.compact(sizes: .small)
            try life.step()
            life.bench.sync()
            _ = try store.compact(sizes: .small)
            #expect(segments(disk) == names)
            for _ in 0..<200 { try life.step() }
            life.bench.sync()
            let verified = try CommitLog.verify(disk: disk.copy()) { _ in }
            #expect(verified.damages.isEmpty)
        }
        let last = store.lines
        try life.bench.reopen()
        try compare(life.bench.store.lines, last, "opened again")
        #expect(life.bench.store.recovery.beganEpoch == false)
    }

    @Test("What somebody reads from, or what is to stay, keeps the segment")
    func keeps() throws {
        let disk = SimulatedDisk()
        let life = try live(disk, steps: 200)
        let store = life.bench.store
        let head = store.read(\.state.head)
        let names = segments(disk)
        _ = try store.compact(keepingFrom: head, sizes: .small)
        #expect(store.garbageByteCount(before: head) == 0)
        #expect(segments(disk) == names)
        let pin = try store.pin()
        for _ in 0..<20 { try life.step() }
        life.bench.sync()
        #expect(try store.compact(sizes: .small)?.isHeld == true)
        #expect(segments(disk) == names)
        store.unpin(pin)
        _ = try store.compact(keepingFrom: store.read(\.state.head) + 1, sizes: .small)
        #expect(segments(disk).count == 1 && segments(disk) != names)
    }

    @Test("A cursor and a reading process go on over the end of a segment")
    func readers() throws {
        let disk = SimulatedDisk()
        let life = try live(disk, steps: 150)
        let store = life.bench.store
        let reading = try Store(
            disk: disk,
            application: "stockroom",
            options: LogOptions(isWritable: false),
            time: life.bench.time,
            logger: StoreBench.silent
        )
        let head = store.read(\.state.head)
        var cursor = try #require(try store.logReader().cursor(before: head - 5))
        _ = try store.compact(sizes: .small)
        for _ in 0..<30 { try life.step() }
        life.bench.sync()
        #expect(try reading.refresh())
        try compare(reading.lines, store.lines, "the reading process")
        #expect(reading.read { $0.oldest } == store.read { $0.oldest })
        var seqs: [UInt64] = []
        while let frame = try cursor.next() { seqs.append(frame.seq) }
        try cursor.goOn(in: store.logReader())
        while let frame = try cursor.next() { seqs.append(frame.seq) }
        #expect(seqs == Array(head - 5...store.read(\.state.head)))
        #expect(throws: CommitLogError.self) { try store.logReader().cursor(before: head) }
    }

    @Test("Without descriptors or room for the next segment nothing is lost, and writes go on")
    func failures() throws {
        var (without, failed) = (0, 0)
        for operation in [DiskError.Operation.open, .write, .sync, .map, .rename, .size] {
            for code in [24, 28] as [Int32] {
                for after in 0..<6 {
                    let disk = SimulatedDisk(seed: UInt64(after))
                    let life = try live(disk, steps: 60)
                    let store = life.bench.store
                    disk.fail(.init(operation, after: after, code: code))
                    do throws(StoreError) {
                        let oldest = try store.compact(sizes: .small)?.oldest
                        if oldest == 1 { without += 1 }
                    } catch {
                        failed += 1
                    }
                    disk.heal()
                    let what = "\(operation) \(after) with \(code)"
                    #expect(store.progress.failure == nil, "\(what): \(store.progress)")
                    for _ in 0..<20 { try life.step() }
                    life.bench.sync()
                    try life.model.compare(with: store)
                    let image = disk.crash(seed: UInt64(after))
                    let opened = try StoreBench(image, time: life.bench.time)
                    try compare(opened.store.lines, store.lines, what)
                    _ = try store.compact(sizes: .small)
                    try life.model.compare(with: store)
                    try life.bench.reopen()
                    try life.model.compare(with: life.bench.store)
                }
            }
        }
        #expect(without > 10 && failed > 10, "\(without) \(failed)")
    }

    @Test("Writers beside it lose nothing, and it ends a segment between them")
    func besideWriters() throws {
        let disk = SimulatedDisk()
        let bench = try StoreBench(disk, options: Self.options)
        for operation in StockModel.definitions { bench.submit([operation]) }
        let store = bench.store
        let runner = StoreRunner(store)
        let (endedCount, accepted) = (Lock(0), Lock(0))
        let writers = (0..<2).map { writer in
            Worker {
                for number in 1...Self.writeCount {
                    let put = WriteOperation(
                        tree: StockModel.footprints,
                        key: RecordKey(name: "\(writer)-\(number)"),
                        expects: .absent,
                        value: Array(#"{"text":"\#(String(repeating: "x", count: 200))"}"#.utf8)
                    )
                    let id = UniqueID.version7(milliseconds: 1, random: SystemRandom())
                    let caller = Caller(user: "anna", device: "PC-\(writer)")
                    let change = Change(id: id, operations: [.put(put)])
                    let answer = store.submit(change, by: caller)
                    if case .accepted(let position, _) = answer {
                        accepted.withLock { $0 += 1 }
                        while store.progress.durable < position.seq { store.syncStep() }
                    }
                }
                endedCount.withLock { $0 += 1 }
            }
        }
        var count = 0
        while endedCount.withLock({ $0 < 2 }) {
            let before = store.read { $0.oldest }
            try store.compact(sizes: .small)
            if store.read({ $0.oldest }) != before { count += 1 }
        }
        for writer in writers { writer.join() }
        let head = store.read(\.state.head)
        #expect(Int(head) == accepted.withLock(\.self) + StockModel.definitions.count)
        #expect(count > 1, "\(count)")
        let last = store.lines
        try runner.close()
        try bench.reopen(closing: false)
        try compare(bench.store.lines, last, "opened again")
    }
}
