// Record types for the tests of schemas.
import Foundation
import HoldfastEmbedded

// The engine has types of the same names.
typealias TreeDefinition = HoldfastEmbedded.TreeDefinition
typealias Refusal = HoldfastEmbedded.Refusal
typealias RecordID = HoldfastEmbedded.RecordID
typealias Position = HoldfastEmbedded.Position

struct Pin: Codable, Hashable { var number, name: String }

struct Footprint: Record {
    typealias ID = Name
    var pads: Int
    static func define(_ tree: inout TreeDefinition<Footprint>) {
        tree.name = "footprints"
        tree.borrow = .optional
    }
}

/// The example of the documentation.
struct Part: Record, Hashable {
    var number: String, title: String, package: String, stock: Int, minimum: Int, pins: [Pin]
    var footprint: Key<Footprint>?

    static let byNumber = UniqueIndex<Part, String>("number", \.number)
    static let byPackage = MultiIndex<Part, String>("package", \.package)
    static let byPin = MultiIndex<Part, String>("pins", each: { $0.pins.map(\.name) })
    static func define(_ tree: inout TreeDefinition<Part>) {
        tree.name = "parts"
        tree.version = "1.1"
        tree.versioned = true
        tree.unique(byNumber)
        tree.index(byPackage)
        tree.index(byPin)
        tree.text("number", "title")
        tree.migrate(from: "0", PartV0.self) {
            Part(number: $0.number, title: $0.name, package: "", stock: 0, minimum: 0, pins: [])
        }
    }
}
struct PartV0: Decodable { let number, name: String }

/// Every type of field.
struct Zoo: Record, Hashable {
    enum Level: String, Codable { case low, high = "HIGH" }
    enum Rank: Int, Codable, CaseIterable { case first = 1, second = 2 }
    enum Only: String, Codable { case one }
    enum Form: Codable, Hashable {
        case circle(radius: Double)
        case pair(Int8, Level?)
        case nothing
    }
    enum Bare: Codable { case left, right }
    struct Code: RawRepresentable, Codable, Hashable { var rawValue: String }
    struct Place: Codable, Hashable {
        var x: Double, y: Float?, tags: Set<String>
    }
    /// Knows a case that it does not know.
    enum Kind: SchemaDescribed, Hashable {
        case resistor
        case other(String)
        static let schemaType = #"{"enum":{"raw":"string","cases":["resistor","diode"]}}"#
        static let samples: [Kind] = [.resistor, .other("diode")]
        init(from decoder: any Decoder) throws {
            let text = try decoder.singleValueContainer().decode(String.self)
            self = text == "resistor" ? .resistor : .other(text)
        }
        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .resistor: try container.encode("resistor")
            case .other(let text): try container.encode(text)
            }
        }
    }

    var flag: Bool
    var i8: Int8, i16: Int16, i32: Int32, i64: Int64, int: Int
    var u8: UInt8, u16: UInt16, u32: UInt32, u64: UInt64, uint: UInt
    var float: Float, double: Double
    var text: String, date: Date, uuid: UUID, data: Data, url: URL, decimal: Decimal
    var part: Key<Part>, footprint: Key<Footprint>?, anyRevision: Number, name: Name
    var list: [Int], set: Set<Int16>, places: [Place], nested: [[String]]
    var table: [String: Place], place: Place, placeSet: Set<Place>
    var level: Level, rank: Rank?, only: Only, form: Form, forms: [Form]?, bare: Bare
    var code: Code, kind: Kind, file: FileRef?
    var `case`: String

    enum CodingKeys: String, CodingKey {
        case flag, i8, i16, i32, i64, int, u8, u16, u32, u64, uint, float, double, text, date, uuid
        case data, url, decimal, part, footprint, anyRevision, name, list, set, places, nested
        case table, place, placeSet, level, rank, only, form, forms, bare, code, kind, file
        case `case` = "stored"
    }

    static func define(_ tree: inout TreeDefinition<Zoo>) {
        tree.name = "zoo"
        tree.open("kind")
    }
}

/// Written by hand: defaults, a nested container, members asked about.
struct ByHand: Record, Hashable {
    var count: Int, label: String?, note: String, depth: Double

    enum CodingKeys: String, CodingKey { case count, label, note, size }
    enum SizeKeys: String, CodingKey { case depth }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        count = try container.decodeIfPresent(Int.self, forKey: .count) ?? 7
        label =
            container.contains(.label) ? try container.decode(String?.self, forKey: .label) : nil
        note = ""
        if try container.contains(.note) && !container.decodeNil(forKey: .note) {
            note = try container.decode(String.self, forKey: .note)
        }
        depth = try container.nestedContainer(keyedBy: SizeKeys.self, forKey: .size)
            .decode(Double.self, forKey: .depth)
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(count, forKey: .count)
        try container.encode(label, forKey: .label)
        try container.encode(note, forKey: .note)
        var size = container.nestedContainer(keyedBy: SizeKeys.self, forKey: .size)
        try size.encode(depth, forKey: .depth)
    }

    static func define(_ tree: inout TreeDefinition<ByHand>) { tree.name = "by-hand" }
}
