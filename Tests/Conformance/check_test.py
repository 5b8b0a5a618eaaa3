#!/usr/bin/env python3
"""The checker itself: good recordings pass, each kind of bad one is found, gaps are named."""

import base64
import http.server
import io
import json
import os
import tempfile
import threading
import unittest

import check
import recorder
from contract import Contract

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLES = os.path.join(os.path.dirname(check.SPEC), "examples")
POSITION = "7t3k9x2m4q8wr:48213"
COMMON = {"Request-Id": "1", "Holdfast-Position": POSITION}


def example(name):
    with open(os.path.join(EXAMPLES, name + ".json"), encoding="utf-8") as file:
        return json.load(file)


def exchange(method="GET", target="/v1", status=200, body=None, headers=None, kind=None,
             request=None, request_headers=None, add=None):
    """A recorded line; a good GET /v1 unless told."""
    if body is None and status < 400 and target == "/v1":
        body = example("Server")
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    if kind is None and body:
        kind = "application/json" if status < 400 else "application/problem+json"
    reply = dict(COMMON if headers is None else headers, **(add or {}))
    if kind:
        reply["Content-Type"] = kind
    sent = dict(request_headers or {})
    if request is not None:
        sent.setdefault("Content-Type", "application/json")
        request = request if isinstance(request, bytes) else json.dumps(request).encode()
    return check.Exchange({
        "method": method, "target": target, "requestHeaders": sent,
        "requestBody": base64.b64encode(request or b"").decode(), "status": status,
        "headers": [[k, v] for k, v in reply.items()],
        "body": base64.b64encode(body or b"").decode(), "test": "a test"}, "here:1")


def problem(code, status, **facts):
    return {"type": f"https://holdfast.example/problems/{code}", "title": "t", "status": status,
            "code": code, "detail": "d", **facts}


RECORD = {**COMMON, "ETag": f'"{POSITION}"', "Holdfast-Key": "12", "Holdfast-Revision": "0",
          "Holdfast-State": "draft(0)", "Last-Modified": "Fri, 20 Nov 2026 10:00:00 GMT"}
CREATED = {k: v for k, v in RECORD.items() if k != "Last-Modified"}
CREATED["Location"] = "/v1/records/parts/12?revision=0"

GOOD = [
    ("the server", exchange()),
    ("HEAD has no body", exchange("HEAD", body=b"", kind="application/json")),
    ("a record", exchange(target="/v1/records/parts/12", body={"stock": 1}, headers=RECORD)),
    ("an envelope", exchange(
        target="/v1/records/parts/12?meta=true", body=example("Envelope"), headers=COMMON)),
    ("a refusal of its own", exchange(
        target="/v1/records/parts/12", status=404, body=problem("not-found", 404))),
    ("a common refusal", exchange(
        target="/v1/records/parts/12?x=y", status=400, body=problem("unsupported-parameter", 400))),
    ("a route there is not", exchange(target="/v1/no", status=404, body=problem("no-route", 404))),
    ("a method the path does not take", exchange(
        "PATCH", status=405, body=problem("method-not-allowed", 405), add={"Allow": "GET, HEAD"})),
    ("a request the parser refuses, without position", exchange(
        status=400, body=problem("bad-request", 400), headers={"Request-Id": "1"})),
    ("a created record without body", exchange(
        "POST", "/v1/records/parts", 201, headers=CREATED, request=example("Value"))),
    ("a created record with body", exchange(
        "POST", "/v1/records/parts", 201, example("Value"), CREATED, request=example("Value"),
        request_headers={"Prefer": "return=representation"})),
    ("a stream", exchange(
        target="/v1/records/parts", body=json.dumps(example("Envelope")).encode() + b"\n",
        kind="application/x-ndjson", request_headers={"Accept": "application/x-ndjson"})),
    ("a job", exchange(
        "POST", "/v1/changes", body=json.dumps(example("JobLine")).encode() + b"\n",
        kind="application/x-ndjson", request=b"{}\n",
        request_headers={"Content-Type": "application/x-ndjson"})),
    ("a file deep below", exchange(
        target="/components/a/b.js", body=b"x", kind="text/javascript; charset=utf-8",
        headers={"Request-Id": "1", "Content-Security-Policy": "c", "ETag": f'"{"0" * 32}"',
                 "X-Content-Type-Options": "nosniff"})),
]

SERVER = example("Server")
BAD = [
    ("an undocumented status", exchange(status=202), "status 202 is not documented"),
    ("an undocumented member", exchange(body={**SERVER, "more": 1}), "more"),
    ("a missing member", exchange(body={k: SERVER[k] for k in SERVER if k != "chain"}), "chain"),
    ("a position of the wrong shape", exchange(body={**SERVER, "head": 3}), "head"),
    ("a member twice", exchange(body=b'{"name":"holdfast","name":"holdfast"}'), "twice"),
    ("a body that is no JSON", exchange(body=b"{"), "not JSON"),
    ("an undocumented media type", exchange(kind="text/xml"), "media type text/xml"),
    ("a missing header", exchange(headers={"Request-Id": "1"}), "holdfast-position is missing"),
    ("a header of the wrong shape", exchange(
        headers={**COMMON, "Holdfast-Position": "7"}), "header holdfast-position"),
    ("an undocumented header", exchange(add={"Holdfast-New": "1"}), "holdfast-new is not doc"),
    ("an undocumented parameter", exchange(target="/v1?x=y", body=SERVER), "query x is not"),
    ("an undocumented request header", exchange(
        request_headers={"Holdfast-New": "1"}), "header holdfast-new is not"),
    ("a parameter that should have been refused", exchange(
        target="/v1/records/parts?limit=0", body=example("RecordList")), "query limit"),
    ("a body that should have been refused", exchange(
        "POST", "/v1/ranges", 201, example("Range"), request={"tree": "parts", "count": 0}),
     "request body"),
    ("a media type that should have been refused", exchange(
        "POST", "/v1/ranges", 201, example("Range"), request=example("RangeRequest"),
        request_headers={"Content-Type": "text/plain"}), "accepted the media type"),
    ("a code of another operation", exchange(
        target="/v1/records/parts/12", status=404, body=problem("unknown-borrow", 404)),
     "unknown-borrow is not documented"),
    ("a code under another status", exchange(
        target="/v1/records/parts/12", status=404, body=problem("not-found", 410)), "says 410"),
    ("a type that is not the code", exchange(
        target="/v1/records/parts/12", status=404,
        body={**problem("not-found", 404), "type": "https://holdfast.example/problems/deleted"}),
     "type and code"),
    ("a refusal that is no problem", exchange(
        target="/v1/records/parts/12", status=404, body=b"no", kind="text/plain"), "media type"),
    ("a route that answers there is none", exchange(
        "PATCH", status=404, body=problem("no-route", 404)), "is a route"),
    ("405 without Allow", exchange(
        "PATCH", status=405, body=problem("method-not-allowed", 405)), "allow is missing"),
    ("an answer where there is no operation", exchange("PATCH", body=SERVER), "no such operation"),
    ("a body unasked", exchange(
        "POST", "/v1/records/parts", 201, example("Value"), CREATED, request=example("Value")),
     "unasked"),
    ("HEAD with a body", exchange("HEAD"), "HEAD has a body"),
    ("a stream cut in a line", exchange(
        target="/v1/records/parts", body=b'{"tree":', kind="application/x-ndjson"), "no line end"),
    ("a stream with a bad line", exchange(
        target="/v1/records/parts", body=b"{}\n", kind="application/x-ndjson"), "line 1"),
    ("a job line with a code of its own", exchange(
        "POST", "/v1/changes", kind="application/x-ndjson", request=b"{}\n",
        body=json.dumps({"line": 1, "status": 404, "problem": problem("no-route", 400)}).encode()
        + b"\n", request_headers={"Content-Type": "application/x-ndjson"}), "says 400"),
]


class CheckTests(unittest.TestCase):
    def setUp(self):
        self.contract = Contract(check.SPEC)

    def faults(self, line):
        checker = check.Checker(self.contract)
        checker.check(line)
        return list(checker.faults)

    def test_good_recordings_pass(self):
        for name, line in GOOD:
            with self.subTest(name):
                self.assertEqual(self.faults(line), [])

    def test_bad_recordings_are_found(self):
        for name, line, expected in BAD:
            with self.subTest(name):
                faults = self.faults(line)
                self.assertTrue(any(expected in fault for fault in faults), faults)

    def test_the_document_agrees_with_itself(self):
        self.assertEqual(self.contract.unlisted(), [])

    def test_a_document_that_does_not_is_found(self):
        self.contract.code_status["stale"] = 409
        self.contract.code_status["new"] = 400
        del self.contract.operations[0].codes[503]
        found = " ".join(self.contract.unlisted())
        for expected in ("stale under 412", "new is not both", "getServer: 503"):
            self.assertIn(expected, found)

    def test_every_schema_has_its_example_and_it_is_one(self):
        schemas = self.contract.document["components"]["schemas"]
        files = {name.removesuffix(".json") for name in os.listdir(EXAMPLES)}
        self.assertEqual(files, set(schemas))
        for name in schemas:
            with self.subTest(name):
                schema = {"$ref": "#/components/schemas/" + name}
                self.assertEqual(self.contract.complaints(schema, example(name)), [])

    def test_what_was_not_seen_is_named(self):
        checker = check.Checker(self.contract)
        checker.check(GOOD[4][1])
        missing = checker.missing()
        self.assertIn("getServer: 200 was never answered", missing)
        self.assertIn("getRecord: 404 unknown-tree was never answered", missing)
        self.assertIn("any operation: 501 unknown-method was never answered", missing)
        self.assertIn("any operation: 507 full was never answered", missing)
        self.assertNotIn("getRecord: 404 not-found was never answered", missing)
        self.assertFalse([text for text in missing if "compacted" in text or "internal" in text])

    def test_the_tool_reads_what_the_recorder_wrote(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                body = json.dumps(SERVER).encode()
                self.send_response_only(200)
                for name, value in COMMON.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_HEAD = do_GET

            def log_message(self, *arguments):
                pass

        with tempfile.TemporaryDirectory() as folder:
            os.environ["HOLDFAST_RECORDINGS"] = folder
            server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            try:
                connection = recorder.Connection("127.0.0.1", server.server_port, test="reads")
                connection.request("GET", "/v1")
                reply = connection.getresponse()
                while reply.read(10):
                    pass
                connection.request("GET", "/v1/nothing?a=b", body='{"a":1}')
                connection.getresponse().read()
                connection.close()
            finally:
                server.shutdown()
                server.server_close()
                del os.environ["HOLDFAST_RECORDINGS"]
            lines = list(check.recordings([folder]))
            out = io.StringIO()
            self.assertEqual(check.main(["--no-coverage", folder], out), 1)
        self.assertEqual([line.target for line in lines], ["/v1", "/v1/nothing?a=b"])
        self.assertEqual(json.loads(lines[0].body), SERVER)
        self.assertEqual(lines[1].request_body, b'{"a":1}')
        self.assertIn("2 exchanges, 1 of", out.getvalue())
        self.assertIn("no such operation", out.getvalue())

    def test_long_bodies_are_kept_to_their_last_whole_line(self):
        body = b"x" * 99 + b"\n"
        kept, cut = recorder.keep(body * 10_000)
        self.assertTrue(cut)
        self.assertEqual(len(kept) % 100, 0)
        self.assertEqual(recorder.keep(body), (body, False))

    def test_an_empty_folder_is_no_proof(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(check.main([folder], io.StringIO()), 1)


if __name__ == "__main__":
    unittest.main()
