// What a fold of a log needs not be in order for: a second thread gathers it meanwhile.
public import HoldfastBasics
public import HoldfastRecords

/// What commits bring to a state each by itself, whatever came before them: where their changes
/// lie, and the hashes of the records they set.
public struct Tally: Sendable {
    fileprivate var changes = ChangeTable()
    /// Sums of hashes by the name of the block.
    fileprivate private(set) var sums: [(block: [UInt8], sum: Hash128)] = []
    /// The block of the last effect, most often that of the next one too.
    private var recent = 0
    private var hashBlock = TreeHash.Block(.empty)
    /// Changes that are not in the table yet: many at once are put there faster.
    private var waiting: [(id: UniqueID, offset: UInt64)] = []
    private var isRoomMade = false
    private static let waitingCountMax = 1 << 16

    /// Begins.
    public init() {}

    /// Makes room for all changes at once; until then they are kept aside.
    ///
    /// - Parameter changeCount: About how many there are, those that were added included.
    public mutating func reserve(changeCount: Int) {
        guard !isRoomMade else { return }
        isRoomMade = true
        changes.reserve(changeCount)
    }

    /// Takes the change of a commit whose records are counted already.
    ///
    /// - Parameters:
    ///   - id: Its change.
    ///   - frameOffset: Logical offset of its frame.
    public mutating func add(change id: UniqueID, at frameOffset: UInt64) {
        waiting.append((id, frameOffset))
        if isRoomMade, waiting.count >= Self.waitingCountMax { finish() }
    }

    /// Takes a commit.
    ///
    /// - Parameters:
    ///   - commit: Its content.
    ///   - frameOffset: Logical offset of its frame.
    /// - Throws: `ContentError`.
    public mutating func add(_ commit: CommitView, at frameOffset: UInt64) throws {
        add(change: commit.changeID, at: frameOffset)
        let seq = commit.seq
        try commit.forEachBlock { block, _ in
            choose(block.name)
            var sum = Hash128.zero
            try block.forEachEffect { effect in
                if effect.isSet { sum = sum &+ TreeHash.record(effect, hashBlock, seq: seq) }
            }
            sums[recent].sum = sums[recent].sum &+ sum
        }
    }

    /// Takes what another one gathered of other commits, without having had room made.
    public mutating func add(_ other: consuming Tally) {
        precondition(!other.isRoomMade, "the changes of both lie in tables")
        changes.insert(other.waiting)
        for (block, sum) in other.sums {
            block.withView { choose($0) }
            sums[recent].sum = sums[recent].sum &+ sum
        }
    }

    private mutating func choose(_ block: ByteView) {
        if recent < sums.count, sums[recent].block.withView({ $0 == block }) { return }
        hashBlock = TreeHash.Block(block)
        recent = sums.firstIndex { $0.block.withView { $0 == block } } ?? sums.count
        if recent == sums.count { sums.append((block.array, .zero)) }
    }

    /// Puts what waits into the table.
    fileprivate mutating func finish() {
        changes.insert(waiting)
        waiting.removeAll(keepingCapacity: true)
    }
}

extension EngineState {
    /// Takes what was gathered of commits that were folded without it.
    ///
    /// - Parameter tally: Of all of them, and of no others but for changes.
    /// - Throws: `ApplyError`.
    public func take(_ tally: consuming Tally) throws {
        precondition(changes.count == 0, "the log was folded with its changes")
        tally.finish()
        changes = tally.changes
        for (block, sum) in tally.sums {
            try block.withView { add(try resolve($0, seq: head), hash: sum) }
        }
    }
}
