// The slots of a `SharedCache`: a word each, in memory of large pages where there are many.
internal import Glibc
internal import Synchronization

/// A fixed number of slots for objects.
///
/// A slot is one word: 0 when it is empty; else the object's address with 16 bits of its key's
/// hash above it, which tell most other objects apart before they are fetched from memory, and
/// `warm` as its lowest bit.
///
/// @unchecked Sendable: the words are atomic; all but `read` is called under the cache's lock.
final class SharedSlots<Key: Equatable & Sendable, Content: Sendable>: @unchecked Sendable {
    typealias Object = SharedObject<Key, Content>
    private typealias Word = UInt64

    /// How many; a power of two.
    let count: Int
    private let homeShift: UInt64
    private let words: UnsafeMutablePointer<Atomic<Word>>
    /// Whether the objects are let go of with the slots.
    private var ownsObjects = true

    /// Set once an object was read since the hand passed it.
    private static var warm: Word { 1 }
    /// Where objects stand in memory: below 48 bits, at multiples of 16.
    private static var addressMask: Word { 0xFFFF_FFFF_FFF0 }
    /// Slots above it are put on large pages: few of them are found in the processor's caches.
    private static var largePageByteCount: Int { 2 << 20 }

    /// Empty slots.
    init(count: Int) {
        self.count = count
        homeShift = UInt64(64 - count.trailingZeroBitCount)
        let byteCount = count * MemoryLayout<Atomic<Word>>.stride
        let isLarge = byteCount >= Self.largePageByteCount
        let memory = UnsafeMutableRawPointer.allocate(
            byteCount: byteCount,
            alignment: isLarge ? Self.largePageByteCount : MemoryLayout<Atomic<Word>>.alignment
        )
        // A kernel without large pages says no, and nothing is lost.
        if isLarge { _ = madvise(memory, byteCount, MADV_HUGEPAGE) }
        words = memory.bindMemory(to: Atomic<Word>.self, capacity: count)
        for slot in 0..<count { (words + slot).initialize(to: Atomic(0)) }
    }

    deinit {
        if ownsObjects {
            for slot in 0..<count { reference(word(slot))?.release() }
        }
        words.deinitialize(count: count)
        UnsafeMutableRawPointer(words).deallocate()
    }

    private func word(_ slot: Int) -> Word { words[slot].load(ordering: .sequentiallyConsistent) }

    private func set(_ slot: Int, to word: Word) {
        words[slot].store(word, ordering: .sequentiallyConsistent)
    }

    private func reference(_ word: Word) -> Unmanaged<Object>? {
        UnsafeRawPointer(bitPattern: UInt(word & Self.addressMask)).map(Unmanaged.fromOpaque)
    }

    /// The hash of the object a word refers to; nil when there is none.
    private func hash(_ word: Word) -> UInt64? {
        reference(word)?._withUnsafeGuaranteedRef { $0.hash }
    }

    /// Where the search for a hash begins: its highest bits, which multiplying spreads best.
    private func home(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash &>> homeShift) }

    private func next(_ slot: Int) -> Int { (slot &+ 1) & (count &- 1) }

    /// What of a hash stands in its object's slot: its lowest bits.
    private static func tag(_ hash: UInt64) -> Word { hash &<< 48 }

    private func search(_ key: Key, _ hash: UInt64) -> (slot: Int, word: Word)? {
        let tag = hash & 0xFFFF
        var slot = home(hash)
        // A reader whom writers overtake sees each slot once.
        for _ in 0..<count {
            let word = word(slot)
            if word == 0 { return nil }
            if word &>> 48 == tag, let found = reference(word),
                found._withUnsafeGuaranteedRef({ $0.key == key })
            {
                return (slot, word)
            }
            slot = next(slot)
        }
        return nil
    }

    // MARK: Reading

    /// Called by a reader that is counted in, who may miss what a writer moves.
    func read(_ key: Key, _ hash: UInt64) -> Unmanaged<Object>? {
        guard let (slot, word) = search(key, hash) else { return nil }
        if word & Self.warm == 0 { warm(slot, word) }
        return reference(word)
    }

    /// Notes that an object was read, unless its slot was changed meanwhile.
    private func warm(_ slot: Int, _ word: Word) {
        _ = words[slot].compareExchange(
            expected: word,
            desired: word | Self.warm,
            ordering: .relaxed
        )
    }

    // MARK: Changes, under the cache's lock

    /// Where an object stands.
    func find(_ key: Key, _ hash: UInt64) -> Int? { search(key, hash)?.slot }

    /// Puts an object where none of its key is.
    func place(_ object: Object) {
        let address = Word(UInt(bitPattern: Unmanaged.passRetained(object).toOpaque()))
        precondition(address & ~Self.addressMask == 0, "an object at \(address)")
        place(address, object.hash)
    }

    private func place(_ word: Word, _ hash: UInt64) {
        var slot = home(hash)
        while self.word(slot) != 0 { slot = next(slot) }
        set(slot, to: word & (Self.addressMask | Self.warm) | Self.tag(hash))
    }

    /// Puts everything into larger slots, which own it from then on.
    func move(to other: SharedSlots) {
        for slot in 0..<count {
            let word = word(slot)
            if let hash = hash(word) { other.place(word, hash) }
        }
        ownsObjects = false
    }

    /// The next object that was not read since the hand came by.
    func victim(from hand: inout Int) -> Int {
        while true {
            let slot = hand
            hand = next(slot)
            let word = word(slot)
            if word != 0, word & Self.warm == 0 { return slot }
            if word != 0 { set(slot, to: word & ~Self.warm) }
        }
    }

    /// Empties a slot and moves up what stood behind it because it was taken.
    func remove(at slot: Int) -> Object? {
        let removed = reference(word(slot))
        var hole = slot
        var slot = next(slot)
        while case let word = word(slot), let hash = hash(word) {
            // It may move when its home is not between the hole and where it stands.
            let distance = (slot - home(hash)) & (count - 1)
            if distance >= (slot - hole) & (count - 1) {
                set(hole, to: word)
                hole = slot
            }
            slot = next(slot)
        }
        set(hole, to: 0)
        return removed?.takeRetainedValue()
    }

    // MARK: Checking

    /// Objects and what they weigh.
    var usage: (count: Int, byteCount: Int) {
        var usage = (count: 0, byteCount: 0)
        for slot in 0..<count {
            guard let object = reference(word(slot)) else { continue }
            usage.count += 1
            usage.byteCount += object._withUnsafeGuaranteedRef { $0.byteCount }
        }
        return usage
    }

    /// The first violated invariant in words, or nil.
    func checkInvariants() -> String? {
        for slot in 0..<count {
            guard let object = reference(word(slot)) else { continue }
            let broken = object._withUnsafeGuaranteedRef { object in
                find(object.key, object.hash) == slot
                    ? nil : "\(object.key) is not found where it stands"
            }
            if let broken { return broken }
        }
        return nil
    }
}
