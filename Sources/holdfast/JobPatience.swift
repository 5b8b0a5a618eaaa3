// Waiting for a server that went away in the middle of a job.
internal import Glibc
internal import HoldfastBasics

/// How long a job waits for a server that went away, and how often it looks.
struct JobPatience {
    private let nanosecondsMax: UInt64
    private let time = SystemTime()
    private var started: UInt64
    private var pauseMilliseconds: UInt32 = 100

    init(_ arguments: Arguments) throws(CommandFailure) {
        let seconds = try arguments.integer("retry", 0...86_400) ?? 60
        nanosecondsMax = seconds * 1_000_000_000
        started = time.monotonicNanoseconds()
    }

    /// The server is there: waiting begins anew.
    mutating func heard() {
        started = time.monotonicNanoseconds()
        pauseMilliseconds = 100
    }

    /// Whether to try again after a failure.
    func allows(_ failure: CommandFailure) -> Bool {
        failure.code == .unreachable && time.monotonicNanoseconds() - started < nanosecondsMax
    }

    /// Tells of a failure and pauses, longer each time.
    mutating func pause(_ failure: CommandFailure) {
        Console.complain("\(failure.message); trying again")
        usleep(pauseMilliseconds * 1000)
        pauseMilliseconds = min(pauseMilliseconds * 2, 5000)
    }
}
