// Compaction of an embedded database: what it frees, what stays, and what it says.
import Foundation
import HoldfastBasics
import Testing

@testable import HoldfastEmbedded

private struct Sheet: Record {
    typealias ID = Name
    var text: String
    var round: Int
    static func define(_ tree: inout TreeDefinition<Sheet>) { tree.name = "sheets" }
}

@Suite(.serialized) struct CompactTests {
    private static func byteCount(_ directory: String) throws -> Int {
        let files = FileManager.default
        return try files.subpathsOfDirectory(atPath: directory).reduce(0) { sum, path in
            let attributes = try files.attributesOfItem(atPath: directory + "/" + path)
            return sum + (attributes[.size] as? Int ?? 0)
        }
    }

    @Test("History above a segment's length goes, beside writes; everything that stands stays")
    func frees() async throws {
        let folder = try Folder()
        let text = String(repeating: "a page of a sheet. ", count: 25_000)
        let db = try await folder.open([Sheet.self])
        let names = (0..<8).map { Name(stringLiteral: "sheet-\($0)") }
        let keys = names.map { Key<Sheet>($0) }
        for name in names {
            try await db.write { tx in try tx.create(Sheet(text: text, round: 0), at: Key(name)) }
        }
        // A reader that has seen everything, and does not come back until the log is shorter.
        let seen = try #require(try db.record(keys[7])).meta.version
        let away = EventCursor(db, since: seen)
        guard case .wait = try away.step() else { throw NotEnough() }
        for round in 1...20 {
            for key in keys { try await db.write { tx in try tx.update(key) { $0.round = round } } }
        }
        let before = try Self.byteCount(folder.path)
        #expect(before > 76 << 20)
        // Somebody goes on writing.
        async let writing: Void = {
            for round in 21...40 {
                try await db.write { tx in try tx.update(keys[0]) { $0.round = round } }
            }
        }()
        let report = try #require(try await db.compact())
        try await writing
        #expect(report.freedByteCount > 60 << 20)
        #expect(report.oldest.seq > 1 && report.oldest.seq <= report.position.seq)
        let after = try Self.byteCount(folder.path)
        #expect(after < before - (60 << 20) + report.writtenByteCount + (16 << 20))
        for key in keys {
            #expect(try db[key]?.round == (key == keys[0] ? 40 : 20))
            #expect(try db[key]?.text == text)
        }
        #expect(throws: DatabaseError.self) { _ = try away.step() }
        // Events begin where the log does, and nowhere before.
        var early = db.events(since: Position(epoch: report.oldest.epoch, seq: 1))
            .makeAsyncIterator()
        await #expect(throws: DatabaseError.self) { _ = try await early.next() }
        var late = db.events(since: report.oldest).makeAsyncIterator()
        #expect(try await late.next() != nil)
        try await db.close()
        await #expect(throws: DatabaseError.closed) { try await db.compact() }

        let again = try await folder.open([Sheet.self])
        for key in keys { #expect(try again[key]?.text == text) }
        #expect(again.checkInvariants(Sheet.self) == nil)
        // With all of its time kept, nothing more goes.
        let kept = try #require(try await again.compact(keeping: .seconds(3600)))
        #expect(kept.oldest == report.oldest && kept.freedByteCount == 0)
        try await again.write { tx in try tx.delete(keys[1]) }
        #expect(try again[keys[1]] == nil)
        try await again.close()
    }

    @Test("A deletion is remembered for as long as was said", arguments: [true, false])
    func deletions(isRemembered: Bool) async throws {
        let folder = try Folder()
        let text = String(repeating: "a page of a sheet. ", count: 25_000)
        let db = try await folder.open([Sheet.self])
        let keys = (0..<16).map { Key<Sheet>(Name(stringLiteral: "sheet-\($0)")) }
        for key in keys {
            try await db.write { tx in try tx.create(Sheet(text: text, round: 0), at: key) }
        }
        try await db.write { tx in try tx.delete(keys[0]) }
        let report = try #require(
            isRemembered
                ? try await db.compact()
                : try await db.compact(deletions: .zero)
        )
        #expect(report.oldest == report.position && report.freedByteCount > 4 << 20)
        do {
            try await db.write { tx in try tx.delete(keys[0]) }
            Issue.record("deleted twice")
        } catch DatabaseError.refused(let refusal) {
            #expect(refusal.code == (isRemembered ? .deleted : .notFound))
        }
        #expect(try db[keys[1]]?.text == text)
        try await db.close()
    }
}
