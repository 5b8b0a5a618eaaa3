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

    private final class Frame {
        let content: ByteBuffer
        let effectOffsets: [UInt32]
        let previous: [Location]

        init(_ content: [UInt8], _ effectOffsets: [UInt32], _ previous: [Location]) {
            var buffer = ByteBuffer(capacity: content.count)
            buffer.append(content)
            self.content = buffer
            self.effectOffsets = effectOffsets
            self.previous = previous
        }
    }

    private var frames: [Frame] = []

    /// Keeps a commit's content.
    ///
    /// - Returns: Its offset.
    func append(content: [UInt8], effectOffsets: [UInt32], previous: [Location]) -> UInt64 {
        frames.append(Frame(content, effectOffsets, previous))
        return Self.base + UInt64(frames.count - 1)
    }

    /// Forgets all but the first ones.
    func keep(_ count: Int) { frames.removeLast(frames.count - count) }

    /// Forgets all of them.
    func removeAll() { frames.removeAll() }

    /// An effect and its commit, to be read until its frame is forgotten.
    func effect(at location: Location) -> (effect: EffectView, commit: CommitView) {
        let frame = frame(at: location.frameOffset)
        let start = Int(frame.effectOffsets[location.effectOrdinal])
        do throws(ContentError) {
            let effect = try EffectView(frame.content.view.suffix(from: start))
            return (effect, try CommitView(frame.content.view))
        } catch {
            preconditionFailure("a provisional commit changed: \(error)")
        }
    }

    /// A commit, to be read until its frame is forgotten.
    func commit(at offset: UInt64) -> CommitView {
        do throws(ContentError) {
            return try CommitView(frame(at: offset).content.view)
        } catch {
            preconditionFailure("a provisional commit changed: \(error)")
        }
    }

    func previous(of location: Location) -> Location {
        frame(at: location.frameOffset).previous[location.effectOrdinal]
    }

    private func frame(at offset: UInt64) -> Frame { frames[Int(offset - Self.base)] }
}
