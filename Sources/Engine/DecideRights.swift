// The rules of who may change what. What a caller may not read it is not told of: such a tree is
// refused as one that does not exist.
internal import HoldfastBasics
internal import HoldfastRecords

extension Draft {
    /// The caller's rights go as far as an operation.
    ///
    /// One that names a borrow alone is judged by the borrow's tree.
    func checkRights(_ step: Operation) throws(Refused) {
        guard let rights = context.rights else { return }
        switch step {
        case .put(let write) where write.isMigration: try check(.migrate, on: write.tree, rights)
        case .put, .patch, .delete, .release, .revise, .setState, .borrow, .reserve:
            if let tree = step.tree { try check(.write, on: tree, rights) }
        case .seize, .setHolder: break  // They have rules of their own.
        case .return(let id), .cancel(let id), .recall(let id, _):
            if let record = visibleBorrow(id) { try check(.write, on: record.tree, rights) }
        case .defineTree(let tree, let definition):
            // Whoever may see a declaration may say that it is as it stands.
            let known = lookup(tree)?.declaration
            if let known, rights.reads(tree), definition.isKept(by: known) { return }
            try check(.admin, on: tree, rights)
        }
    }

    func check(
        _ right: Right,
        on tree: TreeName,
        _ rights: Rights
    ) throws(Refused) {
        // The system's trees are refused by what they are.
        guard !tree.isSystem, !rights.has(right, on: tree) else { return }
        guard rights.reads(tree) else { throw unknownTree(tree) }
        throw Refused(.forbidden, "Your token lacks the right '\(right.rawValue)' on \(tree).")
    }
}

extension TreeDefinition {
    /// Whether a tree that is declared so stays as it is.
    fileprivate func isKept(by declaration: TreeDeclaration) -> Bool {
        guard case .success(let next) = SchemaEvolution.check(old: declaration, definition: self)
        else { return false }
        return next == declaration
    }
}
