"""Mirrors as processes of their own: `holdfast-mirror-driver` (Tests/MirrorDriver), spoken to by
lines of JSON.

The binary is the one `HOLDFAST_MIRROR_BIN` names; without it, the one beside the server's.
"""

import json
import os
import pathlib
import subprocess
import threading
import time

from served import START_SECONDS, WAIT_SECONDS, binary


class Refused(Exception):
    """The mirror said no: its code, and its words."""

    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code = code


class Ended(Exception):
    """The process ended before it answered."""


class Answer:
    """What comes of one request, as it comes."""

    def __init__(self, mirror):
        self.mirror = mirror
        self.told = []
        self.result = None

    @property
    def is_done(self):
        with self.mirror.news:
            return self.result is not None

    def wait(self, seconds=WAIT_SECONDS):
        """The answer; raises Refused, or Ended when the process ended."""
        with self.mirror.news:
            if not self.mirror.news.wait_for(lambda: self.result is not None, seconds):
                raise AssertionError(f"{self.mirror.user} did not answer within {seconds} s")
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    def wait_told(self, count, seconds=WAIT_SECONDS):
        """The first `count` things it told; raises when it ended before."""
        with self.mirror.news:
            self.mirror.news.wait_for(
                lambda: len(self.told) >= count or self.result is not None, seconds)
            if len(self.told) >= count:
                return self.told[:count]
        if isinstance(self.result, Exception):
            raise self.result
        raise AssertionError(f"{self.mirror.user} told {len(self.told)} of {count}")


class Mirror:
    """One mirror's folder, and the process over it, which may be killed and started again."""

    def __init__(self, folder, url, user, *flags):
        self.folder = pathlib.Path(folder)
        self.url = url
        self.user = user
        self.flags = flags
        self.process = None
        self.news = threading.Condition()
        self.answers = {}

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()

    def start(self):
        """Opens the mirror; raises Refused when it cannot be opened."""
        program = os.environ.get("HOLDFAST_MIRROR_BIN") or str(
            pathlib.Path(binary()).with_name("holdfast-mirror-driver"))
        self.process = subprocess.Popen(
            [program, "--mirror", str(self.folder), "--server", self.url, "--user", self.user,
             *self.flags],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.answers = {0: Answer(self)}
        self.reader = threading.Thread(target=self.read, args=(self.process,), daemon=True)
        self.reader.start()
        try:
            self.answers[0].wait(START_SECONDS)
        except Refused:
            self.kill()
            raise
        return self

    def read(self, process):
        for line in process.stdout:
            try:
                message = json.loads(line)
            except ValueError:
                break  # it was killed within a line
            with self.news:
                answer = self.answers[message["id"]]
                if "told" in message:
                    answer.told.append(message["told"])
                elif "ok" in message:
                    answer.result = message["ok"]
                else:
                    answer.result = Refused(**message["error"])
                self.news.notify_all()
        with self.news:
            for answer in self.answers.values():
                if answer.result is None:
                    answer.result = Ended(f"{self.user} ended")
            self.news.notify_all()

    def ask(self, run, **members):
        """Sends a request; its answer comes later."""
        with self.news:
            number = len(self.answers)
            answer = self.answers[number] = Answer(self)
        line = json.dumps({"id": number, "run": run, **members})
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        return answer

    def run(self, run, seconds=WAIT_SECONDS, **members):
        """A request, and its answer."""
        return self.ask(run, **members).wait(seconds)

    def write(self, *operations, **members):
        """One change: its id, the keys it made, its position when `accepted=True` was asked."""
        return self.run("write", operations=list(operations), **members)

    def kill(self):
        """SIGKILL: as a power cut would, but the page cache stays."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.reader.join()
            self.process.stdin.close()
            self.process.stdout.close()
            self.process = None

    def close(self):
        """Closes the mirror; the process must end by itself with exit code 0."""
        self.run("close")
        code = self.process.wait(WAIT_SECONDS)
        self.kill()
        if code != 0:
            raise AssertionError(f"{self.user} ended with exit code {code}")

    @property
    def status(self):
        return self.run("status")["status"]

    @property
    def copies(self):
        """The numbers of the copies this folder has, one as a rule."""
        return sorted(each.name for each in self.folder.glob("copy.*"))

    def wait_for_status(self, wanted, seconds=WAIT_SECONDS):
        end = time.monotonic() + seconds
        while True:
            standing = self.run("status")
            if standing["status"] == wanted:
                return standing
            if time.monotonic() > end:
                raise AssertionError(f"{self.user} is {standing}, not {wanted}, after {seconds} s")
            time.sleep(0.02)


def create(tree, value, key=None):
    """The operation that creates a record; `"@0"` in it is the key of the first operation."""
    return {"run": "create", "tree": tree, "key": key, "value": json.dumps(value)}


def update(tree, key, value=None, **add):
    """The operation that sets members of a record, and adds to others."""
    text = None if value is None else json.dumps(value)
    return {"run": "update", "tree": tree, "key": key, "value": text, "add": add or None}
