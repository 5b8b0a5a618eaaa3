// What must be refused, and what must not: one row per way of smuggling we know.
import HoldfastBasics
import HoldfastHTTP
import Testing

struct Row: Sendable, CustomTestStringConvertible {
    let name: String
    let bytes: [UInt8]
    let expected: [String]

    init(_ name: String, _ text: String, _ expected: String...) {
        self.init(name, Array(text.utf8), expected)
    }

    /// `ÿ` stands for the byte 0xE9, which no UTF-8 text holds alone.
    init(_ name: String, _ bytes: [UInt8], _ expected: [String]) {
        self.name = name
        self.bytes = bytes
        self.expected = expected
    }

    var testDescription: String { name }
}

private let host = "Host: a"
private let second = message("GET /second HTTP/1.1", host)
private let chunked = "Transfer-Encoding: chunked"
private let hello = "5\r\nhello\r\n0\r\n\r\n"

private func get(_ target: String) -> String { message("GET \(target) HTTP/1.1", host) }
private func post(_ fields: String..., body: String = "hello") -> String {
    "POST / HTTP/1.1\r\nHost: a\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n" + body + second
}
private func chunks(_ body: String) -> String { post(chunked, body: body) }
private func field(_ line: String) -> String { message("GET / HTTP/1.1", host, line) + second }
private func latin(_ text: String) -> [UInt8] {
    text.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }
}

private let good: [Row] = [
    Row("GET", get("/"), "GET /"),
    Row("three pipelined", get("/1") + get("/2") + get("/3"), "GET /1", "GET /2", "GET /3"),
    Row("GET with a body", post("Content-Length: 5"), "POST / [hello]", "GET /second"),
    Row("chunks", chunks(hello), "POST / [hello]", "GET /second"),
    Row(
        "chunks in upper case",
        post("TRANSFER-ENCODING: CHUNKED", body: hello),
        "POST / [hello]",
        "GET /second"
    ),
    Row(
        "chunk extensions",
        chunks("5;a=b;c;d=\"e;\\\"f\"\r\nhello\r\n0;x\r\n\r\n"),
        "POST / [hello]",
        "GET /second"
    ),
    Row(
        "trailers",
        chunks("5\r\nhello\r\n0\r\nX: y\r\nZ: \r\n\r\n"),
        "POST / [hello]",
        "GET /second"
    ),
    Row(
        "two chunks",
        chunks("2\r\nhe\r\n00003\r\nllo\r\n0\r\n\r\n"),
        "POST / [hello]",
        "GET /second"
    ),
    Row("no chunks", chunks("0\r\n\r\n"), "POST /", "GET /second"),
    Row("length 0", post("Content-Length: 0", body: ""), "POST /", "GET /second"),
    Row("length with zeros", post("Content-Length: 0005"), "POST / [hello]", "GET /second"),
    Row(
        "a body that looks like a request",
        post("Content-Length: \(second.utf8.count)", body: second),
        "POST / [\(second)]",
        "GET /second"
    ),
    Row(
        "HEAD with such a body",
        message("HEAD / HTTP/1.1", host, "Content-Length: \(second.utf8.count)", body: second),
        "HEAD / [\(second)]"
    ),
    Row("OPTIONS *", message("OPTIONS * HTTP/1.1", host), "OPTIONS *"),
    Row("one empty line ahead", "\r\n" + get("/"), "GET /"),
    Row("one empty line each", "\r\n" + get("/") + "\r\n" + get("/2"), "GET /", "GET /2"),
    Row("absolute form", get("http://a/x?y"), "GET /x?y"),
    Row("absolute form without path", get("HTTP://A"), "GET /"),
    Row("unknown method", message("FOO / HTTP/1.1", host), "FOO /"),
    Row("lower-case method", message("get / HTTP/1.1", host), "get /"),
    Row("TRACE", message("TRACE / HTTP/1.1", host), "TRACE /"),
    Row("encoded slash", get("/a%2Fb%2f..%2F"), "GET /a%2Fb%2f..%2F"),
    Row("other upgrade", field("Upgrade: h2c"), "GET /", "GET /second"),
    Row(
        "close ends it",
        message("GET / HTTP/1.1", host, "Connection: keep-alive, close") + second,
        "GET / close"
    ),
    Row("1.0 ends it", message("GET / HTTP/1.0") + second, "GET / close"),
    Row(
        "1.0 may go on",
        message("GET / HTTP/1.0", "Connection: Keep-Alive") + second,
        "GET /",
        "GET /second"
    ),
    Row(
        "1.0, both said",
        message("GET / HTTP/1.0", "Connection: keep-alive", "Connection: close")
            + second,
        "GET / close"
    ),
    Row(
        "expectation",
        post("Content-Length: 5", "Expect: 100-Continue"),
        "POST / [hello]",
        "GET /second"
    ),
    Row(
        "expectation, length 0",
        post("Content-Length: 0", "Expect: 100-continue", body: ""),
        "POST /",
        "GET /second"
    ),
    Row(
        "WebSocket",
        message(
            "GET / HTTP/1.1",
            host,
            "Connection: keep-alive, Upgrade",
            "Upgrade: WebSocket"
        ),
        "GET / websocket"
    ),
    Row("high bits in a value", latin(field("X: caf\u{e9}")), ["GET /", "GET /second"]),
    Row("empty value", field("X:"), "GET /", "GET /second"),
    Row("tabs around a value", field("X:\t y\t "), "GET /", "GET /second"),
    Row("IPv6 host", message("GET / HTTP/1.1", "Host: [::1]:8080"), "GET /"),
]

private let badHeads: [Row] = [
    Row("LF alone", "GET / HTTP/1.1\nHost: a\n\n" + second, "400"),
    Row("LF alone in one line", "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n" + second, "400"),
    Row("LF alone at the end", "GET / HTTP/1.1\r\nHost: a\r\n\n" + second, "400"),
    Row("LF ahead", "\n" + second, "400"),
    Row("CR ahead", "\r" + second, "400"),
    Row("CR in a value", field("X: a\rTransfer-Encoding: chunked"), "400"),
    Row("NUL in a value", field("X: a\0b"), "400"),
    Row("control in a value", field("X: a\u{1}b"), "400"),
    Row("DEL in a value", field("X: a\u{7f}b"), "400"),
    Row("NUL in the target", get("/a\0b"), "400"),
    Row("folded", message("GET / HTTP/1.1", host, "X: a", "  b") + second, "400"),
    Row("folded length", post("Content-Length:", " 5"), "400"),
    Row("blank before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", "400"),
    Row("blank before the colon", post("Content-Length : 5"), "400"),
    Row("no colon", field("garbage"), "400"),
    Row("no name", field(": v"), "400"),
    Row("name with a bracket", field("X(y: v"), "400"),
    Row("name with high bit", latin(field("X\u{e9}: v")), ["400"]),
    Row("no Host", message("GET / HTTP/1.1") + second, "400"),
    Row("two Hosts", message("GET / HTTP/1.1", host, "Host: b") + second, "400"),
    Row("two equal Hosts", message("GET / HTTP/1.0", host, host) + second, "400"),
    Row("Host with a path", message("GET / HTTP/1.1", "Host: a/b") + second, "400"),
    Row("Host list", message("GET / HTTP/1.1", "Host: a, b") + second, "400"),
    Row("HTTP/2.0", message("GET / HTTP/2.0", host), "505"),
    Row("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"),
    Row("HTTP/1.9", message("GET / HTTP/1.9", host), "505"),
    Row("HTTP/9.9", message("GET / HTTP/9.9", host), "505"),
    Row("HTTP/0.9", "GET /\r\n", "400"),
    Row("http/1.1", message("GET / http/1.1", host), "400"),
    Row("HTTP/1.10", message("GET / HTTP/1.10", host), "400"),
    Row("two blanks", message("GET  /  HTTP/1.1", host), "400"),
    Row("tabs", message("GET\t/\tHTTP/1.1", host), "400"),
    Row("blank in the target", get("/a b"), "400"),
    Row("blank at the end", message("GET / HTTP/1.1 ", host), "400"),
    Row("two empty lines ahead", "\r\n\r\n" + get("/"), "400"),
    Row("high bit in the target", latin(get("/\u{e9}")), ["400"]),
    Row("fragment", get("/a#b"), "400"),
    Row("absolute form of another host", get("http://evil/x"), "400"),
    Row("absolute form with a user", get("http://u@a/x"), "400"),
    Row("absolute form of another scheme", get("ftp://a/x"), "400"),
    Row("absolute form without host", get("http:///x"), "400"),
    Row("GET *", get("*"), "400"),
    Row("no slash", get("foo"), "400"),
    Row("CONNECT", message("CONNECT a:80 HTTP/1.1", host), "501"),
    Row("Connection is no list", field("Connection: a b"), "400"),
    Row("other expectation", post("Content-Length: 5", "Expect: 200-ok"), "417"),
    Row("two expectations", post("Expect: 100-continue", "Expect: 100-continue"), "417"),
]

private let badBodies: [Row] = [
    Row("length and chunks", post("Content-Length: 4", chunked, body: hello), "400"),
    Row("chunks and length", post(chunked, "Content-Length: 4", body: hello), "400"),
    Row("two equal lengths", post("Content-Length: 5", "Content-Length: 5"), "400"),
    Row("two lengths", post("Content-Length: 5", "Content-Length: 0"), "400"),
    Row("length +5", post("Content-Length: +5"), "400"),
    Row("length -1", post("Content-Length: -1"), "400"),
    Row("length 5abc", post("Content-Length: 5abc"), "400"),
    Row("length 5, 5", post("Content-Length: 5, 5"), "400"),
    Row("length 0x5", post("Content-Length: 0x5"), "400"),
    Row("length 5 5", post("Content-Length: 5 5"), "400"),
    Row("length 2^64 + 5", post("Content-Length: 18446744073709551621"), "413"),
    Row("long length, junk", post("Content-Length: 1844674407370955162x"), "400"),
    Row("empty length", post("Content-Length: "), "400"),
    Row("length above the limit", post("Content-Length: 999999999"), "413"),
    Row("the same, expecting", post("Content-Length: 999999999", "Expect: 100-continue"), "413"),
    Row("xchunked", post("Transfer-Encoding: xchunked", body: hello), "501"),
    Row("gzip, chunked", post("Transfer-Encoding: gzip, chunked", body: hello), "501"),
    Row("chunked, chunked", post("Transfer-Encoding: chunked, chunked", body: hello), "501"),
    Row("identity and length", post("Transfer-Encoding: identity", "Content-Length: 5"), "501"),
    Row("empty coding", post("Transfer-Encoding:", "Content-Length: 5"), "501"),
    Row("two codings", post(chunked, "Transfer-Encoding: identity", body: hello), "400"),
    Row("chunks in 1.0", message("POST / HTTP/1.0", host, chunked, body: hello), "400"),
    Row("size 0x5", chunks("0x5\r\nhello\r\n0\r\n\r\n"), "400"),
    Row("size -1", chunks("-1\r\nhello\r\n0\r\n\r\n"), "400"),
    Row("size +5", chunks("+5\r\nhello\r\n0\r\n\r\n"), "400"),
    Row("blank before the size", chunks(" 5\r\nhello\r\n0\r\n\r\n"), "400"),
    Row("blank behind the size", chunks("5 \r\nhello\r\n0\r\n\r\n"), "400"),
    Row("junk behind the size", chunks("5 x\r\nhello\r\n0\r\n\r\n"), "400"),
    Row("no size", chunks("\r\nhello\r\n0\r\n\r\n"), "400"),
    Row("chunks with LF", chunks("5\nhello\n0\n\n"), "400"),
    Row("CR in an extension", chunks("5;a\rb\r\nhello\r\n0\r\n\r\n"), "400"),
    Row("LF in an extension", chunks("5;a=\"\nb\"\r\nhello\r\n0\r\n\r\n"), "400"),
    Row("extension without name", chunks("5;\r\nhello\r\n0\r\n\r\n"), "400"),
    Row("extension not closed", chunks("5;a=\"b\r\nhello\r\n0\r\n\r\n"), "400"),
    Row("no CRLF behind the data", chunks("5\r\nhelloXX0\r\n\r\n"), "400"),
    Row("CR without LF behind the data", chunks("5\r\nhello\rX0\r\n\r\n"), "400"),
    Row("size of 16 digits", chunks("ffffffffffffffff\r\nhello\r\n"), "413"),
    Row("size above the limit", chunks("fffffff\r\nhello\r\n"), "413"),
    Row("bad trailer", chunks("5\r\nhello\r\n0\r\nX y\r\n\r\n"), "400"),
    Row("folded trailer", chunks("5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n"), "400"),
    Row("trailer with NUL", chunks("5\r\nhello\r\n0\r\nX: \0\r\n\r\n"), "400"),
]

private let badTargets: [Row] = [
    Row("//", get("//evil/x"), "GET //evil/x target:400"),
    Row("bad escape", get("/a%zz"), "GET /a%zz target:400"),
    Row("%00", get("/a%00b"), "GET /a%00b target:400"),
]

private let tooLong: [Row] = [
    Row("20 KB field", field("X: " + String(repeating: "a", count: 20_000)), "431"),
    Row("20 KB target", get("/" + String(repeating: "a", count: 20_000)), "414"),
    Row("9 KB target", get("/" + String(repeating: "a", count: 9000)), "414"),
    Row("20 KB method", String(repeating: "a", count: 20_000) + second, "414"),
    Row("101 fields", "GET / HTTP/1.1\r\n" + String(repeating: "X: y\r\n", count: 101), "431"),
    Row(
        "100 KB without LF",
        "GET / HTTP/1.1\r\nX: " + String(repeating: "a", count: 100_000),
        "431"
    ),
    Row("chunk line without end", chunks("5;" + String(repeating: "a", count: 5000)), "400"),
    Row("long trailers", chunks("0\r\n" + String(repeating: "X: y\r\n", count: 1000)), "431"),
    Row("trailer without end", chunks("0\r\nX: " + String(repeating: "a", count: 5000)), "431"),
]

@Suite struct StrictnessTests {
    @Test(
        "every row gives what it should, however its bytes are cut",
        arguments: good + badHeads + badBodies + badTargets + tooLong
    )
    func row(_ row: Row) {
        for pieces in cuts(row.bytes) {
            let result = outcome(pieces)
            #expect(result == row.expected, "cut into \(pieces.map(\.count).prefix(4))")
            if result != row.expected { break }
        }
    }

    @Test(
        "streaming a body gives the same requests as gathering it",
        arguments: good + badHeads + badBodies
    )
    func streamed(_ row: Row) {
        // A length limit is what streaming has not.
        if row.name.contains("above the limit") || row.name == "the same, expecting" { return }
        for pieces in cuts(row.bytes) {
            let result = outcome(pieces, stream: true)
            #expect(result == row.expected, "cut into \(pieces.map(\.count).prefix(4))")
            if result != row.expected { break }
        }
    }
}
