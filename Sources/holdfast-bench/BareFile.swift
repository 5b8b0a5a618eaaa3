// What a disk takes for the bytes alone: the limit of everything that is durable.
internal import Glibc

/// A file with room that is written and synced, and written again from the beginning at its end.
final class BareFile {
    private let descriptor: Int32
    private var end = 0

    private static let byteCount = 32 << 20

    /// Makes the file, zeroed and synced, so that a write changes nothing but bytes.
    init(_ path: String) throws {
        descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw BenchError("open \(path): \(errno)") }
        let zeros = [UInt8](repeating: 0, count: Self.byteCount)
        guard pwrite(descriptor, zeros, zeros.count, 0) == zeros.count, fsync(descriptor) == 0
        else { throw BenchError("write \(path): \(errno)") }
    }

    deinit { close(descriptor) }

    /// Writes the values behind the last ones, and syncs.
    func append(_ values: ArraySlice<[UInt8]>) throws { try append(Array(values.joined())) }

    /// Writes bytes behind the last ones, and syncs.
    func append(_ bytes: [UInt8]) throws {
        if end + bytes.count > Self.byteCount { end = 0 }
        guard pwrite(descriptor, bytes, bytes.count, off_t(end)) == bytes.count,
            fdatasync(descriptor) == 0
        else { throw BenchError("a write or sync failed: \(errno)") }
        end += bytes.count
    }
}
