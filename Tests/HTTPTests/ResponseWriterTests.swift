import HoldfastBasics
import HoldfastHTTP
import Testing

@Suite struct ResponseWriterTests {
    private let date = HTTPDate(milliseconds: 784_111_777_123)

    private func reply(
        _ status: HTTPStatus,
        _ length: ResponseLength,
        isHead: Bool = false,
        isVersion11: Bool = true,
        keepsAlive: Bool = true
    ) -> (text: String, body: ResponseBody, exchange: Exchange) {
        var exchange = Exchange(isHead: isHead, isVersion11: isVersion11, keepsAlive: keepsAlive)
        var out = ByteBuffer()
        out.startResponse(status, date: date)
        let body = out.endHead(status, length, &exchange)
        return (out.view.text, body, exchange)
    }

    private let start = "HTTP/1.1 200 OK\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"

    @Test("a head tells length and fate of the connection as the request demands")
    func heads() {
        #expect(reply(.ok, .bytes(5)).text == start + "content-length: 5\r\n\r\n")
        let chunked = reply(.ok, .unknown)
        #expect(chunked.text == start + "transfer-encoding: chunked\r\n\r\n")
        #expect(chunked.body == .chunked)
        let closing = reply(.ok, .bytes(0), keepsAlive: false)
        #expect(closing.text == start + "content-length: 0\r\nconnection: close\r\n\r\n")
        let old = reply(.ok, .bytes(1), isVersion11: false)
        #expect(old.text == start + "content-length: 1\r\nconnection: keep-alive\r\n\r\n")
        let oldStream = reply(.ok, .unknown, isVersion11: false)
        #expect(oldStream.text == start + "connection: close\r\n\r\n")
        #expect(oldStream.body == .plain && !oldStream.exchange.keepsAlive)
    }

    @Test("HEAD and bodiless statuses have no body, the latter no length either")
    func bodiless() {
        let head = reply(.ok, .bytes(5), isHead: true)
        #expect(head.text == start + "content-length: 5\r\n\r\n" && head.body == .none)
        #expect(reply(.ok, .unknown, isHead: true).body == .none)
        for status in [HTTPStatus.noContent, .notModified] {
            let reply = reply(status, .bytes(0))
            #expect(!reply.text.contains("content-length") && reply.body == .none)
        }
    }

    @Test("no value can end its line")
    func splitting() {
        var out = ByteBuffer()
        out.appendField("location", text: "a\r\nset-cookie: b\0c\u{7f}\té")
        #expect(out.view.text == "location: a  set-cookie: b c \té\r\n")
    }

    @Test("chunks written are the chunks the parser reads")
    func chunks() {
        let sizes = [1, 0, 15, 16, 255, 256, 4096, 70_000]
        var out = ByteBuffer()
        out.append("PUT / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n")
        var expected = 0
        for size in sizes {
            let bytes = [UInt8](repeating: 120, count: size)
            bytes.withView { out.appendChunk($0) }
            let chunk = out.beginChunk()
            out.append(bytes)
            out.endChunk(chunk)
            expected += 2 * size
        }
        out.endChunks()
        var parser = RequestParser()
        var offset = 0
        _ = parser.step(out.view, &offset)
        guard case .complete(let request) = parser.step(out.view, &offset) else {
            Issue.record("not complete")
            return
        }
        #expect(request.body.count == expected)
        #expect(offset == out.count)
    }

    @Test("a refusal is a whole reply that closes")
    func refusal() {
        var out = ByteBuffer()
        out.appendRefusal(.hostMissing, date: date)
        let text = out.view.text
        #expect(text.hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
        #expect(text.contains("\r\nconnection: close\r\n\r\nThe Host field is missing.\n"))
        #expect(text.contains("\r\ncontent-length: 27\r\n"))
    }

    @Test("dates are those of RFC 9110, before and after 1970, and follow the second")
    func dates() {
        let rows: [(Int64, String)] = [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (999, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
            (-86_400_000, "Wed, 31 Dec 1969 00:00:00 GMT"),
            (1_709_164_800_000, "Thu, 29 Feb 2024 00:00:00 GMT"),
            (1_795_168_800_123, "Fri, 20 Nov 2026 10:00:00 GMT"),
        ]
        var moving = HTTPDate(milliseconds: 1)
        for (time, text) in rows {
            #expect(HTTPDate(milliseconds: time).text == Array(text.utf8))
            moving.update(milliseconds: time)
            #expect(moving.text == Array(text.utf8))
        }
    }
}
