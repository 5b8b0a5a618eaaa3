// Checkpoints: a state written as parts and taken up again is the state, in every structure.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

/// Many parts of a few records each.
private let small = PartSizes(least: 600, most: 4096, mask: 3)

@Suite struct CheckpointTests {
    private func paths(_ disk: SimulatedDisk, _ directory: String) -> [String] {
        disk.paths.filter { $0.hasPrefix(directory + "/") }.sorted()
    }

    @Test("A life with checkpoints and openings is the model's, and what a fold of the log gives")
    func model() throws {
        var (opened, reused, parts) = (0, 0, 0)
        try Seed.each(Seed.count(usually: 2)) { seed, random in
            let disk = SimulatedDisk(seed: seed)
            let bench = try StoreBench(disk, seed: seed)
            let life = try StockLife(bench, seed: seed)
            for _ in 1...1500 {
                try life.step()
                if random.oneIn(10) { bench.sync() }
                guard random.oneIn(60) else { continue }
                if let report = try bench.store.checkpoint(sizes: small) {
                    parts += report.partCount
                    reused += report.partCount - report.writtenCount
                    #expect(paths(disk, "manifest").count == 1)
                    #expect(paths(disk, "parts").count <= report.partCount)
                }
                guard random.oneIn(2) else { continue }
                bench.sync()
                try bench.reopen()
                if bench.store.checkpointSeq != nil { opened += 1 }
                try life.model.compare(with: bench.store)
                try bench.store.compareWithFreshFold()
            }
            bench.sync()
            try life.model.compare(with: bench.store)
            try bench.store.compareWithFreshFold()
        }
        #expect(opened > 10 && reused > 20 && parts > 250, "\(opened) \(reused) \(parts)")
    }

    @Test("What was changed before an opening is found behind the checkpoint: pins and rollbacks")
    func older() throws {
        let bench = try StoreBench(seed: 5)
        let life = try StockLife(bench, seed: 5)
        for _ in 0..<400 { try life.step() }
        bench.sync()
        try bench.store.checkpoint(sizes: small)
        try bench.reopen()
        #expect(bench.store.checkpointSeq == bench.store.progress.durable)
        let pin = try bench.store.pin()
        let lines = life.model.recordLines
        for _ in 0..<400 { try life.step() }
        bench.sync()
        #expect(life.model.recordLines != lines)
        let found = bench.store.recordLines(at: pin.position.seq, pageCount: 7)
        try compare(found, lines, "a pinned reading behind a checkpoint")
        bench.store.unpin(pin)
        // And again, when those changes were made on top of a checkpoint's records.
        try bench.reopen()
        try life.model.compare(with: bench.store)
    }

    @Test("A failed write on top of a checkpoint is taken back to it")
    func rollback() throws {
        let disk = SimulatedDisk(seed: 9)
        let bench = try StoreBench(disk, seed: 9)
        let life = try StockLife(bench, seed: 9, keepsHistory: true)
        for _ in 0..<300 { try life.step() }
        bench.sync()
        try bench.store.checkpoint(sizes: small)
        try bench.reopen()
        let lines = bench.store.recordLines(at: .max, pageCount: 50)
        disk.fail(.init(.sync, isLasting: true))
        for _ in 0..<100 { try life.step() }
        bench.sync()
        #expect(bench.store.progress.failure != nil)
        try compare(
            bench.store.recordLines(at: .max, pageCount: 50),
            lines,
            "the state after the failure with the checkpoint's"
        )
        try bench.store.compareWithFreshFold()
    }

    @Test("Parts are a function of the records: the same on a mirror, and after a checkpoint")
    func pure() throws {
        let authority = try StoreBench(SimulatedDisk(seed: 2), seed: 2)
        let life = try StockLife(authority, seed: 2, keepsHistory: true)
        let disk = SimulatedDisk(seed: 3)
        let mirror = try MirrorBench(life, disk, seed: 3)
        try mirror.stepAuthority(500)
        authority.sync()
        try mirror.receive(.max)
        mirror.store.syncStep()
        for _ in 0..<20 { mirror.propose() }
        let first = try #require(try authority.store.checkpoint(sizes: small))
        let second = try #require(try mirror.store.checkpoint(sizes: small))
        #expect(first == second)
        let parts = { (disk: SimulatedDisk) in
            Dictionary(uniqueKeysWithValues: paths(disk, "parts").map { ($0, disk.bytes($0)) })
        }
        let server = try #require(authority.disk as? SimulatedDisk)
        #expect(parts(server) == parts(disk), "what pends on a mirror is in no part")
        try authority.reopen()
        #expect(authority.store.checkpointSeq == first.seq)
        let again = try #require(try authority.store.checkpoint(sizes: small))
        #expect(again.writtenCount == 0 && again.partCount == first.partCount)
        // One record more changes the part it lies in, and no other of its tree.
        try life.step()
        authority.sync()
        let next = try #require(try authority.store.checkpoint(sizes: small))
        #expect(next.seq > first.seq)
        #expect(next.writtenCount > 0 && next.writtenCount < next.partCount / 2, "\(next)")
    }

    @Test("A checkpoint that cannot be read is passed over: the log has everything")
    func damaged() throws {
        let disk = SimulatedDisk(seed: 4)
        let bench = try StoreBench(disk, seed: 4)
        let life = try StockLife(bench, seed: 4)
        for _ in 0..<300 { try life.step() }
        bench.sync()
        try bench.store.checkpoint(sizes: small)
        try bench.store.close()
        // The manifest, and every fifth part.
        let files = paths(disk, "parts") + paths(disk, "manifest")
        #expect(files.count > 10)
        for (number, file) in files.enumerated() where number % 5 == 0 || file.hasPrefix("manifest")
        {
            let bytes = try #require(disk.bytes(file))
            for offset in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 7)) {
                let image = disk.copy()
                var flipped = bytes
                flipped[offset] ^= 1 << (offset % 8)
                image.put(file, flipped)
                let next = try StoreBench(image, seed: 5, time: bench.time)
                #expect(next.store.checkpointSeq == nil, "\(file) at \(offset)")
                try life.model.compare(with: next.store)
            }
            for length in [0, 20, bytes.count / 2, bytes.count - 1] {
                let image = disk.copy()
                image.put(file, Array(bytes[..<length]))
                let next = try StoreBench(image, seed: 5, time: bench.time)
                #expect(next.store.checkpointSeq == nil, "\(file) cut to \(length)")
                try life.model.compare(with: next.store)
            }
            let image = disk.copy()
            try image.remove(file)
            let next = try StoreBench(image, seed: 5, time: bench.time)
            #expect(next.store.checkpointSeq == nil, "without \(file)")
            try life.model.compare(with: next.store)
        }
    }

    @Test("Ended or refused at any operation, it leaves the old checkpoint or the new one")
    func everyOperation() throws {
        let disk = SimulatedDisk(seed: 6)
        let bench = try StoreBench(disk, seed: 6)
        let life = try StockLife(bench, seed: 6)
        for _ in 0..<120 { try life.step() }
        bench.sync()
        let old = try #require(try bench.store.checkpoint(sizes: small)).seq
        for _ in 0..<60 { try life.step() }
        bench.sync()
        try bench.store.close()
        var (outcomes, count) = ([old: 0], 0)
        while true {
            let image = disk.copy()
            let next = try StoreBench(image, seed: 7, time: bench.time)
            image.halt(afterOperations: count)
            var isDone = false
            do throws(StoreError) {
                try next.store.checkpoint(sizes: small)
                isDone = true
            } catch {
                // Nothing but the checkpoint has failed: writes go on where the disk does.
                #expect(next.store.writeRefusal == nil)
            }
            let after = try StoreBench(image.crash(seed: UInt64(count)), seed: 8, time: bench.time)
            let seq = try #require(after.store.checkpointSeq)
            #expect(seq >= old)
            outcomes[seq, default: 0] += 1
            try life.model.compare(with: after.store)
            if isDone {
                #expect(seq > old)
                break
            }
            count += 1
        }
        #expect(outcomes.count == 2 && count > 20, "\(outcomes) in \(count) operations")
    }
}

@Suite struct CompactionTests {
    /// Everything a store holds, by what lies where its index points.
    private func lines(_ store: Store) -> [String] {
        // What pends on a mirror is judged anew, with other salts: the chain is left out.
        store.read { reader in
            dump(reader.state).filter { !$0.hasPrefix("record ") && !$0.hasPrefix("head ") }
        } + records(store)
    }

    private func records(_ store: Store) -> [String] {
        store.read { reader in
            dump(reader.state) { location in
                reader.withEffect(at: location) { effect, commit in
                    "\(effect.key) of \(commit.seq), set \(effect.isSet), "
                        + "by \(commit.user.text), \(effect.value.text)"
                }
            }.filter { $0.hasPrefix("record ") }
        }
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
                guard let report = try bench.store.compact(sizes: small) else { continue }
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
        let held = try #require(try bench.store.compact(sizes: small))
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
        let report = try #require(try bench.store.compact(sizes: small))
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
        let again = try #require(try bench.store.compact(sizes: small))
        #expect(again.isHeld && again.oldest == report.oldest)
        for _ in 0..<100 { try life.step() }
        bench.sync()
        try compare(
            bench.store.recordLines(at: late.position.seq, pageCount: 7),
            lateLines,
            "what a reader pinned behind a second compaction sees with what it saw"
        )
        bench.store.unpin(late)
        let last = try #require(try bench.store.compact(sizes: small))
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
        let report = try #require(try bench.store.compact(keepingFrom: limit, sizes: small))
        #expect(report.oldest > 1 && report.oldest <= limit)
        let reader = bench.store.logReader()
        var cursor = try #require(try reader.cursor(before: limit))
        #expect(try cursor.next()?.seq == limit)
        #expect(try bench.store.compact(keepingFrom: 1, sizes: small)?.oldest == report.oldest)
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
            let report = try #require(try mirror.store.compact(sizes: small))
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
        try bench.store.compact(sizes: small)
        for _ in 0..<150 { try life.step() }
        bench.sync()
        try bench.store.close()
        let expected = lines(bench.store)
        var oldest: Set<UInt64> = []
        var count = 0
        while true {
            let image = disk.copy()
            let next = try StoreBench(image, seed: 7, time: bench.time)
            image.halt(afterOperations: count)
            var isDone = false
            do throws(StoreError) {
                try next.store.compact(sizes: small)
                isDone = true
            } catch {
                #expect(next.store.writeRefusal == nil)
                try compare(lines(next.store), expected, "what is served after the end")
            }
            let after = try StoreBench(image.crash(seed: UInt64(count)), seed: 8, time: bench.time)
            try compare(lines(after.store), expected, "operation \(count)")
            oldest.insert(after.store.read { $0.oldest.seq })
            if isDone { break }
            count += 1
        }
        #expect(oldest.count > 2 && count > 40, "\(oldest) in \(count) operations")
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
                let report = try bench.store.compact(sizes: small)
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
        let paths = disk.paths
        let used = paths.reduce(0) { $0 + (disk.bytes($1)?.count ?? 0) }
        disk.limit(byteCount: used + 6000)
        #expect(throws: StoreError.self) { try bench.store.compact(sizes: small) }
        #expect(disk.paths == paths)
        #expect(bench.store.writeRefusal == nil)
        disk.limit(byteCount: .max)
        #expect(try bench.store.compact(sizes: small) != nil)
        try life.model.compare(with: bench.store)
    }

    @Test("Without its checkpoint a log whose beginning was dropped is damaged, and says so")
    func damaged() throws {
        let disk = SimulatedDisk(seed: 4)
        let bench = try StoreBench(disk, seed: 4)
        let life = try StockLife(bench, seed: 4)
        for _ in 0..<300 { try life.step() }
        bench.sync()
        try bench.store.compact(sizes: small)
        try bench.store.close()
        let files = disk.paths.filter { $0.hasPrefix("parts/") || $0.hasPrefix("manifest/") }
        #expect(files.count > 10)
        for (number, file) in files.enumerated() where number % 5 == 0 || file.hasPrefix("manifest")
        {
            let bytes = try #require(disk.bytes(file))
            var images: [SimulatedDisk] = []
            for offset in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 7)) {
                images.append(disk.copy())
                var flipped = bytes
                flipped[offset] ^= 1 << (offset % 8)
                images[images.count - 1].put(file, flipped)
            }
            images.append(disk.copy())
            images[images.count - 1].put(file, Array(bytes.dropLast()))
            images.append(disk.copy())
            try images[images.count - 1].remove(file)
            for image in images {
                #expect(throws: StoreError.self) {
                    _ = try StoreBench(image, seed: 5, time: bench.time)
                }
            }
        }
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
        let report = try #require(try bench.store.compact(sizes: small))
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
