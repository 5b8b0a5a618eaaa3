"""History: records as they were, what happened to them, single commits; and what of it is kept.

A server of its own: its log is cut between KEPT and CUT.
"""

import re

from rows_trees import ANNA, BEN
from table import ANY, Row

PATH = "/v1/records/notes/n"
WHY = {**BEN, "Holdfast-Why": "re%2Dread", "Holdfast-App": "press"}


def put(name, value, headers, **more):
    """A row that writes a note."""
    return Row(f"{name} is {value}", "PUT", f"/v1/records/notes/{name}", more.pop("status", 200),
               json={"text": value}, headers=headers, commits=1, **more)


def match(version):
    """The header that expects a version."""
    return {"If-Match": '"${%s}"' % version}


PREPARE = [
    Row("a tree of notes", "PUT", "/v1/trees/notes", 201, commits=1, json={
        "keys": "name", "schema": {"version": "1.0", "fields": [
            {"name": "text", "type": "string"}]}}, save={"tree": "header:Holdfast-Position"}),
    Row("a tree with revisions", "PUT", "/v1/trees/plans", 201, commits=1, json={
        "keys": "id", "versioned": True, "borrow": "optional"}),
    put("old", "never changed", {"If-None-Match": "*"}, status=201, save={"old": "version"}),
    put("n", "one", {**ANNA, "If-None-Match": "*"}, status=201, save={"n1": "version"}),
    put("n", "two", {**WHY, **match("n1")}, save={"n2": "version"}),
    Row("n goes", "DELETE", PATH, 204, headers={**BEN, **match("n2")}, commits=1,
        save={"n3": "header:Holdfast-Position"}),
    put("n", "again", {**ANNA, "If-None-Match": "*"}, status=201, save={"n4": "version"}),
    Row("anna holds it", "PUT", "/v1/borrows/${u:n}", 201, commits=1, headers=ANNA,
        json={"tree": "notes", "key": {"name": "n", "revision": 0}}),
    Row("a plan", "POST", "/v1/records/plans", 201, json={"a": 1}, commits=1,
        save={"plan": "header:Holdfast-Key", "p1": "version"}),
    Row("is released", "POST", "/v1/records/plans/${plan}/release?revision=0", 200, json={},
        headers=match("p1"), commits=1, save={"p2": "version"}),
    Row("is revised", "POST", "/v1/records/plans/${plan}/revise?revision=0", 201, json={},
        commits=1, save={"p3": "version"}),
    Row("changes", "PUT", "/v1/records/plans/${plan}?revision=1", 200, json={"a": 2},
        headers=match("p3"), commits=1, save={"p4": "version"}),
    Row("its draft goes", "DELETE", "/v1/records/plans/${plan}?revision=1", 204,
        headers=match("p4"), commits=1, save={"p5": "header:Holdfast-Position"}),
]

KEPT = [
    Row("as it was at first", "GET", PATH + "?at=${n1}", 200, has={"text": "one"},
        reply={"ETag": '"${n1}"', "Holdfast-Position": "${n1}", "Holdfast-State": "plain",
               "Last-Modified": ANY, "Holdfast-Borrow": None}),
    Row("as it was until the next", "GET", PATH + "?at=${n2}", 200, has={"text": "two"},
        reply={"ETag": '"${n2}"'}),
    Row("when it was gone", "GET", PATH + "?at=${n3}", 410, "deleted",
        has={"ended/by": "ben", "ended/why": "delete", "ended/at": ANY}),
    Row("when it was there again", "GET", PATH + "?at=${n4}", 200, has={"text": "again"}),
    Row("before it was", "GET", PATH + "?at=${tree}", 404, "not-found"),
    Row("at the very beginning", "GET", PATH + "?at=${epoch}:0", 404, "not-found"),
    Row("what never was", "GET", "/v1/records/notes/never?at=${n1}", 404, "not-found"),
    Row("its envelope, without who held it", "GET", PATH + "?at=${p5}&meta=true", 200,
        has={"version": "${n4}", "created/by": "anna", "value/text": "again"},
        lacks=("borrow",), reply={"ETag": None}),
    Row("the envelope of its first life", "GET", PATH + "?at=${n2}&meta=true", 200,
        has={"created/by": "anna", "modified/by": "ben", "schema": "1.0"}),
    Row("its version is known", "GET", PATH + "?at=${n3}", 410, "deleted",
        headers={"If-None-Match": '"${n2}"'}),
    Row("the version of then is known", "GET", PATH + "?at=${n2}", 304,
        headers={"If-None-Match": '"${n2}"'}),
    Row("HEAD of then", "HEAD", PATH + "?at=${n1}", 200, reply={"ETag": '"${n1}"'}),
    Row("at a seq alone", "GET", PATH + "?at=4", 400, "bad-parameter", has={"field": "at"}),
    Row("at a position of another history", "GET", PATH + "?at=0000000000000:1", 409, "diverged"),
    Row("at a position to come", "GET", PATH + "?at=${epoch}:9007199254740991", 503, "not-yet",
        reply={"Retry-After": ANY}),
    Row("in a tree there is not", "GET", "/v1/records/nothing/n?at=${n1}", 404, "unknown-tree"),
    Row("the latest revision of then", "GET", "/v1/records/plans/${plan}?at=${p2}", 200,
        reply={"Holdfast-Revision": "0", "Holdfast-State": "released(0)"}),
    Row("and later", "GET", "/v1/records/plans/${plan}?at=${p4}", 200, has={"a": 2},
        reply={"Holdfast-Revision": "1"}),
    Row("and when its draft was gone", "GET", "/v1/records/plans/${plan}?at=${p5}", 200,
        reply={"Holdfast-Revision": "0"}),
    Row("the draft itself", "GET", "/v1/records/plans/${plan}?at=${p5}&revision=1", 410, "deleted"),
    Row("a revision before it was", "GET", "/v1/records/plans/${plan}?at=${p2}&revision=1", 404,
        "not-found"),
    Row("what was released then", "GET", "/v1/records/plans/${plan}?at=${p4}&revision=released", 200,
        reply={"Holdfast-Revision": "0", "ETag": '"${p2}"'}),
    Row("nothing was released yet", "GET", "/v1/records/plans/${plan}?at=${p1}&revision=released",
        404, "not-found"),
    # History
    Row("what happened to it", "GET", PATH + "/history", 200, lacks=("next", "truncated"), has={
        "history/#": 4, "history/0/label": "create", "history/0/version": "${n4}",
        "history/0/value/text": "again", "history/1/label": "delete", "history/1/removed": True,
        "history/1/by": "ben", "history/1/version": "${n3}", "history/2/label": "put",
        "history/2/why": "re-read", "history/2/app": "press", "history/2/by": "ben",
        "history/2/device": "PC-2", "history/2/at": ANY, "history/2/id": re.compile("^[0-9a-f-]{36}$"),
        "history/2/value": {"text": "two"}, "history/2/schema": "1.0", "history/2/state": "plain",
        "history/3/value/text": "one", "history/3/version": "${n1}",
        "history/3/key": {"name": "n", "revision": 0}}),
    Row("nothing of a removal's value", "GET", PATH + "/history", 200,
        lacks=("history/1/value", "history/1/state", "history/0/why", "history/0/removed")),
    Row("a page of it", "GET", PATH + "/history?limit=3", 200, has={"history/#": 3},
        save={"next": "next"}, lacks=("truncated",)),
    Row("the next", "GET", PATH + "/history?limit=3&cursor=${next}", 200, lacks=("next", "truncated"),
        has={"history/#": 1, "history/0/version": "${n1}"}),
    Row("a page that is all", "GET", PATH + "/history?limit=4", 200, lacks=("next",)),
    Row("of another record", "GET", "/v1/records/notes/old/history?cursor=${next}", 400,
        "bad-parameter", has={"field": "cursor"}),
    Row("of no list", "GET", PATH + "/history?cursor=x", 400, "bad-parameter"),
    Row("pages of none", "GET", PATH + "/history?limit=0", 400, "bad-parameter"),
    Row("the history of the latest revision that stands", "GET",
        "/v1/records/plans/${plan}/history", 200, has={
            "history/#": 2, "history/0/label": "release", "history/0/state": {"released": 0}}),
    Row("of one that is gone", "GET", "/v1/records/plans/${plan}/history?revision=1", 200, has={
        "history/#": 3, "history/0/removed": True, "history/1/label": "put",
        "history/2/label": "revise"}),
    Row("of the released one", "GET", "/v1/records/plans/${plan}/history?revision=released", 200,
        has={"history/#": 2}),
    Row("of a revision there never was", "GET", "/v1/records/plans/${plan}/history?revision=2", 404,
        "not-found"),
    Row("of what never was", "GET", "/v1/records/notes/never/history", 404, "not-found"),
    Row("of a tree there is not", "GET", "/v1/records/nothing/n/history", 404, "unknown-tree"),
    Row("of the tree nobody sees", "GET", "/v1/records/_tokens/n/history", 404, "unknown-tree"),
    Row("of another kind of key", "GET", "/v1/records/plans/x/history", 400, "bad-key"),
    Row("of a borrow", "GET", "/v1/records/_borrows/${u:n}/history", 200,
        has={"history/#": 1, "history/0/label": "borrow", "history/0/value/holder/user": "anna"}),
    Row("HEAD of a history", "HEAD", PATH + "/history", 200),
    Row("a history cannot be written", "POST", PATH + "/history", 405, "method-not-allowed", json={}),
    # One commit
    Row("a commit", "GET", "/v1/changes/${n2}", 200, lacks=("effects/1",), has={
        "why": "re-read", "by": "ben", "effects/0/set/value/text": "two", "seq": ANY, "chain": ANY}),
    Row("HEAD of a commit", "HEAD", "/v1/changes/${n2}", 200),
    Row("no commit", "GET", "/v1/changes/${epoch}:0", 404, "not-found"),
    Row("a commit to come", "GET", "/v1/changes/${epoch}:9007199254740991", 503, "not-yet"),
    Row("a commit of another history", "GET", "/v1/changes/0000000000000:1", 409, "diverged"),
    Row("a commit by its seq alone", "GET", "/v1/changes/1", 400, "bad-parameter"),
]

CUT = [
    Row("the log is cut", "POST", "/v1/snapshot", 200, has={"held": False},
        save={"oldest": "oldest"}),
    Row("what stands still is known however old it is", "GET", "/v1/records/notes/old?at=${old}", 200,
        has={"text": "never changed"}, reply={"ETag": '"${old}"'}),
    Row("what did not stand yet is not", "GET", "/v1/records/notes/old?at=${tree}", 410, "compacted",
        has={"oldest": "${oldest}"}),
    Row("what never was is not known from what was", "GET", "/v1/records/notes/never?at=${n1}", 410,
        "compacted"),
    Row("but now it is", "GET", "/v1/records/notes/never?at=${oldest}", 404, "not-found"),
    Row("a commit that is dropped is not undone", "POST", "/v1/changes/${n2}/undo", 410,
        "compacted"),
    Row("an earlier version is dropped", "GET", PATH + "?at=${n1}", 410, "compacted"),
    Row("and its removal", "GET", PATH + "?at=${n3}", 410, "compacted"),
    Row("the last one stands", "GET", PATH + "?at=${n4}", 200, has={"text": "again"}),
    Row("history begins with it", "GET", PATH + "/history", 200, lacks=("next",), has={
        "history/#": 1, "history/0/version": "${n4}", "history/0/by": "anna", "truncated": True}),
    Row("also a page of one", "GET", PATH + "/history?limit=1", 200, lacks=("next",),
        has={"history/#": 1, "truncated": True}),
    Row("a page that was to come is dropped", "GET", PATH + "/history?limit=3&cursor=${next}", 200,
        has={"history": [], "truncated": True}, lacks=("next",)),
    Row("a record that never changed has all of its", "GET", "/v1/records/notes/old/history", 200,
        has={"history/#": 1}, lacks=("truncated", "history/0/why")),
    Row("a dropped commit", "GET", "/v1/changes/${n2}", 410, "compacted", has={"oldest": "${oldest}"}),
    put("n", "five", {**ANNA, "Holdfast-Borrow": "${u:n}"}, save={"n5": "version"}),
    put("n", "six", {**ANNA, "Holdfast-Borrow": "${u:n}", "Holdfast-Why": "six"},
        save={"n6": "version"}),
    Row("behind the cut there is history again", "GET", PATH + "/history", 200, lacks=("next",), has={
        "history/#": 3, "history/0/why": "six", "history/1/value/text": "five",
        "history/2/version": "${n4}", "truncated": True}),
    Row("in pages", "GET", PATH + "/history?limit=2", 200, lacks=("truncated",),
        save={"next": "next"}, has={"history/#": 2}),
    Row("to the version that was kept", "GET", PATH + "/history?limit=2&cursor=${next}", 200,
        lacks=("next",), has={"history/#": 1, "history/0/version": "${n4}", "truncated": True}),
    Row("and so are the versions", "GET", PATH + "?at=${n5}", 200, has={"text": "five"}),
    Row("the one before them", "GET", PATH + "?at=${n4}", 200, has={"text": "again"},
        reply={"ETag": '"${n4}"'}),
    Row("and none before", "GET", PATH + "?at=${n3}", 410, "compacted"),
]
