// The worked example of the documentation, run as it stands there.
import Foundation
import HoldfastEmbedded
import HoldfastBasics
import Testing

@MainActor final class Model {
    var edits = 0
    func edit(_ db: Database, _ key: Key<Item>) async throws {
        try await db.borrowing(key) { part in
            edits += 1
            part.stock = edits
        }
    }
}

@Suite(.serialized) struct ExampleTests {
    @Test("The example runs: create, read, query, borrow, release, revise, watch")
    func example() async throws {
        try await withDatabase { db, _ in
            let parts = db.tree(Item.self)
            let made = try await db.write(why: "goods in") { tx in
                let footprint: Key<Land> = "R_0603"
                try tx.create(Land(pads: 2), at: footprint)
                return try tx.create(
                    Item(
                        number: "R-100",
                        title: "100 ohm",
                        package: "0603",
                        stock: 50,
                        minimum: 10,
                        footprint: footprint
                    )
                )
            }
            let key = made.value
            #expect(key.description == "1.0")
            let position = try await made.accepted()
            #expect(try db.record(key)?.meta.version == position)
            #expect(try db.withRecord(key) { $0.stock } == 50)
            #expect(try db.withRecord(key) { $0.title } == "100 ohm")
            let low = try parts.filter { $0.stock < $0.minimum }.sorted(by: \.number).fetch()
            #expect(low.isEmpty)
            let total = try db.read { view in
                guard let found = try view.find(Item.byNumber, "R-100") else { return 0 }
                return found.stock + (try view.withRecord(key) { $0.minimum } ?? 0)
            }
            #expect(total == 60)
            try await db.borrowing(key, wait: .queue, why: "counted") { $0.stock = 42 }
            try await db.borrowing(key) { part in
                guard part.stock >= 5 else { throw NotEnough() }
                part.stock -= 5
                try await Task.sleep(for: .milliseconds(1))
            }
            #expect(try db[key]?.stock == 37)
            try await Model().edit(db, key)
            #expect(try db[key]?.stock == 1)
            let held = try await db.borrow(key, wait: .queueFor(.seconds(30)))
            #expect(try db.borrows().map(\.id) == [held.id])
            try await db.return(held)
            let (a, b) = try await db.borrow(all: key, "R_0603" as Key<Land>)
            #expect(try db.borrows().count == 2)
            try await db.return(a, b)
            #expect(try db.borrows().isEmpty)
            try await db.write { tx in
                try tx.update(key) { $0.title = "new" }
                try tx.release(key)
            }
            #expect(try db.record(key)?.meta.state == .released(0))
            let next = try await db.write { tx in try tx.revise(key) }.value
            #expect(next == Key(key.id, revision: 1))
            #expect(try parts.latest(key.id)?.key == next)
            #expect(try parts.latest(key.id, released: true)?.number == "R-100")
            #expect(try db.stranded().isEmpty)
            do {
                try await db.write { tx in try tx.delete(key) }
                Issue.record("a released record was deleted")
            } catch DatabaseError.refused(let refusal) where refusal.code == .released {
                #expect(refusal.message != nil)
            }
            let any = try db.anyTree("parts")
            #expect(any.descriptor.description.contains("\"number\""))
            #expect(db.status == .embedded)
        }
    }

    @Test("Live queries and events are pulled, and end when the database closes")
    func watching() async throws {
        let folder = try Folder()
        let db = try await folder.open()
        let low = db.tree(Item.self).filter { $0.stock < 5 }.live()
        let events = db.events()
        let shown = Lock<[Int]>([])
        let counts = Task {
            for try await now in low { shown.withLock { $0.append(now.rows.count) } }
        }
        let users = Task {
            var users: [String] = []
            for try await event in events where event.origin == .local { users.append(event.user) }
            return users
        }
        let key = try await db.write { tx in try tx.create(Item(number: "A", stock: 1)) }.value
        while shown.withLock(\.last) != 1 { await Task.yield() }
        try await db.borrowing(key) { $0.stock = 9 }
        while shown.withLock(\.last) != 0 { await Task.yield() }
        try await db.close()
        try await counts.value
        #expect(try await users.value.allSatisfy { $0 == "local" })
        await #expect(throws: DatabaseError.closed) { try await db.write { _ in } }
        #expect(throws: DatabaseError.closed) { try db[key] }
    }
}
