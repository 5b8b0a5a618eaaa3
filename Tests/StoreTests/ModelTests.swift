// Thousands of random changes, right ones and mistakes, against a model that shares no code.
import Foundation
import HoldfastBasics
import HoldfastRecords
import HoldfastStore
import HoldfastTestSupport
import Testing

@Suite struct ModelTests {
    /// Changes of each seed; HOLDFAST_SEEDS asks for more seeds than the usual 8.
    private static let stepCount = 2500

    @Test("Every answer of a store is the model's, and so is what it holds, now and opened again")
    func agreement() throws {
        var answers: [String: Int] = [:]
        try Seed.each(Seed.count(usually: 8)) { seed, random in
            let bench = try StoreBench(seed: seed)
            let life = try StockLife(bench, seed: seed)
            for step in 1...Self.stepCount {
                try life.step()
                if random.oneIn(10) { bench.sync() }
                if step % 500 == 0 { try life.model.compare(with: bench.store) }
            }
            bench.sync()
            try bench.store.compareWithFreshFold()
            try bench.reopen()
            try life.model.compare(with: bench.store)
            try bench.store.compareWithFreshFold()
            for _ in 0..<100 { try life.step() }
            answers.merge(life.answers) { $0 + $1 }
        }
        guard Seed.chosen == nil else { return }
        // The rare paths were met.
        let wanted: [RefusalCode] = [
            .exists, .idTaken, .outsideRange, .stale, .preconditionRequired, .borrowed,
            .borrowEnded, .borrowMismatch, .unknownBorrow, .released, .notReleased, .badState,
            .unique, .invalidField, .notFound, .deleted, .badKey, .idempotencyMismatch,
        ]
        let missing = (wanted.map(\.rawValue) + ["accepted", "unchanged", "replayed", "lapsed"])
            .filter { answers[$0] == nil }
        #expect(missing.isEmpty, "\(answers)")
        #expect(answers["accepted", default: 0] > 5000, "\(answers)")
    }

    @Test("A pinned position reads as it stood, whatever is changed, deleted and made anew since")
    func pins() throws {
        try Seed.each(Seed.count(usually: 4)) { seed, random in
            let bench = try StoreBench(seed: seed)
            let life = try StockLife(bench, seed: seed)
            var pins: [(pin: Pin, lines: [String])] = []
            life.beforeTick = { for (pin, _) in pins { _ = bench.store.touch(pin) } }
            for step in 1...2000 {
                try life.step()
                if random.oneIn(10) { bench.sync() }
                if step % 250 == 0 {
                    bench.sync()
                    pins.append((try bench.store.pin(), life.model.recordLines))
                    #expect(bench.store.pinCount == pins.count)
                }
            }
            for (pin, lines) in pins {
                let found = bench.store.recordLines(at: pin.position.seq, pageCount: 7)
                try compare(found, lines, "a pinned reading with the model at \(pin.position.seq)")
                bench.store.unpin(pin)
            }
            #expect(bench.store.pinCount == 0)
        }
    }

    @Test("A reader goes on page by page at its pin while others write")
    func pagesWhileWriting() throws {
        let bench = try StoreBench()
        let life = try StockLife(bench, seed: 77)
        for _ in 0..<1500 { try life.step() }
        bench.sync()
        let pin = try bench.store.pin()
        let expected = life.model.recordLines
        var found: [String] = []
        for name in StockModel.trees.sorted() {
            var next: RecordKey?
            repeat {
                next = bench.store.read { reader in
                    reader.page(
                        name,
                        after: next,
                        at: pin.position.seq,
                        entryCountMax: 3,
                        into: &found
                    )
                }
                for _ in 0..<20 { try life.step() }
                if bench.random.oneIn(3) { bench.sync() }
            } while next != nil
        }
        try compare(found, expected, "pages at a pin with the model")
        #expect(life.model.recordLines != expected)
    }

    @Test("The same seed twice gives identical log bytes, through openings and ends too")
    func deterministic() throws {
        func run() throws -> [String: [UInt8]] {
            let disk = SimulatedDisk(seed: 5)
            let bench = try StoreBench(disk, seed: 5)
            let life = try StockLife(bench, seed: 5)
            for step in 1...1200 {
                try life.step()
                if step % 7 == 0 { bench.sync() }
                if step % 400 == 0 { try bench.reopen() }
            }
            try bench.store.close()
            return Dictionary(uniqueKeysWithValues: disk.paths.map { ($0, disk.bytes($0) ?? []) })
        }
        let first = try run()
        #expect(first.count > 10)
        let isSame = try run() == first
        #expect(isSame)
    }
}
