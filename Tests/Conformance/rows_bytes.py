"""Rows of bytes that are not what HTTP allows, or nearly not: statuses, and the connection's fate.

Where a row smuggles a second request, the second is never answered; where the two are whole, both
are. `GET /` is the viewer's page (200), `POST /` not allowed (405), `/second` not there (404).
"""


def request(line, *headers, body=b""):
    """A request's bytes."""
    return line + b"\r\n" + b"".join(h + b"\r\n" for h in headers) + b"\r\n" + body


HOST = b"Host: 127.0.0.1"
SECOND = request(b"GET /second HTTP/1.1", HOST)
CHUNKED = b"Transfer-Encoding: chunked"
HELLO = b"5\r\nhello\r\n0\r\n\r\n"
OPEN, CLOSED = "open", "closed"


def get(target=b"/", *headers, method=b"GET", version=b"HTTP/1.1"):
    return request(method + b" " + target + b" " + version, HOST, *headers)


def post(*headers, body=b"hello", version=b"HTTP/1.1"):
    return request(b"POST / " + version, HOST, *headers, body=body) + SECOND


def chunks(body):
    return post(CHUNKED, body=body)


def carrying(method):
    """A request whose body looks like another."""
    return request(method + b" / HTTP/1.1", HOST, b"Content-Length: %d" % len(SECOND), body=SECOND)


# (name, bytes, statuses, fate)
BYTES = [
    ("a request", get(), [200], OPEN),
    ("three at once", get(b"/1") * 3, [404, 404, 404], OPEN),
    ("LF as line end", b"GET / HTTP/1.1\nHost: 127.0.0.1\n\n", [400], CLOSED),
    ("LF as one line's end", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\nX: y\r\n\r\n", [400], CLOSED),
    ("CR in a value", get(b"/", b"X: a\rTransfer-Encoding: chunked"), [400], CLOSED),
    ("NUL in a value", get(b"/", b"X: a\0b"), [400], CLOSED),
    ("NUL in the target", get(b"/a\0b"), [400], CLOSED),
    ("a folded field", get(b"/", b"X: a", b"  folded"), [400], CLOSED),
    ("a folded length", post(b"Content-Length:", b" 5"), [400], CLOSED),
    ("a blank before the colon", post(b"Content-Length : 5"), [400], CLOSED),
    ("length and chunks", post(b"Content-Length: 4", CHUNKED, body=HELLO), [400], CLOSED),
    ("chunks and length", post(CHUNKED, b"Content-Length: 4", body=HELLO), [400], CLOSED),
    ("two equal lengths", post(b"Content-Length: 5", b"Content-Length: 5"), [400], CLOSED),
    ("two lengths", post(b"Content-Length: 5", b"Content-Length: 0"), [400], CLOSED),
    ("length +5", post(b"Content-Length: +5"), [400], CLOSED),
    ("length 5abc", post(b"Content-Length: 5abc"), [400], CLOSED),
    ("length 5, 5", post(b"Content-Length: 5, 5"), [400], CLOSED),
    ("length 0x5", post(b"Content-Length: 0x5"), [400], CLOSED),
    ("length -1", post(b"Content-Length: -1"), [400], CLOSED),
    ("length 2^64 + 5", post(b"Content-Length: 18446744073709551621"), [413], CLOSED),
    ("an empty length", post(b"Content-Length: ", body=b""), [400], CLOSED),
    ("coding xchunked", post(b"Transfer-Encoding: xchunked", body=HELLO), [501], CLOSED),
    ("coding gzip, chunked", post(b"Transfer-Encoding: gzip, chunked", body=HELLO), [501], CLOSED),
    ("coding identity, and a length",
     post(b"Transfer-Encoding: identity", b"Content-Length: 5"), [501], CLOSED),
    ("two codings", post(CHUNKED, b"Transfer-Encoding: identity", body=HELLO), [400], CLOSED),
    ("chunks in 1.0", post(CHUNKED, body=HELLO, version=b"HTTP/1.0"), [400], CLOSED),
    ("GET with a body", get(b"/", b"Content-Length: 5") + b"hello" + SECOND, [200, 404], OPEN),
    ("GET with chunks", get(b"/", CHUNKED) + HELLO + SECOND, [200, 404], OPEN),
    ("DELETE with a body",
     get(b"/", b"Content-Length: 5", method=b"DELETE") + b"hello" + SECOND, [405, 404], OPEN),
    ("GET that carries a request", carrying(b"GET"), [200], OPEN),
    ("HEAD that carries a request", carrying(b"HEAD"), [200], OPEN),
    ("OPTIONS that carries a request", carrying(b"OPTIONS"), [405], OPEN),
    ("chunk size 0x5", chunks(b"0x5\r\nhello\r\n0\r\n\r\n"), [400], CLOSED),
    ("chunk size -1", chunks(b"-1\r\nhello\r\n0\r\n\r\n"), [400], CLOSED),
    ("chunk size +5", chunks(b"+5\r\nhello\r\n0\r\n\r\n"), [400], CLOSED),
    ("a blank before the chunk size", chunks(b" 5\r\nhello\r\n0\r\n\r\n"), [400], CLOSED),
    ("junk behind the chunk size", chunks(b"5 x\r\nhello\r\n0\r\n\r\n"), [400], CLOSED),
    ("a chunk extension", chunks(b"5;a=b\r\nhello\r\n0\r\n\r\n"), [405, 404], OPEN),
    ("chunks with LF", chunks(b"5\nhello\n0\n\n"), [400], CLOSED),
    ("no line end behind a chunk", chunks(b"5\r\nhelloXX0\r\n\r\n"), [400], CLOSED),
    ("a chunk of 2^64", chunks(b"ffffffffffffffff\r\nhello\r\n"), [413], CLOSED),
    ("trailers", chunks(b"5\r\nhello\r\n0\r\nX: y\r\n\r\n"), [405, 404], OPEN),
    ("no Host", request(b"GET / HTTP/1.1"), [400], CLOSED),
    ("two Hosts", request(b"GET / HTTP/1.1", HOST, b"Host: b"), [400], CLOSED),
    ("1.0 without Host", request(b"GET / HTTP/1.0"), [200], CLOSED),
    ("HTTP/2.0", get(version=b"HTTP/2.0"), [505], CLOSED),
    ("HTTP/1.9", get(version=b"HTTP/1.9"), [505], CLOSED),
    ("HTTP/9.9", get(version=b"HTTP/9.9"), [505], CLOSED),
    ("HTTP/0.9", b"GET /\r\n", [400], CLOSED),
    ("http/1.1", get(version=b"http/1.1"), [400], CLOSED),
    ("two blanks", request(b"GET  /  HTTP/1.1", HOST), [400], CLOSED),
    ("tabs for blanks", request(b"GET\t/\tHTTP/1.1", HOST), [400], CLOSED),
    ("a blank in the target", get(b"/a b"), [400], CLOSED),
    ("an empty line ahead", b"\r\n" + get(), [200], OPEN),
    ("three empty lines ahead", b"\r\n" * 3 + get(), [400], CLOSED),
    ("a blank before the first field",
     b"GET / HTTP/1.1\r\n Host: 127.0.0.1\r\n\r\n", [400], CLOSED),
    ("a field without colon", get(b"/", b"garbage"), [400], CLOSED),
    ("a field without name", get(b"/", b": v"), [400], CLOSED),
    ("a field's name that is none", get(b"/", b"X(y: v"), [400], CLOSED),
    ("a high bit in a field's name", get(b"/", b"X\xe9: v"), [400], CLOSED),
    ("a high bit in the target", get(b"/\xe9"), [400], CLOSED),
    ("a control character in a value", get(b"/", b"X: a\x01b"), [400], CLOSED),
    ("the absolute form", get(b"http://127.0.0.1/x"), [404], OPEN),
    ("the absolute form of another host", get(b"http://evil/x"), [400], CLOSED),
    ("OPTIONS *", get(b"*", method=b"OPTIONS"), [405], OPEN),
    ("GET *", get(b"*"), [400], CLOSED),
    ("CONNECT", get(b"a:80", method=b"CONNECT"), [501], CLOSED),
    ("a target without slash", get(b"foo"), [400], CLOSED),
    ("two slashes", get(b"//evil/x"), [400], OPEN),
    ("an encoded slash is part of its segment", get(b"/a%2Fb%2f..%2F"), [404], OPEN),
    ("a broken escape", get(b"/a%zz"), [400], OPEN),
    ("an encoded NUL", get(b"/a%00b"), [400], OPEN),
    ("a fragment", get(b"/a#b"), [400], CLOSED),
    ("an unknown method", get(method=b"FOO"), [501], OPEN),
    ("a method the path does not take",
     get(b"/", b"Content-Length: 0", method=b"PATCH"), [405], OPEN),
    ("TRACE", get(method=b"TRACE"), [405], OPEN),
    ("a method in lower case", get(method=b"get"), [501], OPEN),
    ("HEAD", get(method=b"HEAD"), [200], OPEN),
    ("Expect, and the body with it",
     request(b"POST / HTTP/1.1", HOST, b"Content-Length: 5", b"Expect: 100-continue",
             body=b"hello"), [405], OPEN),
    ("Expect of another kind", post(b"Content-Length: 5", b"Expect: 200-ok"), [417], CLOSED),
    ("Expect before far too much",
     post(b"Content-Length: 999999999", b"Expect: 100-continue", body=b""), [413], CLOSED),
    ("far too much announced", post(b"Content-Length: 999999999", body=b""), [413], CLOSED),
    ("a body, then close",
     request(b"POST / HTTP/1.1", HOST, b"Content-Length: 5", b"Connection: close", body=b"hello"),
     [405], CLOSED),
    ("a field of 20 kB", get(b"/", b"X: " + b"a" * 20_000), [431], CLOSED),
    ("a target of 20 kB", get(b"/" + b"a" * 20_000), [414], CLOSED),
    ("2000 fields", get(b"/", *[b"X%d: y" % i for i in range(2000)]), [431], CLOSED),
    ("a field of 1 MB without end", b"GET / HTTP/1.1\r\nX: " + b"a" * 1_000_000, [431], CLOSED),
    ("another upgrade", get(b"/", b"Connection: Upgrade", b"Upgrade: h2c"), [200], OPEN),
    ("keep-alive and close", get(b"/", b"Connection: keep-alive, close"), [200], CLOSED),
    ("a body of 8 MiB and a byte",
     request(b"POST /v1/changes HTTP/1.1", HOST, b"Content-Type: application/json",
             b"Content-Length: %d" % ((8 << 20) + 1), body=b" " * 1000), [413], CLOSED),
    ("chunks of more than 8 MiB",
     request(b"POST /v1/changes HTTP/1.1", HOST, b"Content-Type: application/json", CHUNKED,
             body=(b"100000\r\n" + b" " * (1 << 20) + b"\r\n") * 9), [413], CLOSED),
]
