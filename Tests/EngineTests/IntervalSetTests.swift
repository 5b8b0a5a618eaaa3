import HoldfastEngine
import Testing

@Suite struct IntervalSetTests {
    @Test("The empty set holds nothing")
    func empty() {
        var set = IntervalSet()
        #expect(set.isEmpty && set.count == 0 && set.last == nil)
        #expect(!set.contains(0) && !set.overlaps(0..<100) && set.nextAbsent(from: 5) == 5)
        let absent = set.remove(4)
        #expect(!absent)
        set.insert(7..<7)
        #expect(set.isEmpty && set.checkInvariants() == nil)
    }

    @Test("Numbers that touch become one interval, and taking one out cuts it in two")
    func joinAndCut() {
        var set = IntervalSet()
        let first = [5, 7, 6].map { set.insert($0) }
        let second = set.insert(6)
        #expect(first == [true, true, true] && !second)
        #expect(set.intervals == [5..<8])
        #expect(set.nextAbsent(from: 5) == 8 && set.nextAbsent(from: 4) == 4)
        set.remove(6)
        #expect(set.intervals == [5..<6, 7..<8] && set.count == 2)
        set.insert(0..<100)
        #expect(set.intervals == [0..<100])
        set.remove(10..<20)
        #expect(set.overlaps(9..<11) && !set.overlaps(10..<20) && set.overlaps(19..<21))
        #expect(set.last == 99)
    }

    @Test("The largest numbers are numbers like others")
    func ends() {
        var set = IntervalSet()
        set.insert(.max - 1)
        set.insert(0)
        #expect(set.contains(.max - 1) && !set.contains(.max) && set.contains(0))
        #expect(set.nextAbsent(from: .max - 1) == .max)
        #expect(set.checkInvariants() == nil)
    }

    @Test(
        "Random insertions and removals leave the set equal to a set of numbers",
        arguments: [11, 12, 13, 14] as [UInt64]
    )
    func randomChanges(seed: UInt64) {
        print("IntervalSet random changes, seed \(seed)")
        var random = TestRandom(seed: seed)
        var set = IntervalSet()
        let size = 6000
        var model = [Bool](repeating: false, count: size)
        for step in 0..<50_000 {
            let number = Int(random.below(UInt64(size)))
            let end = min(size, number + Int(random.below(random.chance(95) ? 4 : 400)))
            let range = UInt64(number)..<UInt64(end)
            // Mostly single numbers in and out, so that thousands of intervals come to be.
            switch random.below(100) {
            case 0..<55:
                let new = set.insert(UInt64(number))
                same(new, !model[number])
                model[number] = true
            case 55..<95:
                let held = set.remove(UInt64(number))
                same(held, model[number])
                model[number] = false
            case 95..<97:
                set.insert(range)
                for index in number..<end { model[index] = true }
            case 97..<99:
                set.remove(range)
                for index in number..<end { model[index] = false }
            default:
                same(set.overlaps(range), model[number..<end].contains(true))
            }
            let probe = Int(random.below(UInt64(size)))
            same(set.contains(UInt64(probe)), model[probe])
            if step % 500 == 499 {
                #expect(set.checkInvariants() == nil)
                #expect(set.count == UInt64(model.count { $0 }))
                let absent = model[probe...].firstIndex(of: false) ?? size
                #expect(set.nextAbsent(from: UInt64(probe)) == UInt64(absent))
                #expect(set.last == model.lastIndex(of: true).map(UInt64.init))
                var other = IntervalSet()
                for interval in set.intervals { other.insert(interval) }
                #expect(other == set)
            }
        }
    }

    @Test("Ascending numbers stay one interval, and every second one costs at most 20 bytes")
    func memory() {
        var dense = IntervalSet()
        for number in 1...100_000 as ClosedRange<UInt64> { dense.insert(number) }
        #expect(dense.intervals == [1..<100_001])
        var sparse = IntervalSet()
        for number in 1...100_000 as ClosedRange<UInt64> { sparse.insert(number * 2) }
        #expect(sparse.intervalCount == 100_000 && sparse.checkInvariants() == nil)
        #expect(sparse.byteCount <= 100_000 * 20)
        for number in 1...100_000 as ClosedRange<UInt64> { sparse.insert(number * 2 - 1) }
        #expect(sparse.intervals == [1..<200_001])
    }
}
