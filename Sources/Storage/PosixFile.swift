// An open file of a POSIX system.
internal import Glibc
internal import HoldfastBasics

/// An open descriptor; closed with its last owner.
final class PosixFile: DiskFile {
    private let path: String
    private let descriptor: Int32

    init(_ path: String, _ descriptor: Int32) {
        self.path = path
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    func size() throws(DiskError) -> Int {
        var facts = stat()
        guard retry({ fstat(descriptor, &facts) }) == 0 else {
            throw DiskError(.size, path, code: errno)
        }
        return Int(facts.st_size)
    }

    func write(_ bytes: ByteView, at offset: Int) throws(DiskError) {
        // A short write is no failure: pwrite says how far it came, and is called for the rest.
        let code: Int32 = bytes.withUnsafeBytes { memory in
            var done = 0
            while done < memory.count {
                let count = retry {
                    pwrite(
                        descriptor,
                        memory.baseAddress.map { $0 + done },
                        memory.count - done,
                        off_t(offset + done)
                    )
                }
                if count < 0 { return errno }
                if count == 0 { return EIO }
                done += count
            }
            return 0
        }
        guard code == 0 else { throw DiskError(.write, path, code: code) }
    }

    func read(_ count: Int, at offset: Int) throws(DiskError) -> [UInt8] {
        var code: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { memory, done in
            while done < count {
                let more = retry {
                    pread(
                        descriptor,
                        memory.baseAddress.map { $0 + done },
                        count - done,
                        off_t(offset + done)
                    )
                }
                if more < 0 { code = errno }
                if more <= 0 { return }
                done += more
            }
        }
        guard code == 0 else { throw DiskError(.read, path, code: code) }
        return bytes
    }

    func sync() throws(DiskError) {
        guard retry({ fdatasync(descriptor) }) == 0 else {
            throw DiskError(.sync, path, code: errno)
        }
    }

    func map(_ byteCount: Int) throws(DiskError) -> MappedFile {
        let count = max(byteCount, 1)
        let start = mmap(nil, count, PROT_READ, MAP_SHARED, descriptor, 0)
        guard let start, start != MAP_FAILED else { throw DiskError(.map, path, code: errno) }
        return MappedFile(start: start, count: byteCount) { start, _ in
            munmap(UnsafeMutableRawPointer(mutating: start), count)
        }
    }
}
