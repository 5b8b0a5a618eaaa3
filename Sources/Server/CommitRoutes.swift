// What happened since: commits after a position, as a page that may wait for them, as NDJSON, or as
// a stream of events.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastHTTP
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

extension LoopServer {
    /// How commits are given.
    private enum CommitForm {
        case page, lines, events
    }

    /// GET of changes: commits after a position.
    func readChanges(
        _ call: Call,
        _ connection: Connection
    ) throws(RequestRefusal) -> (any BodyProducer)? {
        try Parameters.check(target, ["since", "chain", "limit", "wait"])
        let form = commitForm(call)
        let limit = try Parameters.number(target, "limit", 1...UInt64(Limits.pageCountMax))
        let wait = try Parameters.number(target, "wait", 0...Limits.waitSecondsMax)
        guard form == .page || limit == nil && wait == nil else {
            throw RequestRefusal(
                .badParameter,
                "A stream has no pages: leave limit and wait out.",
                field: limit != nil ? "limit" : "wait"
            )
        }
        let (since, chain) = try commitsAsked(call, form)
        // Before it is compared: it keeps what a compaction drops meanwhile.
        let reader = store.logReader()
        let seq: UInt64
        switch store.resume(since: since, chain: chain) {
        case .refused(let refusal): throw RequestRefusal(refusal)
        case .from(let found): seq = found
        }
        reply.position = position(of: reader.head)
        let filter = CommitFilter.all.limited(to: access?.rights.readable)
        switch form {
        case .lines:
            reply.type("application/x-ndjson")
            return ChangeLines(reader, after: seq, filter, shared.logger)
        case .events:
            reply.type("text/event-stream")
            reply.fields.appendField("cache-control", "no-store")
            // nginx would keep events back until it has a buffer full of them.
            reply.fields.appendField("x-accel-buffering", "no")
            return EventStream(connection, after: seq, filter)
        case .page:
            let count = Int(limit ?? UInt64(Limits.pageCountDefault))
            let page = try appendPage(reader, after: seq, filter, limit: count)
            guard let wait, wait > 0, page.count == 0, page.last == reader.head else { return nil }
            let poll = LongPoll(connection, after: page.last, filter, limit: count)
            poll.begin(seconds: Int(wait))
            return nil
        }
    }

    private func commitForm(_ call: Call) -> CommitForm {
        if case .named = Accept.answer(call.head, "text", "event-stream") { return .events }
        return wantsNDJSON(call) ? .lines : .page
    }

    /// After which commit the caller goes on, and that commit's chain where it knows it.
    private func commitsAsked(
        _ call: Call,
        _ form: CommitForm
    ) throws(RequestRefusal) -> (since: Position, chain: Hash128?) {
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
        guard let text = try Call.single(call.head, "last-event-id") else { return (since, chain) }
        guard form == .events else {
            throw RequestRefusal(
                .unsupportedParameter,
                "Last-Event-ID belongs to text/event-stream; give since instead.",
                field: "Last-Event-ID"
            )
        }
        guard let position = Position(text) else {
            throw RequestRefusal(.badHeader, "Last-Event-ID is the id of an event: epoch:seq.")
        }
        // A browser that comes back asks by the address it began with: the chain is of its `since`.
        return (position, nil)
    }

    /// Makes a page of commits the reply.
    ///
    /// - Returns: How many are on it, and up to which commit was looked for them.
    func appendPage(
        _ reader: LogReader,
        after seq: UInt64,
        _ filter: CommitFilter,
        limit: Int
    ) throws(RequestRefusal) -> (count: Int, last: UInt64) {
        reply.json()
        var page = ListPage(.commits, in: &reply.body)
        var last = seq
        do {
            var cursor = try reader.cursor(before: seq + 1)
            // Of what is not shown no more is passed over than a request may take.
            var passedOver = 0
            while page.count < limit, reply.body.count < Limits.bodyByteCountMax,
                passedOver < Limits.passedOverCountMax, let frame = try cursor?.next()
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
        return (page.count, last)
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
            // Of what is not shown no more is passed over before others have their turn.
            var passedOver = 0
            while out.count - start < 64 << 10 {
                guard passedOver < Limits.passedOverCountMax else { return .pauses }
                guard let frame = try cursor?.next() else { return .complete }
                let commit = try CommitView(frame.content)
                if try CommitMessage.append(commit, filter, to: &out) {
                    out.append("\n")
                } else {
                    passedOver += 1
                }
            }
            return .more
        } catch {
            logger.log(.error, "changes.unreadable", ["error": "\(error)"])
            return .failed
        }
    }

    func end() { cursor = nil }
}
