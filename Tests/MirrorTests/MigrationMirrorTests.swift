// Rewriting what an older version of an application wrote, from a mirror.
import Foundation
import Holdfast
import HoldfastBasics
import HoldfastRecords
import HoldfastTestSupport
import Testing

@testable import HoldfastEmbedded

/// A mould as its first application declared it.
private struct OldMould: HoldfastEmbedded.Record, Hashable {
    var name: String
    static func define(_ tree: inout HoldfastEmbedded.TreeDefinition<Self>) {
        tree.name = "moulds"
        tree.version = "0.1"
        tree.borrow = .required
    }
}

/// The same tree, a major version later.
private struct Mould: HoldfastEmbedded.Record, Hashable {
    var title: String
    static func define(_ tree: inout HoldfastEmbedded.TreeDefinition<Self>) {
        tree.name = "moulds"
        tree.version = "1.0"
        tree.borrow = .required
        tree.migrate(from: "0", OldMould.self) { Mould(title: $0.name) }
    }
}

@Suite(.serialized) struct MigrationMirrorTests {
    /// A server whose moulds the first application made; its operator holds one of them.
    ///
    /// Both the operator and one who has a single right have the next application.
    private func scene(
        _ folder: MirrorFolder,
        _ right: Right
    ) async throws -> (
        server: TestServer, op: Database, other: Database, held: HoldfastEmbedded.Key<Mould>
    ) {
        let server = try TestServer()
        let secret = try server.giveToken("op", Rights(everywhere: Set(Right.allCases))).secret
        let old = try await connect(server, folder, "op", secret, OldMould.self)
        try await old.firstSync()
        let made = try await old.write { tx in
            for number in 1...3 { _ = try tx.create(OldMould(name: "mould \(number)")) }
            return try tx.create(OldMould(name: "mine"))
        }
        try await made.accepted()
        try await eventually("what the creation held is given back") {
            try old.borrows(mine: false).isEmpty
        }
        _ = try await old.borrow(made.value)
        try await old.close()
        let op = try await connect(server, folder, "op", secret, Mould.self)
        try await op.firstSync()
        let rights = Rights(trees: [try #require(TreeName("moulds")): [right]])
        let token = try server.giveToken("other", rights).secret
        let other = try await connect(server, folder, "other", token, Mould.self)
        try await other.firstSync()
        let stored = try #require(made.value.stored)
        return (server, op, other, try #require(HoldfastEmbedded.Key<Mould>(stored: stored)))
    }

    private func connect(
        _ server: TestServer,
        _ folder: MirrorFolder,
        _ name: String,
        _ secret: String,
        _ type: any HoldfastEmbedded.Record.Type
    ) async throws -> Database {
        try await Database.connect(
            to: "http://" + server.address,
            token: secret,
            mirror: folder.path + "/" + name,
            application: "stockroom",
            trees: [type]
        )
    }

    @Test("Who may migrate does, whoever has borrowed what, and the borrow stands")
    func migrates() async throws {
        let folder = MirrorFolder()
        let (server, op, ann, held) = try await scene(folder, .migrate)
        let report = try await ann.migrate(Mould.self)
        #expect(report == MigrationReport(read: 4, changed: 4, failed: []))
        try await eventually("the server has all of it") {
            try op.anyTree("moulds").record(AnyKey(held))?.description == #"{"title":"mine"}"#
        }
        #expect(try ann.stranded().isEmpty)
        #expect(try op.borrows().map(\.key) == [AnyKey(held)])
        try await op.write { tx in try tx.update(held) { $0.title = "still mine" } }.accepted()
        for db in [ann, op] { try await db.close() }
        try server.stop()
    }

    @Test("Who may only write is refused, and has it among the stranded")
    func refused() async throws {
        let folder = MirrorFolder()
        let (server, op, ben, held) = try await scene(folder, .write)
        _ = try await ben.migrate(Mould.self)
        try await eventually("it is refused") { try !ben.stranded().isEmpty }
        #expect(try ben.stranded().map(\.refusal.code) == [.forbidden])
        #expect(try op.anyTree("moulds").record(AnyKey(held))?.description == #"{"name":"mine"}"#)
        for db in [ben, op] { try await db.close() }
        try server.stop()
    }
}
