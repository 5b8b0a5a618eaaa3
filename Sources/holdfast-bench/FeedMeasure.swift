// The live feed: 200 subscribers of 2000 messages a second, and 20 of them.
internal import Foundation

/// `feed_cpu_us_per_delivery`, the writes included, and `feed_p99_ms`, both with 200 subscribers;
/// `feed20_p99_ms` with 20.
///
/// From sending a write to its commit's arrival. NATS forwards the same messages and keeps none of
/// them.
enum FeedMeasure {
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
        let nats = try NatsProcess(context.folder)
        defer { nats?.stop() }
        let servers: [any FeedServer] = if let nats { [server, nats] } else { [server] }
        let many = try rounds(context, servers, subscriberCount: 200)
        let few = try rounds(context, servers, subscriberCount: 20)
        for (name, unit, rounds) in [
            ("feed_cpu_us_per_delivery", "us", many.map(\.costs)),
            ("feed_p99_ms", "ms", many.map(\.delays)), ("feed20_p99_ms", "ms", few.map(\.delays)),
        ] {
            context.report.add(
                Measurement(
                    measure: name,
                    unit: unit,
                    aim: .less,
                    rounds: rounds[0],
                    peer: rounds.count == 1
                        ? .none(because: "nats-server is not installed")
                        : .measured("nats", rounds: rounds[1])
                )
            )
        }
    }

    /// What each round of each server was like.
    private static func rounds(
        _ context: Context,
        _ servers: [any FeedServer],
        subscriberCount: Int
    ) throws -> [(costs: [Double], delays: [Double])] {
        let loads = try servers.map { try Load($0, subscriberCount: subscriberCount) }
        var found = loads.map { _ in (costs: [Double](), delays: [Double]()) }
        for _ in 0..<context.choose(quick: 2, whole: 5) {
            for (index, load) in loads.enumerated() {
                let before = try load.server.processorSeconds()
                let round = try load.run(seconds: context.choose(quick: 1.5, whole: 5))
                let used = try load.server.processorSeconds() - before
                found[index].costs.append(used * 1e6 / Double(round.deliveryCount))
                found[index].delays.append(round.milliseconds99)
            }
        }
        return found
    }

    /// All subscribers and writers, on one thread.
    private final class Load {
        let server: any FeedServer
        private let subscribers: [any Subscriber]
        private let publishers: [any Publisher]
        private let readiness: Readiness
        private var number: Int

        init(_ server: any FeedServer, subscriberCount: Int) throws {
            self.server = server
            // Names of other records than another load writes.
            number = subscriberCount * 1_000_000
            subscribers = try (0..<subscriberCount).map {
                try server.subscriber(isTimed: $0 < timedCount)
            }
            publishers = try (0..<writerCount).map { _ in try server.publisher() }
            let sockets = subscribers.map(\.socket) + publishers.map(\.socket)
            readiness = try Readiness(sockets, tickMilliseconds: 1)
        }

        func run(seconds: Double) throws -> (deliveryCount: Int, milliseconds99: Double) {
            let firstNumber = number
            let countBefore = subscribers.reduce(0) { $0 + $1.deliveryCount }
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
            let expected = countBefore + (number - firstNumber) * subscribers.count
            while subscribers.reduce(0, { $0 + $1.deliveryCount }) < expected {
                guard Clock.nanoseconds < end else { throw BenchError("messages did not arrive") }
                try receive()
            }
            let latencies = zip(subscribers, timedBefore).flatMap { $0.latencies[$1...] }.sorted()
            guard !latencies.isEmpty else { throw BenchError("nothing was written") }
            let slow = latencies[min(latencies.count - 1, latencies.count * 99 / 100)]
            return ((number - firstNumber) * subscribers.count, Double(slow) / 1e6)
        }

        /// Sends one message on the next connection.
        private func write() throws {
            try publishers[number % publishers.count]
                .publish(TimedMessage.text(byteCount: byteCount), number: number)
            number += 1
        }

        private func receive() throws {
            for index in readiness.wait() {
                if index < subscribers.count {
                    try subscribers[index].receive()
                } else {
                    try publishers[index - subscribers.count].receive()
                }
            }
        }
    }
}
