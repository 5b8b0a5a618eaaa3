// Borrows and key ranges.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastHTTP
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

extension LoopServer {
    // MARK: Borrows

    /// PUT of a borrow: takes it, joins the line, or confirms a grant.
    func takeBorrow(_ call: Call) throws(RequestRefusal) {
        try Parameters.check(target, ["dryRun"])
        let id = try Parameters.id(target.segment(2))
        try requireType(call, "application", "json")
        let request = try shaped { () throws(ShapeRefusal) in try BorrowRequest(call.body) }
        let isVersioned = isVersioned(request.tree, for: access)
        let operation = try shaped { () throws(ShapeRefusal) in
            try request.operation(id: id, isVersioned: isVersioned)
        }
        try submitBorrow(id, .borrow(operation), call)
    }

    /// PATCH of a borrow: its note and when it should be back, by its holder.
    func patchBorrow(_ call: Call) throws(RequestRefusal) {
        try Parameters.check(target, ["dryRun"])
        let id = try Parameters.id(target.segment(2))
        try requireType(call, "application", "merge-patch+json")
        let patch = try shaped { () throws(ShapeRefusal) in try BorrowPatch(call.body) }
        let record = store.read { reader -> BorrowRecord? in
            reader.state.borrow(id).flatMap { mayRead($0.record.tree) ? $0.record : nil }
        }
        guard let record else {
            // The engine says what became of it.
            return try submitBorrow(id, .return(id), call)
        }
        try submitBorrow(id, .borrow(patch.operation(on: record)), call)
    }

    /// POST of `/recall` and `/setHolder`.
    func moveBorrow(_ call: Call) throws(RequestRefusal) {
        try Parameters.check(target, ["dryRun"])
        let id = try Parameters.id(target.segment(2))
        if call.head.hasContent { try requireType(call, "application", "json") }
        let operation = try shaped { () throws(ShapeRefusal) in
            call.route == .borrowRecall
                ? try RequestBody.recall(call.body, of: id)
                : try RequestBody.setHolder(call.body, of: id)
        }
        try submitBorrow(id, operation, call)
    }

    /// Has an operation on a borrow done, and shows what became of it.
    private func submitBorrow(
        _ id: UniqueID,
        _ operation: Operation,
        _ call: Call
    ) throws(RequestRefusal) {
        guard let submission = try outcome(of: change(call, [operation]), call) else { return }
        reply.position = submission.position
        switch submission {
        case .refused(let position, let refusal): refuse(single: refusal, position)
        case .accepted(let position, let results):
            let isNew: Bool
            if case .borrow(let record, _) = results.last {
                isNew = record.order == position.seq
            } else {
                isNew = false
            }
            showBorrow(id, call, position, isNew: isNew)
        case .unchanged(let position, _): showBorrow(id, call, position, isNew: false)
        case .replayed(let position, _):
            reply.fields.appendField("idempotency-replayed", "true")
            showBorrow(id, call, position, isNew: false)
        }
    }

    private func showBorrow(_ id: UniqueID, _ call: Call, _ position: Position, isNew: Bool) {
        store.read { reader in
            // It is shown as it stands by now, which may be newer than this change.
            reply.waitsFor = max(position.seq, reader.state.head)
            guard let (tree, record) = reader.state.borrow(id), mayRead(record.tree) else {
                let position = reply.position
                let ended = reader.state.endedBorrow(id, in: access?.rights.readable)
                render(ended ?? Refusal(.unknownBorrow, "No borrow \(id)."))
                (reply.position, reply.waitsFor) = (position, reader.state.head)
                return
            }
            let line = tree.line(of: record.key)
            let place = line.firstIndex(of: id) ?? 0
            reply.json()
            reply.status = place > 0 ? .accepted : isNew ? .created : .ok
            guard place == 0, let location = reader.state.location(tree, record.key) else {
                shape(record, line, call).appendReply(place: place, to: &reply.body)
                return
            }
            var envelope = ByteBuffer()
            let reference = RecordReference(tree: tree.name, location: location)
            appendEnvelope(reference, reader, at: reader.state.head, to: &envelope)
            shape(record, line, call).appendReply(record: envelope.view, to: &reply.body)
        }
    }

    private func shape(_ record: BorrowRecord, _ line: [UniqueID], _ call: Call) -> BorrowShape {
        let place = line.firstIndex(of: record.id) ?? 0
        return BorrowShape(
            record,
            queue: line.count - 1 - place,
            isYours: record.user == call.caller.user
        )
    }

    /// GET of a borrow.
    func readBorrow(_ call: Call) throws(RequestRefusal) {
        try Parameters.check(target, [])
        let id = try Parameters.id(target.segment(2))
        let refusal = store.read { reader -> Refusal? in
            guard let tree = reader.state.tree(.borrows) else { return nil }
            if let seq = reader.wait(for: tree) {
                reply.retriesAfter = seq
                return nil
            }
            guard let (subject, record) = reader.state.borrow(id), mayRead(record.tree) else {
                return reader.state.endedBorrow(id, in: access?.rights.readable)
                    ?? Refusal(.unknownBorrow, "There is no borrow \(id).")
            }
            let line = subject.line(of: record.key)
            let place = line.firstIndex(of: id) ?? 0
            reply.json()
            shape(record, line, call)
                .appendReply(place: place > 0 ? place : nil, to: &reply.body)
            return nil
        }
        if let refusal { throw RequestRefusal(refusal) }
    }

    /// GET of all borrows: those held and those that wait.
    func listBorrows(_ call: Call) throws(RequestRefusal) {
        try Parameters.check(target, ["tree", "mine", "limit", "cursor"])
        var only: TreeName?
        if let text = try Parameters.single(target, "tree") { only = try Parameters.tree(text) }
        let isMine = try Parameters.flag(target, "mine")
        let (limit, after, parameters) = try page(
            ["borrows", only?.description ?? "", isMine ? "mine" : ""]
        )
        try store.read { reader throws(RequestRefusal) in
            if let only { _ = try findTree(only, reader) }
            if let tree = reader.state.tree(.borrows), let seq = reader.wait(for: tree) {
                reply.retriesAfter = seq
                return
            }
            let all = reader.state.allTrees
                .filter { (only == nil || $0.name == only) && mayRead($0.name) }
                .flatMap { tree in tree.borrows.map { (tree, $0) } }
                .filter { pair in after.map { pair.1.id > $0 } ?? true }
                .filter { pair in !isMine || pair.1.user == call.caller.user }
                .sorted { $0.1.id < $1.1.id }
            reply.json()
            var page = ListPage(.borrows, in: &reply.body)
            for (tree, record) in all.prefix(limit) {
                page.beginElement(in: &reply.body)
                shape(record, tree.line(of: record.key), call).append(to: &reply.body)
            }
            let last = all.count > limit ? all[limit - 1].1.id : nil
            let next = cursor(after: last, reader, parameters)
            let choice = [("tree", only?.description), ("mine", isMine ? "true" : nil)]
            appendLink("/v1/borrows", limit, choice, next)
            page.end(next: next, in: &reply.body)
        }
    }

    /// The page of a list by id: how many, after which, and what its cursor knows it by.
    func page(
        _ parameters: [String]
    ) throws(RequestRefusal) -> (limit: Int, after: UniqueID?, parameters: [String]) {
        let limit = try Parameters.number(target, "limit", 1...UInt64(Limits.pageCountMax))
        var after: UniqueID?
        if let text = try Parameters.single(target, "cursor") {
            let cursor = try shaped { () throws(ShapeRefusal) in
                try ListCursor(text, parameters: parameters)
            }
            after = UniqueID(cursor.last.id.text)
        }
        return (Int(limit ?? UInt64(Limits.pageCountDefault)), after, parameters)
    }

    func cursor(
        after id: UniqueID?,
        _ reader: StoreReader,
        _ parameters: [String]
    ) -> ListCursor? {
        id.map { id in
            ListCursor(
                after: RecordKey(id),
                at: reader.state.position(of: reader.durable),
                parameters: parameters
            )
        }
    }

    /// POST of `/return`, `/cancel` and `/seize`.
    func endBorrow(_ call: Call) throws(RequestRefusal) {
        try Parameters.check(target, ["dryRun"])
        let id = try Parameters.id(target.segment(2))
        let operation: Operation
        var why: String?
        switch call.route {
        case .borrowSeize:
            operation = .seize(id)
            if call.head.hasContent { try requireType(call, "application", "json") }
            why = try shaped { () throws(ShapeRefusal) in try RequestBody.seizure(call.body) }
        default:
            operation = call.route == .borrowReturn ? .return(id) : .cancel(id)
            try shaped { () throws(ShapeRefusal) in try RequestBody.nothing(call.body) }
        }
        var change = try change(call, [operation])
        if let why { change.why = why }
        guard let submission = try outcome(of: change, call) else { return }
        reply.position = submission.position
        if case .refused(let position, let refusal) = submission {
            refuse(single: refusal, position)
            return
        }
        if case .replayed = submission {
            reply.fields.appendField("idempotency-replayed", "true")
        }
        reply.waitsFor = submission.position.seq
        reply.status = .noContent
    }

    // MARK: Key ranges

    /// POST of a range.
    func reserveRange(_ call: Call) throws(RequestRefusal) {
        try Parameters.check(target, ["dryRun"])
        try requireType(call, "application", "json")
        let (tree, count) = try shaped { () throws(ShapeRefusal) in
            try RequestBody.range(call.body)
        }
        var change = try change(call, [])
        // The range is named after its change, so that a resend finds it.
        change.operations = [.reserve(tree: tree, range: change.id, count: count)]
        guard let submission = try outcome(of: change, call) else { return }
        reply.position = submission.position
        if case .refused(let position, let refusal) = submission {
            refuse(single: refusal, position)
            return
        }
        if case .replayed = submission {
            reply.fields.appendField("idempotency-replayed", "true")
        }
        reply.waitsFor = submission.position.seq
        reply.status = .created
        reply.json()
        store.read { reader in
            let range = reader.state.tree(tree)?.keyRanges.first { $0.id == change.id }
            range?.append(to: &reply.body)
        }
    }

    /// GET of the caller's ranges, or of a tree's.
    func listRanges(_ call: Call) throws(RequestRefusal) {
        try Parameters.check(target, ["tree", "device", "limit", "cursor"])
        var only: TreeName?
        if let text = try Parameters.single(target, "tree") { only = try Parameters.tree(text) }
        let device = try Parameters.single(target, "device")?.text
        let (limit, after, parameters) = try page(["ranges", only?.description ?? "", device ?? ""])
        try store.read { reader throws(RequestRefusal) in
            if let only { _ = try findTree(only, reader) }
            if let tree = reader.state.tree(.ranges), let seq = reader.wait(for: tree) {
                reply.retriesAfter = seq
                return
            }
            let all = reader.state.allTrees
                .filter { (only == nil || $0.name == only) && mayRead($0.name) }
                .flatMap { tree in tree.keyRanges.filter { device == nil || $0.device == device } }
                .filter { range in after.map { range.id > $0 } ?? true }
                .sorted { $0.id < $1.id }
            reply.json()
            var page = ListPage(.ranges, in: &reply.body)
            for range in all.prefix(limit) {
                page.beginElement(in: &reply.body)
                range.append(to: &reply.body)
            }
            let last = all.count > limit ? all[limit - 1].id : nil
            let next = cursor(after: last, reader, parameters)
            let choice = [("tree", only?.description), ("device", device)]
            appendLink("/v1/ranges", limit, choice, next)
            page.end(next: next, in: &reply.body)
        }
    }
}
