// Work that blocks, kept off the threads that tasks share.
internal import HoldfastBasics

/// Runs blocking work on a thread of its own.
enum Offload {
    /// Runs `body` elsewhere and returns what it returns.
    static func run<T: Sendable>(_ body: @escaping @Sendable () -> T) async -> T {
        let thread = Lock<Worker?>(nil)
        let result = await withCheckedContinuation { continuation in
            let worker = Worker { continuation.resume(returning: body()) }
            thread.withLock { $0 = worker }
        }
        // It has nothing left to do.
        thread.withLock(\.self)?.join()
        return result
    }
}
