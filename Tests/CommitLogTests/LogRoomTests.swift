// Room ahead of the log: where it stands, and what its failures leave alone.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastStorage
import HoldfastTestSupport
import Testing

@Suite struct LogRoomTests {
    private static let options = LogOptions(segmentByteCount: 16 << 10, growByteCount: 4096)

    /// Appends until the last segment's file is at least so long, making room behind each batch.
    private func write(
        _ driver: LogDriver,
        _ count: Int,
        room: () throws -> Void = {}
    ) throws {
        let writer = try #require(driver.log.writer)
        for _ in 0..<count {
            driver.append()
            let batch = try #require(driver.log.beginBatch())
            driver.log.finish(try writer.write(batch))
            try room()
        }
    }

    @Test("Room made behind each batch is all that is needed: a batch writes no zeros itself")
    func ahead() throws {
        let disk = SimulatedDisk(seed: 1)
        let driver = try LogDriver(disk, options: Self.options)
        let writer = try #require(driver.log.writer)
        try write(driver, 500) {
            while writer.isRoomWanted { try writer.makeRoom() }
        }
        // Each batch is one write, and three where it begins a segment: its bytes, no zeros.
        let segments = disk.paths.filter { $0.hasSuffix(".seg") }.count
        #expect(segments > 4)
        let before = disk.count(.write)
        try write(driver, 20)
        #expect(disk.count(.write) - before <= 20 + 2)
    }

    @Test("A disk that fails while room is made leaves commits and later room alone")
    func failures() throws {
        var failures: [DiskError.Operation: Int] = [:]
        for operation in [DiskError.Operation.open, .write, .sync, .rename] {
            let disk = SimulatedDisk(seed: 3)
            let driver = try LogDriver(disk, options: Self.options)
            let writer = try #require(driver.log.writer)
            let random = SeededRandom(seed: 5)
            try write(driver, 400) {
                guard writer.isRoomWanted else { return }
                if random.oneIn(2) { disk.fail(SimulatedDisk.Fault(operation)) }
                do { try writer.makeRoom() } catch { failures[operation, default: 0] += 1 }
                disk.heal()
            }
            // A power cut takes nothing that was acknowledged.
            let after = try LogDriver(disk.crash(seed: 7), options: Self.options)
            #expect(after.commits == driver.commits)
        }
        #expect(failures.count == 4 && failures.values.allSatisfy { $0 > 2 }, "\(failures)")
    }
}
