// Borrows that are asked for while the server is out of reach: wishes, sent on reconnecting.
import Foundation
import Holdfast
import HoldfastBasics
import HoldfastServer
import HoldfastStore
import HoldfastTestSupport
import Testing

@testable import HoldfastEmbedded

@Suite(.serialized) struct WishTests {
    /// A mirror that has a record, and whose server has gone.
    private func alone(
        _ disk: SimulatedDisk,
        _ folder: MirrorFolder
    ) async throws -> (db: Database, key: Key<SessionBin>, port: UInt16) {
        let server = try TestServer(disk: disk)
        let port = try #require(UInt16(server.address.split(separator: ":").last ?? ""))
        let db = try await folder.connect(server.address, "anna")
        try await db.firstSync()
        let made = try await db.write { tx in try tx.create(SessionBin(place: "shelf")) }
        try await made.accepted()
        try await eventually("what the creation held is given back") {
            try db.borrows(mine: false).isEmpty
        }
        try server.stop()
        try await eventually("it knows") { if case .offline = db.status { true } else { false } }
        return (db, made.value, port)
    }

    private func hasWish(_ db: Database, _ key: Key<SessionBin>) -> Bool {
        db.lines.count(AnyKey(key)) > 0
    }

    @Test("A wish is granted when the server is back")
    func granted() async throws {
        let (disk, folder) = (SimulatedDisk(), MirrorFolder())
        let (db, key, port) = try await alone(disk, folder)
        // Whoever does not care to wait hears it at once.
        await expectOffline { _ = try await db.borrow(key) }
        let wish = Task { try await db.borrow(key, wait: .queue, note: "for monday") }
        try await eventually("the wish stands") { hasWish(db, key) }
        let server = try TestServer(disk: disk) { $0.port = port }
        let held = try await wish.value
        let listed = try #require(try db.borrows().first)
        #expect(listed.id == held.id && listed.note == "for monday" && listed.place == nil)
        try await db.write { tx in try tx.update(key) { $0.place = "desk" } }.accepted()
        try await db.return(held)
        try await db.close()
        try server.stop()
    }

    @Test("Who was quicker is waited for")
    func queued() async throws {
        let (disk, folder) = (SimulatedDisk(), MirrorFolder())
        let (anna, key, port) = try await alone(disk, folder)
        // Ben's server has another port, so that anna stays alone.
        let between = try TestServer(disk: disk)
        let ben = try await folder.connect(between.address, "ben")
        try await ben.firstSync()
        _ = try await ben.borrow(key)
        try await ben.close()
        try between.stop()
        let wish = Task { try await anna.borrowing(key, wait: .queue) { $0.place += "s" } }
        try await eventually("the wish stands") { hasWish(anna, key) }
        let server = try TestServer(disk: disk) { $0.port = port }
        try await eventually("anna is in line") { try anna.borrows().first?.place == 1 }
        let back = try await folder.connect("127.0.0.1:\(port)", "ben")
        try await back.firstSync()
        let held = try #require(try back.borrows().first)
        #expect(held.place == nil)
        try await back.return(try #require(Borrow<SessionBin>(held)))
        try await wish.value.accepted()
        #expect(try anna.record(key)?.value.place == "shelfs")
        for database in [anna, back] { try await database.close() }
        try server.stop()
    }

    @Test("A wish that is given up, or whose mirror is closed, leaves nothing")
    func givenUp() async throws {
        let (disk, folder) = (SimulatedDisk(), MirrorFolder())
        let (db, key, port) = try await alone(disk, folder)
        await expectOffline { _ = try await db.borrow(key, wait: .queueFor(.milliseconds(20))) }
        let cancelled = Task { try await db.borrow(key, wait: .queue) }
        try await eventually("the wish stands") { hasWish(db, key) }
        cancelled.cancel()
        await expectOffline { _ = try await cancelled.value }
        #expect(!hasWish(db, key))
        let closed = Task { try await db.borrow(key, wait: .queue) }
        try await eventually("another stands") { hasWish(db, key) }
        try await db.close()
        do {
            _ = try await closed.value
            Issue.record("borrowed from a mirror that is closed")
        } catch DatabaseError.closed {
            // As it should be.
        }
        let server = try TestServer(disk: disk) { $0.port = port }
        let again = try await folder.connect(server.address, "anna")
        try await again.firstSync()
        #expect(try again.borrows(mine: false).isEmpty)
        try await again.close()
        try server.stop()
    }

    @Test("A server that will have nothing of the mirror is not waited for")
    func another() async throws {
        let (disk, folder) = (SimulatedDisk(), MirrorFolder())
        let (db, key, port) = try await alone(disk, folder)
        let wish = Task { try await db.borrow(key, wait: .queue) }
        try await eventually("the wish stands") { hasWish(db, key) }
        let server = try TestServer { $0.port = port }
        await expectOffline { _ = try await wish.value }
        guard case .refused = db.status else {
            Issue.record("another database is followed: \(db.status)")
            return
        }
        try await db.close()
        try server.stop()
    }

    private func expectOffline(_ body: () async throws -> Void) async {
        do {
            try await body()
            Issue.record("borrowed without the server")
        } catch DatabaseError.offline {
            // As it should be.
        } catch {
            Issue.record("\(error)")
        }
    }
}
