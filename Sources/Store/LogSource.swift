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
    /// What the state was folded from before the log; two while one takes the other's place.
    private var checkpoints: [Checkpoint]
    /// Commits of a mirror's pending changes, which no log holds.
    let arena = ProvisionalArena()

    init(_ log: CommitLog, _ checkpoint: Checkpoint? = nil) {
        self.log = log
        checkpoints = checkpoint.map { [$0] } ?? []
    }

    /// The newest checkpoint.
    var checkpoint: Checkpoint? { checkpoints.last }

    /// Reads another checkpoint's parts too, from now on.
    func add(_ checkpoint: Checkpoint) { checkpoints.append(checkpoint) }

    /// Whether one checkpoint has not taken the other's place yet.
    var isMoving: Bool { checkpoints.count > 1 }

    /// Reads the newest checkpoint's parts alone: nothing points at the others any more.
    func keepNewest() { checkpoints.removeFirst(max(0, checkpoints.count - 1)) }

    /// The frame a place lies in, in a part or in the log.
    private func frame(at location: Location) -> Frame {
        guard location.isInPart, let holder = checkpoints.last(where: { $0.holds(location) }) else {
            return log.frame(at: location)
        }
        return holder.frame(at: location)
    }

    /// An effect and its commit, to be read until the log, the checkpoint or the pending changes
    /// become others, which they do under the store's lock.
    func effect(at location: Location) -> (effect: EffectView, commit: CommitView) {
        guard location.frameOffset < ProvisionalArena.base else {
            return arena.effect(at: location)
        }
        let frame = frame(at: location)
        do throws(ContentError) {
            let effect = try EffectView(frame.effectBytes(location.effectOrdinal))
            return (effect, try CommitView(frame.content))
        } catch {
            preconditionFailure("frame at \(location.frameOffset) changed: \(error)")
        }
    }

    func withEffect<T>(
        at location: Location,
        _ body: (EffectView, CommitView) throws -> T
    ) rethrows -> T {
        let (effect, commit) = effect(at: location)
        return try body(effect, commit)
    }

    func withCommit<T>(
        at frameOffset: UInt64,
        _ body: (CommitView) throws -> T
    ) rethrows -> T {
        guard frameOffset < ProvisionalArena.base else {
            return try body(arena.commit(at: frameOffset))
        }
        let commit: CommitView
        do throws(ContentError) {
            commit = try CommitView(frame(at: Location(frame: frameOffset, effect: 0)).content)
        } catch {
            preconditionFailure("frame at \(frameOffset) changed: \(error)")
        }
        return try body(commit)
    }

    func previous(of location: Location) -> Location {
        guard location.frameOffset < ProvisionalArena.base else {
            return arena.previous(of: location)
        }
        return previous(location.effectOrdinal, of: frame(at: location))
    }

    /// The place of the version before an effect of a frame, which the log need not have any more.
    func previous(_ ordinal: Int, of frame: Frame) -> Location {
        let previous = frame.previous(ordinal)
        guard previous != .none else { return .none }
        let isKept = previous != .bySeq && previous.frameOffset >= log.oldestOffset
        return isKept ? previous : find(before: ordinal, of: frame)
    }

    /// The version before an effect, by what the effect says of it: its seq.
    private func find(before ordinal: Int, of frame: Frame) -> Location {
        let (key, seq, block): (RecordKey, UInt64, [UInt8])
        do throws(ContentError) {
            let effect = try EffectView(frame.effectBytes(ordinal))
            (key, seq) = (effect.key, effect.previousSeq)
            block = try CommitView(frame.content).block(of: ordinal).array
        } catch {
            preconditionFailure("frame at \(frame.offset) changed: \(error)")
        }
        guard seq > 0 else { return .none }
        // A checkpoint has the last version alone, and the log before it is gone.
        let isLast = Location.parts.contains(frame.offset) && log.location(ofSeq: seq) == nil
        return isLast ? .none : location(of: key, in: block, at: seq)
    }

    /// The effect a commit left on a record; `none` where it left none, or is not kept any more.
    func location(of key: RecordKey, in block: [UInt8], at seq: UInt64) -> Location {
        guard let frame = log.location(ofSeq: seq) else {
            // What a checkpoint does not have either is history that was dropped.
            return checkpoint?.location(of: key, in: block, at: seq) ?? .none
        }
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
