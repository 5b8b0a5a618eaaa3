#!/usr/bin/env python3
"""Declares the sample's trees on a server and sends it changes.

    load.py [--url URL]                 the trees and the built-in stockroom
    load.py [--url URL] --if-empty      the same, but only when there is no part yet
    load.py [--url URL] changes.ndjson  the trees and a file of changes, `-` for standard input

Everything may be sent again: trees already declared alike stay, and a change whose id the server
knows is not applied twice. Progress goes to standard error. Exit code 0 when everything
was accepted, 1 when something was refused, 69 when the server cannot be reached or went away.
"""

import argparse
import contextlib
import http.client
import itertools
import json
import os
import pathlib
import socket
import sys
import threading
import urllib.parse

import stockroom
from changes import encode

TREES = pathlib.Path(__file__).with_name("trees.json")
TIMEOUT_SECONDS = 120


class Refused(Exception):
    """The server said no; the text is its reason."""


class Server:
    """One server, spoken to over one connection at a time."""

    def __init__(self, url):
        parsed = urllib.parse.urlsplit(url)
        self.address = (parsed.hostname, parsed.port or 80)
        self.headers = {"Holdfast-User": "sample", "Holdfast-Device": "loader"}

    def connect(self):
        return contextlib.closing(
            http.client.HTTPConnection(*self.address, timeout=TIMEOUT_SECONDS))

    def ask(self, method, path, document=None):
        """The status and the document one request gets."""
        body = None if document is None else encode(document).encode()
        headers = {**self.headers, **({"Content-Type": "application/json"} if body else {})}
        with self.connect() as connection:
            connection.request(method, path, body, headers)
            reply = connection.getresponse()
            return reply.status, json.loads(reply.read() or b"null")

    def declare(self, trees):
        """Declares trees, in order, since a reference names a tree declared before it."""
        for name, declaration in trees.items():
            status, reply = self.ask("PUT", f"/v1/trees/{name}", declaration)
            if status not in (200, 201):
                raise Refused(f"tree {name}: {explain(reply)}")

    def is_empty(self):
        """Whether there is no part yet."""
        status, reply = self.ask("GET", "/v1/records/parts?limit=1")
        return status == 404 or (status == 200 and not reply["records"])

    def stream(self, lines):
        """Sends NDJSON lines as one job; yields the server's reply to each as it comes.

        Connects when the first line is there. Sending has a thread of its own: a server whose
        replies are not read stops reading.
        """
        lines = iter(lines)
        first = next(lines, None)
        if first is None:
            return
        with self.connect() as connection:
            connection.putrequest("POST", "/v1/changes")
            for name, value in self.headers.items():
                connection.putheader(name, value)
            connection.putheader("Content-Type", "application/x-ndjson")
            connection.putheader("Transfer-Encoding", "chunked")
            connection.endheaders()
            failed = []
            sender = threading.Thread(
                target=send_chunks,
                args=(connection.sock, itertools.chain([first], lines), failed),
                daemon=True,
            )
            sender.start()
            yield from read_replies(connection)
            sender.join()
            if failed:
                raise failed[0]


def send_chunks(connected, lines, failed):
    """Writes the lines as chunks; what goes wrong is left in `failed` for the reading side."""
    try:
        for line in lines:
            connected.sendall(b"%x\r\n%s\r\n" % (len(line), line))
        connected.sendall(b"0\r\n\r\n")
    except Exception as problem:  # the reading side raises it, once it has been woken
        failed.append(problem)
        with contextlib.suppress(OSError):
            connected.shutdown(socket.SHUT_RDWR)


def read_replies(connection):
    """The reply lines of a job, as they come; the last says that the job was not cut."""
    reply = connection.getresponse()
    if reply.status != 200:
        raise Refused(explain(json.loads(reply.read() or b"null")))
    for line in reply:
        answer = json.loads(line)
        if "done" in answer:
            return
        yield answer
    raise ConnectionError("the job was cut; send it again")


def explain(problem):
    """A problem document in one line."""
    if not isinstance(problem, dict):
        return "refused without a reason"
    return f"{problem.get('code')}: {problem.get('detail') or problem.get('title')}"


class Progress:
    """One line on standard error that counts records and changes."""

    def __init__(self):
        self.record_count = self.change_count = 0
        self.live = sys.stderr.isatty()

    def add(self, record_count):
        self.record_count += record_count
        self.change_count += 1
        if self.live:
            print(f"\r{self.text()} ...", end="", file=sys.stderr, flush=True)

    def text(self):
        return f"{self.record_count} operations in {self.change_count} changes"

    def finish(self):
        print(("\r" if self.live else "") + self.text() + " accepted", file=sys.stderr)


def check(reply):
    """The reply to one line of a job, unless it is a refusal."""
    if "problem" in reply:
        raise Refused(f"line {reply['line']}: {explain(reply['problem'])}")
    return reply


def load_sample(server, progress):
    """Sends the built-in stockroom."""

    def post(changes):
        replies = []
        for reply in server.stream([encode(item).encode() + b"\n" for item in changes]):
            replies.append((check(reply)["position"], reply["results"]))
            progress.add(len(reply["results"]))
        return replies

    stockroom.load(post)


def load_file(server, progress, lines):
    """Sends a file of changes; refused ones are named at the end and do not stop the others."""
    refusals = []
    for reply in server.stream(line for line in lines if line.strip()):
        if "problem" in reply:
            refusals.append(f"line {reply['line']}: {explain(reply['problem'])}")
        else:
            progress.add(len(reply["results"]))
    if refusals:
        raise Refused("\n".join(refusals[:20] + [f"({len(refusals)} changes refused in all)"]))


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--url", default=os.environ.get("HOLDFAST_URL", "http://127.0.0.1:7070"))
    parser.add_argument("--trees", type=pathlib.Path, default=TREES, help="declarations to make")
    parser.add_argument("--if-empty", action="store_true", help="do nothing when there are parts")
    parser.add_argument("file", nargs="?", help="NDJSON changes instead of the built-in sample")
    options = parser.parse_args(arguments)
    server = Server(options.url)
    progress = Progress()
    try:
        if options.if_empty and not server.is_empty():
            return 0
        server.declare(json.loads(options.trees.read_text(encoding="utf-8")))
        if options.file is None:
            load_sample(server, progress)
        elif options.file == "-":
            load_file(server, progress, sys.stdin.buffer)
        else:
            with open(options.file, "rb") as lines:
                load_file(server, progress, lines)
        progress.finish()
        return 0
    except Refused as refused:
        print(f"\nrefused: {refused}", file=sys.stderr)
        return 1
    except (OSError, http.client.HTTPException) as problem:
        print(f"\n{options.url}: {problem}", file=sys.stderr)
        return 69


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
