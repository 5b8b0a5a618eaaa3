// A segment as the open log knows it.
internal import HoldfastBasics
internal import HoldfastStorage

/// One file of the log.
struct Segment: Sendable {
    let firstSeq: UInt64
    /// Logical offset of its first byte.
    let base: UInt64
    let salt: UInt32
    let headerByteCount: Int
    /// How long it may become, and how much of it is mapped.
    var capacity: Int
    /// End of what has gathered for it, in bytes of the file.
    var end: Int
    /// Where its frames lie.
    var index: SeqIndex
    /// Its bytes; nil until it has been written for the first time.
    var map: MappedFile?

    var path: String { Self.path(firstSeq: firstSeq) }
    var indexPath: String { Self.indexPath(firstSeq: firstSeq) }

    static let directory = "log"
    /// The file that becomes the next segment.
    static let sparePath = "log/spare"

    /// The file of a segment: 16 digits, so that names sort as numbers do.
    static func path(firstSeq: UInt64) -> String { directory + "/" + stem(firstSeq) + ".seg" }

    /// The index beside it.
    static func indexPath(firstSeq: UInt64) -> String { directory + "/" + stem(firstSeq) + ".idx" }

    private static func stem(_ firstSeq: UInt64) -> String {
        let digits = String(firstSeq)
        return String(repeating: "0", count: max(0, 16 - digits.count)) + digits
    }

    /// The first seq a segment's name tells; nil for a name that is no segment's.
    static func firstSeq(ofName name: String) -> UInt64? {
        name.hasSuffix(".seg") ? firstSeq(ofFile: name) : nil
    }

    /// The first seq the name of a segment or its index tells; nil for other files.
    static func firstSeq(ofFile name: String) -> UInt64? {
        guard name.utf8.count == 20, name.hasSuffix(".seg") || name.hasSuffix(".idx") else {
            return nil
        }
        let digits = name.utf8.prefix(16)
        guard digits.allSatisfy({ (48...57).contains($0) }) else { return nil }
        return UInt64(name.prefix(16))
    }
}

/// Where every 128th frame of a segment begins.
///
/// Complexity: 4 bytes per 128 commits; a lookup walks over 127 frames at most.
struct SeqIndex: Equatable, Sendable {
    static let stride: UInt64 = 128
    let firstSeq: UInt64
    private(set) var offsets: [UInt32] = []

    init(firstSeq: UInt64) { self.firstSeq = firstSeq }

    init(firstSeq: UInt64, offsets: [UInt32]) {
        self.firstSeq = firstSeq
        self.offsets = offsets
    }

    /// Takes note of a frame; called for every one, in order.
    @inline(__always)
    mutating func note(_ seq: UInt64, at offset: Int) {
        if (seq &- firstSeq) % Self.stride == 0 { offsets.append(UInt32(offset)) }
    }

    /// A frame at or before `seq`, to walk on from; nil when the segment has none.
    func start(for seq: UInt64) -> (seq: UInt64, offset: Int)? {
        guard seq >= firstSeq, !offsets.isEmpty else { return nil }
        let slot = min(Int((seq - firstSeq) / Self.stride), offsets.count - 1)
        return (firstSeq + UInt64(slot) * Self.stride, Int(offsets[slot]))
    }

    /// Forgets the frames from `seq` on.
    mutating func cut(from seq: UInt64) {
        let kept = seq > firstSeq ? Int((seq - 1 - firstSeq) / Self.stride) + 1 : 0
        offsets.removeLast(max(0, offsets.count - kept))
    }
}

extension Array where Element == Segment {
    /// The segment a logical offset lies in; traps before the first.
    @inline(__always)
    func slot(ofOffset offset: UInt64) -> Int {
        // Nearly always the last; the search is for old records. `last` would copy all of it.
        if count > 0, offset >= self[count - 1].base { return count - 1 }
        var low = 0
        var high = count - 1
        while low < high {
            let middle = (low + high + 1) / 2
            if self[middle].base <= offset { low = middle } else { high = middle - 1 }
        }
        precondition(!isEmpty && self[low].base <= offset, "a location before the oldest segment")
        return low
    }

    /// The segment a seq lies in; nil before the first.
    func slot(ofSeq seq: UInt64) -> Int? {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if self[middle].firstSeq <= seq { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? nil : low - 1
    }
}
