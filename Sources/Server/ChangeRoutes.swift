// Changes: many operations at once, and what happened since.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastHTTP
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

extension LoopServer {
    /// POST of a change: one commit of many operations.
    func submitChange(_ call: Call) throws(RequestRefusal) {
        try checkAtomic(isJob: false)
        try requireType(call, "application", "json")
        let request = try shaped { () throws(ShapeRefusal) in
            try ChangeRequest(call.body, newID: newID)
        }
        let id = try shaped { () throws(ShapeRefusal) in
            try request.id(key: call.idempotencyKey)
        }
        try checkRevisions(request)
        let change = request.change(
            id: id ?? newID(),
            digest: id == nil ? .zero : call.digest(target),
            why: call.why
        )
        let submission = store.submit(change, by: call.caller)
        reply.position = submission.position
        switch submission {
        case .refused(let position, let refusal): refuse(refusal, position)
        case .replayed(let position, let results):
            reply.fields.appendField("idempotency-replayed", "true")
            finish(position, shapes(results))
        case .accepted(let position, let results), .unchanged(let position, let results):
            finish(position, shapes(results))
        }
    }

    private func finish(_ position: Position, _ results: [ResultShape]) {
        reply.waitsFor = position.seq
        reply.json()
        ChangeReply.append(at: position, results, to: &reply.body)
    }

    /// JSON is one commit, NDJSON a commit a line; `atomic` may say so, and nothing else.
    func checkAtomic(isJob: Bool) throws(RequestRefusal) {
        try Parameters.check(target, ["atomic"])
        guard try Parameters.single(target, "atomic") != nil else { return }
        guard try Parameters.flag(target, "atomic") != isJob else {
            throw RequestRefusal(
                .badParameter,
                "A JSON body is one commit (atomic=true), NDJSON one a line (atomic=false).",
                field: "atomic"
            )
        }
    }

    func checkRevisions(_ request: ChangeRequest) throws(RequestRefusal) {
        try store.read { reader throws(RequestRefusal) in
            try shaped { () throws(ShapeRefusal) in
                try request.checkRevisions { name in
                    reader.state.tree(name)?.declaration.isVersioned ?? false
                }
            }
        }
    }

    // MARK: What happened

    /// GET of changes: commits after a position, as a page or as NDJSON.
    func readChanges(_ call: Call) throws(RequestRefusal) -> (any BodyProducer)? {
        try Parameters.check(target, ["since", "chain", "limit"])
        var since = Position(epoch: store.read(\.state.epoch), seq: 0)
        if let text = try Parameters.single(target, "since") {
            guard let position = Position(text) else {
                throw RequestRefusal(.badParameter, "since is epoch:seq.", field: "since")
            }
            since = position
        }
        var chain: Hash128?
        if let text = try Parameters.single(target, "chain") {
            guard let value = Hash128(text.text) else {
                throw RequestRefusal(
                    .badParameter,
                    "chain is 32 hexadecimal digits.",
                    field: "chain"
                )
            }
            chain = value
        }
        let limit = try Parameters.number(target, "limit", 1...UInt64(Limits.pageCountMax))
        let wantsLines = wantsNDJSON(call)
        guard limit == nil || !wantsLines else {
            throw RequestRefusal(
                .badParameter,
                "NDJSON has no pages: leave limit out.",
                field: "limit"
            )
        }
        let seq: UInt64
        switch resume(since: since, chain: chain) {
        case .refused(let refusal): throw RequestRefusal(refusal)
        case .from(let found): seq = found
        }
        let reader = store.logReader()
        reply.position = position(of: reader.head)
        guard !wantsLines else {
            reply.type("application/x-ndjson")
            return ChangeLines(reader, after: seq, shared.logger)
        }
        reply.json()
        try appendPage(reader, after: seq, limit: Int(limit ?? UInt64(Limits.pageCountDefault)))
        return nil
    }

    private func appendPage(
        _ reader: LogReader,
        after seq: UInt64,
        limit: Int
    ) throws(RequestRefusal) {
        var page = ListPage(.commits, in: &reply.body)
        var last = seq
        do {
            guard var cursor = try reader.cursor(before: seq + 1) else { return }
            while page.count < limit, reply.body.count < Limits.bodyByteCountMax,
                let frame = try cursor.next()
            {
                page.beginElement(in: &reply.body)
                _ = try CommitMessage.append(CommitView(frame.content), to: &reply.body)
                last = frame.seq
            }
        } catch {
            shared.logger.log(.error, "changes.unreadable", ["error": "\(error)"])
            throw RequestRefusal(.internalError, "The log cannot be read; run holdfast verify.")
        }
        page.end(since: position(of: last), in: &reply.body)
    }

    /// The position of a commit.
    func position(of seq: UInt64) -> Position { store.read { $0.state.position(of: seq) } }

    /// Whether the client asks for one JSON value a line.
    func wantsNDJSON(_ call: Call) -> Bool {
        if case .named = Accept.answer(call.head, "application", "x-ndjson") { return true }
        return false
    }

    // MARK: Resuming

    /// Where a reader goes on, or why it cannot.
    enum Resumption {
        /// After this commit.
        case from(UInt64)
        /// Its history is not this one, or begins too early.
        case refused(Refusal)
    }

    /// Compares what a reader has with this history.
    func resume(since: Position, chain: Hash128?) -> Resumption {
        let (durable, known, oldest, epoch) = store.read { reader in
            (
                reader.progress.durable, reader.state.position(of: since.seq), reader.oldest,
                reader.state.epoch
            )
        }
        // Before the first commit there is nothing to differ in but the database.
        let isSame = known.epoch == since.epoch || since.seq == 0 && since.epoch == epoch
        guard isSame, since.seq <= durable else {
            return .refused(
                Refusal(
                    .diverged,
                    "Position \(since) is of another history than this server's. Read everything "
                        + "anew from \(epoch):0."
                )
            )
        }
        guard since.seq >= oldest.seq else {
            return .refused(
                Refusal(.compacted, "The log begins at \(oldest). Read everything anew.")
            )
        }
        if let chain, chain != self.chain(atSeq: since.seq) {
            return .refused(
                Refusal(
                    .diverged,
                    "The chain at \(since) is another one: the histories differ. Read everything "
                        + "anew."
                )
            )
        }
        return .from(since.seq)
    }

    /// The chain after a durable commit.
    func chain(atSeq seq: UInt64) -> Hash128 {
        guard seq > 0 else { return .zero }
        return store.read { $0.chain(atSeq: seq) } ?? .zero
    }
}

/// Commits as NDJSON, up to the head of the moment.
final class ChangeLines: BodyProducer {
    private let reader: LogReader
    private let logger: Logger
    private var cursor: LogCursor?
    private let after: UInt64

    init(_ reader: LogReader, after seq: UInt64, _ logger: Logger) {
        self.reader = reader
        self.logger = logger
        after = seq
    }

    func produce(into out: inout ByteBuffer) -> ProducerStep {
        let start = out.count
        do {
            if cursor == nil { cursor = try reader.cursor(before: after + 1) }
            while out.count - start < 64 << 10 {
                guard let frame = try cursor?.next() else { return .complete }
                _ = try CommitMessage.append(CommitView(frame.content), to: &out)
                out.append("\n")
            }
            return .more
        } catch {
            logger.log(.error, "changes.unreadable", ["error": "\(error)"])
            return .failed
        }
    }

    func end() { cursor = nil }
}
