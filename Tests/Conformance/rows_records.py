"""Rows of records: lists, creation, edits, life cycle, and every refusal of each."""

import re
import urllib.parse

from rows_trees import ANNA, BEN, CARL
from table import ANY, Row

MERGE = "application/merge-patch+json"


def part(number, stock=1, **more):
    """A value of the tree parts."""
    return {"number": number, "stock": stock, **more}


def create(name, number, save, headers=ANNA):
    """A row that creates a part and saves its id, and its version as `<id>.v`."""
    return Row(name, "POST", "/v1/records/parts", 201, json=part(number), headers=headers,
               save={save: "header:Holdfast-Key", save + ".v": "version"}, commits=1)


# What the refusals below need: L stands, H is held by anna, D is gone, R is released, E ended.
PREPARE = [
    Row("ids for anna", "POST", "/v1/ranges", 201, headers=ANNA,
        json={"tree": "parts", "count": 50},
        has={"tree": "parts", "device": "PC-1"}, save={"first": "first"}, commits=1),
    Row("ids for ben", "POST", "/v1/ranges", 201, headers=BEN, json={"tree": "parts", "count": 50},
        save={"first.ben": "first"}, commits=1),
    create("L stands", "L", "L"),
    create("H is held", "H", "H"),
    create("D is deleted", "D", "D"),
    create("R is released", "R", "R"),
    create("K is kept", "K", "K"),
    Row("anna takes H", "PUT", "/v1/borrows/${u:H}", 201, headers=ANNA,
        json={"tree": "parts", "key": {"id": "${H#}", "revision": 0}, "note": "bench"},
        has={"borrow/state": "held", "borrow/yours": True, "record/key/revision": 0}, commits=1),
    Row("anna takes L", "PUT", "/v1/borrows/${u:E}", 201, headers=ANNA,
        json={"tree": "parts", "key": {"id": "${L#}", "revision": 0}}, commits=1),
    Row("anna gives L back", "POST", "/v1/borrows/${u:E}/return", 204, headers=ANNA, commits=1),
    Row("D goes", "DELETE", "/v1/records/parts/${D}?revision=0", 204,
        headers={**ANNA, "If-Match": '"${D.v}"'}, commits=1),
    Row("R is made final", "POST", "/v1/records/parts/${R}/release?revision=0", 200, json={},
        headers={**ANNA, "If-Match": '"${R.v}"'}, reply={"Holdfast-State": "released(0)"},
        save={"R.v": "version"}, commits=1),
    Row("L changes", "PUT", "/v1/records/parts/${L}?revision=0", 200, json=part("L", 2),
        headers={**ANNA, "If-Match": '"${L.v}"'}, save={"L.now": "version"}, commits=1),
    Row("a bin", "POST", "/v1/records/bins", 201, json={"name": "A1"},
        save={"bin": "header:Holdfast-Key", "bin.v": "version"}, commits=1,
        reply={"Location": re.compile("^/v1/records/bins/[0-9]+$"), "Holdfast-State": "plain"}),
    Row("an aged record", "POST", "/v1/records/aged", 201, json={"b": "x"},
        save={"aged": "header:Holdfast-Key", "aged.v": "version"}, commits=1,
        reply={"Holdfast-Schema": "2.0"}),
    Row("a change id is used up", "POST", "/v1/records/parts", 201, json=part("used"), headers={
        **ANNA, "Idempotency-Key": "${u:used}"}, save={"U": "header:Holdfast-Key"},
        reply={"Idempotency-Replayed": None}, commits=1),
]

CREATE = [
    Row("the same again is done once", "POST", "/v1/records/parts", 201, json=part("used"),
        headers={**ANNA, "Idempotency-Key": "${u:used}"},
        reply={"Idempotency-Replayed": "true", "Holdfast-Key": "${U}"}),
    Row("another body under that id", "POST", "/v1/records/parts", 422, "idempotency-mismatch",
        json=part("other"), headers={**ANNA, "Idempotency-Key": "${u:used}"}),
    Row("another caller under that id", "POST", "/v1/records/parts", 422, "idempotency-mismatch",
        json=part("used"), headers={**BEN, "Idempotency-Key": "${u:used}"}),
    Row("a created record, shown", "POST", "/v1/records/parts", 201,
        json=part("shown", pins=[{"number": "1"}]), commits=1,
        headers={**ANNA, "Prefer": "return=representation"},
        has={"number": "shown", "pins/0/number": "1"},
        reply={"Location": re.compile(r"^/v1/records/parts/[0-9]+\?revision=0$"),
               "Holdfast-State": "draft(0)", "Holdfast-Revision": "0", "Holdfast-Schema": "1.0",
               "ETag": re.compile('^"[0-9a-z]{13}:[0-9]+"$')}),
    Row("not JSON", "POST", "/v1/records/parts", 400, "bad-json", body=b'{"number":'),
    Row("a system tree", "POST", "/v1/records/_ranges", 403, "system-tree", json={}),
    Row("no such tree", "POST", "/v1/records/nothing", 404, "unknown-tree", json={}),
    Row("a tree of names", "POST", "/v1/records/footprints", 405, "method-not-allowed",
        json={"pads": 2}, reply={"Allow": re.compile("GET")}),
    Row("a value another has", "POST", "/v1/records/parts", 409, "unique", json=part("L"),
        has={"field": "number"}),
    Row("written by older code", "POST", "/v1/records/aged", 409, "schema-too-old", json={"a": "x"},
        headers={"Holdfast-Schema": "1.0"}),
    Row("a value above the limit", "POST", "/v1/records/parts", 413, "too-large",
        json=part("big", title="x" * (1 << 20))),
    Row("another media type", "POST", "/v1/records/parts", 415, "unsupported-media-type",
        json=part("t"), type="text/plain"),
    Row("JSON that is not UTF-8", "POST", "/v1/records/parts", 415, "unsupported-media-type",
        json=part("t"), type="application/json; charset=iso-8859-1"),
    Row("a field the schema does not know", "POST", "/v1/records/parts", 422, "unknown-field",
        json=part("f", colour="red"), has={"field": "colour"}),
    Row("a field that is missing", "POST", "/v1/records/parts", 422, "invalid-field",
        json={"stock": 1}, has={"field": "number"}),
    Row("a field of another type, far down", "POST", "/v1/records/parts", 422, "invalid-field",
        json=part("f", pins=[{"number": "1"}, {"number": 2}]), has={"field": "pins.1.number"}),
    Row("a value that is no object", "POST", "/v1/records/parts", 422, "invalid-field", json=[1]),
    Row("a schema version there never was", "POST", "/v1/records/parts", 422, "unknown-schema",
        json=part("f"), headers={"Holdfast-Schema": "3.0"}),
]

GET = [
    Row("a record", "GET", "/v1/records/parts/${L}", 200, has={"number": "L", "stock": 2},
        reply={"ETag": '"${L.now}"', "Holdfast-Key": "${L}", "Holdfast-Revision": "0",
               "Holdfast-State": "draft(0)", "Holdfast-Schema": "1.0", "Holdfast-Borrow": None,
               "Last-Modified": re.compile("GMT$"), "Content-Type": "application/json"}),
    Row("HEAD of a record", "HEAD", "/v1/records/parts/${L}", 200, reply={"ETag": '"${L.now}"'}),
    Row("its version is known", "GET", "/v1/records/parts/${L}", 304,
        headers={"If-None-Match": '"${L.now}"'}, reply={"ETag": '"${L.now}"'}),
    Row("its version is among those known", "GET", "/v1/records/parts/${L}", 304,
        headers={"If-None-Match": '"other", W/"${L.now}"'}),
    Row("anything is known", "GET", "/v1/records/parts/${L}", 304,
        headers={"If-None-Match": "*"}),
    Row("a version of another history is known", "GET", "/v1/records/parts/${L}", 200,
        headers={"If-None-Match": '"0000000000000:1"'}),
    Row("an older version is known", "GET", "/v1/records/parts/${L}", 200,
        headers={"If-None-Match": '"${L.v}"'}),
    Row("its envelope", "GET", "/v1/records/parts/${L}?meta=true", 200,
        headers={"If-None-Match": '"${L.now}"'}, reply={"ETag": None},
        has={"tree": "parts", "key/revision": 0, "state": {"draft": 0}, "version": "${L.now}",
             "schema": "1.0", "created/by": "anna", "modified/device": "PC-1", "value/stock": 2},
        lacks=("borrow",)),
    Row("a held record names its holder", "GET", "/v1/records/parts/${H}", 200, headers=BEN,
        reply={"Holdfast-Borrow": re.compile("^[0-9a-f-]{36}; user=anna; device=PC-1; since=")}),
    Row("and so does its envelope", "GET", "/v1/records/parts/${H}?meta=true", 200, headers=BEN,
        has={"borrow/holder/user": "anna", "borrow/yours": False, "borrow/note": "bench",
             "borrow/queue": 0, "borrow/dueAt": None}),
    Row("to its holder", "GET", "/v1/records/parts/${H}?meta=true", 200, headers=ANNA,
        has={"borrow/yours": True}),
    Row("by number", "GET", "/v1/records/parts/${L}?revision=0", 200),
    Row("the latest", "GET", "/v1/records/parts/${L}?revision=latest", 200),
    Row("the latest released", "GET", "/v1/records/parts/${R}?revision=released", 200,
        reply={"Holdfast-State": "released(0)"}),
    Row("none is released", "GET", "/v1/records/parts/${L}?revision=released", 404, "not-found"),
    Row("a revision there is not", "GET", "/v1/records/parts/${L}?revision=7", 404, "not-found"),
    Row("a revision that is none", "GET", "/v1/records/parts/${L}?revision=first", 400,
        "bad-parameter", has={"field": "revision"}),
    Row("meta that is neither", "GET", "/v1/records/parts/${L}?meta=1", 400, "bad-parameter"),
    Row("a key of another kind", "GET", "/v1/records/parts/abc", 400, "bad-key"),
    Row("an id with a leading zero", "GET", "/v1/records/parts/007", 400, "bad-key"),
    Row("no such tree", "GET", "/v1/records/nothing/1", 404, "unknown-tree"),
    Row("the tree nobody sees", "GET", "/v1/records/_tokens/a", 404, "unknown-tree"),
    Row("no such record", "GET", "/v1/records/parts/9999999", 404, "not-found"),
    Row("a deleted record", "GET", "/v1/records/parts/${D}", 410, "deleted",
        has={"ended/by": "anna", "ended/device": "PC-1", "ended/at": ANY, "ended/why": "delete"}),
    Row("a system record is a record", "GET", "/v1/records/_borrows/${u:H}", 200,
        has={"tree": "parts", "state": "held", "holder/user": "anna"}),
]

SLASH = "R_0603/a b"
NAMES = [
    Row("a name is created", "PUT", "/v1/records/footprints/" + urllib.parse.quote(SLASH, safe=""),
        201, json={"pads": 2}, headers={"If-None-Match": "*"}, save={"name.v": "version"},
        reply={"Location": "/v1/records/footprints/R_0603%2Fa%20b",
               "Holdfast-Key": "R_0603%2Fa%20b"}, commits=1),
    Row("and is found", "GET", "/v1/records/footprints/R_0603%2Fa%20b?meta=true", 200,
        has={"key": {"name": SLASH, "revision": 0}, "state": "plain"}),
    Row("it stands", "PUT", "/v1/records/footprints/R_0603%2Fa%20b", 412, "exists",
        json={"pads": 2}, headers={"If-None-Match": "*"}, has={"current/value/pads": 2}),
    Row("a tree without revisions has revision 0 only", "PUT",
        "/v1/records/footprints/R_0603%2Fa%20b?revision=1", 400, "bad-key", json={"pads": 2},
        headers={"If-Match": '"${name.v}"'}),
    Row("it is deleted", "DELETE", "/v1/records/footprints/R_0603%2Fa%20b", 204,
        headers={"If-Match": '"${name.v}"'}, commits=1),
    Row("gone", "GET", "/v1/records/footprints/R_0603%2Fa%20b", 410, "deleted"),
    Row("a deleted name is free again", "PUT", "/v1/records/footprints/R_0603%2Fa%20b", 201,
        json={"pads": 3}, headers={"If-None-Match": "*"}, commits=1),
    Row("a value without schema is any JSON", "PUT", "/v1/records/notes/n", 201,
        json=[1, "a", None], headers={"If-None-Match": "*"},
        reply={"Holdfast-Schema": None}, commits=1),
    Row("and comes back byte for byte", "GET", "/v1/records/notes/n", 200, has={"1": "a"}),
    Row("big numbers are exact", "PUT", "/v1/records/notes/big", 201,
        body=b'{"a":9223372036854775807,"b":18446744073709551615}', headers={"If-None-Match": "*"},
        commits=1),
    Row("out as they came in", "GET", "/v1/records/notes/big", 200,
        has={"a": 9223372036854775807, "b": 18446744073709551615}),
]

LIST = [
    Row("a page", "GET", "/v1/records/parts?limit=2", 200, has={
        "records/#": 2, "records/0/key/id": "${L#}", "next": ANY},
        reply={"Link": re.compile(r'^<[^>]*cursor=[^>]*>; rel="next"$')}, save={"cursor": "next"}),
    Row("the next page", "GET", "/v1/records/parts?limit=2&cursor=${cursor}", 200,
        has={"records/0/key/id": "${R#}", "records/0/state": {"released": 0}}),
    Row("the last page", "GET", "/v1/records/parts?limit=1000", 200, lacks=("next",),
        reply={"Link": None}),
    Row("only released ones", "GET", "/v1/records/parts?revisions=released", 200,
        has={"records/#": 1, "records/0/key/id": "${R#}"}),
    Row("all revisions", "GET", "/v1/records/parts?revisions=all", 200),
    Row("names by prefix", "GET", "/v1/records/footprints?prefix=R_", 200,
        has={"records/#": 1, "records/0/key/name": SLASH}),
    Row("no name has it", "GET", "/v1/records/footprints?prefix=zz", 200, has={"records": []}),
    Row("a stream", "GET", "/v1/records/footprints", 200,
        headers={"Accept": "application/x-ndjson"}, lines=[{"key/name": SLASH, "value/pads": 3}]),
    Row("HEAD of a list", "HEAD", "/v1/records/parts", 200),
    Row("no page is empty", "GET", "/v1/records/parts?limit=0", 400, "bad-parameter",
        has={"field": "limit"}),
    Row("a page is at most 1000", "GET", "/v1/records/parts?limit=1001", 400, "bad-parameter"),
    Row("a cursor of our own making", "GET", "/v1/records/parts?cursor=%21%21", 400,
        "bad-parameter", has={"field": "cursor"}),
    Row("revisions of no kind", "GET", "/v1/records/parts?revisions=some", 400, "bad-parameter"),
    Row("a stream has no pages", "GET", "/v1/records/parts?limit=2", 400, "bad-parameter",
        headers={"Accept": "application/x-ndjson"}),
    Row("a prefix of numbers", "GET", "/v1/records/parts?prefix=1", 400, "bad-parameter"),
    Row("no such tree", "GET", "/v1/records/nothing", 404, "unknown-tree"),
]

EDITS = [
    Row("create at an id of one's own", "PUT", "/v1/records/parts/${first}?revision=0", 201,
        json=part("own"), headers={**ANNA, "If-None-Match": "*"}, commits=1,
        reply={"Location": "/v1/records/parts/${first}?revision=0"}),
    Row("create at another's id", "PUT", "/v1/records/parts/${first.ben}?revision=0", 403,
        "outside-range", json=part("theirs"), headers={**ANNA, "If-None-Match": "*"}),
    Row("create where one stands", "PUT", "/v1/records/parts/${first}?revision=0", 412, "exists",
        json=part("again"), headers={**ANNA, "If-None-Match": "*"},
        has={"current/key/revision": 0}),
    Row("replace, shown", "PUT", "/v1/records/parts/${K}?revision=0", 200, json=part("K", 5),
        headers={**ANNA, "If-Match": '"${K.v}"', "Prefer": "return=representation"},
        has={"stock": 5}, save={"K.v": "version"}, commits=1),
    Row("patch: only what is named changes", "PATCH", "/v1/records/parts/${K}?revision=0", 200,
        json={"stock": 6, "title": "k"}, type=MERGE, headers={
            **BEN, "If-Match": '"${K.v}"', "Prefer": "return=representation"},
        has={"number": "K", "stock": 6, "title": "k"}, save={"K.v": "version"}, commits=1),
    Row("patch: null removes", "PATCH", "/v1/records/parts/${K}?revision=0", 200,
        json={"title": None}, type=MERGE, headers={
            **BEN, "If-Match": '"${K.v}"', "Prefer": "return=representation"},
        has={"stock": 6}, lacks=("title",), save={"K.v": "version"}, commits=1),
    Row("a patch of another media type", "PATCH", "/v1/records/parts/${K}?revision=0", 415,
        "unsupported-media-type", json={"stock": 7}, headers={**BEN, "If-Match": '"${K.v}"'},
        reply={"Accept-Patch": MERGE}),
    Row("write under a borrow", "PUT", "/v1/records/parts/${H}?revision=0", 200, json=part("H", 9),
        headers={**ANNA, "Holdfast-Borrow": "${u:H}"}, save={"H.v": "version"}, commits=1),
    Row("and again, without reading", "PATCH", "/v1/records/parts/${H}?revision=0", 200,
        json={"stock": 10}, type=MERGE, headers={**ANNA, "Holdfast-Borrow": "${u:H}"},
        save={"H.v": "version"}, commits=1),
    Row("a borrow and a version that is old", "PUT", "/v1/records/parts/${H}?revision=0", 412,
        "stale", json=part("H"), headers={
            **ANNA, "Holdfast-Borrow": "${u:H}", "If-Match": '"${L.v}"'}),
    Row("the number of a draft", "POST", "/v1/records/parts/${K}/state?revision=0", 200,
        json={"draft": 4}, headers={**ANNA, "If-Match": '"${K.v}"'},
        reply={"Holdfast-State": "draft(4)"}, save={"K.v": "version"}, commits=1),
    Row("an edit keeps it", "PUT", "/v1/records/parts/${K}?revision=0", 200, json=part("K", 7),
        headers={**ANNA, "If-Match": '"${K.v}"'}, reply={"Holdfast-State": "draft(4)"},
        save={"K.v": "version"}, commits=1),
    Row("release, with a number", "POST", "/v1/records/parts/${K}/release?revision=0", 200,
        json={"released": 2}, headers={**ANNA, "If-Match": '"${K.v}"'},
        reply={"Holdfast-State": "released(2)"}, save={"K.v": "version"}, commits=1),
    Row("the number of a released one", "POST", "/v1/records/parts/${K}/state?revision=0", 200,
        json={"released": 3}, headers={**ANNA, "If-Match": '"${K.v}"'},
        reply={"Holdfast-State": "released(3)"}, save={"K.v": "version"}, commits=1),
    Row("the next revision", "POST", "/v1/records/parts/${K}/revise?revision=0", 201,
        headers={**ANNA, "Idempotency-Key": "${u:revise}"}, commits=1,
        reply={"Holdfast-Revision": "1", "Holdfast-State": "draft(0)", "Holdfast-Key": "${K}",
               "Location": "/v1/records/parts/${K}?revision=1"}, save={"K1.v": "version"}),
    Row("is made once", "POST", "/v1/records/parts/${K}/revise?revision=0", 201,
        headers={**ANNA, "Idempotency-Key": "${u:revise}"}, reply={
            "Holdfast-Revision": "1", "Idempotency-Replayed": "true"}),
    Row("not twice", "POST", "/v1/records/parts/${K}/revise?revision=0", 409, "not-released",
        headers=ANNA),
    Row("latest is the draft", "GET", "/v1/records/parts/${K}", 200,
        reply={"Holdfast-Revision": "1"}, has={"stock": 7}),
    Row("released is the other", "GET", "/v1/records/parts/${K}?revision=released", 200,
        reply={"Holdfast-Revision": "0", "Holdfast-State": "released(3)"}),
    Row("the draft goes", "DELETE", "/v1/records/parts/${K}?revision=1", 204,
        headers={**ANNA, "If-Match": '"${K1.v}"'}, commits=1),
    Row("a number is never used again; the draft is held", "POST",
        "/v1/records/parts/${K}/revise?revision=0", 201, json={"hold": "${u:hold}"}, headers=ANNA,
        reply={"Holdfast-Revision": "2"}, commits=1),
    Row("by whom it was made", "GET", "/v1/records/parts/${K}?revision=2&meta=true", 200,
        has={"borrow/id": "${u:hold}", "borrow/holder/user": "anna"}),
    Row("an optional tree needs no borrow", "POST", "/v1/records/orders", 201, json={"n": 1},
        save={"order": "header:Holdfast-Key", "order.v": "version"}, commits=1),
    Row("a transition that is allowed", "POST", "/v1/records/orders/${order}/state?revision=0", 200,
        json={"draft": 1}, headers={"If-Match": '"${order.v}"'}, save={"order.v": "version"},
        commits=1),
    Row("a transition that is not", "POST", "/v1/records/orders/${order}/state?revision=0", 409,
        "bad-state", json={"draft": 0}, headers={"If-Match": '"${order.v}"'}),
]

# The five edits: method, path after the key, body, media type.
FORMS = {
    "put": ("PUT", "", part("L", 3), "application/json"),
    "patch": ("PATCH", "", {"stock": 3}, MERGE),
    "delete": ("DELETE", "", None, None),
    "release": ("POST", "/release", {"released": 0}, "application/json"),
    "state": ("POST", "/state", {"draft": 1}, "application/json"),
    "revise": ("POST", "/revise", None, None),
}


def refusals():
    """Every refusal of every edit; nothing happens in any."""
    rows = []
    for form, (method, suffix, value, kind) in FORMS.items():
        precondition = {} if form == "revise" else {"If-Match": '"${L.now}"'}

        def row(name, status, code, tree="parts", key="${L}", query="?revision=0", who=ANNA,
                given=precondition, value=value, kind=kind, **more):
            headers = {**who, **given, **more.pop("extra", {})}
            return Row(f"{form}: {name}", method, f"/v1/records/{tree}/{key}{suffix}{query}",
                       status, code, headers=headers, json=value, type=kind, **more)

        version = lambda name: {"If-Match": '"${%s}"' % name}
        under = lambda name: {"Holdfast-Borrow": "${u:%s}" % name}
        rows += [
            row("a key of another kind", 400, "bad-key", key="abc"),
            row("a revision that is none", 400, "bad-parameter", query="?revision=latest"),
            row("no revision named", 400, "revision-required", query=""),
            row("a system tree", 403, "system-tree", tree="_borrows", key="${u:H}", query=""),
            row("no such tree", 404, "unknown-tree", tree="nothing", query=""),
            row("no such record", 404, "not-found", key="9999999"),
            row("no such revision", 404, "not-found", query="?revision=9"),
            row("deleted", 410, "deleted", key="${D}", has={"ended/by": "anna"}),
            row("a change id that is used up", 422, "idempotency-mismatch",
                extra={"Idempotency-Key": "${u:used}"}),
        ]
        if form != "revise":
            rows += [
                row("no precondition", 428, "precondition-required", given={}),
                row("an old version", 412, "stale", given=version("L.v"),
                    has={"current/version": "${L.now}", "current/value/stock": 2}),
                row("a version out of shape", 400, "bad-header", given={"If-Match": "*"}),
                row("a borrow there never was", 404, "unknown-borrow", given=under("never")),
                row("a borrow that ended", 410, "borrow-ended", given=under("E"),
                    has={"ended/by": "anna", "ended/why": "return"}),
                row("a borrow of another record", 409, "borrow-mismatch", given=under("H")),
                row("another's borrow", 423, "borrowed", key="${H}", given=under("H"),
                    who=CARL),
                row("held by another", 423, "borrowed", key="${H}", given=version("H.v"), who=BEN,
                    has={"borrow/holder/user": "anna", "borrow/yours": False}),
                row("held by oneself, without saying so", 423, "borrowed", key="${H}",
                    given=version("H.v"), has={"borrow/yours": True}),
            ]
        if form in ("put", "patch", "delete", "release"):
            rows.append(row("released", 409, "released", key="${R}", given=version("R.v")))
        if form in ("put", "patch"):
            rows += [
                row("a value another has", 409, "unique", value=part("H", 3),
                    has={"field": "number"}),
                row("written by older code", 409, "schema-too-old", tree="aged", key="${aged}",
                    query="", given=version("aged.v"), value={"a": "x"},
                    extra={"Holdfast-Schema": "1.0"}),
                row("a value above the limit", 413, "too-large",
                    value=part("L", title="x" * (1 << 20))),
                row("a field the schema does not know", 422, "unknown-field",
                    value=part("L", colour="red"), has={"field": "colour"}),
                row("a field of another type", 422, "invalid-field", value=part("L", "three"),
                    has={"field": "stock"}),
                row("a schema version there never was", 422, "unknown-schema",
                    extra={"Holdfast-Schema": "7.0"}),
            ]
        if form != "delete":
            bad = dict(value=None, kind=kind or "application/json")
            rows.append(row("not JSON", 400, "bad-json", body=b'{"a":', **bad))
            rows.append(row("another media type", 415, "unsupported-media-type", kind="text/plain",
                            value=value or {}))
        if form in ("release", "state", "revise"):
            rows.append(row("a body of another shape", 422, "bad-body", kind="application/json",
                            value={"colour": 1}))
            rows.append(row("a tree without revisions", 409, "bad-state", tree="bins",
                            key="${bin}", given={} if form == "revise" else version("bin.v")))
        if form == "revise":
            rows.append(row("a draft", 409, "not-released"))
        if form == "state":
            rows.append(row("a draft is not released this way", 409, "bad-state",
                            value={"released": 0}))
            rows.append(row("a released one is no draft again", 409, "bad-state", key="${R}",
                            given=version("R.v"), value={"draft": 0}))
        if form == "put":
            rows += [
                row("an id that was used", 409, "id-taken", key="${first.gone}",
                    given={"If-None-Match": "*"}, value=part("new")),
                row("two preconditions at odds", 400, "bad-header",
                    given={"If-None-Match": "*", **version("L.now")}),
                row("a create names revision 0", 400, "bad-key", key="${first.gone}",
                    query="?revision=1", given={"If-None-Match": "*"}, value=part("new")),
            ]
    return rows


# An id of anna's range that was used and is gone.
USED = [
    Row("an id is used", "PUT", "/v1/records/parts/${first.gone}?revision=0", 201,
        json=part("gone"), headers={**ANNA, "If-None-Match": "*"},
        save={"gone.v": "version"}, commits=1),
    Row("and its record deleted", "DELETE", "/v1/records/parts/${first.gone}?revision=0", 204,
        headers={**ANNA, "If-Match": '"${gone.v}"'}, commits=1),
]
