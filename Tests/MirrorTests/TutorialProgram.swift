// The program of the README's tutorial as it stands there, but for its last line.
// README: main.swift
import Holdfast

struct Shelf: Record {
    typealias ID = Name
    var title: String

    static func define(_ tree: inout TreeDefinition<Shelf>) { tree.name = "shelves" }
}

struct Reel: Record {
    var part: String
    var count: Int
    var shelf: Key<Shelf>?

    static let byPart = MultiIndex<Reel, String>("part", \.part)

    static func define(_ tree: inout TreeDefinition<Reel>) {
        tree.name = "reels"
        tree.index(byPart)
    }
}

func stockroom(server: String, mirror: String) async throws {
    let trees: [any Record.Type] = [Shelf.self, Reel.self]
    let db = try await Database.connect(
        to: server,
        mirror: mirror,
        application: "stockroom",
        trees: trees,
        user: "anna"
    )
    try await db.firstSync()
    let made = try await db.write(why: "goods in") { tx in
        try tx.put(Shelf(title: "Resistors"), at: "A1")
        return try tx.create(Reel(part: "R-100", count: 5000, shelf: "A1"))
    }
    try await made.accepted()
    try await db.borrowing(made.value, wait: .queue) { $0.count = 4980 }.accepted()
    for reel in try db.tree(Reel.self).with(Reel.byPart, "R-100").fetch() {
        print(reel.key, reel.part, reel.count, reel.meta.modifiedBy)
    }
    try await db.close()
}
// README: end
