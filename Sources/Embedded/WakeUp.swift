// How readers that wait for news are told: one wake-up each, whatever happened meanwhile.
//
// Invariants: a count that only grows stands for everything that happened; whoever waits says which
// count it saw. Nobody waiting, a notification costs one lock. Nothing is queued: what happened is
// read from where it stands.
internal import HoldfastBasics

/// A bell: whoever waits for news is woken, and looks itself what is new.
public final class WakeUp: Sendable {
    private struct State {
        var count: UInt64 = 0
        var isOver = false
        var nextTicket: UInt64 = 0
        var waiting: [UInt64: CheckedContinuation<Void, Never>] = [:]
        /// Tickets of tasks that were cancelled before they could wait.
        var cancelled: Set<UInt64> = []
    }

    private let state = Lock(State())

    /// A bell nobody has rung.
    public init() {}

    /// How often it was rung.
    public var count: UInt64 { state.withLock(\.count) }

    /// Whether it will not be rung any more.
    public var isOver: Bool { state.withLock(\.isOver) }

    /// Wakes whoever waits.
    public func notify() {
        let waiting = state.withLock { state in
            state.count += 1
            return Self.takeAll(&state)
        }
        for continuation in waiting { continuation.resume() }
    }

    /// Wakes whoever waits, now and from now on at once: nothing more will happen.
    public func end() {
        let waiting = state.withLock { state in
            state.count += 1
            state.isOver = true
            return Self.takeAll(&state)
        }
        for continuation in waiting { continuation.resume() }
    }

    private static func takeAll(_ state: inout State) -> [CheckedContinuation<Void, Never>] {
        guard !state.waiting.isEmpty else { return [] }
        let all = Array(state.waiting.values)
        state.waiting.removeAll()
        return all
    }

    /// Waits until it was rung more often than `count`, is over, or the task is cancelled.
    public func wait(past count: UInt64) async {
        let ticket = state.withLock { state in
            state.nextTicket += 1
            return state.nextTicket
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let goesOn = state.withLock { state in
                    let isCancelled = state.cancelled.remove(ticket) != nil
                    guard state.count <= count, !state.isOver, !isCancelled else { return true }
                    state.waiting[ticket] = continuation
                    return false
                }
                if goesOn { continuation.resume() }
            }
        } onCancel: {
            let continuation = state.withLock { state in
                guard let continuation = state.waiting.removeValue(forKey: ticket) else {
                    state.cancelled.insert(ticket)
                    return nil as CheckedContinuation<Void, Never>?
                }
                return continuation
            }
            continuation?.resume()
        }
        state.withLock { _ = $0.cancelled.remove(ticket) }
    }
}
