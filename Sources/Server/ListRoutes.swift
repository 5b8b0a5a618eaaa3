// Lists of records: pages by cursor, and NDJSON of everything at one position.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastHTTP
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

/// What a list shows.
struct ListChoice {
    let tree: TreeName
    let prefix: [UInt8]?
    let revisions: RevisionChoice

    /// The parameters that stand in the link of the next page.
    var linked: [(name: String, value: String?)] {
        [
            ("prefix", prefix.map { String(decoding: $0, as: UTF8.self) }),
            ("revisions", revisions == .latest ? nil : "\(revisions)"),
        ]
    }

    /// The parameters by which a cursor knows its list.
    var parameters: [String] {
        [
            tree.description, prefix.map { String(decoding: $0, as: UTF8.self) } ?? "",
            "\(revisions)",
        ]
    }
}

extension LoopServer {
    /// GET of the records of a tree.
    func listRecords(
        _ call: Call,
        _ connection: Connection
    ) throws(RequestRefusal) -> (any BodyProducer)? {
        try Parameters.check(target, ["prefix", "limit", "cursor", "revisions"])
        let choice = try listChoice()
        let limit = try Parameters.number(target, "limit", 1...UInt64(Limits.pageCountMax))
        let cursorText = try Parameters.single(target, "cursor")
        guard wantsNDJSON(call) else {
            var cursor: ListCursor?
            if let cursorText {
                cursor = try shaped { () throws(ShapeRefusal) in
                    try ListCursor(cursorText, parameters: choice.parameters)
                }
            }
            try appendPage(choice, cursor, Int(limit ?? UInt64(Limits.pageCountDefault)))
            return nil
        }
        guard limit == nil, cursorText == nil else {
            throw RequestRefusal(
                .badParameter,
                "NDJSON gives everything: leave limit and cursor out.",
                field: limit != nil ? "limit" : "cursor"
            )
        }
        let waits = try store.read { reader throws(RequestRefusal) -> UInt64? in
            reader.wait(for: try findTree(choice.tree, reader))
        }
        if let waits {
            reply.retriesAfter = waits
            return nil
        }
        let pin: Pin
        do throws(StoreError) {
            pin = try store.pin()
        } catch {
            throw RequestRefusal(.busy, "Too many readers are under way. Try again later.")
        }
        reply.position = pin.position
        reply.type("application/x-ndjson")
        return RecordLines(self, choice, pin)
    }

    private func listChoice() throws(RequestRefusal) -> ListChoice {
        let tree = try Parameters.tree(target.segment(2))
        let prefix = try Parameters.single(target, "prefix")?.array
        let revisions: RevisionChoice
        switch try Parameters.single(target, "revisions")?.text ?? "latest" {
        case "latest": revisions = .latest
        case "released": revisions = .released
        case "all": revisions = .all
        default:
            throw RequestRefusal(
                .badParameter,
                "revisions is latest, released or all.",
                field: "revisions"
            )
        }
        try store.read { reader throws(RequestRefusal) in
            let state = try findTree(tree, reader)
            guard prefix == nil || state.declaration.keys == .name else {
                throw RequestRefusal(
                    .badParameter,
                    "Keys of \(tree) are numbers, which have no prefix.",
                    field: "prefix"
                )
            }
        }
        return ListChoice(tree: tree, prefix: prefix, revisions: revisions)
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
                    seq = reader.progress.durable
                    position = reader.state.position(of: reader.progress.durable)
                    reply.json()
                    page = ListPage(.records, in: &reply.body)
                }
                let stopped = reader.state.scan(
                    tree,
                    after: after,
                    prefix: choice.prefix,
                    choice.revisions,
                    at: seq ?? 0,
                    entryCountMax: Limits.lockedEntryCountMax
                ) { key, location in
                    page?.beginElement(in: &reply.body)
                    let reference = RecordReference(tree: tree.name, location: location)
                    appendEnvelope(reference, reader, at: seq, to: &reply.body)
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

/// Everything in a tree as it stood at one position, a record a line.
///
/// The position is pinned: records that change meanwhile are followed back to their version of
/// then.
final class RecordLines: BodyProducer {
    private let server: LoopServer
    private let choice: ListChoice
    private let pin: Pin
    private var after: RecordKey?
    private var isEnd = false

    init(_ server: LoopServer, _ choice: ListChoice, _ pin: Pin) {
        self.server = server
        self.choice = choice
        self.pin = pin
    }

    func produce(into out: inout ByteBuffer) -> ProducerStep {
        guard !isEnd else { return .complete }
        guard server.store.touch(pin) else { return .failed }
        let start = out.count
        server.store.read { reader in
            guard let tree = reader.state.tree(choice.tree) else {
                isEnd = true
                return
            }
            let stopped = reader.state.scan(
                tree,
                after: after,
                prefix: choice.prefix,
                choice.revisions,
                at: pin.position.seq,
                entryCountMax: Limits.lockedEntryCountMax
            ) { _, location in
                let reference = RecordReference(tree: tree.name, location: location)
                server.appendEnvelope(reference, reader, at: pin.position.seq, to: &out)
                out.append("\n")
                return out.count - start < Limits.outputByteCountHigh / 4
            }
            if let stopped { after = stopped } else { isEnd = true }
        }
        return isEnd ? .complete : .more
    }

    func end() { server.store.unpin(pin) }
}
