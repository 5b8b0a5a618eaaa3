// Borrowing from an embedded database.
import Foundation
import HoldfastBasics
import Testing

@testable import HoldfastEmbedded

@Suite(.serialized) struct BorrowingTests {
    @Test("Tasks of one process are served in the order they came")
    func line() async throws {
        try await withDatabase { db, _ in
            let key = try await db.write { tx in try tx.create(Item(number: "A")) }.value
            let held = try await db.borrow(key)
            let order = Lock<[Int]>([])
            var waiting: [Task<Void, any Error>] = []
            for index in 0..<4 {
                waiting.append(
                    Task {
                        try await db.borrowing(key, wait: .queue) { part in
                            part.stock += 1
                            order.withLock { $0.append(index) }
                        }
                    }
                )
                while db.lines.count(AnyKey(key)) <= index { await Task.yield() }
            }
            await #expect(throws: DatabaseError.self) { try await db.borrow(key) }
            try await db.return(held)
            for task in waiting { try await task.value }
            #expect(order.withLock(\.self) == [0, 1, 2, 3])
            #expect(try db[key]?.stock == 4)
            #expect(try db.borrows(mine: false).isEmpty)
            #expect(db.lines.count(AnyKey(key)) == 0)
        }
    }

    @Test("A wait that is cancelled or runs out leaves the line and holds nothing")
    func givingUp() async throws {
        try await withDatabase { db, _ in
            let key = try await db.write { tx in try tx.create(Item(number: "A")) }.value
            let held = try await db.borrow(key)
            do {
                _ = try await db.borrow(key, wait: .queueFor(.milliseconds(20)))
                Issue.record("a record is held twice")
            } catch DatabaseError.refused(let refusal) {
                #expect(refusal.code == .borrowed)
                #expect(refusal.holder == "local")
            }
            let cancelled = Task { try await db.borrow(key, wait: .queue) }
            while db.lines.count(AnyKey(key)) == 0 { await Task.yield() }
            cancelled.cancel()
            await #expect(throws: DatabaseError.self) { try await cancelled.value }
            #expect(db.lines.count(AnyKey(key)) == 0)
            #expect(try db.borrows().map(\.id) == [held.id])
            try await db.return(held)
            #expect(try db.borrows(mine: false).isEmpty)
            do {
                try await db.return(held)
                Issue.record("given back twice")
            } catch DatabaseError.refused(let refusal) {
                #expect(refusal.code == .borrowEnded)
            }
        }
    }

    @Test("A body that throws or is cancelled gives the record back unchanged")
    func throwing() async throws {
        try await withDatabase { db, _ in
            let key = try await db.write { tx in try tx.create(Item(number: "A", stock: 1)) }.value
            let version = try db.record(key)?.meta.version
            await #expect(throws: NotEnough.self) {
                try await db.borrowing(key) { part in
                    part.stock = 2
                    throw NotEnough()
                }
            }
            let task = Task {
                try await db.borrowing(key) { part in
                    part.stock = 3
                    try await Task.sleep(for: .seconds(600))
                }
            }
            while try db.borrows().isEmpty { await Task.yield() }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(try db.record(key)?.meta.version == version)
            #expect(try db.borrows(mine: false).isEmpty)
            await #expect(throws: DatabaseError.self) {
                try await db.borrowing(Key<Item>(Number(99))) { _ in }
            }
            await #expect(throws: DatabaseError.self) {
                try await db.borrow(all: key, Key<Item>(Number(99)))
            }
            #expect(try db.borrows(mine: false).isEmpty, "all or none")
        }
    }

    @Test("Writes of the holder go through its borrow, also several in one change")
    func holder() async throws {
        try await withDatabase { db, _ in
            let key = try await db.write { tx in try tx.create(Item(number: "A")) }.value
            let held = try await db.borrow(key, note: "desk", due: Date(timeIntervalSince1970: 9e8))
            #expect(held.dueAt == Date(timeIntervalSince1970: 9e8))
            try await db.write { tx in
                try tx.update(key) { $0.stock = 2 }
                try tx.setState(key, 1)
                try tx.update(key) { $0.stock = 3 }
            }
            #expect(try db[key]?.stock == 3)
            let listed = try #require(try db.borrows().first)
            #expect(listed.note == "desk")
            #expect(listed.place == nil)
            #expect(listed.key == AnyKey(key))
            try await db.write { tx in try tx.delete(key) }
            #expect(try db.borrows(mine: false).isEmpty, "a deletion ends the borrow")
        }
    }

    @Test("A borrow is recalled, handed on and taken away; whoever had it reads why")
    func holders() async throws {
        try await withDatabase { db, _ in
            let key = try await db.write { tx in try tx.create(Item(number: "A")) }.value
            let held = try await db.borrow(key, note: "bench")
            #expect(try db.borrows().first?.recalled == false)
            try await db.recall(held.id, note: "needed")
            #expect(try db.borrows().first?.recalled == true)
            try await db.setHolder(of: held.id, to: "ben", device: "PC-7")
            #expect(try db.borrows().isEmpty)
            let other = try #require(try db.borrows(mine: false).first)
            #expect(other.user == "ben" && other.device == "PC-7" && other.id == held.id)
            await #expect(throws: DatabaseError.self) { try await db.return(held) }
            do {
                try await db.seize(held.id, why: "")
                Issue.record("taken away without a reason")
            } catch DatabaseError.refused(let refusal) {
                #expect(refusal.code == .reasonRequired)
            }
            try await db.seize(held.id, why: "ben is on leave")
            #expect(try db.borrows(mine: false).isEmpty)
            do {
                try await db.return(held)
                Issue.record("given back what was taken away")
            } catch DatabaseError.refused(let refusal) {
                #expect(refusal.code == .borrowEnded)
                #expect(refusal.message?.contains("ben is on leave") == true)
            }
            do {
                try await db.recall(UUID(), note: "")
                Issue.record("asked for what nobody has")
            } catch DatabaseError.refused(let refusal) {
                #expect(refusal.code == .unknownBorrow)
            }
        }
    }
}
