// Time is handed in, so that a test or a simulation can own it.
internal import Glibc

/// Where time comes from.
public protocol TimeSource: Sendable {
    /// The wall clock, which may jump either way.
    ///
    /// Unit: milliseconds since 1970-01-01T00:00:00Z.
    func wallMilliseconds() -> Int64
    /// A clock that only goes forward.
    ///
    /// Unit: nanoseconds since an arbitrary start.
    func monotonicNanoseconds() -> UInt64
}

/// The operating system's clocks.
public struct SystemTime: TimeSource {
    /// Reads the clocks; holds nothing.
    public init() {}

    /// Reads CLOCK_REALTIME.
    public func wallMilliseconds() -> Int64 {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
    }

    /// Reads CLOCK_MONOTONIC.
    public func monotonicNanoseconds() -> UInt64 {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
    }
}
