#!/usr/bin/env python3
"""Lists as CSV, and tables taken back: what stands in them, what is refused and where, and that
nothing is lost between a list and its table ($HOLDFAST_SEED)."""

import csv
import http.client
import io
import json
import os
import random
import re
import signal
import sys
import threading
import unittest
import uuid

import values
from server import Server
from table import ANY, Row, ServedTable

TABLE = {"Accept": "text/csv"}
CSV = "text/csv"
PARTS = {"keys": "id", "versioned": True, "borrow": "optional", "schema": {
    "version": "1.0", "fields": [
        {"name": "number", "type": "string", "unique": True},
        {"name": "stock", "type": "int64"},
        {"name": "note", "type": "string", "optional": True},
        {"name": "big", "type": "uint64", "default": 0},
        {"name": "tags", "type": {"array": "string"}, "optional": True},
        {"name": "size", "type": {"struct": [{"name": "width", "type": "double"}]},
         "optional": True},
        {"name": "on", "type": "bool", "optional": True},
        {"name": "any", "type": "any", "optional": True}]}}
HEADER = "_key,_revision,_version,number,stock,note,big,tags,size,on,any"


def job(name, text, lines, tree="parts", status=200, **more):
    """A row that sends a table; `lines` is what is answered, without the last line's count."""
    return Row(name, "POST", f"/v1/changes?tree={tree}", status, body=text, type=CSV, lines=lines, **more)


def refused(line, code, status=422, **more):
    return {"line": line, "status": status, "problem/code": code,
            **{f"problem/{name}": value for name, value in more.items()}}


DONE = lambda accepted, refused=0: {
    "done/accepted": accepted, "done/refused": refused, "done/lines": accepted + refused}

DECLARE = [
    Row("parts", "PUT", "/v1/trees/parts", 201, json=PARTS, commits=1),
    Row("names", "PUT", "/v1/trees/names", 201, commits=1, json={
        "keys": "name", "schema": {"version": "1.0", "fields": [{"name": "n", "type": "int8"}]}}),
    Row("free", "PUT", "/v1/trees/free", 201, json={"keys": "name"}, commits=1),
    Row("strange", "PUT", "/v1/trees/strange", 201, commits=1, json={
        "keys": "id", "schema": {"version": "1.0", "fields": [{"name": "_key", "type": "string"}]}}),
]

MAKE = [
    Row("no records are a header", "GET", "/v1/records/parts", 200, headers=TABLE,
        reply={"Content-Type": "text/csv; charset=utf-8; header=present"}),
    job("records are made", "number,stock,tags,on\r\nR-1,1,,\r\nR-2,-2,\"[\"\"a\"\",\"\"b,c\"\"]\",true\r\n", [
        {"line": 2, "status": 201, "results/0/key/revision": 0},
        {"line": 3, "status": 201}, DONE(2)], commits=2),
    job("a byte order mark and LF alone are taken, empty lines passed over",
        b"\xef\xbb\xbfnumber,stock\n\nR-3,3\n\n\nR-4,4", [
            {"line": 3, "status": 201}, {"line": 6, "status": 201}, DONE(2)], commits=2),
    job("letters that begin like the mark are letters", "number,stock\n\uff21,5\n".encode(), [
        {"line": 2, "status": 201}, DONE(1)], commits=1),
    job("rows are numbered by the line they begin on",
        'number,note,stock\n"R\n5","two\r\nlines",5\nR-6,"say ""no""",x\n"R-7",,7\n', [
            {"line": 2, "status": 201}, refused(5, "invalid-field", field="stock"),
            {"line": 6, "status": 201}, DONE(2, 1)], commits=2),
    job("of names", "n,_key\n1,a\n2,b/c\n", [{"line": 2, "results/0/key/name": "a"},
                                          {"line": 3, "results/0/key/name": "b/c"}, DONE(2)],
        tree="names", commits=2),
    job("without schema", '_key,_value\na,"{""x"": [1.50]}"\nb,null\nc,"""=1+1"""\n', [
        {"status": 201}, {"status": 201}, {"status": 201}, DONE(3)], tree="free", commits=3),
    job("nothing but a header", "number,stock\n", [DONE(0)]),
    job("nothing at all", "\r\n", [refused(1, "bad-body"), DONE(0, 1)]),
    job("a dry run", "number,stock\nR-9,9\nR-1,1\n", [
        {"line": 2, "status": 200, "dryRun": True}, refused(3, "unique", 409), DONE(1, 1)],
        tree="parts&dryRun=true"),
]

WRONG_ROWS = [
    job("each bad row by its line", "\n".join([
        "number,stock,tags,size,on,any,big", "A-1", "A-2,1,,,,,,", 'A-3,1,[,,,,', "A-4,1,,,yes,,",
        "A-5,1.5,,,,,", "A-6,,,,,,", 'A-7,1,,"{""width"":""x""}",,,', "A-8,1,,,,text,",
        "A-9,1,,,,,18446744073709551616", ",1,,,,,", "R-1,1,,,,,", 'A"10,1,,,,,', '"A-11"x,1,,,,,',
        "A-12,=1+1,,,,,", "A-13, 1,,,,,", "A-14,1,,,FALSE,1,"]) + "\n", [
            refused(2, "bad-body", detail=re.compile("1 cells.*7")),
            refused(3, "bad-body", detail=re.compile("8 cells")),
            refused(4, "invalid-field", field="tags", detail=re.compile("JSON text")),
            refused(5, "invalid-field", field="on"), refused(6, "invalid-field", field="stock"),
            refused(7, "invalid-field", field="stock"), refused(8, "invalid-field", field="size.width"),
            refused(9, "invalid-field", field="any"), refused(10, "invalid-field", field="big"),
            # An empty number is the empty text: the field is of type string, and must be there.
            {"line": 11, "status": 201}, refused(12, "unique", 409), refused(13, "bad-body"),
            refused(14, "bad-body"), refused(15, "invalid-field", field="stock"),
            refused(16, "invalid-field", field="stock"), {"line": 17, "status": 201}, DONE(2, 14)],
        commits=2),
    job("bytes that are not UTF-8", b"number,stock\nB-1\xff,1\nB-2,2\n", [
        refused(2, "bad-body", detail=re.compile("UTF-8")), {"line": 3, "status": 201}, DONE(1, 1)],
        commits=1),
    job("a quote that is never closed takes the rest with it", 'number,stock\nB-3,3\n"B-4,4\nB-5,5\n', [
        {"line": 2, "status": 201}, refused(3, "bad-body", detail=re.compile("ends in the middle")),
        DONE(1, 1)], commits=1),
    job("a CR alone ends no line", b"number,stock\nB-6,6\rB-7,7\nB-8,8\r\n", [
        refused(2, "bad-body", detail=re.compile("CR LF")), {"line": 3, "status": 201}, DONE(1, 1)],
        commits=1),
    job("a row that is too long does not take the next with it",
        b"number,stock\n" + b"x" * (17 << 20) + b",1\nB-9,9\n", [
            refused(2, "too-large", 413), {"line": 3, "status": 201}, DONE(1, 1)], commits=1),
    job("keys and versions that are none", "_key,_revision,_version,number,stock\n"
        "x,0,${at},C-1,1\n1,-1,${at},C-1,1\n1,0,yesterday,C-1,1\n,0,${at},C-1,1\n0,0,,C-1,1\n", [
            refused(2, "bad-key", 400, field="_key"), refused(3, "bad-body", field="_revision"),
            refused(4, "bad-body", field="_version"), refused(5, "bad-key", 400, field="_key"),
            refused(6, "bad-key", 400, field="_key"), DONE(0, 5)]),
    job("a version without a revision, in a versioned tree",
        "_key,_version,number,stock\n${first},${at},C-1,1\n", [
            refused(2, "revision-required", 400, field="_revision"), DONE(0, 1)]),
    job("an id out of nobody's range", "_key,_revision,number,stock\n9000000,0,C-1,1\n", [
        refused(2, "outside-range", 403), DONE(0, 1)]),
    job("a name without one", "_key,n\n,1\n.,1\n", [
        refused(2, "bad-key", 400, field="_key"), refused(3, "bad-key", 400, field="_key"), DONE(0, 2)],
        tree="names"),
    job("a name that stands", "_key,n\na,1\n", [refused(2, "exists", 412), DONE(0, 1)], tree="names"),
]

WRONG_HEADERS = [
    job(f"a header with {what}", header + "\nR-1,1,1,1\n", [
        refused(1, code, field=field), DONE(0, 1)], tree=tree)
    for what, header, field, tree, code in (
        ("a field there is not", "number,stok", "stok", "parts", "bad-body"),
        ("a name in other letters", "Number,stock", "Number", "parts", "bad-body"),
        ("a column twice", "number,stock,number", "number", "parts", "bad-body"),
        ("an empty name", "number,,stock", "", "parts", "bad-body"),
        ("a version without a key", "_version,number,stock", "_key", "parts", "bad-body"),
        ("semicolons", "number;stock", "number;stock", "parts", "bad-body"),
        ("a whole value of a tree with schema", "_value", "_value", "parts", "bad-body"),
        ("a field inside another", "number,size.width", "size.width", "parts", "bad-body"),
        ("no key, of names", "n", "_key", "names", "bad-body"),
        ("no value, without schema", "_key", "_value", "free", "bad-body"))
] + [
    job("a header that is not CSV", 'num"ber,stock\nR-1,1\n', [refused(1, "bad-body"), DONE(0, 1)]),
]

WRONG_REQUESTS = [
    Row("no tree", "POST", "/v1/changes", 400, "bad-parameter", body=b"a\n", type=CSV,
        has={"field": "tree"}),
    Row("a tree there is not", "POST", "/v1/changes?tree=nothing", 404, "unknown-tree", body=b"a\n",
        type=CSV),
    Row("a tree of the system's", "POST", "/v1/changes?tree=_devices", 403, "system-tree", body=b"a\n",
        type=CSV),
    Row("tokens", "POST", "/v1/changes?tree=_tokens", 404, "unknown-tree", body=b"a\n", type=CSV),
    Row("another charset", "POST", "/v1/changes?tree=parts", 415, "unsupported-media-type",
        body=b"number\n", type="text/csv; charset=latin1"),
    Row("UTF-8 by its name", "POST", "/v1/changes?tree=parts", 200, body=b"number,stock\n",
        type="Text/CSV; Charset=UTF-8; header=present", lines=[DONE(0)]),
    Row("tab-separated values", "POST", "/v1/changes?tree=parts", 415, "unsupported-media-type",
        body=b"number\n", type="text/tab-separated-values"),
    Row("a tree of JSON", "POST", "/v1/changes?tree=parts", 400, "unsupported-parameter",
        json={"operations": []}, has={"field": "tree"}),
    Row("a tree of NDJSON", "POST", "/v1/changes?tree=parts", 400, "unsupported-parameter",
        body=b"{}\n", type="application/x-ndjson", has={"field": "tree"}),
    Row("atomic", "POST", "/v1/changes?tree=parts&atomic=true", 400, "bad-parameter",
        body=b"number\n", type=CSV, has={"field": "atomic"}),
    Row("to the records", "POST", "/v1/records/parts", 415, "unsupported-media-type",
        body=b"number\n", type=CSV),
    Row("a tree whose field is a column's name", "POST", "/v1/changes?tree=strange", 400,
        "unsupported-parameter", body=b"_key\n", type=CSV, has={"field": "Content-Type"}),
    Row("and its list", "GET", "/v1/records/strange", 400, "unsupported-parameter", headers=TABLE,
        has={"field": "Accept"}),
    Row("a page of a table", "GET", "/v1/records/parts?limit=2", 400, "bad-parameter", headers=TABLE,
        has={"field": "limit"}),
    Row("the rest of a table", "GET", "/v1/records/parts?cursor=x", 400, "bad-parameter",
        headers=TABLE, has={"field": "cursor"}),
    Row("a column there is not", "GET", "/v1/records/parts?fields=number,x", 400, "bad-parameter",
        headers=TABLE, has={"field": "fields"}),
    Row("no column's name", "GET", "/v1/records/free?fields=a,,b", 400, "bad-parameter",
        headers=TABLE, has={"field": "fields"}),
    Row("a tree there is not, as a table", "GET", "/v1/records/nothing", 404, "unknown-tree",
        headers=TABLE),
    Row("of what else there is no table", "GET", "/v1/trees", 400, "unsupported-parameter",
        headers=TABLE, has={"field": "Accept"}),
    Row("nor of commits", "GET", "/v1/changes", 400, "unsupported-parameter", headers=TABLE),
    Row("its head", "HEAD", "/v1/records/parts", 200, headers=TABLE,
        reply={"Content-Type": "text/csv; charset=utf-8; header=present", "Holdfast-Position": ANY}),
    Row("JSON is preferred by who takes anything", "GET", "/v1/records/parts?limit=1", 200,
        headers={"Accept": "*/*"}, has={"records/#": 1}),
    Row("NDJSON before CSV", "GET", "/v1/records/parts?where=number:eq:R-1", 200,
        headers={"Accept": "text/csv, application/x-ndjson"}, lines=[{"value/number": "R-1"}]),
    Row("not CSV", "GET", "/v1/records/parts?limit=1", 200,
        headers={"Accept": "text/csv;q=0, application/json"}, has={"records/#": 1}),
]


def table(text):
    """A table as rows of texts by column, as Python's own reader has it."""
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


class CSVTest(ServedTable):
    def listed(self, target):
        reply = self.send(Row("a table", "GET", target, 200, headers=TABLE))
        self.assertEqual(reply.status, 200, reply.body)
        text = reply.body.decode()
        self.assertTrue(text.endswith("\r\n"))
        return text

    def test_1_tables_make_records(self):
        self.run_rows(DECLARE)
        self.assertEqual(self.listed("/v1/records/parts"), HEADER + "\r\n")
        self.run_rows(MAKE)
        rows = {row["number"]: row for row in table(self.listed("/v1/records/parts"))}
        self.assertEqual(set(rows), {"R-1", "R-2", "R-3", "R-4", "\uff21", "R\n5", "R-7"})
        self.assertEqual(json.loads(rows["R-2"]["tags"]), ["a", "b,c"])
        self.assertEqual((rows["R-2"]["on"], rows["R-1"]["on"], rows["R-1"]["big"]), ("true", "", ""))
        self.assertEqual(rows["R\n5"]["note"], "two\r\nlines")
        self.saved["first"], self.saved["at"] = rows["R-1"]["_key"], rows["R-1"]["_version"]
        self.assertRegex(rows["R-1"]["_version"], f"^{self.server.epoch}:[0-9]+$")
        self.assertEqual(self.listed("/v1/records/free").split("\r\n")[0], "_key,_version,_value")
        rows = table(self.listed("/v1/records/free"))
        self.assertEqual([row["_value"] for row in rows], ['{"x":[1.50]}', "null", '"=1+1"'])

    def test_2_rows_are_refused_by_their_line(self):
        self.run_rows(WRONG_ROWS)
        self.run_rows(WRONG_HEADERS)
        self.run_rows(WRONG_REQUESTS)

    def test_3_columns_filters_and_order_are_those_of_the_list(self):
        text = self.listed("/v1/records/parts?fields=stock,number,stock&where=number:prefix:R-&sort=-stock")
        rows = table(text)
        self.assertEqual(text.split("\r\n")[0], "_key,_revision,_version,stock,number")
        self.assertEqual([row["stock"] for row in rows], ["7", "4", "3", "1", "-2"])
        self.run_rows([
            Row("a struct", "POST", "/v1/records/parts", 201, commits=1,
                json={"number": "S-1", "stock": 0, "size": {"width": 2.50}, "note": ""}),
            Row("members of any kind", "PUT", "/v1/records/free/d", 201, commits=1,
                json={"a": {"b": ["x"]}, "c": "=SUM(A1)"}, headers={"If-None-Match": "*"})])
        row, = table(self.listed("/v1/records/parts?fields=size.width,note&where=number:eq:S-1"))
        self.assertEqual(row["size.width"], "2.5")
        self.assertIn(',2.5,""\r\n', self.listed("/v1/records/parts?fields=size.width,note&where=number:eq:S-1"))
        # Texts of a tree without schema are JSON; a formula goes out as the text it is.
        row, = table(self.listed("/v1/records/free?fields=a.b,c,e&prefix=d"))
        self.assertEqual((row["a.b"], row["c"], row["e"]), ('["x"]', '"=SUM(A1)"', ""))
        row = table(self.listed("/v1/records/names?from=b"))
        self.assertEqual([each["_key"] for each in row], ["b/c"])

    def test_4_rows_change_what_stands_as_it_was_read(self):
        before = {row["number"]: row for row in table(self.listed("/v1/records/parts"))}
        one, two = before["R-1"], before["R-2"]
        lines = ["_key,_revision,_version,stock,note"]
        lines += [f"{row['_key']},0,{row['_version']},{stock},{note}"
                  for row, stock, note in ((one, 10, "counted"), (two, -2, ""), (one, 11, "again"))]
        self.run_rows([
            job("one is changed, one as it was, one late", "\n".join(lines), [
                {"line": 2, "status": 201},
                {"line": 3, "status": 200, "unchanged": True, "position": two["_version"],
                 "results/0/key/id": int(two["_key"])},
                refused(4, "stale", 412, **{"current/value/stock": 10}), DONE(2, 1)], commits=1)])
        after = {row["number"]: row for row in table(self.listed("/v1/records/parts"))}
        self.assertEqual(after["R-2"], two)
        self.assertEqual({**after["R-1"], "_version": ""},
                         {**one, "_version": "", "stock": "10", "note": "counted"})
        # An empty cell takes away; what is no column stays.
        version = after["R-1"]["_version"]
        self.run_rows([job("a note less", f"_version,note,_revision,_key\n{version},,0,{one['_key']}\n", [
            {"status": 201}, DONE(1)], commits=1)])
        value = self.send(Row("the value", "GET", f"/v1/records/parts/{one['_key']}", 200)).json
        self.assertEqual(value, {"number": "R-1", "stock": 10})
        self.run_rows([
            Row("a borrow", "PUT", "/v1/borrows/${u:b}", 201, commits=1, headers={"Holdfast-User": "ben"},
                json={"tree": "parts", "key": {"id": int(one["_key"]), "revision": 0}}),
            Row("its version", "GET", f"/v1/records/parts/{one['_key']}", 200, save={"v": "version"}),
            job("borrowed, unless nothing changes",
                f"_key,_revision,_version,stock\n{one['_key']},0,${{v}},12\n{one['_key']},0,${{v}},10\n", [
                    refused(2, "borrowed", 423), {"line": 3, "unchanged": True}, DONE(1, 1)]),
            job("so in a dry run", f"_key,_revision,_version,stock\n{one['_key']},0,${{v}},10\n", [
                {"line": 2, "status": 200, "unchanged": True, "dryRun": True}, DONE(1)],
                tree="parts&dryRun=true"),
            job("gone", "_key,_version,n\na,${at},1\nnobody,${at},1\n", [
                refused(2, "stale", 412), refused(3, "not-found", 404), DONE(0, 2)], tree="names")])

    def test_5_a_table_sent_again_does_nothing_twice(self):
        text = "number,stock\nD-1,1\nD-2,2\n"
        key = {"headers": {"Idempotency-Key": "${u:job}"}}
        self.run_rows([
            job("the beginning", text, [{"line": 2, "status": 201}, {"line": 3, "status": 201}, DONE(2)],
                commits=2, **key),
            job("all of it", text + "D-3,3\n", [
                {"line": 2, "status": 201, "replayed": True}, {"line": 3, "replayed": True},
                {"line": 4, "status": 201}, DONE(3)], commits=1, **key),
            job("another row in a line's place", text.replace("D-2", "D-4"), [
                {"line": 2, "replayed": True}, refused(3, "idempotency-mismatch"), DONE(1, 1)], **key),
            job("with other line ends", text.replace("\n", "\r\n"), [
                {"line": 2, "replayed": True}, {"line": 3, "replayed": True}, DONE(2)], **key)])
        row, = table(self.listed("/v1/records/parts?where=number:eq:D-1"))
        text = f"_key,_revision,_version,stock\n{row['_key']},0,{row['_version']},5\n"
        key = {"headers": {"Idempotency-Key": "${u:change}"}}
        self.run_rows([
            job("a changed record", text, [{"line": 2, "status": 201}, DONE(1)], commits=1, **key),
            job("and again", text, [{"line": 2, "status": 201, "replayed": True}, DONE(1)], **key)])

    def test_6_however_it_is_cut(self):
        """A table comes in pieces of any length, each row is answered as it is whole."""
        dice = random.Random(5)
        rows = [f'"E-{n}\r\n","{"x" * dice.randrange(40)} ""q"",",{n}\r\n' for n in range(300)]
        body = ("number,note,stock\r\n" + "".join(rows)).encode()

        def pieces():
            rest = body
            while rest:
                length = dice.choice([1, 2, 3, 7, 100, 5000])
                yield rest[:length]
                rest = rest[length:]

        # Not recorded: a recording has no body that comes in pieces.
        connection = http.client.HTTPConnection(self.server.host, self.server.port, timeout=30)
        connection.request("POST", "/v1/changes?tree=parts", body=pieces(),
                           headers={"Content-Type": CSV}, encode_chunked=True)
        lines = [json.loads(line) for line in connection.getresponse().read().splitlines()]
        connection.close()
        self.assertEqual([line["line"] for line in lines[:-1]], [2 + 2 * n for n in range(300)])
        self.assertEqual(lines[-1]["done"]["accepted"], 300, lines[:3])
        found = table(self.listed("/v1/records/parts?where=number:prefix:E-"))
        self.assertEqual([row["stock"] for row in found], [str(n) for n in range(300)])


    def test_7_lines_that_make_no_commit_wait_for_none(self):
        """More of them than may wait for the disk at once."""
        count = 10_000
        change = b'{"operations":[{"put":{"tree":"free","key":{"name":"z"},"expects":"absent","value":1}}]}\n'
        for name, target, body, kind in (
                ("a table in a dry run", "?tree=names&dryRun=true",
                 b"_key,n\n" + b"".join(b"z%d,1\n" % n for n in range(count)), CSV),
                ("changes in a dry run", "?dryRun=true", change * count, "application/x-ndjson"),
                ("changes that are refused", "", b"{}\n" * count, "application/x-ndjson")):
            with self.subTest(name):
                reply = self.send(Row(name, "POST", f"/v1/changes{target}", 200, body=body, type=kind))
                done = reply.lines[-1]["done"]
                self.assertEqual(done["lines"], count)
                self.assertIn(count, (done["accepted"], done["refused"]))


class RoundTripTest(ServedTable):
    """Values at random, to a table and back."""

    def records(self, tree):
        reply = self.send(Row("records", "GET", f"/v1/records/{tree}", 200,
                              headers={"Accept": "application/x-ndjson"}))
        return reply.lines

    def post(self, tree, body):
        reply = self.send(Row("a table", "POST", f"/v1/changes?tree={tree}", 200, body=body, type=CSV))
        self.assertEqual(reply.status, 200, reply.body)
        return reply.lines

    def test_what_goes_out_comes_back(self):
        seed = int(os.environ.get("HOLDFAST_SEED", "0")) or random.randrange(1 << 32)
        print(f"seed {seed}", file=sys.stderr)
        dice = random.Random(seed)
        for number in range(25):
            with self.subTest(seed=seed, number=number):
                self.round_trip(dice, number)

    def round_trip(self, dice, number):
        fields = values.fields(dice, depth=2, kinds=set())
        definition = {"keys": "id", "schema": {"version": "1.0", "fields": fields}}
        for tree in (f"t{number}", f"u{number}"):
            reply = self.send(Row("a tree", "PUT", f"/v1/trees/{tree}", 201, json=definition))
            self.assertEqual(reply.status, 201, reply.body)
        source, target = f"t{number}", f"u{number}"
        # What names files needs them to be there.
        texts = [text for text in (values.object_(dice, fields, 0) for _ in range(30)) if "$file" not in text]
        if not texts:
            return
        lines = ['{"operations":[{"put":{"tree":"%s","expects":"absent","value":%s}}]}' % (source, text)
                 for text in texts]
        reply = self.send(Row("values", "POST", "/v1/changes", 200, type="application/x-ndjson",
                              body="\n".join(lines).encode()))
        self.assertEqual(reply.lines[-1]["done"]["refused"], 0, reply.body[:500])
        reply = self.send(Row("a table", "GET", f"/v1/records/{source}", 200, headers=TABLE))
        records = self.records(source)
        rows = table(reply.body.decode())
        # Each cell is its value's content, and nothing where there is none.
        self.assertEqual(len(rows), len(texts))
        for row, record in zip(rows, records):
            self.assertEqual((row["_key"], row["_version"]), (str(record["key"]["id"]), record["version"]))
            for field in fields:
                value = record["value"].get(field["name"])
                cell = row[field["name"]]
                if isinstance(value, str) and field["type"] != "any":
                    self.assertEqual(cell, value)
                else:
                    self.assertEqual(json.loads(cell) if cell else None, value)
        # Taken back as it is, it changes nothing.
        seq, chain = self.head()
        lines = self.post(source, reply.body)
        self.assertEqual([line.get("unchanged") for line in lines[:-1]], [True] * len(rows), lines[:2])
        self.assertEqual(self.head(), (seq, chain))
        # Without its keys it makes the same records, but that null is absent.
        kept = [",".join(row[2:]) for row in split(reply.body.decode())]
        lines = self.post(target, "\r\n".join(kept).encode())
        self.assertEqual([line for line in lines if "problem" in line], [])
        self.assertEqual([without_null(record["value"]) for record in self.records(target)],
                         [without_null(record["value"]) for record in records])


def split(text):
    """Rows of raw cells, their quotes kept: Python's reader does not tell `\"\"` from nothing."""
    rows, row, cell, quoted = [], [], "", False
    for character in text:
        if character == '"':
            quoted = not quoted
        if character == "," and not quoted:
            row, cell = [*row, cell], ""
        elif cell.endswith("\r") and character == "\n" and not quoted:
            rows, row, cell = [*rows, [*row, cell[:-1]]], [], ""
        else:
            cell += character
    return rows


def without_null(value):
    return {name: member for name, member in value.items() if member is not None}


class KilledTest(unittest.TestCase):
    """A server that dies in the middle of a table, which is then sent again."""

    def test_every_row_is_done_once(self):
        first = Server()
        self.addCleanup(first.stop)
        connection = first.connection("a tree")
        connection.request("PUT", "/v1/trees/names", json.dumps({"keys": "id", "schema": {
            "version": "1.0", "fields": [{"name": "n", "type": "int32"}]}}),
            {"Content-Type": "application/json"})
        self.assertEqual(connection.getresponse().status, 201)
        connection.close()
        body = ("n\n" + "".join(f"{n}\n" for n in range(4000))).encode()
        headers = {"Content-Type": CSV, "Idempotency-Key": str(uuid.uuid4())}
        gone_on = threading.Event()

        def pieces():
            yield body[:4000]
            # The rest only when the first rows were answered, and the server is no more.
            gone_on.wait(30)
            yield body[4000:]

        connection = http.client.HTTPConnection(first.host, first.port, timeout=30)

        def send():
            try:
                connection.request("POST", "/v1/changes?tree=names", body=pieces(), headers=headers,
                                   encode_chunked=True)
            except OSError:
                pass

        sender = threading.Thread(target=send)
        sender.start()
        while self.count(first) < 500:
            pass
        first.process.send_signal(signal.SIGKILL)
        first.process.wait(30)
        gone_on.set()
        sender.join(30)
        connection.close()
        second = Server(data=first.data)
        self.addCleanup(second.stop)
        before = self.count(second)
        self.assertGreaterEqual(before, 500)
        self.assertLess(before, 4000)
        connection = second.connection("again")
        connection.request("POST", "/v1/changes?tree=names", body=body, headers=headers)
        lines = [json.loads(line) for line in connection.getresponse().read().splitlines()]
        connection.close()
        self.assertEqual(lines[-1]["done"]["accepted"], 4000)
        self.assertEqual(sum("replayed" in line for line in lines), before)
        self.assertEqual(sorted(int(row["n"]) for row in self.rows(second)), list(range(4000)))

    def rows(self, server):
        connection = server.connection("rows")
        connection.request("GET", "/v1/records/names", headers=TABLE)
        text = connection.getresponse().read().decode()
        connection.close()
        return table(text)

    def count(self, server):
        return len(self.rows(server))


if __name__ == "__main__":
    unittest.main()
