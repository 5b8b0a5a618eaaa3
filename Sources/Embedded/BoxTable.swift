// The decoded boxes of a tree by key: open addressing, bounded, second chance.
//
// Invariants:
// - a key stands at most once, on the way from its home slot without a hole between;
// - at least a quarter of the slots is empty, so that every search ends;
// - a slot has a mark exactly when it has a box;
// - `byteCount` is the sum over all boxes, and at most `byteCountMax` unless one box alone is more.
//
// A read of one record among a million pays for what it fetches from memory, not for what it
// computes: one slot, which tells by its mark whether the box is the right one, and that box.

/// The decoded boxes of a tree.
struct BoxTable<R: Record> {
    /// A place for a box, with what is asked of it before the box itself is fetched from memory.
    private struct Slot {
        /// The key's hash with its two lowest bits replaced; 0 when the slot is empty.
        ///
        /// The bits are `taken`, and `warm` once the box was read since the hand passed it.
        var mark: UInt64 = 0
        var box: Box<R>?
    }

    private var slots = Array(repeating: Slot(), count: Self.slotCountMin)
    /// Where the next box to let go of is looked for.
    private var hand = 0
    /// Boxes held.
    private(set) var count = 0
    /// What they weigh.
    private(set) var byteCount = 0
    /// What they may weigh together.
    let byteCountMax: Int

    private static var slotCountMin: Int { 16 }
    private static var taken: UInt64 { 2 }
    private static var warm: UInt64 { 1 }

    // MARK: Records on their way in

    /// Reads from the log that have not come back yet.
    private var loadCount = 0
    /// Keys that changed since the oldest of them began.
    private var touched: Set<Key<R>> = []

    /// An empty table.
    init(byteCountMax: Int) { self.byteCountMax = byteCountMax }

    /// The mark of a key's slot while it is not warm.
    private static func mark(_ key: Key<R>) -> UInt64 {
        let id: UInt64
        if let number = key.id as? Number {
            id = number.rawValue
        } else {
            id = UInt64(truncatingIfNeeded: key.id.hashValue)
        }
        // Spreads ids that were given out in a row, which is the common case.
        let mixed = (id &+ UInt64(key.revision) &* 0xD6E8_FEB8_6659_FD93) &* 0x9E37_79B9_7F4A_7C15
        return mixed & ~warm | taken
    }

    /// Where the search for a mark begins.
    private func home(_ mark: UInt64) -> Int { Int(truncatingIfNeeded: mark >> 20) & mask }

    private var mask: Int { slots.count - 1 }

    private func slot(of key: Key<R>) -> Int? {
        let wanted = Self.mark(key)
        var slot = home(wanted)
        while true {
            let mark = slots[slot].mark
            if mark == 0 { return nil }
            if mark & ~Self.warm == wanted, slots[slot].box?.key == key { return slot }
            slot = (slot + 1) & mask
        }
    }

    /// The box of a key, unless its version is newer than `seqMax`.
    mutating func find(_ key: Key<R>, upTo seqMax: UInt64 = .max) -> Box<R>? {
        // Key and seq are looked at before the box is retained: the processor then fetches both of
        // its cache lines at once.
        guard let slot = slot(of: key), let seq = slots[slot].box?.seq, seq <= seqMax else {
            return nil
        }
        if slots[slot].mark & Self.warm == 0 { slots[slot].mark |= Self.warm }
        return slots[slot].box
    }

    // MARK: Changes

    /// Whether no key is here or on its way in: nothing needs to be forgotten.
    var isIdle: Bool { count == 0 && loadCount == 0 }

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
        slots = Array(repeating: Slot(), count: Self.slotCountMin)
        hand = 0
        count = 0
        byteCount = 0
    }

    private mutating func insert(_ box: Box<R>) {
        if let slot = slot(of: box.key) {
            byteCount += box.byteCount - (slots[slot].box?.byteCount ?? 0)
            slots[slot].box = box
            return
        }
        while count > 0, byteCount + box.byteCount > byteCountMax { evict() }
        if (count + 1) * 4 > slots.count * 3 { grow() }
        place(Slot(mark: Self.mark(box.key), box: box))
        count += 1
        byteCount += box.byteCount
    }

    private mutating func place(_ new: Slot) {
        var slot = home(new.mark)
        while slots[slot].mark != 0 { slot = (slot + 1) & mask }
        slots[slot] = new
    }

    private mutating func grow() {
        let old = slots
        slots = Array(repeating: Slot(), count: old.count * 2)
        hand = 0
        for slot in old where slot.mark != 0 { place(slot) }
    }

    /// Lets go of the next box that was not read since the hand came by.
    private mutating func evict() {
        while true {
            let mark = slots[hand].mark
            if mark != 0, mark & Self.warm == 0 {
                remove(at: hand)
                return
            }
            slots[hand].mark = mark & ~Self.warm
            hand = (hand + 1) & mask
        }
    }

    /// Empties a slot and moves up what stood behind it because it was taken.
    private mutating func remove(at slot: Int) {
        count -= 1
        byteCount -= slots[slot].box?.byteCount ?? 0
        var hole = slot
        var next = (slot + 1) & mask
        while slots[next].mark != 0 {
            let home = home(slots[next].mark)
            // It may move when its home is not between the hole and where it stands.
            if (next - home) & mask >= (next - hole) & mask {
                slots[hole] = slots[next]
                hole = next
            }
            next = (next + 1) & mask
        }
        slots[hole] = Slot()
    }

    /// Walks the whole table; the first violated invariant in words, or nil.
    func checkInvariants() -> String? {
        var (boxes, bytes) = (0, 0)
        for (index, slot) in slots.enumerated() {
            guard let box = slot.box else {
                if slot.mark != 0 { return "an empty slot has a mark" }
                continue
            }
            boxes += 1
            bytes += box.byteCount
            if self.slot(of: box.key) != index { return "\(box.key) is not found where it stands" }
        }
        if boxes != count { return "\(boxes) boxes, said to be \(count)" }
        if bytes != byteCount { return "\(bytes) bytes, said to be \(byteCount)" }
        if count > 1, byteCount > byteCountMax { return "\(byteCount) bytes are too many" }
        return slots.count * 3 < count * 4 ? "\(count) boxes in \(slots.count) slots" : nil
    }
}
