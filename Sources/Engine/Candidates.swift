// Which records a filter can pass, as indexes know them: a list looks at these instead of all.
//
// Indexes know the present alone, and name records that do not pass besides those that do: whoever
// asks stands at the head of the tree, and judges each record by the filter.
internal import HoldfastBasics
public import HoldfastRecords

/// The only ids that can pass a filter.
public struct Candidates: Sendable {
    /// The ids, ascending.
    public let ids: [RecordID]
    /// Whether these are all; if not, every id after the last one can pass too.
    public let isAll: Bool
}

extension EngineState {
    /// The only ids whose records can pass a filter.
    ///
    /// Complexity: the number of ids, of which there are at most `countMax`, and the logarithm of
    /// the records.
    ///
    /// - Parameters:
    ///   - filter: What must pass.
    ///   - tree: Which tree.
    ///   - first: Ids before this one are not asked for; nil asks for all.
    ///   - countMax: How many are gathered at most.
    /// - Returns: The ids; nil when no condition can be looked up, or a range of values has too
    ///   many.
    public func candidates(
        for filter: RecordFilter,
        in tree: TreeState,
        from first: RecordID?,
        countMax: Int
    ) -> Candidates? {
        filter.owners(in: tree) ?? filter.equals(in: tree, from: first, countMax)
            ?? filter.between(in: tree, countMax)
    }
}

extension RecordFilter {
    /// The owners of values of a unique field.
    fileprivate func owners(in tree: TreeState) -> Candidates? {
        for condition in conditions {
            // Whoever found the filter's fields may have seen an older declaration.
            guard let values = condition.lookups, let name = condition.path.names.first,
                let index = tree.uniques.first(where: { Array($0.field.utf8) == name })
            else { continue }
            let ids = values.compactMap { $0.withView { index.owner(of: $0)?.id } }
            return Candidates(ids: ids.sortedOnce(), isAll: true)
        }
        return nil
    }

    /// The ids with one of some values of an indexed field.
    fileprivate func equals(
        in tree: TreeState,
        from first: RecordID?,
        _ countMax: Int
    ) -> Candidates? {
        for condition in conditions
        where condition.comparison == .equal || condition.comparison == .among {
            guard let index = tree.index(of: condition.path) else { continue }
            var ids: [RecordID] = []
            // Where the ids of a value were too many, what comes behind the last one is not known.
            var end: RecordID?
            for form in condition.forms {
                let stretch = index.stretch(of: form, from: first)
                let (found, isAll) = index.ids(stretch, countMax: countMax)
                ids = ids.isEmpty ? found : ids + found
                if !isAll, let last = found.last { end = min(end ?? last, last) }
            }
            if condition.forms.count > 1 { ids = ids.sortedOnce() }
            if let end { ids.removeAll { $0 > end } }
            let isAll = end == nil && ids.count <= countMax
            return Candidates(ids: Array(ids.prefix(countMax)), isAll: isAll)
        }
        return nil
    }

    /// The ids whose values of an indexed field lie within bounds, when there are not too many.
    fileprivate func between(in tree: TreeState, _ countMax: Int) -> Candidates? {
        for index in tree.fieldIndexes where index.isWhole {
            var stretch = index.whole
            var isBound = false
            for condition in conditions where condition.path == index.path {
                isBound = condition.narrow(&stretch, index) || isBound
            }
            guard isBound else { continue }
            let (ids, isAll) = index.ids(stretch, countMax: countMax)
            if isAll { return Candidates(ids: ids.sortedOnce(), isAll: true) }
        }
        return nil
    }
}

extension FieldCondition {
    /// Narrows a stretch to what can hold; false when the operator has no bounds.
    fileprivate func narrow(_ stretch: inout FieldIndex.Stretch, _ index: FieldIndex) -> Bool {
        guard let form = forms.first else { return false }
        switch comparison {
        case .less, .atMost:
            // A text that was cut says nothing of its own end, so that equal ones stay.
            let end = index.start(form, isWhole: false)
            stretch.last = stretch.last.map { $0.precedes(end) ? $0 : end } ?? end
        case .greater, .atLeast:
            let start = index.start(form, isWhole: false)
            if stretch.first.precedes(start) { stretch.first = start }
        case .prefix:
            // Of two beginnings the longer one decides, as a filter judges the other.
            let start = index.start(form, isWhole: false)
            guard start.count >= stretch.prefix.count else { return true }
            stretch.prefix = start
            if stretch.first.precedes(start) { stretch.first = start }
        case .equal, .among, .notEqual, .contains: return false
        }
        return true
    }
}

extension [RecordID] {
    /// These ids in order, each of them once.
    fileprivate func sortedOnce() -> [RecordID] {
        var once: [RecordID] = []
        once.reserveCapacity(count)
        for id in sorted() where id != once.last { once.append(id) }
        return once
    }
}

extension [UInt8] {
    fileprivate func precedes(_ other: [UInt8]) -> Bool {
        withView { a in other.withView { a.precedes($0) } }
    }
}
