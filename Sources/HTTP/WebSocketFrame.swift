// WebSocket frames as they are written. Source: RFC 6455, sections 5.2 and 7.4.
public import HoldfastBasics

/// What a frame is.
public enum WebSocketOpcode: UInt8, Sendable {
    /// Goes on with the message begun.
    case continuation = 0
    /// Begins a message of UTF-8 text.
    case text = 1
    /// Begins a message of bytes.
    case binary = 2
    /// Ends the connection.
    case close = 8
    /// Asks for a pong with the same bytes.
    case ping = 9
    /// Answers a ping.
    case pong = 10

    /// Whether it is one of the short frames that may stand between fragments.
    public var isControl: Bool { rawValue >= 8 }
}

/// Why a WebSocket connection ends.
public struct WebSocketCloseCode: Sendable, Equatable {
    /// The number.
    public let rawValue: UInt16

    /// Any number; `isValid` tells whether it may be sent.
    public init(_ rawValue: UInt16) { self.rawValue = rawValue }

    /// Done.
    public static let normal = WebSocketCloseCode(1000)
    /// One side goes away.
    public static let goingAway = WebSocketCloseCode(1001)
    /// The peer broke the protocol.
    public static let protocolError = WebSocketCloseCode(1002)
    /// Text was not UTF-8.
    public static let notUTF8 = WebSocketCloseCode(1007)
    /// A message was above the limit.
    public static let tooBig = WebSocketCloseCode(1009)
    /// The server restarts.
    public static let restart = WebSocketCloseCode(1012)
    /// The server has too much to do.
    public static let busy = WebSocketCloseCode(1013)

    /// Whether the code may stand in a close frame.
    public var isValid: Bool {
        switch rawValue {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }
}

/// A mask of four bytes, the first of them in the lowest byte; clients mask what they send.
public struct WebSocketMask: Sendable, Equatable {
    let word: UInt32

    /// Makes a mask of 32 random bits.
    public init(_ word: UInt32) { self.word = word }

    /// The mask, turned so that it begins at payload byte `offset`, twice over.
    func doubled(at offset: Int) -> UInt64 {
        let turn = UInt32(8 * (offset & 3))
        let turned = turn == 0 ? word : word >> turn | word << (32 - turn)
        return UInt64(turned) | UInt64(turned) << 32
    }

    /// Appends bytes, masked or unmasked, that begin at payload byte `offset`.
    func append(_ bytes: ByteView, at offset: Int, to buffer: inout ByteBuffer) {
        let mask = doubled(at: offset)
        buffer.reserve(bytes.count)
        var index = 0
        while bytes.count &- index >= 8 {
            buffer.append(integer: bytes.integer(UInt64.self, at: index) ^ mask)
            index &+= 8
        }
        while index < bytes.count {
            buffer.append(bytes[index] ^ UInt8(truncatingIfNeeded: mask >> UInt64(8 * (index & 7))))
            index &+= 1
        }
    }
}

extension ByteBuffer {
    /// Appends the head of a frame; `byteCount` bytes of payload must follow.
    ///
    /// - Parameters:
    ///   - opcode: What the frame is.
    ///   - byteCount: Length of the payload.
    ///   - isFinal: Whether the message ends with it.
    ///   - mask: What the payload is masked with; nil on a server.
    public mutating func appendFrameHead(
        _ opcode: WebSocketOpcode,
        byteCount: Int,
        isFinal: Bool = true,
        mask: WebSocketMask? = nil
    ) {
        precondition(!opcode.isControl || (isFinal && byteCount <= 125), "control frames are short")
        append((isFinal ? 0x80 : 0) | opcode.rawValue)
        let masked: UInt8 = mask == nil ? 0 : 0x80
        if byteCount < 126 {
            append(masked | UInt8(byteCount))
        } else if byteCount <= UInt16.max {
            append(masked | 126)
            append(integer: UInt16(byteCount).bigEndian)
        } else {
            append(masked | 127)
            append(integer: UInt64(byteCount).bigEndian)
        }
        if let mask { append(integer: mask.word) }
    }

    /// Appends a whole frame.
    ///
    /// - Parameters:
    ///   - opcode: What the frame is.
    ///   - payload: Its bytes; a control frame has 125 at most.
    ///   - isFinal: Whether the message ends with it.
    ///   - mask: What to mask the payload with; nil on a server.
    public mutating func appendFrame(
        _ opcode: WebSocketOpcode,
        _ payload: ByteView,
        isFinal: Bool = true,
        mask: WebSocketMask? = nil
    ) {
        appendFrameHead(opcode, byteCount: payload.count, isFinal: isFinal, mask: mask)
        if let mask {
            mask.append(payload, at: 0, to: &self)
        } else {
            append(payload)
        }
    }

    /// Appends a close frame.
    ///
    /// - Parameters:
    ///   - code: Why; nil says nothing. A code that may not be sent is left out.
    ///   - reason: Text of 123 bytes at most.
    ///   - mask: What to mask the payload with; nil on a server.
    public mutating func appendClose(
        _ code: WebSocketCloseCode?,
        _ reason: StaticString = "",
        mask: WebSocketMask? = nil
    ) {
        var payload = ByteBuffer()
        if let code, code.isValid {
            payload.append(integer: code.rawValue.bigEndian)
            payload.append(reason)
        }
        appendFrame(.close, payload.view, mask: mask)
    }
}
