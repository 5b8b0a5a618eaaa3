// A restored or salvaged database: it takes no writes until its operator has said what becomes of
// the commits that it lacks.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
public import HoldfastRecords
internal import HoldfastStorage

/// What is known of a restored or salvaged database while it takes no writes.
public struct HealingState: Sendable, Equatable {
    /// The commit whose state was restored, or the last one before the damage.
    public let restored: Position
    /// Devices that have shown later commits, and the last one of each.
    public var ahead: [String: Position] = [:]
}

extension StoreReader {
    /// That the database was restored or salvaged and takes no writes yet; nil when it does.
    public var healing: HealingState? { healingState }
}

extension Store {
    /// Looks for the mark of a restored database.
    static func healing(
        _ disk: any Disk,
        _ state: EngineState,
        _ source: LogSource
    ) throws(StoreError) -> HealingState? {
        do throws(CommitLogError) {
            guard let healing = try Healing(on: disk) else { return nil }
            let seq = source.checkpoint?.manifest.seq ?? state.head
            return HealingState(restored: healing.made ?? state.position(of: seq))
        } catch {
            throw .log(error)
        }
    }

    /// Notes that somebody has commits which the restored database lacks.
    ///
    /// - Parameters:
    ///   - device: Who.
    ///   - position: The last one.
    /// - Returns: Whether that is news.
    public func noteAhead(_ device: String, at position: Position) -> Bool {
        core.withLock { core in
            guard core.healing != nil, core.healing?.ahead[device] != position else { return false }
            core.healing?.ahead[device] = position
            return true
        }
    }

    /// Gives up the commits that were made after the last one that is here, that of the backup or
    /// the last that was handed back: a new epoch begins behind it for good.
    ///
    /// One commit passes over the ids they may have given out; when it is durable the mark goes,
    /// and writes are taken. Ended in between, it is to be done again.
    ///
    /// - Returns: The position writes go on from; nothing happens where nothing waits.
    /// - Throws: `readOnly` where nothing may be written; `log` when the disk refuses: the database
    ///   is healing still.
    public func discardLost() throws(StoreError) -> Position {
        try alone { () throws(StoreError) in
            syncAll()
            let seq = try mutate { (core) throws(StoreError) -> UInt64 in
                guard core.healing != nil else { return core.state.head }
                try core.checkHealable()
                core.goOn(in: core.lineageOfItsOwn(random))
                let now = time.wallMilliseconds()
                if let commit = core.state.decideLost(now: now, random: random) {
                    core.append(commit)
                }
                return core.state.head
            }
            syncAll()
            if let failure = core.withLock(\.failure) { throw .readOnly(failure) }
            let disk = core.withLock(\.disk)
            do throws(CommitLogError) {
                try Healing.end(on: disk)
            } catch {
                throw .log(error)
            }
            return core.signal { core in
                core.healing = nil
                return core.state.position(of: seq)
            }
        }
    }
}

extension Store.Core {
    /// Refuses to heal where nothing can be written.
    ///
    /// - Throws: `readOnly`.
    func checkHealable() throws(StoreError) {
        let healing = self.healing
        self.healing = nil
        defer { self.healing = healing }
        if let refusal = writeRefusal { throw .readOnly(refusal.detail) }
    }

    /// The epochs of the commits that are here, and a new one behind them.
    ///
    /// One that begins behind them now has no commit here: it is the restore's own, or one that a
    /// mirror's commits would have gone on in.
    fileprivate func lineageOfItsOwn(_ random: any RandomSource) -> [EpochStart] {
        var epoch = Epoch(rawValue: random.next())
        while log.lineage.contains(where: { $0.epoch == epoch }) {
            epoch = Epoch(rawValue: random.next())
        }
        let head = state.head
        return log.lineage.known(upTo: head) + [EpochStart(epoch: epoch, firstSeq: head + 1)]
    }
}

extension Store {
    /// Lends the durable commits of a device, as far as they are known.
    ///
    /// Of commits that the log has no more, those that are the last on a record come first, cut to
    /// what they left there and in any order.
    ///
    /// - Parameters:
    ///   - device: Which device.
    ///   - seq: Only later ones.
    ///   - body: Is lent each; what it is lent ends with it.
    /// - Throws: `CommitLogError`, `ContentError`, and what `body` throws.
    public func forEachCommit(
        of device: String,
        after seq: UInt64,
        _ body: (CommitView) throws -> Void
    ) throws {
        let (reader, checkpoint) = core.withLock { ($0.log.reader(), $0.source.checkpoint) }
        let name = Array(device.utf8)
        func visit(_ frame: Frame) throws {
            let commit = try CommitView(frame.content)
            if name.withView({ $0 == commit.device }) { try body(commit) }
        }
        let first = max(seq + 1, reader.oldest)
        if seq + 1 < reader.oldest {
            try checkpoint?.forEachFrame(of: PartKind.ofState) { _, frame in
                if frame.seq > seq, frame.seq < first { try visit(frame) }
            }
        }
        guard var cursor = try reader.cursor(before: first) else { return }
        while let frame = try cursor.next() { try visit(frame) }
    }
}
