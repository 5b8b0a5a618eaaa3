// The client side of the live feed: one WebSocket over a blocking connection.
// Source: RFC 6455.
internal import HoldfastBasics
internal import HoldfastHTTP

/// One connection to `/v1/feed`, closed with its owner.
final class FeedConnection {
    private let socket: ClientSocket
    private let random = SystemRandom()
    private var input = ByteBuffer()
    private var decoder = WebSocketDecoder(role: .client)

    /// Connects and upgrades.
    init(_ client: Client) throws(CommandFailure) {
        let key = UniqueID(high: random.next(), low: random.next())
        var raw = ByteBuffer()
        raw.append(integer: key.high)
        raw.append(integer: key.low)
        let text = Base64.encode(raw.view)
        let head: ReplyHead
        (socket, head) = try client.upgrade(
            "/v1/feed",
            fields: [
                ("connection", "Upgrade"),
                ("upgrade", "websocket"),
                ("sec-websocket-version", "13"),
                ("sec-websocket-key", text.withView(\.text)),
                ("sec-websocket-protocol", "holdfast.feed.v1"),
            ],
            rest: &input
        )
        let wanted = text.withView(WebSocketHandshake.acceptance)
        guard head["sec-websocket-accept"].map({ Array($0.utf8) }) == wanted else {
            throw CommandFailure(.unreachable, "what answered is no Holdfast server; check --url")
        }
    }

    /// Sends a text message.
    func send(_ message: [UInt8]) throws(CommandFailure) {
        var frame = ByteBuffer()
        message.withView { frame.appendFrame(.text, $0, mask: mask()) }
        try write(&frame)
    }

    /// The next message; nil when the server has closed.
    func next() throws(CommandFailure) -> [UInt8]? {
        while true {
            var offset = 0
            let step = decoder.step(input.view, &offset)
            switch step {
            case .message(let bytes, _):
                let message = bytes.array
                input.consume(offset)
                return message
            case .ping(let payload):
                var frame = ByteBuffer()
                frame.appendFrame(.pong, payload, mask: mask())
                input.consume(offset)
                try write(&frame)
            case .close:
                throw CommandFailure(.unreachable, "the server ended the feed")
            case .violation(let violation):
                throw CommandFailure(.unreachable, "the feed is broken: \(violation.reason)")
            case .pong: input.consume(offset)
            case .needsMore:
                input.consume(offset)
                guard try socket.read(into: &input) else {
                    throw CommandFailure(.unreachable, "the server went away")
                }
            }
        }
    }

    /// Says goodbye.
    func close() throws(CommandFailure) {
        var frame = ByteBuffer()
        frame.appendClose(.normal, mask: mask())
        try write(&frame)
    }

    private func write(_ frame: inout ByteBuffer) throws(CommandFailure) {
        guard socket.write(frame.view) else {
            throw CommandFailure(.unreachable, "the server went away")
        }
    }

    private func mask() -> WebSocketMask {
        WebSocketMask(UInt32(truncatingIfNeeded: random.next()))
    }
}
