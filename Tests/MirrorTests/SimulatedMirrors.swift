// A server and mirrors of it without sockets, threads or clocks of their own: every step is the
// test's, everything comes of one seed.
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastRecords
import HoldfastServer
import HoldfastStore
import HoldfastTestSupport
import HoldfastWire

@testable import Holdfast

/// One way of a simulated connection.
final class Pipe: MirrorOutput {
    var messages: [[UInt8]] = []
    var code: UInt16?
    var hasRoom: Bool { messages.count < 20 }
    var isDrained: Bool { messages.isEmpty }
    func send(_ message: ByteView) { messages.append(message.array) }
    func end(_ code: UInt16) { self.code = code }
}

/// A server's store, crashed and opened again as a test says.
final class SimulatedServer {
    private(set) var disk: SimulatedDisk
    private(set) var store: Store
    let time: FakeTime
    let random: SeededRandom

    init(seed: UInt64) throws {
        time = FakeTime()
        random = SeededRandom(seed: seed)
        disk = SimulatedDisk(seed: seed)
        let bench = try StoreBench(disk, seed: seed, time: time)
        for definition in StockModel.definitions { bench.submit([definition]) }
        bench.sync()
        store = bench.store
    }

    func crash() throws {
        disk = disk.crash(seed: random.next())
        store = try MirrorBench.open(disk, time, random)
    }
}

/// A mirror's process: killed and started again as a test says.
final class SimulatedMirror {
    let server: SimulatedServer
    let identity: MirrorIdentity
    let random: SeededRandom
    private(set) var disk: SimulatedDisk
    private(set) var outboxDisk: SimulatedDisk
    private(set) var core: MirrorCore
    private(set) var peer: MirrorPeer?
    private var down = Pipe()
    private var up: [[UInt8]] = []
    /// Changes that were kept: an outcome of each must be known in the end.
    private(set) var kept: [UniqueID] = []
    /// Ids that were given out.
    private(set) var numbers: [TreeName: [UInt64]] = [:]
    private(set) var accepted: Set<UniqueID> = []
    private(set) var stranded: Set<UniqueID> = []
    private(set) var ends: [String] = []

    init(_ server: SimulatedServer, device: String, seed: UInt64) throws {
        self.server = server
        random = SeededRandom(seed: seed)
        disk = SimulatedDisk(seed: seed)
        outboxDisk = SimulatedDisk(seed: seed &+ 1)
        identity = MirrorIdentity(
            databaseID: server.store.identity.databaseID,
            application: server.store.identity.application,
            epoch: server.store.identity.epoch,
            device: device,
            user: "user-\(device)",
            app: "test",
            appVersion: "1"
        )
        try Store.create(
            following: server.store.identity,
            on: disk,
            options: StoreBench.small,
            random: random
        )
        core = try Self.open(disk, outboxDisk, identity, server.time, random)
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
            outbox: try Outbox(
                disk: outboxDisk,
                options: StoreBench.small,
                time: time,
                random: random,
                logger: StoreBench.silent
            ),
            identity: identity,
            time: time,
            random: random
        )
    }

    // MARK: Life and death

    /// Loses everything that was not synced.
    func crash() throws {
        cut()
        disk = disk.crash(seed: random.next())
        outboxDisk = outboxDisk.crash(seed: random.next())
        core = try Self.open(disk, outboxDisk, identity, server.time, random)
    }

    func connect() {
        guard peer == nil else { return }
        down = Pipe()
        up = []
        peer = MirrorPeer(
            store: server.store,
            caller: nil,
            heartbeatSeconds: 15,
            time: server.time,
            logger: StoreBench.silent,
            output: down
        )
        perform(core.connected())
    }

    /// What is on its way is lost.
    func cut() {
        guard let peer else { return }
        peer.closed()
        self.peer = nil
        up = []
        perform(core.disconnected(nil))
    }

    // MARK: Messages

    private func perform(_ actions: [MirrorAction]) {
        for action in actions {
            switch action {
            case .send(let message):
                var buffer = ByteBuffer()
                message.append(to: &buffer)
                up.append(buffer.array)
                // A resend that crosses the answer must change nothing.
                if case .change = message, random.oneIn(8) { up.append(buffer.array) }
            case .accepted(let id, _): accepted.insert(id)
            case .stranded(let bundle): stranded.formUnion(bundle.changes.map(\.id))
            case .end(_, let detail):
                ends.append(detail)
                cut()
                return
            case .answered, .caughtUp, .statusChanged: break
            }
        }
    }

    /// Brings one message each way, when there is one.
    ///
    /// - Returns: Whether anything was brought.
    @discardableResult
    func deliver() throws -> Bool {
        guard let peer else { return false }
        var hasMoved = false
        if !up.isEmpty {
            up.removeFirst().withView(peer.received)
            hasMoved = true
        }
        if !down.messages.isEmpty {
            let message = try down.messages.removeFirst().withView { try MirrorDown($0) }
            perform(try core.received(message))
            hasMoved = true
        } else if down.code != nil {
            cut()
        }
        return hasMoved
    }

    func beat() { peer?.beat() }

    /// The server synced.
    func synced(_ progress: Progress) {
        peer?.synced(progress)
        peer?.advance(server.store.logReader())
    }

    /// The mirror's own sync thread has its turn.
    func syncOwn() throws {
        core.store.syncStep()
        perform(try core.synced())
    }

    // MARK: Writing

    /// Proposes a random change.
    func write() throws {
        guard let operation = try operation() else { return }
        let id = UniqueID.version7(milliseconds: server.time.wallMilliseconds(), random: random)
        var change = Change(
            id: id,
            madeAt: server.time.wallMilliseconds(),
            operations: [operation]
        )
        change.requires = change.dependencies
        if case .kept(let change, _) = try core.propose(change) {
            kept.append(change.id)
            perform(core.proposed())
        }
    }

    private func operation() throws -> Operation? {
        let value = Array(Part(number: "n\(random.below(40))", stock: random.below(9)).json.utf8)
        let tree = StockModel.trees[random.below(3)]
        guard random.oneIn(2), let found = anyRecord(tree) else {
            var key = RecordKey(name: "f\(random.below(30))")
            if tree != StockModel.footprints {
                guard let number = try core.nextNumber(tree) else { return nil }
                numbers[tree, default: []].append(number)
                key = RecordKey(number: number)
            }
            return .put(WriteOperation(tree: tree, key: key, expects: .absent, value: value))
        }
        if random.oneIn(6) {
            return .delete(
                RecordOperation(
                    tree: tree,
                    key: found.key,
                    expects: found.expects,
                    borrow: found.borrow
                )
            )
        }
        return .put(
            WriteOperation(
                tree: tree,
                key: found.key,
                expects: found.expects,
                borrow: found.borrow,
                value: value
            )
        )
    }

    private func anyRecord(
        _ name: TreeName
    ) -> (key: RecordKey, expects: HoldfastRecords.Expectation, borrow: UniqueID?)? {
        core.store.read { reader in
            guard let tree = reader.state.tree(name) else { return nil }
            var all: [(RecordKey, Location)] = []
            _ = reader.state.scan(
                tree,
                after: nil,
                prefix: nil,
                .all,
                at: .max,
                entryCountMax: .max
            ) {
                all.append(($0, $1))
                return true
            }
            guard !all.isEmpty else { return nil }
            let (key, location) = all[random.below(all.count)]
            let holder = tree.holder(of: key)
            let borrow = holder?.device == identity.device ? holder?.id : nil
            return reader.withEffect(at: location) { _, commit in
                let isPending = reader.isPending(location)
                let version = reader.state.position(of: commit.seq)
                return (key, isPending ? .change(commit.changeID) : .version(version), borrow)
            }
        }
    }
}
