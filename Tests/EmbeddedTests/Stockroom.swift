// The records and folders these tests work with.
import Foundation
import HoldfastEngine
import HoldfastRecords
import HoldfastStore

@testable import HoldfastEmbedded

typealias Record = HoldfastEmbedded.Record

extension Database {
    /// The position everything is applied up to, durable or not.
    var head: Position { Position(store.read { $0.state.position }) }
}

extension Database {
    /// Opens a database on a store as somebody.
    static func open(_ store: Store, user: String) async throws -> Database {
        let caller = Caller(user: user, device: "PC-1")
        return try await open(store, try RecordTrees(stockroom), caller: caller)
    }
}

struct Lead: Codable, Hashable, Sendable { var number, name: String }

struct Item: Record, Hashable {
    var number: String
    var title: String
    var package: String
    var stock: Int
    var minimum: Int
    var pins: [Lead]
    var footprint: Key<Land>?

    static let byNumber = UniqueIndex<Item, String>("number", \.number)
    static let byPackage = MultiIndex<Item, String>("package", \.package)
    static let byPin = MultiIndex<Item, String>("pins", each: { $0.pins.map(\.name) })
    static let byStock = MultiIndex<Item, Int>("stock", \.stock)

    static func define(_ tree: inout TreeDefinition<Item>) {
        tree.name = "parts"
        tree.version = "1.1"
        tree.versioned = true
        tree.unique(byNumber)
        tree.index(byPackage)
        tree.index(byPin)
        tree.index(byStock)
        tree.text("number", "title")
        tree.migrate(from: "0", ItemV0.self) {
            Item(
                number: $0.number,
                title: $0.name,
                package: "",
                stock: 0,
                minimum: 0,
                pins: [],
                footprint: nil
            )
        }
    }

    init(
        number: String,
        title: String = "",
        package: String = "",
        stock: Int = 0,
        minimum: Int = 0,
        pins: [Lead] = [],
        footprint: Key<Land>? = nil
    ) {
        self.number = number
        self.title = title
        self.package = package
        self.stock = stock
        self.minimum = minimum
        self.pins = pins
        self.footprint = footprint
    }
}

struct ItemV0: Decodable { let number, name: String }

struct Land: Record {
    typealias ID = Name
    var pads: Int
    static func define(_ tree: inout TreeDefinition<Self>) {
        tree.name = "footprints"
        tree.borrow = .optional
    }
}

/// Numbers, not versioned, free to write.
struct Move: Record, Hashable {
    var part: Key<Item>?
    var count: Int
    static func define(_ tree: inout TreeDefinition<Self>) {
        tree.name = "moves"
        tree.borrow = .optional
    }
}

let stockroom: [any Record.Type] = [Item.self, Land.self, Move.self]

/// A folder that is gone with the last reference to it.
final class Folder: Sendable {
    let path: String

    init() throws {
        path =
            FileManager.default.temporaryDirectory
            .appending(path: "holdfast-embedded-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// The bytes of all files of a database in it, but for those that say it is open.
    func bytes(_ name: String = "data") throws -> [String: Data] {
        let base = URL(filePath: path).appending(path: name)
        var all: [String: Data] = [:]
        let walker = FileManager.default.enumerator(atPath: base.path)
        while let file = walker?.nextObject() as? String {
            var isDirectory: ObjCBool = false
            let url = base.appending(path: file)
            _ = FileManager.default.fileExists(atPath: url.path, isDirectory: &isDirectory)
            if !isDirectory.boolValue { all[file] = try Data(contentsOf: url) }
        }
        return all
    }

    func open(
        _ trees: [any Record.Type] = stockroom,
        durability: Database.Durability = .group,
        user: String = "local",
        cacheByteCount: Int = Database.defaultCacheByteCount
    ) async throws -> Database {
        try await Database.open(
            path + "/data",
            application: "stockroom",
            trees: trees,
            durability: durability,
            user: user,
            cacheByteCount: cacheByteCount
        )
    }
}

/// Opens a database in a folder of its own, and closes it afterwards.
func withDatabase<T: Sendable>(
    _ trees: [any Record.Type] = stockroom,
    cacheByteCount: Int = Database.defaultCacheByteCount,
    _ body: (Database, Folder) async throws -> T
) async throws -> T {
    let folder = try Folder()
    let db = try await folder.open(trees, cacheByteCount: cacheByteCount)
    do {
        let result = try await body(db, folder)
        try await db.close()
        return result
    } catch {
        try await db.close()
        throw error
    }
}

struct NotEnough: Error {}
