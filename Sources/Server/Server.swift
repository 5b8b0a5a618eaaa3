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
    private let listeners: [Listener]
    private let room: ConnectionRoom
    /// What counts requests now.
    private let current: Lock<RateLimiters>

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
        current = Lock(shared.limiters)
        // Before anybody can ask for them.
        store.keepFiles()
        shared.fileThread.open()
        do throws(NetworkError) {
            loops = try Self.makeLoops(configuration.loopCount)
            servers = Self.bind(loops, shared)
            room = ConnectionRoom(countMax: configuration.connectionCountMax)
            listeners = try Self.listen(shared, loops, servers, room)
        } catch {
            throw .network(error)
        }
        let listeners = listeners
        shared.acceptPauses.withLock { $0 = { listeners.reduce(0) { $0 + $1.pauseCount } } }
        let syncs = shared.metrics.syncs
        // Weak: the store, which keeps the observer, is kept by the server.
        store.observe { [weak self] progress, nanoseconds in
            syncs.record(nanoseconds: nanoseconds)
            guard let self else { return }
            self.shared.tokens.refresh(from: self.shared.store)
            for server in self.servers { server.execute { $0.advance(progress) } }
        }
        // Who came before that waits for commits nobody was told of.
        let progress = store.progress
        for server in servers { server.execute { $0.advance(progress) } }
        startTimer()
        shared.compactor.start()
        shared.fileThread.start()
    }

    /// Where it listens first, `HOST:PORT` or `unix:PATH`.
    public var address: String { listeners[0].address.description }

    /// Where it listens, ports of the system's choice included.
    public var addresses: [SocketAddress] { listeners.map(\.address) }

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

    /// Serves under other limits from now on; returns when every loop does.
    ///
    /// - Parameter wanted: Of what `ServerConfiguration` does not call changeable the server keeps
    ///   what it began with.
    /// - Returns: What holds now.
    @discardableResult
    public func reconfigure(_ wanted: ServerConfiguration) -> ServerConfiguration {
        let configuration = wanted.keepingFixed(of: shared.configuration)
        room.setCountMax(configuration.connectionCountMax)
        let (count, seconds) = (configuration.pinCountMax, configuration.pinSeconds)
        shared.store.limitPins(to: count, idleSeconds: seconds)
        shared.compactor.setPolicy(configuration.compaction)
        let limiters = current.withLock { current in
            current = RateLimiters(configuration, after: current)
            return current
        }
        // Who connects after this has returned is served under the new limits.
        let missing = Condition(servers.count)
        for server in servers {
            let isTaken = server.execute { server in
                server.reconfigure(configuration, limiters)
                missing.signal { $0 -= 1 }
            }
            if !isTaken { missing.signal { $0 -= 1 } }
        }
        missing.wait(until: { $0 == 0 }) { _ in }
        return configuration
    }

    /// Whether every loop gets to what it is given within some time.
    public func isResponsive(withinSeconds seconds: Double) -> Bool {
        let missing = Condition(loops.count)
        for loop in loops where !loop.execute({ missing.signal { $0 -= 1 } }) { return false }
        return missing.wait(until: { $0 == 0 }, nanosecondsMax: UInt64(seconds * 1e9))
    }

    /// Ends: accepts no more, ends feeds and mirrors, finishes replies under way, then ends the
    /// loops.
    ///
    /// - Parameter seconds: How long replies under way may take.
    /// - Returns: How many connections were cut, their replies not finished.
    @discardableResult
    public func stop(withinSeconds seconds: Double = 5) -> Int {
        for listener in listeners { listener.close() }
        for server in servers { server.execute { $0.beginStopping() } }
        let cutCount = waitForConnections(seconds)
        shared.compactor.stop()
        for loop in loops { loop.stop() }
        for loop in loops { loop.join() }
        shared.fileThread.stop()
        // What asks the listeners holds them, and they hold the loops' servers.
        shared.acceptPauses.withLock { $0 = { 0 } }
        return cutCount
    }

    /// Waits until the last connection has gone, or the time is over.
    ///
    /// - Returns: How many are there still.
    private func waitForConnections(_ seconds: Double) -> Int {
        let done = Condition(false)
        let (room, loop, time) = (self.room, loops[0], shared.time)
        let deadline = time.monotonicNanoseconds() + UInt64(seconds * 1e9)
        let isTaken = loop.execute {
            loop.schedule(afterMilliseconds: 10, isRepeating: true) {
                guard room.count == 0 || time.monotonicNanoseconds() >= deadline else { return }
                done.signal { $0 = true }
            }
        }
        if isTaken { done.wait(until: { $0 }) { _ in } }
        return room.count
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

    /// Listens on all addresses, or on none.
    private static func listen(
        _ shared: SharedServer,
        _ loops: [EventLoop],
        _ servers: [LoopBound<LoopServer>],
        _ room: ConnectionRoom
    ) throws(NetworkError) -> [Listener] {
        let configuration = shared.configuration
        let metrics = shared.metrics
        var options = Listener.Options()
        options.room = room
        options.socketMode = configuration.socketMode
        options.stream.stallMilliseconds = Int(configuration.stallSeconds * 1000)
        options.stream.outputByteCountHigh = configuration.outputByteCountMax
        options.stream.outputByteCountLow = min(
            Limits.outputByteCountLow,
            configuration.outputByteCountMax / 4
        )
        options.tls = configuration.tls
        options.handshakeMilliseconds = Int(configuration.headSeconds * 1000)
        options.plainFarewell = Self.plainFarewell
        options.noteInsecure = { metrics.failedHandshakes.add() }
        var listeners: [Listener] = []
        do throws(NetworkError) {
            for address in configuration.addresses {
                let listener = try Listener(
                    on: address,
                    loops: loops,
                    options: options,
                    logger: shared.logger
                ) { stream in
                    let server = servers.first { $0.loop === stream.loop }?.value
                    guard let server else {
                        preconditionFailure("a stream of another server's loop")
                    }
                    return Connection(server: server, stream: stream)
                }
                listeners.append(listener)
            }
        } catch {
            for listener in listeners { listener.close() }
            throw error
        }
        return listeners
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

    /// Time-based rules run on the first loop, once a second.
    private func startTimer() {
        let store = shared.store
        let first = loops[0]
        first.execute {
            first.schedule(afterMilliseconds: 1000, isRepeating: true) { store.tick() }
        }
    }
}
