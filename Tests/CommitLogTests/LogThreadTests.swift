// The rules of use at the head of CommitLog.swift, on real threads and a real disk.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastRecords
import HoldfastStorage
import HoldfastTestSupport
import Testing

@Suite(.serialized) struct LogThreadTests {
    private static let options = LogOptions(segmentByteCount: 16 << 10, growByteCount: 4096)

    /// Runs the store's part: appends under the lock, writes outside it.
    private static func write(
        _ shared: Lock<LogDriver>,
        batches: Int,
        makesRoom: Bool = true
    ) throws {
        let writer = try #require(shared.withLock { $0.log.writer })
        for index in 0..<batches {
            let batch = shared.withLock { driver in
                for _ in 0...index % 5 { driver.append() }
                return driver.log.beginBatch()
            }
            let written = try writer.write(try #require(batch))
            shared.withLock { $0.log.finish(written) }
            if makesRoom { try writer.makeRoom() }
        }
    }

    @Test("Room is made on one thread while another writes: no zero falls on a commit")
    func room() throws {
        try withFolder { folder in
            let disk = try PosixDisk(folder, create: true)
            let shared = Lock(try LogDriver(disk, options: Self.options))
            let isOver = Lock(false)
            let failure = Lock<String?>(nil)
            let writer = try #require(shared.withLock { $0.log.writer })
            let worker = Worker {
                do {
                    while !isOver.withLock({ $0 }) { try writer.makeRoom() }
                } catch {
                    failure.withLock { $0 = "\(error)" }
                }
            }
            defer { worker.join() }
            defer { isOver.withLock { $0 = true } }
            try Self.write(shared, batches: 1500, makesRoom: false)
            let commits = shared.withLock { $0.commits }
            var found: [LogDriver.Commit] = []
            let report = try CommitLog.verify(disk: disk) { found.append(LogDriver.Commit($0)) }
            #expect(report.damages == [] && report.tailByteCount == 0)
            #expect(found == commits)
            #expect(failure.withLock { $0 } == nil)
        }
    }

    @Test("Threads read under the lock, and without it by a reader, while a batch is written")
    func readers() throws {
        try withFolder { folder in
            let disk = try PosixDisk(folder, create: true)
            let shared = Lock(try LogDriver(disk, options: Self.options))
            let isOver = Lock(false)
            let problems = Lock<[String]>([])
            let workers = (0..<2).map { index in
                Worker {
                    let random = SeededRandom(seed: UInt64(index))
                    while !isOver.withLock({ $0 }) {
                        let reader = shared.withLock { driver -> LogReader in
                            if driver.commits.count > 0 {
                                let pick = random.below(driver.commits.count)
                                let location = Location(frame: driver.offsets[pick], effect: 0)
                                driver.log.withFrame(at: location) { frame in
                                    guard LogDriver.Commit(frame) != driver.commits[pick] else {
                                        return
                                    }
                                    problems.withLock { $0.append("commit \(pick + 1)") }
                                }
                            }
                            return driver.log.reader()
                        }
                        do {
                            var cursor = try reader.cursor(before: reader.head + 1)
                            for _ in 0..<50 { _ = try cursor?.previous() }
                            for _ in 0..<50 { _ = try cursor?.next() }
                        } catch {
                            problems.withLock { $0.append("\(error)") }
                        }
                    }
                }
            }
            defer {
                isOver.withLock { $0 = true }
                for worker in workers { worker.join() }
            }
            try Self.write(shared, batches: 300)
            #expect(problems.withLock { $0 } == [])
        }
    }

    @Test("Beside a live writer, verifying finds no damage and reading finds dense commits")
    func verifyLive() throws {
        try withFolder { folder in
            let disk = try PosixDisk(folder, create: true)
            let shared = Lock(try LogDriver(disk, options: Self.options))
            let failure = Lock<String?>(nil)
            let worker = Worker {
                do { try Self.write(shared, batches: 400) } catch {
                    failure.withLock { $0 = "\(error)" }
                }
            }
            defer { worker.join() }
            var head: UInt64 = 0
            let last = UInt64(400 / 5 * 15)
            while head < last && failure.withLock({ $0 }) == nil {
                var next: UInt64 = 1
                let report = try CommitLog.verify(disk: disk) { frame in
                    try #require(frame.seq == next)
                    next += 1
                }
                try #require(report.damages == [])
                try #require(report.head >= head && report.head == next - 1)
                head = report.head
                let reader = try LogReader.open(disk: disk)
                var cursor = try #require(try reader.cursor(before: reader.head + 1))
                var seq = reader.head
                while let frame = try cursor.previous() {
                    try #require(frame.seq == seq)
                    seq -= 1
                }
                try #require(seq == 0)
            }
            #expect(failure.withLock { $0 } == nil)
        }
    }
}
