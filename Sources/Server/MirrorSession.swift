// One mirror on its connection: WebSocket frames in and out, room, heartbeat, and the end.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastHTTP
internal import HoldfastNetworking
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

/// The connection of one mirror.
final class MirrorSession: WebSocketSession, LogFollower, MirrorOutput {
    private let server: LoopServer
    private unowned let connection: Connection
    private let named: Caller?
    let access: Access?
    private var decoder: WebSocketDecoder
    private var peer: MirrorPeer?
    private var isClosing = false
    /// What is shown of its device.
    private var sighting: DeviceSighting?
    private var heartbeat: LoopTimer?

    init(server: LoopServer, connection: Connection, caller: Caller?, access: Access?) {
        self.server = server
        self.connection = connection
        named = caller
        self.access = access
        // What a mirror has to say is as long as the largest change, whatever others may send.
        decoder = WebSocketDecoder(
            role: .server,
            messageByteCountMax: Limits.mirrorMessageByteCountMax
        )
    }

    private var stream: ByteStream { connection.stream }

    // MARK: Events

    func opened() {
        server.feeds.add(self)
        server.metrics.mirrorClients.add(1)
        stream.setDeadline(seconds: server.configuration.headSeconds)
        peer = MirrorPeer(
            store: server.store,
            caller: named,
            grant: access.map { MirrorGrant(user: $0.token.user, rights: $0.rights) },
            heartbeatSeconds: server.configuration.heartbeatSeconds,
            time: server.time,
            logger: server.shared.logger,
            output: self
        )
        let milliseconds = Int(server.configuration.heartbeatSeconds * 1000)
        heartbeat = server.loop.schedule(afterMilliseconds: milliseconds, isRepeating: true) {
            self.beat()
        }
    }

    func received(_ bytes: ByteView) -> Int {
        var offset = 0
        // A mirror that reads no answers sends no changes: what has come waits in the stream.
        while !isClosing, stream.canTakeOutput {
            switch decoder.step(bytes, &offset) {
            case .needsMore: return offset
            case .message(let message, let isText): received(message, isText)
            case .ping(let payload): stream.write { $0.appendFrame(.pong, payload) }
            case .pong: break
            case .close(let code, _): close(code)
            case .violation(let violation): close(violation.code, violation.reason)
            }
        }
        return isClosing ? bytes.count : offset
    }

    private func received(_ message: ByteView, _ isText: Bool) {
        guard !isText else {
            peer?.bye(MirrorEnd.badMessage, "Messages of mirrors are binary.")
            return
        }
        let wasRunning = peer?.isRunning ?? false
        peer?.received(message)
        guard let peer, peer.isRunning else { return }
        if peer.hasWaitingAnswers { server.feeds.awaitSync(self) }
        guard !wasRunning else { return }
        sighting = server.shared.sightings.enter(peer.identity.device)
        see()
        tell(.connect)
        touch()
        follow(server.store.logReader())
    }

    func outputDrained() {
        guard let peer, peer.isRunning else { return }
        touch()
        let reader = server.store.logReader()
        peer.advance(reader)
        sighting?.note(sent: peer.sentSeq)
        follow(reader)
    }

    func deadlineExpired() {
        if isClosing {
            stream.close(.deadline)
        } else if !(peer?.isRunning ?? false) {
            // Whoever runs the mirror may be busy, or asleep: that is no fault to mend.
            peer?.bye(MirrorEnd.stalled, "No hello came in time.")
        } else if stream.unsentByteCount > 0 {
            peer?.bye(MirrorEnd.stalled, "Nothing was read for too long.")
        } else {
            touch()
        }
    }

    func closed() {
        heartbeat?.cancel()
        heartbeat = nil
        leave()
        peer?.closed()
    }

    /// Notes that the mirror is there, and how far.
    private func see() {
        guard let peer, let sighting else { return }
        sighting.note(at: server.time.wallMilliseconds())
        sighting.note(sent: peer.sentSeq)
    }

    private func leave() {
        if let sighting {
            see()
            tell(.disconnect)
            sighting.connections.add(-1)
        }
        sighting = nil
        if server.feeds.remove(self) { server.metrics.mirrorClients.add(-1) }
    }

    // MARK: The store

    /// New commits are durable.
    func advance(_ reader: LogReader, hub: FeedHub) {
        guard let peer, peer.isRunning else { return }
        let before = stream.unsentByteCount
        peer.advance(reader)
        sighting?.note(sent: peer.sentSeq)
        if stream.unsentByteCount > 0, before == 0 { touch() }
        follow(reader)
    }

    /// The store synced, or failed to.
    ///
    /// - Returns: Whether answers wait still.
    func synced(_ progress: Progress) -> Bool {
        peer?.synced(progress)
        return peer?.hasWaitingAnswers ?? false
    }

    /// Asks to be called when there is room, as long as there is something to send.
    private func follow(_ reader: LogReader) {
        guard let peer, peer.isBehind(reader) else { return }
        stream.notifyWhenDrained()
    }

    private func beat() {
        see()
        if sighting != nil { tell(.heartbeat) }
        peer?.beat()
    }

    private func tell(_ kind: ActivityMessage.Kind) {
        guard let peer else { return }
        server.tellActivity(
            kind,
            peer.identity,
            path: Route.mirror.rawValue,
            seq: kind == .heartbeat ? peer.sentSeq : nil
        )
    }

    /// The mirror makes progress.
    private func touch() { stream.setDeadline(seconds: server.configuration.stallSeconds) }

    // MARK: Output

    var hasRoom: Bool { stream.unsentByteCount < FeedWindow.byteCountMax }

    var isDrained: Bool { stream.unsentByteCount == 0 }

    func send(_ message: ByteView) {
        if stream.unsentByteCount == 0, peer?.isRunning ?? false { touch() }
        stream.write { $0.appendFrame(.binary, message) }
    }

    func end(_ code: UInt16) { close(WebSocketCloseCode(code)) }

    // MARK: End

    /// Says why, and ends.
    func bye(_ code: WebSocketCloseCode, _ reason: String) { peer?.bye(code.rawValue, reason) }

    private func close(_ code: WebSocketCloseCode?, _ reason: StaticString = "") {
        guard !isClosing else { return }
        isClosing = true
        stream.write { $0.appendClose(code, reason) }
        stream.finish()
        leave()
        peer?.closed()
    }
}
