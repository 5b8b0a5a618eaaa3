"""A line between a mirror and its server that can be cut, go silent and come back.

It sees what passes: every byte a client sends first, and the messages of `holdfast.mirror.v1` both
ways (openapi/mirror.md).
"""

import asyncio
import contextlib
import json
import socket
import struct
import threading

UP, DOWN = "up", "down"
KEPT_BYTES = 64 << 10
HELLO, CHANGE, COMMITS, HEAD, ACCEPTED, REFUSED = 0x01, 0x02, 0x82, 0x83, 0x84, 0x85


class Frames:
    """Takes WebSocket frames out of bytes, from the upgrade on; gives binary messages."""

    def __init__(self, upgrade):
        self.upgrade = upgrade
        self.is_open = False
        self.bytes = bytearray()

    def feed(self, data):
        self.bytes += data
        if not self.is_open:
            begin = self.bytes.find(self.upgrade)
            end = self.bytes.find(b"\r\n\r\n", max(begin, 0))
            if begin < 0 or end < 0:
                return
            del self.bytes[:end + 4]
            self.is_open = True
        while (message := self.next()) is not None:
            if message:
                yield message

    def next(self):
        """One frame's payload, empty for a control frame; None when it is not all here."""
        if len(self.bytes) < 2:
            return None
        opcode, length, start = self.bytes[0] & 15, self.bytes[1] & 127, 2
        for code, size in ((126, 2), (127, 8)):
            if length == code:
                if len(self.bytes) < 2 + size:
                    return None
                start, length = 2 + size, int.from_bytes(self.bytes[2:2 + size], "big")
                break
        is_masked = self.bytes[1] & 128
        end = start + (4 if is_masked else 0) + length
        if len(self.bytes) < end:
            return None
        payload = bytes(self.bytes[end - length:end])
        if is_masked and length:
            mask = bytes(self.bytes[start:start + 4]) * (length // 4 + 1)
            plain = int.from_bytes(payload, "big") ^ int.from_bytes(mask[:length], "big")
            payload = plain.to_bytes(length, "big")
        del self.bytes[:end]
        return payload if opcode == 2 else b""


class Link:
    """One connection, and what has passed over it."""

    def __init__(self, proxy):
        self.proxy = proxy
        self.ends = {}
        self.waiting = {UP: [], DOWN: []}
        self.frames = {UP: Frames(b"GET /v1/mirror "), DOWN: Frames(b"HTTP/1.1 101")}
        self.sent = bytearray()  # what the client sent, its beginning
        self.down_count = 0  # bytes the client got
        self.hello = None
        self.change_count = 0
        self.commit_count = 0
        self.heads = []  # those with hashes: their seqs
        self.accepted = []  # (change id, whether it was answered as one sent again)
        self.refused = []

    def passed(self, way, data):
        """Bytes came in at one end."""
        if way == UP:
            self.sent += data[:max(0, KEPT_BYTES - len(self.sent))]
        if not self.proxy.flows[way]:
            self.waiting[way].append(data)
            return
        self.forward(way, data)

    def forward(self, way, data):
        for message in self.frames[way].feed(data):
            self.note(message)
        if way == DOWN:
            self.down_count += len(data)
        end = self.ends.get(DOWN if way == UP else UP)
        if end and not end.transport.is_closing():
            end.transport.write(data)

    def flow(self):
        """Lets go of what waited."""
        for way, waiting in self.waiting.items():
            while waiting and self.proxy.flows[way]:
                self.forward(way, waiting.pop(0))

    def note(self, message):
        kind, body = message[0], message[1:]
        if kind == HELLO:
            self.hello = json.loads(body)
        elif kind == CHANGE:
            self.change_count += 1
        elif kind == COMMITS:
            offset = 0
            while offset < len(body):
                offset += 4 + struct.unpack_from("<I", body, offset)[0]
                self.commit_count += 1
        elif kind == HEAD:
            head = json.loads(body)
            if "hashes" in head:
                self.heads.append(head["seq"])
        elif kind == ACCEPTED:
            answer = json.loads(body)
            self.accepted.append((answer["id"], answer.get("replayed", False)))
        elif kind == REFUSED:
            self.refused.append(json.loads(body)["id"])

    def reset(self):
        """Ends both sides with RST, as a cable that is pulled does to whoever speaks next."""
        for end in self.ends.values():
            sock = end.transport.get_extra_info("socket")
            if sock and sock.fileno() >= 0:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.transport.abort()


class End(asyncio.Protocol):
    """One side of a link: bytes that come in here go `way`."""

    def __init__(self, link, way, when_made=None):
        self.link = link
        self.way = way
        self.when_made = when_made
        self.transport = None

    @property
    def other(self):
        return self.link.ends.get(DOWN if self.way == UP else UP)

    def connection_made(self, transport):
        self.transport = transport
        self.link.ends[self.way] = self
        if self.when_made:
            self.when_made()

    def data_received(self, data):
        self.link.passed(self.way, data)

    def pause_writing(self):
        if self.other and not self.other.transport.is_closing():
            self.other.transport.pause_reading()

    def resume_writing(self):
        if self.other and not self.other.transport.is_closing():
            self.other.transport.resume_reading()

    def connection_lost(self, problem):
        if self.other:
            self.other.transport.close()


class Proxy:
    """Listens at an address of its own and passes everything on to a server.

    `target` is a server (its address may change), or whatever has an `address`.
    """

    def __init__(self, target):
        self.target = target
        self.links = []
        self.flows = {UP: True, DOWN: True}
        self.is_cut = False
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.address = None

    def __enter__(self):
        self.thread.start()
        self.listener = self.on_loop(self.loop.create_server(self.accept, "127.0.0.1", 0))
        self.address = "{}:{}".format(*self.listener.sockets[0].getsockname())
        return self

    def __exit__(self, *_):
        self.cut()
        self.loop.call_soon_threadsafe(self.listener.close)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    @property
    def url(self):
        return f"http://{self.address}"

    def on_loop(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    def accept(self):
        """A client has come: nothing is read of it before the server is reached."""
        link = Link(self)
        return End(link, UP, lambda: self.loop.create_task(self.reach(link)))

    async def reach(self, link):
        transport = link.ends[UP].transport
        transport.pause_reading()
        if not self.is_cut:
            self.links.append(link)
            host, port = self.target.address.rsplit(":", 1)
            with contextlib.suppress(OSError):
                await self.loop.create_connection(lambda: End(link, DOWN), host, int(port))
        if self.is_cut or DOWN not in link.ends:
            link.reset()
        elif not transport.is_closing():
            transport.resume_reading()

    def cut(self):
        """Ends every connection at once, and every new one, until `resume`."""
        async def work():
            self.is_cut = True
            for link in self.links:
                link.reset()
        self.on_loop(work())

    def stall(self, *ways):
        """Takes everything and passes nothing on, both ways or one: nobody is told."""
        async def work():
            for way in ways or (UP, DOWN):
                self.flows[way] = False
        self.on_loop(work())

    def resume(self):
        """Passes everything on again, what waited too."""
        async def work():
            self.is_cut = False
            self.flows = {UP: True, DOWN: True}
            for link in self.links:
                link.flow()
        self.on_loop(work())
