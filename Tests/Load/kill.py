"""kill -9 under load, again and again; checker.py judges what clients were told against the log.

And it is shown that it would have found it: each falsification of the very same record is refused.
"""

import contextlib
import json
import random
import shutil
import subprocess
import time

from clients import declare
from feed import Subscriber
from programs import Clients, judged
from served import Server, binary, seq_of, wait_until

KILL_COUNT = 50
CLIENT_COUNT = 8  # in each process
PROCESS_COUNT = 2
SUBSCRIBER_COUNT = 2
COMMIT_COUNT = 40  # at least, between two kills
LIFE_SECONDS_MAX = 0.3  # beyond them
STARTING_SHARE = 0.3  # of the kills that are followed by one of the server that just starts
START_SECONDS_MAX = 0.05


def run(scale, figures):
    kills, seed = max(3, round(KILL_COUNT * scale)), random.randrange(1 << 32)
    print(f"  seed {seed}", flush=True)
    chance = random.Random(seed)
    with Server() as server, contextlib.ExitStack() as stack:
        declare(server)
        subscribers = [stack.enter_context(Subscriber(server)) for _ in range(SUBSCRIBER_COUNT)]
        records = [f"{server.folder}/record-{n}.ndjson" for n in range(PROCESS_COUNT)]
        clients = [stack.enter_context(Clients(
            server, CLIENT_COUNT, f"p{n}c", "contend", record, seed=seed))
            for n, record in enumerate(records)]
        downtimes = []
        for _ in range(kills):
            goal = subscribers[0].head + COMMIT_COUNT
            wait_until(lambda: is_reached(goal, subscribers[0], clients), "the clients to go on")
            time.sleep(chance.uniform(0, LIFE_SECONDS_MAX))  # it is killed at any moment
            began = time.monotonic()
            server.kill()
            if chance.random() < STARTING_SHARE:
                server.launch()
                time.sleep(chance.uniform(0, START_SECONDS_MAX))
                server.kill()
            server.start()
            downtimes.append(time.monotonic() - began)
        goal = subscribers[0].head + COMMIT_COUNT
        wait_until(lambda: is_reached(goal, subscribers[0], clients), "the clients to go on")
        for each in clients:
            each.end()
        client = server.client()
        head = seq_of(client.get("/v1").document["head"])
        feeds = [client.save_log(f"{server.folder}/changes.ndjson")]
        client.close()
        for number, subscriber in enumerate(subscribers):
            subscriber.wait_for(head)
            feeds.append(write(f"{server.folder}/feed-{number}.ndjson", subscriber.commits))
            assert subscriber.connection_count > kills, "a subscriber was not cut off"
        server.stop()
        log = f"{server.folder}/log.ndjson"
        with open(log, "wb") as out:
            subprocess.run([binary(), "log", "--data", server.data, "--json"], stdout=out,
                           check=True)
        found = judged(server.folder, log, feeds, records)
        operations = [operation for record in records for operation in documents(record)]
        if found:
            kept = shutil.copytree(server.folder, f"{server.folder}-kept")
            raise AssertionError(f"{found}; everything is in {kept}")
        refused = falsify(server.folder, documents(log), documents(feeds[1]), operations)
    count(operations, kills, head, downtimes, refused, figures)


def is_reached(goal, subscriber, clients):
    """Whether a subscriber has got so far; raises when a program has ended."""
    for each in clients:
        each.require_alive()
    return subscriber.head >= goal


def count(operations, kills, head, downtimes, refused, figures):
    answered = sum(1 for each in operations if each["status"] is not None)
    again = sum(1 for each in operations if each.get("replayed"))
    conflicts = sum(1 for each in operations if each["status"] in (409, 412, 423))
    assert again and conflicts, "nothing was sent again, or nobody was refused"
    figures.add("kill_count", kills, "kills", "under "
                f"{PROCESS_COUNT * CLIENT_COUNT} clients and {SUBSCRIBER_COUNT} subscribers")
    figures.add("kill_commits", head, "commits", "each feed and GET /v1/changes equal the log")
    figures.add("kill_operations", len(operations), "",
                f"{answered} answered, {again} as sent again, {conflicts} refused as another's")
    figures.add("kill_findings", 0, "findings", "of the external checker; it refused "
                f"{refused} falsifications of this record")
    figures.add("kill_restart_s", max(downtimes), "s", "at most, from the kill to the ready line")


def documents(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def write(path, items):
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(each) + "\n" for each in items)
    return path


def falsify(folder, log, feed, operations):
    """Falsifies what was found true, in one way after the other; the checker must refuse each."""
    accepted = [each for each in operations if each["kind"] == "write" and each["status"] == 200]
    victim = max(accepted, key=lambda each: each["end"])
    seq = int(victim["position"].split(":")[1])
    first = min(accepted, key=lambda each: each["end"])
    taken = next(commit for commit in log for effect in commit["effects"]
                 if "set" in effect and effect["set"]["tree"].startswith("_borrows"))

    def lost(log, feed, operations):
        for commits in (log, feed):
            del commits[seq - 1]
            for commit in commits[seq - 1:]:
                commit["seq"] -= 1

    def swapped(log, feed, operations):
        early = int(first["position"].split(":")[1])
        for commits in (log, feed):
            commits[early - 1], commits[seq - 1] = commits[seq - 1], commits[early - 1]
            commits[early - 1]["seq"], commits[seq - 1]["seq"] = early, seq
        for each in operations:
            if each.get("id") == victim["id"] and each["position"]:
                each["position"] = first["position"]
            elif each.get("id") == first["id"] and each["position"]:
                each["position"] = victim["position"]

    def two_holders(log, feed, operations):
        for commits in (log, feed):
            effects = commits[taken["seq"] - 1]["effects"]
            other = json.loads(json.dumps(effects[0]))
            other["set"]["key"]["name"] += "-too"
            effects.append(other)

    def duplicate(log, feed, operations):
        for commits in (log, feed):
            commits[seq - 1]["seq"] -= 1

    def twice(log, feed, operations):
        for commits in (log, feed):
            commits.append({**commits[seq - 1], "seq": len(commits) + 1})

    def gap_in_feed(log, feed, operations):
        del feed[seq - 1]

    ways = (("acknowledged", lost), ("order", swapped), ("holder", two_holders),
            ("dense", duplicate), ("once", twice), ("feed", gap_in_feed))
    for rule, way in ways:
        copies = [json.loads(json.dumps(each)) for each in (log, feed, operations)]
        way(*copies)
        paths = [write(f"{folder}/false-{name}.ndjson", each)
                 for name, each in zip(("log", "feed", "record"), copies)]
        found = judged(folder, paths[0], [paths[1]], [paths[2]])
        if not any(finding.startswith(f"{rule}: ") for finding in found):
            raise AssertionError(f"the checker took a falsified record ({rule}): {found}")
    return len(ways)
