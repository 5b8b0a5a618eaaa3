// Compaction: the log before a checkpoint goes, and everything that stands stays.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

@Suite struct CompactionTests {
    /// Everything a store holds, by what lies where its index points.
    private func lines(_ store: Store) -> [String] {
        // What pends on a mirror is judged anew, with other salts: the chain is left out.
        store.read { reader in
            dump(reader.state).filter { !$0.hasPrefix("record ") && !$0.hasPrefix("head ") }
        } + store.lines.filter { $0.hasPrefix("record ") }
    }

    private func segments(_ disk: SimulatedDisk) -> [String] {
        disk.paths.filter { $0.hasPrefix("log/") && $0.hasSuffix(".seg") }.sorted()
    }

    @Test("A life with compactions and openings is the model's; the log before them is gone")
    func model() throws {
        var (dropped, openings) = (0, 0)
        try Seed.each(Seed.count(usually: 2)) { seed, random in
            let disk = SimulatedDisk(seed: seed)
            let bench = try StoreBench(disk, seed: seed)
            let life = try StockLife(bench, seed: seed)
            for _ in 1...1500 {
                try life.step()
                if random.oneIn(10) { bench.sync() }
                guard random.oneIn(50) else { continue }
                let before = lines(bench.store)
                guard let report = try bench.store.compact(sizes: .small) else { continue }
                #expect(!report.isHeld)
                try compare(lines(bench.store), before, "the state after compacting with before")
                let oldest = bench.store.read { $0.oldest.seq }
                #expect(report.oldest == oldest + 1 && oldest <= report.checkpoint.seq)
                if report.freedByteCount > 0 { dropped += 1 }
                #expect(segments(disk).count <= 2)
                try life.model.compare(with: bench.store)
                guard random.oneIn(2) else { continue }
                bench.sync()
                let last = lines(bench.store)
                try bench.reopen()
                openings += 1
                try compare(lines(bench.store), last, "the state opened again with before")
                try life.model.compare(with: bench.store)
            }
            bench.sync()
            try life.model.compare(with: bench.store)
            // A second reader of the directory finds a log and a checkpoint that are whole.
            try bench.store.close()
            let report = try CommitLog.verify(disk: disk) { _ in }
            #expect(report.damages.isEmpty && report.oldest > 1)
        }
        #expect(dropped > 10 && openings > 8, "\(dropped) \(openings)")
    }

    @Test("Readers that are pinned hold the log; those behind the checkpoint read on")
    func pins() throws {
        let bench = try StoreBench(SimulatedDisk(seed: 3), seed: 3)
        let life = try StockLife(bench, seed: 3)
        for _ in 0..<400 { try life.step() }
        bench.sync()
        let early = try bench.store.pin()
        life.beforeTick = { _ = bench.store.touch(early) }
        let earlyLines = life.model.recordLines
        for _ in 0..<300 { try life.step() }
        bench.sync()
        let held = try #require(try bench.store.compact(sizes: .small))
        #expect(held.isHeld && held.freedByteCount == 0 && held.oldest == 1)
        try compare(
            bench.store.recordLines(at: early.position.seq, pageCount: 7),
            earlyLines,
            "what a pinned reader sees with what it saw"
        )
        bench.store.unpin(early)
        // One at the checkpoint's own position, whose records change afterwards.
        let late = try bench.store.pin()
        life.beforeTick = { _ = bench.store.touch(late) }
        let lateLines = life.model.recordLines
        let report = try #require(try bench.store.compact(sizes: .small))
        #expect(!report.isHeld && report.freedByteCount > 0 && report.oldest > 1)
        for _ in 0..<300 { try life.step() }
        bench.sync()
        #expect(life.model.recordLines != lateLines)
        try compare(
            bench.store.recordLines(at: late.position.seq, pageCount: 7),
            lateLines,
            "what a reader pinned at the checkpoint sees with what it saw"
        )
        // Another compaction leaves it what it reads, in the log and in the checkpoint before.
        let again = try #require(try bench.store.compact(sizes: .small))
        #expect(again.isHeld && again.oldest == report.oldest)
        for _ in 0..<100 { try life.step() }
        bench.sync()
        try compare(
            bench.store.recordLines(at: late.position.seq, pageCount: 7),
            lateLines,
            "what a reader pinned behind a second compaction sees with what it saw"
        )
        bench.store.unpin(late)
        let last = try #require(try bench.store.compact(sizes: .small))
        #expect(!last.isHeld && last.oldest > report.oldest)
        try life.model.compare(with: bench.store)
        try bench.reopen()
        try life.model.compare(with: bench.store)
    }

    @Test("History that must stay stays, with the segment it lies in")
    func keeping() throws {
        let disk = SimulatedDisk(seed: 11)
        let bench = try StoreBench(disk, seed: 11)
        let life = try StockLife(bench, seed: 11)
        for _ in 0..<900 { try life.step() }
        bench.sync()
        let head = bench.store.progress.durable
        let limit = head / 2
        let report = try #require(try bench.store.compact(keepingFrom: limit, sizes: .small))
        #expect(report.oldest > 1 && report.oldest <= limit)
        let reader = bench.store.logReader()
        var cursor = try #require(try reader.cursor(before: limit))
        #expect(try cursor.next()?.seq == limit)
        #expect(try bench.store.compact(keepingFrom: 1, sizes: .small)?.oldest == report.oldest)
    }

    @Test("A mirror compacts below what pends on it")
    func mirror() throws {
        let authority = try StoreBench(SimulatedDisk(seed: 2), seed: 2)
        let life = try StockLife(authority, seed: 2, keepsHistory: true)
        let disk = SimulatedDisk(seed: 3)
        let mirror = try MirrorBench(life, disk, seed: 3)
        for _ in 0..<5 {
            try mirror.stepAuthority(150)
            authority.sync()
            try mirror.receive(.max)
            for _ in 0..<20 { mirror.propose() }
            mirror.store.syncStep()
            let before = lines(mirror.store)
            let report = try #require(try mirror.store.compact(sizes: .small))
            #expect(report.oldest > 1)
            try compare(lines(mirror.store), before, "a mirror after compacting with before")
            let confirmed = mirror.store.read {
                $0.confirmedHashes.map { "\($0.block) \($0.hash)" }
            }
            let expected = authority.store.read { $0.state.hashes.map { "\($0.block) \($0.hash)" } }
            #expect(confirmed == expected)
        }
        try mirror.send(.max)
        try mirror.receive(.max)
        #expect(mirror.outbox.isEmpty)
    }

    @Test("Ended at any operation, it leaves everything that stands")
    func everyOperation() throws {
        let disk = SimulatedDisk(seed: 6)
        let options = LogOptions(segmentByteCount: 4096, growByteCount: 1024)
        let bench = try StoreBench(disk, seed: 6, options: options)
        let life = try StockLife(bench, seed: 6)
        for _ in 0..<250 { try life.step() }
        bench.sync()
        try bench.store.compact(sizes: .small)
        for _ in 0..<150 { try life.step() }
        bench.sync()
        try bench.store.close()
        let expected = lines(bench.store)
        var oldest: Set<UInt64> = []
        var (count, poisoned) = (0, 0)
        while true {
            let image = disk.copy()
            let next = try StoreBench(image, seed: 7, time: bench.time)
            image.halt(afterOperations: count)
            var isDone = false
            do throws(StoreError) {
                try next.store.compact(sizes: .small)
                isDone = true
            } catch {
                if next.store.progress.failure != nil { poisoned += 1 }
                try compare(lines(next.store), expected, "what is served after the end")
            }
            let after = try StoreBench(image.crash(seed: UInt64(count)), seed: 8, time: bench.time)
            try compare(lines(after.store), expected, "operation \(count)")
            oldest.insert(after.store.read { $0.oldest.seq })
            if isDone { break }
            count += 1
        }
        #expect(oldest.count > 2 && count > 40, "\(oldest) in \(count) operations")
        // Once it is not known whether the new segment's name stays.
        #expect(poisoned <= 1, "\(poisoned)")
    }

    @Test("Where commits are not synced, a power cut leaves a log that leads to its checkpoint")
    func unsynced() throws {
        var compacted = 0
        for seed in UInt64(1)...12 {
            let disk = SimulatedDisk(seed: seed)
            let options = LogOptions(segmentByteCount: 4096, growByteCount: 1024, syncing: .never)
            let bench = try StoreBench(disk, seed: seed, options: options)
            let life = try StockLife(bench, seed: seed)
            for _ in 0..<3 {
                // A segment that begins is synced: single commits are not.
                for _ in 0..<60 {
                    try life.step()
                    bench.sync()
                }
                let report = try bench.store.compact(sizes: .small)
                if report.map({ $0.freedByteCount > 0 }) ?? false { compacted += 1 }
                let image = disk.crash(seed: seed)
                let next = try StoreBench(image, seed: 5, time: bench.time, options: options)
                #expect(next.store.read { $0.state.head } >= report?.checkpoint.seq ?? 0)
            }
        }
        #expect(compacted > 10)
    }

    @Test("On a full disk it gives back what it took")
    func full() throws {
        let disk = SimulatedDisk(seed: 12)
        let bench = try StoreBench(disk, seed: 12)
        let life = try StockLife(bench, seed: 12)
        for _ in 0..<300 { try life.step() }
        bench.sync()
        let used = disk.paths.reduce(0) { $0 + (disk.bytes($1)?.count ?? 0) }
        disk.limit(byteCount: used + 6000)
        #expect(throws: StoreError.self) { try bench.store.compact(sizes: .small) }
        // The log had begun another segment by then, which is empty.
        #expect(disk.paths(in: "parts").isEmpty && disk.paths(in: "manifest").isEmpty)
        #expect(bench.store.progress.failure == nil)
        disk.limit(byteCount: .max)
        #expect(try bench.store.compact(sizes: .small) != nil)
        try life.model.compare(with: bench.store)
    }

    @Test("Without its checkpoint a log whose beginning was dropped is damaged, and says so")
    func damaged() throws {
        let disk = SimulatedDisk(seed: 4)
        let bench = try StoreBench(disk, seed: 4)
        let life = try StockLife(bench, seed: 4)
        for _ in 0..<300 { try life.step() }
        bench.sync()
        try bench.store.compact(sizes: .small)
        try bench.store.close()
        let files = disk.paths(in: "parts") + disk.paths(in: "manifest")
        #expect(files.count > 10)
        for (number, file) in files.enumerated() where number % 5 == 0 || file.hasPrefix("manifest")
        {
            for (what, image) in try disk.damaged(file) {
                #expect(throws: StoreError.self, "\(what)") {
                    _ = try StoreBench(image, seed: 5, time: bench.time)
                }
            }
        }
    }

    @Test("Where nothing may be written nothing is compacted")
    func readOnly() throws {
        let disk = SimulatedDisk(seed: 13)
        let bench = try StoreBench(disk, seed: 13)
        let life = try StockLife(bench, seed: 13)
        for _ in 0..<100 { try life.step() }
        bench.sync()
        try bench.store.close()
        #expect(throws: StoreError.self) { try bench.store.compact(sizes: .small) }
        try bench.reopen(closing: false)
        disk.fail(.init(.sync, isLasting: true))
        for _ in 0..<20 { try life.step() }
        bench.sync()
        #expect(bench.store.progress.failure != nil)
        disk.heal()
        #expect(throws: StoreError.self) { try bench.store.compact(sizes: .small) }
        #expect(disk.paths(in: "parts").isEmpty && disk.paths(in: "manifest").isEmpty)
    }

    @Test(
        "What is whole of a damaged compacted log is found: the checkpoint goes with what is kept"
    )
    func salvage() throws {
        let disk = SimulatedDisk(seed: 8)
        let options = LogOptions(segmentByteCount: 4096, growByteCount: 1024)
        let bench = try StoreBench(disk, seed: 8, options: options)
        let life = try StockLife(bench, seed: 8)
        for _ in 0..<300 { try life.step() }
        bench.sync()
        // The log begins some commits before the checkpoint.
        let limit = bench.store.progress.durable
        let report = try #require(try bench.store.compact(keepingFrom: limit, sizes: .small))
        for _ in 0..<200 { try life.step() }
        bench.sync()
        let head = bench.store.progress.durable
        try bench.store.close()
        let checkpoint = report.checkpoint.seq
        func made(_ image: SimulatedDisk) throws -> (LogSalvage, StoreBench) {
            let salvage = try CommitLog.salvage(disk: image)
            let target = SimulatedDisk()
            _ = try salvage.write(to: target, random: SeededRandom(seed: 77))
            return (salvage, try StoreBench(target.crash(seed: 5), seed: 9, time: bench.time))
        }
        // Nothing is damaged: everything is there.
        let (all, whole) = try made(disk)
        #expect(all.damages.isEmpty && all.keptHead == head && all.laterCount == 0)
        try compare(lines(whole.store), lines(bench.store), "what was salvaged with what was there")
        // Damage behind the checkpoint: kept up to it.
        let files = segments(disk)
        let last = files[files.count - 2]
        let image = disk.copy()
        var bytes = try #require(disk.bytes(last))
        bytes[300] ^= 1
        image.put(last, bytes)
        let (some, cut) = try made(image)
        #expect(some.damages.count == 1 && some.keptHead >= checkpoint && some.keptHead < head)
        #expect(some.laterCount > 0)
        #expect(cut.store.checkpointSeq == checkpoint)
        #expect(cut.store.progress.durable == some.keptHead)
        // Damage before it: the checkpoint's records are told with those of later commits.
        let early = disk.copy()
        bytes = try #require(disk.bytes(files[0]))
        bytes[300] ^= 1
        early.put(files[0], bytes)
        let (none, empty) = try made(early)
        #expect(none.keptHead == 0 && empty.store.progress.durable == 0)
        var told: Set<UInt64> = []
        try none.forEachLaterCommit { told.insert($0.seq) }
        #expect(told.contains { $0 <= checkpoint } && told.contains(head))
        // A part that is damaged is named.
        let part = try #require(disk.paths.first { $0.hasPrefix("parts/") })
        let torn = disk.copy()
        bytes = try #require(disk.bytes(part))
        bytes[bytes.count - 9] ^= 1
        torn.put(part, bytes)
        #expect("\(try CommitLog.salvage(disk: torn).damages)".contains(part))
    }
}
