#!/usr/bin/env python3
"""Every operation against every caller: the table of rows_rights.py, and what stands around it."""

import json
import os
import time
import unittest

import websockets.exceptions
import websockets.sync.client

import check
import rows_rights
from contract import Contract
from rows_rights import CALLERS, WORDS, as_
from server import Server, run
from table import Row, ServedTable


class RightsTest(ServedTable):
    flags = ("--segment-bytes", "65536")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.saved["token:unknown"] = "hf_" + "0" * 64

    @classmethod
    def tearDownClass(cls):
        secrets = [cls.saved[name] for name in cls.saved if name.startswith("token:")]
        log = cls.server.errors()
        data = cls.server.data
        found = []
        for folder, _, names in os.walk(data):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    content = file.read()
                found += [name for secret in secrets if secret[3:].encode() in content]
        super().tearDownClass()
        assert not any(secret in log for secret in secrets), "a secret stands in the log"
        assert not found, f"a secret stands in {found}"

    def compare(self, row, reply):
        super().compare(row, reply)
        caller = row.name.rsplit(" by ", 1)[-1]
        if row.name.split(" ")[0] in rows_rights.TELLS_OF_TREES:
            return
        told = reply.body + repr(reply.headers).encode()
        # A refusal may repeat what the request itself named.
        asked = (self.fill(row.target) + json.dumps(row.json or "")).encode()
        for word in WORDS.get(caller, ()):
            if word not in asked:
                self.assertNotIn(word, told, f"{row.name} tells of {word}")

    def test_1_before_there_is_a_token(self):
        self.run_rows(rows_rights.OPEN)

    def test_2_tokens_are_given_out(self):
        self.run_rows([rows_rights.give(caller) for caller in rows_rights.RIGHTS])
        self.run_rows([rows_rights.make(caller) for caller in CALLERS])
        self.run_rows([rows_rights.HELD, rows_rights.LATE])

    def test_3_the_table(self):
        for operation, method, target, cells, more in rows_rights.operations():
            for caller in CALLERS:
                row = rows_rights.row(operation, method, target, cells[caller], caller, more)
                self.run_rows([row])
            if operation == "getSnapshot":
                self.parts_are_cut()

    def parts_are_cut(self):
        """Of a snapshot everybody is told the parts of its own trees; of tokens nobody is."""
        blocks = lambda caller: {part["block"] for part in self.saved[f"parts:{caller}"]}
        for part in self.saved["parts:admin"]:
            if part["kind"] == "records":
                self.saved["part:" + part["block"]] = part["sha256"]
        self.assertIn("hidden", blocks("admin"))
        self.assertNotIn("_tokens", blocks("admin"))
        self.assertEqual(blocks("watcher"), blocks("admin"))
        self.assertLessEqual({"parts", "_trees"}, blocks("reader"))
        self.assertLessEqual(
            blocks("reader"), {"parts", "_borrows/parts", "_ranges/parts", "_trees", "_devices"})
        self.assertFalse(any("parts" in block for block in blocks("other")))

    def test_4_every_operation_is_in_the_table(self):
        known = {operation for operation, *_ in rows_rights.operations()}
        documented = {operation.id for operation in Contract(check.SPEC).operations}
        self.assertEqual(documented - known, {"openFeed", "openMirror"})

    def test_5_tokens(self):
        self.run_rows(rows_rights.TOKENS)

    def test_6_what_may_not_be_read_is_not_there(self):
        """To one who may not read a tree, every request is answered as of a tree there is not."""
        targets = [
            ("GET", "/v1/trees/TREE"), ("GET", "/v1/records/TREE"), ("GET", "/v1/records/TREE/secret-key"),
            ("GET", "/v1/records/TREE/secret-key?meta=true"), ("GET", "/v1/records/TREE?prefix=s"),
            ("DELETE", "/v1/records/TREE/secret-key"), ("PUT", "/v1/records/TREE/secret-key"),
            ("PUT", "/v1/records/TREE/a%20new%20one"), ("PATCH", "/v1/records/TREE/secret-key"),
            ("POST", "/v1/records/TREE"), ("POST", "/v1/records/TREE/secret-key/release"),
            ("POST", "/v1/records/TREE/secret-key/revise"), ("PUT", "/v1/trees/TREE"),
            ("GET", "/v1/borrows?tree=TREE"), ("GET", "/v1/ranges?tree=TREE")]
        bodies = {"PUT": {"keys": "name"}, "PATCH": {"a": 1}, "POST": {}}
        rows = [(method, target, bodies.get(method)) for method, target in targets]
        for operation in (
                {"put": {"tree": "TREE", "key": {"name": "secret-key"}, "expects": "absent", "value": {}}},
                {"put": {"tree": "TREE", "expects": "absent", "value": {}}},
                {"delete": {"tree": "TREE", "key": {"name": "secret-key", "revision": 0}}},
                {"borrow": {"tree": "TREE", "key": {"name": "secret-key", "revision": 0},
                            "borrow": "${u:new}"}},
                {"reserve": {"tree": "TREE", "count": 1}},
                {"defineTree": {"tree": "TREE", "definition": {"keys": "name"}}}):
            rows.append(("POST", "/v1/changes", {"operations": [operation]}))
        rows.append(("POST", "/v1/ranges", {"tree": "TREE", "count": 1}))
        rows.append(("PUT", "/v1/borrows/${u:new}",
                     {"tree": "TREE", "key": {"name": "secret-key", "revision": 0}}))
        seq, _ = self.head()
        for method, target, body in rows:
            kind = "application/merge-patch+json" if method == "PATCH" else None
            with self.subTest(f"{method} {target} {json.dumps(body)}"):
                replies = []
                for tree in ("hidden", "nowhere"):
                    text = json.dumps(body).replace("TREE", tree)
                    reply = self.send(Row(
                        "a tree", method, target.replace("TREE", tree), 404, type=kind,
                        json=json.loads(text), headers=as_("reader")))
                    told = reply.body.replace(tree.encode(), b"TREE")
                    names = {name for name in reply.headers if name != "content-length"}
                    replies.append((reply.status, told, names))
                self.assertGreaterEqual(replies[0][0], 400)
                self.assertEqual(*replies)
        self.assertEqual(self.head()[0], seq)

    def feed(self, caller, path="feed"):
        url = f"ws://{self.server.host}:{self.server.port}/v1/{path}"
        return websockets.sync.client.connect(
            url, subprotocols=[f"holdfast.{path}.v1"], max_size=None, compression=None,
            additional_headers=self.fill(as_(caller)))

    def test_7_feeds_and_mirrors_ask_too(self):
        for path in ("feed", "mirror"):
            for caller in ("none", "unknown", "revoked"):
                with self.subTest(f"{path} by {caller}"):
                    with self.assertRaises(websockets.exceptions.InvalidStatus) as caught:
                        self.feed(caller, path)
                    self.assertEqual(caught.exception.response.status_code, 401)

    def commits(self, caller, start=None):
        """The commits a caller is shown, up to the head."""
        head, _ = self.head()
        shown = []
        with self.feed(caller) as feed:
            hello = json.loads(feed.recv(30))["hello"]
            feed.send(json.dumps({"start": {"since": f"{hello['epoch']}:0", **(start or {})}}))
            while True:
                message = json.loads(feed.recv(30))
                if "commit" in message:
                    shown.append(message["commit"])
                if "live" in message:
                    return shown, head

    def test_8_a_feed_shows_what_may_be_read(self):
        def trees(commits):
            return {next(iter(e.values()))["tree"] for c in commits for e in c["effects"]}
        shown, head = self.commits("admin")
        self.assertEqual([c["seq"] for c in shown], list(range(1, head + 1)))
        self.assertNotIn("_tokens", trees(shown))
        self.assertLessEqual({"parts", "hidden", "_trees"}, trees(shown))
        for commit in shown:
            if not commit["effects"]:
                self.assertNotIn("why", commit)
                self.assertNotIn("app", commit)
        for start in ({}, {"trees": ["parts", "hidden", "_trees", "_tokens", "_devices"]}):
            with self.subTest(start):
                cut, _ = self.commits("reader", start)
                self.assertLessEqual(trees(cut), {"parts", "_borrows", "_ranges"})
                self.assertTrue(cut and all(commit["effects"] for commit in cut))
                for word in ("hidden", "secret"):
                    self.assertNotIn(word, json.dumps(cut))
        trees = [effect["set"]["tree"] for commit in self.commits("other")[0]
                 for effect in commit["effects"]]
        self.assertEqual(trees, ["other"])

    def test_8a_a_ticket_opens_one_feed_once(self):
        def opens(address):
            return websockets.sync.client.connect(
                f"ws://{self.server.host}:{self.server.port}{self.fill(address)}",
                subprotocols=["holdfast.feed.v1"], compression=None)
        made = self.send(Row("a ticket", "POST", "/v1/feed/tickets", 201, headers=as_("reader")))
        self.saved["ticket"] = made.json["ticket"]
        with opens("/v1/feed?ticket=${ticket}") as feed:
            hello = json.loads(feed.recv(30))["hello"]
            feed.send(json.dumps({"start": {"since": f"{hello['epoch']}:0"}}))
            shown = []
            while not shown or "live" not in shown[-1]:
                shown.append(json.loads(feed.recv(30)))
            self.assertNotIn("hidden", json.dumps(shown))
            self.assertIn("bolt", json.dumps(shown))
        for address in ("/v1/feed?ticket=${ticket}", "/v1/feed?ticket=hft_0", "/v1/feed?ticket",
                        "/v1/mirror?ticket=${ticket:admin}"):
            with self.subTest(address):
                with self.assertRaises(websockets.exceptions.InvalidStatus) as caught:
                    opens(address)
                self.assertEqual(caught.exception.response.status_code, 401)
        # Who lost its token meanwhile opens nothing by a ticket.
        made = self.send(Row("a token", "POST", "/v1/tokens", 201, headers=as_("admin"),
                             json={"user": "fay", "device": "PC-6", "rights": {"*": ["read"]}}))
        self.saved["token:fay"] = made.json["token"]
        ticket = self.send(Row("a ticket", "POST", "/v1/feed/tickets", 201, headers=as_("fay")))
        self.saved["ticket"] = ticket.json["ticket"]
        self.send(Row("revoked", "DELETE", f"/v1/tokens/{made.json['id']}", 204,
                      headers=as_("admin")))
        with self.assertRaises(websockets.exceptions.InvalidStatus):
            opens("/v1/feed?ticket=${ticket}")

    def end(self, feed):
        """The code a feed is closed with, and its last message; heartbeats do not keep it."""
        last, until = None, time.monotonic() + 30
        try:
            while True:
                last = json.loads(feed.recv(max(0, until - time.monotonic())))
        except websockets.exceptions.ConnectionClosed as closed:
            return closed.rcvd.code, last

    def test_9_a_feed_ends_with_its_token(self):
        made = self.send(Row("a token to revoke", "POST", "/v1/tokens", 201, headers=as_("admin"),
                             json={"user": "dora", "device": "PC-4", "rights": {"*": ["read"]}}))
        self.saved["token:dora"] = made.json["token"]
        with self.feed("dora") as feed, self.feed("reader") as stays:
            for one in (feed, stays):
                json.loads(one.recv(30))
                one.send(json.dumps({"start": {}}))
            self.run_rows([Row("revoked", "DELETE", f"/v1/tokens/{made.json['id']}", 204,
                               headers=as_("admin"), commits=1)])
            code, last = self.end(feed)
            self.assertEqual(code, 4401)
            self.assertEqual(last["bye"]["code"], 4401)
            self.run_rows([Row("refused from now on", "GET", "/v1/trees", 401, "token-unknown",
                               headers=as_("dora"))])
            row = Row("another commit", "POST", "/v1/records/parts", 201, headers=as_("admin"),
                      json={"n": "bolt"})
            self.compare(row, self.send(row))
            until = time.monotonic() + 30
            while "commit" not in json.loads(stays.recv(max(0, until - time.monotonic()))):
                pass

    def test_a_token_ends(self):
        """A token with an end is refused behind it, and its feed ends."""
        import datetime
        ends = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=2)
        made = self.send(Row("a token that ends", "POST", "/v1/tokens", 201, headers=as_("admin"),
                             json={"user": "emil", "device": "PC-5", "rights": {"*": ["read"]},
                                   "ends": ends.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"}))
        self.assertEqual(made.status, 201, made.body)
        self.saved["token:emil"] = made.json["token"]
        with self.feed("emil") as feed:
            json.loads(feed.recv(30))
            feed.send(json.dumps({"start": {}}))
            self.assertEqual(self.end(feed)[0], 4401)
        self.run_rows([Row("its time is over", "GET", "/v1/trees", 401, "token-ended",
                           headers=as_("emil"))])


class TokenCommandTest(unittest.TestCase):
    """`holdfast token`, where the database lies and over the network."""

    def test_the_first_token_is_made_where_the_database_lies(self):
        server = Server()
        server.is_own_data = False
        server.stop()
        data = ["--data", server.data]
        give = ["token", "create", "--for-user", "anna", "--for-device", "PC-1"]
        code, out, err = run(*give, "--right", "*=read", *data)
        self.assertEqual((code, out), (1, ""), err)
        self.assertIn("last-admin", err)
        code, out, err = run(*give, "--right", "*=read,admin", "--right", "parts=write", *data)
        self.assertEqual(code, 0, err)
        secret = out.strip()
        self.assertRegex(secret, "^hf_[0-9a-f]{64}$")
        self.assertNotIn(secret, err)
        again = Server(data=server.data)
        try:
            url = ["--url", f"http://{again.host}:{again.port}"]
            code, _, err = run("ls", "parts", *url)
            self.assertEqual(code, 1)
            self.assertIn("token-missing", err)
            shown = {"HOLDFAST_TOKEN": secret}
            code, out, err = run("token", "list", *url, environment=shown)
            self.assertEqual(code, 0, err)
            first = json.loads(out)
            self.assertEqual(first["rights"], {"*": ["read", "admin"], "parts": ["read", "write"]})
            self.assertNotIn("token", first)
            code, out, err = run("token", "create", "--for-user", "rig", "--for-integration",
                                 "press", "--right", "parts=read", "--ends",
                                 "2099-01-01T00:00:00Z", *url, environment=shown)
            self.assertEqual(code, 0, err)
            file = os.path.join(server.data, "..", os.path.basename(server.data) + ".token")
            with open(file, "w", encoding="ascii") as token:
                token.write(out)
            code, out, err = run("token", "list", *url, "--token-file", file)
            os.remove(file)
            self.assertEqual(code, 1)
            self.assertIn("forbidden", err)
            code, _, err = run("token", "revoke", first["id"], *url, environment=shown)
            self.assertEqual(code, 1)
            self.assertIn("last-admin", err)
            code, out, err = run("token", "list", "--data", server.data)
            self.assertEqual(code, 75, "somebody serves it")
        finally:
            again.is_own_data = True
            code, out, err = 0, "", ""
            again.process.send_signal(15)
            again.process.wait(timeout=30)
            code, _, err = run("token", "revoke", first["id"], *data)
            again.stop()
        self.assertEqual(code, 0, err)

    def test_what_a_token_is_to_be(self):
        give = ["token", "create", "--data", "/nonexistent"]
        for words, wanted in (
                ([], "--for-user"), (["--for-user", "a"], "--for-device"),
                (["--for-user", "a", "--for-device", "b"], "--right"),
                (["--for-user", "a", "--for-device", "b", "--right", "parts"], "TREE=RIGHTS"),
                (["--for-user", "a", "--for-device", "b", "--right", "parts=fly"], "TREE=RIGHTS"),
                (["--for-user", "a", "--for-device", "b", "--right", "_trees=read"], "tree"),
                (["--for-user", "a", "--for-device", "b", "--right", "*=read", "--ends", "soon"],
                 "UTC")):
            with self.subTest(words):
                code, out, err = run(*give, *words)
                self.assertEqual((code, out), (64, ""), err)
                self.assertIn(wanted, err)

    def test_how_often_a_token_may_ask(self):
        server = Server()
        server.is_own_data = False
        server.stop()
        secrets = []
        for user in ("anna", "ben"):
            code, out, err = run("token", "create", "--data", server.data, "--for-user", user,
                                 "--for-device", "PC-1", "--right", "*=read,admin")
            self.assertEqual(code, 0, err)
            secrets.append(out.strip())
        again = Server("--token-rate", "0.05", data=server.data)
        again.is_own_data = True
        try:
            def ask(secret, target="/v1/trees"):
                connection = again.connection("as often as a token may")
                connection.request(
                    "GET", target, headers={"Authorization": "Bearer " + secret} if secret else {})
                reply = connection.getresponse()
                body = json.loads(reply.read())
                connection.close()
                return reply, body
            self.assertEqual(ask(secrets[0])[0].status, 200)
            reply, body = ask(secrets[0])
            self.assertEqual((reply.status, body["code"]), (429, "too-many-requests"))
            self.assertIn(int(reply.getheader("Retry-After")), range(1, 21))
            # Others are free, and so is who shows no token.
            self.assertEqual(ask(secrets[1])[0].status, 200)
            for _ in range(3):
                self.assertEqual(ask(None, "/v1")[0].status, 200)
        finally:
            again.stop()
        code, _, err = run("serve", "--data", "none", "--token-rate", "0")
        self.assertEqual(code, 64)
        self.assertIn("--token-rate", err)

    def test_other_addresses_than_loopback(self):
        server = Server()
        server.is_own_data = False
        server.stop()
        try:
            code, _, err = run("serve", "--data", server.data, "--listen", "0.0.0.0:0")
            self.assertEqual(code, 78)
            self.assertIn("--without-tls", err)
            wide = Server("--without-tls", data=server.data, listen="0.0.0.0:0")
            self.assertIn("serve.tokens.none", wide.errors())
            wide.host = "127.0.0.1"
            for target, status in (("/v1/trees", 401), ("/v1", 200), ("/v1/tokens", 401)):
                connection = wide.connection("no tokens, not loopback")
                connection.request("GET", target)
                self.assertEqual(connection.getresponse().status, status, target)
                connection.close()
            wide.stop()
            wide = Server("--without-tls", "--without-tokens", data=server.data,
                          listen="0.0.0.0:0")
            wide.host = "127.0.0.1"
            connection = wide.connection("taken at their word")
            connection.request("GET", "/v1/trees")
            self.assertEqual(connection.getresponse().status, 200)
            connection.close()
            wide.is_own_data = True
            wide.stop()
        finally:
            import shutil
            shutil.rmtree(server.data, ignore_errors=True)


if __name__ == "__main__":
    unittest.main()
