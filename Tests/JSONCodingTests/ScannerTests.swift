import HoldfastBasics
import HoldfastJSONCoding
import Testing

@Suite struct ScannerTests {
    private func scan<T>(_ text: String, _ body: (inout JSONScanner) throws -> T) rethrows -> T {
        try Array(text.utf8).withView { bytes in
            var scanner = JSONScanner(bytes)
            return try body(&scanner)
        }
    }

    @Test("Members and elements are walked in order, values skipped or read")
    func walk() throws {
        let text =
            "{\"a\":[1,[2],{}],\"b\\u0062\":{\"x\":\"y\"},\"c\":null,\"d\":true,\"e\":-1.5e3}"
        try scan(text) { scanner in
            #expect(try scanner.peekKind() == .object)
            try scanner.enterObject()
            #expect(try scanner.nextMember()?.equals("a") == true)
            try scanner.enterArray()
            #expect(try scanner.nextElement())
            #expect(try scanner.readInteger(Int.self) == 1)
            #expect(try scanner.nextElement())
            #expect(try scanner.skipValue().text == "[2]")
            #expect(try scanner.nextElement())
            try scanner.enterObject()
            #expect(try scanner.nextMember() == nil)
            #expect(try !scanner.nextElement())
            let name = try scanner.nextMember()
            #expect(name?.isEscaped == true && name?.text == "bb")
            #expect(name?.equals("bb") == true && name?.equals("b\\u0062") == false)
            #expect(try scanner.skipValue().text == "{\"x\":\"y\"}")
            _ = try scanner.nextMember()
            #expect(try scanner.readNull())
            _ = try scanner.nextMember()
            #expect(try !scanner.readNull())
            #expect(try scanner.readBool())
            _ = try scanner.nextMember()
            #expect(try scanner.readDouble() == -1500)
            #expect(try scanner.nextMember() == nil)
            #expect(scanner.isAtEnd)
        }
    }

    @Test("A value of another kind is an error, and nothing is consumed")
    func kinds() throws {
        try scan("[\"x\"]") { scanner in
            #expect(throws: JSONError.wrongKind(offset: 0, wanted: .object)) {
                try scanner.enterObject()
            }
            try scanner.enterArray()
            _ = try scanner.nextElement()
            #expect(throws: JSONError.wrongKind(offset: 1, wanted: .number)) {
                try scanner.readInteger(Int.self)
            }
            #expect(throws: JSONError.wrongKind(offset: 1, wanted: .true)) {
                try scanner.readBool()
            }
            #expect(try scanner.readString().text == "x")
        }
    }

    @Test("Integers are exact over the whole range of 64 bits, and refused beyond")
    func integers() throws {
        func read<I: FixedWidthInteger>(_ text: String, _: I.Type) throws -> I {
            try scan(text) { try $0.readInteger(I.self) }
        }
        for value in [Int64.min, .min + 1, -1, 0, 1, 9_007_199_254_740_993, .max - 1, .max] {
            #expect(try read("\(value)", Int64.self) == value)
            #expect(try scan("\(value)") { try $0.readNumber().integer(Int64.self) } == value)
        }
        for value in [UInt64.min, 1, 1 << 63, .max - 1, .max] {
            #expect(try read("\(value)", UInt64.self) == value)
            #expect(try scan("\(value)") { try $0.readNumber().integer(UInt64.self) } == value)
        }
        #expect(try read("-0", UInt64.self) == 0)
        for text in [
            "9223372036854775808", "-9223372036854775809", "18446744073709551616",
            "1\(String(repeating: "0", count: 40))",
        ] {
            #expect(throws: JSONError.numberOutOfRange(offset: 0)) { try read(text, Int64.self) }
            #expect(try scan(text) { try $0.readNumber().integer(Int64.self) } == nil)
        }
        #expect(throws: JSONError.numberOutOfRange(offset: 0)) { try read("128", Int8.self) }
        #expect(try read("-128", Int8.self) == -128)
        #expect(throws: JSONError.numberOutOfRange(offset: 0)) { try read("-1", UInt8.self) }
        for text in ["1.0", "1e2", "0.5", "10E1"] {
            #expect(throws: JSONError.notAnInteger(offset: 0)) { try read(text, Int.self) }
            #expect(try scan(text) { try $0.readNumber().isInteger } == false)
        }
    }

    @Test("Doubles and floats are the nearest, whatever way they are written")
    func doubles() throws {
        let random = SeededRandom(seed: 3)
        var texts = [
            "0", "-0.0", "0.1", "1e22", "1e23", "9007199254740993", "1.7976931348623157e308",
            "5e-324", "2.2250738585072014e-308", "0.30000000000000004",
            "123456789012345678901234567890",
            "8.41e21", "2e-400", "7.0064923216240854e-46", "1.00000017881393432617187499",
        ]
        for _ in 0..<5000 {
            let value = Double(bitPattern: random.next())
            if value.isFinite { texts.append(value.description) }
            texts.append(
                "\(random.next() % 100_000_000).\(random.next() % 1000)e\(Int(random.next() % 60) - 30)"
            )
        }
        for text in texts {
            let (double, float) = try scan(text) { scanner in
                let number = try scanner.readNumber()
                return (number.double, number.float)
            }
            #expect(double == Double(text), "\(text)")
            #expect(double?.sign == Double(text)?.sign)
            let expected = Float(text)
            #expect(float == (expected?.isFinite == true ? expected : nil), "\(text)")
        }
        #expect(try scan("1e400") { try $0.readNumber().double } == nil)
        #expect(throws: JSONError.numberOutOfRange(offset: 0)) {
            try scan("-1e400") { try $0.readDouble() }
        }
    }

    @Test("A member is looked up by bytes after unescaping, at the top level only")
    func lookUp() throws {
        let document = Array(
            "{\"x\":{\"number\":1},\"n\\u0075mber\":\"R1\",\"caf\u{E9}\":2,\"cafe\u{301}\":3}".utf8
        )
        func member(_ name: String) throws -> String? {
            try Array(name.utf8).withView { name in
                try document.withView { try JSONScanner.member(named: name, in: $0)?.text }
            }
        }
        #expect(try member("number") == "\"R1\"")
        #expect(try member("caf\u{E9}") == "2")
        #expect(try member("cafe\u{301}") == "3")
        #expect(try member("none") == nil)
        let array = Array("[1]".utf8)
        #expect(try array.withView { try JSONScanner.member(named: $0, in: $0) } == nil)
    }

    @Test("Every escape means what RFC 8259 says")
    func escapes() throws {
        let text = "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20AC\\uD83D\\uDE00é\""
        #expect(try scan(text) { try $0.readString().text } == "\"\\/\u{8}\u{C}\n\r\tAé€😀é")
        var buffer = ByteBuffer()
        #expect(try scan("\"a\\nb\"") { try $0.readString().append(to: &buffer) })
        #expect(buffer.array == [0x61, 10, 0x62])
        for bad in ["\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\udc00\\ud800\""] {
            #expect(try scan(bad) { try $0.readString().text } == nil)
        }
    }

    @Test("Text written as a string reads back, for every scalar below 0x3000 and every length")
    func writing() throws {
        var buffer = ByteBuffer()
        func check(_ text: String) throws {
            buffer.removeAll()
            buffer.appendJSONString(text)
            let written = buffer.array
            #expect(oracle(written) as? String == text)
            #expect(try normalized(written).utf8.elementsEqual(written))
            #expect(
                try written.withView { try RecordDecoder().decode(String.self, from: $0) } == text
            )
        }
        for value in UInt32(0)..<0x3000 where value % 7 == 0 || value < 0x100 {
            guard let scalar = Unicode.Scalar(value) else { continue }
            try check("x\(scalar)yy\(scalar)\(scalar)zzzzzzzzzzzz")
        }
        for length in 0..<40 {
            try check(String(repeating: "a", count: length))
            try check(
                String(repeating: "a", count: length) + "\u{1}"
                    + String(repeating: "\"", count: length)
            )
        }
        buffer.removeAll()
        buffer.appendJSONString("\u{0}\u{1F}\n\u{8}\u{C}\r\t\"\\/é")
        #expect(buffer.view.text == "\"\\u0000\\u001f\\n\\b\\f\\r\\t\\\"\\\\/é\"")
        buffer.removeAll()
        try buffer.appendJSONNumber(12)
        buffer.append(" ")
        try buffer.appendJSONNumber(-0.5)
        #expect(buffer.view.text == "12 -0.5")
        #expect(throws: JSONError.notFinite) { try buffer.appendJSONNumber(.infinity) }
    }
}
