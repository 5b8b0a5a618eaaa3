// Creations of records over HTTP, each acknowledged when it is on the disk.

/// `put_durable_rps`: 64 connections, one commit a request.
enum PutMeasure {
    private static let connectionCount = 64

    static func run(_ context: Context) throws {
        let server = try ServerProcess(data: context.folder.fresh("put"))
        defer { server.stop() }
        try server.makeTree()
        var rounds: [Double] = []
        for round in 0..<context.choose(quick: 3, whole: 7) {
            let load = LoadGenerator(
                port: server.port,
                request: .create(namePrefix: "\(round)"),
                connectionCount: connectionCount,
                seconds: context.choose(quick: 1, whole: 4)
            )
            let outcome = try load.run(in: context.folder)
            rounds.append(outcome.requestCount / outcome.seconds)
        }
        context.report.add(
            Measurement(
                measure: "put_durable_rps",
                unit: "requests/s",
                aim: .more,
                rounds: rounds,
                peer: .none(because: "no peer over HTTP")
            )
        )
    }
}
