// What the stockroom keeps. The types are the schema: nothing is declared twice.
import Foundation
import Holdfast

/// One pin of a part, nested in its value.
struct Pin: Codable, Hashable, Sendable {
    var number: String
    var name: String
    var type: String
}

/// A part that is bought, stored and built in.
struct Part: Record, Hashable {
    var number: String
    var title: String
    var stock: Int = 0
    var description: String?
    var keywords: [String] = []
    var datasheet: String?
    var footprint: Key<Footprint>?
    var bin: Key<Bin>?
    var library: String?
    var extends: String?
    var value: String?
    var tolerance: String?
    var rating: String?
    var pins: [Pin] = []

    static let byNumber = UniqueIndex<Part, String>("number", \.number)

    static func define(_ tree: inout TreeDefinition<Part>) {
        tree.name = "parts"
        tree.versioned = true
        tree.unique(byNumber)
        tree.text("number", "title", "description", "keywords")
    }
}

/// What a part looks like on a board; known by name, made once.
struct Footprint: Record, Hashable {
    typealias ID = Name

    var title: String
    var library: String?
    var mounting: String?
    var pads: Int32?

    static func define(_ tree: inout TreeDefinition<Footprint>) {
        tree.name = "footprints"
        tree.borrow = .optional
    }
}

/// A place where parts lie.
struct Bin: Record, Hashable {
    var label: String
    var title: String
    var shelf: String?

    static let byLabel = UniqueIndex<Bin, String>("label", \.label)

    static func define(_ tree: inout TreeDefinition<Bin>) {
        tree.name = "bins"
        tree.unique(byLabel)
    }
}

/// Parts that came or went; it refers to the part and the bin.
struct Move: Record, Hashable {
    var part: Key<Part>
    var bin: Key<Bin>
    var quantity: Int
    var reason: String
    var at: Date

    static func define(_ tree: inout TreeDefinition<Move>) { tree.name = "moves" }
}

/// All of it, for opening.
let stockroomTrees: [any Record.Type] = [Footprint.self, Bin.self, Part.self, Move.self]
