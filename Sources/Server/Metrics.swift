// What the server counts, in Prometheus' text format. Labels are bounded: routes and status codes
// of the table, never keys, users or trees.
//
// Source: Prometheus text exposition format 0.0.4.
internal import HoldfastBasics
internal import Synchronization

/// A number that only grows, counted on any thread.
final class Counter: Sendable {
    private let count = Atomic<UInt64>(0)

    func add(_ amount: UInt64 = 1) { count.add(amount, ordering: .relaxed) }

    var value: UInt64 { count.load(ordering: .relaxed) }
}

/// A number that goes up and down.
final class Gauge: Sendable {
    private let level = Atomic<Int>(0)

    func add(_ amount: Int) { level.add(amount, ordering: .relaxed) }

    var value: Int { level.load(ordering: .relaxed) }
}

/// Durations by bucket.
///
/// Unit: nanoseconds in, seconds out.
final class Histogram: Sendable {
    /// Upper bounds in nanoseconds, and their text in seconds.
    static let bounds: [(nanoseconds: UInt64, seconds: String)] = [
        (50_000, "0.00005"), (100_000, "0.0001"), (250_000, "0.00025"), (500_000, "0.0005"),
        (1_000_000, "0.001"), (2_500_000, "0.0025"), (5_000_000, "0.005"), (10_000_000, "0.01"),
        (25_000_000, "0.025"), (100_000_000, "0.1"), (1_000_000_000, "1"), (10_000_000_000, "10"),
    ]

    private static let bucketCount = bounds.count + 1
    // In place: counters of their own would each have to be held while they are counted up.
    private let buckets = InlineArray<13, Atomic<UInt64>> { _ in Atomic(0) }
    private let sum = Atomic<UInt64>(0)

    func record(nanoseconds: UInt64) {
        let index = Self.bounds.firstIndex { nanoseconds <= $0.nanoseconds } ?? Self.bounds.count
        buckets[index].add(1, ordering: .relaxed)
        sum.add(nanoseconds, ordering: .relaxed)
    }

    private func bucket(_ index: Int) -> UInt64 { buckets[index].load(ordering: .relaxed) }

    var count: UInt64 { (0..<Self.bucketCount).reduce(0) { $0 + bucket($1) } }

    func write(_ name: StaticString, labels: String, into out: inout ByteBuffer) {
        var total: UInt64 = 0
        let comma = labels.isEmpty ? "" : ","
        for index in 0..<Self.bucketCount {
            total += bucket(index)
            let bound = index < Self.bounds.count ? Self.bounds[index].seconds : "+Inf"
            out.append(name)
            out.append(text: "_bucket{\(labels)\(comma)le=\"\(bound)\"} \(total)\n")
        }
        let braces = labels.isEmpty ? "" : "{\(labels)}"
        out.append(name)
        out.append(text: "_sum\(braces) \(Double(sum.load(ordering: .relaxed)) / 1e9)\n")
        out.append(name)
        out.append(text: "_count\(braces) \(total)\n")
    }
}

/// Everything the server counts.
final class Metrics: Sendable {
    private final class RouteMetrics: Sendable {
        /// By class of the status, 1xx to 5xx.
        let durations = (1...5).map { _ in Histogram() }
        /// One for each of `codes`.
        let replies = Metrics.codes.map { _ in Counter() }
    }

    static let codes = [
        101, 200, 201, 202, 204, 206, 304, 400, 401, 403, 404, 405, 408, 409, 410, 412, 413, 414,
        415,
        416, 417,
        421, 422, 423, 426, 428, 429, 431, 500, 501, 503, 504, 505, 507,
    ]

    /// Where a status code stands in `codes`, by the code; 255 for none.
    private static let places: [UInt8] = {
        var places = [UInt8](repeating: 255, count: 600)
        for (place, code) in codes.enumerated() { places[code] = UInt8(place) }
        return places
    }()

    private let routes = Route.allCases.map { _ in RouteMetrics() }
    let syncs = Histogram()
    let connections = Gauge()
    let feedClients = Gauge()
    let feedDeliveries = Counter()
    let mirrorClients = Gauge()
    let refusedHeads = Counter()
    let failedHandshakes = Counter()
    let compactions = Histogram()
    let failedCompactions = Counter()

    /// Counts a reply of a route, which is named by its place among all.
    func reply(_ route: Int, status: Int, nanoseconds: UInt64) {
        let metrics = routes[route]
        metrics.durations[min(max(status / 100, 1), 5) - 1].record(nanoseconds: nanoseconds)
        guard Self.places.indices.contains(status) else { return }
        let place = Int(Self.places[status])
        if place < metrics.replies.count { metrics.replies[place].add() }
    }

    /// Writes everything that is counted here.
    func write(into out: inout ByteBuffer) {
        header("holdfast_http_requests_total", "counter", "Requests answered.", &out)
        for (route, metrics) in zip(Route.allCases, routes) {
            for (code, counter) in zip(Self.codes, metrics.replies) where counter.value > 0 {
                let labels = "route=\"\(route.rawValue)\",code=\"\(code)\""
                out.append(text: "holdfast_http_requests_total{\(labels)} \(counter.value)\n")
            }
        }
        header(
            "holdfast_http_request_duration_seconds",
            "histogram",
            "From the complete request to the reply handed to the connection.",
            &out
        )
        for (route, metrics) in zip(Route.allCases, routes) {
            for (index, durations) in metrics.durations.enumerated() where durations.count > 0 {
                durations.write(
                    "holdfast_http_request_duration_seconds",
                    labels: "route=\"\(route.rawValue)\",status=\"\(index + 1)xx\"",
                    into: &out
                )
            }
        }
        header("holdfast_sync_duration_seconds", "histogram", "Writing and syncing a batch.", &out)
        syncs.write("holdfast_sync_duration_seconds", labels: "", into: &out)
        header(
            "holdfast_compaction_duration_seconds",
            "histogram",
            "Writing a snapshot and cutting the log.",
            &out
        )
        compactions.write("holdfast_compaction_duration_seconds", labels: "", into: &out)
        number(
            "holdfast_compactions_failed_total",
            "counter",
            "Compactions the disk refused.",
            failedCompactions.value,
            &out
        )
        number("holdfast_connections", "gauge", "Open connections.", connections.value, &out)
        number("holdfast_feed_clients", "gauge", "Live feeds open.", feedClients.value, &out)
        number("holdfast_mirror_clients", "gauge", "Mirrors open.", mirrorClients.value, &out)
        number(
            "holdfast_feed_deliveries_total",
            "counter",
            "Messages handed to live feeds.",
            feedDeliveries.value,
            &out
        )
        number(
            "holdfast_http_refused_heads_total",
            "counter",
            "Requests refused before a route was found.",
            refusedHeads.value,
            &out
        )
        number(
            "holdfast_tls_handshakes_failed_total",
            "counter",
            "Connections that did not come to agree on TLS.",
            failedHandshakes.value,
            &out
        )
    }

    /// Writes one sample with its header.
    func number<N: BinaryInteger>(
        _ name: String,
        _ type: String,
        _ help: String,
        _ value: N,
        _ out: inout ByteBuffer
    ) {
        header(name, type, help, &out)
        out.append(text: "\(name) \(value)\n")
    }

    private func header(
        _ name: String,
        _ type: String,
        _ help: String,
        _ out: inout ByteBuffer
    ) {
        out.append(text: "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n")
    }
}
