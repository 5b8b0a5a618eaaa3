// Reading a log without appending to it: the feed, mirrors, `holdfast log`, other processes.
//
// A reader is a value: the log as it was at one moment. Whoever wants what came later takes a later
// reader (`CommitLog.reader` in the writer's process, `refreshed` anywhere else) and lets cursors
// go on in it. See LogLook.swift for how files are read that somebody else writes.
internal import HoldfastBasics
public import HoldfastRecords

/// The readable part of a log as it was at one moment.
///
/// It keeps its segments mapped as long as it lives, also when their files are removed. Frames it
/// lends are valid as long as it, or a cursor made of it, lives.
///
/// ```swift
/// var reader = try LogReader.open(disk: disk)
/// guard var cursor = try reader.cursor(before: 1) else { return }
/// while true {
///     while let frame = try cursor.next() { print(frame.seq) }
///     // Whenever there may be more:
///     reader = try reader.refreshed(disk: disk)
///     try cursor.goOn(in: reader)
/// }
/// ```
public struct LogReader: Sendable {
    /// Which database it is.
    public let identity: Identity
    /// The epochs of the log, oldest first.
    public let lineage: [EpochStart]
    let segments: [Segment]
    /// Seq of the oldest commit.
    public let oldest: UInt64
    /// Seq of the last commit; below `oldest` when there is none.
    public let head: UInt64
    // Logical offset after the last readable frame.
    let end: UInt64
    /// What is known of the files, to look again; nil in the process that writes.
    var sighting: LogSighting?

    /// Stands before a commit: `next` gives it, `previous` the one before it.
    ///
    /// - Parameter seq: From `oldest` to `head + 1`; what is not there yet, and 0, gives nil.
    /// - Returns: A cursor of its own.
    /// - Throws: `compacted` when the log does not reach back so far any more; `damaged` when the
    ///   way there is.
    public func cursor(before seq: UInt64) throws(CommitLogError) -> LogCursor? {
        guard seq > 0, seq <= head + 1 else { return nil }
        guard seq >= oldest else { throw .compacted(oldest: oldest) }
        var cursor = LogCursor(self)
        if seq > oldest { try cursor.move(after: seq - 1) }
        return cursor
    }

    /// End of a segment's readable frames, in bytes of its file.
    func limit(_ slot: Int) -> Int {
        let segment = segments[slot]
        return min(segment.end, end > segment.base ? Int(end - segment.base) : 0)
    }

    /// Without the segments before the one a commit lies in.
    func dropping(before seq: UInt64) -> LogReader {
        guard let slot = segments.slot(ofSeq: seq), slot > 0 else { return self }
        return LogReader(
            identity: identity,
            lineage: lineage,
            segments: Array(segments[slot...]),
            oldest: segments[slot].firstSeq,
            head: head,
            end: end,
            sighting: sighting
        )
    }
}
