// What the house needs of a disk. Nothing else touches files, so a test that owns the disk owns
// every failure the house can meet.
//
// Rules every implementation keeps:
// - a path is relative to one database's directory, its parts are joined by "/", "" is the
//   directory;
// - a write is whole or throws (short writes and EINTR are dealt with below);
// - bytes are durable after `sync`, names after `syncDirectory`; before that a crash may keep any
//   part of what was written, in any order;
// - after a failed `sync` nothing is known about the bytes written before it.
public import HoldfastBasics

/// How a file is opened.
public enum OpenMode: Sendable {
    /// It must exist; writing fails.
    case read
    /// It must exist.
    case readWrite
    /// It is made when missing, and emptied when not.
    case create
}

/// One database's directory.
public protocol Disk: Sendable {
    /// Opens a file.
    ///
    /// - Parameters:
    ///   - path: Which one.
    ///   - mode: What for.
    /// - Returns: The open file; closed with its last owner.
    /// - Throws: `open`.
    func open(_ path: String, _ mode: OpenMode) throws(DiskError) -> any DiskFile

    /// Moves a file over another name, which it replaces.
    ///
    /// - Throws: `rename`.
    func rename(_ path: String, to newPath: String) throws(DiskError)

    /// Removes a file.
    ///
    /// - Throws: `remove`.
    func remove(_ path: String) throws(DiskError)

    /// The names in a directory, sorted by bytes.
    ///
    /// - Throws: `list`.
    func names(in directory: String) throws(DiskError) -> [String]

    /// Makes a directory; one that is there already is left as it is.
    ///
    /// - Throws: `makeDirectory`.
    func makeDirectory(_ path: String) throws(DiskError)

    /// Makes the names in a directory durable: creations, renames and removals.
    ///
    /// - Throws: `syncDirectory`.
    func syncDirectory(_ path: String) throws(DiskError)

    /// Takes a lock on a file (made when missing), without waiting.
    ///
    /// - Parameters:
    ///   - path: Which file.
    ///   - isShared: Whether others may hold it beside this one, who say so too.
    /// - Returns: The lock, held until it is let go of.
    /// - Throws: `lock`; `isLocked` when another holder is in the way.
    func lock(_ path: String, isShared: Bool) throws(DiskError) -> any DiskLock

    /// Bytes that can still be written.
    ///
    /// - Throws: `size`.
    func freeByteCount() throws(DiskError) -> UInt64
}

/// A lock held on a directory, until the process ends or it is let go of.
public protocol DiskLock: AnyObject, Sendable {
    /// Lets go; once.
    func release()
}

/// An open file; closed with its last owner.
public protocol DiskFile: AnyObject, Sendable {
    /// Its length in bytes.
    ///
    /// - Throws: `size`.
    func size() throws(DiskError) -> Int

    /// Writes all bytes at an offset; a gap before it reads as zeros.
    ///
    /// - Throws: `write`; any part of the bytes may be written then.
    func write(_ bytes: ByteView, at offset: Int) throws(DiskError)

    /// Reads `count` bytes at an offset, fewer where the file ends.
    ///
    /// - Throws: `read`.
    func read(_ count: Int, at offset: Int) throws(DiskError) -> [UInt8]

    /// Makes the bytes, and the length as far as reading them needs it, durable (fdatasync).
    ///
    /// - Throws: `sync`; never try again, the bytes are unknown (the page cache lies).
    func sync() throws(DiskError)

    /// Maps `byteCount` bytes from the first on, which may be more than the file has yet.
    ///
    /// - Throws: `map`.
    func map(_ byteCount: Int) throws(DiskError) -> MappedFile
}

extension DiskFile {
    /// Writes zeros, so that later writes there need no change of the file's block map.
    ///
    /// - Throws: `write`.
    public func writeZeros(_ range: Range<Int>) throws(DiskError) {
        guard !range.isEmpty else { return }
        let block = [UInt8](repeating: 0, count: min(range.count, 1 << 20))
        var offset = range.lowerBound
        while offset < range.upperBound {
            let count = min(block.count, range.upperBound - offset)
            try write(block, 0..<count, at: offset)
            offset += count
        }
    }

    /// Writes the bytes of an array at an offset.
    ///
    /// - Throws: `write`.
    public func write(_ bytes: [UInt8], at offset: Int) throws(DiskError) {
        try write(bytes, 0..<bytes.count, at: offset)
    }

    /// Writes some of the bytes at an offset, growing the file as needed.
    ///
    /// - Throws: `write`.
    public func write(
        _ bytes: [UInt8],
        _ range: Range<Int>,
        at offset: Int
    ) throws(DiskError) {
        // A closure cannot throw typed through `withUnsafeBytes`, so its outcome is carried out.
        let outcome: Result<Void, DiskError> = bytes.withView { view in
            do throws(DiskError) {
                return .success(try write(view[range], at: offset))
            } catch {
                return .failure(error)
            }
        }
        try outcome.get()
    }
}

extension Disk {
    /// Takes an exclusive lock on a file (made when missing), without waiting.
    ///
    /// - Returns: The lock, held until it is let go of.
    /// - Throws: `lock`; `isLocked` when another holder has it.
    public func lock(_ path: String) throws(DiskError) -> any DiskLock {
        try lock(path, isShared: false)
    }

    /// Puts a file in place as a whole: after a crash the old or the new one is there.
    ///
    /// - Parameters:
    ///   - path: Which file.
    ///   - bytes: Its new content.
    /// - Throws: `open`, `write`, `sync`, `rename`, `syncDirectory`.
    public func replace(_ path: String, with bytes: [UInt8]) throws(DiskError) {
        let temporary = path + ".new"
        let file = try open(temporary, .create)
        try file.write(bytes, at: 0)
        try file.sync()
        try rename(temporary, to: path)
        try syncDirectory(parentDirectory(of: path))
    }

    /// All bytes of a file.
    ///
    /// - Throws: `open`, `size`, `read`.
    public func contents(of path: String) throws(DiskError) -> [UInt8] {
        let file = try open(path, .read)
        return try file.read(file.size(), at: 0)
    }
}

/// The directory a path lies in: what stands before its last "/", or "".
public func parentDirectory(of path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "" }
    return String(path[..<slash])
}
