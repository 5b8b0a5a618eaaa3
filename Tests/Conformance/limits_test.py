#!/usr/bin/env python3
"""Settings and limits: `holdfast config` tells them, and each is met on the wire at its edge."""

import json
import os
import re
import resource
import shutil
import socket
import tempfile
import time
import unittest

import raw
from server import Server, run, wait_until

WAIT = 30


class ConfigTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="holdfast-config-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.file = os.path.join(self.folder, "holdfast.json")

    def config(self, *flags, environment=None):
        code, out, errors = run("config", "--json", *flags, environment=environment)
        self.assertEqual((code, errors), (0, ""))
        return json.loads(out)

    def configure(self, **members):
        with open(self.file, "w", encoding="utf-8") as file:
            json.dump(members, file)

    def test_where_each_value_comes_from(self):
        self.configure(loops=1, headTimeout=2.5, maxHead=2048, listen=["127.0.0.1:1", "[::1]:2"],
                       withoutTokens=True, idleTimeout=7)
        found = self.config("--config", self.file, "--loops", "3", environment={
            "HOLDFAST_LOOPS": "2", "HOLDFAST_MAX_HEAD": "1024", "HOLDFAST_ORIGIN": "http://a,http://b"})
        rows = [
            ("loops", 3, "flag", "--loops"),
            ("maxHead", 1024, "environment", "HOLDFAST_MAX_HEAD"),
            ("origin", ["http://a", "http://b"], "environment", "HOLDFAST_ORIGIN"),
            ("headTimeout", 2.5, "file", f"{self.file}: headTimeout"),
            ("idleTimeout", 7, "file", f"{self.file}: idleTimeout"),
            ("listen", ["127.0.0.1:1", "[::1]:2"], "file", f"{self.file}: listen"),
            ("withoutTokens", True, "file", f"{self.file}: withoutTokens"),
            ("withoutTls", False, "default", "default"),
            ("maxTarget", 8000, "default", "default"),
            ("web", None, "default", "default"),
        ]
        for name, value, source, origin in rows:
            with self.subTest(name):
                self.assertEqual(found[name]["value"], value)
                self.assertEqual((found[name]["from"], found[name]["origin"]), (source, origin))

    def test_it_is_the_table_serve_takes(self):
        found = self.config()
        _, text, _ = run("serve", "--help")
        flags = {line.split()[0] for line in text.splitlines() if line.startswith("  --")}
        names = {"--" + "".join(c if c.islower() else "-" + c.lower() for c in name)
                 for name in found}
        self.assertEqual(flags, names)
        _, table, _ = run("config")
        self.assertEqual(len(table.splitlines()), len(found) + 1)
        # The defaults, given as a file, are taken and change nothing.
        self.configure(**{name: setting["value"] for name, setting in found.items()
                          if setting["value"] not in (None, []) and name != "config"})
        again = self.config("--config", self.file)
        for name, setting in found.items():
            if name != "config":
                self.assertEqual(again[name]["value"], setting["value"], name)

    def test_wrong_values_start_nothing(self):
        data = os.path.join(self.folder, "data")
        rows = [
            ({"maxHead": 255}, "256"), ({"maxHead": 1048577}, "1048576"), ({"maxTarget": 63}, "64"),
            ({"maxHeaders": 3}, "4"), ({"maxBody": 67108865}, "67108864"),
            ({"maxOperations": 100001}, "100000"), ({"maxMessage": 1}, "256"),
            ({"maxFrame": 124}, "125"), ({"maxOutput": 1}, "16384"), ({"maxPins": 0}, "1"),
            ({"maxConnections": 0}, "1"), ({"drainSeconds": 0}, "0.01"),
            ({"pinTimeout": 86401}, "86400"), ({"maxHead": 1.5}, "number"),
            ({"socketMode": "9"}, "chmod"), ({"logFormat": "xml"}, "json"),
            ({"listen": "unix:relative"}, "unix:/PATH"),
            ({"listen": ["127.0.0.1:1", "127.0.0.1:1"]}, "once"),
            ({"withoutTls": "yes"}, "withoutTls"), ({"accessLog": self.folder}, "access-log"),
        ]
        for members, word in rows:
            with self.subTest(members):
                self.configure(**members)
                code, out, errors = run(
                    "serve", "--data", data, "--application", "a", "--config", self.file)
                self.assertEqual((code, out), (78, ""), errors)
                self.assertIn(word, errors)
                self.assertFalse(os.path.exists(data), "nothing is made")
                if "accessLog" not in members:
                    self.assertEqual(run("config", "--config", self.file), (78, "", errors))
        code, _, errors = run("config", environment={"HOLDFAST_MAX_BODY": "many"})
        self.assertEqual(code, 78)
        self.assertIn("HOLDFAST_MAX_BODY 'many'", errors)
        code, _, errors = run("config", "--max-body", "many")
        self.assertEqual(code, 64)


class LimitsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(
            "--max-head", "1000", "--max-target", "100", "--max-headers", "10",
            "--max-body", "2000", "--max-operations", "3", "--max-message", "600",
            "--max-frame", "500", "--max-pins", "2", "--loops", "1", "--max-output", "16384")
        for name in ("notes", "long"):
            cls.ask("PUT", f"/v1/trees/{name}", b'{"keys":"name"}')

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == 0

    @classmethod
    def ask(cls, method, path, body=None, **headers):
        connection = cls.server.connection()
        headers = {"Content-Type": "application/json", **headers}
        connection.request(method, path, body=body, headers=headers)
        reply = connection.getresponse()
        content = reply.read()
        connection.close()
        return reply.status, content

    def status(self, sent):
        # Not recorded: what is sent here is more, or less, than the API has.
        statuses, _, _ = raw.exchange(self.server, [sent], is_recorded=False)
        return statuses[0]

    def test_heads(self):
        start = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: "
        room = 1000 - len(start) - 4
        self.assertEqual(self.status(start + b"x" * room + b"\r\n\r\n"), 200)
        self.assertEqual(self.status(start + b"x" * (room + 1) + b"\r\n\r\n"), 431)

    def test_targets(self):
        def target(length):
            return (b"GET /livez?" + b"x" * (length - 7) + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertEqual(self.status(target(100)), 400, "a parameter nobody knows")
        self.assertEqual(self.status(target(101)), 414)

    def test_header_counts(self):
        def fields(count):
            return (b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"
                    + b"".join(b"X%d: 1\r\n" % n for n in range(count - 1)) + b"\r\n")
        self.assertEqual(self.status(fields(10)), 200)
        self.assertEqual(self.status(fields(11)), 431)

    def test_bodies(self):
        def put(name, length):
            body = b'"' + b"x" * (length - 2) + b'"'
            return self.ask("PUT", f"/v1/records/notes/{name}", body, **{"If-None-Match": "*"})[0]
        self.assertEqual(put("fits", 2000), 201)
        self.assertEqual(put("too-long", 2001), 413)
        chunked = (b"PUT /v1/records/notes/c HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: *\r\n"
                   b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        part = b"3e8\r\n" + b" " * 1000 + b"\r\n"
        self.assertEqual(self.status(chunked + part + b"3e7\r\n" + b" " * 999
                                     + b"\r\n1\r\n1\r\n0\r\n\r\n"), 201)
        self.assertEqual(self.status(chunked + part + part + b"1\r\n1\r\n0\r\n\r\n"), 413)

    def change(self, name, count):
        return {"operations": [
            {"put": {"tree": "notes", "key": {"name": f"{name}{n}", "revision": 0},
                     "expects": "absent", "value": n}} for n in range(count)]}

    def test_batches(self):
        for count, status in ((3, 200), (4, 413)):
            found, content = self.ask(
                "POST", "/v1/changes", json.dumps(self.change(f"b{count}-", count)).encode())
            self.assertEqual(found, status, content)
        self.assertIn(b"at most 3 operations", content)
        self.assertEqual(self.ask("GET", "/v1/records/notes/b4-0")[0], 404)
        lines = [json.dumps(self.change(f"j{count}-", count)) for count in (4, 3)]
        status, content = self.ask(
            "POST", "/v1/changes", "\n".join(lines).encode(),
            **{"Content-Type": "application/x-ndjson"})
        self.assertEqual(status, 200)
        self.assertEqual([json.loads(line)["status"] for line in content.splitlines()[:2]],
                         [413, 201])

    def test_messages_and_frames(self):
        def start(length):
            text = json.dumps({"start": {}}).encode()
            return text + b" " * (length - len(text))

        def ends(*frames):
            feed = raw.WebSocket(self.server)
            try:
                feed.wait_for("hello")
                for frame in frames:
                    feed.send_bytes(frame)
                name, content = feed.message()
                return content if name == "close" else name
            finally:
                feed.close()

        whole = start(600)
        self.assertEqual(ends(raw.masked(1, start(500))), "started")
        self.assertEqual(ends(raw.masked(1, start(501))), 1009)
        pieces = (raw.masked(1, whole[:300], first=0x01), raw.masked(0, whole[300:]))
        self.assertEqual(ends(*pieces), "started")
        pieces = (raw.masked(1, whole[:300], first=0x01), raw.masked(0, whole[300:] + b" "))
        self.assertEqual(ends(*pieces), 1009)

    def pinned(self):
        """A long list that its reader does not read."""
        stream = socket.socket()
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stream.settimeout(WAIT)
        stream.connect((self.server.host, self.server.port))
        stream.sendall(b"GET /v1/records/long HTTP/1.1\r\nHost: localhost\r\n"
                       b"Accept: application/x-ndjson\r\n\r\n")
        head = stream.recv(12)
        return stream, int(head.split()[1])

    def pins(self):
        _, content = self.ask("GET", "/metrics")
        line, = [line for line in content.splitlines() if line.startswith(b"holdfast_pins ")]
        return int(line.split()[1])

    def test_pins(self):
        value = b'"' + b"x" * 1900 + b'"'
        for number in range(400):
            self.ask("PUT", f"/v1/records/long/n{number}", value, **{"If-None-Match": "*"})
        streams = []
        try:
            for count in (1, 2):
                stream, status = self.pinned()
                streams.append(stream)
                self.assertEqual((status, self.pins()), (200, count))
            stream, status = self.pinned()
            streams.append(stream)
            self.assertEqual((status, self.pins()), (503, 2))
        finally:
            for stream in streams:
                stream.close()
        wait_until(lambda: self.pins() == 0, "what was pinned to be given back")
        stream, status = self.pinned()
        self.assertEqual(status, 200)
        stream.close()


class TimesTest(unittest.TestCase):
    def serve(self, *flags):
        server = Server("--loops", "1", *flags)
        self.addCleanup(server.stop)
        return server

    def connect(self, server, buffer=None):
        stream = socket.socket()
        self.addCleanup(stream.close)
        if buffer:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        stream.settimeout(WAIT)
        stream.connect((server.host, server.port))
        return stream

    def ask(self, server, method, path, body=None, **headers):
        connection = server.connection()
        connection.request(method, path, body=body,
                           headers={"Content-Type": "application/json", **headers})
        reply = connection.getresponse()
        content = reply.read().decode()
        connection.close()
        return content

    def count(self, server, series):
        text = self.ask(server, "GET", "/metrics")
        found = [line for line in text.splitlines() if line.startswith(series + " ")]
        return int(found[0].rpartition(" ")[2]) if found else 0

    def fill(self, server, count):
        self.ask(server, "PUT", "/v1/trees/long", '{"keys":"name"}')
        for number in range(count):
            self.ask(server, "PUT", f"/v1/records/long/n{number}", json.dumps("x" * 2000),
                     **{"If-None-Match": "*"})

    def test_idle_connections_end(self):
        server = self.serve("--idle-timeout", "0.2")
        fresh, used = self.connect(server), self.connect(server)
        used.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertTrue(used.recv(4096).startswith(b"HTTP/1.1 200"))
        self.assertEqual((fresh.recv(1), used.recv(1)), (b"", b""))

    def test_a_long_read_that_does_not_go_on_ends(self):
        server = self.serve("--pin-timeout", "0.1")
        self.fill(server, 400)
        reader = self.connect(server, buffer=4096)
        reader.sendall(b"GET /v1/records/long HTTP/1.1\r\nHost: localhost\r\n"
                       b"Accept: application/x-ndjson\r\n\r\n")
        self.assertIn(b" 200 ", reader.recv(15))
        wait_until(lambda: self.count(server, "holdfast_pins") == 0, "the long read to end")
        # What it had been given comes, and no end that would make it look whole.
        received = b""
        try:
            while part := reader.recv(1 << 20):
                received += part
        except ConnectionResetError:
            pass
        self.assertFalse(received.endswith(b"0\r\n\r\n"))

    def answered(self, output, at_least=0):
        """How many of 3000 pipelined requests are answered to one who reads nothing."""
        server = self.serve("--max-output", str(output))
        self.fill(server, 1)
        reader = self.connect(server, buffer=4096)
        reader.setblocking(False)
        requests = b"GET /v1/records/long/n0 HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3000
        end = time.monotonic() + 2
        while requests and time.monotonic() < end:
            try:
                requests = requests[reader.send(requests):]
            except BlockingIOError:
                time.sleep(0.05)
        series = 'holdfast_http_requests_total{route="/v1/records/{tree}/{key}",code="200"}'
        wait_until(lambda: self.count(server, series) >= at_least, f"{at_least} answers")
        return self.count(server, series)

    def test_who_does_not_read_is_not_read_from(self):
        # Besides the limit there is what the system holds for the connection, some 300 kB.
        self.assertLess(self.answered(16_384), 400)
        self.assertLess(self.answered(2_097_152, 2_097_152 // 2400), 1500)


class ConnectionsTest(unittest.TestCase):
    def pauses(self, stream):
        """The counter, asked for on a connection that is there already."""
        stream.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        received = b""
        while b"\r\n\r\n" not in received:
            received += stream.recv(65536)
        head, _, received = received.partition(b"\r\n\r\n")
        length = int(re.search(rb"content-length: (\d+)", head)[1])
        while len(received) < length:
            received += stream.recv(65536)
        line, = [line for line in received.splitlines()
                 if line.startswith(b"holdfast_accept_pauses_total ")]
        return int(line.split()[1])

    def served(self, stream):
        stream.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return stream.recv(4096).startswith(b"HTTP/1.1 200")

    def connect(self, server):
        stream = socket.create_connection((server.host, server.port), timeout=WAIT)
        self.addCleanup(stream.close)
        return stream

    def wait_for_pause(self, stream):
        wait_until(lambda: self.pauses(stream) > 0, "connections to wait")

    def check(self, server, room, reason):
        """So many are served; one more waits, and is served when another has gone."""
        streams = [self.connect(server) for _ in range(room)]
        for stream in streams:
            self.assertTrue(self.served(stream))
        late = self.connect(server)
        late.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.wait_for_pause(streams[0])
        late.settimeout(0.3)
        with self.assertRaises(TimeoutError):
            late.recv(1)
        late.settimeout(WAIT)
        self.assertIn(reason, server.errors())
        streams.pop().close()
        self.assertTrue(late.recv(4096).startswith(b"HTTP/1.1 200"))

    def test_the_limit_of_connections(self):
        server = Server("--max-connections", "3", "--loops", "1")
        self.addCleanup(server.stop)
        self.check(server, 3, "all 3 connections are taken")

    def test_out_of_descriptors(self):
        server = Server("--loops", "1")
        self.addCleanup(server.stop)
        taken = len(os.listdir(f"/proc/{server.process.pid}/fd"))
        # With all of them taken, /metrics leaves out what it would have to open a file for.
        limit = (taken + 4, taken + 4)
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, limit)
        self.check(server, 4, "Too many open files")


if __name__ == "__main__":
    unittest.main()
