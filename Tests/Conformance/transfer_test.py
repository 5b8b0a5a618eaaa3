#!/usr/bin/env python3
"""`holdfast import`, `export` and `tail`: whole databases there and back, through a killed server."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import unittest

from server import BINARY, Server, run

TREES = {
    "labels": {"keys": "name"},
    "parts": {"keys": "id", "versioned": True, "borrow": "required",
              "transitions": [{"from": {"draft": 0}, "to": {"draft": 1}},
                              {"from": {"draft": 1}, "to": {"released": 7}}],
              "schema": {"version": "1.0", "fields": [
                  {"name": "number", "type": "string", "unique": True}]}},
}


def normal(lines):
    """The lines of an export without the ids of its changes, which differ from export to export."""
    return [line.replace(json.loads(line)["id"], "ID") for line in lines.splitlines()]


class TransferTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="holdfast-transfer-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.servers = []
        self.addCleanup(lambda: [server.stop() for server in self.servers])

    def server(self, *flags, **named):
        server = Server(*flags, **named)
        self.servers.append(server)
        return server

    def url(self, server):
        return f"http://{server.host}:{server.port}"

    def send(self, server, *operations):
        """One change that must be accepted."""
        connection = server.connection()
        connection.request("POST", "/v1/changes", body=json.dumps({"operations": operations}),
                           headers={"Content-Type": "application/json"})
        reply = connection.getresponse()
        body = json.loads(reply.read())
        self.assertEqual(reply.status, 200, body)
        connection.close()
        return body

    def put(self, tree, key, value):
        return {"put": {"tree": tree, "key": key, "expects": "absent", "value": value}}

    def file(self, text):
        path = os.path.join(self.folder, "changes.ndjson")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def filled(self):
        """Revisions in every state, one of them deleted, names that need escapes, a gap of ids."""
        server = self.server()
        for name in ("labels", "parts"):
            definition = {k: v for k, v in TREES[name].items() if k != "transitions"}
            self.send(server, {"defineTree": {"tree": name, "definition": definition}})
        for name in ("a/b", "grün", "q\"uote"):
            self.send(server, self.put("labels", {"name": name, "revision": 0}, {"n": name}))
        self.send(server, {"reserve": {"tree": "parts", "count": 20000}})
        for number in (1, 2, 15000):
            self.send(server, self.put("parts", {"id": number, "revision": 0},
                                       {"number": f"R-{number}"}))
        version = self.version(server, 2)
        self.send(server, {"release": {"tree": "parts", "key": {"id": 2, "revision": 0},
                                       "expects": version, "released": 7}})
        self.send(server, {"revise": {"tree": "parts", "key": {"id": 2, "revision": 0}}})
        self.send(server, {"delete": {"tree": "parts", "key": {"id": 2, "revision": 1},
                                      "expects": self.version(server, 2)}})
        self.send(server, {"revise": {"tree": "parts", "key": {"id": 2, "revision": 0}}})
        self.send(server, {"setState": {"tree": "parts", "key": {"id": 2, "revision": 2},
                                        "expects": self.version(server, 2),
                                        "state": {"draft": 1}}})
        self.send(server, {"defineTree": {"tree": "parts", "definition": TREES["parts"]}})
        return server

    def version(self, server, number):
        connection = server.connection()
        connection.request("GET", f"/v1/records/parts/{number}?meta=true")
        body = json.loads(connection.getresponse().read())
        connection.close()
        return body["version"]

    def test_a_database_comes_back_as_it_was(self):
        source = self.filled()
        code, first, errors = run("export", "--url", self.url(source))
        self.assertEqual(code, 0, errors)
        target = self.server()
        path = self.file(first)
        code, out, errors = run("import", path, "--url", self.url(target))
        self.assertEqual(code, 0, errors)
        self.assertIn(f"{len(first.splitlines())} changes accepted, 0 of them before", out)
        code, second, errors = run("export", "--url", self.url(target))
        self.assertEqual((code, normal(second)), (0, normal(first)), errors)
        keys = [run("ls", tree, "--meta", "--url", self.url(server))[1].splitlines()
                for tree in TREES for server in (source, target)]
        for (mine, theirs) in zip(keys[0::2], keys[1::2]):
            self.assertEqual(*[[(r["key"], r["state"], r["value"]) for r in map(json.loads, lines)]
                               for lines in (mine, theirs)])
        # The same file again does nothing twice.
        code, out, errors = run("import", path, "--url", self.url(target))
        self.assertEqual(code, 0, errors)
        self.assertIn(f"{len(first.splitlines())} of them before", out)

    def test_one_tree_and_no_declarations(self):
        source = self.filled()
        code, out, errors = run("export", "--url", self.url(source), "--tree", "labels",
                                "--records")
        self.assertEqual((code, len(out.splitlines())), (0, 3), errors)
        self.assertNotIn("defineTree", out)
        code, _, errors = run("export", "--url", self.url(source), "--tree", "nothing")
        self.assertEqual(code, 66)
        self.assertIn("unknown-tree", errors)

    def test_refused_lines_are_told_by_number(self):
        server = self.filled()
        good = json.dumps({"operations": [self.put("labels", {"name": "new", "revision": 0}, 1)]})
        bad = json.dumps({"operations": [self.put("labels", {"name": "a/b", "revision": 0}, 1)]})
        code, out, errors = run("import", self.file(f"{good}\r\n\n{bad}\nno json\n{{}}"),
                                "--url", self.url(server))
        self.assertEqual(code, 1)
        self.assertIn("1 changes accepted, 0 of them before; 3 refused", out)
        for word in ("line 3: exists", "line 4: bad-json", "line 5: ", "job "):
            self.assertIn(word, errors)
        code, _, errors = run("import", self.file(f"{bad}\n{good}"), "--stop",
                              "--url", self.url(server))
        self.assertEqual(code, 1)
        self.assertIn("stopped at line 1", errors)

    def test_a_job_goes_on_where_it_was(self):
        server = self.filled()
        job = "01a1fca9-a7ff-7f01-9112-31b7680eefb3"
        lines = [json.dumps({"operations": [self.put("labels", {"name": f"n{n}", "revision": 0}, n)]})
                 for n in range(5)]
        for (count, known) in ((2, 0), (5, 2)):
            code, out, errors = run("import", self.file("\n".join(lines[:count])), "--job", job,
                                    "--url", self.url(server))
            self.assertEqual(code, 0, errors)
            self.assertIn(f"{count} changes accepted, {known} of them before", out)

    def test_bad_input_changes_nothing(self):
        server = self.filled()
        rows = [
            (66, ["import", os.path.join(self.folder, "nothing")], "cannot read"),
            (64, ["import", "-", "--job", "x"], "UUID"),
            (64, ["import"], "FILE|-"),
            (64, ["tail", "--since", "yesterday"], "epoch:seq"),
            (1, ["tail", "--since", "0000000000000:1"], ""),
            (64, ["export", "parts"], "export"),
        ]
        for code, arguments, word in rows:
            with self.subTest(arguments):
                found, out, errors = run(*arguments, "--url", self.url(server))
                self.assertEqual((found, out), (code, ""), errors)
                self.assertIn(word, errors)
        for command in ("import", "export", "tail"):
            arguments = [command, "-"] if command == "import" else [command]
            self.assertEqual(run(*arguments, "--url", "http://127.0.0.1:1")[0],
                             0 if command == "import" else 69)

    def test_import_and_tail_go_through_a_kill(self):
        """The server is killed while a file goes in; both commands go on by themselves."""
        data = os.path.join(self.folder, "data")
        server = Server(data=data)
        port = server.port
        count = 3000
        lines = [json.dumps({"operations": [{"defineTree": {
            "tree": "labels", "definition": TREES["labels"]}}]})]
        lines += [json.dumps({"operations": [
            self.put("labels", {"name": f"n{n:05}", "revision": 0}, {"text": "x" * 500})]})
            for n in range(count)]
        url = self.url(server)
        tail = subprocess.Popen(
            [BINARY, "tail", "--since", "start", "--json", "--limit", str(count + 1),
             "--url", url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        sender = subprocess.Popen([BINARY, "import", self.file("\n".join(lines)), "--url", url],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        seen = []
        killed = threading.Event()

        def follow():
            for line in tail.stdout:
                seen.append(json.loads(line))
                if len(seen) == 1200:
                    server.process.send_signal(signal.SIGKILL)
                    killed.set()

        follower = threading.Thread(target=follow)
        follower.start()
        self.assertTrue(killed.wait(60), "the import got under way")
        server.stop()
        again = Server(data=data, listen=f"127.0.0.1:{port}")
        self.servers.append(again)
        out, errors = sender.communicate(timeout=120)
        self.assertEqual(sender.returncode, 0, errors)
        self.assertIn(f"{count + 1} changes accepted", out)
        self.assertIn("trying again", errors)
        follower.join(120)
        self.assertEqual(tail.wait(30), 0)
        self.assertIn("trying again", tail.stderr.read())
        tail.stderr.close()
        tail.stdout.close()
        self.assertEqual([commit["seq"] for commit in seen], list(range(1, count + 2)))
        names = run("ls", "labels", "--url", url)[1].splitlines()
        self.assertEqual(names, [f"n{n:05}" for n in range(count)])

    def test_tail_prints_what_log_prints(self):
        server = self.filled()
        code, out, errors = run("tail", "--since", "start", "--limit", "5",
                                "--url", self.url(server))
        self.assertEqual(code, 0, errors)
        code, log, errors = run("log", "--data", server.data, "--limit", "5")
        self.assertEqual((code, out), (0, log), errors)
        code, out, errors = run("tail", "--since", "start", "--limit", "2", "--tree", "parts",
                                "--url", self.url(server))
        self.assertEqual(code, 0, errors)
        self.assertNotIn("labels", out)


if __name__ == "__main__":
    unittest.main()
