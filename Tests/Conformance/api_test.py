#!/usr/bin/env python3
"""Every operation, every status, every problem code that can be had from outside, as tables of rows
against the real server: $HOLDFAST_BIN, or the debug build.

The tables run in the order of their names and build on each other: later rows refer to records that
earlier ones made. Recorded for check.py when $HOLDFAST_RECORDINGS names a folder.
"""

import base64
import json
import os
import socket
import threading
import unittest

import websockets.exceptions
import websockets.sync.client

import check
import many
import recorder
import rows_borrows
import rows_changes
import rows_files
import rows_history
import rows_lists
import rows_records
import rows_snapshots
import rows_trees
import rows_undo
from contract import Contract
from server import wait_until
from table import Row, ServedTable


class APITest(ServedTable):
    def test_01_trees_are_declared(self):
        self.run_rows(rows_trees.DECLARE)
        self.run_rows(rows_trees.TREES)

    def test_02_the_server_and_its_files(self):
        self.run_rows(rows_trees.SERVER)

    def test_03_records_are_made(self):
        self.run_rows(rows_records.PREPARE)
        self.saved["first.gone"] = self.saved["first"] + 1
        self.run_rows(rows_records.USED)
        self.run_rows(rows_records.CREATE)

    def test_04_records_are_read(self):
        self.run_rows(rows_records.GET)
        self.run_rows(rows_records.NAMES)
        self.run_rows(rows_records.LIST)

    def test_05_records_are_edited(self):
        self.run_rows(rows_records.EDITS)

    def test_06_every_refusal_of_an_edit(self):
        self.run_rows(rows_records.refusals())

    def test_07_changes(self):
        self.run_rows(rows_changes.ACCEPTED[:1])
        epoch, seq = self.saved["made.at"].split(":")
        self.saved["before"] = f"{epoch}:{int(seq) - 1}"
        self.run_rows(rows_changes.ACCEPTED[1:])

    def test_08_every_refusal_of_a_change(self):
        self.run_rows(rows_changes.refusals())

    def test_09_jobs(self):
        self.run_rows(rows_changes.JOBS)

    def test_10_commits_are_read(self):
        seq, _ = self.head()
        self.saved["last"] = f"{self.server.epoch}:{seq - 1}"
        self.run_rows(rows_changes.READ)

    def test_11_borrows(self):
        self.run_rows(rows_borrows.LINE)
        self.run_rows(rows_borrows.SENT_AGAIN)
        self.run_rows(rows_borrows.REFUSED)
        self.run_rows(rows_borrows.HANDS)

    def test_11a_leases_end(self):
        self.run_rows(rows_borrows.LEASES)
        ended, *rest = rows_borrows.LAPSED
        wait_until(lambda: self.send(ended).status != 200, "the lease to end")
        self.run_rows([ended, *rest])

    def test_12_ranges(self):
        self.run_rows(rows_borrows.RANGES)
        self.assertGreaterEqual(self.saved["range"], self.saved["bins.end"])

    def test_13_rules_of_every_operation(self):
        self.run_rows(rows_trees.everywhere(Contract(check.SPEC)))

    def test_14_the_line_has_an_end(self):
        rows = [rows_borrows.create("a popular record", "P", "P"),
                rows_borrows.take("taken", "Pa", 201, record="P")]
        self.run_rows(rows)
        wait = lambda n, status, code, commits: rows_borrows.take(
            f"waiter {n}", f"P{n}", status, code, {
                "Holdfast-User": f"user-{n}", "Holdfast-Device": f"W-{n}"},
            record="P", more={"queue": True}, commits=commits)
        for number in range(1000):
            row = wait(number, 202, None, 1)
            self.compare(row, self.send(row))
        self.run_rows([wait(1000, 409, "line-full", 0)])

    def test_15_feed_and_mirror_open(self):
        for path, protocol in (("/v1/feed", "holdfast.feed.v1"),
                               ("/v1/mirror", "holdfast.mirror.v1")):
            with self.subTest(path):
                self.opens(path, protocol)

    def opens(self, path, protocol):
        key = base64.b64encode(os.urandom(16)).decode()
        headers = {
            "Host": f"{self.server.host}:{self.server.port}", "Connection": "Upgrade",
            "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key,
            "Sec-WebSocket-Protocol": protocol}
        text = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        with socket.create_connection((self.server.host, self.server.port), 30) as stream:
            stream.sendall(f"GET {path} HTTP/1.1\r\n{text}\r\n".encode())
            reply = b""
            while b"\r\n\r\n" not in reply:
                part = stream.recv(4096)
                self.assertTrue(part, reply)
                reply += part
        lines = reply.partition(b"\r\n\r\n")[0].decode().split("\r\n")
        self.assertIn(" 101 ", lines[0])
        pairs = [line.split(": ", 1) for line in lines[1:]]
        self.assertEqual(dict((n.lower(), v) for n, v in pairs)["sec-websocket-protocol"],
                         protocol)
        recorder.record("GET", path, headers, b"", 101, pairs, b"", f"{path} opens")
        bad = {**headers, "Sec-WebSocket-Key": "short"}
        self.run_rows([
            Row("a key that is none", "GET", path, 400, "bad-header", headers=bad),
            Row("another subprotocol", "GET", path, 400, "bad-header",
                headers={**headers, "Sec-WebSocket-Protocol": "chat"}),
            Row("another version", "GET", path, 426, "upgrade-required",
                headers={**headers, "Sec-WebSocket-Version": "8"}),
            Row("another page's script", "GET", path, 403, "forbidden-origin",
                headers={**headers, "Origin": "http://holdfast.example"}),
            Row("another database", "GET", path, 421, "wrong-database",
                headers={**headers, "Holdfast-Database": "${u:other}"}),
        ])


    def test_17_files(self):
        self.run_rows(rows_files.UPLOADS)
        self.run_rows(rows_files.READS)
        self.run_rows(rows_files.NAMED)
        self.run_rows(rows_files.REFUSED)

    def test_16_every_read_waits_for_its_position(self):
        reads = [operation for operation in Contract(check.SPEC).operations
                 if operation.path.startswith("/v1") and not operation.writes
                 and operation.id not in ("openFeed", "openMirror")]
        self.assertGreater(len(reads), 10)
        seq, _ = self.head()
        wanted = f"{self.server.epoch}:{seq + 1}"
        replies = {}

        def read(operation):
            target, _ = rows_trees.minimal(operation)
            replies[operation.id] = self.send(Row(
                f"{operation.id} waits", operation.method, target, 200,
                headers={"Holdfast-Min-Position": wanted, "Prefer": "wait=25"}))

        threads = [threading.Thread(target=read, args=[operation]) for operation in reads]
        for thread in threads:
            thread.start()
        # None is answered before: a reply to the write alone lets them go on.
        first = self.send(Row("what does not wait", "GET", "/v1", 200))
        self.assertEqual((first.status, replies), (200, {}))
        self.run_rows([Row("the write", "PUT", "/v1/records/notes/waited", 201, json=1, commits=1,
                           headers={"If-None-Match": "*"})])
        for thread in threads:
            thread.join(30)
        self.assertEqual(set(replies), {operation.id for operation in reads})
        for name, reply in replies.items():
            with self.subTest(name):
                self.assertNotEqual(reply.status, 503, reply.body)
                _, _, reached = reply.headers["holdfast-position"].partition(":")
                self.assertGreaterEqual(int(reached), seq + 1)


class ListTest(ServedTable):
    """A server of its own: every record counts."""

    def test_1_records_are_made(self):
        self.run_rows(rows_lists.PREPARE)

    def test_2_what_is_found(self):
        self.run_rows(rows_lists.FOUND)

    def test_3_what_cannot_be_asked(self):
        self.run_rows(rows_lists.REFUSED)

    def test_4_bounds_states_and_fields(self):
        self.run_rows(rows_lists.BOUNDS)
        self.run_rows(rows_lists.STATES)
        self.run_rows(rows_lists.FIELDS)

    def test_5_orders(self):
        self.run_rows(rows_lists.SORTED)

    def test_6_many_that_change_meanwhile(self):
        many.check(self)


class HistoryTest(ServedTable):
    """A server of its own: its log is cut."""

    flags = ("--segment-bytes", "65536", "--history-days", "0")

    def test_history(self):
        self.run_rows(rows_history.PREPARE)
        self.run_rows(rows_history.KEPT)
        for number in range(100):
            row = rows_snapshots.fill(number)
            self.compare(row, self.send(row))
        self.run_rows(rows_history.CUT)


class UndoTest(ServedTable):
    """A server of its own: what is undone stands nowhere else."""

    def test_1_commits_are_undone(self):
        self.run_rows(rows_undo.PREPARE)
        self.run_rows(rows_undo.UNDO)

    def test_2_jobs_are_undone(self):
        self.run_rows(rows_undo.JOBS)

    def test_3_dry_runs_do_nothing(self):
        self.run_rows(rows_undo.DRY)

    def test_4_many_are_deleted(self):
        self.run_rows(rows_undo.DELETIONS)

    def test_5_more_than_fit_a_commit_and_back(self):
        self.run_rows(rows_undo.MANY)


class SnapshotTest(ServedTable):
    """A server of its own: what is cut of its log is gone."""

    flags = ("--segment-bytes", "65536", "--history-days", "0")

    def test_snapshots(self):
        self.run_rows(rows_snapshots.DECLARE)
        for number in range(100):
            row = rows_snapshots.fill(number)
            self.compare(row, self.send(row))
        seq, self.saved["chain"] = self.head()
        self.saved["head"] = f"{self.server.epoch}:{seq}"
        self.run_rows(rows_snapshots.FETCH)

    def test_under_a_feed_that_lags(self):
        """Whoever reads slower than the log is cut is told, and not kept waiting for ever."""
        self.run_rows([rows_snapshots.tree("lagging")])
        with socket.socket() as stream:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stream.settimeout(60)
            stream.connect((self.server.host, self.server.port))
            url = f"ws://{self.server.host}:{self.server.port}/v1/feed"
            with websockets.sync.client.connect(
                    url, sock=stream, subprotocols=["holdfast.feed.v1"], max_size=None,
                    max_queue=1, compression=None) as feed:
                json.loads(feed.recv())
                feed.send(json.dumps({"start": {}}))
                # More than the sockets between hold, in commits of half a megabyte.
                for number in range(40):
                    row = rows_snapshots.fill(number, "lagging", 100_000)
                    self.compare(row, self.send(row))
                self.run_rows([Row("the log is cut", "POST", "/v1/snapshot", 200)])
                last = {}
                with self.assertRaises(websockets.exceptions.ConnectionClosed) as caught:
                    while True:
                        last = json.loads(feed.recv())
        self.assertEqual(caught.exception.rcvd.code, 4410)
        self.assertEqual(last["bye"]["code"], 4410)


if __name__ == "__main__":
    unittest.main()
