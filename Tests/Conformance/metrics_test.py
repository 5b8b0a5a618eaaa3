#!/usr/bin/env python3
"""What an operator sees: /metrics as Prometheus takes it, the rules and the dashboard made for it,
both logs, the unit of systemd. promtool and systemd-analyze are theirs."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

import raw
from certificates import Certificates
from server import BINARY, REPOSITORY, Server, wait_until

DOCKER = os.path.join(REPOSITORY, "docker")
WAIT = 30
KEY_COUNT = int(os.environ.get("HOLDFAST_KEYS", "100000"))


def tool(*words, given="", folder=None):
    """Runs a program: exit code and all it said."""
    done = subprocess.run(words, input=given, capture_output=True, text=True, timeout=120,
                          check=False, cwd=folder)
    return done.returncode, done.stdout + done.stderr


class Operating(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="holdfast-operating-")
        self.addCleanup(shutil.rmtree, self.folder)

    def serve(self, *flags):
        server = Server(*flags)
        self.addCleanup(lambda: self.assertEqual(server.stop(), 0))
        return server

    def ask(self, server, method, path, body=None, **headers):
        connection = server.connection()
        connection.request(method, path, body=body,
                           headers={"Content-Type": "application/json", **headers})
        reply = connection.getresponse()
        content = reply.read().decode()
        connection.close()
        return reply, content

    def metrics(self, server):
        reply, text = self.ask(server, "GET", "/metrics")
        self.assertEqual(reply.status, 200)
        return text

    def load(self, server):
        """One of everything that is counted."""
        tree = '{"keys":"name"}'
        self.assertEqual(self.ask(server, "PUT", "/v1/trees/notes", tree)[0].status, 201)
        self.ask(server, "PUT", "/v1/records/notes/a", "1", **{"If-None-Match": "*"})
        self.ask(server, "PUT", "/v1/records/notes/a", "2", **{"If-None-Match": "*"})
        self.ask(server, "GET", "/v1/records/notes/a")
        self.ask(server, "GET", "/nowhere")
        self.ask(server, "POST", "/v1/snapshot")
        raw.exchange(server, [b"nonsense\r\n\r\n"])
        feed = raw.WebSocket(server)
        feed.wait_for("hello")
        feed.close()


def samples(text):
    """Series of an exposition: (name, labels) -> value."""
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        series, _, value = line.rpartition(" ")
        name, _, labels = series.partition("{")
        found[name, labels.rstrip("}")] = float(value)
    return found


def names(text):
    """Names of metrics in an expression of PromQL."""
    text = re.sub(r'"[^"]*"', "", text)
    return {name for name in re.findall(r"\b((?:holdfast|process)_\w+)", text)}


class MetricsTest(Operating):
    def test_promtool_finds_nothing_to_say(self):
        server = self.serve("--access-log", os.path.join(self.folder, "access"))
        self.load(server)
        text = self.metrics(server)
        code, said = tool("promtool", "check", "metrics", given=text)
        self.assertEqual((code, said), (0, ""))
        # It does find what is wrong.
        self.assertNotEqual(tool("promtool", "check", "metrics", given=text + "a b\n")[0], 0)

    def test_what_is_counted(self):
        server = self.serve("--max-connections", "100")
        before = time.time()
        self.load(server)
        found = samples(self.metrics(server))
        record = 'route="/v1/records/{tree}/{key}"'
        self.assertEqual(found["holdfast_http_requests_total", record + ',code="201"'], 1)
        self.assertEqual(found["holdfast_http_requests_total", record + ',code="412"'], 1)
        count = "holdfast_http_request_duration_seconds_count"
        self.assertEqual(found[count, record + ',status="2xx"'], 2)
        self.assertEqual(found[count, record + ',status="4xx"'], 1)
        self.assertEqual(found["holdfast_http_refused_heads_total", ""], 1)
        self.assertEqual(found["holdfast_records", ""], 1)
        self.assertEqual(found["holdfast_connections_limit", ""], 100)
        version = next(labels for name, labels in found if name == "holdfast_build_info")
        said = subprocess.run([BINARY, "--version"], capture_output=True, text=True, check=True)
        self.assertEqual(f'version="{said.stdout.split()[1]}"', version)
        with open(f"/proc/{server.process.pid}/status", encoding="utf-8") as file:
            resident = int(re.search(r"VmRSS:\s+(\d+)", file.read())[1]) * 1024
        self.assertLess(abs(found["process_resident_memory_bytes", ""] - resident), resident / 2)
        open_files = len(os.listdir(f"/proc/{server.process.pid}/fd"))
        self.assertLess(abs(found["process_open_fds", ""] - open_files), 4)
        self.assertLess(abs(found["process_start_time_seconds", ""] - before), 60)
        self.assertGreater(found["process_cpu_seconds_total", ""], 0)
        self.assertGreater(found["holdfast_uptime_seconds", ""], 0)

    def test_keys_and_paths_add_no_series(self):
        server = self.serve()
        self.load(server)
        with socket.create_connection((server.host, server.port), timeout=WAIT) as stream:
            # What the first of each kind adds is there before.
            self.ask_many(stream, range(2))
            self.metrics(server)
            before = set(samples(self.metrics(server)))
            self.ask_many(stream, range(2, KEY_COUNT))
        found = samples(self.metrics(server))
        self.assertEqual(set(found), before)
        key = "holdfast_http_requests_total", 'route="/v1/records/{tree}/{key}",code="404"'
        self.assertGreater(found[key], KEY_COUNT // 2 - 2)

    def ask_many(self, stream, numbers):
        """Half of them for keys, half for trees that are not there; each of another user."""
        numbers = list(numbers)
        for start in range(0, len(numbers), 500):
            part = numbers[start:start + 500]
            stream.sendall(b"".join(
                b"GET /v1/records/%s HTTP/1.1\r\nHost: localhost\r\nHoldfast-User: u%d\r\n"
                b"Request-Id: id-%d\r\n\r\n" % (b"notes/k%d" % n if n % 2 else b"t%d" % n, n, n)
                for n in part))
            received = 0
            rest = b""
            while received < len(part):
                rest += stream.recv(1 << 20)
                count = rest.count(b"HTTP/1.1 404 ")
                received += count
                rest = rest[rest.rindex(b"HTTP/1.1 404 ") + 9:] if count else rest[-12:]
            # The last body.
            while b'"code"' not in rest or not rest.endswith(b"}"):
                rest += stream.recv(1 << 20)


class PrometheusTest(Operating):
    def test_rules_are_rules_and_fire_when_they_should(self):
        folder = os.path.join(DOCKER, "prometheus")
        for words in (("check", "rules", "rules.yml"), ("check", "config", "prometheus.yml"),
                      ("test", "rules", "rules_test.yml")):
            code, said = tool("promtool", *words, folder=folder)
            self.assertEqual(code, 0, said)
            self.assertIn("SUCCESS", said)
        with open(os.path.join(folder, "rules.yml"), encoding="utf-8") as file:
            alerts = set(re.findall(r"alert: (\w+)", file.read()))
        with open(os.path.join(folder, "rules_test.yml"), encoding="utf-8") as file:
            tried = set(re.findall(r"alertname: (\w+)\n +exp_alerts", file.read()))
        self.assertEqual(alerts, tried, "each is seen to fire")

    def exposed(self):
        """Names of all metrics a server shows, one with TLS and an access log too."""
        pair = Certificates(self.folder).pair("server")
        server = self.serve("--access-log", os.path.join(self.folder, "access"))
        self.load(server)
        found = self.metrics(server)
        secure = self.serve("--tls-certificate", pair[0], "--tls-key", pair[1])
        code, text = tool("curl", "-sk", f"https://localhost:{secure.port}/metrics")
        self.assertEqual(code, 0)
        return {name for name, _ in samples(found + text)}

    def test_every_metric_of_rules_and_dashboard_is_one(self):
        exposed = self.exposed()
        self.assertIn("holdfast_tls_certificate_left_seconds", exposed)
        with open(os.path.join(DOCKER, "prometheus", "rules.yml"), encoding="utf-8") as file:
            rules = file.read()
        recorded = set(re.findall(r"record: (\S+)", rules))
        expressions = "".join(re.findall(r"expr: (?:>-\n((?: {10}.*\n)+)|.*\n)", rules))
        expressions += "".join(re.findall(r"expr: ([^>\n].*)", rules))
        for record in recorded:
            expressions = expressions.replace(record, "")
        self.assertGreater(len(names(expressions)), 10)
        self.assertEqual(names(expressions) - exposed, set())

        with open(os.path.join(DOCKER, "grafana", "holdfast.json"), encoding="utf-8") as file:
            dashboard = json.load(file)
        shown = set()
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                found = names(target["expr"])
                self.assertTrue(found, target["expr"])
                shown |= found
                expression = target["expr"].replace("$__rate_interval", "5m")
                self.parse(expression)
        self.assertEqual(shown - exposed, set())
        # What is counted can be seen, too.
        families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in exposed}
        self.assertEqual(families - {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown},
                         {"process_start_time_seconds"})
        places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in dashboard["panels"]]
        self.assertEqual(len(places), len(set(places)))
        identities = [p["id"] for p in dashboard["panels"]]
        self.assertEqual(len(identities), len(set(identities)))

    def parse(self, expression):
        """Prometheus reads an expression."""
        path = os.path.join(self.folder, "expression.yml")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"groups": [{"name": "a", "rules": [
                {"record": "a:b", "expr": expression}]}]}, file)
        code, said = tool("promtool", "check", "rules", path)
        self.assertEqual(code, 0, said)


class LogTest(Operating):
    def setUp(self):
        super().setUp()
        self.path = os.path.join(self.folder, "access.log")

    def lines(self, count, path=None):
        """The lines of the access log, once there are so many."""
        def found():
            with open(path or self.path, encoding="utf-8") as file:
                lines = file.read().splitlines()
            return lines if len(lines) >= count else None

        return wait_until(found, f"{count} lines of the access log")

    def test_json_lines(self):
        # Each loop writes its lines when it has time: those of one are in order, those of two are not.
        server = self.serve("--access-log", self.path, "--log-format", "json", "--loops", "1")
        secret = "hf_" + "0" * 64
        self.ask(server, "PUT", "/v1/trees/notes", '{"keys":"name"}', **{
            "Request-Id": "mine-1", "User-Agent": 'a "b"\\c', "Holdfast-User": "anna"})
        raw.exchange(server, [
            f"GET /v1/feed?ticket={secret} HTTP/1.1\r\nHost: localhost\r\n"
            f"Connection: close\r\n\r\n".encode()], is_recorded=False)
        self.ask(server, "GET", "/v1/trees", Authorization=f"Bearer {secret}")
        raw.exchange(server, [b"nonsense\r\n\r\n"])
        text = "\n".join(self.lines(4))
        self.assertNotIn(secret, text)
        self.assertNotIn("ticket", text)
        found = [json.loads(line) for line in text.splitlines()]
        first = found[0]
        self.assertEqual(
            (first["requestId"], first["method"], first["path"], first["status"], first["user"],
             first["agent"]),
            ("mine-1", "PUT", "/v1/trees/notes", 201, "anna", 'a "b"\\c'))
        self.assertRegex(first["time"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ$")
        self.assertRegex(first["peer"], r"^127\.0\.0\.1:\d+$")
        self.assertGreater(first["bytes"], 100)
        self.assertGreaterEqual(first["seconds"], 0)
        self.assertEqual([line["status"] for line in found[1:4]], [401, 401, 400])
        self.assertEqual([line["user"] for line in found[1:4]], [None, None, None])
        self.assertEqual(found[3]["method"], "-")
        self.assertEqual(len({line["requestId"] for line in found}), len(found))
        for line in server.errors().splitlines():
            self.assertLessEqual({"time", "level", "event"}, set(json.loads(line)), line)

    def test_combined_lines(self):
        server = self.serve("--access-log", self.path)
        self.ask(server, "GET", "/livez", **{"User-Agent": 'x" "y'})
        line = self.lines(1)[0]
        self.assertRegex(line, (
            r'^127\.0\.0\.1 - local \[\d\d/[A-Z][a-z]{2}/20\d\d:\d\d:\d\d:\d\d \+0000\] '
            r'"GET /livez HTTP/1\.1" 200 \d+ "-" "x\\" \\"y" \S+ \d+\.\d{6}$'))

    def test_one_line_a_request_in_every_way_to_answer(self):
        server = self.serve("--access-log", self.path, "--log-format", "json", "--loops", "1")
        self.ask(server, "PUT", "/v1/trees/notes", '{"keys":"name"}')
        self.ask(server, "GET", "/v1/records/notes", Accept="application/x-ndjson")
        self.ask(server, "POST", "/v1/changes", "\n", **{"Content-Type": "application/x-ndjson",
                                                       "Holdfast-User": "ben"})
        self.ask(server, "POST", "/v1/snapshot", **{"Holdfast-User": "cara"})
        self.ask(server, "GET", "/v1/trees", Prefer="wait=1", **{
            "Holdfast-Min-Position": f"{server.epoch}:99"})
        self.ask(server, "HEAD", "/v1")
        feed = raw.WebSocket(server)
        feed.close()
        found = [json.loads(line) for line in self.lines(7)]
        self.assertEqual(
            [(line["method"], line["path"], line["status"]) for line in found],
            [("PUT", "/v1/trees/notes", 201), ("GET", "/v1/records/notes", 200),
             ("POST", "/v1/changes", 200), ("POST", "/v1/snapshot", found[3]["status"]),
             ("GET", "/v1/trees", 503), ("HEAD", "/v1", 200), ("GET", "/v1/feed", 101)])
        self.assertEqual([line["user"] for line in found[2:4]], ["ben", "cara"])
        self.assertGreaterEqual(found[4]["seconds"], 0)

    def test_it_goes_on_in_a_new_file(self):
        server = self.serve("--access-log", self.path)
        self.ask(server, "GET", "/livez")
        self.lines(1)
        moved = self.path + ".1"
        os.rename(self.path, moved)
        self.ask(server, "GET", "/livez")
        self.lines(2, moved)
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "serve.access.reopened" in server.errors(), "a new access log")
        self.ask(server, "GET", "/readyz")
        self.assertIn("/readyz", self.lines(1)[0])
        self.assertEqual(len(self.lines(2, moved)), 2)

    def test_what_was_answered_is_there_when_the_server_has_ended(self):
        server = Server("--access-log", self.path)
        for _ in range(200):
            self.ask(server, "GET", "/livez")
        self.assertEqual(server.stop(), 0)
        self.assertEqual(len(self.lines(200)), 200)

    def test_standard_output(self):
        server = Server("--access-log", "-")
        self.ask(server, "GET", "/livez")
        self.assertIn('"GET /livez HTTP/1.1" 200', server.process.stdout.readline())
        self.assertEqual(server.stop(), 0)

    def test_request_ids(self):
        server = self.serve()
        longest = "a" * 64
        for given in ("x", "A.b:c-d_9", longest, "0193c2a0-5b7e-7d31-9c44-0f6b2a9e1d10"):
            reply, _ = self.ask(server, "GET", "/v1", **{"Request-Id": given})
            self.assertEqual(reply.headers["Request-Id"], given)
        made = []
        for given in ("", "a b", 'a"b', "a" * 65, "\u00e9", "a,b"):
            reply, _ = self.ask(server, "GET", "/v1", **{"Request-Id": given})
            self.assertEqual(reply.status, 200)
            made.append(reply.headers["Request-Id"])
        self.assertEqual(len(set(made)), len(made))
        for name in made:
            self.assertRegex(name, r"^[a-z0-9]+-\d+-\d+$")
        _, _, received = raw.exchange(server, [
            b"GET /livez HTTP/1.1\r\nHost: localhost\r\nRequest-Id: a\r\nRequest-Id: b\r\n\r\n"
            b"GET /livez HTTP/1.1\r\nHost: localhost\r\nRequest-Id: second\r\n\r\n"])
        found = re.findall(rb"request-id: (\S+)", received)
        self.assertNotIn(found[0], (b"a", b"b"))
        self.assertEqual(found[1], b"second")
        self.assertNotEqual(found[2], b"second")


class UnitTest(Operating):
    @unittest.skipUnless(shutil.which("systemd-analyze"), "this machine has no systemd-analyze")
    def test_systemd_takes_the_unit_and_finds_little_exposed(self):
        path = os.path.join(self.folder, "holdfast.service")
        with open(os.path.join(DOCKER, "holdfast.service"), encoding="utf-8") as file:
            text = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace("/usr/bin/holdfast", BINARY))
        code, said = tool("systemd-analyze", "verify", path)
        self.assertEqual((code, said), (0, ""))
        code, said = tool("systemd-analyze", "security", "--offline=yes", path)
        exposure = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", said)[1])
        self.assertLess(exposure, 2)
        # Its command line is one that serves.
        words = re.search(r"ExecStart=/usr/bin/holdfast serve (.*)", text)[1].split()
        self.assertEqual([word for word in words if word.startswith("--")], ["--data", "--config"])


if __name__ == "__main__":
    unittest.main()
