// Commits as server-sent events, for clients that speak HTTP alone: a browser's EventSource, curl.
//
// Like a live feed it is a cursor on the durable log: a client that reads slowly costs its output
// buffer and nothing else. Source: HTML Standard, section 9.2, Server-sent events.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastHTTP
internal import HoldfastNetworking
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

/// A stream of events under way.
final class EventStream: BodyProducer, LogFollower {
    let access: Access?
    let isEndless = true
    private let server: LoopServer
    private unowned let connection: Connection
    private let caller: Caller?
    /// Where its events come from.
    private let window: FeedWindow
    /// The last commit that was looked at for this client.
    private var seq: UInt64
    /// What is said last, once it is to end.
    private var ending: (code: WebSocketCloseCode, reason: String)?
    private var heartbeat: LoopTimer?

    init(_ connection: Connection, after seq: UInt64, _ filter: CommitFilter) {
        self.connection = connection
        self.seq = seq
        server = connection.server
        access = server.access
        caller = server.caller
        window = server.feeds.window(FeedWindow.Wish(filter: filter, form: .events))
        server.feeds.add(self)
        server.metrics.feedClients.add(1)
        tell(.connect)
        let milliseconds = Int(server.configuration.heartbeatSeconds * 1000)
        heartbeat = server.loop.schedule(afterMilliseconds: milliseconds, isRepeating: true) {
            self.beat()
        }
    }

    // MARK: Commits

    func advance(_ reader: LogReader, hub: FeedHub) {
        if seq < reader.head { connection.produceMore() }
    }

    func produce(into out: inout ByteBuffer) -> ProducerStep {
        let now = server.time.wallMilliseconds()
        if let (isOver, reason) = server.tokens.end(of: access, at: now) {
            ending = (isOver ? .authEnded : .rightsChanged, reason)
        }
        let reader = server.store.logReader()
        while ending == nil, seq < reader.head {
            guard out.count < FeedWindow.byteCountMax else { return .full }
            let before = out.count
            do {
                seq = try window.lend(after: seq, reader) { out.append($0) }
                // Its filter hid all there was.
                guard out.count > before else { return seq < reader.head ? .pauses : .waits }
                server.metrics.feedDeliveries.add()
            } catch CommitLogError.compacted(let oldest) {
                let reason = "The log begins after commit \(oldest - 1). Read everything anew."
                ending = (.compacted, reason)
            } catch {
                server.shared.logger.log(
                    .error,
                    "feed.unreadable",
                    ["seq": "\(seq)", "error": "\(error)"]
                )
                ending = (.restart, "The log cannot be read.")
            }
        }
        guard let ending else { return .waits }
        EventMessages.appendBye(Int(ending.code.rawValue), ending.reason, to: &out)
        return .complete
    }

    /// The heartbeat: tells also how far this client is, for one who may see nothing of what comes.
    private func beat() {
        guard connection.stream.unsentByteCount == 0 else { return }
        let position = server.position(of: seq)
        connection.write { EventMessages.appendHeartbeat(position, to: &$0) }
        tell(.heartbeat)
    }

    // MARK: End

    func bye(_ code: WebSocketCloseCode, _ reason: String) {
        ending = ending ?? (code, reason)
        connection.produceMore()
    }

    func end() {
        heartbeat?.cancel()
        heartbeat = nil
        guard server.feeds.remove(self) else { return }
        server.feeds.handBack(window)
        server.metrics.feedClients.add(-1)
        tell(.disconnect)
    }

    private func tell(_ kind: ActivityMessage.Kind) {
        server.tellActivity(
            kind,
            caller,
            path: Route.changes.rawValue,
            seq: kind == .heartbeat ? seq : nil
        )
    }
}
