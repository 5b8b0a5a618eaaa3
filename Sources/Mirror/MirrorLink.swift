// A mirror's connection: from an address to messages of holdfast.mirror.v1.
//
// Order of a connection: connect, and where the address says so let the server show who it is by
// TLS; `GET /v1` without any credential; compare database and
// application with what is pinned; only then, on the same connection and with user, device and
// token, errands (the server's snapshot where the copy needs it, or files) and the upgrade; then
// messages both ways. How it gets there stands in MirrorLink+Opening.swift.
//
// Invariants:
// - confined to its loop;
// - nothing that says who the caller is leaves before the server has shown the right identity;
// - the handler is told `ended` exactly once, as the last call, and never inside `open`.
internal import HoldfastBasics
internal import HoldfastHTTP
internal import HoldfastNetworking
internal import HoldfastRecords
internal import HoldfastWire

/// Who is told what happens on a link; called on the link's loop.
protocol MirrorLinkHandler: AnyObject {
    /// The server is the right one: what is to be done with it before anything else; nil for
    /// nothing.
    ///
    /// - Throws: Why it cannot be begun here; the link ends.
    func identified(_ link: MirrorLink, _ server: ServerDocument) throws -> (any LinkErrand)?
    /// The errand is done: the link waits for `proceed`, or for another one by `run`.
    ///
    /// - Throws: Why what came of it cannot be used; the link ends.
    func done(_ link: MirrorLink) throws
    /// The server is the right one and speaks the protocol: hello may be sent.
    func opened(_ link: MirrorLink, _ server: ServerDocument)
    /// A message came.
    func received(_ link: MirrorLink, _ message: MirrorDown)
    /// There is room again after `canSend` was false.
    func drained(_ link: MirrorLink)
    /// The connection ended, or there was none.
    func ended(_ link: MirrorLink, _ end: LinkEnd)
}

/// Where to, and as whom.
struct LinkTarget: Sendable {
    /// Where the server is.
    var address: ServerAddress
    /// The application the database must belong to.
    var application: String
    /// The database that is pinned; nil before the first connection.
    var databaseID: UniqueID?
    /// Who uses the device.
    var user: String
    /// Id of the device.
    var device: String
    /// What proves who it is; nil where servers take callers at their word.
    var token: String?
    /// Whom to trust; nil at a plain address.
    var security: TLSContext?
    /// How long connecting and the handshake may take.
    var openingMilliseconds = 10_000
    /// Longest silence before the server has told its heartbeat.
    var firstSilenceMilliseconds = 30_000
}

/// One connection of a mirror to its server.
final class MirrorLink: ByteStreamHandler {
    enum Phase {
        /// Asks for what an errand needs.
        case idle, connecting, identifying, onErrand
        /// An errand is done: it is said from outside what is next.
        case doneErrand
        case upgrading, open, ended
    }

    let loop: EventLoop
    let target: LinkTarget
    private let random: any RandomSource
    weak var handler: (any MirrorLinkHandler)?
    var phase = Phase.idle
    var connector: Connector?
    var stream: ByteStream?
    private var responses = ResponseParser()
    private var frames = WebSocketDecoder(
        role: .client,
        messageByteCountMax: Limits.mirrorMessageByteCountMax
    )
    let proposal: WebSocketProposal
    var server: ServerDocument?
    var silenceMilliseconds: Int
    private var isHeld = false
    /// What is done before the upgrade, or in its place.
    var errand: (any LinkErrand)?
    var opening: LoopTimer?
    private var pinger: LoopTimer?

    /// A link that does nothing before `open`.
    ///
    /// - Parameters:
    ///   - target: Where to, and as whom.
    ///   - loop: The loop the caller is on.
    ///   - random: Gives keys and masks.
    ///   - handler: Is not kept alive by the link.
    init(
        _ target: LinkTarget,
        on loop: EventLoop,
        random: any RandomSource,
        handler: any MirrorLinkHandler
    ) {
        loop.preconditionIsCurrent()
        self.target = target
        self.loop = loop
        self.random = random
        self.handler = handler
        proposal = WebSocketProposal(subprotocol: MirrorProtocol.subprotocol, random: random)
        silenceMilliseconds = target.firstSilenceMilliseconds
    }

    /// Begins to connect; called once.
    func open() {
        guard phase == .idle else { return }
        precondition(
            target.address.isSecure == (target.security != nil),
            "what is asked for over TLS never goes in the clear"
        )
        phase = .connecting
        opening = loop.schedule(afterMilliseconds: target.openingMilliseconds) { [weak self] in
            self?.end(.timedOut)
        }
        connector = Connector.connect(
            to: target.address.host,
            port: target.address.port,
            on: loop,
            deadlineMilliseconds: target.openingMilliseconds,
            security: target.security,
            handler: self
        ) { [weak self] outcome in
            self?.connected(outcome)
        }
    }

    // MARK: Sending

    /// Whether there is room for more; when there is not, `drained` is called once there is.
    var canSend: Bool { stream?.canTakeOutput ?? false }

    /// Sends a message; one that cannot be sent any more is dropped.
    func send(_ message: MirrorUp) {
        guard phase == .open, let stream else { return }
        var payload = ByteBuffer()
        message.append(to: &payload)
        write(.binary, payload.view)
        if !stream.canTakeOutput { stream.notifyWhenDrained() }
    }

    private func write(_ opcode: WebSocketOpcode, _ payload: ByteView) {
        let mask = WebSocketMask(UInt32(truncatingIfNeeded: random.next()))
        stream?.write { $0.appendFrame(opcode, payload, mask: mask) }
    }

    // MARK: Receiving

    /// Takes no messages until `resume`: the server then waits, and its silence is ours.
    func hold() {
        isHeld = true
        stream?.setDeadline(milliseconds: nil)
        stream?.pauseReading()
    }

    /// Takes messages again.
    func resume() {
        guard isHeld else { return }
        isHeld = false
        stream?.setDeadline(milliseconds: silenceMilliseconds)
        stream?.resumeReading()
    }

    /// Ends the connection, if it has not ended; the handler is told `closed`.
    func close() {
        if phase == .open {
            let mask = WebSocketMask(UInt32(truncatingIfNeeded: random.next()))
            stream?.write { $0.appendClose(.normal, mask: mask) }
        }
        end(.closed)
    }

    func received(_ stream: ByteStream, _ bytes: ByteView) -> Int {
        var offset = 0
        while !isHeld {
            switch phase {
            case .identifying, .onErrand, .upgrading:
                if phase == .onErrand { stream.setDeadline(milliseconds: silenceMilliseconds) }
                switch responses.step(bytes, &offset) {
                case .needsMore: return offset
                case .refused(let error): end(.garbled(error.reason))
                case .complete(let response): answered(response)
                }
            case .open:
                stream.setDeadline(milliseconds: silenceMilliseconds)
                guard step(bytes, &offset) else { return offset }
            case .doneErrand: return offset
            case .idle, .connecting, .ended: return bytes.count
            }
        }
        return offset
    }

    /// Takes one frame; false when there is none yet.
    private func step(_ bytes: ByteView, _ offset: inout Int) -> Bool {
        switch frames.step(bytes, &offset) {
        case .needsMore: return false
        case .message(let message, let isText):
            guard !isText else {
                end(.garbled("a message is text."))
                break
            }
            take(message)
        case .ping(let payload): write(.pong, payload)
        case .pong: break
        case .close(let code, _):
            end(code.map { bye($0.rawValue, "The server closed.") } ?? .lost)
        case .violation(let violation): end(.garbled("\(violation.reason)"))
        }
        return true
    }

    private func take(_ bytes: ByteView) {
        let message: MirrorDown
        do throws(MirrorFault) {
            message = try MirrorDown(bytes)
        } catch {
            end(.garbled(error.refusal.detail))
            return
        }
        switch message {
        case .bye(let said): end(bye(said.code, said.detail))
        case .welcome where server?.healing != nil: end(Self.healed)
        case .welcome(let welcome):
            beat(everySeconds: welcome.heartbeatSeconds)
            handler?.received(self, message)
        case .unknown: break
        default: handler?.received(self, message)
        }
    }

    /// What a server's bye means, after what it told of itself on this connection.
    private func bye(_ code: UInt16, _ detail: String) -> LinkEnd {
        server?.healing != nil && code == MirrorEnd.diverged
            ? Self.healed : .bye(code: code, detail: detail)
    }

    /// The server was healing when it was asked, and is not any more: in which epochs it goes on,
    /// and how the copy goes on from there, is for the next connection to find out.
    private static let healed = LinkEnd.bye(
        code: MirrorEnd.healing,
        detail: "The server has ended its healing meanwhile."
    )

    /// The server is healing: what stands here stays as it is until it has ended that.
    static let healing = LinkEnd.bye(
        code: MirrorEnd.healing,
        detail: "The server was restored and is healing."
    )

    /// Pings at every heartbeat, and allows two of silence.
    private func beat(everySeconds seconds: Double) {
        let milliseconds = max(1, Int(seconds * 1000))
        silenceMilliseconds = 2 * milliseconds
        stream?.setDeadline(milliseconds: silenceMilliseconds)
        pinger?.cancel()
        pinger = loop.schedule(afterMilliseconds: milliseconds, isRepeating: true) {
            [weak self] in self?.write(.ping, .empty)
        }
    }

    // MARK: The stream

    func inputEnded(_ stream: ByteStream) { end(.lost) }

    func outputDrained(_ stream: ByteStream) {
        if phase == .open { handler?.drained(self) }
    }

    func deadlineExpired(_ stream: ByteStream) { end(.silent) }

    func closed(_ stream: ByteStream, _ reason: CloseReason) {
        self.stream = nil
        switch reason {
        case .stopped: end(.closed)
        // A server may look at this client's certificate after the handshake.
        case .insecure(let error) where phase == .identifying: end(Self.end(error))
        default: end(.lost)
        }
    }

    static func end(_ error: TLSError) -> LinkEnd {
        error.isOfNetwork ? .unreachable("\(error)") : .untrusted("\(error)")
    }

    /// Lets go of everything and tells the handler, once.
    func end(_ reason: LinkEnd) {
        guard phase != .ended, phase != .idle else { return }
        phase = .ended
        opening?.cancel()
        pinger?.cancel()
        (opening, pinger) = (nil, nil)
        connector?.cancel()
        connector = nil
        if reason == .closed { stream?.finish() } else { stream?.close() }
        handler?.ended(self, reason)
    }
}
