// Every setting of `holdfast serve`, and how the texts become a configuration.
internal import Glibc
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastNetworking
internal import HoldfastServer
internal import HoldfastStore

/// The table of settings: flags, `HOLDFAST_...`, and members of the configuration file.
enum ServeFlags {
    static let all = [
        Flag("data", .text, "DIR", environment: true, "directory of the database"),
        Flag(
            "listen",
            .text,
            "HOST:PORT",
            environment: true,
            "address to listen on (127.0.0.1:7070); port 0 lets the\nsystem choose; others than loopback need TLS, or --without-tls"
        ),
        Flag(
            "tls-certificate",
            .text,
            "FILE",
            environment: true,
            "speaks TLS alone, with this certificate and those that lead to\nits authority (PEM)"
        ),
        Flag("tls-key", .text, "FILE", environment: true, "its private key (PEM)"),
        Flag(
            "tls-client-ca",
            .text,
            "FILE",
            environment: true,
            "takes only clients who show a certificate of these\nauthorities (PEM)"
        ),
        Flag(
            toggle: "without-tls",
            "listens on other addresses than loopback without TLS:\nwhoever is on the way reads tokens and records"
        ),
        Flag(
            toggle: "without-tokens",
            "there, takes callers at their word while the database has no\ntoken; without it they are refused until there is one"
        ),
        Flag(
            "application",
            .text,
            "NAME",
            environment: true,
            "application the database belongs to;\nneeded to make one, compared later"
        ),
        Flag(
            "durability",
            .text,
            "group|each",
            environment: true,
            "when a write is answered: after a sync it may share\n(group, the default), or one of its own (each)"
        ),
        Flag(
            "history-days",
            .number,
            "DAYS",
            environment: true,
            "for which commits stay in the log (30); older ones go\nwhen the log is cut, what stands never does"
        ),
        Flag(
            "history-bytes",
            .number,
            "BYTES",
            environment: true,
            "of the log that stay at most, whatever their age (4294967296)"
        ),
        Flag(
            "memory-days",
            .number,
            "DAYS",
            environment: true,
            "for which what a change did is remembered, so that one that\nis sent again is not done again; 30 at least (30)"
        ),
        Flag(
            "tombstone-days",
            .number,
            "DAYS",
            environment: true,
            "for which it is remembered that a record was deleted, when and\nby whom; as long as the history in any case (180)"
        ),
        Flag(
            "garbage-ratio",
            .number,
            "N",
            environment: true,
            "the log is cut when what can go weighs N times what stands (1)"
        ),
        Flag(
            "segment-bytes",
            .number,
            "BYTES",
            environment: true,
            "length of the log's files, which go whole (67108864)"
        ),
        Flag("web", .text, "DIR", environment: true, "folder of the viewer; none without it"),
        Flag("config", .text, "FILE", environment: true, "JSON file of these settings"),
        Flag("loops", .number, "N", environment: true, "event loops (one per processor)"),
        Flag(
            "head-timeout",
            .number,
            "SECONDS",
            environment: true,
            "for a request's head to arrive (10)"
        ),
        Flag(
            "body-timeout",
            .number,
            "SECONDS",
            environment: true,
            "for a body, besides 1 s for each 100 kB (30)"
        ),
        Flag(
            "idle-timeout",
            .number,
            "SECONDS",
            environment: true,
            "for a connection without a request (120)"
        ),
        Flag(
            "stall-timeout",
            .number,
            "SECONDS",
            environment: true,
            "for a client that takes nothing of what waits for it (60)"
        ),
        Flag("heartbeat", .number, "SECONDS", environment: true, "between heads of a feed (15)"),
        Flag("max-connections", .number, "N", environment: true, "most open connections (20000)"),
        Flag(
            "address-rate",
            .number,
            "N",
            environment: true,
            "requests a second an address may make, on average; twice as\nmany at once (any number)"
        ),
        Flag(
            "token-rate",
            .number,
            "N",
            environment: true,
            "requests a second that may be made with one token (any number)"
        ),
        Flag(
            "host-name",
            .list,
            "NAME",
            environment: true,
            "further name in Host that is this server's; repeatable"
        ),
        Flag(
            "origin",
            .list,
            "URL",
            environment: true,
            "origin of another page that may use it; repeatable"
        ),
        Flag(
            "log-level",
            .text,
            "LEVEL",
            environment: true,
            "debug, info, warning or error (info)"
        ),
    ]
}

/// What `serve` was asked for, checked.
struct ServeSettings {
    let data: String
    let application: String?
    let level: Logger.Level
    let syncing: Syncing
    /// Length of the log's segments.
    let segmentByteCount: Int
    var configuration: ServerConfiguration

    static let defaultAddress = "127.0.0.1:7070"
    private static let seconds = 0.01...86_400.0

    init(_ given: Arguments) throws(CommandFailure) {
        var arguments = given
        if let path = arguments.text("config") {
            arguments.add(try ConfigurationFile(path: path), path: path)
        }
        data = try arguments.required("data")
        application = try Self.application(arguments)
        level = try Self.level(arguments)
        syncing = try Self.syncing(arguments)
        let address = try Self.address(arguments)
        var configuration = ServerConfiguration(host: address.host, port: address.port)
        configuration.loopCount = Self.processorCount
        if let count = try arguments.integer("loops", 1...256) {
            configuration.loopCount = Int(count)
        }
        if let seconds = try arguments.decimal("head-timeout", Self.seconds) {
            configuration.headSeconds = seconds
        }
        if let seconds = try arguments.decimal("body-timeout", Self.seconds) {
            configuration.bodySeconds = seconds
        }
        if let seconds = try arguments.decimal("idle-timeout", Self.seconds) {
            configuration.idleSeconds = seconds
        }
        if let seconds = try arguments.decimal("stall-timeout", Self.seconds) {
            configuration.stallSeconds = seconds
        }
        if let seconds = try arguments.decimal("heartbeat", Self.seconds) {
            configuration.heartbeatSeconds = seconds
        }
        if let count = try arguments.integer("max-connections", 1...1_000_000) {
            configuration.connectionCountMax = Int(count)
        }
        configuration.addressRate = try Self.rate("address-rate", arguments)
        configuration.tokenRate = try Self.rate("token-rate", arguments)
        segmentByteCount =
            try arguments.integer("segment-bytes", 65_536...1_073_741_824).map { Int($0) }
            ?? Limits.segmentByteCount
        configuration.compaction = try Self.compaction(arguments)
        configuration.allowsAnonymous = address.isLoopback || arguments.has("without-tokens")
        configuration.webFolder = arguments.text("web")
        configuration.tls = try Self.tls(arguments)
        configuration.hostNames = try Self.hostNames(arguments)
        configuration.origins = try Self.origins(arguments)
        self.configuration = configuration
    }

    private static func rate(
        _ name: String,
        _ arguments: Arguments
    ) throws(CommandFailure) -> RequestRate? {
        try arguments.decimal(name, 0.01...1_000_000, unit: "requests a second")
            .map { RequestRate(perSecond: $0) }
    }

    private static func compaction(
        _ arguments: Arguments
    ) throws(CommandFailure) -> CompactionPolicy {
        var policy = CompactionPolicy()
        if let days = try arguments.decimal("history-days", 0...36_500, unit: "days") {
            policy.historySeconds = Int64(days * 86_400)
        }
        if let count = try arguments.integer("history-bytes", 0...(1 << 50)) {
            policy.historyByteCount = UInt64(count)
        }
        policy.memorySeconds = try memorySeconds(arguments)
        policy.tombstoneSeconds = try tombstoneSeconds(arguments)
        if let ratio = try arguments.decimal("garbage-ratio", 0...1000, unit: "a ratio") {
            policy.garbageRatio = ratio
        }
        return policy
    }

    /// For how long changes are remembered: the API promises 30 days.
    static func memorySeconds(_ arguments: Arguments) throws(CommandFailure) -> Int64 {
        let days = try arguments.decimal("memory-days", 30...36_500, unit: "days")
        return days.map { Int64($0 * 86_400) } ?? Limits.changeMemorySeconds
    }

    /// For how long deletions are remembered.
    static func tombstoneSeconds(_ arguments: Arguments) throws(CommandFailure) -> Int64 {
        let days = try arguments.decimal("tombstone-days", 0...36_500, unit: "days")
        return days.map { Int64($0 * 86_400) } ?? Limits.tombstoneSeconds
    }

    private static var processorCount: Int {
        min(256, max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))))
    }

    private static func application(_ arguments: Arguments) throws(CommandFailure) -> String? {
        guard let setting = arguments.setting("application") else { return nil }
        let bytes = setting.text.utf8
        guard (1...Limits.identityByteCountMax).contains(bytes.count),
            bytes.allSatisfy({ $0 >= 32 && $0 != 127 })
        else {
            throw setting.failure(
                "give a name of 1 to \(Limits.identityByteCountMax) bytes on one line"
            )
        }
        return setting.text
    }

    private static func level(_ arguments: Arguments) throws(CommandFailure) -> Logger.Level {
        guard let setting = arguments.setting("log-level") else { return .info }
        guard let level = Logger.Level(rawValue: setting.text) else {
            let names = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
            throw setting.failure("give one of \(names)")
        }
        return level
    }

    private static func syncing(_ arguments: Arguments) throws(CommandFailure) -> Syncing {
        guard let setting = arguments.setting("durability") else { return .batches }
        switch setting.text {
        case "group": return .batches
        case "each": return .commits
        default:
            throw setting.failure(
                "give group (writes that come together share a sync) or each (one sync a write)"
            )
        }
    }

    /// The certificate to serve with; nil for none.
    private static func tls(_ arguments: Arguments) throws(CommandFailure) -> TLSAcceptor? {
        let (certificate, key) = (arguments.text("tls-certificate"), arguments.text("tls-key"))
        guard let certificate, let key else {
            guard certificate == nil, key == nil, !arguments.has("tls-client-ca") else {
                throw arguments.usage("TLS takes both --tls-certificate and --tls-key")
            }
            return nil
        }
        guard !arguments.has("without-tls") else {
            throw arguments.usage("give --tls-certificate or --without-tls, not both")
        }
        do throws(TLSError) {
            return try TLSAcceptor(
                TLSFiles(certificate: certificate, key: key),
                clientAuthorities: arguments.text("tls-client-ca")
            )
        } catch {
            throw CommandFailure(.configuration, error.description)
        }
    }

    /// Loopback, unless TLS keeps others from listening in, or it was said that they may.
    private static func address(_ arguments: Arguments) throws(CommandFailure) -> SocketAddress {
        let setting =
            arguments.setting("listen")
            ?? Setting(text: defaultAddress, origin: "--listen", isFromFile: false)
        let address: SocketAddress
        do throws(NetworkError) {
            address = try SocketAddress(setting.text)
        } catch {
            throw setting.failure("give HOST:PORT, as \(defaultAddress) or [::1]:0")
        }
        guard address.isLoopback || arguments.has("tls-certificate") || arguments.has("without-tls")
        else {
            throw CommandFailure(
                .configuration,
                "\(setting.origin) '\(setting.text)': without TLS, beyond loopback whoever is on the "
                    + "way could read tokens and records; give --tls-certificate and --tls-key, or "
                    + "127.0.0.1:PORT or [::1]:PORT, or --without-tls"
            )
        }
        return address
    }

    private static func hostNames(_ arguments: Arguments) throws(CommandFailure) -> [String] {
        var names: [String] = []
        for setting in arguments.list("host-name") {
            let name = setting.text.lowercased()
            guard !name.isEmpty,
                name.utf8.allSatisfy({
                    $0 == 45 || $0 == 46 || (48...57).contains($0) || (97...122).contains($0)
                })
            else { throw setting.failure("give a host's name without a port") }
            names.append(name)
        }
        return names
    }

    private static func origins(_ arguments: Arguments) throws(CommandFailure) -> [String] {
        var origins: [String] = []
        for setting in arguments.list("origin") {
            let parts = setting.text.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count == 3, parts[0] == "http:" || parts[0] == "https:",
                parts[1].isEmpty, !parts[2].isEmpty
            else { throw setting.failure("give an origin, as https://stock.example:8443") }
            origins.append(setting.text)
        }
        return origins
    }
}
