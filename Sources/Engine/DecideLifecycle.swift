// The rules of release, revise and setState.
internal import HoldfastBasics
internal import HoldfastRecords

extension Draft {
    mutating func release(_ target: RecordOperation, _ number: UInt32) throws(Refused) {
        let tree = try versioned(target.tree)
        try checkKey(tree, target.key)
        try checkIsConditional(target.expects, target.borrow)
        let record = try existing(tree, target.key)
        try checkReplace(tree, target.key, record, target.expects, target.borrow)
        try checkTransition(tree, record.state, .released(number))
        change(tree, target.key, record, .release, to: .released(number))
    }

    mutating func setState(_ target: RecordOperation, _ next: RecordState) throws(Refused) {
        let tree = try versioned(target.tree)
        try checkKey(tree, target.key)
        try checkIsConditional(target.expects, target.borrow)
        let record = try existing(tree, target.key)
        try checkTurn(tree, target.key, record, target.expects, target.borrow)
        switch (record.state, next) {
        case (.draft, .draft), (.released, .released): break
        case (.draft, .released):
            throw Refused(
                .badState,
                "Record \(target.key) is a draft. Release it to make it final."
            )
        default:
            throw Refused(.badState, "Record \(target.key) is \(record.state) and stays so.")
        }
        try checkTransition(tree, record.state, next)
        change(tree, target.key, record, .setState, to: next)
    }

    mutating func revise(
        _ name: TreeName,
        _ key: RecordKey,
        _ hold: UniqueID?
    ) throws(Refused) {
        let tree = try versioned(name)
        try checkKey(tree, key)
        let record = try existing(tree, key)
        guard record.state.isReleased else {
            throw Refused(
                .notReleased,
                "Record \(key) is \(record.state); only a released one is revised.",
                current: reference(tree, record)
            )
        }
        let (highest, latest) = revisions(tree, key.id)
        if let latest, case .live(let newest) = standing(tree, latest), !newest.state.isReleased {
            throw Refused(
                .notReleased,
                "Revision \(latest.revision) of \(key.id.text) is a draft already. Go on with it.",
                current: reference(tree, newest)
            )
        }
        guard highest < Limits.revisionMax else {
            throw Refused(.tooLarge, "Record \(key.id.text) has no revision numbers left.")
        }
        let next = RecordKey(key.id, revision: highest + 1)
        let image = PostImage(
            state: .draft(0),
            schema: record.schema,
            created: stamp,
            value: value(of: record)
        )
        self.record(tree, next, .revise, image)
        if let hold { try take(hold, of: tree, next) }
        results.append(.created(tree.name, next))
    }

    /// The highest revision ever used of an id, and the latest that stands.
    private func revisions(
        _ tree: TreeState,
        _ id: RecordID
    ) -> (highest: UInt32, latest: RecordKey?) {
        var highest: UInt32 = 0
        var latest: RecordKey?
        func see(_ revision: UInt32) {
            highest = max(highest, revision)
            let key = RecordKey(id, revision: revision)
            if case .live = standing(tree, key), key > latest ?? key || latest == nil {
                latest = key
            }
        }
        var next: UInt32? = 0
        tree.index.forEachRevision(of: id) { revision, _ in
            see(revision)
            next = revision < .max ? revision + 1 : nil
            return true
        }
        // What this change made follows without a gap, also what follows a forgotten removal.
        let used = tree.usedKeys.revisions[id] ?? 0
        for start in [next, used < .max ? used + 1 : nil] {
            var next = start
            while let revision = next, hasEffect(tree, RecordKey(id, revision: revision)) {
                see(revision)
                next = revision < .max ? revision + 1 : nil
            }
        }
        return (max(highest, used), latest)
    }

    private func versioned(_ name: TreeName) throws(Refused) -> TreeState {
        let tree = try tree(name)
        guard tree.declaration.isVersioned else {
            throw Refused(.badState, "Tree \(name) is not versioned; its records have no states.")
        }
        return tree
    }

    private func checkTransition(
        _ tree: TreeState,
        _ from: RecordState,
        _ to: RecordState
    ) throws(Refused) {
        guard let allowed = tree.declaration.transitions else { return }
        guard allowed.contains(StateTransition(from: from, to: to)) else {
            let next = allowed.filter { $0.from == from }.map(\.to.description)
            let hint = next.isEmpty ? "nothing" : next.joined(separator: ", ")
            throw Refused(
                .badState,
                "Tree \(tree.name) does not allow \(from) to become \(to); allowed: \(hint)."
            )
        }
    }

    private mutating func change(
        _ tree: TreeState,
        _ key: RecordKey,
        _ record: LiveRecord,
        _ label: Label,
        to state: RecordState
    ) {
        let image = PostImage(
            state: state,
            schema: record.schema,
            created: record.created,
            value: value(of: record)
        )
        self.record(tree, key, label, image)
        results.append(.changed(tree.name, key))
    }
}
