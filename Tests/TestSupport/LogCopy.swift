// The commits of a log, copied out of it, so that they can be folded again without it.
public import HoldfastBasics
public import HoldfastCommitLog
public import HoldfastEngine
public import HoldfastRecords
public import HoldfastStore

/// A copy of a log's durable commits, which a fresh state can be folded from.
public final class LogCopy: EffectSource {
    private var commits: [LogDriver.Commit] = []
    private var offsets: [UInt64] = []
    private var ordinals: [UInt64: Int] = [:]

    /// Copies everything a reader shows.
    ///
    /// - Throws: `CommitLogError`.
    public init(_ reader: LogReader) throws {
        guard var cursor = try reader.cursor(before: reader.oldest) else { return }
        while let frame = try cursor.next() {
            ordinals[frame.offset] = commits.count
            offsets.append(frame.offset)
            commits.append(LogDriver.Commit(frame))
        }
    }

    /// Commits copied.
    public var count: Int { commits.count }

    /// A state folded from the first `count` commits, each one's hashes and the chain verified.
    ///
    /// - Throws: `ContentError`, `ApplyError`.
    public func fold(
        lineage: [(epoch: Epoch, firstSeq: UInt64)],
        count: Int? = nil
    ) throws -> EngineState {
        let state = EngineState(lineage: lineage, source: self)
        for (commit, offset) in zip(commits, offsets).prefix(count ?? commits.count) {
            try commit.content.withView { content in
                let view = try CommitView(content)
                try view.verify(after: state.chain)
                try state.apply(view, at: offset, undoable: false)
            }
        }
        return state
    }

    /// Ids of all changes, in order.
    public var changes: [UniqueID] { offsets.map { withCommit(at: $0, \.changeID) } }

    /// Every key any commit touched, with its tree.
    public func keys() throws -> [(tree: TreeName, key: RecordKey)] {
        var keys: [(tree: TreeName, key: RecordKey)] = []
        for offset in offsets {
            try withCommit(at: offset) { commit in
                try commit.forEachBlock { block, _ in
                    guard let name = BlockName(block.name.text) else { return }
                    try block.forEachEffect { keys.append((name.tree, $0.key)) }
                }
            }
        }
        return keys
    }

    // MARK: EffectSource

    private func commit(at frameOffset: UInt64) -> LogDriver.Commit {
        guard let ordinal = ordinals[frameOffset] else {
            preconditionFailure("no commit was copied from \(frameOffset)")
        }
        return commits[ordinal]
    }

    /// Lends an effect of the copy.
    public func withEffect<T>(
        at location: Location,
        _ body: (EffectView, CommitView) throws -> T
    ) rethrows -> T {
        let copied = commit(at: location.frameOffset)
        return try copied.content.withView { content in
            let start = Int(copied.effectOffsets[location.effectOrdinal])
            guard let commit = try? CommitView(content),
                let effect = try? EffectView(content.suffix(from: start))
            else { preconditionFailure("a copied commit cannot be read") }
            return try body(effect, commit)
        }
    }

    /// Lends a commit of the copy.
    public func withCommit<T>(
        at frameOffset: UInt64,
        _ body: (CommitView) throws -> T
    ) rethrows -> T {
        try commit(at: frameOffset).content.withView { content in
            guard let commit = try? CommitView(content) else {
                preconditionFailure("a copied commit cannot be read")
            }
            return try body(commit)
        }
    }

    /// The place its frame gave for the version before.
    public func previous(of location: Location) -> Location {
        commit(at: location.frameOffset).previous[location.effectOrdinal]
    }
}

/// Two things that should be the same, or should agree, and do not.
public struct Disagreement: Error, CustomStringConvertible {
    /// What differs.
    public let description: String

    /// Says what differs.
    public init(_ description: String) { self.description = description }
}

extension Store {
    /// Compares the state, in every structure, with a fresh fold of the durable log.
    ///
    /// Everything must be synced, or taken back.
    /// - Throws: `Disagreement`, and what reading and folding throw.
    public func compareWithFreshFold() throws {
        let copy = try LogCopy(logReader())
        let (changes, keys) = (copy.changes, try copy.keys())
        let lineage = read { $0.state.lineage }
        // A checkpoint's parts have other places than the log: what lies there counts.
        func describe(_ effect: EffectView, _ commit: CommitView) -> String {
            "\(effect.key) of \(commit.seq) \(commit.chain), set \(effect.isSet)"
        }
        let expected = dump(try copy.fold(lineage: lineage), changes: changes, keys: keys) {
            copy.withEffect(at: $0, describe)
        }
        let found = read { reader in
            dump(reader.state, changes: changes, keys: keys) {
                reader.withEffect(at: $0, describe)
            }
        }
        try compare(found, expected, "the state with a fresh fold")
    }
}

/// Compares two dumps.
///
/// - Throws: `Disagreement` with the lines that stand in one of them alone.
public func compare(_ found: [String], _ expected: [String], _ what: String) throws(Disagreement) {
    guard found != expected else { return }
    let (more, less) = (Set(found).subtracting(expected), Set(expected).subtracting(found))
    let lines =
        more.sorted().prefix(8).map { "\n  found    " + $0 }
        + less.sorted().prefix(8).map { "\n  expected " + $0 }
    throw Disagreement("comparing \(what):" + lines.joined())
}
