// What a long command is doing, once a second on standard error; a short one says nothing.
internal import HoldfastBasics

/// Counts one stage of a command's work.
struct Progress {
    private let what: String
    private let time = SystemTime()
    private var told: UInt64
    private var count: UInt64 = 0

    private static let secondNanoseconds: UInt64 = 1_000_000_000

    /// - Parameter what: The stage, as `commits read`.
    init(_ what: String) {
        self.what = what
        told = time.monotonicNanoseconds()
    }

    /// Runs `body`, and says every second how long it has been at it.
    static func telling<T>(
        _ what: String,
        _ body: () throws(CommandFailure) -> T
    ) throws(CommandFailure) -> T {
        let isDone = Condition(false)
        let worker = Worker {
            var seconds = 0
            while !isDone.wait(until: { $0 }, nanosecondsMax: secondNanoseconds) {
                seconds += 1
                Console.complain("\(what), \(seconds) s ...")
            }
        }
        defer {
            isDone.signal { $0 = true }
            worker.join()
        }
        return try body()
    }

    /// One more is done; the clock is looked at every 1024 of them.
    mutating func step() {
        count += 1
        guard count % 1024 == 0 else { return }
        tell()
    }

    /// So many more are done, at once.
    mutating func add(_ more: Int) {
        count += UInt64(more)
        tell()
    }

    private mutating func tell() {
        let now = time.monotonicNanoseconds()
        guard now - told >= Self.secondNanoseconds else { return }
        told = now
        Console.complain("\(count) \(what) ...")
    }
}
