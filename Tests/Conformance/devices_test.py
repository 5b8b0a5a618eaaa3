#!/usr/bin/env python3
"""Devices: what is told of mirrors, and how one is forgotten, with mirrors that speak their protocol."""

import json
import time
import unittest
import urllib.parse

import websockets.sync.client

import raw
from rows_rights import schema
from server import Server
from table import ANY, Row, Table

PC = "PC 9/\u00e9"
NAME = urllib.parse.quote(PC, safe="")
ON_PC = {"Holdfast-User": "anna", "Holdfast-Device": NAME}


class DevicesTest(Table):
    saved = {}

    @classmethod
    def setUpClass(cls):
        cls.server = Server("--heartbeat", "0.3")
        cls.saved["epoch"] = cls.server.epoch

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == 0

    def mirror(self, device, user="anna", settled=0):
        """A mirror that has said hello, and reads nothing more."""
        socket = self.enterContext(websockets.sync.client.connect(
            f"ws://{self.server.host}:{self.server.port}/v1/mirror", max_size=None,
            subprotocols=["holdfast.mirror.v1"], compression=None))
        hello = {
            "protocol": 1, "databaseID": self.server.database_id, "application": "conformance",
            "device": device, "deviceName": "the desk", "user": user, "app": "stockroom",
            "appVersion": "1.4", "schemas": {"parts": "1.0"}, "settled": settled}
        socket.send(b"\x01" + json.dumps(hello).encode())
        self.assertEqual(socket.recv()[:1], b"\x81")
        return socket

    def test_6_the_feed_and_mirrors_are_told_the_same_hashes(self):
        """A feed's heartbeat has the hashes a mirror's has, at the same seq, of what it is shown."""
        seq, _ = self.head()
        mirror = self.mirror("hashes")
        self.until("hashes", connected=True)
        feeds = {name: raw.WebSocket(self.server) for name in ("all", "parts", "prefix")}
        for name, members in (
                ("all", {}), ("parts", {"trees": ["parts"]}), ("prefix", {"prefix": "a"})):
            self.addCleanup(feeds[name].close)
            feeds[name].send({"start": members})
        heads = {name: feed.wait_for("head")[0] for name, feed in feeds.items()}
        told = None
        while told is None or "hashes" not in told:
            message = mirror.recv()
            told = json.loads(message[1:]) if message[:1] == b"\x83" else None
        self.assertGreater(told["seq"], seq)
        self.assertEqual(heads["all"], told)
        self.assertIn("_devices", told["hashes"])
        self.assertEqual(heads["parts"]["hashes"], {
            block: value for block, value in told["hashes"].items()
            if block.rpartition("/")[2] == "parts"})
        self.assertNotIn("hashes", heads["prefix"])
        self.run_rows([Row("a change", "POST", "/v1/records/parts", 201, json={"n": "more"},
                           commits=1)])
        commit = feeds["parts"].wait_for("commit")[0]
        after = feeds["parts"].wait_for("head")[0]
        self.assertEqual((after["seq"], after["chain"]), (commit["seq"], commit["chain"]))
        self.assertNotEqual(after["hashes"]["parts"], heads["parts"]["hashes"]["parts"])
        self.assertEqual(after["hashes"]["_ranges/parts"],
                         heads["parts"]["hashes"]["_ranges/parts"])

    def until(self, device, **members):
        """Waits until a device is told of so; what is told."""
        deadline = time.monotonic() + 30
        while True:
            devices = self.send(Row("devices", "GET", "/v1/devices", 200)).json["devices"]
            found = next((d for d in devices if d["id"] == device), None)
            if found and all(found.get(k) == v for k, v in members.items()):
                return found
            self.assertLess(time.monotonic(), deadline, f"{device} is never {members}: {found}")

    def test_1_nobody_is_known(self):
        self.run_rows([
            Row("parts", "PUT", "/v1/trees/parts", 201, json=schema(0), commits=1),
            Row("no devices", "GET", "/v1/devices", 200, has={"devices/#": 0}, lacks=("next",)),
            Row("I am none", "GET", "/v1/devices/me", 404, "not-found", headers=ON_PC),
            Row("nobody is forgotten", "DELETE", "/v1/devices/" + NAME, 404, "not-found"),
            Row("me is to be read", "DELETE", "/v1/devices/me", 405, "method-not-allowed"),
        ])

    def test_2_a_mirror_is_known_from_its_hello_on(self):
        mirror = self.mirror(PC, settled=7)
        device = self.until(PC, connected=True, lag=0)
        self.assertEqual(
            {name: device[name] for name in
             ("name", "user", "app", "appVersion", "schemas", "confirmed", "keysLeft", "borrows")},
            {"name": "the desk", "user": "anna", "app": "stockroom", "appVersion": "1.4",
             "schemas": {"parts": "1.0"}, "confirmed": 7, "keysLeft": {}, "borrows": 0})
        self.run_rows([
            Row("ids", "POST", "/v1/ranges", 201, headers=ON_PC, commits=1,
                json={"tree": "parts", "count": 10}, save={"first": "first"}),
            Row("one of them", "PUT", "/v1/records/parts/${first}?revision=0", 201,
                headers={**ON_PC, "If-None-Match": "*"}, json={"n": "bolt"}, commits=1),
            Row("another", "POST", "/v1/records/parts", 201, json={"n": "nut"}, commits=1,
                save={"other": "header:Holdfast-Key"}),
            Row("it is held", "PUT", "/v1/borrows/${u:held}", 201, headers=ON_PC, commits=1,
                json={"tree": "parts", "key": {"id": "${first#}", "revision": 0}}),
            Row("ben holds another", "PUT", "/v1/borrows/${u:bens}", 201, commits=1,
                headers={"Holdfast-User": "ben", "Holdfast-Device": "d2"},
                json={"tree": "parts", "key": {"id": "${other#}", "revision": 0}}),
            Row("and it waits for that", "PUT", "/v1/borrows/${u:waits}", 202, headers=ON_PC,
                json={"tree": "parts", "key": {"id": "${other#}", "revision": 0}, "queue": True},
                commits=1),
            Row("I am it", "GET", "/v1/devices/me", 200, headers=ON_PC, has={
                "id": PC, "keysLeft": {"parts": 9}, "borrows": 2, "firstSeen": ANY}),
        ])
        seq, _ = self.head()
        self.until(PC, position=f"{self.server.epoch}:{seq}", lag=0, connected=True)
        mirror.close()
        self.run_rows([Row("a write", "PUT", "/v1/trees/later", 201, json={"keys": "name"},
                           commits=1)])
        gone = self.until(PC, connected=False, lag=1)
        self.assertEqual(gone["position"], f"{self.server.epoch}:{seq}")
        self.assertIn("lastSeen", gone)

    def test_3_pages(self):
        self.mirror("a").close()
        self.mirror("b").close()
        self.until("b")
        self.run_rows([
            Row("one", "GET", "/v1/devices?limit=1", 200, has={"devices/#": 1, "devices/0/id": PC},
                save={"next": "next"}, reply={"Link": ANY}),
            Row("the next two", "GET", "/v1/devices?limit=2&cursor=${next}", 200,
                has={"devices/#": 2, "devices/0/id": "a", "devices/1/id": "b"}, lacks=("next",)),
            Row("a cursor that is none", "GET", "/v1/devices?cursor=abc", 400, "bad-parameter"),
            Row("a limit that is none", "GET", "/v1/devices?limit=0", 400, "bad-parameter"),
        ])

    def test_4_a_device_is_forgotten(self):
        target = "/v1/devices/" + NAME
        self.saved["second"] = self.saved["first"] + 1
        self.until(PC, connected=False)
        self.run_rows([
            Row("it has borrows", "DELETE", target, 423, "borrowed",
                has={"borrow/holder/device": PC}),
            Row("a body", "DELETE", target, 422, "bad-body", body=b"{}"),
            Row("force is true or false", "DELETE", target + "?force=1", 400, "bad-parameter"),
            Row("by force, for no reason", "DELETE", target + "?force=true", 422,
                "reason-required"),
            Row("by force", "DELETE", target + "?force=true", 204, commits=1, headers={
                "Holdfast-Why": "stolen", "Idempotency-Key": "${u:forget}"}),
            Row("once", "DELETE", target + "?force=true", 204, reply={"Idempotency-Replayed": "true"},
                headers={"Holdfast-Why": "stolen", "Idempotency-Key": "${u:forget}"}),
            Row("the key for another", "DELETE", "/v1/devices/a", 422, "idempotency-mismatch",
                headers={"Idempotency-Key": "${u:forget}"}),
            Row("it is gone", "DELETE", target, 404, "not-found"),
            Row("its borrow ended", "GET", "/v1/borrows/${u:held}", 410, "borrow-ended",
                has={"ended/reason": "stolen"}),
            Row("and its place in the line", "GET", "/v1/borrows/${u:waits}", 410, "borrow-ended"),
            Row("others' stand", "GET", "/v1/borrows/${u:bens}", 200),
            Row("its ids are nobody else's", "PUT", "/v1/records/parts/${second}?revision=0", 403,
                "outside-range", headers={"If-None-Match": "*"}, json={"n": "x"}),
            Row("one without borrows goes at once", "DELETE", "/v1/devices/a", 204, commits=1),
            Row("what remains", "GET", "/v1/devices", 200, has={"devices/#": 1,
                                                                "devices/0/id": "b"}),
        ])

    def test_5_a_device_that_comes_back_goes_on(self):
        self.mirror(PC, settled=9)
        device = self.until(PC, connected=True, confirmed=9)
        self.assertEqual((device["confirmed"], device["keysLeft"]), (9, {"parts": 9}))
        self.run_rows([
            Row("an id it had", "PUT", "/v1/records/parts/${second}?revision=0", 201, commits=1,
                headers={**ON_PC, "If-None-Match": "*"}, json={"n": "x"})])
        self.until(PC, keysLeft={"parts": 8})


if __name__ == "__main__":
    unittest.main()
