// Rewriting what older major versions wrote.
import Foundation
import Testing

@testable import HoldfastEmbedded

/// A part as its first application declared it.
private struct OldPart: Record, Hashable {
    var name: String
    static func define(_ tree: inout TreeDefinition<Self>) {
        tree.name = "parts"
        tree.version = "0.1"
        tree.versioned = true
    }
}

/// The same tree, a major version later.
private struct NewPart: Record, Hashable {
    var title: String
    var length: Int
    static func define(_ tree: inout TreeDefinition<Self>) {
        tree.name = "parts"
        tree.version = "1.0"
        tree.versioned = true
        tree.migrate(from: "0", OldPart.self) { old in
            guard old.name != "bad" else { throw NotEnough() }
            return NewPart(title: old.name, length: old.name.utf8.count)
        }
    }
}

@Suite(.serialized, .timeLimit(.minutes(5))) struct MigrationTests {
    /// A database whose records an older version of the application wrote: numbers 1 to `count`,
    /// the third one released and revised, the fifth one such that its migration throws.
    private func filled(_ count: Int) async throws -> Folder {
        let folder = try Folder()
        let old = try await folder.open([OldPart.self])
        try await old.write { tx in
            for number in 1...count {
                let key = try tx.create(OldPart(name: number == 5 ? "bad" : "part \(number)"))
                guard number == 3 else { continue }
                try tx.release(key)
                _ = try tx.revise(key)
            }
        }
        try await old.close()
        return folder
    }

    @Test("A dry run reports, and writes nothing")
    func dryRun() async throws {
        let folder = try await filled(7)
        let db = try await folder.open([NewPart.self])
        let head = db.head
        let report = try await db.migrate(NewPart.self, dryRun: true)
        #expect(report.read == 8)
        #expect(report.changed == 6)
        #expect(report.failed.count == 1)
        #expect(report.failed.first?.hasPrefix("parts 5.0: ") ?? false)
        #expect(db.head == head)
        try await db.close()
    }

    @Test("All but released records and those that fail is rewritten; run again, nothing is left")
    func migrates() async throws {
        let folder = try await filled(250)
        let db = try await folder.open([NewPart.self])
        let released = try #require(try db.record(Key<NewPart>(Number(3))))
        let report = try await db.migrate(NewPart.self)
        #expect(report == MigrationReport(read: 251, changed: 249, failed: report.failed))
        #expect(report.failed.count == 1)
        #expect(try db[Key<NewPart>(Number(250))] == NewPart(title: "part 250", length: 8))
        #expect(try db[Key<NewPart>(Number(3), revision: 1)] == NewPart(title: "part 3", length: 6))
        let untouched = try #require(try db.record(Key<NewPart>(Number(3))))
        #expect(untouched.meta.version == released.meta.version)
        let head = db.head
        let again = try await db.migrate(NewPart.self)
        #expect(again == MigrationReport(read: 251, changed: 0, failed: report.failed))
        #expect(db.head == head)
        // What is stored is the new form itself, not one that is migrated when it is read.
        let stored = try db.anyTree("parts").record(AnyKey(tree: "parts", text: "1.0"))
        #expect(stored?.description == #"{"title":"part 1","length":6}"#)
        try await db.close()
    }

    @Test("Borrowed records are rewritten too, one's own and others', and stay borrowed")
    func borrowed() async throws {
        let folder = try await filled(4)
        let (mine, others) = (Key<NewPart>(Number(1)), Key<NewPart>(Number(2)))
        let other = try await folder.open([NewPart.self], user: "bea")
        _ = try await other.borrow(others)
        try await other.close()
        let db = try await folder.open([NewPart.self], user: "ann")
        _ = try await db.borrow(mine)
        let report = try await db.migrate(NewPart.self)
        #expect(report == MigrationReport(read: 5, changed: 4, failed: []))
        let holders = try db.borrows(mine: false).map { ($0.key.description, $0.user) }
        #expect(
            Dictionary(uniqueKeysWithValues: holders) == ["parts/1.0": "ann", "parts/2.0": "bea"]
        )
        // Who holds it still keeps others from writing, and writes in the new form.
        await #expect(throws: DatabaseError.self) {
            try await db.write { tx in try tx.update(others) { $0.length = 0 } }
        }
        try await db.close()
        let again = try await folder.open([NewPart.self], user: "bea")
        try await again.write { tx in try tx.update(others) { $0.length = 0 } }
        #expect(try again[others] == NewPart(title: "part 2", length: 0))
        try await again.close()
    }

    @Test("An edit that comes between is not overwritten")
    func concurrent() async throws {
        let folder = try await filled(4)
        let db = try await folder.open([NewPart.self])
        async let report = db.migrate(NewPart.self)
        try await db.write { tx in try tx.update(Key<NewPart>(Number(4))) { $0.title = "edited" } }
        let changed = try await report.changed
        #expect(changed == 4 || changed == 3)
        #expect(try db[Key<NewPart>(Number(4))]?.title == "edited")
        try await db.close()
    }
}
