// The disk of a POSIX system. All calls go through one descriptor of the directory, so that moving
// the directory, or changing the working directory, changes nothing for an open database.
internal import HoldfastBasics
internal import Glibc

/// A directory of the file system.
///
/// Source: POSIX.1-2017 (openat, pwrite, renameat, fsync), Linux man pages (flock, fdatasync).
public final class PosixDisk: Disk {
    /// The directory's path as it was given.
    public let directory: String
    private let descriptor: Int32

    /// Opens a directory.
    ///
    /// - Parameters:
    ///   - directory: Its path.
    ///   - create: Whether to make it, and the directories above it, when missing.
    /// - Throws: `open`, `makeDirectory`.
    public init(_ directory: String, create: Bool = false) throws(DiskError) {
        self.directory = directory
        if create { try Self.makeDirectories(directory) }
        descriptor = retry { Glibc.open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard descriptor >= 0 else { throw DiskError(.open, directory, code: errno) }
    }

    deinit { close(descriptor) }

    private static func makeDirectories(_ path: String) throws(DiskError) {
        if mkdir(path, 0o755) != 0 {
            let code = errno
            if code == EEXIST { return }
            let above = parentDirectory(of: path)
            guard code == ENOENT, !above.isEmpty else {
                throw DiskError(.makeDirectory, path, code: code)
            }
            try makeDirectories(above)
            guard mkdir(path, 0o755) == 0 || errno == EEXIST else {
                throw DiskError(.makeDirectory, path, code: errno)
            }
        }
        // A power cut must not take the directory away from under a durable database.
        let above = parentDirectory(of: path)
        let opened = retry {
            Glibc.open(
                above.isEmpty ? (path.hasPrefix("/") ? "/" : ".") : above,
                O_RDONLY | O_DIRECTORY | O_CLOEXEC
            )
        }
        guard opened >= 0 else { throw DiskError(.syncDirectory, above, code: errno) }
        defer { close(opened) }
        guard retry({ fsync(opened) }) == 0 else {
            throw DiskError(.syncDirectory, above, code: errno)
        }
    }

    /// Calls openat.
    public func open(_ path: String, _ mode: OpenMode) throws(DiskError) -> any DiskFile {
        let flags =
            switch mode {
            case .read: O_RDONLY
            case .readWrite: O_RDWR
            case .create: O_RDWR | O_CREAT | O_TRUNC
            }
        return PosixFile(path, try descriptor(of: path, flags, .open))
    }

    private func descriptor(
        of path: String,
        _ flags: Int32,
        _ operation: DiskError.Operation
    ) throws(DiskError) -> Int32 {
        let name = path.isEmpty ? "." : path
        let opened = retry { openat(descriptor, name, flags | O_CLOEXEC, 0o644) }
        guard opened >= 0 else { throw DiskError(operation, path, code: errno) }
        return opened
    }

    /// Calls renameat.
    public func rename(_ path: String, to newPath: String) throws(DiskError) {
        guard renameat(descriptor, path, descriptor, newPath) == 0 else {
            throw DiskError(.rename, path, code: errno)
        }
    }

    /// Calls unlinkat.
    public func remove(_ path: String) throws(DiskError) {
        guard unlinkat(descriptor, path, 0) == 0 else {
            throw DiskError(.remove, path, code: errno)
        }
    }

    /// Calls readdir until the end.
    public func names(in directory: String) throws(DiskError) -> [String] {
        let opened = try descriptor(of: directory, O_RDONLY | O_DIRECTORY, .list)
        guard let stream = fdopendir(opened) else {
            let code = errno
            close(opened)
            throw DiskError(.list, directory, code: code)
        }
        defer { closedir(stream) }
        var names: [String] = []
        while true {
            // readdir tells its end from a failure by errno alone.
            errno = 0
            guard let entry = readdir(stream) else {
                guard errno == 0 else { throw DiskError(.list, directory, code: errno) }
                break
            }
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
    }

    /// Calls mkdirat.
    public func makeDirectory(_ path: String) throws(DiskError) {
        guard mkdirat(descriptor, path, 0o755) == 0 || errno == EEXIST else {
            throw DiskError(.makeDirectory, path, code: errno)
        }
    }

    /// Calls fsync on the directory.
    public func syncDirectory(_ path: String) throws(DiskError) {
        let opened = try descriptor(of: path, O_RDONLY | O_DIRECTORY, .syncDirectory)
        defer { close(opened) }
        guard retry({ fsync(opened) }) == 0 else {
            throw DiskError(.syncDirectory, path, code: errno)
        }
    }

    /// Calls flock, which also holds between two openings in one process.
    public func lock(_ path: String, isShared: Bool) throws(DiskError) -> any DiskLock {
        let opened = try descriptor(of: path, O_RDWR | O_CREAT, .lock)
        let kind = isShared ? LOCK_SH : LOCK_EX
        guard retry({ flock(opened, kind | LOCK_NB) }) == 0 else {
            let code = errno
            close(opened)
            throw DiskError(.lock, path, code: code)
        }
        return PosixLock(opened)
    }

    /// Calls fstatvfs; what only root may use is not counted.
    public func freeByteCount() throws(DiskError) -> UInt64 {
        var facts = statvfs()
        guard retry({ fstatvfs(descriptor, &facts) }) == 0 else {
            throw DiskError(.size, "", code: errno)
        }
        return UInt64(facts.f_bavail) * UInt64(facts.f_frsize)
    }
}

/// Calls again as long as a signal interrupted the call.
func retry<Number: BinaryInteger>(_ call: () -> Number) -> Number {
    while true {
        let result = call()
        if result != -1 || errno != EINTR { return result }
    }
}

/// A lock by flock.
///
/// It is let go of before the descriptor is closed: a process that is just being started by another
/// thread has a copy of that, until it runs its own program.
private final class PosixLock: DiskLock {
    private let descriptor: Lock<Int32?>

    init(_ opened: Int32) { descriptor = Lock(opened) }

    deinit { release() }

    func release() {
        descriptor.withLock { descriptor in
            guard let opened = descriptor else { return }
            _ = flock(opened, LOCK_UN)
            close(opened)
            descriptor = nil
        }
    }
}
