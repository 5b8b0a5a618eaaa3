// From the measuring thread into tasks and back.
internal import Foundation
internal import HoldfastBasics

/// Runs asynchronous work from a thread that may wait.
enum Blocking {
    /// Runs `body` as a task and waits for its end.
    static func run<T: Sendable>(_ body: @escaping @Sendable () async throws -> T) throws -> T {
        let outcome = Lock<Result<T, any Error>?>(nil)
        let isDone = DispatchSemaphore(value: 0)
        Task.detached {
            let result: Result<T, any Error>
            do {
                result = .success(try await body())
            } catch {
                result = .failure(error)
            }
            outcome.withLock { $0 = result }
            isDone.signal()
        }
        isDone.wait()
        guard let result = outcome.withLock(\.self) else { throw BenchError("no outcome") }
        return try result.get()
    }
}
