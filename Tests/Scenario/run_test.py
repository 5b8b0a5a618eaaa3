#!/usr/bin/env python3
"""What `make run` starts: the sample is there, Ctrl-C ends it all, nothing is loaded twice.

    HOLDFAST_BIN=.build/release/holdfast python3 Tests/Scenario/run_test.py

KiCad's parts are fetched where they are not there yet; where that cannot be, it says so loudly.
"""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "Tests" / "Tools")]

from served import STOP_SECONDS, WAIT_SECONDS, binary, wait_until  # noqa: E402

PART_COUNT = 197
KICAD_COUNT = 17_569


class Run:
    """The script as a terminal starts it: the leader of a process group of its own."""

    def __init__(self, data, kicad=""):
        self.process = subprocess.Popen(
            [str(ROOT / ".ci" / "serve-sample"), os.path.abspath(binary()), str(data),
             "127.0.0.1:0", kicad],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
            start_new_session=True)
        self.output, self.errors = [], []
        self.threads = [
            threading.Thread(target=lines.extend, args=(stream,), daemon=True)
            for lines, stream in (
                (self.output, self.process.stdout), (self.errors, self.process.stderr))]
        for thread in self.threads:
            thread.start()

    @property
    def url(self):
        """Where the viewer is said to be, once it is."""
        found = re.search(r"viewer +(\S+)/\n", "".join(self.output))
        return found and found[1]

    def wait(self, seconds):
        """Until the viewer's address is printed."""
        wait_until(lambda: self.url or self.process.poll() is not None, "the address", seconds)
        assert self.url, "".join(self.errors)

    def interrupt(self):
        """Ctrl-C: a signal to the whole group. The exit code, once nobody of the group is left."""
        os.killpg(self.process.pid, signal.SIGINT)
        code = self.process.wait(STOP_SECONDS)
        wait_until(self.is_gone, "the last process of the group to end")
        for thread in self.threads:
            thread.join(WAIT_SECONDS)
        self.process.stdout.close()
        self.process.stderr.close()
        return code

    def is_gone(self):
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return True
        return False

    def end(self):
        """Leaves nothing behind, whatever happened."""
        if not self.is_gone():
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(STOP_SECONDS)


class RunTests(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="holdfast-run-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def run_script(self, kicad="", seconds=WAIT_SECONDS):
        run = Run(self.folder / "data", kicad)
        self.addCleanup(run.end)
        run.wait(seconds)
        return run

    def head(self, run):
        return self.get(run, "/v1").headers["Holdfast-Position"]

    def get(self, run, path, **headers):
        request = urllib.request.Request(run.url + path, headers=headers)
        return urllib.request.urlopen(request, timeout=WAIT_SECONDS)

    def part_count(self, run):
        with self.get(run, "/v1/records/parts", Accept="application/x-ndjson") as reply:
            return sum(1 for line in reply)

    def test_the_sample_is_loaded_once_and_an_interrupt_ends_it_all(self):
        run = self.run_script()
        self.assertEqual(self.part_count(run), PART_COUNT)
        with self.get(run, "/") as page:
            self.assertIn("text/html", page.headers["Content-Type"])
        head = self.head(run)
        self.assertEqual(run.interrupt(), 0, "".join(run.errors))
        self.assertIn("exit code 0", "".join(run.errors))

        again = self.run_script()
        self.assertEqual(self.head(again), head)
        self.assertEqual(again.interrupt(), 0, "".join(again.errors))

    def test_kicads_parts_are_imported_once(self):
        fetched = ROOT / ".build" / "kicad"
        done = subprocess.run(
            ["sh", str(ROOT / "Tests" / "Tools" / "fetch_kicad.sh"), str(fetched)],
            stdout=subprocess.DEVNULL)
        if done.returncode != 0:
            print("\n*** NOT TESTED: KiCad's symbols cannot be had; `make run KICAD=1` ***",
                  file=sys.stderr)
            self.skipTest("KiCad's symbols cannot be had")
        shutil.copytree(fetched, self.folder / ".holdfast-kicad")
        run = self.run_script("1", seconds=10 * WAIT_SECONDS)
        self.assertEqual(self.part_count(run), PART_COUNT + KICAD_COUNT)
        self.assertIn("operations in", "".join(run.errors))
        head = self.head(run)
        self.assertEqual(run.interrupt(), 0, "".join(run.errors))

        again = self.run_script("1")
        self.assertEqual(self.head(again), head)
        self.assertIn("there already", "".join(again.errors))
        self.assertEqual(again.interrupt(), 0, "".join(again.errors))


if __name__ == "__main__":
    unittest.main(verbosity=2)
