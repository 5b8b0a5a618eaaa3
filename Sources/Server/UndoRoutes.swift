// Taking back: one commit, or all commits of a job.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastHTTP
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

extension LoopServer {
    /// POST of `/undo`: takes a commit back, or with `job=true` all commits of its job.
    func undo(
        _ call: Call,
        _ connection: Connection
    ) throws(RequestRefusal) -> (any BodyProducer)? {
        try Parameters.check(target, ["job", "dryRun"])
        if call.head.hasContent { try requireType(call, "application", "json") }
        try shaped { () throws(ShapeRefusal) in try RequestBody.nothing(call.body) }
        let isRehearsal = try Parameters.flag(target, "dryRun")
        let isJob = try Parameters.flag(target, "job")
        let (reader, frame, position) = try shownFrame()
        let commit: CommitView
        do throws(ContentError) {
            commit = try CommitView(frame.content)
        } catch {
            throw unreadable(error)
        }
        guard !isJob else {
            guard commit.jobID != .none else {
                throw RequestRefusal(.notUndoable, "Commit \(position) belongs to no job.")
            }
            return UndoJob(call, connection, reader, of: commit.jobID, isRehearsal: isRehearsal)
        }
        var change = try change(call, [])
        if change.why.isEmpty { change.why = "undo of \(position)" }
        let answer = store.undo(
            commit,
            change,
            by: call.caller,
            rights: access?.rights,
            isRehearsal: isRehearsal
        )
        guard let submission = isRehearsal ? tell(rehearsed: answer) : answer else { return nil }
        reply.position = submission.position
        switch submission {
        case .refused(let position, let refusal): refuse(single: refusal, position)
        case .accepted(let position, let results), .unchanged(let position, let results),
            .replayed(let position, let results):
            if isReplayed(submission) { reply.fields.appendField("idempotency-replayed", "true") }
            reply.status = .created
            reply.waitsFor = position.seq
            reply.fields.appendField("location", text: "/v1/changes/\(position)")
            reply.json()
            ChangeReply.append(at: position, shapes(results, for: access), to: &reply.body)
        }
        return nil
    }

    /// The commit a path names, as far as the caller may see any of it.
    private func shownFrame() throws(RequestRefusal) -> (LogReader, Frame, Position) {
        // Before it is compared: it keeps what a compaction drops meanwhile.
        let reader = store.logReader()
        let position = try known(target.segment(2), "seq")
        guard position.seq == 0 || position.seq >= reader.oldest else {
            throw RequestRefusal(.compacted, "Commit \(position) is not kept any more.")
        }
        let filter = CommitFilter.all.limited(to: access?.rights.readable)
        var scratch = ByteBuffer()
        do {
            var cursor = try reader.cursor(before: position.seq)
            if let frame = try cursor?.next(),
                try CommitMessage.append(CommitView(frame.content), filter, to: &scratch)
            {
                return (reader, frame, position)
            }
        } catch {
            throw unreadable(error)
        }
        throw RequestRefusal(.notFound, "There is no commit \(position).")
    }
}

/// Takes the commits of a job back, the last one first.
final class UndoJob: Job {
    private let reader: LogReader
    private let job: UniqueID
    private let isRehearsal: Bool
    private var cursor: LogCursor?

    /// Commits one slice looks at.
    private static let sliceCount = 4096
    /// Commits one slice takes back.
    private static let sliceUndoCount = 64

    init(
        _ call: Call,
        _ connection: Connection,
        _ reader: LogReader,
        of job: UniqueID,
        isRehearsal: Bool
    ) {
        self.reader = reader
        self.job = job
        self.isRehearsal = isRehearsal
        super.init(call, connection)
    }

    override func step() {
        var undone = 0
        do {
            if cursor == nil { cursor = try reader.cursor(before: reader.head + 1) }
            for _ in 0..<Self.sliceCount where undone < Self.sliceUndoCount && !isComplete {
                guard let frame = try cursor?.previous() else {
                    isComplete = true
                    return
                }
                let commit = try CommitView(frame.content)
                guard commit.jobID == job else { continue }
                undo(commit)
                undone += 1
            }
        } catch {
            server.shared.logger.log(.error, "changes.unreadable", ["error": "\(error)"])
            line += 1
            refuse(
                RequestRefusal(.internalError, "The log cannot be read; run holdfast verify.")
                    .refusal,
                seq: 0
            )
            isComplete = true
        }
    }

    private func undo(_ commit: CommitView) {
        line += 1
        let position = server.position(of: commit.seq)
        let change = Change(
            id: JobLine.changeID(job: id, line: line),
            jobID: id,
            why: why.isEmpty ? "undo of \(position)" : why,
            operations: []
        )
        let answer = server.store.undo(
            commit,
            change,
            by: caller,
            rights: access?.rights,
            isRehearsal: isRehearsal
        )
        switch answer {
        case .refused(let head, let refusal):
            refuse(refusal, seq: head.seq, .commit(position))
        case .accepted(let made, let results), .unchanged(let made, let results),
            .replayed(let made, let results):
            accept(made.seq) { out in
                JobLine.append(
                    line,
                    .commit(position),
                    at: made,
                    server.shapes(results, for: access),
                    isRehearsal: isRehearsal,
                    to: &out
                )
            }
        }
    }
}
