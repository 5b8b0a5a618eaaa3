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
            lists are separated by commas) and in the file of --config (headTimeout, lists are arrays, flags without
            a value true or false). Flags win over the environment, the environment over the file.
            `holdfast config` prints what results.

            While the database has no token, callers are taken at their word; as soon as there is one
            (`holdfast token create`), every route but GET /v1, /livez, /readyz and the viewer asks for it.

            SIGTERM and SIGINT: it accepts no more, /readyz is 503, feeds and mirrors are closed with 1012, and what
            is under way is answered, for --drain-seconds at most. The exit code is 0. A second signal ends it at
            once; what was acknowledged is kept.

            SIGHUP: it reads the file of --config, the certificate, its key and the authorities again, and opens the
            access log anew. What cannot change while it runs (`holdfast config` says which can) is named in the
            log; of a file with a mistake it says why, and keeps what it has. Connections stay. Where it was started in
            a terminal that is closed, it ends.

            When it is ready it prints one line on standard output:
              ready http://HOST:PORT databaseID=... epoch=... head=...
            (https:// with TLS, http+unix:///PATH for a Unix socket; with several, the first). Its log goes to
            standard error. Started by systemd as Type=notify, it tells that it is ready, reloads, stops and lives.
            """,
        run: run
    )

    @Sendable
    private static func run(_ arguments: Arguments) throws(CommandFailure) {
        var settings = try ServeSettings(arguments)
        let folder = try settings.folder(arguments)
        settings.configuration.tls = try settings.acceptor()
        let logger = Logger(level: settings.level, format: settings.format)
        let manager = ServiceManager()
        Signals.block()
        settings.configuration.connectionCountMax = Descriptors.raiseLimit(
            for: settings.configuration.connectionCountMax,
            logger
        )
        settings.configuration.accessLog = try openAccessLog(settings)
        let store = try DatabaseFolder(folder).open(
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
            try close(runner, folder)
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
        if let tls = settings.configuration.tls { tls.tellCertificate("serve.tls", logger) }
        for address in server.addresses.dropFirst() {
            logger.log(.info, "serve.listening", ["address": "\(address)"])
        }
        var running = RunningServer(server, settings, arguments, manager, logger)
        announce(server, isSecure: settings.configuration.tls != nil, store, logger)
        manager.ready("Serving \(server.address)")
        let signal = running.waitForTheEnd()
        Signals.endAtOnce()
        let seconds = running.settings.configuration.drainSeconds
        logger.log(.info, "serve.stopping", ["signal": signal, "drainSeconds": "\(seconds)"])
        manager.stopping(seconds: seconds)
        let cutCount = server.stop(withinSeconds: seconds)
        if cutCount > 0 {
            logger.log(.warning, "serve.cut", ["connections": "\(cutCount)"])
        }
        settings.configuration.accessLog?.file.close()
        try close(runner, folder)
        logger.log(.info, "serve.stopped")
    }

    private static func openAccessLog(
        _ settings: ServeSettings
    ) throws(CommandFailure) -> AccessLog? {
        guard let path = settings.accessLog else { return nil }
        do throws(LogFileError) {
            return AccessLog(try LogFile(path: path), format: settings.format)
        } catch {
            throw CommandFailure(.configuration, "--access-log: \(error)")
        }
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
        let position = store.read { $0.state.position(of: $0.durable) }
        let url =
            server.addresses[0].path.map { "http+unix://\($0)" }
            ?? "http\(isSecure ? "s" : "")://\(server.address)"
        let line =
            "ready \(url) databaseID=\(store.identity.databaseID) "
            + "epoch=\(position.epoch) head=\(position)\n"
        do throws(CommandFailure) {
            try Console.print(line)
        } catch {
            logger.log(.warning, "serve.ready.unheard", ["error": error.message])
        }
    }

    private static func close(_ runner: StoreRunner, _ folder: String) throws(CommandFailure) {
        do throws(StoreError) {
            try runner.close()
        } catch {
            throw CommandFailure(error, directory: folder)
        }
    }
}
