// Values to stored bytes and back, across versions.
import Foundation
import HoldfastBasics
import HoldfastJSONCoding
import HoldfastRecords
import HoldfastTestSupport
import Testing

@testable import HoldfastEmbedded

/// What older code knows.
private struct Old: Record, Hashable {
    struct Leg: Codable, Hashable { var name: String, use: String? }
    var title: String, stock: Int, note: String?, legs: [Leg], table: [String: Leg]
    var marks: Set<Leg>, tags: Set<String>
    static func define(_ tree: inout TreeDefinition<Old>) {
        tree.name = "things"
        tree.version = "1.0"
    }
}

/// What newer code knows: a later minor version.
private struct New: Record, Hashable {
    struct Leg: Codable, Hashable {
        var name: String, use: String?, length: Double?, color: String?
    }
    var title: String, stock: Int, note: String?, legs: [Leg], table: [String: Leg]
    var marks: Set<Leg>, tags: Set<String>
    var weight: Double?, history: [String]?, box: Leg?
    static func define(_ tree: inout TreeDefinition<New>) {
        tree.name = "things"
        tree.version = "1.1"
    }
}

/// Random values and edits of them.
private struct Dice {
    var random: SeededRandom
    private var serial = 0

    init(_ seed: UInt64) { random = SeededRandom(seed: seed) }

    mutating func below(_ bound: Int) -> Int { random.below(bound) }
    mutating func flip() -> Bool { below(2) == 0 }

    /// A text no other call gave.
    mutating func fresh() -> String {
        serial += 1
        return "\(["a", "\u{e9}", "e\u{301}", "\"", "x y"][below(5)])\(serial)"
    }

    mutating func leg() -> New.Leg {
        New.Leg(
            name: fresh(),
            use: flip() ? fresh() : nil,
            length: flip() ? Double(below(100)) / 4 : nil,
            color: flip() ? fresh() : nil
        )
    }

    mutating func thing() -> New {
        New(
            title: fresh(),
            stock: below(100),
            note: flip() ? fresh() : nil,
            legs: (0..<below(6)).map { _ in leg() },
            table: Dictionary(uniqueKeysWithValues: (0..<below(4)).map { _ in (fresh(), leg()) }),
            marks: Set((0..<below(5)).map { _ in leg() }),
            tags: Set((0..<below(5)).map { _ in fresh() }),
            weight: flip() ? Double(below(9)) : nil,
            history: flip() ? (0..<below(4)).map { _ in fresh() } : nil,
            box: flip() ? leg() : nil
        )
    }
}

/// Edits both views of a thing in the same way: what older code does, and what it should mean.
private func edit(_ old: inout Old, _ new: inout New, _ dice: inout Dice) {
    switch dice.below(12) {
    case 0:
        old.title = dice.fresh()
        new.title = old.title
    case 1:
        old.note = dice.flip() ? dice.fresh() : nil
        new.note = old.note
    case 2:
        old.stock += 1
        new.stock += 1
    case 3:
        let leg = Old.Leg(name: dice.fresh(), use: nil)
        let place = dice.below(old.legs.count + 1)
        old.legs.insert(leg, at: place)
        new.legs.insert(New.Leg(name: leg.name, use: nil, length: nil, color: nil), at: place)
    case 4 where !old.legs.isEmpty:
        let place = dice.below(old.legs.count)
        old.legs.remove(at: place)
        new.legs.remove(at: place)
    case 5 where !old.legs.isEmpty:
        let place = dice.below(old.legs.count)
        old.legs[place].use = dice.fresh()
        new.legs[place].use = old.legs[place].use
    case 6:
        for key in old.table.keys.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
            old.table[key]?.use = dice.flip() ? dice.fresh() : nil
            new.table[key]?.use = old.table[key]?.use
        }
    case 7:
        if let key = old.table.keys.min(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
            old.table[key] = nil
            new.table[key] = nil
        }
    case 8:
        let key = dice.fresh()
        old.table[key] = Old.Leg(name: "n", use: nil)
        new.table[key] = New.Leg(name: "n", use: nil, length: nil, color: nil)
    case 9:
        if let mark = old.marks.min(by: { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }) {
            old.marks.remove(mark)
            new.marks = new.marks.filter { $0.name != mark.name }
        }
    case 10:
        let mark = Old.Leg(name: dice.fresh(), use: dice.fresh())
        old.marks.insert(mark)
        new.marks.insert(New.Leg(name: mark.name, use: mark.use, length: nil, color: nil))
    default:
        if dice.flip(), let tag = old.tags.min() {
            old.tags.remove(tag)
            new.tags.remove(tag)
        } else {
            let tag = dice.fresh()
            old.tags.insert(tag)
            new.tags.insert(tag)
        }
    }
}

@Suite struct CodingTests {
    private static let key = RecordKey(number: 12, revision: 3)
    private static let one = SchemaVersion(1, 0)

    private func decode<R: Record>(
        _ schema: RecordSchema<R>,
        _ json: [UInt8],
        _ version: SchemaVersion = one
    ) throws -> (value: R, hasUnknownFields: Bool) {
        try json.withView { try schema.decode($0, schema: version, key: Self.key) }
    }

    private func encode<R: Record>(
        _ schema: RecordSchema<R>,
        _ value: R,
        over json: [UInt8],
        _ version: SchemaVersion = one
    ) throws -> [UInt8] {
        try json.withView { try schema.encode(value, over: ($0, version)) }
    }

    @Test("Older code that rewrites newer data keeps what it does not know")
    func preservation() throws {
        try Seed.each(Seed.count(usually: 8)) { seed, _ in try preserve(seed) }
    }

    private func preserve(_ seed: UInt64) throws {
        let (older, newer) = (try RecordSchema<Old>(), try RecordSchema<New>())
        var dice = Dice(seed)
        for _ in 0..<40 {
            var wanted = dice.thing()
            var document = try newer.encode(wanted, over: nil)
            for _ in 0..<3 {
                let (start, hasUnknown) = try decode(older, document, SchemaVersion(1, 1))
                var mine = start
                let knowsAll = try older.encode(start, over: nil).withView { old in
                    try document.withView {
                        try CanonicalForm.bytes(old) == CanonicalForm.bytes($0)
                    }
                }
                #expect(hasUnknown || knowsAll, "seed \(seed)")
                edit(&mine, &wanted, &dice)
                document = try encode(older, mine, over: document, SchemaVersion(1, 1))
                #expect(try decode(newer, document).value == wanted, "seed \(seed)")
                #expect(try decode(older, document).value == mine, "seed \(seed)")
            }
        }
    }

    @Test("Rewriting without a change changes no byte; null and absent stay as found")
    func untouched() throws {
        let schema = try RecordSchema<Old>()
        let texts = [
            #"{"new":1,"title":"a","stock":1,"note":null,"legs":[{"name":"x","z":{}}],"table":{},"#
                + #""marks":[{"name":"m","w":1}],"tags":["t"]}"#,
            #"{"stock":1,"title":"\u0061","legs":[],"table":{"k":{"use":null,"name":"q","n":1}},"#
                + #""tags":["b"],"marks":[]}"#,
        ]
        for text in texts {
            let document = Array(text.utf8)
            let (value, hasUnknown) = try decode(schema, document)
            #expect(hasUnknown)
            let same = try encode(schema, value, over: document)
            #expect(String(decoding: same, as: UTF8.self) == text)
            var other = value
            other.stock = 2
            let edited = try encode(schema, other, over: document)
            let expected = text.replacingOccurrences(of: #""stock":1"#, with: #""stock":2"#)
            #expect(String(decoding: edited, as: UTF8.self) == expected)
        }
    }

    @Test("Sets are stored sorted, and an element taken out takes out itself")
    func sets() throws {
        let schema = try RecordSchema<Old>()
        let document = Array(
            (#"{"title":"","stock":0,"legs":[],"table":{},"#
                + #""marks":[{"name":"b","n":1},{"name":"a","n":2},{"name":"a","n":3}],"#
                + #""tags":["q","p","q"]}"#).utf8
        )
        var (value, _) = try decode(schema, document)
        value.tags.remove("p")
        value.marks = value.marks.filter { $0.name == "b" }
        let edited = String(decoding: try encode(schema, value, over: document), as: UTF8.self)
        #expect(edited.hasSuffix(#""marks":[{"name":"b","n":1}],"tags":["q"]}"#))
        // What does not change stays as it stands, also a set that names an element twice.
        let (start, _) = try decode(schema, document)
        var renamed = start
        renamed.stock = 5
        let bytes = String(decoding: try encode(schema, renamed, over: document), as: UTF8.self)
        #expect(
            bytes
                == String(decoding: document, as: UTF8.self)
                .replacingOccurrences(of: #""stock":0"#, with: #""stock":5"#)
        )
        value.tags = ["z", "y", "x"]
        let fresh = String(decoding: try schema.encode(value, over: nil), as: UTF8.self)
        #expect(fresh.hasSuffix(#""tags":["x","y","z"]}"#))
    }

    @Test("Unknown fields are seen at every level, and nowhere else")
    func unknownFields() throws {
        let schema = try RecordSchema<Old>()
        func isUnknown(_ legs: String, _ table: String = "{}", _ more: String = "") throws -> Bool {
            let text =
                #"{"title":"","stock":0,"legs":\#(legs),"table":\#(table),"marks":[],"tags":[]\#(more)}"#
            return try decode(schema, Array(text.utf8)).hasUnknownFields
        }
        #expect(try !isUnknown(#"[{"use":null,"n\u0061me":"a"}]"#))
        #expect(try !isUnknown("[]", #"{"anything":{"name":"a"}}"#))
        #expect(try isUnknown(#"[{"name":"a"},{"name":"a","x":null}]"#))
        #expect(try isUnknown("[]", #"{"k":{"name":"a","x":1}}"#))
        #expect(try isUnknown("[]", "{}", #","more":[]"#))
    }

    @Test("Member names are bytes: a composed and a decomposed letter are two fields")
    func memberBytes() throws {
        struct Menu: Record, Hashable {
            var composed: Int, decomposed: Int?, prices: [String: Int]
            enum CodingKeys: String, CodingKey {
                case composed = "caf\u{e9}"
                case decomposed = "cafe\u{301}"
                case prices
            }
            static func define(_ tree: inout TreeDefinition<Menu>) {
                tree.name = "menus"
                tree.index(MultiIndex<Menu, Int>("caf\u{e9}", \.composed))
            }
        }
        struct Short: Record {
            var composed: Int, prices: [String: Int]
            enum CodingKeys: String, CodingKey {
                case composed = "caf\u{e9}"
                case prices
            }
            static func define(_ tree: inout TreeDefinition<Short>) { tree.name = "menus" }
        }
        let menu = try RecordSchema<Menu>()
        #expect(menu.definition.schema?.fields.map(\.isIndexed) == [true, false, false])
        let prices = #"{"\#(KeyTests.composed)":1,"\#(KeyTests.decomposed)":2}"#
        let text =
            #"{"\#(KeyTests.composed)":1,"\#(KeyTests.decomposed)":2,"prices":\#(prices)}"#
        let document = Array(text.utf8)
        let (value, hasUnknown) = try decode(menu, document)
        #expect(value.composed == 1 && value.decomposed == 2 && !hasUnknown)
        let short = try RecordSchema<Short>()
        var (older, olderLacks) = try decode(short, document)
        #expect(olderLacks)
        older.composed = 7
        let edited = try encode(short, older, over: document)
        let again = try decode(menu, edited).value
        #expect(again.composed == 7 && again.decomposed == 2)
        #expect(String(decoding: edited, as: UTF8.self).utf8.count == text.utf8.count)
    }

    @Test("A value that cannot be read names the field and says why")
    func undecodable() throws {
        func failure(_ text: String, _ version: SchemaVersion = Self.one) throws -> DatabaseError {
            do {
                _ = try decode(try RecordSchema<Part>(), Array(text.utf8), version)
            } catch let error as DatabaseError {
                return error
            }
            Issue.record("decoded: \(text)")
            return .closed
        }
        let start = #"{"number":"","title":"","package":"","stock":1,"minimum":1"#
        let cases: [(String, String)] = [
            (start + #","pins":[{"number":"","name":""},{"number":"","name":7}]}"#, "pins.1.name"),
            (start + #","pins":[{"number":""}]}"#, "pins.0.name"),
            (start + "}", "pins"),
            (start + #","pins":[],"footprint":"x"}"#, "footprint"),
            ("[]", ""),
        ]
        for (text, field) in cases {
            let error = try failure(text)
            guard case .undecodable("parts", "12.3", field, let reason) = error else {
                Issue.record("\(text): \(error)")
                continue
            }
            #expect(!reason.isEmpty)
        }
        #expect("\(try failure("{}", SchemaVersion(2, 0)))".contains("update the application"))
    }

    @Test("Values of older majors are migrated, step by step")
    func migrations() throws {
        struct V0: Codable { var name: String }
        struct V1: Codable { var title: String }
        struct Now: Record, Hashable {
            var title: String, length: Int
            static func define(_ tree: inout TreeDefinition<Now>) {
                tree.name = "things"
                tree.version = "3.1"
                tree.migrate(from: "1", V1.self) { Now(title: $0.title, length: $0.title.count) }
                tree.migrate(from: "0", V0.self, to: V1.self) { V1(title: $0.name + "!") }
            }
        }
        let schema = try RecordSchema<Now>()
        let v0 = Array(#"{"name":"a"}"#.utf8)
        #expect(
            try decode(schema, v0, SchemaVersion(0, 9)).value == Now(title: "a!", length: 2)
        )
        let v1 = Array(#"{"title":"b","lost":1}"#.utf8)
        let (migrated, hasUnknown) = try decode(schema, v1, SchemaVersion(1, 4))
        #expect(migrated == Now(title: "b", length: 1) && !hasUnknown)
        // A migrated record is written as a whole.
        let written = try encode(schema, migrated, over: v1, SchemaVersion(1, 4))
        #expect(String(decoding: written, as: UTF8.self) == #"{"title":"b","length":1}"#)
        do {
            _ = try decode(schema, v1, SchemaVersion(2, 0))
            Issue.record("there is no migration from 2")
        } catch DatabaseError.undecodable(_, _, _, let reason) {
            #expect(reason.contains("declare a migration from \"2\""))
        }
        do {
            _ = try decode(schema, v0, SchemaVersion(1, 0))
            Issue.record("the old type does not read this")
        } catch DatabaseError.undecodable(_, _, "title", _) {}
    }

    @Test("A value without JSON is refused, naming the field")
    func unstorable() throws {
        struct Sized: Record {
            var sizes: [Double]
            static func define(_ tree: inout TreeDefinition<Sized>) { tree.name = "sizes" }
        }
        let schema = try RecordSchema<Sized>()
        do {
            _ = try schema.encode(Sized(sizes: [1, .nan]), over: nil)
            Issue.record("NaN has no JSON")
        } catch .refused(let refusal) {
            #expect(refusal.code == .invalidField && refusal.field == "sizes.1")
        }
        do {
            _ = try encode(schema, Sized(sizes: []), over: Array("{}".utf8))
            Issue.record("the base does not decode")
        } catch DatabaseError.refused(let refusal) {
            #expect(refusal.field == "sizes")
            #expect(refusal.message?.contains("is to replace") == true)
        }
    }

    @Test("Every value of the zoo goes through its bytes and back")
    func roundTrip() throws {
        let schema = try RecordSchema<Zoo>()
        for sample in try SchemaRecorder().see(Zoo.self, at: []).samples {
            let json = try schema.encode(sample.value, over: nil)
            let (value, hasUnknown) = try decode(schema, json)
            #expect(value == sample.value && !hasUnknown)
            #expect(try encode(schema, value, over: json) == json)
        }
    }
}
