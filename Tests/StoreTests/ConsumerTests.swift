// Whoever keeps something derived from the state is told of every step of it.
import HoldfastBasics
import HoldfastEngine
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

@Suite struct ConsumerTests {
    /// Records by key, kept up to date from touched keys alone.
    final class Follower: Sendable {
        private let lines = Lock<[Touched: String]>([:])

        init(_ store: Store) {
            store.attach { reader, touched in
                self.lines.withLock { lines in
                    for one in touched ?? [] { lines[one] = Self.line(reader, one) }
                }
            }
        }

        private static func line(_ reader: StoreReader, _ touched: Touched) -> String? {
            guard let tree = reader.state.tree(touched.tree),
                let location = reader.state.location(tree, touched.key)
            else { return nil }
            return reader.withEffect(at: location) { effect, commit in
                effect.isSet ? "\(commit.seq) \(effect.state) \(effect.value.text)" : nil
            }
        }

        /// Compares what was gathered with a scan of everything.
        func check(_ store: Store) throws {
            let expected = store.read { reader in
                var all: [Touched: String] = [:]
                for tree in reader.state.allTrees {
                    _ = reader.state.scan(
                        tree,
                        after: nil,
                        prefix: nil,
                        .all,
                        at: .max,
                        entryCountMax: .max
                    ) { key, _ in
                        let one = Touched(tree: tree.name, key: key)
                        all[one] = Self.line(reader, one)
                        return true
                    }
                }
                return all
            }
            let found = lines.withLock { $0 }
            guard found == expected else {
                let other = Set(found.keys).union(expected.keys).filter {
                    found[$0] != expected[$0]
                }
                let first = other.first.map {
                    "\($0): \(found[$0] ?? "-"), not \(expected[$0] ?? "-")"
                }
                throw Disagreement("gathered from touched keys: \(first ?? "")")
            }
        }
    }

    @Test("A consumer that reads touched keys alone knows every record after every step")
    func follows() throws {
        try Seed.each(Seed.count(usually: 4)) { seed, random in
            let bench = try StoreBench(seed: seed)
            let follower = Follower(bench.store)
            let life = try StockLife(bench, seed: seed)
            for step in 1...600 {
                try life.step()
                if random.oneIn(10) { bench.sync() }
                if step % 20 == 0 { try follower.check(bench.store) }
            }
            try follower.check(bench.store)
        }
    }

    @Test("A failed sync tells of every key whose commits were taken back")
    func failedSync() throws {
        try Seed.each(Seed.count(usually: 8)) { seed, _ in
            let disk = SimulatedDisk(seed: seed)
            let bench = try StoreBench(disk, seed: seed)
            let follower = Follower(bench.store)
            let life = try StockLife(bench, seed: seed)
            for _ in 0..<100 { try life.step() }
            bench.sync()
            for _ in 0..<60 { try life.step() }
            let head = bench.store.read { $0.state.head }
            disk.fail(SimulatedDisk.Fault(.write))
            bench.sync()
            let progress = bench.store.progress
            #expect(progress.failure != nil && progress.durable < head)
            try follower.check(bench.store)
        }
    }
}
