// Which keys a tree has used, where the removals that told of them are forgotten: ids are never
// used again, and a revision follows the highest there ever was.
internal import HoldfastBasics
public import HoldfastRecords

/// The keys a tree has used up to a position.
///
/// A function of the tree's history alone, whatever of it is forgotten: every id of an id tree, and
/// of every id whose highest revision is above 0 and does not stand, that revision.
public struct UsedKeys: Sendable {
    /// Ids ever used; none of a name tree.
    public private(set) var ids = IntervalSet()
    /// Highest revisions that do not stand.
    public private(set) var revisions: [RecordID: UInt32] = [:]

    /// No key.
    public init() {}

    /// Whether there is nothing to remember.
    public var isEmpty: Bool { ids.isEmpty && revisions.isEmpty }

    /// Goes on with the last effect on another record, in the order of keys.
    ///
    /// What was used up to an earlier position, and what the index has of this one, make up what
    /// was used up to this one.
    public mutating func add(_ effect: EffectView) {
        if let number = effect.number { ids.insert(number) }
        guard effect.revision > 0 || !revisions.isEmpty else { return }
        let key = effect.key
        guard key.revision >= revisions[key.id] ?? 0 else { return }
        revisions[key.id] = effect.isSet || key.revision == 0 ? nil : key.revision
    }

    /// Takes what a frame of a part holds.
    public mutating func add(_ keys: UsedKeysView) {
        for ids in keys.ids { self.ids.insert(ids) }
        for (id, revision) in keys.revisions { revisions[id] = revision }
    }
}

extension EngineState {
    /// The keys a tree had used up to the checkpoint its index stands on, where that forgot
    /// removals; none otherwise.
    public func usedKeys(_ tree: TreeState) -> UsedKeys { tree.usedKeys }

    /// Takes the used keys of the checkpoint that was adopted.
    ///
    /// - Parameter used: By the block they stand in.
    /// - Throws: `ApplyError` when they are of no tree here, or of the other kind.
    public func adopt(_ used: [String: UsedKeys]) throws(ApplyError) {
        for (block, keys) in used {
            let index = Array(block.utf8).withView { treesByName[$0] }
            guard let tree = index.map({ trees[$0] }) else {
                throw .unknownTree(block, seq: head)
            }
            let kind = tree.declaration.keys
            guard kind == .id || keys.ids.isEmpty,
                keys.revisions.keys.allSatisfy({ $0.kind == kind })
            else { throw .badSystemRecord(tree: block, seq: head, what: "the kind of its keys") }
            keys.ids.forEach { tree.usedIDs.insert($0) }
        }
        stand(on: used)
    }

    /// Takes the used keys of a checkpoint that takes another's place, of which the state knows
    /// everything.
    ///
    /// - Parameter used: By the block they stand in; trees without remember none.
    public func stand(on used: [String: UsedKeys]) {
        for tree in trees { tree.usedKeys = used[tree.name.description] ?? UsedKeys() }
    }

    /// Forgets removals whose places go away: no checkpoint has them any more.
    ///
    /// - Parameters:
    ///   - tree: Which tree.
    ///   - bound: The key after which to begin; nil begins at the first.
    ///   - entryCountMax: Stop after having looked at this many records.
    ///   - isLeaving: Whether a place goes away.
    /// - Returns: The last key looked at when it stopped early; nil at the end.
    public func forgetRemovals(
        _ tree: TreeState,
        after bound: RecordKey?,
        entryCountMax: Int,
        from isLeaving: (Location) -> Bool
    ) -> RecordKey? {
        var looked = 0
        var last: RecordKey?
        var forgotten: [RecordKey] = []
        tree.index.scan(from: bound, inclusive: false) { number, name, revision, place in
            looked += 1
            let isGone = isLeaving(place)
            guard isGone || looked == entryCountMax else { return true }
            let key = RecordKey(number.map { .number($0) } ?? .name(name.array), revision: revision)
            if isGone {
                let isSet = source.withEffect(at: place) { effect, _ in effect.isSet }
                precondition(!isSet, "record \(key) of \(tree.name) stands, and is in no part")
                forgotten.append(key)
            }
            guard looked == entryCountMax else { return true }
            last = key
            return false
        }
        for key in forgotten { tree.index.remove(key) }
        return last
    }
}
