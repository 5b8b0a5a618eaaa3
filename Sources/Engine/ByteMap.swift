// A dictionary keyed by bytes, asked with borrowed bytes and without an allocation.
//
// Invariants:
// - `slots` is open addressing with linear probing, a power of two, at most three quarters full and
//   without tombstones; a slot is 0 or (32 bits of the hash << 32 | entry index + 1), and its home
//   is those 32 bits modulo the size;
// - `entries` is dense; a removal moves the last entry into the gap;
// - keys are compared as bytes, so composed and decomposed letters are two keys;
// - the hash is SipHash with the process's random seed: values are chosen by clients.
public import HoldfastBasics

/// A dictionary from bytes to values.
public struct ByteMap<Value: Sendable>: Sendable {
    private struct Entry: Sendable {
        let key: [UInt8]
        var value: Value
    }

    private var slots: [UInt64] = []
    private var entries: [Entry] = []

    /// An empty map.
    public init() {}

    /// Entries held.
    public var count: Int { entries.count }

    /// Whether nothing is held.
    public var isEmpty: Bool { entries.isEmpty }

    /// Memory in use, in bytes, but for what values hold elsewhere.
    public var byteCount: Int {
        slots.capacity * 8 + entries.capacity * MemoryLayout<Entry>.stride
            + entries.reduce(0) { $0 + 48 + $1.key.capacity }
    }

    /// The value of a key.
    public subscript(key: ByteView) -> Value? {
        get { find(key, Self.tag(key)).entry.map { entries[$0].value } }
        set {
            if let newValue { insert(newValue, for: key) } else { remove(key) }
        }
    }

    /// The value of a key.
    public subscript(key: [UInt8]) -> Value? {
        get { key.withView { self[$0] } }
        set { key.withView { self[$0] = newValue } }
    }

    /// Sets the value of a key.
    ///
    /// - Parameters:
    ///   - value: Any.
    ///   - key: Any bytes; copied when they are new.
    /// - Returns: The value it had, or nil when it is new.
    @discardableResult
    public mutating func insert(_ value: Value, for key: ByteView) -> Value? {
        let tag = Self.tag(key)
        let (entry, slot) = find(key, tag)
        if let entry {
            let old = entries[entry].value
            entries[entry].value = value
            return old
        }
        add(key, tag, slot, value)
        return nil
    }

    /// Changes the value of a key in place, beginning with `initial` when there is none.
    public mutating func update<T>(
        _ key: ByteView,
        initial: @autoclosure () -> Value,
        _ body: (inout Value) throws -> T
    ) rethrows -> T {
        let tag = Self.tag(key)
        let (entry, slot) = find(key, tag)
        if let entry { return try body(&entries[entry].value) }
        var value = initial()
        let result = try body(&value)
        add(key, tag, slot, value)
        return result
    }

    /// Forgets a key.
    ///
    /// - Parameter key: Any bytes.
    /// - Returns: The value it had, or nil when it was unknown.
    @discardableResult
    public mutating func remove(_ key: ByteView) -> Value? {
        let (entry, slot) = find(key, Self.tag(key))
        guard let entry else { return nil }
        closeGap(at: slot)
        let last = entries.count - 1
        if entry != last {
            let moved = entries[last]
            let place = moved.key.withView { find($0, Self.tag($0)).slot }
            slots[place] = slots[place] & ~0xFFFF_FFFF | UInt64(entry + 1)
            entries.swapAt(entry, last)
        }
        let old = entries.removeLast().value
        if slots.count > 16, entries.count * 8 < slots.count {
            resize(slots.count / 4)
            // A filtered copy has room for what it holds only.
            entries = entries.filter { _ in true }
        }
        return old
    }

    /// Calls `body` for each entry, in no order; the key may be used during the call only.
    public func forEach(_ body: (ByteView, Value) throws -> Void) rethrows {
        for entry in entries {
            try entry.key.withView { try body($0, entry.value) }
        }
    }

    // MARK: Probing

    private static func tag(_ key: ByteView) -> UInt64 {
        var hasher = Hasher()
        hasher.combine(key.count)
        var at = 0
        while at + 8 <= key.count {
            hasher.combine(key.integer(UInt64.self, at: at))
            at += 8
        }
        if at < key.count {
            var rest: UInt64 = 0
            while at < key.count {
                rest = rest << 8 | UInt64(key[at])
                at += 1
            }
            hasher.combine(rest)
        }
        return UInt64(bitPattern: Int64(hasher.finalize())) >> 32
    }

    /// The entry of a key, and its slot or the free one where it belongs.
    private func find(_ key: ByteView, _ tag: UInt64) -> (entry: Int?, slot: Int) {
        if slots.isEmpty { return (nil, 0) }
        let mask = slots.count - 1
        var at = Int(tag) & mask
        while slots[at] != 0 {
            if slots[at] >> 32 == tag {
                let entry = Int(slots[at] & 0xFFFF_FFFF) - 1
                if entries[entry].key.withView({ $0 == key }) { return (entry, at) }
            }
            at = (at + 1) & mask
        }
        return (nil, at)
    }

    private mutating func add(_ key: ByteView, _ tag: UInt64, _ slot: Int, _ value: Value) {
        var slot = slot
        if (entries.count + 1) * 4 > slots.count * 3 {
            resize(max(8, slots.count * 2))
            slot = find(key, tag).slot
        }
        entries.append(Entry(key: key.array, value: value))
        slots[slot] = tag << 32 | UInt64(entries.count)
    }

    private mutating func resize(_ size: Int) {
        var fresh = [UInt64](repeating: 0, count: size)
        for slot in slots where slot != 0 {
            var at = Int(slot >> 32) & (size - 1)
            while fresh[at] != 0 { at = (at + 1) & (size - 1) }
            fresh[at] = slot
        }
        slots = fresh
    }

    private mutating func closeGap(at start: Int) {
        let mask = slots.count - 1
        var gap = start
        var at = start
        while true {
            at = (at + 1) & mask
            if slots[at] == 0 { break }
            let home = Int(slots[at] >> 32) & mask
            // Distance from home, going round: it may move when the gap is not before its home.
            if (at &- home) & mask < (at &- gap) & mask { continue }
            slots[gap] = slots[at]
            gap = at
        }
        slots[gap] = 0
    }

    // MARK: Checking

    /// Walks the whole map; the first violated invariant in words, or nil.
    public func checkInvariants() -> String? {
        let used = slots.reduce(0) { $0 + ($1 == 0 ? 0 : 1) }
        if used != entries.count { return "\(used) slots for \(entries.count) entries" }
        if used * 4 > slots.count * 3 { return "\(used) of \(slots.count) slots used" }
        for (index, entry) in entries.enumerated() {
            let found = entry.key.withView { find($0, Self.tag($0)).entry }
            if found != index { return "entry \(index) cannot be reached" }
        }
        return nil
    }
}
