// A mirror's end of the wire over a blocking socket: what it is told is kept as it came.
import Foundation
import HoldfastBasics
import HoldfastCommitLog
public import HoldfastHTTP
public import HoldfastRecords
public import HoldfastStore
public import HoldfastWire

/// One connection to `/v1/mirror`.
public final class TestMirror {
    private let client: TestClient
    /// The status of the handshake's reply.
    public let status: Int
    /// The code of the server's close frame, once it came.
    public private(set) var closeCode: UInt16?
    /// Messages so far.
    public private(set) var messages: [MirrorDown] = []
    /// Every byte that came after the handshake, frames' heads left out.
    public private(set) var received: [UInt8] = []

    /// Opens a connection and says nothing.
    public init(_ address: String, headers: [(String, String)] = []) throws {
        client = try TestClient(address)
        let handshake = [
            ("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Protocol", "holdfast.mirror.v1"),
        ]
        status = try client.send("GET", "/v1/mirror", headers: handshake + headers).status
    }

    /// What a mirror of a store says first.
    public static func hello(
        _ store: Store,
        device: String = "d-1",
        user: String = "anna",
        trees: Set<TreeName>? = nil,
        have: MirrorHave? = nil,
        settled: UInt64 = 0
    ) -> MirrorHello {
        MirrorHello(
            databaseID: store.identity.databaseID,
            application: store.identity.application,
            device: device,
            user: user,
            app: "test",
            appVersion: "1",
            trees: trees,
            have: have,
            settled: settled
        )
    }

    /// Sends a message.
    public func send(_ message: MirrorUp) {
        var buffer = ByteBuffer()
        message.append(to: &buffer)
        send(buffer.array)
    }

    /// Sends bytes as one message.
    public func send(_ bytes: [UInt8], _ opcode: WebSocketOpcode = .binary) {
        var frame = ByteBuffer()
        bytes.withView { frame.appendFrame(opcode, $0, mask: WebSocketMask(0x1234_5678)) }
        client.write(frame.array)
    }

    /// Sends bytes that need not be a frame.
    public func sendRaw(_ bytes: [UInt8]) { client.write(bytes) }

    /// The next message; nil when the connection has ended.
    public func next() throws -> MirrorDown? {
        while closeCode == nil {
            let head: [UInt8]
            do {
                head = try client.take(2)
            } catch TestClientError.ended {
                return nil
            }
            var count = Int(head[1] & 0x7F)
            if count == 126 { count = try client.take(2).reduce(0) { $0 << 8 | Int($1) } }
            if count == 127 { count = try client.take(8).reduce(0) { $0 << 8 | Int($1) } }
            let payload = try client.take(count)
            received += payload
            switch head[0] & 0x0F {
            case WebSocketOpcode.binary.rawValue:
                let message = try payload.withView { try MirrorDown($0) }
                messages.append(message)
                return message
            case WebSocketOpcode.close.rawValue:
                closeCode = payload.prefix(2).reduce(0) { $0 << 8 | UInt16($1) }
            default: continue
            }
        }
        return nil
    }

    /// Reads until a message gives something.
    public func first<T>(_ pick: (MirrorDown) -> T?) throws -> T? {
        while let message = try next() {
            if let found = pick(message) { return found }
        }
        return nil
    }

    /// Says hello and gives the welcome.
    public func begin(_ hello: MirrorHello) throws -> MirrorWelcome? {
        send(.hello(hello))
        return try first { if case .welcome(let welcome) = $0 { welcome } else { nil } }
    }

    /// Reads commits until there are those up to a seq; gives their contents.
    public func commits(through seq: UInt64) throws -> [[UInt8]] {
        var contents: [[UInt8]] = []
        while contents.last.map({ Self.seq($0) < seq }) ?? true, let message = try next() {
            if case .commits(let more) = message { contents += more }
        }
        return contents
    }

    /// The seq of a commit's content.
    public static func seq(_ content: [UInt8]) -> UInt64 {
        content.withView { (try? CommitView($0))?.seq ?? 0 }
    }

    /// The code of the bye.
    public func bye() throws -> UInt16? {
        try first { if case .bye(let bye) = $0 { bye.code } else { nil } }
    }

    /// Sends a change and gives its answer.
    public func propose(_ change: Change) throws -> MirrorDown? {
        send(.change(MirrorChange(change)))
        return try first { message in
            switch message {
            case .accepted(let answer) where answer.change.id == change.id: message
            case .refused(let answer) where answer.change.id == change.id: message
            default: nil
            }
        }
    }
}

extension Store {
    /// The contents of the durable log, from a seq on.
    public func contents(from seq: UInt64 = 1) throws -> [[UInt8]] {
        let reader = logReader()
        var contents: [[UInt8]] = []
        guard var cursor = try reader.cursor(before: seq) else { return contents }
        while let frame = try cursor.next() { contents.append(frame.content.array) }
        return contents
    }
}
