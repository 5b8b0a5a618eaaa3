// Operations as JSON: `{"<name>":{...}}`.
internal import HoldfastBasics
internal import HoldfastJSONCoding
internal import HoldfastRecords

/// Operations as they are read, and what cannot be known before the trees are asked.
struct OperationForm {
    /// A key that named no revision.
    struct OpenRevision: Hashable, Sendable {
        let operation: Int
        let tree: TreeName
        /// Path of the member that is missing.
        let field: String
    }

    var operations: [Operation] = []
    var openRevisions: [OpenRevision] = []
    /// Gives ids to ranges that come without one.
    let newID: () -> UniqueID

    /// Reads one more operation.
    mutating func read(_ reader: inout FormReader) throws(FormError) {
        let expected = "an object with one operation, like {\"delete\":{...}}"
        let start = try reader.enterObject(expected)
        guard let name = try reader.nextMember() else { throw reader.unfit(expected, at: start) }
        let operation: Operation
        switch name {
        case "put": operation = .put(try write(&reader, "put", isKeyNeeded: false))
        case "patch": operation = .patch(try write(&reader, "patch", isKeyNeeded: true))
        case "delete": operation = .delete(try target(&reader, "delete", []).0)
        case "release":
            let (record, members) = try target(&reader, "release", .released)
            operation = .release(record, number: members.released ?? 0)
        case "setState":
            let (record, members) = try target(&reader, "setState", .state)
            let state = try reader.required(members.state, "state", at: members.start)
            operation = .setState(record, state)
        case "revise": operation = try revise(&reader)
        case "borrow": operation = .borrow(try borrow(&reader))
        case "return": operation = .return(try borrowID(&reader))
        case "cancel": operation = .cancel(try borrowID(&reader))
        case "recall":
            let members = try OperationMembers([.borrow, .note], from: &reader)
            let id = try reader.required(members.borrow, "borrow", at: members.start)
            operation = .recall(id, note: members.note ?? "")
        case "seize": operation = .seize(try borrowID(&reader))
        case "setHolder":
            let members = try OperationMembers([.borrow, .holder], from: &reader)
            let id = try reader.required(members.borrow, "borrow", at: members.start)
            let holder = try reader.required(members.holder, "holder", at: members.start)
            operation = .setHolder(id, user: holder.user, device: holder.device)
        case "reserve":
            let members = try OperationMembers([.tree, .count, .range], from: &reader)
            operation = .reserve(
                tree: try reader.required(members.tree, "tree", at: members.start),
                range: members.range ?? newID(),
                count: try reader.required(members.count, "count", at: members.start)
            )
        case "defineTree":
            let members = try OperationMembers([.tree, .definition], from: &reader)
            operation = .defineTree(
                try reader.required(members.tree, "tree", at: members.start),
                try reader.required(members.definition, "definition", at: members.start)
            )
        default:
            try reader.unknownMember()
            throw reader.unfit(expected, at: start)
        }
        guard try reader.nextMember() == nil else { throw reader.unfit(expected, at: start) }
        operations.append(operation)
    }

    private mutating func write(
        _ reader: inout FormReader,
        _ name: String,
        isKeyNeeded: Bool
    ) throws(FormError) -> WriteOperation {
        var names: OperationMemberNames = [.tree, .key, .expects, .borrow, .schema, .value]
        if !isKeyNeeded { names.formUnion([.hold, .migrate]) }
        let members = try OperationMembers(names, from: &reader)
        let tree = try reader.required(members.tree, "tree", at: members.start)
        var key: RecordKey?
        if isKeyNeeded || members.key != nil { key = try self.key(members, tree, name, reader) }
        return WriteOperation(
            tree: tree,
            key: key,
            expects: members.expects,
            borrow: members.borrow,
            hold: members.hold,
            schema: members.schema,
            isMigration: members.migrate ?? false,
            value: try reader.required(members.value, "value", at: members.start)
        )
    }

    private mutating func target(
        _ reader: inout FormReader,
        _ name: String,
        _ more: OperationMemberNames
    ) throws(FormError) -> (RecordOperation, OperationMembers) {
        let names: OperationMemberNames = [.tree, .key, .expects, .borrow]
        let members = try OperationMembers(names.union(more), from: &reader)
        let tree = try reader.required(members.tree, "tree", at: members.start)
        let operation = RecordOperation(
            tree: tree,
            key: try key(members, tree, name, reader),
            expects: members.expects,
            borrow: members.borrow
        )
        return (operation, members)
    }

    private mutating func revise(_ reader: inout FormReader) throws(FormError) -> Operation {
        let members = try OperationMembers([.tree, .key, .hold], from: &reader)
        let tree = try reader.required(members.tree, "tree", at: members.start)
        let key = try key(members, tree, "revise", reader)
        return .revise(tree: tree, key: key, hold: members.hold)
    }

    private mutating func borrow(_ reader: inout FormReader) throws(FormError) -> BorrowOperation {
        let members = try OperationMembers([.tree, .key, .borrow, .taking, .note], from: &reader)
        let tree = try reader.required(members.tree, "tree", at: members.start)
        return BorrowOperation(
            tree: tree,
            key: try key(members, tree, "borrow", reader),
            borrow: try reader.required(members.borrow, "borrow", at: members.start),
            kind: members.kind ?? .held,
            termSeconds: members.termSeconds,
            note: members.note ?? "",
            dueAt: members.dueAt,
            queue: members.queue ?? false
        )
    }

    private func borrowID(_ reader: inout FormReader) throws(FormError) -> UniqueID {
        let members = try OperationMembers(.borrow, from: &reader)
        return try reader.required(members.borrow, "borrow", at: members.start)
    }

    /// The key of an operation; notes when its revision is left open.
    private mutating func key(
        _ members: OperationMembers,
        _ tree: TreeName,
        _ name: String,
        _ reader: FormReader
    ) throws(FormError) -> RecordKey {
        let choice = try reader.required(members.key, "key", at: members.start)
        if choice.revision == nil {
            let field = "operations.\(operations.count).\(name).key.revision"
            openRevisions.append(
                OpenRevision(operation: operations.count, tree: tree, field: field)
            )
        }
        return RecordKey(choice.id, revision: choice.revision ?? 0)
    }
}
