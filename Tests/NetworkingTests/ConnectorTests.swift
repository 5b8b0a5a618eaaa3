// Connections outward: made, refused, given up, and never left behind.
import Glibc
import HoldfastBasics
import HoldfastNetworking
import Testing

@Suite(.serialized) struct ConnectorTests {
    /// What became of an attempt.
    enum Outcome: Equatable, Sendable {
        case connected(peer: String)
        case failed(NetworkError)
    }

    /// Connects on a loop of its own and gives what became of it.
    static func connect(
        to host: String,
        port: UInt16,
        deadlineMilliseconds: Int = 10_000,
        cancels: Bool = false
    ) throws -> Outcome {
        let loop = try EventLoop()
        let record = Record(Seen())
        let outcome = Condition<Outcome?>(nil)
        let count = Condition(0)
        loop.execute {
            let attempt = Connector.connect(
                to: host,
                port: port,
                on: loop,
                deadlineMilliseconds: deadlineMilliseconds,
                handler: Probe(record)
            ) { result in
                count.signal { $0 += 1 }
                switch result {
                case .success(let stream):
                    let peer = stream.peer
                    stream.close()
                    outcome.signal { $0 = .connected(peer: peer) }
                case .failure(let error): outcome.signal { $0 = .failed(error) }
                }
            }
            if cancels { attempt.cancel() }
        }
        let found = outcome.wait(until: { $0 != nil }) { $0 }
        loop.stop()
        loop.join()
        #expect(count.withLock { $0 } == 1)
        return try #require(found)
    }

    /// A listening socket that accepts nothing; gives its descriptor and port.
    static func listen(_ family: Int32, backlog: Int32) -> (Int32, UInt16) {
        let descriptor = socket(family, Int32(SOCK_STREAM.rawValue), 0)
        var storage = sockaddr_storage()
        var length = socklen_t(0)
        withUnsafeMutablePointer(to: &storage) { pointer in
            if family == AF_INET6 {
                pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { address in
                    address.pointee.sin6_family = sa_family_t(AF_INET6)
                    address.pointee.sin6_addr = in6addr_loopback
                    length = socklen_t(MemoryLayout<sockaddr_in6>.size)
                }
            } else {
                pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { address in
                    address.pointee.sin_family = sa_family_t(AF_INET)
                    address.pointee.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
                    length = socklen_t(MemoryLayout<sockaddr_in>.size)
                }
            }
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                _ = bind(descriptor, address, length)
                _ = Glibc.listen(descriptor, backlog)
                _ = getsockname(descriptor, address, &length)
            }
        }
        // Both families have the port at the same place.
        let port = withUnsafeBytes(of: &storage) { $0.load(fromByteOffset: 2, as: UInt16.self) }
        return (descriptor, UInt16(bigEndian: port))
    }

    @Test("A numeric address and a name are connected to")
    func connects() throws {
        let (descriptor, port) = Self.listen(AF_INET, backlog: 16)
        defer { close(descriptor) }
        let expected = Outcome.connected(peer: "127.0.0.1:\(port)")
        #expect(try Self.connect(to: "127.0.0.1", port: port) == expected)
        // The name may stand for ::1 too, where nobody listens: the next address is tried.
        #expect(try Self.connect(to: "localhost", port: port) == expected)
    }

    @Test("An IPv6 address is connected to")
    func ipv6() throws {
        let (descriptor, port) = Self.listen(AF_INET6, backlog: 16)
        defer { close(descriptor) }
        guard port != 0 else { return }
        #expect(try Self.connect(to: "::1", port: port) == .connected(peer: "[::1]:\(port)"))
    }

    @Test("A port where nobody listens, and a name that is none, are told so")
    func refused() throws {
        let (descriptor, port) = Self.listen(AF_INET, backlog: 16)
        close(descriptor)
        let unreachable = NetworkError.unreachable("127.0.0.1:\(port)", errno: ECONNREFUSED)
        #expect(try Self.connect(to: "127.0.0.1", port: port) == .failed(unreachable))
        guard case .failed(.unknownHost) = try Self.connect(to: "a..b", port: 1) else {
            Issue.record("a name that is none was found")
            return
        }
    }

    @Test("A peer that does not answer is given up in time, a cancelled attempt at once")
    func givenUp() throws {
        let (descriptor, port) = Self.listen(AF_INET, backlog: 0)
        defer { close(descriptor) }
        // The queue is filled, so that the kernel leaves the next one waiting.
        let fillers = (0..<4).map { _ in socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0) }
        defer { for filler in fillers { close(filler) } }
        for filler in fillers {
            _ = fcntl(filler, F_SETFL, O_NONBLOCK)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            _ = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    Glibc.connect(filler, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        let late = try Self.connect(to: "127.0.0.1", port: port, deadlineMilliseconds: 100)
        #expect(late == .failed(.connectTimeout("127.0.0.1:\(port)")))
        let cancelled = try Self.connect(to: "127.0.0.1", port: port, cancels: true)
        #expect(cancelled == .failed(.stopped))
    }

    @Test("A loop that ends gives up its attempts")
    func loopEnds() throws {
        let (descriptor, port) = Self.listen(AF_INET, backlog: 16)
        defer { close(descriptor) }
        let loop = try EventLoop()
        let outcome = Condition<Outcome?>(nil)
        let record = Record(Seen())
        loop.execute {
            Connector.connect(
                to: "127.0.0.1",
                port: port,
                on: loop,
                deadlineMilliseconds: 10_000,
                handler: Probe(record)
            ) { result in
                if case .failure(let error) = result { outcome.signal { $0 = .failed(error) } }
            }
            loop.stop()
        }
        loop.join()
        let found = outcome.withLock { $0 }
        // The connection may have been made first; then the stream was closed with its loop.
        if found == nil {
            #expect(record.withLock { $0.closed } == [.stopped])
        } else {
            #expect(found == .failed(.stopped))
        }
    }
}
