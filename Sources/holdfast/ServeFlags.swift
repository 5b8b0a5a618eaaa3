// The table of settings of `holdfast serve`: flags, `HOLDFAST_...`, members of the configuration
// file, the help, `holdfast config` and what SIGHUP takes over all follow from it.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastServer
internal import HoldfastStore

/// Every setting of `serve`.
enum ServeFlags {
    /// The flags, in the order of the help.
    static let all = settings.map(\.flag)

    static let settings: [ServeSetting] =
        database + listening + security + deadlines + limits + history + logging

    private static let database = [
        ServeSetting("data", .text, "DIR", "directory of the database") { given, settings in
            settings.data = given.last?.text
        },
        ServeSetting(
            "application",
            .text,
            "NAME",
            "application the database belongs to;\nneeded to make one, compared later"
        ) { (given, settings) throws(CommandFailure) in
            settings.application = try given.last?.applicationName()
        },
        ServeSetting(
            "durability",
            .text,
            "group|each",
            "when a write is answered: after a sync it may share (group),\nor one of its own (each)",
            fallback: "group"
        ) { (given, settings) throws(CommandFailure) in
            for setting in given { settings.syncing = try setting.syncing() }
        },
        ServeSetting(
            "segment-bytes",
            .number,
            "BYTES",
            "length of the log's files, which go whole",
            fallback: "\(Limits.segmentByteCount)"
        ) { (given, settings) throws(CommandFailure) in
            for setting in given {
                settings.segmentByteCount = Int(try setting.integer(65_536...1_073_741_824))
            }
        },
        ServeSetting("web", .text, "DIR", "folder of the viewer; none without it") {
            given,
            settings in settings.configuration.webFolder = given.last?.text
        },
        ServeSetting("config", .text, "FILE", "JSON file of these settings") { _, _ in },
    ]

    private static let listening = [
        ServeSetting(
            "listen",
            .list,
            "ADDRESS",
            "where to listen, repeatable: HOST:PORT (port 0 lets the system\n"
                + "choose), [IPV6]:PORT, unix:/PATH; other machines need TLS, or\n--without-tls",
            fallback: ServeSettings.defaultAddress
        ) { (given, settings) throws(CommandFailure) in
            if !given.isEmpty { settings.configuration.addresses = try given.addresses() }
        },
        ServeSetting(
            "socket-mode",
            .text,
            "OCTAL",
            "who may connect to Unix sockets: the mode of their files",
            fallback: "660"
        ) { (given, settings) throws(CommandFailure) in
            for setting in given { settings.configuration.socketMode = try setting.mode() }
        },
        ServeSetting(
            "loops",
            .number,
            "N",
            "event loops; one per processor without it"
        ) { (given, settings) throws(CommandFailure) in
            for setting in given {
                settings.configuration.loopCount = Int(try setting.integer(1...256))
            }
        },
        ServeSetting(
            "host-name",
            .list,
            "NAME",
            "further name in Host that is this server's; repeatable",
            isLive: true
        ) { (given, settings) throws(CommandFailure) in
            settings.configuration.hostNames = try given.hostNames()
        },
        ServeSetting(
            "origin",
            .list,
            "URL",
            "origin of another page that may use it; repeatable",
            isLive: true
        ) { (given, settings) throws(CommandFailure) in
            settings.configuration.origins = try given.origins()
        },
    ]

    private static let security = [
        ServeSetting(
            "tls-certificate",
            .text,
            "FILE",
            "speaks TLS alone, with this certificate and those that lead to\nits authority (PEM)"
        ) { given, settings in settings.tls.certificate = given.last?.text },
        ServeSetting("tls-key", .text, "FILE", "its private key (PEM)") { given, settings in
            settings.tls.key = given.last?.text
        },
        ServeSetting(
            "tls-client-ca",
            .text,
            "FILE",
            "takes only clients who show a certificate of these\nauthorities (PEM)"
        ) { given, settings in settings.tls.clientAuthorities = given.last?.text },
        ServeSetting(
            "without-tls",
            .toggle,
            "",
            "listens on other addresses than loopback without TLS:\nwhoever is on the way reads tokens and records"
        ) { given, settings in settings.isWithoutTLS = !given.isEmpty },
        ServeSetting(
            "without-tokens",
            .toggle,
            "",
            "there, takes callers at their word while the database has no\ntoken; without it they are refused until there is one"
        ) { given, settings in settings.isWithoutTokens = !given.isEmpty },
        .rate(
            "address-rate",
            \.addressRate,
            "requests a second an address may make, on average; twice as\nmany at once; any number without it"
        ),
        .rate(
            "token-rate",
            \.tokenRate,
            "requests a second that may be made with one token; any number\nwithout it"
        ),
    ]

    private static let deadlines: [ServeSetting] = [
        .seconds("head-timeout", \.headSeconds, "for a request's head to arrive"),
        .seconds("body-timeout", \.bodySeconds, "for a body, besides 1 s for each 100 kB"),
        .seconds("idle-timeout", \.idleSeconds, "for a connection without a request"),
        .seconds(
            "stall-timeout",
            \.stallSeconds,
            "for a client that takes nothing of what waits for it",
            isLive: false
        ),
        .seconds("heartbeat", \.heartbeatSeconds, "between heads of a feed"),
        .seconds("pin-timeout", \.pinSeconds, "for a long read to go on"),
        .seconds(
            "drain-seconds",
            \.drainSeconds,
            "for what is under way when the server is asked to stop"
        ),
    ]

    private static let limits: [ServeSetting] = [
        .count(
            "max-connections",
            "N",
            \.connectionCountMax,
            1...1_000_000,
            "most open connections; who comes then waits for a place"
        ),
        .count(
            "max-head",
            "BYTES",
            \.headByteCountMax,
            256...1_048_576,
            "longest head of a request"
        ),
        .count(
            "max-target",
            "BYTES",
            \.targetByteCountMax,
            64...65_536,
            "longest target of a request"
        ),
        .count("max-headers", "N", \.headerCountMax, 4...10_000, "most header fields of a request"),
        .count(
            "max-body",
            "BYTES",
            \.bodyByteCountMax,
            256...67_108_864,
            "longest body that is not a stream"
        ),
        .count(
            "max-file",
            "BYTES",
            \.fileByteCountMax,
            1...UInt64(Limits.fileByteCountMax),
            "largest file"
        ),
        .count(
            "max-operations",
            "N",
            \.operationCountMax,
            1...UInt64(Limits.effectCountMax),
            "most operations of one change over REST"
        ),
        .count(
            "max-message",
            "BYTES",
            \.messageByteCountMax,
            256...16_777_216,
            "longest WebSocket message of a feed's client"
        ),
        .count(
            "max-frame",
            "BYTES",
            \.frameByteCountMax,
            125...16_777_216,
            "longest frame of one"
        ),
        .count(
            "max-output",
            "BYTES",
            \.outputByteCountMax,
            16_384...67_108_864,
            "that wait for one connection before no more is read from it",
            isLive: false
        ),
        .count("max-pins", "N", \.pinCountMax, 1...100_000, "most long reads at one time"),
    ]

    private static let history = [
        days(
            "history-days",
            0...36_500,
            CompactionPolicy().historySeconds,
            "for which commits stay in the log; older ones go when the log\nis cut, what stands never does"
        ) { $0.historySeconds = $1 },
        ServeSetting(
            "history-bytes",
            .number,
            "BYTES",
            "of the log that stay at most, whatever their age",
            fallback: "\(CompactionPolicy().historyByteCount)",
            isLive: true
        ) { (given, settings) throws(CommandFailure) in
            for setting in given {
                settings.configuration.compaction.historyByteCount =
                    try setting.integer(0...(1 << 50))
            }
        },
        days(
            "memory-days",
            memoryDays,
            CompactionPolicy().memorySeconds,
            "for which what a change did is remembered, so that one that\nis sent again is not done again; 30 at least"
        ) { $0.memorySeconds = $1 },
        days(
            "tombstone-days",
            tombstoneDays,
            CompactionPolicy().tombstoneSeconds,
            "for which it is remembered that a record was deleted, when and\nby whom; as long as the history in any case"
        ) { $0.tombstoneSeconds = $1 },
        ServeSetting(
            "garbage-ratio",
            .number,
            "N",
            "the log is cut when what can go weighs N times what stands",
            fallback: ServeSetting.text(CompactionPolicy().garbageRatio),
            isLive: true
        ) { (given, settings) throws(CommandFailure) in
            for setting in given {
                settings.configuration.compaction.garbageRatio =
                    try setting.decimal(0...1000, unit: "a ratio")
            }
        },
    ]

    /// For how long changes are remembered: the API promises 30 days.
    static let memoryDays = 30.0...36_500.0
    static let tombstoneDays = 0.0...36_500.0

    private static func days(
        _ name: String,
        _ bounds: ClosedRange<Double>,
        _ fallback: Int64,
        _ help: String,
        _ set: @escaping @Sendable (inout CompactionPolicy, Int64) -> Void
    ) -> ServeSetting {
        ServeSetting(
            name,
            .number,
            "DAYS",
            help,
            fallback: ServeSetting.text(Double(fallback) / 86_400),
            isLive: true
        ) { (given, settings) throws(CommandFailure) in
            for setting in given {
                let days = try setting.decimal(bounds, unit: "days")
                set(&settings.configuration.compaction, Int64(days * 86_400))
            }
        }
    }

    private static let logging = [
        ServeSetting(
            "log-level",
            .text,
            "LEVEL",
            "debug, info, warning or error",
            fallback: "info",
            isLive: true
        ) { (given, settings) throws(CommandFailure) in
            for setting in given { settings.level = try setting.choice(Logger.Level.self) }
        },
        ServeSetting(
            "log-format",
            .text,
            "text|json",
            "how the lines of both logs look",
            fallback: "text"
        ) { (given, settings) throws(CommandFailure) in
            for setting in given { settings.format = try setting.choice(Logger.Format.self) }
        },
        ServeSetting(
            "access-log",
            .text,
            "FILE|-",
            "a line for each request goes there (- is standard output);\nnone without it"
        ) { given, settings in settings.accessLog = given.last?.text },
    ]
}
