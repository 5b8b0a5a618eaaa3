// A message of commits, cut from the durable log: whole, or as far as a mirror may see them.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastRecords
internal import HoldfastWire

/// One message of commits.
struct MirrorPage: ~Copyable {
    /// The message.
    private(set) var message = ByteBuffer()
    /// Seq of its last commit.
    private(set) var last: UInt64

    /// Takes the commits after `seq`: as many as a page holds, and one at least.
    ///
    /// Contents are copied as they are, but for those of `_tokens`; of a mirror of chosen trees
    /// blocks are cut, nothing else is read.
    ///
    /// - Throws: `damaged` when the log cannot be read.
    init(
        after seq: UInt64,
        _ reader: LogReader,
        _ filter: BlockFilter
    ) throws(CommitLogError) {
        last = seq
        MirrorCommits.begin(in: &message)
        guard var cursor = try reader.cursor(before: seq + 1) else {
            throw .damaged(file: "", offset: 0, why: "commit \(seq + 1) is not there")
        }
        while message.count < Limits.mirrorPageByteCount, let frame = try cursor.next() {
            let end = message.count
            if filter.trees == nil, try !Self.isOfTokens(frame) {
                let isFull = end + frame.content.count > Limits.mirrorPageByteCount
                if last > seq, isFull { break }
                MirrorCommits.append(frame.content, to: &message)
            } else {
                // How long the projection is shows when it is cut.
                try appendProjection(of: frame, filter)
                if last > seq, message.count > Limits.mirrorPageByteCount {
                    message.truncate(to: end)
                    break
                }
            }
            last = frame.seq
        }
    }

    /// Whether a commit has a part that leaves the server on no way.
    private static func isOfTokens(_ frame: Frame) throws(CommitLogError) -> Bool {
        do throws(ContentError) {
            return try CommitView(frame.content).holds(.tokens)
        } catch {
            throw .damaged(file: "", offset: 0, why: "commit \(frame.seq): \(error)")
        }
    }

    private mutating func appendProjection(
        of frame: Frame,
        _ filter: BlockFilter
    ) throws(CommitLogError) {
        do {
            try MirrorCommits.append(to: &message) { message in
                try CommitView(frame.content)
                    .appendProjection(to: &message, permitting: filter.permits)
            }
        } catch {
            throw .damaged(file: "", offset: 0, why: "commit \(frame.seq): \(error)")
        }
    }
}
