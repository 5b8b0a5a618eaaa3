// The queue of pending changes against a list that is searched from its beginning.
import HoldfastBasics
import HoldfastRecords
import HoldfastTestSupport
import Testing

@testable import Holdfast

@Suite struct OutboxQueueTests {
    private static let tree = StockModel.bins

    private func change(_ number: UInt64, _ random: SeededRandom, _ made: [Change]) -> Change {
        let key = RecordKey(number: UInt64(1 + random.below(30)))
        var operations: [HoldfastRecords.Operation] = [
            .put(
                WriteOperation(
                    tree: Self.tree,
                    key: key,
                    expects: random.oneIn(2) ? .absent : nil,
                    hold: random.oneIn(3) ? UniqueID(high: 9, low: number) : nil,
                    value: []
                )
            )
        ]
        if random.oneIn(5) {
            operations.append(.return(UniqueID(high: 9, low: UInt64(1 + random.below(60)))))
        }
        let requires = made.filter { _ in random.oneIn(12) }.map(\.id)
        return Change(
            id: UniqueID(high: 1, low: number),
            deviceSeq: number,
            requires: requires,
            operations: operations
        )
    }

    private func check(_ queue: OutboxQueue, _ list: [Change], _ made: [Change]) {
        #expect(queue.all == list)
        #expect(queue.count == list.count && queue.isEmpty == list.isEmpty)
        #expect(queue.firstNumber == list.first?.deviceSeq)
        for change in made {
            #expect(queue[change.id] == list.first { $0.id == change.id })
            #expect(queue[number: change.deviceSeq] == list.first { $0.id == change.id })
        }
        for number: UInt64 in [0, 3, 17, list.last?.deviceSeq ?? 5] {
            let after = list.filter { $0.deviceSeq > number }
            #expect(queue.after(number, count: 4) == Array(after.prefix(4)))
        }
        for first in list {
            var closure: Set = [first.id]
            let chain = list.filter { change in
                guard change.id == first.id || change.dependencies.contains(where: closure.contains)
                else { return false }
                closure.insert(change.id)
                return true
            }
            #expect(queue.closure(of: first) == chain)
        }
        for number: UInt64 in 1...30 {
            let key = RecordKey(number: number)
            let record = HoldRecord(tree: Self.tree, key: key)
            let users = list.filter { $0.subjects.records.contains(record) }
            #expect(queue.isUsing(record) == !users.isEmpty)
            let makers = users.filter { change in
                change.operations.contains { operation in
                    if case .put(let write) = operation { write.expects == .absent } else { false }
                }
            }
            #expect(queue.maker(of: Reference(Self.tree, key.description)) == makers.last?.id)
        }
        for number: UInt64 in 1...60 {
            let borrow = UniqueID(high: 9, low: number)
            let isUsed = list.contains { $0.subjects.borrows.contains(borrow) }
            #expect(queue.isUsing(borrow: borrow) == isUsed)
        }
    }

    @Test("Whatever comes and goes, the queue answers as a list would")
    func agreement() {
        Seed.each(Seed.count(usually: 8)) { _, random in
            var queue = OutboxQueue()
            var list: [Change] = []
            var made: [Change] = []
            for number: UInt64 in 1...60 {
                let next = change(number, random, list)
                made.append(next)
                list.append(next)
                queue.append(next)
                while !list.isEmpty, random.oneIn(2) {
                    let index = random.oneIn(2) ? 0 : random.below(list.count)
                    #expect(queue.remove(list[index].id) == list[index])
                    #expect(queue.remove(list[index].id) == nil)
                    list.remove(at: index)
                }
                check(queue, list, made)
            }
        }
    }
}
