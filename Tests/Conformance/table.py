"""Tables of requests: each row says what is sent, what must come, and what must not happen.

A row is one exchange. Texts may hold `${name}`: a value an earlier row saved, or, for a name that
begins with `u:`, a UUID made at its first use; `${name#}` is the saved text as a number. After each
row the head must have moved by exactly the commits the row expects; a row that expects none also
proves that the chain stands.
"""

import dataclasses
import json
import re
import typing
import unittest
import uuid

from server import Server

ANY = type("Any", (), {"__repr__": lambda self: "anything"})()
PLACE = re.compile(r"\$\{([^}]+)\}")


@dataclasses.dataclass
class Row:
    """One exchange of a table."""

    name: str
    method: str
    target: str
    status: int
    code: typing.Optional[str] = None
    headers: dict = dataclasses.field(default_factory=dict)
    json: typing.Any = None
    body: typing.Optional[bytes] = None
    type: typing.Optional[str] = None
    has: dict = dataclasses.field(default_factory=dict)
    lacks: tuple = ()
    reply: dict = dataclasses.field(default_factory=dict)
    lines: typing.Optional[list] = None
    save: dict = dataclasses.field(default_factory=dict)
    commits: int = 0


class Reply:
    """What came."""

    def __init__(self, response):
        self.status = response.status
        self.headers = {}
        for name, value in response.getheaders():
            self.headers[name.lower()] = value
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body) if self.body else None

    @property
    def lines(self):
        return [json.loads(line) for line in self.body.splitlines()]


class Table(unittest.TestCase):
    """Runs rows against one server; subclasses set `server` and share `saved`."""

    server = None
    saved = {}
    longMessage = True

    def fill(self, value):
        """Puts saved values in the places of texts."""
        if isinstance(value, str):
            whole = PLACE.fullmatch(value)
            if whole:
                return self.value(whole[1])
            return PLACE.sub(lambda match: str(self.value(match[1])), value)
        if isinstance(value, dict):
            return {self.fill(k): self.fill(v) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.fill(v) for v in value]
        return value

    def value(self, name):
        if name.endswith("#"):
            return int(self.value(name[:-1]))
        if name.startswith("u:") and name not in self.saved:
            self.saved[name] = str(uuid.uuid4())
        return self.saved[name]

    def send(self, row):
        """Sends a row's request."""
        headers = self.fill(dict(row.headers))
        body = row.body
        if row.json is not None:
            body = json.dumps(self.fill(row.json), ensure_ascii=False).encode()
        elif isinstance(body, str):
            body = self.fill(body).encode()
        if body is not None and row.type != "":
            headers.setdefault("Content-Type", row.type or "application/json")
        connection = self.server.connection(f"{type(self).__name__}: {row.name}")
        try:
            connection.request(row.method, self.fill(row.target), body=body, headers=headers)
            return Reply(connection.getresponse())
        finally:
            connection.close()

    def head(self):
        """Seq and chain of the head."""
        reply = self.send(Row("the head", "GET", "/v1", 200)).json
        return int(reply["head"].split(":")[1]), reply["chain"]

    def run_rows(self, rows):
        """Runs a table; a row that fails does not keep the others from running."""
        seq, chain = self.head()
        for row in rows:
            reply = None
            with self.subTest(row.name):
                reply = self.send(row)
                self.compare(row, reply)
                self.keep(row, reply)
            after, chain_after = self.head()
            with self.subTest(row.name + " (commits)"):
                self.assertEqual(after - seq, row.commits, "commits made")
                self.assertEqual(chain_after == chain, after == seq, "the chain follows the head")
                if after > seq and row.lines is None and reply is not None:
                    position = reply.headers.get("holdfast-position")
                    self.assertEqual(position, f"{self.server.epoch}:{after}", "its position")
            seq, chain = after, chain_after

    def compare(self, row, reply):
        """Holds a reply against its row."""
        shown = f"\n{row.method} {self.fill(row.target)} -> {reply.status} {reply.body[:600]!r}"
        self.assertEqual(reply.status, row.status, shown)
        if row.code is not None and row.method != "HEAD":
            self.assertEqual(reply.json["code"], row.code, shown)
        if row.status in (204, 304) or row.method == "HEAD":
            self.assertEqual(reply.body, b"", shown)
        for path, expected in row.has.items():
            self.match(at(reply.json, path), self.fill(expected), f"{path}{shown}")
        for path in row.lacks:
            self.assertIs(at(reply.json, path), MISSING, f"{path} is there{shown}")
        for name, expected in row.reply.items():
            value = reply.headers.get(name.lower(), MISSING)
            if expected is None:
                self.assertIs(value, MISSING, f"header {name} is there{shown}")
            else:
                self.match(value, self.fill(expected), f"header {name}{shown}")
        if row.lines is not None:
            lines = reply.lines
            self.assertEqual(len(lines), len(row.lines), f"number of lines{shown}")
            for number, (line, expected) in enumerate(zip(lines, row.lines), 1):
                for path, value in expected.items():
                    self.match(at(line, path), self.fill(value), f"line {number} {path}{shown}")

    def match(self, value, expected, message):
        """Equal, or found by a pattern, or anything at all."""
        self.assertIsNot(value, MISSING, message)
        if isinstance(expected, re.Pattern):
            self.assertRegex(str(value), expected, message)
        elif expected is not ANY:
            self.assertEqual(value, expected, message)

    def keep(self, row, reply):
        """Saves what later rows refer to: `header:Name`, `version` (an ETag without quotes, or
        an envelope's), or a path into the JSON."""
        for name, source in row.save.items():
            if source.startswith("header:"):
                self.saved[name] = reply.headers[source[7:].lower()]
            elif source == "version":
                tag = reply.headers.get("etag")
                self.saved[name] = tag.strip('"') if tag else reply.json["version"]
            else:
                self.saved[name] = at(reply.json, source)


class ServedTable(Table):
    """Runs rows against a server of the class's own, started with its `flags`.

    `saved` begins with the server's `origin` and `epoch`.
    """

    flags = ()

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.flags)
        cls.saved = {
            "origin": f"http://{cls.server.host}:{cls.server.port}", "epoch": cls.server.epoch}

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == 0


class Missing:
    """What is found where nothing is."""

    def __repr__(self):
        return "nothing"


MISSING = Missing()


def at(value, path):
    """The value at a path of members and ordinals joined by slashes; `#` is the length."""
    for part in path.split("/") if path else []:
        if part == "#":
            value = len(value)
        elif isinstance(value, list) and part.lstrip("-").isdigit():
            value = value[int(part)] if int(part) < len(value) else MISSING
        elif isinstance(value, dict):
            value = value.get(part, MISSING)
        else:
            return MISSING
        if value is MISSING:
            return MISSING
    return value
