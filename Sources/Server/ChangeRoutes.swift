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
        try checkOperationCount(request)
        let id = try shaped { () throws(ShapeRefusal) in
            try request.id(key: call.idempotencyKey)
        }
        try checkRevisions(request, for: access)
        let change = request.change(
            id: id ?? newID(),
            digest: id == nil ? .zero : call.digest(target),
            why: call.why,
            schema: call.schema
        )
        guard let submission = try outcome(of: change, call) else { return }
        reply.position = submission.position
        switch submission {
        case .refused(let position, let refusal): refuse(refusal, position)
        case .replayed(let position, let results):
            reply.fields.appendField("idempotency-replayed", "true")
            finish(position, shapes(results, for: access))
        case .accepted(let position, let results), .unchanged(let position, let results):
            finish(position, shapes(results, for: access))
        }
    }

    private func finish(_ position: Position, _ results: [ResultShape]) {
        reply.waitsFor = seq(shownBy: results, position)
        reply.json()
        ChangeReply.append(at: position, results, to: &reply.body)
    }

    /// What must be durable before results are shown: an envelope shows what stands by now.
    func seq(shownBy results: [ResultShape], _ position: Position) -> UInt64 {
        let showsRecord = results.contains { result in
            if case .record = result { return true }
            return false
        }
        return showsRecord ? max(position.seq, store.read { $0.state.head }) : position.seq
    }

    /// JSON is one commit, NDJSON a commit a line; `atomic` may say so, and nothing else.
    func checkAtomic(isJob: Bool) throws(RequestRefusal) {
        try Parameters.check(target, ["atomic", "dryRun"])
        guard try Parameters.single(target, "atomic") != nil else { return }
        guard try Parameters.flag(target, "atomic") != isJob else {
            throw RequestRefusal(
                .badParameter,
                "A JSON body is one commit (atomic=true), NDJSON one a line (atomic=false).",
                field: "atomic"
            )
        }
    }

    func checkOperationCount(_ request: ChangeRequest) throws(RequestRefusal) {
        let limit = configuration.operationCountMax
        guard request.operations.count <= limit else {
            throw RequestRefusal(
                .tooLarge,
                "This server takes changes of at most \(limit) operations. Send a job of several.",
                field: "operations"
            )
        }
    }

    func checkRevisions(
        _ request: ChangeRequest,
        for access: Access?
    ) throws(RequestRefusal) {
        try store.read { reader throws(RequestRefusal) in
            try shaped { () throws(ShapeRefusal) in
                try request.checkRevisions { name in
                    guard access?.rights.reads(name) ?? true else { return false }
                    return reader.state.tree(name)?.declaration.isVersioned ?? false
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
        // Before it is compared: it keeps what a compaction drops meanwhile.
        let reader = store.logReader()
        let seq: UInt64
        switch store.resume(since: since, chain: chain) {
        case .refused(let refusal): throw RequestRefusal(refusal)
        case .from(let found): seq = found
        }
        reply.position = position(of: reader.head)
        let filter = CommitFilter.all.limited(to: access?.rights.readable)
        guard !wantsLines else {
            reply.type("application/x-ndjson")
            return ChangeLines(reader, after: seq, filter, shared.logger)
        }
        reply.json()
        let count = Int(limit ?? UInt64(Limits.pageCountDefault))
        try appendPage(reader, after: seq, filter, limit: count)
        return nil
    }

    private func appendPage(
        _ reader: LogReader,
        after seq: UInt64,
        _ filter: CommitFilter,
        limit: Int
    ) throws(RequestRefusal) {
        var page = ListPage(.commits, in: &reply.body)
        var last = seq
        do {
            guard var cursor = try reader.cursor(before: seq + 1) else { return }
            // Of what is not shown no more is passed over than a request may take.
            var passedOver = 0
            while page.count < limit, reply.body.count < Limits.bodyByteCountMax,
                passedOver < Limits.passedOverCountMax, let frame = try cursor.next()
            {
                last = frame.seq
                let (end, before) = (reply.body.count, page)
                page.beginElement(in: &reply.body)
                let commit = try CommitView(frame.content)
                if try !CommitMessage.append(commit, filter, to: &reply.body) {
                    passedOver += 1
                    page = before
                    reply.body.truncate(to: end)
                }
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
}

/// Commits as NDJSON, up to the head of the moment.
final class ChangeLines: BodyProducer {
    private let reader: LogReader
    private let logger: Logger
    private var cursor: LogCursor?
    private let after: UInt64
    private let filter: CommitFilter

    init(
        _ reader: LogReader,
        after seq: UInt64,
        _ filter: CommitFilter,
        _ logger: Logger
    ) {
        self.reader = reader
        self.filter = filter
        self.logger = logger
        after = seq
    }

    func produce(into out: inout ByteBuffer) -> ProducerStep {
        let start = out.count
        do {
            if cursor == nil { cursor = try reader.cursor(before: after + 1) }
            while out.count - start < 64 << 10 {
                guard let frame = try cursor?.next() else { return .complete }
                let commit = try CommitView(frame.content)
                if try CommitMessage.append(commit, filter, to: &out) { out.append("\n") }
            }
            return .more
        } catch {
            logger.log(.error, "changes.unreadable", ["error": "\(error)"])
            return .failed
        }
    }

    func end() { cursor = nil }
}
