// A borrowed, bounds-checked view of bytes somebody else owns.
//
// Invariants:
// - every access is checked against `count`; a violation traps, also in release;
// - the view owns nothing: whoever hands one out says how long it may be used (a closure, a lock, a
//   pinned segment). A view is therefore not Sendable and is never stored beyond that.
internal import Glibc

/// A borrowed run of bytes, checked on every access and valid as long as its owner says.
@safe public struct ByteView {
    /// First byte; any address when `count` is 0.
    @usableFromInline let start: UnsafePointer<UInt8>
    /// Length in bytes.
    public let count: Int

    /// Wraps memory that stays valid and unchanged while the view is in use.
    @unsafe public init(_ bytes: UnsafeRawBufferPointer) {
        count = bytes.count
        if let base = bytes.baseAddress {
            start = base.assumingMemoryBound(to: UInt8.self)
        } else {
            start = Self.nothing
        }
    }

    @unsafe init(start: UnsafePointer<UInt8>, count: Int) {
        self.start = start
        self.count = count
    }

    // An address to stand for "no bytes"; never read, as every access is checked against count 0.
    nonisolated(unsafe) private static let nothing = UnsafePointer(
        UnsafeMutablePointer<UInt8>.allocate(capacity: 1)
    )

    /// The view of no bytes.
    public static var empty: ByteView { ByteView(start: nothing, count: 0) }

    /// Whether there are no bytes.
    public var isEmpty: Bool { count == 0 }

    /// The byte at `index`; traps outside `0..<count`.
    public subscript(index: Int) -> UInt8 {
        precondition(UInt(bitPattern: index) < UInt(bitPattern: count), "byte index out of range")
        return start[index]
    }

    /// The bytes of a range inside this view; traps when it reaches outside.
    public subscript(range: Range<Int>) -> ByteView {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "byte range out of range")
        return ByteView(start: start + range.lowerBound, count: range.count)
    }

    /// The bytes from `offset` to the end.
    public func suffix(from offset: Int) -> ByteView { self[offset..<count] }

    /// A little-endian integer at `offset`, of any alignment.
    public func integer<I: FixedWidthInteger>(_: I.Type = I.self, at offset: Int) -> I {
        precondition(
            offset >= 0 && offset <= count - MemoryLayout<I>.size,
            "integer reaches out of range"
        )
        return I(littleEndian: UnsafeRawPointer(start + offset).loadUnaligned(as: I.self))
    }

    /// Where a byte first stands at or after `offset`, or nil.
    public func firstIndex(of byte: UInt8, from offset: Int = 0) -> Int? {
        precondition(offset >= 0 && offset <= count, "search begins out of range")
        guard offset < count, let hit = memchr(start + offset, Int32(byte), count - offset) else {
            return nil
        }
        return UnsafeRawPointer(hit) - UnsafeRawPointer(start)
    }

    /// Lends the memory to C and to hot loops that have checked their own bounds.
    @unsafe public func withUnsafeBytes<T>(
        _ body: (UnsafeRawBufferPointer) throws -> T
    ) rethrows -> T {
        try body(UnsafeRawBufferPointer(start: start, count: count))
    }

    /// An owned copy.
    public var array: [UInt8] { [UInt8](UnsafeBufferPointer(start: start, count: count)) }

    /// The bytes as text; invalid UTF-8 is replaced, so validate first where that matters.
    public var text: String {
        String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    }

    /// The same memory as a span, for code that parses over spans.
    public func withSpan<T>(_ body: (RawSpan) throws -> T) rethrows -> T {
        try body(UnsafeRawBufferPointer(start: start, count: count).bytes)
    }
}

extension ByteView {
    /// Whether all bytes are printable ASCII characters, the blank among them.
    public var isPrintableASCII: Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highest: UInt64 = 0x8080_8080_8080_8080
        var index = 0
        while count &- index >= 8 {
            let bytes = integer(UInt64.self, at: index)
            // In each byte the highest bit: of the byte itself, of one below 0x20, of 0x7F.
            let isControl = (bytes &- 0x20 &* ones) & ~bytes
            let isDelete = (bytes ^ 0x7F &* ones) &- ones
            guard (bytes | isControl | isDelete & ~bytes) & highest == 0 else { return false }
            index &+= 8
        }
        while index < count {
            guard (0x20..<0x7F).contains(self[index]) else { return false }
            index &+= 1
        }
        return true
    }
}

extension ByteView: Equatable {
    /// Equality of content.
    public static func == (a: ByteView, b: ByteView) -> Bool {
        a.count == b.count && memcmp(a.start, b.start, a.count) == 0
    }

    /// Order by unsigned bytes, the shorter first where one begins the other.
    public func precedes(_ other: ByteView) -> Bool { compare(other) < 0 }

    /// Negative, zero or positive, as `memcmp`, then by length.
    public func compare(_ other: ByteView) -> Int {
        let common = Int(memcmp(start, other.start, min(count, other.count)))
        return common != 0 ? common : count - other.count
    }

    /// Whether the bytes are exactly those of an ASCII literal.
    public func equals(_ literal: StaticString) -> Bool {
        count == literal.utf8CodeUnitCount && memcmp(start, literal.utf8Start, count) == 0
    }
}

extension Array where Element == UInt8 {
    /// Lends the array's bytes as a view, valid during `body` only.
    public func withView<T>(_ body: (ByteView) throws -> T) rethrows -> T {
        try withUnsafeBytes { try body(ByteView($0)) }
    }
}
