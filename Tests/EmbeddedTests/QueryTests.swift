// Queries, indexes, text search and live queries, against a plain model.
import Foundation
import HoldfastBasics
import HoldfastTestSupport
import Testing

@testable import HoldfastEmbedded

@Suite(.serialized) struct QueryTests {
    private func fill(_ db: Database) async throws -> [Key<Item>] {
        try await db.write { tx in
            try (0..<20).map { index in
                try tx.create(
                    Item(
                        number: "N\(index)",
                        title: ["Widerstand 10k", "Übertrager", "Kondensator 10nF"][index % 3],
                        package: ["0603", "0805"][index % 2],
                        stock: index,
                        pins: ["A", "P\(index % 4)"].map { Lead(number: "1", name: $0) }
                    )
                )
            }
        }.value
    }

    @Test("Filters, orders, limits and counts")
    func plain() async throws {
        try await withDatabase { db, _ in
            let keys = try await fill(db)
            let parts = db.tree(Item.self)
            #expect(try parts.all.fetch().map(\.key) == keys)
            #expect(try parts.all.count() == 20)
            #expect(try parts.all.limit(7).count() == 7)
            #expect(try parts.all.limit(0).fetch().isEmpty)
            let two = parts.filter { $0.stock >= 15 }.filter { $0.package == "0805" }
            #expect(try two.count() == 3)
            let ordered = try parts.all.sorted(by: \.package, .reverse)
                .sorted(by: \.stock, .reverse).limit(3).fetch()
            #expect(ordered.map(\.stock) == [19, 17, 15])
            var sum = 0
            try parts.filter { $0.stock < 3 }.forEach { _, part in sum += part.stock }
            #expect(sum == 3)
            #expect(throws: NotEnough.self) { try parts.all.forEach { _, _ in throw NotEnough() } }
            let fetched = try db.read { view in
                try view.fetch(parts.filter { $0.stock == 4 }).map(\.key)
            }
            #expect(fetched == [keys[4]])
        }
    }

    @Test("Ordered indexes answer values and ranges, computed ones too")
    func indexes() async throws {
        try await withDatabase { db, _ in
            let keys = try await fill(db)
            let parts = db.tree(Item.self)
            let even = try parts.with(Item.byPackage, "0603").fetch().map(\.stock)
            #expect(even == Array(stride(from: 0, to: 20, by: 2)))
            #expect(try parts.with(Item.byStock, in: 3..<6).fetch().map(\.stock) == [3, 4, 5])
            #expect(try parts.with(Item.byStock, in: 3...6).fetch().map(\.stock) == [3, 4, 5, 6])
            #expect(try parts.with(Item.byStock, in: 18...).fetch().map(\.stock) == [18, 19])
            #expect(try parts.with(Item.byStock, in: ..<2).fetch().map(\.stock) == [0, 1])
            #expect(try parts.with(Item.byStock, in: ...1).fetch().map(\.stock) == [0, 1])
            let pinned = try parts.with(Item.byPin, "P1").fetch().map(\.key)
            #expect(pinned == stride(from: 1, to: 20, by: 4).map { keys[$0] })
            #expect(try parts.with(Item.byPin, in: "A"..."P0").count() == 20)
            // A value of an old revision finds nothing.
            try await db.write { tx in
                try tx.release(keys[0])
                let next = try tx.revise(keys[0])
                try tx.update(next) { $0.package = "1206" }
            }
            #expect(try parts.with(Item.byPackage, "1206").fetch().map(\.key.revision) == [1])
            #expect(try parts.with(Item.byPackage, "0603").count() == 9)
            #expect(try parts.all.count() == 20)
        }
    }

    @Test("Text search folds case and marks, wants every word, ranks by matches")
    func text() async throws {
        let words = TextFolding.words(of: "Größe-Ærø, Ωμέγα ЁЛКА x²")
        #expect(words == ["grosse", "aero", "ωμεγα", "елка", "x²"])
        #expect(TextFolding.words(of: "U\u{308}ber") == TextFolding.words(of: "über"))
        try await withDatabase { db, _ in
            _ = try await fill(db)
            let parts = db.tree(Item.self)
            #expect(try parts.matching("uber").count() == 7)
            #expect(try parts.matching("WIDER 10").count() == 7)
            #expect(try parts.matching("10").count() == 13)
            #expect(try parts.matching("n1 wid").fetch().map(\.number) == ["N12", "N15", "N18"])
            #expect(try parts.matching("").count() == 0)
            #expect(try parts.matching("zzz").count() == 0)
            // The whole word before its beginnings.
            #expect(try parts.matching("n1").fetch().first?.number == "N1")
            try await db.write { tx in
                _ = try tx.create(Item(number: "W", title: "wide wider widest"))
            }
            #expect(try parts.matching("wid").fetch().first?.number == "W")
            // Who has the words more often comes first, then who says it shorter.
            let made = try await db.write { tx in
                [
                    try tx.create(Item(number: "R1", title: "relay 10")),
                    try tx.create(Item(number: "R2", title: "relay relay relay 10 10")),
                    try tx.create(Item(number: "R3", title: "relay 10 with a lot of words")),
                    try tx.create(Item(number: "R4", title: "relais 10 10 10 10 10 10")),
                ]
            }.value
            let found = try parts.matching("rel 10").fetch().map(\.number)
            #expect(found == ["R2", "R1", "R4", "R3"])
            try await db.write { tx in try tx.release(made[3]) }
            #expect(try parts.matching("RELAIS", of: .released).fetch().map(\.key) == [made[3]])
            #expect(try parts.matching("relay", of: .released).count() == 0)
        }
    }

    @Test("Indexes kept up to date are those built anew, whatever happened")
    func incremental() async throws {
        for seed in 1...Seed.count(usually: 6) {
            try await withDatabase(cacheByteCount: 4096) { db, _ in
                let random = SeededRandom(seed: seed)
                let parts = db.tree(Item.self)
                // Built before there is anything, so that everything is kept up to date.
                _ = try parts.with(Item.byPackage, "").count()
                _ = try parts.with(Item.byPin, "").count()
                _ = try parts.with(Item.byStock, 0).count()
                _ = try parts.matching("a").count()
                var keys: [Key<Item>] = []
                for step in 0..<60 {
                    keys += try await change(db, keys, step, random)
                }
                #expect(db.checkInvariants(Item.self) == nil, "HOLDFAST_SEED=\(seed)")
                for key in keys { _ = try db[key] }
                #expect(db.checkInvariants(Item.self) == nil, "HOLDFAST_SEED=\(seed)")
            }
        }
    }

    private func change(
        _ db: Database,
        _ keys: [Key<Item>],
        _ step: Int,
        _ random: SeededRandom
    ) async throws -> [Key<Item>] {
        do {
            return try await db.write { tx in
                var made: [Key<Item>] = []
                for index in 0..<random.within(1...6) {
                    let key = keys.isEmpty ? nil : keys[random.below(keys.count)]
                    if let key, !random.oneIn(3), let old = try tx.record(key) {
                        switch random.below(8) {
                        case 0: try tx.delete(key)
                        case 1 where old.meta.state == .draft(0): try tx.release(key)
                        case 2 where old.meta.state != .draft(0): made.append(try tx.revise(key))
                        default:
                            try tx.update(key) {
                                $0.package = "p\(random.below(4))"
                                $0.title = "word\(random.below(9)) é\(random.below(3))"
                                $0.stock = random.below(10)
                            }
                        }
                    } else {
                        var item = Item(number: "\(step)-\(index)", stock: index)
                        item.pins = (0..<random.below(4)).map { Lead(number: "", name: "x\($0)") }
                        made.append(try tx.create(item))
                    }
                }
                if random.oneIn(5) { throw NotEnough() }
                return made
            }.value
        } catch is NotEnough {
            return []
        } catch DatabaseError.refused {
            return []
        }
    }

    @Test("The differences of a live query add up to its rows")
    func live() async throws {
        try await withDatabase { db, _ in
            let query = db.tree(Item.self).filter { $0.stock < 50 }.sorted(by: \.stock)
            let writing = Task {
                let random = SeededRandom(seed: 7)
                var keys: [Key<Item>] = []
                for step in 0..<150 {
                    keys += try await db.write { tx in
                        if let key = keys.last, random.oneIn(2) {
                            try tx.update(key) { $0.stock = random.below(100) }
                            return []
                        }
                        return [try tx.create(Item(number: "\(step)", stock: random.below(100)))]
                    }.value
                }
                try await db.write { tx in _ = try tx.create(Item(number: "END", stock: -1)) }
            }
            var sum: [Key<Item>] = []
            var last: Live<Item>?
            for try await now in query.live() {
                sum = try #require(sum.applying(now.difference))
                #expect(sum == now.rows.map(\.key))
                last = now
                if now.rows.first?.number == "END" { break }
            }
            try await writing.value
            #expect(try query.fetch() == last?.rows)
            #expect(last?.freshness == .embedded)
        }
    }
}
