// What is kept of views between two openings, and what is read anew.
import Foundation
import HoldfastBasics
import HoldfastCommitLog
import HoldfastRecords
import HoldfastStore
import HoldfastTestSupport
import Testing

@testable import HoldfastEmbedded

/// A record with a view that tells how often it was asked for an item.
private struct Pile: Record {
    typealias ID = Name
    var count: Int
    var text: String

    static let byCount = MultiIndex<Pile, Int>("count", \.count)
    static let view = Lock(Sum(version: 1))

    static func define(_ tree: inout TreeDefinition<Pile>) {
        tree.name = "piles"
        tree.borrow = .optional
        tree.index(byCount)
        tree.text("text")
        tree.view(view.withLock(\.self))
    }
}

private struct Sum: DerivedView {
    typealias R = Pile

    static let asked = Lock(0)

    let name = "sum"
    let version: Int
    let empty = 0

    func item(of pile: Entry<Pile>) -> Int? {
        Self.asked.withLock { $0 += 1 }
        return pile.count * version
    }
    func add(_ item: Int, of key: Key<Pile>, to sum: inout Int) { sum += item }
    func remove(_ item: Int, of key: Key<Pile>, from sum: inout Int) { sum -= item }
}

@Suite(.serialized) struct ViewCheckpointTests {
    private let folder: Folder

    init() throws {
        folder = try Folder()
        Pile.view.withLock { $0 = Sum(version: 1) }
    }

    private func key(_ number: Int) -> HoldfastEmbedded.Key<Pile> {
        Key(Name(stringLiteral: "p\(number)"))
    }

    /// The sum, and of how many records it was asked for meanwhile.
    private func sum(_ db: Database, version: Int = 1) throws -> (sum: Int, asked: Int) {
        Sum.asked.withLock { $0 = 0 }
        let sum = try db.tree(Pile.self).withView(Sum(version: version)) { $0 }
        return (sum, Sum.asked.withLock(\.self))
    }

    private func fill(_ db: Database, _ count: Int = 40) async throws {
        try await db.write { tx in
            for number in 0..<count {
                try tx.create(Pile(count: number, text: "pile \(number)"), at: key(number))
            }
        }
    }

    private func files(_ place: Folder? = nil) throws -> [String] {
        try (place ?? folder).bytes().keys.filter { $0.hasPrefix("views/") }.sorted()
    }

    private func url(_ name: String) -> URL {
        URL(filePath: folder.path).appending(path: "data/views/" + name)
    }

    @Test("A view that was asked for is there at the next opening; what changed is read anew")
    func kept() async throws {
        var db = try await folder.open([Pile.self])
        try await fill(db)
        #expect(try sum(db) == (780, 40))
        #expect(try sum(db) == (780, 0))
        #expect(try db.tree(Pile.self).with(Pile.byCount, 7).count() == 1)
        try await db.close()
        #expect(try files() == ["views/piles.index.count.1", "views/piles.view.sum.1"])

        db = try await folder.open([Pile.self])
        #expect(try sum(db) == (780, 0))
        #expect(db.checkInvariants(Pile.self) == nil)
        try await db.write { tx in
            try tx.update(key(3)) { $0.count = 1003 }
            try tx.delete(key(4))
            try tx.create(Pile(count: 5000, text: ""), at: key(99))
        }
        #expect(try sum(db) == (6776, 0))
        // Its process ends without closing: the older checkpoint serves.
        let image = try Folder()
        try FileManager.default.copyItem(
            atPath: folder.path + "/data",
            toPath: image.path + "/data"
        )
        try FileManager.default.removeItem(atPath: image.path + "/data/LOCK")
        let copy = try await image.open([Pile.self])
        #expect(try sum(copy) == (6776, 2))
        try await copy.write { tx in try tx.delete(key(99)) }
        #expect(try sum(copy) == (1776, 0))
        try await copy.close()
        try await db.close()
    }

    @Test("Another version is folded anew, and its checkpoint takes the place of the older one")
    func versions() async throws {
        var db = try await folder.open([Pile.self])
        try await fill(db)
        #expect(try sum(db).sum == 780)
        try await db.close()
        Pile.view.withLock { $0 = Sum(version: 2) }
        db = try await folder.open([Pile.self])
        #expect(try sum(db, version: 2) == (1560, 40))
        try await db.close()
        #expect(try files() == ["views/piles.view.sum.2"])
        // Under the name of the version, but of the older one.
        Pile.view.withLock { $0 = Sum(version: 3) }
        try FileManager.default.moveItem(at: url("piles.view.sum.2"), to: url("piles.view.sum.3"))
        db = try await folder.open([Pile.self])
        #expect(try sum(db, version: 3) == (2340, 40))
        try await db.close()
    }

    @Test("A damaged checkpoint is as good as none: every byte, every length")
    func damage() async throws {
        var db = try await folder.open([Pile.self])
        try await fill(db, 3)
        #expect(try sum(db) == (3, 3))
        try await db.close()
        let file = url("piles.view.sum.1")
        let whole = try Data(contentsOf: file)
        // Every fifth bit: each byte, and by turns each bit of one.
        var broken: [Data] = stride(from: 0, to: whole.count * 8, by: 5).map { bit in
            var data = whole
            data[bit / 8] ^= 1 << UInt8(bit % 8)
            return data
        }
        broken += (0..<whole.count).map { whole.prefix($0) } + [whole + [0], Data(count: 100)]
        db = try await folder.open([Pile.self])
        for data in broken {
            try data.write(to: file)
            db.cache(Pile.self).refreshAll()
            let found = try sum(db)
            #expect(found == (3, 3), "\(data.count) bytes")
        }
        try whole.write(to: file)
        db.cache(Pile.self).refreshAll()
        #expect(try sum(db) == (3, 0))
        try await db.close()
    }

    @Test("A checkpoint of another history is not taken, whatever seqs the two have in common")
    func histories() async throws {
        var db = try await folder.open([Pile.self])
        try await fill(db)
        try await db.close()
        let older = try Folder()
        try FileManager.default.copyItem(
            atPath: folder.path + "/data",
            toPath: older.path + "/data"
        )
        for (place, count) in [(folder, 100), (older, 200)] {
            db = try await place.open([Pile.self])
            for number in 0..<40 {
                try await db.write { tx in try tx.update(key(number)) { $0.count = count } }
            }
            #expect(try sum(db).sum == 40 * count)
            try await db.close()
        }
        // The log of the one, the views of the other.
        let views = URL(filePath: older.path).appending(path: "data/views")
        try FileManager.default.removeItem(at: views)
        try FileManager.default.copyItem(at: url(""), to: views)
        db = try await older.open([Pile.self])
        #expect(try sum(db) == (8000, 40))
        try await db.close()
    }

    @Test("An item counts for the version it was made of, and for no other")
    func olderItems() async throws {
        let db = try await folder.open([Pile.self])
        try await fill(db, 3)
        let made = try #require(try db.record(key(0))).meta.version.seq
        try await db.write { tx in try tx.update(key(0)) { $0.count = 50 } }
        // As one that was written while the record changed: its item is of the version before.
        let schema = try RecordSchema<Pile>()
        let view = try #require(schema.views.first { $0.name == "sum" })
        let checkpoint = try #require(view.checkpoint(schema))
        var writer = try ViewCheckpointWriter(checkpoint, on: db.store.directory)
        for number in 0..<3 {
            let stored = try #require(key(number).stored)
            writer.append(stored, seq: made) { buffer in
                buffer.append(text: "\(number)")
                return true
            }
        }
        try writer.flush()
        let position = try #require(db.store.read(\.durablePosition))
        try writer.finish(db.store.identity.databaseID, position)
        #expect(try sum(db) == (53, 1))
        try await db.close()
    }

    @Test("Compacting keeps checkpoints good; a reader uses them and writes none")
    func compacted() async throws {
        var db = try await folder.open([Pile.self])
        try await fill(db)
        #expect(try sum(db).sum == 780)
        try await db.write { tx in try tx.update(key(0)) { $0.count = 20 } }
        try await db.compact()
        try await db.write { tx in try tx.update(key(1)) { $0.count = 100 } }
        let before = try folder.bytes()
        let reader = try await Database.openReadOnly(
            folder.path + "/data",
            application: "stockroom",
            trees: [Pile.self]
        )
        #expect(try sum(reader) == (899, 1))
        #expect(try reader.tree(Pile.self).matching("pile 7").count() == 1)
        try await reader.close()
        #expect(try folder.bytes() == before)
        try await db.close()
        db = try await folder.open([Pile.self])
        #expect(try sum(db) == (899, 1))
        try await db.close()
    }

    @Test("A view with a name that is none is refused")
    func names() async throws {
        struct Bad: Record {
            var count: Int
            struct Nameless: DerivedView {
                typealias R = Bad
                let name = "Über"
                let version = 1
                let empty = 0
                func item(of record: Entry<Bad>) -> Int? { nil }
                func add(_ item: Int, of key: HoldfastEmbedded.Key<Bad>, to state: inout Int) {}
                func remove(_ item: Int, of key: HoldfastEmbedded.Key<Bad>, from state: inout Int) {
                }
            }
            static func define(_ tree: inout TreeDefinition<Bad>) {
                tree.name = "bad"
                tree.view(Nameless())
            }
        }
        do {
            _ = try RecordTrees([Bad.self])
            Issue.record("it was taken")
        } catch DatabaseError.refused(let refusal) {
            #expect(refusal.code == .badDefinition)
            #expect(refusal.message?.contains("Über") ?? false)
        }
    }
}
