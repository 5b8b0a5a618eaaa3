import HoldfastBasics
import HoldfastHTTP
import Testing

@Suite struct RequestParserTests {
    private func head(_ target: Int = 1, fields: Int = 1, padding: Int = 0) -> String {
        message(
            "GET /" + String(repeating: "a", count: target - 1) + " HTTP/1.1",
            "Host: a" + String(repeating: "\r\nX: y", count: fields - 1)
                + (padding > 0 ? "\r\nP: " + String(repeating: "p", count: padding - 5) : "")
        )
    }

    private func statuses(_ text: String, _ parser: consuming RequestParser) -> [String] {
        outcome([Array(text.utf8)], parser: parser).map { $0.hasPrefix("GET") ? "ok" : $0 }
    }

    @Test("a head of exactly the limit is taken, one byte more is refused")
    func headLimit() {
        let plain = head().utf8.count
        for (length, expected) in [(500, "ok"), (501, "431")] {
            let text = head(padding: length - plain)
            #expect(text.utf8.count == length)
            #expect(statuses(text, RequestParser(headByteCountMax: 500)) == [expected])
        }
    }

    @Test("a target and a number of fields at the limit are taken, above it refused")
    func targetAndFieldLimit() {
        #expect(statuses(head(20), RequestParser(targetByteCountMax: 20)) == ["ok"])
        #expect(statuses(head(21), RequestParser(targetByteCountMax: 20)) == ["414"])
        #expect(statuses(head(8000), RequestParser()) == ["ok"])
        #expect(statuses(head(8001), RequestParser()) == ["414"])
        #expect(statuses(head(fields: 100), RequestParser()) == ["ok"])
        #expect(statuses(head(fields: 101), RequestParser()) == ["431"])
    }

    @Test("a body at the limit chosen after the head is taken, above it refused")
    func bodyLimit() {
        let plain = message("PUT / HTTP/1.1", "Host: a", "Content-Length: 5", body: "hello")
        let chunks = message(
            "PUT / HTTP/1.1",
            "Host: a",
            "Transfer-Encoding: chunked",
            body: "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
        )
        for text in [plain, chunks] {
            for pieces in cuts(Array(text.utf8)) {
                #expect(outcome(pieces, limit: 5) == ["PUT / [hello]"])
                #expect(outcome(pieces, limit: 4) == ["413"])
            }
        }
    }

    @Test("a limit belongs to one request, the next has the default again")
    func limitIsPerRequest() {
        let one = message("PUT / HTTP/1.1", "Host: a", "Content-Length: 5", body: "hello")
        var parser = RequestParser(bodyByteCountMax: 4)
        Array((one + one).utf8).withView { bytes in
            var offset = 0
            guard case .head = parser.step(bytes, &offset) else {
                Issue.record("no head")
                return
            }
            parser.accept(.whole(byteCountMax: 5))
            guard case .complete(let request) = parser.step(bytes, &offset) else {
                Issue.record("not complete")
                return
            }
            #expect(request.body.equals("hello"))
            guard case .head = parser.step(bytes, &offset) else {
                Issue.record("no head")
                return
            }
            guard case .refused(let error) = parser.step(bytes, &offset) else {
                Issue.record("not refused")
                return
            }
            #expect(error == .contentTooLarge(limit: 4))
            #expect(offset == bytes.count)
        }
    }

    @Test("100 Continue is asked for once, when no byte of the body has come")
    func continues() {
        let text = message(
            "PUT /x HTTP/1.1",
            "Host: a",
            "Content-Length: 5",
            "Expect: 100-continue"
        )
        var parser = RequestParser()
        var (offset, steps) = (0, [String]())
        let bytes = Array(text.utf8)
        bytes.withView { bytes in
            for _ in 0..<3 { steps.append(name(parser.step(bytes, &offset))) }
        }
        #expect(steps == ["head", "continue", "needsMore"])
        #expect(offset == bytes.count)
        offset = 0
        Array("hello".utf8).withView { steps.append(name(parser.step($0, &offset))) }
        #expect(steps.last == "complete /x hello")
        #expect(parser.isIdle == true)
    }

    private func name(_ step: RequestStep) -> String {
        switch step {
        case .needsMore: "needsMore"
        case .head: "head"
        case .wantsContinue: "continue"
        case .content: "content"
        case .complete(let request): "complete \(request.head.target.text) \(request.body.text)"
        case .refused(let error): "\(error)"
        }
    }

    @Test("the head may be looked at later, as nothing of it is consumed before the body is chosen")
    func headWaits() {
        let text = message("PUT /x HTTP/1.1", "Host: a", "Content-Length: 2", body: "hi")
        var parser = RequestParser()
        for expected in ["head", "complete /x hi"] {
            var offset = 0
            Array(text.utf8).withView { #expect(name(parser.step($0, &offset)) == expected) }
            #expect(offset == (expected == "head" ? 0 : text.utf8.count))
        }
    }

    @Test("a parser tells whether a message has begun")
    func idle() {
        var parser = RequestParser()
        #expect(parser.isIdle == true)
        var offset = 0
        Array("GET / HT".utf8).withView { _ = parser.step($0, &offset) }
        #expect(parser.isIdle == false)
        #expect(parser.isReadingContent == false)
        #expect(offset == 0)
    }

    @Test("fields are found by name in any case, counted, and refused when repeated")
    func fields() throws {
        let text = message(
            "GET / HTTP/1.1",
            "Host: a:80",
            "X-One: 1",
            "x-many: a",
            "X-MANY:  b "
        )
        var parser = RequestParser()
        try Array(text.utf8).withView { bytes in
            var offset = 0
            guard case .head(let head) = parser.step(bytes, &offset) else {
                Issue.record("no head")
                return
            }
            #expect(head.fieldCount == 4)
            #expect(head.host.equals("a:80"))
            #expect(head.first("x-one")?.text == "1")
            let (one, none) = (try head.single("x-one"), try head.single("x-none"))
            #expect(one?.text == "1")
            #expect(none == nil)
            #expect(head.first("x-none") == nil)
            #expect(throws: HTTPError.fieldRepeated(name: "x-many")) {
                _ = try head.single("x-many")
            }
            var all: [String] = []
            head.forEach("x-many") { all.append($0.text) }
            #expect(all == ["a", "b"])
            #expect(head.method == .get)
            #expect(head.contentLength == 0)
        }
    }

    @Test("every refusal has a status of 400 or above and a sentence")
    func refusals() {
        let errors: [HTTPError] = [
            .malformedRequestLine, .strayEmptyLine, .unsupportedVersion, .tunnelRefused, .badTarget,
            .targetTooLong(limit: 1), .bareLineFeed, .foldedField, .malformedField,
            .controlCharacter, .headTooLarge(limit: 1), .tooManyFields(limit: 1), .hostMissing,
            .hostRepeated, .badHost, .badConnection, .unknownExpectation, .badContentLength,
            .contentLengthRepeated, .contentLengthWithChunks, .unknownTransferCoding,
            .transferCodingRepeated, .transferCodingBefore11, .malformedChunk,
            .trailersTooLarge(limit: 1), .contentTooLarge(limit: 1), .badEscape, .notUTF8,
            .badSegment, .fieldRepeated(name: "a"), .badField(name: "a"),
            .parameterRepeated(name: "a"), .webSocketVersion, .badHandshake,
        ]
        for error in errors {
            #expect(error.status.rawValue >= 400)
            #expect(error.reason.hasSuffix("."))
        }
    }

    @Test("random bytes and mutilated requests never trap, and give the same however cut")
    func fuzz() {
        let random = SeededRandom(seed: 2)
        let base = Array(
            (message("PUT /a HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "Expect: x")
                + "5;a=\"b\"\r\nhello\r\n0\r\nX: y\r\n\r\n").utf8
        )
        let alphabet = Array("\r\n\0 :;=\"\\,0159afGETHost/*#%\t".utf8) + [0x80, 0xFF]
        for _ in 0..<3000 {
            var bytes = base
            for _ in 0..<1 + random.next() % 4 {
                let place = Int(random.next() % UInt64(bytes.count))
                let byte = alphabet[Int(random.next() % UInt64(alphabet.count))]
                switch random.next() % 3 {
                case 0: bytes[place] = byte
                case 1: bytes.insert(byte, at: place)
                default: bytes.remove(at: place)
                }
            }
            let whole = outcome([bytes])
            #expect(outcome(bytes.map { [$0] }) == whole, "seed 2: \(bytes)")
            #expect(outcome(bytes.map { [$0] }, stream: true).first == whole.first)
        }
    }
}
