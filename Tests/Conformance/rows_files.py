"""Files: uploaded, whole and in pieces, read, named by values, and what of all that is refused."""

import hashlib
import re

from table import ANY, Row


def sha256(content):
    """The name of a file."""
    return hashlib.sha256(content).hexdigest()


HELLO = b"hello, files"
PIECES = bytes(range(256)) * 40
PAGE = b"<script>alert(1)</script>"
LENGTH = len(PIECES)


def put(content):
    """The path of a file."""
    return f"/v1/files/{sha256(content)}"


def piece(name, first, last, status, code=None, offset=None, **more):
    """A piece of PIECES."""
    return Row(name, "PUT", put(PIECES), status, code, body=PIECES[first:last + 1],
               headers={"Content-Range": f"bytes {first}-{last}/{LENGTH}"}, type="image/png",
               reply={} if offset is None else {"Upload-Offset": str(offset)}, **more)


UPLOADS = [
    Row("a file", "PUT", put(HELLO), 201, body=HELLO, type="text/plain", commits=1,
        headers={"Holdfast-Name": "gr%C3%BC%C3%9F%2Fe%22.txt", "Holdfast-Why": "first"},
        has={"$file": sha256(HELLO), "size": len(HELLO), "type": "text/plain",
             "name": "gr\u00fc\u00df/e\".txt"},
        reply={"Location": put(HELLO), "ETag": f'"{sha256(HELLO)}"'}),
    Row("the same again", "PUT", put(HELLO), 200, body=HELLO, type="image/png",
        has={"type": "text/plain"}),
    Row("the same, named by the server", "POST", "/v1/files", 200, body=HELLO, type="text/plain",
        has={"$file": sha256(HELLO)}),
    Row("a file the server names", "POST", "/v1/files", 201, body=PAGE, commits=1,
        type="text/html; charset=utf-8", has={"$file": sha256(PAGE), "name": ""},
        reply={"Location": put(PAGE)}),
    Row("a file without a type", "POST", "/v1/files", 201, body=b"x", type="", commits=1,
        has={"type": "application/octet-stream"}),
    Row("an empty file", "PUT", put(b""), 201, commits=1, has={"size": 0}),
    Row("under a key", "POST", "/v1/files", 201, body=b"key", type="text/plain", commits=1,
        headers={"Idempotency-Key": "${u:file}"}),
    Row("under it again", "POST", "/v1/files", 201, body=b"key", type="text/plain",
        headers={"Idempotency-Key": "${u:file}"}, reply={"Idempotency-Replayed": "true"}),
    Row("another one under it", "POST", "/v1/files", 422, "idempotency-mismatch", body=b"other",
        type="text/plain", headers={"Idempotency-Key": "${u:file}"}),
    Row("its bytes are not kept", "GET", put(b"other"), 404, "unknown-file"),
    Row("another one under its key, named", "PUT", put(b"other"), 422, "idempotency-mismatch",
        body=b"other", type="text/plain", headers={"Idempotency-Key": "${u:file}"}),
    Row("nothing of one yet", "HEAD", put(PIECES), 404, reply={"Upload-Offset": None}),
    piece("the first piece", 0, 999, 202, offset=1000),
    Row("how far it is", "HEAD", put(PIECES), 404, reply={"Upload-Offset": "1000"}),
    Row("how far it is, in words", "GET", put(PIECES), 404, "unknown-file",
        reply={"Upload-Offset": "1000"}),
    Row("another caller's is not", "HEAD", put(PIECES), 404, reply={"Upload-Offset": None},
        headers={"Holdfast-User": "bert"}),
    piece("a piece too far", 2000, 2999, 409, "offset-mismatch", 1000),
    piece("a piece again", 0, 999, 202, offset=1000),
    piece("the second piece", 1000, 4999, 202, offset=5000),
    piece("the last piece", 5000, LENGTH - 1, 201, commits=1,
          has={"$file": sha256(PIECES), "size": LENGTH}),
    Row("nothing is left of the pieces", "PUT", put(b"never begun"), 409, "offset-mismatch",
        body=b"begun", headers={"Content-Range": "bytes 6-10/11"}, reply={"Upload-Offset": "0"}),
]

READS = [
    Row("a file", "GET", put(HELLO), 200, reply={
        "Content-Type": "text/plain", "ETag": f'"{sha256(HELLO)}"', "Accept-Ranges": "bytes",
        "Content-Length": str(len(HELLO)), "Cache-Control": re.compile("private.*immutable"),
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Content-Disposition":
            "inline; filename=\"gr___e_.txt\"; filename*=UTF-8''gr%C3%BC%C3%9F_e%22.txt"}),
    Row("a page is not shown in place", "GET", put(PAGE), 200, reply={
        "Content-Type": "text/html; charset=utf-8", "Content-Disposition": "attachment",
        "Content-Security-Policy": "default-src 'none'; sandbox"}),
    Row("its head", "HEAD", put(HELLO), 200, reply={"Content-Length": str(len(HELLO))}),
    Row("an empty file", "GET", put(b""), 200, reply={"Content-Length": "0"}),
    Row("whatever the client takes", "GET", put(HELLO), 200, headers={"Accept": "image/*"}),
    Row("a range", "GET", put(PIECES), 206, headers={"Range": "bytes=256-511"},
        reply={"Content-Range": f"bytes 256-511/{LENGTH}", "Content-Length": "256"}),
    Row("its end, if it is that file", "GET", put(PIECES), 206,
        headers={"Range": "bytes=-4", "If-Range": f'"{sha256(PIECES)}"'}),
    Row("all of it, as it is another", "GET", put(PIECES), 200,
        headers={"Range": "bytes=-4", "If-Range": '"other"'}),
    Row("bytes it does not have", "GET", put(HELLO), 416, "bad-range",
        headers={"Range": "bytes=99-"}, reply={"Content-Range": f"bytes */{len(HELLO)}"}),
    Row("the caller has it", "GET", put(HELLO), 304,
        headers={"If-None-Match": f'"{sha256(HELLO)}"'}),
    Row("a condition that is none", "GET", put(HELLO), 400, "bad-header",
        headers={"If-None-Match": "x"}),
    Row("a file there is not", "GET", put(b"nothing"), 404, "unknown-file"),
    Row("a name that is no digest", "GET", "/v1/files/ab", 400, "bad-parameter"),
    Row("a name in capitals", "GET", f"/v1/files/{'A' * 64}", 400, "bad-parameter"),
    Row("all files", "GET", "/v1/records/_files", 200, has={"records/0/tree": "_files"}),
    Row("what is known of one", "GET", f"/v1/records/_files/{sha256(HELLO)}", 200,
        has={"size": len(HELLO), "type": "text/plain", "uploadedBy": "local", "at": ANY}),
]

REFERENCE = {"$file": sha256(HELLO), "size": len(HELLO), "type": "text/plain", "name": "a"}
MISSING = {**REFERENCE, "$file": sha256(b"nothing")}
NEW = {"If-None-Match": "*"}

NAMED = [
    Row("a tree without schema", "PUT", "/v1/trees/attached", 201, json={"keys": "name"},
        commits=1),
    Row("a tree with one", "PUT", "/v1/trees/pictured", 201, json={
        "keys": "id", "borrow": "optional", "schema": {"version": "1.0", "fields": [
            {"name": "photo", "type": "file", "optional": True}]}}, commits=1),
    Row("a value names a file", "PUT", "/v1/records/attached/a", 201, headers=NEW,
        json={"photos": [REFERENCE]}, commits=1, save={"attached": "header:ETag"}),
    Row("one names a file there is not", "PUT", "/v1/records/attached/b", 422, "file-missing",
        headers=NEW, json={"photos": [REFERENCE, MISSING]}, has={"field": "photos.1"}),
    Row("one is edited to do so", "PATCH", "/v1/records/attached/a", 422, "file-missing",
        headers={"If-Match": "${attached}"}, json={"photo": MISSING},
        type="application/merge-patch+json"),
    Row("a name that is no digest", "PUT", "/v1/records/attached/b", 422, "invalid-field",
        headers=NEW, json={"a": {"$file": "hello"}}, has={"field": "a"}),
    Row("a field of a file", "POST", "/v1/records/pictured", 201, json={"photo": REFERENCE},
        commits=1),
    Row("a field of a file there is not", "POST", "/v1/records/pictured", 422, "file-missing",
        json={"photo": MISSING}, has={"field": "photo"}),
    Row("a change that names one", "POST", "/v1/changes", 422, "file-missing", json={
        "operations": [{"put": {"tree": "pictured", "expects": "absent", "value": value}}
                       for value in ({"photo": REFERENCE}, {"photo": MISSING})]},
        has={"operation": 1, "field": "photo"}),
]

REFUSED = [
    Row("other bytes than the name's", "PUT", put(b"one"), 400, "hash-mismatch", body=b"two"),
    Row("nothing of them is kept", "HEAD", put(b"one"), 404, reply={"Upload-Offset": None}),
    Row("other pieces than the name's", "PUT", put(b"one"), 202, body=b"t",
        headers={"Content-Range": "bytes 0-0/3"}),
    Row("the last of them", "PUT", put(b"one"), 400, "hash-mismatch", body=b"wo",
        headers={"Content-Range": "bytes 1-2/3"}),
    Row("nothing of those", "HEAD", put(b"one"), 404, reply={"Upload-Offset": None}),
    Row("a name that is no digest", "PUT", "/v1/files/ab", 400, "bad-parameter", body=b"a"),
    Row("a type that is none", "POST", "/v1/files", 400, "bad-header", body=b"a", type="png"),
    Row("a type that is too long", "POST", "/v1/files", 400, "bad-header", body=b"a",
        type="a/" + "b" * 260),
    Row("a name that is no UTF-8", "POST", "/v1/files", 400, "bad-header", body=b"a",
        headers={"Holdfast-Name": "%FF"}),
    Row("a name with a line end", "POST", "/v1/files", 400, "bad-header", body=b"a",
        headers={"Holdfast-Name": "a%0D%0Ab"}),
    Row("a name that is too long", "POST", "/v1/files", 400, "bad-header", body=b"a",
        headers={"Holdfast-Name": "a" * 256}),
    Row("a piece of what the server names", "POST", "/v1/files", 400, "bad-header", body=b"a",
        headers={"Content-Range": "bytes 0-0/3"}),
    *[Row(f"a piece {text}", "PUT", put(b"one"), 400, "bad-header", body=b"on",
          headers={"Content-Range": text})
      for text in ("bytes 0-2/3", "bytes 0-1/*", "bytes 0-1", "bytes 1-0/3", "lines 0-1/3",
                   "bytes 2-3/3", "bytes */3")],
    Row("more than a file may have", "PUT", put(b"one"), 413, "too-large", body=b"o",
        headers={"Content-Range": f"bytes 0-0/{(1 << 40) + 1}"}),
    Row("a file is not deleted", "DELETE", put(HELLO), 405, "method-not-allowed",
        reply={"Allow": "GET, HEAD, PUT"}),
    Row("files are listed as records", "GET", "/v1/files", 405, "method-not-allowed",
        reply={"Allow": "POST"}),
    Row("the record of a file is the system's", "PUT", f"/v1/records/_files/{'0' * 64}", 403,
        "system-tree", json={}, headers=NEW),
]
