// The server itself: what it is, whether it is well, what it counts, its files.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastHTTP
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

extension LoopServer {
    /// GET of `/v1`.
    func readAbout(_ call: Call) throws(RequestRefusal) {
        try Parameters.check(target, [])
        reply.json()
        store.read { reader in
            let durable = reader.durable
            let lineage = reader.state.lineage
            let document = ServerDocument(
                version: shared.version,
                databaseID: store.identity.databaseID,
                application: store.identity.application,
                head: reader.state.position(of: durable),
                chain: reader.chain(atSeq: durable) ?? .zero,
                oldest: reader.oldest,
                lineage: lineage.map { EpochStart(epoch: $0.epoch, firstSeq: $0.firstSeq) },
                snapshot: reader.snapshotSeq.map { reader.state.position(of: $0) },
                healing: reader.healing.map { healing in
                    // Devices are nobody's business who has shown no token.
                    let ahead = mayKnowDevices ? healing.ahead : [:]
                    return HealingDocument(
                        restored: healing.restored,
                        ahead: ahead.sorted { $0.key < $1.key }
                            .map { (device: $0.key, position: $0.value) }
                    )
                }
            )
            document.append(to: &reply.body)
        }
    }

    private var mayKnowDevices: Bool {
        access.map { $0.rights.hasEverywhere(.admin) } ?? tokens.isOpen
    }

    /// GET of `/livez`: the process answers.
    func readLive(_ call: Call) throws(RequestRefusal) {
        try Parameters.check(target, [])
        reply.json()
        reply.body.append("{\"status\":\"ok\"}")
    }

    /// GET of `/readyz`: writes are taken.
    func readReady(_ call: Call) throws(RequestRefusal) {
        try Parameters.check(target, [])
        guard !isStopping else {
            throw RequestRefusal(.stopping, "The server stops. Ask it again when it is back.")
        }
        if let refusal = store.writeRefusal {
            let code: RefusalCode = refusal.code == .healing ? .healing : .readOnly
            render(Refusal(code, refusal.detail))
            return
        }
        reply.json()
        reply.body.append("{\"status\":\"ok\"}")
    }

    /// GET of the viewer's files.
    func readViewer(_ call: Call) throws(RequestRefusal) {
        var segments: [[UInt8]] = []
        for index in 0..<target.segmentCount {
            let segment = target.segment(index)
            segments.append(segment.array)
        }
        guard let file = shared.files.file(segments) else {
            throw RequestRefusal(
                .noRoute,
                shared.files.isEmpty
                    ? "This server serves no viewer; start it with --web FOLDER."
                    : "There is no file \(call.head.target.text)."
            )
        }
        reply.fields.appendField("etag", text: file.tag)
        reply.fields.appendField("cache-control", "no-cache")
        if let condition = try readCondition(call.head),
            Array(file.tag.utf8.dropFirst().dropLast()).withView({ condition.matchesWeakly($0) })
        {
            reply.status = .notModified
            return
        }
        reply.fields.appendField("x-content-type-options", "nosniff")
        reply.fields.appendField(
            "content-security-policy",
            text: "default-src 'self'; img-src 'self' data:; "
                + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        reply.fields.appendField("content-type", text: file.type)
        reply.body.append(file.content)
    }
}
