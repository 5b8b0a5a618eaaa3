// What a server over HTTP does at most on this machine: on the loops of the product it reads
// requests, answers all alike, and, if asked to, syncs some bytes for each before.
internal import Foundation
internal import HoldfastBasics
internal import HoldfastNetworking

/// `holdfast-bench bare PORT LOOPS BODY [FILE]`: for this program alone.
enum BareCommand {
    static let name = "bare"

    /// Serves until it is ended.
    static func run(_ arguments: ArraySlice<String>) -> Int32 {
        let words = Array(arguments)
        guard (3...4).contains(words.count), let port = UInt16(words[0]),
            let loopCount = Int(words[1]), loopCount > 0
        else { return 64 }
        do {
            let reply = reply(words[2])
            let log = words.count == 4 ? BareLog(try BareFile(words[3]), reply) : nil
            let loops = try (0..<loopCount).map { _ in try EventLoop() }
            let address = try SocketAddress("127.0.0.1:\(port)")
            let listener = try Listener(on: address, loops: loops) { stream in
                BareHandler(stream, reply, log)
            }
            withExtendedLifetime(listener) {
                for loop in loops { loop.join() }
            }
            return 0
        } catch {
            Benchmark.complain("bare: \(error)")
            return 1
        }
    }

    /// As long as the replies of the server measured.
    private static func reply(_ body: String) -> [UInt8] {
        let head = """
            HTTP/1.1 200 OK
            date: Mon, 23 Nov 2026 12:00:00 GMT
            content-type: application/json
            location: /v1/records/bench/100000
            etag: "82kr02tw9kf87:123456"
            last-modified: Mon, 23 Nov 2026 12:00:00 GMT
            holdfast-key: 100000
            holdfast-revision: 0
            request-id: 79vw821-0-123456
            holdfast-position: 82kr02tw9kf87:123456
            content-length: \(body.utf8.count)


            """
        return Array((head.replacingOccurrences(of: "\n", with: "\r\n") + body).utf8)
    }
}

/// One client.
private final class BareHandler: ByteStreamHandler {
    private let stream: LoopBound<ByteStream>
    private let reply: [UInt8]
    private let log: BareLog?
    /// Bytes of a head's end that have come.
    private var matched = 0

    init(_ stream: ByteStream, _ reply: [UInt8], _ log: BareLog?) {
        (self.stream, self.reply, self.log) = (LoopBound(stream, to: stream.loop), reply, log)
    }

    func received(_ stream: ByteStream, _ bytes: ByteView) -> Int {
        for index in 0..<bytes.count {
            let isExpected =
                bytes[index] == (matched & 1 == 0 ? UInt8(ascii: "\r") : UInt8(ascii: "\n"))
            matched = isExpected ? matched + 1 : bytes[index] == UInt8(ascii: "\r") ? 1 : 0
            guard matched == 4 else { continue }
            matched = 0
            if let log {
                log.add(self.stream)
            } else {
                stream.write { $0.append(reply) }
            }
        }
        return bytes.count
    }
}

/// The thread that writes and syncs for whoever has come since the last sync, then has them
/// answered.
private final class BareLog: Sendable {
    /// About what a commit of one record of 195 bytes takes.
    private static let byteCount = 350

    private let gathered = Condition([LoopBound<ByteStream>]())

    init(_ file: sending BareFile, _ reply: [UInt8]) {
        let gathered = gathered
        let file = Lock(file)
        Worker.detach {
            while true {
                let streams = gathered.wait(until: { !$0.isEmpty }) { gathered in
                    defer { gathered = [] }
                    return gathered
                }
                do {
                    let bytes = [UInt8](repeating: 120, count: streams.count * Self.byteCount)
                    try file.withLock { try $0.append(bytes) }
                } catch {
                    Benchmark.complain("bare: \(error)")
                    exit(1)
                }
                let byLoop = Dictionary(grouping: streams) { ObjectIdentifier($0.loop) }
                for streams in byLoop.values {
                    streams[0].execute { _ in
                        reply.withView { bytes in
                            for stream in streams { stream.value.send(bytes) }
                        }
                    }
                }
            }
        }
    }

    func add(_ stream: LoopBound<ByteStream>) {
        gathered.signal(if: { $0.count == 1 }) { $0.append(stream) }
    }
}
