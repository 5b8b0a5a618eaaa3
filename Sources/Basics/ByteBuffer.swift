// A growable run of bytes: appended at the tail, consumed at the head.
//
// Invariants: head <= tail <= capacity; bytes in head..<tail are initialised; a view or pointer
// lent out is void after the next append. The buffer has one owner (it cannot be copied).
internal import Glibc

/// A growable, uniquely owned byte buffer, written at its tail and consumed at its head.
@safe public struct ByteBuffer: ~Copyable {
    @usableFromInline var base: UnsafeMutablePointer<UInt8>?
    @usableFromInline var capacity = 0
    @usableFromInline var head = 0
    @usableFromInline var tail = 0

    /// An empty buffer; allocates when `capacity` is above 0.
    public init(capacity: Int = 0) {
        if capacity > 0 { grow(capacity) }
    }

    deinit { base?.deallocate() }

    /// Bytes between head and tail.
    public var count: Int { tail &- head }

    /// Whether nothing is held.
    public var isEmpty: Bool { tail == head }

    /// Bytes allocated.
    public var allocatedByteCount: Int { capacity }

    /// The content, void after the next change of the buffer.
    public var view: ByteView {
        guard let base else { return .empty }
        return ByteView(start: base + head, count: count)
    }

    // MARK: Appending

    /// Appends one byte.
    public mutating func append(_ byte: UInt8) {
        room(1)[0] = byte
        tail &+= 1
    }

    /// Appends the bytes of a view, which must not be this buffer's own.
    public mutating func append(_ bytes: ByteView) {
        guard bytes.count > 0 else { return }
        memcpy(room(bytes.count), bytes.start, bytes.count)
        tail &+= bytes.count
    }

    /// Appends the bytes of an array.
    public mutating func append(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { append(ByteView($0)) }
    }

    /// Appends an ASCII literal.
    ///
    /// Inlined, so that its length is known where it is written, and it is stored in a few words.
    @inlinable @inline(__always)
    public mutating func append(_ literal: StaticString) {
        let count = literal.utf8CodeUnitCount
        room(count).update(from: literal.utf8Start, count: count)
        tail &+= count
    }

    /// Appends text as UTF-8.
    public mutating func append(text: String) {
        let isDone: Void? = text.utf8.withContiguousStorageIfAvailable {
            append(ByteView(UnsafeRawBufferPointer($0)))
        }
        if isDone == nil { append(Array(text.utf8)) }
    }

    /// Appends an integer, little-endian, in its full width.
    public mutating func append<I: FixedWidthInteger>(integer: I) {
        UnsafeMutableRawPointer(room(MemoryLayout<I>.size))
            .storeBytes(of: integer.littleEndian, as: I.self)
        tail &+= MemoryLayout<I>.size
    }

    /// Appends an integer as decimal digits.
    public mutating func append<I: FixedWidthInteger>(decimal value: I) {
        if value < 0 { append(UInt8(ascii: "-")) }
        var rest = UInt64(value.magnitude)
        var length = 1
        var probe = rest
        while probe >= 10 {
            probe /= 10
            length += 1
        }
        let digits = room(length)
        var index = length
        repeat {
            index &-= 1
            digits[index] = UInt8(truncatingIfNeeded: 48 + rest % 10)
            rest /= 10
        } while rest > 0
        tail &+= length
    }

    /// Appends `count` zero bytes.
    public mutating func appendZeros(_ count: Int) {
        guard count > 0 else { return }
        memset(room(count), 0, count)
        tail &+= count
    }

    /// Overwrites an integer at `offset` from the head; it must lie inside the content.
    public mutating func replace<I: FixedWidthInteger>(integer: I, at offset: Int) {
        precondition(
            offset >= 0 && offset <= count - MemoryLayout<I>.size,
            "integer reaches out of range"
        )
        UnsafeMutableRawPointer(room(0) - count + offset)
            .storeBytes(of: integer.littleEndian, as: I.self)
    }

    /// Overwrites bytes at `offset` from the head; they must lie inside the content.
    public mutating func replace(_ bytes: ByteView, at offset: Int) {
        precondition(offset >= 0 && offset <= count - bytes.count, "bytes reach out of range")
        memcpy(room(0) - count + offset, bytes.start, bytes.count)
    }

    /// Lends at least `count` writable bytes at the tail; `body` returns how many it filled.
    @unsafe public mutating func appendUnsafe(
        _ count: Int,
        _ body: (UnsafeMutableRawBufferPointer) throws -> Int
    ) rethrows {
        let memory = UnsafeMutableRawBufferPointer(start: room(count), count: count)
        let filled = try body(memory)
        precondition(filled >= 0 && filled <= count, "more bytes reported than lent")
        tail &+= filled
    }

    /// Makes room for `count` more bytes.
    public mutating func reserve(_ count: Int) { _ = room(count) }

    // MARK: Consuming

    /// Drops `count` bytes at the head.
    public mutating func consume(_ count: Int) {
        precondition(count >= 0 && count <= self.count, "consumed more than there is")
        head &+= count
        if head == tail {
            head = 0
            tail = 0
        }
    }

    /// Cuts the content to its first `count` bytes.
    public mutating func truncate(to count: Int) {
        precondition(count >= 0 && count <= self.count, "cut beyond the content")
        tail = head &+ count
    }

    /// Drops all content and keeps the memory.
    public mutating func removeAll() {
        head = 0
        tail = 0
    }

    /// Gives memory above `limit` bytes back when nothing is held.
    public mutating func shrinkIfEmpty(above limit: Int) {
        guard isEmpty, capacity > limit else { return }
        base?.deallocate()
        base = nil
        capacity = 0
        head = 0
        tail = 0
    }

    /// An owned copy of the content.
    public var array: [UInt8] { view.array }

    // MARK: Memory

    @inlinable @inline(__always)
    mutating func room(_ wanted: Int) -> UnsafeMutablePointer<UInt8> {
        if capacity &- tail < wanted || base == nil { grow(wanted) }
        return base.unsafelyUnwrapped + tail
    }

    @usableFromInline @inline(never)
    mutating func grow(_ wanted: Int) {
        let live = count
        if let base, capacity - live >= wanted, head >= live {
            memcpy(base, base + head, live)
        } else {
            var size = max(capacity, 64)
            while size - live < wanted { size *= 2 }
            let fresh = UnsafeMutablePointer<UInt8>.allocate(capacity: size)
            if let base {
                memcpy(fresh, base + head, live)
                base.deallocate()
            }
            base = fresh
            capacity = size
        }
        head = 0
        tail = live
    }
}
