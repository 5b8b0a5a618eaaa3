// The server of a simulation: a store on a simulated disk, the peers of its mirrors, and the timers
// that `Server` keeps for them.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastRecords
import HoldfastServer
import HoldfastStore
import HoldfastTestSupport
import HoldfastWire

/// A server's process: it ends and begins again as the simulation says.
final class SimulatedServer {
    static let heartbeatMilliseconds: UInt64 = 15_000
    static let stallMilliseconds: UInt64 = 60_000
    private static let tickMilliseconds: UInt64 = 5000
    private static let partSizes = PartSizes(least: 600, most: 4096, mask: 3)

    /// One connection, as `MirrorSession` owns it.
    final class Session: MirrorOutput {
        let link: FakeLink
        var peer: MirrorPeer?
        var beatAt: UInt64
        /// Since when bytes wait that nobody reads.
        var unreadSince: UInt64?
        private let onRefusal: (UniqueID) -> Void

        init(_ link: FakeLink, beatAt: UInt64, onRefusal: @escaping (UniqueID) -> Void) {
            self.link = link
            self.beatAt = beatAt
            self.onRefusal = onRefusal
        }

        var hasRoom: Bool { link.hasRoom }
        var isDrained: Bool { link.isDrained }
        func end(_ code: UInt16) { link.end(code) }

        func send(_ message: ByteView) {
            link.send(message)
            guard message[0] == 0x85 else { return }
            if case .refused(let answer) = try? MirrorDown(message) { onRefusal(answer.change.id) }
        }
    }

    private static let template = Result { () -> (SimulatedDisk, Identity) in
        let disk = SimulatedDisk(seed: 1)
        let bench = try StoreBench(disk, seed: 1)
        for definition in Stock.definitions { bench.submit([definition]) }
        try bench.store.close()
        return (disk, bench.store.identity)
    }

    /// The database every simulation begins with.
    static func identity() throws -> Identity { try template.get().1 }

    let time: FakeTime
    let network: FakeNetwork
    let random: SeededRandom
    private(set) var disk: SimulatedDisk
    private(set) var store: Store
    private(set) var sessions: [Session] = []
    /// Changes that were refused once.
    private var refused: Set<UniqueID> = []
    private(set) var auditor = LogAuditor()
    /// Set hashes after commits, where they were seen.
    private(set) var hashes: [UInt64: [(block: BlockName, hash: Hash128)]] = [:]
    /// Changes of direct writers that were answered, with their commits.
    private(set) var acknowledged: [(id: UniqueID, seq: UInt64)] = []
    private var unanswered: [(id: UniqueID, seq: UInt64)] = []
    private var syncAt: UInt64?
    private var tickAt: UInt64 = 0
    /// The process is down until then.
    private var downUntil: UInt64 = 0
    let tally: Tally

    /// Starts on a copy of a disk, or of one with the trees declared and nothing else.
    init(
        seed: UInt64,
        disk: SimulatedDisk?,
        time: FakeTime,
        network: FakeNetwork,
        tally: Tally
    ) throws {
        self.time = time
        self.network = network
        self.tally = tally
        random = SeededRandom(seed: seed)
        self.disk = try (disk ?? Self.template.get().0).copy()
        store = try MirrorBench.open(self.disk, time, random)
        try auditor.audit(store.logReader())
        tickAt = network.now + Self.tickMilliseconds
    }

    var isUp: Bool { network.now >= downUntil }

    // MARK: Connections

    /// A mirror's link is open.
    func accept(_ link: FakeLink) {
        let beatAt = network.now + Self.heartbeatMilliseconds
        let session = Session(link, beatAt: beatAt) { [unowned self] in refused.insert($0) }
        session.peer = MirrorPeer(
            store: store,
            caller: nil,
            heartbeatSeconds: Double(Self.heartbeatMilliseconds) / 1000,
            time: time,
            logger: StoreBench.silent,
            output: session
        )
        sessions.append(session)
    }

    /// Something came up a link.
    func received(_ arrival: FakeNetwork.Arrival, on link: FakeLink) throws {
        guard let session = sessions.first(where: { $0.link === link }) else { return }
        switch arrival {
        case .message(let bytes):
            bytes.withView { session.peer?.received($0) }
            noteWork()
        case .end:
            sessions.removeAll { $0 === session }
            session.peer?.closed()
            noteWork()
        }
    }

    /// A mirror took a message off its link: there may be room now.
    func drained(_ link: FakeLink) {
        guard let session = sessions.first(where: { $0.link === link }) else { return }
        session.unreadSince = link.hasUnread ? network.now : nil
        let reader = store.logReader()
        if session.peer?.isBehind(reader) ?? false { session.peer?.advance(reader) }
    }

    private func endStalled(_ session: Session) {
        session.peer?.bye(MirrorEnd.stalled, "Nothing was read for too long.")
        sessions.removeAll { $0 === session }
        tally.count("stalled connections ended")
        noteWork()
    }

    // MARK: Timers

    /// When something is due next.
    var nextDue: UInt64 {
        var due = min(syncAt ?? .max, tickAt)
        for session in sessions {
            due = min(due, session.beatAt)
            if let since = session.unreadSince { due = min(due, since + Self.stallMilliseconds) }
        }
        return due
    }

    /// Does what is due.
    func runDue() throws {
        let now = network.now
        if let at = syncAt, at <= now { try sync() }
        if tickAt <= now {
            tickAt = now + Self.tickMilliseconds
            store.tick()
            noteWork()
        }
        for session in sessions {
            if let since = session.unreadSince, since + Self.stallMilliseconds <= now {
                endStalled(session)
            } else if session.beatAt <= now {
                session.beatAt = now + Self.heartbeatMilliseconds
                session.peer?.beat()
                noteUnread(session)
                noteWork()
            }
        }
    }

    private func noteUnread(_ session: Session) {
        guard session.link.hasUnread else { return }
        session.unreadSince = session.unreadSince ?? network.now
    }

    /// Notes what stands, and lets the sync thread come when there is something to sync.
    func noteWork() {
        let head = store.read { reader in
            if hashes[reader.state.head] == nil { hashes[reader.state.head] = reader.state.hashes }
            return reader.state.head
        }
        guard syncAt == nil, head > store.progress.durable, store.progress.failure == nil else {
            return
        }
        syncAt = network.now + UInt64(random.below(8))
    }

    private func sync() throws {
        syncAt = nil
        store.syncStep()
        store.roomStep()
        try auditor.audit(store.logReader(), refused: refused)
        let progress = store.progress
        unanswered.removeAll { change in
            guard change.seq <= progress.durable else { return false }
            acknowledged.append(change)
            return true
        }
        let reader = store.logReader()
        for session in sessions {
            session.peer?.synced(progress)
            session.peer?.advance(reader)
            noteUnread(session)
        }
        noteWork()
    }

    // MARK: Direct writers

    /// Takes a change of a program that speaks to the server itself.
    func submit(_ change: Change, by caller: Caller) -> Submission {
        let submission = store.submit(change, by: caller)
        if case .accepted(let position, _) = submission {
            unanswered.append((change.id, position.seq))
        }
        noteWork()
        return submission
    }

    // MARK: Compacting

    /// Writes a snapshot and drops the log before it.
    ///
    /// - Parameter limit: The disk fails after so many operations; nil never.
    /// - Throws: What compacting throws: the process is to end then.
    func compact(failingAfter limit: Int? = nil) throws {
        // What goes was audited.
        if store.progress.failure == nil { try sync() }
        if let limit { disk.halt(afterOperations: limit) }
        let done = try store.compact(sizes: Self.partSizes)
        tally.count(done?.isHeld == false ? "compactions" : "compactions held")
        noteWork()
    }

    // MARK: Death

    /// How a process ends.
    enum Death: CaseIterable {
        /// Killed: what it wrote is on the disk.
        case kill
        /// The machine loses power: what was not synced may be lost, torn or reordered.
        case power
        /// The disk fails in the middle of a sync, answers go out, then the power is cut.
        case failedSync
    }

    /// Ends the process and begins another, which is there after a while.
    func die(_ death: Death, downMilliseconds: UInt64) throws {
        tally.count("server: \(death)")
        if death == .failedSync {
            disk.halt(afterOperations: random.below(4))
            store.tick()
            try sync()
        }
        for session in sessions {
            if death == .kill || random.oneIn(3) {
                session.link.closeByServer(nil)
            } else {
                session.link.makeHalfOpen()
            }
        }
        sessions = []
        disk = death == .kill ? disk.copy() : disk.crash(seed: random.next())
        store = try MirrorBench.open(disk, time, random)
        syncAt = nil
        unanswered = []
        downUntil = network.now + downMilliseconds
        let head = store.read { $0.state.head }
        hashes = hashes.filter { $0.key <= head }
        try auditor.audit(store.logReader(), refused: refused)
        noteWork()
    }

    /// Answers to direct writers stand in the log where they were said to.
    func checkAcknowledged() throws {
        for (id, seq) in acknowledged where auditor.seqs[id] != seq {
            throw Disagreement("change \(id) was acknowledged as \(seq) and is not there")
        }
    }

    /// The last durable commit and its chain, which stands for the whole history.
    var end: String { "\(auditor.head) \(auditor.chain)" }

    /// Every commit the log has.
    func contents() throws -> [[UInt8]] {
        try store.contents(from: store.read { $0.oldest.seq } + 1)
    }
}
