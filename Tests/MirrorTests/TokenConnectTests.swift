// An application's mirror with a token: it shows it to the right server alone, follows, writes as
// far as the token goes, and is told when it ends.
import Foundation
import Holdfast
import HoldfastBasics
import HoldfastEngine
import HoldfastRecords
import HoldfastServer
import HoldfastStore
import HoldfastTestSupport
import Testing

private struct Rack: Holdfast.Record, Hashable {
    typealias ID = Name
    var text: String

    static func define(_ tree: inout Holdfast.TreeDefinition<Rack>) {
        tree.name = "racks"
        tree.borrow = .optional
    }
}

/// A folder of one test, removed at its end.
private final class Folder {
    let path = FileManager.default.temporaryDirectory.path + "/mirror-\(UUID().uuidString)"

    init() throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            Issue.record("\(error)")
        }
    }
}

@Suite(.serialized) struct TokenConnectTests {
    private static func connect(
        _ server: TestServer,
        _ folder: Folder,
        _ token: String?,
        user: String = "anna"
    ) async throws -> Database {
        try await Database.connect(
            to: "http://" + server.address,
            token: token,
            mirror: folder.path + "/" + user,
            application: "stockroom",
            trees: [Rack.self],
            user: user
        )
    }

    @Test("A mirror of everything follows past tokens given out, and ends when its own is revoked")
    func follows() async throws {
        let server = try TestServer { $0.heartbeatSeconds = 0.2 }
        let (_, admin) = try server.giveToken("op", Rights(everywhere: Set(Right.allCases)))
        let (id, secret) = try server.giveToken("anna", Rights(everywhere: [.write, .admin]))
        let folder = try Folder()
        let db = try await Self.connect(server, folder, secret)
        try await db.firstSync()
        let key: Key<Rack> = "A1"
        try await db.write { tx in try tx.create(Rack(text: "one"), at: key) }.accepted()
        for number in 0..<5 {
            _ = try server.giveToken("user \(number)", Rights(everywhere: [.read]))
            try await db.write { tx in try tx.update(key) { $0.text = "\(number)" } }.accepted()
        }
        try await eventually("all of it is here") { try db.record(key)?.value.text == "4" }
        #expect(db.status == .live)
        let reply = try server.send(
            "DELETE",
            "/v1/tokens/\(id)",
            headers: [("Authorization", "Bearer " + admin)]
        )
        #expect(reply.status == 204)
        try await eventually("it is told") {
            if case .refused = db.status { true } else { false }
        }
        #expect(try db.record(key)?.value.text == "4")
        try await db.close()
        // With another token it goes on where it was.
        let (_, next) = try server.giveToken("anna", Rights(everywhere: [.write]))
        let again = try await Self.connect(server, folder, next)
        try await eventually("it is live again") { again.status == .live }
        try await again.close()
        try server.stop()
    }

    @Test("A mirror is whom its token stands for, without being told, and without a server too")
    func learns() async throws {
        let disk = SimulatedDisk()
        var server = try TestServer(disk: disk)
        let (_, secret) = try server.giveToken("zoë 1", Rights(everywhere: [.write, .admin]))
        let folder = try Folder()
        let (address, path) = (server.address, folder.path + "/m")
        let port = try #require(UInt16(address.split(separator: ":").last ?? ""))
        func connect(_ token: String? = secret) async throws -> Database {
            try await Database.connect(
                to: "http://" + address,
                token: token,
                mirror: path,
                application: "stockroom",
                trees: [Rack.self]
            )
        }
        var db = try await connect()
        try await db.firstSync()
        let (one, two): (Key<Rack>, Key<Rack>) = ("one", "two")
        try await db.write { tx in try tx.create(Rack(text: "1"), at: one) }.accepted()
        #expect(try db.record(one)?.meta.modifiedBy == "zoë 1")
        try await db.close()
        try server.stop()
        db = try await connect()
        try await db.write { tx in try tx.create(Rack(text: "2"), at: two) }
        #expect(try db.record(two)?.meta.modifiedBy == "zoë 1")
        server = try TestServer(disk: disk) { $0.port = port }
        try await eventually("it is accepted") { try db.record(two)?.meta.pending == false }
        #expect(try db.record(two)?.meta.modifiedBy == "zoë 1")
        try await db.close()
        // A secret that opens nothing is told at once, where nothing is here yet.
        let other = folder.path + "/other"
        await #expect(throws: DatabaseError.self) {
            try await Database.connect(
                to: "http://" + address,
                token: TokenSecret(random: SystemRandom()).text,
                mirror: other,
                application: "stockroom",
                trees: [Rack.self]
            )
        }
        try server.stop()
    }

    @Test("Without a token, or as another user, a mirror is refused and says why")
    func refused() async throws {
        let server = try TestServer()
        _ = try server.giveToken("op", Rights(everywhere: Set(Right.allCases)))
        let (_, secret) = try server.giveToken("anna", Rights(everywhere: [.write, .admin]))
        let folder = try Folder()
        for (token, user) in [(nil, "anna"), ("hf_none", "ben")] as [(String?, String)] {
            await #expect(throws: DatabaseError.self) {
                try await Self.connect(server, folder, token, user: user)
            }
        }
        let db = try await Self.connect(server, folder, secret, user: "carl")
        try await eventually("it is told whose the token is") {
            if case .refused(let why) = db.status { why.contains("anna") } else { false }
        }
        try await db.close()
        try server.stop()
    }
}
