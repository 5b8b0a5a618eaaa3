// Three mirrors and a server through cuts, crashes and resends: nothing kept is lost or done twice.
import HoldfastBasics
import HoldfastEngine
import HoldfastRecords
import HoldfastStore
import HoldfastTestSupport
import HoldfastWire
import Testing

@testable import Holdfast

@Suite struct SimulationTests {
    /// One run of a seed.
    private final class World {
        let server: SimulatedServer
        var mirrors: [SimulatedMirror] = []
        let random: SeededRandom

        init(seed: UInt64) throws {
            server = try SimulatedServer(seed: seed)
            random = SeededRandom(seed: seed &+ 77)
            for number in 1...3 {
                let own = seed &* 10 &+ UInt64(number)
                mirrors.append(try SimulatedMirror(server, device: "d-\(number)", seed: own))
            }
        }

        func step() throws {
            let mirror = mirrors[random.below(mirrors.count)]
            switch random.below(40) {
            case 0: mirror.cut()
            case 1: if random.oneIn(3) { try mirror.crash() }
            case 2: if random.oneIn(6) { try crashServer() }
            case 3: mirror.beat()
            case 4: server.time.advance(milliseconds: Int64(random.below(5000)))
            case 5...8: mirror.connect()
            case 9...14: syncServer()
            case 15...18: try mirror.syncOwn()
            case 19...25: try mirror.write()
            default: try mirror.deliver()
            }
        }

        func syncServer() {
            server.store.syncStep()
            for mirror in mirrors { mirror.synced(server.store.progress) }
        }

        private func crashServer() throws {
            for mirror in mirrors { mirror.cut() }
            try server.crash()
        }

        /// Everything is connected and runs until nothing moves any more.
        func settle() throws {
            for _ in 0..<20_000 {
                for mirror in mirrors { mirror.connect() }
                syncServer()
                var hasMoved = false
                for mirror in mirrors {
                    hasMoved = try mirror.deliver() || hasMoved
                    try mirror.syncOwn()
                }
                let isBusy = server.store.progress.durable < server.store.read { $0.state.head }
                if !hasMoved, !isBusy { return }
            }
            throw Disagreement("it never comes to rest")
        }

        func check() throws {
            let head = server.store.read { $0.state.head }
            let hashes = server.store.read { $0.state.hashes.map { "\($0.block) \($0.hash)" } }
            var numbers: Set<String> = []
            for mirror in mirrors {
                let store = mirror.core.store
                guard mirror.core.status == .live else {
                    throw Disagreement("\(mirror.core.status), \(mirror.ends)")
                }
                let (mine, own) = store.read { reader in
                    (reader.confirmedHead, reader.confirmedHashes.map { "\($0.block) \($0.hash)" })
                }
                guard mine == head else { throw Disagreement("\(mine) of \(head)") }
                try compare(own, hashes, "hashes with the server's")
                guard mirror.core.outbox.pending.isEmpty, store.pending.isEmpty else {
                    throw Disagreement("\(mirror.core.outbox.pending.count) changes still pend")
                }
                let bundles = mirror.core.outbox.stranded.flatMap { $0.changes.map(\.id) }
                for id in mirror.kept {
                    let isAccepted =
                        server.store.read { $0.state.frameOffset(ofChange: id) } != nil
                    let count = bundles.count { $0 == id }
                    // A change that asked for what stood already leaves no commit.
                    guard count + (isAccepted || mirror.accepted.contains(id) ? 1 : 0) == 1 else {
                        throw Disagreement("\(id): accepted \(isAccepted), stranded \(count)")
                    }
                }
                for (tree, given) in mirror.numbers {
                    for number in given where !numbers.insert("\(tree) \(number)").inserted {
                        throw Disagreement("id \(number) of \(tree) was given out twice")
                    }
                }
                let holds = mirror.core.outbox.holds
                guard holds.isEmpty else { throw Disagreement("\(holds.count) holds are kept") }
            }
        }
    }

    @Test("Other hashes at the same seq end the connection: the copy is no use any more")
    func heartbeat() throws {
        let world = try World(seed: 3)
        try world.settle()
        let mirror = world.mirrors[0]
        let (seq, chain, hashes) = mirror.core.store.read { reader in
            (reader.confirmedHead, reader.confirmedChain, reader.confirmedHashes)
        }
        var sent = Dictionary(uniqueKeysWithValues: hashes.map { ($0.block, $0.hash) })
        let right = MirrorHead(seq: seq, chain: chain, hashes: sent)
        #expect(try mirror.core.received(.head(right)).isEmpty)
        sent[BlockName(tree: StockModel.bins)] = Hash128(high: 1, low: 2)
        let head = MirrorHead(seq: seq, chain: chain, hashes: sent)
        let wrong = try mirror.core.received(.head(head))
        guard case .end(let mayRetry, _) = wrong.first else {
            Issue.record("it goes on")
            return
        }
        #expect(!mayRetry)
        #expect(mirror.core.outbox.fact(MirrorCore.resyncFact) == Array("true".utf8))
        guard case .refused = mirror.core.status else {
            Issue.record("\(mirror.core.status)")
            return
        }
    }

    @Test("Nothing that was kept is lost or done twice, whatever is cut, killed or sent again")
    func everything() throws {
        var (kept, stranded) = (0, 0)
        try Seed.each(Seed.count(usually: 10)) { seed, random in
            let world = try World(seed: seed)
            for _ in 0..<1500 { try world.step() }
            try world.settle()
            try world.check()
            kept += world.mirrors.reduce(0) { $0 + $1.kept.count }
            stranded += world.mirrors.reduce(0) { $0 + $1.stranded.count }
        }
        #expect(kept > 200 && stranded > 10, "kept \(kept), stranded \(stranded)")
    }
}
