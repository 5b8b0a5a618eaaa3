import Glibc
import HoldfastBasics
import HoldfastStorage
import HoldfastTestSupport
import Testing

/// The same rules for both disks, so that what is proven on the simulated one holds on the real
/// one.
@Suite struct DiskTests {
    private func onBothDisks(_ body: (any Disk) throws -> Void) throws {
        try body(SimulatedDisk())
        try withFolder { try body(PosixDisk($0 + "/deeper", create: true)) }
    }

    @Test("A file is made, written, read, mapped, renamed, listed and removed")
    func file() throws {
        try onBothDisks { disk in
            try disk.makeDirectory("log")
            try disk.makeDirectory("log")
            let file = try disk.open("log/a", .create)
            let map = try file.map(8192)
            try file.write([1, 2, 3], at: 5)
            #expect(try file.size() == 8)
            #expect(map.view[0..<8].array == [0, 0, 0, 0, 0, 1, 2, 3])
            try file.write([9], at: 6)
            #expect(map.view[6] == 9)
            try file.writeZeros(8..<3_000_000)
            #expect(try file.size() == 3_000_000)
            #expect(try file.read(4, at: 5) == [1, 9, 3, 0])
            #expect(try file.read(100, at: 2_999_999) == [0])
            #expect(try file.read(100, at: 4_000_000) == [])
            try file.sync()
            try disk.rename("log/a", to: "log/b")
            try disk.syncDirectory("log")
            _ = try disk.open("log/B", .create)
            #expect(try disk.names(in: "log") == ["B", "b"])
            #expect(try disk.names(in: "") == ["log"])
            try disk.remove("log/b")
            #expect(map.view[6] == 9)
            #expect(try disk.names(in: "log") == ["B"])
            #expect(try disk.freeByteCount() > 0)
        }
    }

    @Test("An atomic replacement leaves the new content and no temporary file")
    func replace() throws {
        try onBothDisks { disk in
            try disk.replace("IDENTITY", with: [1])
            try disk.replace("IDENTITY", with: [2, 3])
            #expect(try disk.contents(of: "IDENTITY") == [2, 3])
            #expect(try disk.names(in: "") == ["IDENTITY"])
        }
    }

    @Test("Errors name the operation, the path and the system's number")
    func errors() throws {
        try onBothDisks { disk in
            func error(_ body: () throws -> Void) throws -> DiskError {
                try #require(throws: DiskError.self) { try body() }
            }
            let missing = try error { _ = try disk.open("none", .readWrite) }
            #expect(missing == DiskError(.open, "none", code: ENOENT))
            #expect(missing.isMissing && missing.description.contains("none"))
            #expect(
                try error { try disk.remove("none") } == DiskError(.remove, "none", code: ENOENT)
            )
            #expect(
                try error { try disk.rename("none", to: "x") }
                    == DiskError(.rename, "none", code: ENOENT)
            )
            #expect(
                try error { _ = try disk.names(in: "none") }
                    == DiskError(.list, "none", code: ENOENT)
            )
            _ = try disk.open("file", .create)
            let reading = try disk.open("file", .read)
            #expect(
                try error { try reading.write([1], at: 0) }
                    == DiskError(.write, "file", code: EBADF)
            )
        }
    }

    @Test("A lock is held by one, also within a process, until it is let go of")
    func lock() throws {
        try onBothDisks { disk in
            let held = try disk.lock("LOCK")
            let error = try #require(throws: DiskError.self) { _ = try disk.lock("LOCK") }
            #expect(error.isLocked)
            held.release()
            _ = try disk.lock("LOCK")
            _ = try disk.lock("LOCK")
        }
    }

    @Test("A shared lock is held by many, and by nobody who wants it alone")
    func sharedLock() throws {
        try onBothDisks { disk in
            func isRefused(isShared: Bool) -> Bool {
                do throws(DiskError) {
                    _ = try disk.lock("LOCK", isShared: isShared)
                    return false
                } catch {
                    return error.isLocked
                }
            }
            let held = try (1...3).map { _ in try disk.lock("LOCK", isShared: true) }
            #expect(isRefused(isShared: false) && !isRefused(isShared: true))
            for lock in held.dropLast() { lock.release() }
            #expect(isRefused(isShared: false))
            held.last?.release()
            let alone = try disk.lock("LOCK")
            #expect(isRefused(isShared: true) && isRefused(isShared: false))
            alone.release()
            #expect(!isRefused(isShared: true) && !isRefused(isShared: false))
        }
    }
}

@Suite struct SimulatedDiskTests {
    @Test("A crash keeps what was synced, and may keep any sector of what was not")
    func crash() throws {
        let disk = SimulatedDisk()
        let file = try disk.open("a", .create)
        try disk.syncDirectory("")
        try file.write([UInt8](repeating: 1, count: 2048), at: 0)
        try file.sync()
        try file.write([UInt8](repeating: 2, count: 2048), at: 0)
        try file.write([UInt8](repeating: 3, count: 1024), at: 1024)
        var seen: Set<[UInt8]> = []
        for seed in 1...200 {
            let image = try #require(disk.crash(seed: UInt64(seed)).bytes("a"))
            let sectors = stride(from: 0, to: 2048, by: 512).map { Array(image[$0..<$0 + 512]) }
            #expect(sectors.allSatisfy { Set($0).count == 1 })
            seen.insert(sectors.map { $0[0] })
        }
        #expect(seen.contains([1, 1, 1, 1]) && seen.contains([2, 2, 3, 3]))
        #expect(seen.count > 20)
        #expect(seen.allSatisfy { $0[0] < 3 && $0[1] < 3 })
    }

    @Test("An unsynced name may be lost, a synced one is not; a rename shows only synced bytes")
    func names() throws {
        let disk = SimulatedDisk()
        let file = try disk.open("new", .create)
        try file.write([7], at: 0)
        var found: Set<[UInt8]?> = []
        for seed in 1...50 { found.insert(disk.crash(seed: UInt64(seed)).bytes("new")) }
        #expect(found == [nil, [], [7]])
        try file.sync()
        try disk.rename("new", to: "old")
        try disk.syncDirectory("")
        for seed in 1...50 { #expect(disk.crash(seed: UInt64(seed)).bytes("old") == [7]) }
    }

    @Test("After a failed sync the bytes are still read, and a later sync does not bring them")
    func failedSync() throws {
        let whole = [UInt8](repeating: 5, count: 4096)
        var lossCount = 0
        for seed in 1...20 {
            let disk = SimulatedDisk(seed: UInt64(seed))
            let file = try disk.open("a", .create)
            try disk.syncDirectory("")
            try file.write(whole, at: 0)
            disk.fail(.init(.sync))
            #expect(throws: DiskError.self) { try file.sync() }
            try file.sync()
            #expect(try file.read(4096, at: 0) == whole)
            let left = Set((1...5).map { disk.crash(seed: $0).bytes("a") })
            #expect(left.count == 1)
            if !left.contains(whole) { lossCount += 1 }
        }
        #expect(lossCount > 5)
    }

    @Test("A full disk fails the write, and takes it when there is room")
    func full() throws {
        let disk = SimulatedDisk()
        disk.limit(byteCount: 10)
        let file = try disk.open("a", .create)
        let error = try #require(throws: DiskError.self) {
            try file.write([UInt8](repeating: 1, count: 11), at: 0)
        }
        #expect(error.isFull)
        disk.heal()
        try file.write([UInt8](repeating: 1, count: 11), at: 0)
    }
}
