// Several stores that share a database: what each writes is decided on what all wrote, whoever ends
// in the middle is repaired by the next, and what was acknowledged stays.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

@Suite struct SharingTests {
    private static let shared = LogOptions(
        segmentByteCount: 16 << 10,
        growByteCount: 4096,
        sharedWaitMilliseconds: 0
    )

    private func open(
        _ disk: any Disk,
        _ options: LogOptions = shared,
        seed: UInt64 = 1,
        time: FakeTime = FakeTime()
    ) throws -> Store {
        try Store(
            disk: disk,
            application: "stockroom",
            options: options,
            time: time,
            random: SeededRandom(seed: seed),
            logger: StoreBench.silent
        )
    }

    /// Changes something while nobody else writes.
    private func writing<T>(_ store: Store, _ body: () throws -> T) throws -> T {
        try store.beginWriting()
        defer { store.endWriting() }
        return try body()
    }

    private func put(_ name: String, _ text: String = "") -> [HoldfastRecords.Operation] {
        [
            .put(
                WriteOperation(
                    tree: StockModel.footprints,
                    key: RecordKey(name: name),
                    expects: .absent,
                    value: Array(#"{"text":"\#(text)"}"#.utf8)
                )
            )
        ]
    }

    /// Makes a database and the trees in it.
    private func begun(
        _ disk: SimulatedDisk,
        _ options: LogOptions = shared
    ) throws -> StoreBench {
        let bench = try StoreBench(disk, options: options)
        try writing(bench.store) {
            for operation in StockModel.definitions {
                try #require(bench.submit([operation]).isAccepted)
            }
        }
        return bench
    }

    private func head(_ store: Store) -> UInt64 { store.read(\.state.head) }

    private func verify(_ disk: any Disk) throws {
        let report = try CommitLog.verify(disk: disk) { _ in }
        #expect(report.damages.isEmpty, "\(report.damages)")
        try Checkpoint.newest(on: disk)?.verify()
    }

    @Test("Three stores that write in turn are one, whatever each compacts, closes and opens")
    func oneLife() throws {
        var (moves, images) = (0, 0)
        try Seed.each(Seed.count(usually: 3)) { seed, random in
            let disk = SimulatedDisk(seed: seed)
            let bench = try StoreBench(disk, seed: seed, options: Self.shared)
            var stores = [bench.store]
            for number in 1...2 {
                stores.append(try open(disk, seed: seed &+ UInt64(number), time: bench.time))
            }
            try bench.store.beginWriting()
            let life = try StockLife(bench, seed: seed)
            bench.store.endWriting()
            life.beforeTick = { bench.store.endWriting() }
            for step in 1...500 {
                let one = random.below(3)
                bench.use(stores[one])
                try writing(bench.store) {
                    for _ in 1...random.within(1...3) {
                        try bench.store.beginWritingAgain()
                        try life.step()
                    }
                }
                if random.oneIn(40) { try stores[one].compact(sizes: .small) }
                if random.oneIn(60) {
                    try stores[one].close()
                    stores[one] = try open(disk, seed: seed &+ UInt64(step), time: bench.time)
                    bench.use(stores[one])
                }
                if random.oneIn(10) {
                    let other = stores[random.below(3)]
                    let before = other.read { $0.oldest.seq }
                    try other.refresh()
                    if other.read({ $0.oldest.seq }) > before { moves += 1 }
                    try compare(other.lines, bench.store.lines, "two that share a database")
                    try life.model.compare(with: other)
                }
                if random.oneIn(50) {
                    images += 1
                    let image = disk.crash(seed: seed &+ UInt64(step))
                    let after = try open(image, StoreBench.small, time: bench.time)
                    try compare(after.lines, bench.store.lines, "what a power cut leaves")
                    try after.close()
                }
            }
            for store in stores {
                try store.refresh()
                try life.model.compare(with: store)
                try compare(store.lines, bench.store.lines, "all that share a database")
                #expect(store.read { $0.progress.durable } == head(store))
                try store.close()
            }
            try verify(disk)
            let alone = try open(disk, StoreBench.small, time: bench.time)
            try life.model.compare(with: alone)
        }
        #expect(moves > 0 && images > 10, "\(moves) \(images)")
    }

    @Test("One that ends at any operation is repaired by the next, and loses nothing acknowledged")
    func endsAnywhere() throws {
        let options = LogOptions(
            segmentByteCount: 4096,
            growByteCount: 512,
            sharedWaitMilliseconds: 0
        )
        var (heads, count) = ([UInt64: Int](), 0)
        var isThrough = false
        while !isThrough {
            let disk = SimulatedDisk(seed: UInt64(count) &+ 1)
            let bench = try begun(disk, options)
            let other = try open(disk, options)
            try writing(other) { try #require(other.submit(put("before")).isAccepted) }
            var acknowledged = head(other)
            disk.halt(afterOperations: count)
            do {
                let ending = bench.store
                for number in 0..<8 {
                    let text = String(repeating: "x", count: 300 * (number % 4))
                    try writing(ending) { _ = ending.submit(put("\(number)", text)) }
                    guard ending.progress.failure == nil else { break }
                    acknowledged = head(ending)
                }
                isThrough = ending.progress.failure == nil
                // One that was ended lets go of its locks.
                bench.use(other)
            } catch StoreError.log {
                bench.use(other)
            }
            disk.heal()
            try writing(other) {
                let found = head(other)
                #expect(found >= acknowledged, "after \(count): \(found) of \(acknowledged)")
                heads[found, default: 0] += 1
                #expect(other.submit(put("after")).isAccepted)
            }
            #expect(other.progress.failure == nil)
            let third = try open(disk, options)
            try compare(third.lines, other.lines, "one that opens it after \(count)")
            for seed in 1...4 as ClosedRange<UInt64> {
                let after = try open(disk.crash(seed: seed), StoreBench.small)
                try compare(after.lines, other.lines, "a power cut after \(count)")
            }
            try verify(disk)
            count += 1
        }
        #expect(count > 60 && heads.count > 7, "\(count) \(heads)")
    }

    @Test("After a failed sync one writes no more, and the others bring to the disk what it left")
    func failedSync() throws {
        let disk = SimulatedDisk()
        let bench = try begun(disk)
        let (failing, other) = (bench.store, try open(disk))
        let before = head(failing)
        disk.fail(.init(.sync))
        try writing(failing) { #expect(failing.submit(put("a")).isAccepted) }
        #expect(failing.progress.failure != nil && head(failing) == before)
        #expect(throws: StoreError.self) { try failing.beginWriting() }
        try writing(other) { #expect(other.submit(put("b")).isAccepted) }
        #expect(head(other) == before + 2)
        #expect(try !failing.refresh() && head(failing) == before)
        for seed in 1...20 as ClosedRange<UInt64> {
            let after = try open(disk.crash(seed: seed), StoreBench.small)
            try compare(after.lines, other.lines, "after a power cut")
        }
        try failing.close()
        let again = try open(disk)
        #expect(head(again) == before + 2)
    }

    @Test("A damaged commit that was acknowledged is damage to all, and not a torn tail")
    func damage() throws {
        let disk = SimulatedDisk()
        let bench = try begun(disk)
        let other = try open(disk)
        try writing(bench.store) { #expect(bench.submit(put("a", "some text")).isAccepted) }
        let path = try #require(disk.paths.first { $0.hasSuffix(".seg") })
        var bytes = try #require(disk.bytes(path))
        let text = Array("some text".utf8)
        let place = try #require(
            bytes.indices.first { bytes[$0...].starts(with: text) },
            "it is not there"
        )
        bytes[place] ^= 1
        try disk.open(path, .readWrite).write([bytes[place]], at: place)
        #expect(throws: StoreError.self) { try other.beginWriting() }
        #expect(disk.bytes(path) == bytes)
        #expect(throws: StoreError.self) { _ = try open(disk) }
    }

    @Test("Alone and shared exclude each other, and who does not hold the lock changes nothing")
    func refusals() throws {
        let disk = SimulatedDisk()
        let bench = try begun(disk)
        let other = try open(disk)
        func isInUse(_ options: LogOptions) -> Bool {
            do throws(StoreError) {
                _ = try Store(disk: disk, application: nil, options: options)
            } catch {
                if case .log(.inUse) = error { return true }
            }
            return false
        }
        #expect(isInUse(StoreBench.small))
        #expect(other.submit(put("a")).refusal == .busy)
        try bench.store.beginWriting()
        do throws(StoreError) {
            try other.beginWriting()
            Issue.record("two write")
        } catch {
            guard case .busy = error else { throw error }
        }
        #expect(other.submit(put("a")).refusal == .busy)
        bench.store.endWriting()
        try writing(other) { #expect(other.submit(put("a")).isAccepted) }
        try other.close()
        #expect(throws: StoreError.self) { try other.beginWriting() }
        #expect(isInUse(StoreBench.small))
        try bench.store.close()
        let alone = try open(disk, StoreBench.small)
        #expect(isInUse(Self.shared) && isInUse(StoreBench.small))
        try alone.close()
        #expect(!isInUse(Self.shared))
    }

    @Test("Who was left behind by a compaction begins anew at the checkpoint")
    func leftBehind() throws {
        let disk = SimulatedDisk()
        let bench = try begun(disk)
        let (idle, writer) = (try open(disk), try open(disk))
        for round in 0..<3 {
            for number in 0..<40 {
                let text = String(repeating: "y", count: 400)
                try writing(bench.store) {
                    #expect(bench.submit(put("\(round)-\(number)", text)).isAccepted)
                }
            }
            let compaction = try #require(try bench.store.compact(sizes: .small))
            #expect(compaction.oldest > 1)
        }
        #expect(try idle.refresh())
        try compare(idle.lines, bench.store.lines, "one that only looks")
        try writing(writer) { #expect(writer.submit(put("z")).isAccepted) }
        #expect(try bench.store.refresh())
        try compare(writer.lines, bench.store.lines, "one that writes")
        #expect(writer.read { $0.oldest } == bench.store.read { $0.oldest })
        try verify(disk)
    }
}

extension Store {
    fileprivate func submit(_ operations: [HoldfastRecords.Operation]) -> Submission {
        let id = UniqueID.version7(milliseconds: 1, random: SystemRandom())
        return submit(
            Change(id: id, operations: operations),
            by: Caller(user: "bert", device: "PC-2")
        )
    }

    /// Begins to write anew where a tick has ended it.
    fileprivate func beginWritingAgain() throws {
        if writeRefusal?.code == .busy { try beginWriting() }
    }
}
