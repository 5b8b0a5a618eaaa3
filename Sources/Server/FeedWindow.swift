// The messages of the newest commits, made once for all clients of a loop that want the same.
//
// Invariants:
// - `bytes` holds the messages of the commits after `first`, through `through`, in order; the
//   message of a commit that the filter hides has no bytes;
// - commits are durable, and thus never another under the same seq.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastHTTP
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

/// Messages of commits, for all who wish the same.
final class FeedWindow {
    /// What a client wants; two clients that want the same share their messages.
    struct Wish: Hashable {
        var filter = CommitFilter.all
        /// Whether effects carry what stood before.
        var before = false
        /// What commits are wrapped in.
        var form = Form.frames
    }

    /// What a commit is wrapped in.
    enum Form {
        /// A message of a WebSocket.
        case frames
        /// An event of a stream of events.
        case events
    }

    let wish: Wish
    /// How many clients use it.
    var userCount = 0
    private let store: Store
    private var bytes = ByteBuffer()
    private var payload = ByteBuffer()
    private var first: UInt64 = 0
    /// Where the messages of each commit after `first` end, counted from `base`.
    private var ends: [Int] = []
    /// What ends are counted from: it grows by what is let go of, and they stay as they are.
    private var base = 0

    /// Messages lent at once end with the commit that reaches this; so much stays of what is older.
    ///
    /// Unit: bytes.
    static let byteCountMax = 32 << 10
    /// How many commits are looked at on one call, and how many stay at least, of which many may
    /// have no message.
    private static let commitCountMax = Limits.passedOverCountMax

    init(_ wish: Wish, _ store: Store) {
        self.wish = wish
        self.store = store
    }

    private var through: UInt64 { first + UInt64(ends.count) }

    /// Lends the messages of the commits after `seq`: of those that are durable as many as fit.
    ///
    /// - Parameters:
    ///   - seq: The last commit its client was told of.
    ///   - reader: The log.
    ///   - body: Is given the bytes, none where the filter hides all.
    /// - Returns: The last commit that was looked at.
    /// - Throws: `compacted` when the log begins later; what says that it cannot be read.
    func lend(
        after seq: UInt64,
        _ reader: LogReader,
        _ body: (ByteView) -> Void
    ) throws -> UInt64 {
        // Those who are behind are each elsewhere: what is made for one serves no other.
        guard seq >= first else {
            return try FeedWindow(wish, store).lend(after: seq, reader, body)
        }
        if seq > through {
            clear()
            first = seq
        }
        try extend(after: seq, reader)
        let start = end(of: seq)
        let last = last(after: seq)
        body(bytes.view[start - base..<end(of: last) - base])
        return last
    }

    /// Lets go of all messages: everybody has them.
    func clear() {
        first = through
        base += bytes.count
        ends.removeAll(keepingCapacity: true)
        bytes.removeAll()
        bytes.shrinkIfEmpty(above: Self.byteCountMax)
    }

    private func end(of seq: UInt64) -> Int { seq == first ? base : ends[Int(seq - first) - 1] }

    /// The last commit whose messages are lent with those after `seq`.
    private func last(after seq: UInt64) -> UInt64 {
        let limit = end(of: seq) + Self.byteCountMax
        var low = Int(seq - first)
        var high = ends.count
        // The first that reaches the limit, or the last there is.
        while low < high - 1 {
            let middle = (low + high - 1) / 2
            if ends[middle] >= limit { high = middle + 1 } else { low = middle + 1 }
        }
        return first + UInt64(high)
    }

    /// Makes the messages that are missing.
    private func extend(after seq: UInt64, _ reader: LogReader) throws {
        let (start, known) = (end(of: seq), through)
        guard known < reader.head else { return }
        var cursor = try reader.cursor(before: known + 1)
        while end(of: through) - start < Self.byteCountMax,
            through - seq < Self.commitCountMax, let frame = try cursor?.next()
        {
            try append(frame, reader)
            ends.append(base + bytes.count)
        }
        trim(before: seq)
    }

    /// Lets go of the oldest messages once there are twice as many as stay.
    ///
    /// - Parameter seq: Those after it stay.
    private func trim(before seq: UInt64) {
        guard
            bytes.count > 2 * Self.byteCountMax || ends.count > 2 * Self.commitCountMax
        else { return }
        let limit = base + bytes.count - Self.byteCountMax
        var count = 0
        while count < Int(seq - first),
            ends[count] <= limit || ends.count - count > Self.commitCountMax
        {
            count += 1
        }
        guard count > 0 else { return }
        let end = ends[count - 1]
        bytes.consume(end - base)
        base = end
        first += UInt64(count)
        ends.removeFirst(count)
    }

    // MARK: Messages

    private func append(_ frame: Frame, _ reader: LogReader) throws {
        let commit = try CommitView(frame.content)
        guard wish.form == .frames else {
            let start = reader.lineage.last { $0.firstSeq <= frame.seq } ?? reader.lineage[0]
            let position = Position(epoch: start.epoch, seq: frame.seq)
            return try EventMessages.appendCommit(commit, at: position, wish.filter, to: &bytes)
        }
        payload.removeAll()
        let store = self.store
        let before: CommitMessage.Before? =
            wish.before ? { ordinal in Self.value(before: ordinal, of: frame, store) } : nil
        if try FeedMessages.appendCommit(commit, wish.filter, before: before, to: &payload) {
            bytes.appendFrame(.text, payload.view)
        }
    }

    private static func value(
        before ordinal: Int,
        of frame: Frame,
        _ store: Store
    ) -> [UInt8]? {
        store.read { reader in
            reader.withEffect(before: ordinal, of: frame) { effect in
                effect.isSet ? effect.value.array : nil
            } ?? nil
        }
    }
}
