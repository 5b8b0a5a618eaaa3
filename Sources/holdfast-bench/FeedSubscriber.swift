// A client of the live feed that counts what it gets.
internal import Foundation
internal import HoldfastBasics

/// One subscriber.
final class FeedSubscriber: Subscriber {
    let socket: Socket
    private var buffer: ByteBuffer
    private(set) var deliveryCount = 0
    /// Whether the feed has said that it is live.
    private(set) var isLive = false
    private(set) var latencies: [UInt64] = []
    private let isTimed: Bool

    /// Opens a feed and waits until it is live.
    init(port: UInt16, isTimed: Bool) throws {
        self.isTimed = isTimed
        let exchange = try HTTPExchange(port: port)
        let reply = try exchange.send(
            "GET",
            "/v1/feed",
            headers: [
                "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                "Sec-WebSocket-Protocol: holdfast.feed.v1",
            ]
        )
        guard reply.status == 101 else { throw BenchError("the feed answers \(reply.status)") }
        socket = exchange.socket
        buffer = ByteBuffer()
        buffer.append(exchange.buffer.view)
        try socket.send(Self.masked(#"{"start":{}}"#))
        while !isLive {
            read()
            if !isLive { _ = try socket.receive(into: &buffer) }
        }
        socket.stopBlocking()
    }

    /// Takes what has come.
    func receive() throws {
        guard try socket.receive(into: &buffer) > 0 else { return }
        read()
    }

    /// A text frame of a client; a mask of zeros changes nothing.
    ///
    /// Source: RFC 6455, section 5.2.
    private static func masked(_ text: String) -> [UInt8] {
        [0x81, 0x80 | UInt8(text.utf8.count), 0, 0, 0, 0] + Array(text.utf8)
    }

    /// Reads whole frames; servers do not mask.
    private func read() {
        let bytes = buffer.view
        let now = Clock.nanoseconds
        var at = 0
        while at + 2 <= bytes.count {
            var length = Int(bytes[at + 1] & 127)
            var start = at + 2
            if length == 126 {
                guard at + 4 <= bytes.count else { break }
                length = Int(bytes.integer(UInt16.self, at: at + 2).byteSwapped)
                start = at + 4
            }
            guard start + length <= bytes.count else { break }
            take(bytes[start..<start + length], now)
            at = start + length
        }
        buffer.consume(at)
    }

    private func take(_ message: ByteView, _ now: UInt64) {
        guard message.count > 8 else { return }
        if message[0..<9].equals("{\"commit\"") {
            deliveryCount += 1
            if isTimed, let age = TimedMessage.age(message, now) { latencies.append(age) }
        } else if message[0..<7].equals("{\"live\"") {
            isLive = true
        }
    }
}
