// Logs of many stretches: what two threads gather of them at an opening is what was there.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastRecords
import HoldfastStore
import HoldfastTestSupport
import Testing

@Suite struct LongLogTests {
    private static let options = LogOptions(
        segmentByteCount: 4 << 20,
        growByteCount: 1 << 20
    )

    /// A store of two trees whose log is as long as `count` long names and parts make it.
    private func filled(_ count: Int) throws -> (bench: StoreBench, changes: [UniqueID]) {
        let bench = try StoreBench(seed: 3, options: Self.options)
        try bench.declareTrees()
        var changes: [UniqueID] = []
        let text = String(repeating: "long ", count: 1600)
        for number in 0..<count {
            changes.append(bench.id())
            let value = "{\"number\":\(number),\"text\":\"\(text)\"}"
            let name = WriteOperation(
                tree: StockModel.footprints,
                key: RecordKey(name: "name \(number)"),
                expects: .absent,
                value: Array(value.utf8)
            )
            let isTaken = bench.submit(
                [StoreBench.create("n\(number)"), .put(name)],
                id: changes.last
            ).isAccepted
            try #require(isTaken)
            if number % 50 == 0 { bench.sync() }
        }
        bench.sync()
        return (bench, changes)
    }

    /// Everything but where it lies: behind a checkpoint that is elsewhere.
    private func lines(_ store: Store, _ changes: [UniqueID]) -> [String] {
        store.read { reader in
            dump(reader.state) { _ in "" }
                + changes.map { "\($0) \(reader.state.remembers($0))" }
                + reader.state.hashes.map { "\($0.block) \($0.hash)" }
        }
    }

    @Test("A long log opens to what it was, on both threads, and behind a checkpoint too")
    func openings() throws {
        let (bench, changes) = try filled(1300)
        let strangers = (0..<20).map { _ in bench.id() }
        let known = changes + strangers
        let before = lines(bench.store, known)
        #expect(before.contains("\(changes[0]) true") && before.contains("\(strangers[0]) false"))
        for _ in 0..<4 {
            try bench.reopen()
            try compare(lines(bench.store, known), before, "opened again")
        }
        try bench.store.checkpoint()
        try bench.reopen()
        #expect(bench.store.checkpointSeq != nil)
        try compare(lines(bench.store, known), before, "behind a checkpoint")
        // And as another process reads it.
        let reading = try Store(
            disk: bench.disk,
            application: "stockroom",
            options: LogOptions(isWritable: false)
        )
        try compare(lines(reading, known), before, "read beside its writer")
    }

    @Test("A long log that is damaged far in is refused, and no thread is left behind")
    func damaged() throws {
        let (bench, _) = try filled(900)
        try bench.store.close()
        let disk = try #require(bench.disk as? SimulatedDisk)
        let path = try #require(disk.paths(in: "log").filter { $0.hasSuffix(".seg") }.last)
        var bytes = try #require(disk.bytes(path))
        bytes[20_000] ^= 1
        disk.put(path, bytes)
        #expect(throws: StoreError.self) { try bench.reopen(closing: false) }
        bytes[20_000] ^= 1
        disk.put(path, bytes)
        try bench.reopen(closing: false)
    }
}
