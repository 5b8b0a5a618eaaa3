// An application's mirror over TLS: it follows and survives cuts as without, and tells nobody who it
// is before the server has shown who that is.
import Foundation
import Holdfast
import HoldfastBasics
import HoldfastNetworking
import HoldfastServer
import HoldfastTestSupport
import Testing

private struct Tray: Holdfast.Record, Hashable {
    typealias ID = Name
    var text: String

    static func define(_ tree: inout Holdfast.TreeDefinition<Tray>) {
        tree.name = "trays"
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

@Suite(.serialized) struct SecureConnectTests {
    private static let files = TestCertificates.shared

    private static func server(
        _ pair: TestCertificates.Pair = files.server,
        disk: SimulatedDisk = SimulatedDisk(),
        port: UInt16 = 0,
        clientAuthorities: String? = nil
    ) throws -> TestServer {
        let acceptor = try TLSAcceptor(
            TLSFiles(certificate: pair.certificate, key: pair.key),
            clientAuthorities: clientAuthorities
        )
        return try TestServer(disk: disk) { configuration in
            configuration.port = port
            configuration.tls = acceptor
        }
    }

    private static func port(_ server: TestServer) throws -> UInt16 {
        try #require(UInt16(server.address.split(separator: ":").last ?? ""))
    }

    private static func connect(
        _ port: UInt16,
        _ folder: Folder,
        token: String? = nil,
        _ security: ConnectionSecurity = ConnectionSecurity(authorities: files.authority)
    ) async throws -> Database {
        try await Database.connect(
            to: "https://localhost:\(port)",
            token: token,
            mirror: folder.path + "/mirror",
            application: "stockroom",
            trees: [Tray.self],
            security: security
        )
    }

    @Test("A mirror over TLS begins, follows, writes, and goes on after the server was away")
    func follows() async throws {
        let disk = SimulatedDisk()
        let server = try Self.server(disk: disk)
        let port = try Self.port(server)
        let folder = try Folder()
        let db = try await Self.connect(port, folder)
        try await db.firstSync()
        let key: Key<Tray> = "A1"
        let long = String(repeating: "far more than one record of TLS holds ", count: 4000)
        try await db.write { tx in try tx.create(Tray(text: long), at: key) }.accepted()
        let mirrored = try Folder()
        let other = try await Self.connect(port, mirrored)
        try await other.firstSync()
        #expect(try other.record(key)?.value.text == long)
        try server.stop()
        try await db.write { tx in try tx.update(key) { $0.text = "offline" } }
        let again = try Self.server(Self.files.renewed, disk: disk, port: port)
        try await eventually("it is confirmed; \(db.status)") {
            try db.record(key)?.meta.pending == false
        }
        try await eventually("the other has it; \(other.status)") {
            try other.record(key)?.value.text == "offline"
        }
        try await db.close()
        try await other.close()
        try again.stop()
    }

    @Test("A server that does not show who it is, is told nothing, and the application why")
    func untrusted() async throws {
        for (pair, word) in [
            (Self.files.expired, "ended"), (Self.files.elsewhere, "elsewhere.example"),
            (Self.files.stranger, "vouched"),
        ] {
            let heard = Condition(0)
            var options = Listener.Options()
            options.tls = try TLSAcceptor(
                TLSFiles(certificate: pair.certificate, key: pair.key)
            )
            let loop = try EventLoop()
            let listener = try Listener(
                on: SocketAddress("127.0.0.1:0"),
                loops: [loop],
                options: options,
                logger: Logger(level: .error)
            ) { _ in
                heard.signal { $0 += 1 }
                return Ear()
            }
            let folder = try Folder()
            do {
                let db = try await Self.connect(
                    listener.address.port,
                    folder,
                    token: "hf_secret"
                )
                try await db.close()
                Issue.record("trusted")
            } catch DatabaseError.untrusted(let reason) {
                #expect(reason.contains(word), "\(reason)")
            }
            loop.stop()
            loop.join()
            #expect(heard.withLock { $0 } == 0)
        }
    }

    @Test("A mirror whose server cannot be trusted any more says so, and goes on when it can")
    func renewed() async throws {
        let disk = SimulatedDisk()
        let server = try Self.server(disk: disk)
        let port = try Self.port(server)
        let folder = try Folder()
        let db = try await Self.connect(port, folder)
        try await db.firstSync()
        try server.stop()
        let expired = try Self.server(Self.files.expired, disk: disk, port: port)
        try await eventually("it is told") {
            if case .refused(let why) = db.status { why.contains("has ended") } else { false }
        }
        try expired.stop()
        let again = try Self.server(Self.files.renewed, disk: disk, port: port)
        try await eventually("it is live again") { db.status == .live }
        try await db.close()
        try again.stop()
    }

    @Test("A server that asks for certificates takes who shows one, and tells others")
    func mutual() async throws {
        let server = try Self.server(clientAuthorities: Self.files.authority)
        let port = try Self.port(server)
        let folder = try Folder()
        do {
            let db = try await Self.connect(port, folder, token: "hf_secret")
            try await db.close()
            Issue.record("taken")
        } catch DatabaseError.untrusted(let reason) {
            #expect(reason.contains("only clients who show a certificate"), "\(reason)")
        }
        let db = try await Self.connect(
            port,
            folder,
            ConnectionSecurity(
                authorities: Self.files.authority,
                certificate: Self.files.client.certificate,
                key: Self.files.client.key
            )
        )
        try await db.firstSync()
        #expect(db.status == .live)
        try await db.close()
        try server.stop()
    }

    @Test("A token goes to no other machine in the clear, unless that is asked for")
    func clear() async throws {
        let folder = try Folder()
        func connect(_ security: ConnectionSecurity) async throws {
            // An address that is nobody's: RFC 5737.
            let db = try await Database.connect(
                to: "http://192.0.2.1:7070",
                token: "hf_secret",
                mirror: folder.path + "/mirror",
                application: "stockroom",
                trees: [Tray.self],
                security: security
            )
            try await db.close()
        }
        do {
            try await connect(ConnectionSecurity())
            Issue.record("connected")
        } catch DatabaseError.untrusted(let reason) {
            #expect(reason.contains("could read the token"), "\(reason)")
        }
        // Half of what a client shows, and files that are not there, are found out at once.
        for security in [
            ConnectionSecurity(certificate: "/nowhere"), ConnectionSecurity(key: "/nowhere"),
            ConnectionSecurity(authorities: "/nowhere"),
        ] {
            await #expect(throws: DatabaseError.self) {
                try await Self.connect(1, folder, security)
            }
        }
    }
}

/// Hears whatever comes.
private final class Ear: ByteStreamHandler {
    func received(_ stream: ByteStream, _ bytes: ByteView) -> Int { bytes.count }
}
