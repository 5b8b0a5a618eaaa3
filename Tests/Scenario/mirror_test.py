#!/usr/bin/env python3
"""The mirrors' scenario: every part a process with a directory of its own, every line through a
proxy that can be cut.

    HOLDFAST_BIN=.build/debug/holdfast python3 Tests/Scenario/mirror_test.py
    ... mirror_test.py KillTests            one theme

`holdfast-mirror-driver` is looked for beside the server. With HOLDFAST_SMALL set a few of the
parts are imported. Needs KiCad's parts, as `scenario_test.py`
does; where they cannot be had it says so and goes on without the theme that needs them.
"""

import collections
import functools
import http.client
import json
import os
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
from mirrors import Mirror, Refused, create, update  # noqa: E402
from proxy import DOWN, UP, Proxy  # noqa: E402
from scenario_test import PART_COUNT, kicad_changes  # noqa: E402
from served import (  # noqa: E402
    Server, binary, in_threads, record_path, seq_of, wait_until,
)

IS_SMALL = "HOLDFAST_SMALL" in os.environ
SMALL_COUNT = 5
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
    SINGLE_COUNT = 1000  # one a change; the rest come by the hundred
    RANGE_COUNT = 100
    GRASP_COUNT = 20

    def test_ten_thousand_inserts_of_one_session_never_run_out_of_keys(self):
        server = self.server()
        anna = self.mirror("anna", server.url).start()
        anna.run("sync")
        single = anna.ask("storm", text="single", count=self.SINGLE_COUNT)
        single.wait(240)
        rest = self.INSERT_COUNT - self.SINGLE_COUNT
        many = anna.ask("storm", text="many", count=rest // 100, each=100)
        many.wait(240)
        keys = [key for told in single.told + many.told for key in told["keys"]]
        self.assertEqual(len(set(keys)), self.INSERT_COUNT)
        wait_until(lambda: len(self.stored(server, "bins")) == self.INSERT_COUNT, "all of them")
        # What is promised to a device is measured by what it used.
        ranges = self.ranges_are_disjoint(server)
        promised = collections.Counter()
        for each in ranges:
            promised[each["tree"]] += each["end"] - each["first"]
        self.assertLess(promised["bins"], 8 * self.INSERT_COUNT)
        self.assertLess(promised["parts"], 4000)
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

    ROUND_COUNT = 20 if IS_SMALL else 200
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
            if number % 4 == 1:
                anna.ask("compact")  # it is killed as well
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


class StoryTests(MirrorTests):
    """Two mirrors and a machine, on all of KiCad's parts: one of them is unplugged, the server
    dies, and nobody loses or overwrites anything."""

    CREATION_COUNT = 150 if IS_SMALL else 1000  # of the mirror that is unplugged
    PAIR_EVERY, MOVE_EVERY, EDIT_EVERY = 5, 4, 3
    WRITER_COUNT = 4  # machines, beside two tasks of each mirror
    WRITE_COUNT = 40  # of each writer
    KILL_COUNT = 3
    FORGOTTEN_COUNT = 600  # records of 10 kB each: more than one file of the server's log
    SEGMENT_BYTES = 4 << 20

    def setUp(self):
        super().setUp()
        if kicad_changes() is None:
            raise unittest.SkipTest("KiCad's symbols cannot be had")
        say(f"seed {SEED}")
        self.began = (time.monotonic(), time.process_time())

    def test_two_mirrors_and_a_machine(self):
        self.hub = self.server(
            "--heartbeat", "5", "--segment-bytes", str(self.SEGMENT_BYTES))
        self.lines = {name: self.line(self.hub) for name in ("anna", "ben")}
        self.anna, self.ben = (self.mirror(name, line.url) for name, line in self.lines.items())
        self.carl = self.client(self.hub)
        self.feed = self.enterContext(Subscriber(self.hub))
        for step in (
            self.import_everything, self.everybody_has_the_same, self.ben_compacts,
            self.contend_for_a_part, self.go_on_alone, self.come_back, self.survive_the_servers_death,
            self.ben_is_away_while_the_server_forgets, self.a_newcomer_is_cut_off,
            self.everybody_has_the_same,
        ):
            began = time.monotonic()
            self.carl.close()  # the server ends connections that are not used for long
            step()
            name = step.__name__.replace("_", " ")
            say(f"{name}: {time.monotonic() - began:.1f} s")
        self.ranges_are_disjoint(self.hub)
        self.the_feed_told_it_all()
        self.anna.close()
        self.ben.close()

    # The import, and what everybody has.

    def import_everything(self):
        self.anna.start().run("sync")
        self.ben.start().run("sync")
        path = self.folder / "parts.ndjson"
        path.write_bytes(b"".join(kicad_changes()[-SMALL_COUNT if IS_SMALL else 0:]))
        done = self.anna.run("import", path=str(path), seconds=1800)
        self.assertTrue(IS_SMALL or done["parts"] == PART_COUNT)
        parts = self.stored(self.hub, "parts")
        self.assertEqual(len(parts), done["parts"])
        self.numbers = sorted(parts)

    def everybody_has_the_same(self):
        """Server and mirrors hold the same records, and the same hashes at one position."""
        for each in (self.anna, self.ben):
            each.wait_for_status("live")
        end = time.monotonic() + 60
        while True:
            reports = [verified(folder) for folder in self.directories()]
            if len({report["folded to"] for report in reports}) == 1:
                break
            # The server notes now and then how far a device is: that is a commit.
            self.assertLess(time.monotonic(), end, "no common position")
        for report in reports:
            del report["commits"]  # what is left of the history is everybody's own affair
            self.assertEqual(report, reports[0])
        self.assertIn("parts", reports[0]["hash"])
        say(f"{len(reports[0]['hash'])} hashes are equal at {reports[0]['folded to']}")
        records = {}
        for tree in ("bins", "footprints", "moves", "parts"):
            _, envelopes = self.carl.lines(f"/v1/records/{tree}")
            for each in envelopes:
                name = each["key"].get("id", each["key"].get("name"))
                records[tree, f"{name}.{each['key']['revision']}"] = each["value"]
        for each in (self.anna, self.ben):
            path = self.folder / f"{each.user}.ndjson"
            each.run("dump", path=str(path))
            found = {}
            for line in path.read_bytes().splitlines():
                record = json.loads(line)
                found[tuple(record["key"])] = record["value"]
            self.assertEqual(len(found), len(records))
            for key, value in records.items():
                self.assertEqual(found[key], value, key)

    def ben_compacts(self):
        """Ben's copy is a checkpoint and the log's end from now on; he reads and writes on."""
        done = self.ben.run("compact")
        self.assertGreater(done["written"], 0)
        parts = list((self.ben.folder / "copy.1" / "parts").iterdir())
        self.assertGreater(len(parts), 1)
        self.ben.kill()
        self.ben.start()
        self.ben.wait_for_status("live")  # borrows are asked for at the server
        say(f"{done['written'] >> 20} MiB in {len(parts)} parts, {done['freed'] >> 20} MiB of the log freed")

    def directories(self):
        yield pathlib.Path(self.hub.folder) / "data"
        for each in (self.anna, self.ben):
            self.assertEqual(len(each.copies), 1)
            yield each.folder / each.copies[0]

    # Two of them want one part.

    def part(self, index):
        """The key of one of the parts as text, and its path."""
        number = self.numbers[index]
        return f"{number}.0", record_path("parts", number, 0)

    def machine_is_refused(self, path, holder):
        reply = self.carl.get(path)
        value = {**reply.document, "stock": -1}
        for refused in (
            self.carl.put(path, value, if_match=reply.headers["ETag"]),
            self.carl.put(f"/v1/borrows/{uuid.uuid4()}", {
                "tree": "parts", "key": {"id": int(path.split("/")[-1].split("?")[0]),
                                         "revision": 0}, "kind": "held"}),
        ):
            self.assertEqual((refused.status, refused.code), (423, "borrowed"), refused)
            self.assertEqual(refused.document["borrow"]["holder"]["user"], holder)

    def contend_for_a_part(self):
        key, path = self.part(1)
        held = self.anna.run("borrow", tree="parts", key=key)
        waiting = self.ben.ask("borrow", tree="parts", key=key, queue=True)

        def line():
            if waiting.is_done:
                waiting.wait()  # raises what he was refused with
            listed = self.carl.get("/v1/borrows").document["borrows"]
            return [(each["holder"]["user"], each["state"]) for each in listed
                    if each["key"]["id"] == identifier(key)]

        wait_until(
            lambda: sorted(line()) == [("anna", "held"), ("ben", "queued")], "ben to wait in line")
        self.machine_is_refused(path, "anna")
        with self.assertRaises(Refused) as refused:
            self.ben.write(update("parts", key, stock=100), accepted=True)
        self.assertEqual(refused.exception.code, "borrowed")
        self.anna.write(update("parts", key, stock=1), accepted=True)
        self.machine_is_refused(path, "anna")
        self.assertFalse(waiting.is_done)

        self.anna.run("return", tree="parts", name=held["id"])
        granted = waiting.wait()
        # He goes out from what she left.
        self.assertEqual(self.value(self.ben, "parts", key)["stock"], 1)
        self.machine_is_refused(path, "ben")
        self.ben.write(update("parts", key, stock=1), accepted=True)
        self.ben.run("return", tree="parts", name=granted["id"])
        reply = self.carl.get(path)
        self.ok(self.carl.put(
            path, {**reply.document, "stock": reply.document["stock"] + 1},
            if_match=reply.headers["ETag"]), 200)
        for each in (self.anna, self.ben):
            wait_until(lambda: self.value(each, "parts", key)["stock"] == 3, "all three counts")
        self.assertEqual(line(), [])

    def value(self, mirror, tree, key):
        [shown] = mirror.run("get", tree=tree, key=key)
        return json.loads(shown["value"])

    # One is unplugged.

    def go_on_alone(self):
        self.held, self.held_path = self.part(2)
        self.anna.run("borrow", tree="parts", key=self.held)
        self.before = self.head(self.hub)
        self.lines["anna"].cut()
        self.anna.wait_for_status("offline")
        self.made, self.doomed, self.first_links = [], [], len(self.lines["anna"].links)
        self.known = []  # the label, number or quantity of each creation, and its key
        while len(self.known) < self.CREATION_COUNT:
            self.write_alone()
            if len(self.made) == self.CREATION_COUNT // 4 and not self.doomed:
                self.write_what_will_be_refused()
            if len(self.made) == self.CREATION_COUNT // 3:
                self.go_on_elsewhere()
        # What nobody holds is not changed without the server.
        with self.assertRaises(Refused) as refused:
            self.anna.write(update("parts", self.part(3)[0], stock=1))
        self.assertEqual(refused.exception.code, "borrow-needed")
        self.anna.kill()
        self.anna.start()
        self.assertEqual(self.anna.status, "offline")
        self.quantity = sum(each[2] for each in self.made)
        ledger = self.anna.run("ledger", key=self.held)
        self.assertEqual((ledger["stock"], ledger["sum"]), (self.quantity, self.quantity))
        for tree, key, _ in self.known:
            [shown] = self.anna.run("get", tree=tree, key=key)
            self.assertTrue(shown["pending"])

    def write_alone(self, *operations):
        """One change of the mirror without a line: creations, edits, references."""
        number = len(self.made)
        quantity = 0
        if not operations:
            title = f"alone {number}"
            operations = [create("bins", bin_value(f"alone-{number}-left", title))]
            if number % self.PAIR_EVERY == 0:
                operations.append(create("bins", bin_value(f"alone-{number}-right", title)))
            if number % self.MOVE_EVERY == 0:
                # A move refers to a record this change creates and to one that is held, which
                # it edits.
                quantity = number + 1
                operations.append(create("moves", {
                    "part": self.held, "bin": "@0", "quantity": quantity, "reason": title,
                    "at": "2026-01-01T00:00:00.000Z"}))
                operations.append(update("parts", self.held, stock=quantity))
            if number % self.EDIT_EVERY == 2:
                # One that an earlier change created is edited.
                tree, key, label = self.known[-1]
                if tree == "bins":
                    operations.append(update("bins", key, bin_value(label, f"again {number}")))
        done = self.anna.write(*operations, why=f"alone {number}")
        for operation, key in zip(operations, done["keys"], strict=True):
            if operation["run"] == "create":
                value = json.loads(operation["value"])
                self.known.append((operation["tree"], key, value.get("label")))
        self.made.append((number, done["change"], quantity))
        return done["keys"]

    def write_what_will_be_refused(self):
        """A footprint somebody else makes meanwhile, what builds on it, and what only looks so."""
        def write(*operations):
            done = self.anna.write(*operations, why="doomed")
            self.doomed.append(done["change"])
            return done["keys"]

        [shape] = write(create("footprints", {"title": "contested"}, "Own:contested.0"))
        [part] = write(create("parts", part_value("Own:on-it", footprint=shape)))
        write(update("parts", part, stock=7))
        [box, _] = write(
            create("bins", bin_value("on-it")),
            create("moves", {"part": part, "bin": "@0", "quantity": 7, "reason": "into it",
                             "at": "2026-01-01T00:00:00.000Z"}))
        self.stranded_keys = [
            f"footprints/{shape}", f"parts/{part}", f"parts/{part}", f"bins/{box}", "moves/"]
        # Words that read like those keys are none; and a footprint of its own is not that one.
        self.write_alone(create("bins", bin_value(part, title=shape)))
        self.write_alone(create("footprints", {"title": "free"}, "Own:free.0"))
        self.write_alone(create("parts", part_value("Own:free", footprint="Own:free.0")))

    def go_on_elsewhere(self):
        """Meanwhile the world goes on."""
        self.ok(self.carl.put(
            record_path("footprints", "Own:contested"), {"title": "carl's"}, if_none_match="*"),
            201)
        self.ben.write(create("bins", bin_value("ben's")), accepted=True)
        self.machine_is_refused(self.held_path, "anna")

    # It is plugged in again.

    def come_back(self):
        self.is_back = threading.Event()
        watchers = [threading.Thread(target=self.guarded, args=(watch,), daemon=True)
                    for watch in (self.watch_the_mirror, self.watch_the_server)]
        self.failures, self.sights = [], collections.Counter()
        for watcher in watchers:
            watcher.start()
        self.lines["anna"].resume()
        last = self.made[-1][1]
        wait_until(
            lambda: last in {commit["id"] for commit in list(self.feed.commits)},
            "the last change to be accepted", 600)
        wait_until(lambda: self.anna.run("stranded"), "the refusal")
        self.is_back.set()
        for watcher in watchers:
            watcher.join()
        if self.failures:
            raise self.failures[0]
        say(f"while it came in, the other mirror was looked at {self.sights['mirror']} times and "
            f"the server {self.sights['server']} times, {self.sights['between']} of them midway")
        self.carl.close()
        self.accepted_once_and_in_order()
        self.stranded_is_what_was_doomed()
        # What she held she holds; what her creations took has gone back by itself.
        wait_until(lambda: len(self.anna.run("borrows")) == 1, "what was created to be free")
        [borrow] = self.anna.run("borrows")
        self.assertEqual((borrow["user"], borrow["key"]), ("anna", self.held))
        self.anna.run("return", tree="parts", name=borrow["id"])

    def guarded(self, body):
        try:
            body()
        except BaseException as problem:
            self.failures.append(problem)

    def looks(self):
        """Once for everything new, until all of it is there."""
        seen = 0
        while not self.is_back.is_set():
            wait_until(lambda: self.is_back.is_set() or self.feed.head > seen, "news")
            seen = self.feed.head
            yield seen

    def watch_the_mirror(self):
        """In every view the stock is the sum of the moves: one change makes both."""
        for _ in self.looks():
            ledger = self.ben.run("ledger", key=self.held)
            if ledger["stock"] != ledger["sum"]:
                raise AssertionError(f"half of a change is shown: {ledger}")
            self.sights["mirror"] += 1
            self.sights["between"] += 0 < ledger["sum"] < self.quantity

    def watch_the_server(self):
        """In every list both of a pair are there, or none."""
        client = self.client(self.hub, "dora", "watcher")
        for _ in self.looks():
            _, envelopes = client.lines("/v1/records/bins")
            labels = {each["value"]["label"] for each in envelopes}
            for number in range(0, len(self.made), self.PAIR_EVERY):
                name = f"alone-{number}"
                if (f"{name}-left" in labels) != (f"{name}-right" in labels):
                    raise AssertionError(f"half of a change is shown: {name}")
            self.sights["server"] += 1

    def accepted_once_and_in_order(self):
        commits = [each for each in self.feed.commits if each["seq"] > self.before]
        mine = [each["id"] for each in commits if (each.get("why") or "").startswith("alone ")]
        self.assertEqual(mine, [change for _, change, _ in self.made])
        # Every creation stands under the key it was given without the server.
        stored = {tree: self.stored(self.hub, tree) for tree in ("bins", "moves")}
        for tree, key, label in self.known:
            if tree in stored:
                value = stored[tree][identifier(key)]["value"]
                self.assertEqual(value.get("label"), label)
        part = self.carl.get(self.held_path).document
        self.assertEqual(part["stock"], self.quantity)

    def stranded_is_what_was_doomed(self):
        [bundle] = self.anna.run("stranded")
        self.assertEqual(bundle["id"], self.doomed[0])
        self.assertEqual(bundle["code"], "exists")
        self.assertEqual(len(bundle["items"]), len(self.stranded_keys))
        for found, expected in zip(bundle["items"], self.stranded_keys, strict=True):
            self.assertTrue(found.startswith(expected), (found, expected))
        ids = {each["id"] for each in self.feed.commits}
        self.assertFalse(ids & set(self.doomed))
        self.assertEqual(
            self.value(self.anna, "footprints", "Own:contested.0")["title"], "carl's")
        self.anna.run("drop", name=bundle["id"])
        self.assertEqual(self.anna.run("stranded"), [])

    # The server dies.

    def survive_the_servers_death(self):
        """Eight writers, of both kinds, and a server that is killed while they write."""
        chance = random.Random(SEED)
        links = {name: len(line.links) for name, line in self.lines.items()}
        storms = [
            each.ask("storm", text=f"{each.user}-{task}", count=self.WRITE_COUNT, accepted=True)
            for each in (self.anna, self.ben) for task in range(2)]
        written = [[] for _ in range(self.WRITER_COUNT)]

        def count():
            return sum(len(each.told) for each in storms) + sum(map(len, written))

        def write(number):
            client = self.client(self.hub, f"writer-{number}", f"machine-{number}")
            for index in range(self.WRITE_COUNT):
                label = f"writer-{number}-{index}"
                operation = {"put": {
                    "tree": "bins", "expects": "absent", "value": bin_value(label)}}
                reply = persistently(client, [operation], str(uuid.uuid4()))
                self.assertEqual(reply.status, 200, reply)
                answer = reply.document
                written[number].append((answer["results"][0]["key"]["id"], answer["position"]))

        def kill():
            total = (self.WRITER_COUNT + len(storms)) * self.WRITE_COUNT
            for number in range(self.KILL_COUNT):
                share = (number + chance.uniform(0.2, 0.8)) / self.KILL_COUNT
                wait_until(
                    lambda: count() >= share * total and self.greetings(links) >= number,
                    "the writers to go on, and the mirrors to be back", 120)
                self.hub.kill()
                self.hub.start()

        in_threads(kill, *[functools.partial(write, number) for number in range(len(written))])
        for storm in storms:
            storm.wait(120)
        self.nothing_acknowledged_is_lost(storms, written)
        self.mirrors_went_on_where_they_were(links)

    # The server's log does not reach back to everybody any more.

    def ben_is_away_while_the_server_forgets(self):
        """A mirror the log was cut under takes what it lacks of the snapshot, and keeps its work."""
        line = self.lines["ben"]
        wait_until(lambda: self.ben.status == "live", "ben to be live")
        line.cut()
        alone = self.ben.write(create("bins", bin_value("ben alone")))
        self.hub.stop()
        # No history is kept; and the log is cut when somebody asks for it alone.
        self.hub.flags += ("--history-days", "0", "--garbage-ratio", "1000")
        self.hub.start()
        self.carl.close()
        for number in range(self.FORGOTTEN_COUNT):
            value = bin_value(f"forgotten {number}", "x" * 10_000)
            self.ok(self.carl.change([
                {"put": {"tree": "bins", "expects": "absent", "value": value}}]))
        self.anna.wait_for_status("live")
        oldest, head = self.compacted()
        self.assertGreater(oldest, head - self.FORGOTTEN_COUNT)
        links = len(line.links)
        line.resume()
        self.ben.wait_for_status("live")
        self.assertEqual(self.ben.copies, ["copy.2"])
        got = sum(link.down_count for link in line.links[links:])
        everything = sum(part["bytes"] for part in self.snapshot()["parts"])
        # His own checkpoint has the parts in which nothing changed.
        if not IS_SMALL:
            self.assertLess(got, everything / 2)
        key = identifier(alone["keys"][0])
        wait_until(lambda: key in self.stored(self.hub, "bins"), "ben's work to be accepted")
        self.assertEqual(self.anna.copies, ["copy.1"])
        say(f"ben got {got >> 20} MiB of {everything >> 20}; the log begins at {oldest} of {head}")

    def a_newcomer_is_cut_off(self):
        """A first sync is the snapshot and the log's end; after a cut it goes on where it was."""
        parts = self.snapshot()["parts"]
        wanted = sum(part["bytes"] for part in parts if part["kind"] != "changes")
        line = self.line(self.hub)
        dora = self.mirror("dora", line.url)
        dora.start()

        def got():
            return sum(link.down_count for link in line.links)

        if not IS_SMALL:
            wait_until(lambda: got() > wanted / 4, "a part of the snapshot to come")
            line.cut()
            before = got()
            self.assertLess(before, wanted)
            line.resume()
        dora.wait_for_status("live")
        # What a cut costs is a piece of 4 MiB; then come the commits since.
        self.assertLess(got(), wanted + (6 << 20))
        records = {}
        for each in (dora, self.anna):
            path = self.folder / f"{each.user}.ndjson"
            each.run("dump", path=str(path))
            records[each.user] = sorted(path.read_bytes().splitlines())
        self.assertEqual(records["dora"], records["anna"])
        dora.close()
        say(f"a newcomer got {got() >> 20} MiB for a snapshot of {wanted >> 20}")

    def snapshot(self):
        return self.ok(self.carl.get("/v1/snapshot")).document

    def compacted(self):
        """Has the server cut its log; the oldest position it has now, and its head."""
        done = subprocess.run(
            [binary(), "compact", "--url", self.hub.url], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        about = self.carl.get("/v1").document
        self.assertIn(about["oldest"], done.stdout)
        return seq_of(about["oldest"]), seq_of(about["head"])

    def greetings(self, links):
        """How often each mirror, the laggard, has said hello since these links."""
        return min(
            sum(1 for link in line.links[links[name]:] if link.hello)
            for name, line in self.lines.items())

    def nothing_acknowledged_is_lost(self, storms, written):
        stored = self.stored(self.hub, "bins")
        acknowledged = [
            (identifier(each["keys"][0]), each["position"]) for storm in storms
            for each in storm.told] + [each for writes in written for each in writes]
        self.assertEqual(len(acknowledged), 8 * self.WRITE_COUNT)
        self.assertEqual(len({number for number, _ in acknowledged}), len(acknowledged))
        for number, position in acknowledged:
            self.assertEqual(stored[number]["version"], position)
        labels = collections.Counter(each["value"]["label"] for each in stored.values())
        self.assertEqual(set(labels.values()), {1})

    def mirrors_went_on_where_they_were(self, links):
        wait_until(lambda: self.greetings(links) >= self.KILL_COUNT, "both mirrors to be back")
        came = [
            (seq_of(link.hello["have"]["position"]), link.commit_count)
            for name, line in self.lines.items() for link in line.links[links[name]:]
            if link.hello]
        head = self.head(self.hub)
        for have, count in came:
            self.assertGreater(have, self.before)
            self.assertLessEqual(count, head - have)
        self.assertEqual(self.anna.copies + self.ben.copies, ["copy.1", "copy.1"])

    def the_feed_told_it_all(self):
        """Whoever followed the feed has what the server has."""
        head = self.head(self.hub)
        self.feed.wait_for(head)
        state = fold(self.feed.commits[:head])
        for tree in ("bins", "footprints", "moves", "parts"):
            _, envelopes = self.carl.lines(f"/v1/records/{tree}?revisions=all")
            self.assertEqual(folded(envelopes), state[tree], tree)


def verified(folder):
    """What `holdfast verify` says of a database or a copy that is in use."""
    done = subprocess.run(
        [binary(), "verify", "--data", str(folder)], capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"{folder}: {done.stdout}{done.stderr}")
    report = {"hash": {}, "tree": {}}
    for line in done.stdout.splitlines():
        name, value = re.match(r"(.{13})(.*)", f"{line:13}").groups()
        if name.strip() == "hash":
            found, block = value.split()
            report["hash"][block] = found
        elif name.strip() == "tree":
            tree, count = value.split(": ")
            report["tree"][tree] = count
        elif name.strip() in ("database", "application", "epoch", "chain", "folded to", "commits"):
            report[name.strip()] = value
    return report


def persistently(client, operations, identifier):
    """One change, sent again under its id for as long as its outcome is unknown."""
    pause = threading.Event()
    while True:
        try:
            reply = client.change(operations, identifier=identifier)
        except (OSError, http.client.HTTPException):
            pause.wait(0.02)
            continue
        if reply.status not in (503, 504):
            return reply


if __name__ == "__main__":
    unittest.main(verbosity=2)
