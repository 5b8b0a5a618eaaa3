#!/usr/bin/env python3
"""A disk that is full: writes are refused, reads and feeds go on, and with room writes do, too.

    unshare --mount full.py       (or: unshare --user --map-root-user --mount full.py)

The disk is a small file system in memory, mounted in this program's own name space: nobody else
sees it, and it is gone with the program. A line of JSON on standard output says what was measured.
"""

import errno
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "Tests" / each) for each in ("Tools", "Scenario")]

from clients import Record, Recorded, declare  # noqa: E402
from feed import Subscriber  # noqa: E402
from programs import judged  # noqa: E402
from served import Server, in_threads, seq_of, wait_until  # noqa: E402

DISK_BYTES = 80 << 20
SPARE_BYTES = 24 << 20  # taken by a file that somebody removes at last
CLIENT_COUNT = 4
WRITE_COUNT_MAX = 10_000


class Filling(Recorded):
    """Creates large records until the disk is full."""

    refusal = None
    made = 0

    def value(self):
        return {**super().value(), "padding": "x" * 20_000}

    def fill(self):
        for _ in range(WRITE_COUNT_MAX):
            reply = self.put("bins", f"{self.name}-{self.made}", 0)
            self.made += reply.status == 200
            if reply.status != 200:
                self.refusal = reply
                return
        raise AssertionError("the disk is never full")


def run(folder):
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", folder], check=True)
    ballast, spare = (os.path.join(folder, name) for name in ("ballast", "spare"))
    with open(spare, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, SPARE_BYTES)
    with Server("--segment-bytes", str(1 << 20), data=os.path.join(folder, "data")) as server:
        declare(server)
        record = Record(f"{server.folder}/record.ndjson")
        clients = [Filling(server.address, f"c{n}", record, threading.Event(), n)
                   for n in range(CLIENT_COUNT)]
        with Subscriber(server) as subscriber:
            reader = server.client()
            fill(clients)
            beside_a_full_disk(reader, subscriber, clients)
            # Others take what the server left, to the last byte.
            take(folder, ballast)
            fill(clients)
            beside_a_full_disk(reader, subscriber, clients)
            server.kill()
            server.start()
            reader.close()  # its connection ended with the process
            fill(clients)
            beside_a_full_disk(reader, subscriber, clients)
            os.remove(ballast)
            os.remove(spare)
            for client in clients:
                wait_until(lambda: client.put("bins", f"{client.name}-room", 0).status == 200,
                           "a write to be taken when there is room")
            head = seq_of(reader.get("/v1").document["head"])
            subscriber.wait_for(head)
            log = reader.save_log(f"{server.folder}/log.ndjson")
            feed = f"{server.folder}/feed.ndjson"
            with open(feed, "w", encoding="utf-8") as file:
                file.writelines(json.dumps(each) + "\n" for each in subscriber.commits)
            for client in (reader, *(each.client for each in clients)):
                client.close()
        record.file.close()
        found = judged(server.folder, log, [feed], [record.file.name])
        assert found == [], found
    return head


def take(folder, ballast):
    """Leaves no byte of the disk."""
    with open(ballast, "wb") as file:
        while (free := os.statvfs(folder)).f_bavail > 0:
            try:
                os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size,
                                   free.f_bavail * free.f_frsize)
            except OSError as problem:
                if problem.errno != errno.ENOSPC:
                    raise


def fill(clients):
    """Each client writes until it is refused, and for no other reason."""
    in_threads(*[client.fill for client in clients])
    for client in clients:
        assert client.refusal.status == 507, client.refusal


def beside_a_full_disk(reader, subscriber, clients):
    """What goes on while nothing can be written."""
    assert reader.get("/livez").status == 200
    subscriber.wait_for(seq_of(reader.get("/v1").document["head"]))
    for client in clients:
        assert client.read("bins", f"{client.name}-0")[1]["by"] == client.name
    _, listed = reader.lines("/v1/records/bins")
    assert len(listed) >= CLIENT_COUNT


def main():
    with tempfile.TemporaryDirectory(prefix="holdfast-full-") as folder:
        try:
            commits = run(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=False)
    print(json.dumps({"commits": commits}))


if __name__ == "__main__":
    main()
