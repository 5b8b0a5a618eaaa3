// From gathering parts to writing them: hashing, writing and syncing one takes as long as gathering
// the next, so that each has a thread.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStorage

/// Names parts and hands them to a sink on a thread of its own; confined to the thread that gathers
/// them, which ends it by `finish` or `stop`.
final class PartPipe<Sink: PartSink> {
    private struct State {
        /// What is written next.
        var part: UnnamedPart?
        var isEnding = false
        /// Those that were written.
        var references: [PartReference] = []
        var failure: CommitLogError?
        /// When the thread has ended.
        var sink: Sink?
    }

    private let state: Condition<State>
    private let worker: Worker
    private var count = 0

    /// Starts the thread.
    ///
    /// - Parameters:
    ///   - sink: Takes the parts.
    ///   - store: Whose parts they are: the disk is left to those who write to it.
    init(into sink: Sink, of store: Store) {
        let state = Condition(State())
        self.state = state
        worker = Worker {
            var (sink, head) = (sink, UInt64(0))
            while let part = Self.next(state) {
                do throws(CommitLogError) {
                    let named = part.named
                    try sink.write(named) { (sync) throws(DiskError) in
                        try store.yield(&head, sync)
                    }
                    state.withLock { $0.references.append(named.reference) }
                } catch {
                    state.signal { $0.failure = error }
                    break
                }
            }
            state.withLock { $0.sink = sink }
        }
    }

    private static func next(_ state: Condition<State>) -> UnnamedPart? {
        state.signal(when: { $0.part != nil || $0.isEnding }) { $0.part.take() }
    }

    /// Hands a part over, once the one before it is being written.
    ///
    /// - Returns: Its place among what `finish` returns.
    /// - Throws: Why one before it could not be written.
    func write(_ part: UnnamedPart) throws(CommitLogError) -> Int {
        let failure = state.signal(when: { $0.part == nil || $0.failure != nil }) { state in
            if state.failure == nil { state.part = part }
            return state.failure
        }
        if let failure { throw failure }
        count += 1
        return count - 1
    }

    /// Waits until all are written.
    ///
    /// - Parameter sink: Becomes the sink again.
    /// - Returns: How manifests name them, in the order in which they came.
    /// - Throws: Why one could not be written.
    func finish(_ sink: inout Sink) throws(CommitLogError) -> [PartReference] {
        state.signal { $0.isEnding = true }
        end(&sink)
        let (references, failure) = state.withLock { ($0.references, $0.failure) }
        if let failure { throw failure }
        return references
    }

    /// Gives up what is not being written yet.
    ///
    /// - Parameter sink: Becomes the sink again.
    func stop(_ sink: inout Sink) {
        state.signal { state in
            state.part = nil
            state.isEnding = true
        }
        end(&sink)
    }

    private func end(_ sink: inout Sink) {
        worker.join()
        if let written = state.withLock(\.sink) { sink = written }
    }
}

extension Store {
    /// Where somebody writes, has what was written beside synced, and leaves the disk to them for
    /// twice as long as that took: so most of their syncs come behind none of ours.
    ///
    /// - Parameters:
    ///   - head: The last commit there was at the look before.
    ///   - sync: Syncs what was written.
    /// - Throws: What `sync` throws.
    fileprivate func yield(
        _ head: inout UInt64,
        _ sync: () throws(DiskError) -> Void
    ) throws(DiskError) {
        let seen = head
        head = core.withLock { $0.state.head }
        guard head != seen else { return }
        let begin = time.monotonicNanoseconds()
        try sync()
        let taken = time.monotonicNanoseconds() - begin
        let rest = min(2 * taken, Self.yieldNanosecondsMax)
        _ = core.wait(until: { _ in false }, nanosecondsMax: rest)
    }

    private static let yieldNanosecondsMax: UInt64 = 10_000_000
}
