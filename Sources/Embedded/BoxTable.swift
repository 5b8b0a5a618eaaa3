// The decoded boxes of a tree by key: open addressing, bounded, second chance.
//
// Invariants:
// - a key stands at most once, on the way from its home slot without a hole between;
// - at least a quarter of the slots is empty, so that every search ends;
// - `byteCount` is the sum over all boxes, and at most `byteCountMax` unless one box alone is more.

/// The decoded boxes of a tree.
struct BoxTable<R: Record> {
    private var slots: [Box<R>?] = Array(repeating: nil, count: 16)
    /// Whether a box was read since the hand passed it.
    private var isWarm: [Bool] = Array(repeating: false, count: 16)
    /// Where the next box to let go of is looked for.
    private var hand = 0
    /// Boxes held.
    private(set) var count = 0
    /// What they weigh.
    private(set) var byteCount = 0
    /// What they may weigh together.
    let byteCountMax: Int

    // MARK: Records on their way in

    /// Reads from the log that have not come back yet.
    private var loadCount = 0
    /// Keys that changed since the oldest of them began.
    private var touched: Set<Key<R>> = []

    /// An empty table.
    init(byteCountMax: Int) { self.byteCountMax = byteCountMax }

    /// Spreads keys over slots; ids given out in a row are the common case.
    private static func hash(_ key: Key<R>) -> Int {
        let id: UInt64
        if let number = key.id as? Number {
            id = number.rawValue
        } else {
            id = UInt64(truncatingIfNeeded: key.id.hashValue)
        }
        let mixed = (id &+ UInt64(key.revision) &* 0xD6E8_FEB8_6659_FD93) &* 0x9E37_79B9_7F4A_7C15
        return Int(truncatingIfNeeded: mixed >> 20)
    }

    private var mask: Int { slots.count - 1 }

    private func slot(of key: Key<R>) -> Int? {
        var slot = Self.hash(key) & mask
        while let box = slots[slot] {
            if box.key == key { return slot }
            slot = (slot + 1) & mask
        }
        return nil
    }

    /// The box of a key.
    mutating func find(_ key: Key<R>) -> Box<R>? {
        guard let slot = slot(of: key) else { return nil }
        if !isWarm[slot] { isWarm[slot] = true }
        return slots[slot]
    }

    // MARK: Changes

    /// A record is read from the log; `finish` is called once for it.
    mutating func beginLoad() { loadCount += 1 }

    /// A read came back: its box is kept unless the record changed meanwhile.
    mutating func finishLoad(_ box: Box<R>?) {
        loadCount -= 1
        if let box, !touched.contains(box.key) { insert(box) }
        if loadCount == 0, !touched.isEmpty { touched.removeAll() }
    }

    /// A record changed: its box is none any more.
    mutating func forget(_ key: Key<R>) {
        if loadCount > 0 { touched.insert(key) }
        if let slot = slot(of: key) { remove(at: slot) }
    }

    /// Lets go of everything.
    mutating func removeAll() {
        slots = Array(repeating: nil, count: 16)
        isWarm = Array(repeating: false, count: 16)
        hand = 0
        count = 0
        byteCount = 0
    }

    private mutating func insert(_ box: Box<R>) {
        if let slot = slot(of: box.key) {
            byteCount += box.byteCount - (slots[slot]?.byteCount ?? 0)
            slots[slot] = box
            return
        }
        while count > 0, byteCount + box.byteCount > byteCountMax { evict() }
        if (count + 1) * 4 > slots.count * 3 { grow() }
        place(box, isWarm: false)
        count += 1
        byteCount += box.byteCount
    }

    private mutating func place(_ box: Box<R>, isWarm warm: Bool) {
        var slot = Self.hash(box.key) & mask
        while slots[slot] != nil { slot = (slot + 1) & mask }
        slots[slot] = box
        isWarm[slot] = warm
    }

    private mutating func grow() {
        let (old, oldWarm) = (slots, isWarm)
        slots = Array(repeating: nil, count: old.count * 2)
        isWarm = Array(repeating: false, count: old.count * 2)
        hand = 0
        for (index, box) in old.enumerated() {
            if let box { place(box, isWarm: oldWarm[index]) }
        }
    }

    /// Lets go of the next box that was not read since the hand came by.
    private mutating func evict() {
        while true {
            if slots[hand] == nil {
                hand = (hand + 1) & mask
            } else if isWarm[hand] {
                isWarm[hand] = false
                hand = (hand + 1) & mask
            } else {
                remove(at: hand)
                return
            }
        }
    }

    /// Empties a slot and moves up what stood behind it because it was taken.
    private mutating func remove(at slot: Int) {
        count -= 1
        byteCount -= slots[slot]?.byteCount ?? 0
        var hole = slot
        var next = (slot + 1) & mask
        while let box = slots[next] {
            let home = Self.hash(box.key) & mask
            // It may move when its home is not between the hole and where it stands.
            if (next - home) & mask >= (next - hole) & mask {
                slots[hole] = box
                isWarm[hole] = isWarm[next]
                hole = next
            }
            next = (next + 1) & mask
        }
        slots[hole] = nil
        isWarm[hole] = false
    }

    /// Walks the whole table; the first violated invariant in words, or nil.
    func checkInvariants() -> String? {
        var (boxes, bytes) = (0, 0)
        for (index, box) in slots.enumerated() {
            guard let box else { continue }
            boxes += 1
            bytes += box.byteCount
            if slot(of: box.key) != index { return "\(box.key) is not found where it stands" }
        }
        if boxes != count { return "\(boxes) boxes, said to be \(count)" }
        if bytes != byteCount { return "\(bytes) bytes, said to be \(byteCount)" }
        if count > 1, byteCount > byteCountMax { return "\(byteCount) bytes are too many" }
        return slots.count * 3 < count * 4 ? "\(count) boxes in \(slots.count) slots" : nil
    }
}
