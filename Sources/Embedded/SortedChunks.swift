// Sorted elements, the form in which views keep what is asked for in order.

/// Sorted elements in chunks, so that an insertion in the middle moves little.
///
/// Complexity: O(log n) to find, plus a move of at most one chunk to change.
struct SortedChunks<Element: Comparable & Sendable>: Sendable {
    private static var countMax: Int { 512 }
    /// None is empty.
    private var chunks: [[Element]] = []

    /// A place between two elements.
    private struct Place {
        var chunk: Int
        var offset: Int
    }

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

    /// Takes an element out.
    ///
    /// - Parameter element: Equal to the one that is there.
    /// - Returns: The one that was there; nil when there was none.
    @discardableResult
    mutating func remove(_ element: Element) -> Element? {
        let place = place { $0 < element }
        guard place.chunk < chunks.count, chunks[place.chunk][place.offset] == element else {
            return nil
        }
        let old = chunks[place.chunk].remove(at: place.offset)
        if chunks[place.chunk].isEmpty { chunks.remove(at: place.chunk) }
        return old
    }

    /// Runs `body` over neighbouring elements until it returns false.
    ///
    /// - Parameters:
    ///   - isBefore: Whether an element stands before the first one wanted.
    ///   - isBehind: Whether an element stands behind the last one wanted.
    ///   - isReversed: Whether to go from the last to the first.
    ///   - body: Is given the elements.
    /// - Throws: What `body` throws.
    func forEach<E: Error>(
        from isBefore: (Element) -> Bool,
        to isBehind: (Element) -> Bool,
        isReversed: Bool = false,
        _ body: (Element) throws(E) -> Bool
    ) throws(E) {
        var (first, last) = (place(isBefore), place { !isBehind($0) })
        while !isReversed, (first.chunk, first.offset) < (last.chunk, last.offset) {
            guard try body(chunks[first.chunk][first.offset]) else { return }
            first.offset += 1
            guard first.offset == chunks[first.chunk].count else { continue }
            first = Place(chunk: first.chunk + 1, offset: 0)
        }
        while isReversed, (first.chunk, first.offset) < (last.chunk, last.offset) {
            if last.offset == 0 {
                last = Place(chunk: last.chunk - 1, offset: chunks[last.chunk - 1].count)
            }
            last.offset -= 1
            guard try body(chunks[last.chunk][last.offset]) else { return }
        }
    }

    /// All elements.
    var elements: [Element] { chunks.flatMap(\.self) }

    /// The first place whose element fails a condition that holds for all before it.
    private func place(_ holds: (Element) -> Bool) -> Place {
        let chunk = firstChunk(holds)
        guard chunk < chunks.count else { return Place(chunk: chunk, offset: 0) }
        return Place(
            chunk: chunk,
            offset: Self.partition(chunks[chunk].count) { holds(chunks[chunk][$0]) }
        )
    }

    /// The first chunk whose last element fails it.
    private func firstChunk(_ holds: (Element) -> Bool) -> Int {
        Self.partition(chunks.count) { holds(chunks[$0][chunks[$0].count - 1]) }
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
