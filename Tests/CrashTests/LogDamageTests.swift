// Every truncation point and every bit flip of a small log: what is torn is cut, what is damaged is
// refused, nothing else ever happens.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastTestSupport
import Testing

@Suite struct LogDamageTests {
    /// A small log and what a test must know of it.
    struct Sample {
        let disk: SimulatedDisk
        let driver: LogDriver
        /// The last segment.
        let path: String
        /// Ends of the commits that lie in it, in bytes of the file.
        let ends: [Int]
        /// Commits in earlier segments.
        let earlier: Int
        /// Commits that a mark calls synced.
        let synced: Int

        init(segmentCount: Int, isClosed: Bool, isReopened: Bool = false) throws {
            let options = LogOptions(
                segmentByteCount: segmentCount == 1 ? 4096 : 1024,
                growByteCount: 128
            )
            var disk = SimulatedDisk()
            var driver = try LogDriver(disk, options: options)
            var batch = 0
            while disk.paths.filter({ $0.hasSuffix(".seg") }).count < segmentCount || batch % 4 != 3
            {
                for _ in 0...batch % 3 { driver.append(byteCount: 40, effectCount: batch % 3) }
                try driver.flush()
                batch += 1
            }
            if isReopened {
                // The repair's mark, and behind it a batch whose mark says no more than that one.
                disk = disk.copy()
                driver = try LogDriver(disk, options: options)
                driver.append(byteCount: 40, effectCount: 1)
                try driver.flush()
            }
            if isClosed { try driver.close() } else { driver.log.discard() }
            self.disk = disk
            self.driver = driver
            let last = try #require(disk.paths.last { $0.hasSuffix(".seg") })
            path = last
            let firstSeq = try #require(Int(last.dropFirst(4).prefix(16)))
            let base = try Self.base(driver, firstSeq: firstSeq)
            earlier = base.commits
            ends = base.ends
            var synced = 0
            if isClosed {
                synced = driver.commits.count
            } else {
                let report = try CommitLog.verify(disk: disk) { _ in }
                #expect(report.damages.isEmpty && report.tailByteCount == 0)
                synced = Int(report.syncedSeq)
                #expect(synced < driver.commits.count)
            }
            self.synced = synced
        }

        private static func base(
            _ driver: LogDriver,
            firstSeq: Int
        ) throws -> (commits: Int, ends: [Int]) {
            // The offset at which a segment begins stands in its head, and is the end of the last.
            let reader = driver.log.reader()
            var cursor = try #require(try reader.cursor(before: 1))
            var start: UInt64 = 0
            var ends: [Int] = []
            while let frame = try cursor.next() {
                let end = frame.offset + UInt64(frame.byteCount)
                if frame.seq < firstSeq { start = end } else { ends.append(Int(end - start)) }
            }
            return (firstSeq - 1, ends)
        }

        /// The disk with the last segment changed.
        func changed(_ path: String? = nil, _ change: (inout [UInt8]) -> Void) -> SimulatedDisk {
            let image = disk.copy()
            var bytes = image.bytes(path ?? self.path) ?? []
            change(&bytes)
            image.put(path ?? self.path, bytes)
            return image
        }

        /// Commits that are whole when the last segment is good up to an offset.
        func whole(before offset: Int) -> Int { earlier + ends.filter { $0 <= offset }.count }
    }

    /// Opens, and expects a prefix; then appends, and expects it to hold.
    private func expectPrefix(
        _ sample: Sample,
        _ image: SimulatedDisk,
        _ count: Int,
        _ what: String
    ) throws {
        let driver = try LogDriver(image)
        try #require(driver.commits == Array(sample.driver.commits.prefix(count)), "\(what)")
        for _ in 0..<3 {
            // Shorter than what was cut, so that remains of it would show.
            driver.append(byteCount: 1, effectCount: 0)
            try driver.flush()
        }
        let again = try LogDriver(image.copy())
        try #require(again.commits == driver.commits, "\(what), reopened")
        try #require(again.log.recovery.cutByteCount == 0)
    }

    private func expectDamage(_ image: SimulatedDisk, _ file: String, _ what: String) throws {
        let error = try #require(throws: CommitLogError.self, "\(what)") { try LogDriver(image) }
        guard case .damaged(let damaged, _, _) = error else {
            Issue.record("\(what): \(error)")
            throw error
        }
        try #require(damaged == file, "\(what)")
        let report = try CommitLog.verify(disk: image) { _ in }
        try #require(report.damages.contains(error) || !report.damages.isEmpty, "\(what)")
    }

    @Test(
        "Cut anywhere, a log opens with the commits before the cut, and goes on",
        arguments: [1, 2]
    )
    func truncations(segmentCount: Int) throws {
        let sample = try Sample(segmentCount: segmentCount, isClosed: false)
        let length = try #require(sample.disk.bytes(sample.path)).count
        for cut in 0..<length {
            let image = sample.changed { $0.removeLast(length - cut) }
            if cut < 96 {
                try expectDamage(image, sample.path, "cut at \(cut)")
            } else {
                try expectPrefix(sample, image, sample.whole(before: cut), "cut at \(cut)")
            }
        }
    }

    @Test("A segment that has a successor is never cut: its loss is damage")
    func earlierSegment() throws {
        let sample = try Sample(segmentCount: 2, isClosed: false)
        let first = "log/0000000000000001.seg"
        let bytes = try #require(sample.disk.bytes(first))
        let end = (bytes.lastIndex { $0 != 0 } ?? 0) + 1
        for cut in stride(from: 0, to: end, by: 7) {
            let image = sample.changed(first) { $0.removeLast(bytes.count - cut) }
            try expectDamage(image, first, "cut at \(cut)")
        }
        for bit in 0..<end * 8 {
            let image = sample.changed(first) { $0[bit / 8] ^= 1 << UInt8(bit % 8) }
            try expectDamage(image, first, "bit \(bit)")
        }
    }

    @Test(
        "Every flipped bit below the last synced commit is damage, above it a torn tail",
        arguments: [false, true]
    )
    func flips(isReopened: Bool) throws {
        let sample = try Sample(segmentCount: 1, isClosed: false, isReopened: isReopened)
        let bytes = try #require(sample.disk.bytes(sample.path))
        let syncedEnd = sample.ends[sample.synced - 1]
        for bit in 0..<bytes.count * 8 {
            let image = sample.changed { $0[bit / 8] ^= 1 << UInt8(bit % 8) }
            if bit / 8 < syncedEnd {
                try expectDamage(image, sample.path, "bit \(bit)")
            } else {
                try expectPrefix(sample, image, sample.whole(before: bit / 8), "bit \(bit)")
            }
        }
    }

    @Test("After a clean close every flipped bit of a commit is damage")
    func flipsAfterClose() throws {
        let sample = try Sample(segmentCount: 1, isClosed: true)
        let end = try #require(sample.ends.last)
        for bit in 0..<end * 8 {
            let image = sample.changed { $0[bit / 8] ^= 1 << UInt8(bit % 8) }
            try expectDamage(image, sample.path, "bit \(bit)")
        }
    }

    @Test("A lost segment is damage, and so is one of another database")
    func lostSegment() throws {
        let sample = try Sample(segmentCount: 3, isClosed: true)
        let segments = sample.disk.paths.filter { $0.hasSuffix(".seg") }
        for path in segments.dropLast() where path != segments[0] {
            let image = sample.disk.copy()
            try image.remove(path)
            #expect(throws: CommitLogError.self) { try LogDriver(image) }
        }
        let other = SimulatedDisk()
        try CommitLog.create(
            disk: other,
            identity: Identity(
                databaseID: .none,
                application: "other",
                epoch: LogDriver.identity.epoch
            ),
            random: SeededRandom(seed: 9)
        )
        other.put(segments[0], sample.disk.bytes(segments[0]) ?? [])
        try expectDamage(other, segments[0], "another database's segment")
    }

    @Test("A damaged or missing index file is no error, and is not believed")
    func indexFile() throws {
        let sample = try Sample(segmentCount: 3, isClosed: false)
        let disk = sample.disk.copy()
        let driver = try LogDriver(disk)
        try driver.log.writer?.makeRoom()
        driver.log.discard()
        let path = "log/0000000000000001.idx"
        let index = try #require(disk.bytes(path))
        func check(_ image: SimulatedDisk, _ what: String) throws {
            let reader = try LogReader.open(disk: image)
            try #require(reader.head == UInt64(driver.commits.count))
            for seq in 1...driver.commits.count {
                var cursor = try #require(try reader.cursor(before: UInt64(seq)))
                let frame = try cursor.next()
                let commit = frame.map { LogDriver.Commit($0) }
                try #require(commit == driver.commits[seq - 1], "\(what)")
            }
        }
        try check(disk, "whole")
        for bit in 0..<index.count * 8 {
            let image = disk.copy()
            var bent = index
            bent[bit / 8] ^= 1 << UInt8(bit % 8)
            image.put(path, bent)
            try check(image, "bit \(bit)")
        }
        try disk.remove(path)
        try check(disk, "missing")
        #expect(try LogDriver(disk.copy()).commits == driver.commits)
    }
}
