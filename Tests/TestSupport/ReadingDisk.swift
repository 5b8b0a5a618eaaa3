// A directory as a process sees it that may only read there, while another one works in it.
internal import Glibc
internal import HoldfastBasics
public import HoldfastStorage

/// A disk that refuses every change, and lets something happen between two operations.
public final class ReadingDisk: Disk {
    private struct State {
        var count = 0
        var refusedCount = 0
        var actions: [Int: () throws -> Void] = [:]
        var failure: (any Error)?
    }

    private let disk: any Disk
    private let state: Lock<State>

    /// Reads another disk.
    public init(_ disk: any Disk) {
        self.disk = disk
        state = Lock(State())
    }

    /// Has `body` run before an operation, counted from now.
    public func before(operation number: Int, _ body: sending @escaping () throws -> Void) {
        state.withLock { state in state.actions[state.count + number] = body }
    }

    /// Operations asked for until now.
    public var operationCount: Int { state.withLock(\.count) }

    /// Changes that were refused.
    public var refusedCount: Int { state.withLock(\.refusedCount) }

    /// What an action threw.
    public var failure: (any Error)? { state.withLock(\.failure) }

    private func step() {
        state.withLock { state in
            state.count += 1
            guard let action = state.actions.removeValue(forKey: state.count) else { return }
            do { try action() } catch { state.failure = error }
        }
    }

    private func refuse(_ operation: DiskError.Operation, _ path: String) -> DiskError {
        state.withLock { $0.refusedCount += 1 }
        return DiskError(operation, path, code: EROFS)
    }

    /// Opens for reading alone.
    public func open(_ path: String, _ mode: OpenMode) throws(DiskError) -> any DiskFile {
        guard case .read = mode else { throw refuse(.open, path) }
        step()
        return ReadingFile(try disk.open(path, mode)) { [weak self] in self?.step() }
    }

    /// Refuses.
    public func rename(_ path: String, to newPath: String) throws(DiskError) {
        throw refuse(.rename, path)
    }

    /// Refuses.
    public func remove(_ path: String) throws(DiskError) { throw refuse(.remove, path) }

    /// Lists.
    public func names(in directory: String) throws(DiskError) -> [String] {
        step()
        return try disk.names(in: directory)
    }

    /// Refuses.
    public func makeDirectory(_ path: String) throws(DiskError) {
        throw refuse(.makeDirectory, path)
    }

    /// Refuses.
    public func syncDirectory(_ path: String) throws(DiskError) {
        throw refuse(.syncDirectory, path)
    }

    /// Refuses.
    public func lock(_ path: String, isShared: Bool) throws(DiskError) -> any DiskLock {
        throw refuse(.lock, path)
    }

    /// None.
    public func freeByteCount() throws(DiskError) -> UInt64 { 0 }
}

/// A file that cannot be written.
private final class ReadingFile: DiskFile {
    private let file: any DiskFile
    private let step: @Sendable () -> Void

    init(_ file: any DiskFile, _ step: @escaping @Sendable () -> Void) {
        self.file = file
        self.step = step
    }

    func size() throws(DiskError) -> Int {
        step()
        return try file.size()
    }

    func write(_ bytes: ByteView, at offset: Int) throws(DiskError) {
        throw DiskError(.write, "", code: EBADF)
    }

    func read(_ count: Int, at offset: Int) throws(DiskError) -> [UInt8] {
        try file.read(count, at: offset)
    }

    func sync() throws(DiskError) { throw DiskError(.sync, "", code: EBADF) }

    func map(_ byteCount: Int) throws(DiskError) -> MappedFile { try file.map(byteCount) }
}
