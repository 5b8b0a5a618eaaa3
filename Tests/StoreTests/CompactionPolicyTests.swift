// What history stays, and when it pays to cut the log.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastRecords
import HoldfastTestSupport
import Testing

@testable import HoldfastStore

@Suite struct CompactionPolicyTests {
    private let bench: StoreBench

    init() throws {
        bench = try StoreBench()
        let define = Operation.defineTree(
            try #require(TreeName("bins")),
            TreeDefinition(keys: .name)
        )
        try put(1, [define])
    }

    private func put(_ number: UInt64, _ operations: [HoldfastRecords.Operation]) throws {
        let change = Change(id: UniqueID(high: 7, low: number), operations: operations)
        guard case .accepted = bench.store.submit(change, by: Caller(user: "u", device: "d")) else {
            throw Disagreement("refused")
        }
        bench.store.syncStep()
    }

    /// Each record is written every twentieth time.
    private func expectation(_ number: UInt64) -> HoldfastRecords.Expectation {
        guard number >= 22 else { return .absent }
        return .version(bench.store.read { $0.state.position(of: number - 20) })
    }

    /// Commits, one a minute.
    private func live(_ range: ClosedRange<UInt64>) throws {
        for number in range {
            bench.time.advance(milliseconds: 60_000)
            let write = WriteOperation(
                tree: try #require(TreeName("bins")),
                key: RecordKey(name: "r\(number % 20)"),
                expects: expectation(number),
                value: Array("\(number)".utf8)
            )
            try put(number, [.put(write)])
        }
    }

    @Test("History stays by time and by bytes, whichever is less")
    func history() throws {
        let store = bench.store
        try live(2...500)
        // The last minute's commit is the 500th; commits of the last hour are sixty.
        let hour = CompactionPolicy(historySeconds: 3600, historyByteCount: .max)
        #expect(store.historyStart(hour) == 440)
        #expect(store.historyStart(CompactionPolicy(historyByteCount: .max)) == 1)
        let none = CompactionPolicy(historySeconds: 0, historyByteCount: .max)
        #expect(store.historyStart(none) == 500)
        let little = CompactionPolicy(historySeconds: .max, historyByteCount: 20_000)
        let start = store.historyStart(little)
        let (from, end) = store.read { reader in
            (reader.log.location(ofSeq: start)?.frameOffset ?? 0, reader.log.endOffset)
        }
        #expect(end - from <= 20_000 && end - from > 19_000)
        let both = CompactionPolicy(historySeconds: 3600, historyByteCount: 1 << 20)
        #expect(store.historyStart(both) == 440)
    }

    @Test("A compaction is due when whole segments can go that outweigh what stands")
    func due() throws {
        let store = bench.store
        let all = CompactionPolicy(historySeconds: 0, historyByteCount: 0, garbageRatio: 3)
        try live(2...8)
        // The only segment is hardly begun: it is not worth to be ended.
        #expect(store.garbageByteCount(before: .max) == 0)
        #expect(!store.isCompactionDue(all))
        try live(9...30)
        #expect(store.garbageByteCount(before: .max) > 4096)
        // Of what must stay in it nothing can go.
        #expect(store.garbageByteCount(before: 30) == 0)
        try live(31...400)
        #expect(store.garbageByteCount(before: .max) > 0)
        #expect(store.isCompactionDue(all))
        #expect(!store.isCompactionDue(CompactionPolicy()))
        let report = try #require(try store.compact(keepingFrom: store.historyStart(all)))
        #expect(report.oldest > 300)
        #expect(store.manifest?.seq == report.checkpoint.seq)
        #expect(!store.isCompactionDue(all))
        // What stands weighs some kilobytes: many segments must be full again.
        let standing = UInt64(report.checkpoint.byteCount)
        var number: UInt64 = 401
        while !store.isCompactionDue(all) {
            try live(number...number + 9)
            number += 10
        }
        let garbage = store.garbageByteCount(before: .max)
        #expect(garbage >= 3 * standing && garbage < 3 * standing + 3 * (16 << 10))
    }

    @Test("A compaction that nobody waits for is given up; the checkpoint before stays")
    func stopped() throws {
        let store = bench.store
        try live(2...100)
        let before = try #require(try store.checkpoint())
        try live(101...200)
        store.stopCompacting()
        #expect(throws: StoreError.self) { try store.compact() }
        #expect(store.manifest?.seq == before.seq)
        #expect(store.read { $0.oldest.seq } == 0)
        let found = try Checkpoint.newest(on: bench.disk)
        #expect(found?.manifest.seq == before.seq)
        try found?.verify()
    }
}
