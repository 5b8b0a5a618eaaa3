// One document that is being decoded: where each open container has got to.
//
// Each container has a frame. In the common case members are asked for in the order in which they
// stand, and a frame is no more than a position. The first time a member is not where it is looked
// for, the object's members are listed once, and looked up in that list from then on.
//
// Frames and members hold offsets, which the cursor clamps to what there is.
internal import HoldfastBasics

/// Where a value stands among its neighbours, for error messages.
struct Location: BitwiseCopyable {
    /// The frame of the container around it, or -1.
    let frame: Int32
    /// Offset of the member's name, or index of the element with the high bit set.
    let label: UInt32

    /// The document itself, or a value that stands for the one around it.
    static let root = Location(frame: -1, label: 0)

    @inline(__always)
    static func member(_ nameAt: Int, in frame: Int) -> Location {
        Location(
            frame: Int32(truncatingIfNeeded: frame),
            label: UInt32(truncatingIfNeeded: nameAt) & 0x7FFF_FFFF
        )
    }

    @inline(__always)
    static func element(_ index: Int, in frame: Int) -> Location {
        Location(
            frame: Int32(truncatingIfNeeded: frame),
            label: UInt32(truncatingIfNeeded: index) | 0x8000_0000
        )
    }
}

/// The state of a session.
struct DecodingCore: ~Copyable {
    /// An open container.
    struct Frame: BitwiseCopyable {
        let location: Location
        /// Containers around and including this one.
        let depth: Int32
        let isObject: Bool
        /// Elements passed, or 1 when members have been.
        var index: Int32 = 0
        /// Of the opening bracket.
        let start: Int
        /// Of the next entry: behind the opening bracket or the value before.
        var next: Int
        /// Where the list of members begins, or -1.
        var listStart = -1
        var listCount = 0
        /// Where in the list the next member is expected.
        var expected = 0
    }

    /// A member in a list.
    struct Member: BitwiseCopyable {
        /// Of the name's first byte.
        let nameAt: UInt32
        /// Length of the name; the high bit is set when it holds escapes.
        let nameCount: UInt32
        let valueAt: UInt32
    }

    /// What a look-up gave.
    enum LookUp { case found, absent, damaged }

    /// Tells one use of this memory from the next.
    var generation: UInt32 = 0
    var cursor = JSONCursor(.empty)
    var userInfo: [CodingUserInfoKey: any Sendable] = [:]
    var frames = PlainStack<Frame>()
    var members = PlainStack<Member>()
    /// Of the opening quote of the name found last.
    var nameAt = 0
    /// Why a look-up gave `damaged`.
    var damage = JSONError.empty
    /// The value that a single-value container read last, so that it is not passed over twice.
    var singleStart = -1
    var singleEnd = 0
    /// The element at which an array of scalars could not be read.
    var failedIndex: Int?

    /// Lets go of the document, whose owner may now take its memory back.
    mutating func reset() {
        generation &+= 1
        cursor = JSONCursor(.empty)
        if !userInfo.isEmpty { userInfo = [:] }
        frames.removeAll()
        members.removeAll()
        singleStart = -1
        failedIndex = nil
    }

    mutating func isAtEnd() -> Bool {
        // Nothing but white space makes this throw for want of bytes.
        (try? cursor.peek()) == nil && cursor.at == cursor.end
    }

    // MARK: Frames

    /// Opens the container that begins at an offset; its frame is the last.
    @inline(__always)
    mutating func open(
        at offset: Int,
        isObject: Bool,
        location: Location
    ) throws(JSONError) -> Int {
        cursor.seek(offset)
        try cursor.open(isObject ? ASCII.brace : ASCII.bracket, isObject ? .object : .array)
        let above = Int(location.frame)
        let depth = above >= 0 && above < frames.count ? frames[above].depth + 1 : 1
        guard depth <= Limits.depthMax else {
            throw .tooDeep(offset: offset, depthMax: Limits.depthMax)
        }
        frames.append(
            Frame(
                location: location,
                depth: depth,
                isObject: isObject,
                start: offset,
                next: cursor.offset
            )
        )
        return frames.count &- 1
    }

    /// Puts the cursor behind a value whose decoding has ended.
    ///
    /// - Parameters:
    ///   - start: Where the value begins.
    ///   - frame: The frame its container got, if it opened one.
    /// - Throws: When the rest of the value is not JSON.
    @inline(__always)
    mutating func leave(_ start: Int, frame: Int) throws(JSONError) {
        if frame < frames.count, frames[frame].start == start {
            cursor.seek(frames[frame].next)
            var isFirst = frames[frame].index == 0
            let isObject = frames[frame].isObject
            let closing = isObject ? ASCII.braceEnd : ASCII.bracketEnd
            while try cursor.nextEntry(isFirst: isFirst, closing: closing) {
                if isObject { _ = try cursor.name() }
                try cursor.skipValue()
                isFirst = false
            }
        } else if singleStart == start {
            cursor.seek(singleEnd)
        } else {
            cursor.seek(start)
            try cursor.skipValue()
        }
    }

    /// Forgets the containers opened since; theirs are the last.
    @inline(__always)
    mutating func close(frames count: Int, members memberCount: Int) {
        frames.truncate(to: min(count, frames.count))
        members.truncate(to: min(memberCount, members.count))
    }

    // MARK: Members

    /// Puts the cursor before the value of a member.
    @inline(__always)
    mutating func find(_ name: UnsafeBufferPointer<UInt8>, in frame: Int) -> LookUp {
        let name = ByteView(UnsafeRawBufferPointer(name))
        do throws(JSONError) {
            if frames[frame].listStart < 0 {
                if try isNext(name, frame) { return .found }
                try list(frame)
            }
            return try lookUp(name, frame) ? .found : .absent
        } catch {
            damage = error
            return .damaged
        }
    }

    /// Whether the next member has this name; the cursor then stands before its value.
    @inline(__always)
    private mutating func isNext(_ name: ByteView, _ frame: Int) throws(JSONError) -> Bool {
        cursor.seek(frames[frame].next)
        guard
            try cursor.nextEntry(isFirst: frames[frame].index == 0, closing: ASCII.braceEnd)
        else { return false }
        _ = try cursor.peek()
        nameAt = cursor.offset
        let found = try cursor.name()
        return found.equals(name)
    }

    /// Notes that the value of the member found last has been read up to the cursor.
    @inline(__always)
    mutating func passMember(_ frame: Int) {
        guard frames[frame].listStart < 0 else { return }
        frames[frame].next = cursor.offset
        frames[frame].index = 1
    }

    /// Lists the members of an object.
    @inline(never)
    mutating func list(_ frame: Int) throws(JSONError) {
        guard frames[frame].listStart < 0 else { return }
        let first = members.count
        cursor.seek(frames[frame].start)
        try cursor.open(ASCII.brace, .object)
        var isFirst = true
        var expected = 0
        while try cursor.nextEntry(isFirst: isFirst, closing: ASCII.braceEnd) {
            isFirst = false
            if cursor.offset <= frames[frame].next { expected = members.count - first }
            _ = try cursor.peek()
            let at = cursor.offset + 1
            let name = try cursor.name()
            let escaped: UInt32 = name.isEscaped ? 0x8000_0000 : 0
            members.append(
                Member(
                    nameAt: UInt32(truncatingIfNeeded: at),
                    nameCount: UInt32(truncatingIfNeeded: name.raw.count) | escaped,
                    valueAt: UInt32(truncatingIfNeeded: cursor.offset)
                )
            )
            try cursor.skipValue()
        }
        // The object has been passed: leaving it needs no second look.
        frames[frame].next = cursor.offset - 1
        frames[frame].index = 1
        frames[frame].listStart = first
        frames[frame].listCount = members.count - first
        frames[frame].expected = expected
    }

    /// A listed member's name.
    @inline(__always)
    func name(_ member: Member) -> JSONString {
        let at = Int(member.nameAt)
        let count = Int(member.nameCount & 0x7FFF_FFFF)
        return JSONString(raw: cursor.view(at..<at + count), isEscaped: member.nameCount >> 31 == 1)
    }

    /// A member of a frame's list, which is nil only for a container that has outlived its value.
    @inline(__always)
    func member(_ index: Int, of frame: Int) -> Member? {
        let place = frames[frame].listStart + index
        return place < members.count ? members[place] : nil
    }

    private mutating func lookUp(_ name: ByteView, _ frame: Int) throws(JSONError) -> Bool {
        let count = frames[frame].listCount
        var index = frames[frame].expected
        for _ in 0..<count {
            if index >= count { index = 0 }
            guard let member = member(index, of: frame) else { return false }
            index += 1
            if member.nameCount >> 31 == 0, Int(member.nameCount) != name.count { continue }
            guard self.name(member).equals(name) else { continue }
            frames[frame].expected = index
            nameAt = Int(member.nameAt) - 1
            cursor.seek(Int(member.valueAt))
            return true
        }
        return false
    }
}
