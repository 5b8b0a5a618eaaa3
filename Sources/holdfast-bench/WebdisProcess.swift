// The peer over HTTP that is itself two programs: Redis, and webdis before it.
internal import Foundation

/// A running Redis that syncs its log before each answer, and a webdis that speaks HTTP for it.
final class WebdisProcess: MeasuredServer {
    let name = "webdis"
    let port: UInt16
    let processes: [ChildProcess]

    /// Starts both; nil where one is not installed.
    init?(_ folder: ScratchFolder) throws {
        guard let redis = ChildProcess.find("redis-server"),
            let webdis = ChildProcess.find("webdis")
        else { return nil }
        let root = folder.fresh("webdis")
        try FileManager.default.createDirectory(
            atPath: root,
            withIntermediateDirectories: true
        )
        let redisPort = try MeasuredPort.free()
        port = try MeasuredPort.free()
        let file = root + "/webdis.json"
        try Self.configuration(root, port, redisPort)
            .write(toFile: file, atomically: false, encoding: .utf8)
        let store = try ChildProcess(
            redis,
            [
                "--bind", "127.0.0.1", "--port", "\(redisPort)", "--dir", root, "--save", "",
                "--appendonly", "yes", "--appendfsync", "always", "--logfile", root + "/log",
            ]
        )
        // It warns of every connection that a client closes.
        processes = [store, try ChildProcess(webdis, [file], isQuiet: true)]
        try awaitAnswer(on: port, to: "GET", "/PING")
    }

    /// One thread before one thread: Redis has no more of them for its work.
    private static func configuration(_ root: String, _ port: UInt16, _ redis: UInt16) -> String {
        """
        {"redis_host":"127.0.0.1","redis_port":\(redis),"http_host":"127.0.0.1",
        "http_port":\(port),"threads":1,"daemonize":false,"database":0,"verbosity":0,
        "logfile":"\(root)/webdis.log"}
        """
    }

    /// The command that sets records under numbers: as a path below `/`, as webdis reads bodies.
    static func set(_ numbers: [String], _ record: String) -> String {
        "MSET/" + numbers.map { "\($0)/\(record)" }.joined(separator: "/")
    }
}
