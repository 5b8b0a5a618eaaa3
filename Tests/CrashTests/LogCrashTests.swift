// A log on a disk that loses, tears and reorders what was not synced, and fails when told to.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastStorage
import HoldfastTestSupport
import Testing

@Suite struct LogCrashTests {
    /// What a run has done up to its end, whatever ended it.
    final class Run {
        var appended: [LogDriver.Commit] = []
        var acknowledged = 0
    }

    /// A random life of a log, until something throws.
    private func live(_ disk: SimulatedDisk, _ run: Run, seed: UInt64, steps: Int) throws {
        let random = SeededRandom(seed: seed)
        let options = LogDriver.options(seed)
        var driver = try LogDriver(disk, seed: seed, options: options)
        run.appended = driver.commits
        run.acknowledged = driver.commits.count
        for _ in 0..<steps {
            switch random.below(10) {
            case 0...2:
                try driver.flush()
                run.acknowledged = driver.commits.count
            case 3:
                try driver.log.writer?.makeRoom()
            case 4 where random.oneIn(5):
                try driver.close()
                run.acknowledged = driver.commits.count
                driver = try LogDriver(disk, seed: random.next(), options: options)
            default:
                driver.append(byteCount: random.oneIn(30) ? 3000 : nil)
                run.appended = driver.commits
            }
        }
        try driver.close()
        run.acknowledged = driver.commits.count
    }

    /// Opens what is left: nothing acknowledged is lost, nothing is there that was not appended.
    @discardableResult
    private func expectSurvival(_ image: SimulatedDisk, _ run: Run, _ what: String) throws -> Int {
        guard try CommitLog.isPresent(disk: image) || run.acknowledged > 0 else { return 0 }
        let driver = try LogDriver(image, seed: 99)
        try #require(driver.commits.count >= run.acknowledged, "\(what): acknowledged commits lost")
        let known = Array(run.appended.prefix(driver.commits.count))
        try #require(driver.commits == known, "\(what): other commits than were appended")
        let found = driver.commits.count
        // What an opening has shown is on the disk, whatever happens next.
        for seed in 1...2 {
            let again = try LogDriver(image.crash(seed: UInt64(seed)), seed: 98)
            try #require(again.commits == driver.commits, "\(what): shown, then lost")
        }
        for _ in 0..<5 { driver.append() }
        try driver.flush()
        driver.append()
        try driver.close()
        let again = try LogDriver(image)
        try #require(again.commits == driver.commits, "\(what): appended after, then lost")
        try #require(again.log.recovery.wasClean)
        let report = try CommitLog.verify(disk: image) { _ in }
        try #require(report.damages.isEmpty && report.commitCount == UInt64(again.commits.count))
        return found
    }

    @Test("Cut off anywhere, by a kill or a power cut, a log keeps what it acknowledged")
    func crashes() throws {
        var kept = 0
        var lost = 0
        try Seed.each(300) { seed, random in
            let disk = SimulatedDisk(seed: seed)
            let run = Run()
            disk.halt(afterOperations: random.below(200))
            do { try live(disk, run, seed: seed, steps: 100) } catch is DiskError {
            } catch CommitLogError.disk {}
            for cut in 1...3 {
                let found = try expectSurvival(
                    disk.crash(seed: seed + UInt64(cut) * 1000),
                    run,
                    "cut"
                )
                kept += found - run.acknowledged
                lost += run.appended.count - found
            }
            // The same machine, its page cache alive: only the process was killed.
            disk.heal()
            try expectSurvival(disk, run, "killed")
        }
        // The rare paths were met: unacknowledged commits that survived, and that did not.
        if Seed.chosen == nil { #expect(kept > 0 && lost > 0) }
    }

    @Test("A repair that is cut off is begun again, as often as it takes")
    func crashInRepair() throws {
        try Seed.each(150) { seed, random in
            var disk = SimulatedDisk(seed: seed)
            let run = Run()
            disk.halt(afterOperations: 40 + random.below(150))
            do { try live(disk, run, seed: seed, steps: 100) } catch is DiskError {
            } catch CommitLogError.disk {}
            disk = disk.crash(seed: random.next())
            guard try CommitLog.isPresent(disk: disk) else { return }
            for _ in 0..<6 {
                disk.halt(afterOperations: random.below(25))
                do {
                    let driver = try LogDriver(disk, seed: random.next())
                    run.acknowledged = driver.commits.count
                } catch CommitLogError.disk {}
                disk.heal()
                disk = random.oneIn(2) ? disk.copy() : disk.crash(seed: random.next())
            }
            try expectSurvival(disk, run, "repaired")
        }
    }

    @Test("At every operation that can fail, a failure loses nothing acknowledged")
    func everyFailure() throws {
        for operation in [DiskError.Operation.write, .sync, .open, .rename, .syncDirectory, .map] {
            var count = 0
            while true {
                let disk = SimulatedDisk(seed: UInt64(count))
                let run = Run()
                disk.fail(.init(operation, after: count))
                var isMet = false
                do { try live(disk, run, seed: 5, steps: 60) } catch is DiskError {
                    isMet = true
                } catch CommitLogError.disk { isMet = true }
                guard isMet else { break }
                disk.heal()
                let what = "\(operation) \(count)"
                try expectSurvival(disk.copy(), run, what)
                try expectSurvival(disk.crash(seed: UInt64(count)), run, what + " and a cut")
                // The page cache of the same machine, and only then the cut.
                try expectSurvival(disk, run, what + " and a restart")
                count += 1
            }
            #expect(count > 2, "\(operation)")
        }
    }

    @Test("After a failed sync a restart repairs what the page cache hides, cut off or not")
    func failedSyncThenCut() throws {
        try Seed.each(100) { seed, random in
            let disk = SimulatedDisk(seed: seed)
            let run = Run()
            disk.fail(.init(.sync, after: 3 + random.below(10)))
            do { try live(disk, run, seed: seed, steps: 100) } catch is DiskError {
            } catch CommitLogError.disk {}
            disk.heal()
            for _ in 0..<3 {
                // The repair writes, syncs, marks and syncs again: cut it at each of these.
                disk.halt(afterOperations: 8 + random.below(12))
                do { _ = try LogDriver(disk, seed: random.next()) } catch CommitLogError.disk {}
                disk.heal()
                for _ in 0..<3 { try expectSurvival(disk.crash(seed: random.next()), run, "cut") }
            }
            try expectSurvival(disk, run, "restarted")
        }
    }

    @Test("A full disk stops writing, keeps what is there, and goes on when there is room")
    func fullDisk() throws {
        let disk = SimulatedDisk()
        let driver = try LogDriver(disk)
        driver.append()
        try driver.flush()
        disk.limit(byteCount: disk.byteCount + 1000)
        let noticed = try #require(throws: DiskError.self) {
            for _ in 0..<20 {
                try driver.log.writer?.makeRoom()
                driver.append(byteCount: 50, effectCount: 0)
                try driver.flush()
            }
        }
        #expect(noticed.isFull)
        // Preparing room noticed it, before any commit was in danger.
        #expect(!driver.log.isPoisoned)
        let acknowledged = driver.log.durable
        #expect(throws: DiskError.self) {
            for _ in 0..<100 {
                driver.append(byteCount: 50, effectCount: 0)
                try driver.flush()
            }
        }
        #expect(driver.log.isPoisoned && driver.log.durable >= acknowledged)
        let durable = Int(driver.log.durable)
        try driver.log.close()
        disk.heal()
        let again = try LogDriver(disk)
        #expect(again.commits.count >= durable)
        #expect(again.commits == Array(driver.commits.prefix(again.commits.count)))
        again.append()
        try again.close()
    }

    @Test("The same seed gives the same bytes, through failures and repairs too")
    func deterministic() throws {
        func run() throws -> [String: [UInt8]] {
            let disk = SimulatedDisk(seed: 3)
            disk.halt(afterOperations: 90)
            do { try live(disk, Run(), seed: 3, steps: 100) } catch is DiskError {
            } catch CommitLogError.disk {}
            let image = disk.crash(seed: 3)
            try live(image, Run(), seed: 4, steps: 50)
            return Dictionary(uniqueKeysWithValues: image.paths.map { ($0, image.bytes($0) ?? []) })
        }
        let first = try run()
        #expect(first.count > 2)
        let isSame = try run() == first
        #expect(isSame)
    }
}
