// An operating-system thread with a join. FoundationEssentials has none.
internal import Glibc

/// One thread that runs one function to its end.
///
/// @unchecked Sendable: `handle` is written before `init` returns and read by `join` alone.
public final class Worker: @unchecked Sendable {
    private var handle = pthread_t()

    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// Starts a thread that runs `run`.
    public init(_ run: @escaping @Sendable () -> Void) {
        let context = Unmanaged.passRetained(Body(run)).toOpaque()
        let result = pthread_create(
            &handle,
            nil,
            { context in
                guard let context else { return nil }
                Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run()
                return nil
            },
            context
        )
        precondition(result == 0, "pthread_create failed with \(result)")
    }

    /// Waits for the function to end; called once.
    public func join() { pthread_join(handle, nil) }

    /// Runs a call that blocks on a thread of its own, off the threads that tasks share.
    ///
    /// - Parameter body: Runs on the thread.
    /// - Returns: What `body` returns.
    public static func run<T: Sendable>(_ body: @escaping @Sendable () -> T) async -> T {
        // The answer goes through a lock: when it is there before anybody waits, ThreadSanitizer
        // does not see how the continuation hands it over.
        let answer = Lock<T?>(nil)
        // With its answer a thread has nothing left to do: nobody has to join it.
        await withCheckedContinuation { continuation in
            detach {
                let value = body()
                answer.withLock { $0 = value }
                continuation.resume()
            }
        }
        guard let value = answer.withLock({ $0 }) else {
            preconditionFailure("a thread resumed its task without an answer")
        }
        return value
    }

    /// Starts a thread nobody waits for, for a call that may block long and cannot be ended.
    ///
    /// - Parameter run: Runs on the thread; the process may end before it does.
    public static func detach(_ run: @escaping @Sendable () -> Void) {
        pthread_detach(Worker(run).handle)
    }
}
