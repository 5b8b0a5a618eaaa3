// Load on a server, made by a process of its own: wrk, or this program where wrk is missing.
internal import Foundation

/// Requests for a time over some connections, each sending the next when it has its reply.
struct LoadGenerator {
    /// What is sent.
    enum Request {
        /// GET of one path.
        case get(String)
        /// PUT of records of the tree `bench` that are not there yet; names begin with the text.
        case create(namePrefix: String)
    }

    /// What came of it.
    struct Outcome {
        let requestCount: Double
        let seconds: Double
    }

    let port: UInt16
    /// Over TLS, which wrk alone speaks; it does not look whose certificate it is shown.
    var isSecure = false
    let request: Request
    let connectionCount: Int
    let seconds: Int

    func run(in folder: ScratchFolder) throws -> Outcome {
        guard let wrk = ChildProcess.find("wrk") else { return try runOwn() }
        var arguments = ["-t2", "-c\(connectionCount)", "-d\(seconds)s"]
        switch request {
        case .get(let path):
            arguments.append("http\(isSecure ? "s" : "")://127.0.0.1:\(port)\(path)")
        case .create(let prefix):
            let script = folder.fresh("create.lua")
            try luaScript(prefix).write(toFile: script, atomically: false, encoding: .utf8)
            arguments += ["-s", script, "http://127.0.0.1:\(port)/"]
        }
        return try read(wrk: ChildProcess(wrk, arguments).finish())
    }

    /// A script that gives every thread names of its own.
    private func luaScript(_ prefix: String) -> String {
        """
        local threads = 0
        function setup(thread) thread:set("id", threads); threads = threads + 1 end
        local number = 0
        local tail = " HTTP/1.1\\r\\nHost: 127.0.0.1:\(port)\\r\\nIf-None-Match: *\\r\\n"
            .. "Content-Type: application/json\\r\\nContent-Length: \(Sample.record.utf8.count)"
            .. "\\r\\n\\r\\n" .. '\(Sample.record)'
        function request()
            number = number + 1
            return "PUT /v1/records/bench/\(prefix)-" .. id .. "-" .. number .. tail
        end
        """
    }

    /// Reads `123456 requests in 5.00s, ...` and the lines that tell of failures.
    private func read(wrk text: String) throws -> Outcome {
        for line in text.split(separator: "\n")
        where line.contains("Non-2xx") || line.contains("Socket errors") {
            throw BenchError("wrk: \(line.trimmingCharacters(in: .whitespaces))")
        }
        guard let line = text.split(separator: "\n").first(where: { $0.contains("requests in") })
        else { throw BenchError("wrk said: \(text)") }
        let words = line.split(separator: " ")
        guard words.count > 3, let count = Double(words[0]),
            let time = Double(words[3].dropLast(2))
        else { throw BenchError("wrk said: \(line)") }
        return Outcome(requestCount: count, seconds: time)
    }

    private func runOwn() throws -> Outcome {
        var arguments = [LoadCommand.name, "\(port)", "\(connectionCount)", "\(seconds)"]
        switch request {
        case .get(let path): arguments += ["get", path]
        case .create(let prefix): arguments += ["create", prefix]
        }
        let own = try ChildProcess.beside("holdfast-bench")
        let words = try ChildProcess(own, arguments).finish()
            .trimmingCharacters(in: .whitespacesAndNewlines).split(separator: " ")
        guard words.count == 2, let count = Double(words[0]), let time = Double(words[1]) else {
            throw BenchError("the load said: \(words)")
        }
        return Outcome(requestCount: count, seconds: time)
    }
}
