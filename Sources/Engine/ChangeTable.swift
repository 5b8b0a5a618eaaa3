// The memory of changes: change id -> one word.
//
// Open addressing with linear probing, in independent segments chosen by the top bits of the hash.
// A segment grows by a fifth when four fifths full, so that the table as a whole grows smoothly: at
// 5 M entries a growth step moves 20,000 entries (below a millisecond), and the average load of
// 0.73 makes 33 bytes an entry.
//
// Invariants:
// - an entry stands between its home and the first free place after it (no tombstones);
// - a segment in use always has a free place; a payload of UInt64.max marks one;
// - the hash is two folded multiplications keyed by 192 random bits of the process: ids are chosen
//   by clients, who must not be able to make them collide, and never see anything of the key. It is
//   taken for every commit at every opening; SipHash there cost a quarter of the fold.
public import HoldfastBasics

/// A map from ids of changes to one word each.
///
/// One owner is meant to hold it; a copy of the value copies on write.
public struct ChangeTable: Sendable {
    private struct Entry: Sendable {
        var high: UInt64
        var low: UInt64
        var payload: UInt64

        static let free = Entry(high: 0, low: 0, payload: .max)
    }

    private struct Segment: Sendable {
        var entries: [Entry] = []
        var count = 0
    }

    private var segments: [Segment]
    private let segmentShift: UInt64

    /// Entries held.
    public private(set) var count = 0

    /// An empty table.
    ///
    /// - Parameter segmentBits: Binary logarithm of the number of segments, 1 to 16; the default
    ///   suits millions of entries and costs a small database some 50 KiB.
    public init(segmentBits: Int = 8) {
        precondition(segmentBits >= 1 && segmentBits <= 16, "segment bits out of range")
        segments = Array(repeating: Segment(), count: 1 << segmentBits)
        segmentShift = UInt64(64 - segmentBits)
    }

    /// Memory in use, in bytes.
    public var byteCount: Int {
        segments.reduce(0) {
            $0 + MemoryLayout<Segment>.stride + 48
                + $1.entries.capacity * MemoryLayout<Entry>.stride
        }
    }

    /// Makes room for so many entries at once, so that a long fold does not grow step by step.
    ///
    /// - Parameter count: Entries that will be held; the segments of a fresh table are made for
    ///   them, nothing happens otherwise.
    public mutating func reserve(_ count: Int) {
        guard self.count == 0 else { return }
        // Chance fills segments unevenly: four standard deviations more than the average. Two
        // thirds full, a search looks at half as many places as in a segment about to grow.
        let share = Double(count) / Double(segments.count)
        let capacity = Int((share + 4 * share.squareRoot()) * 1.4) + 8
        for segment in segments.indices {
            segments[segment].entries = Array(repeating: .free, count: capacity)
        }
    }

    /// The word kept for an id.
    public subscript(id: UniqueID) -> UInt64? {
        let hash = self.hash(id.high, id.low)
        let segment = Int(hash >> segmentShift)
        guard let at = find(id, hash, segment).found else { return nil }
        return segments[segment].entries[at].payload
    }

    /// Sets the word of an id.
    ///
    /// - Parameters:
    ///   - payload: Anything but `UInt64.max`, which traps.
    ///   - id: Any.
    /// - Returns: The word it had, or nil when it is new.
    @discardableResult
    public mutating func insert(_ payload: UInt64, for id: UniqueID) -> UInt64? {
        insert(payload, for: id, hash(id.high, id.low))
    }

    private mutating func insert(_ payload: UInt64, for id: UniqueID, _ hash: UInt64) -> UInt64? {
        precondition(payload != .max, "payload is the mark of a free place")
        let segment = Int(hash >> segmentShift)
        var (found, free) = find(id, hash, segment)
        if let found {
            let old = segments[segment].entries[found].payload
            segments[segment].entries[found].payload = payload
            return old
        }
        let capacity = segments[segment].entries.count
        if (segments[segment].count + 1) * 5 > capacity * 4 {
            resize(segment, to: max(8, capacity + capacity / 5 + 1))
            free = find(id, hash, segment).free
        }
        segments[segment].entries[free] = Entry(high: id.high, low: id.low, payload: payload)
        segments[segment].count += 1
        count += 1
        return nil
    }

    /// Sets the words of many ids, as ``insert(_:for:)`` would one after the other.
    ///
    /// They are put in order of their segments first: what is written one after the other then lies
    /// close together, where every insertion by itself would wait for memory far off.
    ///
    /// - Parameter entries: Ids and their words.
    public mutating func insert(_ entries: [(id: UniqueID, offset: UInt64)]) {
        let hashes = entries.map { hash($0.id.high, $0.id.low) }
        // Where the entries of a segment begin in that order.
        var next = [Int](repeating: 0, count: segments.count)
        for hash in hashes { next[Int(hash >> segmentShift)] += 1 }
        var sum = 0
        for segment in next.indices { (next[segment], sum) = (sum, sum + next[segment]) }
        var order = [UInt32](repeating: 0, count: entries.count)
        for (index, hash) in hashes.enumerated() {
            let segment = Int(hash >> segmentShift)
            order[next[segment]] = UInt32(index)
            next[segment] += 1
        }
        for index in order {
            let entry = entries[Int(index)]
            _ = insert(entry.offset, for: entry.id, hashes[Int(index)])
        }
    }

    /// Forgets an id.
    ///
    /// - Parameter id: Any.
    /// - Returns: The word it had, or nil when it was unknown.
    @discardableResult
    public mutating func remove(_ id: UniqueID) -> UInt64? {
        let hash = self.hash(id.high, id.low)
        let segment = Int(hash >> segmentShift)
        guard let found = find(id, hash, segment).found else { return nil }
        let payload = segments[segment].entries[found].payload
        closeGap(at: found, in: segment)
        segments[segment].count -= 1
        count -= 1
        let (held, capacity) = (segments[segment].count, segments[segment].entries.count)
        if held == 0 {
            segments[segment].entries = []
        } else if capacity > 16, held * 3 < capacity {
            resize(segment, to: max(8, held * 3 / 2))
        }
        return payload
    }

    /// Calls `body` for each entry, in no order.
    public func forEach(_ body: (UniqueID, UInt64) throws -> Void) rethrows {
        for segment in segments {
            for entry in segment.entries where entry.payload != .max {
                try body(UniqueID(high: entry.high, low: entry.low), entry.payload)
            }
        }
    }

    // MARK: Probing

    private static let key = (
        UInt64.random(in: .min ... .max), UInt64.random(in: .min ... .max),
        UInt64.random(in: .min ... .max) | 1
    )

    private let key = Self.key

    private func hash(_ high: UInt64, _ low: UInt64) -> UInt64 {
        let first = (high ^ key.0).multipliedFullWidth(by: low ^ key.1)
        let folded = first.high ^ first.low ^ high
        let second = folded.multipliedFullWidth(by: key.2)
        return second.high ^ second.low
    }

    /// The place an id is looked for first: the hash's low half scaled to the capacity.
    private static func home(_ hash: UInt64, _ capacity: Int) -> Int {
        Int(((hash & 0xFFFF_FFFF) &* UInt64(capacity)) >> 32)
    }

    private func find(
        _ id: UniqueID,
        _ hash: UInt64,
        _ segment: Int
    ) -> (found: Int?, free: Int) {
        let capacity = segments[segment].entries.count
        if capacity == 0 { return (nil, 0) }
        var at = Self.home(hash, capacity)
        while true {
            let entry = segments[segment].entries[at]
            if entry.payload == .max { return (nil, at) }
            if entry.low == id.low, entry.high == id.high { return (at, at) }
            at += 1
            if at == capacity { at = 0 }
        }
    }

    private mutating func resize(_ segment: Int, to capacity: Int) {
        let old = segments[segment].entries
        var fresh = [Entry](repeating: .free, count: capacity)
        for entry in old where entry.payload != .max {
            var at = Self.home(hash(entry.high, entry.low), capacity)
            while fresh[at].payload != .max {
                at += 1
                if at == capacity { at = 0 }
            }
            fresh[at] = entry
        }
        segments[segment].entries = fresh
    }

    /// Empties a place and moves back whoever was pushed past it.
    private mutating func closeGap(at start: Int, in segment: Int) {
        let capacity = segments[segment].entries.count
        var gap = start
        var at = start
        while true {
            at += 1
            if at == capacity { at = 0 }
            let entry = segments[segment].entries[at]
            if entry.payload == .max { break }
            let home = Self.home(hash(entry.high, entry.low), capacity)
            // It stays when its home lies after the gap, going round from the gap to `at`.
            let stays = gap <= at ? (gap < home && home <= at) : (gap < home || home <= at)
            if stays { continue }
            segments[segment].entries[gap] = entry
            gap = at
        }
        segments[segment].entries[gap] = .free
    }

    // MARK: Checking

    /// Walks the whole table; the first violated invariant in words, or nil.
    public func checkInvariants() -> String? {
        var total = 0
        for (number, segment) in segments.enumerated() {
            var held = 0
            for (at, entry) in segment.entries.enumerated() where entry.payload != .max {
                held += 1
                let hash = self.hash(entry.high, entry.low)
                if Int(hash >> segmentShift) != number { return "entry in a wrong segment" }
                let id = UniqueID(high: entry.high, low: entry.low)
                if find(id, hash, number).found != at { return "entry \(id) cannot be reached" }
            }
            if held != segment.count { return "segment of \(held), said to be \(segment.count)" }
            if held > 0, held == segment.entries.count { return "segment without a free place" }
            total += held
        }
        return total == count ? nil : "\(total) entries, said to be \(count)"
    }
}
