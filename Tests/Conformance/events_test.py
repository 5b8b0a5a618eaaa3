#!/usr/bin/env python3
"""Commits as they come, over plain HTTP: long poll and server-sent events, read by clients nobody
here wrote: curl, requests, node's fetch. The browser's own is in Tests/Web."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import threading
import time
import unittest
import uuid

import requests
import websockets.sync.client

import raw
import recorder
from rows_rights import schema
from server import Server

EVENTS = {"Accept": "text/event-stream"}
NODE = """
const [url, id, count] = process.argv.slice(1);
const reply = await fetch(url, {headers: {Accept: "text/event-stream", "Last-Event-ID": id}});
const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
let text = "";
while (text.split("event: commit").length <= Number(count)) {
  const {value, done} = await reader.read();
  if (done) break;
  text += value;
}
console.log(JSON.stringify({status: reply.status, type: reply.headers.get("content-type"), text}));
await reader.cancel();
"""


def parse(text):
    """The events of a stream as a browser reads them: (id, event, data), and blocks without data as
    (id, None, None)."""
    found, last = [], ""
    for block in text.split("\n\n")[:-1]:
        event, data = "message", []
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "id":
                last = value
            elif name == "event":
                event = value
            elif name == "data":
                data.append(value)
        found.append((last, event, "\n".join(data)) if data else (last, None, None))
    return found


class Events:
    """An open stream of events, read as it comes."""

    def __init__(self, server, target="/v1/changes", wait=30, **headers):
        self.target, self.sent = target, {**EVENTS, **headers}
        self.session = requests.Session()
        self.reply = self.session.get(
            f"http://{server.host}:{server.port}{target}", headers=self.sent, stream=True,
            timeout=wait)
        self.blocks = self.reply.iter_content(None)
        self.text = ""
        self.given = 0

    def next(self, kind="commit"):
        """The next event of a kind, with its id; None when the stream is over."""
        while True:
            events = parse(self.text)
            while self.given < len(events):
                self.given += 1
                if events[self.given - 1][1] == kind:
                    position, _, data = events[self.given - 1]
                    return position, data and json.loads(data)
            part = next(self.blocks, None)
            if part is None:
                return None
            self.text += part.decode()

    def close(self):
        body = self.text[:self.text.rfind("\n\n") + 2].encode()
        if self.reply.status_code != 200:
            body = self.reply.content
        self.reply.close()
        self.session.close()
        recorder.record("GET", self.target, self.sent, b"", self.reply.status_code,
                        dict(self.reply.headers), body, "a stream of events")


class EventsTest(unittest.TestCase):
    flags = ("--heartbeat", "0.3")

    def setUp(self):
        self.server = Server(*self.flags)
        self.addCleanup(lambda: self.server.process.poll() is None and self.server.stop())
        self.url = f"http://{self.server.host}:{self.server.port}"
        self.session = self.enterContext(requests.Session())
        self.auth = {}
        self.send("PUT", "/v1/trees/notes", 201, {"keys": "name"})
        self.epoch = self.server.epoch

    def send(self, method, target, status, body=None, **headers):
        reply = self.session.request(
            method, self.url + target, json=body, headers={**self.auth, **headers}, timeout=30)
        recorder.record(method, target, {**reply.request.headers}, reply.request.body, reply.status_code,
                        dict(reply.headers), reply.content, self.id())
        self.assertEqual(reply.status_code, status, reply.text)
        return reply

    def note(self, name, value=1, tree="notes"):
        """Makes a note; its position."""
        reply = self.send("PUT", f"/v1/records/{tree}/{name}", 201, value,
                          **{"If-None-Match": "*", "Content-Type": "application/json"})
        return reply.headers["Holdfast-Position"]

    def head(self):
        return self.send("GET", "/v1", 200).json()["head"]

    def events(self, *arguments, **headers):
        events = Events(self.server, *arguments, **{**self.auth, **headers})
        self.addCleanup(events.close)
        return events

    def poll(self, target, found, **headers):
        """Asks on a connection of its own, in a thread; `found` gets the reply."""
        def ask():
            with contextlib.closing(self.server.connection(self.id())) as connection:
                connection.request("GET", target, headers={**self.auth, **headers})
                response = connection.getresponse()
                found.append((response.status, response.headers, json.loads(response.read())))
        thread = threading.Thread(target=ask)
        thread.start()
        self.addCleanup(thread.join)
        return thread

    def until(self, metric, wanted):
        """Waits until a metric has a value."""
        deadline = time.monotonic() + 30
        while f"\n{metric} {wanted}\n" not in self.send("GET", "/metrics", 200).text:
            self.assertLess(time.monotonic(), deadline, f"{metric} is never {wanted}")


class LongPollTest(EventsTest):
    def test_it_answers_at_once_where_there_are_commits(self):
        reply = self.send("GET", f"/v1/changes?since={self.epoch}:0&wait=60", 200)
        self.assertEqual([c["seq"] for c in reply.json()["commits"]], [1])

    def test_it_waits_for_the_next_commit(self):
        head, found = self.head(), []
        thread = self.poll(f"/v1/changes?since={head}&wait=60", found)
        # A reply to the write alone lets it go on.
        self.send("GET", f"/v1/changes?since={head}", 200)
        self.assertEqual(found, [])
        position = self.note("a")
        thread.join(30)
        status, headers, page = found[0]
        self.assertEqual(status, 200)
        self.assertEqual([c["effects"][0]["set"]["key"]["name"] for c in page["commits"]], ["a"])
        self.assertEqual(page["next"], position)
        self.assertEqual(headers["Holdfast-Position"], position)

    def test_it_ends_with_an_empty_page(self):
        head = self.head()
        page = self.send("GET", f"/v1/changes?since={head}&wait=1", 200).json()
        self.assertEqual(page, {"commits": [], "next": head})

    def test_many_wait_at_once_and_one_commit_answers_all(self):
        head, found = self.head(), []
        threads = [self.poll(f"/v1/changes?since={head}&wait=60", found) for _ in range(50)]
        position = self.note("a")
        for thread in threads:
            thread.join(30)
        self.assertEqual([page["next"] for _, _, page in found], [position] * 50)

    def test_a_client_that_goes_away_costs_nothing(self):
        head = self.head()
        for _ in range(20):
            with socket.create_connection((self.server.host, self.server.port), 20) as stream:
                stream.sendall(f"GET /v1/changes?since={head}&wait=60 HTTP/1.1\r\n"
                               f"Host: {self.server.host}\r\n\r\n".encode())
        self.note("a")
        self.send("GET", "/v1", 200)

    def test_a_server_that_stops_answers(self):
        head, found = self.head(), []
        thread = self.poll(f"/v1/changes?since={head}&wait=60", found)
        reached = f"{head.split(':')[0]}:{int(head.split(':')[1])}"
        self.until("holdfast_connections", 2)
        self.assertEqual(self.server.stop(), 0)
        thread.join(30)
        self.assertEqual(found[0][2], {"commits": [], "next": reached})

    def test_times_that_are_none_are_refused(self):
        for wait in ("-1", "61", "1.5", "soon", ""):
            problem = self.send("GET", f"/v1/changes?wait={wait}", 400).json()
            self.assertEqual((problem["code"], problem["field"]), ("bad-parameter", "wait"))
        for accept in ("text/event-stream", "application/x-ndjson"):
            problem = self.send("GET", "/v1/changes?wait=1", 400, Accept=accept).json()
            self.assertEqual((problem["code"], problem["field"]), ("bad-parameter", "wait"))


class StreamTest(EventsTest):
    def test_every_commit_is_an_event_with_its_position(self):
        events = self.events()
        self.assertEqual(events.reply.status_code, 200)
        self.assertEqual(events.reply.headers["Content-Type"], "text/event-stream")
        self.assertEqual(events.reply.headers["Cache-Control"], "no-store")
        self.assertEqual(events.next()[0], f"{self.epoch}:1")
        for number in range(5):
            position = self.note(f"n{number}", {"lines": "a\nb"})
            found, commit = events.next()
            self.assertEqual(found, position)
            self.assertEqual(commit["effects"][0]["set"]["value"], {"lines": "a\nb"})
        page = self.send("GET", "/v1/changes", 200).json()["commits"]
        data = [json.loads(data) for _, kind, data in parse(events.text) if kind == "commit"]
        self.assertEqual(data, page)

    def test_a_value_of_many_lines_is_one_line_of_data(self):
        reply = self.session.put(f"{self.url}/v1/records/notes/long", data=b'{\n "a" :\r\n [\n1 ]\n}',
                                 headers={"Content-Type": "application/json", "If-None-Match": "*"})
        self.assertEqual(reply.status_code, 201, reply.text)
        events = self.events("/v1/changes?since=" + f"{self.epoch}:1")
        self.assertEqual(events.next()[1]["effects"][0]["set"]["value"], {"a": [1]})

    def test_the_last_id_resumes_and_wins(self):
        positions = [self.note(f"n{number}") for number in range(4)]
        events = self.events(f"/v1/changes?since={positions[0]}")
        self.assertEqual(events.next()[0], positions[1])
        # A browser comes back by its first address: since, and the chain of it.
        chain = self.send("GET", "/v1/changes?limit=2", 200).json()["commits"][1]["chain"]
        events = self.events(f"/v1/changes?since={positions[0]}&chain={chain}",
                             **{"Last-Event-ID": positions[2]})
        self.assertEqual(events.next()[0], positions[3])

    def test_heartbeats_are_comments_that_move_the_id(self):
        head = self.head()
        events = self.events(f"/v1/changes?since={head}")
        self.assertEqual(events.next(None), (head, None))
        self.assertIn(":\nid:", events.text)
        position = self.note("a")
        self.assertEqual(events.next()[0], position)
        self.assertEqual(events.next(None), (position, None))

    def test_what_cannot_begin_is_refused_before_the_stream(self):
        refused = [
            (f"/v1/changes?since={'0' * 13}:3", {}, 409, "diverged"),
            (f"/v1/changes?since={self.epoch}:1&chain={'0' * 32}", {}, 409, "diverged"),
            ("/v1/changes", {"Last-Event-ID": f"{self.epoch}:99"}, 409, "diverged"),
            ("/v1/changes", {"Last-Event-ID": "12"}, 400, "bad-header"),
            ("/v1/changes?limit=3", {}, 400, "bad-parameter"),
        ]
        for target, headers, status, code in refused:
            with self.subTest(target):
                reply = self.send("GET", target, status, **EVENTS, **headers)
                self.assertEqual(reply.headers["Content-Type"], "application/problem+json")
                self.assertEqual(reply.json()["code"], code)
        problem = self.send("GET", "/v1/changes", 400, **{"Last-Event-ID": "1"}).json()
        self.assertEqual((problem["code"], problem["field"]),
                         ("unsupported-parameter", "Last-Event-ID"))

    def test_a_client_that_goes_away_is_forgotten(self):
        events = self.events()
        self.until("holdfast_feed_clients", 1)
        events.close()
        self.until("holdfast_feed_clients", 0)

    def test_a_server_that_stops_says_goodbye(self):
        events = self.events()
        events.next()
        self.assertEqual(self.server.stop(), 0)
        self.assertEqual(events.next("bye")[1]["code"], 1012)
        self.assertIsNone(events.next())

    def test_curl_reads_it(self):
        for number in range(3):
            self.note(f"n{number}")
        curl = subprocess.Popen(
            ["curl", "--silent", "--no-buffer", "--max-time", "30", "-H",
             "Accept: text/event-stream", f"{self.url}/v1/changes?since={self.epoch}:1"],
            stdout=subprocess.PIPE, text=True)
        self.addCleanup(curl.stdout.close)
        self.addCleanup(curl.wait)
        self.addCleanup(curl.kill)
        text = ""
        while text.count("event: commit") < 3 or not text.endswith("\n\n"):
            text += curl.stdout.readline()
        self.assertEqual([position for position, kind, _ in parse(text) if kind],
                         [f"{self.epoch}:{seq}" for seq in (2, 3, 4)])

    @unittest.skipUnless(shutil.which("node"), "there is no node here")
    def test_nodes_fetch_reads_it(self):
        for number in range(3):
            self.note(f"n{number}")
        done = subprocess.run(
            ["node", "--input-type=module", "-e", NODE, f"{self.url}/v1/changes",
             f"{self.epoch}:1", "3"], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        found = json.loads(done.stdout)
        self.assertEqual((found["status"], found["type"]), (200, "text/event-stream"))
        self.assertEqual([position for position, kind, _ in parse(found["text"]) if kind],
                         [f"{self.epoch}:{seq}" for seq in (2, 3, 4)])


class RightsTest(EventsTest):
    """What a token may not read does not come, and what ends a token ends what it opened."""

    def setUp(self):
        super().setUp()
        self.send("PUT", "/v1/trees/hidden", 201, {"keys": "name"})
        self.send("PUT", "/v1/trees/parts", 201, schema(0))
        everything = {"*": ["read", "write", "seize", "migrate", "admin"]}
        self.admin, _ = self.give("anna", everything)
        self.auth = {"Authorization": f"Bearer {self.admin}"}
        self.reader, self.reader_id = self.give("ben", {"notes": ["read"]})

    def give(self, user, rights):
        reply = self.send("POST", "/v1/tokens", 201, {
            "user": user, "integration": f"{user}'s rig", "rights": rights}).json()
        return reply["token"], reply["id"]

    def of_reader(self, target="/v1/changes"):
        return self.events(target, Authorization=f"Bearer {self.reader}")

    def test_a_stream_shows_what_its_token_may_read(self):
        events = self.of_reader(f"/v1/changes?since={self.head()}")
        self.note("secret", tree="hidden")
        position = self.note("plain")
        self.assertEqual(events.next()[0], position)
        self.assertNotIn("secret", events.text)
        hidden = self.note("secret2", tree="hidden")
        # The heartbeat tells a reader of little how far it is.
        while events.next(None)[0] != hidden:
            pass

    def test_a_long_poll_waits_for_what_its_token_may_read(self):
        found = []
        thread = self.poll(f"/v1/changes?since={self.head()}&wait=60", found,
                           Authorization=f"Bearer {self.reader}")
        self.note("secret", tree="hidden")
        position = self.note("plain")
        thread.join(30)
        self.assertEqual(found[0][2]["next"], position)
        self.assertEqual([c["seq"] for c in found[0][2]["commits"]],
                         [int(position.split(":")[1])])

    def test_a_long_log_of_what_it_may_not_read(self):
        """More commits than are looked at in one go, of which none is shown: the reader comes to the
        one behind them on every way."""
        since, count = self.head(), 2 * 10_000 + 500
        lines = "".join(
            json.dumps({"operations": [{"put": {
                "tree": "hidden", "key": {"name": f"n{number}", "revision": 0},
                "expects": "absent", "value": 1}}]}) + "\n"
            for number in range(count))
        reply = self.session.post(
            self.url + "/v1/changes", data=lines, timeout=120, headers={
                **self.auth, "Content-Type": "application/x-ndjson",
                "Idempotency-Key": str(uuid.uuid4())})
        self.assertIn(f'"accepted":{count},', reply.text[-300:])
        position = self.note("last")
        self.assertEqual(self.of_reader(f"/v1/changes?since={since}").next()[0], position)
        reader = {"Authorization": f"Bearer {self.reader}"}
        lines = self.send("GET", f"/v1/changes?since={since}", 200,
                          Accept="application/x-ndjson", **reader).text.splitlines()
        self.assertEqual([json.loads(line)["seq"] for line in lines], [int(position.split(":")[1])])
        with websockets.sync.client.connect(
                f"ws://{self.server.host}:{self.server.port}/v1/feed", compression=None,
                subprotocols=["holdfast.feed.v1"], additional_headers=reader) as feed:
            feed.send(json.dumps({"start": {"since": since}}))
            names = []
            while "live" not in names:
                names += json.loads(feed.recv(30))
        self.assertEqual(names, ["hello", "started", "catchingUp", "commit", "live"])

    def test_a_revoked_token_ends_both(self):
        head, found = self.head(), []
        events = self.of_reader(f"/v1/changes?since={head}")
        thread = self.poll(f"/v1/changes?since={head}&wait=60", found,
                           Authorization=f"Bearer {self.reader}")
        self.until("holdfast_feed_clients", 1)
        self.send("DELETE", f"/v1/tokens/{self.reader_id}", 204)
        _, said = events.next("bye")
        self.assertEqual(said["code"], 4401)
        self.assertIsNone(events.next())
        thread.join(30)
        self.assertEqual((found[0][0], found[0][2]["code"] in ("token-ended", "token-unknown")),
                         (401, True))
        self.assertEqual(self.of_reader().reply.status_code, 401)

    def test_the_first_token_ends_those_who_showed_none(self):
        other = Server()
        self.addCleanup(other.stop)
        events = Events(other)
        self.addCleanup(events.close)
        requests.post(f"http://{other.host}:{other.port}/v1/tokens", json={
            "user": "anna", "device": "PC-1", "rights": {"*": ["read", "admin"]}}, timeout=30)
        self.assertEqual(events.next("bye")[1]["code"], 4401)


class SlowTest(EventsTest):
    """Whoever does not read costs its socket and 64 KiB, and nobody else anything."""

    flags = ("--heartbeat", "0.3", "--segment-bytes", "65536")

    def frozen(self, target="/v1/changes"):
        stream = socket.socket()
        self.addCleanup(stream.close)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stream.settimeout(60)
        stream.connect((self.server.host, self.server.port))
        stream.sendall(f"GET {target} HTTP/1.1\r\nHost: {self.server.host}\r\n"
                       f"Accept: text/event-stream\r\n\r\n".encode())
        return stream

    def processor_seconds(self):
        with open(f"/proc/{self.server.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident(self):
        with open(f"/proc/{self.server.process.pid}/smaps_rollup", encoding="ascii") as file:
            fields = dict(line.split(":", 1) for line in file if ":" in line)
        return int(fields["Anonymous"].split()[0])

    def frozen_feed(self):
        feed = raw.WebSocket(self.server)
        self.addCleanup(feed.close)
        feed.stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        feed.wait_for("hello")
        feed.send({"start": {}})
        feed.wait_for("live")

    def test_many_frozen_ones_cost_nobody_anything(self):
        """Everybody else gets every commit, memory grows by what is promised at most, and nothing is
        done for those who do not read."""
        live = self.events()
        live.next()
        before = self.resident()
        self.everybody_gets(live, "before")
        between = self.resident()
        for _ in range(25):
            self.frozen()
            self.frozen_feed()
        self.everybody_gets(live, "beside")
        grown = (self.resident() - between) - (between - before)
        self.assertLess(grown, 50 * 128, "KiB for 50 frozen clients")
        began, used = time.monotonic(), self.processor_seconds()
        for _ in range(5):
            live.next(None)
        share = (self.processor_seconds() - used) / (time.monotonic() - began)
        self.assertLess(share, 0.1, "processors in use while nothing happens")

    def everybody_gets(self, live, name):
        # Of different lengths, so that frozen clients have all amounts waiting for them.
        for number in range(300):
            position = self.note(f"{name}{number}", "x" * (15_000 + 50 * number))
            self.assertEqual(live.next()[0], position)

    def test_it_gets_every_commit_when_it_reads_on(self):
        stream = self.frozen()
        positions = [f"{self.epoch}:1"]
        positions += [self.note(f"n{number}", "x" * 20_000) for number in range(300)]
        received = b""
        while positions[-1].encode() not in received:
            part = stream.recv(1 << 20)
            self.assertTrue(part)
            received += part
        found = [line[4:].decode() for line in received.split(b"\n") if line.startswith(b"id: ")]
        self.assertEqual([position for position in dict.fromkeys(found)], positions)

    def again(self, *flags):
        """Another server in the place of the first."""
        self.server.stop()
        self.server = Server(*flags)
        self.url = f"http://{self.server.host}:{self.server.port}"
        self.epoch = self.server.epoch
        self.send("PUT", "/v1/trees/notes", 201, {"keys": "name"})

    def test_a_steady_one_is_not_cut_and_a_frozen_one_is(self):
        """Whoever takes some of what waits, always, may be slower than all deadlines."""
        self.again("--stall-timeout", "1", "--heartbeat", "0.3")
        frozen, steady = self.frozen(), self.frozen()
        positions = []
        writer = threading.Thread(target=lambda: positions.extend(
            self.note(f"n{number}", "x" * 20_000) for number in range(300)))
        writer.start()
        self.addCleanup(writer.join)
        received, began = b"", time.monotonic()
        while writer.is_alive() or positions[-1].encode() not in received[-100_000:]:
            # Three deadlines pass before the first half is read.
            if len(received) < 3_000_000:
                time.sleep(max(0, began + 3 * len(received) / 3_000_000 - time.monotonic()))
            part = steady.recv(64 << 10)
            self.assertTrue(part)
            received += part
        self.assertGreater(time.monotonic() - began, 3)
        with contextlib.suppress(ConnectionResetError):
            while part := frozen.recv(1 << 20):
                self.assertNotIn(positions[-1].encode(), part)

    def test_it_is_told_when_the_log_was_cut(self):
        self.again("--segment-bytes", "65536", "--history-days", "0")
        stream = self.frozen()
        for number in range(40):
            self.note(f"n{number}", "x" * 500_000)
        self.send("POST", "/v1/snapshot", 200)
        received = b""
        while b"event: bye" not in received:
            part = stream.recv(1 << 20)
            self.assertTrue(part)
            received = received[-1000:] + part
        self.assertIn(b'"code":4410', received)


if __name__ == "__main__":
    unittest.main()
