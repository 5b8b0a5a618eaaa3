// The commits a mirror's pending changes would become, in memory, after the log.
//
// Invariant: frames are added on top and forgotten from there, after the state was rolled back to
// what stood before them.
internal import HoldfastBasics
internal import HoldfastRecords

/// Content of provisional commits, by offsets no log reaches.
final class ProvisionalArena {
    /// The offset of the first frame: `CommitLog` keeps its own below.
    static let base = Location.parts.upperBound

    private struct Frame {
        let content: [UInt8]
        let effectOffsets: [UInt32]
        let previous: [Location]
    }

    private var frames: [Frame] = []

    /// Keeps a commit's content.
    ///
    /// - Returns: Its offset.
    func append(content: [UInt8], effectOffsets: [UInt32], previous: [Location]) -> UInt64 {
        frames.append(Frame(content: content, effectOffsets: effectOffsets, previous: previous))
        return Self.base + UInt64(frames.count - 1)
    }

    /// Forgets all but the first ones.
    func keep(_ count: Int) { frames.removeLast(frames.count - count) }

    /// Forgets all of them.
    func removeAll() { frames.removeAll() }

    func withEffect<T>(
        at location: Location,
        _ body: (EffectView, CommitView) throws -> T
    ) rethrows -> T {
        let frame = frame(at: location.frameOffset)
        return try frame.content.withView { content in
            let start = Int(frame.effectOffsets[location.effectOrdinal])
            let (commit, effect): (CommitView, EffectView)
            do throws(ContentError) {
                commit = try CommitView(content)
                effect = try EffectView(content.suffix(from: start))
            } catch {
                preconditionFailure("a provisional commit changed: \(error)")
            }
            return try body(effect, commit)
        }
    }

    func withCommit<T>(at offset: UInt64, _ body: (CommitView) throws -> T) rethrows -> T {
        try frame(at: offset).content.withView { content in
            let commit: CommitView
            do throws(ContentError) {
                commit = try CommitView(content)
            } catch {
                preconditionFailure("a provisional commit changed: \(error)")
            }
            return try body(commit)
        }
    }

    func previous(of location: Location) -> Location {
        frame(at: location.frameOffset).previous[location.effectOrdinal]
    }

    private func frame(at offset: UInt64) -> Frame { frames[Int(offset - Self.base)] }
}
