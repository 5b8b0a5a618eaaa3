#!/usr/bin/env python3
"""Runs the README's examples, in their order, against the real server with the sample in it."""

import os
import re
import shlex
import subprocess
import sys
import tempfile
import unittest

from server import BINARY, REPOSITORY, Server

# `curl` fails here when the server refuses, so that no example only seems to work.
PRELUDE = 'set -euo pipefail\ncurl() { command curl -sS --fail-with-body -m 30 "$@"; }\n'
PRELUDE += f'holdfast() {{ HOLDFAST_URL=http://127.0.0.1:7070 {shlex.quote(os.path.abspath(BINARY))} "$@"; }}\n'
BLOCK = re.compile(r"^```sh( refused)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
REFUSED = 22


def examples():
    """The blocks of shell, and whether the server must refuse the last command of each."""
    with open(os.path.join(REPOSITORY, "README.md"), encoding="utf-8") as file:
        return [(bool(refused), text) for refused, text in BLOCK.findall(file.read())]


class ReadmeTest(unittest.TestCase):
    def setUp(self):
        self.server = Server(application="stockroom")
        self.addCleanup(self.server.stop)
        self.url = f"http://{self.server.host}:{self.server.port}"
        load = os.path.join(REPOSITORY, "sdk", "sample", "load.py")
        subprocess.run([sys.executable, load, "--url", self.url], check=True, capture_output=True)

    def script(self):
        """All examples as one script: later ones use variables of earlier ones."""
        lines = [PRELUDE]
        for number, (refused, text) in enumerate(examples()):
            lines.append(f"echo 'example {number}' >&2\n")
            if refused:
                # The last command alone may fail, and must.
                lines.append(f"set +e\n{text}status=$?\nset -e\n[ $status -eq {REFUSED} ]\n")
            else:
                lines.append(text)
        return "".join(lines).replace("http://127.0.0.1:7070", self.url)

    def test_every_example_works(self):
        self.assertGreater(len(examples()), 8)
        self.assertEqual(sum(refused for refused, _ in examples()), 2)
        with tempfile.TemporaryFile(mode="w+") as output, tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(["bash", "-c", self.script()], stdout=output, cwd=folder,
                                  stderr=subprocess.STDOUT, timeout=120)
            output.seek(0)
            self.assertEqual(done.returncode, 0, output.read()[-3000:])


if __name__ == "__main__":
    unittest.main()
