// Reads of one record over HTTP, per second of the server's processor time.

/// `get_rps_per_core`, `tls_get_rps_per_core`: nginx serves the same bytes from a file.
enum GetMeasure {
    private static let connectionCount = 64

    static func run(_ context: Context) throws {
        try run("get_rps_per_core", nil, context)
    }

    /// The same over TLS 1.3, on connections that stay.
    static func runSecure(_ context: Context) throws {
        // This program's own load speaks no TLS.
        guard ChildProcess.find("wrk") != nil else { throw BenchError("wrk is not installed") }
        guard let certificate = try ServerCertificate(context.folder) else {
            throw BenchError("openssl is not installed")
        }
        try run("tls_get_rps_per_core", certificate, context)
    }

    private static func run(
        _ measure: String,
        _ certificate: ServerCertificate?,
        _ context: Context
    ) throws {
        let data = context.folder.fresh("get")
        try fill(data)
        // One loop against one worker: what a core does, not what the machine does.
        let server = try ServerProcess(data: data, loops: 1, certificate: certificate)
        defer { server.stop() }
        let nginx = try NginxProcess(
            context.folder,
            content: Sample.record,
            certificate: certificate
        )
        defer { nginx?.stop() }
        func load(_ port: UInt16, _ path: String) -> LoadGenerator {
            LoadGenerator(
                port: port,
                isSecure: certificate != nil,
                request: .get(path),
                connectionCount: connectionCount,
                seconds: context.choose(quick: 1, whole: 4)
            )
        }
        var ours: [Double] = []
        var theirs: [Double] = []
        for _ in 0..<context.choose(quick: 3, whole: 7) {
            ours.append(
                try perCore(
                    server.process,
                    load(server.port, "/v1/records/bench/one"),
                    context
                )
            )
            guard let nginx else { continue }
            theirs.append(try perCore(nginx.process, load(nginx.port, "/record"), context))
        }
        context.report.add(
            Measurement(
                measure: measure,
                unit: "requests/s",
                aim: .more,
                rounds: ours,
                peer: nginx == nil
                    ? .none(because: "nginx is not installed")
                    : .measured("nginx", rounds: theirs)
            )
        )
    }

    /// Makes a database of the one record.
    private static func fill(_ data: String) throws {
        let server = try ServerProcess(data: data, loops: 1)
        defer { server.stop() }
        try server.makeTree()
        try HTTPExchange(port: server.port).require(
            "PUT",
            "/v1/records/bench/one",
            headers: ["If-None-Match: *"],
            body: Sample.record
        )
    }

    private static func perCore(
        _ process: ChildProcess,
        _ load: LoadGenerator,
        _ context: Context
    ) throws -> Double {
        let before = try process.processorSeconds()
        let outcome = try load.run(in: context.folder)
        let used = try process.processorSeconds() - before
        guard used > 0 else { throw BenchError("the server used no processor time") }
        return outcome.requestCount / used
    }
}
