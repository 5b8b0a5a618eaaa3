// What the recorder cannot see is refused, with the path and what to do.
import Foundation
import HoldfastRecords
import Testing

@testable import HoldfastEmbedded

/// A record with one field of any type.
private struct Holder<T: Codable & Sendable>: Record {
    struct Inner: Codable, Sendable { var thing: T }
    var list: [Inner]
    static func define(_ tree: inout TreeDefinition<Holder<T>>) { tree.name = "holders" }
}

private indirect enum Chain: Codable, Sendable { case end, next(Chain) }
private final class Box: Codable, Sendable {
    let children: [Box]
    init(children: [Box]) { self.children = children }
}

private struct Branching: Codable {
    var kind: String, size: Int
    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        kind = try container.decode(String.self, forKey: .kind)
        size = kind == "a" ? try container.decode(Int.self, forKey: .size) : 0
    }
}

private struct OneOrOther: Codable {
    var text: String
    init(from decoder: any Decoder) throws {
        if let value = try? decoder.singleValueContainer().decode(Int.self) {
            text = "\(value)"
            _ = try decoder.singleValueContainer().decode(String.self)
        } else {
            text = ""
        }
    }
    func encode(to encoder: any Encoder) throws {}
}

private struct Picky: Codable {
    var year: Int
    init(from decoder: any Decoder) throws {
        year = try decoder.container(keyedBy: CodingKeys.self).decode(Int.self, forKey: .year)
        guard year > 1900 else { throw CocoaError(.coderInvalidValue) }
    }
}

private struct PickyDescribed: SchemaDescribed {
    var year: Int
    static let schemaType = #"{"struct":[{"name":"year","type":"int64"}]}"#
    static let samples = [try? PickyDescribed(2001), try? PickyDescribed(2002)].compactMap { $0 }
    init(_ year: Int) throws {
        guard year > 1900 else { throw CocoaError(.coderInvalidValue) }
        self.year = year
    }
    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        try self.init(container.decode(Int.self, forKey: .year))
    }
    enum CodingKeys: String, CodingKey { case year }
}

private struct Liar: SchemaDescribed {
    var year: Int
    static let schemaType = #"{"struct":[{"name":"year","type":"string"}]}"#
    static let samples = [Liar(year: 1)]
}

private struct NoType: SchemaDescribed {
    var year: Int
    static let schemaType = #""integer""#
    static let samples = [NoType(year: 1)]
}

private struct WriteOnly: Codable {
    var a = 1
    init(from decoder: any Decoder) throws {
        _ = try decoder.container(keyedBy: CodingKeys.self)
    }
}

private struct ReadOnly: Codable {
    var a: Int
    func encode(to encoder: any Encoder) throws {
        _ = encoder.container(keyedBy: CodingKeys.self)
    }
    enum CodingKeys: String, CodingKey { case a }
}

private class Base: Codable { var a = 1 }
private final class Derived: Base, @unchecked Sendable {
    var b = 2
    override init() { super.init() }
    required init(from decoder: any Decoder) throws {
        b = try decoder.container(keyedBy: CodingKeys.self).decode(Int.self, forKey: .b)
        try super.init(from: decoder)
    }
    enum CodingKeys: String, CodingKey { case b }
}
private final class SuperKeyed: Base, @unchecked Sendable {
    required init(from decoder: any Decoder) throws {
        try super.init(from: decoder.container(keyedBy: CodingKeys.self).superDecoder())
    }
    enum CodingKeys: String, CodingKey { case b }
}

private struct Greedy: Codable {
    struct AnyName: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }
    var count: Int
    init(from decoder: any Decoder) throws {
        count = try decoder.container(keyedBy: AnyName.self).allKeys.count
    }
}

private enum Ratio: Double, Codable { case half = 0.5, whole = 1 }

@Suite struct SchemaRefusalTests {
    private func refusal<R: Record>(_: R.Type) throws -> Refusal {
        do {
            _ = try RecordSchema<R>()
        } catch .refused(let refusal) {
            #expect(refusal.code == .badDefinition)
            return refusal
        } catch {
            Issue.record("\(error)")
        }
        Issue.record("\(R.self) was taken")
        return Refusal(.internalError, nil)
    }

    private func expect<T: Codable & Sendable>(
        _: T.Type,
        _ field: String = "list.thing",
        says words: String
    ) throws {
        let refusal = try refusal(Holder<T>.self)
        #expect(refusal.field == field, "\(T.self): \(refusal)")
        #expect(refusal.message?.contains(words) == true, "\(T.self): \(refusal)")
    }

    @Test("What cannot be seen or stored is refused, naming the path and what to do")
    func types() throws {
        try expect(Range<Int>.self, says: "store an array or a struct of its parts")
        try expect(ClosedRange<Double>.self, says: "element by element")
        try expect(SIMD2<Float>.self, says: "element by element")
        try expect([Int: String].self, says: "only String keys")
        try expect([Zoo.Level: String].self, says: "only String keys")
        try expect([Int?].self, says: "holds optionals")
        try expect([String: Int?].self, says: "holds optionals")
        try expect(Int??.self, says: "optional twice")
        try expect(Chain.self, "list.thing.next._0", says: "no recursion")
        try expect(Box.self, "list.thing.children", says: "no recursion")
        try expect(Branching.self, says: "different members for different values (size)")
        try expect(OneOrOther.self, says: "depending on its value")
        try expect(Picky.self, says: "refuses every sample")
        try expect(Liar.self, says: "not what it says")
        try expect(NoType.self, says: "schemaType is none")
        try expect(Derived.self, says: "superclass cannot be seen")
        try expect(SuperKeyed.self, "list.thing.super", says: "superclass")
        try expect(Greedy.self, says: "names it does not know before")
        try expect(Ratio.self, says: "neither all texts nor all integers")
        try expect(ReadOnly.self, "list.0.thing.a", says: "does not write it")
        try expect(WriteOnly.self, "list.0.thing.a", says: "writes other values than it reads")
        try expect(UInt128.self, says: "refuses every sample")
    }

    @Test("A type that describes itself is taken by its word, once its samples prove it")
    func described() throws {
        let schema = try RecordSchema<Holder<PickyDescribed>>()
        #expect(schema.definition.schema?.fields.count == 1)
    }

    @Test("An index must look at the field it names, and at no other")
    func indexes() throws {
        struct Label: Record {
            var number: String, title: String, size: Int?, mark: String
            var label: String { number + title }
            static func define(_ tree: inout TreeDefinition<Label>) {
                tree.name = "labels"
                tree.index(MultiIndex<Label, String>("number", \.label))
            }
        }
        #expect(try refusal(Label.self).message?.contains("looks at 'number', 'title'") == true)
        struct Swapped: Record {
            var number: String, title: String
            static func define(_ tree: inout TreeDefinition<Swapped>) {
                tree.name = "labels"
                tree.unique(UniqueIndex<Swapped, String>("title", \.number))
            }
        }
        let swapped = try refusal(Swapped.self)
        #expect(swapped.field == "title")
        #expect(swapped.message?.contains("looks at 'number'") == true)
        struct Unknown: Record {
            var number: String
            static func define(_ tree: inout TreeDefinition<Unknown>) {
                tree.name = "labels"
                tree.index(MultiIndex<Unknown, String>("nummer", each: { [$0.number] }))
            }
        }
        #expect(try refusal(Unknown.self).message?.contains("has no field 'nummer'") == true)
        struct Folded: Record {
            var number: String
            var lower: String { number + "!" }
            static func define(_ tree: inout TreeDefinition<Folded>) {
                tree.name = "labels"
                tree.unique(UniqueIndex<Folded, String>("number", \.lower))
            }
        }
        #expect(try refusal(Folded.self).message?.contains("something made of the field") == true)
        struct Whole: Record {
            var pins: [Pin]
            static func define(_ tree: inout TreeDefinition<Whole>) {
                tree.name = "labels"
                tree.unique(UniqueIndex<Whole, [Pin]>("pins", \.pins))
            }
        }
        #expect(try refusal(Whole.self).message?.contains("single number") == true)
        struct Good: Record {
            var number: String?, level: Zoo.Level, at: Date, only: Zoo.Only, ref: Key<Part>?
            static func define(_ tree: inout TreeDefinition<Good>) {
                tree.name = "labels"
                tree.unique(UniqueIndex<Good, String?>("number", \.number))
                tree.unique(UniqueIndex<Good, Zoo.Level>("level", \.level))
                tree.unique(UniqueIndex<Good, Zoo.Only>("only", \.only))
                tree.unique(UniqueIndex<Good, Key<Part>?>("ref", \.ref))
                tree.index(MultiIndex<Good, Date>("at", \.at))
                tree.text("number")
            }
        }
        #expect(try RecordSchema<Good>().definition.schema?.fields.filter(\.isUnique).count == 4)
    }

    @Test("A definition that makes no sense is refused")
    func definitions() throws {
        struct NoName: Record {
            var a: Int
            static func define(_ tree: inout TreeDefinition<NoName>) { tree.name = "No" }
        }
        #expect(try refusal(NoName.self).message?.contains("lower-case letters") == true)
        struct NoVersion: Record {
            var a: Int
            static func define(_ tree: inout TreeDefinition<NoVersion>) {
                tree.name = "a"
                tree.version = "one"
            }
        }
        #expect(try refusal(NoVersion.self).message?.contains("no version") == true)
        struct NoEnum: Record {
            var a: Int
            static func define(_ tree: inout TreeDefinition<NoEnum>) {
                tree.name = "a"
                tree.open("a")
            }
        }
        #expect(try refusal(NoEnum.self).message?.contains("is no enum") == true)
        struct NoText: Record {
            var a: Int
            static func define(_ tree: inout TreeDefinition<NoText>) {
                tree.name = "a"
                tree.text("b")
            }
        }
        #expect(try refusal(NoText.self).message?.contains("text search") == true)
        struct Future: Record {
            var a: Int
            static func define(_ tree: inout TreeDefinition<Future>) {
                tree.name = "a"
                tree.migrate(from: "1", PartV0.self) { _ in Future(a: 1) }
            }
        }
        #expect(try refusal(Future.self).message?.contains("below 1") == true)
        struct Dollar: Record {
            var a: Int
            enum CodingKeys: String, CodingKey { case a = "$a" }
            static func define(_ tree: inout TreeDefinition<Dollar>) { tree.name = "a" }
        }
        #expect(try refusal(Dollar.self).code == .badDefinition)
    }
}
