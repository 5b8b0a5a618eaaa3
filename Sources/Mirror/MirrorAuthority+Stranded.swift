// Changes the server refused after they had been made here: shown, offered again, dropped.
internal import FoundationEssentials
internal import HoldfastBasics
internal import HoldfastEmbedded
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStore

extension MirrorAuthority {
    func stranded() throws(DatabaseError) -> [StrandedChange] {
        var all: [StrandedChange] = []
        for bundle in outbox.stranded {
            var items: [StrandedChange.Item] = []
            for change in bundle.changes {
                for operation in change.operations {
                    if let item = try item(operation) { items.append(item) }
                }
            }
            all.append(
                StrandedChange(
                    id: UUID(bundle.id),
                    refusal: HoldfastEmbedded.Refusal(bundle.refusal),
                    items: items,
                    authority: self
                )
            )
        }
        return all
    }

    private func item(_ operation: Operation) throws(DatabaseError) -> StrandedChange.Item? {
        guard let (tree, key, mine, expects) = operation.subject else { return nil }
        let (base, current) = store.read { reader -> ([UInt8]?, [UInt8]?) in
            guard let state = reader.state.tree(tree),
                let last = reader.state.location(state, key)
            else { return (nil, nil) }
            func value(_ seq: UInt64) -> [UInt8]? {
                reader.state.version(from: last, at: seq).map {
                    reader.withEffect(at: $0) { effect, _ in effect.value.array }
                }
            }
            guard case .version(let position) = expects else { return (nil, value(.max)) }
            return (value(position.seq), value(.max))
        }
        return StrandedChange.Item(
            key: AnyKey(tree: tree.description, text: key.description),
            base: try document(base),
            mine: try document(mine),
            current: try document(current)
        )
    }

    private func document(_ bytes: [UInt8]?) throws(DatabaseError) -> JSONDocument? {
        guard let bytes else { return nil }
        return try JSONDocument(String(decoding: bytes, as: UTF8.self))
    }

    func reoffer(_ id: UniqueID) async throws(DatabaseError) -> Proposal {
        try checkOpen()
        do {
            try await gate.enter()
        } catch {
            throw .offline
        }
        defer { gate.leave() }
        let stranded = outbox.stranded.first { $0.id == id }?.changes.map(\.id) ?? []
        let (outcome, actions): (MirrorReoffer, [MirrorAction])
        do throws(MirrorError) {
            (outcome, actions) = try core.withLock { (core) throws(MirrorError) in
                (try core.reoffer(id), core.proposed())
            }
        } catch {
            throw Self.error(error)
        }
        act(actions)
        switch outcome {
        case .unknown: throw Self.unknown(id)
        case .refused(let refusal): throw .refused(HoldfastEmbedded.Refusal(refusal))
        case .kept(let offered):
            ring(stranded)
            return Proposal(id: offered.first?.id ?? id, position: nil)
        }
    }

    func drop(_ id: UniqueID) async throws(DatabaseError) {
        try checkOpen()
        do throws(MirrorError) {
            let dropped = outbox.stranded.first { $0.id == id }?.changes.map(\.id) ?? []
            if try outbox.drop(id) {
                ring(dropped)
                return
            }
        } catch {
            throw Self.error(error)
        }
        throw Self.unknown(id)
    }

    private static func unknown(_ id: UniqueID) -> DatabaseError {
        .refused(HoldfastEmbedded.Refusal(.notFound, "There is no stranded change \(id)."))
    }
}

extension Operation {
    /// The record it is about, what it was to become, and what it expected.
    fileprivate var subject:
        (tree: TreeName, key: RecordKey, mine: [UInt8]?, expects: Expectation?)?
    {
        switch self {
        case .put(let write), .patch(let write):
            write.key.map { (write.tree, $0, write.value, write.expects) }
        case .delete(let target), .release(let target, _), .setState(let target, _):
            (target.tree, target.key, nil, target.expects)
        case .revise(let tree, let key, _): (tree, key, nil, nil)
        case .borrow, .return, .cancel, .recall, .seize, .setHolder, .reserve, .defineTree: nil
        }
    }
}
