#!/usr/bin/env python3
"""`stockroom`, the worked example, over real processes: two mirrors, a server that goes away and
comes back, and KiCad's symbols read by two programs that must agree.

HOLDFAST_BIN names the server, STOCKROOM_BIN the example.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
import urllib.request

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "Tests" / "Conformance"))
sys.path.insert(0, str(REPOSITORY / "Tests" / "Tools"))
import kicad_to_ndjson  # noqa: E402
from server import Server  # noqa: E402

STOCKROOM = os.environ.get(
    "STOCKROOM_BIN", REPOSITORY / "sdk/swift/stockroom/.build/debug/stockroom")

LIBRARY = """(kicad_symbol_lib (version 20211014) (generator kicad_symbol_editor)
  (symbol "BASE" (pin_names (offset 1.016)) (in_bom yes) (on_board yes)
    (property "Reference" "U" (id 0) (at 0 0 0) (effects (font (size 1.27 1.27))))
    (property "Value" "BASE" (id 1) (at 0 2.54 0) (effects (font (size 1.27 1.27))))
    (property "Footprint" "Package_SO:SO-8" (id 2) (at 0 0 0) (effects hide))
    (property "Datasheet" "~" (id 3) (at 0 0 0))
    (property "ki_keywords" "amplifier  dual" (id 4) (at 0 0 0))
    (property "ki_description" "A \\"dual\\" amplifier (2 parts)" (id 5) (at 0 0 0))
    (symbol "BASE_1_1" (rectangle (start -5 5) (end 5 -5) (stroke (width 0.2)) (fill (type none)))
      (pin input line (at -7.62 2.54 0) (length 2.54)
        (name "+" (effects (font (size 1.27 1.27))))
        (number "3" (effects (font (size 1.27 1.27)))))
      (pin output line (at 7.62 0 180) (length 2.54) (name "OUT") (number "1")))
    (symbol "BASE_1_2" (pin input line (at 0 0 0) (length 2) (name "+") (number "3"))))
  (symbol "GRÜN" (extends "BASE") (property "Value" "Grün µ" (id 1) (at 0 0 0)))
)
"""


class Mirror:
    """One mirror's folder, and the program over it."""

    def __init__(self, folder, url, user):
        self.command = [str(STOCKROOM), "--mirror", folder, "--server", url, "--user", user]

    def run(self, *words, code=0):
        """One command to its end; its standard output."""
        done = subprocess.run([*self.command, *words], capture_output=True, text=True, timeout=120)
        if done.returncode != code:
            raise AssertionError(f"{words}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout if code == 0 else done.stderr

    def shell(self):
        """A process that stays, for commands one after the other."""
        return Shell(self.command)


class Shell:
    """A process of its own that takes commands on standard input."""

    def __init__(self, command):
        self.process = subprocess.Popen(
            [*command, "shell"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, line):
        """One command; its lines, or an error."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        found = []
        for text in self.process.stdout:
            if text.startswith("failed "):
                raise AssertionError(f"{line}: {text}")
            if text == "ok\n":
                return found
            found.append(text.rstrip("\n"))
        raise AssertionError(f"{line}: the program ended")

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(60)


class StockroomTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="holdfast-stockroom-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.data = os.path.join(self.folder, "data")
        self.server = Server(data=self.data, application="stockroom")
        self.addCleanup(lambda: self.server.stop())
        self.url = f"http://{self.server.host}:{self.server.port}"

    def mirror(self, name):
        return Mirror(os.path.join(self.folder, name), self.url, name)

    def parts(self):
        """Every part the server has, by number."""
        request = urllib.request.Request(
            f"{self.url}/v1/records/parts", headers={"Accept": "application/x-ndjson"})
        with urllib.request.urlopen(request, timeout=30) as reply:
            records = [json.loads(line) for line in reply.read().splitlines()]
        return {record["value"]["number"]: record for record in records}

    def test_symbols_are_read_as_the_converter_reads_them(self):
        library = pathlib.Path(self.folder, "symbols", "Lab.kicad_sym")
        library.parent.mkdir()
        library.write_text(LIBRARY, encoding="utf-8")
        self.mirror("anna").run("import-kicad", str(library.parent))
        expected = {value["number"]: value for value in kicad_to_ndjson.parts(library)}
        self.assertEqual({n: r["value"] for n, r in self.parts().items()}, expected)
        # Again: nothing comes twice.
        self.mirror("anna").run("import-kicad", str(library.parent))
        self.assertEqual(len(self.parts()), len(expected))

    def test_two_mirrors_never_overwrite_each_other(self):
        anna, ben = self.mirror("anna"), self.mirror("ben")
        anna.run("bin", "A1", "Resistors")
        anna.run("new", "R-100", "100 ohm", "stock=50", "bin=A1")
        self.assertIn("stock 50", ben.run("show", "R-100"))
        ben.run("borrow", "R-100")
        self.assertIn("borrowed by ben", anna.run("show", "R-100"))
        self.assertIn("borrowed", anna.run("edit", "R-100", "stock=1", code=1))
        ben.run("edit", "R-100", "stock=40")
        ben.run("return", "R-100")
        anna.run("edit", "R-100", "title=100 ohm 1 %")
        value = self.parts()["R-100"]["value"]
        self.assertEqual((value["stock"], value["title"]), (40, "100 ohm 1 %"))
        anna.run("release", "R-100")
        self.assertIn("released", ben.run("edit", "R-100", "stock=1", code=1))
        ben.run("revise", "R-100")
        ben.run("edit", "R-100", "stock=1")
        self.assertEqual(self.parts()["R-100"]["key"]["revision"], 1)

    def test_work_goes_on_without_the_server(self):
        anna = self.mirror("anna")
        shell = anna.shell()
        shell.run("wait")
        shell.run("bin A1 Resistors")
        shell.run("new R-1 one stock=5 bin=A1")
        port = self.server.port
        self.server.process.kill()
        self.server.stop()
        for number in range(2, 30):
            shell.run(f"new R-{number} offline bin=A1")
        shell.run("move R-2 A1 7 goods in")
        self.assertEqual(shell.end(), 0)
        # The program has ended and the server is away: everything is still here.
        self.assertEqual(len(anna.run("list").splitlines()), 29)
        self.server = Server(
            data=self.data, application="stockroom", listen=f"127.0.0.1:{port}")
        anna.run("wait")
        self.assertEqual(sorted(self.parts()), sorted(f"R-{n}" for n in range(1, 30)))
        self.assertEqual(self.parts()["R-2"]["value"]["stock"], 7)
        self.assertEqual(anna.run("stranded"), "")

    def test_wrong_words_change_nothing(self):
        anna = self.mirror("anna")
        anna.run("new", "R-100", "100 ohm")
        for words in (["edit", "R-100", "colour=red"], ["edit", "R-100", "stock=many"],
                      ["show", "R-7"], ["borrow"], ["nonsense"]):
            with self.subTest(words):
                self.assertIn("stockroom: ", anna.run(*words, code=64))
        self.assertEqual(self.parts()["R-100"]["value"]["title"], "100 ohm")


if __name__ == "__main__":
    unittest.main()
