// Lends the effects of the log, of a checkpoint's parts, and of a mirror's pending changes, to the
// engine.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastRecords

/// Reads effects and commits from a log, under the store's lock.
///
/// A frame that was checked when it was read or written is whole; what cannot be read any more is a
/// failing disk, which ends the process (see ARCHITECTURE.md, failure model).
final class LogSource: EffectSource {
    private let log: CommitLog
    /// What the state was folded from before the log.
    private let checkpoint: Checkpoint?
    /// Commits of a mirror's pending changes, which no log holds.
    let arena = ProvisionalArena()

    init(_ log: CommitLog, _ checkpoint: Checkpoint? = nil) {
        self.log = log
        self.checkpoint = checkpoint
    }

    /// Seq of the checkpoint; nil when there is none.
    var checkpointSeq: UInt64? { checkpoint?.manifest.seq }

    /// Lends the frame a place lies in, in a part or in the log.
    @inline(__always)
    private func withFrame<T>(
        at location: Location,
        _ body: (Frame) throws -> T
    ) rethrows -> T {
        guard location.isInPart, let checkpoint else {
            return try log.withFrame(at: location, body)
        }
        return try checkpoint.withFrame(at: location, body)
    }

    func withEffect<T>(
        at location: Location,
        _ body: (EffectView, CommitView) throws -> T
    ) rethrows -> T {
        guard location.frameOffset < ProvisionalArena.base else {
            return try arena.withEffect(at: location, body)
        }
        return try withFrame(at: location) { frame in
            let commit: CommitView
            let effect: EffectView
            do throws(ContentError) {
                commit = try CommitView(frame.content)
                effect = try EffectView(frame.effectBytes(location.effectOrdinal))
            } catch {
                preconditionFailure("frame at \(location.frameOffset) changed: \(error)")
            }
            return try body(effect, commit)
        }
    }

    func withCommit<T>(
        at frameOffset: UInt64,
        _ body: (CommitView) throws -> T
    ) rethrows -> T {
        guard frameOffset < ProvisionalArena.base else {
            return try arena.withCommit(at: frameOffset, body)
        }
        return try withFrame(at: Location(frame: frameOffset, effect: 0)) { frame in
            let commit: CommitView
            do throws(ContentError) {
                commit = try CommitView(frame.content)
            } catch {
                preconditionFailure("frame at \(frameOffset) changed: \(error)")
            }
            return try body(commit)
        }
    }

    func previous(of location: Location) -> Location {
        guard location.frameOffset < ProvisionalArena.base else {
            return arena.previous(of: location)
        }
        let previous = withFrame(at: location) { $0.previous(location.effectOrdinal) }
        return previous == .bySeq ? find(before: location) : previous
    }

    /// The version before the one at a place, by what that says of it: its seq.
    private func find(before location: Location) -> Location {
        let (key, seq, block) = withEffect(at: location) { effect, commit in
            (effect.key, effect.previousSeq, commit.block(of: location.effectOrdinal).array)
        }
        guard seq > 0, let frame = log.location(ofSeq: seq) else { return .none }
        return log.withFrame(at: frame) { frame in
            do {
                let commit = try CommitView(frame.content)
                var found = Location.none
                try block.withView { block in
                    try commit.forEachBlock { candidate, first in
                        guard candidate.name == block else { return }
                        var ordinal = first
                        try candidate.forEachEffect { effect in
                            if effect.key == key { found = frame.location(ordinal) }
                            ordinal += 1
                        }
                    }
                }
                return found
            } catch {
                preconditionFailure("frame of commit \(seq) changed: \(error)")
            }
        }
    }
}
