// Finds a member that is named twice, without a table per object.
//
// Names of all open objects stand on one stack, the innermost object's on top. An object of few
// members is searched along the stack, and only when a filter of 64 bits says that a name like this
// one may have been there. An object of many members is sorted when it ends: n log n whatever the
// names are, so that nobody can choose names that make the check slow.
internal import HoldfastBasics

/// The member names of the objects that are open, by their bytes after unescaping.
struct MemberNames: ~Copyable {
    /// One name.
    struct Entry: BitwiseCopyable {
        let hash: UInt32
        let byteCount: UInt32
        /// Of the first byte behind the opening quote, in the text.
        let offset: UInt32
        /// 0: the name stands in the text; otherwise 1 + its place among the unescaped ones.
        let unescapedAt: UInt32
    }

    /// What is known about one open object.
    struct Scope: BitwiseCopyable {
        /// Where its names begin on the stack.
        var first: UInt32
        /// A bit for each name seen, by its hash.
        var filter: UInt64 = 0
    }

    /// Above this an object is sorted at its end; below, at most so many words are compared.
    static let searchedCountMax = 64

    private let text: ByteView
    private var entries: PlainStack<Entry>
    private var unescaped = ByteBuffer()

    init(text: ByteView, lent memory: UnsafeMutableBufferPointer<Entry>) {
        self.text = text
        entries = PlainStack(lent: memory)
    }

    /// Begins an object.
    var scope: Scope { Scope(first: UInt32(truncatingIfNeeded: entries.count)) }

    /// Takes a name of the innermost object.
    ///
    /// - Parameters:
    ///   - name: Its place in the text, between the quotes.
    ///   - isEscaped: Whether it holds a backslash.
    ///   - scope: The object's.
    /// - Returns: False when the object has this name already.
    @inline(__always)
    mutating func add(_ name: Range<Int>, isEscaped: Bool, to scope: inout Scope) -> Bool {
        let entry =
            isEscaped
            ? unescape(name)
            : Entry(
                hash: MemberNames.hash(text, name),
                byteCount: UInt32(truncatingIfNeeded: name.count),
                offset: UInt32(truncatingIfNeeded: name.lowerBound),
                unescapedAt: 0
            )
        let bit: UInt64 = 1 << UInt64(entry.hash >> 26)
        if scope.filter & bit != 0, !isNew(entry, since: Int(scope.first)) { return false }
        scope.filter |= bit
        entries.append(entry)
        return true
    }

    /// Ends the innermost object.
    ///
    /// - Returns: Where a name stands a second time, or nil.
    @inline(__always)
    mutating func end(_ scope: Scope) -> Int? {
        let first = Int(scope.first)
        let twice = entries.count - first > Self.searchedCountMax ? sorted(from: first) : nil
        entries.truncate(to: first)
        if first == 0, !unescaped.isEmpty { unescaped.removeAll() }
        return twice
    }

    private func isNew(_ entry: Entry, since first: Int) -> Bool {
        guard entries.count - first <= Self.searchedCountMax else { return true }
        for index in first..<entries.count where entries[index].hash == entry.hash {
            if bytes(entries[index]) == bytes(entry) { return false }
        }
        return true
    }

    private mutating func sorted(from first: Int) -> Int? {
        let (text, unescaped) = (text, unescaped.view)
        entries.sort(from: first) { a, b in
            if a.hash != b.hash { return a.hash < b.hash }
            let order = Self.bytes(a, text, unescaped).compare(Self.bytes(b, text, unescaped))
            return order != 0 ? order < 0 : a.offset < b.offset
        }
        for index in first + 1..<entries.count
        where entries[index].hash == entries[index - 1].hash {
            if bytes(entries[index]) == bytes(entries[index - 1]) {
                return Int(entries[index].offset)
            }
        }
        return nil
    }

    private func bytes(_ entry: Entry) -> ByteView { Self.bytes(entry, text, unescaped.view) }

    private static func bytes(_ entry: Entry, _ text: ByteView, _ unescaped: ByteView) -> ByteView {
        let inText = entry.unescapedAt == 0
        let start = Int(inText ? entry.offset : entry.unescapedAt - 1)
        return (inText ? text : unescaped)[start..<start + Int(entry.byteCount)]
    }

    /// The name is well-formed: its string has been checked before.
    @inline(never)
    private mutating func unescape(_ name: Range<Int>) -> Entry {
        let start = unescaped.count
        JSONString(raw: text[name], isEscaped: true).append(to: &unescaped)
        let range = start..<unescaped.count
        return Entry(
            hash: MemberNames.hash(unescaped.view, range),
            byteCount: UInt32(truncatingIfNeeded: range.count),
            offset: UInt32(truncatingIfNeeded: name.lowerBound),
            unescapedAt: UInt32(truncatingIfNeeded: start + 1)
        )
    }

    /// Mixes length and words by multiplication; the last word is masked or read byte by byte.
    @inline(__always)
    private static func hash(_ text: ByteView, _ range: Range<Int>) -> UInt32 {
        var state = UInt64(truncatingIfNeeded: range.count)
        var at = range.lowerBound
        while range.upperBound - at >= 8 {
            state = mix(state, text.integer(UInt64.self, at: at))
            at += 8
        }
        let left = range.upperBound - at
        if left > 0 {
            var last: UInt64 = 0
            if text.count - at >= 8 {
                last = text.integer(UInt64.self, at: at) & (~0 >> UInt64(64 - left * 8))
            } else {
                for index in 0..<left { last |= UInt64(text[at + index]) << UInt64(index * 8) }
            }
            state = mix(state, last)
        }
        return UInt32(truncatingIfNeeded: state >> 32)
    }

    @inline(__always)
    private static func mix(_ state: UInt64, _ word: UInt64) -> UInt64 {
        // An odd constant with half its bits set: the fractional digits of the golden ratio.
        let product = (state ^ word) &* 0x9E37_79B9_7F4A_7C15
        return product ^ (product >> 29)
    }
}
