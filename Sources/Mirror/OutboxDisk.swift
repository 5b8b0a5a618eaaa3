// Where an outbox's log lies: in one of two directories, which of them says a file beside them.
//
// Invariant: the other directory holds nothing anybody needs.
internal import HoldfastBasics
internal import HoldfastStorage

/// The directories of an outbox.
struct OutboxDisk {
    /// Says which directory the log lies in; the first one where there is no such file.
    static let pointer = "current"
    static let names = ["a", "b"]

    let base: any Disk
    private let lock: any DiskLock
    /// The directory the log lies in.
    private(set) var name: String

    /// Takes the outbox for this process, and empties the directory that is not needed.
    init(_ base: any Disk) throws(DiskError) {
        self.base = base
        lock = try base.lock("lock")
        name = Self.names[0]
        if try base.names(in: "").contains(Self.pointer) {
            let found = String(decoding: try base.contents(of: Self.pointer), as: UTF8.self)
            if Self.names.contains(found) { name = found }
        }
        try clear(other)
    }

    /// The directory the log does not lie in.
    var other: String { Self.names[name == Self.names[0] ? 1 : 0] }

    /// A directory as a disk of its own, made where there is none.
    func directory(_ name: String) throws(DiskError) -> any Disk {
        try base.makeDirectory(name)
        try base.syncDirectory("")
        return Subdirectory(base: base, name: name)
    }

    /// From now on, whatever happens, the log lies in the other directory.
    mutating func swap() throws(DiskError) {
        try base.replace(Self.pointer, with: Array(other.utf8))
        name = other
    }

    /// Removes the files of a directory.
    func clear(_ directory: String) throws(DiskError) {
        guard try base.names(in: "").contains(directory) else { return }
        try remove(in: directory)
    }

    private func remove(in directory: String) throws(DiskError) {
        for name in try base.names(in: directory) {
            let path = directory + "/" + name
            do {
                try base.remove(path)
            } catch {
                // A directory: it stays, emptied.
                try remove(in: path)
            }
        }
        try base.syncDirectory(directory)
    }

    /// Lets other processes have it.
    func release() { lock.release() }
}

/// A directory of a disk.
private struct Subdirectory: Disk {
    let base: any Disk
    let name: String

    private func path(_ path: String) -> String { path.isEmpty ? name : name + "/" + path }

    func open(_ file: String, _ mode: OpenMode) throws(DiskError) -> any DiskFile {
        try base.open(path(file), mode)
    }

    func rename(_ file: String, to newPath: String) throws(DiskError) {
        try base.rename(path(file), to: path(newPath))
    }

    func remove(_ file: String) throws(DiskError) { try base.remove(path(file)) }

    func names(in directory: String) throws(DiskError) -> [String] {
        try base.names(in: path(directory))
    }

    func makeDirectory(_ directory: String) throws(DiskError) {
        try base.makeDirectory(path(directory))
    }

    func syncDirectory(_ directory: String) throws(DiskError) {
        try base.syncDirectory(path(directory))
    }

    func lock(_ file: String, isShared: Bool) throws(DiskError) -> any DiskLock {
        try base.lock(path(file), isShared: isShared)
    }

    func freeByteCount() throws(DiskError) -> UInt64 { try base.freeByteCount() }
}
