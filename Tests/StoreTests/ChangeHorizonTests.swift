// What changes did is remembered as long as somebody may send one again, and no longer.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastRecords
import HoldfastStore
import HoldfastTestSupport
import Testing

@Suite struct ChangeHorizonTests {
    private let bench: StoreBench
    private let tree: TreeName
    private static let day: Int64 = 86_400_000

    init() throws {
        // A commit is a segment: all but the last go.
        bench = try StoreBench(
            options: LogOptions(segmentByteCount: 512, growByteCount: 512)
        )
        tree = try #require(TreeName("moves"))
        submit(1, [.defineTree(tree, TreeDefinition(keys: .id))])
    }

    /// Sends a change that creates a record; the number is its id.
    @discardableResult
    private func send(_ number: UInt64, device: String = "d", deviceSeq: UInt64 = 0) -> Submission {
        let put = WriteOperation(tree: tree, key: nil, expects: .absent, value: Array("1".utf8))
        return submit(number, [.put(put)], device: device, deviceSeq: deviceSeq)
    }

    @discardableResult
    private func submit(
        _ number: UInt64,
        _ operations: [HoldfastRecords.Operation],
        device: String = "d",
        deviceSeq: UInt64 = 0
    ) -> Submission {
        let change = Change(
            id: UniqueID(high: 7, low: number),
            deviceSeq: deviceSeq,
            operations: operations
        )
        let answer = bench.store.submit(change, by: Caller(user: "u", device: device))
        bench.sync()
        return answer
    }

    private func isReplayed(_ answer: Submission) -> Bool {
        if case .replayed = answer { true } else { false }
    }

    private func compact(forgettingDaysOld days: Int64) throws -> Compaction {
        let time = bench.time.wallMilliseconds() - days * Self.day
        let report = try bench.store.compact(horizons: Horizons(changes: time), sizes: .small)
        return try #require(report)
    }

    private func remembered(_ numbers: ClosedRange<UInt64>) -> [UInt64] {
        bench.store.read { reader in
            numbers.filter { reader.state.frameOffset(ofChange: UniqueID(high: 7, low: $0)) != nil }
        }
    }

    @Test("Changes older than the horizon are forgotten, and done again when they come again")
    func forgotten() throws {
        for number in UInt64(2)...40 {
            bench.time.advance(milliseconds: Self.day)
            send(number)
        }
        // Commit 40 is of today, 11 of 29 days ago, 10 of 30.
        _ = try compact(forgettingDaysOld: 30)
        #expect(remembered(1...40) == Array(10...40))
        try bench.reopen()
        #expect(remembered(1...40) == Array(10...40))
        #expect(isReplayed(send(10)) && isReplayed(send(40)))
        guard case .accepted = send(9) else {
            Issue.record("a forgotten change is a new one")
            return
        }
        #expect(isReplayed(send(9)))
        // The next one forgets what the first has put into parts.
        bench.time.advance(milliseconds: 10 * Self.day)
        _ = try compact(forgettingDaysOld: 30)
        #expect(remembered(1...40) == [9] + Array(20...40))
        try bench.reopen()
        #expect(remembered(1...40) == [9] + Array(20...40))
    }

    @Test("Without a horizon nothing is forgotten")
    func endless() throws {
        for number in UInt64(2)...20 { send(number) }
        bench.time.advance(milliseconds: 1000 * Self.day)
        _ = try #require(try bench.store.compact(sizes: .small))
        #expect(remembered(1...20) == Array(1...20))
    }

    @Test("What a device does not know the outcome of is remembered whatever its age")
    func unconfirmed() throws {
        for number in UInt64(2)...9 { send(number, device: "away", deviceSeq: number - 1) }
        var record = DeviceRecord(
            id: "away",
            name: "away",
            user: "u",
            app: "",
            appVersion: "",
            schemaVersions: [:],
            confirmedDeviceSeq: 3,
            firstSeen: 0
        )
        guard case .accepted = bench.store.introduce(record) else {
            Issue.record("the device is not known")
            return
        }
        bench.sync()
        bench.time.advance(milliseconds: 100 * Self.day)
        _ = try compact(forgettingDaysOld: 30)
        #expect(remembered(1...9) == Array(5...9))
        #expect(isReplayed(send(9, device: "away", deviceSeq: 8)))
        // With its word that it knows them they go too.
        record.confirmedDeviceSeq = 7
        _ = bench.store.introduce(record)
        bench.sync()
        _ = try compact(forgettingDaysOld: 30)
        #expect(remembered(1...9) == [9])
        try bench.reopen()
        #expect(remembered(1...9) == [9])
    }

    @Test("While a reader holds the log nothing is forgotten")
    func held() throws {
        for number in UInt64(2)...20 { send(number) }
        let pin = try bench.store.pin()
        send(21)
        bench.time.advance(milliseconds: 100 * Self.day)
        #expect(try compact(forgettingDaysOld: 30).isHeld)
        #expect(remembered(1...21) == Array(1...21))
        #expect(isReplayed(send(2)))
        bench.store.unpin(pin)
        #expect(try !compact(forgettingDaysOld: 30).isHeld)
        #expect(remembered(1...21) == [21])
    }
}
