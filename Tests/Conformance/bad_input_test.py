#!/usr/bin/env python3
"""What is wrong gets a clear answer, changes nothing, and the server goes on serving.

Bytes that are not HTTP, requests that never end, frames that are not WebSocket's, texts that are
not JSON, values that are not the schema's. After each row the head is where it was.
"""

import json
import socket
import struct
import threading
import unittest

import raw
import rows_bytes
import rows_rfc
from rows_trees import ANNA, BEN
from table import Row, ServedTable

DEADLINES = ["--head-timeout", "2", "--body-timeout", "2"]


def note(name, body, status=400, code="bad-json", commits=0):
    """A row that writes bytes as a record of a tree without schema."""
    return Row(name, "PUT", f"/v1/records/notes/{name.replace(' ', '-')}", status, code, body=body,
               headers={"If-None-Match": "*"}, commits=commits)


TEXTS = [
    note("nothing", b""),
    note("a half", b'{"a":'),
    note("two values", b"1 2"),
    note("a comma too much", b"[1,]"),
    note("a comma too much in an object", b'{"a":1,}'),
    note("single quotes", b"{'a':1}"),
    note("a name without quotes", b"{a:1}"),
    note("NaN", b"NaN"),
    note("Infinity", b"[-Infinity]"),
    note("a leading zero", b"01"),
    note("a plus", b"+1"),
    note("a point without digits", b"1."),
    note("a comment", b"/* */1"),
    note("a byte order mark", b"\xef\xbb\xbf1"),
    note("a control character", b'"a\x01b"'),
    note("an unknown escape", b'"\\x41"'),
    note("a lone surrogate", b'"\\ud800"'),
    note("surrogates in the wrong order", b'"\\udc00\\ud800"'),
    note("bytes that are not UTF-8", b'"\xff"'),
    note("an overlong encoding", b'"\xc0\xaf"'),
    note("an encoded surrogate", b'"\xed\xa0\x80"'),
    note("a member twice", b'{"a":1,"a":2}'),
    note("a member twice, once escaped", b'{"a":1,"\\u0061":2}'),
    note("a member twice, far down", b'[{"b":{"a":1,"c":2,"a":3}}]'),
    note("129 levels", b"[" * 129 + b"]" * 129),
    note("128 levels", b"[" * 128 + b"]" * 128, 201, None, 1),
    note("100000 levels", b"[" * 100_000),
    note("a text of UTF-16", '{"a":1}'.encode("utf-16")),
    note("letters composed and decomposed are two names", '{"\u00e9":1,"e\u0301":2}'.encode(),
         201, None, 1),
]

# type -> (values that are, values that are not), as JSON texts.
TYPES = [
    ("bool", ["true", "false"], ["1", '"true"', "null"]),
    ("int8", ["-128", "127"], ["-129", "128", "1.0", "1e1", '"1"']),
    ("int64", ["-9223372036854775808", "9223372036854775807"],
     ["9223372036854775808", "-9223372036854775809", "1e3"]),
    ("uint8", ["0", "255"], ["-1", "256"]),
    ("uint64", ["18446744073709551615"], ["18446744073709551616", "-1"]),
    ("float", ["0.5"], ["1e39", '"a"']),
    ("double", ["1", "-1.5e-3"], ["1e400", '"1"', "true"]),
    ("string", ['""', '"\\u00e9"'], ["1", "null", "[]"]),
    ("date", ['"2026-11-20T10:00:00.123Z"'],
     ['"2026-13-20T10:00:00.123Z"', '"2026-02-30T10:00:00.000Z"', '"2026-11-20"', '"now"', "1"]),
    ("uuid", ['"0193c2a0-5b7e-7d31-9c44-0f6b2a9e1d10"'], ['"0193c2a0"', "1"]),
    ("data", ['""', '"aGVsbG8="'], ['"not base64!"', '"aGVsbG8"', "1"]),
    ("url", ['"https://example.org/a?b=c"'], ['"http://a b"', "1"]),
    ("decimal", ['"12.50"', '"-0.001"'], ['"1,5"', '"abc"', "1.5"]),
    ({"key": "notes"}, ['"a.b.0"', '"12.0"'], ['"12"', '".0"', '"a."', '"a.-1"', "12"]),
    ({"key": "parts"}, ['"12.3"'], ['"12"', '".0"']),
    ({"array": "int32"}, ["[]", "[1,2]"], ["[1,\"2\"]", "{}", "1", "[null]"]),
    ({"struct": [{"name": "x", "type": "int32"}]}, ['{"x":1}'], ["{}", '{"x":"1"}', "[]"]),
    ({"dictionary": "bool"}, ["{}", '{"any":true}'], ['{"any":1}', "[]"]),
    ({"enum": {"raw": "string", "cases": ["red", "green"]}}, ['"red"'], ['"blue"', "1"]),
    ({"enum": {"raw": "int64", "cases": [1, 2]}}, ["2"], ["3", '"1"']),
    ({"enum": {"payload": [{"name": "circle", "fields": [{"name": "r", "type": "double"}]}]}},
     ['{"circle":{"r":1}}'], ['{"square":{}}', '{"circle":{}}', '"circle"', "{}"]),
    ("file", ['{"$file":"' + "0" * 64 + '","size":1,"type":"text/plain","name":"a"}'],
     ['"a"', '{"$file":"0"}', "{}"]),
    ("any", ["null", "[1]"], []),
]


def typed():
    """Rows that write one field of each type."""
    rows = []
    for number, (kind, good, bad) in enumerate(TYPES):
        tree = f"typed{number}"
        rows.append(Row(f"declare {kind}", "PUT", f"/v1/trees/{tree}", 201, commits=1, json={
            "keys": "name", "schema": {"version": "1.0", "fields": [
                {"name": "v", "type": kind, "optional": kind == "any"}]}}))
        for ordinal, text in enumerate(good + bad):
            is_good = ordinal < len(good)
            if kind == "file" and is_good:
                continue
            rows.append(Row(
                f"{kind}: {text}", "PUT", f"/v1/records/{tree}/n{ordinal}",
                201 if is_good else 422, None if is_good else "invalid-field",
                body=b'{"v":' + text.encode() + b"}", headers={"If-None-Match": "*"},
                commits=1 if is_good else 0))
    return rows


STALE = [
    Row("a versioned tree", "PUT", "/v1/trees/parts", 201, commits=1, json={
        "keys": "id", "versioned": True, "schema": {"version": "1.0", "fields": [
            {"name": "n", "type": "string"}]}}),
    Row("a tree without schema", "PUT", "/v1/trees/notes", 201, json={"keys": "name"}, commits=1),
    Row("ids for ben", "POST", "/v1/ranges", 201, json={"tree": "parts", "count": 10}, headers=BEN,
        save={"first": "first"}, commits=1),
    Row("ids for anna", "POST", "/v1/ranges", 201, json={"tree": "parts", "count": 10},
        headers=ANNA, save={"own": "first"}, commits=1),
    Row("a record", "PUT", "/v1/records/parts/${own}?revision=0", 201, json={"n": "a"},
        headers={**ANNA, "If-None-Match": "*"}, save={"v": "version"}, commits=1),
    Row("it changes", "PUT", "/v1/records/parts/${own}?revision=0", 200, json={"n": "b"},
        headers={**ANNA, "If-Match": '"${v}"'}, commits=1),
    Row("a stale version", "PUT", "/v1/records/parts/${own}?revision=0", 412, "stale",
        json={"n": "c"}, headers={**ANNA, "If-Match": '"${v}"'}, has={"current/value/n": "b"}),
    Row("no revision on a versioned tree", "PUT", "/v1/records/parts/${own}", 400,
        "revision-required", json={"n": "c"}, headers={**ANNA, "If-Match": '"${v}"'}),
    Row("an id of another's range", "PUT", "/v1/records/parts/${first}?revision=0", 403,
        "outside-range", json={"n": "c"}, headers={**ANNA, "If-None-Match": "*"}),
    Row("an unknown tree", "PUT", "/v1/records/nothing/a", 404, "unknown-tree", json={},
        headers={"If-None-Match": "*"}),
]

START = raw.masked(1, b'{"start":{}}')


def start(**members):
    """A start message's bytes."""
    return raw.masked(1, json.dumps({"start": members}).encode())


EPOCH = "0000000000000"

# (name, bytes, close code)
FRAMES = [
    ("a frame without mask", raw.masked(1, b'{"start":{}}', mask=b""), 1002),
    ("a reserved bit", raw.masked(1, b"{}", first=0xC1), 1002),
    ("a reserved opcode", raw.masked(3, b""), 1002),
    ("a reserved control opcode", raw.masked(11, b""), 1002),
    ("a ping in parts", raw.masked(9, b"", first=0x09), 1002),
    ("a ping of 126 bytes", raw.masked(9, b"x" * 126), 1002),
    ("a continuation of nothing", raw.masked(0, b"x"), 1002),
    ("a message within a message",
     raw.masked(1, b"{", first=0x01) + raw.masked(1, b"}"), 1002),
    ("a close of one byte", raw.masked(8, b"\x03"), 1002),
    ("a close code that is never sent", raw.masked(8, struct.pack(">H", 1005)), 1002),
    ("a close reason that is not UTF-8", raw.masked(8, struct.pack(">H", 1000) + b"\xff"), 1007),
    ("a text that is not UTF-8", raw.masked(1, b'{"start":"\xff"}'), 1007),
    ("a message above the limit", raw.masked(1, b"", length=(1 << 20) + 1), 1009),
    ("a length of 2^63", raw.masked(1, b"", length=1 << 63), (1002, 1009)),
    ("a binary message", raw.masked(2, b"{}"), 4001),
    ("a start that is not JSON", raw.masked(1, b"start"), 4001),
    ("a message of no name", raw.masked(1, b"{}"), 4001),
    ("another message", raw.masked(1, b'{"stop":{}}'), 4001),
    ("a start with a member twice", raw.masked(1, b'{"start":{"before":true,"before":true}}'),
     4001),
    ("a start with an unknown member", start(colour="red"), 4001),
    ("activity that is neither", start(activity="yes"), 4001),
    ("a since that is no position", start(since=5), 4001),
    ("a since without its epoch", start(since="5"), 4001),
    ("trees that are no list", start(trees="parts"), 4001),
    ("a before that is neither", start(before="yes"), 4001),
    ("another history", start(since=f"{EPOCH}:1"), 4409),
    ("two starts", START + START, 4001),
    ("a close is answered", raw.masked(8, struct.pack(">H", 1000)), 1000),
]


class BadInputTest(ServedTable):
    flags = DEADLINES

    def unchanged(self, before):
        """The head stands, and the server answers."""
        self.assertEqual(self.head(), before)

    def test_1_records_that_cannot_be_written(self):
        self.run_rows(STALE)

    def test_2_texts_that_are_not_json(self):
        self.run_rows(TEXTS)

    def test_3_values_that_are_not_the_schemas(self):
        self.run_rows(typed())

    def test_4_bytes_that_are_not_http(self):
        before = self.head()
        for name, sent, statuses, fate in rows_bytes.BYTES:
            with self.subTest(name):
                found = raw.exchange(self.server, [sent], test=name)
                self.assertEqual(found[:2], (statuses, fate), found[2][:400])
                if name.startswith("HEAD"):
                    self.assertNotIn(b"\r\n\r\n<", found[2])
                self.unchanged(before)

    def test_4a_the_rfcs_section_by_section(self):
        before = self.head()
        for section, name, sent, statuses, fate in rows_rfc.RFC:
            name = f"RFC {section}: {name}"
            with self.subTest(name):
                found = raw.exchange(self.server, [sent], is_recorded=False)
                self.assertEqual(found[:2], (statuses, fate), found[2][:400])
        self.unchanged(before)

    def test_4b_bytes_one_at_a_time(self):
        sent = rows_bytes.get()
        pieces = [sent[i:i + 1] for i in range(len(sent))]
        self.assertEqual(raw.exchange(self.server, pieces)[:2], ([200], "open"))

    def test_4c_the_server_asks_for_an_expected_body(self):
        with socket.create_connection((self.server.host, self.server.port), 20) as stream:
            stream.sendall(rows_bytes.request(
                b"POST / HTTP/1.1", rows_bytes.HOST, b"Content-Length: 5",
                b"Expect: 100-continue"))
            self.assertTrue(stream.recv(4096).startswith(b"HTTP/1.1 100 "))
            stream.sendall(b"hello")
            self.assertTrue(stream.recv(4096).startswith(b"HTTP/1.1 405 "))

    def test_4d_a_client_that_has_said_all_is_answered(self):
        statuses, _, _ = raw.exchange(self.server, [rows_bytes.get()], half_close=True)
        self.assertEqual(statuses, [200])

    def test_5_requests_that_never_end(self):
        before = self.head()
        slow = [
            ("a head, byte by byte", b"", b"GET /v1 HTTP/1.1\r\nX: " + b"a" * 1000),
            ("a body, byte by byte", rows_bytes.request(
                b"POST /v1/changes HTTP/1.1", rows_bytes.HOST, b"Content-Type: application/json",
                b"Content-Length: 1000"), b" " * 1000),
            ("chunks, byte by byte", rows_bytes.request(
                b"PUT /v1/records/notes/slow HTTP/1.1", rows_bytes.HOST, rows_bytes.CHUNKED,
                b"Content-Type: application/json", b"If-None-Match: *"), b"1\r\n \r\n" * 200),
        ]
        for name, at_once, drip in slow:
            with self.subTest(name):
                self.assertIn(408, self.dripped(at_once, drip, name))
                self.unchanged(before)

    def dripped(self, at_once, drip, name):
        """Statuses of a request whose rest comes byte by byte until it is answered."""
        with socket.create_connection((self.server.host, self.server.port), 60) as stream:
            stream.sendall(at_once)
            is_answered = threading.Event()

            def trickle():
                for byte in drip:
                    if is_answered.wait(0.1):
                        return
                    try:
                        stream.sendall(bytes([byte]))
                    except OSError:
                        return

            writer = threading.Thread(target=trickle)
            writer.start()
            received = b""
            try:
                while part := stream.recv(65536):
                    received += part
                    is_answered.set()
            except ConnectionResetError:
                pass
            is_answered.set()
            writer.join()
        replies = raw.split(received, [at_once])
        raw.record([at_once or drip + b"\r\n\r\n"], replies, name)
        return [status for status, _, _ in replies]

    def test_6_frames_that_are_not_the_feeds(self):
        before = self.head()
        for name, sent, code in FRAMES:
            with self.subTest(name):
                feed = raw.WebSocket(self.server)
                try:
                    feed.wait_for("hello")
                    feed.send_bytes(sent)
                    ended = feed.end()
                    if isinstance(code, tuple):
                        self.assertIn(ended, code)
                    else:
                        self.assertEqual(ended, code)
                finally:
                    feed.close()
                self.unchanged(before)

    def test_6b_a_start_that_never_comes(self):
        feed = raw.WebSocket(self.server)
        feed.wait_for("hello")
        self.assertEqual(feed.end(), 4408)
        feed.close()

    def test_6c_a_history_that_is_not_ours(self):
        seq, chain = self.head()
        epoch = self.server.epoch
        for name, members in [
            ("another chain", {"since": f"{epoch}:{seq}", "chain": "0" * 32}),
            ("beyond the head", {"since": f"{epoch}:{seq + 1}"}),
        ]:
            with self.subTest(name):
                feed = raw.WebSocket(self.server)
                feed.wait_for("hello")
                feed.send({"start": members})
                said, _ = feed.wait_for("bye")
                self.assertEqual(said["code"], 4409)
                self.assertEqual(feed.end(), 4409)
                feed.close()
        self.unchanged((seq, chain))

    def test_6d_a_good_feed_after_all_that(self):
        seq, _ = self.head()
        feed = raw.WebSocket(self.server)
        hello, _ = feed.wait_for("hello")
        self.assertEqual((hello["head"], hello["epoch"]), (seq, self.server.epoch))
        feed.send({"start": {"since": f"{self.server.epoch}:{seq - 1}"}})
        feed.wait_for("started")
        commit, _ = feed.wait_for("commit")
        self.assertEqual(commit["seq"], seq)
        feed.wait_for("live")
        feed.send_bytes(raw.masked(9, b"still there"))
        self.assertEqual(feed.message(), ("pong", b"still there"))
        self.run_rows([Row("a write", "PUT", "/v1/records/notes/last", 201, json={"a": 1},
                           headers={"If-None-Match": "*", "Holdfast-Why": "to%20see"}, commits=1)])
        commit, _ = feed.wait_for("commit")
        self.assertEqual((commit["seq"], commit["why"]), (seq + 1, "to see"))
        self.assertEqual(commit["effects"][0]["set"]["value"], {"a": 1})
        feed.close()


if __name__ == "__main__":
    unittest.main()
