// GET of `/metrics`: what the server counts, what the store holds, and what the system knows of the
// process.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastNetworking
internal import HoldfastRecords
internal import HoldfastStore

extension LoopServer {
    /// GET of `/metrics`.
    func readMetrics(_ call: Call) throws(RequestRefusal) {
        try Parameters.check(target, [])
        reply.type("text/plain; version=0.0.4; charset=utf-8")
        metrics.write(into: &reply.body)
        appendServer()
        appendStore()
        appendProcess()
    }

    private func gauge<N: BinaryInteger>(_ name: String, _ help: String, _ value: N) {
        metrics.number(name, "gauge", help, value, &reply.body)
    }

    private func counter<N: BinaryInteger>(_ name: String, _ help: String, _ value: N) {
        metrics.number(name, "counter", help, value, &reply.body)
    }

    private func seconds(_ name: String, _ type: String, _ help: String, _ value: Double) {
        reply.body.append(
            text: "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n\(name) \(value)\n"
        )
    }

    private func appendServer() {
        reply.body.append("# HELP holdfast_build_info What is running; always 1.\n")
        reply.body.append("# TYPE holdfast_build_info gauge\n")
        reply.body.append(text: "holdfast_build_info{version=\"\(shared.version)\"} 1\n")
        let elapsed = time.monotonicNanoseconds() - shared.startNanoseconds
        seconds("holdfast_uptime_seconds", "gauge", "Since it serves.", Double(elapsed) / 1e9)
        gauge(
            "holdfast_connections_limit",
            "Most connections there may be.",
            configuration.connectionCountMax
        )
        counter(
            "holdfast_accept_pauses_total",
            "Times a loop stopped accepting, out of descriptors or of places for connections.",
            shared.acceptPauses.withLock { $0 }()
        )
        if let log = shared.accessLog {
            counter(
                "holdfast_access_log_dropped_total",
                "Lines of the access log that were lost: its disk is too slow, or full.",
                log.file.droppedCount
            )
        }
        guard let tls = configuration.tls else { return }
        gauge(
            "holdfast_tls_certificate_left_seconds",
            "For which the certificate in use is good.",
            tls.secondsLeft
        )
    }

    private func appendStore() {
        let (head, durable, oldest, snapshot) = store.read { reader in
            (
                reader.state.head, reader.durable, reader.oldest.seq,
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
        let live = records.filter { !$0.0 }.reduce(0) { $0 + $1.1 }
        let healing = store.read(\.healing)
        counter("holdfast_commits_total", "Commits in the log.", head)
        gauge("holdfast_head_seq", "Seq of the last commit.", head)
        gauge("holdfast_durable_seq", "Seq of the last synced one.", durable)
        gauge("holdfast_oldest_seq", "The log has what follows it.", oldest)
        gauge("holdfast_snapshot_seq", "Seq of the newest snapshot; 0 for none.", snapshot)
        gauge("holdfast_records", "Live records of all trees.", live)
        gauge("holdfast_trees", "Trees declared.", records.count { !$0.0 })
        gauge("holdfast_log_bytes", "Bytes of the log.", logBytes)
        gauge("holdfast_index_bytes", "Memory of the indexes.", indexBytes)
        gauge(
            "holdfast_indexes_growing",
            "Indexes of fields that do not answer yet.",
            growing
        )
        gauge("holdfast_pins", "Readers pinned.", store.pinCount)
        gauge("holdfast_writable", "1 while writes are taken.", store.writeRefusal == nil ? 1 : 0)
        gauge(
            "holdfast_healing",
            "1 while a restored database takes no writes yet.",
            healing == nil ? 0 : 1
        )
        gauge(
            "holdfast_healing_mirrors_ahead",
            "Mirrors that have shown commits which a restored database lacks.",
            healing?.ahead.count ?? 0
        )
    }

    /// Source: the names of Prometheus' client libraries for a process.
    private func appendProcess() {
        let process = ProcessStatus()
        seconds(
            "process_cpu_seconds_total",
            "counter",
            "User and system time.",
            process.cpuSeconds
        )
        gauge("process_max_fds", "Most descriptors it may have open.", process.descriptorCountMax)
        if let count = process.descriptorCount {
            gauge("process_open_fds", "Descriptors it has open.", count)
        }
        if let count = process.residentByteCount {
            gauge("process_resident_memory_bytes", "Memory it has in RAM.", count)
        }
        if let count = process.virtualByteCount {
            gauge("process_virtual_memory_bytes", "Addresses it has taken.", count)
        }
        if let start = process.startSeconds {
            seconds(
                "process_start_time_seconds",
                "gauge",
                "When it was started, in seconds since 1970.",
                start
            )
        }
    }
}
