#!/usr/bin/env python3
"""The mirrors' scenario: every part a process with a directory of its own, every line through a
proxy that can be cut.

    HOLDFAST_BIN=.build/debug/holdfast python3 Tests/Scenario/mirror_test.py
    ... mirror_test.py KillTests            one theme

`holdfast-mirror-driver` is looked for beside the server. Needs KiCad's parts, as `scenario_test.py`
does; where they cannot be had it says so and goes on without the theme that needs them.
"""

import collections
import functools
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "Tests" / "Tools"), str(ROOT / "sdk" / "sample")]

from feed import Subscriber, fold, folded  # noqa: E402
from mirrors import Ended, Mirror, Refused, create, update  # noqa: E402
from proxy import DOWN, UP, Proxy  # noqa: E402
from scenario_test import PART_COUNT, kicad_changes  # noqa: E402
from served import (  # noqa: E402
    Server, binary, in_threads, record_path, seq_of, wait_until,
)

SEED = int.from_bytes(random.randbytes(4), "big")


def say(text):
    print(f"\n{text}", file=sys.stderr)


def bin_value(label, title="made"):
    return {"label": label, "title": title}


def part_value(number, **members):
    return {"number": number, "title": number, "stock": 0, "keywords": [], "pins": [], **members}


def identifier(key):
    """The id of a key's text: 12 of `12.0`."""
    return int(key.rsplit(".", 1)[0])


class MirrorTests(unittest.TestCase):
    """What the themes share: servers, lines and mirrors of a test, ended with it."""

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def server(self, *flags, **settings):
        return self.enterContext(Server(*flags, **settings))

    def line(self, server):
        return self.enterContext(Proxy(server))

    def mirror(self, user, url, *flags):
        """A mirror that has not been started."""
        made = Mirror(self.folder / user, url, user, *flags)
        self.addCleanup(made.kill)
        return made

    def client(self, server, user="carl", device="machine"):
        made = server.client(user, device)
        self.addCleanup(made.close)
        return made

    def ok(self, reply, *statuses):
        self.assertIn(reply.status, statuses or (200, 201, 204), reply)
        return reply

    def head(self, server):
        return seq_of(self.client(server).get("/v1").document["head"])

    def stored(self, server, tree):
        """All records of a tree by id or name: what the server says of each."""
        _, envelopes = self.client(server).lines(f"/v1/records/{tree}?revisions=all")
        return {each["key"].get("id", each["key"].get("name")): each for each in envelopes}

    def commits(self, server):
        client = self.client(server)
        epoch = client.get("/v1").document["epoch"]
        return client.lines(f"/v1/changes?since={epoch}:0")[1]

    def ranges_are_disjoint(self, server):
        """No id was promised to two devices, or twice to one."""
        ranges, cursor = [], ""
        while cursor is not None:
            query = f"?limit=1000{cursor and '&cursor='}{cursor}"
            page = self.ok(self.client(server).get(f"/v1/ranges{query}")).document
            ranges += page["ranges"]
            cursor = page.get("next")
        last = {}
        for each in sorted(ranges, key=lambda each: (each["tree"], each["first"])):
            self.assertLessEqual(last.get(each["tree"], 1), each["first"], each)
            self.assertLess(each["first"], each["end"])
            last[each["tree"]] = each["end"]
        return ranges


class StrangerTests(MirrorTests):
    """A server that is not the mirror's own learns nothing of it."""

    def asked_only_who_it_is(self, line, first):
        """Of what was sent since the link `first`, every byte."""
        question = f"GET /v1 HTTP/1.1\r\nhost: {line.address}\r\naccept: application/json\r\n\r\n"
        links = line.links[first:]
        self.assertTrue(any(link.sent for link in links))
        for link in links:
            self.assertIn(bytes(link.sent), (b"", question.encode()))

    def test_another_database_hears_neither_name_nor_token_nor_record(self):
        home, foreign = self.server(), self.server()
        line = self.line(home)
        anna = self.mirror("anna-the-keeper", line.url).start()
        anna.run("sync")
        # The watcher sees what is sent where it may be.
        self.assertIn(b"anna-the-keeper", bytes(line.links[-1].sent))
        line.cut()
        anna.wait_for_status("offline")
        made = anna.write(create("bins", bin_value("a secret label")))

        before = self.client(foreign).get("/v1").document
        first = len(line.links)
        line.target = foreign
        line.resume()
        anna.wait_for_status("refused")
        anna.kill()
        anna.flags = ("--token", "a-secret-token")
        anna.start().wait_for_status("refused")
        anna.kill()
        self.asked_only_who_it_is(line, first)
        self.assertEqual(self.client(foreign).get("/v1").document, before)

        # Nothing was lost by it: at home the change is accepted.
        line.target, anna.flags = home, ()
        anna.start().run("sync")
        wait_until(
            lambda: identifier(made["keys"][0]) in self.stored(home, "bins"), "the change")
        anna.close()

    def test_another_application_hears_nothing_either(self):
        home, foreign = self.server(), self.server(application="warehouse")
        line = self.line(foreign)
        anna = self.mirror("anna-the-keeper", line.url, "--token", "a-secret-token")
        before = self.client(foreign).get("/v1").document
        with self.assertRaises(Refused) as refused:
            anna.start()
        self.assertEqual(refused.exception.code, "wrong-database")
        self.asked_only_who_it_is(line, 0)

        # The same for one that has a home.
        line.target, anna.flags = home, ()
        anna.start().run("sync")
        anna.kill()
        line.target, anna.flags = foreign, ("--token", "a-secret-token")
        first = len(line.links)
        anna.start().wait_for_status("refused")
        anna.kill()
        self.asked_only_who_it_is(line, first)
        self.assertEqual(self.client(foreign).get("/v1").document, before)


class SilenceTests(MirrorTests):
    """A line that swallows everything, and tells nobody."""

    def test_it_is_noticed_and_what_was_sent_into_it_is_done_once(self):
        server = self.server("--heartbeat", "0.3")
        line = self.line(server)
        anna = self.mirror("anna", line.url).start()
        anna.run("sync")
        for ways in ((DOWN,), (UP, DOWN)):
            with self.subTest(ways):
                line.stall(*ways)
                made = anna.write(create("bins", bin_value(f"into silence {ways}")))
                anna.wait_for_status("offline")
                line.resume()
                anna.wait_for_status("live")
                wait_until(
                    lambda: identifier(made["keys"][0]) in self.stored(server, "bins"), "it")
                ids = [commit["id"] for commit in self.commits(server)]
                self.assertEqual(ids.count(made["change"]), 1)
        anna.close()


class KeyTests(MirrorTests):
    """Ids are given out once, and do not run out."""

    INSERT_COUNT = 10_000
    RANGE_COUNT = 100
    GRASP_COUNT = 20

    def test_ten_thousand_inserts_of_one_session_never_run_out_of_keys(self):
        server = self.server()
        anna = self.mirror("anna", server.url).start()
        anna.run("sync")
        storm = anna.ask("storm", text="one", count=self.INSERT_COUNT // 2)
        storm.wait(240)
        many = anna.ask("storm", text="many", count=self.INSERT_COUNT // 200, each=100)
        many.wait(240)
        keys = [key for told in storm.told + many.told for key in told["keys"]]
        self.assertEqual(len(set(keys)), self.INSERT_COUNT)
        wait_until(lambda: len(self.stored(server, "bins")) == self.INSERT_COUNT, "all of them")
        # What is promised to a device is measured by what it used.
        ranges = self.ranges_are_disjoint(server)
        promised = collections.Counter()
        for each in ranges:
            promised[each["tree"]] += each["end"] - each["first"]
        self.assertLess(promised["bins"], 8 * self.INSERT_COUNT)
        self.assertLess(promised["parts"], 1000)
        anna.close()

    def test_a_hundred_ranges_asked_for_at_once_are_disjoint(self):
        server = self.server()
        anna = self.mirror("anna", server.url).start()
        anna.run("sync")
        together = threading.Barrier(self.RANGE_COUNT)
        made = []

        def ask(number):
            client = self.client(server, f"user-{number}", f"device-{number}")
            client.get("/v1")
            together.wait()
            body = {"tree": "bins", "count": 1 + number}
            made.append(self.ok(client.post("/v1/ranges", body), 201).document)

        in_threads(*[functools.partial(ask, number) for number in range(self.RANGE_COUNT)])
        self.assertEqual(
            sorted(each["end"] - each["first"] for each in made),
            list(range(1, self.RANGE_COUNT + 1)))
        listed = {each["id"] for each in self.ranges_are_disjoint(server)}
        self.assertLessEqual({each["id"] for each in made}, listed)
        anna.close()

    def test_killed_between_taking_an_id_and_using_it_nobody_gets_it_again(self):
        server = self.server()
        line = self.line(server)
        anna = self.mirror("anna", line.url).start()
        anna.run("sync")
        grasped, used = [], []
        for number in range(self.GRASP_COUNT):
            if number == self.GRASP_COUNT // 2:
                line.cut()  # from here on without the server
            used += anna.write(create("bins", bin_value(f"used {number}")))["keys"]
            grasp = anna.ask("grasp", text=f"grasped {number}")
            grasped += grasp.wait_told(1)[0]["keys"]
            anna.kill()
            anna.start()
        self.assertEqual(len(set(grasped + used)), 2 * self.GRASP_COUNT)
        line.resume()
        wait_until(lambda: len(self.stored(server, "bins")) == self.GRASP_COUNT, "all of them")
        self.assertEqual(set(self.stored(server, "bins")), set(map(identifier, used)))
        anna.close()


class KillTests(MirrorTests):
    """A mirror that is killed over and over, between its own disk and the server's word."""

    ROUND_COUNT = 200
    # What the line does while the mirror writes and is killed: passes everything on, is away,
    # swallows the changes, or swallows the answers.
    LINES = ("open", "cut", "deaf", "mute")

    def set(self, line, how):
        if how == "cut":
            line.cut()
        elif how != "open":
            line.stall(UP if how == "deaf" else DOWN)

    def test_nothing_is_lost_and_nothing_is_doubled(self):
        say(f"seed {SEED}")
        chance = random.Random(SEED)
        server = self.server()
        line = self.line(server)
        anna = self.mirror("anna", line.url).start()
        anna.run("sync")
        anna.kill()
        told, made_until = {}, []  # by label; how many links there were after each round
        began = time.monotonic()
        for number in range(self.ROUND_COUNT):
            how = chance.choice(self.LINES)
            is_late = chance.random() < 0.5  # the line changes when it is in use
            if not is_late and number % 5:
                self.set(line, how)
            anna.start()
            if number % 5 == 0:
                anna.run("sync")  # ids are used up by kills: now and then new ones are fetched
            storm = anna.ask("storm", text=f"round {number}")
            if is_late or number % 5 == 0:
                storm.wait_told(1)
                self.set(line, how)
            count = chance.randint(1, 8)
            storm.wait_told(count)
            threading.Event().wait(chance.uniform(0, 0.01))
            anna.kill()
            for index, each in enumerate(storm.told):
                told[f"round {number}-{index}-0"] = each
            line.cut()
            line.resume()
            made_until.append(len(line.links))
        seconds = time.monotonic() - began
        anna.start().run("sync")
        wait_until(lambda: told.keys() <= self.labels(server).keys(), "all that was acknowledged")
        self.assertEqual(anna.run("stranded"), [])
        anna.close()
        self.judge(server, told)
        self.explain(line, told, made_until, seconds)

    def labels(self, server):
        return {each["value"]["label"]: each for each in self.stored(server, "bins").values()}

    def judge(self, server, told):
        stored = self.stored(server, "bins")
        labels = self.labels(server)
        self.assertEqual(len(labels), len(stored), "a write was doubled")
        keys = [each["keys"][0] for each in told.values()]
        self.assertEqual(len(set(keys)), len(keys), "an id was given out twice")
        commits = self.commits(server)
        ids = collections.Counter(commit["id"] for commit in commits)
        order = {commit["id"]: commit["seq"] for commit in commits}
        for label, each in told.items():
            self.assertEqual(labels[label]["key"]["id"], identifier(each["keys"][0]))
            self.assertEqual(ids[each["change"]], 1)
        # In the order they were made, over all rounds.
        seqs = [order[each["change"]] for each in told.values()]
        self.assertEqual(seqs, sorted(seqs))
        # Each round may have left the one that was durable and not yet told, no other.
        rounds = collections.Counter(label.split("-")[0] for label in told)
        for label in labels.keys() - told.keys():
            name, index, _ = label.split("-")
            self.assertEqual(int(index), rounds[name], label)
        self.ranges_are_disjoint(server)

    def explain(self, line, told, made_until, seconds):
        """Says what the rounds hit, and that they hit what they are for."""
        links = {}
        for index, link in enumerate(line.links):
            for change, is_replayed in link.accepted:
                links.setdefault(change, []).append((index, is_replayed))
        later = replayed = 0
        for label, each in told.items():
            number = int(label.split("-")[0].split()[1])
            index, is_replayed = links.get(each["change"], [(0, False)])[-1]
            later += index >= made_until[number]
            replayed += is_replayed
        say(f"{self.ROUND_COUNT} kills in {seconds:.0f} s: {len(told)} changes, {later} accepted "
            f"after a later start, {replayed} of them sent again though they were accepted")
        self.assertGreater(later, self.ROUND_COUNT // 10)
        self.assertGreater(replayed, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
