// A database open for reading, beside the one that writes: what it sees, and what it refuses.
import Foundation
import HoldfastBasics
import HoldfastCommitLog
import HoldfastRecords
import HoldfastStorage
import HoldfastStore
import HoldfastTestSupport
import Testing

@testable import HoldfastEmbedded

private struct OtherItem: Record {
    var number: Int
    static func define(_ tree: inout TreeDefinition<OtherItem>) {
        tree.name = "parts"
        tree.version = "7.0"
        tree.versioned = true
    }
}

private struct Later: Record {
    typealias ID = Name
    var text: String
    static func define(_ tree: inout TreeDefinition<Later>) { tree.name = "later" }
}

@Suite(.serialized) struct ReadOnlyDatabaseTests {
    private func reading(
        _ folder: Folder,
        _ trees: [any Record.Type] = stockroom,
        application: String = "stockroom",
        every interval: Duration = .seconds(3600)
    ) async throws -> Database {
        try await Database.openReadOnly(
            folder.path + "/data",
            application: application,
            trees: trees,
            lookingEvery: interval
        )
    }

    @Test("Reads, indexes and queries follow the writing database at every look")
    func follows() async throws {
        try await withDatabase { db, folder in
            let first = try await db.write { tx in
                try tx.create(Item(number: "A", package: "0805", stock: 1))
            }.value
            let reader = try await reading(folder, stockroom + [Later.self])
            #expect(reader.status == .readOnly)
            #expect(try reader[first]?.stock == 1)
            let start = try #require(try reader.record(first)).meta.version
            try await db.write { tx in try tx.update(first) { $0.stock = 2 } }
            let second = try await db.write { tx in
                try tx.create(Item(number: "B", package: "0805"))
            }.value
            #expect(try reader[first]?.stock == 1)
            #expect(try reader.tree(Item.self).find(Item.byNumber, "B") == nil)
            try await reader.refresh()
            #expect(try reader[first]?.stock == 2)
            #expect(try reader.tree(Item.self).find(Item.byNumber, "B")?.key == second)
            #expect(reader.checkInvariants(Item.self) == nil)
            try await db.write { tx in try tx.delete(second) }
            try await reader.refresh()
            #expect(try reader[second] == nil)
            #expect(try reader.tree(Item.self).find(Item.byNumber, "B") == nil)
            #expect(reader.head == db.head)
            var events = reader.events(since: start).makeAsyncIterator()
            let kinds = [
                try await events.next(), try await events.next(), try await events.next(),
            ].compactMap(\.self)
            #expect(kinds.flatMap(\.changes).map(\.kind) == [.changed, .created, .deleted])
            #expect(kinds[0].changes[0].before?.description.contains("\"stock\":1") ?? false)
            #expect(kinds.allSatisfy { $0.origin == .remote && $0.user == "local" })
            // A tree that nobody has declared has no records.
            #expect(try reader["x" as Key<Later>] == nil)
            try await reader.close()
            #expect(throws: DatabaseError.closed) { try reader[first] }
            await #expect(throws: DatabaseError.closed) { try await reader.refresh() }
        }
    }

    @Test("Events wake by themselves, and so do those who wait in a query that lives")
    func wakes() async throws {
        try await withDatabase { db, folder in
            let reader = try await reading(folder, every: .milliseconds(2))
            var events = reader.events().makeAsyncIterator()
            for number in 0..<20 {
                let key = try await db.write { tx in
                    try tx.create(Item(number: "N\(number)"))
                }.value
                let event = try #require(try await events.next())
                #expect(event.changes.map(\.key) == [AnyKey(key)])
                #expect(try reader[key]?.number == "N\(number)")
            }
            try await reader.close()
            #expect(try await events.next() == nil)
        }
    }

    @Test("Whatever would write is refused, and no file of the directory is made or changed")
    func refuses() async throws {
        let folder = try Folder()
        let db = try await folder.open()
        let key = try await db.write { tx in try tx.create(Item(number: "A")) }.value
        try await db.close()
        let before = try folder.bytes()
        for attributes in [0o555, 0o755] {
            let files = FileManager.default
            for path in try files.subpathsOfDirectory(atPath: folder.path + "/data") + [""] {
                try files.setAttributes(
                    [.posixPermissions: attributes],
                    ofItemAtPath: folder.path + "/data/" + path
                )
            }
            let reader = try await reading(folder)
            #expect(try reader[key]?.number == "A")
            await expectRefusal(.readOnly) {
                try await reader.write { tx in try tx.update(key) { $0.stock = 1 } }
            }
            await expectRefusal(.readOnly) {
                try await reader.write { tx in try tx.create(Item(number: "B")) }
            }
            await expectRefusal(.readOnly) { _ = try await reader.borrow(key) }
            await expectRefusal(.readOnly) { try await reader.compact() }
            await expectRefusal(.readOnly) {
                try await reader.anyTree("parts").put(JSONDocument("{}"), at: AnyKey(key))
            }
            #expect(try reader.stranded().isEmpty)
            try await reader.refresh()
            try await reader.close()
        }
        #expect(try folder.bytes() == before)
    }

    @Test("What cannot be read so is refused at once, and nothing is made")
    func openings() async throws {
        let folder = try Folder()
        await #expect(throws: DatabaseError.self) { _ = try await reading(folder) }
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/data"))
        try FileManager.default.createDirectory(
            atPath: folder.path + "/data",
            withIntermediateDirectories: true
        )
        await #expect(throws: DatabaseError.self) { _ = try await reading(folder) }
        #expect(try folder.bytes().isEmpty)
        let db = try await folder.open()
        await expectRefusal(.wrongDatabase) { _ = try await reading(folder, application: "rig") }
        await expectRefusal(.incompatible) { _ = try await reading(folder, [OtherItem.self]) }
        try await db.close()
    }

    /// A database with segments so short that a compaction drops some.
    private func short(_ folder: Folder) async throws -> Database {
        let disk = try PosixDisk(folder.path + "/data", create: true).made()
        let options = LogOptions(segmentByteCount: 16 << 10, growByteCount: 4096)
        return try await Database.open(
            Store(disk: disk, application: "stockroom", options: options),
            user: "anna"
        )
    }

    @Test("A reader that fell behind a compaction reads everything anew; its events say so")
    func compacted() async throws {
        let folder = try Folder()
        let db = try await short(folder)
        let kept = try await db.write { tx in try tx.create(Item(number: "kept")) }.value
        let gone = try await db.write { tx in try tx.create(Item(number: "gone")) }.value
        let reader = try await reading(folder)
        var early = reader.events(since: reader.head).makeAsyncIterator()
        #expect(try reader[kept]?.stock == 0 && reader[gone]?.stock == 0)
        try await db.write { tx in try tx.delete(gone) }
        for round in 1...200 {
            try await db.write { tx in try tx.update(kept) { $0.stock = round } }
        }
        let report = try #require(try await db.compact())
        #expect(report.oldest.seq > reader.head.seq + 1)
        #expect(try reader[kept]?.stock == 0)
        try await reader.refresh()
        #expect(try reader[kept]?.stock == 200 && reader[gone] == nil)
        #expect(try reader.tree(Item.self).find(Item.byNumber, "gone") == nil)
        #expect(reader.checkInvariants(Item.self) == nil)
        await expectRefusal(.compacted) { _ = try await early.next() }
        // Up to date, it goes with the next one and keeps nothing that was dropped.
        for round in 1...200 {
            try await db.write { tx in
                try tx.update(kept) { $0.pins = [Lead(number: "\(round)", name: "x")] }
            }
        }
        try await reader.refresh()
        let again = try #require(try await db.compact())
        try await reader.refresh()
        #expect(reader.store.read { $0.oldest.seq } == again.oldest.seq)
        #expect(try reader[kept]?.pins.first?.number == "200")
        var events = reader.events(since: again.oldest).makeAsyncIterator()
        try await db.write { tx in try tx.update(kept) { $0.stock = 7 } }
        try await reader.refresh()
        #expect(try await events.next() != nil)
        try await reader.close()
        try await db.close()
    }

    @Test("Damage under a reader: events throw, reads stand")
    func damage() async throws {
        let folder = try Folder()
        let db = try await short(folder)
        let key = try await db.write { tx in try tx.create(Item(number: "A")) }.value
        let reader = try await reading(folder)
        var events = reader.events().makeAsyncIterator()
        let start = Int(db.store.read { $0.logByteCount })
        for round in 1...3 { try await db.write { tx in try tx.update(key) { $0.stock = round } } }
        let file = try PosixDisk(folder.path + "/data").open("log/0000000000000001.seg", .readWrite)
        let byte = try file.read(1, at: start + 50)
        try file.write([byte[0] ^ 8], at: start + 50)
        await #expect(throws: DatabaseError.self) { try await reader.refresh() }
        let error = await #expect(throws: DatabaseError.self) { _ = try await events.next() }
        guard case .damaged(let name, _) = error else { throw NotEnough() }
        #expect(name.hasSuffix("data/log/0000000000000001.seg"))
        #expect(try reader[key]?.stock == 0)
        try file.write(byte, at: start + 50)
        try await reader.refresh()
        #expect(try reader[key]?.stock == 3)
        try await reader.close()
        try await db.close()
    }
}

extension PosixDisk {
    /// With an empty database in it.
    fileprivate func made() throws -> PosixDisk {
        let options = LogOptions(segmentByteCount: 16 << 10, growByteCount: 4096)
        try Store.create(on: self, application: "stockroom", options: options)
        return self
    }
}
