// From a change to the reply that waits for it.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastHTTP
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

extension LoopServer {
    /// The change of a request that is one operation.
    func change(_ call: Call, _ operations: [Operation]) throws(RequestRefusal) -> Change {
        let key = call.idempotencyKey
        return Change(
            id: key ?? newID(),
            digest: key == nil ? .zero : call.digest(target),
            why: call.why,
            operations: operations
        )
    }

    /// A new UUID, for callers that give none.
    func newID() -> UniqueID {
        .version7(milliseconds: time.wallMilliseconds(), random: shared.random)
    }

    /// Submits a change, or, in a dry run, tells what it would lead to.
    ///
    /// - Returns: nil when the reply is made.
    /// - Throws: `badParameter`.
    func outcome(of change: Change, _ call: Call) throws(RequestRefusal) -> Submission? {
        guard try Parameters.flag(target, "dryRun") else {
            return store.submit(change, by: call.caller, rights: access?.rights)
        }
        return tell(rehearsed: store.rehearse(change, by: call.caller, rights: access?.rights))
    }

    /// Makes the reply of a rehearsal; one that was refused is given back.
    func tell(rehearsed rehearsal: Submission) -> Submission? {
        switch rehearsal {
        case .refused: return rehearsal
        case .accepted(let position, let results), .unchanged(let position, let results),
            .replayed(let position, let results):
            if isReplayed(rehearsal) { reply.fields.appendField("idempotency-replayed", "true") }
            // What it was judged by may not be durable yet.
            let head = store.read { $0.state.position }
            reply.position = head
            reply.waitsFor = max(head.seq, position.seq)
            reply.json()
            ChangeReply.append(rehearsed: shapes(results, for: access), to: &reply.body)
            return nil
        }
    }

    /// Submits a change of one record and makes its reply.
    func submit(_ call: Call, _ change: Change) throws(RequestRefusal) {
        let submission: Submission
        if try Parameters.flag(target, "dryRun") {
            let rehearsal = store.rehearse(change, by: call.caller, rights: access?.rights)
            guard let refused = tell(rehearsed: rehearsal) else { return }
            submission = refused
        } else {
            submission = store.submit(change, by: call.caller, rights: access?.rights) {
                answer(call, $0, $1)
                return $0
            }
        }
        if case .refused(let position, let refusal) = submission {
            refuse(single: refusal, position)
        }
    }

    func isReplayed(_ submission: Submission) -> Bool {
        if case .replayed = submission { return true }
        return false
    }

    /// Makes the loop's reply a refusal of the store's or the engine's.
    func refuse(_ refusal: Refusal, _ position: Position) {
        render(refusal)
        reply.position = position
        // What refuses may itself not be durable yet: it must not be shown before it is.
        reply.waitsFor = position.seq
    }

    /// The same for a change of one operation, which need not be told apart from others.
    func refuse(single refusal: Refusal, _ position: Position) {
        var refusal = refusal
        refusal.operation = nil
        refuse(refusal, position)
    }

    /// 200, 201 or 204 for a change of one record.
    private func answer(_ call: Call, _ submission: Submission, _ reader: StoreReader) {
        let (position, results): (Position, [OperationResult])
        switch submission {
        case .refused: return
        case .accepted(let at, let made), .unchanged(let at, let made):
            (position, results) = (at, made)
        case .replayed(let at, let made):
            (position, results) = (at, made)
            reply.fields.appendField("idempotency-replayed", "true")
        }
        reply.position = position
        reply.wait(for: position.seq, durable: reader.durable)
        for result in results.reversed() {
            switch result {
            case .created(let tree, let key):
                reply.status = .created
                return describe(call, tree, key, position, reader)
            case .changed(let tree, let key):
                reply.status = .ok
                return describe(call, tree, key, position, reader)
            case .deleted:
                reply.status = .noContent
                return
            default: continue
            }
        }
    }

    /// Where the record is, and what it is now, in header fields; its value too, for callers that
    /// prefer it.
    private func describe(
        _ call: Call,
        _ tree: TreeName,
        _ key: RecordKey,
        _ position: Position,
        _ reader: StoreReader
    ) {
        let state = reader.state.tree(tree)
        appendLocation(tree, key, isVersioned: state?.declaration.isVersioned ?? false)
        guard let state, let location = reader.state.location(state, key) else { return }
        let (effect, commit) = reader.effect(at: location)
        // A resend names what its change made, which may have changed since.
        guard effect.isSet, commit.seq == position.seq else {
            appendTag(position)
            return
        }
        appendFields(effect, position)
        guard call.wantsRepresentation else { return }
        reply.json()
        reply.body.append(effect.value)
    }

    private func appendLocation(_ tree: TreeName, _ key: RecordKey, isVersioned: Bool) {
        reply.fields.append("location: ")
        HeaderText.appendLocation(tree, key, isVersioned: isVersioned, to: &reply.fields)
        reply.fields.append("\r\n")
    }

    // MARK: Envelopes

    /// The facts of a record's holder, when that was so at `seq` already.
    func holder(
        _ tree: TreeState,
        _ key: RecordKey,
        _ reader: StoreReader,
        at seq: UInt64? = nil
    ) -> BorrowFacts? {
        reader.holder(tree, key, for: caller, at: seq)
    }

    /// Appends the envelope of a record's version.
    ///
    /// Its holder is named as far as `seq` knows of it; nil means what is durable.
    func appendEnvelope(
        _ reference: RecordReference,
        _ reader: StoreReader,
        at seq: UInt64? = nil,
        to buffer: inout ByteBuffer
    ) {
        reader.appendEnvelope(reference, for: caller, at: seq, to: &buffer)
    }

    /// What the results of a change look like in JSON.
    ///
    /// - Parameters:
    ///   - results: One for each operation.
    ///   - access: What the caller's token opens by now: a change that is sent again may have been
    ///     made by more.
    /// - Returns: One for each result.
    func shapes(_ results: [OperationResult], for access: Access?) -> [ResultShape] {
        results.map { result in
            switch result {
            case .created(_, let key), .changed(_, let key), .deleted(_, let key): .key(key)
            case .borrow(let record, _) where !(access?.rights.reads(record.tree) ?? true): .nothing
            case .borrow(let record, let place): shape(record, place)
            case .range(let range): .range(range)
            case .ended, .tree: .nothing
            }
        }
    }

    private func shape(_ record: BorrowRecord, _ place: Int) -> ResultShape {
        guard place == 0 else { return .place(place) }
        var envelope = ByteBuffer()
        store.read { reader in
            guard let tree = reader.state.tree(record.tree),
                let location = reader.state.location(tree, record.key)
            else { return }
            let reference = RecordReference(tree: record.tree, location: location)
            // The reply waits for the head: the borrow just taken is shown with its record.
            appendEnvelope(reference, reader, at: reader.state.head, to: &envelope)
        }
        return envelope.isEmpty ? .nothing : .record(envelope.array)
    }
}

extension TreeState {
    /// The facts of a record's holder; nil when nobody holds it.
    func facts(of key: RecordKey, caller: Caller? = nil) -> BorrowFacts? {
        guard let record = holder(of: key) else { return nil }
        return BorrowFacts(
            id: record.id,
            user: record.user,
            device: record.device,
            takenAt: record.takenAt,
            dueAt: record.dueAt,
            note: record.note,
            queue: line(of: key).count - 1,
            isYours: record.user == caller?.user
        )
    }
}
