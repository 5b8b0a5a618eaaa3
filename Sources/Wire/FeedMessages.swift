// What the server says in the live feed: objects with one member. The contract is openapi/feed.md.
public import HoldfastBasics
internal import HoldfastJSONCoding
public import HoldfastRecords

/// Writes the messages of the live feed.
///
/// Inside a feed positions are bare seqs of the epoch `hello` named.
public enum FeedMessages {
    /// Appends `{"hello":{"databaseID","epoch","head","chain","oldest","heartbeatSeconds"}}`.
    ///
    /// - Parameters:
    ///   - databaseID: Which database.
    ///   - head: The last durable commit.
    ///   - chain: Its chain.
    ///   - oldest: The lowest `since` the log answers.
    ///   - heartbeatSeconds: Longest time without a message.
    ///   - buffer: Gets the message.
    public static func appendHello(
        databaseID: UniqueID,
        head: Position,
        chain: Hash128,
        oldest: UInt64,
        heartbeatSeconds: Double,
        to buffer: inout ByteBuffer
    ) {
        buffer.append("{\"hello\":{\"databaseID\":")
        buffer.appendQuoted(databaseID)
        buffer.append(",\"epoch\":\"")
        head.epoch.append(to: &buffer)
        buffer.append("\",\"head\":")
        buffer.append(decimal: head.seq)
        buffer.append(",\"chain\":")
        buffer.appendQuoted(chain)
        buffer.append(",\"oldest\":")
        buffer.append(decimal: oldest)
        buffer.append(",\"heartbeatSeconds\":")
        buffer.append(text: number(heartbeatSeconds))
        buffer.append("}}")
    }

    /// Appends `{"started":{"seq"}}`: the feed goes on after this commit.
    public static func appendStarted(seq: UInt64, to buffer: inout ByteBuffer) {
        buffer.append("{\"started\":{\"seq\":")
        buffer.append(decimal: seq)
        buffer.append("}}")
    }

    /// Appends `{"commit":{...}}` with what passes of a commit.
    ///
    /// - Parameters:
    ///   - commit: The commit.
    ///   - filter: What passes.
    ///   - before: Gives what stood before; nil leaves `before` out.
    ///   - buffer: Gets the message; unchanged when nothing passes and when the commit is damaged.
    /// - Returns: Whether there is a message.
    /// - Throws: `ContentError` when the commit is damaged.
    public static func appendCommit(
        _ commit: CommitView,
        _ filter: CommitFilter = .all,
        before: CommitMessage.Before? = nil,
        to buffer: inout ByteBuffer
    ) throws -> Bool {
        let start = buffer.count
        var isMessage = false
        defer { if !isMessage { buffer.truncate(to: start) } }
        buffer.append("{\"commit\":")
        isMessage = try CommitMessage.append(commit, filter, before: before, to: &buffer)
        buffer.append("}")
        return isMessage
    }

    /// Appends `{"head":{"seq","chain","hashes"?}}`: heartbeat and progress.
    ///
    /// - Parameters:
    ///   - seq: Everything up to it that passes has been sent.
    ///   - chain: The chain after it.
    ///   - hashes: Hashes of the blocks the reader is shown whole, at exactly `seq`; nil when they
    ///     are not known there.
    ///   - buffer: Gets the message.
    public static func appendHead(
        seq: UInt64,
        chain: Hash128,
        hashes: [BlockName: Hash128]? = nil,
        to buffer: inout ByteBuffer
    ) {
        buffer.append("{\"head\":{\"seq\":")
        buffer.append(decimal: seq)
        buffer.append(",\"chain\":")
        buffer.appendQuoted(chain)
        if let hashes {
            buffer.append(",\"hashes\":")
            buffer.append(hashes: hashes)
        }
        buffer.append("}}")
    }

    /// Appends `{"catchingUp":{"lag"}}`: so many commits to go.
    public static func appendCatchingUp(lag: UInt64, to buffer: inout ByteBuffer) {
        buffer.append("{\"catchingUp\":{\"lag\":")
        buffer.append(decimal: lag)
        buffer.append("}}")
    }

    /// Appends `{"live":{}}`: the head has been reached.
    public static func appendLive(to buffer: inout ByteBuffer) { buffer.append("{\"live\":{}}") }

    /// Appends `{"bye":{"code","detail"}}`, the last message; the close frame has the same code.
    public static func appendBye(code: Int, detail: String, to buffer: inout ByteBuffer) {
        buffer.append("{\"bye\":{\"code\":")
        buffer.append(decimal: code)
        buffer.append(",\"detail\":")
        buffer.appendJSONString(detail)
        buffer.append("}}")
    }

    /// A number of seconds without a needless fraction.
    static func number(_ value: Double) -> String {
        value == value.rounded() ? String(Int(value)) : String(value)
    }
}
