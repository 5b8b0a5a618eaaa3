// Which ids of a tree which device may create: derived from the records of `_ranges`.
internal import HoldfastRecords

/// The key ranges of one tree, never overlapping.
struct RangeTable: Equatable {
    /// Ascending by first id.
    private(set) var ranges: [RangeRecord] = []

    /// One beyond the highest id ever given out.
    var end: UInt64 { ranges.last?.end ?? 1 }

    /// The range an id lies in.
    func range(of id: UInt64) -> RangeRecord? {
        let index = firstIndex(beyond: id)
        guard index > 0, ranges[index - 1].end > id else { return nil }
        return ranges[index - 1]
    }

    mutating func insert(_ range: RangeRecord) {
        ranges.insert(range, at: firstIndex(beyond: range.first))
    }

    mutating func remove(first: UInt64) {
        let index = firstIndex(beyond: first)
        guard index > 0, ranges[index - 1].first == first else { return }
        ranges.remove(at: index - 1)
    }

    private func firstIndex(beyond id: UInt64) -> Int {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].first <= id { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
