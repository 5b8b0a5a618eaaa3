// Replies, appended to a buffer in the order of the bytes: status line, fields, end of head, body.
//
// Invariants: no value can end its line, whatever it holds; a reply to HEAD and one of a bodiless
// status has no body; a reply of unknown length to HTTP/1.0 ends with the connection.
// Source: RFC 9112, sections 4, 6 and 7.
public import HoldfastBasics

/// How the length of a reply's body is told.
public enum ResponseLength: Sendable, Equatable {
    /// Known beforehand, in bytes.
    case bytes(Int)
    /// Not known beforehand: chunks, or in HTTP/1.0 everything until the connection ends.
    case unknown
}

extension ByteBuffer {
    /// Begins a reply: status line and Date.
    public mutating func startResponse(_ status: HTTPStatus, date: HTTPDate) {
        append("HTTP/1.1 ")
        append(decimal: status.rawValue)
        append(ASCII.space)
        append(status.phrase)
        append("\r\ndate: ")
        append(date.text)
        append("\r\n")
    }

    /// Appends a field with a fixed value.
    public mutating func appendField(_ name: StaticString, _ value: StaticString) {
        append(name)
        append(": ")
        append(value)
        append("\r\n")
    }

    /// Appends a field; a control character in its value becomes a blank.
    public mutating func appendField(_ name: StaticString, _ value: ByteView) {
        append(name)
        append(": ")
        var start = 0
        for index in 0..<value.count where !ASCII.isFieldContent(value[index]) {
            append(value[start..<index])
            append(ASCII.space)
            start = index + 1
        }
        append(value.suffix(from: start))
        append("\r\n")
    }

    /// Appends a field; a control character in its value becomes a blank.
    public mutating func appendField(_ name: StaticString, text: String) {
        Array(text.utf8).withView { appendField(name, $0) }
    }

    /// Appends a field whose value is a number.
    public mutating func appendField(_ name: StaticString, decimal: Int) {
        append(name)
        append(": ")
        append(decimal: decimal)
        append("\r\n")
    }

    /// Ends the head of a reply: length, Connection, empty line.
    ///
    /// - Parameters:
    ///   - status: As given to `startResponse`.
    ///   - length: Of the body, also where `exchange` forbids to send it.
    ///   - exchange: What the request asked for; `keepsAlive` is lowered where only the end of the
    ///     connection can end the body.
    /// - Returns: Whether the body is to be sent, and in chunks.
    @discardableResult
    public mutating func endHead(
        _ status: HTTPStatus,
        _ length: ResponseLength,
        _ exchange: inout Exchange
    ) -> ResponseBody {
        var body = ResponseBody.plain
        if status.isBodiless {
            body = .none
        } else {
            switch length {
            case .bytes(let count):
                appendField("content-length", decimal: count)
            case .unknown where exchange.isVersion11:
                append("transfer-encoding: chunked\r\n")
                body = .chunked
            case .unknown:
                exchange.keepsAlive = false
            }
        }
        if !exchange.keepsAlive {
            append("connection: close\r\n")
        } else if !exchange.isVersion11 {
            append("connection: keep-alive\r\n")
        }
        append("\r\n")
        return exchange.isHead ? .none : body
    }

    /// Appends `100 Continue`.
    public mutating func appendContinue() { append("HTTP/1.1 100 Continue\r\n\r\n") }

    /// Appends a whole refusal as `text/plain`, for what could not even be read; close after it.
    public mutating func appendRefusal(_ error: HTTPError, date: HTTPDate) {
        startResponse(error.status, date: date)
        appendField("content-type", "text/plain; charset=utf-8")
        if error == .webSocketVersion { appendField("sec-websocket-version", "13") }
        let reason = Array((error.reason + "\n").utf8)
        var exchange = Exchange.refusal
        endHead(error.status, .bytes(reason.count), &exchange)
        append(reason)
    }

    // MARK: Chunks

    /// Appends bytes as one chunk; nothing for no bytes, as an empty chunk ends the body.
    public mutating func appendChunk(_ bytes: ByteView) {
        if bytes.isEmpty { return }
        let chunk = beginChunk()
        append(bytes)
        endChunk(chunk)
    }

    /// Begins a chunk that is then appended in place.
    ///
    /// - Returns: Where it begins, for `endChunk`; nothing may be consumed in between.
    public mutating func beginChunk() -> Int {
        append("00000000\r\n")
        return count
    }

    /// Ends a chunk begun with `beginChunk`, or takes it back when nothing was appended.
    public mutating func endChunk(_ start: Int) {
        let length = count - start
        precondition(length >= 0 && length <= Int(UInt32.max), "a chunk has up to 2^32 - 1 bytes")
        if length == 0 { return truncate(to: start - 10) }
        // The 8 digits, the first of them in the lowest byte.
        var digits: UInt64 = 0
        for place in 0..<8 {
            let digit = ASCII.digit(UInt8(truncatingIfNeeded: length >> (28 - 4 * place)) & 15)
            digits |= UInt64(digit) << UInt64(8 * place)
        }
        replace(integer: digits, at: start - 10)
        append("\r\n")
    }

    /// Ends a body of chunks.
    public mutating func endChunks() { append("0\r\n\r\n") }
}

/// What is to follow the head of a reply.
public enum ResponseBody: Sendable, Equatable {
    /// Nothing.
    case none
    /// The bytes as they are.
    case plain
    /// Chunks, then `endChunks`.
    case chunked
}
