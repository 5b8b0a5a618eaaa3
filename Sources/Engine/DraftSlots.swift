// Where a draft's effects are, by tree and key: asked several times for every operation.
//
// Invariants: `hashes[n]` is the hash of the n-th effect's tree and key; `places` is empty while
// there are few effects, and else holds every effect's number plus one, found by linear probing;
// at most half of it is taken.
internal import HoldfastBasics
internal import HoldfastRecords

/// The effects of a draft by tree and key.
struct DraftSlots {
    private var hashes: [UInt64] = []
    private var places: [UInt32] = []

    /// As long as there are no more, looking at all of them is quicker than a table.
    private static let fewCount = 8

    /// Clients choose names: who does not know this number cannot make them collide.
    private static let seed = UInt64.random(in: .min ... .max)

    /// The number of the effect on a key; nil when there is none.
    ///
    /// - Parameters:
    ///   - hash: Of the two that follow.
    ///   - tree: The key's tree.
    ///   - key: The key.
    ///   - effects: The draft's effects, in the order in which they were added here.
    ///   - marks: Their trees.
    /// - Returns: Its number.
    func find(
        _ hash: UInt64,
        _ tree: TreeState,
        _ key: RecordKey,
        _ effects: [Effect],
        _ marks: [Draft.Mark]
    ) -> Int? {
        if places.isEmpty {
            for index in hashes.indices where hashes[index] == hash {
                if marks[index].tree === tree, effects[index].key == key {
                    return index
                }
            }
            return nil
        }
        var at = Int(truncatingIfNeeded: hash) & (places.count - 1)
        while places[at] != 0 {
            let index = Int(places[at]) - 1
            if hashes[index] == hash, marks[index].tree === tree, effects[index].key == key {
                return index
            }
            at = (at + 1) & (places.count - 1)
        }
        return nil
    }

    /// Adds the next effect, of the hash of its tree and key; they must not be there.
    mutating func append(_ hash: UInt64) {
        hashes.append(hash)
        guard hashes.count > Self.fewCount else { return }
        guard hashes.count * 2 > places.count else {
            place(hashes.count - 1)
            return
        }
        places = [UInt32](repeating: 0, count: max(64, places.count * 4))
        for index in hashes.indices { place(index) }
    }

    private mutating func place(_ index: Int) {
        var at = Int(truncatingIfNeeded: hashes[index]) & (places.count - 1)
        while places[at] != 0 { at = (at + 1) & (places.count - 1) }
        places[at] = UInt32(index + 1)
    }

    /// The hash of a tree and a key.
    static func hash(_ tree: TreeState, _ key: RecordKey) -> UInt64 {
        var hash = FoldHash(seed: seed)
        hash.combine(UInt64(UInt(bitPattern: ObjectIdentifier(tree))))
        switch key.id {
        case .number(let number): hash.combine(number)
        case .name(let name): name.withView { hash.combine($0) }
        }
        hash.combine(UInt64(key.revision))
        return hash.value
    }
}
