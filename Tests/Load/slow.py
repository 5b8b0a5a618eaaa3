"""Slow clients that send a byte now and then: each ends by its deadline, others are served.

Heads, bodies, frames and handshakes of TLS dribble in for as long as the server bears it: without a
deadline of the whole none of these connections would ever end.
"""

import heapq
import json
import selectors
import shutil
import socket
import ssl
import tempfile
import time

from certificates import Certificates
from clients import declare
from crowd import UPGRADE
from programs import Clients, judged
from served import WAIT_SECONDS, Server, wait_until

COUNT = 2000
GAP_SECONDS = 1.0  # between two bytes of one connection
HEAD_SECONDS, BODY_SECONDS = 10, 30  # the server's own
SHORT_SECONDS = 2  # both, in the short form
FLOOD = b"x" * 100_000

HEAD = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
WHOLE = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
BODY = (b"PUT /v1/records/bins/slow HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/json\r\nIf-None-Match: *\r\n")


def client_hello():
    """The first bytes of a real handshake."""
    out = ssl.MemoryBIO()
    session = ssl.create_default_context().wrap_bio(
        ssl.MemoryBIO(), out, server_hostname="localhost")
    try:
        session.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


def kinds():
    """(name, whether over TLS, what is sent at once, what dribbles)."""
    hello = client_hello()
    return [
        ("head", False, HEAD[:1], HEAD[1:] + FLOOD),
        ("second head", False, WHOLE + HEAD[:1], HEAD[1:] + FLOOD),
        ("body", False, BODY + b"Content-Length: 90000\r\n\r\n\"", FLOOD),
        ("chunks", False, BODY + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 9000),
        ("start", False, UPGRADE.format(address="localhost").encode(),
         b"\x81\xfe\x40\x00\x00\x00\x00\x00" + FLOOD),
        ("handshake", True, hello[:1], hello[1:] + FLOOD),
        ("first flight", True, hello, b"\x17\x03\x03\x40\x00" + FLOOD),
    ]


class Slow:
    """One slow connection."""

    def __init__(self, port, kind):
        self.name, _, at_once, self.dribble = kind
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=WAIT_SECONDS)
        self.socket.sendall(at_once)
        self.socket.setblocking(False)
        self.began = time.monotonic()
        self.sent = 0
        self.received = b""
        self.seconds = None  # after which it ended

    def send(self):
        """One byte more; a connection that the server ended is noticed by reading."""
        try:
            self.sent += self.socket.send(self.dribble[self.sent:self.sent + 1])
        except (BlockingIOError, ConnectionError):
            pass

    def receive(self):
        """Whether it goes on."""
        try:
            part = self.socket.recv(65536)
        except ConnectionError:
            part = b""
        self.received += part
        if part:
            return True
        self.seconds = time.monotonic() - self.began
        self.socket.close()
        return False


def dribble(connections):
    """Lets all of them send until the server has ended every one."""
    selector, due = selectors.DefaultSelector(), []
    for number, slow in enumerate(connections):
        selector.register(slow.socket, selectors.EVENT_READ, slow)
        heapq.heappush(due, (slow.began + GAP_SECONDS, number))
    left, end = len(connections), time.monotonic() + 3 * WAIT_SECONDS
    while left:
        if time.monotonic() > end:
            names = sorted({slow.name for slow in connections if slow.seconds is None})
            raise AssertionError(f"{left} slow connections never ended: {names}")
        while due and due[0][0] <= time.monotonic():
            at, number = heapq.heappop(due)
            if connections[number].seconds is None:
                connections[number].send()
                heapq.heappush(due, (at + GAP_SECONDS, number))
        for key, _ in selector.select(max(0, due[0][0] - time.monotonic()) if due else 1):
            if not key.data.receive():
                selector.unregister(key.fileobj)
                left -= 1


def run(scale, figures):
    count = int(COUNT * scale)
    head, body = (HEAD_SECONDS, BODY_SECONDS) if scale == 1 else (SHORT_SECONDS, SHORT_SECONDS)
    limits = ("--head-timeout", str(head), "--body-timeout", str(body))
    folder = tempfile.mkdtemp(prefix="holdfast-slow-")
    try:
        certificate, key = Certificates(folder).pair("server")
        with Server(*limits) as plain, Server(
                *limits, "--tls-certificate", certificate, "--tls-key", key) as secure:
            declare(plain)
            beset(plain, secure, count, figures)
    finally:
        shutil.rmtree(folder)


def beset(plain, secure, count, figures):
    descriptors = [server.descriptor_count() for server in (plain, secure)]
    memory = [server.resident_kibibytes() for server in (plain, secure)]
    record, chosen = f"{plain.folder}/record.ndjson", kinds()
    port = {is_secure: int(server.address.rsplit(":", 1)[1])
            for is_secure, server in ((False, plain), (True, secure))}
    with Clients(plain, 4, "w", "steady", record, interval=0.1) as others:
        connections = [Slow(port[chosen[n % len(chosen)][1]], chosen[n % len(chosen)])
                       for n in range(count)]
        grown = [server.resident_kibibytes() - was
                 for server, was in zip((plain, secure), memory)]
        reach(secure)
        dribble(connections)
        reach(secure)
        others.require_alive()
    for server, was in zip((plain, secure), descriptors):
        wait_until(lambda: server.descriptor_count() <= was, "the descriptors to come back")
    client = plain.client()
    found = judged(plain.folder, client.save_log(f"{plain.folder}/log.ndjson"), records=[record])
    client.close()
    assert found == [], found
    with open(record, encoding="utf-8") as file:
        served = [json.loads(line) for line in file]
    assert served and all(each["status"] == 200 for each in served), "somebody was not served"
    for name, *_ in chosen:
        of_kind = [slow for slow in connections if slow.name == name]
        told(name, of_kind)
        ends = [slow.seconds for slow in of_kind]
        figures.add(f"slow_{name.replace(' ', '_')}_s", max(ends), "s",
                    f"the last of {len(ends)} ended; the first after {min(ends):.1f}")
    figures.add("slow_others", len(served), "writes",
                f"beside {count} slow connections, each answered")
    figures.add("slow_connection_kib", sum(grown) / count, "KiB", "RssAnon a slow connection")


def reach(secure):
    """One who makes a whole handshake is served."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    host, port = secure.address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=WAIT_SECONDS) as stream:
        with context.wrap_socket(stream) as session:
            session.sendall(WHOLE)
            assert session.recv(100).startswith(b"HTTP/1.1 200"), "no answer over TLS"


def told(name, connections):
    """Who speaks HTTP is told 408, a feed by its close code."""
    for slow in connections:
        if name in ("head", "second head", "body", "chunks"):
            assert b"HTTP/1.1 408 " in slow.received, (name, slow.received)
        elif name == "start":
            assert slow.received.endswith((4408).to_bytes(2, "big")), (name, slow.received[-80:])
