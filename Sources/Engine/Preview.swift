// What a mirror leaves to the authority. A preview never refuses what the authority would accept
// at that position: what a mirror cannot see is not decided here.
internal import HoldfastRecords

extension Draft {
    /// Whether a preview cannot decide an operation.
    ///
    /// - it is for the authority alone: `borrow`, `reserve`, `defineTree`;
    /// - the authority chooses its id, from ranges and by chance a mirror does not share;
    /// - it is about a tree whose records are not here, or about a borrow that may be of such a
    ///   tree.
    func isBeyondPreview(_ step: Operation) -> Bool {
        switch step {
        case .put(let write): write.key == nil || !isVisible(write.tree)
        case .patch(let write): !isVisible(write.tree)
        case .delete(let target), .release(let target, _), .setState(let target, _):
            !isVisible(target.tree)
        case .revise(let tree, _, _): !isVisible(tree)
        case .return(let id), .cancel(let id):
            context.visibleTrees != nil && record(id) == nil && ended(id) == nil
        case .borrow, .reserve, .defineTree: true
        }
    }

    private func isVisible(_ tree: TreeName) -> Bool {
        context.visibleTrees?.contains(tree) ?? true
    }
}
