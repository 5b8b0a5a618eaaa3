// Changes: many operations at once.
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
        try requireType(call, "application", "json")
        try checkAtomic(isJob: false)
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

    /// JSON is one commit, NDJSON and CSV a commit a line; `atomic` may say so, and nothing else.
    func checkAtomic(isJob: Bool, isTable: Bool = false) throws(RequestRefusal) {
        try Parameters.check(target, ["atomic", "dryRun"] + (isTable ? ["tree"] : []))
        guard try Parameters.single(target, "atomic") != nil else { return }
        guard try Parameters.flag(target, "atomic") != isJob else {
            throw RequestRefusal(
                .badParameter,
                "A JSON body is one commit (atomic=true), NDJSON and CSV are one a line "
                    + "(atomic=false).",
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

    /// The position of a commit.
    func position(of seq: UInt64) -> Position { store.read { $0.state.position(of: seq) } }

    /// Whether the client asks for one JSON value a line.
    func wantsNDJSON(_ call: Call) -> Bool {
        if case .named = Accept.answer(call.head, "application", "x-ndjson") { return true }
        return false
    }
}
