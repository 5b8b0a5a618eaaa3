// Readers that want several reads of one and the same state keep it from changing meanwhile.
//
// Invariants:
// - nothing is applied while a reader is inside or waits to be let in;
// - a reader that waits for durability keeps nothing from being taken back after a failed sync;
// - while a change waits, only readers that are inside already may come in again (by thread), so
//   that neither side starves;
// - with no reader, a change pays one comparison.
internal import HoldfastBasics
internal import HoldfastCommitLog

/// Who keeps the state from changing, and who waits for them.
struct HoldGate {
    /// Readers inside and readers let in as soon as all is durable.
    private(set) var readerCount = 0
    /// How often each thread inside has come in.
    private var depths: [ThreadID: Int] = [:]
    /// Changes that wait for readers.
    private var changeCount = 0

    /// Whether a reader that is not inside may come in.
    var isOpen: Bool { changeCount == 0 }

    /// Whether readers that are let in wait for the disk.
    var isAwaitingDisk: Bool { readerCount > depths.count }

    /// Whether commits may be taken back.
    var isEmpty: Bool { depths.isEmpty }

    /// Comes in again; false for a thread that is not inside.
    mutating func reenter() -> Bool {
        guard !depths.isEmpty, let depth = depths[.current] else { return false }
        depths[.current] = depth + 1
        return true
    }

    /// From now on nothing is applied.
    mutating func approach() { readerCount += 1 }

    /// From now on nothing is taken back either.
    mutating func enter() { depths[.current] = 1 }

    mutating func leave() {
        guard let depth = depths[.current] else { return }
        depths[.current] = depth == 1 ? nil : depth - 1
        if depth == 1 { readerCount -= 1 }
    }

    /// Says whether `isReady`, and keeps account of changes that wait.
    mutating func admit(_ isReady: Bool, _ isWaiting: inout Bool) -> Bool {
        precondition(depths[.current] == nil, "whoever holds the state must not change it")
        if isReady == isWaiting {
            isWaiting = !isReady
            changeCount += isReady ? -1 : 1
        }
        return isReady
    }
}

extension Store {
    /// Runs `body` while nothing is applied or taken back, without holding the store's lock.
    ///
    /// Readers share and nest. A change waits for them; while one waits, only threads that are
    /// inside already come in again.
    /// - Parameters:
    ///   - durable: Whether to wait first until all that is applied is durable (or a sync failed
    ///     and it was taken back); needs the sync thread.
    ///   - body: May read the store, and wait for nobody who changes it.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws.
    public func hold<T>(durable: Bool = false, _ body: () throws -> T) rethrows -> T {
        if !core.withLock({ $0.holds.reenter() }) {
            core.wait(until: { $0.holds.isOpen }) { $0.holds.approach() }
            core.wait(until: { !durable || $0.isSettled }) { $0.holds.enter() }
        }
        defer { core.signal(if: { !$0.holds.isOpen }) { $0.holds.leave() } }
        return try body()
    }

    /// Whether a change waits for readers that hold the state.
    public var isChangeWaiting: Bool { core.withLock { !$0.holds.isOpen } }

    /// Runs `body`, which applies commits, when no reader holds the state.
    func mutate<T, E: Error>(_ body: (Core) throws(E) -> T) throws(E) -> T {
        var (isWaiting, hasWaited) = (false, false)
        return try core.signal(
            when: { core in
                let isFree = core.holds.readerCount == 0
                if isFree, !isWaiting { return true }
                hasWaited = true
                return core.holds.admit(isFree, &isWaiting)
            },
            if: { hasWaited || $0.isThreadWanted }
        ) { (core) throws(E) in try body(core) }
    }

    /// Runs `body`, which takes commits back, when no reader is inside.
    func takeBack<T>(_ body: (Core) -> T) -> T {
        var isWaiting = false
        return core.signal(when: { $0.holds.admit($0.holds.isEmpty, &isWaiting) }) { body($0) }
    }
}

extension Store.Core {
    /// Whether all that is applied is durable.
    var isSettled: Bool { failure != nil || log.durable == log.head }
}
