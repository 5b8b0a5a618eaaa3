// Opening: a log that was found whole becomes the state.
//
// What commits bring each by itself is half of the work: for a long log it is gathered on a second
// thread, which ends before the opening does.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastRecords

extension Store {
    /// Folds a log, behind a checkpoint where there is one; effects look back through the source.
    ///
    /// A log from the first commit on has everything that a checkpoint has: one that cannot be read
    /// to its end is no loss then.
    static func fold(
        _ log: CommitLog,
        _ checkpoint: Checkpoint?,
        _ logger: Logger
    ) throws(StoreError) -> (EngineState, LogSource) {
        if let checkpoint {
            let source = LogSource(log, checkpoint)
            let state = emptyState(log, source)
            do {
                try adopt(checkpoint, into: state)
                try fold(log, after: checkpoint, into: state)
                return (state, source)
            } catch let error as StoreError {
                throw error
            } catch {
                guard log.oldest == 1 else { throw unfoldable(error, seq: checkpoint.manifest.seq) }
                logger.log(.warning, "checkpoint.unused", ["why": "\(error)"])
            }
        }
        let source = LogSource(log)
        let state = emptyState(log, source)
        try fold(log, after: nil, into: state)
        return (state, source)
    }

    private static func emptyState(_ log: CommitLog, _ source: LogSource) -> EngineState {
        EngineState(lineage: log.lineage.map { ($0.epoch, $0.firstSeq) }, source: source)
    }

    private static func adopt(_ checkpoint: Checkpoint, into state: EngineState) throws {
        try checkpoint.forEachFrame(of: PartKind.ofState) { _, frame in
            try state.adopt(try CommitView(frame.content), at: frame.offset)
        }
        let manifest = checkpoint.manifest
        try state.resume(
            after: manifest.seq,
            chain: manifest.chain,
            time: manifest.time,
            trees: manifest.trees
        )
    }

    /// Folds what a log has behind a checkpoint, and remembers the changes of both.
    private static func fold(
        _ log: CommitLog,
        after checkpoint: Checkpoint?,
        into state: EngineState
    ) throws(StoreError) {
        let count = Int(log.head + 1 - log.oldest)
        let all = log.openedCursor(after: log.oldest - 1)
        let rest = log.openedCursor(after: checkpoint?.manifest.seq ?? log.oldest - 1)
        if count < secondThreadCountMin {
            try foldRecords(rest, into: state)
            return try take(tally(checkpoint, all, count), into: state)
        }
        let gathered = Lock<Result<Tally, StoreError>?>(nil)
        let worker = Worker {
            let tally = tally(checkpoint, all, count)
            gathered.withLock { $0 = tally }
        }
        let folded = Result { () throws(StoreError) in try foldRecords(rest, into: state) }
        worker.join()
        try folded.get()
        if let tally = gathered.withLock({ $0.take() }) { try take(tally, into: state) }
    }

    /// Below it a thread costs more than it saves.
    private static let secondThreadCountMin = 10_000

    private static func foldRecords(
        _ start: LogCursor,
        into state: EngineState
    ) throws(StoreError) {
        var cursor = start
        do {
            while let frame = try cursor.next() {
                let commit = try CommitView(frame.content)
                try state.apply(commit, at: frame.offset, undoable: false, isTallied: true)
            }
        } catch {
            throw unfoldable(error, seq: state.head + 1)
        }
    }

    private static func take(
        _ tally: Result<Tally, StoreError>,
        into state: EngineState
    ) throws(StoreError) {
        let tally = try tally.get()
        do {
            try state.take(tally)
        } catch {
            throw unfoldable(error, seq: state.head)
        }
    }

    /// All changes of a checkpoint and a log, and what the log has behind it.
    private static func tally(
        _ checkpoint: Checkpoint?,
        _ start: LogCursor,
        _ count: Int
    ) -> Result<Tally, StoreError> {
        let adopted = checkpoint?.manifest.seq ?? 0
        var cursor = start
        var tally = Tally(commitCount: count)
        do {
            try checkpoint?.forEachFrame(of: [.changes]) { _, frame in
                tally.add(change: try CommitView(frame.content).changeID, at: frame.offset)
            }
            while let frame = try cursor.next() {
                let commit = try CommitView(frame.content)
                if commit.seq > adopted {
                    try tally.add(commit, at: frame.offset)
                } else {
                    tally.add(change: commit.changeID, at: frame.offset)
                }
            }
        } catch {
            return .failure(unfoldable(error, seq: cursor.nextSeq))
        }
        return .success(tally)
    }

    static func unfoldable(_ error: any Error, seq: UInt64) -> StoreError {
        switch error {
        case let error as ContentError: .unfoldable(seq: seq, .content(error))
        case let error as ApplyError: .unfoldable(seq: seq, error)
        case let error as CommitLogError: .log(error)
        default: preconditionFailure("folding throws nothing else: \(error)")
        }
    }
}
