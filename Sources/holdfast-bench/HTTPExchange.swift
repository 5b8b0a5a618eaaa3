// Requests one after the other, to prepare a server and to look at what it answers.
internal import Foundation
internal import HoldfastBasics

/// A connection for requests that wait for their reply.
final class HTTPExchange {
    let socket: Socket
    private let host: String
    var buffer = ByteBuffer()

    init(port: UInt16) throws {
        socket = try Socket(port: port)
        host = "127.0.0.1:\(port)"
    }

    /// Sends a request and waits for its reply.
    ///
    /// - Returns: The status and the body.
    func send(
        _ method: String,
        _ path: String,
        headers: [String] = [],
        body: String? = nil
    ) throws -> (status: Int, body: String) {
        try reply(to: Self.request(method, path, host: host, headers: headers, body: body))
    }

    /// Sends what load is made of once, and waits for its first reply.
    func reply(
        to request: LoadRequest,
        numbersFrom first: Int
    ) throws -> (status: Int, body: String) {
        try reply(to: request.text(numbersFrom: first))
    }

    private func reply(to message: String) throws -> (status: Int, body: String) {
        try socket.send(Array(message.utf8))
        while true {
            if let reply = HTTPReply(buffer.view) {
                let body = buffer.view[reply.headByteCount..<reply.byteCount].text
                buffer.consume(reply.byteCount)
                return (reply.status, body)
            }
            _ = try socket.receive(into: &buffer)
        }
    }

    /// The same, for what must succeed.
    func require(
        _ method: String,
        _ path: String,
        headers: [String] = [],
        body: String? = nil
    ) throws {
        let reply = try send(method, path, headers: headers, body: body)
        guard (200...299).contains(reply.status) else {
            throw BenchError("\(method) \(path): \(reply.status) \(reply.body)")
        }
    }

    static func request(
        _ method: String,
        _ path: String,
        host: String,
        headers: [String] = [],
        body: String? = nil
    ) -> String {
        var text = "\(method) \(path) HTTP/1.1\r\nHost: \(host)\r\n"
        for header in headers { text += header + "\r\n" }
        if let body {
            text += "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n"
        }
        return text + "\r\n" + (body ?? "")
    }
}

/// A whole reply at the beginning of some bytes.
struct HTTPReply {
    let status: Int
    let headByteCount: Int
    /// With the head, and with what says how long chunks are.
    let byteCount: Int

    /// Looks for one; nil when more must come.
    init?(_ bytes: ByteView) {
        guard let end = bytes.range(of: "\r\n\r\n") else { return nil }
        headByteCount = end + 4
        let head = bytes[0..<headByteCount].text
        status = Int(head.split(separator: " ").dropFirst().first ?? "") ?? 0
        var length = 0
        for line in head.split(separator: "\r\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            let value = parts[1].trimmingCharacters(in: .whitespaces)
            switch parts[0].lowercased() {
            case "content-length": length = Int(value) ?? 0
            case "transfer-encoding":
                guard let count = Self.chunkedByteCount(bytes[headByteCount..<bytes.count])
                else { return nil }
                length = count
            default: break
            }
        }
        byteCount = headByteCount + length
        if status >= 200, bytes.count < byteCount { return nil }
    }

    /// Bytes to the end of the last chunk, or nil when it has not come.
    ///
    /// Source: RFC 9112, section 7.1; without trailers.
    private static func chunkedByteCount(_ bytes: ByteView) -> Int? {
        var at = 0
        while let end = bytes.firstIndex(of: UInt8(ascii: "\n"), from: at) {
            let line = bytes[at..<end].text.trimmingCharacters(in: .whitespaces.union(.newlines))
            guard let length = Int(line, radix: 16) else { return nil }
            at = end + 1 + length + 2
            guard at <= bytes.count else { return nil }
            if length == 0 { return at }
        }
        return nil
    }
}
