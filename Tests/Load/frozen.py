"""Writers, subscribers, a few frozen ones: nothing lost, reordered or delayed, memory bounded.

The frozen ones ask for everything from the first commit on and read nothing, in every second
window; in the others there is none. So both kinds of window see the same machine. The ratio of what
one in a hundred writes takes at least is that of the median windows of each kind, so that what else
the machine does for a while counts for neither.
"""

import contextlib
import json
import time
from statistics import median

from clients import TREES, declare
from feed import cut, from_the_beginning, open_feed
from figures import share
from programs import Clients, Crowd, judged
from served import Server, seq_of, wait_until

WRITER_COUNT = 64
SUBSCRIBER_COUNT = 200
FROZEN_COUNT = 5
SECONDS = 600
WINDOW_SECONDS = 10
INTERVAL_SECONDS = 0.5  # of each writer: 128 writes a second, 25,600 deliveries
SHORT_INTERVAL_SECONDS = 2.5  # where a debug build does it beside other tests
RECEIVE_BYTES = 128 << 10  # below a loopback segment, TCP would throttle by itself
SETTLE_SECONDS = 1  # at both ends of a window, which are not counted
RATIO_MAX = 1.2
GROWTH_KIBIBYTES_MAX = 32 << 10  # beside what is remembered of every change
CHANGE_BYTES_MAX = 400


def run(scale, figures):
    is_long = scale == 1
    seconds = SECONDS * scale
    window = WINDOW_SECONDS if is_long else seconds / 4
    with Server("--stall-timeout", "3600") as server:
        declare(server)
        record = f"{server.folder}/record.ndjson"
        windows, memory, processor = [], [], {True: 0.0, False: 0.0}
        with Crowd(server, SUBSCRIBER_COUNT) as crowd:
            crowd.ask(live=True)
            with Clients(server, WRITER_COUNT, "w", "steady", record,
                         INTERVAL_SECONDS if is_long else SHORT_INTERVAL_SECONDS) as writers:
                client = server.client()
                wait_until(lambda: head(client) > len(TREES) + WRITER_COUNT, "the writers to begin")
                before, begun = server.resident_kibibytes(), head(client)
                frozen, end = [], time.monotonic() + seconds
                with contextlib.ExitStack() as stack:
                    while time.monotonic() < end:
                        if len(windows) % 4 in (1, 2) and not frozen:
                            frozen = [freeze(server, stack) for _ in range(FROZEN_COUNT)]
                        elif len(windows) % 4 not in (1, 2):
                            for each in frozen:
                                cut(each)
                            frozen = []
                        windows.append((time.monotonic_ns(), bool(frozen)))
                        used = server.processor_seconds()
                        pause(window, writers, server, memory)
                        processor[bool(frozen)] += server.processor_seconds() - used
                    windows.append((time.monotonic_ns(), None))
                    last = [freeze(server, stack) for _ in range(FROZEN_COUNT)]
                    pause(window / 4, writers, server, memory)
                    writers.end()
                    client.close()  # it was idle for longer than the server bears
                    until = head(client)
                    log = client.save_log(f"{server.folder}/log.ndjson")
                    thawed = [thaw(feed, until) for feed in last]
            crowd.ask(reach=until)
            delivered = crowd.ask(compare=log)
        client.close()
        found = judged(server.folder, log, records=[record])
        commits = [json.loads(line) for line in open(log, encoding="utf-8")]
        latencies = sort_out(record, windows)
        writes = {kind: sum(map(len, latencies[kind])) for kind in latencies}
    assert delivered["differences"] == [], delivered
    assert found == [], found
    for got in thawed:
        assert got == commits[:until], "a frozen subscriber did not get the log"
    count = until - begun
    grown = max(memory) - before
    allowed = GROWTH_KIBIBYTES_MAX + count * CHANGE_BYTES_MAX // 1024
    assert grown < allowed, f"memory grew by {grown} KiB, {allowed} at most"
    shares = {part: [median(share(each, part) for each in latencies[kind])
                     for kind in (True, False)] for part in (0.5, 0.99, 0.999)}
    ratio = shares[0.99][0] / shares[0.99][1]
    figures.add("frozen_writes", sum(writes.values()), "writes",
                f"{WRITER_COUNT} writers, {seconds:.0f} s; every one in the log, in order")
    figures.add("frozen_deliveries", delivered["count"], "commits",
                f"to {SUBSCRIBER_COUNT} subscribers, byte for byte the log")
    for name, part in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999)):
        figures.add(f"frozen_write_{name}_ms", shares[part][0] * 1e3, "ms",
                    f"in the median window beside {FROZEN_COUNT} frozen; "
                    f"{shares[part][1] * 1e3:.3g} without")
    figures.add("frozen_p99_ratio", ratio, "", f"at most {RATIO_MAX}" if is_long else "not judged")
    figures.add("frozen_processor_us", processor[True] / writes[True] * 1e6, "us",
                "of the server, a write delivered to all, beside frozen ones; "
                f"{processor[False] / writes[False] * 1e6:.4g} without")
    figures.add("frozen_memory_kib", grown, "KiB",
                f"RssAnon at most above {before}, {count} commits")
    assert not is_long or ratio <= RATIO_MAX, f"{ratio:.2f} times as slow beside frozen ones"


def head(client):
    return seq_of(client.get("/v1").document["head"])


def freeze(server, stack):
    """A subscriber of everything that reads nothing."""
    feed, _ = open_feed(server, from_the_beginning, RECEIVE_BYTES)
    stack.callback(cut, feed)
    return feed


def thaw(feed, until):
    """What a frozen subscriber gets when it reads at last: commits up to a seq."""
    commits = []
    while len(commits) < until:
        message = json.loads(feed.recv(60))
        assert "bye" not in message, message
        if "commit" in message:
            commits.append(message["commit"])
    return commits


def pause(seconds, writers, server, memory):
    """Lets a window pass; the server's memory is looked at."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(0.5, left))
        writers.require_alive()
        memory.append(server.resident_kibibytes())


def sort_out(record, windows):
    """How long writes took in each window, in seconds, by whether there were frozen ones."""
    settle = SETTLE_SECONDS * 1e9
    spans = [(begin + settle, end - settle, is_frozen, [])
             for (begin, is_frozen), (end, _) in zip(windows, windows[1:])]
    with open(record, encoding="utf-8") as file:
        for line in file:
            operation = json.loads(line)
            for begin, end, _, found in spans:
                if begin <= operation["start"] and operation["end"] <= end:
                    found.append((operation["end"] - operation["start"]) / 1e9)
    return {kind: [found for _, _, is_frozen, found in spans if is_frozen == kind]
            for kind in (True, False)}
