// A store that another process writes: what came since is folded, and a checkpoint is taken up
// where the log before it is gone.
//
// Invariants:
// - one look at a time; files are read without the store's lock, commits are applied under it, some
//   at a time, whole, checked before the first of them is applied;
// - what was removed under this process stays mapped until nothing points there any more;
// - when a look fails the state stands where it stood, and the next look begins there again.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStorage

extension Store {
    /// Folds what another process has committed since, where the database was opened for reading.
    ///
    /// The last commits may be written and not synced yet: after a power cut, which ends this
    /// process too, they may be gone. When the log was compacted, and what follows is not in it any
    /// more, the state is read anew from the checkpoint: pins end, and a reader of the log is told
    /// by `compacted`.
    ///
    /// - Returns: Whether there was anything; always false in the process that alone writes.
    /// - Throws: `log` (damage, a disk that fails), `unfoldable`: everything stays as it is then;
    ///   `busy`.
    @discardableResult
    public func refresh() throws(StoreError) -> Bool {
        if isShared { return try refreshShared() }
        guard isReadOnly else { return false }
        return try alone { () throws(StoreError) in
            let (last, before, isMoving, disk) = core.withLock { core in
                (core.log.seen, core.log.head, core.source.isMoving, core.disk)
            }
            guard let seen = last else { return false }
            // A checkpoint that could not be read to its end.
            if isMoving {
                try startAnew()
                return true
            }
            let news: LogReader
            do throws(CommitLogError) {
                news = try seen.followed(disk: disk)
            } catch {
                guard case .compacted = error else { throw .log(error) }
                try startAnew()
                return true
            }
            try fold(news, after: before, upTo: news.head)
            try moveOn(to: news)
            guard news.head > before else { return false }
            tellObservers()
            return true
        }
    }

    /// Commits folded under one lock.
    private static let pageCommitCount: UInt64 = 256

    /// Folds what a look has found, behind a commit.
    func fold(
        _ news: LogReader,
        after seq: UInt64,
        upTo end: UInt64
    ) throws(StoreError) {
        var next = seq + 1
        repeat {
            let last = min(end, next + Self.pageCommitCount - 1)
            try mutate { (core) throws(StoreError) in try core.fold(news, next, last) }
            next = last + 1
        } while next <= end
    }

    /// Points at a newer checkpoint where the log before it is gone, so that its files can be too.
    ///
    /// While a reader is pinned behind the checkpoint, what it reads stays.
    func moveOn(to news: LogReader) throws(StoreError) {
        let (oldest, head, half, disk) = core.withLock { core in
            (
                core.log.oldest, core.log.head, core.source.checkpoint?.half.other ?? .lower,
                core.disk
            )
        }
        guard news.oldestNamed > oldest else { return }
        do throws(CommitLogError) {
            let newest = try CommitLog.lookingAgain(disk) { () throws(CommitLogError) in
                try Checkpoint.newest(on: disk, in: half)
            }
            guard let checkpoint = newest, checkpoint.manifest.seq <= head,
                checkpoint.manifest.seq + 1 >= news.oldestNamed
            else { return }
            let isHeld = core.withLock { core in
                let isHeld = (core.pins.oldest ?? .max) < checkpoint.manifest.seq
                if !isHeld { core.source.add(checkpoint) }
                return isHeld
            }
            guard !isHeld else { return }
            try move(to: checkpoint, before: news.oldestNamed)
            try core.withLock { (core) throws(CommitLogError) in
                core.source.keepNewest()
                core.manifest = checkpoint.manifest
                try core.log.drop(before: news.oldestNamed)
            }
        } catch {
            throw .log(error)
        }
    }

    /// Opens the database again, as the log does not go on from where this process is.
    ///
    /// Whoever shares it holds the lock under which it writes.
    func startAnew() throws(StoreError) {
        let disk = core.withLock(\.disk)
        let opened = try Self.open(disk, identity.application, options, random, logger)
        mutate { core in
            (core.log, core.state, core.source) = opened
            core.manifest = opened.source.checkpoint?.manifest
            core.pins.removeAll()
            core.tellOfEverything()
        }
        tellObservers()
    }

    func tellObservers() {
        let (progress, observers) = core.withLock { ($0.progress, $0.observers) }
        for observer in observers { observer(progress, 0) }
    }
}

extension Store.Core {
    /// Goes on to a commit of what another process has written.
    fileprivate func fold(
        _ news: LogReader,
        _ first: UInt64,
        _ last: UInt64
    ) throws(StoreError) {
        let known = log.head
        log.take(news, upTo: max(known, last))
        state.goOn(in: log.lineage)
        guard last >= first else { return }
        var touched = Touched.Gathering()
        do {
            try checkFoldable(first...last)
            for seq in first...last {
                guard let location = log.location(ofSeq: seq) else {
                    preconditionFailure("commit \(seq) was read, and is not there")
                }
                try log.withFrame(at: location) { frame in
                    let commit = try CommitView(frame.content)
                    try state.apply(commit, at: frame.offset, undoable: false)
                    if !consumers.isEmpty { touched.add(commit) }
                }
            }
        } catch {
            // Checked before, so nothing is applied.
            log.takeBack(to: known)
            throw Store.unfoldable(error, seq: state.head + 1)
        }
        tell(touched.all)
    }

    /// Checks commits, and that each follows the one before it, without applying any.
    private func checkFoldable(_ seqs: ClosedRange<UInt64>) throws {
        var declared = PendingDeclarations()
        var chain = state.chain
        for seq in seqs {
            guard let location = log.location(ofSeq: seq) else { continue }
            try log.withFrame(at: location) { frame in
                let commit = try CommitView(frame.content)
                try commit.verify(after: chain)
                _ = try state.checkFoldable(commit, &declared)
                chain = commit.chain
            }
        }
    }
}
