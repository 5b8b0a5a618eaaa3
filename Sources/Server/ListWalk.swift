// The records of a list one after the other, in slices: the loop has other work between two.
//
// Invariants:
// - what is shown stood at the pinned position; keys are kept between slices, never places, which
//   a compaction may move;
// - a slice looks at so many entries and bytes at most, however few of them pass;
// - a sorted list keeps one batch of places, and walks through the tree once for each.
internal import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

/// A walk through what a list shows.
final class ListWalk {
    private let choice: ListChoice
    private let seq: UInt64
    /// How many places are gathered at once for a sorted list.
    private let batchCount: Int
    /// The only ids that can pass, as far as they are known; nil when all are looked at.
    private let candidates: Candidates?
    private var nextCandidate = 0
    /// The last key that was looked at.
    private var after: RecordKey?
    private var gathered: FirstPlaces?
    /// Whether more was found than was gathered.
    private var hasMore = false
    /// What was gathered, from the next one to be shown on.
    private var sorted: ArraySlice<RecordOrder.Place> = []
    /// The last record that was shown.
    private(set) var shown: RecordOrder.Place?
    /// Whether everything was shown.
    private(set) var isEnd = false
    private var scratch = ByteBuffer()

    /// What one slice looks at.
    ///
    /// Unit: bytes of values.
    private static let sliceByteCount = 256 << 10

    /// Begins before the first record, or after the last one of the page before.
    ///
    /// What comes first of a sorted list may be known already.
    init(
        _ choice: ListChoice,
        at seq: UInt64,
        after: RecordOrder.Place?,
        candidates: Candidates?,
        first: (places: [RecordOrder.Place], isAll: Bool)? = nil,
        batchCount: Int
    ) {
        self.choice = choice
        self.seq = seq
        self.candidates = candidates
        self.batchCount = batchCount
        if choice.order == nil { self.after = after?.key } else { shown = after }
        guard let first else { return }
        sorted = first.places[...]
        hasMore = !first.isAll
        isEnd = first.isAll && first.places.isEmpty
    }

    /// Goes on by one slice.
    ///
    /// - Parameters:
    ///   - reader: The store, under its lock.
    ///   - show: Is given what passes; false ends the slice after it.
    func step(_ reader: StoreReader, _ show: (RecordKey, Location) -> Bool) {
        guard !isEnd, let tree = reader.state.tree(choice.tree) else {
            isEnd = true
            return
        }
        guard let order = choice.order else {
            isEnd = look(tree, reader) { key, location, _ in
                shown = RecordOrder.Place(form: nil, key: key)
                return show(key, location)
            }
            return
        }
        guard sorted.isEmpty else { return give(tree, reader, show) }
        var places = gathered ?? FirstPlaces(batchCount, by: order, after: shown)
        gathered = nil
        var scratch = ByteBuffer(capacity: RecordOrder.formByteCountMax)
        let isWhole = look(tree, reader) { key, _, effect in
            places.add(order.place(of: effect, key, &scratch))
            return true
        }
        if isWhole {
            sorted = places.sorted[...]
            isEnd = sorted.isEmpty
            hasMore = places.hasMore
            (after, nextCandidate) = (nil, 0)
        } else {
            gathered = places
        }
    }

    /// Shows what was gathered.
    private func give(
        _ tree: TreeState,
        _ reader: StoreReader,
        _ show: (RecordKey, Location) -> Bool
    ) {
        var looked = 0
        while let place = sorted.first, looked < Limits.lockedEntryCountMax {
            sorted.removeFirst()
            looked += 1
            shown = place
            guard let last = reader.state.location(tree, place.key),
                let location = reader.state.version(from: last, at: seq)
            else { continue }
            guard show(place.key, location) else { break }
        }
        isEnd = sorted.isEmpty && !hasMore
    }

    /// Looks at the next entries of the tree, and gives those that pass.
    ///
    /// - Returns: Whether there are no more.
    private func look(
        _ tree: TreeState,
        _ reader: StoreReader,
        _ body: (RecordKey, Location, EffectView) -> Bool
    ) -> Bool {
        var byteCount = 0
        func see(_ key: RecordKey, _ location: Location) -> Bool {
            reader.withEffect(at: location) { effect, _ in
                byteCount += effect.value.count
                let goesOn = byteCount < Self.sliceByteCount
                guard choice.filter.passes(effect, &scratch) else { return goesOn }
                return body(key, location, effect) && goesOn
            }
        }
        if let candidates {
            let isEnd = look(candidates.ids, tree, reader, see)
            guard isEnd, !candidates.isAll else { return isEnd }
            // What follows the last of them is walked through.
            if let last = candidates.ids.last {
                let end = RecordKey(last, revision: .max)
                after = max(after ?? end, end)
            }
        }
        let stopped = reader.state.scan(
            tree,
            after: after,
            prefix: choice.prefix,
            from: choice.first,
            before: choice.end,
            choice.revisions,
            at: seq,
            entryCountMax: Limits.lockedEntryCountMax,
            see
        )
        after = stopped ?? after
        return stopped == nil
    }

    /// The same for the ids an index knows.
    private func look(
        _ candidates: [RecordID],
        _ tree: TreeState,
        _ reader: StoreReader,
        _ see: (RecordKey, Location) -> Bool
    ) -> Bool {
        let limit = min(candidates.count, nextCandidate + Limits.lockedEntryCountMax)
        while nextCandidate < limit {
            let id = candidates[nextCandidate]
            var goesOn = true
            if choice.includes(id) {
                reader.state.forEachRevision(tree, of: id, choice.revisions, at: seq) {
                    key,
                    location in
                    // Some of its revisions were seen in the slice, or on the page, before.
                    if let after, key <= after { return true }
                    after = key
                    goesOn = see(key, location)
                    return goesOn
                }
            }
            guard goesOn else { return false }
            nextCandidate += 1
        }
        return nextCandidate == candidates.count
    }
}

extension RecordOrder.Place {
    /// The place a cursor tells.
    init(_ cursor: ListCursor) {
        var form: [UInt8]?
        if case .value(let value) = cursor.place { form = value }
        self.init(form: form, key: cursor.last)
    }
}
