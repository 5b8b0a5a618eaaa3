// Listens on one address with one socket per loop; the kernel spreads connections over them. On a
// Unix socket all loops accept from one.
//
// Invariants:
// - all sockets of a listener have one port, also when the system chose it;
// - nobody else listens there: the sockets share the port, so an exclusive one is tried first;
// - out of descriptors, or of places for connections, a loop stops accepting for a while instead of
//   spinning: who comes then waits in the system's queue.
public import HoldfastBasics
internal import CHoldfastLibevent
internal import Glibc
internal import Synchronization

/// Accepts connections for a set of loops.
public final class Listener: Sendable {
    /// How to listen.
    public struct Options: Sendable {
        /// Connections the system holds until they are accepted, per loop.
        public var backlogCount: Int32 = 1024
        /// Places for connections, which several listeners may share.
        public var room = ConnectionRoom(countMax: 10_000)
        /// Who may connect to a Unix socket: the mode of its file.
        public var socketMode: UInt32 = 0o660
        /// What the system may hold for a peer that does not read.
        public var sendBufferByteCount: Int32 = 128 << 10
        /// How long a loop accepts nothing after it ran out of descriptors or of places.
        public var pauseMilliseconds = 100
        /// The bounds of each connection.
        public var stream = ByteStreamOptions()
        /// Takes connections with TLS, but for those of a Unix socket; nil for plain ones.
        public var tls: TLSAcceptor?
        /// How long a handshake of TLS may take.
        public var handshakeMilliseconds = 10_000
        /// What a connection is sent that speaks plain HTTP where TLS begins.
        public var plainFarewell: [UInt8] = []
        /// Is called for each connection whose handshake fails, on its loop.
        public var noteInsecure: @Sendable () -> Void = {}

        /// The bounds of the product.
        public init() {}
    }

    /// Makes the owner of a new connection, on the connection's loop.
    public typealias HandlerMaker = @Sendable (ByteStream) -> any ByteStreamHandler

    /// Where it listens, with the port the system chose.
    public let address: SocketAddress
    let options: Options
    let logger: Logger
    let makeHandler: HandlerMaker
    private let loops: [EventLoop]
    private let pauses = Atomic<Int>(0)
    private let localSocket: LocalSocket?

    /// Connections open now, in the room it shares with others.
    public var connectionCount: Int { options.room.count }

    /// Times a loop stopped accepting for want of descriptors, or of places.
    public var pauseCount: Int { pauses.load(ordering: .relaxed) }

    /// Listens.
    ///
    /// - Parameters:
    ///   - address: Where; port 0 lets the system choose.
    ///   - loops: One socket is made for each.
    ///   - options: How.
    ///   - logger: Is told when a loop runs out of descriptors.
    ///   - makeHandler: Makes the owner of each connection.
    /// - Throws: `addressInUse`, `cannotListen`.
    public init(
        on address: SocketAddress,
        loops: [EventLoop],
        options: Options = Options(),
        logger: Logger = Logger(),
        makeHandler: @escaping HandlerMaker
    ) throws(NetworkError) {
        precondition(!loops.isEmpty, "a listener needs a loop")
        let descriptors: [Int32]
        if let path = address.path {
            let (descriptor, socket) = try LocalSocket.listen(address, path, options)
            descriptors = try Self.shared(descriptor, loops.count, address)
            (self.address, localSocket) = (address, socket)
        } else {
            (descriptors, self.address) = try Self.bind(address, loops.count, options)
            localSocket = nil
        }
        self.options = options
        self.logger = logger
        self.makeHandler = makeHandler
        self.loops = loops
        for (loop, descriptor) in zip(loops, descriptors) {
            let isTaken = loop.execute { loop.add(AcceptPoint(descriptor, loop, self)) }
            if !isTaken { Glibc.close(descriptor) }
        }
    }

    /// A descriptor for each loop of a socket they share.
    private static func shared(
        _ descriptor: Int32,
        _ count: Int,
        _ address: SocketAddress
    ) throws(NetworkError) -> [Int32] {
        var descriptors = [descriptor]
        while descriptors.count < count {
            let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
            guard copy >= 0 else {
                let error = errno
                for descriptor in descriptors { Glibc.close(descriptor) }
                throw .cannotListen(address, errno: error)
            }
            descriptors.append(copy)
        }
        return descriptors
    }

    private static func bind(
        _ address: SocketAddress,
        _ count: Int,
        _ options: Options
    ) throws(NetworkError) -> ([Int32], SocketAddress) {
        var address = address
        // Sockets that share a port would also share it with another process of the same user.
        if address.port != 0 {
            Glibc.close(try listen(address, shared: false, options))
        }
        var descriptors: [Int32] = []
        do throws(NetworkError) {
            for _ in 0..<count {
                let descriptor = try listen(address, shared: true, options)
                descriptors.append(descriptor)
                let port = holdfast_local_port(descriptor)
                guard port > 0 else { throw .cannotListen(address, errno: -port) }
                address = address.with(port: UInt16(port))
            }
        } catch {
            for descriptor in descriptors { Glibc.close(descriptor) }
            throw error
        }
        return (descriptors, address)
    }

    private static func listen(
        _ address: SocketAddress,
        shared: Bool,
        _ options: Options
    ) throws(NetworkError) -> Int32 {
        let result = holdfast_listen(
            address.host,
            address.port,
            shared ? 1 : 0,
            options.backlogCount,
            options.sendBufferByteCount
        )
        if result == -EADDRINUSE { throw .addressInUse(address) }
        if result < 0 { throw .cannotListen(address, errno: -result) }
        return result
    }

    /// Accepts no more, soon; open connections stay, handshakes under way end.
    public func close() {
        localSocket?.remove()
        for loop in loops {
            loop.execute { loop.closeAcceptPoints(of: self) }
        }
    }

    // MARK: Counting

    func noteClosed() { options.room.leave() }

    func notePaused() { pauses.add(1, ordering: .relaxed) }
}

/// One loop's socket of a listener.
final class AcceptPoint {
    private let descriptor: Int32
    private let loop: EventLoop
    let listener: Listener
    private var event: OpaquePointer?
    private var pause: LoopTimer?
    /// When it was last told that it accepts nothing: under load that comes and goes all the time.
    private var toldNanoseconds: UInt64?
    private var refusals = TLSRefusals()

    /// Connections taken in one tick before others get their turn.
    private static let acceptCountMax = 64
    /// Time between two lines that tell of a pause.
    private static let tellNanoseconds: UInt64 = 10_000_000_000

    init(_ descriptor: Int32, _ loop: EventLoop, _ listener: Listener) {
        self.descriptor = descriptor
        self.loop = loop
        self.listener = listener
        // Unretained: the loop keeps the point until its event is freed.
        event = event_new(
            loop.base,
            descriptor,
            Int16(EV_READ | EV_PERSIST),
            { _, _, context in
                guard let context else { return }
                Unmanaged<AcceptPoint>.fromOpaque(context).takeUnretainedValue().accept()
            },
            Unmanaged.passUnretained(self).toOpaque()
        )
        precondition(event_add(event, nil) == 0, "a listening socket cannot be watched")
    }

    private func accept() {
        let room = listener.options.room
        for _ in 0..<Self.acceptCountMax {
            guard room.take() else {
                return rest("all \(room.countMax) connections are taken")
            }
            let result = holdfast_accept(descriptor)
            guard result >= 0 else {
                room.leave()
                switch -result {
                case EAGAIN: return
                // The connection broke before it was taken; the next one may be good.
                case ECONNABORTED, EPROTO, ENETDOWN, ENETUNREACH, EHOSTDOWN, EHOSTUNREACH,
                    ENOPROTOOPT, ENONET, EOPNOTSUPP, EPERM, ETIMEDOUT:
                    continue
                default: return rest(errorText(-result))
                }
            }
            begin(result)
        }
    }

    private func begin(_ accepted: Int32) {
        let stream = ByteStream(accepted, loop, listener.options.stream, listener)
        guard let acceptor = listener.address.path == nil ? listener.options.tls : nil else {
            stream.handler = listener.makeHandler(stream)
            return stream.updateReading()
        }
        guard let session = acceptor.session(over: accepted) else { return stream.close() }
        let milliseconds = listener.options.handshakeMilliseconds
        stream.secure(session, deadlineMilliseconds: milliseconds) {
            // The stream keeps this closure while the handshake goes on, and alone calls it.
            [weak self, unowned stream] outcome in
            switch outcome {
            case .success: stream.handler = stream.listener?.makeHandler(stream)
            case .failure(let error): self?.refuse(stream, error)
            }
        }
    }

    private func refuse(_ stream: ByteStream, _ error: TLSError) {
        listener.options.noteInsecure()
        refusals.note(stream.peer, error, now: loop.nowNanoseconds, listener.logger)
        guard error == .plainHTTP else { return }
        listener.options.plainFarewell.withUnsafeBytes {
            _ = holdfast_send(stream.descriptor, $0.baseAddress, $0.count)
        }
    }

    /// Accepts nothing for a while: the socket stays readable, and would spin the loop.
    private func rest(_ reason: String) {
        guard let event else { return }
        listener.notePaused()
        let now = loop.nowNanoseconds
        if toldNanoseconds.map({ now >= $0 + Self.tellNanoseconds }) ?? true {
            toldNanoseconds = now
            listener.logger.log(
                .warning,
                "listener.paused",
                ["address": "\(listener.address)", "reason": reason]
            )
        }
        event_del(event)
        pause = loop.schedule(afterMilliseconds: listener.options.pauseMilliseconds) {
            [weak self] in
            guard let self else { return }
            pause = nil
            if let event = self.event { event_add(event, nil) }
        }
    }

    /// Closes the socket; more than once is fine.
    func close() {
        guard let event else { return }
        self.event = nil
        pause?.cancel()
        event_free(event)
        Glibc.close(descriptor)
    }
}

extension EventLoop {
    func closeAcceptPoints(of listener: Listener) {
        for point in acceptPoints where point.listener === listener { point.close() }
        acceptPoints.removeAll { $0.listener === listener }
        closeShakingStreams(of: listener)
    }
}
