// Opening: what commits bring each by itself is half of the work, and is gathered beside the rest.
//
// For a long log that is done on a second thread. It keeps up with the reading: a stretch comes as
// soon as its checksums were taken, long before the log is known to be whole.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastRecords

/// Gathers a tally of a log; confined to the thread that opens, which ends it by `finish` or
/// `stop`.
final class LogGathering {
    private struct State {
        /// What has come and nobody has begun to gather.
        var stretches: ArraySlice<LogStretch> = []
        /// Commits of the log, when all of it has come.
        var commitCount: Int?
        var isStopping = false
        /// What the second thread has gathered, when it has ended.
        var tally: Result<Tally, StoreError>?
    }

    /// The changes of its parts are gathered too, and of its commits nothing else.
    let checkpoint: Checkpoint?
    private let state = Condition(State())
    private var worker: Worker?
    private var byteCount = 0

    /// Begins.
    ///
    /// - Parameter checkpoint: What the log is folded behind; nil folds all of it.
    init(behind checkpoint: Checkpoint?) { self.checkpoint = checkpoint }

    /// Takes all of a log that was opened.
    convenience init(_ log: CommitLog, behind checkpoint: Checkpoint?) {
        self.init(behind: checkpoint)
        for stretch in log.openedStretches { take(stretch) }
        end(log)
    }

    /// Takes what follows what it has.
    func take(_ stretch: LogStretch) {
        byteCount += stretch.byteCount
        state.signal { $0.stretches.append(stretch) }
        guard worker == nil, byteCount >= Self.threadByteCountMin else { return }
        let (state, checkpoint) = (state, checkpoint)
        worker = Worker {
            let tally = Self.gather(state, checkpoint)
            state.withLock { $0.tally = tally }
        }
    }

    /// Below it a thread costs more than it saves.
    private static let threadByteCountMin = 3 << 20

    /// Learns that it has all of a log.
    func end(_ log: CommitLog) {
        state.signal { $0.commitCount = Int(log.head + 1 - log.oldest) }
    }

    /// Helps with what is left; once, and after `end`.
    ///
    /// - Returns: What was gathered.
    /// - Throws: Why a commit could not be read.
    func finish() throws(StoreError) -> Tally {
        guard let worker else { return try Self.gather(state, checkpoint).get() }
        let rest = Self.gatherRest(state, checkpoint)
        worker.join()
        self.worker = nil
        guard var tally = try state.withLock({ $0.tally.take() })?.get() else {
            preconditionFailure("a gathering has one end")
        }
        tally.add(try rest.get())
        return tally
    }

    /// Gives up what is not finished.
    func stop() {
        guard let worker else { return }
        state.signal { $0.isStopping = true }
        worker.join()
        self.worker = nil
    }

    /// Gathers the parts' changes and stretches from the first on, until all are taken.
    private static func gather(
        _ state: Condition<State>,
        _ checkpoint: Checkpoint?
    ) -> Result<Tally, StoreError> {
        let adopted = checkpoint?.manifest.seq ?? 0
        return gather(adopted) { (tally, seq) in
            try checkpoint?.forEachFrame(of: [.changes]) { _, frame in
                tally.add(change: try CommitView(frame.content).changeID, at: frame.offset)
            }
            while true {
                let (next, commitCount) = state.wait(
                    until: { !$0.stretches.isEmpty || $0.commitCount != nil || $0.isStopping }
                ) { state in
                    (state.isStopping ? nil : state.stretches.popFirst(), state.commitCount)
                }
                // Made at once, there is room for all of them.
                if let commitCount { tally.reserve(changeCount: commitCount) }
                guard let next else { return }
                try tally.add(next, behind: adopted, &seq)
            }
        }
    }

    /// Gathers stretches from the last on, until all are taken.
    private static func gatherRest(
        _ state: Condition<State>,
        _ checkpoint: Checkpoint?
    ) -> Result<Tally, StoreError> {
        let adopted = checkpoint?.manifest.seq ?? 0
        return gather(adopted) { (tally, seq) in
            while let last = state.withLock({ $0.stretches.popLast() }) {
                try tally.add(last, behind: adopted, &seq)
            }
        }
    }

    /// What `body` gathers, which says the commit it has come to.
    private static func gather(
        _ adopted: UInt64,
        _ body: (inout Tally, inout UInt64) throws -> Void
    ) -> Result<Tally, StoreError> {
        var tally = Tally()
        var seq = adopted
        do {
            try body(&tally, &seq)
            return .success(tally)
        } catch {
            return .failure(Store.unfoldable(error, seq: seq + 1))
        }
    }
}

extension Tally {
    /// Takes the commits of a stretch.
    ///
    /// - Parameters:
    ///   - stretch: Of the log.
    ///   - adopted: Up to there records were counted with the parts of a checkpoint.
    ///   - seq: Becomes the last commit that was taken.
    /// - Throws: What the commits' bytes, or their contents, are refused with.
    fileprivate mutating func add(
        _ stretch: LogStretch,
        behind adopted: UInt64,
        _ seq: inout UInt64
    ) throws {
        try stretch.forEachCommit { frame in
            let commit = try CommitView(frame.content)
            if commit.seq > adopted {
                try add(commit, at: frame.offset)
            } else {
                add(change: commit.changeID, at: frame.offset)
            }
            seq = commit.seq
        }
    }
}
