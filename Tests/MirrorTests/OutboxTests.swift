// The outbox: killed anywhere, it holds what it said it holds.
import HoldfastBasics
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

@testable import Holdfast

@Suite struct OutboxTests {
    private static let tree = StockModel.bins

    private func open(_ disk: SimulatedDisk, seed: UInt64 = 1) throws -> Outbox {
        try Outbox(
            disk: disk,
            options: OutboxOptions(log: StoreBench.small),
            time: FakeTime(),
            random: SeededRandom(seed: seed),
            logger: StoreBench.silent
        )
    }

    private func change(_ number: UInt64, requires: [UInt64] = [], size: Int = 3) -> Change {
        Change(
            id: UniqueID(high: number, low: 1),
            requires: requires.map { UniqueID(high: $0, low: 1) },
            why: "caf\u{e9} \"\(number)\"",
            operations: [
                .put(
                    WriteOperation(
                        tree: Self.tree,
                        key: RecordKey(number: number),
                        expects: .absent,
                        value: Array("\"\(String(repeating: "\u{e9}", count: size))\"".utf8)
                    )
                )
            ]
        )
    }

    private func ids(_ changes: [Change]) -> [UInt64] { changes.map(\.id.high) }

    private let refusal = HoldfastRecords.Refusal(.full, "as an example")

    @Test("When there is room again on a full disk, changes are kept again")
    func room() throws {
        let disk = SimulatedDisk()
        let outbox = try open(disk)
        disk.limit(byteCount: disk.byteCount + 1000)
        // The sync of this one notices.
        _ = try outbox.put(change(1))
        #expect {
            try outbox.put(change(2))
        } throws: { error in
            if case MirrorError.full = error { true } else { false }
        }
        disk.limit(byteCount: .max)
        #expect(try outbox.put(change(3)).deviceSeq == 2)
        #expect(ids(outbox.pending) == [1, 3])
    }

    @Test("A bundle that is offered again takes its borrows on its own, as at first")
    func holdsOfBundles() throws {
        let disk = SimulatedDisk()
        let outbox = try open(disk)
        let hold = UniqueID(high: 5, low: 5)
        let holds = [hold: (tree: Self.tree, key: RecordKey(number: 1))]
        let kept = try outbox.put(change(1), holds: holds)
        let bundle = try #require(try outbox.strand(kept.id, refusal))
        try outbox.forgetHolds([hold])
        #expect(outbox.holds.isEmpty)
        _ = try outbox.reoffer(bundle.id, as: [change(2)], holds: holds)
        let expected = [hold: HoldRecord(tree: Self.tree, key: RecordKey(number: 1))]
        #expect(outbox.holds == expected)
        let again = try open(disk.copy())
        #expect(again.holds == expected && again.stranded.isEmpty)
    }

    @Test("Changes are numbered without gaps, kept in order, and come back the same")
    func order() throws {
        let disk = SimulatedDisk()
        let outbox = try open(disk)
        var kept: [Change] = []
        for number in 1...20 { kept.append(try outbox.put(change(UInt64(number)))) }
        #expect(kept.map(\.deviceSeq) == Array(1...20))
        try outbox.settle([kept[0].id, kept[5].id])
        #expect(outbox.settledThrough == 1)
        try outbox.close()
        let again = try open(disk)
        #expect(again.pending == kept.filter { ![1, 6].contains($0.deviceSeq) })
        try again.settle(Set(kept.map(\.id)))
        #expect(again.settledThrough == 20 && again.pending.isEmpty)
        // A number is never used again, also when nothing is left.
        let next = try open(disk.copy()).put(change(99))
        #expect(next.deviceSeq == 21)
    }

    @Test("A change longer than a value is kept whole")
    func long() throws {
        let disk = SimulatedDisk()
        let outbox = try open(disk)
        let long = Change(
            id: UniqueID(high: 7, low: 7),
            operations: (1...6).flatMap { change(UInt64($0), size: 200_000).operations }
        )
        let kept = try outbox.put(long)
        #expect(try open(disk.copy()).pending == [kept])
        try outbox.settle([kept.id])
        #expect(try open(disk.copy()).pending.isEmpty)
        let far = Change(
            id: UniqueID(high: 8, low: 8),
            operations: (1...60).flatMap { change(UInt64($0), size: 200_000).operations }
        )
        #expect(throws: MirrorError.self) { try outbox.put(far) }
        #expect(try open(disk.copy()).pending.isEmpty)
        #expect(try outbox.put(change(1)).deviceSeq == 2)
    }

    @Test("A refusal sets exactly its dependency chain aside, as one bundle")
    func stranding() throws {
        let disk = SimulatedDisk()
        let outbox = try open(disk)
        let chain: [(UInt64, [UInt64])] = [
            (1, []), (2, [1]), (3, []), (4, [2]), (5, [3]), (6, [4]),
        ]
        for (number, requires) in chain { _ = try outbox.put(change(number, requires: requires)) }
        let bundle = try #require(try outbox.strand(UniqueID(high: 2, low: 1), refusal))
        #expect(ids(bundle.changes) == [2, 4, 6])
        #expect(ids(outbox.pending) == [1, 3, 5])
        let again = try open(disk.copy())
        #expect(ids(again.pending) == [1, 3, 5])
        #expect(again.stranded.map(\.id.high) == [2])
        #expect(ids(again.stranded[0].changes) == [2, 4, 6])
        #expect(again.stranded[0].refusal.code == refusal.code)
        // One that was accepted after all leaves its bundle.
        try outbox.settle([UniqueID(high: 4, low: 1)])
        #expect(ids(outbox.stranded[0].changes) == [2, 6])
        #expect(ids(try open(disk.copy()).stranded[0].changes) == [2, 6])
        let offered = try outbox.reoffer(bundle.id, as: [change(20), change(21, requires: [20])])
        #expect(offered.map(\.deviceSeq) == [7, 8])
        let after = try open(disk.copy())
        #expect(ids(after.pending) == [1, 3, 5, 20, 21] && after.stranded.isEmpty)
        _ = try outbox.strand(UniqueID(high: 20, low: 1), refusal)
        #expect(try outbox.drop(UniqueID(high: 20, low: 1)))
        #expect(ids(try open(disk.copy()).pending) == [1, 3, 5])
    }

    @Test("Killed after any step of the disk, it holds a beginning of what was done to it")
    func killed() throws {
        /// What is done, with what must be kept after each step.
        func run(_ outbox: Outbox, _ done: (String) -> Void) throws {
            for number in 1...4 {
                _ = try outbox.put(change(UInt64(number), requires: number == 3 ? [2] : []))
                done(state(outbox))
            }
            _ = try outbox.strand(UniqueID(high: 2, low: 1), refusal)
            done(state(outbox))
            try outbox.settle([UniqueID(high: 1, low: 1)])
            done(state(outbox))
            _ = try outbox.reoffer(UniqueID(high: 2, low: 1), as: [change(12), change(13)])
            done(state(outbox))
        }
        func state(_ outbox: Outbox) -> String {
            "\(ids(outbox.pending)) \(outbox.stranded.map { ids($0.changes) })"
        }
        var states = ["[] []"]
        let whole = SimulatedDisk()
        try run(try open(whole)) { states.append($0) }
        for count in 1...400 {
            let disk = SimulatedDisk(seed: UInt64(count))
            disk.halt(afterOperations: count)
            var reached = 0
            do {
                try run(try open(disk)) { _ in reached += 1 }
            } catch is MirrorError {
                // The disk has halted.
            }
            let again = try open(disk.crash(seed: UInt64(count)))
            let found = try #require(states.firstIndex(of: state(again)), "\(state(again))")
            #expect(found == reached || found == reached + 1, "killed after \(count)")
            if reached == states.count - 1 { return }
        }
        Issue.record("the whole was never done")
    }

    private func range(_ first: UInt64, _ end: UInt64) -> RangeRecord {
        RangeRecord(
            id: UniqueID(high: first, low: 0),
            tree: Self.tree,
            device: "d",
            first: first,
            end: end,
            at: 0
        )
    }

    @Test("Blocks grow by use alone: what is reserved stays within eight times what was used")
    func growth() throws {
        let outbox = try open(SimulatedDisk())
        var ranges: [RangeRecord] = []
        var used: UInt64 = 0
        for round in 0..<2000 {
            // Whatever comes from the server is an occasion to ask.
            for _ in 0..<3 {
                guard let count = outbox.wantedBlock(Self.tree, in: ranges) else { continue }
                if !ranges.isEmpty { try outbox.growBlock(Self.tree) }
                let first = ranges.last?.end ?? 1
                ranges.append(range(first, first + count))
            }
            let left = outbox.remaining(Self.tree, in: ranges)
            #expect(left > Outbox.firstBlockCount, "round \(round)")
            #expect(used + left <= 8 * max(used, Outbox.firstBlockCount), "round \(round)")
            for _ in 0..<(round < 1000 ? 0 : 10) {
                #expect(try outbox.nextNumber(Self.tree, in: ranges) != nil)
                used += 1
            }
        }
    }

    @Test("An id is given out once, through any number of kills")
    func keys() throws {
        var disk = SimulatedDisk()
        let random = SeededRandom(seed: 3)
        let ranges = [range(10, 500), range(700, 1100)]
        var seen: Set<UInt64> = []
        var outbox = try open(disk)
        while let id = try outbox.nextNumber(Self.tree, in: ranges) {
            #expect(seen.insert(id).inserted)
            #expect(ranges.contains { $0.first <= id && id < $0.end })
            if random.oneIn(40) {
                disk = disk.crash(seed: random.next())
                outbox = try open(disk, seed: random.next())
            }
        }
        // A kill loses at most as many ids as the process gave out, and one.
        #expect(seen.count > 350)
        #expect(outbox.remaining(Self.tree, in: ranges) == 0)
        #expect(outbox.wantedBlock(Self.tree, in: ranges) != nil)
    }
}
