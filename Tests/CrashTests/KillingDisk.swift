// A disk that kills its process at a call: in the middle of a write, before a sync, between a rename
// and the sync of its directory.
import Foundation
import Glibc
import HoldfastBasics
import HoldfastStorage

/// Counts the calls to some disks, and kills the process at one.
final class KillingCounter: Sendable {
    private let count = Lock(0)
    private let last: Int

    init(at last: Int) { self.last = last }

    /// Calls until now.
    var callCount: Int { count.withLock { $0 } }

    /// Counts a call; of the last one an even number is done, then the process ends.
    func call<T>(_ body: () throws(DiskError) -> T) throws(DiskError) -> T {
        let isLast = count.withLock { count in
            count += 1
            return count == last
        }
        guard isLast else { return try body() }
        if last.isMultiple(of: 2) {
            do throws(DiskError) {
                _ = try body()
            } catch {
                // A call that fails, as for a file that is not there, is the last one too.
            }
        }
        kill(getpid(), SIGKILL)
        // The signal is on its way.
        while true { pause() }
    }
}

/// A disk whose process is killed at a call.
final class KillingDisk: Disk {
    private let disk: PosixDisk
    private let counter: KillingCounter

    init(_ disk: PosixDisk, _ counter: KillingCounter) {
        self.disk = disk
        self.counter = counter
    }

    func open(_ path: String, _ mode: OpenMode) throws(DiskError) -> any DiskFile {
        KillingFile(
            try counter.call { () throws(DiskError) in try disk.open(path, mode) },
            counter
        )
    }

    func rename(_ path: String, to newPath: String) throws(DiskError) {
        try counter.call { () throws(DiskError) in try disk.rename(path, to: newPath) }
    }

    func remove(_ path: String) throws(DiskError) {
        try counter.call { () throws(DiskError) in try disk.remove(path) }
    }

    func names(in directory: String) throws(DiskError) -> [String] {
        try disk.names(in: directory)
    }

    func makeDirectory(_ path: String) throws(DiskError) {
        try counter.call { () throws(DiskError) in try disk.makeDirectory(path) }
    }

    func syncDirectory(_ path: String) throws(DiskError) {
        try counter.call { () throws(DiskError) in try disk.syncDirectory(path) }
    }

    func lock(_ path: String, isShared: Bool) throws(DiskError) -> any DiskLock {
        try disk.lock(path, isShared: isShared)
    }

    func freeByteCount() throws(DiskError) -> UInt64 { try disk.freeByteCount() }
}

private final class KillingFile: DiskFile {
    private let file: any DiskFile
    private let counter: KillingCounter

    init(_ file: any DiskFile, _ counter: KillingCounter) {
        self.file = file
        self.counter = counter
    }

    func size() throws(DiskError) -> Int { try file.size() }

    /// Two calls: a kill between them leaves half.
    func write(_ bytes: ByteView, at offset: Int) throws(DiskError) {
        let half = bytes.count / 2
        try counter.call { () throws(DiskError) in try file.write(bytes[0..<half], at: offset) }
        try counter.call { () throws(DiskError) in
            try file.write(bytes.suffix(from: half), at: offset + half)
        }
    }

    func read(_ count: Int, at offset: Int) throws(DiskError) -> [UInt8] {
        try file.read(count, at: offset)
    }

    func sync() throws(DiskError) { try counter.call { () throws(DiskError) in try file.sync() } }

    func map(_ byteCount: Int) throws(DiskError) -> MappedFile { try file.map(byteCount) }
}
