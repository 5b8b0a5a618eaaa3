// A mirror's connection: from an address to messages of holdfast.mirror.v1.
//
// Order of a connection: connect, and where the address says so let the server show who it is by
// TLS; `GET /v1` without any credential; compare database and
// application with what is pinned; only then, on the same connection and with user, device and
// token, the server's snapshot where the copy needs it, and the upgrade; then messages both ways.
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
    /// The server is the right one: what is to be fetched from it before anything else; nil for
    /// nothing.
    ///
    /// - Throws: Why it cannot be kept here; the link ends.
    func identified(_ link: MirrorLink, _ server: ServerDocument) throws -> SnapshotFetch?
    /// All of it is here: the link waits for `proceed`.
    ///
    /// - Throws: Why it cannot be used; the link ends.
    func fetched(_ link: MirrorLink, _ fetch: SnapshotFetch) throws
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
    private enum Phase {
        case idle, connecting, identifying, fetching, fetched, upgrading, open, ended
    }

    private let loop: EventLoop
    private let target: LinkTarget
    private let random: any RandomSource
    private weak var handler: (any MirrorLinkHandler)?
    private var phase = Phase.idle
    private var connector: Connector?
    private var stream: ByteStream?
    private var responses = ResponseParser()
    private var frames = WebSocketDecoder(
        role: .client,
        messageByteCountMax: Limits.mirrorMessageByteCountMax
    )
    private let proposal: WebSocketProposal
    private var server: ServerDocument?
    private var silenceMilliseconds: Int
    private var isHeld = false
    /// What is fetched before the upgrade.
    private var fetch: SnapshotFetch?
    private var opening: LoopTimer?
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
            case .identifying, .fetching, .upgrading:
                if phase == .fetching { stream.setDeadline(milliseconds: silenceMilliseconds) }
                switch responses.step(bytes, &offset) {
                case .needsMore: return offset
                case .refused(let error): end(.garbled(error.reason))
                case .complete(let response): answered(response)
                }
            case .open:
                stream.setDeadline(milliseconds: silenceMilliseconds)
                guard step(bytes, &offset) else { return offset }
            case .fetched: return offset
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

    // MARK: Opening

    private func connected(_ outcome: Result<ByteStream, NetworkError>) {
        connector = nil
        guard phase == .connecting else {
            if case .success(let stream) = outcome { stream.close() }
            return
        }
        switch outcome {
        case .failure(.insecure(_, let error)): end(Self.end(error))
        case .failure(let error): end(.unreachable(error.description))
        case .success(let stream):
            self.stream = stream
            phase = .identifying
            // Nothing here says who asks.
            stream.write { out in
                out.append("GET /v1 HTTP/1.1\r\n")
                out.appendField("host", text: target.address.authority)
                out.append("accept: application/json\r\n\r\n")
            }
        }
    }

    private func answered(_ response: Response) {
        switch phase {
        case .identifying: identify(response)
        case .fetching: take(response)
        default: upgrade(response)
        }
    }

    private func identify(_ response: Response) {
        guard response.status == 200 else {
            end(refusal(response))
            return
        }
        let document: ServerDocument
        do {
            document = try response.body.withView { try ServerDocument($0) }
        } catch {
            end(.garbled("GET /v1 did not give a Holdfast server's document."))
            return
        }
        let isSame = target.databaseID.map { $0 == document.databaseID } ?? true
        guard isSame, document.application == target.application else {
            end(
                .otherDatabase(found: document.databaseID, application: document.application)
            )
            return
        }
        server = document
        do {
            fetch = try handler?.identified(self, document)
        } catch {
            end(Self.end(error))
            return
        }
        guard fetch == nil else {
            phase = .fetching
            opening?.cancel()
            opening = nil
            stream?.setDeadline(milliseconds: silenceMilliseconds)
            askForMore()
            return
        }
        requestUpgrade()
    }

    // MARK: Fetching

    /// Asks for what is missing of the snapshot; hands it over when nothing is.
    private func askForMore() {
        guard let fetch else { return }
        guard let request = fetch.next else {
            phase = .fetched
            stream?.setDeadline(milliseconds: nil)
            do {
                try handler?.fetched(self, fetch)
            } catch {
                end(Self.end(error))
            }
            return
        }
        let fields = identification
        stream?.write { out in
            out.append(text: "GET \(request.path) HTTP/1.1\r\n")
            out.appendField("host", text: target.address.authority)
            if let range = request.range {
                out.append(text: "range: bytes=\(range.lowerBound)-\(range.upperBound - 1)\r\n")
            }
            out.append(fields)
            out.append("\r\n")
        }
    }

    private func take(_ response: Response) {
        do throws(SnapshotError) {
            try fetch?.take(response)
        } catch {
            end(Self.end(error))
            return
        }
        askForMore()
    }

    /// What was fetched is in its place: the handshake goes on.
    func proceed() {
        guard phase == .fetched else { return }
        fetch = nil
        opening = loop.schedule(afterMilliseconds: target.openingMilliseconds) { [weak self] in
            self?.end(.timedOut)
        }
        requestUpgrade()
    }

    private static func end(_ error: any Error) -> LinkEnd {
        switch error as? SnapshotError {
        case .gone: .notTaken("it was replaced by a newer one, or there is none.")
        case .refused(let status): .refused(status: status, detail: "no part of the snapshot.")
        case .garbled(let why): .garbled(why)
        case .disk(let error): .notTaken("\(error)")
        case nil: .notTaken("\(error)")
        }
    }

    // MARK: Upgrading

    /// Who asks, for a server that has shown that it is the right one.
    private var identification: [UInt8] {
        var fields = ByteBuffer()
        if target.token == nil {
            appendText("holdfast-user: ", target.user, to: &fields)
            appendText("holdfast-device: ", target.device, to: &fields)
        }
        if let id = server?.databaseID {
            fields.appendField("holdfast-database", text: id.description)
        }
        if let token = target.token { fields.appendField("authorization", text: "Bearer " + token) }
        return fields.array
    }

    private func requestUpgrade() {
        phase = .upgrading
        let more = identification
        stream?.write { out in
            proposal.appendRequest(
                target: "/v1/mirror",
                host: target.address.authority,
                fields: more,
                to: &out
            )
        }
    }

    private func appendText(_ name: StaticString, _ text: String, to buffer: inout ByteBuffer) {
        buffer.append(name)
        Array(text.utf8).withView { PercentEncoding.append($0, to: &buffer) }
        buffer.append("\r\n")
    }

    private func upgrade(_ response: Response) {
        guard response.status == 101 else {
            end(refusal(response))
            return
        }
        do throws(HTTPError) {
            try proposal.check(response)
        } catch {
            end(.garbled(error.reason))
            return
        }
        guard let server else { return }
        phase = .open
        opening?.cancel()
        opening = nil
        stream?.setDeadline(milliseconds: silenceMilliseconds)
        handler?.opened(self, server)
    }

    private func refusal(_ response: Response) -> LinkEnd {
        var detail = "it is no Holdfast server's reply."
        response.body.withView { body in
            do throws(ShapeRefusal) {
                detail = try ProblemDocument(body).refusal.detail
            } catch {
                // Not a problem of ours: the status says all there is.
            }
        }
        return .refused(status: response.status, detail: detail)
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

    private static func end(_ error: TLSError) -> LinkEnd {
        error.isOfNetwork ? .unreachable("\(error)") : .untrusted("\(error)")
    }

    /// Lets go of everything and tells the handler, once.
    private func end(_ reason: LinkEnd) {
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
