#!/usr/bin/env python3
"""Clients that write, and keep a record of what they sent and were told, for checker.py.

    clients.py --address 127.0.0.1:7070 --count 64 --name w --mix steady --record FILE

They go on until standard input ends, answer what is under way, and end with exit code 0; a reply
that no client should get ends them with 1. `steady`: each replaces a record of its own, on the
version it knows, one write after each `--interval`. `contend`: they create, replace and delete
shared records, borrow them, read, and send changes again, through kills of the server.
"""

import argparse
import http.client
import json
import pathlib
import random
import sys
import threading
import time
import uuid

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / "Tools")]

from served import Client, record_path, seq_of  # noqa: E402

TREES = {
    "bins": {"keys": "name", "borrow": "optional"},
    "shelves": {"keys": "name", "borrow": "required"},
    "parts": {"keys": "id"},
}
SHARED_COUNT = 12
RETRY_SECONDS = 0.02
LAST_TRY_COUNT = 500  # for what is under way when the clients are asked to end
AWAY = (503, 504)  # no verdict: it is asked again
REFUSALS = (404, 409, 410, 412, 423, 507)
PADDING = "x" * 200


def declare(server):
    """Declares the trees that the clients write to."""
    client = server.client()
    for name, declaration in TREES.items():
        reply = client.put(f"/v1/trees/{name}", declaration)
        assert reply.status in (200, 201), reply
    client.close()


class Record:
    """The file of operations; a line is written when the operation has ended."""

    def __init__(self, path):
        self.file = open(path, "a", encoding="utf-8")
        self.lock = threading.Lock()

    def add(self, **operation):
        line = json.dumps(operation) + "\n"
        with self.lock:
            self.file.write(line)


class Recorded:
    """One client: its connection, and what it knows of the records it writes."""

    def __init__(self, address, name, record, stops, seed):
        self.address = address
        self.name = name
        self.record = record
        self.stops = stops
        self.random = random.Random(seed)
        self.client = Client(self, name, f"machine-{name}")
        self.number = 0

    def value(self):
        """A value nobody else writes."""
        self.number += 1
        return {"by": self.name, "number": self.number, "padding": PADDING}

    def ask(self, method, *arguments):
        """A reply, or None where the server is away or knows no verdict."""
        try:
            reply = method(*arguments)
        except (OSError, http.client.HTTPException):
            return None
        return None if reply.status in AWAY else reply

    def write(self, operations, writes, identifier=None, patience=None):
        """One change, sent again until it is answered, `patience` times at most; the reply."""
        identifier = identifier or str(uuid.uuid4())
        start, sent, reply = time.monotonic_ns(), 0, None
        while reply is None and (patience is None or sent < patience):
            if sent:
                time.sleep(RETRY_SECONDS)
            sent += 1
            reply = self.ask(self.client.change, operations, "", identifier)
            if reply is None and self.stops.is_set() and sent > LAST_TRY_COUNT:
                break
        end = time.monotonic_ns()
        if reply is None:
            self.note(identifier, writes, start, None, sent, None)
            return None
        if reply.status == 200:
            for write, result in zip(writes, reply.document["results"]):
                if write["key"] is None:
                    write["key"] = result["key"]["id"]
        elif reply.status not in REFUSALS:
            raise AssertionError(f"{self.name} was answered {reply}")
        self.note(identifier, writes, start, end, sent, reply)
        return reply

    def note(self, identifier, writes, start, end, sent, reply):
        is_accepted = reply is not None and reply.status == 200
        self.record.add(
            client=self.name, kind="write", id=identifier, start=start, end=end, sent=sent,
            status=reply.status if reply else None,
            position=reply.document["position"] if is_accepted else None,
            replayed=bool(reply) and reply.headers.get("Idempotency-Replayed") == "true",
            writes=writes)

    def read(self, tree, name):
        """A record's version and value, 0 and None where there is none; None without an answer."""
        start = time.monotonic_ns()
        reply = self.ask(self.client.get, record_path(tree, name))
        end = time.monotonic_ns()
        if reply is None:
            return None
        if reply.status not in (200, 404, 410):
            raise AssertionError(f"{self.name} was answered {reply}")
        is_there = reply.status == 200
        version = reply.headers["ETag"].strip('"') if is_there else None
        value = reply.document if is_there else None
        self.record.add(client=self.name, kind="read", start=start, end=end, status=reply.status,
                        tree=tree, key=name, version=version, value=value)
        return (seq_of(version), value) if is_there else (0, None)

    def put(self, tree, name, expects, borrow=None, **members):
        """A write of a new value to a record; the reply."""
        value = self.value()
        made = {"tree": tree, "key": {"name": name, "revision": 0}, "value": value}
        if expects is not None:
            made["expects"] = f"{self.epoch()}:{expects}" if expects else "absent"
        if borrow:
            made["borrow"] = borrow
        return self.write([{"put": made}], [
            {"tree": tree, "key": name, "value": value, "expects": expects}], **members)

    def epoch(self):
        """The server's epoch; it is asked for until there is an answer."""
        while not hasattr(self, "_epoch"):
            reply = self.ask(self.client.get, "/v1")
            if reply is None:
                time.sleep(RETRY_SECONDS)
            else:
                self._epoch = reply.document["epoch"]
        return self._epoch


class Steady(Recorded):
    """Replaces its own record again and again, one write an interval."""

    def run(self, interval):
        version, due = 0, time.monotonic() + self.random.uniform(0, interval)
        while not self.stops.wait(max(0, due - time.monotonic())):
            reply = self.put("bins", self.name, version)
            if reply.status != 200:
                raise AssertionError(f"{self.name} alone writes its record, and got {reply}")
            version = seq_of(reply.document["position"])
            due = max(due + interval, time.monotonic())
        self.client.close()


class Contending(Recorded):
    """Does what many do at once, to records that others want too."""

    def run(self, interval):
        acts = [self.replace, self.replace, self.delete, self.borrow, self.create, self.look]
        while not self.stops.wait(interval):
            self.random.choice(acts)()
        self.client.close()

    def shared(self):
        return f"s{self.random.randrange(SHARED_COUNT)}"

    def look(self):
        self.read("bins", self.shared())

    def maybe_again(self, reply, operations, writes, identifier):
        """Now and then a change is sent again after it was answered, as a careful client does."""
        if reply is not None and reply.status == 200 and self.random.random() < 0.15:
            self.write(operations, writes, identifier=identifier)

    def patience(self):
        """One in three gives up where there is no answer, and never learns what became of it."""
        return 1 if self.random.random() < 0.3 else None

    def replace(self):
        name = self.shared()
        found = self.read("bins", name)
        if found is not None:
            self.put("bins", name, found[0], patience=self.patience())

    def delete(self):
        name = self.shared()
        found = self.read("bins", name)
        if found is None or found[1] is None:
            return
        target = {"tree": "bins", "key": {"name": name, "revision": 0},
                  "expects": f"{self.epoch()}:{found[0]}"}
        self.write([{"delete": target}], [
            {"tree": "bins", "key": name, "value": None, "expects": found[0]}],
            patience=self.patience())

    def create(self):
        value, identifier = self.value(), str(uuid.uuid4())
        operations = [{"put": {"tree": "parts", "expects": "absent", "value": value}}]
        writes = [{"tree": "parts", "key": None, "value": value}]
        reply = self.write(operations, writes, identifier=identifier)
        self.maybe_again(reply, operations, writes, identifier)

    def borrow(self):
        """Takes a record, writes it, gives it back; or is refused, as another has it."""
        name, borrow = self.shared(), str(uuid.uuid4())
        found = self.read("shelves", name)
        if found is None:
            return
        if found[1] is None:
            self.put("shelves", name, 0)
            return
        taken = {"borrow": {"tree": "shelves", "key": {"name": name, "revision": 0},
                            "borrow": borrow, "note": self.name}}
        reply = self.write([taken], [{"tree": "_borrows", "key": borrow, "value": {}}])
        if reply is None or reply.status != 200:
            return
        for _ in range(self.random.randrange(3)):
            self.put("shelves", name, None, borrow=borrow)
        back, identifier = [{"return": {"borrow": borrow}}], str(uuid.uuid4())
        writes = [{"tree": "_borrows", "key": borrow, "value": None}]
        reply = self.write(back, writes, identifier=identifier)
        self.maybe_again(reply, back, writes, identifier)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--address", required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--mix", choices=("steady", "contend"), required=True)
    parser.add_argument("--interval", type=float, default=0.0)
    parser.add_argument("--record", required=True)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    stops, failures, record = threading.Event(), [], Record(chosen.record)

    def run(client):
        try:
            client.run(chosen.interval)
        except BaseException as problem:
            failures.append(problem)
            stops.set()

    kind = Steady if chosen.mix == "steady" else Contending
    threads = [
        threading.Thread(target=run, args=(kind(
            chosen.address, f"{chosen.name}{number}", record, stops,
            f"{chosen.seed} {chosen.name}{number}"),))
        for number in range(chosen.count)]
    for thread in threads:
        thread.start()
    # Ends with the parent's pipe, whatever became of the parent.
    threading.Thread(target=lambda: (sys.stdin.read(), stops.set()), daemon=True).start()
    for thread in threads:
        thread.join()
    record.file.close()
    for problem in failures:
        print(f"{type(problem).__name__}: {problem}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
