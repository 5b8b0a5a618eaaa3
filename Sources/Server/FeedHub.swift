// The live feeds and mirrors of one loop.
//
// A feed is a cursor on the durable log, never a queue: a client that reads slowly costs its output
// buffer and nothing else, and gets every commit when it reads on. New commits are encoded once per
// loop for all clients that want the same of them (`FeedWindow`).
//
// Invariant: whoever is not among those who are `owed` was given all that was durable at the last
// call of `advance`, or asks for it once its output has drained.
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
    private let shared: SharedServer
    private let loop: EventLoop
    private var sessions: [ObjectIdentifier: any LogFollower] = [:]
    /// Mirrors with answers that wait for the store to sync.
    private var waiting: [ObjectIdentifier: MirrorSession] = [:]
    private var windows: [FeedWindow.Wish: FeedWindow] = [:]
    /// Heartbeats of the last commit they were made for.
    private var heads: (seq: UInt64, byFilter: [CommitFilter: ByteBufferBox]) = (0, [:])
    /// Clients who may lack commits, and those who were given them, each in the order of their
    /// turns; they keep nobody alive.
    private var owed: [ObjectIdentifier] = []
    private var told: [ObjectIdentifier] = []
    /// How many clients may be told by now.
    private var turns = 0.0
    private var turnsCountedAt: UInt64 = 0
    private var isScheduled = false

    /// How long it takes until each client has its turn again while commits come fast: as many
    /// milliseconds as twenties of them, from 1 to 3.5.
    ///
    /// What a delivery costs is its send(2): on a fast disk, where every few commits are a sync of
    /// their own, a send for each sync would cost twice as much. Few clients cost little and are
    /// told sooner. A commit that comes alone waits for nothing.
    private var roundMilliseconds: Double { min(max(Double(sessions.count) / 20, 1), 3.5) }

    /// How many clients are given commits before others on the loop get their turn: each takes a
    /// send(2), and thousands of them would hold up every request for as long.
    private static let sliceCountMax = 128
    /// How many turns are waited for, as a wake-up for each would cost more than it is sooner.
    private static let sliceCountMin = 50

    init(shared: SharedServer, loop: EventLoop) {
        self.shared = shared
        self.loop = loop
    }

    var count: Int { sessions.count }

    func add(_ session: any LogFollower) {
        let id = ObjectIdentifier(session)
        if sessions.updateValue(session, forKey: id) == nil { told.append(id) }
    }

    /// - Returns: Whether it was there.
    func remove(_ session: any LogFollower) -> Bool {
        let id = ObjectIdentifier(session)
        waiting[id] = nil
        guard sessions.removeValue(forKey: id) != nil else { return false }
        if let place = owed.firstIndex(of: id) {
            owed.remove(at: place)
        } else if let place = told.firstIndex(of: id) {
            told.remove(at: place)
        }
        return true
    }

    /// Has a mirror told of the next sync at once, however fast commits come.
    func awaitSync(_ session: MirrorSession) { waiting[ObjectIdentifier(session)] = session }

    /// The store synced, or failed to: answers leave.
    func answer(_ progress: Progress) {
        guard !waiting.isEmpty else { return }
        for (id, session) in waiting where !session.synced(progress) { waiting[id] = nil }
    }

    /// New commits are durable: everybody who keeps up gets them, in turn.
    ///
    /// While commits come fast, turns come evenly over a round: all at once would keep the loop
    /// from requests, and those who are told last waiting for the others.
    func advance() {
        guard !sessions.isEmpty else { return }
        owed.append(contentsOf: told)
        told.removeAll(keepingCapacity: true)
        if !isScheduled { takeTurns() }
    }

    /// Gives those whose turn it is what is durable now.
    private func takeTurns() {
        let now = loop.nowNanoseconds
        let turnsEachMillisecond = Double(sessions.count) / roundMilliseconds
        let passed = Double(now - turnsCountedAt) / 1e6
        turns = min(turns + passed * turnsEachMillisecond, Double(sessions.count))
        turnsCountedAt = now
        let ready = Array(owed.prefix(min(Int(turns), Self.sliceCountMax)))
        owed.removeFirst(ready.count)
        told.append(contentsOf: ready)
        turns -= Double(ready.count)
        let reader = shared.store.logReader()
        for id in ready { sessions[id]?.advance(reader, hub: self) }
        guard !owed.isEmpty else {
            for window in windows.values { window.clear() }
            return
        }
        isScheduled = true
        let missing = max(Double(min(owed.count, Self.sliceCountMin)) - turns, 0)
        let milliseconds = Int((missing / turnsEachMillisecond).rounded(.up))
        loop.schedule(afterMilliseconds: milliseconds) {
            self.isScheduled = false
            self.takeTurns()
        }
    }

    // MARK: Messages

    /// The messages of all who wish the same; whoever takes it hands it back.
    func window(_ wish: FeedWindow.Wish) -> FeedWindow {
        let window = windows[wish] ?? FeedWindow(wish, shared.store)
        window.userCount += 1
        windows[wish] = window
        return window
    }

    /// A client does not use it any more.
    func handBack(_ window: FeedWindow) {
        window.userCount -= 1
        if window.userCount == 0 { windows[window.wish] = nil }
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
