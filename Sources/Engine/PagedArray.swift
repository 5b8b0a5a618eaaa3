// A growing array in chunks: nothing is copied as it grows, so an index of millions never stalls.
//
// Invariants: every chunk but the last holds exactly `chunkCount` elements. The first chunk grows
// as any array does, so that a small tree costs little; later ones are allocated whole.

/// An array that grows by chunks and never moves what it holds.
struct PagedArray<Element: Sendable>: Sendable {
    /// Elements of one chunk.
    static var chunkCount: Int { 1 << shift }
    private static var shift: Int { 12 }

    private var chunks: [[Element]] = []
    private(set) var count = 0

    subscript(index: Int) -> Element {
        get { chunks[index &>> Self.shift][index & (Self.chunkCount - 1)] }
        set { chunks[index &>> Self.shift][index & (Self.chunkCount - 1)] = newValue }
    }

    /// Appends `count` times the same element.
    mutating func extend(by count: Int, filling element: Element) {
        var left = count
        while left > 0 {
            let used = self.count & (Self.chunkCount - 1)
            if used == 0 {
                chunks.append([])
                if chunks.count > 1 { chunks[chunks.count - 1].reserveCapacity(Self.chunkCount) }
            }
            let piece = min(left, Self.chunkCount - used)
            chunks[chunks.count - 1].append(contentsOf: repeatElement(element, count: piece))
            self.count += piece
            left -= piece
        }
    }

    /// Memory in use, in bytes: chunks with their headers, and the table of chunks.
    var byteCount: Int {
        let header = 48
        return chunks.capacity * MemoryLayout<[Element]>.stride
            + chunks.reduce(0) { $0 + header + $1.capacity * MemoryLayout<Element>.stride }
    }
}
