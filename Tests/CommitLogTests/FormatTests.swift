// FORMAT.md is the contract: its worked example is what the code writes, byte by byte, and what the
// code reads.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastRecords
import HoldfastTestSupport
import Testing

@Suite struct FormatTests {
    /// The files of the worked example: a line `file NAME`, then lines of offset, bytes and words.
    private func documented() throws -> [String: [UInt8]] {
        try FormatDocument(section: "Worked example").dumps("file")
    }

    /// The example's log: two commits in one batch, the second changes what the first made.
    private func written() throws -> SimulatedDisk {
        let disk = SimulatedDisk()
        let driver = try LogDriver(disk, seed: 1)
        driver.append(
            LogDriver.Commit(
                content: Array("first".utf8),
                effectOffsets: [0],
                previous: [.none]
            )
        )
        driver.append(
            LogDriver.Commit(
                content: Array("then second".utf8),
                effectOffsets: [5],
                previous: [Location(frame: driver.offsets[0], effect: 0)]
            )
        )
        try driver.close()
        return disk
    }

    @Test("The worked example of FORMAT.md is what the code writes")
    func example() throws {
        let disk = try written()
        let files = try documented()
        #expect(files.keys.sorted() == ["IDENTITY", "log/0000000000000001.seg"])
        for (name, bytes) in files {
            let found = try #require(disk.bytes(name))
            try #require(found.count >= bytes.count)
            for index in bytes.indices {
                try #require(found[index] == bytes[index], "\(name), byte \(index)")
            }
            #expect(found[bytes.count...].allSatisfy { $0 == 0 }, "zeros follow")
        }
    }

    @Test("The worked example of FORMAT.md is what the code reads")
    func exampleOpens() throws {
        let disk = SimulatedDisk()
        try disk.makeDirectory("log")
        for (name, bytes) in try documented() { disk.put(name, bytes) }
        let driver = try LogDriver(disk)
        #expect(driver.commits.map(\.content) == [Array("first".utf8), Array("then second".utf8)])
        #expect(driver.log.recovery.wasClean)
        let second = try #require(driver.log.location(ofSeq: 2))
        driver.log.withFrame(at: second) { frame in
            #expect(frame.effectBytes(0).text == "second")
            driver.log.withFrame(at: frame.previous(0)) { #expect($0.content.text == "first") }
        }
    }
}
