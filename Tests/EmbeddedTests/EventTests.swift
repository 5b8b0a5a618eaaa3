// What happened, read from the log; and trees without a type.
import Foundation
import Testing

@testable import HoldfastEmbedded

@Suite(.serialized) struct EventTests {
    private func collect(_ updates: Updates<Event>, _ count: Int) async throws -> [Event] {
        var events: [Event] = []
        for try await event in updates {
            events.append(event)
            if events.count == count { break }
        }
        return events
    }

    @Test("Events tell what happened, in order, and go on from any position")
    func kinds() async throws {
        try await withDatabase { db, _ in
            let start = db.events()
            let key = try await db.write(why: "made") { tx in
                try tx.create(Item(number: "A", stock: 1))
            }.value
            let held = try await db.borrow(key)
            try await db.write { tx in try tx.update(key) { $0.stock = 2 } }
            try await db.return(held)
            try await db.write { tx in try tx.release(key) }
            try await db.write { tx in try tx.setState(key, 2) }
            let next = try await db.write { tx in try tx.revise(key) }.value
            try await db.write { tx in try tx.delete(next) }
            let events = try await collect(start, 8)
            #expect(
                events.flatMap(\.changes).map(\.kind) == [
                    .created, .borrowed, .changed, .returned, .released, .stateSet, .revised,
                    .deleted,
                ]
            )
            #expect(events[0].why == "made")
            #expect(events[1].why == nil)
            #expect(events.allSatisfy { $0.user == "local" && $0.origin == .local })
            #expect(events.flatMap(\.changes).allSatisfy { $0.key.tree == "parts" })
            let change = events[2].changes[0]
            #expect(change.before?.description.contains("\"stock\":1") ?? false)
            #expect(change.after?.description.contains("\"stock\":2") ?? false)
            let typed = try #require(try change.after(as: Item.self))
            #expect(typed.stock == 2)
            #expect(typed.key == key)
            #expect(typed.meta.version == events[2].position)
            #expect(try change.after(as: Land.self) == nil)
            #expect(events[7].changes[0].after == nil)
            let rest = try await collect(db.events(since: events[4].position), 3)
            #expect(rest.map(\.position) == events[5...].map(\.position))
        }
    }

    @Test("A position of another history is refused")
    func diverged() async throws {
        try await withDatabase { db, _ in
            for position in [
                Position(epoch: 1, seq: 1),
                Position(epoch: db.head.epoch, seq: 1 << 40),
            ] {
                await #expect(throws: DatabaseError.self) {
                    for try await _ in db.events(since: position) { break }
                }
            }
        }
    }

    @Test("A tree is read and written as JSON, under the same rules")
    func untyped() async throws {
        try await withDatabase { db, _ in
            let parts = try db.anyTree("parts")
            #expect(parts.name == "parts")
            #expect(parts.descriptor.description.contains("\"1.1\""))
            let key = try await db.write { tx in try tx.create(Item(number: "A")) }.value
            let any = AnyKey(key)
            let before = try #require(try parts.record(any))
            let after = try JSONDocument(
                before.description.replacingOccurrences(of: "\"stock\":0", with: "\"stock\":7")
            )
            let receipt = try await parts.put(after, at: any, why: "by hand")
            let position = try await receipt.accepted()
            #expect(try db.record(key)?.meta.version == position)
            #expect(try db[key]?.stock == 7)
            #expect(try parts.keys() == [any])
            #expect(try parts.record(AnyKey(tree: "parts", text: "9.0")) == nil)
            await #expect(throws: DatabaseError.self) {
                try await parts.put(try JSONDocument(#"{"number":1}"#), at: any)
            }
            #expect(throws: DatabaseError.self) {
                try parts.record(AnyKey(tree: "parts", text: "x"))
            }
            #expect(throws: DatabaseError.self) { try db.anyTree("nothing") }
            let footprints = try db.anyTree("footprints")
            let name = AnyKey(tree: "footprints", text: "X.0")
            try await footprints.put(try JSONDocument(#"{"pads":3}"#), at: name)
            #expect(try db["X" as Key<Land>]?.pads == 3)
        }
    }
}
