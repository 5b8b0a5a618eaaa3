// Reads of one record over HTTP, per second of the server's processor time.

/// `get_rps_per_core`: nginx serves the same bytes from a file.
enum GetMeasure {
    private static let connectionCount = 64

    static func run(_ context: Context) throws {
        // One loop against one worker: what a core does, not what the machine does.
        let server = try ServerProcess(data: context.folder.fresh("get"), loops: 1)
        defer { server.stop() }
        try server.makeTree()
        try HTTPExchange(port: server.port).require(
            "PUT",
            "/v1/records/bench/one",
            headers: ["If-None-Match: *"],
            body: Sample.record
        )
        let nginx = try NginxProcess(context.folder, content: Sample.record)
        defer { nginx?.stop() }
        var ours: [Double] = []
        var theirs: [Double] = []
        for _ in 0..<context.choose(quick: 3, whole: 7) {
            ours.append(
                try perCore(server.process, server.port, "/v1/records/bench/one", context)
            )
            guard let nginx else { continue }
            theirs.append(try perCore(nginx.process, nginx.port, "/record", context))
        }
        context.report.add(
            Measurement(
                measure: "get_rps_per_core",
                unit: "requests/s",
                aim: .more,
                rounds: ours,
                peer: nginx == nil
                    ? .none(because: "nginx is not installed")
                    : .measured("nginx", rounds: theirs)
            )
        )
    }

    private static func perCore(
        _ process: ChildProcess,
        _ port: UInt16,
        _ path: String,
        _ context: Context
    ) throws -> Double {
        let load = LoadGenerator(
            port: port,
            request: .get(path),
            connectionCount: connectionCount,
            seconds: context.choose(quick: 1, whole: 4)
        )
        let before = try process.processorSeconds()
        let outcome = try load.run(in: context.folder)
        let used = try process.processorSeconds() - before
        guard used > 0 else { throw BenchError("the server used no processor time") }
        return outcome.requestCount / used
    }
}
