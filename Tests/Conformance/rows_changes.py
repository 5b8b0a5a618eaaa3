"""Rows of changes: many operations as one commit, jobs, and the commits read in order."""

import json
import re

from rows_records import part
from rows_trees import ANNA, BEN
from table import ANY, Row

LINES = "application/x-ndjson"
STREAM = {"Accept": LINES}


def change(name, status, code, *operations, headers=ANNA, commits=None, **more):
    """A row that posts one change."""
    commits = (1 if status == 200 else 0) if commits is None else commits
    body = {"operations": list(operations), **more.pop("body", {})}
    return Row(name, "POST", "/v1/changes", status, code, headers=headers, json=body,
               commits=commits, **more)


def key(name, revision=0):
    """The key of a saved id."""
    return {"id": "${%s#}" % name, "revision": revision}


NEW = {"put": {"tree": "parts", "expects": "absent", "value": part("${u:number}")}}

MIXED = [
    {"put": {"tree": "notes", "key": {"name": "mixed-z"}, "expects": "absent", "value": 1}},
    {"put": {"tree": "bins", "expects": "absent", "value": {"name": "m1"}}},
    {"put": {"tree": "notes", "key": {"name": "mixed-a"}, "expects": "absent", "value": 2}},
    {"put": {"tree": "bins", "expects": "absent", "value": {"name": "m2"}}},
    {"borrow": {"tree": "notes", "key": {"name": "mixed-z"}, "borrow": "${u:mixed-z}"}},
    {"reserve": {"tree": "bins", "count": 3}},
]

ACCEPTED = [
    change("the parts of this table", 200, None,
           {"put": {"tree": "parts", "expects": "absent", "value": part("c1")}},
           {"put": {"tree": "parts", "expects": "absent", "value": part("c2")}},
           {"put": {"tree": "parts", "expects": "absent", "value": part("c3")}},
           headers={**ANNA, "Idempotency-Key": "${u:made}"},
           body={"why": "goods in", "id": "${u:made}", "madeAt": "2026-11-20T10:00:00.000Z"},
           has={"results/#": 3, "results/0/key/revision": 0, "position": ANY},
           save={"c1": "results/0/key/id", "c2": "results/1/key/id", "c3": "results/2/key/id",
                 "made.at": "position"}),
    change("the same again is done once", 200, None,
           {"put": {"tree": "parts", "expects": "absent", "value": part("c1")}},
           {"put": {"tree": "parts", "expects": "absent", "value": part("c2")}},
           {"put": {"tree": "parts", "expects": "absent", "value": part("c3")}},
           headers={**ANNA, "Idempotency-Key": "${u:made}"}, commits=0,
           body={"why": "goods in", "id": "${u:made}", "madeAt": "2026-11-20T10:00:00.000Z"},
           has={"position": "${made.at}", "results/2/key/id": "${c3}"},
           reply={"Idempotency-Replayed": "true", "Holdfast-Position": "${made.at}"}),
    change("another body under that id", 422, "idempotency-mismatch", NEW,
           body={"id": "${u:made}"}),
    change("ids of header and body that differ", 400, "bad-header", NEW,
           headers={**ANNA, "Idempotency-Key": "${u:one}"}, body={"id": "${u:two}"}),
    change("every operation there is", 200, None,
           {"defineTree": {"tree": "shelves", "definition": {"keys": "id", "borrow": "optional"}}},
           {"reserve": {"tree": "shelves", "count": 10}},
           {"put": {"tree": "shelves", "expects": "absent", "value": {"n": 1}}},
           {"patch": {"tree": "parts", "key": key("c1"), "expects": "change:${u:made}",
                      "value": {"stock": 8}}},
           {"borrow": {"tree": "parts", "key": key("c2"), "borrow": "${u:c2}", "note": "shelf"}},
           {"setState": {"tree": "parts", "key": key("c2"), "borrow": "${u:c2}",
                         "state": {"draft": 5}}},
           {"release": {"tree": "parts", "key": key("c3"), "expects": "${made.at}", "released": 1}},
           {"revise": {"tree": "parts", "key": key("c3"), "hold": "${u:c3}"}},
           {"return": {"borrow": "${u:c2}"}},
           has={"results/#": 9, "results/1/range/tree": "shelves", "results/2/key/id": ANY,
                "results/3/key/id": "${c1}", "results/4/record/key/id": "${c2}",
                "results/7/key": {"id": "${c3}", "revision": 1}, "results/8": {}}),
    Row("who and why of it", "GET", "/v1/records/parts/${c1}?meta=true", 200,
        has={"modified/by": "anna", "value/stock": 8}, save={"c1.v": "version"}),
    Row("a draft with its number", "GET", "/v1/records/parts/${c2}?meta=true", 200,
        has={"state": {"draft": 5}}, lacks=("borrow",), save={"c2.v": "version"}),
    change("delete in a change", 200, None,
           {"delete": {"tree": "parts", "key": key("c1"), "expects": "${c1.v}"}},
           has={"results/#": 1}),
    change("join a line in a change", 200, None,
           {"borrow": {"tree": "parts", "key": {"id": "${c3#}", "revision": 1},
                       "borrow": "${u:c3-ben}", "queue": True}}, headers=BEN,
           has={"results/0/place": 1}),
    change("leave it in a change", 200, None, {"cancel": {"borrow": "${u:c3-ben}"}}, headers=BEN),
    change("many trees at once", 200, None, *MIXED, commits=1, body={"id": "${u:mixed}"},
           has={"results/#": 6, "results/4/record/borrow/yours": True},
           save={"mixed.1": "results/1/key/id", "mixed.3": "results/3/key/id",
                 "mixed.5": "results/5/range/first"}),
    change("are told in the same order again", 200, None, *MIXED, commits=0,
           body={"id": "${u:mixed}"}, reply={"Idempotency-Replayed": "true"},
           has={"results/#": 6, "results/0/key/name": "mixed-z", "results/1/key/id": "${mixed.1}",
                "results/2/key/name": "mixed-a", "results/3/key/id": "${mixed.3}",
                "results/4/record/key/name": "mixed-z", "results/5/range/first": "${mixed.5}"}),
    change("Holdfast-Schema is that of values that name none", 409, "schema-too-old",
           {"put": {"tree": "aged", "expects": "absent", "value": {"a": "x"}}},
           headers={**ANNA, "Holdfast-Schema": "1.0"}),
    change("it is borrowed before it is migrated", 200, None,
           {"borrow": {"tree": "aged", "key": key("old"), "borrow": "${u:old}"}}, headers=BEN),
    change("a migration says so", 423, "borrowed", {"put": {
        "tree": "aged", "key": key("old"), "expects": "${old.v}", "value": {"b": "x"}}}),
    change("a migration of another version", 412, "stale", {"put": {
        "tree": "aged", "key": key("old"), "expects": "${c2.v}", "migrate": True,
        "value": {"b": "x"}}}),
    change("a migration of what is borrowed", 200, None, {"put": {
        "tree": "aged", "key": key("old"), "expects": "${old.v}", "migrate": True,
        "value": {"b": "x"}}}, save={"old.new": "position"}),
    Row("was done, and stays borrowed", "GET", "/v1/records/aged/${old}?meta=true", 200,
        has={"value/b": "x", "schema": "2.0", "borrow/holder/user": "ben"}),
    change("and is returned", 200, None, {"return": {"borrow": "${u:old}"}}, headers=BEN),
    change("a migration of what is new", 422, "bad-body", {"put": {
        "tree": "aged", "key": key("old"), "expects": "${old.new}", "migrate": True,
        "value": {"b": "y"}}}, has={"field": "migrate"}),
    change("a patch is no migration", 422, "bad-body", {"patch": {
        "tree": "aged", "key": key("old"), "expects": "${old.new}", "migrate": True,
        "value": {"b": "y"}}}),
    change("atomic may be said", 200, None,
           {"put": {"tree": "notes", "key": {"name": "atomic"}, "expects": "absent", "value": 1}}),
]
ACCEPTED[-1].target += "?atomic=true"

TAKE_L = {"borrow": {"tree": "parts", "key": key("L"), "borrow": "${u:L-many}"}}
TAKE_H = {"borrow": {"tree": "parts", "key": key("H"), "borrow": "${u:H-many}", "queue": True}}


def put(**members):
    """A put on L that would be accepted, but for what is said."""
    return {"put": {"tree": "parts", "key": key("L"), "expects": "${L.now}",
                    "value": part("L", 3), **members}}


def refusals():
    """Every refusal of a change: the second operation is refused and the first did not happen."""
    second = [
        ("a key of another kind", 400, "bad-key", put(key={"name": "a", "revision": 0})),
        ("no revision", 400, "revision-required", put(key={"id": "${L#}"})),
        ("a system tree", 403, "system-tree", put(tree="_ranges", key={"name": "a"})),
        ("another's id", 403, "outside-range",
         put(key={"id": "${first.ben#}", "revision": 0}, expects="absent", value=part("n"))),
        ("no such tree", 404, "unknown-tree", put(tree="nothing")),
        ("no such record", 404, "not-found", put(key={"id": 9999999, "revision": 0})),
        ("no such borrow", 404, "unknown-borrow", {"return": {"borrow": "${u:never}"}}),
        ("an id that was used", 409, "id-taken",
         put(key={"id": "${first.gone#}", "revision": 0}, expects="absent", value=part("n"))),
        ("a value another has", 409, "unique", put(value=part("H"))),
        ("released", 409, "released", put(key=key("R"), expects="${R.v}")),
        ("a draft", 409, "not-released", {"revise": {"tree": "parts", "key": key("L")}}),
        ("a draft is not released this way", 409, "bad-state", {"setState": {
            "tree": "parts", "key": key("L"), "expects": "${L.now}", "state": {"released": 0}}}),
        ("written by older code", 409, "schema-too-old", {"put": {
            "tree": "aged", "expects": "absent", "schema": "1.0", "value": {"a": "x"}}}),
        ("a tree of another kind", 409, "incompatible",
         {"defineTree": {"tree": "notes", "definition": {"keys": "id"}}}),
        ("a borrow of another record", 409, "borrow-mismatch",
         put(borrow="${u:H}", expects="${L.now}")),
        ("deleted", 410, "deleted", put(key=key("D"))),
        ("a borrow that ended", 410, "borrow-ended", {"return": {"borrow": "${u:E}"}}),
        ("an old version", 412, "stale", put(expects="${L.v}")),
        ("hold on what stands", 422, "bad-body", put(hold="${u:never}")),
        ("a borrow of what does not stand", 422, "bad-body", {"put": {
            "tree": "notes", "key": {"name": "n"}, "expects": "absent", "borrow": "${u:never}",
            "value": 1}}),
        ("last changed by another change", 412, "stale", put(expects="change:${u:never}")),
        ("it stands", 412, "exists", put(expects="absent")),
        ("a value above the limit", 413, "too-large", put(value=part("L", title="x" * (1 << 20)))),
        ("an unknown field", 422, "unknown-field", put(value=part("L", colour=1))),
        ("a field of another type", 422, "invalid-field", put(value=part("L", "three"))),
        ("an unknown schema version", 422, "unknown-schema", put(schema="7.0")),
        ("a definition that is none", 422, "bad-definition", {"defineTree": {
            "tree": "new", "definition": {"keys": "id", "schema": {"version": "1.0", "fields": [
                {"name": "a", "type": "int128"}]}}}}),
        ("a term too short", 422, "bad-body", {"borrow": {
            "tree": "parts", "key": key("L"), "borrow": "${u:lease}", "kind": "leased",
            "termSeconds": 1}}),
        ("held by another", 423, "borrowed",
         {"patch": {"tree": "parts", "key": key("H"), "expects": "${H.v}", "value": {"stock": 1}}}),
        ("neither version nor borrow", 428, "precondition-required", {
            "delete": {"tree": "parts", "key": key("L")}}),
    ]
    rows = [
        change(name, status, code, NEW, operation, has={"operation": 1},
               headers=BEN if code == "borrowed" else ANNA)
        for name, status, code, operation in second
    ]
    shapes = [
        ("no operations", {"operations": []}),
        ("none named", {}),
        ("an operation of no name", {"operations": [{}]}),
        ("an operation nobody knows", {"operations": [{"undo": {}}]}),
        ("two operations in one", {"operations": [{**NEW, "return": {"borrow": "${u:E}"}}]}),
        ("a member nobody knows", {"operations": [NEW], "colour": 1}),
        ("an id that is none", {"operations": [NEW], "id": "first"}),
        ("no value", {"operations": [{"put": {"tree": "parts", "expects": "absent"}}]}),
        ("a version without its epoch", {"operations": [put(expects="12")]}),
        ("a list", [NEW]),
    ]
    rows += [Row(name, "POST", "/v1/changes", 422, "bad-body", headers=ANNA, json=body)
             for name, body in shapes]
    rows += [
        change("all or none, and never a line", 423, "borrowed", TAKE_L, TAKE_H, headers=BEN,
               has={"operation": 1}),
        Row("not JSON", "POST", "/v1/changes", 400, "bad-json", body=b'{"operations":[',
            headers=ANNA),
        Row("a member twice", "POST", "/v1/changes", 400, "bad-json", headers=ANNA,
            body=b'{"why":"a","why":"b","operations":[]}'),
        Row("atomic that is neither", "POST", "/v1/changes?atomic=1", 400, "bad-parameter",
            json={"operations": [NEW]}),
        Row("JSON is atomic", "POST", "/v1/changes?atomic=false", 400, "bad-parameter",
            json={"operations": [NEW]}),
        Row("another media type", "POST", "/v1/changes", 415, "unsupported-media-type",
            json={"operations": [NEW]}, type="text/plain"),
    ]
    return rows


def lines(*changes):
    """NDJSON of changes."""
    return "".join((c if isinstance(c, str) else json.dumps(c)) + "\n" for c in changes)


def note(name, value=1):
    """A line that makes a note."""
    return json.dumps({"operations": [{"put": {
        "tree": "notes", "key": {"name": name}, "expects": "absent", "value": value}}]})


JOB = lines(
    {"why": "import", "operations": [{"put": {
        "tree": "notes", "key": {"name": "j1"}, "expects": "absent", "value": 1}}]},
    {"operations": [{"put": {
        "tree": "notes", "key": {"name": "atomic"}, "expects": "absent", "value": 2}}]},
    "{broken",
    {"operations": [{"put": {
        "tree": "nothing", "key": {"name": "j3"}, "expects": "absent", "value": 3}}]},
    {"id": "${u:line}", "operations": [{"put": {
        "tree": "notes", "key": {"name": "j4"}, "expects": "absent", "value": 4}}]})

JOBS = [
    Row("a job: each line on its own", "POST", "/v1/changes", 200, body=JOB, type=LINES,
        headers={**ANNA, "Idempotency-Key": "${u:job}"}, commits=2,
        reply={"Content-Type": re.compile("^application/x-ndjson")}, lines=[
            {"line": 1, "status": 201, "results/0/key/name": "j1"},
            {"line": 2, "status": 412, "problem/code": "exists", "problem/operation": 0},
            {"line": 3, "status": 400, "problem/code": "bad-json"},
            {"line": 4, "status": 404, "problem/code": "unknown-tree"},
            {"line": 5, "status": 201, "results/0/key/name": "j4"},
            {"done/job": "${u:job}", "done/lines": 5, "done/accepted": 2, "done/refused": 3}]),
    Row("the job again does nothing twice", "POST", "/v1/changes?atomic=false", 200, body=JOB,
        type=LINES, headers={**ANNA, "Idempotency-Key": "${u:job}"}, lines=[
            {"line": 1, "status": 201, "replayed": True}, {"status": 412}, {"status": 400},
            {"status": 404}, {"line": 5, "status": 201, "replayed": True},
            {"done/accepted": 2, "done/refused": 3}]),
    Row("a job without a key gets one", "POST", "/v1/changes", 200, type=LINES, headers=ANNA,
        body=lines({"operations": [{"delete": {"tree": "notes", "key": {"name": "j1"}}}]}),
        lines=[{"status": 428}, {"done/job": ANY, "done/refused": 1}]),
    Row("lines may end in CR LF and be empty", "POST", "/v1/changes", 200, type=LINES,
        headers={**ANNA, "Idempotency-Key": "${u:crlf}"}, commits=2,
        body=(note("crlf1") + "\r\n\r\n" + note("crlf2")).encode(),
        lines=[{"line": 1, "status": 201}, {"line": 3, "status": 201}, {"done/accepted": 2}]),
    Row("and are the same with LF alone", "POST", "/v1/changes", 200, type=LINES,
        headers={**ANNA, "Idempotency-Key": "${u:crlf}"},
        body=(note("crlf1") + "\n\n" + note("crlf2") + "\n").encode(),
        lines=[{"line": 1, "replayed": True}, {"line": 3, "replayed": True}, {"done/accepted": 2}]),
    Row("a line of another caller's job", "POST", "/v1/changes", 200, type=LINES,
        headers={**BEN, "Idempotency-Key": "${u:crlf}"}, body=note("crlf1").encode(),
        lines=[{"status": 422, "problem/code": "idempotency-mismatch"}, {"done/refused": 1}]),
    Row("a line that is too long does not take the next with it", "POST", "/v1/changes", 200,
        type=LINES, headers=ANNA, commits=1,
        body=note("long", "x" * (17 << 20)).encode() + b"\n" + note("short").encode(),
        lines=[{"line": 1, "status": 413, "problem/code": "too-large"},
               {"line": 2, "status": 201}, {"done/accepted": 1}]),
    Row("a job's Holdfast-Schema is that of its lines", "POST", "/v1/changes", 200, type=LINES,
        headers={**ANNA, "Holdfast-Schema": "1.0"},
        body=lines({"operations": [{"put": {"tree": "aged", "expects": "absent",
                                            "value": {"a": "x"}}}]}),
        lines=[{"status": 409, "problem/code": "schema-too-old"}, {"done/refused": 1}]),
    Row("a job is not atomic", "POST", "/v1/changes?atomic=true", 400, "bad-parameter", body=JOB,
        type=LINES, headers=ANNA),
]

READ = [
    Row("all commits", "GET", "/v1/changes?limit=1000", 200, has={
        "commits/0/seq": 1, "commits/0/by": "anna", "commits/0/effects/0/set/tree": ANY,
        "commits/1/seq": 2, "commits/2/chain": re.compile("^[0-9a-f]{32}$")},
        save={"chain.3": "commits/2/chain", "next": "next"}),
    Row("a page of them", "GET", "/v1/changes?since=${epoch}:0&limit=3", 200,
        has={"commits/#": 3, "next": "${epoch}:3"}),
    Row("those after a position, shown to be ours", "GET",
        "/v1/changes?since=${epoch}:3&chain=${chain.3}&limit=1", 200, has={"commits/0/seq": 4}),
    Row("nothing new", "GET", "/v1/changes?since=${next}", 200,
        has={"commits": [], "next": "${next}"}),
    Row("the commit of a change", "GET", "/v1/changes?since=${before}&limit=1", 200, has={
        "commits/0/id": "${u:made}", "commits/0/why": "goods in", "commits/0/device": "PC-1",
        "commits/0/effects/#": 3, "commits/0/effects/0/set/label": "create",
        "commits/0/effects/0/set/value/number": "c1"}),
    Row("as a stream", "GET", "/v1/changes?since=${last}", 200, headers=STREAM,
        lines=[{"seq": ANY, "effects/#": ANY}]),
    Row("HEAD of changes", "HEAD", "/v1/changes", 200),
    Row("HEAD of events", "HEAD", "/v1/changes", 200, headers={"Accept": "text/event-stream"},
        reply={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}),
    Row("a page that need not wait", "GET", "/v1/changes?limit=1&wait=60", 200,
        has={"commits/#": 1}),
    Row("a page that waits for nothing", "GET", "/v1/changes?since=${next}&wait=0", 200,
        has={"commits": [], "next": "${next}"}),
    Row("a position that is none", "GET", "/v1/changes?since=12", 400, "bad-parameter",
        has={"field": "since"}),
    Row("a chain that is none", "GET", "/v1/changes?since=${epoch}:3&chain=abc", 400,
        "bad-parameter", has={"field": "chain"}),
    Row("a stream has no pages", "GET", "/v1/changes?limit=3", 400, "bad-parameter",
        headers=STREAM),
    Row("another history", "GET", "/v1/changes?since=0000000000000:3", 409, "diverged"),
    Row("another chain", "GET", f"/v1/changes?since=${{epoch}}:3&chain={'0' * 32}", 409,
        "diverged"),
    Row("beyond the head", "GET", "/v1/changes?since=${epoch}:9007199254740991", 409, "diverged"),
]
