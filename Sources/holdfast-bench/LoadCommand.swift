// The maker of load for machines without wrk: a process of its own, one thread, poll(2).
internal import Foundation
internal import HoldfastBasics

/// `holdfast-bench load PORT CONNECTIONS SECONDS get PATH | create PREFIX`: for this program alone.
enum LoadCommand {
    static let name = "load"

    /// Makes load, then prints how many replies came in how many seconds.
    static func run(_ arguments: ArraySlice<String>) -> Int32 {
        let words = Array(arguments)
        guard words.count == 5, let port = UInt16(words[0]), let count = Int(words[1]),
            let seconds = Double(words[2])
        else { return 64 }
        do {
            let load = try Load(port: port, count: count, verb: words[3], text: words[4])
            let (replies, time) = try load.run(seconds: seconds)
            print("\(replies) \(time)")
            return 0
        } catch {
            Benchmark.complain("load: \(error)")
            return 1
        }
    }

    private final class Load {
        private let clients: [HTTPExchange]
        private let host: String
        private let isCreating: Bool
        private let text: String
        private var number = 0

        init(port: UInt16, count: Int, verb: String, text: String) throws {
            clients = try (0..<count).map { _ in try HTTPExchange(port: port) }
            host = "127.0.0.1:\(port)"
            isCreating = verb == "create"
            self.text = text
        }

        func run(seconds: Double) throws -> (replies: Int, seconds: Double) {
            var polled = clients.map { client in
                pollfd(fd: client.socket.descriptor, events: Int16(POLLIN), revents: 0)
            }
            let start = Clock.nanoseconds
            let end = start + UInt64(seconds * 1e9)
            for client in clients {
                client.socket.stopBlocking()
                try client.socket.send(next())
            }
            var replies = 0
            while Clock.nanoseconds < end {
                poll(&polled, nfds_t(polled.count), 100)
                for (index, client) in clients.enumerated() where polled[index].revents != 0 {
                    _ = try client.socket.receive(into: &client.buffer)
                    guard let reply = HTTPReply(client.buffer.view) else { continue }
                    guard (200...299).contains(reply.status) else {
                        throw BenchError("status \(reply.status)")
                    }
                    client.buffer.consume(reply.byteCount)
                    replies += 1
                    try client.socket.send(next())
                }
            }
            return (replies, Double(Clock.nanoseconds - start) / 1e9)
        }

        private func next() -> [UInt8] {
            guard isCreating else {
                return Array(HTTPExchange.request("GET", text, host: host).utf8)
            }
            number += 1
            return Array(
                HTTPExchange.request(
                    "PUT",
                    "/v1/records/bench/\(text)-\(number)",
                    host: host,
                    headers: ["If-None-Match: *"],
                    body: Sample.record
                ).utf8
            )
        }
    }
}
