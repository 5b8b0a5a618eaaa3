// A plain HTTP/1.1 client over a blocking socket, which records what it sees.
import Foundation
import Glibc
import HoldfastBasics

/// Why a client gave up.
public enum TestClientError: Error {
    /// No connection.
    case unreachable(String)
    /// The connection ended inside a reply; what came so far.
    case ended(String)
}

/// One connection to a server.
public final class TestClient {
    private let descriptor: Int32
    private let address: String
    private var input: [UInt8] = []

    /// Connects to `127.0.0.1:PORT`.
    public init(_ address: String) throws {
        self.address = address
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var target = sockaddr_in()
        target.sin_family = sa_family_t(AF_INET)
        target.sin_port = (UInt16(address.split(separator: ":").last ?? "") ?? 0).bigEndian
        target.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &target) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw TestClientError.unreachable(address) }
        // A reply that never comes fails the test instead of hanging it.
        var patience = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(
            descriptor,
            SOL_SOCKET,
            SO_RCVTIMEO,
            &patience,
            socklen_t(MemoryLayout<timeval>.size)
        )
    }

    deinit { close(descriptor) }

    /// Sends bytes as they are.
    public func write(_ bytes: [UInt8]) {
        sendAll(bytes, on: descriptor)
    }

    /// Ends this side of the connection.
    public func endOutput() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Sends a request and reads its reply.
    public func send(
        _ method: String,
        _ target: String,
        headers: [(String, String)] = [],
        body: String? = nil
    ) throws -> TestReply {
        var all = [("Host", address)] + headers
        if let body {
            all.append(("Content-Length", "\(body.utf8.count)"))
            if !headers.contains(where: { $0.0.lowercased() == "content-type" }) {
                all.append(("Content-Type", "application/json"))
            }
        }
        let head = all.map { "\($0): \($1)\r\n" }.joined()
        write(Array("\(method) \(target) HTTP/1.1\r\n\(head)\r\n\(body ?? "")".utf8))
        let reply = try read(isHead: method == "HEAD")
        Self.record(method, target, all, body, reply)
        return reply
    }

    /// Reads one reply.
    public func read(isHead: Bool = false) throws -> TestReply {
        let head = try take(until: "\r\n\r\n")
        let lines = head.components(separatedBy: "\r\n")
        let status = Int(lines[0].split(separator: " ").dropFirst().first ?? "") ?? 0
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
            headers[line[..<colon].lowercased()] = value
        }
        var body: [UInt8] = []
        if isHead || status == 204 || status == 304 || status < 200 {
            return TestReply(status: status, headers: headers, body: [])
        }
        if headers["transfer-encoding"] == "chunked" {
            while true {
                let length = Int(try take(until: "\r\n"), radix: 16) ?? 0
                body += try take(length)
                _ = try take(2)
                if length == 0 { break }
            }
        } else {
            body = try take(Int(headers["content-length"] ?? "0") ?? 0)
        }
        return TestReply(status: status, headers: headers, body: body)
    }

    /// Reads exactly so many bytes.
    public func take(_ count: Int) throws -> [UInt8] {
        while input.count < count { try fill() }
        defer { input.removeFirst(count) }
        return Array(input.prefix(count))
    }

    private func take(until mark: String) throws -> String {
        let mark = Array(mark.utf8)
        while true {
            if let end = input.firstRange(of: mark) {
                let text = String(decoding: input[..<end.lowerBound], as: UTF8.self)
                input.removeFirst(end.upperBound)
                return text
            }
            try fill()
        }
    }

    private func fill() throws {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        guard count > 0 else {
            throw TestClientError.ended(String(decoding: input, as: UTF8.self))
        }
        input += bytes.prefix(count)
    }

    /// Appends an exchange to the recordings that are held against openapi.yaml, when they are
    /// wanted.
    private static func record(
        _ method: String,
        _ target: String,
        _ headers: [(String, String)],
        _ body: String?,
        _ reply: TestReply
    ) {
        guard let folder = ProcessInfo.processInfo.environment["HOLDFAST_RECORDINGS"] else {
            return
        }
        let exchange: [String: Any] = [
            "method": method, "target": target,
            "requestHeaders": headers.map { [$0.0, $0.1] },
            "requestBody": Data((body ?? "").utf8).base64EncodedString(),
            "status": reply.status,
            "headers": reply.headers.map { [$0.key, $0.value] },
            "body": Data(reply.body).base64EncodedString(), "test": "swift",
        ]
        guard let line = try? JSONSerialization.data(withJSONObject: exchange) else { return }
        let path = folder + "/swift-\(getpid()).ndjson"
        // A long line is written in pieces, and other tests write to the file meanwhile.
        recording.withLock { _ in
            guard let file = fopen(path, "a") else { return }
            (line + Data("\n".utf8)).withUnsafeBytes {
                _ = fwrite($0.baseAddress, 1, $0.count, file)
            }
            fclose(file)
        }
    }

    private static let recording = Lock(0)
}
