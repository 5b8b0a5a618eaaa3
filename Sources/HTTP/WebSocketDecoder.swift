// WebSocket frames as they arrive, put together to messages.
//
// Invariants:
// - every byte given is consumed but those of an incomplete frame head;
// - a fault is reported at the first byte that shows it; after it, and after a close, nothing more
//   is read;
// - what a step lends (message, payload) is valid until the next step;
// - no message above the limit is gathered: it is refused when its length is announced.
//
// Source: RFC 6455, sections 5 to 8. No extensions are negotiated.
public import HoldfastBasics

/// What the bytes have come to so far.
public enum WebSocketStep {
    /// Nothing more can be said before more bytes come.
    case needsMore
    /// A whole message, text (valid UTF-8) or bytes.
    case message(ByteView, isText: Bool)
    /// Answer with a pong of the same bytes.
    case ping(ByteView)
    /// The answer to a ping.
    case pong(ByteView)
    /// The peer ends the connection: answer with a close of the same code, then close.
    case close(WebSocketCloseCode?, reason: ByteView)
    /// The peer broke the protocol: send a close with the code, then close.
    case violation(WebSocketViolation)
}

/// A broken rule of the protocol.
public struct WebSocketViolation: Error, Sendable, Equatable {
    /// What the close frame says.
    public let code: WebSocketCloseCode
    /// The rule, in plain words, short enough for a close frame.
    public let reason: StaticString

    /// Equality of the code.
    public static func == (a: WebSocketViolation, b: WebSocketViolation) -> Bool {
        a.code == b.code
    }
}

/// Decodes one direction of one connection.
public struct WebSocketDecoder: ~Copyable {
    /// Whose frames are decoded.
    public enum Role: Sendable {
        /// Those of a client, which must be masked.
        case server
        /// Those of a server, which must not be.
        case client
    }

    private struct Frame {
        var opcode: WebSocketOpcode
        var isFinal: Bool
        var mask: WebSocketMask?
        var byteCount: Int
        var received = 0
    }

    private let role: Role
    private let messageByteCountMax: Int
    private let frameByteCountMax: Int
    private var frame: Frame?
    private var isInMessage = false
    private var isText = false
    private var message = ByteBuffer()
    private var control = ByteBuffer()
    private var validator = UTF8Validator()
    private var isDelivered = false
    private var violation: WebSocketViolation?
    private var isClosed = false

    /// Memory above this is given back between messages.
    private static let idleByteCountMax = 16 << 10

    /// A decoder for one connection.
    ///
    /// - Parameters:
    ///   - role: Whose frames are decoded.
    ///   - messageByteCountMax: Longest message, over all its frames.
    ///   - frameByteCountMax: Longest payload of one frame; as long as a message when nil.
    public init(
        role: Role,
        messageByteCountMax: Int = Limits.messageByteCountMax,
        frameByteCountMax: Int? = nil
    ) {
        self.role = role
        self.messageByteCountMax = messageByteCountMax
        self.frameByteCountMax = frameByteCountMax ?? messageByteCountMax
    }

    /// Goes on to the next thing to tell.
    ///
    /// - Parameters:
    ///   - bytes: What has been received; the bytes from `offset` on are those not consumed yet.
    ///   - offset: Is moved behind what is consumed.
    /// - Returns: What the bytes have come to.
    public mutating func step(_ bytes: ByteView, _ offset: inout Int) -> WebSocketStep {
        if isDelivered {
            isDelivered = false
            message.removeAll()
            message.shrinkIfEmpty(above: Self.idleByteCountMax)
        }
        do throws(WebSocketViolation) {
            while !isClosed, violation == nil {
                if frame == nil, try !readHead(bytes, &offset) { return .needsMore }
                if let step = try readPayload(bytes, &offset) { return step }
                if frame != nil { return .needsMore }
            }
        } catch {
            violation = error
        }
        offset = bytes.count
        if let violation { return .violation(violation) }
        return .needsMore
    }

    // MARK: Frame head

    /// - Returns: Whether the head is complete.
    private mutating func readHead(
        _ bytes: ByteView,
        _ offset: inout Int
    ) throws(WebSocketViolation) -> Bool {
        let rest = bytes.suffix(from: offset)
        guard rest.count >= 2 else { return false }
        let (first, second) = (rest[0], rest[1])
        if first & 0x70 != 0 { throw Self.broken("reserved bits are set") }
        guard let opcode = WebSocketOpcode(rawValue: first & 15) else {
            throw Self.broken("unknown opcode")
        }
        let isFinal = first & 0x80 != 0
        let isMasked = second & 0x80 != 0
        if isMasked != (role == .server) {
            throw Self.broken(isMasked ? "a server must not mask" : "a client must mask")
        }
        var byteCount = Int(second & 0x7F)
        if opcode.isControl {
            guard isFinal, byteCount <= 125 else { throw Self.broken("control frame too long") }
        } else if (opcode == .continuation) != isInMessage {
            throw Self.broken(isInMessage ? "message not finished" : "nothing to continue")
        }

        var head = 2
        if byteCount == 126 {
            guard rest.count >= 4 else { return false }
            byteCount = Int(UInt16(bigEndian: rest.integer(at: 2)))
            if byteCount < 126 { throw Self.broken("length is not the shortest form") }
            head = 4
        } else if byteCount == 127 {
            guard rest.count >= 10 else { return false }
            let long = UInt64(bigEndian: rest.integer(at: 2))
            if long >> 63 != 0 { throw Self.broken("length has its highest bit set") }
            if long <= UInt16.max { throw Self.broken("length is not the shortest form") }
            byteCount = Int(long)
            head = 10
        }
        if !opcode.isControl, byteCount > messageByteCountMax - message.count {
            throw WebSocketViolation(code: .tooBig, reason: "message too big")
        }
        if byteCount > frameByteCountMax {
            throw WebSocketViolation(code: .tooBig, reason: "frame too big")
        }
        if isMasked {
            guard rest.count >= head + 4 else { return false }
            head += 4
        }
        let mask = isMasked ? WebSocketMask(rest.integer(at: head - 4)) : nil
        frame = Frame(opcode: opcode, isFinal: isFinal, mask: mask, byteCount: byteCount)
        if opcode == .text || opcode == .binary {
            isInMessage = true
            isText = opcode == .text
            validator = UTF8Validator()
        }
        if opcode.isControl { control.removeAll() }
        offset += head
        return true
    }

    private static func broken(_ reason: StaticString) -> WebSocketViolation {
        WebSocketViolation(code: .protocolError, reason: reason)
    }

    // MARK: Payload

    /// - Returns: What the frame completes; nil when it goes on, or the message does.
    private mutating func readPayload(
        _ bytes: ByteView,
        _ offset: inout Int
    ) throws(WebSocketViolation) -> WebSocketStep? {
        guard var current = frame else { return nil }
        let count = min(current.byteCount - current.received, bytes.count - offset)
        let piece = bytes[offset..<offset + count]
        offset += count
        let isControl = current.opcode.isControl
        if isControl {
            Self.append(piece, current, to: &control)
        } else {
            let start = message.count
            Self.append(piece, current, to: &message)
            if isText, !validator.take(message.view.suffix(from: start)) { throw Self.notText }
        }
        current.received += count
        guard current.received == current.byteCount else {
            frame = current
            return nil
        }
        frame = nil
        if isControl { return try endControl(current.opcode) }
        guard current.isFinal else { return nil }
        if isText, !validator.isComplete { throw Self.notText }
        isInMessage = false
        isDelivered = true
        return .message(message.view, isText: isText)
    }

    private static let notText = WebSocketViolation(code: .notUTF8, reason: "text is not UTF-8")

    private static func append(_ piece: ByteView, _ frame: Frame, to buffer: inout ByteBuffer) {
        if let mask = frame.mask {
            mask.append(piece, at: frame.received, to: &buffer)
        } else {
            buffer.append(piece)
        }
    }

    private mutating func endControl(
        _ opcode: WebSocketOpcode
    ) throws(WebSocketViolation) -> WebSocketStep {
        let payload = control.view
        switch opcode {
        case .ping: return .ping(payload)
        case .pong: return .pong(payload)
        default: break
        }
        if payload.isEmpty {
            isClosed = true
            return .close(nil, reason: payload)
        }
        guard payload.count >= 2 else { throw Self.broken("half a close code") }
        let code = WebSocketCloseCode(UInt16(bigEndian: payload.integer(at: 0)))
        guard code.isValid else { throw Self.broken("a close code that may not be sent") }
        let reason = payload.suffix(from: 2)
        guard UTF8Validator.isValid(reason) else { throw Self.notText }
        isClosed = true
        return .close(code, reason: reason)
    }
}
