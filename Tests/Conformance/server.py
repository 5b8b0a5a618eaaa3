"""Runs the real `holdfast` for the tables: a fresh directory, a free port, a proper end."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import recorder

HERE = os.path.dirname(os.path.abspath(__file__))
REPOSITORY = os.path.dirname(os.path.dirname(HERE))
sys.path.append(os.path.join(REPOSITORY, "Tests", "Tools"))

from served import wait_until  # noqa: E402,F401 - for the tests, which wait alike

BINARY = os.environ.get("HOLDFAST_BIN", os.path.join(REPOSITORY, ".build", "debug", "holdfast"))
READY = re.compile(
    r"ready https?://([^:]+):(\d+) databaseID=([0-9a-f-]{36}) epoch=([0-9a-z]{13}) head=(\S+)")


class Server:
    """A running server."""

    def __init__(self, *flags, data=None, application="conformance", listen="127.0.0.1:0"):
        self.is_own_data = data is None
        self.data = data or tempfile.mkdtemp(prefix="holdfast-conformance-")
        arguments = [
            BINARY, "serve", "--data", self.data, "--listen", listen,
            "--web", os.path.join(REPOSITORY, "web"), *flags]
        if application:
            arguments += ["--application", application]
        self.log = tempfile.TemporaryFile(mode="w+")
        self.process = subprocess.Popen(
            arguments, stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        match = READY.match(line)
        if not match:
            self.process.wait()
            raise RuntimeError(f"not ready: {line!r}\n{self.errors()}")
        self.host, self.port = match[1], int(match[2])
        self.database_id, self.epoch = match[3], match[4]

    def errors(self):
        """What the server wrote on stderr so far.

        The place in the file is the server's too: it must not be moved.
        """
        file = self.log.fileno()
        return os.pread(file, os.fstat(file).st_size, 0).decode()

    def connection(self, test=""):
        """A recorded connection."""
        return recorder.Connection(self.host, self.port, timeout=30, test=test)

    def stop(self):
        """Asks the server to stop; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=30)
        self.process.stdout.close()
        self.log.close()
        if self.is_own_data:
            shutil.rmtree(self.data, ignore_errors=True)
        return code


def run(*arguments, timeout=30, environment=None):
    """Runs `holdfast` to its end: exit code, stdout, stderr."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith("HOLDFAST_")}
    done = subprocess.run(
        [BINARY, *arguments], capture_output=True, text=True, timeout=timeout,
        env={**variables, **(environment or {})})
    return done.returncode, done.stdout, done.stderr
