// A bounded cache of objects that never change: read without a lock, changed under one.
//
// Open addressing, second chance. Invariants:
// - a key stands at most once, on the way from its home slot without a hole between; while a
//   writer moves slots a reader may miss a key that is there, and then asks elsewhere;
// - at least a quarter of the slots is empty, so that every search ends;
// - an object that was unlinked, and a table that was replaced, is kept until no reader can still
//   look at it (`ReaderEpochs`);
// - the objects here weigh at most `byteCountMax` unless one alone is more; those that wait for
//   their readers weigh an eighth of it besides, and what was replaced meanwhile.
//
// A read of one object among a million pays for what it fetches from memory, not for what it
// computes: one slot, and the object. It writes to neither, so that the processor fetches for the
// next read while it waits for this one: counting references in the object would take two to five
// times as long.
internal import Synchronization

/// What a ``SharedCache`` keeps.
public final class SharedObject<Key: Equatable & Sendable, Content: Sendable>: Sendable {
    /// What it is found by.
    public let key: Key
    /// What is kept.
    public let content: Content
    /// Of its key; spread over all 64 bits.
    let hash: UInt64
    /// What it weighs.
    let byteCount: Int

    /// An object.
    ///
    /// - Parameters:
    ///   - key: What it is found by.
    ///   - hash: Of the key: spread over all 64 bits.
    ///   - content: What is kept.
    ///   - byteCount: What it weighs.
    public init(key: Key, hash: UInt64, content: Content, byteCount: Int) {
        self.key = key
        self.hash = hash
        self.content = content
        self.byteCount = byteCount
    }
}

/// Objects by key, no more of them than fit.
public final class SharedCache<Key: Equatable & Sendable, Content: Sendable>: Sendable {
    /// What it keeps.
    public typealias Object = SharedObject<Key, Content>
    private typealias Slots = SharedSlots<Key, Content>

    private struct State {
        var slots: Slots
        /// Where the next object to let go of is looked for.
        var hand = 0
        var count = 0
        var byteCount = 0
        var limbo = Limbo()
    }

    private let state: Lock<State>
    /// The slots of `state`, for readers.
    private let slots: Atomic<Unmanaged<Slots>>
    /// Whether something waits for its readers.
    private let hasLimbo = Atomic<Bool>(false)
    private let readers = ReaderEpochs()
    private let byteCountMax: Int

    private static var slotCountMin: Int { 16 }

    /// An empty cache.
    ///
    /// - Parameter byteCountMax: What its objects may weigh together.
    public init(byteCountMax: Int) {
        self.byteCountMax = byteCountMax
        let slots = Slots(count: Self.slotCountMin)
        state = Lock(State(slots: slots))
        self.slots = Atomic(Unmanaged.passUnretained(slots))
    }

    // MARK: Reading

    /// Lends an object.
    ///
    /// No lock is held while `body` runs; the object lives until it has ended.
    ///
    /// - Parameters:
    ///   - key: Which object.
    ///   - hash: Of the key.
    ///   - body: Is lent the object; it must not keep it.
    /// - Returns: What `body` returns; nil when the object is not here.
    public func lend<T>(
        _ key: Key,
        _ hash: UInt64,
        _ body: (Object) throws -> T
    ) rethrows -> T? {
        let reader = readers.enter()
        defer {
            readers.leave(reader)
            if hasLimbo.load(ordering: .relaxed) { reclaim() }
        }
        let slots = slots.load(ordering: .sequentiallyConsistent)
        guard let found = slots._withUnsafeGuaranteedRef({ $0.read(key, hash) }) else { return nil }
        return try found._withUnsafeGuaranteedRef { try body($0) }
    }

    /// An object; nil when it is not here.
    public func object(_ key: Key, _ hash: UInt64) -> Object? { lend(key, hash) { $0 } }

    /// Objects held and what they weigh, in bytes.
    public var usage: (count: Int, byteCount: Int) { state.withLock { ($0.count, $0.byteCount) } }

    // MARK: Changes

    /// Keeps an object in place of the one its key had.
    ///
    /// - Returns: False when there is no room: the object is not kept.
    @discardableResult
    public func insert(_ object: Object) -> Bool {
        let (isKept, freed) = state.withLock { state in
            var freed: [AnyObject] = []
            if let slot = state.slots.find(object.key, object.hash) { unlink(slot, &state) }
            while state.count > 0, state.byteCount + object.byteCount > byteCountMax {
                // Where readers keep all that is let go of, letting go of more makes no room.
                if state.limbo.byteCount > byteCountMax / 8 { freed += reclaim(&state) }
                guard state.limbo.byteCount <= byteCountMax / 8 else { return (false, freed) }
                unlink(state.slots.victim(from: &state.hand), &state)
            }
            if (state.count + 1) * 4 > state.slots.count * 3 { grow(&state) }
            state.slots.place(object)
            state.count += 1
            state.byteCount += object.byteCount
            return (true, freed + reclaim(&state))
        }
        withExtendedLifetime(freed) {}
        return isKept
    }

    /// Lets go of an object.
    public func remove(_ key: Key, _ hash: UInt64) {
        let freed = state.withLock { state -> [AnyObject] in
            guard let slot = state.slots.find(key, hash) else { return [] }
            unlink(slot, &state)
            return reclaim(&state)
        }
        withExtendedLifetime(freed) {}
    }

    /// Lets go of everything.
    public func removeAll() {
        let freed = state.withLock { state in
            state.limbo.add(state.slots, byteCount: state.byteCount)
            use(Slots(count: Self.slotCountMin), &state)
            state.count = 0
            state.byteCount = 0
            return reclaim(&state)
        }
        withExtendedLifetime(freed) {}
    }

    private func unlink(_ slot: Int, _ state: inout State) {
        guard let object = state.slots.remove(at: slot) else { return }
        state.count -= 1
        state.byteCount -= object.byteCount
        state.limbo.add(object, byteCount: object.byteCount)
    }

    private func grow(_ state: inout State) {
        let old = state.slots
        let new = Slots(count: old.count * 2)
        old.move(to: new)
        state.limbo.add(old, byteCount: 0)
        use(new, &state)
    }

    private func use(_ new: Slots, _ state: inout State) {
        state.slots = new
        state.hand = 0
        slots.store(.passUnretained(new), ordering: .sequentiallyConsistent)
    }

    // MARK: What waits for its readers

    @inline(never)
    private func reclaim() {
        let freed = state.withLock { reclaim(&$0) }
        withExtendedLifetime(freed) {}
    }

    /// Takes out what nobody reads any more, for the caller to let go of without the lock.
    private func reclaim(_ state: inout State) -> [AnyObject] {
        var freed: [AnyObject] = []
        while !state.limbo.isEmpty, readers.advance() { freed += state.limbo.advance() }
        let isWaiting = !state.limbo.isEmpty
        if hasLimbo.load(ordering: .relaxed) != isWaiting {
            hasLimbo.store(isWaiting, ordering: .relaxed)
        }
        return freed
    }

    /// Walks the whole cache; the first violated invariant in words, or nil.
    public func checkInvariants() -> String? {
        state.withLock { state in
            if let broken = state.slots.checkInvariants() { return broken }
            let (count, byteCount) = state.slots.usage
            if count != state.count { return "\(count) objects, said to be \(state.count)" }
            if byteCount != state.byteCount {
                return "\(byteCount) bytes, said to be \(state.byteCount)"
            }
            if count > 1, byteCount > byteCountMax { return "\(byteCount) bytes are too many" }
            return state.slots.count * 3 < count * 4
                ? "\(count) objects in \(state.slots.count) slots" : nil
        }
    }
}

/// What was unlinked, by the generation of readers it was unlinked in.
private struct Limbo {
    private var present: [AnyObject] = []
    private var older: [AnyObject] = []
    private var presentByteCount = 0
    private var olderByteCount = 0

    var isEmpty: Bool { present.isEmpty && older.isEmpty }

    var byteCount: Int { presentByteCount + olderByteCount }

    mutating func add(_ object: AnyObject, byteCount: Int) {
        present.append(object)
        presentByteCount += byteCount
    }

    /// Another generation begins: what was older then is seen by nobody.
    mutating func advance() -> [AnyObject] {
        let freed = older
        (older, olderByteCount) = (present, presentByteCount)
        (present, presentByteCount) = ([], 0)
        return freed
    }
}
