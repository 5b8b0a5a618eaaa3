// The thread on which files are written: no loop ever waits for the disk to take one.
//
// What was given to it is done in order, also at the end; between two jobs it looks for files that
// nothing needs any more.
internal import HoldfastBasics
internal import HoldfastStore

/// The writing of one server's files.
final class FileThread: Sendable {
    private struct State {
        var worker: Worker?
        var jobs: [@Sendable () -> Void] = []
        var isStopping = false
    }

    private let store: Store
    private let pauseNanoseconds: UInt64
    private let logger: Logger
    private let state = Condition(State())

    init(_ store: Store, everySeconds seconds: Double, logger: Logger) {
        self.store = store
        self.logger = logger
        pauseNanoseconds = UInt64(seconds * 1e9)
    }

    /// Finds the uploads that an ended process left: before the first request, which may ask for
    /// one of them.
    func open() {
        tidy { () throws(FileError) in try store.openFiles() }
    }

    /// Works from now on.
    func start() {
        let worker = Worker { [self] in work() }
        state.withLock { $0.worker = worker }
    }

    /// Does what was given to it, and ends; called once.
    func stop() {
        let worker = state.signal { state in
            state.isStopping = true
            return state.worker
        }
        worker?.join()
    }

    /// Runs a job that waits for the disk, soon.
    ///
    /// - Returns: False when the server stops: the job is not run.
    @discardableResult
    func run(_ job: @escaping @Sendable () -> Void) -> Bool {
        state.signal { state in
            guard !state.isStopping else { return false }
            state.jobs.append(job)
            return true
        }
    }

    private func work() {
        tidy { () throws(FileError) in try store.removeUnrecordedFiles() }
        while true {
            let isTold = state.wait(
                until: { $0.isStopping || !$0.jobs.isEmpty },
                nanosecondsMax: pauseNanoseconds
            )
            let (isStopping, jobs) = state.withLock { state in
                defer { state.jobs = [] }
                return (state.isStopping, state.jobs)
            }
            for job in jobs { job() }
            if isStopping { return }
            if !isTold { tidy { () throws(FileError) in _ = try store.collectFiles() } }
        }
    }

    private func tidy(_ body: () throws(FileError) -> Void) {
        do throws(FileError) {
            try body()
        } catch {
            logger.log(.error, "files.failed", ["error": "\(error)"])
        }
    }
}
