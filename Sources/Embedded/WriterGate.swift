// One writer at a time, in the order they came, without a blocked thread.
//
// Invariants: at most one task is inside; whoever leaves lets the first of the line in, so that
// nobody overtakes; a task that is cancelled while it waits is taken out of the line and never
// inside.
internal import HoldfastBasics

/// The gate through which everything goes that changes a database.
public final class WriterGate: Sendable {
    private struct State {
        var isTaken = false
        var nextTicket: UInt64 = 0
        var line: [(ticket: UInt64, continuation: CheckedContinuation<Bool, Never>)] = []
        /// Tickets of tasks that were cancelled before they could wait.
        var cancelled: Set<UInt64> = []
    }

    private let state = Lock(State())

    /// An open gate.
    public init() {}

    /// Waits for its turn and is inside then, until it calls `leave`.
    ///
    /// - Throws: `CancellationError` when the task is cancelled before its turn; it is not inside.
    public func enter() async throws(CancellationError) {
        let ticket = state.withLock { state -> UInt64? in
            guard state.isTaken else {
                state.isTaken = true
                return nil
            }
            state.nextTicket += 1
            return state.nextTicket
        }
        guard let ticket else { return }
        let isInside = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer = state.withLock { state -> Bool? in
                    if state.cancelled.remove(ticket) != nil { return false }
                    guard state.isTaken else {
                        state.isTaken = true
                        return true
                    }
                    state.line.append((ticket, continuation))
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let continuation = state.withLock { state in
                guard let place = state.line.firstIndex(where: { $0.ticket == ticket }) else {
                    state.cancelled.insert(ticket)
                    return nil as CheckedContinuation<Bool, Never>?
                }
                return state.line.remove(at: place).continuation
            }
            continuation?.resume(returning: false)
        }
        state.withLock { _ = $0.cancelled.remove(ticket) }
        guard isInside else { throw CancellationError() }
    }

    /// How many wait for their turn.
    var waitingCount: Int { state.withLock(\.line.count) }

    /// Lets the next one in.
    public func leave() {
        let next = state.withLock { state in
            precondition(state.isTaken, "left without having entered")
            guard !state.line.isEmpty else {
                state.isTaken = false
                return nil as CheckedContinuation<Bool, Never>?
            }
            return state.line.removeFirst().continuation
        }
        next?.resume(returning: true)
    }
}
