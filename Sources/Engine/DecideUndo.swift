// The rules of taking a commit back: what it did to records is done in reverse, by a commit of its
// own, as a whole or not at all.
//
// Nobody's later work is touched: each record must stand as the commit left it, later changes
// taken back, and nobody may hold it. What a commit did to borrows, ranges, declarations and tokens
// has routes of its own, and stays.
internal import HoldfastBasics
public import HoldfastRecords

extension EngineState {
    /// Decides what becomes of the wish to take a commit back.
    ///
    /// The state is not touched: the caller logs the commit and then applies it.
    ///
    /// - Parameters:
    ///   - commit: A commit of this history, as the log has it.
    ///   - change: The id, digest, reason and job of what takes it back; it has no operations.
    ///   - context: Who asks, and when.
    /// - Returns: A commit, or why there is none.
    public func decideUndo(
        of commit: CommitView,
        _ change: Change,
        _ context: DecisionContext
    ) -> Decision {
        decideAlone(change, context) { draft throws(Refused) in
            try draft.undo(commit)
            try draft.checkUniques()
        }
    }
}

extension Draft {
    /// What stood before an effect, copied.
    private enum Before {
        case nothing
        case removed
        case record(PostImage)
    }

    fileprivate mutating func undo(_ commit: CommitView) throws(Refused) {
        var touched: [(tree: TreeName, keys: [RecordKey])] = []
        do {
            try commit.forEachBlock { block, _ in
                guard let name = TreeName(block.name.text), !name.isSystem else { return }
                var keys: [RecordKey] = []
                try block.forEachEffect { keys.append($0.key) }
                touched.append((name, keys))
            }
        } catch {
            throw Refused(.internalError, "The commit cannot be read; run holdfast verify.")
        }
        guard touched.contains(where: { !$0.keys.isEmpty }) else {
            throw Refused(
                .notUndoable,
                "Commit \(state.position(of: commit.seq)) changed no record."
            )
        }
        for (name, keys) in touched {
            // The caller names no tree: one it may not read is not named to it.
            guard context.visibleTrees?.contains(name) ?? true, let tree = lookup(name) else {
                throw Refused(.forbidden, "The commit changed records your token does not open.")
            }
            if let rights = context.rights { try check(.write, on: name, rights) }
            // The last first, as they may build on each other.
            for key in keys.reversed() {
                try undo(tree, key, commit.seq)
            }
        }
    }

    private mutating func undo(
        _ tree: TreeState,
        _ key: RecordKey,
        _ seq: UInt64
    ) throws(Refused) {
        let location = try lastLocation(tree, key, seq)
        var isLive = false
        if case .live(let record) = standing(tree, key) {
            isLive = true
            guard !record.state.isReleased else {
                throw Refused(
                    .released,
                    "Record \(key) is released and never changes.",
                    current: reference(tree, record)
                )
            }
            try checkTurn(tree, key, record, nil, nil)
        }
        switch try before(tree, key, location) {
        case .record(let image):
            try checkIsLatest(tree, key, image)
            record(tree, key, .undo, image)
            results.append(isLive ? .changed(tree.name, key) : .created(tree.name, key))
        case .nothing, .removed:
            record(tree, key, .undo, nil)
            results.append(.deleted(tree.name, key))
        }
    }

    /// Where the commit's effect lies, as long as the record stands as it left it.
    ///
    /// Later effects count for nothing once they were taken back, and it stands so again.
    private func lastLocation(
        _ tree: TreeState,
        _ key: RecordKey,
        _ seq: UInt64
    ) throws(Refused) -> Location {
        let last = tree.index.location(key) ?? .none
        var location = last
        while location != .none {
            let (own, isUndoing) = state.source.withEffect(at: location) { effect, commit in
                (commit.seq, effect.label == .undo)
            }
            if own == seq, location == last || isSame(location, last) { return location }
            guard own > seq, location != last || isUndoing else { break }
            location = state.source.previous(of: location)
        }
        var current: RecordReference?
        if case .live(let record) = standing(tree, key) { current = reference(tree, record) }
        throw Refused(
            .changedSince,
            "Record \(key) of \(tree.name) was changed since. Take the later change back first.",
            current: current
        )
    }

    /// Whether two effects leave a record alike.
    private func isSame(_ a: Location, _ b: Location) -> Bool {
        state.source.withEffect(at: a) { a, _ in
            state.source.withEffect(at: b) { b, _ in
                guard a.isSet, b.isSet else { return a.isSet == b.isSet }
                return a.state == b.state && a.schema == b.schema && a.created == b.created
                    && a.value == b.value
            }
        }
    }

    private func before(
        _ tree: TreeState,
        _ key: RecordKey,
        _ location: Location
    ) throws(Refused) -> Before {
        let hasBefore = state.source.withEffect(at: location) { effect, _ in
            effect.previousSeq > 0
        }
        guard hasBefore else { return .nothing }
        let previous = state.source.previous(of: location)
        guard previous != .none else {
            throw Refused(
                .compacted,
                "What record \(key) of \(tree.name) was before is not kept any more."
            )
        }
        return state.source.withEffect(at: previous) { effect, _ in
            guard effect.isSet else { return .removed }
            return .record(
                PostImage(
                    state: effect.state,
                    schema: effect.schema,
                    created: effect.created,
                    value: effect.value.array
                )
            )
        }
    }

    /// A draft comes back only as the latest revision of its id.
    private func checkIsLatest(
        _ tree: TreeState,
        _ key: RecordKey,
        _ image: PostImage
    ) throws(Refused) {
        guard tree.declaration.isVersioned, !image.state.isReleased else { return }
        var later: LiveRecord?
        tree.index.forEachRevision(of: key.id) { revision, _ in
            guard revision > key.revision,
                case .live(let record) = standing(tree, RecordKey(key.id, revision: revision))
            else { return true }
            later = record
            return false
        }
        guard let later else { return }
        throw Refused(
            .changedSince,
            "Record \(key.id.text) of \(tree.name) has a later revision.",
            current: reference(tree, later)
        )
    }
}
