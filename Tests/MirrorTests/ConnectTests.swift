// Mirrors over real sockets: two of them and REST on one server.
import Foundation
import Holdfast
import HoldfastBasics
import HoldfastEngine
import HoldfastServer
import HoldfastStore
import HoldfastTestSupport
import Testing

private struct Bin: Record, Hashable {
    var place: String
    var stock: Int

    static func define(_ tree: inout TreeDefinition<Bin>) { tree.name = "bins" }
}

private struct Label: Record, Hashable {
    typealias ID = Name
    var text: String

    static func define(_ tree: inout TreeDefinition<Label>) {
        tree.name = "labels"
        tree.borrow = .optional
    }
}

@Suite(.serialized) struct ConnectTests {
    /// Folders of one test, removed at its end.
    private final class Folder {
        let path: String

        init() throws {
            path = FileManager.default.temporaryDirectory.path + "/mirror-\(UUID().uuidString)"
            try FileManager.default.createDirectory(
                atPath: path,
                withIntermediateDirectories: true
            )
        }

        deinit {
            do {
                try FileManager.default.removeItem(atPath: path)
            } catch {
                Issue.record("\(error)")
            }
        }
    }

    private func connect(
        _ server: TestServer,
        _ folder: Folder,
        _ name: String = "m"
    ) async throws -> Database {
        try await connect(server.address, folder, name)
    }

    private func connect(
        _ address: String,
        _ folder: Folder,
        _ name: String = "m"
    ) async throws -> Database {
        try await Database.connect(
            to: "http://" + address,
            mirror: folder.path + "/" + name,
            application: "stockroom",
            trees: [Bin.self, Label.self],
            user: name
        )
    }

    @Test("Two mirrors and REST show each other's changes")
    func together() async throws {
        let server = try TestServer()
        let folder = try Folder()
        let anna = try await connect(server, folder, "anna")
        let bert = try await connect(server, folder, "bert")
        try await anna.firstSync()
        try await bert.firstSync()
        #expect(anna.status == .live)
        let made = try await anna.write { tx in try tx.create(Bin(place: "A1", stock: 3)) }
        #expect(try anna.record(made.value)?.value.place == "A1")
        let position = try await made.accepted()
        try await eventually("bert sees it") { try bert.record(made.value)?.value.stock == 3 }
        #expect(try bert.record(made.value)?.meta.version == position)
        let label: Key<Label> = "front"
        try await bert.write { tx in try tx.create(Label(text: "hello"), at: label) }.accepted()
        try await eventually("anna sees it") { try anna.record(label)?.value.text == "hello" }
        let reply = try server.send("GET", "/v1/records/labels/front")
        #expect(reply.status == 200)
        #expect(String(decoding: reply.body, as: UTF8.self).contains("hello"))
        try await anna.borrowing(made.value) { $0.stock = 9 }.accepted()
        try await eventually("bert sees the edit") { try bert.record(made.value)?.value.stock == 9 }
        try await anna.close()
        try await bert.close()
        try server.stop()
    }

    @Test("Whoever asks where a change stands, at any moment, is told its own commit's position")
    func positions() async throws {
        let server = try TestServer()
        let folder = try Folder()
        let db = try await connect(server, folder)
        try await db.firstSync()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<8 {
                group.addTask {
                    for number in 0..<40 {
                        let made = try await db.write { tx in
                            try tx.create(Bin(place: "\(writer)", stock: number))
                        }
                        try await askOften(made, db)
                    }
                }
            }
            try await group.waitForAll()
        }
        try await db.close()
        try server.stop()
    }

    /// Asks again and again, so that some ask while the answer comes in.
    private func askOften(_ made: Receipt<Key<Bin>>, _ db: Database) async throws {
        let told = try await withThrowingTaskGroup(of: Position.self) { group in
            for turns in 0..<8 {
                group.addTask {
                    for _ in 0..<turns * 4 { await Task.yield() }
                    return try await made.accepted()
                }
            }
            return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(try told == [#require(try db.record(made.value)).meta.version])
    }

    @Test("Offline edits survive a restart, and are accepted when the server is back")
    func offline() async throws {
        let disk = SimulatedDisk()
        let server = try TestServer(disk: disk)
        let address = server.address
        let port = try #require(UInt16(address.split(separator: ":").last ?? ""))
        let folder = try Folder()
        var db = try await connect(address, folder)
        try await db.firstSync()
        try await db.close()
        try server.stop()
        db = try await connect(address, folder)
        let label: Key<Label> = "offline"
        let made = try await db.write { tx in
            try tx.create(Label(text: "one"), at: label)
            return try tx.create(Bin(place: "B2", stock: 1))
        }
        try await db.write { tx in try tx.update(label) { $0.text = "two" } }
        try await db.write { tx in try tx.update(made.value) { $0.stock = 2 } }
        #expect(try db.record(label)?.meta.pending == true)
        // Killed and started again at every step: nothing is lost.
        for _ in 0..<3 {
            try await db.close()
            db = try await connect(address, folder)
            #expect(try db.record(label)?.value.text == "two")
            #expect(try db.record(made.value)?.value.stock == 2)
        }
        let again = try TestServer(disk: disk) { $0.port = port }
        try await eventually("it is confirmed") { try db.record(label)?.meta.pending == false }
        try await eventually("so is the bin") { try db.record(made.value)?.meta.pending == false }
        #expect(try again.send("GET", "/v1/records/labels/offline").status == 200)
        #expect(try db.record(made.value)?.value.stock == 2)
        #expect(try db.stranded().isEmpty)
        // What the creation held is given back when nothing pends any more.
        try await eventually("the borrow is given back") {
            again.store.read { reader in
                reader.state.allTrees.allSatisfy { !$0.hasBorrows }
            }
        }
        try await db.close()
        try again.stop()
    }

    @Test("A refused change strands exactly what builds on it; the rest is accepted")
    func stranding() async throws {
        let disk = SimulatedDisk()
        let server = try TestServer(disk: disk)
        let address = server.address
        let port = try #require(UInt16(address.split(separator: ":").last ?? ""))
        let folder = try Folder()
        var db = try await connect(address, folder)
        try await db.firstSync()
        try await db.close()
        try server.stop()
        db = try await connect(address, folder)
        let (mine, other): (Key<Label>, Key<Label>) = ("mine", "other")
        try await db.write { tx in try tx.create(Label(text: "offline"), at: mine) }
        try await db.write { tx in try tx.create(Label(text: "free"), at: other) }
        try await db.write { tx in try tx.update(mine) { $0.text = "built on it" } }
        // Meanwhile another one took the name.
        try await db.close()
        let again = try TestServer(disk: disk) { $0.port = port }
        let put = try again.send(
            "PUT",
            "/v1/records/labels/mine",
            headers: [("If-None-Match", "*"), ("Content-Type", "application/json")],
            body: "{\"text\":\"theirs\"}"
        )
        #expect(put.status == 201)
        db = try await connect(address, folder)
        try await eventually("the refusal came") { try db.stranded().count == 1 }
        let stranded = try #require(try db.stranded().first)
        #expect(stranded.items.map(\.key.text) == ["mine.0", "mine.0"])
        #expect(stranded.refusal.code.rawValue == "exists")
        #expect(try db.record(mine)?.value.text == "theirs")
        try await eventually("the other is accepted") {
            try db.record(other)?.meta.pending == false
        }
        try await db.close()
        db = try await connect(address, folder)
        #expect(try db.stranded().count == 1)
        try await db.stranded().first?.drop()
        #expect(try db.stranded().isEmpty)
        try await db.close()
        try again.stop()
    }

    @Test("A copied folder gives out no ids before it has been online as a device of its own")
    func copied() async throws {
        let disk = SimulatedDisk()
        let server = try TestServer(disk: disk)
        let address = server.address
        let port = try #require(UInt16(address.split(separator: ":").last ?? ""))
        let folder = try Folder()
        let db = try await connect(address, folder)
        try await db.firstSync()
        let made = try await db.write { tx in try tx.create(Bin(place: "A", stock: 1)) }
        try await made.accepted()
        let first = made.value
        try await db.close()
        try server.stop()
        try FileManager.default.copyItem(atPath: folder.path + "/m", toPath: folder.path + "/copy")
        let copy = try await connect(address, folder, "copy")
        #expect(try copy.record(first)?.value.place == "A")
        await #expect(throws: DatabaseError.keysExhausted(tree: "bins")) {
            try await copy.write { tx in try tx.create(Bin(place: "B", stock: 1)) }
        }
        let again = try TestServer(disk: disk) { $0.port = port }
        try await eventually("it is live") { copy.status == .live }
        try await copy.firstSync()
        let second = try await copy.write { tx in try tx.create(Bin(place: "B", stock: 1)) }
        #expect(second.value != first)
        try await second.accepted()
        try await copy.close()
        try again.stop()
    }

    @Test("Without its server a new mirror says so; another database's server is refused")
    func first() async throws {
        let server = try TestServer()
        let address = server.address
        let folder = try Folder()
        var db = try await connect(address, folder)
        try await db.firstSync()
        try await db.close()
        try server.stop()
        await #expect(throws: DatabaseError.offline) {
            _ = try await connect(address, folder, "new")
        }
        let port = try #require(UInt16(address.split(separator: ":").last ?? ""))
        let other = try TestServer { $0.port = port }
        db = try await connect(address, folder)
        try await eventually("it is refused") {
            if case .refused = db.status { true } else { false }
        }
        try await db.close()
        try other.stop()
    }
}
