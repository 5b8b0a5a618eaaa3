// Everything one event loop has for answering requests: its reply buffers, its parked replies, its
// feeds. Confined to that loop.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastHTTP
internal import HoldfastNetworking
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

/// The server's part on one loop.
final class LoopServer {
    let loop: EventLoop
    let shared: SharedServer
    var reply = Reply()
    var target = RequestTarget()
    private(set) var parking = Parking()
    let feeds: FeedHub
    /// The last Host that was found to be one of ours; most requests name it again.
    var acceptedHost: [UInt8] = []
    /// Who asked for what is answered now.
    var caller: Caller?
    /// When who asked too often may ask again.
    var retrySeconds = 1
    /// What its token opens; nil where callers are taken at their word.
    var access: Access?
    /// The tokens this loop knows, and their number.
    var tokensSeen: (table: TokenTable, version: Int)
    var hasher = SHA256()
    private var jobs: [Job] = []
    private var connections: [ObjectIdentifier: Connection] = [:]
    /// Connections whose request waits for a position, and until when.
    private var patient: [ObjectIdentifier: LoopTimer] = [:]
    /// Connections whose request waits for a commit.
    private var polls: [ObjectIdentifier: LongPoll] = [:]
    private(set) var isStopping = false
    private var clock: HTTPDate
    private var requestCount: UInt64
    private let requestPrefix: String

    var store: Store { shared.store }
    var configuration: ServerConfiguration { shared.configuration }
    var metrics: Metrics { shared.metrics }
    var time: any TimeSource { shared.time }

    init(loop: EventLoop, shared: SharedServer, index: Int) {
        self.loop = loop
        self.shared = shared
        clock = HTTPDate(milliseconds: shared.time.wallMilliseconds())
        requestCount = 0
        requestPrefix = String(shared.random.next() >> 24, radix: 36) + "-\(index)-"
        feeds = FeedHub(shared: shared, loop: loop)
        tokensSeen = shared.tokens.table()
        loop.schedule(afterMilliseconds: 1000, isRepeating: true) { [weak self] in
            self?.endUnwelcome()
        }
        if index == 0 { growFieldIndexes() }
    }

    /// Walks on for the indexes of fields, a slice between two other callbacks; looks again a
    /// second after all are whole.
    private func growFieldIndexes() {
        let hasMore = store.read { reader in
            reader.state.growFieldIndexes(entryCountMax: Limits.lockedEntryCountMax)
        }
        loop.schedule(afterMilliseconds: hasMore ? 0 : 1000) { [weak self] in
            self?.growFieldIndexes()
        }
    }

    /// Ends feeds and mirrors whose token does not stand any more.
    private func endUnwelcome() {
        let now = time.wallMilliseconds()
        feeds.endAll { [tokens] access in tokens.end(of: access, at: now) }
    }

    /// The Date of replies sent now.
    var date: HTTPDate {
        clock.update(milliseconds: time.wallMilliseconds())
        return clock
    }

    // MARK: Progress of the store

    /// The store synced, or failed to.
    func advance(_ progress: Progress) {
        for parked in parking.take(progress) {
            switch parked.content {
            case .retry(let head): parked.connection.retry(head)
            case .reply(let bytes, let status):
                if progress.outcome(of: parked.seq) == .durable {
                    parked.connection.release(bytes, status: status)
                } else {
                    releaseUnknown(parked.connection)
                }
            }
        }
        for job in jobs { job.advance(progress) }
        if shared.tokens.version != tokensSeen.version { endUnwelcome() }
        feeds.answer(progress)
        feeds.advance()
    }

    func addJob(_ job: Job) { jobs.append(job) }

    func removeJob(_ job: Job) { jobs.removeAll { $0 === job } }

    private func releaseUnknown(_ connection: Connection) {
        render(
            Refusal(
                .outcomeUnknown,
                "The write to the disk failed after the change was accepted. Ask again with the "
                    + "same Idempotency-Key when the server is back."
            )
        )
        var bytes = ByteBuffer()
        var exchange = Exchange(isHead: false, isVersion11: true, keepsAlive: true)
        write(&exchange, route: .records, into: &bytes)
        connection.release(bytes.array, status: HTTPStatus.gatewayTimeout.rawValue)
    }

    /// Whether a commit is durable; one that is not is told of by `advance`, later, on this loop.
    func isDurable(_ seq: UInt64) -> Bool { seq <= store.progress.durable }

    func park(_ parked: Parked) { parking.add(parked) }

    func remember(_ connection: Connection) {
        connections[ObjectIdentifier(connection)] = connection
        if isStopping { connection.endIfIdle() }
    }

    func forget(_ connection: Connection) {
        connections[ObjectIdentifier(connection)] = nil
        parking.forget(connection)
        patient.removeValue(forKey: ObjectIdentifier(connection))?.cancel()
        removePoll(of: connection)
    }

    // MARK: Waiting for a position

    /// Answers a request anew when a position is reached, or when its time is over.
    func awaitPosition(_ seq: UInt64, seconds: Int, _ head: [UInt8], _ connection: Connection) {
        connection.wait()
        park(Parked(connection: connection, seq: seq, content: .retry(head)))
        let id = ObjectIdentifier(connection)
        patient[id] = loop.schedule(afterMilliseconds: seconds * 1000) {
            [weak self, weak connection] in
            guard let self, let connection else { return }
            self.parking.forget(connection)
            connection.retry(head)
        }
    }

    /// Whether a request has waited for its position already; it is then not waited for again.
    func hasWaited(_ connection: Connection) -> Bool {
        patient.removeValue(forKey: ObjectIdentifier(connection)).map { $0.cancel() } != nil
    }

    // MARK: Waiting for a commit

    /// Has a request told of commits.
    func add(_ poll: LongPoll, of connection: Connection) {
        polls[ObjectIdentifier(connection)] = poll
        feeds.add(poll)
    }

    /// The request of a connection waits no more.
    func removePoll(of connection: Connection) {
        guard let poll = polls.removeValue(forKey: ObjectIdentifier(connection)) else { return }
        poll.end()
        _ = feeds.remove(poll)
    }

    // MARK: Replies

    /// Makes the loop's reply a problem.
    func render(_ refusal: Refusal, status: HTTPStatus? = nil, asksToCreate: Bool = false) {
        reply.reset()
        let problem = Problem(refusal)
        reply.status = status ?? HTTPStatus(rawValue: problem.status) ?? .internalServerError
        reply.type("application/problem+json")
        if reply.status == .serviceUnavailable {
            reply.fields.appendField("retry-after", "1")
        }
        if reply.status == .tooManyRequests {
            reply.fields.appendField("retry-after", text: "\(retrySeconds)")
        }
        if reply.status == .unauthorized { appendChallenge(refusal.code) }
        writeProblem(problem, status: reply.status.rawValue)
    }

    private func writeProblem(_ problem: Problem, status: Int) {
        guard let current = problem.refusal.current else {
            let isOfLog = [.compacted, .diverged].contains(problem.refusal.code)
            let oldest = isOfLog ? store.read { $0.oldest } : nil
            problem.append(to: &reply.body, status: status, oldest: oldest)
            return
        }
        var envelope = ByteBuffer()
        store.read { appendEnvelope(current, $0, to: &envelope) }
        problem.append(to: &reply.body, status: status, current: envelope.view)
    }

    /// Writes the loop's reply whole.
    func write(_ exchange: inout Exchange, route: Route, into out: inout ByteBuffer) {
        let body = writeHead(.bytes(reply.body.count), &exchange, route: route, into: &out)
        if body != .none { out.append(reply.body.view) }
    }

    /// Writes the head of the loop's reply.
    func writeHead(
        _ length: ResponseLength,
        _ exchange: inout Exchange,
        route: Route,
        into out: inout ByteBuffer
    ) -> ResponseBody {
        if isStopping { exchange.keepsAlive = false }
        out.startResponse(reply.status, date: date)
        out.append(reply.fields.view)
        requestCount += 1
        out.append("request-id: ")
        out.append(text: requestPrefix)
        out.append(decimal: requestCount)
        out.append("\r\n")
        if route.hasPosition {
            out.append("holdfast-position: ")
            (reply.position ?? shared.durablePosition()).append(to: &out)
            out.append("\r\n")
        }
        return out.endHead(reply.status, length, &exchange)
    }

    /// Writes the reply that makes a connection a WebSocket.
    func writeUpgrade(_ handshake: WebSocketHandshake, into out: inout ByteBuffer) {
        requestCount += 1
        out.appendUpgrade(handshake, date: date, fields: upgradeFields())
    }

    private func upgradeFields() -> [UInt8] {
        var fields = ByteBuffer(capacity: 96)
        fields.append("request-id: ")
        fields.append(text: requestPrefix)
        fields.append(decimal: requestCount)
        fields.append("\r\nholdfast-position: ")
        shared.durablePosition().append(to: &fields)
        fields.append("\r\n")
        return fields.array
    }

    // MARK: Stopping

    /// Ends feeds and idle connections; replies under way are finished.
    func beginStopping() {
        isStopping = true
        feeds.closeAll(.restart)
        for connection in Array(connections.values) { connection.endIfIdle() }
    }
}
