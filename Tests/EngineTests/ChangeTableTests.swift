import HoldfastBasics
import HoldfastEngine
import Testing

@Suite struct ChangeTableTests {
    private func id(_ number: UInt64) -> UniqueID {
        // Ids that differ in few bits only, as a hostile or lazy client makes them.
        UniqueID(high: number & 7, low: (number >> 3) << 40)
    }

    @Test("The empty table knows nothing")
    func empty() {
        var table = ChangeTable()
        #expect(table[.none] == nil && table.count == 0)
        let removed = table.remove(id(4))
        #expect(removed == nil && table.checkInvariants() == nil)
    }

    @Test("Every id may be kept, the one of zeros too, and every word but the last")
    func ends() {
        var table = ChangeTable(segmentBits: 1)
        let ids = [UniqueID.none, UniqueID(high: .max, low: .max), UniqueID(high: 0, low: 1)]
        for (index, id) in ids.enumerated() { table.insert(.max - 1 - UInt64(index), for: id) }
        let largest = UInt64.max - 1
        for (index, id) in ids.enumerated() { #expect(table[id] == largest - UInt64(index)) }
        let old = table.insert(0, for: .none)
        #expect(old == largest)
        #expect(table[.none] == 0 && table.count == 3)
    }

    @Test(
        "Random insertions and removals leave the table equal to a dictionary",
        arguments: [21, 22, 23, 24] as [UInt64],
        [1, 4]
    )
    func randomChanges(seed: UInt64, segmentBits: Int) {
        print("ChangeTable random changes, seed \(seed), segment bits \(segmentBits)")
        var random = TestRandom(seed: seed)
        var table = ChangeTable(segmentBits: segmentBits)
        var model: [UniqueID: UInt64] = [:]
        for step in 0..<30_000 {
            let growing = step / 3000 % 2 == 0
            let id = id(random.below(3000))
            if random.chance(growing ? 70 : 20) {
                let old = table.insert(UInt64(step), for: id)
                same(old, model.updateValue(UInt64(step), forKey: id))
            } else {
                let old = table.remove(id)
                same(old, model.removeValue(forKey: id))
            }
            let probe = self.id(random.below(3000))
            same(table[probe], model[probe])
            if step % 1000 == 999 {
                #expect(table.checkInvariants() == nil)
                var all: [UniqueID: UInt64] = [:]
                table.forEach { all[$0] = $1 }
                #expect(all == model && table.count == model.count)
            }
        }
        for id in model.keys { table.remove(id) }
        #expect(table.count == 0 && table.checkInvariants() == nil)
    }

    @Test("Many at once come to the same as one after the other", arguments: [1, 5, 8])
    func together(segmentBits: Int) {
        var random = TestRandom(seed: 26)
        var (table, model) = (ChangeTable(segmentBits: segmentBits), [UniqueID: UInt64]())
        for count in [0, 1, 7, 4000, 300] {
            // Some come twice, in one batch and in another.
            let entries = (0..<count).map { (id: id(random.below(5000)), offset: UInt64($0)) }
            table.insert(entries)
            for entry in entries { model[entry.id] = entry.offset }
            #expect(table.checkInvariants() == nil)
            #expect(table.count == model.count)
            for (id, offset) in model { same(table[id], offset) }
        }
    }

    @Test("An entry costs at most 34 bytes on average over the sizes a table passes through")
    func memory() {
        var random = TestRandom(seed: 25)
        var table = ChangeTable(segmentBits: 4)
        var samples: [Double] = []
        var next = 10_000.0
        while table.count < 100_000 {
            table.insert(1, for: UniqueID(high: random.next(), low: random.next()))
            if Double(table.count) >= next {
                samples.append(Double(table.byteCount) / Double(table.count))
                next *= 1.02
            }
        }
        #expect(samples.reduce(0, +) / Double(samples.count) <= 34)
        #expect(table.checkInvariants() == nil)
    }
}
