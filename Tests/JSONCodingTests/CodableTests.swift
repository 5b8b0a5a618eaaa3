import Foundation
import HoldfastBasics
import HoldfastJSONCoding
import Testing

private func encoded<T: Encodable>(_ value: T) throws -> String {
    String(decoding: try RecordEncoder().encode(value), as: UTF8.self)
}

private func decoded<T: Decodable>(_ type: T.Type, _ text: String) throws -> T {
    try RecordDecoder().decode(type, from: Array(text.utf8))
}

/// Foundation's coders with the same choices, where they have them.
private func foundationEncoder() -> JSONEncoder {
    let encoder = JSONEncoder()
    encoder.dateEncodingStrategy = .custom { date, encoder in
        var value = encoder.singleValueContainer()
        try value.encode(
            Timestamp.text(milliseconds: Int64((date.timeIntervalSince1970 * 1000).rounded()))
        )
    }
    return encoder
}

private func foundationDecoder() -> JSONDecoder {
    let decoder = JSONDecoder()
    decoder.dateDecodingStrategy = .custom { decoder in
        let text = try decoder.singleValueContainer().decode(String.self)
        let milliseconds = Array(text.utf8).withView { Timestamp.milliseconds($0) }
        return Date(timeIntervalSince1970: Double(milliseconds ?? 0) / 1000)
    }
    return decoder
}

@Suite struct CodableTests {
    @Test(
        "A record reads back equal, from our bytes and from Foundation's, and Foundation reads ours"
    )
    func againstFoundation() throws {
        for number in 0..<200 {
            let part = Part.sample(number)
            let ours = try RecordEncoder().encode(part)
            #expect(try normalized(ours).utf8.elementsEqual(ours))
            #expect(try RecordDecoder().decode(Part.self, from: ours) == part)
            #expect(try foundationDecoder().decode(Part.self, from: Data(ours)) == part)
            let encoder = foundationEncoder()
            for format in [JSONEncoder.OutputFormatting.prettyPrinted, .sortedKeys, []] {
                encoder.outputFormatting = format
                let theirs = [UInt8](try encoder.encode(part))
                #expect(try RecordDecoder().decode(Part.self, from: theirs) == part)
            }
        }
    }

    @Test("The bytes are compact, in the order of the fields, with the forms that are promised")
    func bytes() throws {
        let text = try encoded(Part.sample(2))
        #expect(text.hasPrefix("{\"id\":\"2a"))
        #expect(
            text.contains(
                "\"created\":\"2023-11-14T22:13:22.250Z\",\"updated\":\"2024-03-09T16:00:00.000Z\""
            )
        )
        #expect(text.contains("\"counts\":[2,2,2],\"address\":{\"street\":\"2 Main Street\""))
        #expect(!text.contains("note") && text.hasSuffix("\"active\":true}"))
    }

    struct Types: Codable, Equatable {
        var data = Data([0, 1, 254, 255])
        var url = URL(string: "https://example.com/a?b=c&d=é%20")
        var decimal = Decimal(string: "-12345678901234567890.00000000001")
        var uuid = UUID(uuid: (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 171, 205, 239, 14, 15, 16))
        var float: Float = 0.1
        var small: [Int8] = [.min, .max]
        var wide: [UInt64] = [0, .max]
        var least = Int64.min
        var most = UInt64.max
        var map = ["k": 1.5]
        var numbered = [3: "c"]
        var maybe: [Int?] = [nil, 1, nil]
        var nested: [[Int]] = [[], [1], [2, 3]]
        var empty: [String] = []
        var set: Set<Int> = [7]
    }

    @Test("All types of the model read back equal and have the text that is promised")
    func types() throws {
        let text = try encoded(Types())
        #expect(try decoded(Types.self, text) == Types())
        #expect(text.contains("\"data\":\"AAH+/w==\""))
        #expect(text.contains("\"decimal\":\"-12345678901234567890.00000000001\""))
        #expect(text.contains("\"uuid\":\"01020304-0506-0708-090a-abcdef0e0f10\""))
        #expect(
            text.contains("\"float\":0.1,\"small\":[-128,127],\"wide\":[0,18446744073709551615]")
        )
        #expect(text.contains("\"least\":-9223372036854775808,\"most\":18446744073709551615"))
        #expect(
            text.contains("\"map\":{\"k\":1.5},\"numbered\":{\"3\":\"c\"},\"maybe\":[null,1,null]")
        )
    }

    @Test("Floating point numbers take the shortest text that reads back, bit for bit")
    func floats() throws {
        let random = SeededRandom(seed: 9)
        for _ in 0..<5000 {
            let double = Double(bitPattern: random.next())
            if double.isFinite {
                #expect(try decoded(Double.self, encoded(double)).bitPattern == double.bitPattern)
            }
            let float = Float(bitPattern: UInt32(truncatingIfNeeded: random.next()))
            if float.isFinite {
                #expect(try decoded(Float.self, encoded(float)).bitPattern == float.bitPattern)
            }
        }
        let text = try encoded([0.1, 1, -0.0, 1e15, 1e16, 1e300])
        #expect(text == "[0.1,1,-0.0,1000000000000000,1e+16,1e+300]")
        #expect(try encoded(Double.leastNonzeroMagnitude) == "5e-324")
        #expect(try decoded(Double.self, "-0.0").sign == .minus)
    }

    @Test("Enums with payloads, recursion, classes with super and dictionaries read back equal")
    func shapes() throws {
        let shape = Shape.group([.point, .labelled("a\"b", .circle(radius: 2.5)), .group([])])
        let ours = try RecordEncoder().encode(shape)
        #expect(try RecordDecoder().decode(Shape.self, from: ours) == shape)
        #expect(oracle(ours) == oracle([UInt8](try JSONEncoder().encode(shape))))
        let cat = Cat(name: "Tom", lives: 9)
        #expect(try encoded(cat) == "{\"lives\":9,\"super\":{\"name\":\"Tom\"}}")
        #expect(try decoded(Cat.self, encoded(cat)).name == "Tom")
        let dog = Dog(name: "Rex", age: 3)
        #expect(try encoded(dog) == "{\"name\":\"Rex\",\"age\":3}")
        #expect(try decoded(Dog.self, encoded(dog)).age == 3)
    }

    @Test("Any document decodes by trial and error as Foundation decodes it")
    func anyValue() throws {
        let maker = DocumentMaker(seed: 31)
        for _ in 0..<500 {
            let text = maker.document()
            let ours = try? decoded(AnyValue.self, text)
            let theirs = try? JSONDecoder().decode(AnyValue.self, from: Data(text.utf8))
            // Foundation reads 1e2 as an integer; here only digits are one.
            guard let ours, let theirs, !text.contains("e") else { continue }
            #expect(ours == theirs, "\(text)")
            #expect(try decoded(AnyValue.self, encoded(ours)) == ours)
        }
    }

    @Test("Members are found in any order, escaped or not, with strangers between them")
    func order() throws {
        struct Three: Codable, Equatable {
            var a: Int
            var b: String?
            var c: [Int]
            var d: Bool?
        }
        let wanted = Three(a: 1, b: "x", c: [2], d: nil)
        for text in [
            "{\"a\":1,\"b\":\"x\",\"c\":[2]}", "{\"c\":[2],\"b\":\"x\",\"a\":1}",
            "{\"z\":{\"a\":9},\"\\u0061\":1,\"y\":[[]],\"b\":\"x\",\"c\":[2],\"d\":null,\"w\":1}",
            " { \"b\" : \"x\" , \"c\" : [ 2 ] , \"a\" : 1 } ",
        ] {
            #expect(try decoded(Three.self, text) == wanted)
        }
        #expect(
            try decoded([Three].self, "[{\"c\":[],\"a\":1},{\"a\":2,\"c\":[]}]").map(\.a) == [1, 2]
        )
        let composed = try decoded([String: Int].self, "{\"caf\u{E9}\":1}")
        #expect(composed["caf\u{E9}"] == 1)
        struct Accents: Codable {
            enum CodingKeys: String, CodingKey { case value = "caf\u{E9}" }
            var value: Int?
        }
        struct Backslash: Codable, Equatable {
            enum CodingKeys: String, CodingKey { case value = "\\u0061" }
            var value: Int?
        }
        #expect(try decoded(Backslash.self, "{\"\\u0061\":1}").value == nil)
        #expect(try decoded(Backslash.self, encoded(Backslash(value: 3))).value == 3)
        #expect(try decoded(Accents.self, "{\"cafe\u{301}\":1}").value == nil)
        #expect(try decoded(Accents.self, "{\"cafe\u{301}\":1,\"caf\u{E9}\":2}").value == 2)
    }

    @Test("A large dictionary decodes in about the time its size asks for")
    func large() throws {
        let map = Dictionary(uniqueKeysWithValues: (0..<50_000).map { ("key\($0)", $0) })
        #expect(
            try RecordDecoder().decode([String: Int].self, from: RecordEncoder().encode(map)) == map
        )
    }

    @Test("Containers may be used in any order, and an encoder twice for one object")
    func interleaved() throws {
        #expect(
            try encoded(Interleaved())
                == "{\"a\":{\"x\":1,\"z\":3},\"b\":[2,4,{\"deep\":{}}],\"c\":{\"x\":0},\"s\":{},\"tail\":5}"
        )
        #expect(try decoded(Interleaved.self, encoded(Interleaved())).sum == 10)
    }

    @Test("A value that throws and is caught leaves no trace")
    func rolledBack() throws {
        #expect(try encoded(Forgiving()) == "{\"a\":1,\"list\":[1,2],\"b\":2}")
    }

    @Test("A decoder may be kept and used later inside the same call")
    func keptDecoder() throws {
        let value = try decoded(Keeper.self, "{\"skip\":[1],\"inner\":{\"x\":[4,5]},\"after\":1}")
        #expect(value.sum == 10)
    }

    @Test("A decoder kept beyond its document stops the process instead of reading freed memory")
    func staleDecoder() async {
        await #expect(processExitsWith: .failure) {
            let kept = try RecordDecoder().decode(Keeper.Kept.self, from: Array("[1]".utf8))
            _ = try [Int](from: kept.decoder)
        }
    }

    @Test("Decoding errors name the path and the kind of fault")
    func decodingErrors() {
        func path<T: Decodable>(_ type: T.Type, _ text: String) -> String {
            let result = Result { try decoded(type, text) }
            guard case .failure(let error) = result else { return "none" }
            switch error as? DecodingError {
            case .keyNotFound(let key, let context):
                return "key " + join(context.codingPath) + "+" + key.stringValue
            case .typeMismatch(_, let context): return "type " + join(context.codingPath)
            case .valueNotFound(_, let context): return "null " + join(context.codingPath)
            case .dataCorrupted(let context): return "data " + join(context.codingPath)
            default: return "other \(error)"
            }
        }
        func join(_ path: [any CodingKey]) -> String {
            path.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".")
        }
        struct Inner: Codable { var list: [[String: Int]] }
        struct Outer: Codable {
            var inner: Inner
            var when: Date?
            var strings: [String]?
        }
        #expect(path(Outer.self, "{}") == "key +inner")
        #expect(path(Outer.self, "{\"inner\":{}}") == "key inner+list")
        #expect(path(Outer.self, "{\"inner\":null}") == "null inner")
        #expect(
            path(Outer.self, "{\"inner\":{\"list\":[{},{\"a\":\"x\"}]}}") == "type inner.list.1.a"
        )
        #expect(
            path(Outer.self, "{\"inner\":{\"list\":[{},{\"a\":1.5}]}}") == "data inner.list.1.a"
        )
        #expect(path(Outer.self, "{\"inner\":{\"list\":[]},\"when\":\"noon\"}") == "data when")
        #expect(path(Outer.self, "{\"inner\":{\"list\":[]},\"when\":5}") == "type when")
        #expect(
            path(Outer.self, "{\"inner\":{\"list\":[]},\"strings\":[\"a\",1]}") == "type strings.1"
        )
        #expect(path(Outer.self, "[]") == "type ")
        #expect(path(Int.self, "1 2") == "data ")
        #expect(path(Int.self, "") == "data ")
        #expect(path(Part.Status.self, "\"nothing\"") == "data ")
        #expect(path([Part.Status].self, "[\"open\",\"nothing\"]") == "data 1")
        #expect(path(Int8.self, "300") == "data ")
        #expect(path(UUID.self, "\"x\"") == "data ")
        #expect(path(Data.self, "\"*\"") == "data ")
        #expect(path(Decimal.self, "\"12abc\"") == "data ")
        #expect(path(Decimal.self, "12") == "type ")
        #expect(path([Bool].self, "[true,nil]") == "type 1")
        #expect(path(AnyArray.self, "[1]") == "null 1")
        let deep =
            String(repeating: "{\"group\":{\"_0\":[", count: 100)
            + String(repeating: "]}}", count: 100)
        #expect(path(Shape.self, deep).hasPrefix("data group._0.0"))
    }

    @Test("Encoding errors name the path")
    func encodingErrors() {
        func path<T: Encodable>(_ value: T) -> String {
            do {
                return try encoded(value)
            } catch EncodingError.invalidValue(_, let context) {
                return context.codingPath.map { $0.intValue.map(String.init) ?? $0.stringValue }
                    .joined(separator: ".")
            } catch {
                return "other"
            }
        }
        #expect(path(["a": [1, Double.nan]]) == "a.1")
        #expect(path(["a": [Float.infinity]]) == "a.0")
        #expect(path(["k": ["n": -Double.infinity]]) == "k.n")
        #expect(path(Shape.labelled("x", .circle(radius: .nan))) == "labelled._1.circle.radius")
        #expect(path([Date(timeIntervalSince1970: 1e15)]) == "0")
        #expect(path([Date(timeIntervalSince1970: .nan)]) == "0")
        #expect(path([Decimal.nan]) == "0")
        var deep = Shape.point
        for _ in 0..<200 { deep = .group([deep]) }
        #expect(path(deep).hasPrefix("group._0.0.group"))
        var buffer = ByteBuffer()
        buffer.append("kept")
        #expect(throws: EncodingError.self) {
            try RecordEncoder().encode([1, Double.nan], into: &buffer)
        }
        #expect(buffer.view.text == "kept")
        #expect(throws: EncodingError.self) { try RecordEncoder().encode(Silent()) }
    }

    @Test("User info reaches values on both ways, and encoding appends behind what is there")
    func userInfo() throws {
        guard let key = CodingUserInfoKey(rawValue: "k") else { return }
        let text = try RecordEncoder(userInfo: [key: "v"]).encode(Informed(seen: ""))
        #expect(String(decoding: text, as: UTF8.self) == "\"v\"")
        #expect(
            try RecordDecoder(userInfo: [key: "w"]).decode(Informed.self, from: text).seen == "w"
        )
        var buffer = ByteBuffer()
        buffer.append("1,")
        try RecordEncoder().encode(Shape.circle(radius: 1), into: &buffer)
        #expect(buffer.view.text == "1,{\"circle\":{\"radius\":1}}")
    }
}

private class Animal: Codable {
    var name: String
    init(name: String) { self.name = name }
}

private final class Cat: Animal {
    var lives: Int
    init(name: String, lives: Int) {
        self.lives = lives
        super.init(name: name)
    }
    enum CodingKeys: String, CodingKey { case lives }
    required init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        lives = try values.decode(Int.self, forKey: .lives)
        try super.init(from: values.superDecoder())
    }
    override func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(lives, forKey: .lives)
        try super.encode(to: values.superEncoder())
    }
}

private final class Dog: Animal {
    var age: Int
    init(name: String, age: Int) {
        self.age = age
        super.init(name: name)
    }
    enum CodingKeys: String, CodingKey { case age }
    required init(from decoder: any Decoder) throws {
        age = try decoder.container(keyedBy: CodingKeys.self).decode(Int.self, forKey: .age)
        try super.init(from: decoder)
    }
    override func encode(to encoder: any Encoder) throws {
        try super.encode(to: encoder)
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(age, forKey: .age)
    }
}

private struct Interleaved: Codable {
    enum Key: String, CodingKey { case a, b, c, s, tail, x, z, deep }
    var sum = 0
    init() {}
    init(from decoder: any Decoder) throws {
        let top = try decoder.container(keyedBy: Key.self)
        let a = try top.nestedContainer(keyedBy: Key.self, forKey: .a)
        var b = try top.nestedUnkeyedContainer(forKey: .b)
        sum += try a.decode(Int.self, forKey: .z)
        sum += try b.decode(Int.self)
        sum += try top.decode(Int.self, forKey: .tail)
        sum += try a.decode(Int.self, forKey: .x) - 1
        _ = try b.decode(Int.self)
        let deep = try b.nestedContainer(keyedBy: Key.self)
        if try !b.isAtEnd || deep.decode([String: Int].self, forKey: .deep) != [:] { sum = -1 }
    }
    func encode(to encoder: any Encoder) throws {
        var top = encoder.container(keyedBy: Key.self)
        var a = top.nestedContainer(keyedBy: Key.self, forKey: .a)
        var b = top.nestedUnkeyedContainer(forKey: .b)
        try a.encode(1, forKey: .x)
        try b.encode(2)
        var c = top.nestedContainer(keyedBy: Key.self, forKey: .c)
        try a.encode(3, forKey: .z)
        try b.encode(4)
        var deep = b.nestedContainer(keyedBy: Key.self)
        _ = top.superEncoder(forKey: .s)
        try top.encode(5, forKey: .tail)
        try c.encode(0, forKey: .x)
        _ = deep.nestedContainer(keyedBy: Key.self, forKey: .deep)
    }
}

private struct Failing: Encodable {
    struct Expected: Error {}
    func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: PlainKey.self)
        try values.encode(1, forKey: PlainKey("x"))
        var nested = values.nestedUnkeyedContainer(forKey: PlainKey("y"))
        try nested.encode(1)
        throw Expected()
    }
}

private struct Forgiving: Encodable {
    func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: PlainKey.self)
        try values.encode(1, forKey: PlainKey("a"))
        try? values.encode(Failing(), forKey: PlainKey("gone"))
        try? values.encode(Double.nan, forKey: PlainKey("gone"))
        var list = values.nestedUnkeyedContainer(forKey: PlainKey("list"))
        try list.encode(1)
        try? list.encode(Failing())
        try? list.encode([Double.infinity])
        try list.encode(2)
        try values.encode(2, forKey: PlainKey("b"))
    }
}

private struct PlainKey: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(_ name: String) { stringValue = name }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

private struct Keeper: Decodable {
    struct Kept: Decodable {
        let decoder: any Decoder
        init(from decoder: any Decoder) throws { self.decoder = decoder }
    }
    var sum = 0
    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: PlainKey.self)
        let kept = try values.decode(Kept.self, forKey: PlainKey("inner"))
        sum += try values.decode(Int.self, forKey: PlainKey("after"))
        let inner = try kept.decoder.container(keyedBy: PlainKey.self)
        sum += try inner.decode([Int].self, forKey: PlainKey("x")).reduce(0, +)
    }
}

private struct AnyArray: Decodable {
    init(from decoder: any Decoder) throws {
        var values = try decoder.unkeyedContainer()
        _ = try values.decode(Int.self)
        _ = try values.decode(Int.self)
    }
}

private struct Silent: Encodable {
    func encode(to encoder: any Encoder) throws {}
}

private struct Informed: Codable {
    var seen: String
    init(seen: String) { self.seen = seen }
    init(from decoder: any Decoder) throws {
        seen = CodingUserInfoKey(rawValue: "k").flatMap { decoder.userInfo[$0] as? String } ?? ""
    }
    func encode(to encoder: any Encoder) throws {
        var value = encoder.singleValueContainer()
        try value.encode(
            CodingUserInfoKey(rawValue: "k").flatMap { encoder.userInfo[$0] as? String } ?? ""
        )
    }
}
