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

extension UnsafeMutablePointer where Pointee == pthread_mutex_t {
    /// Makes a mutex whose waiters look for some microseconds before they sleep: for short sections
    /// that threads of two processors enter all the time, sleeping and waking would cost more than
    /// what is done inside.
    func initializeSpinning() {
        var attributes = pthread_mutexattr_t()
        pthread_mutexattr_init(&attributes)
        pthread_mutexattr_settype(&attributes, Int32(PTHREAD_MUTEX_ADAPTIVE_NP))
        pthread_mutex_init(self, &attributes)
        pthread_mutexattr_destroy(&attributes)
    }
}
