// Where a draft's effects are, by tree and key: asked several times for every operation.
//
// Invariants: `entries` has the hash of the tree and the key of every effect but those of `runs`,
// with its number; `places` is empty while there are few of them, and else holds each one's index
// plus one, found by linear probing; at most half of it is taken. Effects of a run are on ids that
// follow each other, at revision 0, and follow each other themselves.
internal import HoldfastBasics
internal import HoldfastRecords

/// The effects of a draft by tree and key.
struct DraftSlots {
    private struct Entry {
        let hash: UInt64
        let effect: Int
    }

    /// Records that were made one after the other: they need no hash.
    private struct Run {
        let tree: ObjectIdentifier
        var ids: Range<UInt64>
        let firstEffect: Int
    }

    private var entries: [Entry] = []
    private var places: [UInt32] = []
    private var runs: [Run] = []

    /// As long as there are no more, looking at all of them is quicker than a table.
    private static let fewCount = 8

    /// Clients choose names: who does not know this number cannot make them collide.
    private static let seed = UInt64.random(in: .min ... .max)

    /// The number of the effect on a key; nil when there is none.
    ///
    /// - Parameters:
    ///   - tree: The key's tree.
    ///   - key: The key.
    ///   - draft: Has the effects.
    /// - Returns: Its number.
    func find(_ tree: TreeState, _ key: RecordKey, _ draft: borrowing Draft) -> Int? {
        if case .number(let id) = key.id, key.revision == 0 {
            for run in runs where run.tree == ObjectIdentifier(tree) && run.ids.contains(id) {
                return run.firstEffect + Int(id - run.ids.lowerBound)
            }
        }
        if entries.isEmpty { return nil }
        let hash = Self.hash(tree, key)
        if places.isEmpty {
            for entry in entries where entry.hash == hash {
                if draft.effect(entry.effect, isOn: tree, key) { return entry.effect }
            }
            return nil
        }
        var at = Int(truncatingIfNeeded: hash) & (places.count - 1)
        while places[at] != 0 {
            let entry = entries[Int(places[at]) - 1]
            if entry.hash == hash, draft.effect(entry.effect, isOn: tree, key) {
                return entry.effect
            }
            at = (at + 1) & (places.count - 1)
        }
        return nil
    }

    /// Adds an effect on a key that is not there.
    mutating func append(_ tree: TreeState, _ key: RecordKey, effect: Int) {
        entries.append(Entry(hash: Self.hash(tree, key), effect: effect))
        guard entries.count > Self.fewCount else { return }
        guard entries.count * 2 > places.count else {
            place(entries.count - 1)
            return
        }
        places = [UInt32](repeating: 0, count: max(64, places.count * 4))
        for index in entries.indices { place(index) }
    }

    /// Adds an effect on a record that is made, of a key that is not there, at revision 0.
    mutating func append(_ tree: TreeState, made key: RecordKey, effect: Int) {
        guard case .number(let id) = key.id else {
            append(tree, key, effect: effect)
            return
        }
        let last = runs.count - 1
        if last >= 0, runs[last].tree == ObjectIdentifier(tree), runs[last].ids.upperBound == id,
            effect - runs[last].firstEffect == runs[last].ids.count
        {
            runs[last].ids = runs[last].ids.lowerBound..<id + 1
        } else if runs.count < Self.fewCount {
            runs.append(Run(tree: ObjectIdentifier(tree), ids: id..<id + 1, firstEffect: effect))
        } else {
            append(tree, key, effect: effect)
        }
    }

    private mutating func place(_ index: Int) {
        var at = Int(truncatingIfNeeded: entries[index].hash) & (places.count - 1)
        while places[at] != 0 { at = (at + 1) & (places.count - 1) }
        places[at] = UInt32(index + 1)
    }

    /// The hash of a tree and a key.
    private static func hash(_ tree: TreeState, _ key: RecordKey) -> UInt64 {
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
