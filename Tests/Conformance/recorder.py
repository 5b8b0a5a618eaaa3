"""Records HTTP exchanges of Python tests for check.py.

    connection = recorder.Connection("127.0.0.1", port, test="a borrow is refused")

is an `http.client.HTTPConnection`; every reply that was read to its end is appended to a file of
this process in the folder $HOLDFAST_RECORDINGS, or to none when that is not set.
"""

import base64
import http.client
import json
import os
import threading

# Of longer bodies the beginning is kept, to the last whole line.
KEPT_BYTES = 256 << 10

_lock = threading.Lock()


def record(method, target, request_headers, request_body, status, headers, body, test=""):
    """Appends one exchange. Headers are dictionaries or pairs, bodies bytes or None."""
    folder = os.environ.get("HOLDFAST_RECORDINGS")
    if not folder:
        return
    pairs = lambda h: [list(p) for p in (h.items() if isinstance(h, dict) else h)]
    kept, cut = keep(body or b"")
    request_kept, request_cut = keep(request_body or b"")
    line = {
        "method": method,
        "target": target,
        "requestHeaders": pairs(request_headers),
        "requestBody": base64.b64encode(request_kept).decode(),
        "status": status,
        "headers": pairs(headers),
        "body": base64.b64encode(kept).decode(),
        "test": test,
    }
    if cut or request_cut:
        line["truncated"] = True
    if request_cut:
        line["requestTruncated"] = True
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, f"python-{os.getpid()}.ndjson")
    with _lock, open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def keep(body):
    """The part of a body that is recorded, and whether something was left out."""
    if len(body) <= KEPT_BYTES:
        return body, False
    return body[: body.rfind(b"\n", 0, KEPT_BYTES) + 1], True


class Response(http.client.HTTPResponse):
    """A response that remembers what was read of it and records itself at its end."""

    exchange = None

    def begin(self):
        super().begin()
        self._read_bytes = []
        self._kept_count = 0
        self._inside = False
        self._is_recorded = False

    def read(self, amt=None):
        return self._remember(super().read, amt)

    def read1(self, n=-1):
        return self._remember(super().read1, n)

    def readline(self, limit=-1):
        return self._remember(super().readline, limit)

    def _remember(self, read, *arguments):
        if self._inside:
            return read(*arguments)
        self._inside = True
        try:
            data = read(*arguments)
        finally:
            self._inside = False
        if self._kept_count <= KEPT_BYTES:
            self._read_bytes.append(data)
            self._kept_count += len(data)
        if self.isclosed() and self.exchange and not self._is_recorded:
            self._is_recorded = True
            record(*self.exchange[:4], self.status, self.getheaders(),
                   b"".join(self._read_bytes), self.exchange[4])
        return data


class Connection(http.client.HTTPConnection):
    """A connection whose exchanges are recorded."""

    response_class = Response

    def __init__(self, *arguments, test="", **named):
        super().__init__(*arguments, **named)
        self.test = test
        self._pending = None

    def request(self, method, url, body=None, headers={}, **named):
        data = body.encode() if isinstance(body, str) else body
        kept = data if isinstance(data, (bytes, bytearray)) else b""
        self._pending = (method, url, dict(headers), bytes(kept), self.test)
        super().request(method, url, body=data, headers=headers, **named)

    def getresponse(self):
        response = super().getresponse()
        response.exchange = self._pending
        if response.isclosed() and self._pending:
            response.read()
        return response
