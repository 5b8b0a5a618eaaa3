// The one error of this module: which operation on which path failed, and what the system said.
internal import Glibc

/// A failed operation on the disk.
public struct DiskError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was tried.
    public enum Operation: String, Sendable, CaseIterable {
        /// Opening or creating a file.
        case open
        /// Reading bytes of a file.
        case read
        /// Writing bytes of a file.
        case write
        /// Making a file's bytes durable.
        case sync
        /// Asking for the length of a file or for free space.
        case size
        /// Mapping a file into memory.
        case map
        /// Moving a file to another name.
        case rename
        /// Removing a file.
        case remove
        /// Listing a directory.
        case list
        /// Making a directory.
        case makeDirectory
        /// Making the names of a directory durable.
        case syncDirectory
        /// Taking the lock of a directory.
        case lock
    }

    /// What was tried.
    public let operation: Operation
    /// On which path, relative to the database's directory.
    public let path: String
    /// The system's error number (errno).
    public let code: Int32

    /// Puts the facts together.
    public init(_ operation: Operation, _ path: String, code: Int32) {
        self.operation = operation
        self.path = path
        self.code = code
    }

    /// There is no room for what is to be written.
    public static func full(_ path: String) -> DiskError {
        DiskError(.write, path, code: ENOSPC)
    }

    /// Whether there is no such file or directory.
    public var isMissing: Bool { code == ENOENT }

    /// Whether the disk, or one's share of it, is full.
    public var isFull: Bool { code == ENOSPC || code == EDQUOT }

    /// Whether another process holds the lock.
    public var isLocked: Bool { operation == .lock && code == EWOULDBLOCK }

    /// One line for the operator.
    public var description: String {
        "\(operation.rawValue) \(path): " + String(cString: strerror(code)) + " (\(code))"
    }
}
