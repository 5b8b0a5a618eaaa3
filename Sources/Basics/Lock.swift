// The only lock of the house. `Synchronization.Mutex` draws false reports from ThreadSanitizer,
// which cannot see into its futex path; a pthread mutex draws none.
internal import Glibc

/// A value that is touched under a mutex only.
///
/// @unchecked Sendable: `value` is reached through `withLock` alone, and the mutex never moves.
public final class Lock<Value>: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private var value: Value

    /// Guards `value` from now on.
    ///
    /// - Precondition: A value is not empty: one of no bytes lies where the object itself begins,
    ///   which looks like a race to ThreadSanitizer.
    public init(_ value: sending Value) {
        precondition(MemoryLayout<Value>.size > 0, "a lock guards something")
        self.value = value
        mutex = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    /// Runs `body` alone.
    ///
    /// Not recursive: `body` must not come back to this lock.
    public func withLock<T, E: Error>(_ body: (inout Value) throws(E) -> T) throws(E) -> T {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&value)
    }
}
