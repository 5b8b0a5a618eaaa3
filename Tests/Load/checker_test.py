#!/usr/bin/env python3
"""The checker takes a true history, and refuses each falsified one by the rule it breaks."""

import copy
import json
import os
import subprocess
import sys
import tempfile
import unittest

import checker

ANNA = {"user": "anna", "device": "a"}
BEN = {"user": "ben", "device": "b"}


def setting(tree, name, value):
    return {"set": {"tree": tree, "key": {"name": name, "revision": 0}, "label": "put",
                    "state": "plain", "value": value}}


def removing(tree, name):
    return {"remove": {"tree": tree, "key": {"name": name, "revision": 0}, "label": "delete"}}


def borrowing(name, user, state="held"):
    return setting("_borrows", name, {
        "tree": "bins", "key": {"name": "x", "revision": 0}, "state": state, "holder": user})


class Story:
    """A true history of five records, two borrows, reads, a refusal and changes sent again."""

    def __init__(self):
        self.log, self.operations, self.now = [], [], 0
        self.commit("tree", ANNA, [setting("_trees", "bins", {})])
        self.write("c1", ANNA, "bins", "x", {"n": 1}, 0)
        self.write("c2", ANNA, "bins", "y", {"n": 1}, 0)
        self.read("x", 2, {"n": 1})
        self.write("c3", BEN, "bins", "x", {"n": 2}, 2)
        self.read("x", 4, {"n": 2})
        self.read("z", None, None)
        self.operate("c1", BEN, 3, 2, replayed=True)
        self.refuse("c4", BEN)
        self.commit("c5", ANNA, [borrowing("b1", ANNA)])
        self.operate("c5", ANNA, 0, 5, [{"tree": "_borrows", "key": "b1", "value": {}}])
        self.write("c6", ANNA, "bins", "x", {"n": 3}, None)
        self.commit("c7", ANNA, [removing("_borrows", "b1"), borrowing("b2", BEN, "granted")])
        self.operate("c7", ANNA, 0, 7, [{"tree": "_borrows", "key": "b1", "value": None}])
        self.write("c8", BEN, "bins", "x", {"n": 4}, 6)
        self.commit("c9", BEN, [setting("bins", "y", {"n": 2})])  # its answer never came
        self.operate("c9", BEN, 0, None, [
            {"tree": "bins", "key": "y", "value": {"n": 2}, "expects": 3}], status=None)
        self.write("c10", ANNA, "bins", "y", None, 9)
        self.read("y", None, None)
        self.read("x", 8, {"n": 4})
        self.write("c11", ANNA, "bins", "p", {"n": 1}, 0)
        self.write("c12", BEN, "bins", "q", {"n": 1}, 0)
        self.feed = copy.deepcopy(self.log)

    def commit(self, change, user, made):
        self.log.append({"seq": len(self.log) + 1, "id": change, "by": user["user"],
                         "device": user["device"], "effects": made})

    def operate(self, change, user, sent, seq, changes=(), status=200, replayed=False):
        self.now += 10
        self.operations.append({
            "client": user["user"], "kind": "write", "id": change, "start": self.now,
            "end": self.now + 5 if status else None, "status": status,
            "position": f"e:{seq}" if seq else None, "replayed": replayed,
            "writes": list(changes)})

    def write(self, change, user, tree, name, value, expects):
        made = removing(tree, name) if value is None else setting(tree, name, value)
        self.commit(change, user, [made])
        self.operate(change, user, 0, len(self.log), [
            {"tree": tree, "key": name, "value": value, "expects": expects}])

    def refuse(self, change, user):
        self.operate(change, user, 0, None, [], status=412)

    def read(self, name, seen, value):
        self.now += 10
        self.operations.append({
            "client": "eve", "kind": "read", "start": self.now, "end": self.now + 5,
            "status": 200 if seen else 404, "tree": "bins", "key": name,
            "version": f"e:{seen}" if seen else None, "value": value})

    def operation(self, change, number=0):
        return [each for each in self.operations if each.get("id") == change][number]

    def reads(self, name):
        return [each for each in self.operations
                if each["kind"] == "read" and each["key"] == name]

    def both(self, change):
        """Applies the same falsification to the log and to the feed."""
        change(self.log)
        change(self.feed)

    def judge(self):
        return checker.judge(self.log, [self.feed], self.operations)


def swap(first, second):
    """Two commits in each other's place, as nobody could tell from the log alone."""
    def change(commits):
        one, other = commits[first - 1], commits[second - 1]
        commits[first - 1], commits[second - 1] = other, one
        one["seq"], other["seq"] = other["seq"], one["seq"]
    return change


def lose(seq):
    """A commit that is gone, and those behind it moved up."""
    def change(commits):
        del commits[seq - 1]
        for place, commit in enumerate(commits, 1):
            commit["seq"] = place
    return change


def falsifications():
    """(what is done to the story, how, the rule that must find it)."""
    def alter(target, **members):
        target.update(members)

    def swapped(story):
        story.both(swap(11, 12))
        story.operation("c11")["position"], story.operation("c12")["position"] = "e:12", "e:11"

    def doubled(story):
        again = copy.deepcopy(story.log[3])
        story.both(lambda commits: commits.append({**again, "seq": len(commits) + 1}))

    def two_holders(story):
        story.both(lambda commits: commits[4]["effects"].append(borrowing("b9", BEN)))

    def kept(story):
        story.both(lambda commits: commits[6]["effects"].pop(0))

    def value(seq, new):
        def change(commits):
            commits[seq - 1]["effects"][0]["set"]["value"] = new
        return change

    return [
        ("an acknowledged write is lost", lambda s: s.both(lose(3)), "acknowledged"),
        ("the last write is lost", lambda s: s.both(lambda c: c.pop()), "acknowledged"),
        ("a commit is missing, its place empty", lambda s: s.both(lambda c: c.pop(2)), "dense"),
        ("the beginning is missing", lambda s: s.both(lambda c: c.pop(0)), "dense"),
        ("a seq is there twice", lambda s: s.both(lambda c: alter(c[3], seq=3)), "dense"),
        ("the log is out of order", lambda s: s.log.insert(2, s.log.pop(3)), "dense"),
        ("two commits are swapped against time", swapped, "order"),
        ("an unanswered change stands before what was answered before it was sent",
         lambda s: s.both(swap(8, 9)), "order"),
        ("a change is in the log twice", doubled, "once"),
        ("a value is another", lambda s: s.both(value(3, {"n": 7})), "acknowledged"),
        ("a write is told at another's position",
         lambda s: alter(s.operation("c2"), position="e:2"), "acknowledged"),
        ("an effect is left out", lambda s: s.both(lambda c: c[2]["effects"].clear()),
         "acknowledged"),
        ("a refused change is in the log", lambda s: alter(s.operation("c2"), status=409),
         "refused"),
        ("a change sent again is told another position",
         lambda s: alter(s.operation("c1", 1), position="e:4"), "acknowledged"),
        ("a change sent again is news", lambda s: alter(s.operation("c1", 1), replayed=False),
         "resent"),
        ("news is called a replay", lambda s: alter(s.operation("c2"), replayed=True), "resent"),
        ("a position is of another history",
         lambda s: alter(s.operation("c2"), position="f:3"), "epoch"),
        ("an update between is lost",
         lambda s: alter(s.operation("c8")["writes"][0], expects=4), "expected"),
        ("a creation overwrote", lambda s: alter(s.operation("c3")["writes"][0], expects=0),
         "expected"),
        ("a read is stale", lambda s: alter(s.reads("x")[1], version="e:2", value={"n": 1}),
         "read"),
        ("a read is of nothing that was", lambda s: alter(s.reads("x")[0], value={"n": 9}),
         "read"),
        ("a read is of the future",
         lambda s: alter(s.reads("x")[0], version="e:4", value={"n": 2}), "read"),
        ("a read misses what there is", lambda s: alter(s.reads("x")[2], status=404), "read"),
        ("a read finds what was deleted",
         lambda s: alter(s.reads("y")[0], status=200, version="e:9", value={"n": 2}), "read"),
        ("two hold a record", two_holders, "holder"),
        ("a borrow goes on beside the next one", kept, "holder"),
        ("another than the holder writes", lambda s: s.both(lambda c: alter(c[5], by="eve")),
         "holder"),
        ("a feed lacks a commit", lambda s: s.feed.pop(3), "feed"),
        ("a feed lacks the end", lambda s: s.feed.pop(), "feed"),
        ("a feed has a commit twice", lambda s: s.feed.insert(3, s.feed[3]), "feed"),
        ("a feed is out of order", lambda s: s.feed.insert(2, s.feed.pop(3)), "feed"),
        ("a feed shows another value", lambda s: value(3, {"n": 7})(s.feed), "feed"),
        ("a feed goes on behind the log", lambda s: s.feed.append({**s.feed[-1], "seq": 13}),
         "feed"),
    ]


class CheckerTests(unittest.TestCase):
    def test_a_true_history_is_taken(self):
        self.assertEqual(Story().judge(), [])

    def test_every_falsified_one_is_refused_by_its_rule(self):
        seen = set()
        for what, how, rule in falsifications():
            with self.subTest(what):
                story = Story()
                how(story)
                self.assertIn(rule, {finding.rule for finding in story.judge()}, what)
                seen.add(rule)
        self.assertEqual(seen, {rule.__name__ for rule in checker.RULES}, "a rule nobody breaks")

    def test_each_rule_is_needed(self):
        """Of some falsification each rule is the only one that tells."""
        alone = set()
        for _, how, _ in falsifications():
            story = Story()
            how(story)
            found = {finding.rule for finding in story.judge()}
            if len(found) == 1:
                alone |= found
        self.assertEqual(alone, {rule.__name__ for rule in checker.RULES})

    def test_the_program_says_it_by_its_exit_code(self):
        with tempfile.TemporaryDirectory() as folder:
            for falsified, code in ((False, 0), (True, 1)):
                story = Story()
                if falsified:
                    story.feed.pop()
                paths = []
                for name, documents in (
                        ("log", story.log), ("feed", story.feed), ("record", story.operations)):
                    path = os.path.join(folder, name)
                    with open(path, "w", encoding="utf-8") as file:
                        file.writelines(json.dumps(each) + "\n" for each in documents)
                    paths += [f"--{name}", path]
                done = subprocess.run(
                    [sys.executable, checker.__file__, *paths], capture_output=True, text=True,
                    check=False)
                self.assertEqual(done.returncode, code, done)
                self.assertEqual("feed: " in done.stdout, falsified)


if __name__ == "__main__":
    unittest.main()
