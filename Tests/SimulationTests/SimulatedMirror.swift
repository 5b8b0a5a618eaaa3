// A mirror of a simulation: its core and disks, and the connection `MirrorConnection` keeps for it.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastRecords
import HoldfastServer
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import HoldfastWire

@testable import Holdfast

/// A mirror's process: killed and started again as the simulation says.
final class SimulatedMirror {
    private static let firstSilenceMilliseconds: UInt64 = 30_000

    /// An outbox as its first opening leaves it.
    private static let outboxTemplate = Result { () -> SimulatedDisk in
        let disk = SimulatedDisk(seed: 2)
        try outbox(disk, FakeTime(), SeededRandom(seed: 2)).close()
        return disk
    }

    let server: SimulatedServer
    let network: FakeNetwork
    let identity: MirrorIdentity
    let random: SeededRandom
    let tally: Tally
    let trace: Trace
    private(set) var disk: SimulatedDisk
    private(set) var outboxDisk: SimulatedDisk
    private(set) var core: MirrorCore
    private(set) var link: FakeLink?
    var ledger = MirrorLedger()
    /// Borrows its user asked for.
    var taken: Set<UniqueID> = []
    private var backoff = Backoff()
    /// When the next attempt to connect is made; nil while there is a link.
    private var connectAt: UInt64? = 0
    /// Until when the machine has no network.
    private var unpluggedUntil: UInt64 = 0
    private var silenceMilliseconds = SimulatedMirror.firstSilenceMilliseconds
    private var heardAt: UInt64 = 0
    private var syncAt: UInt64?
    /// The copy that is being made of the server's snapshot.
    private var renewal: SimulatedRenewal?
    /// Where its parts are, when the process that fetched them ended.
    private var incoming: SimulatedDisk?
    /// When the next of its requests is made; nil while there is no link for it.
    private var fetchAt: UInt64?
    /// Whether the outbox's disk fails soon.
    private(set) var isDiskLimited = false

    init(
        _ server: SimulatedServer,
        device: String,
        trees: Set<TreeName>?,
        disks: (disk: SimulatedDisk, outbox: SimulatedDisk)?,
        seed: UInt64,
        trace: Trace
    ) throws {
        self.server = server
        self.trace = trace
        network = server.network
        tally = server.tally
        random = SeededRandom(seed: seed)
        let database = try SimulatedServer.identity()
        identity = MirrorIdentity(
            databaseID: database.databaseID,
            application: database.application,
            epoch: database.epoch,
            device: device,
            user: "user-\(device)",
            app: "test",
            appVersion: "1",
            trees: trees
        )
        if let disks {
            disk = disks.disk.copy()
            outboxDisk = disks.outbox.copy()
        } else {
            disk = SimulatedDisk(seed: seed)
            outboxDisk = try Self.outboxTemplate.get().copy()
            try Store.create(
                following: database,
                trees: trees,
                on: disk,
                options: StoreBench.small,
                random: random
            )
        }
        core = try Self.open(disk, outboxDisk, identity, server.time, random)
    }

    private static func outbox(
        _ disk: SimulatedDisk,
        _ time: FakeTime,
        _ random: SeededRandom
    ) throws -> Outbox {
        try Outbox(
            disk: disk,
            options: OutboxOptions(log: StoreBench.small),
            time: time,
            random: random,
            logger: StoreBench.silent
        )
    }

    private static func open(
        _ disk: SimulatedDisk,
        _ outboxDisk: SimulatedDisk,
        _ identity: MirrorIdentity,
        _ time: FakeTime,
        _ random: SeededRandom
    ) throws -> MirrorCore {
        MirrorCore(
            store: try MirrorBench.open(disk, time, random),
            outbox: try outbox(outboxDisk, time, random),
            identity: identity,
            time: time,
            random: random
        )
    }

    // MARK: The connection

    private func connect() throws {
        connectAt = nil
        guard server.isUp, network.now >= unpluggedUntil else {
            retry()
            return
        }
        let document = server.document
        guard !SimulatedRenewal.isWanted(core.store, by: document) else {
            return try beginRenewal(document)
        }
        try open()
    }

    /// Speaks to the server, from where its log and the copy are the same.
    private func open() throws {
        let link = network.connect()
        self.link = link
        heardAt = network.now
        silenceMilliseconds = Self.firstSilenceMilliseconds
        tally.count("connections")
        server.accept(link)
        try perform(core.connected())
    }

    // MARK: Another copy

    private func beginRenewal(_ document: ServerDocument) throws {
        if let renewal {
            renewal.restart(document)
        } else {
            renewal = try SimulatedRenewal(
                document,
                identity.trees,
                on: incoming ?? SimulatedDisk(seed: random.next()),
                beside: disk
            )
            incoming = renewal?.disk
        }
        tally.count("snapshots asked for")
        trace.note("\(identity.device) asks for the snapshot")
        try perform(core.fetching(document.head.seq))
        fetchAt = network.now + UInt64(random.within(1...40))
    }

    /// Makes one request, or loses the link it would go by.
    private func goOnFetching() throws {
        fetchAt = nil
        guard let renewal else { return }
        var isCut = !server.isUp || network.now < unpluggedUntil || random.oneIn(20)
        var isWhole = false
        if !isCut {
            do {
                isWhole = try renewal.step(server)
            } catch SnapshotError.gone {
                // Another one took its place.
                isCut = true
            }
        }
        guard !isCut else {
            tally.count("snapshots cut off")
            try perform(core.disconnected(nil))
            return retry()
        }
        guard isWhole else {
            fetchAt = network.now + UInt64(random.within(1...40))
            return
        }
        let copy = try renewal.finish(for: core.store, server.time, random)
        core.store.replace(with: copy)
        disk = renewal.disk
        (self.renewal, incoming) = (nil, nil)
        tally.count("copies replaced")
        trace.note("\(identity.device) goes on from commit \(core.confirmedHead)")
        try perform(renewed())
        if !core.outbox.pending.isEmpty { tally.count("copies replaced under pending changes") }
        try checkShown()
        try checkHashes()
        try checkWhereabouts()
        try open()
    }

    private func renewed() throws -> [MirrorAction] {
        do throws(MirrorError) {
            return try core.renewed()
        } catch {
            throw ProcessDeath(reason: "\(error)")
        }
    }

    private func retry() { connectAt = network.now + UInt64(backoff.next(random)) }

    /// The link ended, or is ended here.
    private func ended(_ end: LinkEnd) throws {
        link = nil
        guard !end.needsNewCopy, end.mayRetry || end == .closed else {
            throw Disagreement("\(identity.device): \(end.detail)")
        }
        try perform(core.disconnected(nil))
        retry()
    }

    /// Something came down a link.
    func received(_ arrival: FakeNetwork.Arrival, on link: FakeLink) throws {
        guard link === self.link else { return }
        heardAt = network.now
        guard case .message(let bytes) = arrival else {
            try ended(.lost)
            return
        }
        if let trees = identity.trees, Stock.isMarked(bytes) {
            throw Disagreement("a mirror of \(trees) hears of others: \(bytes[0])")
        }
        let message = try bytes.withView { try MirrorDown($0) }
        trace.note("\(identity.device) gets \(message.summary)")
        switch message {
        case .bye(let bye):
            link.closeByMirror()
            try ended(.bye(code: bye.code, detail: bye.detail))
            return
        case .welcome(let welcome):
            backoff = Backoff()
            silenceMilliseconds = UInt64(welcome.heartbeatSeconds * 2000)
        default: break
        }
        let pending = core.outbox.pending
        try perform(take(message))
        if case .refused(let refused) = message {
            try checkStranding(refused.change.id, of: pending)
        }
        if case .commits = message {
            try checkHashes()
            for status in core.store.pending {
                if case .contested = status.showing { tally.count("contested after commits") }
            }
        }
        noteWork()
    }

    /// Takes a message; a disk that fails ends the process.
    private func take(_ message: MirrorDown) throws -> [MirrorAction] {
        do throws(MirrorError) {
            return try core.received(message)
        } catch {
            throw ProcessDeath(reason: "\(error)")
        }
    }

    func perform(_ actions: [MirrorAction]) throws {
        for action in actions {
            switch action {
            case .send(let message):
                var buffer = ByteBuffer()
                message.append(to: &buffer)
                link?.sendUp(buffer.array)
                // A resend that crosses the answer must change nothing.
                if case .change = message, random.oneIn(10) {
                    link?.sendUp(buffer.array)
                    tally.count("changes sent twice")
                }
            case .accepted(let id, let position):
                guard position.seq <= server.store.progress.durable else {
                    throw Disagreement("\(id) is accepted at \(position.seq), before it is durable")
                }
                try ledger.accept(id, position)
                tally.count("accepted")
            case .upload(let digest, _):
                throw Disagreement("\(digest) was never attached")
            case .stranded(let bundle):
                try ledger.strand(bundle)
                tally.count("stranded bundles")
                tally.count("stranded changes", bundle.changes.count)
            case .answered(_, let answer):
                let isRefused = if case .refused = answer { true } else { false }
                tally.count(isRefused ? "requests refused" : "requests accepted")
            case .end(let mayRetry, let detail):
                guard mayRetry else { throw Disagreement("\(identity.device): \(detail)") }
                link?.closeByMirror()
                try ended(.closed)
                return
            case .caughtUp, .statusChanged: break
            }
        }
    }

    // MARK: Timers

    /// When something is due next.
    var nextDue: UInt64 {
        var due = min(connectAt ?? .max, syncAt ?? .max, fetchAt ?? .max)
        if link != nil { due = min(due, heardAt + silenceMilliseconds) }
        return due
    }

    /// Does what is due.
    func runDue() throws {
        let now = network.now
        if let at = syncAt, at <= now {
            syncAt = nil
            core.store.syncStep()
            core.store.roomStep()
            try perform(synced())
            try checkSettled()
        }
        if link != nil, heardAt + silenceMilliseconds <= now {
            tally.count("silent links ended")
            link?.closeByMirror()
            try ended(.silent)
        }
        if let at = connectAt, at <= now { try connect() }
        if let at = fetchAt, at <= now { try goOnFetching() }
    }

    private func synced() throws -> [MirrorAction] {
        do throws(MirrorError) {
            return try core.synced()
        } catch {
            throw ProcessDeath(reason: "\(error)")
        }
    }

    /// The copy's sync thread comes when there is something to sync.
    private func noteWork() {
        guard syncAt == nil, core.store.read({ $0.confirmedHead }) > core.store.progress.durable
        else { return }
        syncAt = network.now + UInt64(random.below(60))
    }

    // MARK: Faults

    func cut() { link?.cut() }

    func makeHalfOpen() { link?.makeHalfOpen() }

    func stall(milliseconds: UInt64) { link?.stall(milliseconds: milliseconds) }

    /// The network is away for a while; the mirror notices at once.
    func unplug(milliseconds: UInt64) throws {
        unpluggedUntil = network.now + milliseconds
        guard let link else { return }
        link.makeHalfOpen()
        try ended(.lost)
    }

    /// The network is back, and the next attempt is made soon.
    func plugIn() {
        unpluggedUntil = 0
        if connectAt != nil { connectAt = network.now }
    }

    /// Lets the outbox's disk fail after some operations: the process ends in the middle of one.
    func limitDisk() {
        outboxDisk.halt(afterOperations: random.below(6))
        isDiskLimited = true
    }

    /// Ends the process and begins another.
    func die(isPowerCut: Bool) throws {
        tally.count(isPowerCut ? "mirror: power" : "mirror: kill")
        trace.note("\(identity.device) dies")
        if let link {
            if isPowerCut { link.makeHalfOpen() } else { link.closeByMirror() }
        }
        link = nil
        disk = isPowerCut ? disk.crash(seed: random.next()) : disk.copy()
        outboxDisk = isPowerCut ? outboxDisk.crash(seed: random.next()) : outboxDisk.copy()
        if isPowerCut, let left = incoming { incoming = left.crash(seed: random.next()) }
        (renewal, fetchAt) = (nil, nil)
        core = try Self.open(disk, outboxDisk, identity, server.time, random)
        syncAt = nil
        isDiskLimited = false
        backoff = Backoff()
        connectAt = network.now + UInt64(random.below(3000))
        ledger.reopened(core.outbox)
        try checkWhereabouts()
        try checkSettled()
    }
}

/// The disk failed in the middle of something: the process ends.
struct ProcessDeath: Error {
    let reason: String
}

extension MirrorDown {
    /// A few words for a trace.
    var summary: String {
        switch self {
        case .welcome(let welcome): "welcome at \(welcome.head.seq)"
        case .commits(let contents):
            "\(contents.count) commits to \(contents.last.map(TestMirror.seq) ?? 0)"
        case .head(let head): "head \(head.seq)"
        case .accepted(let answer): "accepted \(answer.change.id) at \(answer.position.seq)"
        case .refused(let answer):
            "refused \(answer.change.id) \(answer.problem.refusal.code.rawValue)"
        case .bye(let bye): "bye \(bye.code)"
        case .unknown(let kind): "kind \(kind)"
        }
    }
}
