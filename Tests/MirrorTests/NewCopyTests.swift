// A copy that is not the server's: said, and made anew at the next opening; nothing of the outbox
// is lost on the way.
import Foundation
import Holdfast
import HoldfastBasics
import HoldfastRecords
import HoldfastServer
import HoldfastStore
import HoldfastTestSupport
import Testing

@testable import HoldfastEmbedded
@testable import HoldfastEngine

@Suite(.serialized) struct NewCopyTests {
    private let mine: Key<SessionLabel> = "mine"
    private let theirs: Key<SessionLabel> = "theirs"

    private func port(_ address: String) throws -> UInt16 {
        try #require(UInt16(address.split(separator: ":").last ?? ""))
    }

    private func put(_ server: TestServer, _ name: String, _ text: String) throws {
        let reply = try server.send(
            "PUT",
            "/v1/records/labels/" + name,
            headers: [("If-None-Match", "*"), ("Content-Type", "application/json")],
            body: "{\"text\":\"\(text)\"}"
        )
        #expect(reply.status == 201)
    }

    private func refusal(_ db: Database) -> String? {
        if case .refused(let detail) = db.status { return detail }
        return nil
    }

    /// Opens the mirror anew, and sees that it has the server's records and delivers its own.
    private func reopen(
        _ folder: MirrorFolder,
        _ server: TestServer,
        strandedCount: Int
    ) async throws -> Database {
        let db = try await folder.connect(server.address)
        try await db.firstSync()
        #expect(db.status == .live)
        try await eventually("what pended is accepted") {
            try db.record(mine)?.meta.pending == false
        }
        #expect(try server.send("GET", "/v1/records/labels/mine").status == 200)
        #expect(try db.stranded().count == strandedCount)
        #expect(try folder.directories() == ["copy.2", "outbox"])
        return db
    }

    @Test("A server restored from another history: refused, then copied anew, the outbox delivered")
    func restored() async throws {
        let disk = SimulatedDisk()
        var server = try TestServer(disk: disk)
        let port = try port(server.address)
        let folder = MirrorFolder()
        var db = try await folder.connect(server.address)
        try await db.firstSync()
        try await db.close()
        try server.stop()
        let backup = disk.copy()
        // A life after the backup, which the mirror has seen, with a refused change.
        server = try TestServer(disk: disk) { $0.port = port }
        db = try await folder.connect(server.address)
        try await db.firstSync()
        try await db.close()
        try server.stop()
        db = try await folder.connect(server.address)
        try await db.write { tx in try tx.create(SessionLabel(text: "late"), at: theirs) }
        try await db.close()
        server = try TestServer(disk: disk) { $0.port = port }
        try put(server, "theirs", "first")
        db = try await folder.connect(server.address)
        try await eventually("one is stranded") { try db.stranded().count == 1 }
        let made = try await db.write { tx in try tx.create(SessionBin(place: "lost")) }
        try await made.accepted()
        try await db.close()
        try server.stop()
        // Written without the server.
        db = try await folder.connect(server.address)
        try await db.write { tx in try tx.create(SessionLabel(text: "kept"), at: mine) }
        // The backup is put in place, and lives on.
        server = try TestServer(disk: backup) { $0.port = port }
        for number in 0..<9 { try put(server, "other\(number)", "x") }
        try await eventually("it is refused") { refusal(db) != nil }
        let detail = try #require(refusal(db))
        #expect(detail.contains("Open it anew") && detail.contains("kept"), "\(detail)")
        // Reads go on, and the outbox takes more.
        #expect(try db.record(mine)?.value.text == "kept")
        #expect(try db.record(made.value)?.value.place == "lost")
        try await db.write { tx in try tx.update(mine) { $0.text = "kept, and more" } }
        try await db.close()
        db = try await reopen(folder, server, strandedCount: 1)
        #expect(try db.record(mine)?.value.text == "kept, and more")
        #expect(try db.record(theirs) == nil)
        #expect(try db.record(made.value) == nil)
        for number in 0..<9 {
            let key: Key<SessionLabel> = Key(try #require(Name("other\(number)")))
            #expect(try db.record(key)?.value.text == "x")
        }
        // The stranded one may be offered again: nobody has the name in this history.
        try await db.stranded().first?.reoffer()
        try await eventually("it is accepted") { try db.record(theirs)?.meta.pending == false }
        try await db.close()
        try server.stop()
    }

    @Test("Records that differ are noticed at a heartbeat, said, and copied anew")
    func hashes() async throws {
        let disk = SimulatedDisk()
        var server = try TestServer(disk: disk) { $0.heartbeatSeconds = 1 }
        let port = try port(server.address)
        let folder = MirrorFolder()
        var db = try await folder.connect(server.address)
        try await db.firstSync()
        try put(server, "theirs", "right")
        try await eventually("it is here") { try db.record(theirs)?.value.text == "right" }
        // As if a record had been folded otherwise here.
        db.store.read { reader in
            let tree = reader.state.tree(TreeName(any: "labels") ?? .trees)
            tree?.hash = Hash128(high: 1, low: 1)
        }
        try await eventually("it is noticed") { refusal(db) != nil }
        let detail = try #require(refusal(db))
        #expect(detail.contains("labels") && detail.contains("Open it anew"), "\(detail)")
        try await db.write { tx in try tx.create(SessionLabel(text: "kept"), at: mine) }
        try await db.close()
        try server.stop()
        // Without the server there is no copy yet.
        await #expect(throws: DatabaseError.offline) {
            _ = try await folder.connect(server.address)
        }
        server = try TestServer(disk: disk) { $0.port = port }
        db = try await reopen(folder, server, strandedCount: 0)
        #expect(try db.record(theirs)?.value.text == "right")
        try await db.close()
        try server.stop()
    }
}
