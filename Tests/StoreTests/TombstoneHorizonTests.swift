// That a record was deleted is remembered up to a horizon; that its id and revisions were used, for
// ever.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

@Suite struct TombstoneHorizonTests {
    private static let options = LogOptions(segmentByteCount: 4096, growByteCount: 1024)

    // MARK: What is answered

    private func put(
        _ bench: StoreBench,
        _ tree: TreeName,
        _ key: RecordKey? = nil,
        number: String = "n"
    ) -> Submission {
        bench.submit([
            .put(
                WriteOperation(
                    tree: tree,
                    key: key,
                    expects: .absent,
                    value: Array("{\"number\":\"\(number)\"}".utf8)
                )
            )
        ])
    }

    private func made(
        _ submission: Submission
    ) throws -> (key: RecordKey, version: HoldfastRecords.Expectation) {
        guard case .accepted(let position, let results) = submission,
            case .created(_, let key) = try #require(results.first)
        else { throw Disagreement("nothing was made: \(submission)") }
        return (key, .version(position))
    }

    private func delete(
        _ bench: StoreBench,
        _ tree: TreeName,
        _ record: (key: RecordKey, version: HoldfastRecords.Expectation)
    ) -> Submission {
        bench.submit([
            .delete(RecordOperation(tree: tree, key: record.key, expects: record.version))
        ])
    }

    /// Removals of before now are forgotten, the commits of which go; some that come after stay.
    private func forgetAll(_ bench: StoreBench) throws {
        bench.time.advance(milliseconds: 1)
        let (time, head) = (bench.time.wallMilliseconds(), bench.store.read { $0.state.head })
        try fill(bench)
        let hashes = bench.store.read { $0.state.hashes.map(\.hash) }
        let horizons = Horizons(tombstones: time)
        let report = try #require(try bench.store.compact(horizons: horizons, sizes: .small))
        #expect(!report.isHeld && report.oldest > head)
        #expect(bench.store.read { $0.state.hashes.map(\.hash) } == hashes)
    }

    /// More than the room ahead of a log, so that segments end.
    private func fill(_ bench: StoreBench) throws {
        let filler = String(repeating: "x", count: 1500)
        for _ in 0..<4 { #expect(put(bench, StockModel.bins, number: filler).isAccepted) }
        bench.sync()
    }

    private func begun(_ disk: SimulatedDisk, seed: UInt64 = 1) throws -> StoreBench {
        let bench = try StoreBench(disk, seed: seed, options: Self.options)
        for operation in StockModel.definitions { #expect(bench.submit([operation]).isAccepted) }
        try fill(bench)
        return bench
    }

    @Test(
        "A forgotten record is as one that never was; its id and its revisions are never used again"
    )
    func answers() throws {
        let (parts, bins, footprints) = (StockModel.parts, StockModel.bins, StockModel.footprints)
        let bench = try begun(SimulatedDisk(seed: 1))
        let bin = try made(put(bench, bins))
        let name = try made(put(bench, footprints, RecordKey(name: "f")))
        let part = try made(put(bench, parts, number: "n1"))
        let release = bench.submit([
            .release(RecordOperation(tree: parts, key: part.key, expects: part.version), number: 0)
        ])
        #expect(release.isAccepted)
        let revised = bench.submit([.revise(tree: parts, key: part.key, hold: nil)])
        let revision = try made(revised)
        #expect(revision.key.revision == 1)
        for (tree, record) in [(bins, bin), (footprints, name), (parts, revision)] {
            #expect(delete(bench, tree, record).isAccepted)
            #expect(delete(bench, tree, record).refusal == .deleted)
        }
        try forgetAll(bench)
        func check() throws {
            for (tree, record) in [(bins, bin), (footprints, name), (parts, revision)] {
                let place = bench.store.read { reader in
                    reader.state.tree(tree).flatMap { reader.state.location($0, record.key) }
                }
                #expect(place == nil)
                #expect(delete(bench, tree, record).refusal == .notFound)
            }
            #expect(
                !bench.store.read { reader in
                    reader.state.tree(bins).map { $0.hasRemovals } ?? true
                }
            )
        }
        try check()
        try bench.reopen()
        try check()
        // Another compaction, with nothing to forget, keeps what was used.
        try forgetAll(bench)
        try bench.reopen()
        try check()
        #expect(put(bench, bins, bin.key).refusal == .outsideRange)
        let next = try made(put(bench, bins))
        #expect(next.key > bin.key)
        #expect(put(bench, footprints, name.key).isAccepted)
        let again = try made(bench.submit([.revise(tree: parts, key: part.key, hold: nil)]))
        #expect(again.key.revision == 2)
        // And once more when that one is gone too, and all of it in one change.
        #expect(delete(bench, parts, again).isAccepted)
        try forgetAll(bench)
        try bench.reopen()
        let last = try made(bench.submit([.revise(tree: parts, key: part.key, hold: nil)]))
        #expect(last.key.revision == 3)
    }

    @Test("A removal stays as long as its commit is in the log, and as long as it is young")
    func kept() throws {
        let bench = try begun(SimulatedDisk(seed: 2))
        let records = try (0..<3).map { _ in try made(put(bench, StockModel.bins)) }
        var (times, seqs): ([Int64], [UInt64]) = ([], [])
        for record in records {
            bench.time.advance(milliseconds: 1000)
            #expect(delete(bench, StockModel.bins, record).isAccepted)
            times.append(bench.time.wallMilliseconds())
            seqs.append(bench.store.read { $0.state.head })
            bench.sync()
        }
        try fill(bench)
        func refusals() -> [RefusalCode?] {
            records.map { delete(bench, StockModel.bins, $0).refusal }
        }
        // The log keeps the commits of all three.
        let all = Horizons(tombstones: .max)
        try bench.store.compact(keepingFrom: seqs[0], horizons: all, sizes: .small)
        #expect(refusals() == [.deleted, .deleted, .deleted])
        // Two are young.
        let some = Horizons(tombstones: times[1])
        try bench.store.compact(horizons: some, sizes: .small)
        #expect(refusals() == [.notFound, .deleted, .deleted])
        try bench.reopen()
        #expect(refusals() == [.notFound, .deleted, .deleted])
        // None is forgotten without a horizon.
        try bench.store.compact(sizes: .small)
        #expect(refusals() == [.notFound, .deleted, .deleted])
    }

    @Test("While a reader holds the log nothing is forgotten")
    func held() throws {
        let bench = try begun(SimulatedDisk(seed: 3))
        let bin = try made(put(bench, StockModel.bins))
        bench.sync()
        let pin = try bench.store.pin()
        #expect(delete(bench, StockModel.bins, bin).isAccepted)
        bench.sync()
        let horizons = Horizons(tombstones: .max)
        #expect(try bench.store.compact(horizons: horizons, sizes: .small)?.isHeld == true)
        #expect(delete(bench, StockModel.bins, bin).refusal == .deleted)
        let found = bench.store.recordLines(at: pin.position.seq)
        #expect(found.contains { $0.hasPrefix("\(StockModel.bins) \(bin.key) ") })
        bench.store.unpin(pin)
        try forgetAll(bench)
        #expect(delete(bench, StockModel.bins, bin).refusal == .notFound)
    }

    @Test(
        "A name made anew on a forgotten removal is taken back to nothing, and read as nothing before"
    )
    func anew() throws {
        let disk = SimulatedDisk(seed: 4)
        let bench = try begun(disk)
        let key = RecordKey(name: "f")
        let first = try made(put(bench, StockModel.footprints, key))
        #expect(delete(bench, StockModel.footprints, first).isAccepted)
        try forgetAll(bench)
        let pin = try bench.store.pin()
        let lines = bench.store.recordLines(at: .max)
        #expect(put(bench, StockModel.footprints, key).isAccepted)
        bench.sync()
        #expect(bench.store.recordLines(at: pin.position.seq) == lines)
        bench.store.unpin(pin)
        // On a removal that its log still has, which is forgotten while the commit is not durable.
        let other = RecordKey(name: "g")
        let second = try made(put(bench, StockModel.footprints, other))
        #expect(delete(bench, StockModel.footprints, second).isAccepted)
        bench.sync()
        let before = bench.store.recordLines(at: .max)
        bench.time.advance(milliseconds: 1)
        #expect(put(bench, StockModel.footprints, other).isAccepted)
        let horizons = Horizons(tombstones: bench.time.wallMilliseconds())
        _ = try bench.store.compact(
            keepingFrom: bench.store.progress.durable,
            horizons: horizons,
            sizes: .small
        )
        disk.fail(.init(.sync, isLasting: true))
        bench.sync()
        if bench.store.progress.failure != nil {
            #expect(bench.store.recordLines(at: .max) == before)
        }
        disk.heal()
        let next = try StoreBench(disk.copy(), seed: 9, time: bench.time, options: Self.options)
        #expect(next.store.lines.count > 10)
    }

    // MARK: Lives

    @Test("A life whose removals are forgotten is the model's, through compactions and openings")
    func model() throws {
        var (forgettings, openings, used) = (0, 0, 0)
        try Seed.each(Seed.count(usually: 3)) { seed, random in
            let disk = SimulatedDisk(seed: seed)
            let bench = try StoreBench(disk, seed: seed, options: Self.options)
            let life = try StockLife(bench, seed: seed)
            for _ in 1...1200 {
                try life.step()
                if random.oneIn(10) { bench.sync() }
                guard random.oneIn(30) else { continue }
                let hashes = bench.store.read { $0.state.hashes.map(\.hash) }
                let limit = random.oneIn(3) ? bench.store.progress.durable / 2 + 1 : nil
                let time = bench.time.wallMilliseconds() - Int64(random.below(2_000_000))
                try life.compact(keepingFrom: limit, forgettingBefore: time, sizes: .small)
                forgettings += 1
                #expect(bench.store.read { $0.state.hashes.map(\.hash) } == hashes)
                try life.model.compare(with: bench.store)
                used += bench.store.manifest?.parts.count { $0.kind == .used } ?? 0
                guard random.oneIn(2) else { continue }
                bench.sync()
                let lines = bench.store.lines
                try bench.reopen()
                openings += 1
                try compare(bench.store.lines, lines, "the state opened again with before")
                try life.checkRemembered()
            }
            bench.sync()
            try life.model.compare(with: bench.store)
            try bench.store.close()
            let checkpoint = try #require(try Checkpoint.newest(on: disk))
            try checkpoint.verify()
            #expect(life.hasForgotten)
        }
        #expect(
            forgettings > 60 && openings > 30 && used > 60,
            "\(forgettings) \(openings) \(used)"
        )
    }

    @Test("Ended at any operation of a compaction that forgets, it leaves all that stands")
    func everyOperation() throws {
        let disk = SimulatedDisk(seed: 6)
        let bench = try StoreBench(disk, seed: 6, options: Self.options)
        let life = try StockLife(bench, seed: 6, keepsHistory: true)
        for _ in 0..<250 { try life.step() }
        bench.sync()
        let early = bench.time.wallMilliseconds() - 400_000
        try life.compact(forgettingBefore: early, sizes: .small)
        for _ in 0..<200 { try life.step() }
        bench.sync()
        let time = bench.time.wallMilliseconds() - 100_000
        try bench.store.close()
        var (count, remembered): (Int, Set<Int>) = (0, [])
        while true {
            let image = disk.copy()
            let next = try life.resumed(
                with: StoreBench(image, seed: 7, time: bench.time, options: Self.options),
                seed: 7
            )
            image.halt(afterOperations: count)
            var isDone = false
            do {
                try next.compact(forgettingBefore: time, sizes: .small)
                isDone = true
            } catch {
                try #require(error is StoreError, "\(error)")
            }
            let after = try next.resumed(
                with: StoreBench(
                    image.crash(seed: UInt64(count)),
                    seed: 8,
                    time: bench.time,
                    options: Self.options
                ),
                seed: UInt64(count)
            )
            try after.model.compare(with: after.bench.store)
            remembered.insert(after.goneCount)
            for _ in 0..<15 { try after.step() }
            if isDone { break }
            count += 1
        }
        // The removals of before, or those that are left.
        #expect(remembered.count == 2 && count > 40, "\(remembered) in \(count) operations")
    }

    // MARK: Files

    @Test("Files of version 1 stay so until something is forgotten; those with used keys say 2")
    func versions() throws {
        let disk = SimulatedDisk(seed: 26)
        let bench = try begun(disk)
        let bin = try made(put(bench, StockModel.bins))
        #expect(delete(bench, StockModel.bins, bin).isAccepted)
        bench.sync()
        func versions() throws -> [String: UInt16] {
            let files = disk.paths(in: "parts") + disk.paths(in: "manifest")
            return Dictionary(
                uniqueKeysWithValues: try files.map { file in
                    let bytes = try #require(disk.bytes(file))
                    return (file, bytes.withView { $0.integer(UInt16.self, at: 12) })
                }
            )
        }
        try bench.store.compact(sizes: .small)
        #expect(try Set(versions().values) == [1])
        try forgetAll(bench)
        let manifest = try #require(bench.store.manifest)
        let expected = manifest.parts.filter { $0.kind == .used }.map(\.path) + [manifest.path]
        #expect(expected.count == 2)
        #expect(try Set(versions().filter { $0.value == 2 }.keys) == Set(expected))
        // A version that nobody here knows is refused as such.
        for file in expected {
            var bytes = try #require(disk.bytes(file))
            bytes[12] = 3
            let length = file == manifest.path ? bytes.count : 32 + 8
            let crc = bytes.withView { CRC32C.extend(0, $0[12..<length]) }
            for index in 0..<4 { bytes[8 + index] = UInt8(truncatingIfNeeded: crc >> (8 * index)) }
            let image = disk.copy()
            image.put(file, bytes)
            let error = #expect(throws: StoreError.self) {
                _ = try StoreBench(image, seed: 5, time: bench.time, options: Self.options)
            }
            guard case .log(.unsupportedFormat(file, version: 3)) = error else {
                Issue.record("\(file): \(String(describing: error))")
                continue
            }
        }
        // Lost or damaged, they are damage, and no id is given out again.
        let file = try #require(manifest.parts.filter { $0.kind == .used }.first).path
        for (what, image) in try disk.damaged(file) {
            #expect(throws: StoreError.self, "\(what)") {
                _ = try StoreBench(image, seed: 5, time: bench.time, options: Self.options)
            }
        }
    }
}
