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
        // Waiting for a time must not depend on what the wall clock does.
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
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

    /// Waits until `ready` holds, or a time has passed.
    ///
    /// - Parameters:
    ///   - ready: Is asked first and after every waking.
    ///   - nanosecondsMax: How long to wait, on the monotonic clock; nil waits for ever.
    /// - Returns: Whether `ready` holds.
    public func wait(until ready: (Value) -> Bool, nanosecondsMax: UInt64?) -> Bool {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        guard let nanosecondsMax else {
            while !ready(value) { pthread_cond_wait(condition, mutex) }
            return true
        }
        var end = timespec()
        clock_gettime(CLOCK_MONOTONIC, &end)
        let nanoseconds = UInt64(end.tv_nsec) + nanosecondsMax % 1_000_000_000
        end.tv_sec += Int(nanosecondsMax / 1_000_000_000 + nanoseconds / 1_000_000_000)
        end.tv_nsec = Int(nanoseconds % 1_000_000_000)
        while !ready(value) {
            if pthread_cond_timedwait(condition, mutex, &end) == ETIMEDOUT { return ready(value) }
        }
        return true
    }

    /// Waits until `ready` holds, runs `body` in the same critical section, then wakes every
    /// waiter if somebody could go on.
    ///
    /// - Parameters:
    ///   - ready: Is asked first and after every waking; may note in the value that it waits.
    ///   - wakes: Is asked after `body`; waking a thread that waits for something else costs more
    ///     than most bodies. It is lent the value, which it does not change, so that nothing of it
    ///     is copied.
    ///   - body: Runs alone.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws.
    public func signal<T, E: Error>(
        when ready: (inout Value) -> Bool = { _ in true },
        if wakes: (inout Value) -> Bool = { _ in true },
        _ body: (inout Value) throws(E) -> T
    ) throws(E) -> T {
        pthread_mutex_lock(mutex)
        defer {
            if wakes(&value) { pthread_cond_broadcast(condition) }
            pthread_mutex_unlock(mutex)
        }
        while !ready(&value) { pthread_cond_wait(condition, mutex) }
        return try body(&value)
    }
}
