// The contract as JSON, with the trees there are.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastHTTP
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

extension LoopServer {
    /// GET of `/v1/openapi.json`.
    func readContract(_ call: Call) throws(RequestRefusal) {
        try Parameters.check(target, [])
        let condition = try readCondition(call.head)
        // The document is long: it is written when the lock is let go.
        let declared = store.read { reader -> DeclaredTrees? in
            if waitsForTrees(reader) { return nil }
            let trees = reader.state.allTrees
                .filter { !$0.name.isSystem && mayRead($0.name) }
                .sorted { $0.name < $1.name }
            return DeclaredTrees(
                trees: trees.map { ($0.name, $0.declaration) },
                tag: Self.tag(of: trees, reader).description
            )
        }
        guard let declared else { return }
        reply.fields.appendField("etag", text: "\"\(declared.tag)\"")
        reply.fields.appendField("cache-control", "no-cache")
        if let condition, Array(declared.tag.utf8).withView({ condition.matchesWeakly($0) }) {
            reply.status = .notModified
            return
        }
        reply.json()
        appendContract(declared.trees)
    }

    /// The trees of a caller, and what changes when the document does.
    private struct DeclaredTrees {
        let trees: [(name: TreeName, declaration: TreeDeclaration)]
        let tag: String
    }

    /// What changes when the document does: the contract, and the declarations in it.
    private static func tag(of trees: [TreeState], _ reader: StoreReader) -> Hash128 {
        var hasher = SHA256()
        hasher.update(contractTag)
        let declarations = reader.state.tree(.trees)
        for tree in trees {
            let name = Array(tree.name.description.utf8)
            let location = declarations.flatMap {
                reader.state.location($0, RecordKey(name: tree.name.description))
            }
            let seq = location.map { reader.withEffect(at: $0) { $1.seq } } ?? 0
            let epoch = reader.state.position(of: seq).epoch
            name.withView { hasher.update($0) }
            hasher.update(Hash128(high: epoch.rawValue, low: seq))
        }
        return hasher.finishTruncated()
    }

    private static let contractTag: Hash128 = {
        var text = ByteBuffer()
        for part in [ContractText.upToPaths, ContractText.upToSchemas, ContractText.rest] {
            text.append(part)
        }
        for part in ContractText.idPaths + ContractText.namePaths + ContractText.treeSchemas {
            text.append(part)
        }
        return SHA256.digest(text.view).truncated
    }()

    private func appendContract(_ trees: [(name: TreeName, declaration: TreeDeclaration)]) {
        reply.body.append(ContractText.upToPaths)
        for tree in trees {
            let isOfIDs = tree.declaration.keys == .id
            append(isOfIDs ? ContractText.idPaths : ContractText.namePaths, of: tree.name)
        }
        reply.body.append(ContractText.upToSchemas)
        for tree in trees {
            append(ContractText.treeSchemas, of: tree.name)
            reply.body.append(",\n")
            ValueSchema.append(tree.name, tree.declaration, to: &reply.body)
        }
        reply.body.append(ContractText.rest)
    }

    /// Appends a text that is cut where the name of a tree stands.
    private func append(_ pieces: [StaticString], of tree: TreeName) {
        let name = Array(tree.description.utf8)
        for (index, piece) in pieces.enumerated() {
            if index > 0 { reply.body.append(name) }
            reply.body.append(piece)
        }
    }
}
