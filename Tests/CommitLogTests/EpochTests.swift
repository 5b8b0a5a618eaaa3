// A log that goes on in other epochs while it is open, also in one that begins behind commits that
// are still to come.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastRecords
import HoldfastStorage
import HoldfastTestSupport
import Testing

@Suite struct EpochTests {
    private static let first = EpochStart(epoch: LogDriver.identity.epoch, firstSeq: 1)

    private static func later(_ number: UInt64, from seq: UInt64) -> EpochStart {
        EpochStart(epoch: Epoch(rawValue: number), firstSeq: seq)
    }

    @Test(
        "Epochs may change before any commit and between two, in every mode",
        arguments: [
            Syncing.batches, .commits, .never,
        ]
    )
    func change(syncing: Syncing) throws {
        var options = LogDriver.small
        options.syncing = syncing
        let disk = SimulatedDisk()
        var driver = try LogDriver(disk, options: options)
        var count = 0
        for lineage in [
            [Self.first, Self.later(7, from: 100)], [Self.first, Self.later(8, from: 31)],
            [Self.first, Self.later(8, from: 31), Self.later(9, from: 41)],
        ] {
            driver.log.goOn(in: lineage, after: .zero)
            #expect(driver.log.lineage == lineage)
            // Nothing but the epochs, which are durable then.
            try driver.flush()
            try driver.close()
            driver = try LogDriver(disk, options: options)
            #expect(driver.log.lineage == lineage)
            #expect(driver.log.identity.epoch == lineage.last?.epoch)
            for _ in 0..<20 { driver.append() }
            count += 20
            try driver.flush()
            #expect(driver.log.head == UInt64(count))
            let reader = driver.log.reader()
            var cursor = try #require(try reader.cursor(before: 1))
            for commit in driver.commits {
                #expect(try cursor.next()?.content.array == commit.content)
            }
            #expect(try LogReader.open(disk: disk).lineage == lineage)
        }
        try driver.close()
    }

    @Test("An epoch that begins because of lost commits takes the place of those still to come")
    func unclean() throws {
        var options = LogDriver.small
        options.syncing = .never
        let disk = SimulatedDisk()
        let driver = try LogDriver(disk, options: options)
        driver.log.goOn(in: [Self.first, Self.later(7, from: 100)], after: .zero)
        try driver.flush()
        let again = try LogDriver(disk.crash(seed: 3), options: options)
        let lineage = again.log.lineage
        #expect(LogStart.isLineage(lineage) && lineage.count == 2)
        #expect(lineage.last?.firstSeq == again.log.head + 1)
    }

    @Test("A failed write leaves the commits in the epochs they had")
    func failed() throws {
        let disk = SimulatedDisk()
        let driver = try LogDriver(disk)
        driver.log.goOn(in: [Self.first, Self.later(7, from: 1)], after: .zero)
        disk.halt(afterOperations: 1)
        #expect(throws: DiskError.self) { try driver.flush() }
        #expect(driver.log.oldest == 1 && driver.log.head == 0)
        let again = try LogDriver(disk.crash(seed: 1))
        #expect(again.log.lineage == [Self.first])
    }
}
