// A TCP connection to a server on this machine.
//
// Unsafe, with this argument: buffers are lent to send(2) and recv(2) for the call alone, with
// their own length.
internal import Foundation
internal import HoldfastBasics

/// A connection, closed with its owner.
final class Socket {
    let descriptor: Int32

    init(port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw BenchError("no socket: \(Self.reason)") }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, length)
            }
        }
        guard result == 0 else { throw BenchError("cannot connect to \(port): \(Self.reason)") }
        var yes: Int32 = 1
        let size = socklen_t(MemoryLayout<Int32>.size)
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, size)
    }

    deinit { close(descriptor) }

    private static var reason: String { String(cString: strerror(errno)) }

    func stopBlocking() { _ = fcntl(descriptor, F_SETFL, O_NONBLOCK) }

    /// Sends all bytes; for those who may wait, or whose bytes surely fit.
    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { memory in
                let part = UnsafeRawBufferPointer(rebasing: memory[sent...])
                return Glibc.send(descriptor, part.baseAddress, part.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 || errno == EINTR else { throw BenchError("send: \(Self.reason)") }
            sent += max(0, count)
        }
    }

    /// Appends what has come.
    ///
    /// - Returns: Bytes appended; 0 when nothing is there now.
    func receive(into buffer: inout ByteBuffer) throws -> Int {
        var count = 0
        buffer.appendUnsafe(64 << 10) { memory in
            count = recv(descriptor, memory.baseAddress, memory.count, 0)
            return max(0, count)
        }
        guard count != 0 else { throw BenchError("the server has closed a connection") }
        guard count > 0 || errno == EAGAIN || errno == EINTR else {
            throw BenchError("receive: \(Self.reason)")
        }
        return max(0, count)
    }
}

extension ByteView {
    /// Where bytes first stand, or nil.
    func range(of bytes: StaticString) -> Int? {
        let first = bytes.utf8Start[0]
        let length = bytes.utf8CodeUnitCount
        var at = firstIndex(of: first)
        while let start = at, start + length <= count {
            if self[start..<start + length].equals(bytes) { return start }
            at = firstIndex(of: first, from: start + 1)
        }
        return nil
    }
}
