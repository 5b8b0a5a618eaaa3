// Checkpoints: a state written as parts and taken up again is the state, in every structure.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

@Suite struct CheckpointTests {
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
                if let report = try bench.store.checkpoint(sizes: .small) {
                    parts += report.partCount
                    reused += report.partCount - report.writtenCount
                    #expect(disk.paths(in: "manifest").count == 1)
                    #expect(disk.paths(in: "parts").count <= report.partCount)
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
        try bench.store.checkpoint(sizes: .small)
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
        try bench.store.checkpoint(sizes: .small)
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
        let first = try #require(try authority.store.checkpoint(sizes: .small))
        let second = try #require(try mirror.store.checkpoint(sizes: .small))
        #expect(first == second)
        let parts = { (disk: SimulatedDisk) in
            Dictionary(uniqueKeysWithValues: disk.paths(in: "parts").map { ($0, disk.bytes($0)) })
        }
        let server = try #require(authority.disk as? SimulatedDisk)
        #expect(parts(server) == parts(disk), "what pends on a mirror is in no part")
        try authority.reopen()
        #expect(authority.store.checkpointSeq == first.seq)
        let again = try #require(try authority.store.checkpoint(sizes: .small))
        #expect(again.writtenCount == 0 && again.partCount == first.partCount)
        // One record more changes the part it lies in, and no other of its tree.
        try life.step()
        authority.sync()
        let next = try #require(try authority.store.checkpoint(sizes: .small))
        #expect(next.seq > first.seq)
        #expect(next.writtenCount > 0 && next.writtenCount < next.partCount / 2, "\(next)")
    }

    @Test(
        "A checkpoint that cannot be read is passed over: the log has everything",
        arguments: [false, true]
    )
    func damaged(isWhole: Bool) throws {
        let disk = SimulatedDisk(seed: 4)
        let bench = try StoreBench(disk, seed: 4)
        let life = try StockLife(bench, seed: 4)
        for _ in 0..<300 { try life.step() }
        bench.sync()
        try bench.store.compact(keepingFrom: 1, isWhole: isWhole, sizes: .small)
        #expect(bench.store.read(\.oldest).seq == 0)
        try bench.store.close()
        // The manifest, every fifth part, and those of changes.
        let files = disk.paths(in: "parts") + disk.paths(in: "manifest")
        #expect(files.count > 10)
        let changes = files.filter { disk.bytes($0)?[14] == PartKind.changes.rawValue }
        #expect(changes.isEmpty != isWhole)
        for (number, file) in files.enumerated()
        where number % 5 == 0 || file.hasPrefix("manifest") || changes.contains(file) {
            for (what, image) in try disk.damaged(file) {
                let next = try StoreBench(image, seed: 5, time: bench.time)
                #expect(next.store.checkpointSeq == nil, "\(what)")
                try life.model.compare(with: next.store)
            }
        }
    }

    @Test("Ended or refused at any operation, it leaves the old checkpoint or the new one")
    func everyOperation() throws {
        let disk = SimulatedDisk(seed: 6)
        let bench = try StoreBench(disk, seed: 6)
        let life = try StockLife(bench, seed: 6)
        for _ in 0..<120 { try life.step() }
        bench.sync()
        let old = try #require(try bench.store.checkpoint(sizes: .small)).seq
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
                try next.store.checkpoint(sizes: .small)
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
