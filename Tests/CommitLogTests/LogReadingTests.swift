// The log as others read it: forwards and backwards, from anywhere, while a writer goes on.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastRecords
import HoldfastStorage
import HoldfastTestSupport
import Testing

@Suite struct LogReadingTests {
    private typealias Commit = LogDriver.Commit

    /// Everything forwards and everything backwards, and both ways from every place.
    private func check(_ reader: LogReader, _ expected: [Commit], _ random: SeededRandom) throws {
        try #require(reader.head == UInt64(expected.count))
        let oldest = reader.oldest
        var cursor = try #require(try reader.cursor(before: oldest))
        var forward: [Commit] = []
        while let frame = try cursor.next() {
            try #require(frame.seq == oldest + UInt64(forward.count))
            forward.append(Commit(frame))
        }
        try #require(forward == Array(expected[Int(oldest - 1)...]))
        var backward: [Commit] = []
        while let frame = try cursor.previous() { backward.append(Commit(frame)) }
        try #require(backward == forward.reversed())
        try #require(cursor.nextSeq == oldest)
        for _ in 0..<20 {
            let seq = oldest + UInt64(random.below(forward.count + 1))
            var cursor = try #require(try reader.cursor(before: seq))
            // A walk to and fro ends where it should.
            for _ in 0..<random.below(12) {
                let place = Int(cursor.nextSeq - oldest)
                if random.oneIn(2) {
                    let frame = try cursor.next().map { Commit($0) }
                    try #require(frame == (place < forward.count ? forward[place] : nil))
                } else {
                    let frame = try cursor.previous().map { Commit($0) }
                    try #require(frame == (place > 0 ? forward[place - 1] : nil))
                }
            }
        }
        #expect(try reader.cursor(before: 0) == nil)
        #expect(try reader.cursor(before: reader.head + 2) == nil)
        if oldest > 1 {
            #expect(throws: CommitLogError.compacted(oldest: oldest)) {
                try reader.cursor(before: oldest - 1)
            }
        }
    }

    @Test("Backwards is forwards turned round, in logs that rolled, were cut, lost their beginning")
    func bothWays() throws {
        var (cuts, drops) = (0, 0)
        try Seed.each(Seed.count(usually: 12)) { seed, random in
            var disk = SimulatedDisk(seed: seed)
            let options = LogDriver.options(seed)
            var driver = try LogDriver(disk, seed: seed, options: options)
            for _ in 0..<6 {
                for _ in 0..<random.within(1...40) {
                    driver.append(byteCount: random.oneIn(20) ? 3000 : nil)
                    if random.oneIn(3) { try driver.flush() }
                    if random.oneIn(5) { try driver.log.writer?.makeRoom() }
                }
                try driver.flush()
                try check(driver.log.reader(), driver.commits, random)
                try check(try LogReader.open(disk: disk), driver.commits, random)
                // A power cut in the middle of a batch, and what a reader finds of it.
                for _ in 0..<random.below(6) { driver.append() }
                let whole = driver.commits
                let batch = driver.log.beginBatch()
                if let batch { _ = try driver.log.writer?.write(batch, isSyncing: false) }
                disk = disk.crash(seed: random.next())
                let torn = try LogReader.open(disk: disk)
                try check(torn, Array(whole.prefix(Int(torn.head))), random)
                driver = try LogDriver(disk, seed: random.next(), options: options)
                // Opening for writing keeps what reading found, and no more.
                try #require(driver.commits == Array(whole.prefix(Int(torn.head))))
                if torn.head < UInt64(whole.count) { cuts += 1 }
            }
            try driver.flush()
            for _ in 0..<3 {
                for _ in 0..<20 { driver.append() }
                try driver.flush()
                let limit = driver.log.droppable(upTo: UInt64(random.below(driver.commits.count)))
                guard limit > driver.log.oldest else { continue }
                let late = try #require(try driver.log.reader().cursor(before: driver.log.oldest))
                try driver.log.drop(before: limit)
                _ = try CommitLog.removeFiles(before: limit, on: disk)
                drops += 1
                try check(driver.log.reader(), driver.commits, random)
                try check(try LogReader.open(disk: disk), driver.commits, random)
                // Whoever read there before reads on, and is told when it wants to go on.
                var cursor = late
                #expect(try cursor.next() != nil)
                cursor = late
                #expect(throws: CommitLogError.compacted(oldest: limit)) {
                    try cursor.goOn(in: driver.log.reader())
                }
                #expect(try cursor.next() != nil)
            }
        }
        #expect(cuts > 5 && drops > 5, "\(cuts) \(drops)")
    }

    @Test("A reader goes on with every commit once, whatever the writer does between two looks")
    func following() throws {
        var (fellBehind, anew) = (0, 0)
        try Seed.each(Seed.count(usually: 12)) { seed, random in
            let disk = SimulatedDisk(seed: seed)
            let options = LogDriver.options(seed)
            // One; in between, none.
            var writers = [try LogDriver(disk, seed: seed, options: options)]
            var reader = try LogReader.open(disk: disk)
            var cursor = try #require(try reader.cursor(before: 1))
            var seen = 0
            var mayReopen = true
            for _ in 0..<150 {
                let choice = random.below(16)
                if choice == 1, mayReopen {
                    // Killed, or closed in order.
                    if random.oneIn(2) { try writers[0].close() }
                    writers.removeAll()
                    writers.append(try LogDriver(disk, seed: random.next(), options: options))
                    anew += 1
                }
                let writer = writers[0]
                switch choice {
                case 0: try writer.log.writer?.makeRoom()
                case 2:
                    try writer.flush()
                    let limit = writer.log.droppable(upTo: writer.log.durable)
                    guard random.oneIn(2), limit > writer.log.oldest else { continue }
                    try writer.log.drop(before: limit)
                    _ = try CommitLog.removeFiles(before: limit, on: disk)
                    mayReopen = false
                case 3...6: try writer.flush()
                case 7...12: writer.append(byteCount: random.oneIn(12) ? 3000 : nil)
                default:
                    let written = writer.log.durable
                    do throws(CommitLogError) {
                        reader = try reader.refreshed(disk: disk)
                        try cursor.goOn(in: reader)
                    } catch {
                        guard case .compacted(let oldest) = error else { throw error }
                        try #require(oldest == writer.log.oldest && oldest > UInt64(seen) + 1)
                        fellBehind += 1
                        reader = try LogReader.open(disk: disk)
                        cursor = try #require(try reader.cursor(before: oldest))
                        seen = Int(oldest) - 1
                    }
                    try #require(reader.head == written)
                    try #require(reader.oldest == writer.log.oldest)
                    try #require(reader.lineage == writer.log.lineage)
                    try #require(reader.identity == writer.log.identity)
                    while let frame = try cursor.next() {
                        try #require(Commit(frame) == writer.commits[seen])
                        seen += 1
                    }
                    try #require(seen == Int(written))
                    if random.oneIn(4) { try check(reader, Array(writer.commits[..<seen]), random) }
                }
            }
        }
        #expect(fellBehind > 5 && anew > 10, "\(fellBehind) \(anew)")
    }

    @Test("A frame that is being written is the end; one that a later mark calls synced is damage")
    func tails() throws {
        let disk = SimulatedDisk()
        let driver = try LogDriver(disk)
        driver.append(byteCount: 100)
        try driver.flush()
        let reader = try LogReader.open(disk: disk)
        let name = try #require(disk.paths.last { $0.hasSuffix(".seg") })
        let before = try #require(disk.bytes(name))
        driver.append(byteCount: 200)
        driver.append(byteCount: 90)
        try driver.flush()
        let whole = try #require(disk.bytes(name))
        let start = Int(driver.offsets[1])
        let third = Int(driver.offsets[2])
        // Every length to which the second batch may have come.
        for length in stride(from: start - 40, through: third + 8, by: 8) {
            let image = disk.copy()
            image.put(name, Array(whole[..<length]) + before[length...])
            #expect(try LogReader.open(disk: image).head == (length < third ? 1 : 2))
            #expect(try CommitLog.openForReading(disk: image).head == (length < third ? 1 : 2))
        }
        #expect(try reader.refreshed(disk: disk).head == 3)
        // The third batch's mark knows the second commit synced.
        driver.append(byteCount: 50)
        try driver.flush()
        let last = try #require(disk.bytes(name))
        for offset in stride(from: start, to: third, by: 5) {
            let image = disk.copy()
            let old = try LogReader.open(
                disk: {
                    image.put(name, before)
                    return image
                }()
            )
            var bent = last
            bent[offset] ^= 4
            // What follows reads the file it has open.
            let file = try image.open(name, .readWrite)
            try file.write(bent, at: 0)
            for read in [
                { try LogReader.open(disk: image) }, { try old.refreshed(disk: image) },
                { try CommitLog.openForReading(disk: image).reader() },
            ] as [() throws -> LogReader] {
                #expect("byte \(offset)") {
                    _ = try read()
                } throws: { error in
                    guard case .damaged(name, start, _)? = error as? CommitLogError else {
                        return false
                    }
                    return true
                }
            }
        }
    }

    @Test("A frame that became whole while its reader looked at the mark behind it is no damage")
    func secondLook() throws {
        let disk = SimulatedDisk()
        let driver = try LogDriver(disk)
        driver.append()
        try driver.flush()
        // The second commit, in a batch of its own, and a third whose mark knows it synced.
        for _ in 0..<2 {
            driver.append(byteCount: 200)
            try driver.flush()
        }
        let name = try #require(disk.paths.last { $0.hasSuffix(".seg") })
        let file = try disk.open(name, .readWrite)
        let place = Int(driver.offsets[1]) + 90
        let bytes = try file.read(8, at: place)
        let early = ReadingDisk(disk)
        try file.write([UInt8](repeating: 0, count: 8), at: place)
        #expect(throws: CommitLogError.self) { try LogReader.open(disk: early) }
        let count = early.operationCount
        // The same operations again; before one of the last its bytes arrive.
        for operation in (count - 3)...count {
            try file.write([UInt8](repeating: 0, count: 8), at: place)
            let late = ReadingDisk(disk)
            late.before(operation: operation) { try file.write(bytes, at: place) }
            do throws(CommitLogError) {
                #expect(try LogReader.open(disk: late).head == 3)
            } catch {
                // They came after the second look.
                #expect(operation > count - 3, "\(error)")
            }
        }
    }

    @Test("A segment that gave its place to another before its first commit is followed there")
    func replaced() throws {
        let disk = SimulatedDisk()
        let driver = try LogDriver(disk)
        let empty = try LogReader.open(disk: disk)
        var cursor = try #require(try empty.cursor(before: 1))
        driver.append(byteCount: 10_000)
        driver.append()
        try driver.flush()
        let later = try empty.refreshed(disk: disk)
        try cursor.goOn(in: later)
        for commit in driver.commits { #expect(try cursor.next().map { Commit($0) } == commit) }
        #expect(try cursor.next() == nil)
    }

    @Test("Where the log is damaged reading throws, either way, and never just ends")
    func damage() throws {
        let disk = SimulatedDisk()
        let driver = try LogDriver(disk)
        for _ in 0..<60 { driver.append() }
        try driver.flush()
        for _ in 0..<20 { driver.append() }
        try driver.close()
        let reader = try LogReader.open(disk: disk)
        for seq in [1, 7, 30, 44, 59] {
            let (name, byte) = reader.place(ofOffset: driver.offsets[seq - 1])
            var bent = try #require(disk.bytes(name))
            bent[byte + 40] ^= 1
            let image = disk.copy()
            image.put(name, bent)
            func walk(_ step: (inout LogCursor) throws -> Frame?, from seq: UInt64) -> UInt64 {
                var count: UInt64 = 0
                do {
                    guard var cursor = try LogReader.open(disk: image).cursor(before: seq) else {
                        return 0
                    }
                    while try step(&cursor) != nil { count += 1 }
                    return .max
                } catch {
                    return count
                }
            }
            let last = reader.head
            // In the live segment the damage is known before the first commit is given.
            #expect([0, UInt64(seq) - 1].contains(walk({ try $0.next() }, from: 1)))
            #expect(walk({ try $0.previous() }, from: last + 1) < last)
        }
    }
}
