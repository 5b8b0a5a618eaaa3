"""The table of route x right: what each operation answers to whom.

Nine callers: none (shows no token), unknown (shows one nobody gave out), other (every right on another
tree), reader, writer and keeper (`read`, `write`, `admin` on parts), watcher (`read` on every tree),
admin (every right everywhere). A cell is the status, or the status and the code of the problem.
"""

import hashlib
import re

from table import ANY, Row

CALLERS = ("none", "unknown", "other", "reader", "writer", "keeper", "watcher", "admin")

RIGHTS = {
    "other": {"other": ["read", "write", "seize", "migrate", "admin"]},
    "reader": {"parts": ["read"]},
    "writer": {"parts": ["write"]},
    "keeper": {"parts": ["admin"]},
    "watcher": {"*": ["read"]},
}

# What must not stand in any reply to a caller: names and values of what it may not read.
WORDS = {
    "none": (b"hidden", b"secret", b"bolt"), "unknown": (b"hidden", b"secret", b"bolt"),
    "other": (b"hidden", b"secret", b"bolt"), "reader": (b"hidden", b"secret"),
    "writer": (b"hidden", b"secret"), "keeper": (b"hidden", b"secret"), "watcher": (), "admin": (),
}
# Mirrors are given the declarations of all trees, and a snapshot is for mirrors too; the viewer's
# files are everybody's. What the contract tells to whom is openapi_test.py's: it is long, and speaks
# of secrets itself.
TELLS_OF_TREES = ("getSnapshot", "getViewer", "getViewerFile", "getDocumentation", "getContract")

MISSING = (401, "token-missing")
UNKNOWN = (401, "token-unknown")
MERGE = "application/merge-patch+json"
FORBIDDEN = (403, "forbidden")
NO_TREE = (404, "unknown-tree")


def schema(minor, *more):
    """A version of the schema of parts."""
    return {"keys": "id", "versioned": True, "borrow": "optional", "schema": {
        "version": f"1.{minor}", "fields": [
            {"name": "n", "type": "string"},
            *({"name": name, "type": "string", "optional": True} for name in more)]}}


def as_(caller):
    """The header by which a caller shows its token."""
    return {} if caller == "none" else {"Authorization": "Bearer ${token:%s}" % caller}


def open_(status):
    """Asks for nothing."""
    return dict.fromkeys(CALLERS, status)


def token(status):
    """Any token will do."""
    return {**open_(status), "none": MISSING, "unknown": UNKNOWN}


def reading(status, otherwise=NO_TREE):
    """Whoever may read parts."""
    return {**token(status), "other": otherwise}


def writing(status, otherwise=NO_TREE):
    """Whoever may write parts."""
    return {**reading(FORBIDDEN, otherwise), "writer": status, "admin": status}


def everywhere(right, status):
    """Whoever has a right on every tree."""
    cells = {**token(FORBIDDEN), "admin": status}
    return {**cells, "watcher": status} if right == "read" else cells


RECORD = "/v1/records/parts/${id:%s}"
AT_0 = RECORD + "?revision=0"


def operations():
    """Operation, method, target, cells, and what more its row says; `%s` is the caller."""
    one = {"n": "bolt"}
    mine = hashlib.sha256(b"of none").hexdigest()
    shown = hashlib.sha256(b"shown").hexdigest()
    uploads = {**token(FORBIDDEN), "other": 201, "writer": 201, "admin": 201}
    match = {"If-Match": '"${v:%s}"'}
    keep = {"save": {"v:%s": "version"}}
    merge = {"type": MERGE}
    return [
        ("getServer", "GET", "/v1", {**open_(200), "unknown": UNKNOWN}, {}),
        ("getLive", "GET", "/livez", open_(200), {}),
        ("getReady", "GET", "/readyz", open_(200), {}),
        ("getViewer", "GET", "/", open_(200), {}),
        ("getViewerFile", "GET", "/main.js", open_(200), {}),
        ("getDocumentation", "GET", "/docs", open_(200), {}),
        ("getContract", "GET", "/v1/openapi.json", token(200), {}),
        ("getMetrics", "GET", "/metrics", everywhere("read", 200), {}),
        ("listTrees", "GET", "/v1/trees", token(200), {}),
        ("getTree", "GET", "/v1/trees/parts", reading(200), {}),
        ("putTree", "PUT", "/v1/trees/parts", reading(200), {"json": schema(0)}),
        ("listRecords", "GET", "/v1/records/parts", reading(200),
         {"has": {"records/0/tree": "parts"}}),
        ("listRecords", "GET", "/v1/records/parts", reading(200),
         {"headers": {"Accept": "application/x-ndjson"}}),
        ("listRecords", "GET", "/v1/records/parts", reading(200),
         {"headers": {"Accept": "text/csv"}}),
        ("listRecords", "GET", "/v1/records/_trees",
         {**token(NO_TREE), "watcher": 200, "admin": 200}, {}),
        ("listRecords", "GET", "/v1/records/_tokens", token(NO_TREE), {}),
        ("createRecord", "POST", "/v1/records/parts", writing(201), {"json": one, "commits": 1}),
        ("getRecord", "GET", RECORD, reading(200), {"has": {"n": "bolt"}}),
        ("getRecord", "GET", RECORD + "?meta=true", reading(200), {"has": {"value/n": "bolt"}}),
        ("getRecord", "GET", RECORD + "?at=${v:%s}", reading(200), {"has": {"n": "bolt"}}),
        ("getHistory", "GET", RECORD + "/history", reading(200), {"has": {"history/0/by": ANY}}),
        ("listRecords", "GET", "/v1/records/parts?where=n:eq:bolt&sort=n", reading(200), {}),
        ("listRecords", "GET", "/v1/records/hidden?fields=n&state=plain", {
            **token(NO_TREE), "watcher": 200, "admin": 200}, {}),
        ("getHistory", "GET", "/v1/records/hidden/x/history", {
            **token(NO_TREE), "watcher": (404, "not-found"), "admin": (404, "not-found")}, {}),
        ("putRecord", "PUT", AT_0, writing(200),
         {"json": one, "headers": match, "commits": 1, **keep}),
        ("putRecord", "PUT", AT_0, writing((412, "stale")),
         {"json": one, "headers": {"If-Match": '"${epoch}:1"'}}),
        ("patchRecord", "PATCH", AT_0, writing(200),
         {"json": one, "headers": match, "commits": 1, **merge, **keep}),
        ("setRecordState", "POST", RECORD + "/state?revision=0", writing(200),
         {"json": {"draft": 1}, "headers": match, "commits": 1, **keep}),
        ("listBorrows", "GET", "/v1/borrows", token(200), {}),
        ("listBorrows", "GET", "/v1/borrows?tree=parts", reading(200), {}),
        ("getBorrow", "GET", "/v1/borrows/${u:held}", reading(200, (404, "unknown-borrow")), {}),
        ("putBorrow", "PUT", "/v1/borrows/${u:b:%s}", writing(201), {
            "json": {"tree": "parts", "key": {"id": "${id:%s#}", "revision": 0}}, "commits": 1}),
        ("patchBorrow", "PATCH", "/v1/borrows/${u:held}", {
            **writing((409, "borrow-mismatch"), (404, "unknown-borrow")), "admin": 200},
         {"json": {"note": "by %s"}, "commits": 1, **merge}),
        ("recallBorrow", "POST", "/v1/borrows/${u:held}/recall",
         writing(200, (404, "unknown-borrow")), {"commits": 1}),
        ("setHolderOfBorrow", "POST", "/v1/borrows/${u:held}/setHolder", {
            **writing((423, "borrowed"), (404, "unknown-borrow")), "admin": 200},
         {"json": {"user": "anna", "device": "PC-1"}}),
        ("seizeBorrow", "POST", "/v1/borrows/${u:held}/seize", {
            **writing(FORBIDDEN, (404, "unknown-borrow")), "admin": (422, "reason-required")}, {}),
        ("seizeBorrow", "POST", "/v1/borrows/${u:late}/seize",
         {**reading((410, "borrow-ended"), (404, "unknown-borrow")), "reader": FORBIDDEN,
          "writer": 204}, {"json": {"why": "late"}, "commits": 1}),
        ("cancelBorrow", "POST", "/v1/borrows/${u:held}/cancel", {
            **writing((423, "borrowed"), (404, "unknown-borrow")),
            "admin": (409, "borrow-mismatch")}, {}),
        ("returnBorrow", "POST", "/v1/borrows/${u:held}/return", {
            **writing((423, "borrowed"), (404, "unknown-borrow")), "admin": 204}, {"commits": 1}),
        ("getBorrow", "GET", "/v1/borrows/${u:held}", {
            **reading((410, "borrow-ended"), (404, "unknown-borrow"))}, {}),
        ("releaseRecord", "POST", RECORD + "/release?revision=0", writing(200),
         {"headers": {"Holdfast-Borrow": "${u:b:%s}"}, "commits": 1, **keep}),
        ("reviseRecord", "POST", RECORD + "/revise?revision=0", writing(201),
         {"commits": 1, **keep}),
        ("deleteRecord", "DELETE", RECORD + "?revision=1", writing(204),
         {"headers": match, "commits": 1}),
        ("postChange", "POST", "/v1/changes", writing(200), {"commits": 1, "json": {"operations": [
            {"put": {"tree": "parts", "expects": "absent", "value": one}}]}}),
        ("postChange", "POST", "/v1/changes?tree=parts", writing(200), {
            "body": b"n\nbolt\n", "type": "text/csv", "commits": 1, "is_job": True}),
        ("postChange", "POST", "/v1/changes?tree=parts&dryRun=true", writing(200), {
            "body": b"n\nbolt\n", "type": "text/csv"}),
        ("postChange", "POST", "/v1/changes?tree=hidden", {
            **token(NO_TREE), "watcher": FORBIDDEN, "admin": 200}, {
            "body": b"_key,_value\n", "type": "text/csv"}),
        ("postChange", "POST", "/v1/changes", {**token(NO_TREE), "reader": FORBIDDEN,
                                               "writer": NO_TREE, "keeper": FORBIDDEN,
                                               "watcher": FORBIDDEN, "admin": 200}, {
            "commits": 1, "json": {"operations": [
                {"put": {"tree": "parts", "expects": "absent", "value": one}},
                {"put": {"tree": "hidden", "key": {"name": "by %s", "revision": 0},
                         "expects": "absent", "value": one}}]}}),
        ("listChanges", "GET", "/v1/changes?limit=1000", token(200), {}),
        ("getChange", "GET", "/v1/changes/${v:%s}", reading(200, (404, "not-found")), {}),
        ("undoChange", "POST", "/v1/changes/${v:%s}/undo?dryRun=true",
         writing((409, "changed-since"), (404, "not-found")), {}),
        ("deleteRecords", "DELETE", "/v1/records/parts?all=true&dryRun=true", writing(200), {}),
        ("deleteRecords", "DELETE", "/v1/records/hidden?all=true&dryRun=true", {
            **token(NO_TREE), "watcher": FORBIDDEN, "admin": 200}, {}),
        ("listChanges", "GET", "/v1/changes", token(200),
         {"headers": {"Accept": "application/x-ndjson"}}),
        ("listChanges", "GET", "/v1/changes?wait=1", token(200), {}),
        ("listChanges", "HEAD", "/v1/changes", token(200),
         {"headers": {"Accept": "text/event-stream"}}),
        ("listRanges", "GET", "/v1/ranges", token(200), {}),
        ("listRanges", "GET", "/v1/ranges?tree=parts", reading(200), {}),
        ("postRange", "POST", "/v1/ranges", writing(201),
         {"json": {"tree": "parts", "count": 10}, "commits": 1}),
        ("putTree", "PUT", "/v1/trees/parts", {**writing(FORBIDDEN), "keeper": 200, "admin": 200},
         {"json": {"keeper": schema(1, "a"), "admin": schema(2, "a", "b"),
                   None: schema(3, "c")}, "commits": 1}),
        ("putTree", "PUT", "/v1/trees/made-by-%s", {**token(NO_TREE), "watcher": FORBIDDEN,
                                                    "admin": 201},
         {"json": schema(0), "commits": 1}),
        ("postTicket", "POST", "/v1/feed/tickets", token(201), {
            "has": {"ticket": re.compile("^hft_[0-9a-f]{64}$"), "expiresAt": ANY},
            "save": {"ticket:%s": "ticket"}, "reply": {"Cache-Control": "no-store"}}),
        ("listDevices", "GET", "/v1/devices", everywhere("read", 200), {}),
        ("getOwnDevice", "GET", "/v1/devices/me", token((404, "not-found")), {}),
        ("deleteDevice", "DELETE", "/v1/devices/nobody", everywhere("admin", (404, "not-found")), {}),
        ("listTokens", "GET", "/v1/tokens", everywhere("admin", 200), {}),
        ("getOwnToken", "GET", "/v1/tokens/me", token(200), {
            "has": {"user": ANY, "rights": ANY}, "lacks": ("token", "hash")}),
        ("postToken", "POST", "/v1/tokens", everywhere("admin", 201), {
            "json": {"user": "carl", "device": "PC-3", "rights": {"parts": ["read"]}},
            "commits": 1, "has": {"token": re.compile("^hf_[0-9a-f]{64}$"), "user": "carl"},
            "save": {"token:revoked": "token", "revoked": "id"},
            "reply": {"Cache-Control": "no-store"}}),
        ("patchToken", "PATCH", "/v1/tokens/${revoked}", everywhere("admin", 200), {
            **merge, "json": {"rights": {"bins": ["write"]}}, "commits": 1,
            "has": {"id": "${revoked}", "user": "carl", "rights": {"bins": ["read", "write"]}},
            "lacks": ("token", "hash")}),
        ("deleteToken", "DELETE", "/v1/tokens/${revoked}", everywhere("admin", 204),
         {"commits": 1}),
        ("postFile", "POST", "/v1/files", uploads,
         {"body": "of %s", "type": "text/plain", "commits": 1}),
        ("putFile", "PUT", f"/v1/files/{mine}", {
            **uploads, **dict.fromkeys(("writer", "other", "admin"), (400, "hash-mismatch"))},
         {"body": "bytes of %s"}),
        # Whoever may read a record that names it.
        ("getFile", "GET", "/v1/files/${secret}", {
            **token((404, "unknown-file")), "watcher": 200, "admin": 200}, {}),
        ("getFile", "GET", f"/v1/files/{shown}", {
            **token((404, "unknown-file")), "other": 200, "watcher": 200, "admin": 200}, {}),
        ("postSnapshot", "POST", "/v1/snapshot", everywhere("admin", 200), {}),
        ("postHeal", "POST", "/v1/heal?discard=true", everywhere("admin", 200), {}),
        ("getSnapshot", "GET", "/v1/snapshot", token(200),
         {"save": {"parts:%s": "parts"}}),
        ("getPart", "GET", "/v1/snapshot/${part:parts}",
         reading(200, (404, "unknown-snapshot")), {}),
        ("getPart", "GET", "/v1/snapshot/${part:hidden}", {
            **token((404, "unknown-snapshot")), "watcher": 200, "admin": 200}, {}),
    ]


def row(operation, method, target, cell, caller, more):
    """One cell as a row."""
    status, code = cell if isinstance(cell, tuple) else (cell, None)
    is_made = status < 400
    put = lambda value: (
        value.replace("%s", caller) if isinstance(value, str)
        else {put(k): put(v) for k, v in value.items()} if isinstance(value, dict)
        else [put(v) for v in value] if isinstance(value, list) else value)
    body = more.get("json")
    if body and None in body:
        body = body.get(caller, body[None])
    reply = more.get("reply", {}) if is_made else {}
    if status == 401:
        reply = {"WWW-Authenticate": re.compile('^Bearer realm="holdfast"')}
    return Row(
        f"{operation} {target} by {caller}", method, put(target), status, code,
        headers={**put(more.get("headers", {})), **as_(caller)}, json=put(body),
        body=put(more["body"]) if "body" in more else None,
        type=more.get("type"), has=put(more.get("has", {})) if is_made else {},
        save=put(more.get("save", {})) if is_made else {}, reply=reply,
        # Of a job the reply's position is not its commits'.
        lines=[{"status": 201}, {"done/accepted": 1}] if is_made and more.get("is_job") else None,
        commits=more.get("commits", 0) if is_made else 0)


# Before there is a token: trees, records, and what a first token must be.
OPEN = [
    Row("parts", "PUT", "/v1/trees/parts", 201, json=schema(0), commits=1),
    Row("hidden", "PUT", "/v1/trees/hidden", 201, commits=1,
        json={"keys": "name", "versioned": True, "borrow": "optional"}),
    Row("other", "PUT", "/v1/trees/other", 201, json={"keys": "name"}, commits=1),
    Row("a secret", "PUT", "/v1/records/hidden/secret-key?revision=0", 201, json={"n": "secret"},
        headers={"If-None-Match": "*", "Holdfast-Why": "secret"}, commits=1),
    Row("a secret file", "POST", "/v1/files", 201, body=b"secret file", type="text/plain",
        commits=1, save={"secret": "$file"}),
    Row("a record names it", "PUT", "/v1/records/hidden/with-file?revision=0", 201,
        json={"photo": {"$file": "${secret}"}}, headers={"If-None-Match": "*"}, commits=1),
    Row("a file that is shown", "POST", "/v1/files", 201, body=b"shown", type="text/plain",
        commits=1, save={"shown": "$file"}),
    Row("a record of another tree names it", "PUT", "/v1/records/other/with-file", 201,
        json={"photo": {"$file": "${shown}"}}, headers={"If-None-Match": "*"}, commits=1),
    Row("no tokens", "GET", "/v1/tokens", 200, has={"tokens/#": 0}),
    Row("none is mine", "GET", "/v1/tokens/me", 404, "not-found"),
    Row("none is to be revoked by that name", "DELETE", "/v1/tokens/me", 405, "method-not-allowed"),
    Row("a token where there are none", "GET", "/v1/trees", 401, "token-unknown",
        headers={"Authorization": "Bearer hf_" + "0" * 64},
        reply={"WWW-Authenticate": 'Bearer realm="holdfast", error="invalid_token"'}),
    Row("another scheme is no token", "GET", "/v1/trees", 200,
        headers={"Authorization": "Basic YTpi"}),
    Row("the first token must administer", "POST", "/v1/tokens", 409, "last-admin",
        json={"user": "anna", "device": "PC-1", "rights": {"*": ["read"]}}),
    Row("and must not end", "POST", "/v1/tokens", 409, "last-admin",
        json={"user": "anna", "device": "PC-1", "rights": {"*": ["admin"]},
              "ends": "2099-01-01T00:00:00.000Z"}),
    Row("the first token", "POST", "/v1/tokens", 201, commits=1,
        headers={"Idempotency-Key": "${u:first}", "Holdfast-Why": "first%20token"},
        json={"user": "anna", "device": "PC-1",
              "rights": {"*": ["read", "write", "seize", "migrate", "admin"]}},
        has={"id": "${u:first}", "user": "anna", "device": "PC-1", "created/by": "local",
             "rights/*": ["read", "write", "seize", "migrate", "admin"]},
        save={"token:admin": "token"}, reply={
            "Location": "/v1/tokens/${u:first}", "Cache-Control": "no-store"}),
    Row("from now on everybody is asked", "GET", "/v1/trees", 401, "token-missing",
        reply={"WWW-Authenticate": 'Bearer realm="holdfast"'}),
]


def give(caller):
    """Makes a caller's token."""
    return Row(f"a token for {caller}", "POST", "/v1/tokens", 201, headers=as_("admin"), commits=1,
               json={"user": caller, "integration": f"{caller}'s rig", "rights": RIGHTS[caller]},
               has={"integration": f"{caller}'s rig"}, save={f"token:{caller}": "token"})


def make(caller):
    """Makes the record a caller's rows are about."""
    return Row(f"a record for {caller}", "POST", "/v1/records/parts", 201, headers=as_("admin"),
               json={"n": "bolt"}, commits=1,
               save={f"id:{caller}": "header:Holdfast-Key", f"v:{caller}": "version"})


HELD = Row("admin holds a record", "PUT", "/v1/borrows/${u:held}", 201, headers=as_("admin"),
           json={"tree": "parts", "key": {"id": "${id:none#}", "revision": 0}}, commits=1)

LATE = Row("admin is late with another", "PUT", "/v1/borrows/${u:late}", 201,
           headers=as_("admin"), json={
               "tree": "parts", "key": {"id": "${id:unknown#}", "revision": 0},
               "dueAt": "2020-01-01T00:00:00.000Z"}, commits=1)

# What tokens are refused, and what of them is shown.
TOKENS = [
    Row(name, "POST", "/v1/tokens", status, code, headers=as_("admin"), json=body)
    for name, status, code, body in (
        ("without a user", 422, "bad-body", {"device": "a", "rights": {"*": ["read"]}}),
        ("without a bearer", 422, "bad-body", {"user": "a", "rights": {"*": ["read"]}}),
        ("with two bearers", 422, "bad-body",
         {"user": "a", "device": "b", "integration": "c", "rights": {"*": ["read"]}}),
        ("without rights", 422, "bad-body", {"user": "a", "device": "b", "rights": {}}),
        ("with a right there is not", 422, "bad-body",
         {"user": "a", "device": "b", "rights": {"*": ["fly"]}}),
        ("with rights on a system tree", 422, "bad-body",
         {"user": "a", "device": "b", "rights": {"_trees": ["read"]}}),
        ("of the system's user", 422, "bad-body",
         {"user": "_system", "device": "b", "rights": {"*": ["read"]}}),
        ("that has ended", 422, "bad-body",
         {"user": "a", "device": "b", "rights": {"*": ["read"]},
          "ends": "2001-01-01T00:00:00.000Z"}),
        ("with a hash of its own", 422, "bad-body",
         {"user": "a", "device": "b", "rights": {"*": ["read"]}, "hash": "0" * 64}),
    )
] + [
    Row("made again under the same key: without its secret", "POST", "/v1/tokens", 422,
        "idempotency-mismatch", headers={**as_("admin"), "Idempotency-Key": "${u:first}"},
        json={"user": "b", "device": "b", "rights": {"*": ["read"]}}),
    Row("made under a key", "POST", "/v1/tokens", 201, commits=1,
        headers={**as_("admin"), "Idempotency-Key": "${u:second}"},
        json={"user": "b", "device": "b", "rights": {"*": ["read"]}}, has={"token": ANY}),
    Row("made again under it, without its secret", "POST", "/v1/tokens", 201,
        headers={**as_("admin"), "Idempotency-Key": "${u:second}"},
        json={"user": "b", "device": "b", "rights": {"*": ["read"]}}, lacks=("token", "hash"),
        has={"user": "b"}, reply={"Idempotency-Replayed": "true"}),
    Row("revoked again", "DELETE", "/v1/tokens/${u:second}", 204, headers=as_("admin"), commits=1),
    Row("made again under the key of one that was revoked", "POST", "/v1/tokens", 404,
        "unknown-token", headers={**as_("admin"), "Idempotency-Key": "${u:second}"},
        json={"user": "b", "device": "b", "rights": {"*": ["read"]}}),
    *(Row(name, "PATCH", target, status, code, headers={**as_("admin"), **headers}, json=json,
          body=body, type=media)
      for name, target, status, code, json, body, media, headers in (
          ("rights taken from the last that may administer", "/v1/tokens/${u:first}", 409,
           "last-admin", {"rights": {"*": ["read"]}}, None, MERGE, {}),
          ("no rights", "/v1/tokens/${u:first}", 422, "bad-body", {"rights": {}}, None, MERGE, {}),
          ("another user", "/v1/tokens/${u:first}", 422, "bad-body", {"user": "b"}, None, MERGE, {}),
          ("rights that are no JSON", "/v1/tokens/${u:first}", 400, "bad-json", None, b"{", MERGE, {}),
          ("rights of another type", "/v1/tokens/${u:first}", 415, "unsupported-media-type",
           None, b"{}", "application/json", {}),
          ("rights of none", "/v1/tokens/x", 400, "bad-parameter", {"rights": {"*": ["read"]}}, None,
           MERGE, {}),
          ("rights of one there is not", "/v1/tokens/${u:nothing}", 404, "unknown-token",
           {"rights": {"*": ["read"]}}, None, MERGE, {}),
          ("rights on too many trees, later", "/v1/tokens/${u:first}", 413, "too-large",
           {"rights": {"*": ["admin"], **{f"t{n}": ["read"] for n in range(1001)}}}, None, MERGE, {}),
          ("rights under another request's key", "/v1/tokens/${u:first}", 422,
           "idempotency-mismatch", {"rights": {"*": ["admin"]}}, None, MERGE,
           {"Idempotency-Key": "${u:first}"}),
      )),
    Row("rights on too many trees", "POST", "/v1/tokens", 413, "too-large", headers=as_("admin"),
        json={"user": "a", "device": "b", "rights": {f"t{n}": ["read"] for n in range(1001)}}),
    Row("a token that is no JSON", "POST", "/v1/tokens", 400, "bad-json", headers=as_("admin"),
        body=b"{"),
    Row("a token of another type", "POST", "/v1/tokens", 415, "unsupported-media-type",
        headers=as_("admin"), body=b"{}", type="text/plain"),
    Row("a revocation with a body", "DELETE", "/v1/tokens/${u:first}", 422, "bad-body",
        headers=as_("admin"), json={}),
    Row("a ticket for more", "POST", "/v1/feed/tickets", 422, "bad-body", headers=as_("admin"),
        json={"trees": ["hidden"]}),
    Row("a ticket that is no JSON", "POST", "/v1/feed/tickets", 400, "bad-json",
        headers=as_("admin"), body=b"{"),
    Row("a ticket is no token", "GET", "/v1/trees", 401, "token-unknown",
        headers={"Authorization": "Bearer ${ticket:admin}"}),
    Row("a revocation under another request's key", "DELETE", "/v1/tokens/${u:first}", 422,
        "idempotency-mismatch", headers={**as_("admin"), "Idempotency-Key": "${u:first}"}),
    Row("a page of none", "GET", "/v1/tokens?limit=0", 400, "bad-parameter", headers=as_("admin")),
    Row("a page of tokens", "GET", "/v1/tokens?limit=1", 200, headers=as_("admin"),
        has={"tokens/#": 1, "next": ANY}, lacks=("tokens/0/token", "tokens/0/hash"),
        save={"tokens.next": "next"}),
    Row("the next page", "GET", "/v1/tokens?limit=1&cursor=${tokens.next}", 200,
        headers=as_("admin"), has={"tokens/#": 1}),
    Row("a token there is not", "DELETE", "/v1/tokens/${u:nothing}", 404, "unknown-token",
        headers=as_("admin")),
    Row("a token that is no id", "DELETE", "/v1/tokens/x", 400, "bad-parameter",
        headers=as_("admin")),
    Row("the last that may administer", "DELETE", "/v1/tokens/${u:first}", 409, "last-admin",
        headers=as_("admin")),
    Row("one that was revoked", "GET", "/v1/trees", 401, "token-unknown", headers=as_("revoked"),
        reply={"WWW-Authenticate": re.compile("invalid_token")}),
    Row("a user beside a token", "GET", "/v1/trees", 400, "bad-header",
        headers={**as_("admin"), "Holdfast-User": "ben"}),
    Row("a device beside a token", "GET", "/v1/trees", 400, "bad-header",
        headers={**as_("admin"), "Holdfast-Device": "PC-2"}),
    Row("an application beside a token", "GET", "/v1/trees", 200,
        headers={**as_("admin"), "Holdfast-App": "press"}),
    Row("a scheme in other letters", "GET", "/v1/trees", 200,
        headers={"Authorization": "bEARER ${token:admin}"}),
    Row("half a token", "GET", "/v1/trees", 401, "token-unknown",
        headers={"Authorization": "Bearer hf_"}),
    Row("a scheme alone", "GET", "/v1/trees", 401, "token-missing",
        headers={"Authorization": "Bearer"}),
    Row("a token of another scheme", "GET", "/v1/trees", 401, "token-missing",
        headers={"Authorization": "Basic ${token:admin}"}),
    Row("a job by nobody", "POST", "/v1/changes", 401, "token-missing",
        body=b'{"operations":[]}\n', type="application/x-ndjson"),
    Row("a job by one who reads", "POST", "/v1/changes", 200, headers=as_("reader"),
        body=b'{"operations":[{"put":{"tree":"parts","expects":"absent","value":{"n":"a"}}}]}\n'
             b'{"operations":[{"delete":{"tree":"hidden","key":{"name":"secret-key",'
             b'"revision":0}}}]}\n',
        type="application/x-ndjson", lines=[
            {"status": 403, "problem/code": "forbidden"},
            {"status": 404, "problem/code": "unknown-tree"}, {"done/accepted": 0}]),
    Row("whoever writes is who the token says", "GET", "/v1/records/parts/${id:writer}?meta=true",
        200, headers=as_("admin"), has={"modified/by": "writer",
                                        "modified/device": "writer's rig"}),
]
