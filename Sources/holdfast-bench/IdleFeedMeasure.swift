// Subscribers that only listen.
internal import Foundation

/// `idle_feed_bytes`: what a server's memory grows by for each of many subscribers.
enum IdleFeedMeasure {
    private static let wantedCount = 10_000
    /// Files that are open besides the connections.
    private static let otherCount = 100

    static func run(_ context: Context) throws {
        let count = min(
            context.choose(quick: 500, whole: wantedCount),
            DescriptorLimit.raised() - otherCount
        )
        let server = try ServerProcess(data: context.folder.fresh("idle"))
        defer { server.stop() }
        let ours = try growth(server, count)
        let nats = try NatsProcess(context.folder)
        defer { nats?.stop() }
        let theirs = try nats.map { try growth($0, count) }
        context.report.add(
            Measurement(
                measure: "idle_feed_bytes",
                unit: "bytes",
                aim: .less,
                rounds: [ours],
                peer: theirs.map { .measured("nats", rounds: [$0]) }
                    ?? .none(because: "nats-server is not installed")
            )
        )
    }

    /// Bytes for each of so many, while all are connected.
    private static func growth(_ server: any FeedServer, _ count: Int) throws -> Double {
        // What the first connections of all make is not theirs.
        let first = try (0..<100).map { _ in try server.subscriber(isTimed: false) }
        let before = try server.anonymousByteCount()
        let subscribers = try (0..<count - first.count).map { _ in
            try server.subscriber(isTimed: false)
        }
        let after = try server.anonymousByteCount()
        return withExtendedLifetime(first) { Double(after - before) / Double(subscribers.count) }
    }
}

/// How many descriptors this process may have.
private enum DescriptorLimit {
    /// The limit, after it was raised as far as it goes.
    static func raised() -> Int {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return Int(clamping: limit.rlim_cur)
    }
}
