// Replies as a client reads them: whole, cut anywhere, and wrong; the client's handshake; addresses.
import HoldfastBasics
import HoldfastHTTP
import Testing

@Suite struct ResponseParserTests {
    /// What pieces came to: statuses and bodies, or the error.
    static func outcome(_ pieces: [[UInt8]], bodyByteCountMax: Int = 1000) -> [String] {
        var parser = ResponseParser(headByteCountMax: 400, bodyByteCountMax: bodyByteCountMax)
        var (rest, events): ([UInt8], [String]) = ([], [])
        for piece in pieces {
            rest += piece
            var offset = 0
            rest.withView { bytes in
                stepping: while true {
                    switch parser.step(bytes, &offset) {
                    case .needsMore: break stepping
                    case .complete(let response):
                        let body = String(decoding: response.body, as: UTF8.self)
                        events.append("\(response.status) [\(body)]")
                        if offset == bytes.count { break stepping }
                    case .refused(let error):
                        if events.last != "\(error)" { events.append("\(error)") }
                        offset = bytes.count
                        break stepping
                    }
                }
            }
            rest.removeFirst(offset)
        }
        return events
    }

    static let replies: [(String, [String])] = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", ["200 [hello]"]),
        ("HTTP/1.0 200 OK\r\ncontent-length:0\r\n\r\n", ["200 []"]),
        ("HTTP/1.1 204\r\n\r\nHTTP/1.1 404 \r\nContent-Length: 1\r\n\r\nx", ["204 []", "404 [x]"]),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
            ["200 [abcde]"]
        ),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: a\r\n\r\n"
                + "HTTP/1.1 304 Not Modified\r\n\r\n",
            ["304 []"]
        ),
        ("HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n", ["101 []"]),
    ]

    @Test("A reply is the same however its bytes are cut", arguments: replies)
    func cutting(_ text: String, _ expected: [String]) {
        let bytes = Array(text.utf8)
        for pieces in cuts(bytes) { #expect(Self.outcome(pieces) == expected) }
    }

    static let bad: [(String, HTTPError)] = [
        ("HTTP/2.0 200 OK\r\n\r\n", .malformedStatusLine),
        ("HTTP/1.1 20 OK\r\n\r\n", .malformedStatusLine),
        ("HTTP/1.1 2000 OK\r\n\r\n", .malformedStatusLine),
        ("HTTP/1.1  200 OK\r\n\r\n", .malformedStatusLine),
        ("HTTP/1.1 600 OK\r\n\r\n", .malformedStatusLine),
        ("ICY 200 OK\r\n\r\n", .malformedStatusLine),
        ("HTTP/1.1 200 OK\n\r\n", .bareLineFeed),
        ("HTTP/1.1 200 O\u{7}K\r\n\r\n", .controlCharacter),
        ("HTTP/1.1 200 OK\r\nName : x\r\n\r\n", .malformedField),
        ("HTTP/1.1 200 OK\r\n folded\r\n\r\n", .foldedField),
        ("HTTP/1.1 200 OK\r\n\r\n", .lengthMissing),
        ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", .badContentLength),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            .contentLengthRepeated
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            .contentLengthWithChunks
        ),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", .unknownTransferCoding),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n", .contentTooLarge(limit: 1000)),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", .malformedChunk),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n",
            .contentTooLarge(limit: 1000)
        ),
        (
            "HTTP/1.1 200 OK\r\nX: " + String(repeating: "a", count: 400),
            .headTooLarge(limit: 400)
        ),
    ]

    @Test("What is no reply is refused", arguments: bad)
    func refused(_ text: String, _ error: HTTPError) {
        #expect(Self.outcome([Array(text.utf8)]) == ["\(error)"])
        #expect(Self.outcome(Array(text.utf8).map { [$0] }).last == "\(error)")
    }

    // MARK: Handshake

    @Test("A server's answer to the handshake is taken, another key's is not")
    func handshake() throws {
        let proposal = WebSocketProposal(subprotocol: "a.v1", random: SeededRandom(seed: 1))
        var request = ByteBuffer()
        proposal.appendRequest(target: "/x", host: "h:1", fields: [], to: &request)
        var parser = RequestParser()
        var offset = 0
        var reply = ByteBuffer()
        var acceptance: [UInt8] = []
        if case .head(let head) = parser.step(request.view, &offset) {
            let handshake = try WebSocketHandshake(head, subprotocols: ["a.v1"])
            #expect(handshake.subprotocol == "a.v1")
            acceptance = handshake.acceptance
            reply.appendUpgrade(handshake, date: HTTPDate(milliseconds: 0))
        }
        func read(_ bytes: [UInt8]) -> Response? {
            var parser = ResponseParser()
            var offset = 0
            return bytes.withView { view in
                guard case .complete(let response) = parser.step(view, &offset) else { return nil }
                return response
            }
        }
        let good = String(decoding: reply.array, as: UTF8.self)
        try proposal.check(try #require(read(reply.array)))
        let key = String(decoding: acceptance, as: UTF8.self)
        let wrong = [
            good.replacing(key, with: String(key.reversed())),
            good.replacing("101 ", with: "200 ")
                .replacing("upgrade: w", with: "content-length: 0\r\nx: "),
            good.replacing("a.v1", with: "b.v1"), good.replacing("websocket", with: "h2c"),
            good.replacing("connection: Upgrade", with: "connection: close"),
            good.replacing("\r\n\r\n", with: "\r\nsec-websocket-extensions: x\r\n\r\n"),
        ]
        for text in wrong {
            let response = try #require(read(Array(text.utf8)), "\(text)")
            #expect(throws: HTTPError.badAcceptance, "\(text)") { try proposal.check(response) }
        }
        let other = WebSocketProposal(subprotocol: "a.v1", random: SeededRandom(seed: 2))
        let response = try #require(read(reply.array))
        #expect(throws: HTTPError.badAcceptance) { try other.check(response) }
    }

    // MARK: Addresses

    @Test("An address of a server is read, or refused when something would be left out")
    func addresses() {
        let good: [(String, String)] = [
            ("http://127.0.0.1:7070", "http://127.0.0.1:7070"),
            ("http://server.local", "http://server.local:80"),
            ("HTTPS://a-b_c.example/", "https://a-b_c.example:443"),
            ("http://[::1]:8080/", "http://[::1]:8080"), ("http://[::1]", "http://[::1]:80"),
        ]
        for (text, expected) in good { #expect(ServerAddress(text)?.description == expected) }
        let bad = [
            "", "127.0.0.1:1", "ftp://a", "http://", "http://a:", "http://a:0", "http://a:65536",
            "http://a:1:2", "http://a/b", "http://a?b", "http://u@a", "http://a b", "http://[::1",
            "http://[::1]x", "http://[a]", "http://ä", "http://a:+1", "http:///",
        ]
        for text in bad { #expect(ServerAddress(text) == nil, "\(text)") }
    }
}
