// An outbox's log is begun anew when nothing pends: nothing that is kept is lost on the way.
import HoldfastBasics
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

@testable import Holdfast

@Suite struct OutboxAnewTests {
    private static let tree = StockModel.bins

    private func open(
        _ disk: SimulatedDisk,
        anewByteCount: UInt64 = 1,
        seed: UInt64 = 1
    ) throws -> Outbox {
        try Outbox(
            disk: disk,
            options: OutboxOptions(log: StoreBench.small, anewByteCount: anewByteCount),
            time: FakeTime(),
            random: SeededRandom(seed: seed),
            logger: StoreBench.silent
        )
    }

    private func change(_ number: UInt64) -> Change {
        Change(
            id: UniqueID(high: number, low: 1),
            operations: [
                .put(
                    WriteOperation(
                        tree: Self.tree,
                        key: RecordKey(number: number),
                        expects: .absent,
                        value: Array("{}".utf8)
                    )
                )
            ]
        )
    }

    private func ids(_ changes: [Change]) -> [UInt64] { changes.map(\.id.high) }

    private func text(_ outbox: Outbox) -> String {
        let fact = outbox.fact("note").map { String(decoding: $0, as: UTF8.self) } ?? "-"
        return "\(ids(outbox.pending)) \(outbox.stranded.map { ids($0.changes) }) "
            + "\(outbox.settledThrough) \(outbox.holds.count) \(fact)"
    }

    private let ranges = [
        RangeRecord(
            id: UniqueID(high: 5, low: 0),
            tree: tree,
            device: "d",
            first: 10,
            end: 500,
            at: 0
        )
    ]

    /// What is done, with what must be kept after each step.
    private func run(_ outbox: Outbox, _ done: (String) -> Void) throws {
        let hold = UniqueID(high: 77, low: 7)
        try outbox.setFact("note", Array("\"one\"".utf8))
        done(text(outbox))
        _ = try outbox.put(change(1), holds: [hold: (Self.tree, RecordKey(number: 1))])
        done(text(outbox))
        _ = try outbox.put(change(2))
        done(text(outbox))
        _ = try outbox.strand(change(2).id, HoldfastRecords.Refusal(.full, "as an example"))
        done(text(outbox))
        // Begun anew here, with a stranded change, a hold and a fact.
        try outbox.settle([change(1).id])
        done(text(outbox))
        _ = try outbox.put(change(3))
        done(text(outbox))
        // Not so soon again.
        try outbox.settle([change(3).id])
        done(text(outbox))
        _ = try outbox.put(change(4))
        done(text(outbox))
    }

    @Test("Killed at any step of beginning anew, it holds what it held")
    func killed() throws {
        let whole = SimulatedDisk()
        let outbox = try open(whole)
        var states = [text(outbox)]
        try run(outbox) { states.append($0) }
        #expect(whole.bytes("current").map { String(decoding: $0, as: UTF8.self) } == "b")
        #expect(states.last?.contains("\"one\"") == true)
        for count in 1...5000 {
            let disk = SimulatedDisk(seed: UInt64(count))
            disk.halt(afterOperations: count)
            var reached = 0
            do {
                try run(try open(disk)) { _ in reached += 1 }
            } catch is MirrorError {
                // The disk has halted.
            }
            let again = try open(disk.crash(seed: UInt64(count)))
            let found = text(again)
            let expected = states[reached...].prefix(2)
            #expect(expected.contains(found), "killed after \(count): \(found)")
            if reached == states.count - 1 { return }
        }
        Issue.record("the whole was never done")
    }

    @Test("The log stays short, numbers and ids go on")
    func short() throws {
        let disk = SimulatedDisk()
        var outbox = try open(disk, anewByteCount: 20_000)
        var seen: Set<UInt64> = []
        for number: UInt64 in 1...400 {
            let kept = try outbox.put(change(number))
            #expect(kept.deviceSeq == number)
            if let id = try outbox.nextNumber(Self.tree, in: ranges) {
                #expect(seen.insert(id).inserted)
            }
            try outbox.settle([kept.id])
            #expect(outbox.store.read(\.logByteCount) < 40_000)
            if number % 90 == 0 {
                try outbox.close()
                outbox = try open(disk, anewByteCount: 20_000, seed: number)
            }
        }
        #expect(outbox.settledThrough == 400)
        let long = try open(SimulatedDisk(), anewByteCount: .max)
        for number: UInt64 in 1...400 { try long.settle([try long.put(change(number)).id]) }
        #expect(long.store.read(\.logByteCount) > 100_000)
    }

    @Test("When the disk has no room for a new one, the old one goes on")
    func full() throws {
        let disk = SimulatedDisk()
        let outbox = try open(disk)
        _ = try outbox.put(change(1))
        disk.fail(SimulatedDisk.Fault(.makeDirectory))
        try outbox.settle([change(1).id])
        #expect(try outbox.put(change(2)).deviceSeq == 2)
        #expect(ids(try open(disk.copy()).pending) == [2])
    }

    @Test("When it cannot be known which log would be found, nothing more is kept")
    func unknown() throws {
        // Making a log renames too: the last of all renames is the one in question.
        for count in (0..<20).reversed() {
            let disk = SimulatedDisk()
            let outbox = try open(disk)
            _ = try outbox.put(change(1))
            disk.fail(SimulatedDisk.Fault(.rename, after: count))
            do {
                try outbox.settle([change(1).id])
            } catch {
                disk.heal()
                #expect(throws: MirrorError.self) { try outbox.put(change(2)) }
                #expect(ids(try open(disk.copy()).pending) == [])
                return
            }
        }
        Issue.record("no rename was the one in question")
    }
}
