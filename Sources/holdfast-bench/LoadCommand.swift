// The maker of load for machines without wrk: a process of its own, one thread.
internal import Foundation
internal import HoldfastBasics

/// `holdfast-bench load PORT CONNECTIONS SECONDS FILE ROUND`: for this program alone.
enum LoadCommand {
    static let name = "load"

    /// Makes load, then prints how many replies came in how many seconds.
    static func run(_ arguments: ArraySlice<String>) -> Int32 {
        let words = Array(arguments)
        guard words.count == 5, let port = UInt16(words[0]), let count = Int(words[1]),
            let seconds = Double(words[2]), let round = Int(words[4])
        else { return 64 }
        do {
            let text = try String(contentsOfFile: words[3], encoding: .utf8)
            let load = try Load(port: port, count: count, text: text, round: round)
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
        /// What stands around the numbers.
        private let pieces: [[UInt8]]
        private var number: Int
        /// Requests that one sending holds.
        private let depth: Int

        init(port: UInt16, count: Int, text: String, round: Int) throws {
            clients = try (0..<count).map { _ in try HTTPExchange(port: port) }
            pieces = text.components(separatedBy: LoadRequest.number).map { Array($0.utf8) }
            number = round * LoadGenerator.numberCount
            depth = text.components(separatedBy: " HTTP/1.1\r\n").count - 1
        }

        func run(seconds: Double) throws -> (replies: Int, seconds: Double) {
            let readiness = try Readiness(clients.map(\.socket), tickMilliseconds: 100)
            var missing = clients.map { _ in depth }
            let start = Clock.nanoseconds
            let end = start + UInt64(seconds * 1e9)
            for client in clients {
                client.socket.stopBlocking()
                try client.socket.send(next())
            }
            var replies = 0
            while Clock.nanoseconds < end {
                for index in readiness.wait() {
                    let client = clients[index]
                    _ = try client.socket.receive(into: &client.buffer)
                    while let reply = HTTPReply(client.buffer.view) {
                        guard (200...299).contains(reply.status) else {
                            throw BenchError("status \(reply.status)")
                        }
                        client.buffer.consume(reply.byteCount)
                        replies += 1
                        missing[index] -= 1
                    }
                    guard missing[index] == 0 else { continue }
                    missing[index] = depth
                    try client.socket.send(next())
                }
            }
            return (replies, Double(Clock.nanoseconds - start) / 1e9)
        }

        private func next() -> [UInt8] {
            var bytes = pieces[0]
            for piece in pieces.dropFirst() {
                number += 1
                bytes += LoadRequest.digits(number).utf8
                bytes += piece
            }
            return bytes
        }
    }
}
