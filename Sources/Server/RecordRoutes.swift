// One record: read, create, replace, patch, delete, release, revise, change its state.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastHTTP
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

/// What keys of a tree look like; it never changes.
///
/// Nothing depends on that but which refusal a bad key gets: the store judges every write anew.
struct KeyForm {
    let kind: KeyKind
    let isVersioned: Bool
}

extension LoopServer {
    // MARK: Reading

    /// GET and HEAD of a record: its value, or its envelope with `meta=true`.
    func readRecord(_ call: Call) throws(RequestRefusal) {
        try Parameters.check(target, ["revision", "meta", "at"])
        let name = try tree(target.segment(2))
        let revision = try Parameters.single(target, "revision")
        let selection = try shaped { () throws(ShapeRefusal) in
            try RevisionSelection(parameter: revision)
        }
        let wantsEnvelope = try Parameters.flag(target, "meta")
        let condition = try readCondition(call.head)
        if let then = try Parameters.single(target, "at") {
            try readRecord(at: then, selection, wantsEnvelope: wantsEnvelope, condition)
            return
        }
        let refusal = try store.read { reader throws(RequestRefusal) -> Refusal? in
            reply.position = reader.state.position(of: reader.durable)
            let tree = try findTree(name, reader)
            let durable = reader.durable
            if let location = try find(selection, tree, reader) {
                let (effect, commit) = reader.effect(at: location)
                if effect.isSet {
                    if commit.seq > durable {
                        reply.retriesAfter = commit.seq
                    } else if wantsEnvelope {
                        let reference = RecordReference(tree: tree.name, location: location)
                        reply.json()
                        appendEnvelope(reference, reader, to: &reply.body)
                    } else {
                        show(effect, commit, reader.state.position(of: commit.seq), condition)
                        if tree.hasBorrows, reply.status == .ok {
                            appendHolder(of: effect.key, tree, reader)
                        }
                    }
                    return nil
                }
            }
            if let seq = reader.wait(for: tree) { reply.retriesAfter = seq }
            return missing(try id(in: tree), selection, tree, reader)
        }
        if reply.retriesAfter == nil, let refusal { throw RequestRefusal(refusal) }
    }

    /// If-None-Match of a read.
    func readCondition(_ head: RequestHead) throws(RequestRefusal) -> EntityTagCondition? {
        do throws(HTTPError) {
            return try EntityTagCondition.read("if-none-match", head)
        } catch {
            throw RequestRefusal(.badHeader, error.reason)
        }
    }

    /// A tree that may be read over REST.
    func findTree(_ name: TreeName, _ reader: StoreReader) throws(RequestRefusal) -> TreeState {
        guard name != .tokens, mayRead(name), let tree = reader.state.tree(name) else {
            throw RequestRefusal(
                .unknownTree,
                "There is no tree \(name). GET /v1/trees lists those there are."
            )
        }
        return tree
    }

    /// Where the version lies that a read means, or the effect that deleted it.
    ///
    /// - Throws: `badKey`, where that has to be known.
    private func find(
        _ selection: RevisionSelection,
        _ tree: TreeState,
        _ reader: StoreReader
    ) throws(RequestRefusal) -> Location? {
        let state = reader.state
        let text = target.segment(3)
        switch selection {
        case .number(let revision): return state.location(tree, text: text, revision: revision)
        case .latest where !tree.declaration.isVersioned:
            return state.location(tree, text: text, revision: 0)
        case .latest: return state.revision(tree, of: try id(in: tree), .latest, at: .max)?.location
        case .released:
            return state.revision(tree, of: try id(in: tree), .released, at: .max)?.location
        }
    }

    /// The id a path names.
    private func id(in tree: TreeState) throws(RequestRefusal) -> RecordID {
        try shaped { () throws(ShapeRefusal) in
            try KeyChoice.id(path: target.segment(3), kind: tree.declaration.keys)
        }
    }

    private func appendHolder(of key: RecordKey, _ tree: TreeState, _ reader: StoreReader) {
        guard let holder = holder(tree, key, reader) else { return }
        reply.fields.append("holdfast-borrow: ")
        HeaderText.appendBorrow(holder, to: &reply.fields)
        reply.fields.append("\r\n")
    }

    /// 404, or 410 with who deleted it.
    private func missing(
        _ id: RecordID,
        _ selection: RevisionSelection,
        _ tree: TreeState,
        _ reader: StoreReader
    ) -> Refusal {
        var deleted: Location?
        switch selection {
        case .number(let revision):
            deleted = reader.state.location(tree, RecordKey(id, revision: revision))
        case .latest: deleted = reader.state.lastLocation(tree, of: id)
        case .released: deleted = nil
        }
        guard let deleted else {
            return Refusal(.notFound, "There is no such record \(id.text) in \(tree.name).")
        }
        return Self.deletion(of: id, tree, deleted, reader)
    }

    /// 410: who deleted a record, and when.
    static func deletion(
        of id: RecordID,
        _ tree: TreeState,
        _ location: Location,
        _ reader: StoreReader
    ) -> Refusal {
        reader.withEffect(at: location) { effect, commit in
            Refusal(
                .deleted,
                "Record \(id.text) of \(tree.name) was deleted.",
                ended: Ending(effect, of: commit)
            )
        }
    }

    /// A version as its value and header fields; 304 where the reader has it.
    func show(
        _ effect: EffectView,
        _ commit: CommitView,
        _ version: Position,
        _ condition: EntityTagCondition?
    ) {
        if let condition, Self.matches(condition, version) {
            appendTag(version)
            reply.status = .notModified
            return
        }
        reply.fields.append("last-modified: ")
        lastModified.update(milliseconds: commit.at)
        reply.fields.append(lastModified.text)
        reply.fields.append("\r\n")
        appendFields(effect, version)
        reply.json()
        reply.body.append(effect.value)
    }

    private static func matches(_ condition: EntityTagCondition, _ version: Position) -> Bool {
        var tag = ByteBuffer(capacity: 48)
        version.append(to: &tag)
        return condition.matchesWeakly(tag.view)
    }

    /// The header fields that tell of a record.
    func appendFields(_ effect: EffectView, _ version: Position) {
        appendTag(version)
        reply.fields.append("holdfast-key: ")
        if let number = effect.number {
            reply.fields.append(decimal: number)
        } else {
            PercentEncoding.append(effect.name, to: &reply.fields)
        }
        reply.fields.append("\r\nholdfast-revision: ")
        reply.fields.append(decimal: effect.revision)
        reply.fields.append("\r\nholdfast-state: ")
        reply.fields.append(text: effect.state.description)
        reply.fields.append("\r\n")
        if effect.schema != .none {
            reply.fields.appendField("holdfast-schema", text: effect.schema.description)
        }
    }

    /// The version of a record as its entity tag.
    func appendTag(_ version: Position) {
        reply.fields.append("etag: \"")
        append(version, to: &reply.fields)
        reply.fields.append("\"\r\n")
    }

    // MARK: Writing

    /// PUT, PATCH and DELETE of a record.
    func writeRecord(_ call: Call) throws(RequestRefusal) {
        try Parameters.check(target, ["revision", "dryRun"])
        let (tree, key) = try namedKey()
        let expects = try call.expectation()
        let borrow = try call.borrow()
        let operation: Operation
        switch call.method {
        case .delete:
            try requireNoBody(call)
            guard expects != .absent else {
                throw RequestRefusal(.badHeader, "A deletion takes If-Match, not If-None-Match.")
            }
            operation = .delete(
                RecordOperation(tree: tree, key: key, expects: expects, borrow: borrow)
            )
        case .patch:
            try requireType(call, "application", "merge-patch+json")
            guard expects != .absent else {
                throw RequestRefusal(.badHeader, "A patch takes If-Match, not If-None-Match.")
            }
            operation = .patch(try write(call, tree, key, expects, borrow))
        default:
            try requireType(call, "application", "json")
            operation = .put(try write(call, tree, key, expects, borrow))
        }
        try submit(call, try change(call, [operation]))
    }

    /// POST of a record: the server chooses its id.
    func createRecord(_ call: Call) throws(RequestRefusal) {
        try Parameters.check(target, ["dryRun"])
        let name = try tree(target.segment(2))
        guard try keyForm(of: name).kind == .id || name.isSystem else {
            throw RequestRefusal(
                .methodNotAllowed,
                "Records of \(name) have names. PUT the record by its name."
            )
        }
        try requireType(call, "application", "json")
        let operation = Operation.put(try write(call, name, nil, .absent, nil))
        try submit(call, try change(call, [operation]))
    }

    private func write(
        _ call: Call,
        _ tree: TreeName,
        _ key: RecordKey?,
        _ expects: Expectation?,
        _ borrow: UniqueID?
    ) throws(RequestRefusal) -> WriteOperation {
        WriteOperation(
            tree: tree,
            key: key,
            expects: expects,
            borrow: borrow,
            schema: call.schema,
            value: try shaped { () throws(ShapeRefusal) in try RequestBody.value(call.body) }
        )
    }

    /// POST of `/release`, `/revise` and `/state`.
    func changeLifecycle(_ call: Call) throws(RequestRefusal) {
        try Parameters.check(target, ["revision", "dryRun"])
        if call.head.hasContent { try requireType(call, "application", "json") }
        let (tree, key) = try namedKey()
        let operation: Operation
        if call.route == .revise {
            let hold = try shaped { () throws(ShapeRefusal) in try RequestBody.revise(call.body) }
            operation = .revise(tree: tree, key: key, hold: hold)
        } else {
            let record = RecordOperation(
                tree: tree,
                key: key,
                expects: try call.expectation(),
                borrow: try call.borrow()
            )
            if call.route == .release {
                let number = try shaped { () throws(ShapeRefusal) in
                    try RequestBody.release(call.body)
                }
                operation = .release(record, number: number)
            } else {
                let state = try shaped { () throws(ShapeRefusal) in
                    try RequestBody.state(call.body)
                }
                operation = .setState(record, state)
            }
        }
        try submit(call, try change(call, [operation]))
    }

    // MARK: Helpers

    /// The tree and key a path names for a write.
    private func namedKey() throws(RequestRefusal) -> (TreeName, RecordKey) {
        let name = try tree(target.segment(2))
        let revision = try Parameters.single(target, "revision")
        let form = try keyForm(of: name)
        let key = try shaped { () throws(ShapeRefusal) in
            try KeyChoice(path: target.segment(3), kind: form.kind, revision: revision)
                .key(isVersioned: form.isVersioned)
        }
        return (name, key)
    }

    /// What keys of a tree look like, without the store's lock for a tree this loop has met.
    private func keyForm(of name: TreeName) throws(RequestRefusal) -> KeyForm {
        if let form = keyForms[name], mayRead(name) { return form }
        let form = try store.read { reader throws(RequestRefusal) in
            let declaration = try findTree(name, reader).declaration
            return KeyForm(kind: declaration.keys, isVersioned: declaration.isVersioned)
        }
        keyForms[name] = form
        return form
    }

    func requireType(
        _ call: Call,
        _ type: StaticString,
        _ subtype: StaticString
    ) throws(RequestRefusal) {
        if let value = try Call.single(call.head, "content-type"), let media = MediaType(value),
            media.isType(type, subtype)
        {
            // JSON is UTF-8 (RFC 8259, section 8.1); another charset would be read wrongly.
            let isUTF8 = media.parameter("charset").map { charset in
                charset.withView { $0.equalsIgnoringCase("utf-8") }
            }
            if isUTF8 ?? true { return }
        }
        throw RequestRefusal(
            .unsupportedMediaType,
            "Send Content-Type: \(type)/\(subtype) with a body of that type, in UTF-8."
        )
    }

    func requireNoBody(_ call: Call) throws(RequestRefusal) {
        guard call.body.isEmpty else {
            throw RequestRefusal(.badBody, "A \(call.method.name) takes no body.")
        }
    }

    /// Lets the refusal of a shape out as one of a request.
    func shaped<T>(_ body: () throws(ShapeRefusal) -> T) throws(RequestRefusal) -> T {
        do throws(ShapeRefusal) {
            return try body()
        } catch {
            throw RequestRefusal(error.refusal)
        }
    }
}
