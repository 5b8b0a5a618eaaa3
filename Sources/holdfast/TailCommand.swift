// `holdfast tail`: the live feed in a terminal, which goes on where it was when the server or the
// network comes back.
internal import Glibc
internal import HoldfastBasics
internal import HoldfastJSONCoding
internal import HoldfastRecords

/// Commits as they happen.
enum TailCommand {
    static let command = Command(
        name: "tail",
        summary: "Prints commits as they happen, until it is stopped.",
        positionals: [],
        flags: [
            Flag(
                "since",
                .text,
                "POSITION",
                "begin after epoch:seq; `start`: with the first commit"
            ),
            Flag("tree", .list, "NAME", "only effects on this tree; may be given more than once"),
            Flag("prefix", .text, "P", "only names that begin so"),
            Flag("limit", .number, "N", "stop after so many commits"),
            Flag(toggle: "json", "one JSON object a line, as in the feed"),
            Flag(
                "retry",
                .number,
                "SECONDS",
                "how long to wait for a server that is away (always)"
            ),
        ] + Client.flags,
        notes: """
            The lines are those of `log`. A server that goes away is waited for; nothing is missed or shown
            twice. Ctrl-C stops.

            """ + Client.notes,
        run: run
    )

    @Sendable
    private static func run(_ arguments: Arguments) throws(CommandFailure) {
        var tail = try Tail(arguments)
        try tail.run()
    }
}

/// Follows the feed from connection to connection.
struct Tail {
    private let client: Client
    private let isJSON: Bool
    private let trees: [String]
    private let prefix: String?
    private let retryNanoseconds: UInt64?
    private let output = Output()
    private let time = SystemTime()
    private let random = SystemRandom()
    /// Where to go on: the position text and, once it is known, its chain.
    private var since: String?
    private var startsAtFirst = false
    private var chain: String?
    private var epoch = ""
    private var left: UInt64
    private var hasStarted = false

    private static let pauseMilliseconds: UInt32 = 100
    private static let pauseMillisecondsMax: UInt32 = 5000

    init(_ arguments: Arguments) throws(CommandFailure) {
        client = try Client(arguments)
        isJSON = arguments.has("json")
        trees = arguments.list("tree").map(\.text)
        prefix = arguments.text("prefix")
        left = try arguments.integer("limit", 1...Limits.numberMax) ?? .max
        retryNanoseconds = try arguments.integer("retry", 0...86_400).map { $0 * 1_000_000_000 }
        guard let setting = arguments.setting("since") else { return }
        startsAtFirst = setting.text == "start"
        guard startsAtFirst || Position(setting.text) != nil else {
            throw setting.failure("give a position, epoch:seq, or `start`")
        }
        if !startsAtFirst { since = setting.text }
    }

    mutating func run() throws(CommandFailure) {
        var pause = Self.pauseMilliseconds
        var lostAt: UInt64?
        while left > 0 {
            let before = since
            do throws(CommandFailure) {
                try follow()
            } catch {
                guard error.code == .unreachable, hasStarted else { throw error }
                if since != before || lostAt == nil {
                    lostAt = time.monotonicNanoseconds()
                    pause = Self.pauseMilliseconds
                    Console.complain("\(error.message); trying again")
                }
                let waited = time.monotonicNanoseconds() - (lostAt ?? 0)
                if let limit = retryNanoseconds, waited >= limit { throw error }
                // Many followers of one server do not come back in one moment.
                usleep(pause * 500 + UInt32(random.next() % UInt64(pause * 500)))
                pause = min(pause * 2, Self.pauseMillisecondsMax)
            }
        }
    }

    /// Follows one connection to its end.
    private mutating func follow() throws(CommandFailure) {
        let feed = try FeedConnection(client)
        while left > 0, let bytes = try feed.next() {
            let message: FeedMessage
            do {
                message = try RecordDecoder().decode(FeedMessage.self, from: bytes)
            } catch {
                throw CommandFailure(.unreachable, "a message of the feed cannot be read: \(error)")
            }
            try take(message, bytes, feed)
        }
        try feed.close()
    }

    private mutating func take(
        _ message: FeedMessage,
        _ bytes: [UInt8],
        _ feed: FeedConnection
    ) throws(CommandFailure) {
        if let hello = message.hello {
            epoch = hello.epoch
            if startsAtFirst, since == nil { since = "\(epoch):\(hello.oldest)" }
            try feed.send(start)
        } else if let started = message.started {
            hasStarted = true
            if since == nil { since = "\(epoch):\(started.seq)" }
        } else if let commit = message.commit {
            try print(commit, bytes)
            (since, chain) = ("\(epoch):\(commit.seq)", commit.chain)
        } else if let head = message.head {
            (since, chain) = ("\(epoch):\(head.seq)", head.chain)
        } else if let bye = message.bye {
            let isOver = bye.code < 4000
            throw CommandFailure(isOver ? .unreachable : .refused, printable(bye.detail))
        }
    }

    private var start: [UInt8] {
        var text = ByteBuffer()
        text.append("{\"start\":{")
        var separator: StaticString = ""
        func member(_ name: StaticString) {
            text.append(separator)
            text.append(name)
            separator = ","
        }
        if let since {
            member("\"since\":")
            text.appendJSONString(since)
        }
        if let chain {
            member("\"chain\":")
            text.appendJSONString(chain)
        }
        if !trees.isEmpty {
            member("\"trees\":[")
            for (index, tree) in trees.enumerated() {
                if index > 0 { text.append(",") }
                text.appendJSONString(tree)
            }
            text.append("]")
        }
        if let prefix {
            member("\"prefix\":")
            text.appendJSONString(prefix)
        }
        text.append("}}")
        return text.array
    }

    private mutating func print(
        _ commit: FeedMessage.Commit,
        _ bytes: [UInt8]
    ) throws(CommandFailure) {
        left -= 1
        if isJSON {
            // `{"commit":` and `}` stand around it.
            let inner = Array(bytes.dropFirst(10).dropLast())
            var line = ByteBuffer()
            line.append(inner)
            line.append("\n")
            try output.append(line.view)
        } else {
            try output.append(commit.text)
        }
        try output.flush()
    }
}

/// A message of the feed, as far as a terminal asks.
///
/// Source: openapi/feed.md.
struct FeedMessage: Decodable {
    struct Hello: Decodable {
        let epoch: String
        let oldest: UInt64
    }

    struct Place: Decodable {
        let seq: UInt64
        let chain: String?
    }

    struct Bye: Decodable {
        let code: Int
        let detail: String
    }

    struct Commit: Decodable {
        let seq: UInt64
        let chain: String
        let id: String
        let at: String
        let by: String
        let device: String
        let app: String?
        let job: String?
        let why: String?
        let effects: [Effect]

        /// The lines for people.
        var text: String {
            let head = CommitText.head(
                seq: seq,
                at: at,
                who: (by, device),
                id: id,
                app: app ?? "",
                job: job ?? "",
                why: why ?? ""
            )
            return effects.reduce(into: head) { $0 += $1.text }
        }
    }

    struct Effect: Decodable {
        struct Target: Decodable {
            let tree: String
            let key: Key
            let label: String?
            let state: State?
        }

        struct Key: Decodable {
            let id: UInt64?
            let name: String?
            let revision: UInt32
        }

        let set: Target?
        let remove: Target?

        var text: String {
            guard let target = set ?? remove else { return "" }
            let id = target.key.id.map { "\($0)" } ?? target.key.name ?? ""
            return CommitText.effect(
                tree: target.tree,
                key: "\(id).\(target.key.revision)",
                label: target.label ?? "unknown",
                state: set == nil ? nil : target.state?.text ?? "plain"
            )
        }
    }

    /// `"plain"`, `{"draft":n}` or `{"released":n}`.
    struct State: Decodable {
        private enum Member: String, CodingKey { case draft, released }

        let text: String

        init(from decoder: any Decoder) throws {
            do {
                let members = try decoder.container(keyedBy: Member.self)
                guard let member = members.allKeys.first else {
                    text = "plain"
                    return
                }
                text = "\(member.rawValue)(\(try members.decode(UInt32.self, forKey: member)))"
            } catch DecodingError.typeMismatch {
                text = try decoder.singleValueContainer().decode(String.self)
            }
        }
    }

    let hello: Hello?
    let started: Place?
    let commit: Commit?
    let head: Place?
    let bye: Bye?
}
