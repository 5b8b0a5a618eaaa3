#!/usr/bin/env python3
"""Many subscribers of the live feed in one process, on one thread.

    crowd.py --address 127.0.0.1:7070 --count 5000

Orders come as lines of JSON on standard input, each is answered by a line when it has come true:

    {"live":true}               every feed has been told that it is live
    {"reach":120}               every feed has got commit 120
    {"heads":2}                 every feed has got so many heads
    {"compare":"log.ndjson"}    {"count":..,"differences":[..]}: whether what each got, from the
                                commit behind its `started` on, is byte for byte the log's (as
                                GET /v1/changes prints it), up to the last one of the file

A feed that ends is a failure: exit code 1. It ends with its standard input.
"""

import argparse
import array
import json
import os
import selectors
import socket
import sys
import time
import zlib

CONNECTING_MAX = 200
LOOK_SECONDS = 0.05  # between two looks at all feeds, whether an order has come true
UPGRADE = (
    "GET /v1/feed HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Protocol: holdfast.feed.v1\r\n\r\n")
# {"start":{}}, masked by zeros: it may stand as it is.
START = b"\x81\x8c\x00\x00\x00\x00" + b'{"start":{}}'


class Feed:
    """One subscriber: what it got is kept as a checksum a commit."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=60)
        self.socket.sendall(UPGRADE.format(address=address).encode())
        self.socket.setblocking(False)
        self.buffer = bytearray()
        self.is_upgraded = self.is_live = False
        self.first = None  # the seq of the first commit that is to come
        self.sums = array.array("I")
        self.head_count = 0

    @property
    def reached(self):
        return -1 if self.first is None else self.first + len(self.sums) - 1

    def receive(self):
        """Takes what has come; raises when the feed has ended."""
        part = self.socket.recv(1 << 18)
        if not part:
            raise EOFError("a feed ended")
        self.buffer += part
        if not self.is_upgraded:
            head, found, rest = self.buffer.partition(b"\r\n\r\n")
            if not found:
                return
            if b" 101 " not in head:
                raise EOFError(head.decode())
            self.is_upgraded, self.buffer = True, bytearray(rest)
            self.socket.sendall(START)
        place = 0
        while (frame := self.frame(place)) is not None:
            opcode, begin, place = frame
            self.take(opcode, bytes(self.buffer[begin:place]))
        del self.buffer[:place]

    def frame(self, place):
        """The frame at a place: opcode, its payload's begin and end; None if not all is here."""
        count = len(self.buffer) - place
        if count < 2:
            return None
        length, begin = self.buffer[place + 1], place + 2
        if length > 125:
            begin += 2 if length == 126 else 8
            if len(self.buffer) < begin:
                return None
            length = int.from_bytes(self.buffer[place + 2:begin], "big")
        end = begin + length
        return (self.buffer[place] & 15, begin, end) if len(self.buffer) >= end else None

    def take(self, opcode, payload):
        if payload.startswith(b'{"commit":'):
            self.sums.append(zlib.crc32(payload))
            return
        if opcode == 8 or payload.startswith(b'{"bye"'):
            raise EOFError(f"a feed ended with {payload!r}")
        if payload.startswith(b'{"started"'):
            self.first = json.loads(payload)["started"]["seq"] + 1
        elif payload.startswith(b'{"live"'):
            self.is_live = True
        elif payload.startswith(b'{"head"'):
            self.head_count += 1

    def difference(self, sums):
        """What this feed got that is not what it should have, None where it is the same."""
        due = sums[self.first - 1:]
        for place, (got, logged) in enumerate(zip(self.sums, due)):
            if got != logged:
                return f"commit {self.first + place} came otherwise"
        if len(self.sums) != len(due):
            return f"{len(self.sums)} commits came of {len(due)} from {self.first} on"
        return None


class Crowd:
    """All subscribers, and the orders about them."""

    def __init__(self, address, count):
        self.address = address
        self.count = count
        self.feeds = []
        self.not_live = 0
        self.selector = selectors.DefaultSelector()
        self.selector.register(sys.stdin.fileno(), selectors.EVENT_READ)
        self.orders = b""
        self.waiting = None
        self.looked = 0.0

    def run(self):
        while True:
            while len(self.feeds) < self.count and self.not_live < CONNECTING_MAX:
                feed = Feed(self.address)
                self.feeds.append(feed)
                self.not_live += 1
                self.selector.register(feed.socket, selectors.EVENT_READ, feed)
            for key, _ in self.selector.select(LOOK_SECONDS if self.waiting else None):
                if key.data is None:
                    if not self.read_orders():
                        return
                else:
                    was_live = key.data.is_live
                    key.data.receive()
                    self.not_live -= key.data.is_live and not was_live
            self.answer()

    def read_orders(self):
        part = os.read(sys.stdin.fileno(), 65536)
        self.orders += part
        return bool(part)

    def answer(self):
        if self.waiting is None and b"\n" in self.orders:
            line, _, self.orders = self.orders.partition(b"\n")
            self.waiting = json.loads(line)
        if self.waiting is None or time.monotonic() < self.looked + LOOK_SECONDS:
            return
        self.looked = time.monotonic()
        reply = self.reply(**self.waiting)
        if reply is not None:
            print(json.dumps(reply), flush=True)
            self.waiting = None

    def reply(self, live=None, reach=None, heads=None, compare=None):
        """The answer to an order, None while it has not come true."""
        if live is not None and (len(self.feeds) < self.count or self.not_live):
            return None
        if reach is not None and any(feed.reached < reach for feed in self.feeds):
            return None
        if heads is not None and any(feed.head_count < heads for feed in self.feeds):
            return None
        if compare is None:
            return {"count": len(self.feeds)}
        with open(compare, "rb") as file:
            sums = array.array("I", (
                zlib.crc32(b'{"commit":' + line.rstrip(b"\n") + b"}") for line in file))
        differences = [f"feed {number}: {found}" for number, feed in enumerate(self.feeds)
                       if (found := feed.difference(sums))]
        return {"count": sum(len(feed.sums) for feed in self.feeds),
                "differences": differences[:10]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--address", required=True)
    parser.add_argument("--count", type=int, required=True)
    chosen = parser.parse_args()
    try:
        Crowd(chosen.address, chosen.count).run()
    except (EOFError, OSError) as problem:
        print(f"{type(problem).__name__}: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
