// Writes: all or nothing, in memory and on the disk.
import Foundation
import HoldfastStore
import Testing

@testable import HoldfastEmbedded

@Suite(.serialized, .timeLimit(.minutes(5))) struct TransactionTests {
    @Test("A body that throws leaves nothing behind, and its own error comes out")
    func throwing() async throws {
        try await withDatabase { db, folder in
            let key = try await db.write { tx in try tx.create(Item(number: "A", stock: 1)) }.value
            let before = try folder.bytes()
            let state = db.head
            await #expect(throws: NotEnough.self) {
                try await db.write { tx in
                    try tx.update(key) { $0.stock = 2 }
                    for index in 0..<1500 { _ = try tx.create(Item(number: "B\(index)")) }
                    try tx.delete(key)
                    throw NotEnough()
                }
            }
            await #expect(throws: NotEnough.self) {
                try await db.write { tx in try tx.update(key) { _ in throw NotEnough() } }
            }
            #expect(try folder.bytes() == before)
            #expect(db.head == state)
            #expect(try db[key]?.stock == 1)
            #expect(try db.tree(Item.self).all.count() == 1)
            let next = try await db.write { tx in try tx.create(Item(number: "B")) }.value
            #expect(next.id == Number(2), "an id was lost by a change that never was")
        }
    }

    @Test("A refused change leaves nothing behind, and says the code, the field and what to do")
    func refused() async throws {
        try await withDatabase { db, folder in
            try await db.write { tx in _ = try tx.create(Item(number: "A")) }
            let before = try folder.bytes()
            do {
                try await db.write { tx in
                    try tx.create(Land(pads: 1), at: "X")
                    _ = try tx.create(Item(number: "A"))
                }
                Issue.record("two parts have one number")
            } catch DatabaseError.refused(let refusal) {
                #expect(refusal.code == .unique)
                #expect(refusal.field == "number")
                #expect(refusal.message?.contains("1") ?? false)
            }
            #expect(try folder.bytes() == before)
            #expect(try db["X" as Key<Land>] == nil)
            // A body that does nothing is a change of nothing.
            let empty = try await db.write { tx in try tx.record("X" as Key<Land>)?.pads }
            #expect(empty.value == nil)
            let position = try await empty.accepted()
            #expect(position == db.head)
            #expect(try folder.bytes() == before)
        }
    }

    @Test("A transaction reads its own writes")
    func ownWrites() async throws {
        try await withDatabase { db, _ in
            let old = try await db.write { tx in try tx.create(Item(number: "OLD")) }.value
            try await db.write { tx in
                let key = try tx.create(Item(number: "A", stock: 1))
                #expect(try tx.record(key)?.stock == 1)
                #expect(try tx.record(key)?.meta.pending == true)
                try tx.update(key) { $0.stock += 1 }
                try tx.put(Item(number: "B", stock: 3), at: key)
                #expect(try tx.record(key)?.stock == 3)
                #expect(try tx.find(Item.byNumber, "A") == nil)
                #expect(try tx.find(Item.byNumber, "B")?.key == key)
                #expect(try tx.find(Item.byNumber, "OLD")?.key == old)
                try tx.update(old) { $0.number = "NEW" }
                #expect(try tx.find(Item.byNumber, "OLD") == nil)
                #expect(try tx.find(Item.byNumber, "NEW")?.key == old)
                try tx.delete(old)
                #expect(try tx.record(old) == nil)
                #expect(try tx.find(Item.byNumber, "NEW") == nil)
            }
            #expect(try db.tree(Item.self).all.fetch().map(\.number) == ["B"])
        }
    }

    @Test("Lifecycle: release, revise and states, several in one change")
    func lifecycle() async throws {
        try await withDatabase { db, _ in
            let (first, second) = try await db.write { tx in
                let key = try tx.create(Item(number: "A", stock: 1))
                try tx.setState(key, 3)
                try tx.release(key)
                let next = try tx.revise(key)
                try tx.update(next) { $0.stock = 2 }
                return (key, next)
            }.value
            #expect(try db.record(first)?.meta.state == .released(0))
            #expect(try db.record(second)?.meta.state == .draft(0))
            #expect(try db[second]?.stock == 2)
            #expect(try db.tree(Item.self).find(Item.byNumber, "A")?.key == second)
            try await db.write { tx in try tx.setState(first, 7) }
            #expect(try db.record(first)?.meta.state == .released(7))
            await #expect(throws: DatabaseError.self) {
                try await db.write { tx in try tx.revise(first) }
            }
            await #expect(throws: DatabaseError.self) {
                try await db.write { tx in
                    try tx.setState(try tx.create(Move(part: nil, count: 1)), 1)
                }
            }
        }
    }

    @Test("put creates or replaces, and insists on a version when told")
    func put() async throws {
        try await withDatabase { db, _ in
            let key: Key<Land> = "R_0603"
            try await db.write { tx in try tx.put(Land(pads: 2), at: key) }
            let old = try #require(try db.record(key)?.meta.version)
            try await db.write { tx in try tx.put(Land(pads: 3), at: key, expecting: old) }
            do {
                try await db.write { tx in try tx.put(Land(pads: 4), at: key, expecting: old) }
                Issue.record("an old version was overwritten")
            } catch DatabaseError.refused(let refusal) {
                #expect(refusal.code == .stale)
            }
            do {
                try await db.write { tx in try tx.create(Land(pads: 5), at: key) }
                Issue.record("a record was created twice")
            } catch DatabaseError.refused(let refusal) {
                #expect(refusal.code == .exists)
            }
            try await db.write { tx in
                try tx.delete(key)
                try tx.create(Land(pads: 6), at: key)
            }
            #expect(try db[key]?.pads == 6)
            await #expect(throws: DatabaseError.self) {
                try await db.write { tx in try tx.update("NONE" as Key<Land>) { $0.pads = 1 } }
            }
        }
    }

    @Test("10,000 inserts in one session never run out of ids, nor after it")
    func ids() async throws {
        let folder = try Folder()
        var seen: Set<UInt64> = []
        for round in 0..<2 {
            let db = try await folder.open()
            for batch in 0..<10 {
                let keys = try await db.write { tx in
                    try (0..<500).map { try tx.create(Move(part: nil, count: $0 + batch)) }
                }.value
                for key in keys { #expect(seen.insert(key.id.rawValue).inserted) }
            }
            if round == 0 {
                let last = try await db.write { tx in try tx.create(Move(part: nil, count: 0)) }
                try await db.write { tx in try tx.delete(last.value) }
                seen.insert(last.value.id.rawValue)
            }
            try await db.close()
        }
        #expect(seen == Set(1...10_001), "ids are given out in a row")
    }

    @Test("Composed and decomposed letters are two names, two unique values, two index values")
    func normalForms() async throws {
        try await withDatabase { db, _ in
            let (composed, decomposed) = ("caf\u{e9}", "cafe\u{301}")
            let names = [composed, decomposed].compactMap { Name($0) }
            try await db.write { tx in
                for (index, name) in names.enumerated() {
                    try tx.create(Land(pads: index), at: Key<Land>(name))
                    _ = try tx.create(Item(number: name.rawValue, package: name.rawValue))
                }
                #expect(try tx.find(Item.byNumber, composed)?.key.id == Number(1))
                #expect(try tx.find(Item.byNumber, decomposed)?.key.id == Number(2))
            }
            #expect(try db[Key<Land>(names[0])]?.pads == 0)
            #expect(try db[Key<Land>(names[1])]?.pads == 1)
            let parts = db.tree(Item.self)
            #expect(try parts.find(Item.byNumber, decomposed)?.key.id == Number(2))
            #expect(try parts.with(Item.byPackage, composed).fetch().map(\.key.id) == [Number(1)])
            #expect(try parts.with(Item.byPackage, decomposed).count() == 1)
            #expect(try parts.matching("CAFÉ").count() == 2)
            #expect(try parts.all.sorted(by: \.number).fetch().map(\.key.id.rawValue) == [2, 1])
            let keys = try db.anyTree("footprints").keys()
            #expect(Set(keys).count == 2)
        }
    }

    @Test("Everything is there after closing and opening again")
    func reopening() async throws {
        let folder = try Folder()
        let first = try await folder.open(durability: .each)
        let key = try await first.write(why: "first") { tx in try tx.create(Item(number: "A")) }
            .value
        let held = try await first.borrow(key, note: "mine")
        try await first.close()
        try await first.close()
        let second = try await folder.open()
        #expect(try second[key]?.number == "A")
        #expect(try second.borrows().map(\.id) == [held.id])
        #expect(try second.borrows().first?.note == "mine")
        try await second.return(held)
        try await second.close()
    }

    @Test("A database that was closed, or just forgotten, leaves nothing behind")
    func forgotten() async throws {
        let folder = try Folder()
        weak var closed: Store?
        weak var forgotten: Store?
        do {
            let db = try await folder.open()
            closed = db.store
            let key = try await db.write { tx in try tx.create(Item(number: "A")) }.value
            _ = try db.tree(Item.self).with(Item.byStock, 0).count()
            #expect(try db[key] != nil)
            try await db.close()
        }
        while closed != nil { await Task.yield() }
        do {
            let db = try await folder.open()
            forgotten = db.store
            #expect(try db.tree(Item.self).all.count() == 1)
        }
        while forgotten != nil { await Task.yield() }
        let db = try await folder.open()
        #expect(try db.tree(Item.self).all.count() == 1)
        try await db.close()
    }
}
