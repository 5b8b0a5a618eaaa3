"""Builds changes for `POST /v1/changes` and gives each an id made from its own content.

Invariant: the same change always has the same id, so sending it twice is the same as once: the
server remembers the id and answers the second time with the position of the first.
"""

import hashlib
import json
import uuid


def encode(document):
    """The one JSON text of a document: no white space, members in the order given, UTF-8."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def change(why, operations):
    """A change of these operations, its id a UUIDv8 (RFC 9562) of SHA-256 over its content."""
    content = {"why": why, "operations": operations}
    digest = hashlib.sha256(encode(content).encode()).digest()
    number = int.from_bytes(digest[:16], "big")
    number = number & ~(0xF << 76) | 8 << 76
    number = number & ~(0x3 << 62) | 2 << 62
    return {"id": str(uuid.UUID(int=number)), **content}


def create(tree, value, name=None):
    """The operation that creates one record: under its name, or under an id the server takes."""
    operation = {"tree": tree}
    if name is not None:
        operation["key"] = {"name": name, "revision": 0}
    return {"put": {**operation, "expects": "absent", "value": value}}


def reference(key):
    """How a value refers to the record with this key: `"12.0"`, or a name and its revision."""
    return f"{key.get('id', key.get('name'))}.{key['revision']}"
