// Compaction: a checkpoint, then the log before it goes.
//
// Commits are never rewritten. What the index points at in segments that go is pointed at in the
// checkpoint's parts instead, a page at a time; when nothing points there any more the segments are
// forgotten and their files removed. While a reader is pinned behind the checkpoint everything
// stays as it is: what it reads is in the log, or in the checkpoint before.
internal import HoldfastBasics
public import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStorage

/// What compacting did.
public struct Compaction: Sendable, Equatable {
    /// The checkpoint that was written.
    public let checkpoint: CheckpointReport
    /// Seq of the oldest commit the log still has.
    public let oldest: UInt64
    /// What was freed of the log.
    ///
    /// Unit: bytes.
    public let freedByteCount: Int
    /// Whether nothing was dropped because somebody reads from a position behind it, or because the
    /// disk failed in the middle of an earlier compaction.
    public let isHeld: Bool
}

extension Store {
    /// Writes a checkpoint and drops the segments before it; the last one too, where nothing of it
    /// is to stay and it weighs more than the room that is made ahead of a log.
    ///
    /// Reads and writes go on meanwhile. The history of what is dropped goes with it: older
    /// versions, and who changed what. One thread at a time; others wait for their turn.
    ///
    /// - Parameters:
    ///   - limit: The oldest commit that must stay, with the segment it lies in; nil keeps none.
    ///   - horizons: What is forgotten where the commits that told of it go.
    ///   - isWhole: Whether the checkpoint stands for itself: what every change did is in it, also
    ///     of those the log still has. A backup needs that.
    ///   - sizes: Where parts end.
    /// - Returns: What was done; nil before the first commit.
    /// - Throws: `log` when the disk refuses, `readOnly` where nothing may be written, `busy` when
    ///   others that share the database compact it or write for long.
    @discardableResult
    public func compact(
        keepingFrom limit: UInt64? = nil,
        horizons: Horizons = .none,
        isWhole: Bool = false,
        sizes: PartSizes = PartSizes()
    ) throws(StoreError) -> Compaction? {
        // Of those who share it one compacts at a time, and begins behind what the others wrote.
        let lock = isShared ? try lockForCompacting() : nil
        defer { lock?.release() }
        try beginWriting()
        var isWriting = true
        defer { if isWriting { endWriting() } }
        return try alone { () throws(StoreError) in
            try checkWritable()
            endSegment(keepingFrom: limit ?? .max)
            let begun = core.withLock { core in
                CheckpointFrame(
                    core,
                    keepingFrom: limit ?? .max,
                    horizons: horizons,
                    isWhole: isWhole
                )
            }
            endWriting()
            isWriting = false
            return try begun.map { (begun) throws(StoreError) in try compact(begun, sizes) }
        }
    }

    private func compact(
        _ begun: CheckpointFrame,
        _ sizes: PartSizes
    ) throws(StoreError) -> Compaction {
        let disk = core.withLock(\.disk)
        let (report, forgotten) = try checkpoint(begun, sizes)
        do throws(CommitLogError) {
            // Whoever is pinned from now on reads from the checkpoint's position at the earliest.
            // A move that a failing disk cut short is not gone on with before the next opening.
            let (isHeld, half, before) = core.withLock { core in
                (
                    (core.pins.oldest ?? .max) < report.seq || core.source.isMoving,
                    core.source.checkpoint?.half.other ?? .lower,
                    core.log.oldest
                )
            }
            guard !isHeld, let checkpoint = try Checkpoint.newest(on: disk, in: half) else {
                return Compaction(
                    checkpoint: report,
                    oldest: before,
                    freedByteCount: 0,
                    isHeld: isHeld
                )
            }
            core.withLock { $0.source.add(checkpoint) }
            try move(to: checkpoint, before: begun.first)
            forget(forgotten)
            let oldest = try drop(before: begun.first)
            return Compaction(
                checkpoint: report,
                oldest: oldest ?? before,
                freedByteCount: try CommitLog.removeFiles(before: oldest ?? before, on: disk),
                isHeld: oldest == nil
            )
        } catch {
            throw .log(error)
        }
    }

    /// Forgets the segments before a commit, and the checkpoint that led to them: nothing points
    /// there any more.
    ///
    /// - Returns: The oldest commit the log has; nil when nothing was forgotten, as commits were
    ///   taken back meanwhile, and what stood before them may lie there.
    private func drop(before seq: UInt64) throws(CommitLogError) -> UInt64? {
        // A look that began before would bring them back.
        try looking { () throws(CommitLogError) in
            try core.withLock { (core) throws(CommitLogError) -> UInt64? in
                guard core.failure == nil else { return nil }
                core.source.keepNewest()
                try core.log.drop(before: seq)
                return core.log.oldest
            }
        }
    }

    /// Forgets changes, a page at a time.
    private func forget(_ changes: [UniqueID]) {
        var rest = changes[...]
        var head: UInt64 = 0
        while !rest.isEmpty {
            let page = rest.prefix(Self.forgottenCount)
            core.withLock { core in
                for id in page { core.state.forget(change: id) }
            }
            rest = rest.dropFirst(page.count)
            breathe(&head)
        }
    }

    private static let forgottenCount = 4096

    /// The first durable commit of a time or later; the one after the last when there is none.
    ///
    /// - Parameter time: In milliseconds since 1970.
    /// - Returns: Its seq; the oldest of the log when that is younger.
    public func firstSeq(since time: Int64) -> UInt64 {
        core.withLock { core in
            var low = core.log.oldest
            var high = core.log.durable + 1
            while low < high {
                let middle = low + (high - low) / 2
                let at = core.log.location(ofSeq: middle).map {
                    core.source.withCommit(at: $0.frameOffset, \.at)
                }
                if let at, at >= time { high = middle } else { low = middle + 1 }
            }
            return low
        }
    }

    /// Points the index and the memory of changes at a checkpoint's parts, wherever they point at
    /// an older one's or at what is to be dropped, and forgets the removals it has not.
    func move(
        to checkpoint: Checkpoint,
        before seq: UInt64
    ) throws(CommitLogError) {
        let offset = core.withLock { core in
            core.log.location(ofSeq: seq)?.frameOffset ?? core.log.endOffset
        }
        let pageEffectCount = movedEffectCount
        var page: [(PartKind, Location)] = []
        var effectCount = 0
        var head: UInt64 = 0
        let used: [String: UsedKeys]
        do {
            used = try checkpoint.usedKeys()
            try checkpoint.forEachFrame(of: PartKind.ofCommits) { part, frame in
                page.append((part.kind, frame.location(0)))
                effectCount += max(1, frame.effectCount)
                guard effectCount >= pageEffectCount else { return }
                core.withLock { $0.move(page, to: checkpoint, before: offset) }
                breathe(&head)
                page.removeAll(keepingCapacity: true)
                effectCount = 0
            }
        } catch let error as CommitLogError {
            throw error
        } catch {
            preconditionFailure("reading a part throws nothing else: \(error)")
        }
        let trees = core.withLock { core in
            core.move(page, to: checkpoint, before: offset) { state in
                state.stand(on: used)
                return state.allTrees.filter(\.hasRemovals).map(\.name)
            }
        }
        for tree in trees {
            var after: RecordKey?
            repeat {
                after = core.withLock {
                    $0.forgetRemovals(tree, after: after, leftBy: checkpoint, before: offset)
                }
                breathe(&head)
            } while after != nil
        }
    }

    /// How many effects are moved under one lock: more where each page has a mirror's pending
    /// changes judged anew.
    private var movedEffectCount: Int {
        core.withLock { $0.overlay?.entries.isEmpty ?? true } ? 256 : 4096
    }
}

extension Store.Core {
    /// Points the index at frames of a checkpoint.
    ///
    /// A mirror's pending changes stand on the confirmed records: they are taken off meanwhile.
    ///
    /// - Returns: What `body` returns, which is lent the state without them afterwards.
    fileprivate func move<T>(
        _ frames: [(kind: PartKind, place: Location)],
        to checkpoint: Checkpoint,
        before offset: UInt64,
        then body: (EngineState) -> T = { _ in }
    ) -> T {
        var touched = Touched.Gathering()
        takeOverlayOff(&touched)
        let isLeaving = self.isLeaving(to: checkpoint, before: offset)
        for (kind, place) in frames {
            checkpoint.withFrame(at: place) { frame in
                do {
                    let excerpt = try CommitView(frame.content)
                    guard kind != .changes else {
                        return state.move(change: excerpt.changeID, to: frame.offset)
                    }
                    try state.move(excerpt, to: frame.offset, from: isLeaving)
                } catch {
                    preconditionFailure("a part that was checked cannot be read: \(error)")
                }
            }
        }
        defer { putOverlayOn(&touched) }
        return body(state)
    }

    /// Forgets the removals of a page of a tree that a checkpoint has not.
    ///
    /// - Returns: The last key looked at when there may be more; nil at the end.
    fileprivate func forgetRemovals(
        _ name: TreeName,
        after key: RecordKey?,
        leftBy checkpoint: Checkpoint,
        before offset: UInt64
    ) -> RecordKey? {
        guard let tree = state.tree(name) else { return nil }
        var touched = Touched.Gathering()
        takeOverlayOff(&touched)
        defer { putOverlayOn(&touched) }
        return state.forgetRemovals(
            tree,
            after: key,
            entryCountMax: overlay?.entries.isEmpty ?? true ? 4096 : 65_536,
            from: isLeaving(to: checkpoint, before: offset)
        )
    }

    /// Whether a place goes away when a checkpoint is the one in use, and the log begins there.
    private func isLeaving(
        to checkpoint: Checkpoint,
        before offset: UInt64
    ) -> (Location) -> Bool {
        { $0.isInPart ? !checkpoint.holds($0) : $0.frameOffset < offset }
    }
}
