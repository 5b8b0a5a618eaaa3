// A stack of plain values in memory that is lent first and owned when it grows.
//
// Invariants: 0 <= count <= capacity; there is memory when capacity is above 0; elements below
// `count` are initialised; every access is checked against `count`. Elements are BitwiseCopyable,
// so that nothing needs to be destroyed.

/// A growable stack that may begin in lent memory, so that small documents allocate nothing.
struct PlainStack<Element: BitwiseCopyable>: ~Copyable {
    private var base: UnsafeMutablePointer<Element>?
    private var capacity: Int
    private var isOwned = false
    private(set) var count = 0

    /// Begins in memory that outlives the stack, or in none.
    init(lent memory: UnsafeMutableBufferPointer<Element>) {
        base = memory.baseAddress
        capacity = memory.count
    }

    /// Allocates with its first element.
    init() {
        base = nil
        capacity = 0
    }

    deinit {
        if isOwned { base?.deallocate() }
    }

    subscript(index: Int) -> Element {
        @inline(__always) get {
            precondition(UInt(bitPattern: index) < UInt(bitPattern: count), "beyond the stack")
            return base.unsafelyUnwrapped[index]
        }
        @inline(__always) _modify {
            precondition(UInt(bitPattern: index) < UInt(bitPattern: count), "beyond the stack")
            yield &base.unsafelyUnwrapped[index]
        }
    }

    @inline(__always)
    mutating func append(_ element: Element) {
        if count == capacity { grow() }
        (base.unsafelyUnwrapped + count).initialize(to: element)
        count &+= 1
    }

    /// Drops everything from `count` on.
    @inline(__always)
    mutating func truncate(to count: Int) {
        precondition(count >= 0 && count <= self.count, "cut beyond the stack")
        self.count = count
    }

    /// Drops everything, and the memory when it is much.
    mutating func removeAll() {
        count = 0
        guard capacity > 1024, isOwned else { return }
        base?.deallocate()
        base = nil
        capacity = 0
        isOwned = false
    }

    /// Sorts what stands at `start` and above.
    mutating func sort(from start: Int, by precedes: (Element, Element) -> Bool) {
        precondition(start >= 0 && start <= count, "beyond the stack")
        guard let base else { return }
        var slice = UnsafeMutableBufferPointer(start: base + start, count: count - start)
        slice.sort(by: precedes)
    }

    @inline(never)
    private mutating func grow() {
        let larger = max(16, capacity * 2)
        let fresh = UnsafeMutablePointer<Element>.allocate(capacity: larger)
        if let base {
            fresh.initialize(from: base, count: count)
            if isOwned { base.deallocate() }
        }
        base = fresh
        capacity = larger
        isOwned = true
    }
}
