// Lends the effects of the log, and of a mirror's pending changes, to the engine.
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
    /// Commits of a mirror's pending changes, which no log holds.
    let arena = ProvisionalArena()

    init(_ log: CommitLog) { self.log = log }

    func withEffect<T>(
        at location: Location,
        _ body: (EffectView, CommitView) throws -> T
    ) rethrows -> T {
        guard location.frameOffset < ProvisionalArena.base else {
            return try arena.withEffect(at: location, body)
        }
        return try log.withFrame(at: location) { frame in
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
        return try log.withFrame(at: Location(frame: frameOffset, effect: 0)) { frame in
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
        return log.withFrame(at: location) { $0.previous(location.effectOrdinal) }
    }
}
