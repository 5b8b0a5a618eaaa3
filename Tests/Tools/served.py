"""A real `holdfast serve` process on a free port, and HTTP clients that speak to it.

Used by the tests that cross process borders. The binary is the one `HOLDFAST_BIN` names; without
it, what `swift build` left in `.build`.
"""

import contextlib
import http.client
import json
import os
import pathlib
import re
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
START_SECONDS = 60
STOP_SECONDS = 60
WAIT_SECONDS = 60


def binary():
    """Where the server's executable is."""
    named = os.environ.get("HOLDFAST_BIN")
    found = [named] if named else [
        str(ROOT / ".build" / configuration / "holdfast") for configuration in ("release", "debug")
    ]
    for path in found:
        if os.access(path, os.X_OK):
            return path
    raise SystemExit(f"no server to test: set HOLDFAST_BIN, or build one ({', '.join(found)})")


def wait_until(condition, what, seconds=WAIT_SECONDS):
    """Waits until a condition holds and gives its value; fails naming what was waited for."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.01)


class Server:
    """One server over one folder; it may be stopped, killed and started again on the same port.

    The database is in a folder of the server's own, or in the one named by `data`; `through` is a
    command that becomes the server, as env(1) does.
    """

    def __init__(self, *flags, application="stockroom", data=None, through=()):
        self.flags = flags
        self.through = through
        self.folder = tempfile.mkdtemp(prefix="holdfast-test-")
        self.data = data or str(pathlib.Path(self.folder) / "data")
        self.application = application
        self.address = None
        self.home = None
        self.process = None
        self.ready = {}
        self.errors = open(pathlib.Path(self.folder) / "stderr", "ab")

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, *_):
        self.kill()
        self.errors.close()
        if kind is not None:
            tail = (pathlib.Path(self.folder) / "stderr").read_bytes()[-4000:]
            print(f"--- the server said:\n{tail.decode(errors='replace')}", file=sys.stderr)
        shutil.rmtree(self.folder)

    @property
    def url(self):
        return f"http://{self.address}"

    @property
    def pid(self):
        return self.process.pid

    def start(self, elsewhere=False):
        """Starts the process and returns once it says it is ready.

        It comes back at the address it had, where its clients look for it; or `elsewhere`, where
        only those find it who are told, until it is started again.
        """
        self.launch(elsewhere)
        self.wait_until_ready()

    def launch(self, elsewhere=False):
        """Starts the process, which is not ready yet."""
        self.home = self.home or self.address
        listen = "127.0.0.1:0" if elsewhere or not self.home else self.home
        self.process = subprocess.Popen(
            [
                *self.through, binary(), "serve", "--data", self.data,
                "--listen", listen, "--application", self.application,
                "--web", str(ROOT / "web"), *self.flags,
            ],
            stdout=subprocess.PIPE, stderr=self.errors, stdin=subprocess.DEVNULL,
        )

    def wait_until_ready(self):
        """Waits for the line by which the process says where it listens."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            if not selector.select(START_SECONDS):
                raise AssertionError(f"the server was not ready within {START_SECONDS} s")
        line = self.process.stdout.readline().decode()
        found = re.match(r"ready https?://(\S+)((?: \S+=\S+)*)", line)
        if not found:
            raise AssertionError(f"the server did not say it is ready but {line!r}")
        self.address = found[1]
        self.ready = dict(pair.split("=", 1) for pair in found[2].split())

    def kill(self):
        """SIGKILL: as a power cut would, but the page cache stays."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process = None

    def stop(self):
        """SIGTERM; the server must end by itself with exit code 0."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(STOP_SECONDS)
        self.process.stdout.close()
        self.process = None
        if code != 0:
            raise AssertionError(f"asked to stop, the server ended with exit code {code}")

    def resident_kibibytes(self):
        """The process's anonymous memory that is in RAM (mapped files are not counted)."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"^RssAnon:\s+(\d+) kB", status, re.MULTILINE)[1])

    def descriptor_count(self):
        """How many files and sockets the process has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def processor_seconds(self):
        """What the process has used of processors, user and system."""
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def client(self, user="local", device="rest"):
        return Client(self, user, device)


class Reply:
    """What the server answered: status, headers, body bytes."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def document(self):
        return json.loads(self.body)

    @property
    def position(self):
        return self.headers["Holdfast-Position"]

    @property
    def code(self):
        """The stable code of a problem, None for anything else."""
        is_problem = self.headers.get("Content-Type", "").startswith("application/problem+json")
        return self.document.get("code") if is_problem else None

    def __repr__(self):
        return f"{self.status} {self.body[:500].decode(errors='replace')}"


class Client:
    """A caller with a name and one kept connection, opened anew where it was lost."""

    def __init__(self, server, user, device):
        self.server = server
        self.names = {"Holdfast-User": user, "Holdfast-Device": device}
        self.connection = None

    def close(self):
        if self.connection:
            self.connection.close()
            self.connection = None

    def ask(self, method, path, document=None, **headers):
        """One request. Headers are keyword arguments: `if_match=...` is `If-Match: ...`."""
        body = None
        sent = dict(self.names)
        if document is not None:
            body = document if isinstance(document, bytes) else json.dumps(document).encode()
            sent["Content-Type"] = "application/json"
        sent.update({name.replace("_", "-").title(): text for name, text in headers.items()})
        if self.connection is None:
            self.connection = http.client.HTTPConnection(self.server.address, timeout=WAIT_SECONDS)
        try:
            self.connection.request(method, path, body, sent)
            reply = self.connection.getresponse()
            return Reply(reply.status, reply.headers, reply.read())
        except (OSError, http.client.HTTPException):
            self.close()
            raise

    def get(self, path, **headers):
        return self.ask("GET", path, **headers)

    def put(self, path, document, **headers):
        return self.ask("PUT", path, document, **headers)

    def post(self, path, document=None, **headers):
        return self.ask("POST", path, {} if document is None else document, **headers)

    def patch(self, path, document, **headers):
        body = json.dumps(document).encode()
        return self.ask("PATCH", path, body, content_type="application/merge-patch+json", **headers)

    def delete(self, path, **headers):
        return self.ask("DELETE", path, **headers)

    def change(self, operations, why="", identifier=None):
        """One commit of these operations by `POST /v1/changes`."""
        document = {"id": identifier or str(uuid.uuid4()), "operations": operations}
        if why:
            document["why"] = why
        return self.post("/v1/changes", document)

    @contextlib.contextmanager
    def stream(self, path, receive_bytes=None):
        """The reply to a GET as NDJSON, unread: a file of lines with a `position`.

        `receive_bytes` bounds the socket's receive buffer, for readers that mean to be slow.
        """
        connection = http.client.HTTPConnection(self.server.address, timeout=WAIT_SECONDS)
        if receive_bytes:
            connection.sock = bounded_socket(self.server.address, receive_bytes)
        try:
            connection.request("GET", path, headers={
                **self.names, "Accept": "application/x-ndjson"})
            reply = connection.getresponse()
            if reply.status != 200:
                raise AssertionError(f"{path}: {reply.status} {reply.read()[:500]!r}")
            reply.position = reply.headers["Holdfast-Position"]
            yield reply
        finally:
            connection.close()

    def save_log(self, path):
        """Puts every commit there is into a file, as NDJSON; its path."""
        epoch = self.get("/v1").document["epoch"]
        with self.stream(f"/v1/changes?since={epoch}:0") as reply, open(path, "wb") as file:
            shutil.copyfileobj(reply, file)
        return path

    def lines(self, path):
        """The position and the elements of an NDJSON reply, read whole."""
        with self.stream(path) as reply:
            return reply.position, [json.loads(line) for line in reply if line.strip()]


def bounded_socket(address, receive_bytes):
    """A connected socket whose receive buffer was bounded before the handshake."""
    host, port = address.rsplit(":", 1)
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    made.settimeout(WAIT_SECONDS)
    made.connect((host, int(port)))
    return made


def record_path(tree, key, revision=None, action=""):
    """The path of a record, given its key as an id or a name."""
    query = "" if revision is None else f"?revision={revision}"
    return f"/v1/records/{tree}/{urllib.parse.quote(str(key), safe='')}{action}{query}"


def seq_of(position):
    """The sequence number of a position text."""
    return int(position.split(":")[1])


def gauge(client, name):
    """One figure of `/metrics`."""
    lines = client.get("/metrics").body.decode().splitlines()
    values = [line.split()[-1] for line in lines if line.startswith(f"{name} ")]
    assert len(values) == 1, f"no {name} in /metrics"
    return float(values[0])


def in_threads(*bodies):
    """Runs functions at once, each in a thread; raises what the first that failed raised."""
    failures = []

    def guarded(body):
        try:
            body()
        except BaseException as problem:
            failures.append(problem)

    threads = [threading.Thread(target=guarded, args=(body,), daemon=True) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
