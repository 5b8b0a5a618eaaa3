// What is whole in a damaged log is found, all of it and nothing else, and becomes a database.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

@Suite struct SalvageTests {
    /// Salvages an image: it stays as it is, and what is made of it holds what it should.
    @discardableResult
    private func expect(
        _ sample: SalvageSample,
        _ image: SimulatedDisk,
        kept: UInt64,
        later: [UInt64],
        _ what: String
    ) throws -> LogSalvage {
        let before = image.paths.map { image.bytes($0) }
        let (salvage, target) = try made(of: image)
        try #require(image.paths.map { image.bytes($0) } == before, "\(what): it is only read")
        try #require(salvage.keptHead == kept, "\(what)")
        try #require(try laterSeqs(sample, salvage) == later, "\(what)")
        try check(sample, salvage, target, what)
        return salvage
    }

    private func made(of image: SimulatedDisk) throws -> (LogSalvage, SimulatedDisk) {
        let salvage = try CommitLog.salvage(disk: image)
        let target = SimulatedDisk()
        let epoch = try salvage.write(to: target, random: SeededRandom(seed: 77))
        // Everything is on the disk: a power cut now takes nothing away.
        let survivor = target.crash(seed: 5)
        let identity = try CommitLog.verify(disk: survivor) { _ in }.identity
        try #require(identity.epoch == epoch)
        return (salvage, survivor)
    }

    /// The later commits found, each with the bytes it was written with.
    private func laterSeqs(_ sample: SalvageSample, _ salvage: LogSalvage) throws -> [UInt64] {
        var seqs: [UInt64] = []
        try salvage.forEachLaterCommit { frame in
            seqs.append(frame.seq)
            #expect(frame.content.array == sample.commits[Int(frame.seq) - 1].content)
        }
        #expect(seqs.count == salvage.laterCount)
        return seqs
    }

    /// The database made holds the kept commits, byte by byte, and goes on.
    private func check(
        _ sample: SalvageSample,
        _ salvage: LogSalvage,
        _ target: SimulatedDisk,
        _ what: String
    ) throws {
        var contents: [[UInt8]] = []
        let report = try CommitLog.verify(disk: target) { contents.append($0.content.array) }
        let kept = sample.commits.prefix(Int(salvage.keptHead)).map(\.content)
        try #require(contents == kept, "\(what)")
        try #require(report.damages.isEmpty && report.tailByteCount == 0, "\(what)")
        #expect(report.identity.databaseID == sample.identity.databaseID)
        #expect(report.identity.application == sample.identity.application)
        let isWhole = salvage.damages.isEmpty
        #expect((report.identity.epoch == sample.identity.epoch) == isWhole, "\(what)")
        let again = try CommitLog.salvage(disk: target)
        #expect(again.damages.isEmpty && again.keptHead == salvage.keptHead, "\(what)")
        if !isWhole {
            let starts = again.lineage.map(\.firstSeq)
            try #require(starts == starts.sorted(), "\(what)")
            try #require(again.lineage.last?.firstSeq == salvage.keptHead + 1, "\(what)")
            let known = sample.lineage.filter { $0.firstSeq <= salvage.keptHead }
            try #require(Array(again.lineage.prefix(known.count)) == known, "\(what)")
            #expect(!sample.lineage.contains { $0.epoch == report.identity.epoch })
        }
        let bench = try StoreBench(target)
        #expect(bench.store.recovery.cutByteCount == 0)
        if isWhole {
            try #require(try Healing(on: target) == nil, "\(what)")
        } else {
            // A mirror may have what is lost: nothing is written until that is said.
            try #require(try Healing(on: target)?.made?.seq == salvage.keptHead, "\(what)")
            let refusal = bench.submit(Array(StockModel.definitions.prefix(1))).refusal
            try #require(refusal == .healing, "\(what)")
            _ = try bench.store.discardLost()
        }
        try #require(bench.submit(Array(StockModel.definitions.prefix(1))).isAccepted, "\(what)")
        bench.sync()
        try bench.store.compareWithFreshFold()
        try bench.store.close()
    }

    private func seqs(_ first: UInt64, _ last: UInt64) -> [UInt64] {
        first > last ? [] : Array(first...last)
    }

    // MARK: Damage

    @Test("A log without damage is copied as it is, in its epoch", arguments: [false, true])
    func whole(isClosed: Bool) throws {
        let sample = try SalvageSample(isClosed: isClosed)
        let salvage = try expect(sample, sample.disk, kept: sample.head, later: [], "whole")
        #expect(salvage.damages.isEmpty && salvage.tailByteCount == 0)
    }

    @Test("What waited to be healed waits still", arguments: [false, true])
    func healing(isReadable: Bool) throws {
        let sample = try SalvageSample()
        let image = sample.disk.copy()
        let position = Position(epoch: sample.identity.epoch, seq: 7)
        let text = "holdfast healing 1\nrestored \(position)\n"
        image.put("HEALING", Array((isReadable ? text : "").utf8))
        #expect(try Healing(on: image)?.made == (isReadable ? position : nil))
        let (salvage, target) = try made(of: image)
        #expect(salvage.damages.isEmpty && salvage.keptHead == sample.head)
        #expect(try Healing(on: target)?.made?.seq == (isReadable ? 7 : sample.head))
        let bench = try StoreBench(target)
        #expect(bench.submit(Array(StockModel.definitions.prefix(1))).refusal == .healing)
        try bench.store.close()
    }

    @Test("A flipped bit loses the commit it is in; all before are kept, all behind are found")
    func flips() throws {
        let sample = try SalvageSample()
        let random = SeededRandom(seed: 3)
        for (index, commit) in sample.commits.enumerated() {
            let seq = UInt64(index) + 1
            let bit = random.below(commit.byteCount * 8)
            let image = sample.changed(commit.path) {
                $0[commit.start + bit / 8] ^= 1 << UInt8(bit % 8)
            }
            let what = "bit \(bit) of commit \(seq)"
            let later = seqs(seq + 1, sample.head)
            let salvage = try expect(sample, image, kept: seq - 1, later: later, what)
            guard case .damaged(let file, let offset, _) = try #require(salvage.damages.first)
            else { throw Disagreement("no place") }
            #expect(file == commit.path && offset == commit.start && salvage.damages.count == 1)
        }
    }

    @Test("Behind a damaged head of a segment all commits are found, also when the salt is damaged")
    func heads() throws {
        let sample = try SalvageSample()
        for path in [sample.segments[0], sample.segments[2]] {
            let first = sample.seqs(in: path).lowerBound
            for byte in 0..<80 {
                let image = sample.changed(path) { $0[byte] ^= 16 }
                try expect(
                    sample,
                    image,
                    kept: first - 1,
                    later: seqs(first, sample.head),
                    "\(path) at \(byte)"
                )
            }
        }
    }

    @Test("Behind a missing, an empty, and a cut segment the commits of the next are found")
    func missing() throws {
        let sample = try SalvageSample()
        for path in sample.segments.dropLast() {
            let lost = sample.seqs(in: path)
            let later = seqs(lost.upperBound + 1, sample.head)
            let image = sample.disk.copy()
            try image.remove(path)
            let kept = lost.lowerBound - 1
            let salvage = try expect(sample, image, kept: kept, later: later, "without \(path)")
            #expect(salvage.damages.count == 1)
            // Told where the first missing commit should stand.
            if lost.lowerBound > 1 {
                let before = sample.commits[Int(lost.lowerBound) - 2].path
                #expect(salvage.damages[0].description.hasPrefix("damaged: \(before) at byte"))
            }
            let empty = sample.changed(path) { $0 = [] }
            try expect(sample, empty, kept: kept, later: later, "\(path) empty")
            let last = sample.commits[Int(lost.upperBound) - 1]
            let cut = sample.changed(path) { $0.removeLast($0.count - last.start - 8) }
            try expect(sample, cut, kept: lost.upperBound - 1, later: later, "\(path) cut")
        }
    }

    @Test("Several damages are told each, and what lies between them is found")
    func several() throws {
        let sample = try SalvageSample()
        let (first, second, third) = (sample.commits[9], sample.commits[14], sample.commits[20])
        let image = sample.disk.copy()
        for commit in [first, second, third] {
            var bytes = image.bytes(commit.path) ?? []
            for offset in commit.start + 8..<commit.start + 40 { bytes[offset] ^= 0xFF }
            image.put(commit.path, bytes)
        }
        let later = seqs(11, 14) + seqs(16, 20) + seqs(22, sample.head)
        let salvage = try expect(sample, image, kept: 9, later: later, "three")
        let places = [first, second, third].map { "\($0.path) at byte \($0.start)" }
        #expect(salvage.damages.count == 3)
        for (damage, place) in zip(salvage.damages, places) {
            #expect(damage.description.contains(place))
        }
    }

    @Test("A commit whose checksum fits and whose hash does not is damage")
    func forged() throws {
        let sample = try SalvageSample()
        let commit = sample.commits[7]
        let path = commit.path
        let image = sample.changed(path) { bytes in
            bytes[commit.start + 32 + 16] ^= 1
            let frame = Array(bytes[commit.start + 8..<commit.start + commit.byteCount])
            let salt = bytes.withView { $0.integer(UInt32.self, at: 20) }
            let crc = frame.withView { CRC32C.extend(salt, $0) }
            for byte in 0..<4 {
                bytes[commit.start + 4 + byte] = UInt8(truncatingIfNeeded: crc >> UInt32(8 * byte))
            }
        }
        let salvage = try expect(sample, image, kept: 7, later: seqs(9, sample.head), "forged")
        #expect(salvage.damages.count == 1)
    }

    @Test("A torn tail alone is no damage: it is left out, and the epoch stays")
    func tornTail() throws {
        let sample = try SalvageSample(isClosed: false)
        let last = try #require(sample.commits.last)
        for offset in stride(from: last.start + 1, to: last.start + last.byteCount, by: 9) {
            let image = sample.changed(last.path) { $0.removeLast($0.count - offset) }
            let salvage = try expect(sample, image, kept: sample.head - 1, later: [], "\(offset)")
            #expect(salvage.damages.isEmpty && salvage.tailByteCount > 0)
            #expect(salvage.tailByteCount <= offset - last.start)
        }
    }

    @Test("Only epochs that had begun before the damage are kept")
    func epochs() throws {
        let sample = try SalvageSample(isInterrupted: true)
        #expect(sample.lineage.count == 2)
        let second = try #require(sample.lineage.last?.firstSeq)
        for seq in [second - 2, second - 1, second, second + 1, second + 2] {
            let commit = sample.commits[Int(seq) - 1]
            let image = sample.changed(commit.path) { $0[commit.start + 50] ^= 4 }
            let later = seqs(seq + 1, sample.head)
            let salvage = try expect(sample, image, kept: seq - 1, later: later, "\(seq)")
            let epochs = [UInt32(0), 1].map { salvage.epoch(atIndex: $0) }
            #expect(epochs == sample.lineage.map(\.epoch))
        }
    }

    @Test("Whatever is damaged, what is kept is exact and what is found was written")
    func random() throws {
        let sample = try SalvageSample()
        let open = try SalvageSample(seed: 2, isClosed: false)
        try Seed.each(Seed.count(usually: 150)) { seed, random in
            let sample = random.oneIn(2) ? sample : open
            let image = sample.disk.copy()
            for _ in 0...random.below(4) {
                let path = sample.segments[random.below(sample.segments.count)]
                guard var bytes = image.bytes(path), !bytes.isEmpty else { continue }
                let start = random.below(bytes.count)
                let end = min(bytes.count, start + 1 + random.below(600))
                switch random.below(6) {
                case 0: for offset in start..<end { bytes[offset] = 0 }
                case 1: bytes.replaceSubrange(start..<end, with: random.bytes(end - start))
                case 2: bytes.removeLast(bytes.count - start)
                case 3: bytes.removeSubrange(start..<end)
                default: bytes[start] ^= 1 << UInt8(random.below(8))
                }
                if random.oneIn(12) { try image.remove(path) } else { image.put(path, bytes) }
            }
            let (salvage, target) = try made(of: image)
            let later = try laterSeqs(sample, salvage)
            try #require(later == Array(Set(later)).sorted())
            try #require(later.allSatisfy { $0 > salvage.keptHead })
            try check(sample, salvage, target, "seed \(seed)")
        }
    }

    // MARK: Making

    @Test("Killed anywhere, the new directory holds no database, or all of it")
    func interrupted() throws {
        let sample = try SalvageSample()
        let commit = sample.commits[12]
        let image = sample.changed(commit.path) { $0[commit.start + 50] ^= 4 }
        let salvage = try CommitLog.salvage(disk: image)
        for count in 0..<200 {
            let target = SimulatedDisk(seed: UInt64(count))
            target.halt(afterOperations: count)
            let isDone = (try? salvage.write(to: target, random: SeededRandom(seed: 9))) != nil
            for survivor in [target.copy(), target.crash(seed: UInt64(count))] {
                if try CommitLog.isPresent(disk: survivor) {
                    try check(sample, salvage, survivor, "after \(count)")
                } else {
                    try #require(!isDone)
                }
            }
            if isDone { return }
        }
        Issue.record("it is never done")
    }

    @Test("It is made in an empty directory alone, and not of a log that is being written")
    func refusals() throws {
        let sample = try SalvageSample()
        let salvage = try CommitLog.salvage(disk: sample.disk)
        let random = SeededRandom(seed: 1)
        #expect(throws: CommitLogError.alreadyPresent) {
            try salvage.write(to: sample.disk.copy(), random: random)
        }
        let part = sample.disk.copy()
        try part.remove("IDENTITY")
        #expect(throws: CommitLogError.alreadyPresent) {
            try salvage.write(to: part, random: random)
        }
        #expect(throws: CommitLogError.notPresent) { try CommitLog.salvage(disk: part) }
        sample.disk.put("LOCK", [])
        let lock = try sample.disk.lock("LOCK")
        #expect(throws: CommitLogError.inUse) { try CommitLog.salvage(disk: sample.disk) }
        lock.release()
        let nameless = sample.changed("IDENTITY") { $0[20] ^= 1 }
        #expect {
            try CommitLog.salvage(disk: nameless)
        } throws: { error in
            guard case .damaged("IDENTITY", _, _) = error as? CommitLogError else { return false }
            return true
        }
    }

    @Test("A mirror's log says so")
    func mirror() throws {
        let disk = SimulatedDisk()
        try CommitLog.create(
            disk: disk,
            identity: LogDriver.identity,
            role: .mirror(trees: nil),
            random: SeededRandom(seed: 1)
        )
        #expect(try CommitLog.salvage(disk: disk).role == .mirror(trees: nil))
    }
}
