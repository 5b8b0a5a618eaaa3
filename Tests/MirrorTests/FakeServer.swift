// A server that says what a test wants, on a blocking socket: what it was sent is kept.
import Glibc
import HoldfastBasics
import HoldfastHTTP
import HoldfastRecords
import HoldfastTestSupport
import HoldfastWire

/// One connection that a test answers by hand.
final class FakeServer: Sendable {
    /// The other side of one connection.
    final class Conversation {
        private let descriptor: Int32
        private let seen: Condition<[UInt8]>

        init(_ descriptor: Int32, _ seen: Condition<[UInt8]>) {
            self.descriptor = descriptor
            self.seen = seen
        }

        /// Reads until the bytes end so; gives what came, or nil when the peer has ended.
        func read(until mark: String) -> String? {
            var text: [UInt8] = []
            while !text.suffix(mark.utf8.count).elementsEqual(mark.utf8) {
                guard let byte = next() else { return nil }
                text.append(byte)
            }
            return String(decoding: text, as: UTF8.self)
        }

        /// Reads whatever comes until the peer ends.
        func drain() { while next() != nil {} }

        func next() -> UInt8? {
            var byte: UInt8 = 0
            guard recv(descriptor, &byte, 1, 0) == 1 else { return nil }
            seen.signal { $0.append(byte) }
            return byte
        }

        func send(_ bytes: [UInt8]) { sendAll(bytes, on: descriptor) }

        func send(_ text: String) { send(Array(text.utf8)) }

        func send(_ message: MirrorDown) {
            var payload = ByteBuffer()
            message.append(to: &payload)
            var frame = ByteBuffer()
            frame.appendFrame(.binary, payload.view)
            send(frame.array)
        }

        /// Welcomes a mirror, with a head of no commits.
        func welcome(databaseID: UniqueID, application: String, heartbeatSeconds: Double) {
            let origin = Position(epoch: Epoch(rawValue: 1), seq: 0)
            send(
                .welcome(
                    MirrorWelcome(
                        databaseID: databaseID,
                        application: application,
                        head: origin,
                        chain: .zero,
                        oldest: origin,
                        heartbeatSeconds: heartbeatSeconds,
                        settled: 0
                    )
                )
            )
        }

        func reply(_ status: String, _ body: String) {
            send("HTTP/1.1 \(status)\r\ncontent-length: \(body.utf8.count)\r\n\r\n\(body)")
        }

        /// Answers `GET /v1`.
        func identify(
            databaseID: UniqueID,
            application: String,
            healing: HealingDocument? = nil
        ) {
            guard read(until: "\r\n\r\n") != nil else { return }
            let document = ServerDocument(
                version: "test",
                databaseID: databaseID,
                application: application,
                head: Position(epoch: Epoch(rawValue: 1), seq: 0),
                chain: .zero,
                oldest: Position(epoch: Epoch(rawValue: 1), seq: 0),
                healing: healing
            )
            var body = ByteBuffer()
            document.append(to: &body)
            reply("200 OK", String(decoding: body.array, as: UTF8.self))
        }

        /// Answers the handshake; gives its head.
        @discardableResult
        func upgrade(acceptance wrong: String? = nil) -> String? {
            guard let head = read(until: "\r\n\r\n") else { return nil }
            let line = head.split(separator: "\r\n").first { $0.hasPrefix("sec-websocket-key: ") }
            let key = Array((line?.dropFirst(19) ?? "").utf8)
            let answer = String(
                decoding: key.withView(WebSocketHandshake.acceptance),
                as: UTF8.self
            )
            send(
                "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
                    + "sec-websocket-accept: \(wrong ?? answer)\r\n"
                    + "sec-websocket-protocol: holdfast.mirror.v1\r\n\r\n"
            )
            return head
        }
    }

    let port: UInt16
    /// Every byte that came.
    let seen = Condition<[UInt8]>([])
    private let descriptor: Int32
    private let worker: Worker

    /// Takes one connection and lets `talk` answer it.
    init(_ talk: @escaping @Sendable (Conversation) -> Void) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                _ = bind(descriptor, address, length)
                _ = listen(descriptor, 4)
                _ = getsockname(descriptor, address, &length)
            }
        }
        self.descriptor = descriptor
        port = UInt16(bigEndian: address.sin_port)
        let seen = self.seen
        worker = Worker {
            let accepted = accept(descriptor, nil, nil)
            guard accepted >= 0 else { return }
            talk(Conversation(accepted, seen))
            close(accepted)
        }
    }

    /// Waits until the conversation is over.
    func join() {
        worker.join()
        close(descriptor)
    }

    /// What came, as text.
    var text: String { seen.withLock { String(decoding: $0, as: UTF8.self) } }
}
