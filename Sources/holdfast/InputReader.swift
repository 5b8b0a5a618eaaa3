// A file read piece by piece, however long it is.
//
// Unsafe, with this argument: memory is lent to read(2) for the call alone, with its own length.
internal import Glibc
internal import HoldfastBasics

/// A file, or standard input for `-`, closed with its owner.
struct InputReader: ~Copyable {
    private let path: String
    private let descriptor: Int32

    private static let readByteCount = 256 << 10

    init(_ path: String) throws(CommandFailure) {
        self.path = path
        descriptor = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.failure(path) }
    }

    deinit { if descriptor != STDIN_FILENO { close(descriptor) } }

    /// Puts the next piece into a buffer; false at the end of the file.
    func read(into buffer: inout ByteBuffer) throws(CommandFailure) -> Bool {
        var count = 0
        repeat {
            buffer.appendUnsafe(Self.readByteCount) { memory in
                count = Glibc.read(descriptor, memory.baseAddress, memory.count)
                return max(0, count)
            }
        } while count < 0 && errno == EINTR
        guard count >= 0 else { throw Self.failure(path) }
        return count > 0
    }

    private static func failure(_ path: String) -> CommandFailure {
        let reason = String(cString: strerror(errno))
        return CommandFailure(.notFound, "cannot read \(path): \(reason)")
    }
}
