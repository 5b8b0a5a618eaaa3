import HoldfastBasics
import HoldfastEngine
import Testing

@Suite struct ByteMapTests {
    @Test("The empty map knows nothing, not even the key of no bytes")
    func empty() {
        var map = ByteMap<Int>()
        #expect(map.isEmpty && map[[]] == nil && map[[1]] == nil)
        map[[]] = 3
        #expect(map[[]] == 3 && map.count == 1)
        map[[]] = nil
        #expect(map.isEmpty && map.checkInvariants() == nil)
    }

    @Test("Composed and decomposed letters are two keys, and so are zero bytes at the end")
    func bytes() {
        var map = ByteMap<String>()
        map[Array("caf\u{e9}".utf8)] = "composed"
        map[Array("cafe\u{301}".utf8)] = "decomposed"
        map[[1]] = "one"
        map[[1, 0]] = "one and zero"
        #expect(map.count == 4)
        #expect(map[Array("caf\u{e9}".utf8)] == "composed")
        #expect(map[[1, 0]] == "one and zero")
    }

    @Test("A value is changed in place, from an initial one when the key is new")
    func update() {
        var map = ByteMap<[Int]>()
        for number in 0..<3 {
            let count = [7, 7].withView { key in
                map.update(key, initial: [-1]) { list in
                    list.append(number)
                    return list.count
                }
            }
            #expect(count == number + 2)
        }
        #expect(map[[7, 7]] == [-1, 0, 1, 2])
    }

    @Test(
        "Random insertions and removals leave the map equal to a dictionary",
        arguments: [31, 32, 33, 34] as [UInt64]
    )
    func randomChanges(seed: UInt64) {
        print("ByteMap random changes, seed \(seed)")
        var random = TestRandom(seed: seed)
        var map = ByteMap<UInt64>()
        var model: [[UInt8]: UInt64] = [:]
        func key() -> [UInt8] {
            let number = random.below(2500)
            let tail = [UInt8](repeating: UInt8(number & 3), count: Int(number % 23))
            return tail + [UInt8(number & 255), UInt8(number >> 8)]
        }
        for step in 0..<50_000 {
            let growing = step / 5000 % 2 == 0
            let key = key()
            if random.chance(growing ? 70 : 20) {
                let old = key.withView { map.insert(UInt64(step), for: $0) }
                same(old, model.updateValue(UInt64(step), forKey: key))
            } else {
                let old = key.withView { map.remove($0) }
                same(old, model.removeValue(forKey: key))
            }
            let probe = self.probe(&random)
            same(map[probe], model[probe])
            if step % 1000 == 999 {
                #expect(map.checkInvariants() == nil)
                var all: [[UInt8]: UInt64] = [:]
                map.forEach { all[$0.array] = $1 }
                #expect(all == model && map.count == model.count)
            }
        }
        for key in model.keys { map[key] = nil }
        #expect(map.isEmpty && map.checkInvariants() == nil && map.byteCount < 4096)
    }

    private func probe(_ random: inout TestRandom) -> [UInt8] {
        let number = random.below(2500)
        return [UInt8](repeating: UInt8(number & 3), count: Int(number % 23))
            + [UInt8(number & 255), UInt8(number >> 8)]
    }
}
