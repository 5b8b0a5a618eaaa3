// Opening: a log that was found whole becomes the state.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastRecords

extension Store {
    /// Folds a log, behind a checkpoint where there is one; effects look back through the source.
    ///
    /// A log from the first commit on has everything that a checkpoint has: one that cannot be read
    /// to its end is no loss then.
    ///
    /// - Parameters:
    ///   - log: As it was opened.
    ///   - checkpoint: One of its history.
    ///   - gathering: All of the log; of use where it gathers behind that checkpoint.
    ///   - logger: Is told of a checkpoint that is not used.
    /// - Returns: The state, and what it reads values through.
    /// - Throws: `unfoldable`, `log`.
    static func fold(
        _ log: CommitLog,
        _ checkpoint: Checkpoint?,
        _ gathering: LogGathering,
        _ logger: Logger
    ) throws(StoreError) -> (EngineState, LogSource) {
        if let checkpoint {
            let source = LogSource(log, checkpoint)
            let state = emptyState(log, source)
            do {
                try adopt(checkpoint, into: state)
                try fold(log, gathering, into: state)
                return (state, source)
            } catch {
                let refusal = error as? StoreError
                guard log.oldest == 1 else {
                    throw refusal ?? unfoldable(error, seq: checkpoint.manifest.seq)
                }
                logger.log(.warning, "checkpoint.unused", ["why": "\(error)"])
            }
        }
        let source = LogSource(log)
        let state = emptyState(log, source)
        if gathering.checkpoint == nil {
            try fold(log, gathering, into: state)
            return (state, source)
        }
        let whole = LogGathering(log, behind: nil)
        defer { whole.stop() }
        try fold(log, whole, into: state)
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
        try state.adopt(try checkpoint.usedKeys())
    }

    /// Folds what a log has behind a checkpoint, and remembers the changes of both.
    private static func fold(
        _ log: CommitLog,
        _ gathering: LogGathering,
        into state: EngineState
    ) throws(StoreError) {
        let adopted = gathering.checkpoint?.manifest.seq ?? log.oldest - 1
        try foldRecords(log.openedCursor(after: adopted), into: state)
        let tally = try gathering.finish()
        do {
            try state.take(tally)
        } catch {
            throw unfoldable(error, seq: state.head)
        }
    }

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

    static func unfoldable(_ error: any Error, seq: UInt64) -> StoreError {
        switch error {
        case let error as ContentError: .unfoldable(seq: seq, .content(error))
        case let error as ApplyError: .unfoldable(seq: seq, error)
        case let error as CommitLogError: .log(error)
        default: preconditionFailure("folding throws nothing else: \(error)")
        }
    }
}
