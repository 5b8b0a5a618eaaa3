// The text of a segment, and which containers in it are open.
internal import HoldfastBasics

/// What a segment has written.
struct EncodingCore: ~Copyable {
    /// A container that has not been closed.
    struct Open: BitwiseCopyable {
        /// Of the opening bracket.
        let start: Int
        let isObject: Bool
        var entryCount = 0
        /// Of the last member's name, for error messages.
        var nameAt = 0
    }

    /// Where a segment belongs in the one that opened it.
    struct Place {
        let parent: EncodingSegment
        /// Containers open around it there.
        let depth: Int
        /// The innermost of them, with the entry that the segment stands for.
        let container: Open
    }

    /// Content up to this is kept at rest, so that encoding a record allocates nothing.
    private static let keptByteCountMax = 64 << 10

    /// Tells one use of this memory from the next.
    var generation: UInt32 = 0
    var output = ByteBuffer()
    var open = PlainStack<Open>()
    /// Segments to be put in at offsets of `output`, in ascending order.
    var children: [(offset: Int, segment: EncodingSegment)] = []
    var userInfo: [CodingUserInfoKey: any Sendable] = [:]
    var place: Place?
    /// Containers open around the whole segment, in all segments above.
    var depthAbove = 0

    /// Opens a container at the end.
    @inline(__always)
    mutating func begin(isObject: Bool) {
        open.append(Open(start: output.count, isObject: isObject))
        output.append(isObject ? ASCII.brace : ASCII.bracket)
    }

    /// Closes all containers above a depth.
    @inline(__always)
    mutating func close(to depth: Int) {
        while open.count > depth {
            output.append(open[open.count &- 1].isObject ? ASCII.braceEnd : ASCII.bracketEnd)
            open.truncate(to: open.count &- 1)
        }
    }

    /// Makes the container at a depth ready for its next entry; false when it has been closed.
    @inline(__always)
    mutating func nextEntry(_ depth: Int) -> Bool {
        close(to: depth)
        guard open.count == depth, depth > 0 else { return false }
        if open[depth &- 1].entryCount > 0 { output.append(ASCII.comma) }
        open[depth &- 1].entryCount &+= 1
        return true
    }

    /// The same for an object, with the name written.
    @inline(__always)
    mutating func nextMember(_ name: String, _ depth: Int) -> Bool {
        guard nextEntry(depth) else { return false }
        open[depth &- 1].nameAt = output.count
        output.appendJSONString(name)
        output.append(ASCII.colon)
        return true
    }

    /// Makes this as good as new; whoever still holds the segment is locked out.
    mutating func reset() {
        generation &+= 1
        output.removeAll()
        output.shrinkIfEmpty(above: Self.keptByteCountMax)
        open.removeAll()
        if !children.isEmpty { children = [] }
        if !userInfo.isEmpty { userInfo = [:] }
        place = nil
        depthAbove = 0
    }
}
