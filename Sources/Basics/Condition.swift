// A mutex with a condition variable, for the threads that have nothing to do until told.
internal import Glibc

/// A value under a mutex that threads can wait on.
///
/// @unchecked Sendable: `value` is reached under the mutex alone; neither mutex nor condition
/// moves.
public final class Condition<Value>: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private var value: Value

    /// Guards `value` from now on.
    public init(_ value: sending Value) {
        self.value = value
        mutex = .allocate(capacity: 1)
        condition = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Runs `body` alone, without waking anybody.
    public func withLock<T, E: Error>(_ body: (inout Value) throws(E) -> T) throws(E) -> T {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&value)
    }

    /// Runs `body` alone, then wakes every waiter.
    public func signal<T, E: Error>(_ body: (inout Value) throws(E) -> T) throws(E) -> T {
        pthread_mutex_lock(mutex)
        defer {
            pthread_cond_broadcast(condition)
            pthread_mutex_unlock(mutex)
        }
        return try body(&value)
    }

    /// Waits until `ready` holds, then runs `body` in the same critical section.
    public func wait<T, E: Error>(
        until ready: (Value) -> Bool,
        _ body: (inout Value) throws(E) -> T
    ) throws(E) -> T {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while !ready(value) { pthread_cond_wait(condition, mutex) }
        return try body(&value)
    }

    /// Waits until `ready` holds, runs `body` in the same critical section, then wakes every
    /// waiter.
    ///
    /// - Parameters:
    ///   - ready: Is asked first and after every waking; may note in the value that it waits.
    ///   - body: Runs alone.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws.
    public func signal<T, E: Error>(
        when ready: (inout Value) -> Bool,
        _ body: (inout Value) throws(E) -> T
    ) throws(E) -> T {
        pthread_mutex_lock(mutex)
        defer {
            pthread_cond_broadcast(condition)
            pthread_mutex_unlock(mutex)
        }
        while !ready(&value) { pthread_cond_wait(condition, mutex) }
        return try body(&value)
    }
}
