// Connections outward: names are resolved off the loop, addresses tried one after the other, all of
// it within one deadline.
//
// Invariants:
// - confined to its loop, but for the thread that resolves, which only comes back by `execute`;
// - the completion is called exactly once, on the loop, never inside `connect`;
// - the descriptor is closed by the connector, or handed on to a stream, never both.
internal import CHoldfastLibevent
internal import Glibc

/// One attempt to connect.
public final class Connector {
    /// What became of an attempt.
    public typealias Completion = (Result<ByteStream, NetworkError>) -> Void

    private let loop: EventLoop
    private let host: String
    private let port: UInt16
    private let options: ByteStreamOptions
    private let security: TLSContext?
    private var handler: (any ByteStreamHandler)?
    /// The connection whose handshake goes on.
    private var stream: ByteStream?
    private var completion: Completion?
    /// Numeric addresses not tried yet, the next one last.
    private var addresses: [String] = []
    private var descriptor: Int32 = -1
    private var event: OpaquePointer?
    private var deadline: LoopTimer?
    private var lastErrno: Int32 = EHOSTUNREACH

    /// Most addresses of a name that are tried.
    private static let addressCountMax = 8

    private init(
        _ host: String,
        _ port: UInt16,
        _ loop: EventLoop,
        _ options: ByteStreamOptions,
        _ security: TLSContext?,
        _ handler: any ByteStreamHandler,
        _ completion: @escaping Completion
    ) {
        self.loop = loop
        self.host = host
        self.port = port
        self.options = options
        self.security = security
        self.handler = handler
        self.completion = completion
    }

    /// Begins to connect, on the loop the caller is on.
    ///
    /// - Parameters:
    ///   - host: A numeric IPv4 or IPv6 address without brackets, or a name.
    ///   - port: The port.
    ///   - loop: Where the stream will live.
    ///   - deadlineMilliseconds: How long all of it may take.
    ///   - options: Bounds of the stream.
    ///   - security: A client's part of TLS: the stream is given once the server has shown a
    ///     certificate that verifies, for `host`; nil for a plain connection.
    ///   - handler: Who is told what happens on the stream.
    ///   - completion: Is given the stream, which reads from then on, or why there is none.
    /// - Returns: The attempt, to cancel it; the loop keeps it as long as it goes on.
    @discardableResult
    public static func connect(
        to host: String,
        port: UInt16,
        on loop: EventLoop,
        deadlineMilliseconds: Int,
        options: ByteStreamOptions = ByteStreamOptions(),
        security: TLSContext? = nil,
        handler: any ByteStreamHandler,
        completion: @escaping Completion
    ) -> Connector {
        loop.preconditionIsCurrent()
        let connector = Connector(host, port, loop, options, security, handler, completion)
        loop.add(connector)
        connector.deadline = loop.schedule(afterMilliseconds: deadlineMilliseconds) {
            [weak connector] in
            guard let connector else { return }
            connector.end(.failure(.connectTimeout(connector.name)))
        }
        connector.resolve()
        return connector
    }

    /// Gives up; the completion is told `stopped`, unless it was told something already.
    public func cancel() { end(.failure(.stopped)) }

    private var name: String { (host.contains(":") ? "[\(host)]" : host) + ":\(port)" }

    // MARK: Steps

    private func resolve() {
        var isLoopback: Int32 = 0
        let isNumeric = holdfast_address_family(host, &isLoopback) != 0
        let bound = LoopBound(self, to: loop)
        if isNumeric {
            let numeric = [host]
            bound.execute { $0.resolved(.success(numeric)) }
            return
        }
        let host = host
        // getaddrinfo may block for as long as the system's resolver likes.
        Resolver.resolve(host) { outcome in bound.execute { $0.resolved(outcome) } }
    }

    private func resolved(_ outcome: Result<[String], NetworkError>) {
        guard completion != nil else { return }
        switch outcome {
        case .failure(let error): end(.failure(error))
        case .success(let found):
            addresses = found.prefix(Self.addressCountMax).reversed()
            tryNext()
        }
    }

    private func tryNext() {
        guard let address = addresses.popLast() else {
            end(.failure(.unreachable(name, errno: lastErrno)))
            return
        }
        let result = holdfast_connect(address, port)
        guard result >= 0 else {
            lastErrno = -result
            return tryNext()
        }
        descriptor = result
        // Unretained: the loop keeps the connector until the event is freed.
        event = event_new(
            loop.base,
            result,
            Int16(EV_WRITE),
            { _, _, context in
                guard let context else { return }
                Unmanaged<Connector>.fromOpaque(context).takeUnretainedValue().writable()
            },
            Unmanaged.passUnretained(self).toOpaque()
        )
        event_add(event, nil)
    }

    private func writable() {
        freeEvent()
        let result = holdfast_connected(descriptor)
        guard result == 0 else {
            lastErrno = -result
            closeDescriptor()
            return tryNext()
        }
        guard let handler else { return }
        let connected = descriptor
        descriptor = -1
        guard let security else {
            let stream = ByteStream.adopt(connected, on: loop, options: options, handler: handler)
            return end(.success(stream))
        }
        secure(ByteStream(connected, loop, options, nil), security)
    }

    /// The server has to show who it is before anybody may write to it.
    private func secure(_ stream: ByteStream, _ security: TLSContext) {
        self.stream = stream
        guard let session = TLSSession.client(security, over: stream.descriptor, to: host) else {
            let error = TLSError.cannotBegin("\(host) is no name a certificate could be for")
            return end(.failure(.insecure(name, error)))
        }
        stream.secure(session, deadlineMilliseconds: nil) { [weak self, unowned stream] outcome in
            guard let self else { return }
            switch outcome {
            case .failure(let error): end(.failure(.insecure(name, error)))
            case .success:
                stream.handler = handler
                self.stream = nil
                end(.success(stream))
            }
        }
    }

    private func end(_ outcome: Result<ByteStream, NetworkError>) {
        loop.preconditionIsCurrent()
        guard let completion else { return }
        self.completion = nil
        handler = nil
        deadline?.cancel()
        deadline = nil
        freeEvent()
        closeDescriptor()
        stream?.close()
        stream = nil
        // Kept until here: nobody else may hold it.
        let kept = self
        loop.forget(self)
        completion(outcome)
        withExtendedLifetime(kept) {}
    }

    private func freeEvent() {
        guard let event else { return }
        self.event = nil
        event_free(event)
    }

    private func closeDescriptor() {
        guard descriptor >= 0 else { return }
        close(descriptor)
        descriptor = -1
    }
}
