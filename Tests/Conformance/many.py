"""Lists over more records than one slice looks at, while they are changed."""

import csv
import io
import json
import random
import threading

from table import Row

COUNT = 1000
TOTAL = COUNT * 100
DECLARE = Row("declare accounts", "PUT", "/v1/trees/accounts", 201, commits=1, json={
    "keys": "name", "schema": {"version": "1.0", "fields": [
        {"name": "balance", "type": "int64"}, {"name": "text", "type": "string"}]}})
FILL = Row("fill accounts", "POST", "/v1/changes", 200, commits=1, json={"operations": [
    {"put": {"tree": "accounts", "key": {"name": f"a{number:04}", "revision": 0},
             "expects": "absent", "value": {"balance": 100, "text": f"{number % 7}" * 300}}}
    for number in range(COUNT)]})


class Writer(threading.Thread):
    """Moves amounts between accounts, one commit a transfer, so that the sum stays."""

    def __init__(self, table, seed):
        super().__init__()
        self.table = table
        self.random = random.Random(seed)
        self.ends = threading.Event()
        self.count = 0

    def get(self, name):
        reply = self.table.send(Row("an account", "GET", f"/v1/records/accounts/{name}", 200))
        return reply.headers["etag"].strip('"'), reply.json

    def run(self):
        while not self.ends.is_set():
            names = [f"a{n:04}" for n in self.random.sample(range(COUNT), 2)]
            amount = self.random.randrange(1, 1000)
            operations = []
            for name, change in zip(names, (amount, -amount)):
                version, value = self.get(name)
                value["balance"] += change
                operations.append({"put": {
                    "tree": "accounts", "key": {"name": name, "revision": 0},
                    "expects": version, "value": value}})
            reply = self.table.send(
                Row("a transfer", "POST", "/v1/changes", 200, json={"operations": operations}))
            assert reply.status == 200, reply.body
            self.count += 1


def balances(records):
    return [(record["value"]["balance"], record["key"]["name"]) for record in records]


def check(table):
    """Every list is of one moment, whole, and in order, whatever is written meanwhile."""
    table.run_rows([DECLARE, FILL])
    writer = Writer(table, 20261122)
    writer.start()
    try:
        for _ in range(8):
            path = "/v1/records/accounts?where=text:ne:x"
            lines = table.send(
                Row("a stream", "GET", path, 200, headers={"Accept": "application/x-ndjson"})).lines
            names = [name for _, name in balances(lines)]
            table.assertEqual(len(names), COUNT)
            table.assertEqual(names, sorted(names))
            table.assertEqual(sum(b for b, _ in balances(lines)), TOTAL)
            rows = list(csv.DictReader(io.StringIO(table.send(Row(
                "a table", "GET", path, 200, headers={"Accept": "text/csv"})).body.decode(), newline="")))
            table.assertEqual([row["_key"] for row in rows], names)
            table.assertEqual(sum(int(row["balance"]) for row in rows), TOTAL)
            page = table.send(Row("a page", "GET", path + "&sort=-balance&limit=1000", 200)).json
            found = balances(page["records"])
            table.assertEqual(found, sorted(found, key=lambda one: (-one[0], one[1])))
            table.assertEqual((len(found), sum(b for b, _ in found)), (COUNT, TOTAL))
            lines = table.send(Row("a sorted stream", "GET", path + "&sort=balance", 200,
                                   headers={"Accept": "application/x-ndjson"})).lines
            found = balances(lines)
            table.assertEqual(found, sorted(found))
            table.assertEqual((len(found), sum(b for b, _ in found)), (COUNT, TOTAL))
    finally:
        writer.ends.set()
        writer.join()
    table.assertGreater(writer.count, 0)
    pages(table)


def pages(table):
    """Pages of one list, joined, are the list."""
    every = [line for line in table.send(
        Row("all", "GET", "/v1/records/accounts", 200,
            headers={"Accept": "application/x-ndjson"})).lines]
    for parameters, expected in (
        ("where=text:prefix:33", [r for r in every if r["value"]["text"].startswith("33")]),
        ("sort=text", sorted(every, key=lambda r: (r["value"]["text"], r["key"]["name"]))),
        ("sort=-balance&where=balance:lt:500", sorted(
            (r for r in every if r["value"]["balance"] < 500),
            key=lambda r: (-r["value"]["balance"], r["key"]["name"]))),
        ("where=balance:lt:-100000000", []),
    ):
        found, target = [], f"/v1/records/accounts?{parameters}&limit=37"
        while target:
            reply = table.send(Row(parameters, "GET", target, 200))
            found += reply.json["records"]
            link = reply.headers.get("link")
            target = link[1:link.index(">")] if link else None
            table.assertEqual(target is None, "next" not in reply.json)
        table.assertEqual([r["key"]["name"] for r in found],
                          [r["key"]["name"] for r in expected], parameters)
        table.assertEqual(json.dumps(found), json.dumps(expected), parameters)
