#!/usr/bin/env python3
"""Judges what clients were told against the log: a program of its own, without product code.

    checker.py --log FILE [--feed FILE ...] [--record FILE ...]

The log is what `holdfast log --json` or `GET /v1/changes` printed, from the first commit on; a feed
is the commits as one subscriber got them, in the same form. A record holds one operation a line, as
the client saw it; times are of one monotonic clock, in nanoseconds:

    {"client":"c1","kind":"write","id":"<change>","start":1,"end":9,"status":200,
     "position":"<epoch>:7","replayed":false,
     "writes":[{"tree":"bins","key":"a","value":{...},"expects":5}]}
    {"client":"c1","kind":"read","start":1,"end":9,"status":200,"tree":"bins","key":"a",
     "version":"<epoch>:7","value":{...}}

`start` is when it was sent first, `end` when its answer had come; `status` and `end` are null where
none came. A write of `value` null deletes. `expects` is a seq, 0 for absent, null for whatever
stands. Several lines may be of one change: it was sent again.

Every finding is a line that begins with the rule it breaks; the rules are the functions below.
"""

import argparse
import json
import sys

NEVER = float("inf")
ACCEPTED = (200, 201, 204)


class Finding(str):
    """One broken rule: its name, a colon, the facts."""

    @property
    def rule(self):
        return self.split(":", 1)[0]


class History:
    """The log, looked at once: commits by seq and by change, versions by record."""

    def __init__(self, commits):
        self.commits = commits
        self.by_seq = {commit["seq"]: commit for commit in commits}
        self.by_change = {}
        self.versions = {}  # by (tree, name): [(seq, value)], ascending; value None is a removal
        for commit in commits:
            self.by_change.setdefault(commit["id"], []).append(commit)
            for tree, name, value in effects(commit):
                self.versions.setdefault((tree, name), []).append((commit["seq"], value))

    def before(self, record, seq):
        """The version of a record that stood before a seq: (seq, value), (0, None) for none."""
        found = (0, None)
        for version in self.versions.get(record, ()):
            if version[0] >= seq:
                break
            found = version
        return found

    def change_seq(self, identifier):
        """The seq of a change, None where it is not in the log."""
        found = self.by_change.get(identifier)
        return found[0]["seq"] if found else None


def effects(commit):
    """A commit's effects as (tree, name or id, value), None for a removal."""
    for effect in commit["effects"]:
        (kind, body), = effect.items()
        key = body["key"]
        value = body["value"] if kind == "set" else None
        yield body["tree"].split("/")[0], key.get("name", key.get("id")), value


def split(position):
    """A position's epoch and seq."""
    epoch, _, seq = position.partition(":")
    return epoch, int(seq)


def dense(history, feeds, operations):
    """Positions are dense, unique and in order."""
    for place, commit in enumerate(history.commits, 1):
        if commit["seq"] != place:
            yield f"commit {place} of the log is called {commit['seq']}"
            return


def once(history, feeds, operations):
    """A change is in the log once, however often it was sent."""
    for identifier, commits in history.by_change.items():
        if len(commits) > 1:
            yield f"change {identifier} is commit {' and '.join(str(c['seq']) for c in commits)}"


def feed(history, feeds, operations):
    """What a subscriber got is the log: every commit, each once, in order, the same."""
    for number, commits in enumerate(feeds):
        for sent, logged in zip(commits, history.commits):
            if sent != logged:
                yield f"feed {number} has {json.dumps(sent)[:200]} for commit {logged['seq']}"
                break
        else:
            if len(commits) != len(history.commits):
                yield f"feed {number} has {len(commits)} of {len(history.commits)} commits"


def acknowledged(history, feeds, operations):
    """What was acknowledged is in the log: at the position that was told, as it was sent."""
    for operation in writes(operations):
        if operation["status"] not in ACCEPTED:
            continue
        _, seq = split(operation["position"])
        commit = history.by_seq.get(seq)
        told = f"change {operation['id']} of {operation['client']}, acknowledged as {seq},"
        if commit is None or commit["id"] != operation["id"]:
            yield f"{told} is not there"
            continue
        made = {(tree, name): value for tree, name, value in effects(commit)}
        for write in operation["writes"]:
            record = (write["tree"], write["key"])
            if record not in made:
                yield f"{told} left out {record}"
            elif made[record] != write["value"] and write["tree"] != "_borrows":
                yield f"{told} wrote {made[record]} for {write['value']}"


def epoch(history, feeds, operations):
    """All positions are of one history."""
    told = {split(each[name])[0] for each in operations for name in ("position", "version")
            if each.get(name)}
    if len(told) > 1:
        yield f"positions are of the epochs {sorted(told)}"


def refused(history, feeds, operations):
    """What was refused, and not accepted when it was sent again, did not happen."""
    accepted = {each["id"] for each in writes(operations) if each["status"] in ACCEPTED}
    for operation in writes(operations):
        status = operation["status"]
        if status is None or status in ACCEPTED or operation["id"] in accepted:
            continue
        seq = history.change_seq(operation["id"])
        if seq is not None:
            yield f"change {operation['id']} was refused ({status}) and is commit {seq}"


def resent(history, feeds, operations):
    """A change that had been accepted is answered as one sent again, and no other is."""
    ended, sent = {}, {}
    for each in writes(operations):
        sent[each["id"]] = sent.get(each["id"], 0) + each.get("sent", 1)
        if each["status"] in ACCEPTED:
            ended[each["id"]] = min(ended.get(each["id"], NEVER), each["end"])
    for each in writes(operations):
        if each["status"] not in ACCEPTED:
            continue
        if ended[each["id"]] < each["start"] and not each["replayed"]:
            yield f"change {each['id']} had been accepted, and was taken for news"
        if each["replayed"] and sent[each["id"]] == 1:
            yield f"change {each['id']} was sent once, and called a replay"


def spans(history, operations):
    """When the change of each seq was first sent, and when first answered."""
    sent, answered = {}, {}
    for each in writes(operations):
        seq = history.change_seq(each["id"])
        if seq is not None:
            sent[seq] = min(sent.get(seq, NEVER), each["start"])
            if each["status"] in ACCEPTED:
                answered[seq] = min(answered.get(seq, NEVER), each["end"])
    return sent, answered


def order(history, feeds, operations):
    """If A was answered before B was sent, A stands before B in the log."""
    sent, answered = spans(history, operations)
    later, later_end = None, NEVER
    for seq in sorted(sent, reverse=True):
        if later_end < sent[seq]:
            yield f"commit {later} was answered before commit {seq} was sent"
            return
        if answered.get(seq, NEVER) < later_end:
            later, later_end = seq, answered[seq]


def expected(history, feeds, operations):
    """A write that expects a version stands right on it: no update between is lost."""
    for operation in writes(operations):
        seq = history.change_seq(operation["id"])
        if seq is None:
            continue
        for write in operation["writes"]:
            if write.get("expects") is None:
                continue
            stood, value = history.before((write["tree"], write["key"]), seq)
            if write["expects"] == 0 and value is None:
                continue
            if stood != write["expects"]:
                yield (f"commit {seq} expected {write['expects']} of {write['key']}, "
                       f"and {stood} stood")


def read(history, feeds, operations):
    """A read shows what was sent before it ended, and nothing that was replaced before it began."""
    sent, answered = spans(history, operations)
    for each in operations:
        if each["kind"] != "read":
            continue
        versions = [(0, None), *history.versions.get((each["tree"], each["key"]), ())]
        if each["status"] == 200:
            seen = split(each["version"])[1]
            shown = [version for version in versions if version == (seen, each["value"])]
        else:
            shown = [version for version in versions if version[1] is None]
        name = f"{each['client']} read {each['key']} ({each['status']}, {each.get('version')})"
        if not shown:
            yield f"{name}, which is no version of it"
        elif all(sent.get(seq, 0) > each["end"] for seq, _ in shown):
            yield f"{name} before it was sent"
        elif all(any(later > seq and answered.get(later, NEVER) < each["start"]
                     for later, _ in versions) for seq, _ in shown):
            yield f"{name}, though a later version had been answered"


def holder(history, feeds, operations):
    """A record has one holder at most, at any seq, and none but the holder writes it."""
    held = {}  # by subject: {borrow: holder}
    subjects = {}  # by borrow
    for commit in history.commits:
        before = {subject: dict(borrows) for subject, borrows in held.items()}
        touched = set()
        for tree, name, value in effects(commit):
            if tree != "_borrows":
                continue
            if name in subjects:
                touched.add(subjects[name])
                held[subjects.pop(name)].pop(name, None)
            if value is not None:
                subject = (value["tree"], json.dumps(value["key"], sort_keys=True))
                subjects[name] = subject
                touched.add(subject)
                if value["state"] in ("held", "granted"):
                    held.setdefault(subject, {})[name] = value["holder"]
        for subject in touched:
            if len(held.get(subject, ())) > 1:
                yield f"at {commit['seq']} {subject} is held by {list(held[subject].values())}"
                return
        for effect in commit["effects"]:
            (_, body), = effect.items()
            subject = (body["tree"], json.dumps(body["key"], sort_keys=True))
            for user in before.get(subject, {}).values():
                if (user["user"], user["device"]) != (commit["by"], commit["device"]):
                    yield f"at {commit['seq']} {commit['by']} writes what {user['user']} holds"


RULES = (dense, once, feed, acknowledged, epoch, refused, resent, order, expected, read, holder)


def writes(operations):
    return (each for each in operations if each["kind"] == "write")


def judge(log, feeds, operations):
    """All findings, at most a few of each rule; none where everything is as promised."""
    history = History(log)
    found = []
    for rule in RULES:
        for number, text in enumerate(rule(history, feeds, operations)):
            if number == 5:
                found.append(Finding(f"{rule.__name__}: and more"))
                break
            found.append(Finding(f"{rule.__name__}: {text}"))
    return found


def lines(path):
    """The documents of a file, one a line."""
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--log", required=True)
    parser.add_argument("--feed", action="append", default=[])
    parser.add_argument("--record", action="append", default=[])
    chosen = parser.parse_args()
    log, feeds = lines(chosen.log), [lines(path) for path in chosen.feed]
    operations = [operation for path in chosen.record for operation in lines(path)]
    found = judge(log, feeds, operations)
    for finding in found:
        print(finding)
    unknown = sum(1 for each in writes(operations) if each["status"] is None)
    print(f"{len(log)} commits, {len(feeds)} feeds, {len(operations)} operations ({unknown} "
          f"without an answer): {len(found) or 'no'} findings", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
