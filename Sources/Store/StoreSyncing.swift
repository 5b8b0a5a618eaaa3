// Writing and syncing: what has gathered goes to the disk, on the sync thread or on that of a
// writer who has nothing else to do.
//
// Invariants:
// - one step at a time, its observers included: progress is told in order;
// - room ahead of the log is made beside the steps, by one thread: a step waits for it only where
//   none is left;
// - a writer that promises to sync finds nobody at it; whoever comes meanwhile leaves its commit to
//   the sync thread, which is woken when the writer is through.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastStorage

extension Store.Core {
    /// Whether what was written is to be synced now.
    func isSyncDue(_ now: UInt64) -> Bool {
        guard failure == nil else { return false }
        switch log.syncing {
        case .batches, .commits: return true
        case .every(let milliseconds):
            return now >= syncedAt + UInt64(max(0, milliseconds)) * 1_000_000
        case .never: return false
        }
    }

    /// Whether the sync thread is to be woken.
    var isThreadWanted: Bool { hasUnwritten && !isStepping && promised == nil }

    /// Whether a writer may take it upon itself to sync its commit.
    ///
    /// It blocks a thread that tasks share, so slow disks are left to the sync thread; and so is a
    /// log whose syncs come later, by the clock.
    var takesPromises: Bool {
        if case .every = log.syncing { return false }
        return !isStepping && promised == nil && stepNanoseconds < Self.promisedNanosecondsMax
    }

    private static let promisedNanosecondsMax: UInt64 = 2_000_000

    /// Takes or refuses writes from now on.
    ///
    /// - Returns: Whether they were refused for want of room before.
    func note(isFull: Bool) -> Bool {
        defer { self.isFull = isFull }
        return self.isFull
    }

    /// How long what was written may wait for its sync; nil when it waits for nothing.
    func syncPause(_ now: UInt64) -> UInt64? {
        guard failure == nil, case .every(let milliseconds) = log.syncing,
            log.synced < log.durable
        else { return nil }
        let due = syncedAt + UInt64(max(0, milliseconds)) * 1_000_000
        return due > now ? due - now : 0
    }
}

extension Store {
    /// Waits until there is something to write or to sync, or the store closes.
    ///
    /// - Returns: False when it closes and nothing is left to write.
    public func waitForWork() -> Bool {
        func isReady(_ core: Core) -> Bool {
            core.hasUnwritten && !core.isStepping || core.isClosing
        }
        guard case .every = options.syncing else {
            return core.wait(until: isReady) { $0.hasUnwritten }
        }
        while true {
            let pause = core.withLock { $0.syncPause(time.monotonicNanoseconds()) }
            if pause == 0 { return true }
            guard core.wait(until: isReady, nanosecondsMax: pause) else { continue }
            // A writer may have come first.
            let (hasUnwritten, isClosing) = core.withLock { ($0.hasUnwritten, $0.isClosing) }
            if hasUnwritten { return true }
            if isClosing { return false }
        }
    }

    /// Syncs a commit that was submitted with the promise to do so, if nobody came first.
    ///
    /// - Parameter seq: The commit.
    public func syncPromised(_ seq: UInt64) {
        if core.withLock({ $0.promised == seq }) { syncStep() }
    }

    /// Runs `body` when no step is under way.
    func onTurn<T>(_ body: (Core) throws -> T) rethrows -> T {
        var isWaiting = false
        return try core.signal(
            when: { core in
                if isWaiting != core.isStepping {
                    isWaiting = core.isStepping
                    core.stepWaiterCount += isWaiting ? 1 : -1
                }
                return !core.isStepping
            },
            if: { _ in false }
        ) { try body($0) }
    }

    /// What one step of syncing does.
    private struct SyncWork {
        let writer: LogWriter
        let batch: Batch?
        let isSyncing: Bool
        /// The last commit that is written before it.
        let written: UInt64
        /// The directory.
        let disk: any Disk
    }

    private func syncWork(_ now: UInt64) -> SyncWork? {
        onTurn { core in
            guard let writer = core.log.writer else { return nil }
            core.promised = nil
            let batch = core.log.beginBatch()
            let isSyncing = core.isSyncDue(now)
            guard batch != nil || isSyncing && core.log.synced < core.log.durable else {
                return nil
            }
            let written = core.log.durable
            core.isStepping = true
            return SyncWork(
                writer: writer,
                batch: batch,
                isSyncing: isSyncing,
                written: written,
                disk: core.disk
            )
        }
    }

    /// Writes all that has gathered, syncs it where that is due, then tells the observers.
    ///
    /// Waits for the end of another thread's step first.
    public func syncStep() {
        let started = time.monotonicNanoseconds()
        guard let work = syncWork(started) else { return }
        let (progress, observers): (Progress, [Observer])
        do throws(DiskError) {
            let written = try work.batch.map { (batch) throws(DiskError) in
                try work.writer.write(batch, isSyncing: work.isSyncing)
            }
            if work.batch == nil { try work.writer.sync() }
            let ended = time.monotonicNanoseconds()
            (progress, observers) = core.signal(if: { $0.holds.isAwaitingDisk }) { core in
                if let written {
                    core.log.finish(written)
                    core.state.forgetUndo(upTo: core.log.durable)
                } else {
                    core.log.finishSync(upTo: work.written)
                }
                if work.isSyncing { core.syncedAt = ended }
                return (core.progress, core.observers)
            }
        } catch {
            logger.log(.error, "store.sync.failed", ["error": "\(error)"])
            (progress, observers) = takeBack { core in
                core.poison("\(error)")
                return (core.progress, core.observers)
            }
        }
        let nanoseconds = time.monotonicNanoseconds() - started
        for observer in observers { observer(progress, nanoseconds) }
        var isFull: Bool?
        if progress.failure == nil {
            // Others who share the database may write before the room is made.
            if !isShared, work.writer.isRoomWanted { room.signal { $0.isWanted = true } }
            isFull = hasNoRoom(work.disk)
        }
        let wasFull = core.signal(if: { $0.hasUnwritten || $0.stepWaiterCount > 0 }) { core in
            core.isStepping = false
            core.stepNanoseconds = nanoseconds
            return isFull.map { core.note(isFull: $0) }
        }
        if let isFull, let wasFull { tell(isFull: isFull, wasFull: wasFull) }
    }

    /// Writes and syncs all that has gathered, and what another thread has on its way.
    func syncAll() {
        repeat { syncStep() } while core.withLock(\.hasUnwritten)
    }

    /// Waits until the log wants room ahead, or the store closes.
    ///
    /// - Returns: False when it closes.
    public func waitForRoomWork() -> Bool {
        room.wait(until: { $0.isWanted || $0.isClosing }) { work in
            work.isWanted = false
            return !work.isClosing
        }
    }

    /// Makes room ahead of the log, and notices a full disk before a commit does.
    ///
    /// Nothing else depends on it: where nobody calls it, commits make the room they need.
    public func roomStep() {
        let (writer, syncing) = core.withLock { ($0.log.writer, $0.log.syncing) }
        do throws(DiskError) {
            try writer?.makeRoom(isSyncing: syncing == .batches || syncing == .commits)
        } catch {
            logger.log(.warning, "store.room.failed", ["error": "\(error)"])
            // Nothing is in danger yet: what else than room is missing, the next write will say.
            if error.isFull { core.withLock { $0.isFull = true } }
        }
    }

    /// Writes are refused before the reserve is touched, and taken again when there is room.
    func lookForRoom() {
        let isFull = hasNoRoom(core.withLock(\.disk))
        tell(isFull: isFull, wasFull: core.withLock { $0.note(isFull: isFull) })
    }

    private func hasNoRoom(_ disk: any Disk) -> Bool {
        do throws(DiskError) {
            return try disk.freeByteCount() < Limits.diskReserveByteCount
        } catch {
            logger.log(.warning, "store.room.failed", ["error": "\(error)"])
            return true
        }
    }

    private func tell(isFull: Bool, wasFull: Bool) {
        if isFull != wasFull {
            logger.log(.warning, isFull ? "store.full" : "store.room.found")
        }
    }

    /// Syncs what is left and ends the log cleanly.
    ///
    /// The thread that drives `syncStep` ends first.
    ///
    /// - Throws: `log` when the last mark cannot be written.
    public func close() throws(StoreError) {
        while core.withLock(\.hasUnwritten) { syncStep() }
        do {
            try onTurn { try $0.log.close() }
        } catch let error as CommitLogError {
            throw .log(error)
        } catch {
            preconditionFailure("closing throws nothing else: \(error)")
        }
    }

    /// Lets `waitForWork` and `waitForRoomWork` end when nothing is left.
    public func beginClosing() {
        core.signal { $0.isClosing = true }
        room.signal { $0.isClosing = true }
    }
}
