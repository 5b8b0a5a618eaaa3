#!/usr/bin/env python3
"""The scenario: real parts, competing machines, a feed that is true; over a real server process.

    HOLDFAST_BIN=.build/release/holdfast python3 Tests/Scenario/scenario_test.py
    ... scenario_test.py BorrowTests            one theme
    ... scenario_test.py -k released            the sentences that speak of it

With HOLDFAST_SMALL set (under sanitizers) the server that is killed holds none of KiCad's parts.
Needs `websockets` (Tests/requirements.txt). The import needs Debian's package kicad-symbols, which
it fetches itself; where that cannot be had, it says so loudly and goes on without.
"""

import contextlib
import functools
import json
import os
import pathlib
import random
import subprocess
import sys
import threading
import time
import unittest
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "Tests" / "Tools"), str(ROOT / "sdk" / "sample")]

import kicad_to_ndjson as converter  # noqa: E402
import load  # noqa: E402
from changes import create, encode  # noqa: E402
from feed import Subscriber, cut, fold, folded, open_feed  # noqa: E402
from served import (  # noqa: E402
    WAIT_SECONDS, Server, gauge, in_threads, record_path, seq_of, wait_until,
)
from websockets.exceptions import ConnectionClosed  # noqa: E402

SEED = int.from_bytes(random.randbytes(4), "big")
PART_COUNT = 17_569


@functools.cache
def kicad_changes():
    """The changes that import every KiCad part, or None where the package cannot be had."""
    fetched = subprocess.run(
        ["sh", str(ROOT / "Tests" / "Tools" / "fetch_kicad.sh"), str(ROOT / ".build" / "kicad")],
        stdout=subprocess.PIPE, text=True)
    if fetched.returncode != 0:
        print("\n*** NOT TESTED: KiCad's symbols cannot be had; the import is skipped ***\n",
              file=sys.stderr)
        return None
    made = ROOT / ".build" / "kicad.ndjson"
    tools = [pathlib.Path(module.__file__) for module in (converter, sys.modules["changes"])]
    if not made.exists() or any(made.stat().st_mtime < tool.stat().st_mtime for tool in tools):
        unfinished = made.with_suffix(".unfinished")
        with open(unfinished, "wb") as out:
            subprocess.run(
                [sys.executable, converter.__file__, fetched.stdout.strip()],
                stdout=out, check=True)
        unfinished.rename(made)
    return made.read_bytes().splitlines(keepends=True)


def declare(server):
    """Declares the sample's trees."""
    load.Server(server.url).declare(json.loads(load.TREES.read_text()))


def post_job(server, lines):
    """Sends NDJSON changes and gives the replies; none may be a refusal."""
    return [load.check(reply) for reply in load.Server(server.url).stream(lines)]


def new_part(client, number, stock=0):
    """A draft part of its own: its id."""
    value = {"number": number, "title": number, "stock": stock, "keywords": [], "pins": []}
    reply = client.post("/v1/records/parts", value)
    assert reply.status == 201, reply
    return int(reply.headers["Location"].split("?")[0].rsplit("/", 1)[1])


class ServerTests(unittest.TestCase):
    """Tests of one class share a server whose trees are declared."""

    FLAGS = ()

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Server(*cls.FLAGS))
        declare(cls.server)

    def client(self, user="local", device="rest"):
        made = self.server.client(user, device)
        self.addCleanup(made.close)
        return made

    def head(self):
        return seq_of(self.client().get("/v1").document["head"])

    def ok(self, reply, *statuses):
        self.assertIn(reply.status, statuses or (200, 201, 204), reply)
        return reply

    def refused(self, reply, status, code=None):
        self.assertEqual(reply.status, status, reply)
        if code:
            self.assertEqual(reply.code, code, reply)
        return reply


class ImportTests(ServerTests):
    """All of KiCad's parts come in over REST."""

    @classmethod
    def setUpClass(cls):
        if kicad_changes() is None:
            raise unittest.SkipTest("KiCad's symbols cannot be had")
        super().setUpClass()
        began = time.monotonic()
        cls.replies = post_job(cls.server, kicad_changes())
        seconds = time.monotonic() - began
        print(f"\nimported {PART_COUNT} parts in {seconds:.1f} s", file=sys.stderr)

    def test_every_part_reads_back_as_it_was_sent(self):
        _, envelopes = self.client().lines("/v1/records/parts")
        stored = {each["value"]["number"]: each["value"] for each in envelopes}
        self.assertEqual(len(envelopes), PART_COUNT)
        sent = {}
        for line in kicad_changes():
            for operation in json.loads(line)["operations"]:
                if operation["put"]["tree"] == "parts":
                    sent[operation["put"]["value"]["number"]] = operation["put"]["value"]
        self.assertEqual(len(stored), PART_COUNT)
        for number, value in sent.items():
            self.assertEqual(stored[number], value)

    def test_pages_by_cursor_bring_every_part_once_in_key_order(self):
        client, ids, cursor = self.client(), [], ""
        while cursor is not None:
            query = f"&cursor={cursor}" if cursor else ""
            page = self.ok(client.get(f"/v1/records/parts?limit=1000{query}"), 200).document
            ids += [each["key"]["id"] for each in page["records"]]
            cursor = page.get("next")
        self.assertEqual(len(ids), PART_COUNT)
        self.assertEqual(ids, sorted(set(ids)))

    def test_sending_everything_again_adds_nothing(self):
        before = self.head()
        again = post_job(self.server, kicad_changes())
        self.assertEqual(self.head(), before)
        self.assertEqual(
            [(reply["position"], reply["results"]) for reply in again],
            [(reply["position"], reply["results"]) for reply in self.replies])

    def test_a_number_that_is_taken_is_refused(self):
        value = {"number": "4xxx:4001", "title": "x", "stock": 0, "keywords": [], "pins": []}
        self.refused(self.client().post("/v1/records/parts", value), 409, "unique")


class BorrowTests(ServerTests):
    """Two machines contend for one part."""

    def setUp(self):
        self.anna = self.client("anna", "PC-12")
        self.robot = self.client("robot", "PnP-3")
        self.part = new_part(self.anna, f"contended-{uuid.uuid4()}", stock=10)
        self.path = record_path("parts", self.part, 0)

    def borrow(self, client, identifier, queue=False):
        key = {"id": self.part, "revision": 0}
        body = {"tree": "parts", "key": key, "kind": "held", "note": "shelf 4", "queue": queue}
        return client.put(f"/v1/borrows/{identifier}", body)

    def changed(self, **members):
        return {**self.anna.get(self.path).document, **members}

    def test_the_second_waits_in_line_and_is_served_on_return(self):
        first, second = str(uuid.uuid4()), str(uuid.uuid4())
        taken = self.ok(self.borrow(self.anna, first), 201).document
        self.assertEqual(taken["borrow"]["state"], "held")
        self.assertEqual(taken["record"]["value"]["stock"], 10)
        refused = self.refused(self.borrow(self.robot, second), 423, "borrowed").document
        self.assertEqual(refused["borrow"]["holder"], {"user": "anna", "device": "PC-12"})
        self.assertFalse(refused["borrow"]["yours"])

        waiting = self.ok(self.borrow(self.robot, second, queue=True), 202).document
        self.assertEqual(waiting["borrow"]["state"], "queued")
        self.assertGreaterEqual(waiting["place"], 1)

        self.ok(self.anna.put(self.path, self.changed(stock=11), holdfast_borrow=first), 200)
        self.ok(self.anna.post(f"/v1/borrows/{first}/return"))
        granted = self.ok(self.robot.get(f"/v1/borrows/{second}"), 200).document
        self.assertEqual(granted.get("borrow", granted)["state"], "granted")
        confirmed = self.ok(self.borrow(self.robot, second, queue=True), 200, 201).document
        self.assertEqual(confirmed["borrow"]["state"], "held")
        self.assertEqual(confirmed["record"]["value"]["stock"], 11)

        self.ok(self.robot.put(self.path, self.changed(stock=12), holdfast_borrow=second), 200)
        late = self.anna.put(self.path, self.changed(stock=99), holdfast_borrow=first)
        self.assertIn(late.status, (409, 410, 423), late)
        self.assertEqual(late.code, "borrow-ended")
        self.ok(self.robot.post(f"/v1/borrows/{second}/return"))
        self.refused(self.anna.get(f"/v1/borrows/{first}"), 410, "borrow-ended")
        self.assertEqual(self.anna.get(self.path).document["stock"], 12)

    def test_who_only_waits_cannot_write_on_any_path(self):
        first, second = str(uuid.uuid4()), str(uuid.uuid4())
        self.ok(self.borrow(self.anna, first), 201)
        self.ok(self.borrow(self.robot, second, queue=True), 202)
        before = self.head()
        value, tag = self.changed(stock=0), self.anna.get(self.path).headers["ETag"]
        key, version = {"id": self.part, "revision": 0}, tag.strip('"')
        target = {"tree": "parts", "key": key}
        raw = [
            self.robot.put(self.path, value, if_match=tag),
            self.robot.put(self.path, value, holdfast_borrow=second),
            self.robot.put(self.path, value, holdfast_borrow=first),
            self.robot.patch(self.path, {"stock": 0}, if_match=tag),
            self.robot.delete(self.path, if_match=tag),
            self.robot.delete(self.path, holdfast_borrow=first),
            self.robot.post(record_path("parts", self.part, 0, "/release"), if_match=tag),
            self.robot.change([{"put": {**target, "expects": version, "value": value}}]),
            self.robot.change([{"delete": {**target, "expects": version}}]),
            self.robot.change([{"put": {**target, "borrow": first, "value": value}}]),
            self.anna.put(self.path, value, if_match=tag),  # the holder, without saying so
        ]
        for index, reply in enumerate(raw):
            with self.subTest(index):
                self.assertIn(reply.status, (403, 409, 423), reply)
        self.assertEqual(self.head(), before)
        self.assertEqual(self.anna.get(self.path).headers["ETag"], tag)

    def test_the_same_person_at_another_device_learns_that_it_is_theirs(self):
        self.ok(self.borrow(self.anna, str(uuid.uuid4())), 201)
        other = self.client("anna", "laptop")
        refused = self.refused(self.borrow(other, str(uuid.uuid4())), 423, "borrowed").document
        self.assertTrue(refused["borrow"]["yours"])

    def test_taking_again_with_the_same_id_succeeds(self):
        identifier = str(uuid.uuid4())
        self.ok(self.borrow(self.anna, identifier), 201)
        before = self.head()
        again = self.ok(self.borrow(self.anna, identifier), 200, 201).document
        self.assertEqual(again["borrow"]["id"], identifier)
        self.assertEqual(self.head(), before)

    def test_who_gives_up_waiting_is_passed_over(self):
        first, second, third = (str(uuid.uuid4()) for _ in range(3))
        self.ok(self.borrow(self.anna, first), 201)
        self.ok(self.borrow(self.robot, second, queue=True), 202)
        tester = self.client("tester", "rig-1")
        self.ok(self.borrow(tester, third, queue=True), 202)
        self.ok(self.robot.post(f"/v1/borrows/{second}/cancel"))
        self.ok(self.anna.post(f"/v1/borrows/{first}/return"))
        served = tester.get(f"/v1/borrows/{third}").document
        self.assertEqual(served.get("borrow", served)["state"], "granted")

    def test_counting_under_borrows_loses_no_count(self):
        rounds = 20

        def count(user):
            client = self.client(user, f"device-{user}")
            for _ in range(rounds):
                identifier = str(uuid.uuid4())
                taken = self.ok(self.borrow(client, identifier, queue=True), 201, 202)
                if taken.status == 202:
                    wait_until(lambda: state(client, identifier) == "granted", "a grant")
                    taken = self.ok(self.borrow(client, identifier, queue=True), 200, 201)
                value = taken.document["record"]["value"]
                value["stock"] += 1
                self.ok(client.put(self.path, value, holdfast_borrow=identifier), 200)
                self.ok(client.post(f"/v1/borrows/{identifier}/return"))

        def state(client, identifier):
            reply = self.ok(client.get(f"/v1/borrows/{identifier}"), 200).document
            return reply.get("borrow", reply)["state"]

        in_threads(lambda: count("anna"), lambda: count("robot"), lambda: count("tester"))
        self.assertEqual(self.anna.get(self.path).document["stock"], 10 + 3 * rounds)


class ReleaseTests(ServerTests):
    """What is released stays as it is."""

    def setUp(self):
        self.anna = self.client("anna", "PC-12")
        self.part = new_part(self.anna, f"released-{uuid.uuid4()}", stock=5)
        self.path = record_path("parts", self.part, 0)
        self.tag = self.anna.get(self.path).headers["ETag"]

    def release(self):
        path = record_path("parts", self.part, 0, "/release")
        self.ok(self.anna.post(path, {"released": 0}, if_match=self.tag), 200)
        self.tag = self.anna.get(self.path).headers["ETag"]

    def test_a_released_part_refuses_edit_and_delete_on_every_path(self):
        self.release()
        before = self.head()
        self.assertEqual(self.anna.get(self.path).headers["Holdfast-State"], "released(0)")
        value = {**self.anna.get(self.path).document, "stock": 6}
        target = {"tree": "parts", "key": {"id": self.part, "revision": 0}}
        expects = {"expects": self.tag.strip('"')}
        operations = [
            {"put": {**target, **expects, "value": value}},
            {"patch": {**target, **expects, "value": {"stock": 6}}},
            {"delete": {**target, **expects}},
        ]
        raw = {
            "PUT": self.anna.put(self.path, value, if_match=self.tag),
            "PATCH": self.anna.patch(self.path, {"stock": 6}, if_match=self.tag),
            "DELETE": self.anna.delete(self.path, if_match=self.tag),
            "release again": self.anna.post(
                record_path("parts", self.part, 0, "/release"), {"released": 0},
                if_match=self.tag),
            "among others": self.anna.change(
                [create("bins", {"label": "not made", "title": "x"}), operations[0]]),
            **{str(operation): self.anna.change([operation]) for operation in operations},
        }
        for path, reply in raw.items():
            with self.subTest(path):
                self.refused(reply, 409)
        lines = [encode({"id": str(uuid.uuid4()), "operations": [each]}) for each in operations]
        replies = list(load.Server(self.server.url).stream(
            [line.encode() + b"\n" for line in lines]))
        self.assertEqual([reply["status"] for reply in replies], [409, 409, 409])
        self.assertEqual(self.head(), before)
        self.assertEqual(self.anna.get(self.path).headers["ETag"], self.tag)

    def test_not_even_a_borrow_opens_it(self):
        identifier = str(uuid.uuid4())
        key = {"id": self.part, "revision": 0}
        self.ok(self.anna.put(
            f"/v1/borrows/{identifier}", {"tree": "parts", "key": key, "kind": "held"}), 201)
        path = record_path("parts", self.part, 0, "/release")
        self.ok(self.anna.post(path, {"released": 0}, holdfast_borrow=identifier), 200)
        value = {**self.anna.get(self.path).document, "stock": 6}
        for reply in (
            self.anna.put(self.path, value, holdfast_borrow=identifier),
            self.anna.delete(self.path, holdfast_borrow=identifier),
        ):
            self.assertIn(reply.status, (409, 410), reply)
        self.assertEqual(self.anna.get(self.path).document["stock"], 5)

    def test_its_next_revision_is_made_once_whoever_asks(self):
        self.release()
        replies = []

        def revise(device):
            client = self.client("anna", device)
            replies.append(client.post(record_path("parts", self.part, 0, "/revise")))

        in_threads(*[functools.partial(revise, f"PC-{number}") for number in range(8)])
        made = [reply for reply in replies if reply.status == 201]
        self.assertEqual(len(made), 1, replies)
        self.assertEqual(made[0].headers["Holdfast-Revision"], "1")
        self.assertEqual({reply.status for reply in replies}, {201, 409}, replies)
        latest = self.anna.get(record_path("parts", self.part))
        self.assertEqual(latest.headers["Holdfast-Revision"], "1")
        self.assertEqual(latest.headers["Holdfast-State"], "draft(0)")
        self.assertEqual(latest.document, self.anna.get(self.path).document)


class KillTests(ServerTests):
    """Eight writers, and a server that is killed three times while they write.

    It holds every part of KiCad; a subscriber follows it all from the first commit.
    """

    WRITER_COUNT = 8
    CHANGE_COUNT = 120  # of each writer
    KILL_COUNT = 3

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        print(f"\nseed {SEED}", file=sys.stderr)
        cls.random = random.Random(SEED)
        cls.keeper = cls.server.client("anna", "PC-12")
        cls.subscriber = cls.enterClassContext(Subscriber(cls.server))
        if not os.environ.get("HOLDFAST_SMALL") and kicad_changes() is not None:
            post_job(cls.server, kicad_changes())
        cls.prepare()
        cls.acknowledged = [[] for _ in range(cls.WRITER_COUNT)]
        cls.replayed_count = 0
        in_threads(
            *[functools.partial(cls.write, number) for number in range(cls.WRITER_COUNT)],
            cls.kill_now_and_then)
        cls.keeper.close()

    @classmethod
    def prepare(cls):
        """What must stand through it all: a borrow, one who waits, a range, a record in it."""
        cls.held, cls.queued = str(uuid.uuid4()), str(uuid.uuid4())
        cls.part = new_part(cls.keeper, "held through it all")
        key = {"id": cls.part, "revision": 0}
        body = {"tree": "parts", "key": key, "kind": "held", "queue": True}
        assert cls.keeper.put(f"/v1/borrows/{cls.held}", body).status == 201
        waiter = cls.server.client("robot", "PnP-3")
        assert waiter.put(f"/v1/borrows/{cls.queued}", body).status == 202
        waiter.close()
        reply = cls.keeper.post("/v1/ranges", {"tree": "bins", "count": 50})
        assert reply.status == 201, reply
        cls.range = reply.document

    @classmethod
    def write(cls, writer):
        """Creates records and replaces every second one; sends each change until it is answered."""
        client = cls.server.client(f"writer-{writer}", f"machine-{writer}")
        last = None
        for number in range(cls.CHANGE_COUNT):
            if number % 2 == 0:
                value = {"label": f"{writer}-{number}", "title": "made"}
                operation = create("bins", value)
            else:
                value = {"label": f"{writer}-{number - 1}", "title": f"replaced {number}"}
                key, version = last
                operation = {
                    "put": {"tree": "bins", "key": key, "expects": version, "value": value}}
            reply = cls.send(client, [operation], str(uuid.uuid4()))
            assert reply.status == 200, reply
            answer = reply.document
            last = (answer["results"][0]["key"], answer["position"])
            cls.acknowledged[writer].append((*last, value))
        client.close()

    @classmethod
    def send(cls, client, operations, identifier):
        """One change, sent again under its id for as long as its outcome is unknown."""
        pause = threading.Event()
        while True:
            try:
                reply = client.change(operations, identifier=identifier)
            except (OSError, load.http.client.HTTPException):
                pause.wait(0.02)
                continue
            if reply.status not in (503, 504):
                cls.replayed_count += reply.headers.get("Idempotency-Replayed") == "true"
                return reply

    @classmethod
    def kill_now_and_then(cls):
        total = cls.WRITER_COUNT * cls.CHANGE_COUNT
        for kill in range(cls.KILL_COUNT):
            share = (kill + cls.random.uniform(0.3, 0.9)) / cls.KILL_COUNT
            wait_until(
                lambda: sum(map(len, cls.acknowledged)) >= share * total, "the writers to go on")
            cls.server.kill()
            cls.server.start()

    def stored(self):
        _, envelopes = self.client().lines("/v1/records/bins")
        return envelopes

    def test_nothing_acknowledged_is_lost(self):
        stored = {each["key"]["id"]: each for each in self.stored()}
        for changes in self.acknowledged:
            self.assertEqual(len(changes), self.CHANGE_COUNT)
            last = {key["id"]: (position, value) for key, position, value in changes}
            for identifier, (position, value) in last.items():
                self.assertEqual(stored[identifier]["value"], value)
                self.assertEqual(stored[identifier]["version"], position)

    def test_nothing_is_doubled(self):
        made = [each for each in self.stored() if each["created"]["by"].startswith("writer-")]
        self.assertEqual(len(made), self.WRITER_COUNT * self.CHANGE_COUNT // 2)
        self.assertEqual(len({each["value"]["label"] for each in made}), len(made))
        positions = [position for changes in self.acknowledged for _, position, _ in changes]
        self.assertEqual(len(set(positions)), len(positions))

    def test_a_change_sent_again_is_answered_as_the_first_time(self):
        client, identifier = self.client("late", "machine-9"), str(uuid.uuid4())
        operations = [create("bins", {"label": f"late-{identifier}", "title": "once"})]
        first = self.ok(client.change(operations, identifier=identifier), 200)
        self.server.kill()
        self.server.start()
        client.close()
        again = self.ok(client.change(operations, identifier=identifier), 200)
        self.assertEqual(again.document, first.document)
        self.assertEqual(again.headers["Idempotency-Replayed"], "true")
        operations[0]["put"]["value"]["title"] = "another"
        self.refused(client.change(operations, identifier=identifier), 422)

    def test_borrows_stand(self):
        listed = self.client().get("/v1/borrows").document["borrows"]
        borrows = {each["id"]: each for each in listed}
        self.assertEqual(borrows[self.held]["state"], "held")
        self.assertEqual(borrows[self.held]["holder"], {"user": "anna", "device": "PC-12"})
        self.assertEqual(borrows[self.queued]["state"], "queued")
        path = record_path("parts", self.part, 0)
        robot = self.client("robot", "PnP-3")
        tag = robot.get(path).headers["ETag"]
        self.refused(robot.patch(path, {"stock": 1}, if_match=tag), 423, "borrowed")
        anna = self.client("anna", "PC-12")
        self.ok(anna.patch(path, {"stock": 1}, holdfast_borrow=self.held), 200)

    def test_ranges_stand(self):
        key = {"id": self.range["first"], "revision": 0}
        value = {"label": f"in range {uuid.uuid4()}", "title": "x"}
        operation = {"put": {"tree": "bins", "key": key, "expects": "absent", "value": value}}
        foreign = self.client("robot", "PnP-3").change([operation])
        self.refused(foreign, 403)
        self.ok(self.client("anna", "PC-12").change([operation]), 200)
        another = self.ok(self.client("anna", "PC-12").post(
            "/v1/ranges", {"tree": "bins", "count": 50}), 201).document
        self.assertGreaterEqual(another["first"], self.range["end"])
        used = {key["id"] for changes in self.acknowledged for key, _, _ in changes}
        self.assertFalse(used & set(range(self.range["first"], self.range["end"])))
        self.assertFalse(used & set(range(another["first"], another["end"])))

    def test_the_subscriber_that_reconnected_rebuilt_the_state(self):
        client = self.client()
        head = self.head()
        self.subscriber.wait_for(head)
        self.assertGreater(self.subscriber.connection_count, self.KILL_COUNT)
        commits = self.subscriber.commits[:head]
        self.assertEqual([commit["seq"] for commit in commits], list(range(1, head + 1)))
        state = fold(commits)
        names = {each["tree"] for each in client.get("/v1/trees").document["trees"]}
        declared = {name for name, _ in state["_trees"]}
        self.assertEqual({name for name in names if not name.startswith("_")}, declared)
        for tree in declared:
            _, envelopes = client.lines(f"/v1/records/{tree}?revisions=all")
            self.assertEqual(folded(envelopes), state.get(tree, {}), tree)
        borrows = client.get("/v1/borrows").document["borrows"]
        self.assertEqual(
            {each["id"]: each["state"] for each in borrows},
            {name: value["state"] for (name, _), (_, _, value) in state["_borrows"].items()})
        ranges = client.get("/v1/ranges").document["ranges"]
        self.assertEqual(
            {each["id"]: (each["tree"], each["first"], each["end"]) for each in ranges},
            {name: (value["tree"], value["first"], value["end"])
             for (name, _), (_, _, value) in state["_ranges"].items()})


class StormTests(ServerTests):
    """One record that is replaced over and over, and subscribers who do not look."""

    COMMIT_COUNT = 50_000
    RECEIVE_BYTES = 128 << 10  # below a loopback segment, TCP would throttle by itself

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.writer = cls.server.client("anna", "PC-12")
        reply = cls.writer.post("/v1/records/bins", {"label": "the one", "title": "at first"})
        cls.key = {"id": int(reply.headers["Location"].rsplit("/", 1)[1]), "revision": 0}
        cls.borrow = str(uuid.uuid4())
        body = {"tree": "bins", "key": cls.key, "kind": "held"}
        assert cls.writer.put(f"/v1/borrows/{cls.borrow}", body).status == 201

    def storm(self, name):
        """Replaces one record over and over, so that little but the log grows with the commits."""
        target = {"tree": "bins", "key": self.key, "borrow": self.borrow}
        lines = (
            encode({"id": str(uuid.uuid4()), "operations": [
                {"put": {**target, "value": {"label": "the one", "title": f"{name} {number}"}}},
            ]}).encode() + b"\n"
            for number in range(self.COMMIT_COUNT)
        )
        sender = load.Server(self.server.url)
        sender.headers = self.writer.names
        count = sum(1 for reply in sender.stream(lines) if load.check(reply))
        self.assertEqual(count, self.COMMIT_COUNT)

    def growth(self, work):
        """By how many KiB the server's memory grows with some work."""
        before = self.server.resident_kibibytes()
        work()
        return self.server.resident_kibibytes() - before

    def freeze(self):
        """A subscriber from here on that reads nothing yet."""
        feed, hello = open_feed(self.server, from_here, self.RECEIVE_BYTES)
        self.addCleanup(cut, feed)
        return feed, hello

    def feed_count(self):
        """How many live feeds the server says it has."""
        return gauge(self.client(), "holdfast_feed_clients")


class FrozenSubscriberTests(StormTests):
    """A subscriber that stops reading costs nothing, delays nobody and misses nothing."""

    FROZEN_COUNT = 64  # one could not be told from the noise of 50,000 commits
    COST_KIBIBYTES_MAX = 256
    FLAGS = ("--stall-timeout", "3600")  # how long the commits take must not matter

    def test_it_costs_little_delays_no_other_and_gets_everything_when_it_resumes(self):
        with Subscriber(self.server) as reader:
            self.storm("warming up")
            grown_alone = self.growth(lambda: self.storm("alone"))
            begin = self.head()
            frozen = []

            def watched():
                for _ in range(self.FROZEN_COUNT):
                    feed, hello = self.freeze()
                    self.assertEqual(hello["head"], begin)
                    frozen.append(feed)
                self.storm("watched")
                reader.wait_for(self.head())  # nobody reads the frozen ones meanwhile

            grown = self.growth(watched)
            self.assertEqual(self.feed_count(), self.FROZEN_COUNT + 1)
            end = self.head()
            self.assertGreaterEqual(end - begin, self.COMMIT_COUNT)
            cost = (grown - grown_alone) / self.FROZEN_COUNT
            print(f"\na frozen subscriber costs {cost:.0f} KiB "
                  f"({grown} against {grown_alone} KiB for {self.FROZEN_COUNT})", file=sys.stderr)
            self.assertLess(cost, self.COST_KIBIBYTES_MAX)

            expected = begin
            while expected < end:
                message = json.loads(frozen[0].recv(60))
                self.assertNotIn("bye", message)
                if "commit" in message:
                    expected += 1
                    self.assertEqual(message["commit"]["seq"], expected)


class StalledSubscriberTests(StormTests):
    """A subscriber that takes nothing for too long is cut, and goes on where it was."""

    FLAGS = ("--stall-timeout", "0.5")

    COMMIT_COUNT = 500
    TITLE = "x" * 4096  # all of it is several times what the sockets hold

    def test_it_is_cut_and_misses_nothing_when_it_comes_back(self):
        feed, hello = self.freeze()
        path = record_path("bins", self.key["id"])
        for number in range(self.COMMIT_COUNT):  # one by one: a job could itself be cut
            value = {"label": "the one", "title": f"{number} {self.TITLE}"}
            self.ok(self.writer.put(path, value, holdfast_borrow=self.borrow), 200)
        wait_until(lambda: self.feed_count() == 0, "the stalled feed to be cut")
        end = self.head()
        seqs, chain = [hello["head"]], hello["chain"]
        while seqs[-1] < end:
            try:
                message = json.loads(feed.recv(WAIT_SECONDS))
            except (EOFError, ConnectionClosed):
                # Where this process has to wait for a processor it is cut again, and goes on.
                feed, _ = open_feed(self.server, lambda hello: {
                    "since": f"{hello['epoch']}:{seqs[-1]}", "chain": chain})
                self.addCleanup(cut, feed)
                continue
            if "commit" in message:
                seqs.append(message["commit"]["seq"])
                chain = message["commit"]["chain"]
            elif "bye" in message:
                self.assertEqual(message["bye"]["code"], 4408)
        self.assertEqual(seqs, list(range(hello["head"], end + 1)))


def from_here(hello):
    """The start of a subscriber that wants what follows the present."""
    return {"since": f"{hello['epoch']}:{hello['head']}", "chain": hello["chain"]}


class SlowListTests(ServerTests):
    """A list that is read slowly is exact at one position and costs no memory."""

    CHANGE_COUNT = 10_000
    WRITER_COUNT = 4
    BYTES_PER_SECOND = 100_000
    GROWTH_KIBIBYTES_MAX = 8 << 10
    RECEIVE_BYTES = 128 << 10  # below a loopback segment, TCP would throttle by itself

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        client = cls.server.client("anna", "PC-12")
        if kicad_changes() is not None:
            post_job(cls.server, kicad_changes())
        else:  # parts of our own: as many, though smaller
            load.load_sample(load.Server(cls.server.url), load.Progress())
            pins = [{"number": str(n), "name": f"P{n}", "type": "passive"} for n in range(30)]
            value = {"title": "x", "stock": 0, "keywords": [], "pins": pins}
            post_job(cls.server, [
                encode({"id": str(uuid.uuid4()), "operations": [
                    create("parts", {"number": f"own-{batch}-{n}", **value}) for n in range(100)
                ]}).encode() + b"\n"
                for batch in range(PART_COUNT // 100)
            ])
        _, envelopes = client.lines("/v1/records/parts")
        cls.parts = [
            (each["key"], each["version"], each["value"])
            for each in envelopes if each["state"] == {"draft": 0}]
        _, envelopes = client.lines("/v1/records/footprints")
        cls.footprints = [
            (each["key"]["name"], each["version"], each["value"]) for each in envelopes]

    def write(self, number, share):
        """One writer's share of the changes: updates and deletes of parts, footprints made anew."""
        client = self.client(f"writer-{number}", f"machine-{number}")
        parts = self.parts[number::self.WRITER_COUNT]
        shapes = self.footprints[number::self.WRITER_COUNT]
        for step in range(share):
            if step % 3 == 2:
                name, version, value = shapes[step // 3 % len(shapes)]
                target = {"tree": "footprints", "key": {"name": name, "revision": 0}}
                if version:
                    operation = {"delete": {**target, "expects": version}}
                else:
                    title = f"again {step}"
                    operation = {
                        "put": {**target, "expects": "absent", "value": {**value, "title": title}}}
            else:
                key, version, value = parts[step % len(parts)]
                target = {"tree": "parts", "key": key, "expects": version}
                if step % 3 == 0:
                    operation = {"put": {**target, "value": {**value, "stock": step}}}
                else:
                    operation = {"delete": target}
            reply = self.ok(client.change([operation]), 200)
            if step % 3 == 2:
                version = None if version else reply.document["position"]
                shapes[step // 3 % len(shapes)] = (name, version, value)
            self.done[number] = step + 1

    def read(self, path, out, others_done):
        """Reads a list at 100 kB/s while the writers write, and the rest as fast as it comes."""
        with self.client().stream(path, self.RECEIVE_BYTES) as reply:
            out["position"] = reply.position
            began, read, chunks = time.monotonic(), 0, []
            while chunk := reply.read(4096):
                chunks.append(chunk)
                read += len(chunk)
                out["byteCount"] = read
                out["peak"] = max(out.get("peak", 0), self.server.resident_kibibytes())
                ahead = began + read / self.BYTES_PER_SECOND - time.monotonic()
                if ahead > 0:
                    others_done.wait(ahead)
            lines = b"".join(chunks).splitlines()
            out["records"] = folded(json.loads(line) for line in lines)

    def pins(self):
        """How many snapshots the server says it holds."""
        return gauge(self.client(), "holdfast_pins")

    def test_it_equals_the_fold_of_the_log_at_its_position(self):
        share = self.CHANGE_COUNT // self.WRITER_COUNT
        self.done = [0] * self.WRITER_COUNT
        lists = {"parts": {}, "footprints": {}}
        written = threading.Event()
        before = self.server.resident_kibibytes()

        def write_all():
            try:
                wait_until(lambda: all("byteCount" in out for out in lists.values()), "both lists")
                self.assertGreaterEqual(self.pins(), 1)
                in_threads(*[
                    functools.partial(self.write, number, share)
                    for number in range(self.WRITER_COUNT)
                ])
                # The list was under way all the time: its pin was needed.
                self.assertNotIn("records", lists["parts"])
            finally:
                written.set()

        in_threads(write_all, *[
            functools.partial(
                self.read, f"/v1/records/{tree}?revisions=all", lists[tree], written)
            for tree in lists
        ])
        self.assertEqual(self.done, [share] * self.WRITER_COUNT)
        grown = max(out["peak"] for out in lists.values()) - before
        print(f"\n{self.CHANGE_COUNT} changes beside a slow list: memory grew by {grown} KiB",
              file=sys.stderr)
        _, commits = self.client().lines(f"/v1/changes?since={self.epoch()}:0")
        for tree, out in lists.items():
            with self.subTest(tree):
                seq = seq_of(out["position"])
                self.assertEqual(out["records"], fold(commits, seq)[tree])
        self.assertLess(seq_of(lists["parts"]["position"]), self.head() - self.CHANGE_COUNT // 2)
        self.assertLess(grown, self.GROWTH_KIBIBYTES_MAX)
        wait_until(lambda: self.pins() == 0, "the pin to go")

    def epoch(self):
        return self.client().get("/v1").document["epoch"]


if __name__ == "__main__":
    unittest.main(verbosity=2)
