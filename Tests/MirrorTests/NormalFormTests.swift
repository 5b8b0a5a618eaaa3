// Names that look the same and are not, on their way from one mirror over the server to another.
import Foundation
import Holdfast
import HoldfastTestSupport
import Testing

private struct Tag: Record, Hashable {
    typealias ID = Name
    var text: String
    var next: Key<Tag>?

    static let byText = UniqueIndex<Tag, String>("text", \.text)

    static func define(_ tree: inout TreeDefinition<Tag>) {
        tree.name = "tags"
        tree.borrow = .optional
        tree.unique(byText)
    }
}

@Suite(.serialized) struct NormalFormTests {
    private func connect(_ server: TestServer, _ folder: String) async throws -> Database {
        try await Database.connect(
            to: "http://" + server.address,
            mirror: folder,
            application: "stockroom",
            trees: [Tag.self],
            user: "anna"
        )
    }

    @Test("Composed and decomposed letters stay two names through outbox, server and mirror")
    func names() async throws {
        let folder = FileManager.default.temporaryDirectory.path + "/forms-\(UUID().uuidString)"
        defer {
            do {
                try FileManager.default.removeItem(atPath: folder)
            } catch {
                Issue.record("\(error)")
            }
        }
        let server = try TestServer()
        let anna = try await connect(server, folder + "/anna")
        try await anna.firstSync()
        let names = ["caf\u{e9}", "cafe\u{301}"]
        let keys = try names.map { Key<Tag>(try #require(Name($0))) }
        // The second is made of the first: a chain of pending changes told apart by key.
        let first = try await anna.write { tx in
            try tx.create(Tag(text: names[0], next: keys[1]), at: keys[0])
        }
        let second = try await anna.write { tx in
            try tx.create(Tag(text: names[1], next: keys[0]), at: keys[1])
        }
        try await anna.write { tx in try tx.update(keys[1]) { $0.text += "!" } }.accepted()
        _ = try await (first.accepted(), second.accepted())
        let bert = try await connect(server, folder + "/bert")
        try await bert.firstSync()
        for db in [anna, bert] {
            let tags = db.tree(Tag.self)
            #expect(try tags.all.count() == 2)
            #expect(try db[keys[0]] == Tag(text: names[0], next: keys[1]))
            #expect(try db[keys[1]] == Tag(text: names[1] + "!", next: keys[0]))
            #expect(try tags.find(Tag.byText, names[0])?.key == keys[0])
            #expect(try tags.find(Tag.byText, names[1]) == nil)
            #expect(try tags.find(Tag.byText, names[1] + "!")?.key == keys[1])
        }
        // A borrow of one is none of the other.
        let held = try await bert.borrow(keys[0])
        try await anna.write { tx in try tx.delete(keys[1]) }.accepted()
        #expect(try anna[keys[1]] == nil)
        #expect(try anna[keys[0]] != nil)
        try await bert.return(held)
        let escaped = "/v1/records/tags/cafe%CC%81"
        #expect(try server.send("GET", escaped).status == 410)
        #expect(try server.send("GET", "/v1/records/tags/caf%C3%A9").status == 200)
        try await anna.close()
        try await bert.close()
        try server.stop()
    }
}
