// Reads of one record over HTTP, per second of the server's processor time.

/// `get_rps_per_core`, `get_pipelined_rps_per_core`, `tls_get_rps_per_core`: nginx serves the same
/// bytes from a file, webdis from Redis; a bare server has them in memory, and nothing else to do.
enum GetMeasure {
    /// Requests that are sent before the first is answered.
    private static let depth = 16

    static func run(_ context: Context) throws {
        try run("get_rps_per_core", 1, nil, context)
        try run("get_pipelined_rps_per_core", depth, nil, context)
    }

    /// The same over TLS 1.3, on connections that stay.
    static func runSecure(_ context: Context) throws {
        // This program's own load speaks no TLS.
        guard ChildProcess.find("wrk") != nil else { throw BenchError("wrk is not installed") }
        guard let certificate = try ServerCertificate(context.folder) else {
            throw BenchError("openssl is not installed")
        }
        try run("tls_get_rps_per_core", 1, certificate, context)
    }

    private static func run(
        _ measure: String,
        _ depth: Int,
        _ certificate: ServerCertificate?,
        _ context: Context
    ) throws {
        let data = context.folder.fresh("get")
        try fill(data)
        // One loop against one worker: what a core does, not what the machine does.
        let server = try ServerProcess(data: data, loops: 1, certificate: certificate)
        defer { server.stop() }
        func get(_ server: any MeasuredServer, _ path: String) -> Contest.Entry {
            let request = LoadRequest("GET", path, pipelined: depth)
            return Contest.Entry(server, request, reply: Sample.record)
        }
        var contest = Contest(
            figures: [.perProcessorSecond(measure)],
            unit: "requests/s",
            isSecure: certificate != nil,
            ours: get(server, "/v1/records/bench/one")
        )
        let nginx = try NginxProcess(
            context.folder,
            content: Sample.record,
            certificate: certificate
        )
        defer { nginx?.stop() }
        contest.enter(nginx.map { get($0, "/record") }, else: "nginx")
        // webdis speaks no TLS, nor does the bare server.
        let bare = certificate == nil ? try BareServer(loops: 1, body: Sample.record) : nil
        defer { bare?.stop() }
        if let bare { contest.peers.append(get(bare, "/record")) }
        let webdis = certificate == nil ? try WebdisProcess(context.folder) : nil
        defer { webdis?.stop() }
        if let webdis {
            try HTTPExchange(port: webdis.port)
                .require("PUT", "/SET/one", body: Sample.record)
        }
        if certificate == nil {
            contest.enter(webdis.map { get($0, "/GET/one.txt") }, else: "redis or webdis")
        }
        try contest.run(context)
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
}
