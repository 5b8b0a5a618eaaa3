"""Ten thousand subscribers of the feed that only listen, and the others meanwhile."""

import contextlib
import resource
import sys
import time

from clients import declare
from figures import share
from memory import leaves_nothing
from programs import Crowd
from served import Server, gauge, record_path, seq_of, wait_until

COUNT = 10_000
COMMIT_COUNT = 20  # each goes to every one of them
CROWD_MAX = 5_000  # subscribers in one process
HEARTBEAT_SECONDS = 15
RESERVE = 512  # descriptors for what is no subscriber, there and here
KIBIBYTES_MAX = 64  # of the server, a subscriber: what openapi/feed.md promises of a slow one


def room(wanted):
    """How many subscribers the machine has descriptors for, having raised the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and hard < wanted + RESERVE:
        print(f"*** NOT TESTED: {wanted} subscribers; this machine has {hard} descriptors a "
              "process", file=sys.stderr)
        return hard - RESERVE
    return wanted


def run(scale, figures):
    count = room(int(COUNT * scale))
    with Server("--heartbeat", str(max(2, HEARTBEAT_SECONDS * scale))) as server:
        declare(server)
        client = server.client()
        alone = serve_others(client, "before")
        memory, descriptors = server.resident_kibibytes(), server.descriptor_count()
        found = []

        def crowd(number):
            found.append(gather(server, client, count, f"crowd-{number}"))
            wait_until(lambda: server.descriptor_count() <= descriptors,
                       "the descriptors to come back")

        left = leaves_nothing(server, count, crowd)
        client.close()
    grown = max(each["end"] for each in found) - memory
    assert grown / count < KIBIBYTES_MAX, f"{grown} KiB for {count} subscribers"
    first = found[0]
    figures.add("idle_feeds", count, "feeds",
                f"opened in {first['opened']:.1f} s; {len(found)} crowds, one after the other")
    figures.add("idle_feed_kib", (first["live"] - memory) / count, "KiB",
                f"RssAnon a feed; {grown / count:.1f} at most, behind {COMMIT_COUNT} commits")
    figures.add("idle_left_kib", left[0], "KiB",
                f"kept when all have gone; those after add {', '.join(map(str, left[1:]))}")
    figures.add("idle_heartbeat_us", first["heartbeat"] / count * 1e6, "us",
                "of the server's processor, a feed a heartbeat")
    for name in ("write", "read"):
        figures.add(f"idle_{name}_p50_ms", share(first[name], 0.5) * 1e3, "ms",
                    "of another, while commits go to all; "
                    f"{share(alone[name], 0.5) * 1e3:.2g} before")


def gather(server, client, count, name):
    """A crowd comes, is live, sees others at work, is idle for a heartbeat, and goes."""
    with contextlib.ExitStack() as stack:
        began = time.monotonic()
        crowds = [stack.enter_context(Crowd(server, min(CROWD_MAX, count - begun)))
                  for begun in range(0, count, CROWD_MAX)]
        for crowd in crowds:
            crowd.ask(live=True)
        found = {"opened": time.monotonic() - began, "live": server.resident_kibibytes()}
        assert gauge(client, "holdfast_feed_clients") == count
        found.update(serve_others(client, name))
        head = seq_of(client.get("/v1").document["head"])
        for crowd in crowds:
            crowd.ask(reach=head)
        processor = server.processor_seconds()
        for crowd in crowds:
            crowd.ask(heads=1)
        found["heartbeat"] = server.processor_seconds() - processor
        found["end"] = server.resident_kibibytes()
        log = client.save_log(f"{server.folder}/log.ndjson")
        got = [crowd.ask(compare=log) for crowd in crowds]
    assert not any(each["differences"] for each in got), got
    assert sum(each["count"] for each in got) == count * COMMIT_COUNT, got
    return found


def serve_others(client, name):
    """Writes and reads of one who is no subscriber; how long each took, in seconds."""
    seconds = {"write": [], "read": []}
    for number in range(COMMIT_COUNT):
        path, began = record_path("bins", f"{name}-{number}"), time.monotonic()
        reply = client.put(path, {"n": number}, if_none_match="*")
        assert reply.status == 201, reply
        seconds["write"].append(time.monotonic() - began)
        began = time.monotonic()
        reply = client.get(path)
        assert reply.status == 200 and reply.document == {"n": number}, reply
        seconds["read"].append(time.monotonic() - began)
    return seconds
