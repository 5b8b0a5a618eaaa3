// The cache that is read without a lock: what it keeps, what it lets go of, and when.
import Foundation
import HoldfastBasics
import Synchronization
import Testing

/// Content that knows whether it still lives.
private final class Counted: Sendable {
    /// Those that live, of one test.
    final class Tally: Sendable {
        let live = Atomic<Int>(0)
        var count: Int { live.load(ordering: .sequentiallyConsistent) }
    }

    let number: Int
    private let tally: Tally
    private let isAlive = Atomic<Bool>(true)

    init(_ number: Int, _ tally: Tally) {
        self.number = number
        self.tally = tally
        tally.live.wrappingAdd(1, ordering: .sequentiallyConsistent)
    }

    deinit {
        isAlive.store(false, ordering: .sequentiallyConsistent)
        tally.live.wrappingSubtract(1, ordering: .sequentiallyConsistent)
    }

    /// Nil once it was let go of.
    var checked: Int? { isAlive.load(ordering: .sequentiallyConsistent) ? number : nil }
}

private typealias Cache = SharedCache<Int, Counted>

/// Few different hashes, so that keys stand in one another's way.
private func hash(_ key: Int) -> UInt64 { UInt64(key % 61) &* 0x0400_0000_0000_0003 }

private func object(_ key: Int, _ tally: Counted.Tally, byteCount: Int = 1) -> Cache.Object {
    Cache.Object(
        key: key,
        hash: hash(key),
        content: Counted(key, tally),
        byteCount: byteCount
    )
}

@Suite struct SharedCacheTests {
    @Test("It answers like a dictionary, whatever is put in and taken out", arguments: 0..<8)
    func model(seed: UInt64) {
        let random = SeededRandom(seed: seed)
        let tally = Counted.Tally()
        let cache = Cache(byteCountMax: 1 << 20)
        var model: Set<Int> = []
        for step in 0..<4000 {
            let key = Int(random.next() % 300)
            switch random.next() % 8 {
            case 0..<4:
                #expect(cache.insert(object(key, tally)))
                model.insert(key)
            case 4..<7:
                cache.remove(key, hash(key))
                model.remove(key)
            default:
                if random.next() % 100 == 0 {
                    cache.removeAll()
                    model.removeAll()
                }
            }
            #expect(
                cache.object(key, hash(key))?.content.number == (model.contains(key) ? key : nil)
            )
            if step % 50 == 0 { #expect(cache.checkInvariants() == nil) }
            #expect(cache.usage.count == model.count)
            #expect(tally.count == model.count, "nobody reads: what is let go of is freed at once")
        }
        for key in 0..<300 {
            #expect((cache.object(key, hash(key)) != nil) == model.contains(key))
        }
    }

    @Test("It frees everything with itself, also after it has grown")
    func end() {
        let tally = Counted.Tally()
        do {
            let cache = Cache(byteCountMax: 1 << 30)
            for key in 0..<20_000 { cache.insert(object(key, tally)) }
            #expect(tally.count == 20_000)
            #expect(cache.usage.count == 20_000)
            withExtendedLifetime(cache) {}
        }
        #expect(tally.count == 0)
    }

    @Test("What is lent lives until its reader has ended, and no longer")
    func lent() {
        let tally = Counted.Tally()
        let cache = Cache(byteCountMax: 100)
        cache.insert(object(1, tally))
        let result = cache.lend(1, hash(1)) { lent in
            cache.remove(1, hash(1))
            #expect(cache.object(1, hash(1)) == nil)
            cache.insert(object(1, tally))
            #expect(lent.content.checked == 1)
            cache.removeAll()
            #expect(lent.content.checked == 1)
            #expect(tally.count == 2)
            return lent.key
        }
        #expect(result == 1)
        #expect(tally.count == 0)
        #expect(cache.lend(1, hash(1)) { $0.key } == nil)
    }

    @Test("A reader that holds on to what is let go of cannot make it grow without bounds")
    func bounds() {
        let tally = Counted.Tally()
        let cache = Cache(byteCountMax: 800)
        for key in 0..<80 { #expect(cache.insert(object(key, tally, byteCount: 10))) }
        cache.lend(79, hash(79)) { lent in
            var kept = 0
            for key in 100..<1000 where cache.insert(object(key, tally, byteCount: 10)) {
                kept += 1
            }
            #expect(kept > 0, "an eighth may wait for its readers")
            #expect(tally.count <= 80 + 11)
            #expect(cache.usage.byteCount <= 800)
            #expect(cache.checkInvariants() == nil)
            #expect(lent.content.checked == 79)
        }
        #expect(tally.count == cache.usage.count)
        #expect(cache.insert(object(2000, tally, byteCount: 10)))
        #expect(cache.insert(object(2001, tally, byteCount: 5000)), "one alone may be too large")
        #expect(cache.usage.count == 1)
    }

    @Test("What is read stays when something has to go")
    func secondChance() {
        let tally = Counted.Tally()
        let cache = Cache(byteCountMax: 100)
        for key in 0..<1000 {
            cache.insert(object(key, tally))
            #expect(cache.object(0, hash(0)) != nil)
        }
        #expect(cache.usage.count == 100)
    }

    @Test("Readers beside writers: nobody is lent another's object, or one that is gone")
    func threads() {
        let tally = Counted.Tally()
        let cache = Cache(byteCountMax: 2000)
        let isDone = Atomic<Bool>(false)
        let found = Atomic<Int>(0)
        let wrong = Atomic<Int>(0)
        let group = DispatchGroup()
        for number in 0..<4 {
            let thread = Thread {
                let random = SeededRandom(seed: UInt64(number))
                while !isDone.load(ordering: .acquiring) {
                    let key = Int(random.next() % 3000)
                    let seen = cache.lend(key, hash(key)) { lent in
                        // Longer than a look at it: writers have time to take it away.
                        (0..<20).allSatisfy { _ in lent.content.checked == key && lent.key == key }
                    }
                    if seen == false { wrong.wrappingAdd(1, ordering: .relaxed) }
                    if seen == true { found.wrappingAdd(1, ordering: .relaxed) }
                }
                group.leave()
            }
            group.enter()
            thread.start()
        }
        let random = SeededRandom(seed: 99)
        var step = 0
        while step < 40_000 || (found.load(ordering: .relaxed) < 1000 && step < 4_000_000) {
            let key = Int(random.next() % 3000)
            if random.next() % 3 == 0 {
                cache.remove(key, hash(key))
            } else {
                cache.insert(object(key, tally))
            }
            if step % 5000 == 4999 { cache.removeAll() }
            step += 1
        }
        isDone.store(true, ordering: .releasing)
        group.wait()
        #expect(wrong.load(ordering: .relaxed) == 0)
        #expect(found.load(ordering: .relaxed) >= 1000)
        #expect(cache.checkInvariants() == nil)
        cache.removeAll()
        #expect(tally.count == 0)
    }
}
