// Lists of many records over HTTP: a page, lookups by a unique and by an indexed field, a walk
// through all.
internal import Foundation

/// `list100_rps`, `query_unique_us`, `query_indexed_us`, `query_sorted_us`, `query_walk_s`: one
/// connection, one event loop, 1 M records.
enum ListMeasure {
    /// Records of one commit.
    private static let commitCount = 1000
    /// Records of a page.
    private static let pageCount = 100
    /// Records with one value of the indexed field.
    private static let shelfCount = 50

    static func run(_ context: Context) throws {
        let server = try ServerProcess(data: context.folder.fresh("list"), loops: 1)
        defer { server.stop() }
        let count = context.choose(quick: 10_000, whole: 1_000_000)
        let client = try HTTPExchange(port: server.port)
        try fill(client, count)
        try awaitIndexes(client)
        try pages(server, context)
        let rounds = context.choose(quick: 3, whole: 7)
        var lookups: [Double] = []
        var shelves: [Double] = []
        var orders: [Double] = []
        var walks: [Double] = []
        for round in 0..<rounds {
            lookups.append(try lookup(client, count, round) * 1e6)
            shelves.append(try shelf(client, count, round) * 1e6)
            orders.append(try order(client) * 1e6)
            walks.append(try walk(client, count))
        }
        add(context, "query_unique_us", "us", lookups)
        add(context, "query_indexed_us", "us", shelves)
        add(context, "query_sorted_us", "us", orders)
        add(context, "query_walk_s", "s", walks)
    }

    /// The peers hold a hundred records only, and tell of nothing but their values.
    private static func pages(_ server: ServerProcess, _ context: Context) throws {
        let numbers = (1...pageCount).map(LoadRequest.digits)
        func list(_ server: any MeasuredServer, _ request: LoadRequest) -> Contest.Entry {
            Contest.Entry(server, request, reply: "R-100K-0603")
        }
        var contest = Contest(
            figures: [.perSecond("list100_rps")],
            unit: "lists/s",
            ours: list(server, LoadRequest("GET", "/v1/records/bench?limit=\(pageCount)"))
        )
        let webdis = try WebdisProcess(context.folder)
        defer { webdis?.stop() }
        if let webdis {
            let body = WebdisProcess.set(numbers, Sample.record)
            try HTTPExchange(port: webdis.port).require("POST", "/", body: body)
        }
        let get = "/MGET/" + numbers.joined(separator: "/")
        contest.enter(webdis.map { list($0, LoadRequest("GET", get)) }, else: "redis or webdis")
        let etcd = try EtcdProcess(context.folder)
        defer { etcd?.stop() }
        if let etcd {
            let body = EtcdProcess.transaction(numbers, Sample.record)
            try HTTPExchange(port: etcd.port).require("POST", "/v3/kv/txn", body: body)
        }
        let range = #"{"key":"AAAA","range_end":"////","limit":\#(pageCount)}"#
        contest.enter(
            etcd.map { etcd in
                // Values come in Base64.
                Contest.Entry(
                    etcd,
                    LoadRequest("POST", "/v3/kv/range", body: range),
                    reply: #""count":"\#(pageCount)""#
                )
            },
            else: "etcd"
        )
        try contest.run(context)
    }

    private static func add(
        _ context: Context,
        _ measure: String,
        _ unit: String,
        _ rounds: [Double]
    ) {
        context.report.add(
            Measurement(
                measure: measure,
                unit: unit,
                aim: .less,
                rounds: rounds,
                peer: .none(because: "nobody else has the route")
            )
        )
    }

    private static func fill(_ client: HTTPExchange, _ count: Int) throws {
        try client.require(
            "PUT",
            "/v1/trees/bench",
            body: #"{"keys":"name","schema":{"version":"1.0","fields":["#
                + #"{"name":"number","type":"int64","unique":true},{"name":"name","type":"string"},"#
                + #"{"name":"stock","type":"int64","indexed":true},"#
                + #"{"name":"note","type":"string"}]}}"#
        )
        for start in stride(from: 0, to: count, by: commitCount) {
            let puts = (start..<min(count, start + commitCount)).map { number in
                #"{"put":{"tree":"bench","key":{"name":"record-\#(number)","revision":0},"#
                    + #""expects":"absent","value":"#
                    + Sample.document(
                        byteCount: 195,
                        number: number,
                        stock: number / shelfCount
                    ) + "}}"
            }
            let body = #"{"operations":["# + puts.joined(separator: ",") + "]}"
            try client.require("POST", "/v1/changes", body: body)
        }
    }

    /// Seconds of one lookup, of many spread over the tree.
    private static func lookup(
        _ client: HTTPExchange,
        _ count: Int,
        _ round: Int
    ) throws -> Double {
        let lookups = 1000
        var seconds = 0.0
        for index in 0..<lookups {
            let number = (index * 7919 + round) % count
            let path = "/v1/records/bench?where=number:eq:\(number)"
            let reply = try timed(client, path, &seconds)
            guard reply.status == 200, reply.body.contains(#""number":\#(number),"#),
                !reply.body.contains("next")
            else { throw BenchError("a lookup: \(reply.status) \(reply.body)") }
        }
        return seconds / Double(lookups)
    }

    /// Asks, and adds how long that took; looking at the reply is not the server's time.
    private static func timed(
        _ client: HTTPExchange,
        _ path: String,
        _ seconds: inout Double
    ) throws -> (status: Int, body: String) {
        let start = Clock.nanoseconds
        let reply = try client.send("GET", path)
        seconds += Double(Clock.nanoseconds - start) / 1e9
        return reply
    }

    /// Until the server has the indexes of all fields.
    private static func awaitIndexes(_ client: HTTPExchange) throws {
        let end = Clock.nanoseconds + 120_000_000_000
        while Clock.nanoseconds < end {
            let figures = try client.send("GET", "/metrics").body
            if figures.contains("\nholdfast_indexes_growing 0\n") { return }
            usleep(10_000)
        }
        throw BenchError("the indexes are not made")
    }

    /// Seconds of one list of the records with a value, of many spread over the tree.
    private static func shelf(
        _ client: HTTPExchange,
        _ count: Int,
        _ round: Int
    ) throws -> Double {
        let lists = 500
        var seconds = 0.0
        for index in 0..<lists {
            let stock = (index * 7919 + round) % (count / shelfCount)
            let path = "/v1/records/bench?where=stock:eq:\(stock)"
            let reply = try timed(client, path, &seconds)
            guard reply.status == 200, !reply.body.contains("next"),
                reply.body.split(separator: #""stock":\#(stock),"#).count == shelfCount + 1
            else { throw BenchError("a list of a shelf: \(reply.status) \(reply.body)") }
        }
        return seconds / Double(lists)
    }

    /// Seconds of one page of a list sorted by the indexed field, from its end.
    private static func order(_ client: HTTPExchange) throws -> Double {
        let lists = 200
        var seconds = 0.0
        for _ in 0..<lists {
            let path = "/v1/records/bench?sort=-stock&limit=100"
            let reply = try timed(client, path, &seconds)
            guard reply.status == 200, reply.body.contains("next") else {
                throw BenchError("a sorted list: \(reply.status) \(reply.body)")
            }
        }
        return seconds / Double(lists)
    }

    /// Seconds of a search that finds nothing.
    private static func walk(_ client: HTTPExchange, _ count: Int) throws -> Double {
        let start = Clock.nanoseconds
        let reply = try client.send("GET", "/v1/records/bench?where=note:eq:none")
        guard reply.status == 200, reply.body == #"{"records":[]}"# else {
            throw BenchError("a walk: \(reply.status) \(reply.body)")
        }
        return Double(Clock.nanoseconds - start) / 1e9
    }
}
