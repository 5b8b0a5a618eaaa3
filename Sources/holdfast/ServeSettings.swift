// What `serve` was asked for, checked: each setting by its row of the table, then those that only
// make sense together.
internal import Glibc
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastNetworking
internal import HoldfastServer

/// What `serve` was asked for.
struct ServeSettings {
    /// The files of TLS.
    struct Security: Equatable {
        var certificate: String?
        var key: String?
        var clientAuthorities: String?
    }

    var data: String?
    var application: String?
    var level = Logger.Level.info
    var format = Logger.Format.text
    /// File of the access log; nil for none.
    var accessLog: String?
    var syncing = Syncing.batches
    /// Length of the log's segments.
    var segmentByteCount = Limits.segmentByteCount
    var tls = Security()
    var isWithoutTLS = false
    var isWithoutTokens = false
    var configuration = ServerConfiguration()
    /// What was given, by setting.
    private(set) var given: [String: [Setting]] = [:]

    static let defaultAddress = "127.0.0.1:7070"

    /// Reads and checks everything; opens nothing but the configuration file.
    init(_ arguments: Arguments) throws(CommandFailure) {
        var arguments = arguments
        if let path = arguments.text("config") {
            arguments.add(try ConfigurationFile(path: path), path: path)
        }
        configuration.loopCount = Self.processorCount
        for setting in ServeFlags.settings {
            let values = arguments.list(setting.name)
            given[setting.name] = values
            try setting.take(values, &self)
        }
        try checkTLS(arguments)
        try checkAddresses(arguments)
        configuration.allowsAnonymous =
            isWithoutTokens || configuration.addresses.allSatisfy(\.isLoopback)
    }

    /// The directory of the database, which must be given.
    func folder(_ arguments: Arguments) throws(CommandFailure) -> String {
        guard let data, !data.isEmpty else {
            throw arguments.usage("give --data DIR or HOLDFAST_DATA")
        }
        return data
    }

    private static var processorCount: Int {
        min(256, max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))))
    }

    // MARK: What belongs together

    private func checkTLS(_ arguments: Arguments) throws(CommandFailure) {
        guard (tls.certificate == nil) == (tls.key == nil),
            tls.certificate != nil || tls.clientAuthorities == nil
        else { throw arguments.usage("TLS takes both --tls-certificate and --tls-key") }
        guard tls.certificate == nil || !isWithoutTLS else {
            throw arguments.usage("give --tls-certificate or --without-tls, not both")
        }
    }

    /// Loopback, unless TLS keeps others from listening in, or it was said that they may.
    private func checkAddresses(_ arguments: Arguments) throws(CommandFailure) {
        guard tls.certificate == nil, !isWithoutTLS else { return }
        for (address, setting) in zip(configuration.addresses, given["listen"] ?? [])
        where !address.isLoopback {
            throw CommandFailure(
                .configuration,
                "\(setting.origin) '\(setting.text)': without TLS, beyond loopback whoever is on the "
                    + "way could read tokens and records; give --tls-certificate and --tls-key, or "
                    + "127.0.0.1:PORT or [::1]:PORT, or --without-tls"
            )
        }
    }

    /// The certificate to serve with; nil for none.
    func acceptor() throws(CommandFailure) -> TLSAcceptor? {
        guard let certificate = tls.certificate, let key = tls.key else { return nil }
        do throws(TLSError) {
            return try TLSAcceptor(
                TLSFiles(certificate: certificate, key: key),
                clientAuthorities: tls.clientAuthorities
            )
        } catch {
            throw CommandFailure(.configuration, error.description)
        }
    }

    // MARK: What came from where

    /// The value of a setting as texts, and where it came from; none where there is no value.
    func origin(
        of setting: ServeSetting
    ) -> (texts: [String], source: Setting.Source, origin: String) {
        if let values = given[setting.name], let last = values.last {
            let texts = setting.flag.kind == .list ? values.map(\.text) : [last.text]
            return (texts, last.source, last.origin)
        }
        if setting.name == "loops" {
            return (["\(configuration.loopCount)"], .default, "default")
        }
        return (setting.fallback.map { [$0] } ?? [], .default, "default")
    }

    /// Takes over what a running server took over.
    mutating func takeLive(of next: ServeSettings) {
        level = next.level
        configuration = next.configuration
        for setting in ServeFlags.settings where setting.isLive {
            given[setting.name] = next.given[setting.name]
        }
    }

    /// The settings whose values are others than before.
    func changed(since before: ServeSettings) -> [ServeSetting] {
        ServeFlags.settings.filter { origin(of: $0).texts != before.origin(of: $0).texts }
    }
}

// MARK: Texts of settings

extension Setting {
    /// One of the names of an enumeration.
    func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ type: Choice.Type
    ) throws(CommandFailure) -> Choice {
        guard let choice = Choice(rawValue: text) else {
            let names = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            throw failure("give one of \(names)")
        }
        return choice
    }

    func applicationName() throws(CommandFailure) -> String {
        guard (1...Limits.identityByteCountMax).contains(text.utf8.count),
            text.utf8.allSatisfy({ $0 >= 32 && $0 != 127 })
        else {
            throw failure("give a name of 1 to \(Limits.identityByteCountMax) bytes on one line")
        }
        return text
    }

    func syncing() throws(CommandFailure) -> Syncing {
        switch text {
        case "group": return .batches
        case "each": return .commits
        default:
            throw failure(
                "give group (writes that come together share a sync) or each (one sync a write)"
            )
        }
    }

    /// A mode of a file: three octal digits.
    func mode() throws(CommandFailure) -> UInt32 {
        guard (3...4).contains(text.utf8.count), let mode = UInt32(text, radix: 8), mode <= 0o777
        else { throw failure("give the mode as chmod takes it, such as 660") }
        return mode
    }
}

extension [Setting] {
    func addresses() throws(CommandFailure) -> [SocketAddress] {
        var addresses: [SocketAddress] = []
        for setting in self {
            let address: SocketAddress
            do throws(NetworkError) {
                address = try SocketAddress(setting.text)
            } catch {
                throw setting.failure(
                    "give HOST:PORT, as \(ServeSettings.defaultAddress) or [::1]:0, or unix:/PATH of "
                        + "at most \(SocketAddress.pathByteCountMax) bytes"
                )
            }
            guard !addresses.contains(address) || address.path == nil && address.port == 0 else {
                throw setting.failure("name each address once")
            }
            addresses.append(address)
        }
        return addresses
    }

    func hostNames() throws(CommandFailure) -> [String] {
        var names: [String] = []
        for setting in self {
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

    func origins() throws(CommandFailure) -> [String] {
        var origins: [String] = []
        for setting in self {
            let parts = setting.text.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count == 3, parts[0] == "http:" || parts[0] == "https:",
                parts[1].isEmpty, !parts[2].isEmpty
            else { throw setting.failure("give an origin, as https://stock.example:8443") }
            origins.append(setting.text)
        }
        return origins
    }
}
