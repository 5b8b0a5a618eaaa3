// The live feed: 200 subscribers of 2000 commits a second.
internal import Foundation
internal import HoldfastBasics

/// `feed_cpu_us_per_delivery`, the writes included, and `feed_p99_ms`, from sending a write to its
/// commit's arrival.
enum FeedMeasure {
    private static let subscriberCount = 200
    private static let timedCount = 20
    /// A connection has one write under way at a time: enough of them that a slow disk delays a
    /// write by a sync or two, and never makes the writers fall behind.
    private static let writerCount = 64
    private static let messagesPerSecond = 2000.0
    private static let byteCount = 150

    static func run(_ context: Context) throws {
        let server = try ServerProcess(data: context.folder.fresh("feed"))
        defer { server.stop() }
        try server.makeTree()
        let load = try Load(port: server.port)
        var costs: [Double] = []
        var delays: [Double] = []
        for _ in 0..<context.choose(quick: 2, whole: 5) {
            let before = try server.process.processorSeconds()
            let round = try load.run(seconds: context.choose(quick: 1.5, whole: 5))
            let used = try server.process.processorSeconds() - before
            costs.append(used * 1e6 / Double(round.deliveryCount))
            delays.append(round.milliseconds99)
        }
        let none = Measurement.Peer.none(because: "no peer measured")
        context.report.add(
            Measurement(
                measure: "feed_cpu_us_per_delivery",
                unit: "us",
                aim: .less,
                rounds: costs,
                peer: none
            )
        )
        context.report.add(
            Measurement(
                measure: "feed_p99_ms",
                unit: "ms",
                aim: .less,
                rounds: delays,
                peer: none
            )
        )
    }

    /// All subscribers and writers, on one thread.
    private final class Load {
        private let subscribers: [FeedSubscriber]
        private let writers: [HTTPExchange]
        private var polled: [pollfd]
        private let host: String
        private var number = 0

        init(port: UInt16) throws {
            subscribers = try (0..<subscriberCount).map {
                try FeedSubscriber(port: port, isTimed: $0 < timedCount)
            }
            writers = try (0..<writerCount).map { _ in try HTTPExchange(port: port) }
            for writer in writers { writer.socket.stopBlocking() }
            host = "127.0.0.1:\(port)"
            polled = (subscribers.map(\.socket) + writers.map(\.socket)).map {
                pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0)
            }
        }

        func run(seconds: Double) throws -> (deliveryCount: Int, milliseconds99: Double) {
            let firstNumber = number
            let countBefore = subscribers.reduce(0) { $0 + $1.commitCount }
            let timedBefore = subscribers.map(\.latencies.count)
            let start = Clock.nanoseconds
            var elapsed = 0.0
            while elapsed < seconds {
                elapsed = Double(Clock.nanoseconds - start) / 1e9
                let due = firstNumber + Int(elapsed * messagesPerSecond)
                while number < due { try write() }
                try receive()
            }
            // What is on its way belongs to this round.
            let end = Clock.nanoseconds + 60_000_000_000
            let expected = countBefore + (number - firstNumber) * subscriberCount
            while subscribers.reduce(0, { $0 + $1.commitCount }) < expected {
                guard Clock.nanoseconds < end else { throw BenchError("commits did not arrive") }
                try receive()
            }
            let latencies = zip(subscribers, timedBefore).flatMap { $0.latencies[$1...] }.sorted()
            guard let last = latencies.last else { throw BenchError("nothing was written") }
            let rank = min(latencies.count - 1, latencies.count * 99 / 100)
            let slow = latencies.isEmpty ? last : latencies[rank]
            return ((number - firstNumber) * subscriberCount, Double(slow) / 1e6)
        }

        /// Sends one write on the next connection, without waiting for its reply.
        private func write() throws {
            let record = Sample.document(byteCount: byteCount, number: Int(Clock.nanoseconds))
            let request = HTTPExchange.request(
                "PUT",
                "/v1/records/bench/\(number)",
                host: host,
                headers: ["If-None-Match: *"],
                body: record
            )
            try writers[number % writers.count].socket.send(Array(request.utf8))
            number += 1
        }

        private func receive() throws {
            poll(&polled, nfds_t(polled.count), 1)
            for index in polled.indices where polled[index].revents != 0 {
                if index < subscribers.count {
                    try subscribers[index].receive()
                } else {
                    try read(writers[index - subscribers.count])
                }
            }
        }

        private func read(_ writer: HTTPExchange) throws {
            guard try writer.socket.receive(into: &writer.buffer) > 0 else { return }
            while let reply = HTTPReply(writer.buffer.view) {
                guard reply.status == 201 else { throw BenchError("status \(reply.status)") }
                writer.buffer.consume(reply.byteCount)
            }
        }
    }
}
