// Mirrors of chosen trees, from `Database.connect` to the files on the disk.
import Foundation
import HoldfastBasics
import HoldfastCommitLog
import HoldfastEngine
import HoldfastRecords
import HoldfastServer
import HoldfastStore
import HoldfastTestSupport
import Testing
@testable import Holdfast
@testable import HoldfastEmbedded

private typealias Position = HoldfastEmbedded.Position
private typealias TreeDefinition = HoldfastEmbedded.TreeDefinition

private struct Bin: Record, Hashable {
    var place: String
    var secret: Key<Secret>?

    static func define(_ tree: inout TreeDefinition<Bin>) { tree.name = "bins" }
}

private struct Secret: Record, Hashable {
    var text: String

    static func define(_ tree: inout TreeDefinition<Secret>) { tree.name = "secrets" }
}

private struct Label: Record, Hashable {
    typealias ID = Name
    var text: String

    static func define(_ tree: inout TreeDefinition<Label>) {
        tree.name = "labels"
        tree.borrow = .optional
    }
}

@Suite(.serialized) struct ChosenConnectTests {
    private static let marker = "Pl4nted"

    /// A server's disk and port, and a folder for mirrors, removed at its end.
    private final class Scene {
        let path: String
        private let disk = SimulatedDisk()
        private(set) var server: TestServer
        let port: UInt16

        init() throws {
            path = FileManager.default.temporaryDirectory.path + "/chosen-\(UUID().uuidString)"
            try FileManager.default.createDirectory(
                atPath: path,
                withIntermediateDirectories: true
            )
            server = try TestServer(disk: disk) { $0.heartbeatSeconds = 0.2 }
            port = try #require(UInt16(server.address.split(separator: ":").last ?? ""))
        }

        deinit {
            do {
                try FileManager.default.removeItem(atPath: path)
            } catch {
                Issue.record("\(error)")
            }
        }

        func stop() throws { try server.stop() }

        func start() throws {
            server = try TestServer(disk: disk) { [port] configuration in
                configuration.port = port
                configuration.heartbeatSeconds = 0.5
            }
        }

        func connect(
            _ name: String = "m",
            _ types: [any Record.Type] = [Bin.self],
            _ copying: MirroredTrees = .listed
        ) async throws -> Database {
            try await Database.connect(
                to: "http://127.0.0.1:\(port)",
                mirror: path + "/" + name,
                application: "stockroom",
                trees: types,
                copying: copying,
                user: name
            )
        }

        /// Whether any file of a mirror holds some text.
        func holds(_ text: String, _ name: String = "m") throws -> Bool {
            let directory = path + "/" + name
            var found = false
            for file in try FileManager.default.subpathsOfDirectory(atPath: directory) {
                var isDirectory: ObjCBool = false
                let path = directory + "/" + file
                _ = FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
                guard !isDirectory.boolValue else { continue }
                let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
                if bytes.range(of: Data(text.utf8)) != nil { found = true }
            }
            return found
        }

        /// One who has all trees, and writes and borrows in them.
        func whole() async throws -> Database {
            let all = try await connect("all", [Bin.self, Secret.self, Label.self], .all)
            try await all.firstSync()
            return all
        }
    }

    /// Waits until nothing is borrowed any more by creations.
    private func allGivenBack(_ scene: Scene, but except: String = "") async throws {
        try await eventually("what creations held is given back") {
            scene.server.store.read { reader in
                reader.state.allTrees.allSatisfy { tree in
                    tree.name.description == except || !tree.hasBorrows
                }
            }
        }
    }

    /// Its trees' hashes are the server's at one position.
    private func expectSame(_ database: Database, _ server: TestServer) async throws {
        try await eventually("both are at one position") {
            let theirs = server.store.read { ($0.state.head, $0.state.chain) }
            let mine = database.store.read { ($0.confirmedHead, $0.confirmedChain) }
            return theirs == mine
        }
        let theirs = server.store.read { reader in
            Dictionary(uniqueKeysWithValues: reader.state.hashes.map { ($0.block, $0.hash) })
        }
        guard case .mirror(trees: let trees) = database.store.role else {
            Issue.record("no mirror's log")
            return
        }
        let filter = BlockFilter(trees: trees)
        for (block, hash) in database.store.read(\.confirmedHashes) {
            #expect(hash == (filter.permits(block) ? theirs[block] : .zero), "\(block)")
        }
    }

    @Test("A mirror of chosen trees has them, offline too, and not a byte of others on its disk")
    func chosen() async throws {
        let scene = try Scene()
        let all = try await scene.whole()
        let secret = try await all.write(why: Self.marker + "-why") { tx in
            try tx.create(Secret(text: Self.marker + "-value"))
        }
        try await secret.accepted()
        try await allGivenBack(scene)
        let borrow = try await all.borrow(secret.value, note: Self.marker + "-note")
        let label: Key<Label> = "Pl4nted-name"
        try await all.write { tx in try tx.create(Label(text: "x"), at: label) }.accepted()
        let made = try await all.write(why: "of both") { tx in
            try tx.update(label) { $0.text = Self.marker }
            return try tx.create(Bin(place: "A1", secret: secret.value))
        }
        let position = try await made.accepted()

        try await allGivenBack(scene, but: "secrets")

        var db = try await scene.connect()
        try await db.firstSync()
        #expect(try db.record(made.value)?.value.place == "A1")
        // A key into a tree that is not here is a key all the same.
        #expect(try db.record(made.value)?.value.secret == secret.value)
        for name in ["secrets", "labels"] {
            #expect(throws: DatabaseError.self) { try db.anyTree(name) }
        }
        let mine = try await db.write(why: "mine") { tx in
            try tx.create(Bin(place: "B", secret: nil))
        }
        try await mine.accepted()
        try await db.borrowing(made.value) { $0.place = "A2" }.accepted()
        try await eventually("the other sees it") {
            try all.record(made.value)?.value.place == "A2"
        }
        try await expectSame(db, scene.server)
        try await eventually("all is here") { db.status == .live }
        var events = db.events(since: Position(epoch: position.epoch, seq: 0))
            .makeAsyncIterator()
        let event = try await events.next(isolation: nil)
        #expect(event?.position == position)
        #expect(event?.why == "of both")
        #expect(event?.changes.map(\.key.tree).contains("labels") == false)
        try await db.close()
        #expect(try !scene.holds(Self.marker))
        #expect(try scene.holds(Self.marker, "all"))

        try await all.return(borrow)
        try await all.close()
        try scene.stop()
        db = try await scene.connect()
        #expect(try db.record(made.value)?.value.place == "A2")
        let offline = try await db.write { tx in try tx.create(Bin(place: "off", secret: nil)) }
        try await db.close()
        db = try await scene.connect()
        #expect(try db.record(offline.value)?.value.place == "off")
        try scene.start()
        try await eventually("it is accepted") {
            try db.record(offline.value)?.meta.pending == false
        }
        // Heartbeats compare the hashes: they find nothing.
        try await expectSame(db, scene.server)
        let mirror = try #require(db.authority as? MirrorAuthority)
        let rounds = mirror.rounds.count
        try await eventually("heartbeats came") { mirror.rounds.count >= rounds + 3 }
        // What the creation held may be given back this moment.
        try await eventually("all is here") { db.status == .live }
        try await db.close()
        #expect(try !scene.holds(Self.marker))
        try scene.stop()
    }

    @Test("Fewer trees make a new copy; a tree in which something pends stays until it is settled")
    func fewer() async throws {
        let scene = try Scene()
        let all = try await scene.whole()
        let (one, two): (Key<Label>, Key<Label>) = ("one", "two")
        try await all.write { tx in try tx.create(Label(text: Self.marker), at: one) }.accepted()
        try await all.close()
        let types: [any Record.Type] = [Bin.self, Label.self]
        var db = try await scene.connect("m", types, .all)
        try await db.firstSync()
        let bin = try await db.write { tx in try tx.create(Bin(place: "A", secret: nil)) }
        try await bin.accepted()
        try await db.close()
        try scene.stop()
        db = try await scene.connect("m", types, .all)
        try await db.write { tx in try tx.create(Label(text: "pends"), at: two) }
        try await db.close()

        // Without the server the copy that is there serves, whatever more it has.
        db = try await scene.connect()
        #expect(try db.record(bin.value)?.value.place == "A")
        #expect(try db.anyTree("labels").keys().count == 2)
        try await db.close()
        try scene.start()
        // The pending label keeps its tree.
        db = try await scene.connect()
        try await db.firstSync()
        #expect(try db.record(bin.value)?.value.place == "A")
        try await eventually("the label is accepted") {
            try scene.server.send("GET", "/v1/records/labels/two").status == 200
        }
        try await eventually("and settled") { try db.anyTree("labels").keys().count == 2 }
        #expect(try db.stranded().isEmpty)
        try await expectSame(db, scene.server)
        try await db.close()
        #expect(try scene.holds(Self.marker))
        // Now nothing does.
        db = try await scene.connect()
        try await db.firstSync()
        #expect(try db.record(bin.value)?.value.place == "A")
        #expect(throws: DatabaseError.self) { try db.anyTree("labels") }
        try await expectSame(db, scene.server)
        // It is the same device: its ids go on where they were.
        let next = try await db.write { tx in try tx.create(Bin(place: "B", secret: nil)) }
        try await next.accepted()
        #expect(next.value != bin.value)
        try await db.close()
        #expect(try !scene.holds(Self.marker))
        try scene.stop()
    }

    @Test("More trees need the server once; without it nothing is changed")
    func more() async throws {
        let scene = try Scene()
        let all = try await scene.whole()
        let label: Key<Label> = "one"
        try await all.write { tx in try tx.create(Label(text: "x"), at: label) }.accepted()
        var db = try await scene.connect()
        try await db.firstSync()
        try await db.close()
        try await all.close()
        try scene.stop()
        for copying in [MirroredTrees.all, .listed(and: "labels")] {
            await #expect(throws: DatabaseError.offline) {
                _ = try await scene.connect("m", [Bin.self], copying)
            }
        }
        db = try await scene.connect()
        let made = try await db.write { tx in try tx.create(Bin(place: "A", secret: nil)) }
        try await db.close()
        try scene.start()
        db = try await scene.connect("m", [Bin.self], .listed(and: "labels"))
        try await db.firstSync()
        let keys = try db.anyTree("labels").keys()
        #expect(keys.map(\.text) == ["one.0"])
        try await eventually("what pended is accepted") {
            try db.record(made.value)?.meta.pending == false
        }
        #expect(throws: DatabaseError.self) { try db.anyTree("secrets") }
        try await expectSame(db, scene.server)
        try await db.close()
        db = try await scene.connect("m", [Bin.self], .all)
        try await db.firstSync()
        #expect(try db.anyTree("secrets").keys().isEmpty)
        try await expectSame(db, scene.server)
        try await db.close()
        try scene.stop()
    }

    @Test("A choice that is none is refused before anything is made")
    func choices() async throws {
        let scene = try Scene()
        for (types, copying) in [
            ([], MirroredTrees.listed), ([Bin.self], .listed(and: "_tokens")),
            ([Bin.self], .listed(and: "No Tree")),
        ] as [([any Record.Type], MirroredTrees)] {
            await #expect {
                _ = try await scene.connect("none", types, copying)
            } throws: { error in
                guard case DatabaseError.refused(let refusal) = error else { return false }
                return refusal.code == .unknownTree
            }
        }
        #expect(!FileManager.default.fileExists(atPath: scene.path + "/none"))
        try scene.stop()
    }
}
