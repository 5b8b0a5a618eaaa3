import HoldfastBasics
import HoldfastHTTP
import Testing

@Suite struct TargetAndFieldTests {
    private func describe(_ text: String) -> String {
        Array(text.utf8).withView { bytes in
            do throws(HTTPError) {
                let target = try RequestTarget(bytes)
                var parts = (0..<target.segmentCount).map { target.segment($0).text }
                if target.endsInSlash { parts.append("/") }
                for index in 0..<target.parameterCount {
                    let (name, value) = target.parameter(index)
                    parts.append("\(name.text)=\(value?.text ?? "nil")")
                }
                return parts.joined(separator: "|")
            } catch { return "\(error)" }
        }
    }

    @Test("a target is split before it is decoded, and what is ambiguous is refused")
    func targets() {
        let rows: [(String, String)] = [
            ("/", "/"),
            ("/v1/records", "v1|records"),
            ("/v1/records/", "v1|records|/"),
            ("/a%2Fb/c", "a/b|c"),
            ("/caf%C3%A9", "café"),
            ("/a+b", "a+b"),
            ("/a%20b", "a b"),
            ("/...", "..."),
            ("/a?x=1&y=%32&x=3&&z&w=", "a|x=1|y=2|x=3|z=nil|w="),
            ("/?a=b=c+d%2B%26", "/|a=b=c+d+&"),
            ("/?=v", "/|=v"),
            ("/?", "/"),
            ("/a?b?c/../d", "a|b?c/../d=nil"),
            ("", "badTarget"), ("a", "badTarget"), ("*", "badTarget"), ("?a", "badTarget"),
            ("//", "badSegment"), ("//a", "badSegment"), ("/a//b", "badSegment"),
            ("/.", "badSegment"), ("/a/../b", "badSegment"), ("/%2e%2E/b", "badSegment"),
            ("/a%00", "badSegment"),
            ("/%", "badEscape"), ("/%4", "badEscape"), ("/%4g", "badEscape"),
            ("/?a=%", "badEscape"), ("/?%zz", "badEscape"), ("/%+1", "badEscape"),
            ("/%ff", "notUTF8"), ("/%C3", "notUTF8"), ("/%C0%AF", "notUTF8"),
            ("/%ED%A0%80", "notUTF8"), ("/?a=%F5%80%80%80", "notUTF8"),
        ]
        for (text, expected) in rows { #expect(describe(text) == expected, "\(text)") }
    }

    @Test("a parameter that may stand once is refused when it stands twice")
    func parameters() throws {
        try Array("/a?x=1&y=2&y=3&z".utf8).withView { bytes in
            let target = try RequestTarget(bytes)
            let (x, z) = (try target.single("x"), try target.single("z"))
            let w = try target.single("w")
            #expect(x?.text == "1")
            #expect(z?.isEmpty == true)
            #expect(w == nil)
            do throws(HTTPError) {
                _ = try target.single("y")
                Issue.record("taken")
            } catch { #expect(error == .parameterRepeated(name: "y")) }
        }
    }

    @Test("one value parses target after target")
    func reuse() throws {
        var target = RequestTarget()
        for text in ["/a/b/c?d=e", "/x", "/"] {
            try Array(text.utf8).withView { try target.parse($0) }
        }
        #expect(target.segmentCount == 0)
        #expect(target.parameterCount == 0)
        #expect(target.endsInSlash == true)
    }

    @Test("what is percent-encoded decodes to itself, and only plain characters stay")
    func percent() throws {
        let bytes = (0...255).map { UInt8($0) }
        try bytes.withView { bytes in
            var encoded = ByteBuffer()
            var decoded = ByteBuffer()
            PercentEncoding.append(bytes, to: &encoded)
            #expect(encoded.count == 66 + 190 * 3)
            try PercentEncoding.decode(encoded.view, to: &decoded)
            #expect(decoded.array == bytes.array)
        }
        #expect(try Array("caf%C3%A9+1".utf8).withView { try PercentEncoding.text($0) } == "café+1")
        #expect(throws: HTTPError.notUTF8) {
            try Array("%FF".utf8).withView { _ = try PercentEncoding.text($0) }
        }
    }

    /// Lends the head of a GET with these fields.
    private func withHead<T>(_ fields: [String], _ body: (RequestHead) throws -> T) throws -> T {
        let text = "GET / HTTP/1.1\r\nHost: a\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n"
        var parser = RequestParser()
        return try Array(text.utf8).withView { bytes in
            var offset = 0
            guard case .head(let head) = parser.step(bytes, &offset) else {
                throw HTTPError.malformedRequestLine
            }
            return try body(head)
        }
    }

    @Test("entity tags are read from lists and lines, and malformed ones refused")
    func entityTags() throws {
        func read(_ fields: String...) throws -> EntityTagCondition? {
            try withHead(fields.map { "If-Match: " + $0 }) { head throws(HTTPError) in
                try EntityTagCondition.read("if-match", head)
            }
        }
        let a = Array("e:1".utf8)
        #expect(try read() == nil)
        #expect(try read("*") == .any)
        let one = try #require(try read("\"e:1\""))
        #expect(a.withView { one.matchesStrongly($0) && one.matchesWeakly($0) })
        let weak = try #require(try read("\"x\" , W/\"e:1\",", "\"y,z\""))
        #expect(a.withView { !weak.matchesStrongly($0) && weak.matchesWeakly($0) })
        #expect(Array("y,z".utf8).withView { weak.matchesStrongly($0) })
        #expect(!Array("y".utf8).withView { weak.matchesWeakly($0) })
        #expect(a.withView { EntityTagCondition.any.matchesStrongly($0) })
        for bad in [
            "", ",", "e:1", "\"e:1", "e:1\"", "*, \"a\"", "*, *", "w/\"a\"", "\"a b\"",
            "\"a\" \"b\"",
        ] {
            #expect(throws: HTTPError.badField(name: "if-match"), "\(bad)") { _ = try read(bad) }
        }
    }

    @Test("preferences are read, unknown ones passed over, malformed ones refused")
    func preferences() throws {
        func read(_ fields: String...) throws -> String {
            try withHead(fields.map { "Prefer: " + $0 }) { head in
                let found = try Preferences(head)
                return "\(found.waitSeconds.map(String.init) ?? "-") "
                    + "\(found.returns.map { "\($0)" } ?? "-")"
            }
        }
        #expect(try read() == "- -")
        #expect(try read("wait=10, return=minimal") == "10 minimal")
        #expect(
            try read("respond-async; x=1", "Return=\"representation\"; y") == "- representation"
        )
        #expect(try read("wait=5", "wait=7") == "5 -")
        for bad in ["wait=-1", "wait", "wait=abc", "return=all", "return"] {
            #expect(throws: HTTPError.badField(name: "prefer"), "\(bad)") { _ = try read(bad) }
        }
    }

    @Test("media types are compared without case, their parameters unquoted")
    func mediaTypes() throws {
        try Array("Application/JSON ; Charset=\"utf-8\"; x=y;z".utf8).withView { bytes in
            let type = try #require(MediaType(bytes))
            #expect(type.isType("application", "json"))
            #expect(!type.isType("application", "jso"))
            #expect(type.parameter("charset") == Array("utf-8".utf8))
            #expect(type.parameter("x") == Array("y".utf8))
            #expect(type.parameter("z") == [])
            #expect(type.parameter("w") == nil)
        }
        for bad in ["", "json", "/", "a/", "/b", "a b/c", "a/b c", "a/b/c"] {
            #expect(Array(bad.utf8).withView { MediaType($0) == nil }, "\(bad)")
        }
    }

    @Test("the most specific range of Accept decides, and q=0 refuses")
    func accept() throws {
        func answer(_ fields: String...) throws -> Accept.Answer {
            try withHead(fields.map { "Accept: " + $0 }) {
                Accept.answer($0, "application", "x-ndjson")
            }
        }
        #expect(try answer() == .allowed)
        #expect(try answer("*/*") == .allowed)
        #expect(try answer("text/html, application/*;q=0.5") == .allowed)
        #expect(try answer("text/html", "application/X-NDJSON") == .named)
        #expect(try answer("application/json") == .refused)
        #expect(try answer("application/x-ndjson;q=0.000, */*") == .refused)
        #expect(try answer("*/*;q=0, application/x-ndjson") == .named)
        #expect(try answer("") == .refused)
    }
}
