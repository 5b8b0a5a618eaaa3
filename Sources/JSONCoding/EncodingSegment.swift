// A piece of text that an encoder writes on its own.
//
// Values encoded by `encode(_:forKey:)` end before the next begins, so they are written one after
// the other into one buffer. Only `nestedContainer` and `superEncoder` hand out containers that may
// be used in any order: each gets a segment of its own, which is put into its parent's text when
// the value that asked for it has been encoded.
internal import HoldfastBasics

/// A piece of text that is encoded on its own.
///
/// Unsafe, with this argument: `memory` comes from the pool and is never freed. Whoever holds a
/// segment that has ended, or whose memory serves another one by now, is stopped by the comparison
/// of generations.
struct EncodingSegment {
    private let memory: UnsafeMutablePointer<EncodingCore>
    private let generation: UInt32

    private static let pool = Pool<EncodingCore>()

    /// Begins a text.
    init(userInfo: [CodingUserInfoKey: any Sendable]) {
        if let rested = Self.pool.take() {
            memory = rested
        } else {
            memory = .allocate(capacity: 1)
            memory.initialize(to: EncodingCore())
        }
        generation = memory.pointee.generation
        if !userInfo.isEmpty { memory.pointee.userInfo = userInfo }
    }

    /// The state; stops the process when the segment has ended.
    @inline(__always)
    var core: UnsafeMutablePointer<EncodingCore> {
        precondition(memory.pointee.generation == generation, "encoder used after its value")
        return memory
    }

    /// Ends the segment and all below, once.
    func end() {
        for (_, child) in core.pointee.children { child.end() }
        core.pointee.reset()
        Self.pool.giveBack(memory)
    }

    // MARK: Values

    /// Encodes the value of the whole text.
    func encodeRoot<T: Encodable>(_ value: T) throws {
        let start = core.pointee.output.count
        try encode(value)
        if core.pointee.output.count == start {
            throw refusal(value, "encodes nothing", depth: 0)
        }
    }

    /// Encodes a value at the end and closes what it leaves open.
    @inline(__always)
    func encode<T: Encodable>(_ value: T) throws {
        if try encodeKnown(value) { return }
        try encodeUnknown(value)
    }

    @inline(never)
    private func encodeUnknown<T: Encodable>(_ value: T) throws {
        let core = core
        let depth = core.pointee.open.count
        guard depth + core.pointee.depthAbove < Limits.depthMax else {
            throw refusal(value, "nested deeper than \(Limits.depthMax) levels", depth: depth)
        }
        let start = core.pointee.output.count
        let childCount = core.pointee.children.count
        try value.encode(to: ValueEncoder(segment: self, depth: depth, start: start))
        if core.pointee.children.count > childCount { try settle(from: childCount) }
        core.pointee.close(to: depth)
        if depth > 0, core.pointee.output.count == start {
            // As Foundation has it: an entry that encodes nothing is an object without members.
            core.pointee.output.append("{}")
        }
    }

    /// What is written before an entry that may have to be undone.
    struct Mark {
        let byteCount: Int
        let depth: Int
        let entryCount: Int
    }

    /// Marks the place before the next entry of the container at a depth.
    @inline(__always)
    func mark(_ depth: Int) -> Mark {
        let core = core
        core.pointee.close(to: depth)
        let isOpen = depth > 0 && core.pointee.open.count == depth
        return Mark(
            byteCount: core.pointee.output.count,
            depth: depth,
            entryCount: isOpen ? core.pointee.open[depth - 1].entryCount : 0
        )
    }

    /// Undoes what stands behind a mark, after a value has thrown.
    func rollBack(to mark: Mark) {
        core.pointee.output.truncate(to: min(mark.byteCount, core.pointee.output.count))
        core.pointee.open.truncate(to: min(mark.depth, core.pointee.open.count))
        if mark.depth > 0, core.pointee.open.count == mark.depth {
            core.pointee.open[mark.depth - 1].entryCount = mark.entryCount
        }
        while let last = core.pointee.children.last, last.offset > mark.byteCount {
            core.pointee.children.removeLast()
            last.segment.end()
        }
    }

    // MARK: Segments

    /// A segment that stands for the entry that is due now in the container at a depth.
    func child(_ depth: Int) -> EncodingSegment {
        let core = core
        let child = EncodingSegment(userInfo: core.pointee.userInfo)
        child.core.pointee.depthAbove = core.pointee.depthAbove + depth
        child.core.pointee.place = EncodingCore.Place(
            parent: self,
            depth: depth,
            container: core.pointee.open[depth - 1]
        )
        core.pointee.children.append((core.pointee.output.count, child))
        return child
    }

    /// Puts the texts of the last segments into this one's and ends them.
    private func settle(from first: Int) throws {
        let core = core
        let start = core.pointee.children[first].offset
        // What has been written behind the first of them; mostly nothing.
        var behind = ByteBuffer()
        behind.append(core.pointee.output.view.suffix(from: start))
        core.pointee.output.truncate(to: start)
        var at = 0
        while core.pointee.children.count > first {
            let (offset, child) = core.pointee.children.remove(at: first)
            core.pointee.output.append(behind.view[at..<offset - start])
            at = offset - start
            defer { child.end() }
            if !child.core.pointee.children.isEmpty { try child.settle(from: 0) }
            let depth = child.core.pointee.depthAbove + child.core.pointee.open.count
            guard depth <= Limits.depthMax else {
                throw child.refusal(
                    "",
                    "nested deeper than \(Limits.depthMax) levels",
                    depth: child.core.pointee.open.count
                )
            }
            child.core.pointee.close(to: 0)
            let isEmpty = child.core.pointee.output.isEmpty
            core.pointee.output.append(child.core.pointee.output.view)
            if isEmpty { core.pointee.output.append("{}") }
        }
        core.pointee.output.append(behind.view.suffix(from: at))
    }

    // MARK: Errors

    /// An error for a value that JSON or we cannot take.
    ///
    /// - Parameters:
    ///   - value: The value.
    ///   - reason: What is wrong with it.
    ///   - depth: Containers open around it.
    ///   - key: Its name or index when that is not written yet.
    /// - Returns: What to throw.
    @inline(never)
    func refusal(
        _ value: Any,
        _ reason: String,
        depth: Int,
        key: (any CodingKey)? = nil
    ) -> EncodingError {
        let path = key.map { self.path(depth - 1) + [$0] } ?? self.path(depth)
        return .invalidValue(
            value,
            EncodingError.Context(codingPath: path, debugDescription: reason)
        )
    }

    /// The names and indexes of the entries that are being encoded, down to a depth.
    ///
    /// Read back from the text that has been written, so that encoding need not keep them.
    func path(_ depth: Int) -> [any CodingKey] {
        var path: [any CodingKey] = []
        if let place = core.pointee.place {
            path = place.parent.path(place.depth - 1)
            place.parent.step(place.container).map { path.append($0) }
        }
        for level in 0..<max(0, min(depth, core.pointee.open.count)) {
            guard let step = step(core.pointee.open[level]) else { break }
            path.append(step)
        }
        return path
    }

    /// The name or index of a container's last entry.
    private func step(_ container: EncodingCore.Open) -> PathKey? {
        guard container.entryCount > 0 else { return nil }
        guard container.isObject else { return PathKey(index: container.entryCount - 1) }
        var cursor = JSONCursor(core.pointee.output.view)
        cursor.seek(container.nameAt)
        return ((try? cursor.string())?.text).map { PathKey($0) }
    }
}

/// A step of a coding path.
struct PathKey: CodingKey {
    let stringValue: String
    let intValue: Int?

    init(_ name: String) {
        stringValue = name
        intValue = nil
    }

    init(index: Int) {
        stringValue = "Index \(index)"
        intValue = index
    }

    init?(stringValue: String) { self.init(stringValue) }

    init?(intValue: Int) { self.init(index: intValue) }

    /// The member under which classes encode what they inherit.
    static let inherited = PathKey("super")
}
