// A WebSocket server that sends every message back, made of the parts the product's feed is made
// of: its loop, its streams, its request parser, its handshake and its frames. Only here: the
// product has no echo.
import HoldfastBasics
import HoldfastHTTP
import HoldfastNetworking

/// One client of the echo.
///
/// Confined to its loop. Frames are read as `FeedSession` reads them.
private final class EchoHandler: ByteStreamHandler {
    private var parser = RequestParser()
    private var decoder = WebSocketDecoder(role: .server, messageByteCountMax: 32 << 20)
    private var isUpgraded = false
    private var isClosing = false

    func received(_ stream: ByteStream, _ bytes: ByteView) -> Int {
        var offset = 0
        while !isUpgraded {
            switch parser.step(bytes, &offset) {
            case .needsMore: return offset
            case .complete(let request): upgrade(request.head, stream)
            case .refused:
                stream.close()
                return bytes.count
            default: break
            }
            if !stream.isOpen { return bytes.count }
        }
        while !isClosing {
            switch decoder.step(bytes, &offset) {
            case .needsMore: return offset
            case .message(let message, let isText):
                stream.write { $0.appendFrame(isText ? .text : .binary, message) }
            case .ping(let payload): stream.write { $0.appendFrame(.pong, payload) }
            case .pong: break
            case .close(let code, _): close(stream, code)
            case .violation(let violation): close(stream, violation.code, violation.reason)
            }
        }
        return bytes.count
    }

    private func upgrade(_ head: RequestHead, _ stream: ByteStream) {
        do throws(HTTPError) {
            let handshake = try WebSocketHandshake(head, subprotocols: [])
            stream.write { $0.appendUpgrade(handshake, date: HTTPDate(milliseconds: 0)) }
            isUpgraded = true
        } catch {
            stream.close()
        }
    }

    private func close(
        _ stream: ByteStream,
        _ code: WebSocketCloseCode?,
        _ reason: StaticString = ""
    ) {
        isClosing = true
        stream.write { $0.appendClose(code, reason) }
        stream.finish()
    }
}

/// The echo on a free port of loopback.
struct EchoServer {
    let url: String
    private let loop: EventLoop
    private let listener: Listener

    init() throws {
        loop = try EventLoop()
        listener = try Listener(
            on: SocketAddress("127.0.0.1:0"),
            loops: [loop],
            logger: Logger(level: .error)
        ) { _ in EchoHandler() }
        url = "ws://127.0.0.1:\(listener.address.port)"
    }

    func stop() {
        loop.stop()
        loop.join()
    }
}
