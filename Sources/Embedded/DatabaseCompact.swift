// Making a database's directory smaller.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStorage
internal import HoldfastStore

/// What ``Database/compact(keeping:changes:deletions:)`` did.
public struct CompactionReport: Sendable, Hashable {
    /// The position whose state was written in place of the history before it.
    public let position: Position
    /// The oldest position that events can begin from now.
    public let oldest: Position
    /// What was freed of the history.
    ///
    /// Unit: bytes.
    public let freedByteCount: Int
    /// What was written.
    ///
    /// Unit: bytes.
    public let writtenByteCount: Int
}

extension Database {
    /// Writes what stands as a checkpoint and drops the history before it.
    ///
    /// A database keeps every version of every record until it is compacted. Reads and writes go on
    /// meanwhile; the process may be killed at any moment. Afterwards the directory holds what
    /// stands, and the commits of the time that is kept, in whole segments of the log (the last one
    /// goes too when nothing of it is kept and it has more than 4 MiB); events from before are
    /// gone, and ``Database/events(since:)`` refuses to begin there.
    ///
    /// ```swift
    /// let report = try await db.compact(keeping: .seconds(30 * 86_400))
    /// print("freed \(report.freedByteCount) bytes")
    /// ```
    ///
    /// - Parameters:
    ///   - history: How far back commits stay.
    ///   - changes: For how long what changes did is remembered when their commits are gone, so
    ///     that one that is sent again is not done again: 30 days at least, and until the outcome
    ///     is known to the device that made them.
    ///   - deletions: For how long it is remembered that a record was deleted, when and by whom,
    ///     when the commit is gone; afterwards it is as one that never was, but its id is never
    ///     used again.
    /// - Returns: What was done; nil while the database is empty.
    /// - Throws: `diskFailed`, `full`, `damaged`, `poisoned`, `closed`, and `refused` with the code
    ///   `not-yet` when the task was cancelled while another compaction ran, `busy` when one of
    ///   another process did not end in time, `read-only` where another process writes.
    @discardableResult
    public func compact(
        keeping history: Duration = .zero,
        changes: Duration = .seconds(30 * 86_400),
        deletions: Duration = .seconds(180 * 86_400)
    ) async throws(DatabaseError) -> CompactionReport? {
        try checkOpen()
        if store.isReadOnly, let refusal = store.writeRefusal { throw .refused(Refusal(refusal)) }
        do throws(CancellationError) {
            try await upkeep.enter()
        } catch {
            throw .refused(Refusal(.notYet, "The task was cancelled before it was its turn."))
        }
        defer { upkeep.leave() }
        // It may have been closed while this waited.
        try checkOpen()
        // Before the first commit of all there is nothing to keep: more need not be asked for.
        let seconds = min(max(0, history.components.seconds), Int64.max / 2000)
        let since = time.wallMilliseconds() - seconds * 1000
        let policy = CompactionPolicy(
            memorySeconds: max(changes.components.seconds, Limits.changeMemorySeconds),
            tombstoneSeconds: max(0, deletions.components.seconds)
        )
        let store = store
        let result = await Worker.run {
            Result { () throws(StoreError) in
                try store.compact(
                    keepingFrom: history > .zero ? store.firstSeq(since: since) : nil,
                    horizons: store.horizons(policy)
                )
            }
        }
        do throws(StoreError) {
            guard let report = try result.get() else { return nil }
            // What vouches for the checkpoints of views may have gone with the log.
            await saveViews(each: true)
            return store.read { reader in
                CompactionReport(
                    position: Position(reader.state.position(of: report.checkpoint.seq)),
                    oldest: Position(reader.oldest),
                    freedByteCount: report.freedByteCount,
                    writtenByteCount: report.checkpoint.writtenByteCount
                )
            }
        } catch {
            throw Self.error(of: error)
        }
    }

    private static func error(of error: StoreError) -> DatabaseError {
        if case .readOnly(let reason) = error { return .poisoned(reason) }
        if case .busy(let milliseconds) = error {
            return .refused(
                Refusal(
                    .busy,
                    "Other processes that share the database have compacted or written it for "
                        + "\(milliseconds) ms; try again."
                )
            )
        }
        guard case .log(let error) = error else { return .diskFailed("\(error)") }
        switch error {
        case .disk(let error) where error.isFull: return .full
        case .damaged(let file, let offset, _):
            return .damaged(file: file, offset: UInt64(max(0, offset)))
        default: return .diskFailed(error.description)
        }
    }
}
