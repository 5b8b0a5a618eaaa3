// Mirrors of a server that has forgotten what was deleted: what they had is gone with it, and no id
// comes twice.
import Foundation
import Holdfast
import HoldfastBasics
import HoldfastCommitLog
import HoldfastRecords
import HoldfastServer
import HoldfastStore
import HoldfastTestSupport
import Testing

@testable import HoldfastEmbedded

@Suite(.serialized) struct ForgottenRemovalsTests {
    private static let options = LogOptions(segmentByteCount: 8 << 10, growByteCount: 4 << 10)
    private static let sizes = PartSizes(least: 2 << 10, most: 16 << 10, mask: 7)

    private func label(_ text: String) throws -> HoldfastEmbedded.Key<SessionLabel> {
        Key(try #require(Name(text)))
    }

    /// A bin under an id of the server's own.
    private func post(_ server: TestServer) throws -> HoldfastEmbedded.Key<SessionBin> {
        let reply = try TestClient(server.address).send(
            "POST",
            "/v1/records/bins",
            headers: [("Content-Type", "application/json")],
            body: "{\"place\":\"posted\"}"
        )
        #expect(reply.status == 201, "\(reply.text)")
        let id = try #require(reply.headers["location"]?.split(separator: "/").last)
        return Key(try #require(Number(String(id))))
    }

    private func expectSame(_ db: Database, _ server: TestServer) async throws {
        try await eventually("the mirror is where the server is") {
            let theirs = server.store.read { ($0.confirmedHead, $0.confirmedChain) }
            return db.store.read { ($0.confirmedHead, $0.confirmedChain) } == theirs
        }
        let theirs = server.store.read { $0.confirmedHashes.map { "\($0.block) \($0.hash)" } }
        let mine = db.store.read { $0.confirmedHashes.map { "\($0.block) \($0.hash)" } }
        #expect(mine.sorted() == theirs.sorted())
    }

    @Test("A mirror that was away comes back to a server that has forgotten the deletions")
    func away() async throws {
        let (disk, folder) = (SimulatedDisk(), MirrorFolder())
        var server = try TestServer(disk: disk, options: Self.options)
        var db = try await folder.connect(server.address)
        try await db.firstSync()
        var bins: [HoldfastEmbedded.Key<SessionBin>] = []
        for number in 0..<40 {
            let receipt = try await db.write { tx in
                try tx.create(SessionLabel(text: "first"), at: label("label-\(number)"))
                return try tx.create(SessionBin(place: "place \(number)"))
            }
            try await receipt.accepted()
            bins.append(receipt.value)
        }
        // The highest id of all is one that the server gave itself.
        let last = try post(server)
        try await db.close()
        try server.stop()
        // Alone, it changes one record that is deleted meanwhile, and one that is not.
        db = try await folder.connect(server.address)
        try await db.write { tx in try tx.update(label("label-1")) { $0.text = "alone" } }
        try await db.write { tx in try tx.update(label("label-3")) { $0.text = "alone" } }
        try await db.close()

        server = try TestServer(disk: disk, options: Self.options)
        var other = try await folder.connect(server.address, "other")
        try await other.firstSync()
        for key in [bins[0], last] {
            try await other.write { tx in try tx.delete(key) }.accepted()
        }
        let deleted = try [label("label-0"), label("label-1")]
        for key in deleted { try await other.write { tx in try tx.delete(key) }.accepted() }
        for number in 0..<60 {
            try await other.write { tx in
                try tx.create(SessionLabel(text: "later"), at: label("later-\(number)"))
            }.accepted()
        }
        let horizons = Horizons(tombstones: .max)
        let report = try #require(
            try server.store.compact(horizons: horizons, sizes: Self.sizes)
        )
        #expect(report.oldest > 1)
        #expect(server.store.manifest?.parts.contains { $0.kind == .used } == true)
        // The one that saw the deletions forgets them when it takes the snapshot; nothing it shows
        // differs.
        try await expectSame(other, server)

        try await other.close()
        try server.stop()
        server = try TestServer(disk: disk, options: Self.options)
        other = try await folder.connect(server.address, "other")
        db = try await folder.connect(server.address)
        try await db.firstSync()
        try await eventually("what pended is answered") {
            try db.record(label("label-3"))?.meta.pending == false && db.stranded().count == 1
        }
        try await expectSame(db, server)
        #expect(try db.stranded().first?.refusal.code == .notFound)
        #expect(try db.record(label("label-3"))?.value.text == "alone")
        for key in [bins[0], last] { #expect(try db.record(key) == nil) }
        for key in deleted { #expect(try db.record(key) == nil) }
        // The name is free again; ids go on behind all that were given out, on old copies and new.
        try await db.write { tx in try tx.create(SessionLabel(text: "anew"), at: "label-0") }
            .accepted()
        let fresh = try await folder.connect(server.address, "fresh")
        try await fresh.firstSync()
        var seen = Set(bins + [last])
        #expect(seen.insert(try post(server)).inserted)
        for database in [db, other, fresh] {
            let made = try await database.write { tx in
                try (0..<20).map { try tx.create(SessionBin(place: "new \($0)")) }
            }
            try await made.accepted()
            for key in made.value { #expect(seen.insert(key).inserted, "\(key) was used") }
        }
        for database in [db, other, fresh] {
            try await expectSame(database, server)
            #expect(try database.record(deleted[0])?.value.text == "anew")
            try await database.close()
        }
        try server.stop()
    }
}
