// The hazards of the stores this one learnt from, each by its name: what was lost or spoilt there
// stays here.
import Foundation
import Glibc
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEmbedded
import HoldfastEngine
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

@Suite(.serialized) struct SeedHazardTests {
    private static let options = LogOptions(segmentByteCount: 4096, growByteCount: 1024)
    private static let sizes = PartSizes(least: 500, most: 4096, mask: 3)

    /// A store with a life in it, and the model of that.
    private func life(_ disk: any Disk, seed: UInt64 = 1, steps: Int = 60) throws -> StockLife {
        let bench = try StoreBench(disk, seed: seed, options: Self.options)
        let life = try StockLife(bench, seed: seed, keepsHistory: true)
        for _ in 0..<steps { try life.step() }
        bench.sync()
        return life
    }

    private func lastSegment(_ disk: any Disk) throws -> String {
        let names = try disk.names(in: "log").filter { $0.hasSuffix(".seg") }
        return "log/" + (try #require(names.last))
    }

    @Test(
        "Append after a torn tail: what follows the last whole commit is gone, not between others"
    )
    func appendAfterTornTail() throws {
        let disk = SimulatedDisk()
        let whole = try life(disk)
        let path = try lastSegment(disk)
        // A kill: nothing is closed. The tail is cut at every place, and torn there or left zero.
        let bytes = try #require(disk.bytes(path))
        let end = (bytes.lastIndex { $0 != 0 } ?? 0) + 1
        for cut in stride(from: end - 1, to: max(end - 400, 200), by: -23) {
            for garbage in [false, true] {
                let image = disk.copy()
                var torn = Array(bytes.prefix(cut))
                if garbage { torn += SeededRandom(seed: UInt64(cut)).bytes(end - cut) }
                image.put(path, torn)
                let bench: StoreBench
                do {
                    bench = try StoreBench(image, time: whole.bench.time, options: Self.options)
                } catch StoreError.log(.damaged) {
                    // A later mark vouched for what was cut off: never silently.
                    continue
                }
                let next = try whole.resumed(with: bench, seed: UInt64(cut))
                for _ in 0..<5 { try next.step() }
                bench.sync()
                try bench.reopen()
                try next.model.compare(with: bench.store)
                try bench.store.compareWithFreshFold()
            }
        }
    }

    @Test("A stale temporary file, longer than what is written next, is never read")
    func staleTemporaryFile() throws {
        let disk = SimulatedDisk()
        let life = try life(disk)
        try life.bench.store.compact(sizes: Self.sizes)
        try life.bench.store.close()
        let garbage = SeededRandom(seed: 1).bytes(300_000)
        let part = try #require(try disk.names(in: "parts").first)
        let temporary = [
            "log/spare", "log/0000000000000001.idx.new", "IDENTITY.new", "parts/\(part).new",
            "manifest/0000000000000001.new",
        ]
        for path in temporary { disk.put(path, garbage) }
        try life.bench.reopen(closing: false)
        try life.model.compare(with: life.bench.store)
        for _ in 0..<100 { try life.step() }
        life.bench.sync()
        try life.bench.store.compact(sizes: Self.sizes)
        try life.model.compare(with: life.bench.store)
        try life.bench.reopen()
        try life.model.compare(with: life.bench.store)
        // Those that take room are gone, the others are written over.
        #expect(disk.paths.filter { $0.hasPrefix("parts/") && $0.hasSuffix(".new") } == [])
        #expect(disk.bytes("log/spare")?.count ?? 0 < garbage.count)
        try life.bench.store.close()
    }

    @Test("Whoever waits for the lock gets that of the files that count, whatever was replaced")
    func waiterOnReplacedFile() throws {
        try withFolder { folder in
            let disk = try PosixDisk(folder, create: true)
            let life = try life(disk)
            func lockFile() throws -> UInt64 {
                var facts = stat()
                try #require(stat(folder + "/LOCK", &facts) == 0)
                return UInt64(facts.st_ino)
            }
            let before = try lockFile()
            let seen = Lock<[UInt64]>([])
            // Waits as another process would, by a descriptor it opens once.
            let descriptor = Glibc.open(folder + "/LOCK", O_RDWR | O_CLOEXEC)
            let waiter = Worker {
                guard flock(descriptor, LOCK_EX) == 0, let disk = try? PosixDisk(folder) else {
                    return
                }
                // It holds the lock: nobody else may open, and the log it reads is the log.
                let isRefused = (try? disk.lock("LOCK")) == nil
                let head = try? LogReader.open(disk: disk).head
                seen.withLock { $0 = [isRefused ? 1 : 0, head ?? 0] }
                close(descriptor)
            }
            for _ in 0..<3 {
                for _ in 0..<20 { try life.step() }
                life.bench.sync()
                try life.bench.store.compact(sizes: Self.sizes)
            }
            #expect(try lockFile() == before)
            let head = life.bench.store.read { $0.state.head }
            try life.bench.store.close()
            waiter.join()
            #expect(seen.withLock { $0 } == [1, head])
            #expect(try lockFile() == before)
            try life.bench.reopen(closing: false)
            try life.model.compare(with: life.bench.store)
            try life.bench.store.close()
        }
    }

    /// A record of the embedded database.
    private struct Bin: HoldfastEmbedded.Record {
        var label: String
        static func define(_ tree: inout HoldfastEmbedded.TreeDefinition<Bin>) {
            tree.name = "bins"
            tree.version = "1.0"
        }
    }

    private static func open(_ folder: String) async throws -> Database {
        try await Database.open(folder, application: "stockroom", trees: [Bin.self])
    }

    @Test("A transaction that panics, or throws, leaves nothing of itself and holds nothing up")
    func transactionThatPanics() async throws {
        struct Stop: Error {}
        let folder = NSTemporaryDirectory() + "holdfast-panic-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let first = try await Self.open(folder)
        let key = try await first.write { try $0.create(Bin(label: "A")) }.value
        await #expect(throws: Stop.self) {
            try await first.write { tx in
                try tx.update(key) { $0.label = "B" }
                _ = try tx.create(Bin(label: "C"))
                throw Stop()
            }
        }
        #expect(try first[key]?.label == "A")
        _ = try await first.write { try $0.create(Bin(label: "D")) }
        try await first.close()
        // The process ends in the middle of one.
        await #expect(processExitsWith: .failure) { [folder = folder as String] in
            let db = try await Self.open(folder)
            try await db.write { tx in
                _ = try tx.create(Bin(label: "E"))
                preconditionFailure("a programmer's mistake")
            }
        }
        let again = try await Self.open(folder)
        #expect(try Set(again.tree(Bin.self).all.fetch().map(\.value.label)) == ["A", "D"])
        _ = try await again.write { try $0.create(Bin(label: "G")) }
        try await again.close()
    }

    @Test("4 GiB: a log that passes it, and goes on far behind it, reads every place")
    func fourGiB() throws {
        for base in [UInt64(1) << 32 - 20_000, UInt64(1) << 44] {
            let disk = SimulatedDisk()
            _ = try StoreBench(disk, options: Self.options).store.close()
            // The first segment may begin anywhere: 4 GiB of commits before it were dropped.
            let path = "log/0000000000000001.seg"
            var bytes = try #require(disk.bytes(path))
            func put<I: FixedWidthInteger>(_ value: I, at offset: Int) {
                withUnsafeBytes(of: value.littleEndian) {
                    bytes.replaceSubrange(offset..<offset + $0.count, with: $0)
                }
            }
            let head: Int = bytes.withView { Int($0.integer(UInt32.self, at: 16)) }
            bytes.replaceSubrange(head..., with: [UInt8](repeating: 0, count: bytes.count - head))
            put(base, at: 48)
            put(bytes.withView { CRC32C.extend(0, $0[12..<head]) }, at: 8)
            disk.put(path, bytes)
            let life = try life(disk, steps: 300)
            let highest = life.bench.store.read { reader in
                reader.state.allTrees.map { tree -> UInt64 in
                    var last: UInt64 = 0
                    _ = reader.state.scan(
                        tree,
                        after: nil,
                        prefix: nil,
                        .all,
                        at: .max,
                        entryCountMax: .max
                    ) {
                        last = max(last, $1.frameOffset)
                        return true
                    }
                    return last
                }.max() ?? 0
            }
            #expect(highest > UInt64(1) << 32)
            try life.model.compare(with: life.bench.store)
            try life.bench.store.compareWithFreshFold()
            // What a crash takes back, what a compaction moves, what an opening reads.
            disk.fail(.init(.sync))
            for _ in 0..<10 { try life.step() }
            life.bench.sync()
            let again = try StoreBench(
                disk.copy(),
                time: life.bench.time,
                options: Self.options
            )
            let next = try life.resumed(with: again, seed: 3)
            try next.model.compare(with: again.store)
            try again.store.compact(sizes: Self.sizes)
            for _ in 0..<100 { try next.step() }
            again.sync()
            try again.reopen()
            try next.model.compare(with: again.store)
        }
    }

    @Test("Two writers: the second is refused, in this process and another, and changes no byte")
    func twoWriters() async throws {
        let folder = NSTemporaryDirectory() + "holdfast-two-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let disk = try PosixDisk(folder, create: true)
        let life = try life(disk)
        func contents() throws -> [String: [UInt8]] {
            var all: [String: [UInt8]] = [:]
            for directory in ["", "log"] {
                for name in try disk.names(in: directory) where name != "log" {
                    let path = directory.isEmpty ? name : directory + "/" + name
                    all[path] = try disk.contents(of: path)
                }
            }
            return all
        }
        let before = try contents()
        do {
            _ = try StoreBench(PosixDisk(folder))
            Issue.record("two writers")
        } catch StoreError.log(.inUse) {
            #expect(try contents() == before)
        }
        await #expect(processExitsWith: .success) { [folder = folder as String] in
            do {
                _ = try StoreBench(PosixDisk(folder))
                exit(1)
            } catch StoreError.log(.inUse) {
                exit(0)
            }
        }
        #expect(try contents() == before)
        for _ in 0..<20 { try life.step() }
        life.bench.sync()
        try life.bench.reopen()
        try life.model.compare(with: life.bench.store)
        try life.bench.store.close()
    }

    @Test("Read-only: everything is read where nothing may be written, and nothing is changed")
    func readOnly() throws {
        let disk = SimulatedDisk()
        let life = try life(disk)
        try life.bench.store.compact(sizes: Self.sizes)
        for _ in 0..<30 { try life.step() }
        life.bench.sync()
        // Beside the writer, and of a directory that was left in the middle.
        for image in [disk, disk.copy()] {
            let before = image.paths.map { ($0, image.bytes($0)) }
            let reading = ReadingDisk(image)
            var options = Self.options
            options.isWritable = false
            let store = try Store(
                disk: reading,
                application: "stockroom",
                options: options,
                logger: StoreBench.silent
            )
            try life.model.compare(with: store)
            #expect(store.writeRefusal != nil)
            try store.close()
            #expect(reading.refusedCount == 0)
            #expect(before.elementsEqual(image.paths.map { ($0, image.bytes($0)) }, by: ==))
        }
        try life.bench.store.close()
    }
}
