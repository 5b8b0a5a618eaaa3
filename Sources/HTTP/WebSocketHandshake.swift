// The handshake that turns a request into a WebSocket connection. Source: RFC 6455, section 4.2.
public import HoldfastBasics

/// A handshake that has been checked, ready to be answered.
public struct WebSocketHandshake: Sendable {
    /// The value of Sec-WebSocket-Accept, 28 characters.
    public let acceptance: [UInt8]
    /// The protocol both sides speak; nil when the client named none of ours.
    public let subprotocol: String?

    /// Checks a handshake.
    ///
    /// - Parameters:
    ///   - head: A request whose `wantsWebSocket` holds.
    ///   - subprotocols: Those the resource speaks, the best first.
    /// - Throws: `webSocketVersion` for another version than 13, `fieldRepeated`, `badHandshake`.
    public init(_ head: RequestHead, subprotocols: [String]) throws(HTTPError) {
        guard head.method == .get, head.wantsWebSocket, !head.hasContent else {
            throw .badHandshake
        }
        guard let version = try head.single("sec-websocket-version") else { throw .badHandshake }
        guard version.equals("13") else { throw .webSocketVersion }
        guard let key = try head.single("sec-websocket-key"), Base64.isSixteenBytes(key) else {
            throw .badHandshake
        }
        acceptance = Self.acceptance(key)
        var best = subprotocols.count
        head.forEach("sec-websocket-protocol") { value in
            FieldList.forEach(value) { item in
                if let index = subprotocols.firstIndex(of: item.text), index < best { best = index }
            }
        }
        subprotocol = best < subprotocols.count ? subprotocols[best] : nil
    }

    /// What a server answers to a key.
    public static func acceptance(_ key: ByteView) -> [UInt8] {
        var text = ByteBuffer(capacity: 64)
        text.append(key)
        text.append("258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
        return SHA1.digest(text.view).withView(Base64.encode)
    }
}

extension ByteBuffer {
    /// Appends the reply that ends the handshake; frames follow.
    ///
    /// - Parameters:
    ///   - handshake: What was checked.
    ///   - date: The time of the reply.
    ///   - fields: More header fields, each ended by CR LF.
    public mutating func appendUpgrade(
        _ handshake: WebSocketHandshake,
        date: HTTPDate,
        fields: [UInt8] = []
    ) {
        startResponse(.switchingProtocols, date: date)
        append("upgrade: websocket\r\nconnection: Upgrade\r\n")
        handshake.acceptance.withView { appendField("sec-websocket-accept", $0) }
        if let name = handshake.subprotocol { appendField("sec-websocket-protocol", text: name) }
        append(fields)
        append("\r\n")
    }
}
