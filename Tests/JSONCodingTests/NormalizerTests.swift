import HoldfastBasics
import HoldfastJSONCoding
import Testing

@Suite struct NormalizerTests {
    /// Text and what it becomes; nil when it stays as it is.
    static let accepted: [(String, String?)] = [
        // Arrays.
        ("[]", nil), ("[ ]", "[]"), ("[[]   ]", "[[]]"), ("[\"\"]", nil), ("[\"a\"]", nil),
        ("[false]", nil), ("[null, 1, \"1\", {}]", "[null,1,\"1\",{}]"), ("[1\n]", "[1]"),
        (" [1]", "[1]"), ("[1,null,null,null,2]", nil), ("[2] ", "[2]"), ("[null]", nil),
        // Numbers.
        ("[123e65]", nil), ("[0e+1]", nil), ("[0e1]", nil), ("[ 4]", "[4]"),
        ("[-0.000000000000000000000000000001]", nil), ("[20e1]", nil), ("[-0]", nil),
        ("[-123]", nil), ("[-1]", nil), ("[1E22]", nil), ("[1E-2]", nil), ("[1E+2]", nil),
        ("[123e45]", nil), ("[123.456e78]", nil), ("[1e-2]", nil), ("[123.456789]", nil),
        ("[1.7976931348623157e309]", nil), ("[123123e100000]", nil), ("[0.0]", nil),
        ("[100000000000000000000]", nil),
        ("[-237462374673276894279832749832423479823246327846]", nil),
        // Objects.
        ("{\"asd\":\"sdf\", \"dfg\":\"fgh\"}", "{\"asd\":\"sdf\",\"dfg\":\"fgh\"}"), ("{}", nil),
        ("{\"\":0}", nil), ("{\"foo\\u0000bar\": 42}", "{\"foo\\u0000bar\":42}"),
        ("{\"a\":[]}", nil), ("{\n\"a\" : \"b\"\r\n}\t", "{\"a\":\"b\"}"),
        ("{\"a\":{\"a\":{\"a\":1}},\"b\":{\"a\":1}}", nil), ("{\"a\":1,\"A\":2}", nil),
        ("{\"\\u0430\":\"\\u041f\\u043e\"}", nil),
        // Strings.
        ("[\"\\u0060\\u012a\\u12AB\"]", nil), ("[\"\\uD801\\udc37\"]", nil),
        ("[\"\\ud83d\\ude39\\ud83d\\udc8d\"]", nil), ("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]", nil),
        ("[\"\\\\u0000\"]", nil), ("[\"\\\"\"]", nil), ("[\"a/*b*/c/*d//e\"]", nil),
        ("[\"\\\\a\"]", nil), ("[\"\\uDBFF\\uDFFF\"]", nil), ("[\"\u{10FFFF}\"]", nil),
        ("[\"\u{FFFF}\"]", nil), ("[\"\\uFFFF\"]", nil), ("[\"\\u0000\"]", nil),
        ("[\"\u{2028}\u{2029}\"]", nil), ("[\"\u{7F}\"]", nil), ("[\"⍂㈴⍂\"]", nil),
        ("[\"asd \"]", nil), ("\" \"", nil),
        ("[\"\u{1B}\"]".replacing("\u{1B}", with: "\\u001b"), nil),
        ("[\"abcdefg h\ti\"]".replacing("\t", with: " "), nil),
        // Lonely values.
        ("false", nil), ("42", nil), ("-0.1", nil), ("null", nil), ("\"asd\"", nil), ("true", nil),
        ("\"\"", nil), (" \t\r\n null\n", "null"), ("0", nil), ("-1e5 ", "-1e5"),
    ]

    @Test(
        "What RFC 8259 allows is kept token by token, without its white space",
        arguments: accepted
    )
    func accepts(text: String, wanted: String?) throws {
        #expect(try normalized(text) == wanted ?? text)
        #expect(oracle(Array(text.utf8)) != nil || text.contains("e309") || text.contains("e10000"))
    }

    static let rejected: [String] = [
        // Arrays.
        "[1 true]", "[a]", "[\"\": 1]", "[\"\"],", "[,1]", "[1,,2]", "[\"x\",,]", "[\"x\"]]",
        "[\"\",]", "[\"x\"", "[x", "[3[4]]", "[1:2]", "[,]", "[-]", "[   , \"\"]", "[1,]", "[1,,]",
        "[\"a\",\n4\n,1,", "[*]", "[\"\"", "[1,", "[1,\n1\n,1", "[{}", "[\"\u{B}a\"]\\f",
        // Numbers.
        "[++1234]", "[+1]", "[+Inf]", "[-01]", "[-1.0.]", "[-2.]", "[-NaN]", "[.-1]", "[.2e-3]",
        "[0.1.2]", "[0.3e+]", "[0.3e]", "[0.e1]", "[0E+]", "[0E]", "[0e]", "[0e+]", "[1.0e+]",
        "[1.0e-]", "[1.0e]", "[1 000.0]", "[1eE2]", "[2.e+3]", "[2.e-3]", "[2.e3]", "[9.e+]",
        "[Inf]", "[NaN]", "[\u{FF11}]", "[1+2]", "[0x1]", "[0x42]", "[Infinity]", "[0e+-1]",
        "[-123.123foo]", "[-Infinity]", "[-foo]", "[- 1]", "[-012]", "[-.123]", "[-1x]", "[1ea]",
        "[1.]", "[.123]", "[1.2a-3]", "[1.8011670033376514H-308]", "[012]", "-", "01", "1.", "1e",
        // Objects.
        "[\"x\", truth]", "{[: \"x\"}", "{\"x\", null}", "{\"x\"::\"b\"}", "{🇨🇭}",
        "{\"a\":\"a\" 123}", "{key: 'value'}", "{\"a\" b}", "{:\"b\"}", "{\"a\" \"b\"}", "{\"a\":",
        "{\"a\"", "{1:1}", "{9999E9999:1}", "{null:null,null:null}", "{\"id\":0,,,,,}", "{'a':0}",
        "{\"id\":0,}", "{\"a\":\"b\"}/**/", "{\"a\":\"b\"}/**//", "{\"a\":\"b\"}//",
        "{\"a\":\"b\"}#",
        "{\"a\":\"b\",,\"c\":\"d\"}", "{a: \"b\"}", "{\"a\":\"a", "{ \"foo\" : \"bar\", \"a\" }",
        "{\"a\":\"b\"}#{}", "{", "{,", "{\"", "{]", "[}", "{\"a\":1]", "[1}",
        // Strings.
        "[\"\\uD800\\\"]", "[\"\\uD800\\u\"]", "[\"\\uD800\\u1\"]", "[\"\\uD800\\u1x\"]", "[é]",
        "[\"\\\u{0}\"]", "[\"\\\"]", "[\"\\x00\"]", "[\"\\\\\\\"]", "[\"\\\t\"]", "[\"\\🌀\"]",
        "[\"\\u00A\"]", "[\"\\uD834\\uDd\"]", "[\"\\uD800\\uD800\\x\"]", "[\"\\a\"]",
        "[\"\\uqqqq\"]", "[\\u0020\"asd\"]", "[\\n]", "\"", "['single quote']", "abc",
        "[\"\\", "[\"a\u{0}a\"]", "[\"new\nline\"]", "[\"\t\"]", "\"\\UA66D\"", "\"\"x",
        "[\"\\uD800\"]", "[\"\\uDC00\"]", "[\"\\uD800\\uD800\"]", "[\"\\uDFAA\"]",
        "[\"\\uD888\\u1234\"]", "[\"\\uD83D\u{1F600}\"]", "[\"\\uDd1e\\uD834\"]",
        // Structure.
        "", " ", "\n", "<.>", "[<null>]", "[1]x", "[1]]", "]", "}", "[][]", "nul", "tru", "fals",
        "nulll", "True", "[True]", "1]", "{\"x\": true,", "[", "{}}", "{\"\":", "[\u{2060}]", "*",
        "{\"a\":\"b\"}#{}", "[\\u000A\"\"]", "[1", "[ false, nul", "[ true, fals", "[ false, tru",
        "{\"asd\":\"asd\"", "å", "[\u{2060}]", "[\u{C}]", "\u{FEFF}{}", "\u{FEFF}", "2@",
        "[\u{A0}]",
        // Names that mean the same.
        "{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":1}", "{\"\\u0061\":1,\"a\":1}",
        "{\"\":1,\"\":1}",
        "{\"\\n\":1,\"\\u000a\":1}", "[{\"b\":[{\"x\":1,\"y\":{},\"x\":3}]}]",
        "{\"\\ud83d\\ude00\":1,\"😀\":2}", "{\"\\/\":1,\"/\":2}",
    ]

    @Test("What RFC 8259 or the rules of documents forbid is refused", arguments: rejected)
    func rejects(text: String) {
        #expect(throws: JSONError.self) { try normalized(text) }
    }

    /// A string's content that is not UTF-8.
    static let malformed: [[UInt8]] = [
        [0x80], [0xBF], [0xC0, 0x80], [0xC1, 0xBF], [0xC0, 0xAF], [0xC2], [0xC3, 0x28],
        [0xE0, 0x80, 0x80],
        [0xE0, 0x9F, 0xBF], [0xE1, 0x80], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF],
        [0xF0, 0x80, 0x80, 0x80],
        [0xF0, 0x8F, 0xBF, 0xBF], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80],
        [0xFC, 0x83, 0xBF],
        [0xFE], [0xFF], [0xE5], [0xFF, 0xFE], [0xC3, 0xA9, 0xE9], [0xF1, 0x80, 0x80],
        [0xEF, 0xBF, 0xC0],
    ]

    @Test("Invalid UTF-8 is refused at every place of a word", arguments: malformed)
    func refusesBadUTF8(bytes: [UInt8]) {
        for lead in 0..<10 {
            let content = [UInt8](repeating: 0x61, count: lead) + bytes
            let text = [0x22] + content + [0x22]
            #expect(throws: JSONError.self) { try normalized(text) }
            #expect(throws: JSONError.self) { try normalized([0x7B] + text + [0x3A, 0x31, 0x7D]) }
            #expect(!content.withView { UTF8Validator.isValid($0) })
            #expect(String(validating: content, as: UTF8.self) == nil)
        }
    }

    @Test("UTF-8 validation agrees with the standard library on random bytes")
    func validatesUTF8() {
        let random = SeededRandom(seed: 11)
        let scalars = Array("aé€😀\u{7FF}\u{800}\u{FFFF}\u{10000}\u{10FFFF}".utf8)
        for _ in 0..<20_000 {
            var bytes = (0..<Int(random.next() % 24)).map { _ in scalars[Int(random.next() % 25)] }
            if random.next() % 2 == 0 { bytes = Array(String(decoding: bytes, as: UTF8.self).utf8) }
            let isValid = bytes.withView { UTF8Validator.isValid($0) }
            #expect(isValid == (String(validating: bytes, as: UTF8.self) != nil))
        }
        #expect(UTF8Validator.isValid(.empty))
    }

    @Test("Errors say what and where")
    func errors() {
        func error(_ text: String) -> JSONError? {
            do throws(JSONError) { _ = try normalized(text) } catch { return error }
            return nil
        }
        #expect(error("") == .empty)
        #expect(error(" \n") == .empty)
        #expect(error("\u{FEFF}1") == .byteOrderMark)
        #expect(error("{\"a\":1} x") == .trailingBytes(offset: 8))
        #expect(error("[1,2") == .unexpectedEnd(offset: 4))
        #expect(error("[1 2]") == .unexpectedByte(offset: 3, byte: 0x32))
        #expect(error("{\"a\":1, \"b\":2, \"a\":3}") == .duplicateMember(offset: 15))
        #expect(error("[\"ab\\x\"]") == .badEscape(offset: 4))
        #expect(error("[\"ab\\ud800x\"]") == .loneSurrogate(offset: 4))
        #expect(error("[\"ab\u{1}\"]") == .controlCharacter(offset: 4))
        #expect(error("[ -x]") == .badNumber(offset: 2))
        #expect(error("[01]") == .badNumber(offset: 1))
        #expect(JSONError.badNumber(offset: 7).offset == 7)
        #expect(JSONError.unexpectedByte(offset: 3, byte: 7).description.contains("0x07"))
    }

    @Test("Names that differ only by Unicode composition are different members")
    func composition() throws {
        let text = "{\"caf\u{E9}\":1,\"cafe\u{301}\":2}"
        #expect(Array(try normalized(text).utf8) == Array(text.utf8))
    }

    @Test("Nesting ends at the limit, for arrays, objects and mixtures")
    func depth() throws {
        for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
            let per = open.hasPrefix("[{") ? 2 : 1
            let inner = open.hasPrefix("[{") || open.hasPrefix("{") ? "0" : ""
            func nested(_ levels: Int) -> String {
                String(repeating: open, count: levels / per) + inner
                    + String(repeating: close, count: levels / per)
            }
            #expect(try normalized(nested(128)) == nested(128))
            #expect(throws: JSONError.self) { try normalized(nested(128 + per)) }
        }
        #expect(throws: JSONError.self) { try normalized(String(repeating: "[", count: 1_000_000)) }
        #expect(throws: JSONError.tooDeep(offset: 1, depthMax: 1)) {
            try Array("[{}]".utf8).withView { try JSONNormalizer.normalized($0, depthMax: 1) }
        }
    }

    @Test("A name that stands twice is found in objects of every size, and never slowly")
    func duplicates() throws {
        for count in [2, 3, 63, 64, 65, 66, 200, 1000] {
            let members = (0..<count).map { "\"n\($0)\":\($0)" }
            #expect(try normalized("{" + members.joined(separator: ",") + "}").isEmpty == false)
            for twice in [0, count / 2, count - 1] {
                for escaped in [false, true] {
                    let name = escaped ? "\\u006e\(twice)" : "n\(twice)"
                    let text = "{" + members.joined(separator: ", ") + ", \"\(name)\":0}"
                    #expect(throws: JSONError.self) { try normalized(text) }
                }
            }
        }
        // Quadratic work on these would be 10^10 comparisons.
        let many = (0..<100_000).map { "\"\($0)\":{\"a\":1,\"b\":2}" }.joined(separator: ",")
        #expect(try normalized("{" + many + "}").utf8.count == many.utf8.count + 2)
        let escaped = (0..<20_000).map { "\"\\u0061\($0)\":0" }.joined(separator: ",")
        #expect(try normalized("{" + escaped + "}").utf8.count == escaped.utf8.count + 2)
        #expect(throws: JSONError.self) { try normalized("{" + many + ",\"777\":0}") }
    }

    @Test("Normalising is idempotent, drops exactly the white space, and agrees with Foundation")
    func random() throws {
        let maker = DocumentMaker(seed: 5)
        for _ in 0..<3000 {
            let compact = maker.document()
            let spread = maker.spread(compact)
            #expect(try normalized(spread).utf8.elementsEqual(compact.utf8))
            #expect(try normalized(compact).utf8.elementsEqual(compact.utf8))
        }
    }

    @Test("A refused text leaves the output as it was")
    func appends() throws {
        var buffer = ByteBuffer()
        buffer.append("x")
        let (good, bad) = (Array("[1, 2]".utf8), Array("[1, 2".utf8))
        try good.withUnsafeBytes { try JSONNormalizer.normalize(ByteView($0), into: &buffer) }
        #expect(throws: JSONError.self) {
            try bad.withUnsafeBytes { try JSONNormalizer.normalize(ByteView($0), into: &buffer) }
        }
        #expect(buffer.view.text == "x[1,2]")
    }
}
