// A change as JSON: what `ChangeRequest` reads. Members that say nothing are left out, so that
// equal changes give equal bytes.
public import HoldfastBasics
internal import HoldfastJSONCoding
public import HoldfastRecords

extension Change {
    /// Appends the body of `POST /v1/changes`; a change that is numbered, requires others or
    /// belongs to a job has members only `/v1/mirror` takes.
    ///
    /// Shape: `{"id","why"?,"madeAt"?,"deviceSeq"?,"requires"?:[..],"job"?,"operations":[{"<name>":
    /// {...}},...]}`.
    public func append(to buffer: inout ByteBuffer) {
        buffer.append("{\"id\":")
        buffer.appendQuoted(id)
        if !why.isEmpty {
            buffer.append(",\"why\":")
            buffer.appendJSONString(why)
        }
        if madeAt != 0 {
            buffer.append(",\"madeAt\":")
            buffer.appendTime(madeAt)
        }
        if deviceSeq != 0 {
            buffer.append(",\"deviceSeq\":")
            buffer.append(decimal: deviceSeq)
        }
        if !requires.isEmpty {
            buffer.append(",\"requires\":")
            buffer.appendList(requires) { $1.appendQuoted($0) }
        }
        if jobID != .none {
            buffer.append(",\"job\":")
            buffer.appendQuoted(jobID)
        }
        buffer.append(",\"operations\":")
        buffer.appendList(operations) { $0.append(to: &$1) }
        buffer.append("}")
    }

    /// Digest of the change as a caller's: what must be the same when its id is used again.
    ///
    /// It is taken of what the change means, not of the bytes it came in.
    ///
    /// - Parameter caller: Who proposes it.
    /// - Returns: The digest; never zero in practice.
    public func digest(by caller: Caller) -> Hash128 {
        var body = ByteBuffer(capacity: 1024)
        body.appendJSONString(caller.user)
        body.appendJSONString(caller.device)
        append(to: &body)
        return SHA256.digest(body.view).truncated
    }
}

extension Operation {
    /// Appends `{"<name>":{...}}`.
    public func append(to buffer: inout ByteBuffer) {
        switch self {
        case .put(let write): write.append("{\"put\":{\"tree\":", to: &buffer)
        case .patch(let write): write.append("{\"patch\":{\"tree\":", to: &buffer)
        case .delete(let target): target.append("{\"delete\":{\"tree\":", to: &buffer)
        case .release(let target, let number):
            target.append("{\"release\":{\"tree\":", to: &buffer)
            if number != 0 {
                buffer.append(",\"released\":")
                buffer.append(decimal: number)
            }
        case .setState(let target, let state):
            target.append("{\"setState\":{\"tree\":", to: &buffer)
            buffer.append(",\"state\":")
            state.appendJSON(to: &buffer)
        case .revise(let tree, let key, let hold):
            buffer.appendTarget("{\"revise\":{\"tree\":", tree, key)
            if let hold { buffer.appendMember(",\"hold\":", hold) }
        case .borrow(let taking): taking.append(to: &buffer)
        case .return(let id): buffer.appendMember("{\"return\":{\"borrow\":", id)
        case .cancel(let id): buffer.appendMember("{\"cancel\":{\"borrow\":", id)
        case .recall(let id, let note):
            buffer.appendMember("{\"recall\":{\"borrow\":", id)
            buffer.append(",\"note\":")
            buffer.appendJSONString(note)
        case .seize(let id): buffer.appendMember("{\"seize\":{\"borrow\":", id)
        case .setHolder(let id, let user, let device):
            buffer.appendMember("{\"setHolder\":{\"borrow\":", id)
            buffer.append(",\"holder\":{\"user\":")
            buffer.appendJSONString(user)
            buffer.append(",\"device\":")
            buffer.appendJSONString(device)
            buffer.append("}")
        case .reserve(let tree, let range, let count):
            buffer.append("{\"reserve\":{\"tree\":")
            buffer.appendJSONString(tree.description)
            buffer.append(",\"count\":")
            buffer.append(decimal: count)
            buffer.appendMember(",\"range\":", range)
        case .defineTree(let tree, let definition):
            buffer.append("{\"defineTree\":{\"tree\":")
            buffer.appendJSONString(tree.description)
            buffer.append(",\"definition\":")
            definition.appendJSON(to: &buffer)
        }
        buffer.append("}}")
    }
}

extension WriteOperation {
    fileprivate func append(_ start: StaticString, to buffer: inout ByteBuffer) {
        buffer.appendTarget(start, tree, key)
        buffer.appendMember(expects)
        if let borrow { buffer.appendMember(",\"borrow\":", borrow) }
        if let hold { buffer.appendMember(",\"hold\":", hold) }
        if let schema { buffer.appendSchemaMember(schema) }
        if isMigration { buffer.append(",\"migrate\":true") }
        buffer.append(",\"value\":")
        buffer.append(value)
    }
}

extension RecordOperation {
    fileprivate func append(_ start: StaticString, to buffer: inout ByteBuffer) {
        buffer.appendTarget(start, tree, key)
        buffer.appendMember(expects)
        if let borrow { buffer.appendMember(",\"borrow\":", borrow) }
    }
}

extension BorrowOperation {
    fileprivate func append(to buffer: inout ByteBuffer) {
        buffer.appendTarget("{\"borrow\":{\"tree\":", tree, key)
        buffer.appendMember(",\"borrow\":", borrow)
        if kind != .held {
            buffer.append(",\"kind\":")
            buffer.appendJSONString(kind.rawValue)
        }
        if let termSeconds {
            buffer.append(",\"termSeconds\":")
            buffer.append(decimal: termSeconds)
        }
        if !note.isEmpty {
            buffer.append(",\"note\":")
            buffer.appendJSONString(note)
        }
        if let dueAt {
            buffer.append(",\"dueAt\":")
            buffer.appendTime(dueAt)
        }
        if queue { buffer.append(",\"queue\":true") }
    }
}

extension ByteBuffer {
    fileprivate mutating func appendTarget(
        _ start: StaticString,
        _ tree: TreeName,
        _ key: RecordKey?
    ) {
        append(start)
        appendJSONString(tree.description)
        guard let key else { return }
        append(",\"key\":")
        key.appendJSON(to: &self)
    }

    fileprivate mutating func appendMember(_ before: StaticString, _ id: UniqueID) {
        append(before)
        appendQuoted(id)
    }

    fileprivate mutating func appendMember(_ expects: Expectation?) {
        switch expects {
        case nil: return
        case .absent: append(",\"expects\":\"absent\"")
        case .version(let position):
            append(",\"expects\":")
            appendQuoted(position)
        case .change(let id):
            append(",\"expects\":\"change:")
            append(id)
            append("\"")
        }
    }
}
