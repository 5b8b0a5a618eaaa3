// Time that passes only when a test says so.
public import HoldfastBasics

/// Clocks a test owns.
public final class FakeTime: TimeSource {
    private let state: Lock<(wall: Int64, monotonic: UInt64)>

    /// Begins at a wall clock time.
    ///
    /// Unit: milliseconds since 1970; without a choice 2026-01-01T00:00:00Z.
    public init(wallMilliseconds: Int64 = 1_767_225_600_000) {
        state = Lock((wallMilliseconds, 1_000_000_000))
    }

    /// The wall clock as it was set.
    public func wallMilliseconds() -> Int64 { state.withLock { $0.wall } }

    /// Nanoseconds passed, from 1 s on.
    public func monotonicNanoseconds() -> UInt64 { state.withLock { $0.monotonic } }

    /// Lets time pass on both clocks.
    public func advance(milliseconds: Int64) {
        precondition(milliseconds >= 0, "time does not go back; set the wall clock for that")
        state.withLock {
            $0.wall += milliseconds
            $0.monotonic += UInt64(milliseconds) * 1_000_000
        }
    }

    /// Sets the wall clock alone, as a human or a time server does.
    public func set(wallMilliseconds: Int64) { state.withLock { $0.wall = wallMilliseconds } }
}
