// Opening: a log that was found whole becomes the state.
//
// The memory of changes depends on nothing but the log, and is a fifth of the work: for a long log
// it is made on a second thread, which ends before the opening does.
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
        guard count >= secondThreadCountMin else {
            try foldRecords(rest, into: state)
            try state.remember(changes(checkpoint, all, count).get())
            return
        }
        let made = Lock<Result<ChangeTable, StoreError>?>(nil)
        let worker = Worker {
            let changes = changes(checkpoint, all, count)
            made.withLock { $0 = changes }
        }
        let folded = Result { () throws(StoreError) in try foldRecords(rest, into: state) }
        worker.join()
        try folded.get()
        if let changes = made.withLock(\.self) { state.remember(try changes.get()) }
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
                try state.apply(commit, at: frame.offset, undoable: false, remembers: false)
            }
        } catch {
            throw unfoldable(error, seq: state.head + 1)
        }
    }

    /// All changes of a checkpoint and a log, and the offsets of their frames.
    private static func changes(
        _ checkpoint: Checkpoint?,
        _ start: LogCursor,
        _ count: Int
    ) -> Result<ChangeTable, StoreError> {
        var cursor = start
        var table = ChangeTable()
        table.reserve(count)
        // Added together, their places are fetched from memory side by side.
        var batch: [(id: UniqueID, offset: UInt64)] = []
        do {
            try checkpoint?.forEachFrame(of: [.changes]) { _, frame in
                table.insert(frame.offset, for: try CommitView(frame.content).changeID)
            }
            while let frame = try cursor.next() {
                batch.append((try CommitView(frame.content).changeID, frame.offset))
                guard batch.count == batchCount else { continue }
                table.insert(batch)
                batch.removeAll(keepingCapacity: true)
            }
        } catch {
            return .failure(unfoldable(error, seq: cursor.nextSeq))
        }
        table.insert(batch)
        return .success(table)
    }

    private static let batchCount = 256

    static func unfoldable(_ error: any Error, seq: UInt64) -> StoreError {
        switch error {
        case let error as ContentError: .unfoldable(seq: seq, .content(error))
        case let error as ApplyError: .unfoldable(seq: seq, error)
        case let error as CommitLogError: .log(error)
        default: preconditionFailure("folding throws nothing else: \(error)")
        }
    }
}
