// A process that is killed at a call to the disk: in the middle of a write, before a sync, between a
// rename and the sync of its directory; while appending, rolling, checkpointing and compacting.
// KilledRecoveryTests has the calls of backups and what follows them.
//
// The disk that injects failures meets every call in other suites; here the kernel has what a real
// process had given it. Every call is met with HOLDFAST_SEEDS=1000, some of them otherwise, as each
// takes a process.
import Foundation
import Glibc
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

@Suite(.serialized) struct KilledCallTests {
    private static let options = LogOptions(segmentByteCount: 4096, growByteCount: 1024)

    /// The life of the database, from making it to closing it; the same every time.
    private static func live(
        _ disk: any Disk,
        acknowledge: (UInt64) throws -> Void = { _ in }
    ) throws -> StockLife {
        let bench = try StoreBench(disk, seed: 7, options: options)
        let life = try StockLife(bench, seed: 7, keepsHistory: true)
        for number in 1...60 {
            try life.step()
            if number % 3 == 0 {
                bench.sync()
                try acknowledge(bench.store.progress.durable)
            }
            let sizes = PartSizes(least: 500, most: 2048, mask: 3)
            if number == 30 { try bench.store.checkpoint(sizes: sizes) }
            if number == 45 { try bench.store.compact(sizes: sizes) }
            if number == 54 {
                bench.sync()
                try life.compact(forgettingBefore: bench.time.wallMilliseconds(), sizes: sizes)
            }
        }
        bench.sync()
        try bench.store.close()
        return life
    }

    @Test("Killed at a call to the disk, a process leaves what it acknowledged, and nothing half")
    func everyCall() async throws {
        let root = NSTemporaryDirectory() + "holdfast-calls-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: root) }
        let counter = KillingCounter(at: .max)
        let life = try Self.live(
            KillingDisk(try PosixDisk(root + "/whole", create: true), counter)
        )
        let count = counter.callCount
        #expect(count > 150)
        let step = Seed.count(usually: 8) >= 1000 ? 1 : count / 8
        var heads: Set<UInt64> = []
        for call in stride(from: Int(Seed.chosen ?? 1), through: count, by: step) {
            let folder = root + "/\(call)"
            await #expect(processExitsWith: .signal(SIGKILL)) {
                [folder = folder as String, call = call as Int] in
                let disk = KillingDisk(
                    try PosixDisk(folder, create: true),
                    KillingCounter(at: call)
                )
                let told = Glibc.open(folder + ".told", O_WRONLY | O_CREAT, 0o644)
                _ = try Self.live(disk) { durable in
                    var durable = durable
                    _ = pwrite(told, &durable, 8, 0)
                }
            }
            let told = try Data(contentsOf: URL(fileURLWithPath: folder + ".told"))
            let acknowledged = told.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            let bench = try StoreBench(
                PosixDisk(folder),
                time: life.bench.time,
                options: Self.options
            )
            let head = bench.store.read { $0.state.head }
            #expect(head >= acknowledged, "call \(call): \(acknowledged) were acknowledged")
            heads.insert(head)
            if head > 0 {
                let next = try life.resumed(with: bench, seed: UInt64(call))
                try next.model.compare(with: bench.store)
                for _ in 0..<10 { try next.step() }
                bench.sync()
            }
            try bench.store.close()
        }
        #expect(heads.count > 5)
    }
}
