#!/usr/bin/env python3
"""`holdfast backup` and `restore` with a real server and real files."""

import glob
import hashlib
import http.client
import http.server
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import unittest

import requests
import websockets.exceptions
import websockets.sync.client

from server import BINARY, REPOSITORY, Server, run, wait_until

sys.path[:0] = [os.path.join(REPOSITORY, "Tests", each) for each in ("Scenario", "Tools")]
os.environ.setdefault("HOLDFAST_BIN", BINARY)

from mirrors import Mirror, create, update  # noqa: E402


class CuttingProxy(http.server.BaseHTTPRequestHandler):
    """Passes requests on, and cuts the first answer that carries a part in the middle."""

    cuts = 0
    ranges = []
    upstream = None

    def log_message(self, *_):
        pass

    def pass_on(self):
        upstream = http.client.HTTPConnection(*self.upstream, timeout=30)
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else None
        fields = {name: value for name, value in self.headers.items()
                  if name.lower() in ("range", "content-length", "content-type")}
        upstream.request(self.command, self.path, body=body, headers=fields)
        reply = upstream.getresponse()
        answer = reply.read()
        self.send_response(reply.status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if re.match("/v1/snapshot/.", self.path):
            type(self).ranges.append(self.headers["Range"])
            if not self.cuts:
                type(self).cuts += 1
                answer = answer[:len(answer) // 2]
        self.wfile.write(answer)
        self.close_connection = True
        upstream.close()

    do_GET = do_POST = pass_on


class KillingProxy(CuttingProxy):
    """Passes requests on, and kills the server when a second piece of commits comes."""

    pieces = 0
    server_process = None

    def do_POST(self):
        if self.path == "/v1/heal":
            type(self).pieces += 1
            if self.pieces == 2:
                self.server_process.kill()
                self.server_process.wait()
                self.close_connection = True
                return
        self.pass_on()


class BackupTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="holdfast-backup-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.data = self.path("data")
        self.backups = self.path("backups")

    def path(self, name):
        return os.path.join(self.folder, name)

    def serve(self, data=None, *flags, **settings):
        server = Server(*flags, data=data or self.data, **settings)
        self.addCleanup(server.stop)
        return server, f"http://{server.host}:{server.port}"

    def mirror(self, url, name):
        mirror = Mirror(self.path(name), url, name, "--application", "conformance").start()
        self.addCleanup(mirror.kill)
        mirror.run("sync")
        return mirror

    def about(self, server):
        return json.loads(self.exchange(server, "GET", "/v1")[1])

    def wait_for_head(self, mirror, server):
        """Until a mirror has all the server has; what that says of itself then."""
        def reached():
            about = self.about(server)
            # What mirrors have settled becomes a commit now and then.
            return about if mirror.run("status")["position"] == about["head"] else None

        return wait_until(reached, "the mirror to have all the server has")

    def exchange(self, server, method, path, body=None, **fields):
        connection = server.connection()
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        connection.request(method, path, body=body, headers=headers)
        reply = connection.getresponse()
        found = reply.status, reply.read()
        connection.close()
        return found

    def feed(self, server, **start):
        """A live feed, after its start."""
        feed = self.enterContext(websockets.sync.client.connect(
            f"ws://{server.host}:{server.port}/v1/feed", subprotocols=["holdfast.feed.v1"],
            compression=None))
        json.loads(feed.recv(timeout=60))
        feed.send(json.dumps({"start": start}))
        self.assertIn("started", json.loads(feed.recv(timeout=60)))
        return feed

    def fill(self, server, names):
        """Writes records of the tree `notes`, which is declared first when it is not there."""
        status, _ = self.exchange(server, "PUT", "/v1/trees/notes", '{"keys":"name"}')
        self.assertIn(status, (200, 201))
        for name in names:
            status, body = self.exchange(
                server, "PUT", f"/v1/records/notes/{name}", json.dumps(name * 50),
                If_None_Match="*")
            self.assertEqual(status, 201, body)

    def succeed(self, *arguments):
        code, out, errors = run(*arguments)
        self.assertEqual(code, 0, errors)
        return out

    def refused(self, code, *arguments):
        found, out, errors = run(*arguments)
        self.assertEqual((found, out), (code, ""), errors)
        self.assertTrue(errors.strip())
        return errors

    def hashes(self, data):
        """What `verify` says of the records, the epoch left out."""
        return re.findall(r"^(?:tree|hash) .*$", self.succeed("verify", "--data", data), re.M)

    def test_a_live_server_and_its_directory_give_the_same_backups(self):
        server, url = self.serve()
        self.assertIn("empty", self.succeed("backup", self.backups, "--url", url))
        self.fill(server, ["a", "b"])
        first = self.succeed("backup", self.backups, "--url", url)
        self.assertRegex(first, r"backup    \w{13}:3\nparts     [1-9]")
        beside = self.succeed("backup", self.backups, "--data", self.data)
        self.assertIn("there already", beside)
        self.assertIn("written   0, 0 bytes", beside)
        self.fill(server, ["c"])
        self.succeed("backup", self.backups, "--data", self.data)
        self.assertIn("there already", self.succeed("backup", self.backups, "--url", url))
        before = self.hashes(self.data)
        self.assertEqual(server.stop(), 0)

        lines = self.succeed("backup", self.backups, "--list").splitlines()
        self.assertEqual([line.split()[0][14:] for line in lines], ["3", "4"])
        self.assertIn("whole", self.succeed("backup", self.backups, "--verify"))
        target, older = self.path("new"), self.path("older")
        self.assertIn(":4", self.succeed("restore", self.backups, "--data", target))
        self.assertEqual(self.hashes(target), before)
        self.assertIn(":3", self.succeed("restore", self.backups, "--data", older, "--at", "3"))
        self.assertNotEqual(self.hashes(older), before)
        self.assertIn("dropped   ", self.succeed("backup", self.backups, "--list", "--keep", "1"))
        self.assertIn("whole", self.succeed("backup", self.backups, "--verify"))
        errors = self.refused(66, "restore", self.backups, "--data", self.path("x"), "--at", "3")
        self.assertIn("--list", errors)
        self.assertFalse(os.path.exists(self.path("x")))

    def test_files_go_with_a_backup(self):
        server, url = self.serve()
        contents = [b"one", b"", os.urandom(9 << 20)]
        files = f"{url}/v1/files"
        for content in contents[:2]:
            self.assertEqual(requests.post(files, data=content, timeout=30).status_code, 201)
        self.succeed("backup", self.backups, "--url", url)
        self.assertIn("files     2, 3 bytes", self.succeed("backup", self.backups, "--verify"))
        self.assertEqual(requests.post(files, data=contents[2], timeout=30).status_code, 201)
        for source in (["--data", self.data], ["--url", url]):
            backups = self.path("of" + source[0])
            self.succeed("backup", backups, *source)
            self.assertRegex(self.succeed("backup", backups, "--verify"), r"files     3, \d+ bytes")
            target = self.path("new" + source[0])
            self.succeed("restore", backups, "--data", target)
            self.assertRegex(self.succeed("verify", "--data", target), r"files        3, \d+ bytes")
            restored = Server(data=target)
            try:
                for content in contents:
                    path = f"/v1/files/{hashlib.sha256(content).hexdigest()}"
                    reply = requests.get(f"http://{restored.host}:{restored.port}{path}", timeout=30)
                    self.assertEqual((reply.status_code, reply.content), (200, content))
            finally:
                self.assertEqual(restored.stop(), 0)
        self.assertEqual(server.stop(), 0)
        # A byte that rots is told, and is not restored.
        digest = hashlib.sha256(contents[2]).hexdigest()
        rotten = os.path.join(backups, "files", digest[:2], digest)
        with open(rotten, "r+b") as file:
            file.seek(5)
            file.write(bytes([contents[2][5] ^ 1]))
        self.assertIn(digest, self.refused(65, "backup", backups, "--verify"))
        self.assertIn(digest, self.refused(65, "restore", backups, "--data", self.path("x")))
        os.remove(rotten)
        lost = os.path.join(self.data, "files", digest[:2], digest)
        os.remove(lost)
        code, _, errors = run("verify", "--data", self.data)
        self.assertEqual(code, 65)
        self.assertIn(f"{digest} is missing", errors)

    def test_under_writes_until_the_server_is_killed(self):
        server, url = self.serve()
        self.fill(server, [])
        made, mayEnd = [], threading.Event()

        def write():
            while not mayEnd.is_set():
                try:
                    self.fill(server, [f"n{len(made)}"])
                except (OSError, http.client.HTTPException):
                    return
                made.append(None)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for way in (("--url", url), ("--data", self.data)) * 2:
                least = len(made)
                out = self.succeed("backup", self.backups, *way)
                seq = int(re.search(r":(\d+)", out)[1])
                self.assertGreaterEqual(seq, least + 1, "all that was answered is in it")
            server.process.send_signal(signal.SIGKILL)
        finally:
            mayEnd.set()
            writer.join()
        self.succeed("backup", self.backups, "--data", self.data)
        self.assertIn("whole", self.succeed("backup", self.backups, "--verify"))
        self.succeed("restore", self.backups, "--data", self.path("new"))
        count, = re.findall(r"notes: (\d+) records", "\n".join(self.hashes(self.path("new"))))
        self.assertGreaterEqual(int(count), len(made))

    def test_a_part_that_was_cut_goes_on(self):
        server, _ = self.serve()
        self.fill(server, ["a", "b", "c"])
        CuttingProxy.upstream = (server.host, server.port)
        proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), CuttingProxy)
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        self.addCleanup(proxy.server_close)
        self.addCleanup(proxy.shutdown)
        code, _, errors = run(
            "backup", self.backups, "--url", f"http://127.0.0.1:{proxy.server_port}")
        self.assertEqual(code, 0, errors)
        self.assertIn("going on", errors)
        first, second = CuttingProxy.ranges[:2]
        self.assertTrue(first.startswith("bytes=0-"))
        self.assertRegex(second, "bytes=[1-9]")
        self.assertIn("whole", self.succeed("backup", self.backups, "--verify"))

    def test_a_restored_server_heals(self):
        server, url = self.serve()
        self.fill(server, ["a"])
        status, body = self.exchange(server, "PUT", "/v1/trees/parts", '{"keys":"id"}')
        self.assertEqual(status, 201, body)
        self.succeed("backup", self.backups, "--url", url)
        self.fill(server, ["lost"])
        status, lost = self.exchange(server, "POST", "/v1/records/parts", "{}",
                                     Prefer="return=representation")
        self.assertEqual(status, 201, lost)
        self.assertEqual(server.stop(), 0)
        for number, way in enumerate(("--url", "--data")):
            target = self.path(f"new{number}")
            self.succeed("restore", self.backups, "--data", target)
            server, url = self.serve(target)
            self.assertIn("serve.healing", server.errors())
            about = json.loads(self.exchange(server, "GET", "/v1")[1])
            self.assertEqual(about["healing"], {"restored": about["head"], "ahead": []})
            self.assertEqual(self.exchange(server, "GET", "/readyz")[0], 503)
            self.assertEqual(self.exchange(server, "GET", "/v1/records/notes/a")[0], 200)
            self.assertEqual(self.exchange(server, "GET", "/v1/records/notes/lost")[0], 404)
            for method, path, body in (
                    ("PUT", "/v1/records/notes/b", '"b"'),
                    ("POST", "/v1/ranges", '{"tree":"parts","count":5}'),
                    ("PUT", "/v1/borrows/0193c29f-0000-7abc-8def-0123456789ab",
                     '{"tree":"notes","key":{"name":"a","revision":0}}')):
                status, problem = self.exchange(server, method, path, body, If_None_Match="*") \
                    if "records" in path else self.exchange(server, method, path, body)
                self.assertEqual((status, json.loads(problem)["code"]), (503, "healing"))
            self.assertEqual(self.exchange(server, "POST", "/v1/heal")[0], 400)
            feed = self.feed(server)
            if way == "--data":
                self.refused(75, "heal", "--discard", "--data", target)
                self.assertEqual(server.stop(), 0)
                self.assertIn("healed", self.succeed("heal", "--discard", "--data", target))
                server, url = self.serve(target)
            else:
                self.assertIn("healed", self.succeed("heal", "--discard", "--url", url))
                self.assertIn("healed", self.succeed("heal", "--discard", "--url", url))
            # Its seqs would be another epoch's.
            with self.assertRaises(websockets.exceptions.ConnectionClosed) as caught:
                while True:
                    message = json.loads(feed.recv(timeout=60))
                    self.assertNotIn("commit", message)
            self.assertEqual(caught.exception.rcvd.code, 1012)
            again = self.feed(server, since=about["head"])
            self.assertEqual(json.loads(again.recv(timeout=60))["commit"]["by"], "_system")
            again.close()
            self.assertEqual(self.exchange(server, "POST", "/v1/heal?discard=true")[0], 200)
            about = self.about(server)
            self.assertIsNone(about["healing"])
            self.assertEqual(len(about["lineage"]), 2)
            self.assertEqual(self.exchange(server, "GET", "/readyz")[0], 200)
            self.fill(server, ["b"])
            connection = server.connection()
            connection.request("POST", "/v1/records/parts", body="{}",
                               headers={"Content-Type": "application/json"})
            reply = connection.getresponse()
            reply.read()
            self.assertEqual(reply.status, 201)
            self.assertGreater(int(reply.getheader("Location").split("/")[-1].split("?")[0]),
                               10_000_000, "no id is given twice")
            connection.close()
            self.assertEqual(server.stop(), 0)
            self.succeed("verify", "--data", target)
        self.refused(64, "heal")
        self.refused(66, "heal", "--discard", "--data", self.path("nothing"))

    def test_a_mirror_hands_back_what_a_restore_lost(self):
        server, url = self.serve()
        port = server.port
        anna = self.mirror(url, "anna")
        bert = self.mirror(url, "bert")
        first = anna.write(create("bins", {"label": "A1", "title": "kept"}), accepted=True)
        self.fill(server, ["a"])
        self.succeed("backup", self.backups, "--url", url)
        bert.kill()
        lost = anna.write(create("bins", {"label": "A2", "title": "lost"}), accepted=True)
        anna.write(update("bins", first["keys"][0], {"title": "changed"}), accepted=True)
        # More than one piece.
        for number in range(8):
            status, body = self.exchange(
                server, "PUT", f"/v1/records/notes/large{number}",
                json.dumps(f"{number}" * 300_000), If_None_Match="*",
                Idempotency_Key=f"0193c29f-0000-7abc-8def-00000000000{number}")
            self.assertEqual(status, 201, body)
        before = self.wait_for_head(anna, server)
        server.process.kill()
        server.process.wait()
        hashes = self.hashes(self.data)

        # What is refused, and changes nothing.
        target = self.path("restored")
        self.succeed("restore", self.backups, "--data", target)
        stranger, strangerURL = self.serve(self.path("strange"))
        self.fill(stranger, ["a"])
        self.mirror(strangerURL, "strange-mirror").kill()
        self.assertIn("is not healing", self.refused(
            1, "heal", "--from", self.path("anna"), "--url", strangerURL))
        self.assertIn("holds no mirror", self.refused(
            66, "heal", "--from", self.path("nobody"), "--data", target))
        self.assertIn("is of database", self.refused(
            1, "heal", "--from", self.path("strange-mirror"), "--data", target))
        self.assertIn("has all up to", self.refused(
            1, "heal", "--from", target, "--data", self.copy(target)))
        damaged = self.path("damaged")
        shutil.copytree(self.path("anna"), damaged)
        segment, = glob.glob(damaged + "/copy.*/log/*.seg")
        with open(segment, "r+b") as file:
            file.seek(2000)
            byte = file.read(1)[0]
            file.seek(2000)
            file.write(bytes([byte ^ 1]))
        self.assertIn("damaged", self.refused(65, "heal", "--from", damaged, "--data", target))

        # Without a server, by a mirror that is open and waits for it.
        offline = self.copy(target)
        out = self.succeed("heal", "--from", self.path("anna"), "--data", offline)
        self.assertIn(f"up to {before['head']}", out)
        self.assertRegex(out, r"returned  [1-9]\d+ commits")
        self.check_healed(offline, before, hashes)

        # By a server that is killed in the middle.
        server, url = self.serve(target)
        KillingProxy.upstream = (server.host, server.port)
        KillingProxy.server_process = server.process
        proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), KillingProxy)
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        self.addCleanup(proxy.server_close)
        self.addCleanup(proxy.shutdown)
        errors = self.refused(69, "heal", "--from", self.path("anna"), "--url",
                              f"http://127.0.0.1:{proxy.server_port}")
        self.assertIn("run the same command again", errors)
        server, url = self.serve(target, listen=f"127.0.0.1:{port}")
        middle = self.about(server)
        self.assertIsNotNone(middle["healing"])
        self.assertGreater(int(middle["head"][14:]), int(middle["healing"]["restored"][14:]))
        self.assertLess(int(middle["head"][14:]), int(before["head"][14:]))
        tail = b'{"lineage":[{"epoch":"7t3k9x2m4q8wr","firstSeq":1}]}'
        tail = len(tail).to_bytes(4, "little") + tail + b"\x01\0\0\0\x01"
        status, problem = self.exchange(server, "POST", "/v1/heal", tail,
                                        Content_Type="application/octet-stream")
        self.assertEqual((status, json.loads(problem)["code"]), (409, "diverged"))
        # It says what it has, and another one is as far as that.
        self.wait_until_ahead(server, 1)
        out = self.succeed("heal", "--from", self.path("anna"), "--url", url)
        self.assertIn(f"up to {before['head']}", out)
        self.check_status(server, before)
        # Mirrors go on where they are; what was accepted is, and is not done again.
        anna.wait_for_status("live")
        bert.start().wait_for_status("live")
        for mirror in (anna, bert):
            self.wait_for_head(mirror, server)
            self.assertEqual(mirror.copies, ["copy.1"])
            self.assertEqual(mirror.run("get", tree="bins", key=lost["keys"][0]),
                             anna.run("get", tree="bins", key=lost["keys"][0]))
        status, body = self.exchange(
            server, "PUT", "/v1/records/notes/large3", json.dumps("3" * 300_000),
            If_None_Match="*", Idempotency_Key="0193c29f-0000-7abc-8def-000000000003")
        self.assertEqual(status, 201, body)
        made = anna.write(create("bins", {"label": "A3", "title": "new"}), accepted=True)
        self.assertNotIn(made["keys"][0], (first["keys"][0], lost["keys"][0]))
        self.assertIn("is not healing", self.refused(
            1, "heal", "--from", self.path("anna"), "--url", url))
        anna.close()
        bert.close()
        self.assertEqual(server.stop(), 0)
        self.succeed("verify", "--data", target)

    def test_healing_goes_on_while_another_mirror_has_more(self):
        server, url = self.serve()
        port = server.port
        anna = self.mirror(url, "anna")
        bert = self.mirror(url, "bert")
        self.fill(server, ["a"])
        self.succeed("backup", self.backups, "--url", url)
        anna.write(create("bins", {"label": "A1", "title": "both"}), accepted=True)
        self.wait_for_head(anna, server)
        # All of it is written then.
        anna.close()
        bert.write(create("bins", {"label": "B1", "title": "bert's alone"}), accepted=True)
        self.wait_for_head(bert, server)
        server.process.kill()
        server.process.wait()
        target = self.path("restored")
        self.succeed("restore", self.backups, "--data", target)
        other = self.copy(target)
        server, url = self.serve(target, listen=f"127.0.0.1:{port}")
        self.wait_until_ahead(server, 1)
        code, out, errors = run("heal", "--from", self.path("anna"), "--url", url)
        self.assertEqual(code, 1, errors)
        self.assertIn("other mirrors have shown later commits", errors)
        about = self.about(server)
        self.assertIn(f"up to {about['head']}", out)
        berts = about["healing"]["ahead"][0]["position"]
        self.assertIn(berts, errors)
        self.succeed("heal", "--from", self.path("bert"), "--url", url)
        self.check_status(server, {"head": berts, "lineage": [None]})
        bert.wait_for_status("live")
        anna.start().wait_for_status("live")
        self.wait_for_head(anna, server)
        self.assertEqual((anna.copies, bert.copies), (["copy.1"], ["copy.1"]))
        anna.close()
        bert.close()
        self.assertEqual(server.stop(), 0)
        # Said as well, --discard ends it; so it does without a mirror, in the middle.
        server, url = self.serve(other)
        out = self.succeed("heal", "--from", self.path("anna"), "--discard", "--url", url)
        self.assertIn("healed", out)
        self.assertEqual(server.stop(), 0)

    def test_a_log_that_does_not_reach_back(self):
        server, url = self.serve(self.data, "--segment-bytes", "65536")
        self.fill(server, ["a"])
        self.succeed("backup", self.backups, "--url", url)
        self.fill(server, [f"{number}-{'x' * 200}" for number in range(20)])
        self.assertEqual(server.stop(), 0)
        target = self.path("restored")
        self.succeed("restore", self.backups, "--data", target)
        partial = os.path.join(REPOSITORY, "Tests", "Fixtures", "log-v1-partial", "database")
        self.assertIn("some trees only", self.refused(
            1, "heal", "--from", partial, "--data", target))
        cut = self.copy(self.data)
        self.succeed("compact", "--data", cut, "--history-days", "0")
        self.assertIn("has a log that begins after", self.refused(
            1, "heal", "--from", cut, "--data", target))
        self.assertIn("healed", self.succeed("heal", "--from", self.data, "--data", target))
        self.assertEqual(
            [line for line in self.hashes(target) if "notes" in line],
            [line for line in self.hashes(self.data) if "notes" in line])

    def copy(self, data):
        """Another directory with the same files."""
        target = tempfile.mkdtemp(dir=self.folder)
        shutil.copytree(data, target, dirs_exist_ok=True)
        return target

    def wait_until_ahead(self, server, count):
        wait_until(
            lambda: len(self.about(server)["healing"]["ahead"]) >= count,
            "mirrors to show what they have")

    def check_status(self, server, before):
        about = self.about(server)
        self.assertIsNone(about["healing"])
        self.assertEqual(len(about["lineage"]), len(before["lineage"]) + 1)
        self.assertEqual(about["lineage"][-1]["firstSeq"], int(before["head"][14:]) + 1)
        self.assertEqual(self.exchange(server, "GET", "/readyz")[0], 200)

    def check_healed(self, data, before, hashes):
        """Everything is back; what came behind are key ranges that nobody is given."""
        kept = [line for line in hashes if "_ranges" not in line]
        found = self.hashes(data)
        self.assertEqual([line for line in found if line in kept], kept)
        server, _ = self.serve(data)
        self.check_status(server, before)
        self.assertEqual(server.stop(), 0)

    def test_what_cannot_be(self):
        self.assertIn("--data", self.refused(
            64, "backup", self.backups, "--data", self.data, "--url", "http://127.0.0.1:1"))
        self.refused(64, "backup", self.backups, "--list", "--data", self.data)
        self.refused(64, "backup")
        self.refused(64, "restore", self.backups)
        self.refused(66, "backup", self.backups, "--data", self.data)
        self.refused(66, "backup", self.backups, "--list")
        self.refused(66, "restore", self.backups, "--data", self.path("new"))
        self.refused(69, "backup", self.backups, "--url", "http://127.0.0.1:1")
        self.assertFalse(os.path.exists(self.backups), "nothing is made")
        server, url = self.serve()
        self.fill(server, ["a"])
        self.succeed("backup", self.backups, "--url", url)
        other, otherURL = self.serve(self.path("other"))
        self.fill(other, ["a"])
        self.assertIn("another directory",
                      self.refused(78, "backup", self.backups, "--url", otherURL))
        self.refused(73, "backup", self.data, "--url", url)
        self.refused(73, "restore", self.backups, "--data", self.data)
        part = os.listdir(os.path.join(self.backups, "parts"))[0]
        with open(os.path.join(self.backups, "parts", part), "r+b") as file:
            file.seek(-1, os.SEEK_END)
            last = file.read(1)[0]
            file.seek(-1, os.SEEK_END)
            file.write(bytes([last ^ 1]))
        self.assertIn(f"parts/{part}", self.refused(65, "backup", self.backups, "--verify"))
        target = self.path("new")
        self.assertIn(f"parts/{part}", self.refused(65, "restore", self.backups, "--data", target))
        self.refused(66, "verify", "--data", target)
        # The next backup puts the part back, and the restore goes on where it was.
        os.remove(os.path.join(self.backups, "parts", part))
        self.succeed("backup", self.backups, "--url", url)
        self.succeed("restore", self.backups, "--data", target)


if __name__ == "__main__":
    unittest.main()
