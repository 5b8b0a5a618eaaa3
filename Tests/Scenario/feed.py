"""A feed subscriber that survives restarts, and the fold that rebuilds the state from commits."""

import contextlib
import json
import socket
import threading

from served import WAIT_SECONDS, bounded_socket, wait_until
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage
from websockets.sync.client import connect

PROTOCOL = "holdfast.feed.v1"


def open_feed(server, start, receive_bytes=None):
    """A feed that has been started: the connection and the server's hello.

    Nothing more is read from it until somebody asks: at most a few frames wait here.
    """
    sock = bounded_socket(server.address, receive_bytes) if receive_bytes else None
    # Entered by hand: a feed outlives the function that opens it, and is cut rather than left.
    feed = connect(
        f"ws://{server.address}/v1/feed", subprotocols=[PROTOCOL], sock=sock, max_size=None,
        max_queue=4, ping_interval=None, compression=None, open_timeout=WAIT_SECONDS,
    ).__enter__()
    hello = json.loads(feed.recv(WAIT_SECONDS))["hello"]
    feed.send(json.dumps({"start": start(hello)}))
    return feed, hello


def cut(feed):
    """Ends a feed at once, without the closing handshake: its other end may be stuck.

    The socket is closed by the feed's own thread: closed under its select, it would wait for ever.
    """
    with contextlib.suppress(OSError):
        feed.socket.shutdown(socket.SHUT_RDWR)


def from_the_beginning(hello):
    """The start of a subscriber that wants every commit there ever was."""
    return {"since": f"{hello['epoch']}:0"}


class Subscriber:
    """Gathers every commit from the first, reconnecting by `since` and `chain` when cut off."""

    def __init__(self, server):
        self.server = server
        self.commits = []
        self.connection_count = 0
        self.failure = None
        self.is_stopped = False
        self.feed = None
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_stopped = True
        if self.feed:
            cut(self.feed)
        self.thread.join(WAIT_SECONDS)
        assert not self.thread.is_alive(), "the subscriber's thread goes on"

    @property
    def head(self):
        if self.failure:
            raise self.failure
        return self.commits[-1]["seq"] if self.commits else 0

    def wait_for(self, seq):
        wait_until(lambda: self.head >= seq, f"the subscriber to reach commit {seq}")

    def run(self):
        pause = threading.Event()
        while not self.is_stopped:
            try:
                self.feed, _ = open_feed(self.server, self.start)
                if self.is_stopped:  # while it was opened
                    cut(self.feed)
                    return
                self.connection_count += 1
                for text in self.feed:
                    self.receive(json.loads(text))
            except (OSError, EOFError, InvalidHandshake, InvalidMessage, ConnectionClosed):
                if self.feed:
                    cut(self.feed)  # the server is away: try again
            except BaseException as problem:
                self.failure = problem
                return
            pause.wait(0.02)

    def start(self, hello):
        if not self.commits:
            return from_the_beginning(hello)
        last = self.commits[-1]
        return {"since": f"{hello['epoch']}:{last['seq']}", "chain": last["chain"]}

    def receive(self, message):
        if "bye" in message and message["bye"]["code"] != 1012:
            raise AssertionError(f"the feed ended with {message}")
        if "commit" in message:
            commit = message["commit"]
            expected = self.commits[-1]["seq"] + 1 if self.commits else 1
            if commit["seq"] != expected:
                raise AssertionError(f"commit {commit['seq']} came where {expected} was due")
            self.commits.append(commit)


def identity(key):
    """A key as something a dictionary can hold."""
    return key.get("id", key.get("name")), key.get("revision", 0)


def fold(commits, seq_max=None):
    """The state after these commits: `{tree: {key: (seq, state, value)}}`."""
    trees = {}
    for commit in commits:
        if seq_max is not None and commit["seq"] > seq_max:
            break
        for effect in commit["effects"]:
            [(name, body)] = effect.items()
            # The borrows of one subject tree may be named apart.
            tree = trees.setdefault(body["tree"].split("/")[0], {})
            if name == "set":
                entry = (commit["seq"], body.get("state"), body["value"])
                tree[identity(body["key"])] = entry
            else:
                tree.pop(identity(body["key"]), None)
    return trees


def folded(envelopes):
    """A list of envelopes in the shape `fold` gives a tree."""
    return {
        identity(each["key"]): (int(each["version"].split(":")[1]), each["state"], each["value"])
        for each in envelopes
    }
