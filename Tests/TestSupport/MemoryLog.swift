// A log in memory for tests of the engine: frames are arrays, a logical offset is an index.
public import HoldfastBasics
public import HoldfastEngine
public import HoldfastRecords

/// Keeps the content of commits and lends it to an engine.
public final class MemoryLog: EffectSource {
    struct Frame {
        let content: [UInt8]
        let offsets: [UInt32]
        let previous: [Location]
    }

    private var frames: [Frame] = []

    /// An empty log.
    public init() {}

    /// Frames kept.
    public var count: Int { frames.count }

    /// Keeps a commit's content.
    ///
    /// - Returns: Its logical offset.
    public func append(_ content: [UInt8], offsets: [UInt32], previous: [Location]) -> UInt64 {
        frames.append(Frame(content: content, offsets: offsets, previous: previous))
        return UInt64(frames.count - 1)
    }

    /// Forgets everything from a logical offset on.
    public func cut(to count: Int) { frames.removeLast(frames.count - count) }

    /// Lends an effect.
    public func withEffect<T>(
        at location: Location,
        _ body: (EffectView, CommitView) throws -> T
    ) rethrows -> T {
        let frame = frames[Int(location.frameOffset)]
        return try frame.content.withView { content in
            guard let commit = try? CommitView(content),
                let effect = try? EffectView(
                    content.suffix(from: Int(frame.offsets[location.effectOrdinal]))
                )
            else { preconditionFailure("a frame of this log cannot be read") }
            return try body(effect, commit)
        }
    }

    /// Lends a commit.
    public func withCommit<T>(
        at frameOffset: UInt64,
        _ body: (CommitView) throws -> T
    ) rethrows -> T {
        try frames[Int(frameOffset)].content.withView { content in
            guard let commit = try? CommitView(content) else {
                preconditionFailure("a frame of this log cannot be read")
            }
            return try body(commit)
        }
    }

    /// The version before.
    public func previous(of location: Location) -> Location {
        frames[Int(location.frameOffset)].previous[location.effectOrdinal]
    }
}

/// An engine over a log in memory, driven change by change.
public final class EngineBench {
    /// Where its commits are kept.
    public let log = MemoryLog()
    /// The engine.
    public let state: EngineState
    /// Its randomness.
    public let random: SeededRandom
    /// Its clock.
    public var now: Int64 = 1_700_000_000_000
    private var encoder = CommitEncoder()
    /// The epoch of its history.
    public static let epoch = Epoch(rawValue: 0x0123_4567_89AB_CDEF)

    /// An engine with nothing in it.
    public init(seed: UInt64 = 1) {
        random = SeededRandom(seed: seed)
        state = EngineState(lineage: [(Self.epoch, 1)], source: log)
    }

    /// A new id.
    public func id() -> UniqueID { .version7(milliseconds: now, random: random) }

    /// Decides operations as one change, and applies it when it is accepted.
    @discardableResult
    public func submit(
        _ operations: [HoldfastRecords.Operation],
        by user: String = "anna",
        on device: String = "PC-1",
        id: UniqueID? = nil,
        digest: Hash128 = .zero,
        why: String = ""
    ) -> Decision {
        let change = Change(
            id: id ?? self.id(),
            digest: digest,
            why: why,
            operations: operations
        )
        let context = DecisionContext(
            caller: Caller(user: user, device: device),
            now: now,
            random: random
        )
        let decision = state.decide(change, context)
        if case .commit(let commit, _) = decision { append(commit) }
        return decision
    }

    /// Commits what is due by now.
    @discardableResult
    public func tick() -> Commit? {
        let commit = state.decideDue(now: now, random: random)
        if let commit { append(commit) }
        return commit
    }

    /// Keeps and applies a decided commit.
    public func append(_ commit: Commit) {
        var buffer = ByteBuffer()
        _ = encoder.encode(commit, after: state.chain, into: &buffer)
        let previous = commit.blocks.flatMap { block in
            block.effects.map { effect in
                state.tree(block.name.tree).flatMap { state.location($0, effect.key) } ?? .none
            }
        }
        let offset = log.append(
            buffer.array,
            offsets: encoder.effectOffsets,
            previous: previous
        )
        do {
            try state.apply(CommitView(buffer.view), at: offset, undoable: true)
        } catch {
            preconditionFailure("a decided commit cannot be applied: \(error)")
        }
    }

    /// A fresh fold of the log's first `count` commits.
    public func refold(count: Int? = nil) throws -> EngineState {
        let fresh = EngineState(lineage: state.lineage, source: log)
        for offset in 0..<UInt64(count ?? log.count) {
            try log.withCommit(at: offset) { try fresh.apply($0, at: offset, undoable: false) }
        }
        return fresh
    }
}
