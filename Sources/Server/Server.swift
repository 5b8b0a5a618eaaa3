// The server: loops, a listener, a store, and the way down.
public import HoldfastBasics
internal import HoldfastHTTP
public import HoldfastNetworking
internal import HoldfastRecords
public import HoldfastStore
internal import HoldfastWire

/// Why a server cannot start.
public enum ServerError: Error {
    /// It cannot listen.
    case network(NetworkError)
    /// The viewer's folder cannot be served.
    case files(StaticFilesError)
}

/// A running server.
public final class Server: Sendable {
    private let shared: SharedServer
    private let loops: [EventLoop]
    private let servers: [LoopBound<LoopServer>]
    private let listener: Listener

    /// Listens and answers from now on.
    ///
    /// - Parameters:
    ///   - store: What is served; somebody else drives its sync thread.
    ///   - configuration: How.
    ///   - logger: Is told what an operator should know.
    ///   - version: Version of the product, shown to clients.
    ///   - time: The clocks.
    ///   - random: Gives ids.
    /// - Throws: `network`, `files`.
    public init(
        store: Store,
        configuration: ServerConfiguration,
        logger: Logger = Logger(),
        version: String,
        time: any TimeSource = SystemTime(),
        random: any RandomSource = SystemRandom()
    ) throws(ServerError) {
        shared = SharedServer(
            store: store,
            configuration: configuration,
            files: try Self.files(configuration),
            time: time,
            random: random,
            logger: logger,
            version: version
        )
        do throws(NetworkError) {
            loops = try Self.makeLoops(configuration.loopCount)
            servers = Self.bind(loops, shared)
            let servers = servers
            let metrics = shared.metrics
            var options = Listener.Options()
            options.connectionCountMax = configuration.connectionCountMax
            options.stream.stallMilliseconds = Int(configuration.stallSeconds * 1000)
            options.tls = configuration.tls
            options.handshakeMilliseconds = Int(configuration.headSeconds * 1000)
            options.plainFarewell = Self.plainFarewell
            options.noteInsecure = { metrics.failedHandshakes.add() }
            listener = try Listener(
                on: SocketAddress(Self.text(configuration)),
                loops: loops,
                options: options,
                logger: logger
            ) { stream in
                let server = servers.first { $0.loop === stream.loop }?.value
                guard let server else { preconditionFailure("a stream of another server's loop") }
                return Connection(server: server, stream: stream)
            }
        } catch {
            throw .network(error)
        }
        let syncs = shared.metrics.syncs
        // Weak: the store, which keeps the observer, is kept by the server.
        store.observe { [weak self] progress, nanoseconds in
            syncs.record(nanoseconds: nanoseconds)
            guard let self else { return }
            self.shared.tokens.refresh(from: self.shared.store)
            for server in self.servers { server.execute { $0.advance(progress) } }
        }
        startTimer()
        shared.compactor.start()
    }

    /// Where it listens, `HOST:PORT`.
    public var address: String { listener.address.description }

    /// What who speaks HTTP is sent where TLS begins: the only thing it can read.
    private static let plainFarewell: [UInt8] = {
        var body = ByteBuffer()
        let refusal = Refusal(.badRequest, "This port speaks TLS: use https.")
        Problem(refusal).append(to: &body, status: HTTPStatus.badRequest.rawValue)
        var reply = ByteBuffer()
        reply.append("HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\n")
        reply.append(text: "connection: close\r\ncontent-length: \(body.count)\r\n\r\n")
        reply.append(body.view)
        return reply.array
    }()

    /// Ends: accepts no more, tells the feeds, finishes replies under way, then ends the loops.
    ///
    /// - Parameter seconds: How long replies under way may take.
    public func stop(withinSeconds seconds: Double = 5) {
        listener.close()
        shared.compactor.stop()
        for server in servers { server.execute { $0.beginStopping() } }
        waitForConnections(seconds)
        for loop in loops { loop.stop() }
        for loop in loops { loop.join() }
    }

    /// Waits until the last connection has gone, or the time is over.
    private func waitForConnections(_ seconds: Double) {
        let done = Condition(false)
        let (listener, loop, time) = (self.listener, loops[0], shared.time)
        let deadline = time.monotonicNanoseconds() + UInt64(seconds * 1e9)
        let isTaken = loop.execute {
            loop.schedule(afterMilliseconds: 10, isRepeating: true) {
                guard listener.connectionCount == 0 || time.monotonicNanoseconds() >= deadline
                else { return }
                done.signal { $0 = true }
            }
        }
        if isTaken { done.wait(until: { $0 }) { _ in } }
    }

    // MARK: Starting

    private static func files(
        _ configuration: ServerConfiguration
    ) throws(ServerError) -> StaticFiles {
        guard let folder = configuration.webFolder else { return StaticFiles() }
        do throws(StaticFilesError) {
            return try StaticFiles(folder: folder)
        } catch {
            throw .files(error)
        }
    }

    private static func makeLoops(_ count: Int) throws(NetworkError) -> [EventLoop] {
        var loops: [EventLoop] = []
        for _ in 0..<max(1, count) { loops.append(try EventLoop()) }
        return loops
    }

    /// Makes each loop's part, on that loop.
    private static func bind(
        _ loops: [EventLoop],
        _ shared: SharedServer
    ) -> [LoopBound<LoopServer>] {
        loops.enumerated().map { index, loop in
            let made = Condition<LoopBound<LoopServer>?>(nil)
            loop.execute {
                let server = LoopServer(loop: loop, shared: shared, index: index)
                let bound = LoopBound(server, to: loop)
                made.signal { $0 = bound }
            }
            return made.wait(until: { $0 != nil }) { bound in
                guard let bound else { preconditionFailure("waited for it") }
                return bound
            }
        }
    }

    private static func text(_ configuration: ServerConfiguration) -> String {
        let isIPv6 = configuration.host.contains(":")
        return (isIPv6 ? "[\(configuration.host)]" : configuration.host) + ":\(configuration.port)"
    }

    /// Time-based rules run on the first loop, once a second.
    private func startTimer() {
        let store = shared.store
        let first = loops[0]
        first.execute {
            first.schedule(afterMilliseconds: 1000, isRepeating: true) { store.tick() }
        }
    }
}
