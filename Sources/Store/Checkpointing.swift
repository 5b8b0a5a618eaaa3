// Checkpoints: the state after a commit written as parts, beside reads and writes, and taken up
// again when the database is opened.
//
// Everything is read as it stood after the last durable commit, a page at a time under the lock;
// hashing and writing go on without it, on a second thread.
internal import HoldfastBasics
public import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastRecords
internal import HoldfastStorage

/// What writing a checkpoint did.
public struct CheckpointReport: Sendable, Equatable {
    /// The commit it is the state after.
    public let seq: UInt64
    /// Its parts.
    public let partCount: Int
    /// What they weigh.
    ///
    /// Unit: bytes.
    public let byteCount: Int
    /// Parts that were written; the others were there already.
    public let writtenCount: Int
    /// What those weigh.
    ///
    /// Unit: bytes.
    public let writtenByteCount: Int
}

extension Store {
    /// Writes the durable state as a checkpoint, in place of the one before.
    ///
    /// Reads and writes go on meanwhile. One thread at a time; others wait for their turn.
    ///
    /// - Parameter sizes: Where parts end.
    /// - Returns: What was written; nil before the first commit.
    /// - Throws: `log` when the disk refuses: the checkpoint before is in place then. `readOnly`
    ///   where nothing may be written.
    @discardableResult
    public func checkpoint(
        sizes: PartSizes = PartSizes()
    ) throws(StoreError) -> CheckpointReport? {
        try alone { () throws(StoreError) in
            try checkWritable()
            let frame = core.withLock { CheckpointFrame($0, keepingFrom: 1) }
            return try frame.map { (frame) throws(StoreError) in
                try checkpoint(frame, sizes).report
            }
        }
    }

    /// Runs `body` while nobody else compacts, takes up what another process wrote, or puts another
    /// copy in place.
    func alone<T>(_ body: () throws(StoreError) -> T) throws(StoreError) -> T {
        core.signal(when: { !$0.isBusy }) { $0.isBusy = true }
        defer { core.signal { $0.isBusy = false } }
        return try body()
    }

    /// Has a checkpoint that is being written given up, and none begun from now on: the one before
    /// stays in place.
    public func stopCompacting() { core.withLock { $0.mayCompact = false } }

    /// Refuses to go on with a checkpoint nobody waits for.
    private func checkWanted() throws(CommitLogError) {
        guard core.withLock(\.mayCompact) else { throw .stopped }
    }

    /// Refuses where nothing may be written: opened for reading, closed, or after a failed write.
    func checkWritable() throws(StoreError) {
        let refusal = core.withLock { core -> String? in
            if let failure = core.failure { return failure }
            if core.healing != nil { return "The database is healing; `holdfast heal` ends that." }
            return core.log.takesCommits
                ? nil : "The database is closed, or open for reading alone."
        }
        if let refusal { throw .readOnly(refusal) }
    }

    /// Writes the state of a position, and what changes did that the log is about to lose.
    ///
    /// - Returns: What was written, and the changes that are not in it any more.
    func checkpoint(
        _ frame: CheckpointFrame,
        _ sizes: PartSizes
    ) throws(StoreError) -> (report: CheckpointReport, forgotten: [UniqueID]) {
        do throws(CommitLogError) {
            var writer = try CheckpointWriter(core.withLock(\.disk))
            do throws(CommitLogError) {
                return try write(frame, sizes, &writer)
            } catch {
                writer.giveUp()
                throw error
            }
        } catch {
            throw .log(error)
        }
    }

    private func write(
        _ frame: CheckpointFrame,
        _ sizes: PartSizes,
        _ writer: inout CheckpointWriter
    ) throws(CommitLogError) -> (report: CheckpointReport, forgotten: [UniqueID]) {
        var memory = ChangeHorizon(frame, self)
        let manifest = try writeParts(frame, &memory, sizes, &writer)
        try writer.finish(manifest)
        core.withLock { $0.manifest = manifest }
        let report = CheckpointReport(
            seq: frame.seq,
            partCount: manifest.parts.count,
            byteCount: manifest.parts.reduce(0) { $0 + $1.byteCount },
            writtenCount: writer.writtenCount,
            writtenByteCount: writer.writtenByteCount
        )
        return (report, memory.forgotten)
    }

    /// Writes the parts of a position.
    ///
    /// - Returns: The manifest that names them.
    func writeParts<Sink: PartSink>(
        _ frame: CheckpointFrame,
        _ memory: inout ChangeHorizon,
        _ sizes: PartSizes,
        _ sink: inout Sink
    ) throws(CommitLogError) -> Manifest {
        let pipe = PartPipe(into: sink, of: self)
        var order: [Int] = []
        do throws(CommitLogError) {
            for tree in frame.allTrees { order += try write(tree, frame, sizes, pipe) }
            order += try writeChanges(frame, &memory, sizes, pipe)
        } catch {
            pipe.stop(&sink)
            throw error
        }
        let parts = try pipe.finish(&sink)
        return Manifest(
            databaseID: identity.databaseID,
            seq: frame.seq,
            chain: frame.chain,
            time: frame.time,
            trees: frame.trees.map(\.description),
            parts: order.map { parts[$0] }
        )
    }

    /// Writes the parts of one tree's blocks.
    ///
    /// - Returns: Their places in the pipe, in the order of a manifest.
    private func write<Sink: PartSink>(
        _ name: TreeName,
        _ frame: CheckpointFrame,
        _ sizes: PartSizes,
        _ pipe: PartPipe<Sink>
    ) throws(CommitLogError) -> [Int] {
        var builders: [PartKey: PartBuilder] = [:]
        var places: [PartKey: [Int]] = [:]
        var used = usedKeys(name)
        var forgets = !used.isEmpty
        func take(_ key: PartKey) throws(CommitLogError) {
            guard let part = builders[key]?.finish() else { return }
            places[key, default: []].append(try pipe.write(part))
        }
        var after: RecordKey?
        var head: UInt64 = 0
        repeat {
            try checkWanted()
            var ended: PartKey?
            after = core.withLock { core in
                guard let tree = core.state.tree(name) else { return nil }
                var room = Self.pageByteCount
                return core.state.scanLastEffects(
                    tree,
                    after: after,
                    at: frame.seq,
                    entryCountMax: Self.pageEntryCount
                ) { effect, commit, block in
                    used.add(effect)
                    guard effect.isSet || !frame.forgets(removal: commit) else {
                        forgets = true
                        return true
                    }
                    let key = PartKey(block.array, effect.isSet ? .records : .tombstones)
                    let builder =
                        builders[key] ?? PartBuilder(key.kind, of: key.block, sizes: sizes)
                    builders[key] = builder
                    room -= effect.byteCount
                    if builder.add(effect, of: commit) { ended = key }
                    return ended == nil && room > 0
                }
            }
            if let ended { try take(ended) }
            breathe(&head)
        } while after != nil
        for key in builders.keys.sorted() { try take(key) }
        if forgets {
            let key = PartKey(Array(name.description.utf8), .used)
            places[key] = try write(used, of: key.block, sizes, pipe)
        }
        return places.sorted { $0.key < $1.key }.flatMap(\.value)
    }

    /// Writes what changes did: those of the checkpoint before, then those of the log that goes.
    private func writeChanges<Sink: PartSink>(
        _ frame: CheckpointFrame,
        _ memory: inout ChangeHorizon,
        _ sizes: PartSizes,
        _ pipe: PartPipe<Sink>
    ) throws(CommitLogError) -> [Int] {
        let builder = PartBuilder(.changes, of: [], sizes: sizes)
        var places: [Int] = []
        func take() throws(CommitLogError) {
            try checkWanted()
            guard let part = builder.finish() else { return }
            places.append(try pipe.write(part))
        }
        do {
            try frame.before?.forEachFrame(of: [.changes]) { _, excerpt in
                let change = try CommitView(excerpt.content)
                guard excerpt.seq < frame.log.oldest, !memory.forgets(change) else { return }
                if try builder.add(change: change) { try take() }
            }
            if var cursor = try frame.log.cursor(before: frame.log.oldest) {
                while let commit = try cursor.next(), commit.seq < frame.changesEnd {
                    let change = try CommitView(commit.content)
                    // What the log still has is remembered by it.
                    let stays = commit.seq >= frame.first
                    guard stays || !memory.forgets(change) else { continue }
                    if try builder.add(change: change) { try take() }
                }
            }
            try take()
        } catch let error as CommitLogError {
            throw error
        } catch {
            preconditionFailure("a commit that was applied cannot be read: \(error)")
        }
        return places
    }

    /// Lets whoever waits for the lock have it, between two looks at much; where somebody writes,
    /// leaves it and the disk to them for a while, whether they wait or not.
    ///
    /// - Parameter head: The last commit there was at the breath before.
    func breathe(_ head: inout UInt64) {
        let seen = head
        head = core.withLock { $0.state.head }
        if head == seen {
            core.letOthersIn(nanosecondsMax: Self.breathNanosecondsMax)
        } else {
            _ = core.wait(until: { _ in false }, nanosecondsMax: Self.breathNanoseconds)
        }
    }

    private static let breathNanoseconds: UInt64 = 20_000
    private static let breathNanosecondsMax: UInt64 = 1_000_000

    /// What is looked at under one lock.
    private static let pageEntryCount = 128
    private static let pageByteCount = 256 << 10
}

/// What the parts of one kind of one block are gathered by, in the order of a manifest.
private struct PartKey: Hashable, Comparable {
    let block: [UInt8]
    let kind: PartKind

    init(_ block: [UInt8], _ kind: PartKind) {
        self.block = block
        self.kind = kind
    }

    static func < (a: PartKey, b: PartKey) -> Bool {
        a.block == b.block
            ? a.kind.rawValue < b.kind.rawValue : a.block.lexicographicallyPrecedes(b.block)
    }
}

/// The position a checkpoint is of, and what a manifest says of it.
struct CheckpointFrame {
    let seq: UInt64
    let chain: Hash128
    let time: Int64
    /// Trees that were declared then, in that order.
    let trees: [TreeName]
    /// The log as it is.
    let log: LogReader
    /// The first commit that stays in it.
    let first: UInt64
    /// What commits before it did is in the parts.
    let changesEnd: UInt64
    /// The checkpoint in use.
    let before: Checkpoint?
    /// What of an earlier time may be forgotten.
    let horizons: Horizons

    /// The position that is synced; nil before the first commit.
    ///
    /// Where commits are exposed before they are synced that is not the durable one: a power cut
    /// would leave a checkpoint that the log does not lead to.
    ///
    /// - Parameters:
    ///   - core: The store.
    ///   - limit: The oldest commit that must stay in the log.
    ///   - horizons: What of an earlier time may be forgotten.
    ///   - isWhole: Whether the parts stand for themselves: what every change did is in them.
    init?(
        _ core: Store.Core,
        keepingFrom limit: UInt64,
        horizons: Horizons = .none,
        isWhole: Bool = false
    ) {
        self.horizons = horizons
        log = core.log.reader()
        before = core.source.checkpoint
        seq = min(core.log.durable, core.log.synced)
        first = core.log.droppable(upTo: min(seq, limit - 1))
        changesEnd = isWhole ? seq + 1 : first
        let seq = seq
        if let location = core.log.location(ofSeq: seq) {
            (chain, time) = core.source.withCommit(at: location.frameOffset) { ($0.chain, $0.at) }
        } else if let manifest = core.manifest ?? before?.manifest, manifest.seq == seq {
            // The log begins behind the checkpoint and has no commit yet.
            (chain, time) = (manifest.chain, manifest.time)
        } else {
            return nil
        }
        let state = core.state
        trees = state.allTrees.map(\.name).filter { name in
            guard !name.isSystem, let declarations = state.tree(.trees),
                let last = state.location(declarations, RecordKey(name: name.description))
            else { return false }
            return state.version(from: last, at: seq) != nil
        }
    }

    /// Whether a removal is forgotten: it is old enough, and its commit goes.
    ///
    /// One that the log keeps would be found again by whoever folds that.
    func forgets(removal commit: CommitView) -> Bool {
        guard let time = horizons.tombstones else { return false }
        return commit.seq < first && commit.at < time
    }

    /// System trees too; that of the declarations first, as all others need it.
    var allTrees: [TreeName] {
        [.trees] + TreeName.system.filter { $0 != .trees } + trees
    }
}

extension Store {
    /// The checkpoint of a directory; nil when there is none.
    typealias FoundCheckpoint = Result<Checkpoint?, CommitLogError>

    /// The checkpoint a log's state can be folded from; nil when there is none, or none that fits.
    ///
    /// A log from the first commit on has everything that a checkpoint has: one that cannot be read
    /// is no loss then.
    ///
    /// - Throws: `log` when the log's beginning was dropped and there is nothing in its place.
    static func checkpoint(
        _ found: FoundCheckpoint,
        of log: CommitLog,
        _ logger: Logger
    ) throws(StoreError) -> Checkpoint? {
        do throws(CommitLogError) {
            guard let found = try found.get() else {
                guard log.oldest > 1 else { return nil }
                throw .damaged(
                    file: "manifest",
                    offset: 0,
                    why: "the log begins at commit \(log.oldest), and there is no checkpoint"
                )
            }
            try fit(found.manifest, log)
            return found
        } catch {
            guard log.oldest == 1 else { throw .log(error) }
            logger.log(.warning, "checkpoint.unused", ["why": "\(error)"])
            return nil
        }
    }

    /// Refuses a checkpoint that is not of a log's history.
    private static func fit(_ manifest: Manifest, _ log: CommitLog) throws(CommitLogError) {
        func damage(_ why: String) -> CommitLogError {
            .damaged(file: manifest.path, offset: 0, why: why)
        }
        guard manifest.databaseID == log.identity.databaseID else {
            throw damage("the checkpoint is another database's")
        }
        guard manifest.seq <= log.head, manifest.seq >= log.oldest - 1 else {
            throw damage(
                "the checkpoint is of commit \(manifest.seq), the log has "
                    + "\(log.oldest) to \(log.head)"
            )
        }
        var chain = log.chainBeforeOldest
        if let location = log.location(ofSeq: manifest.seq) {
            chain = LogSource(log).withCommit(at: location.frameOffset, \.chain)
        }
        guard chain == manifest.chain else {
            throw damage("the checkpoint is of another history")
        }
    }
}
