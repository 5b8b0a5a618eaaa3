// One run of a seed: a server and three mirrors, users, faults, and time.
//
// Every step draws from a generator of its own, so that a run with steps left out makes the same
// choices in the others.
import HoldfastBasics
import HoldfastEngine
import HoldfastRecords
import HoldfastStore
import HoldfastTestSupport
import HoldfastWire

@testable import Holdfast

/// A server, three mirrors, a program that speaks REST, and a network that fails them.
final class Simulation {
    /// What the third mirror holds; nil for everything.
    static let chosenTrees: Set<TreeName>? = Stock.chosen

    /// The disks of a simulation in which nothing was done yet but the first syncs.
    private struct Beginning {
        let server: SimulatedDisk
        let mirrors: [(disk: SimulatedDisk, outbox: SimulatedDisk)]
    }

    private static let beginning = Result { () -> Beginning in
        let simulation = try Simulation(seed: 8)
        try simulation.run([])
        return Beginning(
            server: simulation.server.disk.copy(),
            mirrors: simulation.mirrors.map { ($0.disk.copy(), $0.outboxDisk.copy()) }
        )
    }
    private static let direct = Caller(user: "rest", device: "rest-1", app: "script")

    let seed: UInt64
    let time = FakeTime()
    let network: FakeNetwork
    let server: SimulatedServer
    let mirrors: [SimulatedMirror]
    let known = KnownKeys()
    let given = GivenNumbers()
    let tally: Tally
    let trace: Trace
    private var resendable: [(change: Change, seq: UInt64)] = []

    init(seed: UInt64, tally: Tally = Tally(), isTraced: Bool = false) throws {
        self.seed = seed
        self.tally = tally
        trace = Trace(isOn: isTraced)
        network = FakeNetwork(seed: seed &* 7 &+ 1, time: time)
        // Every eighth seed begins with empty mirrors.
        let beginning = seed % 8 == 0 ? nil : try Self.beginning.get()
        server = try SimulatedServer(
            seed: seed &* 7 &+ 2,
            disk: beginning?.server,
            time: time,
            network: network,
            tally: tally
        )
        let (server, trace) = (server, trace)
        mirrors = try (1...3).map { number in
            try SimulatedMirror(
                server,
                device: "d-\(number)",
                trees: number == 3 ? Self.chosenTrees : nil,
                disks: beginning?.mirrors[number - 1],
                seed: seed &* 70 &+ UInt64(number),
                trace: trace
            )
        }
    }

    // MARK: A run

    /// Runs the steps of a seed, lets everything come to rest, and checks what came of it.
    ///
    /// - Parameter steps: Which steps; those that are missing are left out.
    /// - Throws: `Disagreement`.
    func run(_ steps: [Int]) throws {
        try pass(milliseconds: 400)
        for step in steps {
            trace.note("-- step \(step) at \(network.now)")
            let random = SeededRandom(seed: seed &* 1_000_003 &+ UInt64(step) &* 17)
            try self.step(random)
            try pass(milliseconds: gap(random))
        }
        try settle()
        try checkEnd()
    }

    private func gap(_ random: SeededRandom) -> UInt64 {
        // Long enough for a grant to lapse.
        if !server.auditor.granted.isEmpty, random.oneIn(6) { return 130_000 }
        return switch random.below(40) {
        case 0: UInt64(random.within(5000...70_000))
        case 1...6: UInt64(random.within(500...5000))
        case 7...20: UInt64(random.within(30...300))
        default: UInt64(random.below(30))
        }
    }

    private func step(_ random: SeededRandom) throws {
        // Whoever is served mostly says so soon.
        let granted = server.auditor.granted
        for mirror in mirrors where granted.contains(mirror.identity.device) && random.oneIn(2) {
            try living(mirror) { try mirror.ask(known, random) }
        }
        let mirror = mirrors[random.below(mirrors.count)]
        switch random.below(100) {
        case 0..<40: try write(mirror, random)
        case 40..<44: for _ in 0..<random.within(3...8) { try write(mirror, random) }
        case 44..<54: try living(mirror) { try mirror.ask(known, random) }
        case 54..<66: try writeDirectly(random)
        case 66..<70: mirror.cut()
        case 70..<72: mirror.makeHalfOpen()
        case 72..<75: mirror.stall(milliseconds: UInt64(random.within(100...90_000)))
        case 75..<79: try mirror.unplug(milliseconds: UInt64(random.within(100...20_000)))
        case 79..<81: mirror.plugIn()
        case 81..<86: try kill(mirror, random)
        case 86..<88: try killServer(random)
        case 88..<94: try lookAfterStranded(mirror, random)
        case 94..<96:
            // Everybody sleeps; what is due comes late.
            time.advance(milliseconds: Int64(random.within(1000...200_000)))
        case 96:
            // Somebody sets a clock; time-based rules wait after a jump of more than an hour.
            let now = time.wallMilliseconds()
            time.set(wallMilliseconds: now + Int64(random.within(-5_000_000...5_000_000)))
        case 97: try compact(mirror, random)
        default: try living(mirror) { try mirror.checkShown() }
        }
    }

    /// The server compacts, mostly while a mirror is away that has not all of what goes.
    private func compact(_ mirror: SimulatedMirror, _ random: SeededRandom) throws {
        guard server.isUp else { return }
        if !random.oneIn(4) {
            try mirror.unplug(milliseconds: UInt64(random.within(3000...20_000)))
            for _ in 0..<random.below(4) { try write(mirror, random) }
            // Enough for a segment to go.
            for _ in 0..<random.within(10...60) {
                try writeDirectly(random)
                if random.oneIn(8) { try pass(milliseconds: 10) }
            }
        }
        do {
            try server.compact(failingAfter: random.oneIn(4) ? random.below(60) : nil)
        } catch is StoreError {
            tally.count("server: in the middle of a compaction")
            try server.die(.power, downMilliseconds: 0)
        }
    }

    private func write(_ mirror: SimulatedMirror, _ random: SeededRandom) throws {
        try living(mirror) { try mirror.write(known, given, random) }
    }

    /// Whoever has stranded changes looks after them; otherwise somebody writes.
    private func lookAfterStranded(_ mirror: SimulatedMirror, _ random: SeededRandom) throws {
        guard let owner = mirrors.first(where: { !$0.core.outbox.stranded.isEmpty }) else {
            try write(mirror, random)
            return
        }
        try living(owner) { try owner.lookAfterStranded(random) }
    }

    /// A process whose disk fails ends, and begins again.
    private func living(_ mirror: SimulatedMirror, _ body: () throws -> Void) throws {
        do {
            try body()
        } catch is ProcessDeath {
            tally.count("mirror: in the middle of a write")
            try mirror.die(isPowerCut: true)
        }
    }

    private func kill(_ mirror: SimulatedMirror, _ random: SeededRandom) throws {
        switch random.below(3) {
        case 0: try mirror.die(isPowerCut: false)
        case 1: try mirror.die(isPowerCut: true)
        default: mirror.limitDisk()
        }
    }

    private func killServer(_ random: SeededRandom) throws {
        let all = SimulatedServer.Death.allCases
        let death = all[random.below(all.count)]
        trace.note("the server dies: \(death)")
        let down = random.oneIn(2) ? 0 : UInt64(random.below(8000))
        try server.die(death, downMilliseconds: down)
    }

    // MARK: Time

    /// Lets time pass, and everything happen that is due, in order.
    func pass(milliseconds: UInt64) throws {
        let end = network.now + milliseconds
        while true {
            var due = min(server.nextDue, network.nextArrival ?? .max)
            for mirror in mirrors { due = min(due, mirror.nextDue) }
            guard due <= end else { break }
            if due > network.now { time.advance(milliseconds: Int64(due - network.now)) }
            while let (link, isUp, arrival) = network.takeDue() {
                try deliver(arrival, link, isUp: isUp)
            }
            try server.runDue()
            for mirror in mirrors where mirror.nextDue <= network.now {
                try living(mirror) { try mirror.runDue() }
            }
        }
        if end > network.now { time.advance(milliseconds: Int64(end - network.now)) }
    }

    private func deliver(_ arrival: FakeNetwork.Arrival, _ link: FakeLink, isUp: Bool) throws {
        tally.count("messages")
        if isUp {
            try server.received(arrival, on: link)
            return
        }
        if let mirror = mirrors.first(where: { $0.link === link }) {
            try living(mirror) { try mirror.received(arrival, on: link) }
        }
        server.drained(link)
    }

    // MARK: A program without a mirror

    private func writeDirectly(_ random: SeededRandom) throws {
        guard server.isUp else { return }
        if random.oneIn(10), let old = resendable.last {
            guard case .replayed(let position, _) = server.submit(old.change, by: Self.direct),
                position.seq == old.seq
            else { throw Disagreement("\(old.change.id) sent again is not answered again") }
            tally.count("direct changes sent again")
            return
        }
        let tree = Stock.trees[random.below(Stock.trees.count)]
        guard let operation = directOperation(tree, random) else { return }
        let change = Change(
            id: .version7(milliseconds: time.wallMilliseconds(), random: server.random),
            why: Stock.why([operation]),
            operations: [operation]
        )
        let submission = server.submit(change, by: Self.direct)
        trace.note("directly \(change.summary): at \(submission.position.seq)")
        tally.count("direct changes")
        guard case .accepted(let position, let results) = submission else { return }
        tally.count("direct changes accepted")
        for case .created(let tree, let key) in results { known.add(tree, key) }
        // A server that dies may forget what it has not answered.
        resendable =
            server.acknowledged.last.map { last in
                resendable.filter { $0.change.id == last.id }
            } ?? []
        resendable.append((change, position.seq))
    }

    private func directOperation(
        _ tree: TreeName,
        _ random: SeededRandom
    ) -> HoldfastRecords.Operation? {
        let isNumbered = tree == Stock.parts || tree == Stock.bins
        let key = known.any(tree, random)
        let (expects, holder): (HoldfastRecords.Expectation?, BorrowRecord?) =
            server.store.read { reader in
                guard let key, let state = reader.state.tree(tree),
                    let location = reader.state.location(state, key)
                else { return (nil, nil) }
                let version = reader.withEffect(at: location) { $1.seq }
                return (.version(reader.state.position(of: version)), state.holder(of: key))
            }
        let own = holder?.device == Self.direct.device ? holder?.id : nil
        let choice = random.below(10)
        guard choice >= 3, let key else {
            return .put(
                WriteOperation(
                    tree: tree,
                    key: isNumbered ? nil : Stock.name(tree, random),
                    expects: .absent,
                    value: Stock.value(tree, reference: known.any(Stock.parts, random), random)
                )
            )
        }
        let target = RecordOperation(tree: tree, key: key, expects: expects, borrow: own)
        switch choice {
        case 3: return .delete(target)
        case 4: return tree == Stock.parts ? .release(target, number: 1) : nil
        case 5, 6:
            if let own { return .return(own) }
            let id = UniqueID.version7(
                milliseconds: time.wallMilliseconds(),
                random: server.random
            )
            return .borrow(
                BorrowOperation(
                    tree: tree,
                    key: key,
                    borrow: id,
                    note: Stock.chosen.contains(tree) ? "" : Stock.mark,
                    queue: true
                )
            )
        default:
            return .put(
                WriteOperation(
                    tree: tree,
                    key: key,
                    expects: expects,
                    borrow: own,
                    value: Stock.value(tree, random)
                )
            )
        }
    }

    // MARK: Rest

    private var isQuiet: Bool {
        let head = server.store.read { $0.state.head }
        guard server.store.progress.durable == head else { return false }
        return mirrors.allSatisfy { mirror in
            mirror.core.status == .live && mirror.core.isIdle && mirror.core.confirmedHead == head
                && server.auditor.borrows(of: mirror.identity.device).isEmpty
        }
    }

    /// Nothing fails any more: everybody gives back what he has, and all come to rest.
    private func settle() throws {
        trace.note("-- nothing fails any more, at \(network.now)")
        for mirror in mirrors where mirror.isDiskLimited { try mirror.die(isPowerCut: true) }
        // Whoever has stranded changes looks after them, or leaves them.
        let random = SeededRandom(seed: seed &* 13)
        for mirror in mirrors where random.oneIn(2) {
            for _ in mirror.core.outbox.stranded { try mirror.lookAfterStranded(random) }
        }
        for _ in 0..<60 {
            for mirror in mirrors {
                mirror.plugIn()
                try living(mirror) { try mirror.giveBackAll() }
            }
            try pass(milliseconds: 5000)
            if isQuiet { break }
        }
        guard isQuiet else {
            throw Disagreement("it never comes to rest: \(mirrors.map(\.standing))")
        }
        // More heartbeats, with hashes at this position, until nothing is confirmed any more.
        for _ in 0..<6 {
            let head = server.auditor.head
            try pass(milliseconds: SimulatedServer.heartbeatMilliseconds + 1000)
            if head == server.auditor.head, isQuiet { return }
        }
        throw Disagreement("it does not stay at rest: \(mirrors.map(\.standing))")
    }
}
