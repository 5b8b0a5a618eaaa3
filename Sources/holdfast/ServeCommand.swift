// `holdfast serve`: opens the database, listens, says that it is ready, and waits to be stopped.
//
// Order matters: signals are blocked before the first thread starts, so that all threads inherit
// it; the sync thread ends after the server, whose last replies wait for it.
internal import Glibc
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastNetworking
internal import HoldfastRecords
internal import HoldfastServer
internal import HoldfastStore

/// The server as a process.
enum ServeCommand {
    static let command = Command(
        name: "serve",
        summary: "Serves a database over HTTP until SIGTERM or SIGINT.",
        positionals: [],
        flags: ServeFlags.all,
        notes: """
            Each flag that takes a value may stand in the environment (--head-timeout is HOLDFAST_HEAD_TIMEOUT,
            lists are separated by commas) and in the file of --config (headTimeout, lists are arrays). Flags
            win over the environment, the environment over the file.

            While the database has no token, callers are taken at their word; as soon as there is one
            (`holdfast token create`), every route but GET /v1, /livez, /readyz and the viewer asks for it.

            With TLS, SIGHUP reads certificate, key and authorities again: connections that begin from then on
            get the new certificate, others stay; of a broken file it says why, and keeps what it has. Without
            TLS, SIGHUP ends the server as SIGTERM does. Clients may name the server as in its certificate when
            that name is given with --host-name.

            When it is ready it prints one line on standard output:
              ready http://HOST:PORT databaseID=... epoch=... head=...
            (https:// with TLS). Its log goes to standard error.
            """,
        run: run
    )

    @Sendable
    private static func run(_ arguments: Arguments) throws(CommandFailure) {
        var settings = try ServeSettings(arguments)
        let logger = Logger(level: settings.level)
        Signals.block()
        settings.configuration.connectionCountMax = raiseDescriptorLimit(
            settings.configuration.connectionCountMax,
            logger
        )
        let store = try DatabaseFolder(settings.data).open(
            application: settings.application,
            syncing: settings.syncing,
            segmentByteCount: settings.segmentByteCount,
            logger: logger
        )
        let runner = StoreRunner(store)
        let server: Server
        do throws(ServerError) {
            server = try Server(
                store: store,
                configuration: settings.configuration,
                logger: logger,
                version: Tool.version
            )
        } catch {
            try close(runner, settings)
            throw CommandFailure(error)
        }
        if let healing = store.read(\.healing) {
            logger.log(
                .warning,
                "serve.healing",
                ["restored": "\(healing.restored)", "next": "holdfast heal"]
            )
        }
        tellWhoMayCall(store, settings, logger)
        let tls = settings.configuration.tls
        if let tls { tellCertificate("serve.tls", tls, logger) }
        announce(server, isSecure: tls != nil, store, logger)
        let signal = waitForTheEnd(tls, logger)
        logger.log(.info, "serve.stopping", ["signal": signal])
        server.stop()
        try close(runner, settings)
        logger.log(.info, "serve.stopped")
    }

    /// Says who may call: everybody on this machine, or whoever has a token.
    private static func tellWhoMayCall(
        _ store: Store,
        _ settings: ServeSettings,
        _ logger: Logger
    ) {
        let count = store.read { $0.state.tree(.tokens)?.count ?? 0 }
        guard count == 0 else {
            logger.log(.info, "serve.tokens", ["count": "\(count)"])
            return
        }
        let mayCall = settings.configuration.allowsAnonymous ? "whoever reaches the port" : "nobody"
        logger.log(
            .warning,
            "serve.tokens.none",
            ["mayCall": mayCall, "next": "holdfast token create"]
        )
    }

    /// Prints the line others wait for.
    ///
    /// A closed standard output is no reason not to serve.
    private static func announce(
        _ server: Server,
        isSecure: Bool,
        _ store: Store,
        _ logger: Logger
    ) {
        let position = store.read { $0.state.position(of: $0.progress.durable) }
        let line =
            "ready http\(isSecure ? "s" : "")://\(server.address) databaseID=\(store.identity.databaseID) "
            + "epoch=\(position.epoch) head=\(position)\n"
        do throws(CommandFailure) {
            try Console.print(line)
        } catch {
            logger.log(.warning, "serve.ready.unheard", ["error": error.message])
        }
    }

    /// Waits for a signal to stop, and reads the certificate again at others.
    private static func waitForTheEnd(_ tls: TLSAcceptor?, _ logger: Logger) -> String {
        while true {
            let signal = Signals.wait()
            guard signal == Signals.reload, let tls else { return signal }
            do throws(TLSError) {
                try tls.reload()
                tellCertificate("serve.tls.reloaded", tls, logger)
            } catch {
                logger.log(.error, "serve.tls.kept", ["reason": error.description])
            }
        }
    }

    /// Says how long the certificate in use is good for.
    private static func tellCertificate(_ event: String, _ tls: TLSAcceptor, _ logger: Logger) {
        let days = Double(tls.secondsLeft) / 86_400
        logger.log(
            days < certificateDaysFew ? .warning : .info,
            event,
            ["daysLeft": "\(Int(days.rounded(.down)))"]
        )
    }

    /// A certificate that ends sooner ought to have been renewed.
    private static let certificateDaysFew = 7.0

    private static func close(
        _ runner: StoreRunner,
        _ settings: ServeSettings
    ) throws(CommandFailure) {
        do throws(StoreError) {
            try runner.close()
        } catch {
            throw CommandFailure(error, directory: settings.data)
        }
    }

    /// Every connection takes a descriptor; the soft limit of most systems is 1024.
    ///
    /// Where the hard one is low too, fewer connections are taken: the log needs descriptors for
    /// its next segment, or clients could end all writing.
    ///
    /// - Returns: How many connections there may be.
    private static func raiseDescriptorLimit(_ connectionCount: Int, _ logger: Logger) -> Int {
        let wanted = rlim_t(connectionCount + descriptorReserve)
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(7), &limit) == 0, limit.rlim_cur < wanted else {
            return connectionCount
        }
        let before = limit.rlim_cur
        limit.rlim_cur = min(wanted, limit.rlim_max)
        let had = setrlimit(__rlimit_resource_t(7), &limit) == 0 ? limit.rlim_cur : before
        guard had < wanted else { return connectionCount }
        let left = Int(had)
        let count = max(1, left - min(descriptorReserve, left / 2))
        logger.log(
            .warning,
            "serve.descriptors.few",
            ["limit": "\(left)", "wanted": "\(wanted)", "connections": "\(count)"]
        )
        return count
    }

    /// Descriptors that are not for connections.
    private static let descriptorReserve = 256
}
