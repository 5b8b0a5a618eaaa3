"""The programs of this folder as processes of their own, ended by their standard input."""

import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
END_SECONDS = 120


class Program:
    """One process; leaving it ends it, and it must end well."""

    def __init__(self, name, *arguments):
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / name), *map(str, arguments)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.stdin.closed:
            return  # it was ended before
        if kind is not None and self.process.poll() is None:
            self.process.kill()
        _, errors = self.process.communicate(timeout=END_SECONDS)
        if kind is None and self.process.returncode != 0:
            raise AssertionError(f"{self.name} ended: {errors.decode()[-2000:]}")
        if kind is not None and errors:
            print(f"--- {self.name} said:\n{errors.decode()[-2000:]}", file=sys.stderr)

    def end(self):
        """Ends it, and waits until what it had under way is done."""
        self.__exit__(None)

    def require_alive(self):
        """Raises where it has ended by itself."""
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name} ended: {self.errors()}")

    def errors(self):
        """The end of what a process that has ended said."""
        return self.process.stderr.read().decode()[-2000:]


class Clients(Program):
    """Clients that write and keep a record."""

    def __init__(self, server, count, name, mix, record, interval=0.0, seed=0):
        super().__init__(
            "clients.py", "--address", server.address, "--count", count, "--name", name, "--mix",
            mix, "--record", record, "--interval", interval, "--seed", seed)


class Crowd(Program):
    """Subscribers of the feed."""

    def __init__(self, server, count):
        super().__init__("crowd.py", "--address", server.address, "--count", count)

    def ask(self, **order):
        """Waits until an order has come true; its answer."""
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"crowd.py ended: {self.errors()}")
        return json.loads(line)


def judged(folder, log, feeds=(), records=()):
    """What checker.py finds, a line each; files are paths."""
    arguments = ["--log", log]
    for name, paths in (("--feed", feeds), ("--record", records)):
        arguments += [word for path in paths for word in (name, path)]
    done = subprocess.run(
        [sys.executable, str(HERE / "checker.py"), *map(str, arguments)], cwd=folder,
        capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise AssertionError(f"the checker did not judge: {done.stderr[-2000:]}")
    return done.stdout.splitlines()
