// Pauses between attempts to connect.
import HoldfastBasics
import Testing

@testable import Holdfast

@Suite struct BackoffTests {
    @Test("Pauses double up to the longest, less a random half, and begin anew after success")
    func pauses() {
        let random = SeededRandom(seed: 5)
        var backoff = Backoff()
        var limit = Backoff.firstMilliseconds
        var seen: Set<Int> = []
        for _ in 0..<200 {
            let pause = backoff.next(random)
            #expect((limit / 2...limit).contains(pause))
            limit = min(limit * 2, Backoff.lastMilliseconds)
            seen.insert(pause)
        }
        #expect(limit == Backoff.lastMilliseconds)
        #expect(seen.count > 150)
        backoff.reset()
        #expect(backoff.next(random) <= Backoff.firstMilliseconds)
    }

    @Test("The same seed waits the same")
    func seeded() {
        func pauses() -> [Int] {
            let random = SeededRandom(seed: 9)
            var backoff = Backoff()
            return (0..<20).map { _ in backoff.next(random) }
        }
        #expect(pauses() == pauses())
    }
}
