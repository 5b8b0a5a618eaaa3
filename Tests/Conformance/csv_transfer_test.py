#!/usr/bin/env python3
"""`holdfast export --csv` and `import --csv`: tables there and back, and what is wrong with one told by
its line."""

import csv
import io
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import unittest

from server import BINARY, Server, run
from table import Row, ServedTable

PARTS = {"keys": "id", "versioned": True, "borrow": "optional", "schema": {
    "version": "1.0", "fields": [
        {"name": "number", "type": "string", "unique": True},
        {"name": "stock", "type": "int64"},
        {"name": "note", "type": "string", "optional": True},
        {"name": "tags", "type": {"array": "string"}, "optional": True}]}}
COUNT = {"keys": "name", "schema": {"version": "1.0", "fields": [{"name": "n", "type": "int64"}]}}


class TableTest(ServedTable):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="holdfast-table-"))
        cls.url = cls.saved["origin"]

    def setUp(self):
        # A tree a test: each counts what it makes.
        self.tree = self.id().rpartition(".")[2]
        self.declare(self.tree, PARTS)

    def declare(self, tree, definition):
        self.run_rows([Row(tree, "PUT", f"/v1/trees/{tree}", 201, json=definition, commits=1)])

    def file(self, text):
        path = os.path.join(self.folder, f"{self.tree}.csv")
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        return path

    def import_(self, text, *flags, code=0):
        """Imports a table; what it prints, and what it complains of."""
        found, out, errors = run(
            "import", self.file(text), "--csv", "--tree", self.tree, *flags, "--url", self.url)
        self.assertEqual(found, code, out + errors)
        return out, errors

    def export(self, tree=None):
        # Bytes: the line ends are what they are.
        done = subprocess.run([BINARY, "export", "--csv", "--tree", tree or self.tree, "--url", self.url],
                              capture_output=True, timeout=30)
        # What takes over a second says how far it is.
        said = re.sub(rb"(?m)^\d+ bytes of the table exported \.\.\.\n", b"", done.stderr)
        self.assertEqual((done.returncode, said), (0, b""))
        return done.stdout.decode()

    def rows(self):
        return list(csv.DictReader(io.StringIO(self.export(), newline=""), strict=True))

    def test_there_and_back_changes_nothing(self):
        self.import_('number,stock,note,tags\r\n"a ""b"", c",1,"two\r\nlines","[""x"",""y,z""]"\r\n'
                     'grün,-2,"",\r\n=1+1,3,,\r\n')
        before = self.head()
        text = self.export()
        self.assertTrue(text.startswith("_key,_revision,_version,number,stock,note,tags\r\n"), text)
        self.assertIn('grün,-2,"",\r\n', text)
        out, _ = self.import_(text)
        self.assertEqual(out, "3 rows accepted, 0 of them before, 3 unchanged; 0 refused\n")
        self.assertEqual(self.head(), before)
        self.assertEqual(self.export(), text)

    def test_all_revisions_are_rows(self):
        self.import_("number,stock\nA,1\n")
        key = self.rows()[0]["_key"]
        version = self.rows()[0]["_version"]
        self.run_rows([Row("two more commits", "POST", "/v1/changes", 200, commits=1, json={"operations": [
            {"release": {"tree": self.tree, "key": {"id": int(key), "revision": 0}, "expects": version,
                         "released": 0}},
            {"revise": {"tree": self.tree, "key": {"id": int(key), "revision": 0}}}]})])
        text = self.export()
        self.assertEqual([(row["_key"], row["_revision"]) for row in self.rows()], [(key, "0"), (key, "1")])
        before = self.head()
        self.assertIn("2 unchanged", self.import_(text)[0])
        self.assertEqual(self.head(), before)

    def test_rows_change_what_stands(self):
        self.import_("number,stock,note\nA,1,kept\nB,2,\n")
        first, second = self.rows()
        lines = ["_key,_revision,_version,stock"] + [
            f"{row['_key']},0,{row['_version']},{stock}" for row, stock in ((first, 10), (second, 2))]
        text = "\n".join(lines)
        out, _ = self.import_(text)
        self.assertEqual(out, "2 rows accepted, 0 of them before, 1 unchanged; 0 refused\n")
        self.assertEqual([(row["stock"], row["note"]) for row in self.rows()], [("10", "kept"), ("2", "")])
        # The versions are not those that stand any more: nothing is overwritten.
        out, errors = self.import_(text.replace(",10", ",11"), code=1)
        self.assertIn("line 2: stale", errors)
        self.assertIn("1 refused", out)
        self.assertEqual(self.rows()[0]["stock"], "10")

    def test_bad_rows_are_told_by_line_and_column(self):
        out, errors = self.import_('number,stock,tags\n"A\n1",1,\nB,many,\nC,3\nD"x,4,\nE,5,[\nF,6,\nA,7,"', code=1)
        self.assertEqual(out, "2 rows accepted, 0 of them before, 0 unchanged; 5 refused\n")
        for words in ("line 4, column stock: invalid-field", "line 5: bad-body: The row has 2 cells",
                      "line 6: bad-body", "line 7, column tags: invalid-field", "line 9: bad-body: The input ends",
                      "5 rows were refused; job "):
            self.assertIn(words, errors)
        self.assertEqual([row["number"] for row in self.rows()], ["A\n1", "F"])
        _, errors = self.import_(b"number,stock\nG\xff,1\n", code=1)
        self.assertIn("line 2: bad-body: The row is not UTF-8", errors)

    def test_a_header_that_is_wrong_keeps_all_out(self):
        # More rows than are sent before an answer is waited for.
        rows = "".join(f"P{n},{n}\n" for n in range(20_000))
        for header, words in (("number,stok", "line 1, column stok: bad-body: There is no field 'stok'"),
                              ("number,number", "stands twice"), ("number;stock", "separated by commas"),
                              ('num"ber', "line 1: bad-body")):
            with self.subTest(header):
                before = self.head()
                out, errors = self.import_(f"{header}\n{rows}", code=1)
                self.assertIn(words, errors)
                self.assertIn("No row was done.", errors)
                self.assertEqual((out, self.head()), ("", before))
        _, errors = self.import_("", code=1)
        self.assertIn("The table is empty", errors)
        self.assertEqual(self.import_("number,stock\n")[0],
                         "0 rows accepted, 0 of them before, 0 unchanged; 0 refused\n")

    def test_a_rehearsal_does_nothing(self):
        before = self.head()
        out, errors = self.import_("number,stock\nA,1\nB,x\n", "--dry-run", code=1)
        self.assertEqual(out, "nothing was done: 1 rows would be accepted, 0 unchanged; 1 refused\n")
        self.assertIn("line 3, column stock", errors)
        self.assertEqual(self.head(), before)

    def test_it_stops_when_told_to(self):
        _, errors = self.import_("number,stock\nA,1\nB,x\nC,3\n", "--stop", code=1)
        self.assertRegex(errors, "stopped at line 3; later rows may be done; job [0-9a-f-]{36}")

    def test_the_same_job_does_nothing_twice(self):
        job = "01a1fca9-a7ff-7f01-9112-31b7680eefb3"
        self.import_("number,stock\nA,1\nB,2\n", "--job", job, "--why", "counted")
        out, _ = self.import_("number,stock\nA,1\nB,2\nC,3\n", "--job", job)
        self.assertEqual(out, "3 rows accepted, 2 of them before, 0 unchanged; 0 refused\n")
        self.assertEqual([row["number"] for row in self.rows()], ["A", "B", "C"])
        # It is one job: all of it is taken back at once.
        epoch, _, seq = self.rows()[0]["_version"].partition(":")
        self.send(Row("undo", "POST", f"/v1/changes/{epoch}:{seq}/undo?job=true", 200))
        self.assertEqual(self.rows(), [])

    def test_many_rows_from_a_pipe(self):
        self.declare("counts", COUNT)
        rows = "_key,n\n" + "".join(f"k{n:05},{n}\n" for n in range(30_000))
        done = subprocess.run([BINARY, "import", "-", "--csv", "--tree", "counts", "--url", self.url],
                              input=rows, capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("30000 rows accepted", done.stdout)
        text = self.export("counts")
        self.assertEqual(text.count("\r\n"), 30_001)
        # Whoever reads ends early, as head(1) does: the export ends with it, and quietly.
        exporting = subprocess.Popen([BINARY, "export", "--csv", "--tree", "counts", "--url", self.url],
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(exporting.stdout.readline(), b"_key,_version,n\r\n")
        exporting.stdout.close()
        errors = exporting.stderr.read().decode()
        exporting.stderr.close()
        self.assertEqual((exporting.wait(30), errors), (-signal.SIGPIPE, ""))

    def test_what_cannot_be_asked(self):
        good = self.file("number,stock\nZ,1\n")
        before = self.head()
        for code, arguments, words in (
                (64, ["export", "--csv"], "give one --tree NAME"),
                (64, ["export", "--csv", "--tree", "a", "--tree", "b"], "give one --tree NAME"),
                (64, ["export", "--csv", "--tree", "a", "--records"], "--records"),
                (66, ["export", "--csv", "--tree", "nothing"], "unknown-tree"),
                (64, ["import", good, "--csv"], "give --tree NAME"),
                (64, ["import", good, "--tree", self.tree], "--csv"),
                (64, ["import", good, "--dry-run"], "--csv"),
                (64, ["import", good, "--csv", "--tree", self.tree, "--job", "x"], "UUID"),
                (66, ["import", good, "--csv", "--tree", "nothing"], "unknown-tree"),
                (1, ["import", good, "--csv", "--tree", "_devices"], "system-tree"),
                (66, ["import", good + ".not", "--csv", "--tree", self.tree], "cannot read")):
            with self.subTest(arguments):
                found, out, errors = run(*arguments, "--url", self.url)
                self.assertEqual((found, out), (code, ""), errors)
                self.assertIn(words, errors)
        self.assertEqual(self.head(), before)
        self.assertEqual(run("import", good, "--csv", "--tree", "a", "--url", "http://127.0.0.1:1")[0], 69)


class CutTest(unittest.TestCase):
    """What goes away in the middle."""

    def test_an_import_goes_through_a_kill(self):
        count = 30_000
        with tempfile.TemporaryDirectory(prefix="holdfast-cut-") as folder:
            data, path = os.path.join(folder, "data"), os.path.join(folder, "table.csv")
            with open(path, "w", encoding="ascii") as file:
                file.write("_key,n\n" + "".join(f"k{n:05},{n}\n" for n in range(count)))
            server = Server(data=data)
            self.addCleanup(server.stop)
            connection = server.connection()
            connection.request("PUT", "/v1/trees/counts", body=json.dumps(COUNT),
                               headers={"Content-Type": "application/json"})
            self.assertEqual(connection.getresponse().status, 201)
            connection.close()
            url = f"http://{server.host}:{server.port}"
            tail = subprocess.Popen([BINARY, "tail", "--since", "start", "--json", "--limit", "50", "--url", url],
                                    stdout=subprocess.PIPE, text=True)
            sender = subprocess.Popen([BINARY, "import", path, "--csv", "--tree", "counts", "--url", url],
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            self.addCleanup(tail.kill)
            self.addCleanup(sender.kill)
            self.assertEqual(len(tail.communicate(timeout=60)[0].splitlines()), 50)
            server.process.send_signal(signal.SIGKILL)
            server.stop()
            again = Server(data=data, listen=f"127.0.0.1:{server.port}")
            self.addCleanup(again.stop)
            out, errors = sender.communicate(timeout=120)
            self.assertEqual(sender.returncode, 0, errors)
            self.assertIn("trying again", errors)
            self.assertRegex(out, f"^{count} rows accepted, [1-9][0-9]* of them before, 0 unchanged; 0 refused")
            names = run("ls", "counts", "--url", url)[1].splitlines()
            self.assertEqual(names, [f"k{n:05}" for n in range(count)])
            self.assertEqual(again.stop(), 0)

    def test_a_table_that_is_cut_is_told(self):
        """What answers is cut in the middle of a table, as by a server that is killed."""
        def answer():
            stream, _ = listener.accept()
            with stream:
                stream.recv(1 << 16)
                stream.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/csv\r\ntransfer-encoding: chunked\r\n\r\n"
                               b"8\r\n_key,n\r\n\r\n")

        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=answer)
            thread.start()
            code, _, errors = run("export", "--csv", "--tree", "counts",
                                  "--url", f"http://127.0.0.1:{listener.getsockname()[1]}")
            thread.join()
        self.assertEqual(code, 69)
        self.assertIn("the table is not whole, export it again", errors)


if __name__ == "__main__":
    unittest.main()
