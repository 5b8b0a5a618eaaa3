// Who waits for the disk: threads that read, tasks that wrote.
//
// Invariant: `seq` is never ahead of the disk; it is set from what the store says after a sync.
internal import HoldfastBasics
internal import HoldfastStore
internal import Synchronization

/// How far a store is durable, for whoever waits for it.
final class DurableWatch: Sendable {
    private struct State {
        var durable: UInt64
        var failure: String?
        var isOver = false
        var waiting: [(seq: UInt64, continuation: CheckedContinuation<Void, Never>)] = []

        func isSettled(_ seq: UInt64) -> Bool { durable >= seq || failure != nil || isOver }
    }

    private let durable: Atomic<UInt64>
    private let state: Condition<State>

    /// Watches a store from now on.
    init(_ store: Store) {
        let progress = store.progress
        durable = Atomic(progress.durable)
        state = Condition(State(durable: progress.durable, failure: progress.failure))
        store.observe { [weak self] progress, _ in self?.note(progress) }
    }

    /// The last commit known to survive a power cut.
    var seq: UInt64 { durable.load(ordering: .acquiring) }

    private func note(_ progress: Progress) {
        durable.store(progress.durable, ordering: .releasing)
        let ready = state.signal { state in
            state.durable = progress.durable
            state.failure = progress.failure
            return Self.take(&state)
        }
        for continuation in ready { continuation.resume() }
    }

    /// Nothing more will be synced.
    func end() {
        let ready = state.signal { state in
            state.isOver = true
            return Self.take(&state)
        }
        for continuation in ready { continuation.resume() }
    }

    private static func take(_ state: inout State) -> [CheckedContinuation<Void, Never>] {
        guard !state.waiting.isEmpty else { return [] }
        let all = state.waiting
        let current = state
        state.waiting = all.filter { !current.isSettled($0.seq) }
        return all.filter { current.isSettled($0.seq) }.map(\.continuation)
    }

    /// Blocks until a commit is durable or was taken back.
    func block(until seq: UInt64) { state.wait(until: { $0.isSettled(seq) }) { _ in } }

    /// Returns when a commit is durable.
    ///
    /// - Throws: `poisoned` when it may not be on the disk; `closed`.
    func settle(_ seq: UInt64) async throws(DatabaseError) {
        if seq <= self.seq { return }
        await withCheckedContinuation { continuation in
            let isSettled = state.withLock { state in
                if state.isSettled(seq) { return true }
                state.waiting.append((seq, continuation))
                return false
            }
            if isSettled { continuation.resume() }
        }
        let (durable, failure) = state.withLock { ($0.durable, $0.failure) }
        if durable >= seq { return }
        if let failure { throw .poisoned(failure) }
        throw .closed
    }
}
