// One client: requests in, replies out, in order; or a live feed, or a mirror.
//
// Invariants: confined to its loop. While a reply is parked or streamed no further request is
// parsed, so replies leave in the order of their requests; what has arrived meanwhile waits in the
// stream.
internal import HoldfastBasics
internal import HoldfastHTTP
internal import HoldfastNetworking
internal import HoldfastRecords
internal import HoldfastWire

/// The server's end of a connection.
final class Connection: ByteStreamHandler {
    let server: LoopServer
    let stream: ByteStream
    /// Where its requests come from, as far as they are counted together.
    private(set) lazy var network = stream.peerNetwork
    /// What the request under way is called.
    private(set) var requestID = ByteBuffer()
    private var isNamed = false
    /// What the access log tells of it; nil where nobody keeps one.
    private var entry: AccessEntry?
    private var parser: RequestParser
    var exchange = Exchange.refusal
    private var started: UInt64 = 0
    var route = Route.viewer
    var isWaiting = false
    private var endsAfterReply = false
    private(set) var isClosed = false
    private(set) var producer: (any BodyProducer)?
    /// What the token opens that asked for it.
    private var producerAccess: Access?
    /// Whether the producer is asked again in a moment, when others had their turn.
    private var isPausing = false
    private var isChunked = false
    private var producedStatus = 200
    private var isBodyChunked = false
    private var bodyStart: (nanoseconds: UInt64, byteCount: UInt64) = (0, 0)
    var consumer: (any BodyConsumer)?
    private var session: (any WebSocketSession)?

    init(server: LoopServer, stream: ByteStream) {
        self.server = server
        self.stream = stream
        parser = server.makeParser()
        server.metrics.connections.add(1)
        server.remember(self)
        stream.setDeadline(seconds: server.configuration.idleSeconds)
    }

    // MARK: Events of the stream

    func received(_ stream: ByteStream, _ bytes: ByteView) -> Int {
        if let session { return session.received(bytes) }
        var offset = 0
        // Who sends requests and reads no replies costs the limit of output and one reply, not all
        // replies to what one read has brought.
        while !isWaiting, producer == nil || consumer != nil, !endsAfterReply, !isClosed,
            stream.canTakeOutput
        {
            let wasIdle = parser.isIdle
            switch parser.step(bytes, &offset) {
            case .needsMore:
                setDeadline(wasIdle: wasIdle)
                return offset
            case .head(let head): take(head)
            case .wantsContinue: stream.write { $0.appendContinue() }
            case .content(let bytes): consumer?.receive(bytes)
            case .complete(let request): finish(request)
            case .refused(let error):
                refuse(error)
                return bytes.count
            }
            if let session {
                return offset
                    + (offset < bytes.count ? session.received(bytes.suffix(from: offset)) : 0)
            }
        }
        if endsAfterReply || isClosed { return bytes.count }
        guard isWaiting || producer != nil && consumer == nil else { return offset }
        // What has arrived waits in the stream until the reply has left.
        let isWatched = producer?.isEndless == true && offset == bytes.count
        if !isWatched { stream.pauseReading() }
        return offset
    }

    func outputDrained(_ stream: ByteStream) {
        if let session {
            session.outputDrained()
        } else {
            produce()
        }
    }

    func deadlineExpired(_ stream: ByteStream) {
        if let session {
            session.deadlineExpired()
        } else if parser.isIdle && !isWaiting && producer == nil {
            stream.close(.deadline)
        } else if let producer {
            // Nothing has come or gone for so long: nobody is there. A body without end may have
            // had nothing to say; the stream itself ends for a peer that takes nothing.
            if !producer.isEndless { stream.close(.deadline) }
        } else if !isWaiting {
            if !isNamed { begin(nil) }
            let refusal = Refusal(
                .requestTimeout,
                "The request did not arrive in time. Send it at once, on a new connection."
            )
            reply(to: .refusal, refusal)
        }
    }

    func inputEnded(_ stream: ByteStream) {
        // The rest of a job will never come: what was answered leaves, and that is all.
        if consumer != nil {
            endsAfterReply = true
            stream.finish()
            return
        }
        if producer?.isEndless == true { return stream.close() }
        // A client may end its side and still wait for its reply.
        guard !isWaiting, producer == nil else { return }
        stream.finish()
    }

    func closed(_ stream: ByteStream, _ reason: CloseReason) {
        guard !isClosed else { return }
        isClosed = true
        server.metrics.connections.add(-1)
        producer?.end()
        producer = nil
        consumer?.end()
        consumer = nil
        session?.closed()
        session = nil
        server.forget(self)
    }

    /// A body of unknown length gets its time as it comes: a second more for each 100 kB.
    private func extendDeadline() {
        let elapsed = Double(server.time.monotonicNanoseconds() - bodyStart.nanoseconds) / 1e9
        let received = Double(stream.receivedByteCount - bodyStart.byteCount)
        let total = server.configuration.bodySeconds + received / 100_000
        stream.setDeadline(seconds: max(0, total - elapsed))
    }

    private func setDeadline(wasIdle: Bool) {
        if isBodyChunked, parser.isReadingContent, consumer == nil {
            extendDeadline()
            return
        }
        if parser.isIdle {
            if !wasIdle { stream.setDeadline(seconds: server.configuration.idleSeconds) }
        } else if wasIdle {
            stream.setDeadline(seconds: server.configuration.headSeconds)
        }
    }

    // MARK: Requests

    /// Names a request, and begins its line in the access log; nil for one without a whole head.
    private func begin(_ head: RequestHead?) {
        isNamed = true
        server.nameRequest(head, in: &requestID)
        guard server.shared.accessLog != nil else { return }
        let before = stream.writtenByteCount
        entry =
            head.map { AccessEntry($0, byteCountBefore: before) }
            ?? AccessEntry(byteCountBefore: before)
    }

    /// Takes down for the access log who asks; what a consumer found out stands.
    func noteCaller() {
        guard entry?.isUserKnown == false else { return }
        entry?.user = server.caller?.user
        entry?.isUserKnown = true
    }

    private func take(_ head: RequestHead) {
        begin(head)
        exchange = head.exchange
        // Should the body be refused, the reply is one of the API all the same.
        route = head.target.count > 3 && head.target[0..<4].equals("/v1/") ? .about : .viewer
        if let consumer = server.consumer(for: head, connection: self) {
            noteCaller()
            parser.accept(.stream)
            stream.setDeadline(seconds: server.configuration.stallSeconds)
            if consumer.takesBody {
                self.consumer = consumer
            } else {
                exchange.keepsAlive = false
                consumer.complete()
            }
            return
        }
        parser.accept(.whole(byteCountMax: server.bodyByteCountMax(for: head)))
        isBodyChunked = head.isChunked
        guard head.hasContent else { return }
        bodyStart = (server.time.monotonicNanoseconds(), stream.receivedByteCount)
        let length = Double(head.contentLength ?? 0)
        stream.setDeadline(seconds: server.configuration.bodySeconds + length / 100_000)
    }

    private func finish(_ request: Request) {
        started = server.time.monotonicNanoseconds()
        exchange = request.head.exchange
        if let consumer {
            self.consumer = nil
            consumer.complete()
            return
        }
        server.handle(request, for: self)
        if !isWaiting, producer == nil, session == nil { afterReply() }
    }

    private func refuse(_ error: HTTPError) {
        server.metrics.refusedHeads.add()
        if !isNamed { begin(nil) }
        exchange = .refusal
        let code: RefusalCode
        switch error.status {
        case .contentTooLarge: code = .tooLarge
        case .fieldsTooLarge, .uriTooLong: code = .headTooLarge
        case .notImplemented: code = .unknownMethod
        case .upgradeRequired: code = .upgradeRequired
        default: code = .badRequest
        }
        reply(to: .refusal, Refusal(code, error.reason), status: error.status)
    }

    // MARK: Replies

    /// Sends a refusal and ends the connection after it.
    func reply(to exchange: Exchange, _ refusal: Refusal, status: HTTPStatus? = nil) {
        self.exchange = exchange
        // Nobody has asked who it is; whom the loop knows asked for something else.
        entry?.isUserKnown = true
        server.render(refusal, status: status)
        send(route)
        afterReply()
    }

    /// Writes the loop's reply to the output, or parks it until it may be shown.
    func send(_ route: Route, retry: [UInt8]? = nil) {
        self.route = route
        noteCaller()
        let server = self.server
        if let seq = server.reply.retriesAfter, let retry {
            isWaiting = true
            server.park(Parked(connection: self, seq: seq, content: .retry(retry)))
            return
        }
        // What is durable by now need not wait; what is not will be told of on this loop.
        if let seq = server.reply.waitsFor, server.reply.isPending || !server.isDurable(seq) {
            isWaiting = true
            var bytes = ByteBuffer(capacity: 512)
            let status = server.reply.status
            write(into: &bytes)
            server.park(
                Parked(connection: self, seq: seq, content: .reply(bytes.array, status.rawValue))
            )
            return
        }
        stream.write { write(into: &$0) }
        count(server.reply.status.rawValue)
    }

    /// Writes the loop's reply.
    private func write(into out: inout ByteBuffer) {
        server.write(&exchange, requestID.view, route: route, into: &out)
    }

    /// Sends the head of the loop's reply, then a body that is produced as the client takes it.
    func send(_ route: Route, producing producer: any BodyProducer) {
        self.route = route
        noteCaller()
        let server = self.server
        var body = ResponseBody.none
        let length = producer.byteCount.map { ResponseLength.bytes($0) } ?? .unknown
        stream.write { out in
            body = server.writeHead(
                length,
                &exchange,
                requestID.view,
                route: route,
                into: &out
            )
        }
        guard body != .none else {
            producer.end()
            count(server.reply.status.rawValue)
            return
        }
        isChunked = body == .chunked
        producedStatus = server.reply.status.rawValue
        self.producer = producer
        producerAccess = server.access
        stream.setDeadline(seconds: server.configuration.stallSeconds)
        produce()
    }

    private func produce() {
        guard let producer else { return }
        // A body may take hours: whoever asked for it must still be somebody.
        guard producer.isEndless || server.mayGoOn(producerAccess) else {
            endProduction()
            stream.close()
            return
        }
        let isChunked = self.isChunked
        var step = ProducerStep.more
        while case .more = step, stream.hasRoom {
            stream.write { out in
                let chunk = isChunked ? out.beginChunk() : 0
                step = producer.produce(into: &out)
                if isChunked { out.endChunk(chunk) }
            }
        }
        switch step {
        case .waits: break
        case .pauses where stream.hasRoom:
            stream.setDeadline(seconds: server.configuration.stallSeconds)
            produceLater()
        case .more, .pauses, .full:
            stream.setDeadline(seconds: server.configuration.stallSeconds)
            stream.notifyWhenDrained()
        case .complete:
            if isChunked { stream.write { $0.endChunks() } }
            endProduction()
            count(producedStatus)
            afterReply()
            stream.resumeReading()
        case .failed:
            endProduction()
            stream.close()
        }
    }

    /// Lets a producer that waited for something go on.
    func produceMore() { if producer != nil, !isPausing { produce() } }

    /// Asks the producer again when others had their turn, and not before.
    private func produceLater() {
        guard !isPausing else { return }
        isPausing = true
        server.loop.schedule(afterMilliseconds: 0) {
            self.isPausing = false
            self.produceMore()
        }
    }

    /// Writes a piece of a long body between two calls of its producer.
    func write(_ piece: (inout ByteBuffer) -> Void) {
        guard producer != nil else { return }
        let isChunked = self.isChunked
        stream.write { out in
            let chunk = isChunked ? out.beginChunk() : 0
            piece(&out)
            if isChunked { out.endChunk(chunk) }
        }
    }

    private func endProduction() {
        producer?.end()
        producer = nil
        producerAccess = nil
    }

    func count(_ status: Int) {
        let now = server.time.monotonicNanoseconds()
        let elapsed = started == 0 ? 0 : now - started
        server.metrics.reply(server.place(of: route), status: status, nanoseconds: elapsed)
        if let entry, let log = server.shared.accessLog {
            let outcome = AccessLog.Outcome(
                peer: stream.peer,
                status: status,
                byteCount: stream.writtenByteCount - entry.byteCountBefore,
                nanoseconds: elapsed,
                requestID: requestID.view.text,
                milliseconds: server.time.wallMilliseconds()
            )
            log.log(entry, outcome)
            self.entry = nil
        }
    }

    /// A reply has been written: the next request may come, or none.
    func afterReply() {
        isNamed = false
        if exchange.keepsAlive, !server.isStopping {
            stream.setDeadline(seconds: server.configuration.idleSeconds)
        } else {
            endsAfterReply = true
            stream.finish()
        }
    }

    /// Ends the connection when it has no request under way.
    func endIfIdle() {
        guard session == nil, parser.isIdle, !isWaiting, producer == nil else { return }
        endsAfterReply = true
        stream.finish()
    }

    // MARK: Upgrade

    /// Speaks WebSocket from here on.
    func upgrade(to session: any WebSocketSession, _ handshake: WebSocketHandshake) {
        let server = self.server
        noteCaller()
        stream.write { out in
            server.writeUpgrade(handshake, requestID.view, into: &out)
        }
        self.session = session
        count(101)
        session.opened()
        server.welcome()
    }
}

extension ByteStream {
    /// Sets the time by which the present work must be done.
    func setDeadline(seconds: Double) { setDeadline(milliseconds: Int(seconds * 1000)) }

    /// Whether a producer may make more.
    var hasRoom: Bool { unsentByteCount <= options.outputByteCountLow }

    /// Bytes written in all, those that wait to be sent too.
    var writtenByteCount: UInt64 { sentByteCount + UInt64(unsentByteCount) }
}
