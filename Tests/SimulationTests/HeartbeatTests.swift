// A heartbeat with other hashes: the copy is no use any more.
import HoldfastBasics
import HoldfastEngine
import HoldfastRecords
import HoldfastStore
import HoldfastWire
import Testing

@testable import Holdfast

@Suite struct HeartbeatTests {
    @Test("Other hashes at the same seq end the connection: the copy is no use any more")
    func hashes() throws {
        let simulation = try Simulation(seed: 3)
        try simulation.run([])
        let core = simulation.mirrors[0].core
        let (seq, chain, hashes) = core.store.read { reader in
            (reader.confirmedHead, reader.confirmedChain, reader.confirmedHashes)
        }
        var sent = Dictionary(uniqueKeysWithValues: hashes.map { ($0.block, $0.hash) })
        let right = MirrorHead(seq: seq, chain: chain, hashes: sent)
        #expect(try core.received(.head(right)).isEmpty)
        sent[BlockName(tree: Stock.bins)] = Hash128(high: 1, low: 2)
        let head = MirrorHead(seq: seq, chain: chain, hashes: sent)
        let wrong = try core.received(.head(head))
        guard case .end(let mayRetry, _) = wrong.first else {
            Issue.record("it goes on")
            return
        }
        #expect(!mayRetry)
        #expect(core.outbox.fact(MirrorCore.resyncFact) == Array("true".utf8))
        guard case .refused = core.status else {
            Issue.record("\(core.status)")
            return
        }
    }
}
