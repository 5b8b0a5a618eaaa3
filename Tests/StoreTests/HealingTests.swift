// A restored database takes no writes until what came after its backup is given up; then ids that
// lost commits may have given out are passed over.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

@Suite(.serialized) struct HealingTests {
    private static let mine = Caller(user: "ben", device: "PC-2")

    private static func bin(_ key: RecordKey?) -> HoldfastRecords.Operation {
        .put(
            WriteOperation(
                tree: StockModel.bins,
                key: key,
                expects: .absent,
                value: Array("{}".utf8)
            )
        )
    }

    private static func reserve(_ bench: StoreBench) -> HoldfastRecords.Operation {
        .reserve(tree: StockModel.bins, range: bench.id(), count: 10)
    }

    /// A database that was backed up, went on, and was restored to the backup.
    private struct Scene {
        let old: StoreBench
        let disk = SimulatedDisk(seed: 5)
        let backup: Backup
        /// Ids that were given out before the backup, and after it.
        let before: RangeRecord
        let lost: [RangeRecord]
        let lostBin: RecordKey

        init() throws {
            old = try StoreBench(SimulatedDisk(seed: 1), seed: 1)
            #expect(old.submit(StockModel.definitions).isAccepted)
            #expect(old.submit([HealingTests.bin(nil)]).isAccepted)
            before = try Self.range(old)
            old.sync()
            let folder = SimulatedDisk(seed: 2)
            var writer = try BackupWriter(folder, of: old.store.identity)
            backup = try #require(try old.store.backUp(into: &writer)).backup
            writer.close()
            guard case .accepted(_, let results) = old.submit([HealingTests.bin(nil)]),
                case .created(_, let key)? = results.first
            else { throw Disagreement("no bin") }
            lostBin = key
            lost = [try Self.range(old), try Self.range(old)]
            _ = try backup.restore(from: folder, to: disk, random: SeededRandom(seed: 3))
        }

        static func range(_ bench: StoreBench) throws -> RangeRecord {
            guard
                case .accepted(_, let results) = bench.submit(
                    [HealingTests.reserve(bench)],
                    by: HealingTests.mine
                ), case .range(let range)? = results.first
            else { throw Disagreement("no range") }
            return range
        }

        /// Opens the restored database; another seed, or ids would come twice.
        func open(_ disk: SimulatedDisk? = nil, seed: UInt64 = 7) throws -> StoreBench {
            try StoreBench(disk ?? self.disk, seed: seed, time: old.time)
        }
    }

    /// Gives up what was lost, with the thread that syncs.
    @discardableResult
    private func discard(_ bench: StoreBench) throws -> Position {
        let runner = StoreRunner(bench.store)
        let result = Result { () throws(StoreError) in try bench.store.discardLost() }
        try runner.close()
        return try result.get()
    }

    @Test("Healing outlasts restarts: reads go on, every write is refused and nothing is compacted")
    func refused() throws {
        let scene = try Scene()
        let bench = try scene.open()
        for _ in 0..<2 {
            #expect(bench.store.read(\.healing)?.restored == scene.backup.position)
            #expect(bench.submit([Self.bin(nil)]).refusal == .healing)
            #expect(bench.submit([Self.reserve(bench)]).refusal == .healing)
            let device = DeviceRecord(
                id: "PC-9",
                name: "",
                user: "",
                app: "",
                appVersion: "",
                schemaVersions: [:],
                confirmedDeviceSeq: 0,
                firstSeen: 0
            )
            #expect(bench.store.introduce(device).refusal == .healing)
            #expect(throws: StoreError.self) { try bench.store.compact() }
            #expect(bench.store.read(\.state.head) == scene.backup.position.seq)
            #expect(bench.store.read { $0.state.tree(StockModel.bins)?.count } == 1)
            try bench.reopen()
        }
    }

    @Test("Given up, ids of lost commits are given to nobody, and whoever has one may create it")
    func ids() throws {
        let scene = try Scene()
        var bench = try scene.open()
        let position = try discard(bench)
        #expect(position.epoch == bench.store.read(\.state.epoch))
        #expect(position.seq == scene.backup.position.seq + 1)
        bench = try scene.open(seed: 8)
        #expect(bench.store.identity.epoch == position.epoch)
        #expect(bench.store.read(\.healing) == nil)
        #expect(try Healing(on: scene.disk) == nil)
        // The server's own ids go on behind all that were ever given out.
        guard case .accepted(_, let results) = bench.submit([Self.bin(nil)]),
            case .created(_, let made)? = results.first
        else { throw Disagreement("no bin") }
        let lastLost = try #require(scene.lost.last).end
        let next = try Scene.range(bench)
        guard case .number(let number) = made.id else { throw Disagreement("no number") }
        #expect(number > lastLost && next.first > lastLost)
        // A device goes on in the range it had, and with ids of one that was lost.
        for id in [scene.before.first, scene.lost[0].first, scene.lost[1].end - 1] {
            #expect(bench.submit([Self.bin(RecordKey(number: id))], by: Self.mine).isAccepted)
        }
        #expect(bench.submit([Self.bin(scene.lostBin)]).isAccepted)
        #expect(bench.submit([Self.bin(scene.lostBin)], by: Self.mine).refusal != nil)
        bench.sync()
        let lines = bench.store.recordLines(at: .max, pageCount: 50)
        try bench.reopen()
        try compare(bench.store.recordLines(at: .max, pageCount: 50), lines, "opened again")
        #expect(try discard(bench) == bench.store.read(\.state.position), "nothing waits any more")
    }

    @Test("Ended at any operation, the giving up is done, or the database is healing still")
    func everyOperation() throws {
        let scene = try Scene()
        var (count, healingCount) = (0, 0)
        while true {
            let image = scene.disk.copy()
            let bench = try scene.open(image)
            image.halt(afterOperations: count)
            var isDone = false
            let runner = StoreRunner(bench.store)
            do throws(StoreError) {
                _ = try bench.store.discardLost()
                isDone = true
            } catch {
                #expect(bench.store.read(\.healing) != nil)
            }
            // A disk that has failed refuses the end too.
            _ = try? runner.close()
            let after = image.crash(seed: UInt64(count))
            let next = try scene.open(after, seed: 8)
            if next.store.read(\.healing) == nil {
                #expect(next.store.read(\.state.head) > scene.backup.position.seq)
                try next.store.close()
            } else {
                try #require(!isDone)
                healingCount += 1
                try discard(next)
            }
            let last = try scene.open(after, seed: 9)
            #expect(last.submit([Self.bin(nil)]).isAccepted)
            last.sync()
            let lines = last.store.recordLines(at: .max, pageCount: 50)
            try last.reopen()
            try compare(last.store.recordLines(at: .max, pageCount: 50), lines, "opened again")
            if isDone { break }
            count += 1
        }
        #expect(count > 3 && healingCount > 3, "\(count) operations, \(healingCount) times healing")
    }
}
