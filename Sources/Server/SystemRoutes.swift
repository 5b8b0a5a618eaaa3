// The server itself: what it is, whether it is well, what it counts, its files.
internal import Glibc
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
            let durable = reader.progress.durable
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
        if let refusal = store.writeRefusal {
            let code: RefusalCode = refusal.code == .healing ? .healing : .readOnly
            render(Refusal(code, refusal.detail))
            return
        }
        reply.json()
        reply.body.append("{\"status\":\"ok\"}")
    }

    /// GET of `/metrics`.
    func readMetrics(_ call: Call) throws(RequestRefusal) {
        try Parameters.check(target, [])
        reply.type("text/plain; version=0.0.4; charset=utf-8")
        let metrics = self.metrics
        metrics.write(into: &reply.body)
        let (head, durable, oldest, snapshot) = store.read { reader in
            (
                reader.state.head, reader.progress.durable, reader.oldest.seq,
                reader.snapshotSeq ?? 0
            )
        }
        let (records, logBytes, indexBytes, growing) = store.read { reader in
            let trees = reader.state.allTrees
            return (
                trees.map { ($0.name.isSystem, $0.count) }, reader.logByteCount,
                trees.reduce(0) { $0 + $1.indexByteCount + $1.fieldIndexByteCount },
                trees.reduce(0) { $0 + $1.growingFieldIndexCount }
            )
        }
        metrics.number(
            "holdfast_commits_total",
            "counter",
            "Commits in the log.",
            Int(head),
            &reply.body
        )
        metrics.number(
            "holdfast_head_seq",
            "gauge",
            "Seq of the last commit.",
            Int(head),
            &reply.body
        )
        metrics.number(
            "holdfast_durable_seq",
            "gauge",
            "Seq of the last synced one.",
            Int(durable),
            &reply.body
        )
        metrics.number(
            "holdfast_oldest_seq",
            "gauge",
            "The log has what follows it.",
            Int(oldest),
            &reply.body
        )
        metrics.number(
            "holdfast_snapshot_seq",
            "gauge",
            "Seq of the newest snapshot; 0 for none.",
            Int(snapshot),
            &reply.body
        )
        let live = records.filter { !$0.0 }.reduce(0) { $0 + $1.1 }
        metrics.number("holdfast_records", "gauge", "Live records of all trees.", live, &reply.body)
        metrics.number(
            "holdfast_trees",
            "gauge",
            "Trees declared.",
            records.count { !$0.0 },
            &reply.body
        )
        metrics.number(
            "holdfast_log_bytes",
            "gauge",
            "Bytes of the log.",
            Int(logBytes),
            &reply.body
        )
        metrics.number(
            "holdfast_index_bytes",
            "gauge",
            "Memory of the indexes.",
            indexBytes,
            &reply.body
        )
        metrics.number(
            "holdfast_indexes_growing",
            "gauge",
            "Indexes of fields that do not answer yet.",
            growing,
            &reply.body
        )
        metrics.number("holdfast_pins", "gauge", "Readers pinned.", store.pinCount, &reply.body)
        metrics.number(
            "holdfast_writable",
            "gauge",
            "1 while writes are taken.",
            store.writeRefusal == nil ? 1 : 0,
            &reply.body
        )
        let healing = store.read(\.healing)
        metrics.number(
            "holdfast_healing",
            "gauge",
            "1 while a restored database takes no writes yet.",
            healing == nil ? 0 : 1,
            &reply.body
        )
        metrics.number(
            "holdfast_healing_mirrors_ahead",
            "gauge",
            "Mirrors that have shown commits which a restored database lacks.",
            healing?.ahead.count ?? 0,
            &reply.body
        )
        appendProcess(metrics)
    }

    /// RUSAGE_SELF, which the importer gives another type than getrusage takes.
    private static let thisProcess: Int32 = 0

    /// Source: the names of Prometheus' client libraries for a process; values of getrusage(2).
    private func appendProcess(_ metrics: Metrics) {
        var usage = rusage()
        _ = unsafe getrusage(Self.thisProcess, &usage)
        let user = Double(usage.ru_utime.tv_sec) + Double(usage.ru_utime.tv_usec) / 1e6
        let system = Double(usage.ru_stime.tv_sec) + Double(usage.ru_stime.tv_usec) / 1e6
        reply.body.append("# HELP process_cpu_seconds_total User and system time.\n")
        reply.body.append("# TYPE process_cpu_seconds_total counter\n")
        reply.body.append(text: "process_cpu_seconds_total \(user + system)\n")
        metrics.number(
            "process_max_resident_memory_bytes",
            "gauge",
            "Most memory ever resident.",
            Int(usage.ru_maxrss) * 1024,
            &reply.body
        )
    }

    /// GET of the viewer's files.
    func readFile(_ call: Call) throws(RequestRefusal) {
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
