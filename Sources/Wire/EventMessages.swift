// Server-sent events: commits, a heartbeat that shows how far the reader is, and the end.
public import HoldfastBasics
internal import HoldfastJSONCoding
public import HoldfastRecords

/// Writes the events of `GET /v1/changes` as `text/event-stream`.
///
/// Source: HTML Standard, section 9.2.
public enum EventMessages {
    /// Appends a commit as an event: its position is the id, its JSON one line of data.
    ///
    /// Shape: `id: epoch:seq`, `event: commit`, `data: {...}`, an empty line.
    ///
    /// - Parameters:
    ///   - commit: The commit.
    ///   - position: Its position.
    ///   - filter: What passes.
    ///   - buffer: Gets the event; unchanged when nothing passes and when the commit is damaged.
    /// - Throws: `ContentError` when the commit is damaged.
    public static func appendCommit(
        _ commit: CommitView,
        at position: Position,
        _ filter: CommitFilter,
        to buffer: inout ByteBuffer
    ) throws {
        let start = buffer.count
        var isPassed = false
        defer { if !isPassed { buffer.truncate(to: start) } }
        buffer.append("id: ")
        position.append(to: &buffer)
        buffer.append("\nevent: commit\ndata: ")
        isPassed = try CommitMessage.append(commit, filter, to: &buffer)
        buffer.append("\n\n")
    }

    /// Appends a comment, and the id of the last commit that was looked at for the reader.
    ///
    /// Shape: `:`, `id: epoch:seq`, an empty line. A block without data is no event: the reader
    /// notes the id alone.
    public static func appendHeartbeat(_ position: Position, to buffer: inout ByteBuffer) {
        buffer.append(":\nid: ")
        position.append(to: &buffer)
        buffer.append("\n\n")
    }

    /// Appends the last event.
    ///
    /// Shape: `event: bye`, `data: {"code","detail"}`, an empty line.
    ///
    /// - Parameters:
    ///   - code: The close code a live feed would end with.
    ///   - detail: Why.
    ///   - buffer: Gets the event.
    public static func appendBye(_ code: Int, _ detail: String, to buffer: inout ByteBuffer) {
        buffer.append("event: bye\ndata: {\"code\":")
        buffer.append(decimal: code)
        buffer.append(",\"detail\":")
        buffer.appendJSONString(detail)
        buffer.append("}\n\n")
    }
}
