// The same load on our server and on its peers, in turn.

/// Measures of one kind of request under load, from the same rounds.
struct Contest {
    /// What is counted, and how the measure is called.
    enum Figure {
        /// Requests in a second.
        case perSecond(String)
        /// Requests in a second of the processor time of the server alone.
        case perProcessorSecond(String)

        var measure: String {
            switch self {
            case .perSecond(let name), .perProcessorSecond(let name): name
            }
        }
    }

    /// A server, and what it is asked.
    struct Entry {
        let server: any MeasuredServer
        let request: LoadRequest
        /// Of the reply's body, so that nobody is quick because it refuses; nil where the status
        /// says all.
        let reply: String?

        init(_ server: any MeasuredServer, _ request: LoadRequest, reply: String? = nil) {
            (self.server, self.request, self.reply) = (server, request, reply)
        }
    }

    let figures: [Figure]
    let unit: String
    /// What one request counts for.
    var weight = 1.0
    var isSecure = false
    let ours: Entry
    var peers: [Entry] = []
    /// Peers that are not installed.
    var missing: [String] = []

    /// Lets a peer take part; nil when it is not installed.
    mutating func enter(_ peer: Entry?, else name: String) {
        if let peer { peers.append(peer) } else { missing.append(name) }
    }

    func run(_ context: Context) throws {
        let entries = [ours] + peers
        if !isSecure { for entry in entries { try check(entry) } }
        var rounds = figures.map { _ in entries.map { _ in [Double]() } }
        for round in 0..<context.choose(quick: 3, whole: 7) {
            for (index, entry) in entries.enumerated() {
                let values = try take(entry, round, context)
                for (place, value) in values.enumerated() {
                    rounds[place][index].append(value * weight)
                }
            }
        }
        for (figure, rounds) in zip(figures, rounds) {
            for (peer, values) in zip(peers, rounds.dropFirst()) {
                let peer = Measurement.Peer.measured(peer.server.name, rounds: values)
                add(context, figure, rounds[0], peer)
            }
            for name in missing {
                add(context, figure, rounds[0], .none(because: "\(name) is not installed"))
            }
            if peers.isEmpty, missing.isEmpty {
                add(context, figure, rounds[0], .none(because: "nobody else has the route"))
            }
        }
    }

    private func add(
        _ context: Context,
        _ figure: Figure,
        _ rounds: [Double],
        _ peer: Measurement.Peer
    ) {
        context.report.add(
            Measurement(
                measure: figure.measure,
                unit: unit,
                aim: .more,
                rounds: rounds,
                peer: peer
            )
        )
    }

    /// - Returns: A value for each figure.
    private func take(_ entry: Entry, _ round: Int, _ context: Context) throws -> [Double] {
        let load = LoadGenerator(
            port: entry.server.port,
            isSecure: isSecure,
            request: entry.request,
            seconds: context.choose(quick: 1, whole: 4),
            round: round
        )
        let before = try entry.server.processorSeconds()
        let outcome = try load.run(in: context.folder)
        let used = try entry.server.processorSeconds() - before
        return try figures.map { figure in
            switch figure {
            case .perSecond: return outcome.requestCount / outcome.seconds
            case .perProcessorSecond:
                guard used > 0 else {
                    throw BenchError("\(entry.server.name) used no processor time")
                }
                return outcome.requestCount / used
            }
        }
    }

    /// Sends the request once, with a number that no round has, and looks at the reply.
    private func check(_ entry: Entry) throws {
        let client = try HTTPExchange(port: entry.server.port)
        let first = 999 * LoadGenerator.numberCount
        let reply = try client.reply(to: entry.request, numbersFrom: first)
        guard (200...299).contains(reply.status),
            entry.reply.map(reply.body.contains) ?? true
        else {
            throw BenchError("\(entry.server.name): \(reply.status) \(reply.body.prefix(200))")
        }
    }
}
