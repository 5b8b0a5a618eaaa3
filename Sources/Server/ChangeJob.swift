// A job: NDJSON with one change a line, answered line by line while it comes.
//
// Each line is a commit of its own, or a refusal; the job goes on. Change ids derive from the job's
// id and the line, so that the same job sent again does nothing twice. Replies are held until their
// commits are durable.
internal import HoldfastBasics
internal import HoldfastHTTP
internal import HoldfastNetworking
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

/// A job under way.
final class ChangeJob: BodyConsumer, BodyProducer {
    private let connection: Connection
    private let caller: Caller
    private let access: Access?
    private let why: String
    private let schema: SchemaVersion?
    private let job: UniqueID
    private var input = ByteBuffer()
    /// Lines of the reply whose commits are not durable yet, oldest first.
    private var waiting: [(seq: UInt64, bytes: [UInt8])] = []
    private var ready = ByteBuffer()
    private var line = 0
    private var accepted = 0
    private var refused = 0
    private var isComplete = false
    /// Whether what comes belongs to a line that was too long, up to its end.
    private var isSkipping = false

    /// Lines that may wait for durability before the input is paused.
    private static let waitingCountMax = 4096
    /// Reply kept for a client that sends without reading, as most do.
    private static let readyByteCountMax = 64 << 20

    init(_ call: Call, _ connection: Connection) {
        self.connection = connection
        caller = call.caller
        access = connection.server.access
        why = call.why
        schema = call.schema
        job = call.idempotencyKey ?? connection.server.newID()
        let server = connection.server
        server.caller = caller
        server.reply.reset()
        server.reply.type("application/x-ndjson")
        server.addJob(self)
        connection.send(.changes, producing: self)
    }

    private var server: LoopServer { connection.server }

    // MARK: Input

    func receive(_ bytes: ByteView) {
        var rest = bytes
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            if isSkipping {
                isSkipping = false
            } else if input.isEmpty {
                take(rest[0..<end])
            } else {
                input.append(rest[0..<end])
                takeInput()
            }
            rest = rest.suffix(from: end + 1)
        }
        if !isSkipping { input.append(rest) }
        if input.count > Limits.commitByteCountMax { failLine() }
        connection.stream.setDeadline(seconds: server.configuration.stallSeconds)
        if isFull { connection.stream.pauseReading() }
        connection.produceMore()
    }

    private var isFull: Bool {
        waiting.count > Self.waitingCountMax || ready.count > Self.readyByteCountMax
    }

    func complete() {
        if !input.isEmpty { takeInput() }
        isComplete = true
        advance(server.store.progress)
    }

    private func takeInput() {
        let bytes = input.array
        input.removeAll()
        bytes.withView(take)
    }

    private func take(_ text: ByteView) {
        line += 1
        // A line may end in CR LF; what is sent again with LF alone is the same change.
        let endsInCR = !text.isEmpty && text[text.count - 1] == UInt8(ascii: "\r")
        let text = endsInCR ? text[0..<text.count - 1] : text
        guard !text.isEmpty else { return }
        let server = self.server
        do throws(RequestRefusal) {
            let request = try server.shaped { () throws(ShapeRefusal) in
                try ChangeRequest(text, newID: server.newID)
            }
            try server.checkRevisions(request, for: access)
            let id = request.id ?? JobLine.changeID(job: job, line: line)
            let change = request.change(
                id: id,
                digest: digest(text),
                jobID: job,
                why: why,
                schema: schema
            )
            finish(server.store.submit(change, by: caller, rights: access?.rights))
        } catch {
            refuse(error.refusal, seq: 0)
        }
    }

    /// Digest of a line and of who sent it.
    private func digest(_ text: ByteView) -> Hash128 {
        var hasher = SHA256()
        for part in [caller.user, caller.device, schema?.description ?? ""] {
            let bytes = Array(part.utf8)
            hasher.update(Hash128(high: 0, low: UInt64(bytes.count)))
            bytes.withView { hasher.update($0) }
        }
        hasher.update(text)
        return hasher.finishTruncated()
    }

    private func finish(_ submission: Submission) {
        let server = self.server
        switch submission {
        case .refused(let position, let refusal): refuse(refusal, seq: position.seq)
        case .accepted(let position, let results), .unchanged(let position, let results):
            answer(position, server.shapes(results, for: access), isReplayed: false)
        case .replayed(let position, let results):
            answer(position, server.shapes(results, for: access), isReplayed: true)
        }
    }

    private func answer(_ position: Position, _ results: [ResultShape], isReplayed: Bool) {
        accepted += 1
        var out = ByteBuffer()
        JobLine.append(line, at: position, results, isReplayed: isReplayed, to: &out)
        waiting.append((server.seq(shownBy: results, position), out.array))
    }

    private func refuse(_ refusal: Refusal, seq: UInt64) {
        refused += 1
        var out = ByteBuffer()
        var current: [UInt8]?
        if let reference = refusal.current {
            var envelope = ByteBuffer()
            let server = self.server
            server.store.read { server.appendEnvelope(reference, $0, to: &envelope) }
            current = envelope.array
        }
        if let current {
            current.withView { JobLine.append(line, Problem(refusal), current: $0, to: &out) }
        } else {
            JobLine.append(line, Problem(refusal), to: &out)
        }
        waiting.append((seq, out.array))
    }

    /// A line longer than any commit: the rest of it is passed over.
    private func failLine() {
        input.removeAll()
        input.shrinkIfEmpty(above: 1 << 20)
        isSkipping = true
        line += 1
        refuse(
            Refusal(.tooLarge, "A line may have \(Limits.commitByteCountMax) bytes."),
            seq: 0
        )
    }

    // MARK: Output

    /// The store is further: lines whose commits are durable may leave.
    func advance(_ progress: Progress) {
        var count = 0
        while count < waiting.count {
            switch progress.outcome(of: waiting[count].seq) {
            case .pending: break
            case .durable:
                ready.append(waiting[count].bytes)
                count += 1
                continue
            case .unknown:
                unknown(from: count)
                count = waiting.count
            }
            break
        }
        waiting.removeFirst(count)
        connection.produceMore()
        if !isFull { connection.stream.resumeReading() }
    }

    private func unknown(from index: Int) {
        for _ in index..<waiting.count { accepted = max(0, accepted - 1) }
        refused += waiting.count - index
        JobLine.append(
            line,
            Problem(
                Refusal(
                    .outcomeUnknown,
                    "The write to the disk failed: the outcome of this line and of those since the "
                        + "last one answered is unknown. Send the job again with the same "
                        + "Idempotency-Key when the server is back."
                )
            ),
            to: &ready
        )
    }

    func produce(into out: inout ByteBuffer) -> ProducerStep {
        guard ready.isEmpty else {
            let count = min(ready.count, Limits.outputByteCountHigh / 4)
            out.append(ready.view[0..<count])
            ready.consume(count)
            return .more
        }
        guard isComplete, waiting.isEmpty else { return .waits }
        JobLine.appendDone(job: job, accepted: accepted, refused: refused, to: &out)
        return .complete
    }

    func end() { server.removeJob(self) }
}
