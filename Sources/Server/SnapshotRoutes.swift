// The snapshot: the newest checkpoint, for whoever wants everything without every commit.
//
// Parts never change and are named by their digest: a client that was cut goes on where it was, and
// fetches of the next snapshot only what it lacks.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastHTTP
internal import HoldfastNetworking
internal import HoldfastRecords
internal import HoldfastStorage
internal import HoldfastStore
internal import HoldfastWire

extension LoopServer {
    /// GET of the snapshot: which parts make it up.
    func readSnapshot(_ call: Call) throws(RequestRefusal) {
        try Parameters.check(target, [])
        guard let manifest = store.manifest else {
            throw RequestRefusal(
                .unknownSnapshot,
                "There is no snapshot yet: the log has every commit. Follow it from its first "
                    + "position, or make a snapshot by POST."
            )
        }
        let position = store.read { $0.state.position(of: manifest.seq) }
        let document = SnapshotDocument(
            databaseID: manifest.databaseID,
            position: position,
            chain: manifest.chain,
            time: manifest.time,
            trees: manifest.trees,
            parts: manifest.parts.filter(mayRead)
        )
        reply.position = position
        reply.json()
        document.append(to: &reply.body)
    }

    /// GET of a part, whole or a range of it.
    func readPart(_ call: Call) throws(RequestRefusal) -> (any BodyProducer)? {
        try Parameters.check(target, [])
        let name = target.segment(2)
        guard let digest = Digest256(name) else {
            throw RequestRefusal(.badParameter, "\(name.text) is no SHA-256 in lower case.")
        }
        let known = store.manifest?.parts.first { $0.digest == digest }
        guard let known, mayRead(known), let part = try open(digest) else {
            throw RequestRefusal(
                .unknownSnapshot,
                "The newest snapshot has no part \(digest). Ask for the snapshot again."
            )
        }
        let tag = "\(digest)"
        let wanted = Array(tag.utf8).withView { ByteRange(call.head, of: part.byteCount, tag: $0) }
        if wanted == .unsatisfiable {
            render(Refusal(.badRange, "The part has \(part.byteCount) bytes."))
            reply.fields.appendField("content-range", text: "bytes */\(part.byteCount)")
            return nil
        }
        reply.fields.appendField("etag", text: "\"\(tag)\"")
        reply.fields.appendField("cache-control", "private, max-age=31536000, immutable")
        if let condition = try readCondition(call.head),
            Array(tag.utf8).withView({ condition.matchesWeakly($0) })
        {
            reply.status = .notModified
            return nil
        }
        reply.fields.appendField("accept-ranges", "bytes")
        reply.type("application/octet-stream")
        guard case .part(let range) = wanted else {
            return PartBytes(part, 0..<part.byteCount)
        }
        reply.status = .partialContent
        reply.fields.appendField(
            "content-range",
            text: "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(part.byteCount)"
        )
        return PartBytes(part, range)
    }

    /// Whether the caller may have a part: those of `_tokens` nobody has, and what changes did is
    /// of all trees.
    private func mayRead(_ part: PartReference) -> Bool {
        guard part.kind != .changes else { return mayReadAll }
        let filter = BlockFilter(trees: access?.rights.readable)
        return Array(part.block.utf8).withView { filter.permits($0) }
    }

    private func open(_ digest: Digest256) throws(RequestRefusal) -> PartFile? {
        do throws(StoreError) {
            return try store.part(digest)
        } catch {
            shared.logger.log(.error, "snapshot.unreadable", ["error": "\(error)"])
            throw RequestRefusal(.internalError, "The part cannot be read; run holdfast verify.")
        }
    }

    /// POST of the snapshot: a new one, and the log before it is cut to the history that is kept.
    ///
    /// With `whole=true` it stands for itself: what every change did is in it.
    func makeSnapshot(_ call: Call, _ connection: Connection) throws(RequestRefusal) {
        try Parameters.check(target, ["whole"])
        let isWhole = try Parameters.flag(target, "whole")
        try shaped { () throws(ShapeRefusal) in try RequestBody.nothing(call.body) }
        connection.wait(call.route)
        let waiting = LoopBound(connection, to: loop)
        shared.compactor.request(isWhole: isWhole) { result in
            waiting.execute { $0.server.answer(result, $0) }
        }
    }

    /// A compaction ended: whoever asked for it is told.
    private func answer(_ result: Result<Compaction?, StoreError>, _ connection: Connection) {
        reply.reset()
        switch result {
        case .success(let compaction):
            store.read { reader in
                let checkpoint = compaction?.checkpoint
                let snapshot = reader.state.position(of: checkpoint?.seq ?? 0)
                reply.position = snapshot
                reply.json()
                CompactionReply.append(
                    snapshot,
                    (
                        checkpoint?.partCount ?? 0, checkpoint?.byteCount ?? 0,
                        checkpoint?.writtenByteCount ?? 0
                    ),
                    oldest: reader.oldest,
                    freed: compaction?.freedByteCount ?? 0,
                    isHeld: compaction?.isHeld ?? false,
                    to: &reply.body
                )
            }
        case .failure(let error): render(Self.refusal(error))
        }
        connection.answer()
    }

    private static func refusal(_ error: StoreError) -> Refusal {
        switch error {
        case .log(.disk(let error)) where error.isFull:
            Refusal(.full, "The disk has no room for the snapshot. Make some.")
        case .log(.stopped): Refusal(.readOnly, "The server stops.")
        case .readOnly(let why): Refusal(.readOnly, why)
        default: Refusal(.internalError, "The snapshot could not be written: \(error)")
        }
    }
}

/// Bytes of a part, as fast as the client takes them.
private final class PartBytes: BodyProducer {
    private let part: PartFile
    private var range: Range<Int>
    let byteCount: Int?

    init(_ part: PartFile, _ range: Range<Int>) {
        self.part = part
        self.range = range
        byteCount = range.count
    }

    func produce(into out: inout ByteBuffer) -> ProducerStep {
        let end = min(range.upperBound, range.lowerBound + Limits.outputByteCountHigh / 4)
        out.append(part.view[range.lowerBound..<end])
        range = end..<range.upperBound
        return range.isEmpty ? .complete : .more
    }

    func end() {}
}
