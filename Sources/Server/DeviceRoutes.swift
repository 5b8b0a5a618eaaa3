// Devices: how far each is, what it has, and how one is forgotten.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastHTTP
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

extension LoopServer {
    /// GET of all devices, by id.
    func listDevices(_ call: Call) throws(RequestRefusal) {
        try Parameters.check(target, ["limit", "cursor"])
        let limit = Int(
            try Parameters.number(target, "limit", 1...UInt64(Limits.pageCountMax))
                ?? UInt64(Limits.pageCountDefault)
        )
        let parameters = ["devices"]
        var after: [UInt8]?
        if let text = try Parameters.single(target, "cursor") {
            let cursor = try shaped { () throws(ShapeRefusal) in
                try ListCursor(text, parameters: parameters)
            }
            after = Array(cursor.last.id.text.utf8)
        }
        try store.read { reader throws(RequestRefusal) in
            if waits(reader) { return }
            let all = try readableDevices(reader).filter { device in
                after.map { $0.lexicographicallyPrecedes(device.id.utf8) } ?? true
            }
            let shown = all.prefix(limit)
            reply.json()
            var page = ListPage(.devices, in: &reply.body)
            for document in documents(of: shown, reader) {
                page.beginElement(in: &reply.body)
                document.append(to: &reply.body)
            }
            let next = shown.last.flatMap { last in
                all.count > limit
                    ? ListCursor(
                        after: RecordKey(name: last.id),
                        at: reader.state.position(of: reader.durable),
                        parameters: parameters
                    ) : nil
            }
            appendLink("/v1/devices", limit, [], next)
            page.end(next: next, in: &reply.body)
        }
    }

    /// GET of the caller's own device.
    func readOwnDevice(_ call: Call) throws(RequestRefusal) {
        try Parameters.check(target, [])
        try store.read { reader throws(RequestRefusal) in
            if waits(reader) { return }
            guard let device = reader.state.device(call.caller.device) else {
                throw RequestRefusal(
                    .notFound,
                    "Nothing is known of device \(call.caller.device): it never was a mirror here."
                )
            }
            reply.json()
            for document in documents(of: [device], reader) { document.append(to: &reply.body) }
        }
    }

    /// DELETE of a device.
    func forgetDevice(_ call: Call) throws(RequestRefusal) {
        try Parameters.check(target, ["force"])
        let isForced = try Parameters.flag(target, "force")
        try requireNoBody(call)
        let id = target.segment(2).text
        let submission = store.forgetDevice(
            id,
            isForced: isForced,
            try change(call, []),
            by: call.caller,
            rights: access?.rights
        )
        reply.position = submission.position
        if case .refused(let position, let refusal) = submission {
            refuse(single: refusal, position)
            return
        }
        if case .replayed = submission {
            reply.fields.appendField("idempotency-replayed", "true")
        }
        shared.sightings.forget(id)
        reply.waitsFor = submission.position.seq
        reply.status = .noContent
    }

    /// Whether what is told of devices must be durable first.
    private func waits(_ reader: StoreReader) -> Bool {
        for name in [TreeName.devices, .borrows, .ranges] {
            guard let tree = reader.state.tree(name), let seq = reader.wait(for: tree) else {
                continue
            }
            reply.retriesAfter = max(reply.retriesAfter ?? 0, seq)
        }
        return reply.retriesAfter != nil
    }

    private func readableDevices(_ reader: StoreReader) throws(RequestRefusal) -> [DeviceRecord] {
        do throws(ApplyError) {
            return try reader.state.devices()
        } catch {
            shared.logger.log(.error, "devices.unreadable", ["error": "\(error)"])
            throw RequestRefusal(.internalError, "A device cannot be read by this version.")
        }
    }

    /// What is told of devices, as far as the caller may know of trees.
    private func documents(
        of devices: some Sequence<DeviceRecord>,
        _ reader: StoreReader
    ) -> [DeviceDocument] {
        let trees = reader.state.allTrees.filter { mayRead($0.name) }
            .sorted { $0.name < $1.name }
        let keysLeft = trees.map { ($0.name, $0.idsLeft) }
        var borrowCounts: [String: Int] = [:]
        for borrow in trees.lazy.flatMap({ $0.borrows }) {
            borrowCounts[borrow.device, default: 0] += 1
        }
        let durable = reader.durable
        return devices.map { device in
            let seen = shared.sightings[device.id]
            let sent = seen.map { min($0.sentSeq, durable) }
            return DeviceDocument(
                device,
                keysLeft: keysLeft.compactMap { name, left in
                    left[device.id].map { (tree: name, count: $0) }
                },
                borrowCount: borrowCounts[device.id] ?? 0,
                isConnected: (seen?.connections.value ?? 0) > 0,
                lastSeen: seen?.lastSeen,
                position: sent.map { reader.state.position(of: $0) },
                lag: sent.map { durable - $0 }
            )
        }
    }
}
