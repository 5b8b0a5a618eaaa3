// The names of a simulated disk: directories, renames, locks.
public import HoldfastStorage
internal import Glibc
internal import HoldfastBasics

extension SimulatedDisk {
    /// Opens or makes a file.
    public func open(_ path: String, _ mode: OpenMode) throws(DiskError) -> any DiskFile {
        try meet(.open, path)
        let file = state.withLock { state -> SimulatedFile? in
            if case .create = mode {
                guard state.directories.contains(parentDirectory(of: path)) else { return nil }
                let file = SimulatedFile([])
                state.live[path] = file
                state.pendingNames[parentDirectory(of: path), default: []].append(.put(path, file))
                return file
            }
            return state.live[path]
        }
        guard let file else { throw DiskError(.open, path, code: ENOENT) }
        var isWritable = true
        if case .read = mode { isWritable = false }
        return OpenSimulatedFile(path, file, self, isWritable: isWritable)
    }

    /// Moves a file over another name.
    public func rename(_ path: String, to newPath: String) throws(DiskError) {
        try meet(.rename, path)
        let isThere = state.withLock { state in
            guard state.live[path] != nil else { return false }
            Self.apply(.move(path, newPath), to: &state.live)
            state.pendingNames[parentDirectory(of: path), default: []].append(.move(path, newPath))
            return true
        }
        guard isThere else { throw DiskError(.rename, path, code: ENOENT) }
    }

    /// Removes a file; whoever has it open or mapped keeps it.
    public func remove(_ path: String) throws(DiskError) {
        try meet(.remove, path)
        let isThere = state.withLock { state in
            guard state.live.removeValue(forKey: path) != nil else { return false }
            state.pendingNames[parentDirectory(of: path), default: []].append(.drop(path))
            return true
        }
        guard isThere else { throw DiskError(.remove, path, code: ENOENT) }
    }

    /// The names in a directory, sorted.
    public func names(in directory: String) throws(DiskError) -> [String] {
        try meet(.list, directory)
        let names = state.withLock { state -> [String]? in
            guard state.directories.contains(directory) else { return nil }
            let all = Array(state.live.keys) + state.directories.filter { !$0.isEmpty }
            return all.filter { parentDirectory(of: $0) == directory }
                .map { directory.isEmpty ? $0 : String($0.dropFirst(directory.count + 1)) }.sorted()
        }
        guard let names else { throw DiskError(.list, directory, code: ENOENT) }
        return names
    }

    /// Makes a directory, durable at once (no claim of the house depends on its loss).
    public func makeDirectory(_ path: String) throws(DiskError) {
        try meet(.makeDirectory, path)
        state.withLock { _ = $0.directories.insert(path) }
    }

    /// Makes the names of a directory durable.
    public func syncDirectory(_ path: String) throws(DiskError) {
        try meet(.syncDirectory, path)
        state.withLock { state in
            for change in state.pendingNames.removeValue(forKey: path) ?? [] {
                Self.apply(change, to: &state.durable)
            }
        }
    }

    /// Takes a lock.
    public func lock(_ path: String, isShared: Bool) throws(DiskError) -> any DiskLock {
        try meet(.lock, path)
        let isFree = state.withLock { state in
            let holders = state.locks[path] ?? 0
            guard isShared ? holders >= 0 : holders == 0 else { return false }
            state.locks[path] = isShared ? holders + 1 : -1
            return true
        }
        guard isFree else { throw DiskError(.lock, path, code: EWOULDBLOCK) }
        return SimulatedLock(self, path)
    }

    /// What `limit(byteCount:)` leaves.
    public func freeByteCount() throws(DiskError) -> UInt64 {
        try meet(.size, "")
        return UInt64(max(0, room()))
    }
}

private final class SimulatedLock: DiskLock {
    private let disk: SimulatedDisk
    private let path: String
    private let isHeld = Lock(true)

    init(_ disk: SimulatedDisk, _ path: String) {
        self.disk = disk
        self.path = path
    }

    deinit { release() }

    func release() {
        let wasHeld = isHeld.withLock { isHeld in
            defer { isHeld = false }
            return isHeld
        }
        guard wasHeld else { return }
        disk.state.withLock { state in
            let holders = state.locks[path] ?? 0
            state.locks[path] = holders > 1 ? holders - 1 : nil
        }
    }
}
