// A job whose changes come from the client, line by line, while they are answered.
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

/// A job whose changes come from the client; what the lines look like is its subclasses' to say.
class LineJob: Job, BodyConsumer {
    private let schema: SchemaVersion?
    /// Whether every line is judged as things stand, and nothing is done.
    private let isRehearsal: Bool

    init(_ call: Call, _ connection: Connection, isRehearsal: Bool) {
        schema = call.schema
        self.isRehearsal = isRehearsal
        super.init(call, connection)
        connection.send(.changes, producing: self)
    }

    final override var isSteady: Bool { false }

    /// Takes the next bytes.
    func read(_ bytes: ByteView) {}

    /// Takes what has no line end.
    func readRest() {}

    // MARK: Input

    final func receive(_ bytes: ByteView) {
        read(bytes)
        connection.stream.setDeadline(seconds: server.configuration.stallSeconds)
        if isFull { connection.stream.pauseReading() }
        // Lines that made no commit wait for none: nobody else would tell of them.
        advance(server.store.progress)
    }

    final func complete() {
        readRest()
        isComplete = true
        advance(server.store.progress)
    }

    final override func advanced() {
        if !isFull { connection.stream.resumeReading() }
    }

    // MARK: Changes

    /// Makes a change, and answers the line it came from.
    ///
    /// - Parameters:
    ///   - text: The change as JSON.
    ///   - source: The line as it came: what must be the same when it is sent again.
    ///   - isOne: Whether the line is one operation, which need not be told apart from others.
    final func perform(_ text: ByteView, from source: ByteView, isOne: Bool = false) {
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
                digest: digest(source),
                jobID: self.id,
                why: why,
                schema: schema
            )
            finish(
                isRehearsal
                    ? server.store.rehearse(change, by: caller, rights: access?.rights)
                    : server.store.submit(change, by: caller, rights: access?.rights),
                isOne: isOne
            )
        } catch {
            var refusal = error.refusal
            if isOne { refusal.operation = nil }
            refuse(refusal, seq: 0)
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

    private func finish(_ submission: Submission, isOne: Bool) {
        let server = self.server
        switch submission {
        case .refused(let position, var refusal):
            if isOne { refusal.operation = nil }
            refuse(refusal, seq: position.seq)
        case .accepted(let position, let results), .unchanged(let position, let results):
            answer(position, server.shapes(results, for: access), isReplayed: false)
        case .replayed(let position, let results):
            answer(position, server.shapes(results, for: access), isReplayed: true)
        }
    }

    /// Answers a line by which a record would stay what it is: no commit is made.
    ///
    /// - Parameters:
    ///   - key: The record.
    ///   - position: Its version.
    final func leave(_ key: RecordKey, at position: Position) {
        accept(position.seq) { out in
            JobLine.append(
                line,
                at: position,
                [.key(key)],
                isRehearsal: isRehearsal,
                isUnchanged: true,
                to: &out
            )
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
}
