// A store of several processes that write: each takes up what the others wrote before it decides,
// and has written and synced before the next one does.
//
// Invariants:
// - commits are appended between `beginWriting` and `endWriting` alone, while the writing lock of
//   the directory is held, behind every commit there is;
// - what is shown was synced: a look without the lock goes as far as marks call it so;
// - one look at a time, and none while this one writes;
// - whoever compacts holds a lock of its own all the while, so that nobody else does: a look beside
//   it never finds that the log was cut.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStorage

extension Store {
    /// Whether several processes have the database open for writing.
    public var isShared: Bool { options.isShared }

    /// Waits until none of those who share the database writes, takes up what they wrote, and keeps
    /// them from writing until `endWriting`; where this process alone writes, it does nothing.
    ///
    /// - Parameter milliseconds: How long to wait at most; nil for as long as the options say.
    /// - Throws: `busy` when the time has passed, `log` and `unfoldable` as `refresh`, `readOnly`
    ///   when it is closed or a write failed; nobody is kept from writing then.
    public func beginWriting(waitingMilliseconds milliseconds: Int64? = nil) throws(StoreError) {
        guard isShared else { return }
        let disk = core.withLock(\.disk)
        let lock = try Self.lockForWriting(disk, options, time, milliseconds)
        do throws(StoreError) {
            try looking { () throws(StoreError) in try catchUp() }
        } catch {
            lock.release()
            throw error
        }
        writingLock.withLock { $0 = lock }
    }

    /// Syncs what was written, says so in the log, and lets others write.
    ///
    /// When that fails, what was synced is durable even so; this store takes no more writes then.
    public func endWriting() {
        guard isShared else { return }
        syncAll()
        let (writer, mark) = core.withLock { ($0.log.writer, $0.log.endMark()) }
        do throws(DiskError) {
            if let mark { try writer?.end(with: mark) }
        } catch {
            logger.log(.error, "store.sync.failed", ["error": "\(error)"])
            takeBack { $0.poison("\(error)") }
            tellObservers()
        }
        letGo(of: writer)
        writingLock.withLock { lock in
            lock?.release()
            lock = nil
        }
    }

    /// Waits until this store does not write.
    public func awaitEndOfWriting() {
        core.wait(until: { $0.log.writer == nil }) { _ in }
    }

    /// Lets others write who share what was just opened.
    func endOpening() { letGo(of: core.withLock(\.log.writer)) }

    /// Writes what is left of indexes, and appends nothing more.
    private func letGo(of writer: LogWriter?) {
        do throws(DiskError) {
            try writer?.writeIndexes()
        } catch {
            // An index that is missing is made anew.
            logger.log(.warning, "store.room.failed", ["error": "\(error)"])
        }
        core.signal { $0.log.endWriting() }
    }

    /// Takes the lock under which one of those who share a database writes.
    static func lockForWriting(
        _ disk: any Disk,
        _ options: LogOptions,
        _ time: any TimeSource,
        _ milliseconds: Int64? = nil
    ) throws(StoreError) -> any DiskLock {
        let limit = max(0, milliseconds ?? options.sharedWaitMilliseconds ?? 0)
        return try taken(limit) { (nanoseconds) throws(CommitLogError) in
            try CommitLog.lockForWriting(disk, waitingNanoseconds: nanoseconds, time)
        }
    }

    /// Takes the lock under which one of those who share a database compacts it.
    func lockForCompacting() throws(StoreError) -> any DiskLock {
        let disk = core.withLock(\.disk)
        return try Self.taken(max(0, options.sharedWaitMilliseconds ?? 0)) {
            (nanoseconds) throws(CommitLogError) in
            try CommitLog.lockForCompacting(disk, waitingNanoseconds: nanoseconds, time)
        }
    }

    private static func taken(
        _ milliseconds: Int64,
        _ take: (UInt64) throws(CommitLogError) -> (any DiskLock)?
    ) throws(StoreError) -> any DiskLock {
        let limit = min(milliseconds, waitMillisecondsMax)
        do throws(CommitLogError) {
            if let lock = try take(UInt64(limit) * 1_000_000) { return lock }
        } catch {
            throw .log(error)
        }
        throw .busy(milliseconds: milliseconds)
    }

    /// A year: more would not fit in nanoseconds some day.
    private static let waitMillisecondsMax: Int64 = 365 * 86_400_000

    // MARK: Looking

    /// Runs `body` while nobody else looks at what others wrote.
    func looking<T, E: Error>(_ body: () throws(E) -> T) throws(E) -> T {
        core.signal(when: { !$0.isLooking }) { $0.isLooking = true }
        defer { core.signal { $0.isLooking = false } }
        return try body()
    }

    /// Takes up all there is, and stands behind it to write.
    private func catchUp() throws(StoreError) {
        let (last, refusal, before, disk) = core.withLock { core in
            (
                core.log.seen,
                core.log.isPoisoned ? core.failure ?? "The database is closed." : nil,
                core.log.head, core.disk
            )
        }
        if let refusal { throw .readOnly(refusal) }
        guard let seen = last else { preconditionFailure("whoever shares a log has read it") }
        var news: LogReader?
        do throws(CommitLogError) {
            news = try CommitLog.settle(seen, on: disk, options)
        } catch {
            guard case .compacted = error else { throw .log(error) }
        }
        let isTaken = try news.map { (news) throws(StoreError) in
            try takeUp(news, after: before, upTo: news.head)
        }
        if isTaken != true { try startAnew() }
        let writer: LogWriter?
        do throws(CommitLogError) {
            writer = try core.withLock { $0.log.writer == nil ? $0.log.seen : nil }
                .map { (seen) throws(CommitLogError) in
                    try LogWriter(behind: seen, on: disk, options)
                }
        } catch {
            throw .log(error)
        }
        core.withLock { $0.log.beginWriting(writer) }
    }

    /// Folds what others wrote as far as they have synced it, without keeping them from writing.
    func refreshShared() throws(StoreError) -> Bool {
        let found = try looking { () throws(StoreError) -> Bool? in
            let (last, before, disk) = core.withLock { core in
                // What writes has read everything; where a write failed, what is durable stands.
                let isIdle = core.log.writer == nil && !core.log.isPoisoned
                return (isIdle ? core.log.seen : nil, core.log.head, core.disk)
            }
            guard let seen = last else { return false }
            let news: LogReader
            do throws(CommitLogError) {
                news = try seen.followed(disk: disk)
            } catch {
                guard case .compacted = error else { throw .log(error) }
                return nil
            }
            let end = max(before, news.syncedSeq)
            return try takeUp(news, after: before, upTo: end) ? end > before : nil
        }
        if let found { return found }
        // All is read anew, as whoever writes does.
        try beginWriting()
        endWriting()
        return true
    }

    /// Folds what a look has found, and points at a newer checkpoint where the log before it is
    /// gone.
    ///
    /// - Returns: False when everything is to be read anew, as an earlier checkpoint could not be
    ///   read to its end.
    private func takeUp(
        _ news: LogReader,
        after before: UInt64,
        upTo end: UInt64
    ) throws(StoreError) -> Bool {
        let (mayMove, isMoving) = core.withLock { core in
            defer { core.isBusy = true }
            return (!core.isBusy, core.source.isMoving)
        }
        defer { if mayMove { core.signal { $0.isBusy = false } } }
        if mayMove, isMoving { return false }
        try fold(news, after: before, upTo: end)
        // While this one compacts, nobody else does.
        if mayMove { try moveOn(to: news) }
        if end > before { tellObservers() }
        return true
    }

    // MARK: Time

    /// Commits what is due because of time, when others let this one write soon.
    func tickShared() -> Int64? {
        let now = time.wallMilliseconds()
        let isDue = core.withLock { core in
            core.pins.expire(now: time.monotonicNanoseconds())
            return !core.log.isPoisoned && core.state.nextDue.map { $0 <= now } ?? false
        }
        guard isDue else { return nil }
        do throws(StoreError) {
            try beginWriting(waitingMilliseconds: Self.dueMilliseconds)
        } catch {
            // The next time it is tried again.
            if case .busy = error { return 0 }
            logger.log(.warning, "store.tick.failed", ["error": "\(error)"])
            return nil
        }
        defer { endWriting() }
        return commitDue()
    }

    private static let dueMilliseconds: Int64 = 200
}
