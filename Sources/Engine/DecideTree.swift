// The rules of key ranges and tree declarations.
internal import HoldfastBasics
internal import HoldfastRecords

extension Draft {
    // MARK: Key ranges

    mutating func reserve(
        _ name: TreeName,
        _ id: UniqueID,
        _ count: UInt64
    ) throws(Refused) {
        let tree = try tree(name)
        guard tree.declaration.keys == .id else {
            throw Refused(.badKey, "Records of \(name) have names; there are no ranges of them.")
        }
        guard (1...Limits.rangeCountMax).contains(count) else {
            throw Refused(.tooLarge, "A range has 1 to \(Limits.rangeCountMax) ids.")
        }
        if let ranges = state.tree(.ranges) {
            guard case .absent = standing(ranges, RecordKey(id)) else {
                throw Refused(.idTaken, "A range has the id \(id) already. Choose another.")
            }
        }
        let range = try addRange(tree, id: id, device: caller.device, count: count)
        results.append(.range(range))
    }

    /// Gives out the ids after the last ones given out.
    mutating func addRange(
        _ tree: TreeState,
        id: UniqueID,
        device: String,
        count: UInt64
    ) throws(Refused) -> RangeRecord {
        let mine = ranges.last { $0.tree == tree.name }?.end ?? 0
        let first = max(tree.ranges.end, mine)
        guard first + count - 1 <= Limits.numberMax else {
            throw Refused(.keysExhausted, "Tree \(tree.name) has no \(count) ids left.")
        }
        let range = RangeRecord(
            id: id,
            tree: tree.name,
            device: device,
            first: first,
            end: first + count,
            at: at
        )
        ranges.append(range)
        system(.ranges, about: tree, RecordKey(id), .reserve, range.json)
        return range
    }

    func range(_ tree: TreeState, of number: UInt64) -> RangeRecord? {
        tree.ranges.range(of: number)
            ?? ranges.first { $0.tree == tree.name && $0.first <= number && number < $0.end }
    }

    // MARK: Trees

    mutating func defineTree(
        _ name: TreeName,
        _ definition: TreeDefinition
    ) throws(Refused) {
        guard !name.isSystem else {
            throw Refused(.systemTree, "Names that begin with _ are the system's.")
        }
        let tree = lookup(name)
        guard tree != nil || state.allTrees.count < Limits.treeCountMax else {
            throw Refused(.tooLarge, "A database has at most \(Limits.treeCountMax) trees.")
        }
        let declaration: TreeDeclaration
        switch SchemaEvolution.check(old: tree?.declaration, definition: definition) {
        case .success(let checked): declaration = checked
        case .failure(let refusal): throw Refused(refusal)
        }
        results.append(.tree(name, isNew: tree == nil))
        guard declaration != tree?.declaration else { return }
        let document = declaration.json
        guard document.count <= Limits.valueByteCountMax else {
            throw Refused(
                .tooLarge,
                "The declaration of \(name) with all its schema versions would have "
                    + "\(document.count) bytes; \(Limits.valueByteCountMax) are the most. Begin a "
                    + "new tree."
            )
        }
        if let tree {
            // Its records in the same change would be checked by the declaration that stood.
            guard change.operations.count == 1 else {
                throw Refused(
                    .unsupported,
                    "Tree \(name) stands. Declare it anew by a change of its own."
                )
            }
            try checkNewUniques(tree, declaration)
        } else {
            declared[name] = TreeState(name: name, declaration: declaration)
        }
        system(.trees, about: nil, RecordKey(name: name.description), .defineTree, document)
    }

    /// A field may become unique only when no two ids carry the same value already.
    private func checkNewUniques(
        _ tree: TreeState,
        _ declaration: TreeDeclaration
    ) throws(Refused) {
        let validator = SchemaValidator(declaration)
        let names = validator.uniqueFields.names
        guard names.contains(where: { name in !tree.uniques.contains { $0.field == name } })
        else { return }
        let trial = names.map { UniqueIndex(field: $0) }
        var rules: [String] = []
        tree.index.scan(from: nil, inclusive: true) { _, _, _, location in
            state.source.withEffect(at: location) { effect, _ in
                guard effect.isSet else { return }
                validator.uniqueFields.forEachValue(in: effect.value) { ordinal, value in
                    let id = effect.key.id
                    guard !trial[ordinal].add(value, id: id) else { return }
                    let other = trial[ordinal].owner(of: value)?.id.text ?? ""
                    rules.append(
                        "Field \(names[ordinal]) cannot be unique: \(other) and \(id.text) carry "
                            + "the same value."
                    )
                }
            }
            return rules.count < 100
        }
        guard rules.isEmpty else {
            throw Refused(
                .incompatible,
                "Values that must be unique are not. Change them first.",
                rules: rules
            )
        }
    }
}
