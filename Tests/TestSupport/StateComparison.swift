// Two folds of one history must agree in every structure, not in their values alone.
public import HoldfastBasics
public import HoldfastEngine
public import HoldfastRecords

/// Everything a state holds, as text; two states are the same when these are.
///
/// - Parameters:
///   - state: Which one.
///   - changes: Ids to look up in the memory of changes.
///   - keys: Keys to look up in the index; deleted records are found by them alone.
///   - place: Describes where an effect lies.
/// - Returns: One line per thing.
public func dump(
    _ state: EngineState,
    changes: [UniqueID] = [],
    keys: [(tree: TreeName, key: RecordKey)] = [],
    place: (Location) -> String = { String($0.rawValue) }
) -> [String] {
    var lines = ["head \(state.head) chain \(state.chain) time \(state.lastTime)"]
    for (block, hash) in state.hashes { lines.append("hash \(block) \(hash)") }
    for tree in state.allTrees {
        lines.append("tree \(tree.name) count \(tree.count) entries \(tree.entryCount)")
        lines.append("declaration \(tree.name) \(tree.declaration)")
        _ = state.scan(tree, after: nil, prefix: nil, .all, at: .max, entryCountMax: .max) {
            lines.append("record \(tree.name) \($0) \(place($1))")
            return true
        }
        for borrow in tree.borrows.sorted(by: { $0.id < $1.id }) {
            lines.append("borrow \(borrow) line \(tree.line(of: borrow.key))")
        }
        for range in tree.keyRanges { lines.append("range \(range)") }
        lines += tree.derived.map { "\(tree.name) \($0)" }
    }
    lines += state.derivedFiles
    for id in changes {
        lines.append("change \(id) \(state.frameOffset(ofChange: id).map(String.init) ?? "-")")
    }
    for (name, key) in keys {
        let location = state.tree(name).flatMap { state.location($0, key) }
        lines.append("place \(name) \(key) \(location.map(place) ?? "-")")
    }
    return lines
}
