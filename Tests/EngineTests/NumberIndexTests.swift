import HoldfastBasics
import HoldfastEngine
import HoldfastRecords
import Testing

@Suite struct NumberIndexTests {
    private typealias Key = SortedModel<UInt64>.Key

    private func keys(
        _ index: NumberIndex,
        _ direction: ScanDirection,
        from start: ScanStart<UInt64> = .edge,
        limit: Int = .max
    ) -> [Key] {
        var result: [Key] = []
        index.scan(direction, from: start) { id, revision, location in
            same(index.location(id, revision: revision), location)
            result.append(Key(id: id, revision: revision))
            return result.count < limit
        }
        return result
    }

    @Test("An empty index answers nothing and walks nowhere")
    func empty() {
        let index = NumberIndex()
        #expect(index.location(1, revision: 0) == nil)
        #expect(index.latest(.max) == nil)
        #expect(index.remove(7, revision: 0) == nil)
        #expect(keys(index, .forwards).isEmpty)
        #expect(keys(index, .backwards, from: .including(5, revision: 0)).isEmpty)
        #expect(index.count == 0 && index.idCount == 0)
        #expect(index.checkInvariants() == nil)
    }

    @Test("The ends of the range of ids and revisions are ids and revisions like others")
    func ends() {
        let index = NumberIndex()
        for id in [1, 63, 64, 4095, 4096, Limits.numberMax] {
            for revision in [0, 1, UInt32.max] {
                #expect(index.set(id, revision: revision, place(id & 0xFFFF)) == nil)
            }
        }
        #expect(index.count == 18 && index.idCount == 6)
        #expect(index.latest(Limits.numberMax)?.revision == .max)
        #expect(keys(index, .forwards).first == Key(id: 1, revision: 0))
        #expect(keys(index, .backwards).first == Key(id: Limits.numberMax, revision: .max))
        #expect(
            keys(index, .forwards, from: .excluding(4096, revision: .max), limit: 1)
                == [Key(id: Limits.numberMax, revision: 0)]
        )
        #expect(
            keys(index, .backwards, from: .excluding(4096, revision: 0), limit: 1)
                == [Key(id: 4095, revision: .max)]
        )
        #expect(keys(index, .forwards, from: .excluding(.max, revision: .max)).isEmpty)
        #expect(keys(index, .backwards, from: .excluding(0, revision: 0)).isEmpty)
        #expect(index.location(Limits.numberMax + 1, revision: 0) == nil)
        #expect(index.checkInvariants() == nil)
    }

    @Test("Setting a record again answers where it stood")
    func again() {
        let index = NumberIndex()
        #expect(index.set(9, revision: 0, place(1)) == nil)
        #expect(index.set(9, revision: 0, place(2)) == place(1))
        #expect(index.set(9, revision: 3, place(3)) == nil)
        #expect(index.set(9, revision: 3, place(4)) == place(3))
        #expect(index.set(9, revision: 0, place(5)) == place(2))
        #expect(index.count == 2 && index.idCount == 1)
        #expect(index.remove(9, revision: 0) == place(5))
        #expect(index.latest(9)?.revision == 3)
        #expect(index.remove(9, revision: 3) == place(4))
        #expect(index.count == 0 && index.idCount == 0)
    }

    @Test("Revisions of one id come in order, both ways, and stop when told")
    func revisions() {
        let index = NumberIndex()
        for revision in [5, 1, 9, 0, 700, 12] as [UInt32] {
            index.set(77, revision: revision, place(UInt64(revision)))
        }
        var seen: [UInt32] = []
        index.forEachRevision(of: 77) { revision, location in
            #expect(location == place(UInt64(revision)))
            seen.append(revision)
            return true
        }
        #expect(seen == [0, 1, 5, 9, 12, 700])
        seen = []
        index.forEachRevision(of: 77, .backwards) { revision, _ in
            seen.append(revision)
            return seen.count < 2
        }
        #expect(seen == [700, 12])
    }

    @Test(
        "Random changes leave the index equal to a sorted model, in lookup and in every walk",
        arguments: [1, 2, 3, 4, 5] as [UInt64]
    )
    func randomChanges(seed: UInt64) {
        print("NumberIndex random changes, seed \(seed)")
        var random = TestRandom(seed: seed)
        let index = NumberIndex()
        var model = SortedModel<UInt64>(idPrecedes: <)
        let bases: [UInt64] = [1, 3000, 1 << 20, 1 << 41, Limits.numberMax - 200]
        func key() -> Key {
            let base = bases[Int(random.below(UInt64(bases.count)))]
            let wide: UInt64 = base < 1 << 40 ? 1500 : 200
            let revision = random.chance(50) ? 0 : UInt32(random.below(random.chance(90) ? 4 : 90))
            return Key(id: base + random.below(wide), revision: revision)
        }
        for step in 0..<40_000 {
            // Growing and shrinking by turns, down to nothing now and then.
            let growing = step / 5000 % 2 == 0
            let key = key()
            if random.chance(growing ? 75 : 15) {
                let location = place(UInt64(step))
                let old = index.set(key.id, revision: key.revision, location)
                same(old, model.set(key, location))
            } else {
                let victim =
                    growing || model.keys.isEmpty
                    ? key : model.keys[Int(random.below(UInt64(model.keys.count)))]
                same(index.remove(victim.id, revision: victim.revision), model.remove(victim))
            }
            let probe = self.probe(&random, model, key)
            same(index.location(probe.id, revision: probe.revision), model.places[probe])
            let latest = model.latest(probe.id)
            same(index.latest(probe.id)?.revision, latest?.revision)
            same(index.latest(probe.id)?.location, latest.flatMap { model.places[$0] })
            if step % 2000 == 1999 {
                #expect(index.checkInvariants() == nil)
                #expect(index.count == model.keys.count)
                #expect(index.idCount == Set(model.keys.map(\.id)).count)
                for start in starts(probe) {
                    for direction in [ScanDirection.forwards, .backwards] {
                        let expected = model.walk(direction, from: start)
                        #expect(keys(index, direction, from: start) == expected)
                        let limit = Int(random.below(9)) + 1
                        let some = keys(index, direction, from: start, limit: limit)
                        #expect(some == Array(expected.prefix(limit)))
                    }
                }
            }
        }
        for key in model.keys {
            same(index.remove(key.id, revision: key.revision), model.places[key])
        }
        #expect(index.count == 0 && index.checkInvariants() == nil)
        #expect(index.byteCount < 4096)
    }

    private func probe(
        _ random: inout TestRandom,
        _ model: SortedModel<UInt64>,
        _ key: Key
    ) -> Key {
        if model.keys.isEmpty || random.chance(30) { return key }
        return model.keys[Int(random.below(UInt64(model.keys.count)))]
    }

    private func starts(_ key: Key) -> [ScanStart<UInt64>] {
        [
            .edge, .including(key.id, revision: key.revision),
            .excluding(key.id, revision: key.revision), .including(key.id + 1, revision: 2),
            .excluding(key.id - 1, revision: .max),
        ]
    }

    @Test("Dense ids cost at most 10 bytes a record, three revisions an id at most 40 each")
    func memory() {
        let dense = NumberIndex()
        for id in 1...200_000 as ClosedRange<UInt64> { dense.set(id, revision: 0, place(id)) }
        #expect(dense.byteCount <= dense.count * 10)
        let versioned = NumberIndex()
        for id in 1...50_000 as ClosedRange<UInt64> {
            for revision in 0..<3 as Range<UInt32> {
                versioned.set(id, revision: revision, place(id))
            }
        }
        #expect(versioned.count == 150_000)
        #expect(versioned.byteCount <= versioned.count * 40)
    }

    @Test("Ranges far apart cost a few small nodes each")
    func sparse() {
        let index = NumberIndex()
        for range in 0..<1000 as Range<UInt64> {
            for id in 0..<10 as Range<UInt64> {
                index.set(1 + range * 10_000_000 + id, revision: 0, place(id))
            }
        }
        #expect(index.byteCount <= 1000 * 2048)
        #expect(index.checkInvariants() == nil)
    }
}
