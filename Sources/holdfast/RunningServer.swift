// What a running server is told: to stop, to read its settings again, and whether it lives.
internal import HoldfastBasics
internal import HoldfastNetworking
internal import HoldfastServer

/// A server that waits for signals.
struct RunningServer {
    private let server: Server
    private(set) var settings: ServeSettings
    private let arguments: Arguments
    private let manager: ServiceManager
    private let logger: Logger

    init(
        _ server: Server,
        _ settings: ServeSettings,
        _ arguments: Arguments,
        _ manager: ServiceManager,
        _ logger: Logger
    ) {
        self.server = server
        self.settings = settings
        self.arguments = arguments
        self.manager = manager
        self.logger = logger
    }

    /// Waits for a signal to stop, and gives its name.
    mutating func waitForTheEnd() -> String {
        tellAlive()
        while true {
            switch Signals.wait(milliseconds: manager.watchdogMilliseconds) {
            case .stop(let name): return name
            case .reload:
                manager.reloading()
                reload()
                manager.ready("Serving \(server.address)")
            case .none: break
            }
            tellAlive()
        }
    }

    /// Tells that it lives, when every loop answers.
    private func tellAlive() {
        guard let milliseconds = manager.watchdogMilliseconds else { return }
        if server.isResponsive(withinSeconds: Double(milliseconds) / 1000) { manager.alive() }
    }

    // MARK: Reading again

    private mutating func reload() {
        reloadSettings()
        if let tls = settings.configuration.tls {
            do throws(TLSError) {
                try tls.reload()
                tls.tellCertificate("serve.tls.reloaded", logger)
            } catch {
                logger.log(.error, "serve.tls.kept", ["reason": error.description])
            }
        }
        if let file = settings.configuration.accessLog?.file {
            do throws(LogFileError) {
                try file.reopen()
                logger.log(.info, "serve.access.reopened", ["file": file.path])
            } catch {
                logger.log(.error, "serve.access.kept", ["reason": error.description])
            }
        }
    }

    /// Takes over what may change while it runs, all of it or nothing.
    private mutating func reloadSettings() {
        var next: ServeSettings
        do throws(CommandFailure) {
            next = try ServeSettings(arguments)
        } catch {
            logger.log(.error, "serve.reload.kept", ["reason": error.message])
            return
        }
        let changed = next.changed(since: settings)
        let fixed = changed.filter { !$0.isLive }.map(\.name)
        if !fixed.isEmpty {
            logger.log(
                .warning,
                "serve.reload.needsRestart",
                ["settings": fixed.joined(separator: ",")]
            )
        }
        if changed.contains(where: { $0.name == "max-connections" }) {
            let wanted = next.configuration.connectionCountMax
            next.configuration.connectionCountMax = Descriptors.raiseLimit(for: wanted, logger)
        } else {
            next.configuration.connectionCountMax = settings.configuration.connectionCountMax
        }
        logger.setLevel(next.level)
        next.configuration = server.reconfigure(next.configuration)
        settings.takeLive(of: next)
        logger.log(
            .info,
            "serve.reload.done",
            ["changed": changed.filter(\.isLive).map(\.name).joined(separator: ",")]
        )
    }
}

extension TLSAcceptor {
    /// Says how long the certificate in use is good for.
    func tellCertificate(_ event: String, _ logger: Logger) {
        let days = Double(secondsLeft) / 86_400
        logger.log(
            days < Self.certificateDaysFew ? .warning : .info,
            event,
            ["daysLeft": "\(Int(days.rounded(.down)))"]
        )
    }

    /// A certificate that ends sooner ought to have been renewed.
    private static var certificateDaysFew: Double { 7 }
}
