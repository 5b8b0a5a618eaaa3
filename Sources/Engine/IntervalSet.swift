// Sets of numbers that come in runs: ids ever used, device sequence numbers confirmed.
//
// Invariants:
// - intervals are half-open, not empty, ascending, and never touch: the set has one representation;
// - they stand in chunks of 1 to `chunkCountMax`, so that an insertion in the middle moves little;
// - numbers are below UInt64.max, which only ends an interval.

/// A set of numbers, kept as sorted disjoint half-open intervals.
///
/// Complexity: O(1) at the upper end, else O(log n) to find and a move of at most one chunk (and
/// now and then of the table of chunks) to change; 16 bytes an interval.
public struct IntervalSet: Sendable {
    static let chunkCountMax = 512

    private var chunks: [[Range<UInt64>]] = []

    /// Intervals held.
    public private(set) var intervalCount = 0
    /// Numbers held.
    public private(set) var count: UInt64 = 0

    /// The empty set.
    public init() {}

    /// Whether nothing is held.
    public var isEmpty: Bool { intervalCount == 0 }

    /// The largest number held.
    public var last: UInt64? { chunks.last?.last.map { $0.upperBound - 1 } }

    /// Memory in use, in bytes.
    public var byteCount: Int {
        chunks.capacity * 8
            + chunks.reduce(0) { $0 + 48 + $1.capacity * MemoryLayout<Range<UInt64>>.stride }
    }

    // MARK: Questions

    /// Whether a number is held.
    public func contains(_ number: UInt64) -> Bool {
        // Most questions are about ids that are about to be made.
        if let last = chunks.last?.last, last.upperBound <= number { return false }
        return place(atOrBefore: number).map { self[$0].contains(number) } ?? false
    }

    /// Whether any number of the range is held.
    public func overlaps(_ range: Range<UInt64>) -> Bool {
        guard !range.isEmpty, let place = place(atOrBefore: range.upperBound - 1) else {
            return false
        }
        return self[place].upperBound > range.lowerBound
    }

    /// The smallest number not held that is at least `number`.
    public func nextAbsent(from number: UInt64) -> UInt64 {
        guard let place = place(atOrBefore: number) else { return number }
        return max(number, self[place].upperBound)
    }

    /// Calls `body` with each interval, ascending.
    public func forEach(_ body: (Range<UInt64>) throws -> Void) rethrows {
        for chunk in chunks {
            for interval in chunk { try body(interval) }
        }
    }

    /// All intervals, ascending.
    public var intervals: [Range<UInt64>] { chunks.flatMap(\.self) }

    // MARK: Changes

    /// Puts a number in.
    ///
    /// - Parameter number: Below `UInt64.max`; that itself traps.
    /// - Returns: Whether it was new.
    @discardableResult
    public mutating func insert(_ number: UInt64) -> Bool {
        precondition(number < .max, "number out of range")
        if extendLast(with: number) { return true }
        if contains(number) { return false }
        insert(number..<number + 1)
        return true
    }

    /// Puts a number in that follows the largest; false when it does not.
    private mutating func extendLast(with number: UInt64) -> Bool {
        let chunk = chunks.count - 1
        guard chunk >= 0 else { return false }
        let index = chunks[chunk].count - 1
        let last = chunks[chunk][index]
        guard last.upperBound == number else { return false }
        chunks[chunk][index] = last.lowerBound..<number + 1
        count += 1
        return true
    }

    /// Puts all numbers of a range in, whichever were there before.
    public mutating func insert(_ range: Range<UInt64>) {
        guard !range.isEmpty else { return }
        guard let place = place(atOrBefore: range.lowerBound) else {
            if chunks.isEmpty { chunks.append([]) }
            add(range, at: Place(chunk: 0, index: 0))
            absorb(after: Place(chunk: 0, index: 0))
            return
        }
        let known = self[place]
        if known.upperBound >= range.lowerBound {
            if known.upperBound < range.upperBound {
                replace(place, with: known.lowerBound..<range.upperBound)
                absorb(after: place)
            }
        } else {
            let next = Place(chunk: place.chunk, index: place.index + 1)
            absorb(after: add(range, at: next))
        }
    }

    /// Takes a number out, as a rollback does.
    ///
    /// - Parameter number: Any.
    /// - Returns: Whether it was held.
    @discardableResult
    public mutating func remove(_ number: UInt64) -> Bool {
        guard contains(number) else { return false }
        remove(number..<number + 1)
        return true
    }

    /// Takes all numbers of a range out, whichever were held.
    public mutating func remove(_ range: Range<UInt64>) {
        guard !range.isEmpty else { return }
        while let place = place(atOrBefore: range.upperBound - 1) {
            let known = self[place]
            if known.upperBound <= range.lowerBound { return }
            let before = known.lowerBound..<max(known.lowerBound, range.lowerBound)
            let after = min(known.upperBound, range.upperBound)..<known.upperBound
            switch (before.isEmpty, after.isEmpty) {
            case (true, true): drop(place)
            case (false, true): replace(place, with: before)
            case (true, false): replace(place, with: after)
            case (false, false):
                replace(place, with: before)
                add(after, at: Place(chunk: place.chunk, index: place.index + 1))
            }
        }
    }

    // MARK: Chunks

    private struct Place {
        var chunk: Int
        var index: Int
    }

    private subscript(place: Place) -> Range<UInt64> { chunks[place.chunk][place.index] }

    /// The last interval that begins at or before a number.
    private func place(atOrBefore number: UInt64) -> Place? {
        guard let last = chunks.last?.last else { return nil }
        if last.lowerBound <= number {
            return Place(chunk: chunks.count - 1, index: chunks[chunks.count - 1].count - 1)
        }
        let chunk = Self.partition(chunks.count) { chunks[$0][0].lowerBound <= number } - 1
        guard chunk >= 0 else { return nil }
        let intervals = chunks[chunk]
        let index = Self.partition(intervals.count) { intervals[$0].lowerBound <= number } - 1
        return Place(chunk: chunk, index: index)
    }

    /// How many of the first indices satisfy a condition that none satisfies after the first fails.
    private static func partition(_ count: Int, _ holds: (Int) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if holds(middle) { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private func following(_ place: Place) -> Place? {
        if place.index + 1 < chunks[place.chunk].count {
            return Place(chunk: place.chunk, index: place.index + 1)
        }
        return place.chunk + 1 < chunks.count ? Place(chunk: place.chunk + 1, index: 0) : nil
    }

    /// Joins to an interval all those it reaches or touches.
    private mutating func absorb(after place: Place) {
        while let next = following(place), self[next].lowerBound <= self[place].upperBound {
            let upper = max(self[place].upperBound, self[next].upperBound)
            drop(next)
            replace(place, with: self[place].lowerBound..<upper)
        }
    }

    private mutating func replace(_ place: Place, with interval: Range<UInt64>) {
        let old = self[place]
        count -= old.upperBound - old.lowerBound
        count += interval.upperBound - interval.lowerBound
        chunks[place.chunk][place.index] = interval
    }

    /// Puts an interval into a chunk, which is cut in two when full; answers where it stands.
    @discardableResult
    private mutating func add(_ interval: Range<UInt64>, at place: Place) -> Place {
        var place = place
        let full = chunks[place.chunk].count
        if full == Self.chunkCountMax {
            // At the end of the last chunk numbers ascend, and a new chunk leaves the old one full.
            let ascending = place.chunk == chunks.count - 1 && place.index == full
            let cut = ascending ? full : full / 2
            chunks.insert(Array(chunks[place.chunk][cut...]), at: place.chunk + 1)
            chunks[place.chunk].removeSubrange(cut...)
            if place.index > cut || ascending {
                place = Place(chunk: place.chunk + 1, index: place.index - cut)
            }
        }
        let held = chunks[place.chunk].count
        if held == chunks[place.chunk].capacity {
            // Else what the allocator gives beyond a small array is doubled with it up to the end.
            chunks[place.chunk].reserveCapacity(min(Self.chunkCountMax, max(4, held * 2)))
        }
        chunks[place.chunk].insert(interval, at: place.index)
        count += interval.upperBound - interval.lowerBound
        intervalCount += 1
        return place
    }

    private mutating func drop(_ place: Place) {
        let old = chunks[place.chunk].remove(at: place.index)
        count -= old.upperBound - old.lowerBound
        intervalCount -= 1
        if chunks[place.chunk].isEmpty { chunks.remove(at: place.chunk) }
    }

    // MARK: Checking

    /// Walks the whole set; the first violated invariant in words, or nil.
    public func checkInvariants() -> String? {
        var end: UInt64?
        var numbers: UInt64 = 0
        for chunk in chunks {
            if chunk.isEmpty || chunk.count > Self.chunkCountMax {
                return "chunk of \(chunk.count)"
            }
            for interval in chunk {
                if interval.isEmpty { return "empty interval \(interval)" }
                if let end, interval.lowerBound <= end { return "\(interval) after \(end)" }
                end = interval.upperBound
                numbers += interval.upperBound - interval.lowerBound
            }
        }
        if numbers != count { return "\(numbers) numbers, said to be \(count)" }
        let intervals = chunks.reduce(0) { $0 + $1.count }
        return intervals == intervalCount ? nil : "\(intervals) intervals, not \(intervalCount)"
    }
}

extension IntervalSet: Equatable {
    /// Whether both hold the same numbers, however they are chunked.
    public static func == (a: IntervalSet, b: IntervalSet) -> Bool {
        a.count == b.count && a.intervalCount == b.intervalCount && a.intervals == b.intervals
    }
}
