"""Rows of the server itself and of trees. The trees declared here are those of all tables."""

import re

from table import ANY, Row

ANNA = {"Holdfast-User": "anna", "Holdfast-Device": "PC-1"}
BEN = {"Holdfast-User": "ben", "Holdfast-Device": "PC-2"}
CARL = {"Holdfast-User": "carl", "Holdfast-Device": "PC-3"}
PROBLEM = "application/problem+json"

PARTS = {
    "keys": "id", "versioned": True, "borrow": "required",
    "schema": {"version": "1.0", "fields": [
        {"name": "number", "type": "string", "unique": True},
        {"name": "stock", "type": "int64", "default": 0},
        {"name": "title", "type": "string", "optional": True},
        {"name": "footprint", "type": {"key": "footprints"}, "optional": True},
        {"name": "pins", "optional": True,
         "type": {"array": {"struct": [{"name": "number", "type": "string"}]}}}]}}
BINS = {"keys": "id", "schema": {"version": "1.0", "fields": [
    {"name": "name", "type": "string"}, {"name": "capacity", "type": "int32", "optional": True}]}}
FOOTPRINTS = {"keys": "name", "schema": {"version": "1.0", "fields": [
    {"name": "pads", "type": "int32"}]}}
AGED = {"keys": "id", "schema": {"version": "1.0", "fields": [{"name": "a", "type": "string"}]}}
AGED_2 = {"keys": "id", "schema": {"version": "2.0", "fields": [{"name": "b", "type": "string"}]}}
ORDERS = {
    "keys": "id", "versioned": True, "borrow": "optional",
    "transitions": [{"from": {"draft": 0}, "to": {"draft": 1}}]}


def tree(name, definition, status=201, **more):
    """A row that declares a tree."""
    return Row(f"declare {name}", "PUT", f"/v1/trees/{name}", status, json=definition,
               commits=more.pop("commits", 1), **more)


def wide(major):
    """A tree so wide that three versions of its schema are more than a value may hold."""
    return {"keys": "id", "schema": {"version": f"{major}.0", "fields": [
        {"name": f"field_{number:04}_{'x' * 60}", "type": "string", "optional": True}
        for number in range(4000)]}}


DECLARE = [
    tree("parts", PARTS, headers=ANNA, reply={"Location": "/v1/trees/parts"}),
    tree("bins", BINS),
    tree("footprints", FOOTPRINTS),
    tree("notes", {"keys": "name"}),
    tree("orders", ORDERS),
    tree("aged", AGED),
    Row("a record of its first major version", "POST", "/v1/records/aged", 201, json={"a": "x"},
        headers=ANNA, save={"old": "header:Holdfast-Key", "old.v": "version"}, commits=1),
    tree("aged", AGED_2, status=200),
]

TREES = [
    Row("all trees, by name", "GET", "/v1/trees", 200, has={
        "trees/#": 6, "trees/0/tree": "aged", "trees/0/current": "2.0", "trees/0/schemas/#": 2,
        "trees/1/tree": "bins", "trees/1/borrow": "required", "trees/2/borrow": "optional",
        "trees/5/keys": "id", "trees/5/versioned": True}),
    Row("one tree", "GET", "/v1/trees/parts", 200, has={
        "tree": "parts", "keys": "id", "versioned": True, "borrow": "required", "current": "1.0",
        "schemas/0/fields/0/name": "number", "schemas/0/fields/0/unique": True,
        "created/by": "anna", "created/device": "PC-1"}),
    Row("a tree without schema", "GET", "/v1/trees/notes", 200, has={"schemas": []},
        lacks=("current",)),
    Row("HEAD of a tree", "HEAD", "/v1/trees/parts", 200),
    Row("no such tree", "GET", "/v1/trees/nothing", 404, "unknown-tree"),
    Row("the same definition again is no commit", "PUT", "/v1/trees/bins", 200, json=BINS),
    Row("the same again, shown", "PUT", "/v1/trees/bins", 200, json=BINS,
        headers={"Prefer": "return=representation"}, has={"tree": "bins", "current": "1.0"}),
    Row("a new minor version adds an optional field", "PUT", "/v1/trees/bins", 200, commits=1,
        json={**BINS, "schema": {"version": "1.1", "fields": BINS["schema"]["fields"] + [
            {"name": "place", "type": "string", "optional": True}]}}),
    Row("a minor version that adds a needed field", "PUT", "/v1/trees/bins", 409, "incompatible",
        json={**BINS, "schema": {"version": "1.2", "fields": BINS["schema"]["fields"] + [
            {"name": "must", "type": "string"}]}}, has={"rules/#": ANY}),
    Row("another definition under the same version", "PUT", "/v1/trees/footprints", 409,
        "incompatible", json={"keys": "name", "schema": {"version": "1.0", "fields": [
            {"name": "pads", "type": "string"}]}}, has={"rules/#": ANY}),
    Row("another kind of keys", "PUT", "/v1/trees/notes", 409, "incompatible",
        json={"keys": "id"}),
    Row("revisions where there were none", "PUT", "/v1/trees/notes", 409, "incompatible",
        json={"keys": "name", "versioned": True}),
    Row("a name that is none", "PUT", "/v1/trees/Big%20Tree", 400, "bad-key", json={"keys": "id"}),
    Row("a system tree", "PUT", "/v1/trees/_borrows", 403, "system-tree", json={"keys": "name"}),
    Row("a definition that is not JSON", "PUT", "/v1/trees/new", 400, "bad-json", body=b"{keys"),
    Row("a definition of another media type", "PUT", "/v1/trees/new", 415,
        "unsupported-media-type", json={"keys": "id"}, type="text/plain"),
    Row("a definition without a member it needs", "PUT", "/v1/trees/new", 422, "bad-body",
        json={"versioned": True}, has={"field": "keys"}),
    Row("a definition with a member there is not", "PUT", "/v1/trees/new", 422, "bad-body",
        json={"keys": "id", "colour": "red"}, has={"field": "colour"}),
    Row("a field of a type there is not", "PUT", "/v1/trees/new", 422, "bad-definition",
        json={"keys": "id", "schema": {"version": "1.0", "fields": [
            {"name": "a", "type": "int128"}]}}, has={"field": ANY}),
    Row("a field twice", "PUT", "/v1/trees/new", 422, "bad-definition",
        json={"keys": "id", "schema": {"version": "1.0", "fields": [
            {"name": "a", "type": "string"}, {"name": "a", "type": "string"}]}}),
    Row("orders lose their transitions", "PUT", "/v1/trees/orders", 200, commits=1,
        json={"keys": "id", "versioned": True, "transitions": None},
        headers={"Prefer": "return=representation"}, lacks=("transitions",)),
    Row("and get them back", "PUT", "/v1/trees/orders", 200, json=ORDERS, commits=1),
    Row("what is left out stays", "PUT", "/v1/trees/orders", 200,
        json={"keys": "id", "versioned": True},
        headers={"Prefer": "return=representation"}, has={"transitions/#": 1}),
    Row("none of them made it", "GET", "/v1/trees/new", 404, "unknown-tree"),
    tree("wide", wide(1)),
    tree("wide", wide(2), status=200),
    Row("more schema versions than a value may hold", "PUT", "/v1/trees/wide", 413, "too-large",
        json=wide(3)),
    Row("a tree under a change id", "PUT", "/v1/trees/later", 201, json={"keys": "name"},
        headers={"Idempotency-Key": "${u:tree}"}, reply={"Idempotency-Replayed": None}, commits=1),
    Row("the same again is not done again", "PUT", "/v1/trees/later", 201, json={"keys": "name"},
        headers={"Idempotency-Key": "${u:tree}"}, reply={"Idempotency-Replayed": "true"}),
    Row("another under the same change id", "PUT", "/v1/trees/later", 422, "idempotency-mismatch",
        json={"keys": "id"}, headers={"Idempotency-Key": "${u:tree}"}),
]

SERVER = [
    Row("the server", "GET", "/v1", 200, has={
        "name": "holdfast", "application": "conformance", "databaseID": ANY, "version": ANY,
        "head": re.compile("^[0-9a-z]{13}:[0-9]+$"), "oldest": re.compile(":0$")},
        save={"head": "head", "databaseID": "databaseID", "epoch": "epoch", "chain": "chain"}),
    Row("HEAD of the server", "HEAD", "/v1", 200),
    Row("the database it is", "GET", "/v1", 200, headers={"Holdfast-Database": "${databaseID}"}),
    Row("the database it is not", "GET", "/v1", 421, "wrong-database",
        headers={"Holdfast-Database": "${u:other}"}),
    Row("a database that is no id", "GET", "/v1", 421, "wrong-database",
        headers={"Holdfast-Database": "mine"}),
    Row("at least the position it has", "GET", "/v1", 200,
        headers={"Holdfast-Min-Position": "${head}"}),
    Row("a position that is not reached", "GET", "/v1", 503, "not-yet",
        headers={"Holdfast-Min-Position": "${epoch}:9007199254740991"}, reply={"Retry-After": ANY}),
    Row("a position of another history", "GET", "/v1", 409, "diverged",
        headers={"Holdfast-Min-Position": "0000000000000:1"}),
    Row("nor after a wait", "GET", "/v1", 503, "not-yet", headers={
        "Holdfast-Min-Position": "${epoch}:9007199254740991", "Prefer": "wait=1"}),
    Row("a position that is none", "GET", "/v1", 400, "bad-header",
        headers={"Holdfast-Min-Position": "12"}),
    Row("a user of the system's", "GET", "/v1", 400, "bad-header",
        headers={"Holdfast-User": "_system"}),
    Row("a header twice in one", "GET", "/v1", 400, "bad-header",
        headers={"Holdfast-Schema": "1.0, 1.1"}),
    Row("a user that is not percent-encoded", "GET", "/v1", 400, "bad-header",
        headers={"Holdfast-User": "a%zz"}),
    Row("a caller who names everything", "GET", "/v1", 200, headers={
        **ANNA, "Holdfast-App": "stockroom", "Holdfast-Why": "z%C3%A4hlen",
        "Holdfast-Schema": "1.0"}),
    Row("a preference nobody knows is no matter", "GET", "/v1", 200,
        headers={"Prefer": "respond-async"}),
    Row("its own origin", "GET", "/v1", 200, headers={"Origin": "${origin}"}),
    Row("a method it does not take", "POST", "/v1", 405, "method-not-allowed", json={},
        reply={"Allow": re.compile("GET")}),
    Row("a method nobody knows", "FOO", "/v1", 501, "unknown-method"),
    Row("a path there is not", "GET", "/v1/nothing", 404, "no-route"),
    *[Row(f"{method} {path} comes later", method, path, 422, "unsupported") for method, path in (
        ("POST", "/v1/backups"),
        ("POST", "/v1/backups/x/verify"), ("POST", "/v1/cluster/stepDown"))],
    Row("a method nobody knows, nowhere", "BREW", "/v1/nothing", 501, "unknown-method"),
    Row("a token where there are none", "GET", "/v1", 401, "token-unknown",
        headers={"Authorization": "Bearer abc"}),
    Row("an empty segment", "GET", "/v1//trees", 400, "bad-request"),
    Row("a segment that goes up", "GET", "/v1/records/notes/..", 400, "bad-request"),
    Row("a NUL in the path", "GET", "/v1/records/notes/a%00b", 400, "bad-request"),
    Row("bytes in the path that are not UTF-8", "GET", "/v1/records/notes/%ff", 400, "bad-request"),
    Row("a broken escape", "GET", "/v1/records/notes/%zz", 400, "bad-request"),
    Row("alive", "GET", "/livez", 200, has={"status": "ok"}),
    Row("ready", "GET", "/readyz", 200, has={"status": "ok"}),
    Row("figures", "GET", "/metrics", 200, reply={"Content-Type": re.compile("^text/plain")}),
    Row("the viewer's page", "GET", "/", 200, reply={
        "Content-Type": re.compile("^text/html"),
        "Content-Security-Policy": re.compile("default-src|script-src")},
        save={"page": "header:ETag"}),
    Row("the same page", "GET", "/", 304, headers={"If-None-Match": "${page}"}),
    Row("the same page, one of several", "GET", "/", 304,
        headers={"If-None-Match": '"other", W/${page}'}),
    Row("another page", "GET", "/", 200, headers={"If-None-Match": '"other"'}),
    Row("a module of the viewer", "GET", "/main.js", 200,
        reply={"Content-Type": re.compile("^text/javascript")}, save={"module": "header:ETag"}),
    Row("the same module", "GET", "/main.js", 304, headers={"If-None-Match": "${module}"}),
    Row("a file there is not", "GET", "/nothing.js", 404, "no-route"),
    Row("a file outside", "GET", "/..%2fPackage.swift", 404, "no-route"),
    Row("a folder is not a file", "GET", "/components", 404, "no-route"),
    Row("the feed without an upgrade", "GET", "/v1/feed", 426, "upgrade-required",
        reply={"Upgrade": "websocket", "Sec-WebSocket-Version": "13"}),
    Row("a mirror without an upgrade", "GET", "/v1/mirror", 426, "upgrade-required",
        reply={"Upgrade": "websocket", "Sec-WebSocket-Version": "13"}),
]


def minimal(operation):
    """The least that is sent to an operation, for rules that hold on all of them."""
    target = operation.path.format_map({
        "tree": "parts", "key": "1", "id": "${u:nobody}", "file": "main.js",
        "sha256": "0" * 64, "seq": "${head}"})
    kind = next(iter(operation.body["content"])) if operation.body else None
    kind = "text/plain" if kind == "*/*" else kind
    body = {"type": kind, "body": b"{}"} if kind else {}
    return target, body


# Operations that come under a version or a borrow.
CONDITIONAL = (
    "putRecord", "patchRecord", "deleteRecord", "releaseRecord", "setRecordState")


def everywhere(contract):
    """Rules of every operation under /v1: one row each."""
    rows = []
    for operation in contract.operations:
        if not operation.path.startswith("/v1") or operation.id in ("openFeed", "openMirror"):
            continue
        target, body = minimal(operation)
        row = lambda name, status, code, path=target, **more: Row(
            f"{operation.id}: {name}", operation.method, path, status, code, **body, **more)
        if not any(parameter.get("name") == "dryRun" for parameter in operation.parameters):
            rows.append(row("no dry run", 400, "unsupported-parameter", target + "?dryRun=true",
                            has={"field": "dryRun"}))
        rows += [
            row("an unknown parameter", 400, "unsupported-parameter", target + "?nonsense=1",
                has={"field": "nonsense"}),
            row("another database", 421, "wrong-database",
                headers={"Holdfast-Database": "${u:other}"}),
            row("another host", 403, "forbidden-origin", headers={"Host": "holdfast.example"}),
            row("another origin", 403, "forbidden-origin",
                headers={"Origin": "http://holdfast.example"}),
            row("a header out of shape", 400, "bad-header", headers={"Holdfast-Schema": "one"}),
        ]
        if operation.writes:
            if operation.id not in CONDITIONAL:
                rows += [row(f"{name} means nothing", 400, "unsupported-parameter",
                             headers={name: value}, has={"field": name})
                         for name, value in (("If-Match", '"${head}"'), ("If-None-Match", "*"),
                                             ("Holdfast-Borrow", "${u:nobody}"))]
            rows.append(row("a change id out of shape", 400, "bad-header",
                            headers={"Idempotency-Key": "first"}))
        else:
            rows += [
                row("a body", 422, "bad-body", body=b"{}"),
                row("Last-Event-ID without events", 400, "unsupported-parameter",
                    headers={"Last-Event-ID": "${head}"}, has={"field": "Last-Event-ID"}),
                row("If-Match of a read", 400, "unsupported-parameter",
                    headers={"If-Match": '"${head}"'}, has={"field": "If-Match"}),
            ]
            if operation.id != "getFile":
                rows.append(row("a media type it does not give", 400, "unsupported-parameter",
                                headers={"Accept": "image/png"}, has={"field": "Accept"}))
            rows.append(row("a position not reached", 503, "not-yet", headers={
                "Holdfast-Min-Position": "${epoch}:9007199254740991"}, reply={"Retry-After": ANY}))
    return rows
