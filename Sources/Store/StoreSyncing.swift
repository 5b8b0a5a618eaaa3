// Writing and syncing: what has gathered goes to the disk, on the one thread that drives it.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastStorage

extension Store.Core {
    /// Whether what was written is to be synced now.
    func isSyncDue(_ now: UInt64) -> Bool {
        guard failure == nil else { return false }
        switch log.syncing {
        case .batches: return true
        case .every(let milliseconds):
            return now >= syncedAt + UInt64(max(0, milliseconds)) * 1_000_000
        case .never: return false
        }
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
        while true {
            let pause = core.withLock { $0.syncPause(time.monotonicNanoseconds()) }
            if pause == 0 { return true }
            let isReady = core.wait(
                until: { $0.hasUnwritten || $0.isClosing },
                nanosecondsMax: pause
            )
            guard isReady else { continue }
            return core.withLock(\.hasUnwritten)
        }
    }

    /// What one step of syncing does.
    private struct SyncWork {
        let writer: LogWriter
        let batch: Batch?
        let isSyncing: Bool
        /// The last commit that is written before it.
        let written: UInt64
    }

    private func syncWork(_ now: UInt64) -> SyncWork? {
        core.withLock { core in
            guard let writer = core.log.writer else { return nil }
            let batch = core.log.beginBatch()
            let isSyncing = core.isSyncDue(now)
            guard batch != nil || isSyncing && core.log.synced < core.log.durable else {
                return nil
            }
            let written = core.log.durable
            return SyncWork(writer: writer, batch: batch, isSyncing: isSyncing, written: written)
        }
    }

    /// Writes all that has gathered, syncs it where that is due, then tells the observers.
    ///
    /// Called by one thread at a time.
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
            (progress, observers) = core.signal { core in
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
        if progress.failure == nil { prepare(work.writer, isSyncing: work.isSyncing) }
    }

    /// Makes room ahead, and notices a full disk before a commit does.
    private func prepare(_ writer: LogWriter, isSyncing: Bool) {
        do throws(DiskError) {
            try writer.prepare(isSyncing: isSyncing)
        } catch {
            logger.log(.warning, "store.room.failed", ["error": "\(error)"])
            core.withLock { $0.isFull = true }
            return
        }
        lookForRoom()
    }

    /// Writes are refused before the reserve is touched, and taken again when there is room.
    func lookForRoom() {
        let isFull: Bool
        do throws(DiskError) {
            isFull = try disk.freeByteCount() < Limits.diskReserveByteCount
        } catch {
            logger.log(.warning, "store.room.failed", ["error": "\(error)"])
            isFull = true
        }
        let wasFull = core.withLock { core in
            defer { core.isFull = isFull }
            return core.isFull
        }
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
            try core.withLock { try $0.log.close() }
        } catch let error as CommitLogError {
            throw .log(error)
        } catch {
            preconditionFailure("closing throws nothing else: \(error)")
        }
    }

    /// Lets `waitForWork` end when nothing is left.
    public func beginClosing() { core.signal { $0.isClosing = true } }
}
