// One client of the live feed.
//
// Order of a session: hello, the client's start, started, then commits from where it asked,
// catchingUp when it is behind, live when it is not any more, head as heartbeat, bye at the end.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastHTTP
internal import HoldfastNetworking
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

/// One live feed.
final class FeedSession: WebSocketSession, LogFollower {
    private enum Phase {
        case waitsForStart, running, closing
    }

    private let server: LoopServer
    let access: Access?
    private let caller: Caller
    private unowned let connection: Connection
    private var decoder: WebSocketDecoder
    private var phase = Phase.waitsForStart
    /// Where its messages come from; nil before it starts.
    private var window: FeedWindow?
    private var filter = CommitFilter.all
    /// The last commit that was looked at for this client.
    private var seq: UInt64 = 0
    private var isLive = false
    /// Whether it goes on in a moment, when others had their turn.
    private var isPausing = false
    private var isCatchingUp = false
    private var heartbeat: LoopTimer?
    /// By which it is told of activity.
    private var watcher: Activity.Watcher?

    /// The epoch hello named; nil before it.
    private var epoch: Epoch?

    /// How far behind a client is told that it is catching up.
    ///
    /// Unit: commits.
    private static let lagMin: UInt64 = 100

    init(server: LoopServer, connection: Connection, _ caller: Caller, _ access: Access?) {
        self.server = server
        self.caller = caller
        self.access = access
        self.connection = connection
        decoder = WebSocketDecoder(
            role: .server,
            messageByteCountMax: server.configuration.messageByteCountMax,
            frameByteCountMax: server.configuration.frameByteCountMax
        )
    }

    private var stream: ByteStream { connection.stream }

    // MARK: Events

    func opened() {
        server.feeds.add(self)
        server.metrics.feedClients.add(1)
        stream.setDeadline(seconds: server.configuration.headSeconds)
        send { payload in
            let store = server.store
            store.read { reader in
                let durable = reader.durable
                let head = reader.state.position(of: durable)
                epoch = head.epoch
                FeedMessages.appendHello(
                    databaseID: store.identity.databaseID,
                    head: head,
                    chain: reader.chain(atSeq: durable) ?? .zero,
                    oldest: reader.oldest.seq,
                    heartbeatSeconds: server.configuration.heartbeatSeconds,
                    to: &payload
                )
            }
        }
    }

    func received(_ bytes: ByteView) -> Int {
        var offset = 0
        while phase != .closing {
            switch decoder.step(bytes, &offset) {
            case .needsMore: return offset
            case .message(let message, let isText):
                guard isText, phase == .waitsForStart else {
                    bye(.badStart, "A feed takes one message: start.")
                    break
                }
                start(message)
            case .ping(let payload): stream.write { $0.appendFrame(.pong, payload) }
            case .pong: break
            case .close(let code, _): close(code)
            case .violation(let violation): close(violation.code, violation.reason)
            }
        }
        return bytes.count
    }

    func outputDrained() {
        guard phase == .running else { return }
        touch()
        advance(server.store.logReader(), hub: server.feeds)
    }

    func deadlineExpired() {
        switch phase {
        case .waitsForStart: bye(.stalled, "No start message came in time.")
        case .running where stream.unsentByteCount > 0:
            bye(.stalled, "Nothing was read for too long.")
        case .running: touch()
        case .closing: stream.close(.deadline)
        }
    }

    func closed() {
        if heartbeat != nil { tell(.disconnect) }
        heartbeat?.cancel()
        heartbeat = nil
        if let watcher { server.shared.activity.remove(watcher) }
        watcher = nil
        if let window { server.feeds.handBack(window) }
        window = nil
        phase = .closing
        if server.feeds.remove(self) { server.metrics.feedClients.add(-1) }
    }

    // MARK: Start

    private func start(_ message: ByteView) {
        let request: FeedStart
        do throws(ShapeRefusal) {
            request = try FeedStart(message)
        } catch {
            bye(.badStart, error.refusal.detail)
            return
        }
        guard !request.activity || access?.rights.hasEverywhere(.admin) ?? true else {
            bye(.rightsChanged, "Activity is told to whoever has 'admin' on *.")
            return
        }
        let reader = server.store.logReader()
        if let since = request.since {
            switch server.store.resume(since: since, chain: request.chain) {
            case .refused(let refusal):
                let code: WebSocketCloseCode = refusal.code == .compacted ? .compacted : .diverged
                bye(code, refusal.detail)
                return
            case .from(let found): seq = found
            }
        } else {
            seq = reader.head
        }
        filter = request.filter.limited(to: access?.rights.readable)
        window = server.feeds.window(FeedWindow.Wish(filter: filter, before: request.before))
        phase = .running
        let seq = self.seq
        send { FeedMessages.appendStarted(seq: seq, to: &$0) }
        tell(.connect)
        if request.activity {
            let watcher = Activity.Watcher(LoopBound(self, to: server.loop))
            server.shared.activity.add(watcher)
            self.watcher = watcher
        }
        touch()
        let milliseconds = Int(server.configuration.heartbeatSeconds * 1000)
        heartbeat = server.loop.schedule(afterMilliseconds: milliseconds, isRepeating: true) {
            self.beat()
        }
        advance(reader, hub: server.feeds)
    }

    // MARK: Commits

    /// Sends what is durable and fits; the rest when the client has read.
    func advance(_ reader: LogReader, hub: FeedHub) {
        guard phase == .running, !isPausing, let window else { return }
        // Seqs are those of the epoch hello named; a healing that ends begins another.
        guard reader.lineage.last(where: { $0.firstSeq <= reader.head })?.epoch ?? epoch == epoch
        else {
            bye(.restart, "The server goes on in another epoch. Connect anew.")
            return
        }
        let stream = self.stream
        let before = stream.unsentByteCount
        // Sent once, written once: whoever is far behind has others served in between.
        var hasSent = false
        for isSecond in [false, true]
        where stream.isOpen && seq < reader.head && hasRoom && hasSent == isSecond {
            let lag = reader.head - seq
            if lag > Self.lagMin, !isCatchingUp {
                isCatchingUp = true
                isLive = false
                send { FeedMessages.appendCatchingUp(lag: lag, to: &$0) }
            }
            do {
                seq = try window.lend(after: seq, reader) { messages in
                    guard !messages.isEmpty else { return }
                    if isSecond { stream.write(messages) } else { stream.send(messages) }
                    hasSent = true
                    server.metrics.feedDeliveries.add()
                }
            } catch {
                bye(error)
                return
            }
        }
        if seq < reader.head { goOnLater() }
        if seq >= reader.head, !isLive {
            isLive = true
            isCatchingUp = false
            send { FeedMessages.appendLive(to: &$0) }
        }
        if stream.unsentByteCount > 0, before == 0 { touch() }
    }

    private var hasRoom: Bool { stream.unsentByteCount < FeedWindow.byteCountMax }

    /// Goes on once the client has read, or, where its filter hid all there was, when others had
    /// their turn, and not before.
    private func goOnLater() {
        guard stream.unsentByteCount == 0 else { return stream.notifyWhenDrained() }
        guard !isPausing else { return }
        isPausing = true
        server.loop.schedule(afterMilliseconds: 0) {
            self.isPausing = false
            self.outputDrained()
        }
    }

    /// What follows cannot be sent.
    private func bye(_ error: any Error) {
        if case CommitLogError.compacted(let oldest) = error {
            bye(.compacted, "The log begins after commit \(oldest - 1). Read everything anew.")
            return
        }
        server.shared.logger.log(
            .error,
            "feed.unreadable",
            ["seq": "\(seq)", "error": "\(error)"]
        )
        bye(.restart, "The log cannot be read.")
    }

    /// The heartbeat: how far this client is, for one whose filter lets nothing through too.
    private func beat() {
        guard phase == .running, isLive, stream.unsentByteCount == 0 else { return }
        let head = server.feeds.head(at: seq, filter)
        stream.write { $0.appendFrame(.text, head.bytes.view) }
        tell(.heartbeat)
        touch()
    }

    // MARK: Activity

    /// Shows what somebody did, unless the client reads too slowly for it.
    func show(_ message: [UInt8]) {
        guard phase == .running, let watcher else { return }
        guard hasRoom else { return watcher.miss() }
        let missed = watcher.takeMissed()
        if missed > 0 { send { ActivityMessage.appendMissed(missed, to: &$0) } }
        message.withView { view in stream.write { $0.appendFrame(.text, view) } }
    }

    private func tell(_ kind: ActivityMessage.Kind) {
        server.tellActivity(
            kind,
            caller,
            path: Route.feed.rawValue,
            seq: kind == .heartbeat ? seq : nil
        )
    }

    /// The client makes progress.
    private func touch() { stream.setDeadline(seconds: server.configuration.stallSeconds) }

    private func send(_ body: (inout ByteBuffer) -> Void) {
        var payload = ByteBuffer()
        body(&payload)
        stream.write { $0.appendFrame(.text, payload.view) }
    }

    // MARK: End

    /// Says why, and ends.
    func bye(_ code: WebSocketCloseCode, _ reason: String) {
        guard phase != .closing else { return }
        send { FeedMessages.appendBye(code: Int(code.rawValue), detail: reason, to: &$0) }
        close(code)
    }

    private func close(_ code: WebSocketCloseCode?, _ reason: StaticString = "") {
        guard phase != .closing else { return }
        phase = .closing
        stream.write { $0.appendClose(code, reason) }
        stream.finish()
    }
}

extension WebSocketCloseCode {
    /// The start message is not one.
    static let badStart = WebSocketCloseCode(4001)
    /// The token has ended, or was revoked.
    static let authEnded = WebSocketCloseCode(4401)
    /// The token's rights are others now, or do not go so far.
    static let rightsChanged = WebSocketCloseCode(4403)
    /// Nothing was read, or said, for too long.
    static let stalled = WebSocketCloseCode(4408)
    /// The histories differ.
    static let diverged = WebSocketCloseCode(4409)
    /// The log begins later.
    static let compacted = WebSocketCloseCode(4410)
}
