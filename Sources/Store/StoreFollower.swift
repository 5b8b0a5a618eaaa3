// The driver of a store that another process writes: one thread that looks for news.
internal import HoldfastBasics

/// Keeps a store that was opened for reading at what another process has written.
public final class StoreFollower: Sendable {
    private struct State {
        var isOver = false
        var failure: StoreError?
    }

    private let store: Store
    private let state = Condition(State())
    private let worker: Lock<Worker?>

    /// Starts to look.
    ///
    /// - Parameters:
    ///   - store: Opened for reading.
    ///   - milliseconds: From one look to the next.
    ///   - failed: Is called on the thread when a look failed that had not failed before, and
    ///     `failure` says why.
    public init(
        _ store: Store,
        everyMilliseconds milliseconds: UInt64,
        failed: @escaping @Sendable () -> Void = {}
    ) {
        self.store = store
        let state = state
        worker = Lock(
            Worker {
                while !state.wait(until: \.isOver, nanosecondsMax: milliseconds * 1_000_000) {
                    if Self.look(store, state) { failed() }
                    store.tick()
                }
            }
        )
    }

    /// Why the last look failed; nil when it did not.
    ///
    /// The next one tries again.
    public var failure: StoreError? { state.withLock(\.failure) }

    /// Looks now.
    ///
    /// - Throws: What `Store.refresh` throws.
    public func look() throws(StoreError) {
        _ = Self.look(store, state)
        if let failure { throw failure }
    }

    /// Looks; true when that fails for the first time.
    private static func look(_ store: Store, _ state: Condition<State>) -> Bool {
        let result = Result { () throws(StoreError) in try store.refresh() }
        return state.withLock { state in
            let wasWell = state.failure == nil
            state.failure = if case .failure(let error) = result { error } else { nil }
            return wasWell && state.failure != nil
        }
    }

    /// Ends the thread and waits for it.
    public func close() {
        state.signal { $0.isOver = true }
        let worker = worker.withLock { worker in
            defer { worker = nil }
            return worker
        }
        worker?.join()
    }
}
