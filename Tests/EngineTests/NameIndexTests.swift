import HoldfastBasics
import HoldfastEngine
import HoldfastRecords
import Testing

@Suite struct NameIndexTests {
    private typealias Key = SortedModel<[UInt8]>.Key

    private static func precedes(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        a.lexicographicallyPrecedes(b)
    }

    @discardableResult
    private func set(_ index: NameIndex, _ key: Key, _ place: Location) -> Location? {
        key.id.withView { index.set($0, revision: key.revision, place) }
    }

    @discardableResult
    private func remove(_ index: NameIndex, _ key: Key) -> Location? {
        key.id.withView { index.remove($0, revision: key.revision) }
    }

    private func location(_ index: NameIndex, _ key: Key) -> Location? {
        key.id.withView { index.location($0, revision: key.revision) }
    }

    private func keys(
        _ index: NameIndex,
        _ direction: ScanDirection,
        from start: ScanStart<[UInt8]> = .edge,
        prefix: [UInt8] = [],
        limit: Int = .max
    ) -> [Key] {
        var result: [Key] = []
        func walk(_ start: ScanStart<ByteView>) {
            prefix.withView { prefix in
                index.scan(direction, from: start, prefix: prefix) { name, revision, location in
                    same(index.location(name, revision: revision), location)
                    result.append(Key(id: name.array, revision: revision))
                    return result.count < limit
                }
            }
        }
        switch start {
        case .edge: walk(.edge)
        case .including(let id, let revision):
            id.withView { walk(.including($0, revision: revision)) }
        case .excluding(let id, let revision):
            id.withView { walk(.excluding($0, revision: revision)) }
        }
        return result
    }

    @Test("An empty index answers nothing and walks nowhere")
    func empty() {
        let index = NameIndex()
        let key = Key(id: Array("a".utf8), revision: 0)
        #expect(location(index, key) == nil && remove(index, key) == nil)
        #expect(key.id.withView { index.latest($0) } == nil)
        #expect(keys(index, .forwards).isEmpty && keys(index, .backwards).isEmpty)
        #expect(keys(index, .backwards, prefix: [1]).isEmpty)
        #expect(index.count == 0 && index.checkInvariants() == nil)
    }

    @Test("Composed and decomposed letters are two names, in the order of their bytes")
    func normalForms() {
        let index = NameIndex()
        let composed = Key(id: Array("caf\u{e9}".utf8), revision: 0)
        let decomposed = Key(id: Array("cafe\u{301}".utf8), revision: 0)
        #expect(set(index, composed, place(1)) == nil)
        #expect(set(index, decomposed, place(2)) == nil)
        #expect(index.count == 2 && index.nameCount == 2)
        #expect(keys(index, .forwards) == [decomposed, composed])
        #expect(location(index, composed) == place(1))
    }

    @Test("A name that begins another, bytes of zero and the name of no bytes are all distinct")
    func shortNames() {
        let index = NameIndex()
        let names: [[UInt8]] = [
            [], [0], [0, 0], [0, 0, 0, 0, 0], [0, 1], [1], [255], [255, 255],
        ]
        for (number, name) in names.enumerated().reversed() {
            set(index, Key(id: name, revision: 0), place(UInt64(number)))
        }
        #expect(keys(index, .forwards).map(\.id) == names)
        for (number, name) in names.enumerated() {
            #expect(location(index, Key(id: name, revision: 0)) == place(UInt64(number)))
        }
        #expect(keys(index, .backwards, prefix: [255]).map(\.id) == [[255, 255], [255]])
        #expect(keys(index, .forwards, prefix: [0, 0]).count == 2)
        #expect(index.checkInvariants() == nil)
    }

    @Test("The longest names fill nodes of every size in use")
    func longestNames() {
        let index = NameIndex()
        var names: [[UInt8]] = []
        for number in 0..<200 {
            var name = [UInt8](repeating: UInt8(ascii: "x"), count: Limits.nameByteCountMax)
            name[number % 512] = UInt8(number % 256)
            name[511] = UInt8(number)
            names.append(name)
            set(index, Key(id: name, revision: 7), place(UInt64(number)))
            #expect(index.checkInvariants() == nil)
        }
        #expect(keys(index, .forwards).map(\.id) == names.sorted(by: Self.precedes))
        for name in names { remove(index, Key(id: name, revision: 7)) }
        #expect(index.count == 0 && index.checkInvariants() == nil)
    }

    @Test("Revisions of one name fill many nodes, and the latest is found at their end")
    func revisions() {
        let index = NameIndex(nodeByteCountMax: 256)
        let name = Array("resistor".utf8)
        for revision in (0..<500 as Range<UInt32>).reversed() {
            set(index, Key(id: name, revision: revision * 2), place(UInt64(revision)))
        }
        for other in ["resisto", "resistor ", "resistos"] {
            set(index, Key(id: Array(other.utf8), revision: 1), place(0))
        }
        #expect(index.nameCount == 4 && index.count == 503 && index.checkInvariants() == nil)
        #expect(name.withView { index.latest($0)?.revision } == 998)
        var seen: [UInt32] = []
        name.withView { name in
            index.forEachRevision(of: name, .backwards) { revision, _ in
                seen.append(revision)
                return seen.count < 3
            }
            index.forEachRevision(of: name) { revision, _ in
                seen.append(revision)
                return true
            }
        }
        #expect(Array(seen.prefix(4)) == [998, 996, 994, 0] && seen.count == 503)
    }

    private static func name(_ random: inout TestRandom, _ longest: UInt64) -> [UInt8] {
        switch random.below(4) {
        case 0:  // few letters, so that names begin one another
            return (0..<random.below(6)).map { _ in [0, 1, 97, 255][Int(random.below(4))] }
        case 1:  // one long beginning shared by many
            return Array("part/0603/".utf8) + Array(String(random.below(700)).utf8)
        case 2:  // lengths of every kind
            let count = random.below(longest + 1)
            return [UInt8](repeating: UInt8(97 + random.below(2)), count: Int(count))
        default:
            return Array(String(random.below(5000)).utf8)
        }
    }

    @Test(
        "Random changes leave the index equal to a sorted model, in lookup and in every walk",
        arguments: [(41, 256), (42, 256), (43, 300), (44, 512), (45, 1024), (46, 4096)]
            as [(UInt64, Int)]
    )
    func randomChanges(seed: UInt64, nodeByteCountMax: Int) {
        print("NameIndex random changes, seed \(seed), nodes of \(nodeByteCountMax) bytes")
        var random = TestRandom(seed: seed)
        let index = NameIndex(nodeByteCountMax: nodeByteCountMax)
        let longest = min(512, UInt64(nodeByteCountMax - 36) / 4 - 20)
        var model = SortedModel<[UInt8]>(idPrecedes: Self.precedes)
        for step in 0..<36_000 {
            let growing = step / 4000 % 2 == 0
            let revision = random.chance(60) ? 0 : UInt32(random.below(5))
            let key = Key(id: Self.name(&random, longest), revision: revision)
            if random.chance(growing ? 80 : 12) {
                same(set(index, key, place(UInt64(step))), model.set(key, place(UInt64(step))))
            } else {
                let any = growing || model.keys.isEmpty
                let victim = any ? key : model.keys[Int(random.below(UInt64(model.keys.count)))]
                same(remove(index, victim), model.remove(victim))
            }
            let probe =
                model.keys.isEmpty || random.chance(30)
                ? key : model.keys[Int(random.below(UInt64(model.keys.count)))]
            same(location(index, probe), model.places[probe])
            let latest = model.latest(probe.id)
            same(probe.id.withView { index.latest($0)?.revision }, latest?.revision)
            if step % 250 == 0 { #expect(index.checkInvariants() == nil) }
            if step % 2000 == 1999 {
                #expect(index.count == model.keys.count)
                #expect(index.nameCount == Set(model.keys.map(\.id)).count)
                compareWalks(index, model, probe, &random)
            }
        }
        for key in model.keys.shuffled(using: &random) {
            same(remove(index, key), model.places[key])
        }
        #expect(index.count == 0 && index.nameCount == 0 && index.checkInvariants() == nil)
        #expect(index.byteCount < 16_384)
    }

    private func compareWalks(
        _ index: NameIndex,
        _ model: SortedModel<[UInt8]>,
        _ probe: Key,
        _ random: inout TestRandom
    ) {
        let starts: [ScanStart<[UInt8]>] = [
            .edge, .including(probe.id, revision: probe.revision),
            .excluding(probe.id, revision: probe.revision),
            .including(probe.id + [97], revision: 0), .excluding(probe.id, revision: .max),
            .including(Array(probe.id.dropLast()), revision: 3),
        ]
        let part = Int(random.below(UInt64(probe.id.count) + 1))
        let prefixes: [[UInt8]] = [
            [], Array(probe.id.prefix(part)), Array("part/".utf8), [255], [255, 255],
        ]
        for start in starts {
            for direction in [ScanDirection.forwards, .backwards] {
                let all = model.walk(direction, from: start)
                for prefix in prefixes {
                    let expected = all.filter { $0.id.starts(with: prefix) }
                    #expect(keys(index, direction, from: start, prefix: prefix) == expected)
                }
                let limit = Int(random.below(40)) + 1
                let some = keys(index, direction, from: start, limit: limit)
                #expect(some == Array(all.prefix(limit)))
            }
        }
    }

    @Test(
        "A record costs at most 64 bytes and its name, in whichever order names come",
        arguments: [8, 20, 100, 512]
    )
    func memory(nameByteCount: Int) {
        for order in 0..<3 {
            let index = NameIndex()
            let count = 5000
            var random = TestRandom(seed: 47)
            var numbers = Array(0..<count)
            if order == 1 { numbers.reverse() }
            if order == 2 { numbers.shuffle(using: &random) }
            for number in numbers {
                let digits = String(100_000 + number)
                // The longest names differ early; long shared beginnings cost separators.
                let shared = nameByteCount > 100 ? 20 : nameByteCount - 6
                let name =
                    [UInt8](repeating: 120, count: shared) + Array(digits.utf8)
                    + [UInt8](repeating: 121, count: nameByteCount - shared - 6)
                set(index, Key(id: name, revision: 0), place(UInt64(number)))
            }
            #expect(index.byteCount <= count * (64 + nameByteCount))
            #expect(index.checkInvariants() == nil)
        }
    }

    @Test("A node's block never outgrows what it holds for long: removals give memory back")
    func shrinks() {
        let index = NameIndex()
        for number in 0..<10_000 {
            let key = Key(id: Array(String(number).utf8), revision: 0)
            set(index, key, place(UInt64(number)))
        }
        let full = index.byteCount
        for number in 0..<10_000 where number % 10 != 0 {
            remove(index, Key(id: Array(String(number).utf8), revision: 0))
        }
        #expect(index.count == 1000 && index.checkInvariants() == nil)
        #expect(index.byteCount < full / 5)
    }
}
