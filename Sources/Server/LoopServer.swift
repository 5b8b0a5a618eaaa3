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
///
/// Timers hold it, as they do sessions and connections, until they are cancelled: a weak reference
/// would make every count of references to it slow.
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
    /// The tree that was asked for last, by its bytes in the path: most often also the next one.
    private var recentTree: (segment: [UInt8], name: TreeName)?
    /// The route that was counted last, and its place among all.
    private var countedRoute = (route: Route.about, place: 0)
    /// The epoch that was named last, and its text: nearly always also the next one's.
    private var epochText: (epoch: Epoch, text: [UInt8])?
    /// What keys look like of the trees this loop has met.
    var keyForms: [TreeName: KeyForm] = [:]
    var hasher = SHA256()
    private var jobs: [Job] = []
    private var connections: [ObjectIdentifier: Connection] = [:]
    /// Connections whose request waits for a position, and until when.
    private var patient: [ObjectIdentifier: LoopTimer] = [:]
    /// Connections whose request waits for a commit.
    private var polls: [ObjectIdentifier: LongPoll] = [:]
    private(set) var isStopping = false
    private var clock: HTTPDate
    /// The tick in which `clock` was last set.
    private var clockTick: UInt64 = 0
    /// When the record was made that was shown last: those of one import have one date.
    var lastModified = HTTPDate(milliseconds: 0)
    private var requestCount: UInt64
    private let requestPrefix: [UInt8]
    /// How it serves now; the limits in it may change while it runs.
    private(set) var configuration: ServerConfiguration
    /// What counts the requests of addresses and of tokens; nil where nobody counts.
    private(set) var limiters: RateLimiters
    /// Names a request's Host field may carry, besides addresses of loopback.
    private(set) var hostNames: Set<String> = []

    var store: Store { shared.store }
    var metrics: Metrics { shared.metrics }
    var time: any TimeSource { shared.time }

    init(loop: EventLoop, shared: SharedServer, index: Int) {
        self.loop = loop
        self.shared = shared
        clock = HTTPDate(milliseconds: shared.time.wallMilliseconds())
        requestCount = 0
        requestPrefix = Array("\(String(shared.random.next() >> 24, radix: 36))-\(index)-".utf8)
        configuration = shared.configuration
        limiters = shared.limiters
        feeds = FeedHub(shared: shared, loop: loop)
        tokensSeen = shared.tokens.table()
        hostNames = Self.hostNames(configuration)
        loop.schedule(afterMilliseconds: 1000, isRepeating: true) {
            self.endUnwelcome()
        }
        if index == 0 { growFieldIndexes() }
    }

    /// Walks on for the indexes of fields, a slice between two other callbacks; looks again a
    /// second after all are whole.
    private func growFieldIndexes() {
        let hasMore = store.read { reader in
            reader.state.growFieldIndexes(entryCountMax: Limits.lockedEntryCountMax)
        }
        loop.schedule(afterMilliseconds: hasMore ? 0 : 1000) {
            self.growFieldIndexes()
        }
    }

    /// Ends feeds and mirrors whose token does not stand any more.
    private func endUnwelcome() {
        let now = time.wallMilliseconds()
        feeds.endAll { [tokens] access in tokens.end(of: access, at: now) }
    }

    /// The tree a segment of the path names.
    func tree(_ segment: ByteView) throws(RequestRefusal) -> TreeName {
        if let recentTree, recentTree.segment.withView({ $0 == segment }) {
            return recentTree.name
        }
        let name = try Parameters.tree(segment)
        recentTree = (segment.array, name)
        return name
    }

    /// Where a route stands among all.
    func place(of route: Route) -> Int {
        if countedRoute.route != route {
            countedRoute = (route, Route.allCases.firstIndex(of: route) ?? 0)
        }
        return countedRoute.place
    }

    /// The Date of replies sent in this tick of the loop.
    var date: HTTPDate {
        let tick = loop.nowNanoseconds
        if tick != clockTick {
            clockTick = tick
            clock.update(milliseconds: time.wallMilliseconds())
        }
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
        write(&exchange, connection.requestID.view, route: .records, into: &bytes)
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
    func write(
        _ exchange: inout Exchange,
        _ requestID: ByteView,
        route: Route,
        into out: inout ByteBuffer
    ) {
        let length = ResponseLength.bytes(reply.body.count)
        let body = writeHead(length, &exchange, requestID, route: route, into: &out)
        if body != .none { out.append(reply.body.view) }
    }

    /// Writes the head of the loop's reply.
    func writeHead(
        _ length: ResponseLength,
        _ exchange: inout Exchange,
        _ requestID: ByteView,
        route: Route,
        into out: inout ByteBuffer
    ) -> ResponseBody {
        if isStopping { exchange.keepsAlive = false }
        out.startResponse(reply.status, date: date)
        out.append(reply.fields.view)
        out.append("request-id: ")
        out.append(requestID)
        out.append("\r\n")
        if route.hasPosition {
            out.append("holdfast-position: ")
            append(reply.position ?? shared.durablePosition(), to: &out)
            out.append("\r\n")
        }
        return out.endHead(reply.status, length, &exchange)
    }

    /// Appends `epoch:seq`.
    func append(_ position: Position, to out: inout ByteBuffer) {
        if let epochText, epochText.epoch == position.epoch {
            out.append(epochText.text)
        } else {
            let text = Array(position.epoch.description.utf8)
            out.append(text)
            epochText = (position.epoch, text)
        }
        out.append(UInt8(ascii: ":"))
        out.append(decimal: position.seq)
    }

    /// Writes the reply that makes a connection a WebSocket.
    func writeUpgrade(
        _ handshake: WebSocketHandshake,
        _ requestID: ByteView,
        into out: inout ByteBuffer
    ) {
        var fields = ByteBuffer(capacity: 96)
        fields.append("request-id: ")
        fields.append(requestID)
        fields.append("\r\nholdfast-position: ")
        shared.durablePosition().append(to: &fields)
        fields.append("\r\n")
        out.appendUpgrade(handshake, date: date, fields: fields.array)
    }

    // MARK: What requests are called

    /// Names a request: as its sender did, where that is a name; else anew.
    ///
    /// - Parameters:
    ///   - head: Its head; nil when there is none that can be read.
    ///   - name: Is replaced.
    func nameRequest(_ head: RequestHead?, in name: inout ByteBuffer) {
        name.removeAll()
        if let given = try? head?.single("request-id"), Self.isRequestID(given) {
            name.append(given)
            return
        }
        requestCount += 1
        name.append(requestPrefix)
        name.append(decimal: requestCount)
    }

    /// Whether a text may stand in a log as it is: 1 to 64 letters, digits, dots, colons, hyphens
    /// and underscores.
    private static func isRequestID(_ text: ByteView) -> Bool {
        guard (1...64).contains(text.count) else { return false }
        for index in 0..<text.count {
            switch text[index] {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: ":"), UInt8(ascii: "."), UInt8(ascii: "-"),
                UInt8(ascii: "_"):
                continue
            default: return false
            }
        }
        return true
    }

    /// A parser of requests under the limits that hold now.
    func makeParser() -> RequestParser {
        RequestParser(
            headByteCountMax: configuration.headByteCountMax,
            targetByteCountMax: configuration.targetByteCountMax,
            headerCountMax: configuration.headerCountMax,
            bodyByteCountMax: configuration.bodyByteCountMax
        )
    }

    /// Serves under other limits from now on; what has begun goes on under the old ones.
    func reconfigure(_ configuration: ServerConfiguration, _ limiters: RateLimiters) {
        self.configuration = configuration
        self.limiters = limiters
        hostNames = Self.hostNames(configuration)
        acceptedHost = []
    }

    private static func hostNames(_ configuration: ServerConfiguration) -> Set<String> {
        let own = configuration.addresses.map(\.host).filter { !$0.isEmpty }
        return Set(["localhost"] + own + configuration.hostNames)
    }

    // MARK: Stopping

    /// Ends feeds and idle connections; replies under way are finished, and who waits for a
    /// position is told that it is not reached.
    func beginStopping() {
        isStopping = true
        feeds.closeAll(.restart)
        for parked in parking.takeRetries(of: Set(patient.keys)) {
            if case .retry(let head) = parked.content { parked.connection.retry(head) }
        }
        for connection in Array(connections.values) { connection.endIfIdle() }
    }

    /// A feed or a mirror has begun: where the server stops, it ends at once.
    func welcome() {
        if isStopping { feeds.closeAll(.restart) }
    }
}
