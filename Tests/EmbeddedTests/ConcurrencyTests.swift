// Many tasks and threads on one database.
import Foundation
import HoldfastBasics
import Testing

@testable import HoldfastEmbedded

@Suite(.serialized) struct ConcurrencyTests {
    @Test("Four writers and four readers: nothing is lost, nothing is seen half")
    func crowd() async throws {
        try await withDatabase { db, _ in
            let (a, b) = try await db.write { tx in
                (
                    try tx.create(Item(number: "A", stock: 1000)),
                    try tx.create(Item(number: "B", stock: 1000))
                )
            }.value
            let isDone = Lock(false)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for reader in 0..<4 {
                    group.addTask {
                        while !isDone.withLock(\.self) {
                            let sum = try db.read { view in
                                (try view.withRecord(a) { $0.stock } ?? 0)
                                    + (try view.withRecord(b) { $0.stock } ?? 0)
                            }
                            #expect(sum == 2000)
                            if reader == 0 { _ = try db.tree(Item.self).matching("a").count() }
                            if reader == 1 {
                                let stocked = db.tree(Item.self).with(Item.byStock, in: 0...)
                                #expect(try stocked.count() >= 2)
                            }
                            #expect(try db.withRecord(a) { $0.number } == "A")
                            await Task.yield()
                        }
                    }
                }
                group.addTask {
                    defer { isDone.withLock { $0 = true } }
                    try await withThrowingTaskGroup(of: Void.self) { writers in
                        for writer in 0..<4 {
                            writers.addTask {
                                for step in 0..<40 {
                                    try await db.write { tx in
                                        try tx.update(a) { $0.stock -= writer }
                                        try tx.update(b) { $0.stock += writer }
                                        if step % 4 == 0 {
                                            _ = try tx.create(Item(number: "\(writer)-\(step)"))
                                        }
                                    }
                                }
                            }
                        }
                        try await writers.waitForAll()
                    }
                }
                try await group.waitForAll()
            }
            #expect(try db[a]?.stock == 1000 - 40 * 6)
            #expect(try db.tree(Item.self).all.count() == 42)
            #expect(db.checkInvariants(Item.self) == nil)
        }
    }

    @Test("The gate lets one in at a time, in order, and forgets who is cancelled")
    func gate() async throws {
        let gate = WriterGate()
        try await gate.enter()
        let order = Lock<[Int]>([])
        let arrived = Lock(0)
        var tasks: [Task<Void, any Error>] = []
        for index in 0..<20 {
            tasks.append(
                Task {
                    arrived.withLock { $0 += 1 }
                    try await gate.enter()
                    order.withLock { $0.append(index) }
                    gate.leave()
                }
            )
            while gate.waitingCount <= index { await Task.yield() }
        }
        for index in stride(from: 0, to: 20, by: 3) { tasks[index].cancel() }
        for index in stride(from: 0, to: 20, by: 3) {
            await #expect(throws: CancellationError.self) { try await tasks[index].value }
        }
        gate.leave()
        for (index, task) in tasks.enumerated() where index % 3 != 0 { try await task.value }
        #expect(order.withLock(\.self) == (0..<20).filter { $0 % 3 != 0 })
        try await gate.enter()
        gate.leave()
    }

    @Test("Cancellation and entering race without a loss", .timeLimit(.minutes(2)))
    func gateRaces() async throws {
        let gate = WriterGate()
        let inside = Lock(0)
        await withTaskGroup(of: Void.self) { group in
            for index in 0..<400 {
                group.addTask {
                    let task = Task {
                        try await gate.enter()
                        inside.withLock { count in
                            count += 1
                            #expect(count == 1)
                        }
                        await Task.yield()
                        inside.withLock { $0 -= 1 }
                        gate.leave()
                    }
                    if index % 2 == 0 { task.cancel() }
                    _ = await task.result
                }
            }
        }
        try await gate.enter()
        #expect(gate.waitingCount == 0)
        gate.leave()
    }

    @Test("Who waits for news is woken once, cancelled or not", .timeLimit(.minutes(2)))
    func wakeUps() async {
        let bell = WakeUp()
        await withTaskGroup(of: Void.self) { group in
            for index in 0..<200 {
                group.addTask {
                    let task = Task { await bell.wait(past: bell.count) }
                    if index % 3 == 0 { task.cancel() }
                    await task.value
                }
            }
            group.addTask {
                for _ in 0..<50 {
                    bell.notify()
                    await Task.yield()
                }
                bell.end()
            }
        }
        #expect(bell.count == 51)
    }

    @Test("A write whose task is cancelled before its turn did nothing")
    func cancelledWrite() async throws {
        try await withDatabase { db, _ in
            try await db.gate.enter()
            let task = Task {
                try await db.write { tx in _ = try tx.create(Item(number: "A")) }
            }
            while db.gate.waitingCount == 0 { await Task.yield() }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            db.gate.leave()
            #expect(try db.tree(Item.self).all.count() == 0)
        }
    }
}
