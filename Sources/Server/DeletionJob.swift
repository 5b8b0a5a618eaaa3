// Deletion of all records of a tree, or of those whose names begin alike: a commit for every few
// hundred of them.
//
// A record in somebody's hands, or released, is refused by a line of its own, and the rest goes on.
// Sent again, the job goes on with what is left.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastHTTP
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

/// A deletion of many records.
final class DeletionJob: Job {
    private let tree: TreeName
    private let prefix: [UInt8]?
    private let isRehearsal: Bool
    /// The last key that was looked at.
    private var after: RecordKey?
    private var deletedCount = 0

    init(
        _ call: Call,
        _ connection: Connection,
        _ tree: TreeName,
        prefix: [UInt8]?,
        isRehearsal: Bool
    ) {
        self.tree = tree
        self.prefix = prefix
        self.isRehearsal = isRehearsal
        super.init(call, connection)
        recordCount = 0
    }

    override func step() {
        let (operations, alone, isEnd) = next()
        if !operations.isEmpty, !delete(operations) {
            // Something came between: each for itself.
            for operation in operations where !isComplete && !delete([operation]) {
                refuse(operation)
            }
        }
        for operation in alone where !isComplete && !delete([operation]) { refuse(operation) }
        isComplete = isComplete || isEnd
    }

    /// The deletions of the next records, and of those that will be refused.
    private func next() -> (together: [RecordOperation], alone: [RecordOperation], isEnd: Bool) {
        var together: [RecordOperation] = []
        var alone: [RecordOperation] = []
        let isEnd = server.store.read { reader in
            guard let state = reader.state.tree(tree) else { return true }
            after = reader.state.scan(
                state,
                after: after,
                prefix: prefix,
                .all,
                at: reader.state.head,
                entryCountMax: Limits.lockedEntryCountMax
            ) { key, location in
                let (seq, isReleased) = reader.withEffect(at: location) {
                    ($1.seq, $0.state.isReleased)
                }
                let operation = RecordOperation(
                    tree: tree,
                    key: key,
                    expects: .version(reader.state.position(of: seq))
                )
                if isReleased || state.holder(of: key) != nil {
                    alone.append(operation)
                } else {
                    together.append(operation)
                }
                return true
            }
            return after == nil
        }
        return (together, alone, isEnd)
    }

    private func submission(_ operations: [RecordOperation]) -> Submission {
        let change = Change(
            id: server.newID(),
            jobID: id,
            why: why,
            operations: operations.map { .delete($0) }
        )
        return isRehearsal
            ? server.store.rehearse(change, by: caller, rights: access?.rights)
            : server.store.submit(change, by: caller, rights: access?.rights)
    }

    /// Whether records were deleted; they are told in one line.
    private func delete(_ operations: [RecordOperation]) -> Bool {
        switch submission(operations) {
        case .refused: return false
        case .accepted(let position, let results), .unchanged(let position, let results),
            .replayed(let position, let results):
            line += 1
            deletedCount += results.count
            recordCount = deletedCount
            accept(position.seq) { out in
                JobLine.append(
                    line,
                    at: position,
                    server.shapes(results, for: access),
                    isRehearsal: isRehearsal,
                    to: &out
                )
            }
            return true
        }
    }

    /// Tells why a record stays.
    private func refuse(_ operation: RecordOperation) {
        guard case .refused(let position, var refusal) = submission([operation]) else { return }
        // What is gone by itself needs no deletion.
        if refusal.code == .deleted || refusal.code == .notFound { return }
        refusal.operation = nil
        line += 1
        refuse(refusal, seq: position.seq, .record(operation.key))
    }
}

extension LoopServer {
    /// DELETE of the records of a tree: all of them, or those whose names begin alike.
    func deleteRecords(
        _ call: Call,
        _ connection: Connection
    ) throws(RequestRefusal) -> any BodyProducer {
        try Parameters.check(target, ["prefix", "all", "dryRun"])
        try requireNoBody(call)
        let name = try Parameters.tree(target.segment(2))
        let prefix = try Parameters.single(target, "prefix")?.array
        let isAll = try Parameters.flag(target, "all")
        guard (prefix != nil) != isAll, prefix.map({ !$0.isEmpty }) ?? true else {
            throw RequestRefusal(
                .badParameter,
                "Say which records are deleted: prefix=, which is not empty, or all=true.",
                field: prefix == nil ? "all" : "prefix"
            )
        }
        let isRehearsal = try Parameters.flag(target, "dryRun")
        let kind = try store.read { reader throws(RequestRefusal) in
            try findTree(name, reader).declaration.keys
        }
        guard prefix == nil || kind == .name else {
            throw RequestRefusal(
                .badParameter,
                "Keys of \(name) are numbers, which have no prefix.",
                field: "prefix"
            )
        }
        try checkIsWritable(name, kind, by: call.caller)
        return DeletionJob(call, connection, name, prefix: prefix, isRehearsal: isRehearsal)
    }

    /// Refuses a job on a tree that takes no writes, or none of the caller's, before its first
    /// line.
    func checkIsWritable(
        _ tree: TreeName,
        _ kind: KeyKind,
        by caller: Caller
    ) throws(RequestRefusal) {
        let change = Change(id: newID(), operations: [.delete(Self.probe(tree, kind))])
        guard
            case .refused(let position, var refusal) = store.rehearse(
                change,
                by: caller,
                rights: access?.rights
            ), !Self.codesOfOne.contains(refusal.code)
        else { return }
        refusal.operation = nil
        reply.position = position
        throw RequestRefusal(refusal)
    }

    /// Refusals that are about one record, and not about the tree.
    private static let codesOfOne: Set<RefusalCode> = [
        .notFound, .deleted, .stale, .released, .borrowed,
    ]

    /// A deletion that can only be refused, by what refuses all of them.
    private static func probe(_ tree: TreeName, _ kind: KeyKind) -> RecordOperation {
        RecordOperation(
            tree: tree,
            key: kind == .id
                ? RecordKey(number: Limits.numberMax) : RecordKey(name: "\u{10FFFD}"),
            expects: .absent
        )
    }
}
