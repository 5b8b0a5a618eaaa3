"""Bytes on a socket: for what no HTTP library would send, and a WebSocket client that can err."""

import base64
import hashlib
import json
import os
import re
import socket
import struct

import recorder

FORM = re.compile(rb"([A-Z]+) ([^ ]+) HTTP/1\.1\r\n")


def exchange(server, chunks, half_close=False, wait=20.0, test="", records=True):
    """Sends bytes as they are; statuses in order, the connection's fate, and all that came.

    The fate is `closed` when the server ends the connection, `open` when it still answers. To tell
    them apart without waiting, a last request asks for /livez and to close: what comes before its
    reply is what the bytes got.
    """
    last = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    with socket.create_connection((server.host, server.port), timeout=wait) as stream:
        received = b""
        try:
            for chunk in chunks:
                stream.sendall(chunk)
            if half_close:
                stream.shutdown(socket.SHUT_WR)
            else:
                stream.sendall(last)
        except OSError:
            pass
        try:
            while part := stream.recv(65536):
                received += part
        except ConnectionResetError:
            pass
    replies = split(received, chunks)
    is_alive = bool(replies) and replies[-1][0] == 200 and b'"ok"' in replies[-1][2]
    if is_alive and not half_close:
        replies.pop()
    if records:
        record(chunks, replies, test)
    return [status for status, _, _ in replies], "open" if is_alive else "closed", received


def split(received, chunks):
    """Replies as (status, headers, body), by their lengths; a reply to HEAD has no body."""
    replies = []
    is_head = b"".join(chunks).startswith(b"HEAD")
    while received.startswith(b"HTTP/1."):
        head, _, rest = received.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        headers = [line.split(": ", 1) for line in lines[1:]]
        length = next((int(v) for n, v in headers if n.lower() == "content-length"), 0)
        if status < 200 or is_head and not replies:
            length = 0
        replies.append((status, headers, rest[:length]))
        received = rest[length:]
    return replies


def record(chunks, replies, test):
    """Records the first request, where it is one, with its reply."""
    sent = b"".join(chunks)
    match = FORM.match(sent)
    final = [reply for reply in replies if reply[0] >= 200]
    if not match or not final:
        return
    head = sent.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    headers = [line.split(": ", 1) for line in head if ": " in line]
    status, reply_headers, body = final[0]
    recorder.record(match[1].decode(), match[2].decode("latin-1"), headers, b"", status,
                    reply_headers, body, test)


class WebSocket:
    """One feed, opened."""

    def __init__(self, server, protocol="holdfast.feed.v1", wait=30.0):
        self.stream = socket.create_connection((server.host, server.port), timeout=wait)
        key = base64.b64encode(os.urandom(16)).decode()
        self.stream.sendall((
            f"GET /v1/feed HTTP/1.1\r\nHost: {server.host}:{server.port}\r\n"
            f"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n").encode())
        self.buffer = b""
        head = self.until(b"\r\n\r\n")
        if b" 101 " not in head:
            raise RuntimeError(head)
        guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        digest = base64.b64encode(hashlib.sha1((key + guid).encode()).digest())
        if digest not in head:
            raise RuntimeError("the handshake's answer is wrong")

    def until(self, end):
        """Bytes up to and with `end`."""
        while end not in self.buffer:
            self.fill()
        found, _, self.buffer = self.buffer.partition(end)
        return found + end

    def fill(self):
        part = self.stream.recv(65536)
        if not part:
            raise EOFError
        self.buffer += part

    def take(self, count):
        while len(self.buffer) < count:
            self.fill()
        found, self.buffer = self.buffer[:count], self.buffer[count:]
        return found

    def frame(self):
        """The next frame: opcode and payload."""
        first, second = self.take(2)
        length = second & 0x7F
        if length == 126:
            length = struct.unpack(">H", self.take(2))[0]
        elif length == 127:
            length = struct.unpack(">Q", self.take(8))[0]
        return first & 0x0F, self.take(length)

    def message(self):
        """The next message as (name, content); ('close', code) for a close frame."""
        while True:
            opcode, payload = self.frame()
            if opcode == 8:
                return "close", struct.unpack(">H", payload[:2])[0] if payload else 1005
            if opcode == 10:
                return "pong", payload
            if opcode == 1:
                (name, content), = json.loads(payload).items()
                return name, content

    def wait_for(self, wanted):
        """Messages up to the first of a name; its content, and the names before it."""
        names = []
        while True:
            name, content = self.message()
            if name == wanted:
                return content, names
            if name == "close":
                raise EOFError(f"closed with {content} before {wanted}")
            names.append(name)

    def send_bytes(self, data):
        self.stream.sendall(data)

    def send(self, value):
        """Sends a value as a text message."""
        self.send_bytes(masked(1, json.dumps(value).encode()))

    def end(self):
        """What ends the connection: the close code, or None where it just ended."""
        try:
            while True:
                name, content = self.message()
                if name == "close":
                    return content
        except (EOFError, ConnectionResetError):
            return None

    def close(self):
        self.stream.close()


def masked(opcode, payload, first=None, mask=b"\x11\x22\x33\x44", length=None):
    """A client's frame; `first` and `length` may lie, an empty `mask` leaves it out."""
    first = 0x80 | opcode if first is None else first
    length = len(payload) if length is None else length
    bit = 0x80 if mask else 0
    if length < 126:
        head = struct.pack(">BB", first, bit | length)
    elif length < 65536:
        head = struct.pack(">BBH", first, bit | 126, length)
    else:
        head = struct.pack(">BBQ", first, bit | 127, length)
    if mask:
        payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
    return head + mask + payload
