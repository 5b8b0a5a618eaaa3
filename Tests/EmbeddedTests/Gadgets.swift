// Records with every kind of view, and what the views must say: a plain walk over all records.
import Foundation
import HoldfastBasics
import HoldfastEngine
import HoldfastRecords
import HoldfastStore
import HoldfastTestSupport
import Testing

@testable import HoldfastEmbedded

struct Gadget: Record, Hashable {
    var name: String
    var tags: [String]
    var size: Int
    var note: String

    static let byName = MultiIndex<Gadget, String>("name", \.name)
    static let bySize = MultiIndex<Gadget, Int>("size", \.size)
    static let byTag = MultiIndex<Gadget, String>("tags", each: { $0.tags })
    static let releasedByName = MultiIndex<Gadget, String>("name", \.name, of: .released)
    static let perSize = Counts<Gadget, Int>("size", \.size)
    static let perTagReleased = Counts<Gadget, String>(
        "tags",
        of: .released,
        version: 1,
        each: { $0.tags }
    )

    static func define(_ tree: inout TreeDefinition<Gadget>) {
        tree.name = "gadgets"
        tree.versioned = true
        tree.index(byName)
        tree.index(bySize)
        tree.index(byTag)
        tree.index(releasedByName)
        tree.count(perSize)
        tree.count(perTagReleased)
        tree.text("name", "note")
        tree.view(SizeSums())
    }

    /// One of a few, so that values meet.
    static func random(_ random: SeededRandom) -> Gadget {
        let words = ["Über", "uber", "wide", "wider", "ÆRØ", "aero", "λόγος", "ёлка", "x"]
        return Gadget(
            name: ["", "a", "ab", "abc", "b", "e\u{301}", "\u{e9}", "\u{10FFFF}"][random.below(8)],
            tags: (0..<random.below(4)).map { _ in "t\(random.below(5))" },
            size: random.within(-3...6),
            note: (0..<random.below(5)).map { _ in words[random.below(words.count)] }
                .joined(separator: [" ", "-", ", "][random.below(3)])
        )
    }
}

/// The sum of sizes by name.
struct SizeSums: DerivedView {
    typealias R = Gadget

    struct Item: Codable, Sendable {
        let name: String
        let size: Int
    }

    let name = "size-sums"
    let version = 1
    let empty: [String: Int] = [:]

    func item(of gadget: Entry<Gadget>) -> Item? {
        gadget.size == 0 ? nil : Item(name: gadget.name, size: gadget.size)
    }

    func add(_ item: Item, of key: Key<Gadget>, to sums: inout [String: Int]) {
        sums[item.name, default: 0] += item.size
    }

    func remove(_ item: Item, of key: Key<Gadget>, from sums: inout [String: Int]) {
        sums[item.name, default: 0] -= item.size
    }
}

/// What stands, found without any view.
struct GadgetModel {
    private(set) var latest: [(key: RecordKey, value: Gadget)] = []
    private(set) var released: [(key: RecordKey, value: Gadget)] = []

    /// Walks over every revision of a database that is held.
    init(_ db: Database) throws {
        var all: [(key: RecordKey, isReleased: Bool)] = []
        db.store.read { reader in
            guard let tree = reader.state.tree(db.cache(Gadget.self).name) else { return }
            _ = reader.state.scan(
                tree,
                after: nil,
                prefix: nil,
                .all,
                at: reader.state.head,
                entryCountMax: .max
            ) { key, location in
                all.append(
                    (key, reader.withEffect(at: location) { $0.state.isReleased && $1.seq > 0 })
                )
                return true
            }
        }
        for (place, (key, isReleased)) in all.enumerated() {
            let typed = try #require(Key<Gadget>(stored: key))
            let value = try #require(try db[typed])
            if place + 1 == all.count || all[place + 1].key.id != key.id {
                latest.append((key, value))
            }
            if isReleased {
                if released.last?.key.id == key.id { released.removeLast() }
                released.append((key, value))
            }
        }
    }

    /// Compares every view with what stands; throws at the first difference.
    static func check(_ db: Database) throws {
        try db.read { view in
            let model = try GadgetModel(db)
            try model.checkIndexes(db.tree(Gadget.self))
            try model.checkRevisions(db.tree(Gadget.self))
            try model.checkCounts(db.tree(Gadget.self), view)
            try model.checkText(db.tree(Gadget.self))
            let sums = view.withView(SizeSums()) { sums in
                (copy sums).filter { $0.value != 0 }
            }
            let expected = model.latest.reduce(into: [String: Int]()) {
                $0[$1.value.name, default: 0] += $1.value.size
            }
            try model.same(sums, expected.filter { $0.value != 0 }, "sums")
            if let broken = db.checkInvariants(Gadget.self) { throw Disagreement(broken) }
        }
    }

    private func same<T: Equatable>(_ found: T, _ expected: T, _ what: String) throws {
        if found != expected { throw Disagreement("\(what): \(found), not \(expected)") }
    }

    private func keys(_ query: Query<Gadget>) throws -> [RecordKey?] {
        let keys = try query.fetch().map(\.key.stored)
        try same(try query.count(), keys.count, "count")
        try same(try query.limit(2).fetch().map(\.key.stored), Array(keys.prefix(2)), "limit")
        return keys
    }

    /// Keys ordered by bytes of a text, then key.
    private func byText(
        _ records: [(key: RecordKey, value: Gadget)],
        _ values: (Gadget) -> [String],
        _ isWanted: (String) -> Bool
    ) -> [RecordKey] {
        var pairs: [(value: [UInt8], key: RecordKey)] = []
        for record in records {
            for value in values(record.value) where isWanted(value) {
                pairs.append((Array(value.utf8), record.key))
            }
        }
        pairs.sort {
            $0.value == $1.value ? $0.key < $1.key : $0.value.lexicographicallyPrecedes($1.value)
        }
        return Self.once(pairs.map(\.key))
    }

    private static func once(_ keys: [RecordKey]) -> [RecordKey] {
        var seen: Set<RecordKey> = []
        return keys.filter { seen.insert($0).inserted }
    }

    private func checkIndexes(_ tree: Tree<Gadget>) throws {
        let ordered = byText(latest, { [$0.name] }, { _ in true })
        try same(try keys(tree.ordered(by: Gadget.byName)), ordered, "by name")
        try same(
            try keys(tree.ordered(by: Gadget.byName, .reverse)),
            ordered.reversed(),
            "by name, backwards"
        )
        for prefix in ["", "a", "ab", "e", "\u{e9}", "zz", "\u{10FFFF}"] {
            let wanted = byText(latest, { [$0.name] }) { $0.utf8.starts(with: prefix.utf8) }
            try same(try keys(tree.with(Gadget.byName, prefix: prefix)), wanted, "'\(prefix)'")
            try same(
                try keys(tree.with(Gadget.byName, prefix: prefix, .reverse)),
                wanted.reversed(),
                "'\(prefix)' backwards"
            )
        }
        let releasedNames = byText(released, { [$0.name] }, { $0.utf8.elementsEqual("ab".utf8) })
        try same(try keys(tree.with(Gadget.releasedByName, "ab")), releasedNames, "released")
        let tagged = byText(latest, \.tags) { ("t1"..."t3").contains($0) }
        try same(try keys(tree.with(Gadget.byTag, in: "t1"..."t3")), tagged, "tags")
        let sized = latest.filter { (-1..<4).contains($0.value.size) }
            .sorted { ($0.value.size, $0.key) < ($1.value.size, $1.key) }.map(\.key)
        try same(try keys(tree.with(Gadget.bySize, in: -1..<4)), sized, "sizes")
        try same(
            try keys(tree.with(Gadget.bySize, in: -1..<4, .reverse)),
            sized.reversed(),
            "sizes backwards"
        )
    }

    private func checkRevisions(_ tree: Tree<Gadget>) throws {
        try same(try keys(tree.all), latest.map(\.key), "latest")
        try same(try keys(tree.released), released.map(\.key), "latest released")
        for (key, _) in latest {
            let id = try #require(Key<Gadget>(stored: key)).id
            try same(try tree.latest(id)?.key.stored, key, "latest of one")
            let expected = released.first { $0.key.id == key.id }?.key
            try same(try tree.latest(id, released: true)?.key.stored, expected, "released of one")
        }
    }

    private func checkCounts(_ tree: Tree<Gadget>, _ view: borrowing ReadView) throws {
        let sizes = Dictionary(grouping: latest, by: \.value.size).mapValues(\.count)
        let counted = try tree.counts(Gadget.perSize)
        try same(counted.map(\.value), sizes.keys.sorted(), "sizes counted")
        for (size, count) in counted { try same(count, sizes[size], "of size \(size)") }
        try same(try tree.count(Gadget.perSize, 99), 0, "of no size")
        for tag in (0..<5).map({ "t\($0)" }) {
            let count = released.filter { $0.value.tags.contains(tag) }.count
            try same(view.count(Gadget.perTagReleased, tag), count, "of tag \(tag)")
        }
    }

    private func checkText(_ tree: Tree<Gadget>) throws {
        for text in ["u", "WIDE", "wid x", "aer", "λ", "ЕЛ", "ab wide", ""] {
            try same(try keys(tree.matching(text)), ranked(latest, text), "'\(text)'")
            try same(
                try keys(tree.matching(text, of: .released)),
                ranked(released, text),
                "'\(text)' of released ones"
            )
        }
    }

    /// The keys in the order the documentation of ranking gives.
    private func ranked(
        _ records: [(key: RecordKey, value: Gadget)],
        _ text: String
    ) -> [RecordKey] {
        let all = records.map { key, value in
            (key: key, words: TextFolding.words(of: value.name + " " + value.note))
        }.filter { !$0.words.isEmpty }
        let sum = all.map(\.words.count).reduce(0, +)
        let asked = Set(TextFolding.words(of: text)).sorted {
            Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8))
        }
        func weight(_ words: [String], _ word: String) -> Int {
            var sum = 0
            for one in words where one.utf8.starts(with: word.utf8) {
                sum += one.utf8.count == word.utf8.count ? 2 : 1
            }
            return sum
        }
        func score(_ words: [String], _ word: String) -> Int {
            let found = all.filter { weight($0.words, word) > 0 }.count
            let length = Double(words.count * all.count) / Double(sum)
            let own = Double(weight(words, word))
            let share = TextRank.rarity(found, of: all.count) * own * 2.2
            return Int((share / (own + 1.2 * (0.25 + 0.75 * length)) * 1e6).rounded())
        }
        var scores: [RecordKey: Int] = [:]
        for (key, words) in all where !asked.isEmpty {
            guard asked.allSatisfy({ weight(words, $0) > 0 }) else { continue }
            scores[key] = asked.reduce(0) { $0 + score(words, $1) }
        }
        return scores.sorted { $0.value == $1.value ? $0.key < $1.key : $0.value > $1.value }
            .map(\.key)
    }
}
