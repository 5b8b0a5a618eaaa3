"""Faults around a server: a full disk, garbage for TLS, half-closed sockets, a clock that jumps.

What other suites hold is not repeated here: descriptors that run out (SurroundingsTests,
ListenerTests, limits_test.py), syncs and writes that fail (StoreTests, SurroundingsTests), what a
clock does to grants (StoreTests, SurroundingsTests).
"""

import glob
import json
import os
import pathlib
import random
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile

from certificates import Certificates
from clients import declare
from crowd import START, UPGRADE
from memory import leaves_nothing
from served import WAIT_SECONDS, Server, record_path, wait_until
from slow import BODY, WHOLE, client_hello, reach

GARBAGE_COUNT = 2000
HALF_CLOSED_COUNT = 2000
RECORD_COUNT = 300  # of a list that is still under way when its reader has nothing more to say
NEVER_SECONDS = "3600"
NAME_SPACES = (["unshare", "--mount"], ["unshare", "--user", "--map-root-user", "--mount"])
FAKE_CLOCK = "/usr/lib/*/faketime/libfaketime.so.1"
JUMPS = ("-1d", "+30d", "-400d", "+1000d", "+0d")


def run(scale, figures):
    fill_the_disk(figures)
    folder = tempfile.mkdtemp(prefix="holdfast-fault-")
    try:
        certificate = Certificates(folder).pair("server")
        send_garbage(certificate, int(GARBAGE_COUNT * scale), figures)
        half_close(certificate, int(HALF_CLOSED_COUNT * scale), figures)
        turn_the_clock(folder, figures)
    finally:
        shutil.rmtree(folder)


def not_tested(what):
    print(f"*** NOT TESTED: {what}", file=sys.stderr)


def fill_the_disk(figures):
    """In a name space of its own, as it mounts a disk."""
    for words in NAME_SPACES if shutil.which("unshare") else ():
        probe = [*words, "mount", "-t", "tmpfs", "none", "/mnt"]
        if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
            break
    else:
        not_tested("a full disk; nobody may mount one here")
        return
    done = subprocess.run(
        [*words, sys.executable, str(pathlib.Path(__file__).with_name("full.py"))],
        stdout=subprocess.PIPE, check=False)
    assert done.returncode == 0, "the server did not bear a full disk"
    figures.add("fault_full_disk", json.loads(done.stdout)["commits"], "commits",
                "to a full disk, killed on it, on with room; judged by the checker")


def secure_server(certificate, *flags):
    return Server("--tls-certificate", certificate[0], "--tls-key", certificate[1], *flags)


def connect(server):
    host, port = server.address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=WAIT_SECONDS)


def handshake(stream):
    """TLS over a socket whose bytes remain ours: what takes and gives plain text."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    while True:
        try:
            session.do_handshake()
        except ssl.SSLWantReadError:
            stream.sendall(outgoing.read())
            incoming.write(stream.recv(65536))
        else:
            stream.sendall(outgoing.read())
            return session, outgoing


def drain(stream):
    """All that comes until the server ends the connection; fails where it never does."""
    received = b""
    try:
        while part := stream.recv(65536):
            received += part
    except ConnectionError:
        pass
    return received


def send_garbage(certificate, count, figures):
    """Bytes that are no TLS, at any moment of a connection."""
    chance = random.Random(count)
    hello = client_hello()

    def flipped():
        wrong = bytearray(hello)
        for _ in range(chance.randrange(1, 20)):
            wrong[chance.randrange(len(wrong))] ^= 1 << chance.randrange(8)
        return bytes(wrong)

    def after_the_handshake(stream):
        handshake(stream)
        stream.sendall(b"\x17\x03\x03\x00\x40" + chance.randbytes(64))

    def reset(stream):
        stream.sendall(hello[:chance.randrange(1, len(hello))])
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        stream.close()

    ways = [
        lambda stream: stream.sendall(chance.randbytes(chance.randrange(1, 4000))),
        lambda stream: stream.sendall(flipped()),
        lambda stream: stream.sendall(b"\x16\x03\x01\xff\xff" + chance.randbytes(2000)),
        lambda stream: stream.sendall(WHOLE),
        lambda stream: stream.sendall(hello + hello),
        after_the_handshake,
        reset,
    ]
    with secure_server(certificate, "--head-timeout", "1") as server:
        reach(server)
        descriptors = server.descriptor_count()

        def garbage(_):
            streams = []
            for number in range(count):
                stream = connect(server)
                try:
                    ways[number % len(ways)](stream)
                except ConnectionError:
                    pass
                if stream.fileno() >= 0:
                    streams.append(stream)
            reach(server)
            for stream in streams:
                assert b" 200 " not in drain(stream)
                stream.close()
            reach(server)
            wait_until(lambda: server.descriptor_count() <= descriptors,
                       "the descriptors to come back")

        left = leaves_nothing(server, count, garbage)
    figures.add("fault_tls_garbage", count, "", f"connections in {len(ways)} ways at once, each "
                f"ended; KiB kept, round by round: {', '.join(map(str, left))}")


def half_close(certificate, count, figures):
    """Clients that say no more: they are answered, or ended, and no deadline is needed for it."""
    patient = [word for name in ("head", "body", "idle", "stall")
               for word in (f"--{name}-timeout", NEVER_SECONDS)]
    with Server(*patient) as plain, secure_server(certificate, *patient) as secure:
        declare(plain)
        client = plain.client()
        for number in range(RECORD_COUNT):
            reply = client.put(record_path("bins", f"n{number}"), "x" * 5000, if_none_match="*")
            assert reply.status == 201, reply
        descriptors = [server.descriptor_count() for server in (plain, secure)]
        upgrade = UPGRADE.format(address=plain.address).encode()
        listed = (b"GET /v1/records/bins HTTP/1.1\r\nHost: localhost\r\n"
                  b"Accept: application/x-ndjson\r\n\r\n")
        ways = [  # what is sent; what must come before the end
            (WHOLE[:30], b""),
            (WHOLE, b"HTTP/1.1 200"),
            (WHOLE + WHOLE[:30], b"HTTP/1.1 200"),
            (BODY + b"Content-Length: 90000\r\n\r\n\"half", b""),
            (BODY + b"Transfer-Encoding: chunked\r\n\r\n5\r\n\"ha", b""),
            (listed, b"\r\n0\r\n\r\n"),
            (upgrade, b" 101 "),
            (upgrade + START, b'{"live":{}}'),
            (b"", b""),
        ]
        streams = []
        for number in range(count):
            sent, due = ways[number % len(ways)]
            stream = connect(plain)
            stream.sendall(sent)
            streams.append((number % len(ways), due, stream))
        for _, due, stream in streams:
            if due == b'{"live":{}}':
                begun = b""
                while due not in begun:
                    begun += stream.recv(65536)
        for _, _, stream in streams:
            stream.shutdown(socket.SHUT_WR)
        for way, due, stream in streams:
            received = drain(stream)
            assert due == b'{"live":{}}' or due in received, (ways[way][0][:40], received[-100:])
            stream.close()
        for _ in range(count // len(ways)):
            with connect(secure) as stream:
                handshake(stream)
                stream.shutdown(socket.SHUT_WR)  # without close_notify
                drain(stream)
        reply = client.get(record_path("bins", "slow"))
        assert reply.status == 404, "half a body was taken"
        assert client.get("/livez").status == 200
        for server, was in zip((plain, secure), descriptors):
            wait_until(lambda: server.descriptor_count() <= was, "the descriptors to come back")
        client.close()
    figures.add("fault_half_closed", count, "",
                f"connections in {len(ways) + 1} ways, each answered or ended")


def turn_the_clock(folder, figures):
    """The wall clock of a server process jumps while it works, by Debian's libfaketime."""
    found = glob.glob(FAKE_CLOCK)
    if not found:
        not_tested("a clock that jumps under a process; Debian's faketime is missing")
        return
    clock = pathlib.Path(folder) / "clock"
    clock.write_text("+0d\n")
    # Twice: the library changes the environment of the process it is loaded into first, behind
    # which Swift then does not find the arguments.
    through = ["env", f"LD_PRELOAD={found[0]}", f"FAKETIME_TIMESTAMP_FILE={clock}",
               "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", "env"]
    with Server(through=through) as server:
        declare(server)
        client, years = server.client(), set()
        for number, jump in enumerate(JUMPS):
            # Replaced as a whole: the server must not read half of it.
            clock.with_suffix(".new").write_text(f"{jump}\n")
            os.replace(clock.with_suffix(".new"), clock)
            for life in ("beside it", "opened then"):
                path = record_path("bins", f"{number} {life}")
                reply = client.put(path, {"n": number}, if_none_match="*")
                assert reply.status == 201, (jump, life, reply)
                years.add(reply.headers["Date"].split()[3])
                assert client.get(path).document == {"n": number}, (jump, life)
                if life == "beside it":
                    restart(server)
                    client.close()
        assert len(years) > 1, "the clock did not jump"
        log = client.save_log(f"{server.folder}/log.ndjson")
        with open(log, encoding="utf-8") as file:
            times = [json.loads(line)["at"] for line in file]
        assert times == sorted(times), "time in the log goes back"
        client.close()
        forget_clock(server.pid)
    figures.add("fault_clock_jumps", len(JUMPS), "jumps",
                "from 400 days back to 1000 ahead; time in the log never went back")


def restart(server):
    """Stops a server with a clock of its own, and starts it again."""
    forget_clock(server.pid)
    server.stop()
    server.start()


def forget_clock(pid):
    """Removes what libfaketime keeps of a process, which nobody opens any more."""
    for name in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
        pathlib.Path("/dev/shm", name).unlink(missing_ok=True)
