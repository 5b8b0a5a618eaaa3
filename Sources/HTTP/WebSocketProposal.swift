// The client's half of the handshake that makes a connection a WebSocket. Source: RFC 6455,
// section 4.1.
public import HoldfastBasics

/// A handshake on its way to a server.
public struct WebSocketProposal: Sendable {
    private let key: [UInt8]
    private let subprotocol: String

    /// Makes a key.
    ///
    /// - Parameters:
    ///   - subprotocol: The one protocol the client speaks.
    ///   - random: Gives the 16 bytes of the key.
    public init(subprotocol: String, random: any RandomSource) {
        var bytes = ByteBuffer(capacity: 16)
        bytes.append(integer: random.next())
        bytes.append(integer: random.next())
        key = Base64.encode(bytes.view)
        self.subprotocol = subprotocol
    }

    /// Appends the request.
    ///
    /// - Parameters:
    ///   - target: The path.
    ///   - host: The value of Host.
    ///   - fields: More header fields, each ended by CR LF.
    ///   - buffer: Gets the request.
    public func appendRequest(
        target: String,
        host: String,
        fields: [UInt8],
        to buffer: inout ByteBuffer
    ) {
        buffer.append(text: "GET \(target) HTTP/1.1\r\n")
        buffer.appendField("host", text: host)
        buffer.append("connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n")
        key.withView { buffer.appendField("sec-websocket-key", $0) }
        buffer.appendField("sec-websocket-protocol", text: subprotocol)
        buffer.append(fields)
        buffer.append("\r\n")
    }

    /// Checks the reply: 101, the upgrade, the answer to the key, and the subprotocol.
    ///
    /// - Parameter response: What the server said.
    /// - Throws: `badAcceptance`, `fieldRepeated`.
    public func check(_ response: Response) throws(HTTPError) {
        let acceptance = String(
            decoding: key.withView(WebSocketHandshake.acceptance),
            as: UTF8.self
        )
        guard response.status == 101, response.names("upgrade", "websocket"),
            response.names("connection", "upgrade"),
            try response.single("sec-websocket-accept") == acceptance,
            try response.single("sec-websocket-protocol") == subprotocol,
            try response.single("sec-websocket-extensions") == nil
        else { throw .badAcceptance }
    }
}
