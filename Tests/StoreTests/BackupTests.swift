// Backups hold what stood, cost what is new, and survive whatever ends the making of another; a
// database made of one is the same database in a new epoch.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

@Suite struct BackupTests {
    /// A change that a resend answers again.
    private static let marker: [HoldfastRecords.Operation] = [
        .put(
            WriteOperation(
                tree: StockModel.footprints,
                key: RecordKey(name: "marker"),
                expects: .absent,
                value: Array("{}".utf8)
            )
        )
    ]

    /// A database with a life, and the directory its backups go to.
    private struct Scene {
        let bench: StoreBench
        let life: StockLife
        let folder = SimulatedDisk(seed: 90)

        init(seed: UInt64, stepCount: Int) throws {
            bench = try StoreBench(SimulatedDisk(seed: seed), seed: seed)
            life = try StockLife(bench, seed: seed)
            try live(stepCount)
        }

        func live(_ stepCount: Int) throws {
            for _ in 0..<stepCount { try life.step() }
            bench.sync()
        }

        var lines: [String] {
            bench.store.recordLines(at: .max, pageCount: 50)
        }

        func backUp(
            to disk: SimulatedDisk? = nil
        ) throws -> (backup: Backup, isNew: Bool, written: Int)? {
            var writer = try BackupWriter(disk ?? folder, of: bench.store.identity)
            defer { writer.close() }
            let made = try bench.store.backUp(into: &writer, sizes: .small)
            return made.map { ($0.backup, $0.isNew, writer.writtenCount) }
        }
    }

    private func restored(
        _ backup: Backup,
        from folder: SimulatedDisk,
        time: FakeTime
    ) throws -> (bench: StoreBench, disk: SimulatedDisk) {
        let disk = SimulatedDisk(seed: 91)
        _ = try backup.restore(from: folder, to: disk, random: SeededRandom(seed: 92))
        let survivor = disk.crash(seed: 93)
        return (try StoreBench(survivor, seed: 94, time: time), survivor)
    }

    @Test("Each backup holds what stood, writes what is new, and becomes a database of that state")
    func states() throws {
        let scene = try Scene(seed: 1, stepCount: 250)
        let first = try #require(try scene.backUp())
        let before = scene.lines
        #expect(first.isNew && first.written == first.backup.manifest.parts.count)
        let again = try #require(try scene.backUp())
        #expect(!again.isNew && again.backup == first.backup && again.written == 0)
        try scene.live(6)
        let id = scene.bench.id()
        #expect(scene.bench.submit(Self.marker, id: id).isAccepted)
        scene.bench.sync()
        let second = try #require(try scene.backUp())
        #expect(second.isNew && second.written < second.backup.manifest.parts.count / 2)
        #expect(try Backup.all(on: scene.folder).backups == [first.backup, second.backup])
        #expect(try Backup.verify(on: scene.folder).isEmpty)

        let survivor = scene.folder.crash(seed: 95)
        let old = try restored(first.backup, from: survivor, time: scene.bench.time)
        try compare(
            old.bench.store.recordLines(at: .max, pageCount: 50),
            before,
            "the first backup's state"
        )
        let new = try restored(second.backup, from: survivor, time: scene.bench.time)
        try compare(
            new.bench.store.recordLines(at: .max, pageCount: 50),
            scene.lines,
            "the second backup's state"
        )
        let lineage = new.bench.store.lineage
        #expect(lineage.dropLast() == scene.bench.store.lineage[...])
        #expect(lineage.last?.firstSeq == second.backup.position.seq + 1)
        #expect(new.bench.store.identity.databaseID == scene.bench.store.identity.databaseID)
        #expect(new.bench.store.identity.epoch != scene.bench.store.identity.epoch)
        // What changes did is remembered, though the log is not there.
        #expect(new.bench.submit(Self.marker, id: id).isReplayed)
        // A backup of the restored one is the same state: nothing is written.
        var writer = try BackupWriter(scene.folder, of: new.bench.store.identity)
        defer { writer.close() }
        let same = try #require(try new.bench.store.backUp(into: &writer, sizes: .small))
        #expect(!same.isNew && same.backup == second.backup)
    }

    @Test("A store open for reading is backed up beside its writer, and nothing in it changes")
    func beside() throws {
        let scene = try Scene(seed: 2, stepCount: 120)
        let disk = try #require(scene.bench.disk as? SimulatedDisk)
        let before = disk.paths.map { disk.bytes($0) }
        let reader = try Store(
            disk: disk,
            application: nil,
            options: LogOptions(isWritable: false),
            time: scene.bench.time,
            random: SeededRandom(seed: 3),
            logger: StoreBench.silent
        )
        var writer = try BackupWriter(scene.folder, of: reader.identity)
        let made = try #require(try reader.backUp(into: &writer, sizes: .small))
        writer.close()
        #expect(disk.paths.map { disk.bytes($0) } == before)
        let own = try #require(try scene.backUp())
        #expect(!own.isNew && own.backup == made.backup)
    }

    @Test("Ended at any operation, a backup leaves the older ones whole, and is there or not")
    func everyOperation() throws {
        let scene = try Scene(seed: 4, stepCount: 60)
        let first = try #require(try scene.backUp()).backup
        try scene.live(12)
        var (count, newCount) = (0, 0)
        while true {
            let image = scene.folder.copy()
            image.halt(afterOperations: count)
            var isDone = false
            do {
                isDone = try scene.backUp(to: image) != nil
            } catch let error as CommitLogError {
                #expect(error.isOfDisk, "\(error)")
            } catch StoreError.log(let error) {
                #expect(error.isOfDisk, "\(error)")
            }
            let after = image.crash(seed: UInt64(count))
            let found = try Backup.all(on: after)
            try #require(found.damages.isEmpty && found.backups.first == first, "\(count)")
            try #require(try Backup.verify(on: after).isEmpty, "after \(count) operations")
            newCount += found.backups.count - 1
            if isDone {
                #expect(found.backups.count == 2)
                break
            }
            // The next try goes on from there.
            try #require(try scene.backUp(to: after) != nil)
            #expect(try Backup.all(on: after).backups.count == 2)
            count += 1
        }
        #expect(count > 20 && newCount > 0, "\(count) operations, \(newCount) times it stood")
    }

    @Test("Ended at any operation, a restore leaves no database or the whole one; a try goes on")
    func everyRestore() throws {
        let scene = try Scene(seed: 5, stepCount: 40)
        let backup = try #require(try scene.backUp()).backup
        var (count, presentCount) = (0, 0)
        while true {
            let disk = SimulatedDisk(seed: 6)
            disk.halt(afterOperations: count)
            var isDone = false
            do throws(CommitLogError) {
                _ = try backup.restore(
                    from: scene.folder,
                    to: disk,
                    random: SeededRandom(seed: 7)
                )
                isDone = true
            } catch {
                #expect(error.isOfDisk, "\(error)")
            }
            let after = disk.crash(seed: UInt64(count))
            if try CommitLog.isPresent(disk: after) {
                presentCount += 1
            } else {
                try #require(!isDone)
                _ = try backup.restore(
                    from: scene.folder,
                    to: after,
                    random: SeededRandom(seed: 8)
                )
            }
            #expect(try Healing(on: after)?.made == backup.position)
            try scene.life.model.compare(
                with: StoreBench(after, seed: 9, time: scene.bench.time).store
            )
            if isDone { break }
            count += 1
        }
        #expect(count > 20 && presentCount > 0, "\(count) operations")
    }

    @Test("The oldest backups are dropped with the parts that no other names")
    func dropping() throws {
        let scene = try Scene(seed: 10, stepCount: 80)
        var backups: [Backup] = []
        for _ in 0..<4 {
            backups.append(try #require(try scene.backUp()).backup)
            try scene.live(10)
        }
        #expect(try BackupWriter.keep(2, on: scene.folder) == Array(backups.prefix(2)))
        #expect(try Backup.all(on: scene.folder).backups == Array(backups.suffix(2)))
        let named = Set(backups.suffix(2).flatMap(\.manifest.parts).map(\.path))
        #expect(scene.folder.paths(in: "parts") == named.sorted())
        #expect(try Backup.verify(on: scene.folder).isEmpty)
        // Ended in the middle, what stays is whole.
        for count in 0..<20 {
            let image = scene.folder.copy()
            image.halt(afterOperations: count)
            _ = try? BackupWriter.keep(1, on: image)
            let after = image.crash(seed: UInt64(count))
            #expect(try Backup.all(on: after).backups.last == backups.last)
            #expect(try Backup.verify(on: after).isEmpty)
        }
    }

    @Test("Every damage of a backup is named, and no database is made of it")
    func damage() throws {
        let scene = try Scene(seed: 11, stepCount: 60)
        let backup = try #require(try scene.backUp()).backup
        let files = scene.folder.paths(in: "parts") + scene.folder.paths(in: "manifest")
        for (number, file) in files.enumerated() where number % 4 == 0 || number == files.count - 1
        {
            for (what, image) in try scene.folder.damaged(file) {
                // Without its own file there is one backup less, as there may be.
                if file.hasPrefix("manifest"), image.bytes(file) == nil { continue }
                let damages = try Backup.verify(on: image)
                guard case .damaged(let found, _, _) = damages.first, damages.count == 1 else {
                    throw Disagreement("\(what): \(damages)")
                }
                #expect(found == file, "\(what)")
                guard file.hasPrefix("parts") else { continue }
                let target = SimulatedDisk()
                #expect(throws: damages[0], "\(what)") {
                    _ = try backup.restore(from: image, to: target, random: SeededRandom(seed: 1))
                }
                #expect(try !CommitLog.isPresent(disk: target))
            }
        }
    }

    @Test("Another database's backups, another's files and a second writer are refused")
    func refused() throws {
        let scene = try Scene(seed: 12, stepCount: 20)
        let backup = try #require(try scene.backUp()).backup
        let other = try Scene(seed: 13, stepCount: 20)
        let ids = (other.bench.store.identity.databaseID, scene.bench.store.identity.databaseID)
        let before = scene.folder.paths
        #expect(throws: CommitLogError.otherDatabase(expected: ids.0, found: ids.1)) {
            _ = try other.backUp(to: scene.folder)
        }
        #expect(scene.folder.paths == before)
        let used = SimulatedDisk()
        used.put("letters", [1])
        #expect(throws: CommitLogError.notEmpty("letters")) { _ = try scene.backUp(to: used) }
        #expect(throws: CommitLogError.notEmpty("letters")) {
            _ = try backup.restore(from: scene.folder, to: used, random: SeededRandom(seed: 1))
        }
        #expect(used.paths == ["letters"] || used.paths == ["LOCK", "letters"])
        let database = try #require(scene.bench.disk as? SimulatedDisk)
        #expect(throws: CommitLogError.alreadyPresent) {
            _ = try backup.restore(from: scene.folder, to: database, random: SeededRandom(seed: 1))
        }
        let writer = try BackupWriter(scene.folder, of: scene.bench.store.identity)
        #expect(throws: CommitLogError.inUse) { _ = try scene.backUp() }
        writer.close()
    }
}

extension CommitLogError {
    /// Whether the disk failed, and nothing else.
    fileprivate var isOfDisk: Bool {
        if case .disk = self { return true }
        return false
    }
}
