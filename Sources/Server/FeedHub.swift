// The live feeds and mirrors of one loop.
//
// A feed is a cursor on the durable log, never a queue: a client that reads slowly costs its output
// buffer and nothing else, and gets every commit when it reads on. Commits are encoded once per
// loop for all clients that are at the head and want the same of them.
internal import HoldfastBasics
internal import HoldfastCommitLog
internal import HoldfastEngine
internal import HoldfastHTTP
internal import HoldfastNetworking
internal import HoldfastRecords
internal import HoldfastStore
internal import HoldfastWire

/// All live feeds and mirrors of one loop.
final class FeedHub {
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

    /// Commits encoded for all who wish the same.
    struct Encoded {
        let wish: Wish
        let after: UInt64
        let through: UInt64
        let bytes: ByteBufferBox
    }

    private let shared: SharedServer
    private let loop: EventLoop
    private var sessions: [ObjectIdentifier: any LogFollower] = [:]
    /// Mirrors with answers that wait for the store to sync.
    private var waiting: [ObjectIdentifier: MirrorSession] = [:]
    private var encoded: [Encoded] = []
    /// Heartbeats of the last commit they were made for.
    private var heads: (seq: UInt64, byFilter: [CommitFilter: ByteBufferBox]) = (0, [:])
    private var payload = ByteBuffer()
    /// Whether clients were given commits a moment ago, and whether there are new ones since.
    private var isResting = false
    private var isBehind = false
    /// Those who are still to be given commits in this round; it keeps nobody alive.
    private var round: ArraySlice<ObjectIdentifier> = []

    /// Time between two rounds over all clients while commits come fast: as many milliseconds as
    /// twenties of them, at most four.
    ///
    /// What a delivery costs is its send(2): on a fast disk, where every few commits are a sync of
    /// their own, a round for each sync would cost twice as much. Few clients cost little and are
    /// told sooner. A commit that comes alone waits for nothing.
    private var restMilliseconds: Int { min(max(sessions.count / 20, 1), 4) }

    /// How many clients are given commits before others on the loop get their turn: each takes a
    /// send(2), and thousands of them would hold up every request for as long.
    private static let sliceCount = 128

    init(shared: SharedServer, loop: EventLoop) {
        self.shared = shared
        self.loop = loop
    }

    var count: Int { sessions.count }

    func add(_ session: any LogFollower) { sessions[ObjectIdentifier(session)] = session }

    /// - Returns: Whether it was there.
    func remove(_ session: any LogFollower) -> Bool {
        waiting[ObjectIdentifier(session)] = nil
        return sessions.removeValue(forKey: ObjectIdentifier(session)) != nil
    }

    /// Has a mirror told of the next sync at once, however fast commits come.
    func awaitSync(_ session: MirrorSession) { waiting[ObjectIdentifier(session)] = session }

    /// The store synced, or failed to: answers leave.
    func answer(_ progress: Progress) {
        guard !waiting.isEmpty else { return }
        for (id, session) in waiting where !session.synced(progress) { waiting[id] = nil }
    }

    /// New commits are durable: everybody who keeps up gets them, now or after the rest.
    func advance() {
        guard !sessions.isEmpty else { return }
        guard !isResting, round.isEmpty else {
            isBehind = true
            return
        }
        isResting = true
        loop.schedule(afterMilliseconds: restMilliseconds) {
            self.isResting = false
            self.goOn()
        }
        round = Array(sessions.keys)[...]
        advanceSlice()
    }

    /// Gives some of the round what is durable now, and lets others have their turn.
    private func advanceSlice() {
        let reader = shared.store.logReader()
        for session in round.prefix(Self.sliceCount) {
            sessions[session]?.advance(reader, hub: self)
        }
        round = round.dropFirst(Self.sliceCount)
        guard round.isEmpty else {
            loop.schedule(afterMilliseconds: 0) { self.advanceSlice() }
            return
        }
        encoded.removeAll(keepingCapacity: true)
        goOn()
    }

    /// Begins another round where commits came during the last one, or the rest behind it.
    private func goOn() {
        guard isBehind, !isResting, round.isEmpty else { return }
        isBehind = false
        advance()
    }

    /// Bytes of messages made at once; what a client may have waiting besides.
    static let byteCountMax = 32 << 10

    /// The messages of the commits after `seq`, made once for all who wish the same.
    ///
    /// - Throws: `compacted` when the log begins later; what says that it cannot be read.
    func messages(after seq: UInt64, _ wish: Wish, _ reader: LogReader) throws -> Encoded {
        if let ready = encoded.first(where: { $0.after == seq && $0.wish == wish }) {
            return ready
        }
        let box = ByteBufferBox()
        let through = try encode(after: seq, wish, reader, into: &box.bytes)
        let made = Encoded(wish: wish, after: seq, through: through, bytes: box)
        // Those who are behind are each elsewhere: only the head is worth keeping.
        if through == reader.head { encoded.append(made) }
        return made
    }

    /// The heartbeat at a commit, made once for all who are shown the same.
    ///
    /// The state may be ahead of what is durable; its hashes are then another position's, and are
    /// left out.
    func head(at seq: UInt64, _ filter: CommitFilter) -> ByteBufferBox {
        if heads.seq == seq, let ready = heads.byFilter[filter] { return ready }
        if heads.seq != seq || heads.byFilter.count == Self.headCountMax { heads = (seq, [:]) }
        let (chain, hashes) = shared.store.read { reader in
            (
                reader.chain(atSeq: seq) ?? .zero,
                reader.state.head == seq ? reader.state.hashes : nil
            )
        }
        var shown: [BlockName: Hash128]?
        if let hashes, filter.prefix == nil {
            shown = [:]
            for (block, hash) in hashes where hash != .zero && filter.permits(block) {
                shown?[block] = hash
            }
        }
        let box = ByteBufferBox()
        FeedMessages.appendHead(seq: seq, chain: chain, hashes: shown, to: &box.bytes)
        heads.byFilter[filter] = hashes == nil ? nil : box
        return box
    }

    /// Heartbeats that are kept; filters of more kinds are made anew.
    private static let headCountMax = 64

    private func encode(
        after seq: UInt64,
        _ wish: Wish,
        _ reader: LogReader,
        into out: inout ByteBuffer
    ) throws -> UInt64 {
        var last = seq
        guard var cursor = try reader.cursor(before: seq + 1) else { return last }
        while out.count < Self.byteCountMax, let frame = try cursor.next() {
            last = frame.seq
            if wish.form == .events {
                try append(frame, to: &out, wish.filter, reader)
                continue
            }
            payload.removeAll()
            let store = shared.store
            let before: CommitMessage.Before? =
                wish.before ? { ordinal in Self.value(before: ordinal, of: frame, store) } : nil
            let isMessage = try FeedMessages.appendCommit(
                CommitView(frame.content),
                wish.filter,
                before: before,
                to: &payload
            )
            if isMessage { out.appendFrame(.text, payload.view) }
        }
        return last
    }

    private func append(
        _ frame: Frame,
        to out: inout ByteBuffer,
        _ filter: CommitFilter,
        _ reader: LogReader
    ) throws {
        let start = reader.lineage.last { $0.firstSeq <= frame.seq } ?? reader.lineage[0]
        let position = Position(epoch: start.epoch, seq: frame.seq)
        try EventMessages.appendCommit(CommitView(frame.content), at: position, filter, to: &out)
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

    /// Ends the feeds and mirrors that may not go on.
    ///
    /// - Parameter end: Says why one ends that was opened so; nil while it may stay.
    func endAll(_ end: (Access?) -> (isOver: Bool, detail: String)?) {
        for session in Array(sessions.values) {
            guard let (isOver, detail) = end(session.access) else { continue }
            session.bye(isOver ? .authEnded : .rightsChanged, detail)
        }
    }

    /// Ends every feed and mirror.
    func closeAll(_ code: WebSocketCloseCode) {
        for session in Array(sessions.values) { session.bye(code, "The server stops.") }
    }
}

/// Bytes shared by the sessions of a loop.
final class ByteBufferBox {
    var bytes = ByteBuffer()
}
