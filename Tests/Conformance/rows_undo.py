"""Taking back commits and jobs, deletions of many records, and dry runs. A server of its own."""

import json
import re

from rows_changes import LINES
from rows_trees import ANNA, BEN
from table import ANY, Row

NDJSON = {"Content-Type": re.compile("^application/x-ndjson")}


def match(version):
    """The header that expects a version."""
    return {"If-Match": '"${%s}"' % version}


def note(name, value, status=201, **more):
    """A row that writes a note."""
    headers = more.pop("headers", {"If-None-Match": "*"})
    return Row(f"{name} is {value}", "PUT", f"/v1/records/notes/{name}", status, commits=1,
               json={"text": value}, headers={**ANNA, **headers}, **more)


def undo(name, position, status, code=None, query="", **more):
    """A row that takes a commit back."""
    return Row(name, "POST", "/v1/changes/${%s}/undo%s" % (position, query), status, code, **more)


def get(name, target, status, code=None, **more):
    """A row that reads a record."""
    return Row(name, "GET", "/v1/records/" + target, status, code, **more)


PREPARE = [
    Row("notes, of which each is one of its kind", "PUT", "/v1/trees/notes", 201, commits=1, json={
        "keys": "name", "schema": {"version": "1.0", "fields": [
            {"name": "text", "type": "string", "unique": True}]}},
        save={"tree": "header:Holdfast-Position"}),
    Row("plans with revisions", "PUT", "/v1/trees/plans", 201, commits=1, json={
        "keys": "id", "versioned": True, "borrow": "optional"}),
    Row("parts that are borrowed", "PUT", "/v1/trees/parts", 201, commits=1, json={"keys": "id"}),
]

UNDO = [
    note("a", "one", save={"a1": "version"}),
    note("a", "two", 200, headers=match("a1"), save={"a2": "version"}),
    undo("an edit under a later one cannot be undone", "a1", 409, "changed-since",
         has={"current/version": "${a2}", "current/value/text": "two"}),
    undo("what it would be", "a2", 200, query="?dryRun=true",
         has={"dryRun": True, "results/0/key/name": "a"}, lacks=("position",)),
    get("nothing was done", "notes/a", 200, has={"text": "two"}),
    undo("an edit is undone", "a2", 201, headers={**BEN, "Idempotency-Key": "${u:undo}"},
         commits=1, has={"position": ANY, "results/0/key/name": "a"},
         reply={"Location": re.compile("^/v1/changes/")}, save={"a3": "position"}),
    undo("and again under the same key", "a2", 201, headers={**BEN, "Idempotency-Key": "${u:undo}"},
         has={"position": "${a3}"}, reply={"Idempotency-Replayed": "true"}),
    undo("another under the same key", "a3", 422, "idempotency-mismatch",
         headers={**BEN, "Idempotency-Key": "${u:undo}"}),
    get("it is as it was", "notes/a?meta=true", 200, has={
        "value/text": "one", "modified/by": "ben", "created/by": "anna", "version": "${a3}"}),
    Row("and history says why", "GET", "/v1/records/notes/a/history", 200, has={
        "history/0/label": "undo", "history/0/by": "ben", "history/0/why": "undo of ${a2}"}),
    undo("twice there is nothing to undo", "a2", 409, "changed-since"),
    undo("an undoing is undone", "a3", 201, commits=1, save={"a4": "position"}),
    get("and it is as before", "notes/a", 200, has={"text": "two"}),
    note("b", "one", save={"b1": "version"}),
    undo("a value that another has by now", "a4", 409, "unique", has={"field": "text"}),
    undo("a creation is undone", "b1", 201, commits=1, save={"b2": "position"}),
    get("and it is gone", "notes/b", 410, "deleted"),
    undo("its end is undone", "b2", 201, commits=1, save={"b3": "position"}),
    get("and it stands again", "notes/b", 200, has={"text": "one"}),
    Row("anna takes b", "PUT", "/v1/borrows/${u:b}", 201, commits=1, headers=ANNA, json={
        "tree": "notes", "key": {"name": "b", "revision": 0}},
        save={"taken": "header:Holdfast-Position"}),
    undo("what somebody holds", "b3", 423, "borrowed", has={"borrow/holder/user": "anna"}),
    undo("a borrow", "taken", 409, "not-undoable"),
    undo("a declaration", "tree", 409, "not-undoable"),
    Row("anna gives it back", "POST", "/v1/borrows/${u:b}/return", 204, commits=1, headers=ANNA),
    # A deletion in a tree of ids: the id is the same record's again.
    Row("a part", "POST", "/v1/records/parts", 201, json={"n": 1}, commits=1,
        save={"part": "header:Holdfast-Key", "p1": "version"}),
    Row("goes", "DELETE", "/v1/records/parts/${part}", 204, headers=match("p1"), commits=1,
        save={"p2": "header:Holdfast-Position"}),
    undo("and comes back", "p2", 201, commits=1, save={"p3": "position"}, has={
        "results/0/key/id": ANY}),
    get("under its own id", "parts/${part}", 200, has={"n": 1}, reply={"ETag": '"${p3}"'}),
    # Revisions and releases
    Row("a plan", "POST", "/v1/records/plans", 201, json={"a": 1}, commits=1,
        save={"plan": "header:Holdfast-Key", "d1": "version"}),
    Row("is released", "POST", "/v1/records/plans/${plan}/release?revision=0", 200, json={},
        headers=match("d1"), commits=1, save={"d2": "version"}),
    undo("a release stays", "d2", 409, "released", has={"current/state/released": 0}),
    Row("is revised", "POST", "/v1/records/plans/${plan}/revise?revision=0", 201, json={},
        commits=1, save={"d3": "version"}),
    Row("its draft goes", "DELETE", "/v1/records/plans/${plan}?revision=1", 204,
        headers=match("d3"), commits=1, save={"d4": "header:Holdfast-Position"}),
    Row("another draft comes", "POST", "/v1/records/plans/${plan}/revise?revision=0", 201, json={},
        commits=1, save={"d5": "version"}),
    undo("a draft comes back only as the latest", "d4", 409, "changed-since"),
    undo("a revision is undone", "d5", 201, commits=1),
    undo("and then the draft comes back", "d4", 201, commits=1),
    get("it is the latest", "plans/${plan}", 200, reply={"Holdfast-Revision": "1"}),
    # A commit of several records is undone as a whole
    Row("three at once", "POST", "/v1/changes", 200, commits=1, save={"m": "position"}, json={
        "operations": [
            {"put": {"tree": "notes", "key": {"name": "m1"}, "expects": "absent",
                     "value": {"text": "m1"}}},
            {"put": {"tree": "notes", "key": {"name": "m2"}, "expects": "absent",
                     "value": {"text": "m2"}}},
            {"put": {"tree": "parts", "expects": "absent", "value": {"n": 2}}}]}),
    Row("anna takes one", "PUT", "/v1/borrows/${u:m}", 201, commits=1, headers=ANNA, json={
        "tree": "notes", "key": {"name": "m1", "revision": 0}}),
    undo("one in the way is all in the way", "m", 423, "borrowed"),
    Row("anna gives it back", "POST", "/v1/borrows/${u:m}/return", 204, commits=1, headers=ANNA),
    undo("all of them", "m", 201, commits=1, has={"results/#": 3}),
    get("gone with the others", "notes/m2", 410, "deleted"),
    # What there is not
    Row("no commit", "POST", "/v1/changes/${epoch}:0/undo", 404, "not-found"),
    Row("a commit to come", "POST", "/v1/changes/${epoch}:9007199254740991/undo", 503, "not-yet"),
    Row("one of another history", "POST", "/v1/changes/0000000000000:1/undo", 409, "diverged"),
    Row("a seq alone", "POST", "/v1/changes/4/undo", 400, "bad-parameter"),
    undo("a body", "a4", 422, "bad-body", json={"x": 1}),
    undo("a body of another type", "a4", 415, "unsupported-media-type", body=b"x", type="text/plain"),
    undo("a job that is none", "a4", 409, "not-undoable", query="?job=true"),
    undo("a flag that is none", "a4", 400, "bad-parameter", query="?job=perhaps"),
    Row("its other methods", "GET", "/v1/changes/${a4}/undo", 405, "method-not-allowed",
        reply={"Allow": "POST"}),
]

JOB = "".join(json.dumps({"operations": [{"put": {
    "tree": "notes", "key": {"name": f"j{n}"}, "expects": "absent", "value": {"text": f"j{n}"}}}]})
    + "\n" for n in range(4)).encode()

JOBS = [
    Row("a job in a dry run", "POST", "/v1/changes?dryRun=true", 200, body=JOB, type=LINES,
        reply=NDJSON, lines=[{"line": n + 1, "status": 200, "dryRun": True,
                              "results/0/key/name": f"j{n}"} for n in range(4)]
        + [{"done/accepted": 4}]),
    Row("a job", "POST", "/v1/changes", 200, body=JOB, type=LINES, commits=4,
        headers={**ANNA, "Idempotency-Key": "${u:job}"},
        lines=[{"status": 201}] * 4 + [{"done/accepted": 4}]),
    Row("its last record", "GET", "/v1/records/notes/j3?meta=true", 200, save={"j3": "version"}),
    note("j1", "edited", 200, headers=match("j1"), save={"j1b": "version"}),
    undo("a job is undone from its end, but for what was changed", "j3", 200, query="?job=true",
         headers=BEN, reply=NDJSON, commits=3, lines=[
             {"line": 1, "status": 201, "commit": "${j3}", "results/0/key/name": "j3"},
             {"line": 2, "status": 201, "results/0/key/name": "j2"},
             {"line": 3, "status": 409, "problem/code": "changed-since", "commit": "${j1}"},
             {"line": 4, "status": 201, "results/0/key/name": "j0"},
             {"done/accepted": 3, "done/refused": 1, "done/lines": 4}]),
    get("one of it is gone", "notes/j3", 410, "deleted"),
    get("what was changed since stands", "notes/j1", 200, has={"text": "edited"}),
    Row("and the job it was undone by", "GET", "/v1/records/notes/j3/history", 200,
        has={"history/0/label": "undo"}, save={"j3u": "history/0/version"}),
    undo("would be undone so", "j3u", 200, query="?job=true&dryRun=true", reply=NDJSON, lines=[
        {"status": 200, "dryRun": True}] * 3 + [{"done/accepted": 3}]),
    undo("is undone", "j3u", 200, query="?job=true", reply=NDJSON, commits=3, lines=[
        {"status": 201}] * 3 + [{"done/accepted": 3}]),
    get("and all stand again", "notes/j0", 200, has={"text": "j0"}),
]
AGAIN = "\n".join(json.dumps(line) for line in (
    {"id": "${u:k1}", "operations": [{"put": {
        "tree": "notes", "key": {"name": "k"}, "expects": "absent", "value": {"text": "k1"}}}]},
    {"operations": [{"patch": {
        "tree": "notes", "key": {"name": "k"}, "expects": "change:${u:k1}",
        "value": {"text": "k2"}}}]}))
JOBS += [
    Row("a job that changes a record twice", "POST", "/v1/changes", 200, body=AGAIN, type=LINES,
        commits=2, lines=[{"status": 201}, {"status": 201}, {"done/accepted": 2}]),
    Row("its second change", "GET", "/v1/records/notes/k?meta=true", 200, has={"value/text": "k2"},
        save={"k2": "version"}),
    undo("is undone whole", "k2", 200, query="?job=true", commits=2, reply=NDJSON, lines=[
        {"status": 201}, {"status": 201}, {"done/accepted": 2}]),
    get("nothing is left of it", "notes/k", 410, "deleted"),
    undo("and not twice", "k2", 409, "changed-since"),
]
# What the fourth row needs: the version of a record in the middle of the job.
JOBS.insert(3, Row("one in its middle", "GET", "/v1/records/notes/j1?meta=true", 200,
                   save={"j1": "version"}))

DELETIONS = [
    *[note(f"del{n}", f"del{n}") for n in range(3)],
    note("dem", "dem"),
    Row("anna takes one of them", "PUT", "/v1/borrows/${u:del}", 201, commits=1, headers=ANNA, json={
        "tree": "notes", "key": {"name": "del1", "revision": 0}}),
    Row("neither all nor some", "DELETE", "/v1/records/notes", 400, "bad-parameter"),
    Row("all and some", "DELETE", "/v1/records/notes?prefix=a&all=true", 400, "bad-parameter"),
    Row("those that begin with nothing", "DELETE", "/v1/records/notes?prefix=", 400,
        "bad-parameter", has={"field": "prefix"}),
    Row("not all", "DELETE", "/v1/records/notes?all=false", 400, "bad-parameter"),
    Row("numbers that begin alike", "DELETE", "/v1/records/parts?prefix=1", 400, "bad-parameter",
        has={"field": "prefix"}),
    Row("records of a tree there is not", "DELETE", "/v1/records/nothing?all=true", 404,
        "unknown-tree"),
    Row("the system's", "DELETE", "/v1/records/_borrows?all=true", 403, "system-tree"),
    Row("with a body", "DELETE", "/v1/records/notes?all=true", 422, "bad-body", json={}),
    Row("what would be deleted", "DELETE", "/v1/records/notes?prefix=del&dryRun=true", 200,
        reply=NDJSON, lines=[
            {"line": 1, "status": 200, "dryRun": True, "results/#": 2, "results/1/key/name": "del2"},
            {"line": 2, "status": 423, "key/name": "del1", "problem/code": "borrowed"},
            {"done/records": 2, "done/refused": 1}]),
    get("stands", "notes/del0", 200),
    Row("those that begin alike", "DELETE", "/v1/records/notes?prefix=del", 200, commits=1,
        headers={**BEN, "Holdfast-Why": "tidy"}, reply=NDJSON, lines=[
            {"line": 1, "status": 201, "results/#": 2, "results/0/key/name": "del0"},
            {"line": 2, "status": 423, "key/name": "del1", "problem/borrow/holder/user": "anna",
             "problem/current/value/text": "del1"},
            {"done/records": 2, "done/accepted": 1, "done/refused": 1, "done/lines": 2}]),
    get("is gone", "notes/del0", 410, "deleted", has={"ended/by": "ben", "ended/why": "delete", "ended/reason": "tidy"}),
    get("stands, as it is held", "notes/del1", 200),
    get("does not begin so", "notes/dem", 200),
    Row("again", "DELETE", "/v1/records/notes?prefix=del", 200, lines=[
        {"status": 423}, {"done/records": 0}]),
    Row("of nothing", "DELETE", "/v1/records/notes?prefix=zzz", 200,
        lines=[{"done/records": 0, "done/lines": 0}]),
    Row("all revisions but the released", "DELETE", "/v1/records/plans?all=true", 200, commits=1,
        lines=[{"status": 201, "results/#": 1}, {"status": 409, "problem/code": "released"},
               {"status": 409, "key/revision": 0}, {"done/records": 1, "done/refused": 2}]),
    Row("a job of deletions is undone", "GET", "/v1/records/notes/del0/history", 200,
        save={"deleted": "history/0/version"}),
    undo("all of it", "deleted", 200, query="?job=true", commits=1, reply=NDJSON, lines=[
        {"status": 201, "results/#": 2}, {"done/accepted": 1}]),
    get("stands again", "notes/del0", 200, has={"text": "del0"}),
    Row("POST needs a name", "POST", "/v1/records/notes", 405, "method-not-allowed", json={},
        reply={"Allow": "GET, HEAD, DELETE"}),
]


def dry(name, method, target, has=None, status=200, code=None, **more):
    """A row that does nothing."""
    mark = "&" if "?" in target else "?"
    expected = {"dryRun": True, "results/#": 1, **(has or {})} if status == 200 else has or {}
    return Row(f"dry: {name}", method, target + mark + "dryRun=true", status, code, has=expected,
               **more)


KEY = {"tree": "parts", "key": {"id": "${part#}", "revision": 0}}
DRY = [
    dry("a creation", "POST", "/v1/records/parts", {"results/0/key/id": ANY}, json={"n": 3}),
    dry("a creation by name", "PUT", "/v1/records/notes/new", {"results/0/key/name": "new"},
        json={"text": "new"}, headers={"If-None-Match": "*"}),
    get("made nothing", "notes/new", 404, "not-found"),
    dry("an edit", "PUT", "/v1/records/parts/${part}", {"results/0/key/id": ANY}, json={"n": 9},
        headers={**match("p3"), "Prefer": "return=representation"}, reply={"ETag": None}),
    dry("a stale edit", "PUT", "/v1/records/parts/${part}", {"current/version": "${p3}"}, 412,
        "stale", json={"n": 9}, headers=match("p1")),
    dry("a value the schema does not allow", "PUT", "/v1/records/notes/new", {"field": "text"},
        422, "invalid-field", json={"text": 3}, headers={"If-None-Match": "*"}),
    dry("a patch", "PATCH", "/v1/records/parts/${part}", json={"n": 9},
        type="application/merge-patch+json", headers=match("p3")),
    dry("a deletion", "DELETE", "/v1/records/parts/${part}", headers=match("p3")),
    get("is as it was", "parts/${part}", 200, has={"n": 1}),
    Row("a plan", "POST", "/v1/records/plans", 201, json={"a": 1}, commits=1,
        save={"plan": "header:Holdfast-Key", "e1": "version"}),
    dry("a release", "POST", "/v1/records/plans/${plan}/release?revision=0", json={},
        headers=match("e1")),
    dry("a state", "POST", "/v1/records/plans/${plan}/state?revision=0", json={"draft": 3},
        headers=match("e1")),
    dry("a revision of a draft", "POST", "/v1/records/plans/${plan}/revise?revision=0", None, 409,
        "not-released", json={}),
    Row("it is released", "POST", "/v1/records/plans/${plan}/release?revision=0", 200, json={},
        headers=match("e1"), commits=1),
    dry("a revision", "POST", "/v1/records/plans/${plan}/revise?revision=0",
        {"results/0/key/revision": 1}, json={}),
    dry("a change", "POST", "/v1/changes", {"results/#": 2}, json={"operations": [
        {"put": {"tree": "parts", "expects": "absent", "value": {}}},
        {"delete": {**KEY, "expects": "${p3}"}}]}),
    dry("a change that is refused", "POST", "/v1/changes", {"operation": 0}, 428,
        "precondition-required", json={"operations": [{"delete": KEY}]}),
    dry("a borrow", "PUT", "/v1/borrows/${u:dry}", {"results/0/record/value/n": 1}, json=KEY),
    Row("was not taken", "GET", "/v1/borrows/${u:dry}", 404, "unknown-borrow"),
    Row("is taken", "PUT", "/v1/borrows/${u:dry}", 201, commits=1, headers=ANNA, json=KEY),
    dry("a line", "PUT", "/v1/borrows/${u:line}", {"results/0/place": 1}, headers=BEN,
        json={**KEY, "queue": True}),
    dry("a note", "PATCH", "/v1/borrows/${u:dry}", json={"note": "x"}, headers=ANNA,
        type="application/merge-patch+json"),
    dry("a recall", "POST", "/v1/borrows/${u:dry}/recall", headers=BEN),
    dry("a seizure", "POST", "/v1/borrows/${u:dry}/seize", headers=BEN, json={"why": "needed"}),
    dry("another holder", "POST", "/v1/borrows/${u:dry}/setHolder", headers=ANNA,
        json={"user": "ben", "device": "PC-2"}),
    dry("a return", "POST", "/v1/borrows/${u:dry}/return", headers=ANNA),
    Row("is still held", "GET", "/v1/borrows/${u:dry}", 200, has={"borrow/holder/user": "anna"}),
    Row("ben waits", "PUT", "/v1/borrows/${u:waits}", 202, commits=1, headers=BEN,
        json={**KEY, "queue": True}),
    dry("leaving the line", "POST", "/v1/borrows/${u:waits}/cancel", headers=BEN),
    dry("a range", "POST", "/v1/ranges", {"results/0/range/tree": "parts"},
        json={"tree": "parts", "count": 10}),
    dry("a tree", "PUT", "/v1/trees/later", json={"keys": "name"}),
    Row("was not declared", "GET", "/v1/trees/later", 404, "unknown-tree"),
    dry("a tree that breaks the rules", "PUT", "/v1/trees/parts", {"rules/#": ANY}, 409,
        "incompatible", json={"keys": "name"}),
    Row("dry: what is neither yes nor no", "PUT", "/v1/trees/later?dryRun=perhaps", 400,
        "bad-parameter", json={"keys": "name"}, has={"field": "dryRun"}),
    Row("a read has no dry run", "GET", "/v1/trees?dryRun=true", 400, "unsupported-parameter"),
]

COUNT = 700
# Every slice has some that somebody holds.
HELD = range(0, COUNT, 100)
MANY = [
    Row("many bins", "PUT", "/v1/trees/bins", 201, commits=1, json={"keys": "name"}),
    Row("at once", "POST", "/v1/changes", 200, commits=1, json={"operations": [
        {"put": {"tree": "bins", "key": {"name": f"{n:04}"}, "expects": "absent", "value": n}}
        for n in range(COUNT)]}),
    Row("some of them are held", "POST", "/v1/changes", 200, commits=1, headers=ANNA, json={
        "operations": [{"borrow": {"tree": "bins", "key": {"name": f"{n:04}", "revision": 0},
                                   "borrow": "${u:many%d}" % n}} for n in HELD]}),
    Row("all others go", "DELETE", "/v1/records/bins?all=true", 200, commits=3, lines=[
        {"status": 201, "results/#": 253}, *[{"status": 423}] * 3,
        {"status": 201, "results/#": 253}, *[{"status": 423}] * 3,
        {"status": 201, "results/#": 187}, *[{"status": 423}] * 1,
        {"done/records": COUNT - len(HELD), "done/lines": 3 + len(HELD)}]),
    Row("those stand", "GET", "/v1/records/bins?limit=1000", 200, has={"records/#": len(HELD)}),
    Row("one that went", "GET", "/v1/records/bins/0001/history", 200,
        save={"gone": "history/0/version"}),
    undo("it and all the others come back", "gone", 200, query="?job=true", commits=3, lines=[
        {"line": 1, "status": 201, "results/#": 187}, {"status": 201}, {"status": 201},
        {"done/accepted": 3}]),
    Row("all are there", "GET", "/v1/records/bins?limit=1000", 200, has={"records/#": COUNT}),
]
