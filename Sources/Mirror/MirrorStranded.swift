// Stranded changes offered again, on what stands now.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStore

/// What came of offering a bundle again.
enum MirrorReoffer {
    /// There is no such bundle.
    case unknown
    /// It would be refused again: the bundle stays.
    case refused(Refusal)
    /// New changes stand in the outbox in its place.
    case kept([Change])
}

extension MirrorCore {
    /// Puts the changes of a bundle into the outbox again, under new ids, expecting what stands.
    ///
    /// - Parameter id: The bundle.
    /// - Returns: What came of it; nothing happened unless the changes are kept.
    /// - Throws: `full`, `poisoned`, `tooLarge`; nothing happened then.
    func reoffer(_ id: UniqueID) throws(MirrorError) -> MirrorReoffer {
        guard let bundle = outbox.stranded.first(where: { $0.id == id }) else { return .unknown }
        let holds = bundle.holds
        let changes = renewed(bundle, holds)
        if let first = changes.first,
            case .refused(let refusal) = store.preview(first, by: identity.caller)
        {
            return .refused(refusal)
        }
        let offered = try outbox.reoffer(id, as: changes, holds: holds)
        for change in offered { store.show(PendingChange(change, by: identity.caller)) }
        return .kept(offered)
    }

    /// The changes of a bundle as they would be made now, in their order.
    private func renewed(
        _ bundle: StrandedBundle,
        _ holds: [UniqueID: (tree: TreeName, key: RecordKey)]
    ) -> [Change] {
        var names: [UniqueID: UniqueID] = [:]
        for change in bundle.changes {
            names[change.id] = .version7(milliseconds: time.wallMilliseconds(), random: random)
        }
        return bundle.changes.map { change in
            var next = change
            next.id = names[change.id] ?? change.id
            next.madeAt = time.wallMilliseconds()
            next.requires = change.requires.compactMap { names[$0] }
            next.operations = change.operations.map { operation in
                onWhatStands(operation) { expects, borrow, tree, key in
                    (
                        expectation(expects, tree, key, names),
                        // What the bundle itself creates and holds does not stand yet.
                        borrow.flatMap { holds[$0] == nil ? standing(tree, key) : $0 }
                    )
                }
            }
            return next
        }
    }

    private typealias Conditions = (expects: Expectation?, borrow: UniqueID?)

    /// The same operation under other conditions.
    private func onWhatStands(
        _ operation: Operation,
        _ renew: (Expectation?, UniqueID?, TreeName, RecordKey?) -> Conditions
    ) -> Operation {
        func renewed(_ write: WriteOperation) -> WriteOperation {
            var write = write
            (write.expects, write.borrow) = renew(
                write.expects,
                write.borrow,
                write.tree,
                write.key
            )
            return write
        }
        func renewed(_ target: RecordOperation) -> RecordOperation {
            var target = target
            (target.expects, target.borrow) = renew(
                target.expects,
                target.borrow,
                target.tree,
                target.key
            )
            return target
        }
        switch operation {
        case .put(let write): return .put(renewed(write))
        case .patch(let write): return .patch(renewed(write))
        case .delete(let target): return .delete(renewed(target))
        case .release(let target, let number): return .release(renewed(target), number: number)
        case .setState(let target, let state): return .setState(renewed(target), state)
        case .revise, .borrow, .return, .cancel, .recall, .seize, .setHolder, .reserve, .defineTree:
            return operation
        }
    }

    private func expectation(
        _ old: Expectation?,
        _ tree: TreeName,
        _ key: RecordKey?,
        _ names: [UniqueID: UniqueID]
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
            return reader.withEffect(at: location) { _, commit in
                reader.isPending(location)
                    ? .change(commit.changeID) : .version(reader.state.position(of: commit.seq))
            }
        }
    }

    /// The borrow under which this device holds a record now.
    private func standing(_ tree: TreeName, _ key: RecordKey?) -> UniqueID? {
        guard let key else { return nil }
        let holder = store.read { $0.state.tree(tree)?.holder(of: key) }
        return holder?.device == identity.device ? holder?.id : nil
    }
}

extension StrandedBundle {
    /// Borrows its creations take: as they were refused, none of them ever stood.
    fileprivate var holds: [UniqueID: (tree: TreeName, key: RecordKey)] {
        var holds: [UniqueID: (tree: TreeName, key: RecordKey)] = [:]
        for case .put(let write) in changes.flatMap(\.operations) {
            if let hold = write.hold, let key = write.key { holds[hold] = (write.tree, key) }
        }
        return holds
    }
}
