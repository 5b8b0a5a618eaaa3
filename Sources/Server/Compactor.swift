// Cuts the log beside everything else: by itself when that pays or the disk fills up, and when
// somebody asks for it.
//
// One thread, which sleeps between two looks. What it does is the store's; here is decided when.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastStore

/// The compaction of one server's store.
final class Compactor: Sendable {
    /// Is told what came of a compaction, on the compactor's thread; nil when there was nothing to
    /// do.
    typealias Answer = @Sendable (Result<Compaction?, StoreError>) -> Void

    private struct State {
        var policy: CompactionPolicy
        var worker: Worker?
        var requests: [(isWhole: Bool, answer: Answer)] = []
        /// Other work for this thread.
        var jobs: [@Sendable () -> Void] = []
        var isStopping = false
    }

    private let store: Store
    private let pauseNanoseconds: UInt64
    private let metrics: Metrics
    private let time: any TimeSource
    private let logger: Logger
    private let state: Condition<State>

    init(
        _ store: Store,
        _ policy: CompactionPolicy,
        everySeconds seconds: Double,
        metrics: Metrics,
        time: any TimeSource,
        logger: Logger
    ) {
        self.store = store
        state = Condition(State(policy: policy))
        self.metrics = metrics
        self.time = time
        self.logger = logger
        pauseNanoseconds = UInt64(seconds * 1e9)
    }

    /// Cuts the log by another policy from the next look on.
    func setPolicy(_ policy: CompactionPolicy) { state.withLock { $0.policy = policy } }

    /// Looks from now on.
    func start() {
        let worker = Worker { [self] in run() }
        state.withLock { $0.worker = worker }
    }

    /// Gives up what is under way, and ends; called once.
    func stop() {
        store.stopCompacting()
        let worker = state.signal { state in
            state.isStopping = true
            return state.worker
        }
        worker?.join()
    }

    /// Has the log cut as soon as possible.
    ///
    /// - Parameters:
    ///   - isWhole: Whether the snapshot must stand for itself.
    ///   - answer: Is told what came of it.
    func request(isWhole: Bool, _ answer: @escaping Answer) {
        let isTaken = state.signal { state in
            guard !state.isStopping else { return false }
            state.requests.append((isWhole, answer))
            return true
        }
        if !isTaken { answer(.failure(.log(.stopped))) }
    }

    /// Runs a job that waits for the disk, soon.
    ///
    /// - Returns: False when the server stops: the job is not run.
    func run(_ job: @escaping @Sendable () -> Void) -> Bool {
        state.signal { state in
            guard !state.isStopping else { return false }
            state.jobs.append(job)
            return true
        }
    }

    // MARK: The thread

    private func run() {
        var forecast = DiskForecast(time)
        var pauses = 1
        while true {
            _ = state.wait(
                until: { $0.isStopping || !$0.requests.isEmpty || !$0.jobs.isEmpty },
                nanosecondsMax: pauseNanoseconds * UInt64(pauses)
            )
            let (isStopping, requests, jobs, policy) = state.withLock { state in
                defer { (state.requests, state.jobs) = ([], []) }
                return (state.isStopping, state.requests, state.jobs, state.policy)
            }
            // Whoever waits for one is answered, also at the end.
            for job in jobs { job() }
            let isFilling = forecast.isFilling(store)
            let isDue = !requests.isEmpty || isFilling || store.isCompactionDue(policy)
            guard isDue, !isStopping else {
                if isStopping {
                    for request in requests { request.answer(.failure(.log(.stopped))) }
                    return
                }
                pauses = 1
                continue
            }
            let result = compact(
                policy,
                isFilling: isFilling,
                isWhole: requests.contains(where: \.isWhole)
            )
            for request in requests { request.answer(result) }
            // What a disk refused it refuses again for some time.
            if case .failure = result { pauses = Self.pausesAfterFailure } else { pauses = 1 }
        }
    }

    private static let pausesAfterFailure = 10

    private func compact(
        _ policy: CompactionPolicy,
        isFilling: Bool,
        isWhole: Bool
    ) -> Result<Compaction?, StoreError> {
        let started = time.monotonicNanoseconds()
        let result = Result { () throws(StoreError) in
            let start = isFilling ? nil : store.historyStart(policy)
            return try store.compact(
                keepingFrom: start,
                horizons: store.horizons(policy),
                isWhole: isWhole
            )
        }
        let nanoseconds = time.monotonicNanoseconds() - started
        switch result {
        case .success(let compaction?):
            metrics.compactions.record(nanoseconds: nanoseconds)
            logger.log(
                isFilling ? .warning : .info,
                "compaction.done",
                [
                    "why": isFilling ? "the disk would be full within a day" : "history",
                    "seq": "\(compaction.checkpoint.seq)",
                    "oldest": "\(compaction.oldest)",
                    "freed": "\(compaction.freedByteCount)",
                    "written": "\(compaction.checkpoint.writtenByteCount)",
                    "milliseconds": "\(nanoseconds / 1_000_000)",
                    "held": "\(compaction.isHeld)",
                ]
            )
        case .success(nil): break
        case .failure(.log(.stopped)): break
        case .failure(let error):
            metrics.failedCompactions.add()
            logger.log(.error, "compaction.failed", ["error": "\(error)"])
        }
        return result
    }
}

/// Whether the log will have filled the disk within a day, as fast as it grew in the last hour.
struct DiskForecast {
    private struct Sample {
        let nanoseconds: UInt64
        let byteCount: UInt64
    }

    private let time: any TimeSource
    private var samples: [Sample] = []

    init(_ time: any TimeSource) { self.time = time }

    /// Notes how far the log is, and looks ahead.
    ///
    /// - Returns: Whether there will be no room in a day, and dropping history now makes some.
    mutating func isFilling(_ store: Store) -> Bool {
        let now = time.monotonicNanoseconds()
        let byteCount = store.appendedByteCount
        samples.removeAll { $0.nanoseconds + Self.memoryNanoseconds < now }
        samples.append(Sample(nanoseconds: now, byteCount: byteCount))
        guard let first = samples.first, let room = store.roomByteCount else { return false }
        let elapsed = Double(now - first.nanoseconds)
        // A burst of a minute says nothing of a day, unless there is next to no room.
        let isLow = room < Self.lowByteCount
        guard isLow || elapsed >= Self.memoryNanosecondsMin else { return false }
        let growth = elapsed > 0 ? Double(byteCount - first.byteCount) / elapsed : 0
        guard isLow || growth * Self.aheadNanoseconds > Double(room) else { return false }
        return store.garbageByteCount(before: .max) > 0
    }

    private static let memoryNanoseconds: UInt64 = 3_600_000_000_000
    private static let memoryNanosecondsMin = 600e9
    private static let aheadNanoseconds = 86_400e9
    /// Less room than two segments, besides the reserve: the next one may not fit.
    private static let lowByteCount: UInt64 = 128 << 20
}
