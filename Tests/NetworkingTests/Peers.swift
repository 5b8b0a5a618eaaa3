// Both ends of a test's connections: a blocking client, and handlers that record what they are
// told.
import Glibc
import HoldfastBasics
import HoldfastNetworking
import HoldfastTestSupport
import Testing

/// A client on a blocking socket.
///
/// A read gives up after 20 s, so that a failing test ends.
final class Client {
    let descriptor: Int32
    private(set) var isReset = false

    init() { descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0) }

    convenience init(_ address: SocketAddress) {
        self.init()
        connect(address.port)
    }

    deinit { close(descriptor) }

    func connect(_ port: UInt16) {
        var wait = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(
            descriptor,
            SOL_SOCKET,
            SO_RCVTIMEO,
            &wait,
            socklen_t(MemoryLayout<timeval>.size)
        )
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        #expect(result == 0, "connect: errno \(errno)")
    }

    /// - Returns: False when the peer does not take it.
    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool { sendAll(bytes, on: descriptor) }

    @discardableResult
    func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    func endOutput() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Reads until there are `count` bytes, or the peer ends.
    func receive(_ count: Int = .max) -> [UInt8] {
        var out: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while out.count < count {
            let result = recv(descriptor, &buffer, min(buffer.count, count - out.count), 0)
            if result < 0 { isReset = true }
            if result <= 0 { break }
            out += buffer[..<result]
        }
        return out
    }

    func receiveText(_ count: Int = .max) -> String {
        String(decoding: receive(count), as: UTF8.self)
    }
}

/// What handlers saw, readable from the test's thread.
struct Seen {
    var closed: [CloseReason] = []
    var opened = 0
    var peak = 0
    var heldBack = 0
    var lines: [String] = []
}
typealias Record = Condition<Seen>

/// Records the end, and lets a test put functions in the place of the calls.
final class Probe: ByteStreamHandler {
    let record: Record
    var onReceived: (ByteStream, ByteView) -> Int = { stream, bytes in
        stream.write(bytes)
        return bytes.count
    }
    var onDrained: (ByteStream) -> Void = { _ in }
    var onInputEnded: (ByteStream) -> Void = { $0.finish() }

    init(_ record: Record) {
        self.record = record
        record.signal { $0.opened += 1 }
    }

    func received(_ stream: ByteStream, _ bytes: ByteView) -> Int { onReceived(stream, bytes) }
    func outputDrained(_ stream: ByteStream) { onDrained(stream) }
    func inputEnded(_ stream: ByteStream) { onInputEnded(stream) }
    func closed(_ stream: ByteStream, _ reason: CloseReason) {
        #expect(!stream.isOpen)
        record.signal { $0.closed.append(reason) }
    }
}

/// A listener on loops of its own, for one test.
struct Service {
    let loops: [EventLoop]
    let listener: Listener
    let record: Record

    init(
        loopCount: Int = 1,
        _ options: Listener.Options = Listener.Options(),
        _ setUp: @escaping @Sendable (Probe, ByteStream) -> Void = { _, _ in }
    ) throws {
        loops = try (0..<loopCount).map { _ in try EventLoop() }
        let record = Record(Seen())
        self.record = record
        listener = try Listener(
            on: SocketAddress("127.0.0.1:0"),
            loops: loops,
            options: options,
            logger: Logger(level: .error)
        ) { stream in
            let probe = Probe(record)
            setUp(probe, stream)
            return probe
        }
    }

    var client: Client { Client(listener.address) }

    /// Waits until `count` connections have ended, and gives their reasons.
    func closed(_ count: Int = 1) -> [CloseReason] {
        record.wait(until: { $0.closed.count >= count }) { $0.closed }
    }

    func stop() {
        for loop in loops { loop.stop() }
        for loop in loops { loop.join() }
    }
}

/// Waits for something that another thread will make true and nobody signals.
func waitUntil(_ isTrue: () -> Bool) {
    while !isTrue() { usleep(1000) }
}
