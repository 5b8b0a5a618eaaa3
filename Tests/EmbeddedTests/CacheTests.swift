// The decoded cache: what a read costs, and how much it may keep.
import Foundation
import HoldfastBasics
import Testing

@testable import HoldfastEmbedded

/// The runtime's count of strong references.
@_silgen_name("swift_retainCount")
private func retainCount(_ object: UnsafeMutableRawPointer) -> Int

private final class Token: Codable, Sendable {
    let text: String
    init(_ text: String) { self.text = text }

    var references: Int { retainCount(Unmanaged.passUnretained(self).toOpaque()) }
}

extension Token: SchemaDescribed {
    static var schemaType: String { #"{"struct":[{"name":"text","type":"string"}]}"# }
    static var samples: [Token] { [Token("x"), Token("y")] }
}

private struct Tagged: Record {
    var token: Token
    var count: Int
    static func define(_ tree: inout TreeDefinition<Tagged>) { tree.name = "tagged" }
}

/// How many hold the token of a value that is lent.
private func references(_ tagged: borrowing Tagged) -> Int { tagged.token.references }

@Suite(.serialized) struct CacheTests {
    @Test("withRecord copies no field: nobody else holds what a value refers to")
    func noCopies() async throws {
        try await withDatabase([Tagged.self]) { db, _ in
            let key = try await db.write { tx in
                try tx.create(Tagged(token: Token("a"), count: 1))
            }.value
            // What the same closure counts when nobody but one holder has the token.
            let only = Tagged(token: Token("b"), count: 2)
            let one = references(only)
            #expect(try db.withRecord(key) { references($0) } == one, "only the box holds it")
            #expect(try db.read { view in try view.withRecord(key) { references($0) } } == one)
            let kept = try #require(try db[key])
            #expect(try db.withRecord(key) { references($0) } == one + 1, "a copy must show")
            #expect(kept.token.text == "a")
            #expect(only.token.text == "b")
            // The value lives on while it is lent, whatever happens to the record.
            try db.withRecord(key) { tagged in
                db.cache(Tagged.self).empty()
                #expect(tagged.token.text == "a")
                let again = try db[key]?.count
                #expect(again == 1)
            }
        }
    }

    @Test("The cache keeps to its bounds and lets go of what nobody reads")
    func bounds() async throws {
        try await withDatabase(cacheByteCount: 64 << 10) { db, _ in
            let keys = try await db.write { tx in
                try (0..<2000).map { try tx.create(Move(part: nil, count: $0)) }
            }.value
            let cache = db.cache(Move.self)
            for round in 0..<3 {
                for (index, key) in keys.enumerated() {
                    #expect(try db[key]?.count == index)
                    _ = try db.withRecord(keys[0]) { $0.count }
                    if index % 97 == round { #expect(db.checkInvariants(Move.self) == nil) }
                }
            }
            #expect(cache.usage.byteCount <= 64 << 10)
            #expect(cache.usage.count > 100)
            let before = cache.usage.count
            #expect(try db.withRecord(keys[0]) { $0.count } == 0)
            #expect(cache.usage.count == before, "what is read all the time stays")
            try await db.write { tx in for key in keys { try tx.delete(key) } }
            #expect(cache.usage.count == 0)
            #expect(try db[keys[5]] == nil)
        }
    }

    @Test("A value that cannot be read says where, and hides nothing else")
    func undecodable() async throws {
        struct Loose: Record {
            typealias ID = Name
            var pads: String
            static func define(_ tree: inout TreeDefinition<Loose>) {
                tree.name = "loose"
                tree.version = "2.0"
            }
        }
        struct Strict: Record {
            typealias ID = Name
            var pads: Int
            static func define(_ tree: inout TreeDefinition<Strict>) { tree.name = "loose" }
        }
        let folder = try Folder()
        let first = try await folder.open([Strict.self])
        try await first.write { tx in try tx.create(Strict(pads: 1), at: "a") }
        try await first.close()
        let second = try await folder.open([Loose.self])
        #expect(throws: DatabaseError.self) { try second["a" as Key<Loose>] }
        #expect(throws: DatabaseError.self) { try second.tree(Loose.self).all.fetch() }
        try await second.write { tx in try tx.create(Loose(pads: "x"), at: "b") }
        #expect(try second["b" as Key<Loose>]?.pads == "x")
        #expect(try second["b" as Key<Loose>]?.pads == "x")
        try await second.close()
    }
}
