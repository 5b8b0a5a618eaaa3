// A disk in memory that is made and thrown away for every input.
import Glibc
import HoldfastBasics
import HoldfastStorage

/// Files in memory; nothing is ever lost, and nothing fails but what POSIX refuses.
final class FuzzDisk: Disk {
    private let files = Lock<[String: FuzzFile]>([:])

    /// Puts a file in place.
    func put(_ path: String, _ bytes: [UInt8]) {
        let file = FuzzFile()
        bytes.withView { file.store($0, at: 0) }
        files.withLock { $0[path] = file }
    }

    func open(_ path: String, _ mode: OpenMode) throws(DiskError) -> any DiskFile {
        if case .create = mode {
            let file = FuzzFile()
            files.withLock { $0[path] = file }
            return file
        }
        guard let file = files.withLock({ $0[path] }) else {
            throw DiskError(.open, path, code: ENOENT)
        }
        return file
    }

    func rename(_ path: String, to newPath: String) throws(DiskError) {
        let isThere = files.withLock { files in
            guard let file = files.removeValue(forKey: path) else { return false }
            files[newPath] = file
            return true
        }
        guard isThere else { throw DiskError(.rename, path, code: ENOENT) }
    }

    func remove(_ path: String) throws(DiskError) {
        guard files.withLock({ $0.removeValue(forKey: path) }) != nil else {
            throw DiskError(.remove, path, code: ENOENT)
        }
    }

    func names(in directory: String) throws(DiskError) -> [String] {
        let prefix = directory.isEmpty ? "" : directory + "/"
        let paths = files.withLock { Array($0.keys) }
        let names = Set(
            paths.filter { $0.hasPrefix(prefix) }.compactMap {
                $0.dropFirst(prefix.count).split(separator: "/").first.map { String($0) }
            }
        )
        guard !names.isEmpty || directory.isEmpty else {
            throw DiskError(.list, directory, code: ENOENT)
        }
        return names.sorted()
    }

    func makeDirectory(_ path: String) throws(DiskError) {}

    func syncDirectory(_ path: String) throws(DiskError) {}

    func lock(_ path: String, isShared: Bool) throws(DiskError) -> any DiskLock {
        put(path, [])
        return FuzzLock()
    }

    func freeByteCount() throws(DiskError) -> UInt64 { 1 << 40 }
}

private final class FuzzLock: DiskLock {
    func release() {}
}

/// Memory that never moves, as maps point into it.
///
/// @unchecked Sendable: one thread uses a disk; the lock is only for what the protocol promises.
private final class FuzzFile: DiskFile, @unchecked Sendable {
    private static let reservedByteCount = 64 << 10
    private let memory: UnsafeMutableRawPointer
    private let length = Lock(0)

    init() {
        guard let memory = calloc(1, Self.reservedByteCount) else {
            preconditionFailure("no memory")
        }
        self.memory = memory
    }

    deinit { free(memory) }

    func store(_ bytes: ByteView, at offset: Int) {
        precondition(offset + bytes.count <= Self.reservedByteCount, "an input is too long")
        bytes.withUnsafeBytes {
            if let start = $0.baseAddress { memcpy(memory + offset, start, $0.count) }
        }
        length.withLock { $0 = max($0, offset + bytes.count) }
    }

    func size() throws(DiskError) -> Int { length.withLock { $0 } }

    func write(_ bytes: ByteView, at offset: Int) throws(DiskError) { store(bytes, at: offset) }

    func read(_ count: Int, at offset: Int) throws(DiskError) -> [UInt8] {
        let there = max(0, min(count, length.withLock { $0 } - offset))
        return Array(UnsafeRawBufferPointer(start: memory + offset, count: there))
    }

    func sync() throws(DiskError) {}

    func map(_ byteCount: Int) throws(DiskError) -> MappedFile {
        precondition(byteCount <= Self.reservedByteCount, "a map is too long")
        return MappedFile(start: memory, count: byteCount) { _, _ in
            withExtendedLifetime(self) {}
        }
    }
}
