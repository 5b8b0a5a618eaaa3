// Reading under the store's lock.
public import HoldfastBasics
public import HoldfastCommitLog
public import HoldfastEngine
public import HoldfastRecords

/// What a reader sees while it holds the store's lock: keep it short, and take nothing out but
/// copies.
public struct StoreReader {
    let core: Store.Core

    /// The state, of which commits above `durable` must not be shown.
    public var state: EngineState { core.state }

    /// How far the store is.
    public var progress: Progress { core.progress }

    /// The last durable commit.
    public var durable: UInt64 { core.log.durable }

    /// The last commit of the log: on a mirror the authority's, above which pending changes stand.
    public var confirmedHead: UInt64 { core.confirmedHead }

    // An optional chain alone would copy all of it.
    var confirmed: Confirmed? { core.overlay == nil ? nil : core.overlay?.confirmed }
    var source: LogSource { core.source }
    var log: CommitLog { core.log }
    var manifest: Manifest? { core.manifest }
    var healingState: HealingState? { core.healing }

    /// The seq a reader of this tree must wait for; nil when all of it is durable.
    public func wait(for tree: TreeState) -> UInt64? {
        tree.lastSeq > durable ? tree.lastSeq : nil
    }

    /// The seq a reader of this effect must wait for; nil when it is durable.
    public func wait(for location: Location) -> UInt64? {
        let seq = seq(of: location)
        return seq > durable ? seq : nil
    }

    /// The seq of the commit that an effect is of.
    public func seq(of location: Location) -> UInt64 {
        source.withCommit(at: location.frameOffset, \.seq)
    }

    /// An effect and its commit, to be read as long as the lock is held.
    public func effect(at location: Location) -> (effect: EffectView, commit: CommitView) {
        source.effect(at: location)
    }

    /// Lends an effect and its commit.
    public func withEffect<T>(
        at location: Location,
        _ body: (EffectView, CommitView) throws -> T
    ) rethrows -> T {
        try source.withEffect(at: location, body)
    }
}

extension StoreReader {
    /// Lends the version before an effect of a frame that was read from the log.
    ///
    /// - Parameters:
    ///   - ordinal: The effect's number in its commit, from 0.
    ///   - frame: The commit's frame, which the log need not have any more.
    ///   - body: Is lent the version.
    /// - Returns: What `body` returns; nil when there was none, or it was dropped.
    /// - Throws: What `body` throws.
    public func withEffect<T>(
        before ordinal: Int,
        of frame: Frame,
        _ body: (EffectView) throws -> T
    ) rethrows -> T? {
        let place = source.previous(ordinal, of: frame)
        guard place != .none else { return nil }
        return try source.withEffect(at: place) { effect, _ in try body(effect) }
    }
}

extension StoreReader {
    /// Where the version of a record lies that a commit made.
    ///
    /// Complexity: that of the way to a commit by its seq, and through it.
    ///
    /// - Parameters:
    ///   - key: Which record.
    ///   - last: Where its last effect lies.
    ///   - seq: The commit.
    /// - Returns: nil when the commit did not change the record, or is not kept any more.
    public func version(of key: RecordKey, last: Location, at seq: UInt64) -> Location? {
        let (own, block) = source.withCommit(at: last.frameOffset) { commit in
            (commit.seq, commit.block(of: last.effectOrdinal).array)
        }
        if own == seq { return last }
        let found = source.location(of: key, in: block, at: seq)
        return found == .none ? nil : found
    }
}

extension Store.Core {
    var reader: StoreReader { StoreReader(core: self) }
}

extension Store {
    /// Runs `body` with the state, under the lock.
    public func read<T, E: Error>(_ body: (StoreReader) throws(E) -> T) throws(E) -> T {
        try core.withLock { (core) throws(E) in
            try body(core.reader)
        }
    }

    /// A snapshot of the durable log, to be read forwards and backwards without the lock.
    public func logReader() -> LogReader {
        core.withLock { $0.log.reader() }
    }

    // MARK: Pins

    /// Pins the durable position, so that everything that stood there can be read from it.
    ///
    /// - Returns: The pin, to be let go of with `unpin`.
    /// - Throws: `tooManyPins`.
    public func pin() throws(StoreError) -> Pin {
        let now = time.monotonicNanoseconds()
        let (pin, limit) = core.withLock { core in
            let pin = core.pins.add(seq: core.log.durable, position: core.state, now: now)
            return (pin, core.pins.countMax)
        }
        guard let pin else { throw .tooManyPins(limit: limit) }
        return pin
    }

    /// Sets the limits of pins.
    ///
    /// - Parameters:
    ///   - count: Most at one time; those that are there stay.
    ///   - seconds: For how long the reader of one may make no progress.
    public func limitPins(to count: Int, idleSeconds seconds: Double) {
        core.withLock { core in
            core.pins.countMax = count
            core.pins.idleNanoseconds = UInt64(seconds * 1e9)
        }
    }

    /// Whether a pin still holds; says also that its reader goes on.
    public func touch(_ pin: Pin) -> Bool {
        let now = time.monotonicNanoseconds()
        return core.withLock { $0.pins.touch(pin, now: now) }
    }

    /// Lets go of a pin.
    public func unpin(_ pin: Pin) { core.withLock { $0.pins.remove(pin) } }

    /// Pins held now.
    public var pinCount: Int { core.withLock(\.pins.count) }
}

extension StoreReader {
    /// The oldest position a reader of the log may go on from: everything after it is there.
    public var oldest: Position { state.position(of: log.oldest - 1) }

    /// The chain after a commit that the log has; nil for another.
    public func chain(atSeq seq: UInt64) -> Hash128? {
        if seq == confirmedHead { return confirmed?.chain ?? state.chain }
        if seq == log.oldest - 1 { return log.chainBeforeOldest }
        guard let location = log.location(ofSeq: seq) else { return nil }
        return source.withCommit(at: location.frameOffset, \.chain)
    }
}

extension StoreReader {
    /// The position of the last commit of the log.
    public var confirmedPosition: Position { state.position(of: confirmedHead) }

    /// The chain after the last commit of the log.
    public var confirmedChain: Hash128 { confirmed?.chain ?? state.chain }

    /// The set hashes of the confirmed records by block name, as the authority has them at
    /// `confirmedHead`.
    public var confirmedHashes: [(block: BlockName, hash: Hash128)] {
        confirmed?.hashes ?? state.hashes
    }

    /// The position of the commit a change became; nil when it is not in the log.
    public func position(ofChange id: UniqueID) -> Position? {
        guard let offset = state.frameOffset(ofChange: id), offset < ProvisionalArena.base else {
            return nil
        }
        return state.position(of: source.withCommit(at: offset, \.seq))
    }

    /// Whether an effect is a pending change's, which no authority has accepted.
    public func isPending(_ location: Location) -> Bool {
        location.frameOffset >= ProvisionalArena.base
    }
}

extension StoreReader {
    /// Bytes of the log.
    public var logByteCount: UInt64 { log.byteCount }
}

extension Store {
    /// Whether another process writes, and this one reads what it has written.
    public var isReadOnly: Bool { !options.isWritable }

    /// Why no write is taken now; nil while they are.
    public var writeRefusal: Refusal? { core.withLock(\.writeRefusal) }
}
