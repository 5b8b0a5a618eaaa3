// One line for each request: who asked for what, and what became of it. Never a token, never what
// stands behind the `?` of a target, never a body.
public import HoldfastBasics
internal import HoldfastHTTP

/// What is told of a request, gathered on its way.
struct AccessEntry {
    let method: String
    /// The target up to its query.
    let path: String
    let agent: String
    /// Who asked, once that is found out.
    var user: String?
    var isUserKnown = false
    /// Bytes its connection had been given before the reply.
    let byteCountBefore: UInt64

    /// What a head says.
    init(_ head: RequestHead, byteCountBefore: UInt64) {
        method = head.methodText.text
        let target = head.target
        path = target[0..<(target.firstIndex(of: UInt8(ascii: "?")) ?? target.count)].text
        agent = head.first("user-agent")?.text ?? "-"
        self.byteCountBefore = byteCountBefore
    }

    /// What is known of a request whose head cannot be read.
    init(byteCountBefore: UInt64) {
        (method, path, agent) = ("-", "-", "-")
        isUserKnown = true
        self.byteCountBefore = byteCountBefore
    }
}

/// The log of requests, in lines of JSON or of the combined format, for all loops.
///
/// Source of the latter: Apache httpd, mod_log_config, `combined`; behind it stand the request's
/// id and its seconds.
public struct AccessLog: Sendable {
    /// Where the lines go.
    public let file: LogFile
    private let format: Logger.Format

    /// - Parameters:
    ///   - file: Where the lines go.
    ///   - format: `json`, or `text` for the combined format.
    public init(_ file: LogFile, format: Logger.Format) {
        self.file = file
        self.format = format
    }

    /// What became of a request.
    struct Outcome {
        let peer: String
        let status: Int
        let byteCount: UInt64
        let nanoseconds: UInt64
        let requestID: String
        let milliseconds: Int64
    }

    func log(_ entry: AccessEntry, _ outcome: Outcome) {
        var line = ByteBuffer()
        switch format {
        case .json: Self.appendJSON(entry, outcome, to: &line)
        case .text: Self.appendCombined(entry, outcome, to: &line)
        }
        line.append("\n")
        file.append(line.view)
    }

    private static func seconds(_ nanoseconds: UInt64) -> String {
        let micros = nanoseconds / 1000
        let digits = String(micros % 1_000_000)
        let zeros = String(repeating: "0", count: 6 - digits.count)
        return "\(micros / 1_000_000).\(zeros)\(digits)"
    }

    private static func appendJSON(
        _ entry: AccessEntry,
        _ outcome: Outcome,
        to line: inout ByteBuffer
    ) {
        func text(_ value: String) -> String { Logger.json(value) }
        line.append("{\"time\":\"")
        Timestamp.append(milliseconds: outcome.milliseconds, to: &line)
        line.append(
            text: "\",\"requestId\":\(text(outcome.requestID)),\"peer\":\(text(outcome.peer)),"
                + "\"user\":\(entry.user.map(text) ?? "null"),\"method\":\(text(entry.method)),"
                + "\"path\":\(text(entry.path)),\"status\":\(outcome.status),"
                + "\"bytes\":\(outcome.byteCount),\"seconds\":\(seconds(outcome.nanoseconds)),"
                + "\"agent\":\(text(entry.agent))}"
        )
    }

    private static func appendCombined(
        _ entry: AccessEntry,
        _ outcome: Outcome,
        to line: inout ByteBuffer
    ) {
        // Within quotes, quotes are escaped; elsewhere blanks would make two fields of one.
        func quoted(_ value: String) -> String { Logger.json(value) }
        func word(_ value: String) -> String {
            let isPlain = value.unicodeScalars.allSatisfy {
                $0.value > 32 && $0.value != 127 && $0 != "\""
            }
            return isPlain && !value.isEmpty ? value : quoted(value)
        }
        let request = entry.method == "-" ? "-" : "\(entry.method) \(entry.path) HTTP/1.1"
        line.append(
            text: "\(host(outcome.peer)) - \(word(entry.user ?? "-")) "
                + "[\(date(outcome.milliseconds))] \(quoted(request)) \(outcome.status) "
                + "\(outcome.byteCount) \"-\" \(quoted(entry.agent)) \(outcome.requestID) "
                + seconds(outcome.nanoseconds)
        )
    }

    /// An address without its port; `-` for a Unix socket's client.
    private static func host(_ peer: String) -> String {
        guard let colon = peer.lastIndex(of: ":") else { return "-" }
        let host = peer[..<colon]
        return host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : String(host)
    }

    /// `20/Nov/2026:10:00:00 +0000`.
    private static func date(_ milliseconds: Int64) -> String {
        let text = Timestamp.text(milliseconds: milliseconds)
        let parts = text.prefix(10).split(separator: "-")
        guard parts.count == 3, let month = Int(parts[1]), (1...12).contains(month) else {
            return text
        }
        return "\(parts[2])/\(months[month - 1])/\(parts[0]):\(text.dropFirst(11).prefix(8)) +0000"
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
}
