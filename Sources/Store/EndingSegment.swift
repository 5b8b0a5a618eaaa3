// Before a compaction that keeps nothing of the log, its last segment is ended where it is, so that
// what it holds can go too: a database that is smaller than a segment would never shrink.
//
// While the next segment is made nothing is written, and no change is taken: some milliseconds.
// Where that cannot be, or fails for want of room or descriptors, the compaction goes on without.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStorage

extension Store.Core {
    /// Whether a compaction would end the last segment: all it holds may be dropped, nobody reads
    /// from before its end, and it weighs enough.
    ///
    /// - Parameter limit: The oldest commit that must stay.
    /// - Returns: False too after a write failed.
    func mayEndSegment(keepingFrom limit: UInt64) -> Bool {
        failure == nil && limit > log.head && log.isEndingWorthwhile && !source.isMoving
            && (pins.oldest ?? .max) >= log.head
    }
}

extension Store {
    /// Ends the last segment if that is of use to a compaction.
    ///
    /// - Parameter limit: The oldest commit that must stay.
    func endSegment(keepingFrom limit: UInt64) {
        guard let (writer, start) = beginStanding(limit) else { return }
        let made = Result { () throws(DiskError) in try writer.begin(start) }
        core.withLock { core in
            if case .success(let map) = made { core.log.begin(start, map) }
            core.holds.leave()
        }
        if case .failure(let error) = made {
            logger.log(.warning, "store.segment.failed", ["error": "\(error)"])
            if writer.isBroken {
                takeBack { $0.poison("\(error)") }
                tellObservers()
            }
        }
        core.signal { $0.isStepping = false }
        if !isShared, writer.isRoomWanted { room.signal { $0.isWanted = true } }
    }

    /// Syncs all there is, and keeps everybody from writing and changing anything.
    ///
    /// - Returns: The segment to make meanwhile; nil when there is none to make, or others write
    ///   all the time.
    private func beginStanding(_ limit: UInt64) -> (LogWriter, SegmentStart)? {
        for _ in 1...Self.tryCount {
            syncAll()
            var isDone = false
            let found = onTurn { core -> (LogWriter, SegmentStart)? in
                let head = core.log.location(ofSeq: core.log.head)
                guard core.mayEndSegment(keepingFrom: limit), let writer = core.log.writer,
                    core.log.takesCommits, let head
                else {
                    isDone = true
                    return nil
                }
                guard !core.log.hasGathered else { return nil }
                core.isStepping = true
                core.holds.approach()
                core.holds.enter()
                let chain = core.source.withCommit(at: head.frameOffset, \.chain)
                return (writer, core.log.nextSegment(after: chain))
            }
            if found != nil || isDone { return found }
        }
        return nil
    }

    private static let tryCount = 100
}
