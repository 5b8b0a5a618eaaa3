"""Snapshots: made, listed, fetched in pieces; and what a log that was cut answers."""

import re

from table import ANY, Row

def tree(name):
    """Declares a tree of texts."""
    return Row(f"a tree, {name}", "PUT", f"/v1/trees/{name}", 201, json={
        "keys": "name", "schema": {"version": "1.0", "fields": [
            {"name": "text", "type": "string"}]}}, commits=1)


# The head of a log's end, and one commit of a byte: its form is right, nothing else.
LINEAGE = b'{"lineage":[{"epoch":"7t3k9x2m4q8wr","firstSeq":1}]}'
TAIL = len(LINEAGE).to_bytes(4, "little") + LINEAGE + b"\x01\0\0\0\x01"

DECLARE = [
    Row("no snapshot yet", "GET", "/v1/snapshot", 404, "unknown-snapshot"),
    Row("none in the server's document", "GET", "/v1", 200, has={
        "snapshot": None, "lineage/#": 1, "lineage/0/firstSeq": 1, "lineage/0/epoch": "${epoch}"},
        save={"head": "head"}),
    tree("notes"),
]


def fill(number, tree="notes", size=400):
    """One commit of five records: a few hundred of them fill several files of the log."""
    text = f"{number} " * (size // len(f"{number} "))
    operations = [{"put": {"tree": tree, "key": {"name": f"n{number}-{index}", "revision": 0},
                           "expects": "absent",
                           "value": {"text": text}}} for index in range(5)]
    return Row(f"commit {number}", "POST", "/v1/changes", 200,
               json={"operations": operations}, commits=1)


FETCH = [
    Row("a snapshot is made", "POST", "/v1/snapshot", 200, has={
        "snapshot": "${head}", "parts": ANY, "bytes": ANY, "writtenBytes": ANY,
        "oldest": re.compile(":[1-9][0-9]*$"), "freedBytes": re.compile("^[1-9][0-9]{4,}$"),
        "held": False}, save={"oldest": "oldest"}),
    Row("it is in the server's document", "GET", "/v1", 200,
        has={"snapshot": "${head}", "oldest": "${oldest}"}),
    Row("its parts", "GET", "/v1/snapshot", 200, has={
        "position": "${head}", "chain": "${chain}", "trees/0": "notes", "time": ANY,
        "databaseID": ANY, "parts/0/kind": "records", "parts/0/block": "_trees"},
        save={"part": "parts/0/sha256", "size": "parts/0/bytes"}),
    Row("HEAD of the snapshot", "HEAD", "/v1/snapshot", 200),
    Row("a part", "GET", "/v1/snapshot/${part}", 200, reply={
        "ETag": '"${part}"', "Accept-Ranges": "bytes", "Content-Length": re.compile("^[0-9]+$"),
        "Content-Type": "application/octet-stream", "Cache-Control": re.compile("immutable")}),
    Row("HEAD of a part", "HEAD", "/v1/snapshot/${part}", 200,
        reply={"Content-Length": re.compile("^[0-9]+$")}),
    Row("the beginning of a part", "GET", "/v1/snapshot/${part}", 206,
        headers={"Range": "bytes=0-9"},
        reply={"Content-Range": "bytes 0-9/${size}", "Content-Length": "10"}),
    Row("its end, if it is that part still", "GET", "/v1/snapshot/${part}", 206,
        headers={"Range": "bytes=-4", "If-Range": '"${part}"'}),
    Row("all of it, as it is another", "GET", "/v1/snapshot/${part}", 200,
        headers={"Range": "bytes=-4", "If-Range": '"other"'}),
    Row("several ranges at once are all of it", "GET", "/v1/snapshot/${part}", 200,
        headers={"Range": "bytes=0-1,4-5"}),
    Row("bytes it does not have", "GET", "/v1/snapshot/${part}", 416, "bad-range",
        headers={"Range": "bytes=99999999-"}, reply={"Content-Range": "bytes */${size}"}),
    Row("the caller has it", "GET", "/v1/snapshot/${part}", 304,
        headers={"If-None-Match": '"${part}"'}),
    Row("a part there is not", "GET", f"/v1/snapshot/{'0' * 64}", 404, "unknown-snapshot"),
    Row("a part that is no digest", "GET", "/v1/snapshot/ab", 400, "bad-parameter"),
    Row("a part in capitals", "GET", f"/v1/snapshot/{'A' * 64}", 400, "bad-parameter"),
    Row("a condition that is none", "GET", "/v1/snapshot/${part}", 400, "bad-header",
        headers={"If-None-Match": "x"}),
    Row("a part cannot be written", "PUT", "/v1/snapshot/${part}", 405, "method-not-allowed"),
    Row("a snapshot takes no body", "POST", "/v1/snapshot", 422, "bad-body", json={"a": 1}),
    Row("healing takes no body", "POST", "/v1/heal?discard=true", 422, "bad-body",
        json={"a": 1}),
    Row("healing by nothing", "POST", "/v1/heal", 400, "bad-parameter"),
    Row("commits to a server that was not restored", "POST", "/v1/heal", 409, "not-healing",
        body=TAIL, type="application/octet-stream"),
    Row("commits without their head", "POST", "/v1/heal", 422, "bad-body",
        body=b"\x09\0\0\0{}", type="application/octet-stream"),
    Row("commits whose head is no JSON", "POST", "/v1/heal", 400, "bad-json",
        body=b"\x02\0\0\0[{", type="application/octet-stream"),
    Row("commits that are none", "POST", "/v1/heal", 422, "bad-body", body=TAIL[:-5],
        type="application/octet-stream"),
    Row("commits of another type", "POST", "/v1/heal", 415, "unsupported-media-type", body=TAIL,
        type="application/json"),
    Row("one that stands for itself has what all changes did", "POST",
        "/v1/snapshot?whole=true", 200,
        has={"snapshot": "${head}", "writtenBytes": ANY}),
    Row("a parameter that is no flag", "POST", "/v1/snapshot?whole=1", 400, "bad-parameter"),
    Row("one that counts on the log again", "POST", "/v1/snapshot", 200),
    Row("again, with nothing new", "POST", "/v1/snapshot", 200,
        has={"snapshot": "${head}", "writtenBytes": 0, "freedBytes": 0}),
    Row("commits from before are gone", "GET", "/v1/changes?since=${epoch}:1", 410, "compacted",
        has={"oldest": "${oldest}"}),
    Row("those behind are there", "GET", "/v1/changes?since=${oldest}&limit=1", 200),
    Row("what stands, stands", "GET", "/v1/records/notes/n0-0", 200,
        has={"text": re.compile("^0 0 ")}),
]
