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
        guard let bundle = outbox.stranded.first(where: { $0.id == id }) else {
            throw Self.unknown(id)
        }
        var changes: [Change] = []
        var names: [UniqueID: UniqueID] = [:]
        for change in bundle.changes { names[change.id] = newID() }
        for change in bundle.changes {
            var next = change
            next.id = names[change.id] ?? newID()
            next.madeAt = time.wallMilliseconds()
            next.requires = change.requires.compactMap { names[$0] }
            next.operations = change.operations.map { onWhatStands($0, names) }
            changes.append(next)
        }
        do {
            try await gate.enter()
        } catch {
            throw .offline
        }
        defer { gate.leave() }
        if let first = changes.first, case .refused(let refusal) = store.preview(first, by: caller)
        {
            throw .refused(HoldfastEmbedded.Refusal(refusal))
        }
        let offered: [Change]
        do throws(MirrorError) {
            offered = try outbox.reoffer(id, as: changes)
        } catch {
            throw Self.error(error)
        }
        for change in offered { store.show(PendingChange(change, by: caller)) }
        act(core.withLock { $0.proposed() })
        return Proposal(id: offered.first?.id ?? id, position: nil)
    }

    /// The same operation, expecting what stands now.
    private func onWhatStands(
        _ operation: Operation,
        _ names: [UniqueID: UniqueID]
    ) -> Operation {
        func expectation(
            _ old: Expectation?,
            _ tree: TreeName,
            _ key: RecordKey?
        ) -> Expectation? {
            switch old {
            case .change(let id): return names[id].map { .change($0) } ?? old
            case .absent: return .absent
            case .version, nil: break
            }
            guard let key else { return old }
            return store.read { reader in
                guard let state = reader.state.tree(tree),
                    let location = reader.state.location(state, key)
                else { return old }
                return reader.withEffect(at: location) { effect, commit in
                    reader.isPending(location)
                        ? .change(commit.changeID) : .version(reader.state.position(of: commit.seq))
                }
            }
        }
        func borrow(_ old: UniqueID?, _ tree: TreeName, _ key: RecordKey?) -> UniqueID? {
            guard old != nil, let key else { return old }
            let holder = store.read { $0.state.tree(tree)?.holder(of: key) }
            return holder?.device == caller.device ? holder?.id : nil
        }
        switch operation {
        case .put(var write):
            write.expects = expectation(write.expects, write.tree, write.key)
            write.borrow = borrow(write.borrow, write.tree, write.key)
            return .put(write)
        case .patch(var write):
            write.expects = expectation(write.expects, write.tree, write.key)
            write.borrow = borrow(write.borrow, write.tree, write.key)
            return .patch(write)
        case .delete(var target):
            target.expects = expectation(target.expects, target.tree, target.key)
            target.borrow = borrow(target.borrow, target.tree, target.key)
            return .delete(target)
        default: return operation
        }
    }

    func drop(_ id: UniqueID) async throws(DatabaseError) {
        try checkOpen()
        do throws(MirrorError) {
            if try outbox.drop(id) { return }
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
        case .borrow, .return, .cancel, .reserve, .defineTree: nil
        }
    }
}
