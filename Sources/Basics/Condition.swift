// A mutex with a condition variable, for the threads that have nothing to do until told.
internal import Glibc
internal import Synchronization

/// A value under a mutex that threads can wait on.
///
/// @unchecked Sendable: `value` and the counts of those who wait are reached under the mutex alone;
/// neither mutex nor condition moves.
public final class Condition<Value>: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private var value: Value
    /// Threads that found the mutex taken.
    private let waiting = Atomic<Int>(0)
    /// Threads that wait to be told.
    private var parked = 0
    /// Those of them that were told, and have not got the mutex yet.
    private var woken = 0
    /// How often those who wait were told: who began to wait before the last time is `woken`.
    private var tellings = 0

    /// Guards `value` from now on.
    public init(_ value: sending Value) {
        self.value = value
        mutex = .allocate(capacity: 1)
        condition = .allocate(capacity: 1)
        mutex.initializeSpinning()
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
        lock()
        defer { pthread_mutex_unlock(mutex) }
        return try body(&value)
    }

    /// Waits until `ready` holds, then runs `body` in the same critical section.
    public func wait<T, E: Error>(
        until ready: (Value) -> Bool,
        _ body: (inout Value) throws(E) -> T
    ) throws(E) -> T {
        lock()
        defer { pthread_mutex_unlock(mutex) }
        while !ready(value) { park() }
        return try body(&value)
    }

    /// Waits until `ready` holds, or a time has passed.
    ///
    /// - Parameters:
    ///   - ready: Is asked first and after every waking.
    ///   - nanosecondsMax: How long to wait, on the monotonic clock; nil waits for ever.
    /// - Returns: Whether `ready` holds.
    public func wait(until ready: (Value) -> Bool, nanosecondsMax: UInt64?) -> Bool {
        lock()
        defer { pthread_mutex_unlock(mutex) }
        guard let nanosecondsMax else {
            while !ready(value) { park() }
            return true
        }
        let end = timespec.now + nanosecondsMax
        while !ready(value) {
            guard park(until: end) else { return ready(value) }
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
        lock()
        defer {
            if wakes(&value) {
                woken = parked
                tellings += 1
                pthread_cond_broadcast(condition)
            }
            pthread_mutex_unlock(mutex)
        }
        while !ready(&value) { park() }
        return try body(&value)
    }

    /// Lets those in who want the mutex: one that is let go of and taken again at once stays with
    /// the thread that has it, however long others wait.
    ///
    /// - Parameter nanosecondsMax: How long, at most, it is left to those who come; nothing is
    ///   waited for when nobody does.
    public func letOthersIn(nanosecondsMax: UInt64) {
        lock()
        defer { pthread_mutex_unlock(mutex) }
        var now = timespec.now
        let end = now + nanosecondsMax
        while woken > 0 || waiting.load(ordering: .relaxed) > 0, now < end {
            // Nobody tells when the last of them has been in: that would cost each of them. Who
            // looks is none of those who are told.
            var look = now + Self.lookNanoseconds
            pthread_cond_timedwait(condition, mutex, &look)
            now = timespec.now
        }
    }

    private static var lookNanoseconds: UInt64 { 10_000 }

    private func lock() {
        if pthread_mutex_trylock(mutex) == 0 { return }
        waiting.wrappingAdd(1, ordering: .relaxed)
        pthread_mutex_lock(mutex)
        waiting.wrappingSubtract(1, ordering: .relaxed)
    }

    private func park() {
        let told = tellings
        parked += 1
        pthread_cond_wait(condition, mutex)
        unpark(told)
    }

    /// - Returns: False when the time has come.
    private func park(until end: timespec) -> Bool {
        var end = end
        let told = tellings
        parked += 1
        let status = pthread_cond_timedwait(condition, mutex, &end)
        unpark(told)
        return status != ETIMEDOUT
    }

    private func unpark(_ told: Int) {
        parked -= 1
        if told != tellings { woken -= 1 }
    }
}

extension timespec {
    /// On the monotonic clock.
    fileprivate static var now: timespec {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return now
    }

    fileprivate static func + (time: timespec, nanoseconds: UInt64) -> timespec {
        let sum = UInt64(time.tv_nsec) + nanoseconds % 1_000_000_000
        return timespec(
            tv_sec: time.tv_sec + Int(nanoseconds / 1_000_000_000 + sum / 1_000_000_000),
            tv_nsec: Int(sum % 1_000_000_000)
        )
    }

    fileprivate static func < (a: timespec, b: timespec) -> Bool {
        (a.tv_sec, a.tv_nsec) < (b.tv_sec, b.tv_nsec)
    }
}
