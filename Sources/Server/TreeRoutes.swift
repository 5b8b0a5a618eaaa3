// Trees and what they hold by declaration.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastHTTP
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

extension LoopServer {
    /// GET of all declared trees.
    func listTrees(_ call: Call) throws(RequestRefusal) {
        try Parameters.check(target, [])
        store.read { reader in
            if waitsForTrees(reader) { return }
            reply.json()
            var page = ListPage(.trees, in: &reply.body)
            let trees = reader.state.allTrees.sorted { $0.name < $1.name }
            for tree in trees where !tree.name.isSystem && mayRead(tree.name) {
                page.beginElement(in: &reply.body)
                append(tree, reader)
            }
            page.end(in: &reply.body)
        }
    }

    /// GET of one tree.
    func readTree(_ call: Call) throws(RequestRefusal) {
        try Parameters.check(target, [])
        let name = try Parameters.tree(target.segment(2))
        try store.read { reader throws(RequestRefusal) in
            if waitsForTrees(reader) { return }
            let tree = try findTree(name, reader)
            guard !name.isSystem else {
                throw RequestRefusal(
                    .unknownTree,
                    "\(name) is the system's and was never declared; read its records."
                )
            }
            reply.json()
            append(tree, reader)
        }
    }

    /// PUT of a tree: declares it, or adds a schema version.
    func defineTree(_ call: Call) throws(RequestRefusal) {
        try Parameters.check(target, ["dryRun"])
        let segment = target.segment(2)
        guard let name = TreeName(any: segment.text) else {
            throw RequestRefusal(.badKey, "Tree names are [a-z][a-z0-9_-]{0,62}.")
        }
        try requireType(call, "application", "json")
        let definition = try shaped { () throws(ShapeRefusal) in
            try RequestBody.treeDefinition(call.body)
        }
        let change = try change(call, [.defineTree(name, definition)])
        guard let submission = try outcome(of: change, call) else { return }
        reply.position = submission.position
        switch submission {
        case .refused(let position, let refusal): refuse(single: refusal, position)
        case .accepted(let position, let results), .unchanged(let position, let results):
            showTree(call, name, position, results)
        case .replayed(let position, let results):
            reply.fields.appendField("idempotency-replayed", "true")
            showTree(call, name, position, results)
        }
    }

    private func showTree(
        _ call: Call,
        _ name: TreeName,
        _ position: Position,
        _ results: [OperationResult]
    ) {
        reply.waitsFor = position.seq
        if case .tree(_, isNew: true) = results.last {
            reply.status = .created
            reply.fields.appendField("location", text: "/v1/trees/\(name)")
        }
        guard call.wantsRepresentation, mayRead(name) else { return }
        reply.json()
        store.read { reader in
            if let tree = reader.state.tree(name) { append(tree, reader) }
        }
    }

    /// Whether the request must wait until what is declared is durable.
    func waitsForTrees(_ reader: StoreReader) -> Bool {
        guard let tree = reader.state.tree(.trees), let seq = reader.wait(for: tree) else {
            return false
        }
        reply.retriesAfter = seq
        return true
    }

    private func append(_ tree: TreeState, _ reader: StoreReader) {
        guard let trees = reader.state.tree(.trees),
            let location = reader.state.location(trees, RecordKey(name: tree.name.description))
        else { return }
        reader.withEffect(at: location) { effect, commit in
            TreeDocument.append(
                tree.name,
                tree.declaration,
                effect,
                of: commit,
                version: reader.state.position(of: commit.seq),
                to: &reply.body
            )
        }
    }
}
