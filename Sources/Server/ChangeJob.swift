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

/// A job whose changes come from the client.
final class ChangeJob: Job, BodyConsumer {
    private let schema: SchemaVersion?
    /// Whether every line is judged as things stand, and nothing is done.
    private let isRehearsal: Bool
    private var input = ByteBuffer()
    /// Whether what comes belongs to a line that was too long, up to its end.
    private var isSkipping = false

    init(_ call: Call, _ connection: Connection, isRehearsal: Bool) {
        schema = call.schema
        self.isRehearsal = isRehearsal
        super.init(call, connection)
        connection.send(.changes, producing: self)
    }

    override var isSteady: Bool { false }

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
            try server.checkOperationCount(request)
            try server.checkRevisions(request, for: access)
            let id = request.id ?? JobLine.changeID(job: self.id, line: line)
            let change = request.change(
                id: id,
                digest: digest(text),
                jobID: self.id,
                why: why,
                schema: schema
            )
            finish(
                isRehearsal
                    ? server.store.rehearse(change, by: caller, rights: access?.rights)
                    : server.store.submit(change, by: caller, rights: access?.rights)
            )
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
        accept(server.seq(shownBy: results, position)) { out in
            JobLine.append(
                line,
                at: position,
                results,
                isReplayed: isReplayed,
                isRehearsal: isRehearsal,
                to: &out
            )
        }
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

    override func advanced() {
        if !isFull { connection.stream.resumeReading() }
    }
}
