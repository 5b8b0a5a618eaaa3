// An ordered index over values that are computed from records: multi indexes and text search.
//
// Invariants:
// - of every id the latest revision that stands is indexed, each of its values once;
// - it is a function of the records: built anew it is the same;
// - it is confined by whoever keeps it (the lock of its tree's cache).
internal import HoldfastBasics
internal import HoldfastRecords

/// An index of a tree, whatever its values.
protocol TreeIndex<R>: AnyObject {
    /// The record's type.
    associatedtype R: Record
    /// An empty index of the same kind.
    func fresh() -> any TreeIndex<R>
    /// What an id is found by from now on: its latest revision, or nothing.
    func set(_ id: HoldfastRecords.RecordID, to latest: LatestRecord<R>?)
    /// All entries as text, for comparing two indexes.
    var lines: [String] { get }
}

/// The latest revision of an id, decoded.
struct LatestRecord<R: Record> {
    let key: RecordKey
    let value: R
    let document: [UInt8]
}

/// Records by values, in order.
final class OrderedIndex<R: Record, V: Comparable & Sendable>: TreeIndex {
    /// One value of one record.
    struct Entry: Comparable {
        let value: IndexValue<V>
        let key: RecordKey

        static func < (a: Entry, b: Entry) -> Bool {
            a.value == b.value ? a.key < b.key : a.value < b.value
        }
    }

    private let values: (LatestRecord<R>) -> [V]
    private var entries = SortedChunks<Entry>()
    private var known: [HoldfastRecords.RecordID: (key: RecordKey, values: [IndexValue<V>])] = [:]

    /// An empty index.
    ///
    /// - Parameter values: What a record is found by.
    init(_ values: @escaping (LatestRecord<R>) -> [V]) { self.values = values }

    func fresh() -> any TreeIndex<R> { OrderedIndex(values) }

    func set(_ id: HoldfastRecords.RecordID, to latest: LatestRecord<R>?) {
        if let old = known.removeValue(forKey: id) {
            for value in old.values { entries.remove(Entry(value: value, key: old.key)) }
        }
        guard let latest else { return }
        var all: [IndexValue<V>] = []
        for value in values(latest).map(IndexValue.init).sorted() where value != all.last {
            all.append(value)
            entries.insert(Entry(value: value, key: latest.key))
        }
        if !all.isEmpty { known[id] = (latest.key, all) }
    }

    /// Runs `body` over entries from a value on, ascending, until it returns false.
    func forEach(
        from lower: V?,
        _ body: (V, RecordKey) throws -> Bool
    ) rethrows {
        let bound = lower.map(IndexValue.init)
        try entries.forEach(from: { entry in bound.map { entry.value < $0 } ?? false }) {
            try body($0.value.value, $0.key)
        }
    }

    var lines: [String] {
        var lines: [String] = []
        entries.forEach(from: { _ in false }) {
            lines.append("\($0.value.value) \($0.key)")
            return true
        }
        return lines
    }
}

/// Sorted elements in chunks, so that an insertion in the middle moves little.
///
/// Complexity: O(log n) to find, plus a move of at most one chunk to change.
struct SortedChunks<Element: Comparable> {
    private static var countMax: Int { 512 }
    private var chunks: [[Element]] = []

    /// Puts an element in that is not there yet.
    mutating func insert(_ element: Element) {
        guard !chunks.isEmpty else {
            chunks.append([element])
            return
        }
        let chunk = min(firstChunk { $0 < element }, chunks.count - 1)
        let place = Self.partition(chunks[chunk].count) { chunks[chunk][$0] < element }
        chunks[chunk].insert(element, at: place)
        guard chunks[chunk].count > Self.countMax else { return }
        // What comes in order leaves full chunks behind.
        let isAppended = chunk == chunks.count - 1 && place == Self.countMax
        let cut = isAppended ? Self.countMax : Self.countMax / 2
        chunks.insert(Array(chunks[chunk][cut...]), at: chunk + 1)
        chunks[chunk].removeSubrange(cut...)
    }

    /// Takes an element out; nothing happens when it is not there.
    mutating func remove(_ element: Element) {
        let chunk = firstChunk { $0 < element }
        guard chunk < chunks.count else { return }
        let place = Self.partition(chunks[chunk].count) { chunks[chunk][$0] < element }
        guard place < chunks[chunk].count, chunks[chunk][place] == element else { return }
        chunks[chunk].remove(at: place)
        if chunks[chunk].isEmpty { chunks.remove(at: chunk) }
    }

    /// Runs `body` over elements in order until it returns false.
    ///
    /// - Parameters:
    ///   - isBefore: Whether an element stands before the first one wanted.
    ///   - body: Is given the elements.
    func forEach(
        from isBefore: (Element) -> Bool,
        _ body: (Element) throws -> Bool
    ) rethrows {
        var chunk = firstChunk(isBefore)
        guard chunk < chunks.count else { return }
        var place = Self.partition(chunks[chunk].count) { isBefore(chunks[chunk][$0]) }
        while chunk < chunks.count {
            while place < chunks[chunk].count {
                guard try body(chunks[chunk][place]) else { return }
                place += 1
            }
            chunk += 1
            place = 0
        }
    }

    /// The first chunk whose last element is not before what is looked for.
    private func firstChunk(_ isBefore: (Element) -> Bool) -> Int {
        Self.partition(chunks.count) { isBefore(chunks[$0][chunks[$0].count - 1]) }
    }

    /// How many of the first indices satisfy a condition that none satisfies after the first fails.
    private static func partition(_ count: Int, _ holds: (Int) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if holds(middle) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
