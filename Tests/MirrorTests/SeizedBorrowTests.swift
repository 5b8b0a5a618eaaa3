// A borrow that is taken away while its holder is out of reach: the holder's work strands, with who
// took it and why, and nothing of it overwrites what came after.
import Foundation
import Holdfast
import HoldfastBasics
import HoldfastRecords
import HoldfastServer
import HoldfastStore
import HoldfastTestSupport
import Testing

@testable import HoldfastEmbedded

@Suite(.serialized) struct SeizedBorrowTests {
    @Test("Taken away while its holder is offline")
    func offline() async throws {
        let (disk, folder) = (SimulatedDisk(), MirrorFolder())
        var server = try TestServer(disk: disk)
        var anna = try await folder.connect(server.address, "anna")
        try await anna.firstSync()
        let made = try await anna.write { tx in try tx.create(SessionBin(place: "shelf")) }
        try await made.accepted()
        let key = made.value
        let held = try await anna.borrow(key, note: "counting")
        try await anna.close()
        try server.stop()
        // Alone she goes on with what she holds.
        anna = try await folder.connect(server.address, "anna")
        try await anna.write { tx in try tx.update(key) { $0.place = "anna's" } }
        try await anna.close()

        server = try TestServer(disk: disk)
        let ben = try await folder.connect(server.address, "ben")
        try await ben.firstSync()
        let standing = try #require(try ben.borrows(mine: false).first)
        #expect(standing.id == held.id && standing.note == "counting")
        try await ben.recall(standing.id, note: "needed")
        #expect(try ben.borrows(mine: false).first?.recalled == true)
        try await ben.seize(standing.id, why: "anna is on leave")
        #expect(try ben.borrows(mine: false).isEmpty)
        try await ben.borrowing(key) { $0.place = "ben's" }.accepted()

        anna = try await folder.connect(server.address, "anna")
        try await anna.firstSync()
        try await eventually("her change strands") { try anna.stranded().count == 1 }
        let stranded = try #require(try anna.stranded().first)
        #expect(stranded.refusal.code == .borrowEnded)
        #expect(stranded.refusal.message?.contains("by ben: anna is on leave") == true)
        #expect(try anna.record(key)?.value.place == "ben's")
        #expect(try anna.borrows().isEmpty)
        for database in [anna, ben] { try await database.close() }
        try server.stop()
    }

    @Test("Handed from one device of a user to the other, which goes on with it")
    func handedOn() async throws {
        let (server, folder) = (try TestServer(), MirrorFolder())
        let anna = try await folder.connect(server.address, "anna")
        try await anna.firstSync()
        let made = try await anna.write { tx in try tx.create(SessionBin(place: "shelf")) }
        try await made.accepted()
        let held = try await anna.borrow(made.value)
        let ben = try await folder.connect(server.address, "ben")
        try await ben.firstSync()
        let device = ben.authority.caller.device
        try await anna.setHolder(of: held.id, to: "ben", device: device)
        try await eventually("ben has it") { try ben.borrows().map(\.id) == [held.id] }
        #expect(try anna.borrows().isEmpty)
        try await ben.write { tx in try tx.update(made.value) { $0.place = "ben's" } }.accepted()
        // Without tokens anybody may: she takes it back to where she sits.
        try await anna.setHolder(of: held.id)
        try await eventually("anna has it") { try anna.borrows().map(\.id) == [held.id] }
        for database in [anna, ben] { try await database.close() }
        try server.stop()
    }
}
