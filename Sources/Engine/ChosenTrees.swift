// The rules for a caller who sees chosen trees alone: it changes nothing else, and no answer tells
// it of anything else. A mirror of chosen trees decides by the same rules, on those trees alone.
public import HoldfastBasics
public import HoldfastRecords

extension Draft {
    /// An operation names a tree the caller sees; what names a borrow is looked up among those.
    func checkIsVisible(_ step: Operation) throws(Refused) {
        // The system's trees are refused by what they are.
        guard let visible = context.visibleTrees, let tree = step.tree, !tree.isSystem,
            !visible.contains(tree)
        else { return }
        throw Refused(
            .unknownTree,
            "This mirror does not copy tree \(tree), and changes only what it copies. Open it with "
                + "that tree among its own, and a token that opens it."
        )
    }

    /// A live borrow, unless it is of a tree the caller does not see.
    func visibleBorrow(_ id: UniqueID) -> BorrowRecord? {
        guard let record = state.borrow(id)?.record,
            context.visibleTrees?.contains(record.tree) ?? true
        else { return nil }
        return record
    }

    /// Whether a borrow of this id stands or stood where the caller does not see it.
    func isHidden(_ id: UniqueID) -> Bool {
        guard context.visibleTrees != nil, borrows[id] == nil, let tree = state.tree(.borrows),
            tree.index.location(RecordKey(id)) != nil
        else { return false }
        return visibleBorrow(id) == nil && ended(id) == nil
    }
}

extension EngineState {
    /// The refusal for a borrow that ended; nil when it stands or never was.
    ///
    /// - Parameters:
    ///   - id: Of the borrow.
    ///   - trees: The trees whose borrows are told of; nil for all.
    /// - Returns: Who ended it and how.
    public func endedBorrow(_ id: UniqueID, in trees: Set<TreeName>? = nil) -> Refusal? {
        guard let tree = tree(.borrows), let location = tree.index.location(RecordKey(id)) else {
            return nil
        }
        if let trees {
            guard let subject = subject(of: id, before: location), trees.contains(subject)
            else { return nil }
        }
        return source.withEffect(at: location) { effect, commit in
            guard !effect.isSet else { return nil }
            return endedRefusal(id, Ending(effect, of: commit))
        }
    }

    /// The tree a borrow was of, as its last version says.
    private func subject(of id: UniqueID, before location: Location) -> TreeName? {
        let previous = source.previous(of: location)
        guard previous != .none else { return nil }
        return source.withEffect(at: previous) { effect, _ in
            guard effect.isSet else { return nil }
            do throws(FormError) {
                return try BorrowRecord(key: RecordKey(id), json: effect.value).tree
            } catch {
                return nil
            }
        }
    }
}
