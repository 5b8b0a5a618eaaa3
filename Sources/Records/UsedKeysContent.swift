// The content of a frame of a part of used keys. The contract is CommitLog/FORMAT.md, section
// "Used keys".
public import HoldfastBasics

/// Writes one content.
public struct UsedKeysEncoder: ~Copyable {
    private var intervals = ByteBuffer()
    private var revisions = ByteBuffer()
    private var counts: (intervals: UInt32, revisions: UInt32) = (0, 0)

    /// Begins with no key.
    public init() {}

    /// How many entries are written.
    public var count: Int { Int(counts.intervals + counts.revisions) }

    /// Length of the content.
    ///
    /// Unit: bytes.
    public var byteCount: Int { Self.headByteCount + intervals.count + revisions.count }

    /// Adds ids that were used, behind those before.
    public mutating func add(_ ids: Range<UInt64>) {
        intervals.append(integer: ids.lowerBound)
        intervals.append(integer: ids.upperBound)
        counts.intervals += 1
    }

    /// Adds the highest revision that was used of an id, behind the ids before.
    public mutating func add(_ id: RecordID, revision: UInt32) {
        revisions.append(id.kind == .id ? 1 : 2)
        revisions.append(0)
        revisions.append(integer: UInt16(0))
        revisions.append(integer: revision)
        switch id {
        case .number(let number): revisions.append(integer: number)
        case .name(let name):
            revisions.append(integer: UInt64(name.count))
            revisions.append(name)
        }
        counts.revisions += 1
    }

    /// Lends the content and begins anew; does nothing when there is none.
    public mutating func finish(_ body: (ByteView) -> Void) {
        guard count > 0 else { return }
        var content = ByteBuffer(capacity: byteCount)
        content.append(integer: counts.intervals)
        content.append(integer: counts.revisions)
        content.append(intervals.view)
        content.append(revisions.view)
        body(content.view)
        intervals.removeAll()
        revisions.removeAll()
        counts = (0, 0)
    }

    fileprivate static let headByteCount = 8
}

/// Reads one content, lent by whoever holds its bytes.
public struct UsedKeysView {
    /// Ids that were used, ascending; no two touch.
    public let ids: [Range<UInt64>]
    /// The highest revisions that were used of ids, ascending by id.
    public let revisions: [(id: RecordID, revision: UInt32)]

    /// Reads it, every length checked before it is believed.
    ///
    /// - Throws: `malformed`.
    public init(_ bytes: ByteView) throws(ContentError) {
        var at = 0
        func malformed(_ what: String) -> ContentError { .malformed(offset: at, what: what) }
        guard bytes.count >= UsedKeysEncoder.headByteCount else { throw malformed("it is cut") }
        let counts = (
            Int(bytes.integer(UInt32.self, at: 0)), Int(bytes.integer(UInt32.self, at: 4))
        )
        at = UsedKeysEncoder.headByteCount
        guard counts.0 + counts.1 > 0,
            counts.0 * 16 + counts.1 * Self.revisionByteCount <= bytes.count - at
        else { throw malformed("it holds fewer keys") }
        var ids: [Range<UInt64>] = []
        for _ in 0..<counts.0 {
            let (first, end) = (
                bytes.integer(UInt64.self, at: at), bytes.integer(UInt64.self, at: at + 8)
            )
            guard first > ids.last?.upperBound ?? 0, first < end, end <= Limits.numberMax + 1
            else { throw malformed("ids that no tree has, or out of order") }
            ids.append(first..<end)
            at += 16
        }
        var revisions: [(id: RecordID, revision: UInt32)] = []
        for _ in 0..<counts.1 {
            guard bytes.count - at >= Self.revisionByteCount else { throw malformed("it is cut") }
            let head = bytes.suffix(from: at)
            let number = head.integer(UInt64.self, at: 8)
            let nameCount = head[0] == 2 ? number : 0
            guard head[0] == 1 || head[0] == 2, head[1] == 0,
                head.integer(UInt16.self, at: 2) == 0,
                nameCount <= UInt64(head.count - Self.revisionByteCount)
            else { throw malformed("a key of no kind, or cut") }
            let end = Self.revisionByteCount + Int(nameCount)
            let id: RecordID? =
                head[0] == 2
                ? RecordID(head[Self.revisionByteCount..<end], kind: .name)
                : (1...Limits.numberMax).contains(number) ? .number(number) : nil
            let revision = head.integer(UInt32.self, at: 4)
            guard let id, revision > 0 else { throw malformed("a key that no tree has") }
            if let last = revisions.last?.id, last >= id { throw malformed("keys out of order") }
            revisions.append((id, revision))
            at += end
        }
        guard at == bytes.count else { throw malformed("bytes follow the last key") }
        (self.ids, self.revisions) = (ids, revisions)
    }

    private static let revisionByteCount = 16
}
