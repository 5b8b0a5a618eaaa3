#!/usr/bin/env python3
"""The feed's activity: who reads what, connects and is there, told to who administers and asks."""

import contextlib
import json
import time
import unittest

import websockets.sync.client

import raw
from rows_rights import as_
from server import Server
from table import Row, Table


class ActivityTest(Table):
    saved = {}

    def setUp(self):
        self.saved = {}
        self.server = Server("--heartbeat", "0.3")
        self.addCleanup(self.server.stop)
        self.run_rows([
            Row("notes", "PUT", "/v1/trees/notes", 201, json={"keys": "name"}, commits=1),
            Row("a note", "PUT", "/v1/records/notes/a", 201, json=1, commits=1,
                headers={"If-None-Match": "*"})])

    def open(self, start, token=None, ends=False):
        """A feed that is live, or one that has said its start and `ends`."""
        url = f"ws://{self.server.host}:{self.server.port}/v1/feed"
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        feed = self.enterContext(websockets.sync.client.connect(
            url, subprotocols=["holdfast.feed.v1"], compression=None, max_size=None,
            additional_headers=headers))
        self.assertIn("hello", json.loads(feed.recv()))
        feed.send(json.dumps({"start": start}))
        while not ends and "live" not in json.loads(feed.recv(timeout=30)):
            pass
        return feed

    def told(self, feed, **members):
        """The next activity that has these members."""
        deadline = time.monotonic() + 30
        while True:
            self.assertLess(time.monotonic(), deadline, members)
            (name, content), = json.loads(feed.recv(timeout=30)).items()
            if name == "activity" and all(content.get(k) == v for k, v in members.items()):
                return content

    def get(self, target, **headers):
        with contextlib.closing(self.server.connection(self.id())) as connection:
            connection.request("GET", target, headers=headers)
            reply = connection.getresponse()
            return reply.status, reply.read()

    def test_reads_and_lists_are_told(self):
        feed = self.open({"activity": True})
        anna = {"Holdfast-User": "anna", "Holdfast-Device": "PC-1"}
        self.get("/v1/records/notes/a?meta=true", **anna)
        read = self.told(feed, kind="read")
        self.assertEqual((read["by"], read["device"], read["path"]),
                         ("anna", "PC-1", "/v1/records/notes/a"))
        self.assertRegex(read["at"], "^20.*Z$")
        self.get("/v1/records/notes?limit=1", **anna)
        self.assertEqual(self.told(feed, kind="list")["path"], "/v1/records/notes")
        # Nothing of it is a commit, and what is none of the API's reads is not told.
        self.get("/livez")
        self.get("/v1")
        self.assertEqual(self.told(feed, kind="read")["path"], "/v1")

    def test_connections_and_heartbeats_are_told(self):
        feed = self.open({"activity": True})
        other = self.open({})
        self.told(feed, kind="connect", path="/v1/feed")
        self.assertEqual(self.told(feed, kind="heartbeat", path="/v1/feed")["seq"], 2)
        other.close()
        self.told(feed, kind="disconnect", path="/v1/feed")
        mirror = self.enterContext(websockets.sync.client.connect(
            f"ws://{self.server.host}:{self.server.port}/v1/mirror", compression=None,
            subprotocols=["holdfast.mirror.v1"], max_size=None))
        mirror.send(b"\x01" + json.dumps({
            "protocol": 1, "databaseID": self.server.database_id, "application": "conformance",
            "device": "d-1", "user": "ben", "app": "", "appVersion": "", "settled": 0}).encode())
        self.assertEqual(self.told(feed, kind="connect", path="/v1/mirror")["by"], "ben")
        self.told(feed, kind="heartbeat", path="/v1/mirror", device="d-1", seq=3)
        mirror.close()
        self.told(feed, kind="disconnect", path="/v1/mirror", device="d-1")

    def test_who_did_not_ask_is_told_nothing_and_commits_go_on(self):
        plain, asking = self.open({}), self.open({"activity": True})
        self.told(asking, kind="heartbeat")
        self.get("/v1/records/notes/a")
        self.told(asking, kind="read")
        self.run_rows([Row("a write", "PUT", "/v1/records/notes/b", 201, json=1, commits=1,
                           headers={"If-None-Match": "*"})])
        names = []
        while "commit" not in names:
            names += json.loads(plain.recv(timeout=30))
        self.assertNotIn("activity", names)
        while "commit" not in json.loads(asking.recv(timeout=30)):
            pass

    def test_it_needs_admin_and_tells_no_secret(self):
        everything = {"*": ["read", "write", "seize", "migrate", "admin"]}
        rows = [Row("admin", "POST", "/v1/tokens", 201, commits=1, save={"token:admin": "token"},
                    json={"user": "anna", "device": "PC-1", "rights": everything})]
        self.run_rows(rows)
        reply = self.send(Row("reader", "POST", "/v1/tokens", 201, headers=as_("admin"), json={
            "user": "ben", "device": "d2", "rights": {"*": ["read"], "notes": ["admin"]}}))
        reader = reply.json["token"]
        refused = self.open({"activity": True}, reader, ends=True)
        said = json.loads(refused.recv(timeout=30))
        self.assertEqual(said["bye"]["code"], 4403)
        feed = self.open({"activity": True}, self.saved["token:admin"])
        ticket = self.send(Row("a ticket", "POST", "/v1/feed/tickets", 201, headers=as_("admin")))
        text = ticket.json["ticket"]
        self.get(f"/v1/feed?ticket={text}")
        self.get("/v1/records/notes?cursor=secret", Authorization=f"Bearer {reader}")
        heard = ""
        while "/v1/records/notes" not in heard:
            heard += feed.recv(timeout=30)
        for secret in (text, reader, self.saved["token:admin"], "cursor=secret"):
            self.assertNotIn(secret, heard)

    def test_a_watcher_that_does_not_read_is_told_how_much_it_missed(self):
        feed = raw.WebSocket(self.server)
        self.addCleanup(feed.close)
        feed.stream.setsockopt(raw.socket.SOL_SOCKET, raw.socket.SO_RCVBUF, 4096)
        feed.wait_for("hello")
        feed.send({"start": {"activity": True}})
        feed.wait_for("live")
        path = "/v1/records/notes/" + "x" * 500
        count = 10_000
        request = f"GET {path} HTTP/1.1\r\nHost: {self.server.host}\r\n\r\n".encode()
        with raw.socket.create_connection((self.server.host, self.server.port), 60) as stream:
            for _ in range(count // 100):
                stream.sendall(request * 100)
                replies = b""
                while replies.count(b"HTTP/1.1 404") < 100:
                    replies += stream.recv(1 << 20)
        missed = told = 0
        # Every one was told or is counted; the heartbeats' that were missed are counted too.
        while missed + told < count:
            content, _ = feed.wait_for("activity")
            missed += content.get("missed", 0)
            told += content.get("path") == path
        self.assertGreater(missed, 0)
        self.assertGreater(told, 0)


if __name__ == "__main__":
    unittest.main()
