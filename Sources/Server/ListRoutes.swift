// Lists of records: pages by cursor, and NDJSON of everything at one position.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastHTTP
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

extension LoopServer {
    /// GET of the records of a tree.
    func listRecords(
        _ call: Call,
        _ connection: Connection
    ) throws(RequestRefusal) -> (any BodyProducer)? {
        try Parameters.check(target, Self.listParameters)
        let choice = try listChoice()
        let limit = try Parameters.number(target, "limit", 1...UInt64(Limits.pageCountMax))
        let cursorText = try Parameters.single(target, "cursor")
        let columns = try tableColumns(call, choice)
        guard columns != nil || wantsNDJSON(call) else {
            let cursor = try cursor(cursorText, choice)
            let limit = Int(limit ?? UInt64(Limits.pageCountDefault))
            guard choice.isPlain else {
                if let (pin, walk) = try walk(choice, after: cursor, batchCount: limit) {
                    try SearchedPage(connection, choice, limit, pin, walk).begin()
                }
                return nil
            }
            try appendPage(choice, cursor, limit)
            return nil
        }
        guard limit == nil, cursorText == nil else {
            throw RequestRefusal(
                .badParameter,
                "NDJSON and CSV give everything: leave limit and cursor out.",
                field: limit != nil ? "limit" : "cursor"
            )
        }
        let batch = Limits.sortedCountMax
        guard let (pin, walk) = try walk(choice, after: nil, batchCount: batch) else { return nil }
        reply.position = pin.position
        if let columns {
            reply.type("text/csv; charset=utf-8; header=present")
            return TableLines(self, choice, columns, pin, walk)
        }
        reply.type("application/x-ndjson")
        return RecordLines(self, choice, pin, walk)
    }

    private func cursor(
        _ text: ByteView?,
        _ choice: ListChoice
    ) throws(RequestRefusal) -> ListCursor? {
        guard let text else { return nil }
        return try shaped { () throws(ShapeRefusal) in
            try ListCursor(text, parameters: choice.parameters, isSorted: choice.order != nil)
        }
    }

    /// Pins a position at which everything in the tree is durable, and stands before what follows
    /// the cursor.
    ///
    /// - Returns: nil when the request must wait until it is durable.
    /// - Throws: `unknownTree`, `busy`.
    private func walk(
        _ choice: ListChoice,
        after cursor: ListCursor?,
        batchCount: Int
    ) throws(RequestRefusal) -> (Pin, ListWalk)? {
        while true {
            let pin: Pin
            do throws(StoreError) {
                pin = try store.pin()
            } catch {
                throw RequestRefusal(.busy, "Too many readers are under way. Try again later.")
            }
            var isLent = false
            defer { if !isLent { store.unpin(pin) } }
            let walk = try store.read { reader throws(RequestRefusal) -> ListWalk? in
                let tree = try findTree(choice.tree, reader)
                reply.retriesAfter = reader.wait(for: tree)
                // An index knows the present alone.
                guard tree.lastSeq <= pin.position.seq else { return nil }
                let candidates = reader.state.candidates(
                    for: choice.filter,
                    in: tree,
                    from: choice.firstID(after: cursor),
                    countMax: Limits.candidateCountMax
                )
                let after = cursor.map { RecordOrder.Place($0) }
                return ListWalk(
                    choice,
                    at: pin.position.seq,
                    after: after,
                    candidates: candidates,
                    first: candidates == nil
                        ? choice.firstPlaces(after, tree, reader, batchCount) : nil,
                    batchCount: batchCount
                )
            }
            if reply.retriesAfter != nil { return nil }
            if let walk {
                isLent = true
                return (pin, walk)
            }
        }
    }

    private func appendPage(
        _ choice: ListChoice,
        _ cursor: ListCursor?,
        _ limit: Int
    ) throws(RequestRefusal) {
        var after = cursor?.last
        var page: ListPage?
        var position: Position?
        var isEnd = false
        // A page is exact at its own position: nothing is read across two of them.
        var seq: UInt64?
        while !isEnd, (page?.count ?? 0) < limit {
            let waits = try store.read { reader throws(RequestRefusal) -> UInt64? in
                let tree = try findTree(choice.tree, reader)
                if seq == nil {
                    if let waits = reader.wait(for: tree) { return waits }
                    seq = reader.durable
                    position = reader.state.position(of: reader.durable)
                    reply.json()
                    page = ListPage(.records, in: &reply.body)
                }
                let stopped = reader.state.scan(
                    tree,
                    after: after,
                    prefix: choice.prefix,
                    from: choice.first,
                    before: choice.end,
                    choice.revisions,
                    at: seq ?? 0,
                    entryCountMax: Limits.lockedEntryCountMax
                ) { key, location in
                    page?.beginElement(in: &reply.body)
                    reader.appendEnvelope(
                        RecordReference(tree: tree.name, location: location),
                        for: caller,
                        at: seq,
                        choice.fields,
                        to: &reply.body
                    )
                    return (page?.count ?? 0) < limit
                        && reply.body.count < Limits.bodyByteCountMax
                }
                if let stopped { after = stopped } else { isEnd = true }
                return nil
            }
            if let waits {
                reply.retriesAfter = waits
                return
            }
            if reply.body.count >= Limits.bodyByteCountMax { break }
        }
        guard let position else { return }
        reply.position = position
        var next: ListCursor?
        if !isEnd, let after {
            next = ListCursor(after: after, at: position, parameters: choice.parameters)
            appendLink("/v1/records/\(choice.tree)", limit, choice.linked, next)
        }
        page?.end(next: next, in: &reply.body)
    }

    /// RFC 8288: where the next page is.
    func appendLink(
        _ path: String,
        _ limit: Int,
        _ choice: [(name: String, value: String?)],
        _ next: ListCursor?
    ) {
        guard let next else { return }
        reply.fields.append(text: "link: <\(path)?limit=\(limit)")
        for case (let name, let value?) in choice {
            reply.fields.append(text: "&\(name)=")
            Array(value.utf8).withView { PercentEncoding.append($0, to: &reply.fields) }
        }
        reply.fields.append("&cursor=")
        next.append(to: &reply.fields)
        reply.fields.append(">; rel=\"next\"\r\n")
    }
}

/// Everything a list shows as it stood at one position, a record a line.
///
/// The position is pinned: records that change meanwhile are followed back to their version of
/// then.
final class RecordLines: BodyProducer {
    private let server: LoopServer
    private let choice: ListChoice
    private let pin: Pin
    private let walk: ListWalk
    private let caller: Caller?

    init(_ server: LoopServer, _ choice: ListChoice, _ pin: Pin, _ walk: ListWalk) {
        self.server = server
        self.choice = choice
        self.pin = pin
        self.walk = walk
        caller = server.caller
    }

    func produce(into out: inout ByteBuffer) -> ProducerStep {
        guard server.store.touch(pin) else { return .failed }
        let start = out.count
        server.store.read { reader in
            walk.step(reader) { _, location in
                reader.appendEnvelope(
                    RecordReference(tree: choice.tree, location: location),
                    for: caller,
                    at: pin.position.seq,
                    choice.fields,
                    to: &out
                )
                out.append("\n")
                return out.count - start < Limits.outputByteCountHigh / 4
            }
        }
        if walk.isEnd { return .complete }
        return choice.isPlain ? .more : .pauses
    }

    func end() { server.store.unpin(pin) }
}
