import Foundation
import HoldfastRecords
import Testing

@testable import HoldfastEmbedded

private struct Bin: Record {
    typealias ID = Name
    var place: String
    static func define(_ tree: inout TreeDefinition<Bin>) { tree.name = "bins" }
}

private struct OrderNumber: RecordID {
    let number: Number
    init?(_ text: String) {
        guard let number = Number(text) else { return nil }
        self.number = number
    }
    var description: String { number.description }
    static func < (a: Self, b: Self) -> Bool { a.number < b.number }
}

private struct Order: Record {
    typealias ID = OrderNumber
    var title: String
    static func define(_ tree: inout TreeDefinition<Order>) {
        tree.name = "orders"
    }
}

private struct PlaceName: RecordName {
    let description: String
    init?(_ text: String) { description = text }
}

private struct Place: Record {
    typealias ID = PlaceName
    var title: String
    static func define(_ tree: inout TreeDefinition<Place>) {
        tree.name = "places"
    }
}

@Suite struct KeyTests {
    static let composed = "caf\u{e9}"
    static let decomposed = "cafe\u{301}"

    @Test("A key reads what it writes, split at the last dot")
    func text() throws {
        #expect(Key<Part>(text: "12.0") == Key(Number(12)))
        #expect(Key<Bin>(text: "a.b.7") == Key("a.b", revision: 7))
        #expect(Key<Order>(text: "3.1")?.description == "3.1")
        for text in ["", ".", "12", "12.", ".0", "0.0", "a.0", "12.-1", "12.4294967296", "01.0"] {
            #expect(Key<Part>(text: text) == nil, "\(text)")
        }
        for text in ["", ".0", "a", "a.", "a\n.0", "..0", "...0"] {
            #expect(Key<Bin>(text: text) == nil, "\(text)")
        }
    }

    @Test("A key inside a value is one text, and comes back")
    func coding() throws {
        let keys: [Key<Bin>] = ["a.b", Key(Name(stringLiteral: Self.decomposed), revision: 3)]
        let document = try JSONDocument(encoding: keys)
        #expect(document.description == "[\"a.b.0\",\"\(Self.decomposed).3\"]")
        #expect(try document.decode([Key<Bin>].self) == keys)
        #expect(throws: DecodingError.self) {
            try JSONDocument("[\"1\"]").decode([Key<Part>].self)
        }
        #expect(throws: DecodingError.self) { try JSONDocument("\"\"").decode(Name.self) }
    }

    @Test("The engine's keys become typed ones and back, and only of their own kind")
    func engine() throws {
        let number = RecordKey(number: 12, revision: 2)
        let name = RecordKey(name: "a.b", revision: 0)
        #expect(Key<Part>(stored: number)?.stored == number)
        #expect(Key<Order>(stored: number)?.stored == number)
        #expect(Key<Bin>(stored: name)?.stored == name)
        #expect(Key<Place>(stored: name)?.stored == name)
        #expect(Key<Part>(stored: name) == nil)
        #expect(Key<Place>(stored: number) == nil)
        #expect(Key<Part>(Number(0)).stored == nil)
        #expect(Key<Part>(Number(1 << 53)).stored == nil)
        #expect(PlaceName("a\u{0}")?.stored == nil)
        #expect(OrderNumber.kind == .id)
        #expect(PlaceName.kind == .name)
    }

    @Test("Names are bytes in every map, order and comparison")
    func bytes() throws {
        #expect(Self.composed == Self.decomposed)
        let names = [Self.composed, Self.decomposed]
        #expect(Set(names.compactMap(Name.init)).count == 2)
        #expect(Set(names.compactMap(PlaceName.init)).count == 2)
        #expect(Set(names.compactMap { Key<Bin>(text: $0 + ".0") }).count == 2)
        #expect(Set(names.compactMap { Key<Place>(text: $0 + ".0") }).count == 2)
        #expect(Set(names.map { AnyKey(tree: "bins", text: $0 + ".0") }).count == 2)
        #expect(Set(names.compactMap { try? JSONDocument(encoding: $0) }).count == 2)
        // "e" and the accent come before the composed letter's first byte.
        let a = try #require(Key<Place>(text: Self.decomposed + ".0"))
        let b = try #require(Key<Place>(text: Self.composed + ".0"))
        #expect(a < b && !(b < a) && a != b)
        #expect(IndexValue(Self.decomposed) < IndexValue(Self.composed))
        #expect(IndexValue(Self.decomposed) != IndexValue(Self.composed))
        #expect(IndexBytes.bytes(of: Self.composed) != IndexBytes.bytes(of: Self.decomposed))
    }

    @Test("An untyped key knows its tree")
    func untyped() {
        let key = AnyKey(Key<Part>(Number(5), revision: 1))
        #expect(key.description == "parts/5.1")
        #expect(key.key(of: Part.self) == Key(Number(5), revision: 1))
        #expect(key.key(of: Order.self) == nil)
    }

    @Test("Positions read what they write")
    func positions() {
        let position = Position(epoch: 0x0123_4567_89AB_CDEF, seq: 42)
        #expect(Position(position.description) == position)
        #expect(Position("x:1") == nil)
    }

    @Test("Every code of the engine has its name here")
    func codes() throws {
        let source = URL(filePath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Sources/Embedded/RefusalCode.swift")
        let text = try String(contentsOf: source, encoding: .utf8)
        for code in RefusalCode.allCases {
            let line = "let \(code) = Refusal.Code(rawValue: \"\(code.rawValue)\")"
            #expect(text.contains(line), "\(code)")
        }
        #expect(Refusal.Code.idempotencyMismatch.rawValue == "idempotency-mismatch")
        for code in RefusalCode.allCases {
            let refusal = Refusal(HoldfastRecords.Refusal(code, "Because.", field: "a.b"))
            #expect(refusal.code.rawValue == code.rawValue)
            #expect(refusal.description == "\(code.rawValue) (a.b): Because.")
        }
    }
}
