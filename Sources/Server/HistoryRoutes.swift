// What happened: to one record, newest first, and in one commit.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastHTTP
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

extension LoopServer {
    // MARK: Of a record

    /// GET of a record's history: its versions and removals, as far as they are kept.
    func readHistory(_ call: Call) throws(RequestRefusal) {
        try Parameters.check(target, ["revision", "limit", "cursor"])
        let name = try Parameters.tree(target.segment(2))
        let revision = try Parameters.single(target, "revision")
        let selection = try shaped { () throws(ShapeRefusal) in
            try RevisionSelection(parameter: revision)
        }
        let limit = Int(
            try Parameters.number(target, "limit", 1...UInt64(Limits.pageCountMax))
                ?? UInt64(Limits.pageCountDefault)
        )
        let cursorText = try Parameters.single(target, "cursor")
        let begun = try store.read { reader throws(RequestRefusal) -> HistoryPage? in
            reply.position = reader.state.position(of: reader.durable)
            let tree = try findTree(name, reader)
            let id = try shaped { () throws(ShapeRefusal) in
                try KeyChoice.id(path: target.segment(3), kind: tree.declaration.keys)
            }
            guard let (key, last) = reader.lastEffect(on: id, selection, tree) else {
                throw RequestRefusal(
                    .notFound,
                    "There is no such record \(id.text) in \(tree.name), and nothing is known of "
                        + "one."
                )
            }
            if let seq = reader.wait(for: last) {
                reply.retriesAfter = seq
                return nil
            }
            let parameters = [name.description, "history", id.text, "\(key.revision)"]
            var page = HistoryPage(tree: name, key: key, parameters: parameters)
            if let cursorText {
                let cursor = try shaped { () throws(ShapeRefusal) in
                    try ListCursor(cursorText, parameters: parameters, isSorted: true)
                }
                page.next = cursor.seq
            } else {
                page.next = reader.withEffect(at: last) { $1.seq }
            }
            return page
        }
        guard var page = begun else { return }
        do {
            try appendHistory(&page, limit)
        } catch {
            throw unreadable(error)
        }
    }

    /// A commit that does not read as one, though its checksum fits.
    func unreadable(_ error: any Error) -> RequestRefusal {
        shared.logger.log(.error, "changes.unreadable", ["error": "\(error)"])
        return RequestRefusal(.internalError, "The log cannot be read; run holdfast verify.")
    }

    private func appendHistory(_ history: inout HistoryPage, _ limit: Int) throws {
        reply.json()
        var page = ListPage(.history, in: &reply.body)
        while history.next != nil, page.count < limit,
            reply.body.count < Limits.bodyByteCountMax
        {
            try store.read { reader in
                let end = min(limit, page.count + Limits.lockedEntryCountMax)
                try history.step(reader, to: end, &page, &reply.body)
            }
        }
        let cursor = history.next.map { seq in
            ListCursor(
                after: history.key,
                .value((0..<8).map { UInt8(truncatingIfNeeded: seq >> (56 - 8 * $0)) }),
                at: reply.position ?? shared.durablePosition(),
                parameters: history.parameters
            )
        }
        page.end(next: cursor, isTruncated: history.isTruncated, in: &reply.body)
    }

    // MARK: Of a commit

    /// GET of one commit, as far as the caller may see it.
    func readChange(_ call: Call) throws(RequestRefusal) {
        try Parameters.check(target, [])
        // Before it is compared: it keeps what a compaction drops meanwhile.
        let reader = store.logReader()
        let position = try known(target.segment(2), "seq")
        let filter = CommitFilter.all.limited(to: access?.rights.readable)
        guard position.seq == 0 || position.seq >= reader.oldest else {
            throw RequestRefusal(.compacted, "Commit \(position) is not kept any more.")
        }
        do {
            var cursor = try reader.cursor(before: position.seq)
            if let frame = try cursor?.next(),
                try CommitMessage.append(CommitView(frame.content), filter, to: &reply.body)
            {
                reply.json()
                return
            }
        } catch {
            throw unreadable(error)
        }
        throw RequestRefusal(.notFound, "There is no commit \(position).")
    }
}

/// A page of a record's history while it is written.
///
/// Versions are kept by their seq between two holds of the lock: a compaction moves places.
private struct HistoryPage {
    let tree: TreeName
    let key: RecordKey
    /// By which a cursor knows its list.
    let parameters: [String]
    /// The version that comes next; nil after the last.
    var next: UInt64?
    /// Whether there was more that is not kept any longer.
    var isTruncated = false

    init(tree: TreeName, key: RecordKey, parameters: [String]) {
        self.tree = tree
        self.key = key
        self.parameters = parameters
    }

    /// Appends versions until the page has `end` of them.
    mutating func step(
        _ reader: StoreReader,
        to end: Int,
        _ page: inout ListPage,
        _ body: inout ByteBuffer
    ) throws {
        var location: Location?
        if let tree = reader.state.tree(tree), let last = reader.state.location(tree, key),
            let next
        {
            location = reader.version(of: key, last: last, at: next)
        }
        while let found = location, page.count < end, body.count < Limits.bodyByteCountMax {
            page.beginElement(in: &body)
            let before = try reader.withEffect(at: found) { effect, commit in
                try HistoryEntry.append(
                    effect,
                    of: commit,
                    reader.state.position(of: commit.seq),
                    to: &body
                )
                return effect.previousSeq
            }
            next = before > 0 ? before : nil
            guard next != nil else { return }
            location = reader.state.version(before: found)
        }
        guard location == nil else { return }
        (next, isTruncated) = (nil, true)
    }
}

extension ListCursor {
    /// The commit a history goes on with; 0, which is none, when the cursor is of another list.
    fileprivate var seq: UInt64 {
        guard case .value(let form?) = place else { return 0 }
        return form.reduce(0) { $0 << 8 | UInt64($1) }
    }
}

extension StoreReader {
    /// The last effect on the revision a reader of history means, be it a removal.
    fileprivate func lastEffect(
        on id: RecordID,
        _ selection: RevisionSelection,
        _ tree: TreeState
    ) -> (key: RecordKey, location: Location)? {
        var found: (key: RecordKey, location: Location)?
        var stands = false
        state.forEachRevision(tree, of: id) { key, location in
            let (isSet, isReleased) = withEffect(at: location) { effect, _ in
                (effect.isSet, effect.isSet && effect.state.isReleased)
            }
            switch selection {
            case .number(let wanted): if key.revision == wanted { found = (key, location) }
            case .released: if isReleased { found = (key, location) }
            case .latest: if isSet || !stands { found = (key, location) }
            }
            stands = stands || isSet
            return true
        }
        return found
    }
}
