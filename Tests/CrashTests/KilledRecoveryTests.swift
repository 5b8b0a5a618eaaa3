// A process that is killed at a call to the disk while it backs up, restores, or hands back what a
// restore lost. Whatever it left, the same again comes to the same end.
//
// Every call is met with HOLDFAST_SEEDS=1000, some of them otherwise, as each takes a process.
import Foundation
import Glibc
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

@Suite(.serialized) struct KilledRecoveryTests {
    private static let options = LogOptions(segmentByteCount: 4096, growByteCount: 1024)

    /// A database in the middle of its life and at the end of it: `half` and `all`.
    private static func live(in root: String) throws -> StockLife {
        let source = root + "/all"
        let bench = try StoreBench(try PosixDisk(source, create: true), seed: 7, options: options)
        let life = try StockLife(bench, seed: 7, keepsHistory: true)
        for number in 1...60 {
            try life.step()
            guard number == 30 else { continue }
            bench.sync()
            try FileManager.default.copyItem(atPath: source, toPath: root + "/half")
        }
        bench.sync()
        return life
    }

    private static func read(_ path: String) throws -> Store {
        try Store(
            disk: try PosixDisk(path),
            application: "stockroom",
            options: LogOptions(isWritable: false),
            time: FakeTime(),
            logger: StoreBench.silent
        )
    }

    /// Backs `half` up, restores that, and hands back the rest out of `all`, as far as that was not
    /// done before.
    private static func recover(
        in root: String,
        _ backups: any Disk,
        _ target: any Disk,
        seed: UInt64,
        acknowledge: (UInt64) throws -> Void = { _ in }
    ) throws {
        let half = try read(root + "/half")
        var writer = try BackupWriter(backups, of: half.identity)
        // Small parts, so that there are some.
        let made = try half.backUp(into: &writer, sizes: PartSizes(least: 500, most: 2048, mask: 3))
        writer.close()
        let backup = try #require(made).backup
        if try !CommitLog.isPresent(disk: target) {
            _ = try backup.restore(
                from: backups,
                to: target,
                options: options,
                random: SeededRandom(seed: seed)
            )
        }
        let bench = try StoreBench(target, seed: seed &+ 1, options: options)
        let all = try read(root + "/all")
        let head = bench.store.read(\.state.head)
        if bench.store.read(\.healing) != nil {
            let reader = all.logReader()
            if head < reader.head, var cursor = try reader.cursor(before: head + 1) {
                while let frame = try cursor.next() {
                    let content = frame.content.array
                    let position = try bench.store.handBack([content], of: all.lineage)
                    try acknowledge(position.seq)
                }
            }
            _ = try bench.store.discardLost()
            try acknowledge(bench.store.read(\.state.head))
        }
        try bench.store.close()
    }

    @Test("Killed at a call, a backup, a restore and a handing back leave what the next try ends")
    func everyCall() async throws {
        let root = NSTemporaryDirectory() + "holdfast-recovery-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: root) }
        let life = try Self.live(in: root)
        let counter = KillingCounter(at: .max)
        try Self.recover(
            in: root,
            KillingDisk(try PosixDisk(root + "/backups", create: true), counter),
            KillingDisk(try PosixDisk(root + "/target", create: true), counter),
            seed: 1
        )
        let count = counter.callCount
        #expect(count > 100)
        let step = Seed.count(usually: 12) >= 1000 ? 1 : count / 12
        var heads: Set<UInt64> = []
        for call in stride(from: Int(Seed.chosen ?? 1), through: count, by: step) {
            let folder = root + "/\(call)"
            await #expect(processExitsWith: .signal(SIGKILL)) {
                [root = root as String, folder = folder as String, call = call as Int] in
                let counter = KillingCounter(at: call)
                let told = Glibc.open(folder + ".told", O_WRONLY | O_CREAT, 0o644)
                try Self.recover(
                    in: root,
                    KillingDisk(try PosixDisk(folder + ".backups", create: true), counter),
                    KillingDisk(try PosixDisk(folder, create: true), counter),
                    seed: 1
                ) { seq in
                    var seq = seq
                    _ = pwrite(told, &seq, 8, 0)
                }
            }
            let told = try Data(contentsOf: URL(fileURLWithPath: folder + ".told"))
            let acknowledged = told.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            let backups = try PosixDisk(folder + ".backups", create: true)
            let target = try PosixDisk(folder, create: true)
            #expect(try Backup.verify(on: backups).isEmpty, "call \(call)")
            if try CommitLog.isPresent(disk: target) {
                let (head, chain) = try Self.read(folder).read { ($0.state.head, $0.state.chain) }
                #expect(head >= acknowledged, "call \(call): \(acknowledged) were acknowledged")
                if head < life.chains.count { #expect(chain == life.chains[Int(head)]) }
                heads.insert(head)
            }
            try Self.recover(in: root, backups, target, seed: UInt64(call) &+ 100)
            let bench = try StoreBench(
                target,
                seed: 9,
                time: life.bench.time,
                options: Self.options
            )
            let last = UInt64(life.chains.count) - 1
            #expect(bench.store.read(\.healing) == nil)
            #expect(bench.store.read { $0.chain(atSeq: last) } == life.chains[Int(last)])
            #expect(bench.store.lineage.dropFirst().allSatisfy { $0.firstSeq > last })
            for (change, caller, _) in life.accepted {
                #expect(bench.store.submit(change, by: caller).isReplayed)
            }
            try bench.store.close()
        }
        #expect(heads.count > 2, "\(heads)")
    }
}
