import HoldfastBasics
import HoldfastCommitLog
import HoldfastRecords
import HoldfastStorage
import HoldfastTestSupport
import Testing

@Suite struct CommitLogTests {
    @Test("A new log is empty, and opens again")
    func empty() throws {
        let disk = SimulatedDisk()
        let driver = try LogDriver(disk)
        #expect(driver.log.head == 0)
        #expect(driver.log.oldest == 1)
        #expect(driver.log.identity == LogDriver.identity)
        #expect(driver.log.lineage.map(\.firstSeq) == [1])
        try driver.close()
        let again = try LogDriver(disk)
        #expect(again.log.recovery.wasClean)
        #expect(again.commits.isEmpty)
    }

    @Test("Commits are readable when appended, on their way, written, and reopened")
    func readable() throws {
        try Seed.each(8) { seed, random in
            let disk = SimulatedDisk()
            var driver = try LogDriver(disk, seed: seed, options: LogDriver.options(seed))
            for _ in 0..<200 {
                switch random.below(12) {
                case 0: try driver.flush()
                case 1: try driver.log.writer?.makeRoom()
                case 2:
                    if let batch = driver.log.beginBatch(), let writer = driver.log.writer {
                        driver.append()
                        try check(driver)
                        driver.log.finish(try writer.write(batch))
                    }
                case 3 where random.oneIn(4):
                    let before = driver.commits
                    try driver.close()
                    driver = try LogDriver(disk, seed: random.next())
                    try #require(driver.commits == before)
                    try #require(driver.log.recovery.wasClean)
                default: driver.append()
                }
                if random.oneIn(10) { try check(driver) }
            }
            try check(driver)
        }
    }

    private func check(_ driver: LogDriver) throws {
        try #require(driver.log.head == UInt64(driver.commits.count))
        for (index, commit) in driver.commits.enumerated() {
            let location = Location(frame: driver.offsets[index], effect: 0)
            try #require(driver.log.location(ofSeq: UInt64(index) + 1) == location)
            try driver.log.withFrame(at: location) { frame in
                try #require(LogDriver.Commit(frame) == commit)
                try #require(frame.seq == UInt64(index) + 1)
                try #require(frame.location(0) == location)
            }
        }
        #expect(driver.log.location(ofSeq: 0) == nil)
        #expect(driver.log.location(ofSeq: driver.log.head + 1) == nil)
        try checkReader(driver)
    }

    private func checkReader(_ driver: LogDriver) throws {
        let reader = driver.log.reader()
        let durable = Int(driver.log.durable)
        var cursor = try #require(try reader.cursor(before: 1))
        var forward: [LogDriver.Commit] = []
        while let frame = try cursor.next() { forward.append(LogDriver.Commit(frame)) }
        try #require(forward == Array(driver.commits.prefix(durable)))
        var backward: [LogDriver.Commit] = []
        while let frame = try cursor.previous() { backward.append(LogDriver.Commit(frame)) }
        try #require(backward == forward.reversed())
        for seq in 1...durable + 1 {
            var cursor = try #require(try reader.cursor(before: UInt64(seq)))
            let next = try cursor.next()
            try #require(
                next.map { LogDriver.Commit($0) } == (seq <= durable ? forward[seq - 1] : nil)
            )
        }
        #expect(try reader.cursor(before: 0) == nil)
        #expect(try reader.cursor(before: UInt64(durable) + 2) == nil)
    }

    @Test("Where every commit is a batch, each is durable by a sync of its own")
    func commitsAlone() throws {
        var options = LogDriver.small
        options.syncing = .commits
        let disk = SimulatedDisk()
        let driver = try LogDriver(disk, options: options)
        let writer = try #require(driver.log.writer)
        // Over the ends of segments, too.
        for _ in 0..<20 {
            for _ in 0..<3 { driver.append() }
            for _ in 0..<3 {
                let next = driver.log.durable + 1
                let batch = try #require(driver.log.beginBatch())
                #expect(batch.lastSeq == next)
                try check(driver)
                driver.log.finish(try writer.write(batch))
                #expect(driver.log.durable == next && driver.log.synced == next)
            }
            #expect(driver.log.beginBatch() == nil)
        }
        try driver.close()
        #expect(try LogDriver(disk).commits == driver.commits)
    }

    @Test("A frame longer than a segment gets a segment of its own, also as the very first")
    func longFrame() throws {
        for lead in [0, 1, 5] {
            let disk = SimulatedDisk()
            let driver = try LogDriver(disk)
            for _ in 0..<lead { driver.append() }
            try driver.flush()
            driver.append(byteCount: 10_000, effectCount: 3)
            driver.append()
            try check(driver)
            try driver.flush()
            try check(driver)
            try driver.close()
            #expect(try LogDriver(disk).commits == driver.commits)
        }
    }

    @Test("The same seed gives the same bytes in every file")
    func deterministic() throws {
        func run() throws -> [String: [UInt8]] {
            let disk = SimulatedDisk()
            let driver = try LogDriver(disk, seed: 7)
            for round in 0..<20 {
                for _ in 0...round % 5 { driver.append() }
                try driver.flush()
                try driver.log.writer?.makeRoom()
            }
            try driver.close()
            return Dictionary(uniqueKeysWithValues: disk.paths.map { ($0, disk.bytes($0) ?? []) })
        }
        let first = try run()
        #expect(first.keys.filter { $0.hasSuffix(".seg") }.count > 3)
        #expect(try first == run())
    }

    @Test("After a failed write the log stands at its durable end, refuses more and reads on")
    func poisoned() throws {
        for operation in [DiskError.Operation.write, .sync] {
            let disk = SimulatedDisk()
            let driver = try LogDriver(disk)
            driver.append()
            driver.append()
            try driver.flush()
            driver.append()
            disk.fail(.init(operation))
            #expect(throws: DiskError.self) { try driver.flush() }
            #expect(driver.log.isPoisoned)
            #expect(driver.log.head == 2)
            #expect(driver.log.location(ofSeq: 3) == nil)
            for index in 0..<2 {
                let location = try #require(driver.log.location(ofSeq: UInt64(index) + 1))
                driver.log.withFrame(at: location) {
                    #expect(LogDriver.Commit($0) == driver.commits[index])
                }
            }
            try driver.log.close()
            let again = try LogDriver(disk)
            #expect(again.commits == Array(driver.commits.prefix(again.commits.count)))
            #expect(again.commits.count >= 2)
        }
    }

    @Test("One writer has a directory, and its end frees it")
    func locked() throws {
        let disk = SimulatedDisk()
        let driver = try LogDriver(disk)
        #expect(throws: CommitLogError.inUse) { try LogDriver(disk) }
        let reading = LogOptions(isWritable: false)
        let reader = try CommitLog.open(disk: disk, options: reading, random: SystemRandom()) { _ in
        }
        #expect(reader.head == 0)
        try driver.close()
        _ = try LogDriver(disk)
    }

    @Test("What is no database, or one already, or half of one, is told apart")
    func presence() throws {
        let disk = SimulatedDisk()
        let random = SeededRandom(seed: 1)
        #expect(throws: CommitLogError.notPresent) {
            try CommitLog.open(disk: disk, random: random) { _ in }
        }
        try LogDriver(disk).close()
        #expect(throws: CommitLogError.alreadyPresent) {
            try CommitLog.create(disk: disk, identity: LogDriver.identity, random: random)
        }
        let identity = try #require(disk.bytes("IDENTITY"))
        for index in identity.indices {
            var bent = identity
            bent[index] ^= 1
            disk.put("IDENTITY", bent)
            #expect(throws: CommitLogError.self, "byte \(index)") {
                try CommitLog.open(disk: disk, random: random) { _ in }
            }
        }
        try disk.remove("IDENTITY")
        // A clean close left a mark: this is not what an interrupted `create` leaves.
        #expect(throws: CommitLogError.self) {
            try CommitLog.create(disk: disk, identity: LogDriver.identity, random: random)
        }
    }

    @Test("What a visitor throws ends the opening and frees the directory")
    func visitorThrows() throws {
        struct Stop: Error {}
        let disk = SimulatedDisk()
        let driver = try LogDriver(disk)
        driver.append()
        try driver.close()
        #expect(throws: Stop.self) {
            try CommitLog.open(disk: disk, random: SystemRandom()) { _ in throw Stop() }
        }
        #expect(try LogDriver(disk).commits == driver.commits)
    }
}
