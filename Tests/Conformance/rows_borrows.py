"""Rows of borrows and ranges: two takers and a line, and every refusal."""

import re

from rows_records import create
from rows_trees import ANNA, BEN, CARL
from table import ANY, Row


def take(name, borrow, status, code=None, who=ANNA, record="B", commits=None, more=None, **rest):
    """A row that takes a record of parts."""
    commits = (1 if status in (201, 202) else 0) if commits is None else commits
    body = {"tree": "parts", "key": {"id": "${%s#}" % record, "revision": 0}, **(more or {})}
    return Row(name, "PUT", "/v1/borrows/${u:%s}" % borrow, status, code, headers=who, json=body,
               commits=commits, **rest)


def end(name, borrow, verb, status, code=None, who=ANNA, **rest):
    """A row that gives back or leaves a line."""
    return Row(name, "POST", "/v1/borrows/${u:%s}/%s" % (borrow, verb), status, code, headers=who,
               commits=1 if status == 204 else 0, **rest)


def get(name, borrow, status, code=None, who=ANNA, **rest):
    """A row that reads a borrow."""
    return Row(name, "GET", "/v1/borrows/${u:%s}" % borrow, status, code, headers=who, **rest)


LINE = [
    create("a record to fight over", "B", "B"),
    take("anna takes it", "Ba", 201, more={"note": "bench", "dueAt": "2027-01-01T00:00:00.000Z"},
         has={"borrow/state": "held", "borrow/kind": "held", "borrow/holder/user": "anna",
              "borrow/holder/device": "PC-1", "borrow/note": "bench", "borrow/yours": True,
              "borrow/dueAt": "2027-01-01T00:00:00.000Z", "record/value/number": "B",
              "record/version": "${B.v}", "record/borrow/yours": True}),
    take("taking again with the same id", "Ba", 200,
         more={"note": "bench", "dueAt": "2027-01-01T00:00:00.000Z"},
         has={"borrow/state": "held", "record/value/number": "B"}),
    take("taking again with another id", "Bx", 423, "borrowed", has={"borrow/yours": True}),
    take("ben is refused", "Bb", 423, "borrowed", BEN,
         has={"borrow/holder/user": "anna", "borrow/yours": False, "borrow/queue": 0}),
    take("ben joins the line", "Bb", 202, None, BEN, more={"queue": True},
         has={"place": 1, "borrow/state": "queued", "borrow/yours": True}, lacks=("record",)),
    take("carl joins behind him", "Bc", 202, None, CARL, more={"queue": True}, has={"place": 2}),
    take("ben at another id is told of his place", "By", 423, "borrowed", BEN,
         more={"queue": True},
         has={"borrow/id": "${u:Bb}", "borrow/yours": True, "borrow/holder/user": "ben"}),
    take("where ben stands", "Bb", 202, None, BEN, commits=0, more={"queue": True},
         has={"place": 1}),
    get("the holder sees who waits", "Ba", 200, has={"borrow/queue": 2}, lacks=("place",)),
    get("one who waits sees the place", "Bc", 200, who=CARL,
        has={"place": 2, "borrow/state": "queued"}),
    Row("all of one tree", "GET", "/v1/borrows?tree=parts&limit=1000", 200,
        has={"borrows/0/tree": "parts"}, lacks=("next",)),
    Row("a page of them", "GET", "/v1/borrows?limit=1", 200, has={"borrows/#": 1, "next": ANY},
        save={"borrows.next": "next"}, reply={"Link": re.compile(
            r'^</v1/borrows\?limit=1&cursor=[A-Za-z0-9_-]+>; rel="next"$')}),
    Row("the next page", "GET", "/v1/borrows?limit=1&cursor=${borrows.next}", 200,
        has={"borrows/#": 1}),
    Row("a version is not enough for ben", "PUT", "/v1/records/parts/${B}?revision=0", 423,
        "borrowed", json={"number": "B", "stock": 2}, headers={**BEN, "If-Match": '"${B.v}"'}),
    Row("nor a place in the line", "PUT", "/v1/records/parts/${B}?revision=0", 423,
        "borrowed", json={"number": "B", "stock": 2},
        headers={**BEN, "Holdfast-Borrow": "${u:Bb}"}),
    end("ben cannot give back what he does not hold", "Bb", "return", 409, "borrow-mismatch", BEN),
    end("anna cannot leave ben's place", "Bb", "cancel", 423, "borrowed"),
    end("nor what anna holds", "Ba", "return", 423, "borrowed", BEN),
    end("anna cannot cancel what she holds", "Ba", "cancel", 409, "borrow-mismatch"),
    end("anna gives it back; ben is served", "Ba", "return", 204),
    get("ben is granted", "Bb", 200, who=BEN, has={
        "borrow/state": "granted", "borrow/grantedAt": ANY, "borrow/queue": 1}, lacks=("place",)),
    Row("a version is not enough for anna now", "PATCH", "/v1/records/parts/${B}?revision=0", 423,
        "borrowed", json={"stock": 2}, type="application/merge-patch+json",
        headers={**ANNA, "If-Match": '"${B.v}"'}),
    take("ben confirms", "Bb", 200, None, BEN, commits=1, more={"queue": True},
         has={"borrow/state": "held", "record/value/number": "B"}),
    end("carl leaves the line", "Bc", "cancel", 204, who=CARL),
    get("carl's is gone", "Bc", 410, "borrow-ended", CARL,
        has={"ended/by": "carl", "ended/device": "PC-3", "ended/at": ANY, "ended/why": "cancel"}),
    Row("ben writes under it", "PUT", "/v1/records/parts/${B}?revision=0", 200,
        json={"number": "B", "stock": 2}, headers={**BEN, "Holdfast-Borrow": "${u:Bb}"}, commits=1),
    take("anna waits", "Bd", 202, more={"queue": True}, has={"place": 1}),
    Row("ben deletes it: borrow and line end", "DELETE", "/v1/records/parts/${B}?revision=0", 204,
        headers={**BEN, "Holdfast-Borrow": "${u:Bb}"}, commits=1),
    get("his", "Bb", 410, "borrow-ended", BEN, has={"ended/by": "ben", "ended/why": "end"}),
    get("and hers", "Bd", 410, "borrow-ended", has={"ended/by": "ben"}),
]



def ask(name, borrow, verb, status, code=None, who=ANNA, body=None, commits=None, **rest):
    """A row that asks something of another's borrow."""
    commits = (1 if status in (200, 204) else 0) if commits is None else commits
    return Row(name, "POST", "/v1/borrows/${u:%s}/%s" % (borrow, verb), status, code, headers=who,
               json=body, commits=commits, **rest)


def patch(name, borrow, status, code=None, who=ANNA, body=None, commits=None, **rest):
    """A row that changes the note or the due date of a borrow."""
    commits = (1 if status in (200, 202) else 0) if commits is None else commits
    return Row(name, "PATCH", "/v1/borrows/${u:%s}" % borrow, status, code, headers=who, json=body,
               commits=commits, type="application/merge-patch+json", **rest)


PAST = "2020-01-01T00:00:00.000Z"
HANDS = [
    create("a record that changes hands", "G", "G"),
    take("anna has it", "Ga", 201, record="G", more={"note": "bench"}),
    take("ben waits for it", "Gb", 202, None, BEN, record="G", more={"queue": True}),
    patch("anna says until when", "Ga", 200, body={"dueAt": "2031-05-01T00:00:00.000Z"},
          has={"borrow/dueAt": "2031-05-01T00:00:00.000Z", "borrow/note": "bench",
               "record/value/number": "G"}),
    patch("the same again changes nothing", "Ga", 200, commits=0,
          body={"dueAt": "2031-05-01T00:00:00.000Z"}),
    patch("and where", "Ga", 200, body={"note": "shelf 4", "dueAt": None},
          has={"borrow/dueAt": None, "borrow/note": "shelf 4"}),
    patch("who waits may say so too", "Gb", 202, None, BEN, body={"note": "urgent"},
          has={"place": 1, "borrow/note": "urgent"}),
    patch("nobody speaks for another", "Ga", 409, "borrow-mismatch", BEN, body={"note": "mine"}),
    patch("a member nobody knows", "Ga", 422, "bad-body", body={"colour": 1},
          has={"field": "colour"}),
    patch("a note that is none", "Ga", 422, "bad-body", body={"note": 7}, has={"field": "note"}),
    patch("a note without end", "Ga", 413, "too-large", body={"note": "x" * 2000}),
    patch("there never was one", "never", 404, "unknown-borrow", body={"note": "x"}),
    Row("a patch as plain JSON", "PATCH", "/v1/borrows/${u:Ga}", 415, "unsupported-media-type",
        json={}, headers=ANNA),
    Row("a patch that is no JSON", "PATCH", "/v1/borrows/${u:Ga}", 400, "bad-json", body=b"note",
        headers=ANNA, type="application/merge-patch+json"),
    Row("a patch of no id", "PATCH", "/v1/borrows/mine", 400, "bad-parameter", json={},
        headers=ANNA, type="application/merge-patch+json"),
    ask("ben asks for it back", "Ga", "recall", 200, None, BEN, {"note": "needed for the fair"},
        has={"borrow/recalled/by": "ben", "borrow/recalled/note": "needed for the fair",
             "borrow/recalled/at": ANY, "borrow/holder/user": "anna", "borrow/yours": False}),
    get("anna sees it", "Ga", 200, has={"borrow/recalled/by": "ben"}),
    ask("carl asks too, without a word", "Ga", "recall", 200, None, CARL,
        has={"borrow/recalled/by": "carl", "borrow/recalled/note": ""}),
    ask("what waits is not asked for", "Gb", "recall", 409, "borrow-mismatch"),
    ask("a recall with a note without end", "Ga", "recall", 413, "too-large", BEN,
        {"note": "x" * 2000}),
    ask("a recall with more", "Ga", "recall", 422, "bad-body", BEN, {"colour": 1}),
    ask("without tokens ben may take it over", "Ga", "setHolder", 200, None, BEN,
        {"user": "ben", "device": "PC-2"}, has={"borrow/holder/user": "ben"}),
    ask("and anna back, on another device", "Ga", "setHolder", 200, None, ANNA,
        {"user": "anna", "device": "PC-9"}, has={"borrow/holder/device": "PC-9"}),
    ask("the same again changes nothing", "Ga", "setHolder", 200, None, ANNA,
        {"user": "anna", "device": "PC-9"}, commits=0),
    Row("her first device does not hold it now", "PUT", "/v1/records/parts/${G}?revision=0", 423,
        "borrowed", json={"number": "G", "stock": 1},
        headers={**ANNA, "Holdfast-Borrow": "${u:Ga}"}),
    Row("the other does", "PUT", "/v1/records/parts/${G}?revision=0", 200, commits=1,
        json={"number": "G", "stock": 2},
        headers={**ANNA, "Holdfast-Device": "PC-9", "Holdfast-Borrow": "${u:Ga}"}),
    Row("what is anna's", "GET", "/v1/borrows?mine=true&limit=1000", 200, headers=ANNA,
        has={"borrows/0/yours": True}),
    Row("mine, of one who has none", "GET", "/v1/borrows?mine=true", 200,
        headers={"Holdfast-User": "nobody"}, has={"borrows/#": 0}),
    Row("mine, or what", "GET", "/v1/borrows?mine=perhaps", 400, "bad-parameter"),
    ask("a holder of the system's", "Ga", "setHolder", 422, "bad-body", ANNA,
        {"user": "_system", "device": "x"}, has={"field": "holder"}),
    ask("a holder without a device", "Ga", "setHolder", 422, "bad-body", ANNA, {"user": "ben"},
        has={"field": "device"}),
    ask("who waits holds nothing to hand on", "Gb", "setHolder", 409, "borrow-mismatch", BEN,
        {"user": "anna", "device": "PC-1"}),
    ask("taken away without a reason", "Ga", "seize", 422, "reason-required", BEN,
        has={"field": "why", "borrow/holder/user": "anna"}),
    ask("taken away for a reason", "Ga", "seize", 204, None, CARL, {"why": "anna is on leave"}),
    get("anna reads who and why", "Ga", 410, "borrow-ended",
        has={"ended/by": "carl", "ended/why": "seize", "ended/reason": "anna is on leave",
             "detail": re.compile("taken away by carl: anna is on leave")}),
    Row("and so does what she writes", "PUT", "/v1/records/parts/${G}?revision=0", 410,
        "borrow-ended", json={"number": "G", "stock": 3},
        headers={**ANNA, "Holdfast-Device": "PC-9", "Holdfast-Borrow": "${u:Ga}"},
        has={"ended/reason": "anna is on leave"}),
    get("ben is served", "Gb", 200, who=BEN, has={"borrow/state": "granted"}),
    Row("a reason in the header is one too", "POST", "/v1/borrows/${u:Gb}/seize", 204,
        headers={**CARL, "Holdfast-Why": "enough"}, commits=1),
    Row("all at once comes to nothing", "POST", "/v1/changes", 200, headers=ANNA, json={
        "why": "ours", "operations": [
            {"borrow": {"tree": "parts", "key": {"id": "${G#}", "revision": 0},
                        "borrow": "${u:Gc}", "dueAt": PAST}},
            {"recall": {"borrow": "${u:Gc}", "note": "n"}},
            {"setHolder": {"borrow": "${u:Gc}", "holder": {"user": "ben", "device": "PC-2"}}},
            {"seize": {"borrow": "${u:Gc}"}}]},
        has={"results/#": 4, "results/3": {}}),
    get("nothing is left of it", "Gc", 404, "unknown-borrow"),
    patch("a note on what has ended", "Ga", 410, "borrow-ended", body={"note": "x"},
          has={"ended/why": "seize"}),
    patch("a note under a change id that is used up", "H", 422, "idempotency-mismatch",
          {**ANNA, "Idempotency-Key": "${u:used}"}, body={"note": "x"}),
    ask("a reason without end", "H", "seize", 413, "too-large", body={"why": "x" * 5000}),
    ask("a reason that is none", "H", "seize", 422, "bad-body", body={"why": 7},
        has={"field": "why"}),
    ask("a seizure with more", "H", "seize", 422, "bad-body", body={"colour": 1}),
]
for verb in ("recall", "seize", "setHolder"):
    HOLDER = {"user": "ben", "device": "PC-2"} if verb == "setHolder" else None
    HANDS += [
        ask(f"{verb}: there never was one", "never", verb, 404, "unknown-borrow", body=HOLDER),
        ask(f"{verb}: it ended", "Ga", verb, 410, "borrow-ended", body=HOLDER),
        ask(f"{verb}: a change id that is used up", "H", verb, 422, "idempotency-mismatch",
            {**ANNA, "Idempotency-Key": "${u:used}"}, HOLDER),
        Row(f"{verb}: an id that is none", "POST", f"/v1/borrows/mine/{verb}", 400,
            "bad-parameter", json=HOLDER),
        Row(f"{verb}: another media type", "POST", "/v1/borrows/${u:H}/%s" % verb, 415,
            "unsupported-media-type", body=b"{}", type="text/plain", headers=ANNA),
        Row(f"{verb}: not JSON", "POST", "/v1/borrows/${u:H}/%s" % verb, 400, "bad-json",
            body=b"why", headers=ANNA),
    ]

SENT_AGAIN = [
    create("another record", "C", "C"),
    Row("a take under a change id", "PUT", "/v1/borrows/${u:Ca}", 201, commits=1,
        headers={**ANNA, "Idempotency-Key": "${u:take}"},
        json={"tree": "parts", "key": {"id": "${C#}", "revision": 0}}),
    end("a return under a change id", "Ca", "return", 204,
        who={**ANNA, "Idempotency-Key": "${u:give}"}),
    Row("the same again is done once", "POST", "/v1/borrows/${u:Ca}/return", 204,
        headers={**ANNA, "Idempotency-Key": "${u:give}"}, reply={"Idempotency-Replayed": "true"}),
    Row("without it, it has ended", "POST", "/v1/borrows/${u:Ca}/return", 410, "borrow-ended",
        headers=ANNA, has={"ended/why": "return"}),
]

REFUSED = [
    take("an id that ended", "Ca", 410, "borrow-ended", record="C"),
    take("an id of another record", "H", 409, "borrow-mismatch", record="C"),
    take("an id of another taker", "H", 409, "borrow-mismatch", BEN, record="H"),
    take("a deleted record", "n1", 410, "deleted", record="D"),
    take("a change id that is used up", "n3", 422, "idempotency-mismatch",
         {**ANNA, "Idempotency-Key": "${u:used}"}, record="C"),
    take("a term of what has none", "n4", 422, "bad-body", record="C", more={"termSeconds": 30},
         has={"field": "termSeconds"}),
    take("a term too short", "n4", 422, "bad-body", record="C",
         more={"kind": "leased", "termSeconds": 4}, has={"field": "termSeconds"}),
    take("a term too long", "n4", 422, "bad-body", record="C",
         more={"kind": "leased", "termSeconds": 86401}, has={"field": "termSeconds"}),
    take("a term that is none", "n4", 422, "bad-body", record="C",
         more={"kind": "leased", "termSeconds": "60"}, has={"field": "termSeconds"}),
    take("a member nobody knows", "n5", 422, "bad-body", record="C", more={"colour": 1},
         has={"field": "colour"}),
    Row("no key", "PUT", "/v1/borrows/${u:n6}", 422, "bad-body", json={"tree": "parts"}),
    Row("no such record", "PUT", "/v1/borrows/${u:n6}", 404, "not-found",
        json={"tree": "parts", "key": {"id": 9999999, "revision": 0}}),
    Row("no such tree", "PUT", "/v1/borrows/${u:n6}", 404, "unknown-tree",
        json={"tree": "nothing", "key": {"id": 1}}),
    Row("a key of another kind", "PUT", "/v1/borrows/${u:n6}", 400, "bad-key",
        json={"tree": "parts", "key": {"name": "a", "revision": 0}}),
    Row("no revision", "PUT", "/v1/borrows/${u:n6}", 400, "revision-required",
        json={"tree": "parts", "key": {"id": "${C#}"}}),
    Row("an id that is none", "PUT", "/v1/borrows/mine", 400, "bad-parameter",
        json={"tree": "parts", "key": {"id": "${C#}", "revision": 0}}),
    Row("a system tree", "PUT", "/v1/borrows/${u:n6}", 403, "system-tree",
        json={"tree": "_trees", "key": {"name": "parts"}}),
    Row("not JSON", "PUT", "/v1/borrows/${u:n6}", 400, "bad-json", body=b"tree"),
    Row("another media type", "PUT", "/v1/borrows/${u:n6}", 415, "unsupported-media-type",
        json={}, type="text/plain"),
    get("there never was one", "never", 404, "unknown-borrow"),
    Row("reading an id that is none", "GET", "/v1/borrows/mine", 400, "bad-parameter"),
    Row("a page of none", "GET", "/v1/borrows?limit=0", 400, "bad-parameter"),
    Row("of no such tree", "GET", "/v1/borrows?tree=nothing", 404, "unknown-tree"),
]
for verb in ("return", "cancel"):
    REFUSED += [
        end(f"{verb}: there never was one", "never", verb, 404, "unknown-borrow"),
        end(f"{verb}: it ended", "Ca", verb, 410, "borrow-ended"),
        end(f"{verb}: a change id that is used up", "H", verb, 422, "idempotency-mismatch",
            {**ANNA, "Idempotency-Key": "${u:used}"}),
        Row(f"{verb}: an id that is none", "POST", f"/v1/borrows/mine/{verb}", 400,
            "bad-parameter"),
    ]

RANGES = [
    Row("ids for a device", "POST", "/v1/ranges", 201, headers=BEN, commits=1,
        json={"tree": "bins", "count": 100}, save={"bins.first": "first", "bins.end": "end"},
        has={"id": ANY, "tree": "bins", "device": "PC-2", "at": ANY}),
    Row("a range under a change id", "POST", "/v1/ranges", 201, commits=1,
        headers={**BEN, "Idempotency-Key": "${u:range}"}, json={"tree": "bins", "count": 10},
        save={"range": "first"}, has={"first": ANY}),
    Row("the same again is the same range", "POST", "/v1/ranges", 201,
        headers={**BEN, "Idempotency-Key": "${u:range}"}, json={"tree": "bins", "count": 10},
        has={"first": "${range}"}, reply={"Idempotency-Replayed": "true"}),
    Row("another under that id", "POST", "/v1/ranges", 422, "idempotency-mismatch",
        headers={**BEN, "Idempotency-Key": "${u:range}"}, json={"tree": "bins", "count": 11}),
    Row("all of a tree", "GET", "/v1/ranges?tree=bins", 200, has={"ranges/0/tree": "bins"}),
    Row("a page", "GET", "/v1/ranges?limit=1", 200, has={"ranges/#": 1, "next": ANY},
        save={"ranges.next": "next"}),
    Row("the next", "GET", "/v1/ranges?limit=1&cursor=${ranges.next}", 200, has={"ranges/#": 1}),
    Row("no ids", "POST", "/v1/ranges", 422, "bad-body", json={"tree": "bins", "count": 0},
        has={"field": "count"}),
    Row("more than at once", "POST", "/v1/ranges", 413, "too-large",
        json={"tree": "bins", "count": 10_000_001}),
    Row("names have no ranges", "POST", "/v1/ranges", 400, "bad-key",
        json={"tree": "notes", "count": 1}),
    Row("no such tree", "POST", "/v1/ranges", 404, "unknown-tree",
        json={"tree": "nothing", "count": 1}),
    Row("a system tree", "POST", "/v1/ranges", 403, "system-tree",
        json={"tree": "_trees", "count": 1}),
    Row("not JSON", "POST", "/v1/ranges", 400, "bad-json", body=b"{'tree'}"),
    Row("another media type", "POST", "/v1/ranges", 415, "unsupported-media-type",
        json={"tree": "bins", "count": 1}, type="application/xml"),
    Row("a limit of words", "GET", "/v1/ranges?limit=many", 400, "bad-parameter"),
    Row("of no such tree", "GET", "/v1/ranges?tree=nothing", 404, "unknown-tree"),
]

LEASES = [
    create("a record for machines", "M", "M"),
    take("a lease of the usual term", "Ma", 201, record="M", more={"kind": "leased"},
         has={"borrow/kind": "leased", "borrow/termSeconds": 60, "record/value/number": "M"}),
    take("is renewed without a commit", "Ma", 200, record="M", commits=0, more={"kind": "leased"},
         has={"borrow/termSeconds": 60}),
    take("is no held one", "Ma", 409, "borrow-mismatch", record="M",
         has={"borrow/id": "${u:Ma}"}),
    take("has another term", "Ma", 200, record="M", commits=1,
         more={"kind": "leased", "termSeconds": 90}, has={"borrow/termSeconds": 90}),
    Row("ends sooner", "PATCH", "/v1/borrows/${u:Ma}", 200, headers=ANNA, commits=1,
        type="application/merge-patch+json", json={"termSeconds": 5},
        has={"borrow/termSeconds": 5, "borrow/kind": "leased"}),
    take("ben waits for it", "Mb", 202, None, BEN, record="M", more={"queue": True}),
]
# Asked until it is so.
LAPSED = [
    get("it ends when nobody renews it", "Ma", 410, "borrow-ended",
        has={"ended/by": "_system", "ended/why": "lapse"}),
    get("and ben is served", "Mb", 200, who=BEN, has={"borrow/state": "granted"}),
    Row("a late write is refused", "PUT", "/v1/records/parts/${M}?revision=0", 410, "borrow-ended",
        headers={**ANNA, "Holdfast-Borrow": "${u:Ma}"}, json={"number": "late"}),
    end("ben gives it back", "Mb", "return", 204, who=BEN),
]
