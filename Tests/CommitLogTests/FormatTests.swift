// FORMAT.md is the contract: its worked example is what the code writes, byte by byte, and what the
// code reads.
import Foundation
import HoldfastBasics
import HoldfastCommitLog
import HoldfastRecords
import HoldfastTestSupport
import Testing

@Suite struct FormatTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// The files of the worked example: a line `file NAME`, then lines of offset, bytes and words.
    private func documented() throws -> [String: [UInt8]] {
        let url = Self.folder.appendingPathComponent("Sources/CommitLog/FORMAT.md")
        let text = try String(contentsOf: url, encoding: .utf8)
        let section = try #require(text.components(separatedBy: "\n## Worked example\n").last)
        let body = try #require(section.components(separatedBy: "\n## ").first)
        var files: [String: [UInt8]] = [:]
        var name = ""
        for line in body.split(separator: "\n") {
            if line.hasPrefix("file ") {
                name = line.split(separator: " ").map(String.init)[1]
                files[name] = []
            }
            let columns = line.components(separatedBy: "  ")
            guard columns[0].count == 4, let offset = Int(columns[0], radix: 16) else { continue }
            try #require(offset == files[name]?.count, "offset of “\(line)”")
            let bytes = columns[1].split(separator: " ").map { UInt8($0, radix: 16) }
            try #require(!bytes.isEmpty && !bytes.contains(nil), "bytes of “\(line)”")
            files[name]?.append(contentsOf: bytes.compactMap { $0 })
        }
        return files
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
