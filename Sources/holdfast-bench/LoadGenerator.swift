// Load on a server, made by a process of its own: wrk, or this program where wrk is missing.
internal import Foundation

/// What is sent over and over: one request, or several that are sent without waiting in between.
struct LoadRequest {
    /// The bytes; `number` stands where each sending has another number, of as many digits.
    let text: String

    /// Twelve digits that no other sending has: a name, a key, and Base64 of nine bytes.
    static let number = "{............}"

    init(
        _ method: String,
        _ path: String,
        headers: [String] = [],
        body: String? = nil,
        pipelined count: Int = 1
    ) {
        var fields = headers
        if let body {
            let length = body.replacingOccurrences(of: Self.number, with: Self.digits(0)).utf8.count
            fields += ["Content-Type: application/json", "Content-Length: \(length)"]
        }
        let head = ["\(method) \(path) HTTP/1.1", "Host: localhost"] + fields
        let request = head.joined(separator: "\r\n") + "\r\n\r\n" + (body ?? "")
        text = String(repeating: request, count: count)
    }

    /// What one sending is, its numbers counted from the next after `first`.
    func text(numbersFrom first: Int) -> String {
        let pieces = text.components(separatedBy: Self.number)
        return pieces.indices.dropFirst().reduce(pieces[0]) { sending, index in
            sending + Self.digits(first + index) + pieces[index]
        }
    }

    /// A number as it is sent.
    static func digits(_ number: Int) -> String { String(format: "%012ld", number) }
}

/// Requests for a time over some connections, each sending the next when it has its reply.
struct LoadGenerator {
    /// What came of it.
    struct Outcome {
        let requestCount: Double
        let seconds: Double
    }

    let port: UInt16
    /// Over TLS, which wrk alone speaks; it does not look whose certificate it is shown.
    var isSecure = false
    let request: LoadRequest
    var connectionCount = 64
    let seconds: Int
    /// Where its numbers begin, times a thousand million: another for every run on one server.
    var round = 0

    /// Numbers of a run; its threads share them out.
    static let numberCount = 1_000_000_000

    func run(in folder: ScratchFolder) throws -> Outcome {
        let file = folder.fresh("request")
        try request.text.write(toFile: file, atomically: false, encoding: .utf8)
        guard let wrk = ChildProcess.find("wrk") else { return try runOwn(file) }
        let script = folder.fresh("load.lua")
        try Self.script(file, round).write(toFile: script, atomically: false, encoding: .utf8)
        let url = "http\(isSecure ? "s" : "")://127.0.0.1:\(port)/"
        return try read(
            wrk: ChildProcess(
                wrk,
                ["-t2", "-c\(connectionCount)", "-d\(seconds)s", "-s", script, url]
            ).finish()
        )
    }

    /// A script that gives every thread numbers of its own.
    ///
    /// It cuts the text once: what makes the load takes time from whom it is made for.
    private static func script(_ file: String, _ round: Int) -> String {
        """
        local threads = 0
        function setup(thread) thread:set("id", threads); threads = threads + 1 end
        local file = io.open("\(file)", "rb")
        local text = file:read("*a")
        file:close()
        local hole = "{............}"
        local parts = {}
        local number = 0
        local start = 1
        while true do
            local from, to = string.find(text, hole, start, true)
            if not from then break end
            parts[#parts + 1] = string.sub(text, start, from - 1)
            parts[#parts + 1] = hole
            start = to + 1
        end
        if #parts > 0 then
            local count = #parts
            parts[count + 1] = string.sub(text, start)
            function request()
                for place = 2, count, 2 do
                    number = number + 1
                    parts[place] = string.format(
                        "%012d", \(round * numberCount) + id * \(numberCount / 2) + number
                    )
                end
                return table.concat(parts)
            end
        else
            function request() return text end
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

    private func runOwn(_ file: String) throws -> Outcome {
        let arguments = [
            LoadCommand.name, "\(port)", "\(connectionCount)", "\(seconds)", file, "\(round)",
        ]
        let own = try ChildProcess.beside("holdfast-bench")
        let words = try ChildProcess(own, arguments).finish()
            .trimmingCharacters(in: .whitespacesAndNewlines).split(separator: " ")
        guard words.count == 2, let count = Double(words[0]), let time = Double(words[1]) else {
            throw BenchError("the load said: \(words)")
        }
        return Outcome(requestCount: count, seconds: time)
    }
}
