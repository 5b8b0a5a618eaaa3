// One record as it was at an earlier position: `at=epoch:seq`.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastHTTP
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

extension LoopServer {
    /// The position of a path or a parameter that must be one of this history and durable.
    ///
    /// - Throws: `badParameter`, `diverged`, `notYet`.
    func known(_ text: ByteView, _ name: String) throws(RequestRefusal) -> Position {
        guard let position = Position(text) else {
            throw RequestRefusal(.badParameter, "\(name) is epoch:seq.", field: name)
        }
        let (durable, own) = store.read {
            ($0.durable, $0.state.position(of: position.seq))
        }
        guard own.epoch == position.epoch else {
            throw RequestRefusal(.diverged, "Position \(position) is of another history.")
        }
        guard position.seq <= durable else {
            throw RequestRefusal(
                .notYet,
                "Position \(position) is not reached; the server is at \(durable). Ask again."
            )
        }
        return position
    }

    /// GET of a record with `at`: as it was then, without its borrower.
    ///
    /// - Throws: `notFound`, `deleted`, `compacted`, and what the parameters are refused for.
    func readRecord(
        at text: ByteView,
        _ selection: RevisionSelection,
        wantsEnvelope: Bool,
        _ condition: EntityTagCondition?
    ) throws(RequestRefusal) {
        let then = try known(text, "at")
        let name = try Parameters.tree(target.segment(2))
        reply.position = then
        try store.read { reader throws(RequestRefusal) in
            let tree = try findTree(name, reader)
            let id = try shaped { () throws(ShapeRefusal) in
                try KeyChoice.id(path: target.segment(3), kind: tree.declaration.keys)
            }
            switch reader.find(id, selection, tree, at: then.seq) {
            case .stood(let location):
                show(location, name, reader, wantsEnvelope, condition)
            case .removed(let location):
                throw RequestRefusal(Self.deletion(of: id, tree, location, reader))
            case .none where reader.oldest.seq <= then.seq:
                throw RequestRefusal(
                    .notFound,
                    "There was no such record \(id.text) in \(tree.name) at \(then)."
                )
            // What was removed long ago is forgotten, and not known from what never was.
            case .none, .dropped:
                throw RequestRefusal(
                    .compacted,
                    "What \(id.text) of \(tree.name) was at \(then) is not kept any more."
                )
            }
        }
    }
}

extension LoopServer {
    private func show(
        _ location: Location,
        _ tree: TreeName,
        _ reader: StoreReader,
        _ wantsEnvelope: Bool,
        _ condition: EntityTagCondition?
    ) {
        reader.withEffect(at: location) { effect, commit in
            let version = reader.state.position(of: commit.seq)
            guard wantsEnvelope else {
                show(effect, commit, version, condition)
                return
            }
            reply.json()
            let facts = RecordFacts(tree: tree, version: version)
            Envelope.append(effect, of: commit, facts, to: &reply.body)
        }
    }
}

extension StoreReader {
    /// What is known of the revision a reader of an earlier position means.
    fileprivate func find(
        _ id: RecordID,
        _ selection: RevisionSelection,
        _ tree: TreeState,
        at seq: UInt64
    ) -> VersionThen {
        var found = VersionThen.none
        state.forEachRevision(tree, of: id) { key, last in
            if case .number(let wanted) = selection, key.revision != wanted { return true }
            switch state.versionThen(from: last, at: seq) {
            case .stood(let location):
                if selection == .released,
                    !withEffect(at: location, { effect, _ in effect.state.isReleased })
                {
                    break
                }
                found = .stood(location)
            // A revision that stands counts for more than a later one that was removed.
            case .removed(let location):
                if case .stood = found { break }
                if selection != .released, found != .dropped { found = .removed(location) }
            case .none: break
            // It may have stood; but what was released then is kept for ever.
            case .dropped: if selection != .released { found = .dropped }
            }
            return true
        }
        return found
    }
}
