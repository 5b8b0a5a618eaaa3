// A wall clock that jumps far ahead must not end anybody's grant: time-based rules wait then.
internal import HoldfastBasics

/// Compares the wall clock with the monotonic one.
struct ClockGuard {
    private let wallStart: Int64
    private let monotonicStart: UInt64
    private(set) var isSuspended = false

    init(time: any TimeSource) {
        wallStart = time.wallMilliseconds()
        monotonicStart = time.monotonicNanoseconds()
    }

    /// Whether time-based rules may run: the wall clock has not jumped ahead by more than an hour.
    mutating func check(_ time: any TimeSource, _ logger: Logger) -> Bool {
        let elapsed = Int64((time.monotonicNanoseconds() - monotonicStart) / 1_000_000)
        let jump = time.wallMilliseconds() - wallStart - elapsed
        let jumped = jump > Limits.clockJumpMilliseconds
        if jumped, !isSuspended {
            logger.log(.warning, "clock.jumped", ["milliseconds": "\(jump)"])
        }
        isSuspended = jumped
        return !jumped
    }
}
