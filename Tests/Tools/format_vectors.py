#!/usr/bin/env python3
"""The test vectors of FORMAT.md, computed from its text and from nothing of our Swift code.

    python3 Tests/Tools/format_vectors.py

prints the section "Test vectors". CRC-32C is computed bit by bit, the content is put together field
by field, and the sums are Python's integers, so that an error shared with the product is unlikely.
"""

import hashlib
import struct

MASK = (1 << 64) - 1
NO_SCHEMA = (0xFFFF, 0xFFFF)


def crc32c(data, crc=0):
    """RFC 3720, appendix B.4, one bit at a time."""
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def section_hash(data):
    return hashlib.sha256(data).digest()[:16]


def fold(a, b):
    product = a * b
    return (product & MASK) ^ (product >> 64)


class FoldHash:
    """`FoldHash` of FORMAT.md, section "Tree hash"."""

    def __init__(self, seed):
        self.state = seed ^ 0xB7E151628AED2A6B

    def word(self, word):
        self.state = (fold(self.state ^ word, 0x9E3779B97F4A7C15) + 0xB7E151628AED2A6B) & MASK
        return self

    def bytes(self, data):
        for start in range(0, len(data), 8):
            self.word(int.from_bytes(data[start:start + 8], "little"))
        return self.word(len(data))

    def value(self):
        return fold(self.state ^ (self.state >> 32), 0xB7E151628AED2A6B)


SEEDS = (0x51554F52554D0001, 0x51554F52554D0002)


def record_hash(block, effect, seq):
    """H of a record, as 16 bytes."""
    checksum = FoldHash(SEEDS[0]).bytes(effect["value"]).value()
    lanes = []
    for seed in SEEDS:
        lane = FoldHash(seed).bytes(block.encode())
        if isinstance(effect["id"], int):
            lane.word(effect["id"])
        else:
            lane.bytes(effect["id"].encode())
        kind, number = effect["state"]
        major, minor = effect["schema"]
        lane.word(effect["revision"] << 32 | number).word(kind << 32 | major << 16 | minor)
        lanes.append(lane.word(seq).word(checksum).value())
    return struct.pack(">QQ", *lanes)


# What the vectors are about.

def effect(identifier, value, *, revision=0, state=(0, 0), schema=NO_SCHEMA, label=1, previous=0,
           created=(0, "", ""), extensions=b""):
    return {"id": identifier, "value": value, "revision": revision, "state": state,
            "schema": schema, "label": label, "previous": previous, "created": created,
            "extensions": extensions}


def salt(number):
    return bytes([number] * 16)


ANNA = (1_795_168_800_123, "anna", "PC-1")
BERT = (1_795_168_860_000, "bert", "PC-2")
BORROW = "0198c5f2-7b1e-7c3a-9d55-000000000001"

FIRST = {
    "title": "commit 1", "seq": 1, "at": ANNA[0], "madeAt": 0, "deviceSeq": 0,
    "changeID": "0198c5f27b1e7c3a9d55000000000010", "jobID": "0" * 32, "digest": "0" * 32,
    "user": "anna", "device": "PC-1", "extensions": b"",
    "details": (salt(0xD1), "stockroom", "first parts"),
    "blocks": [
        (salt(0xA1), "parts", [
            effect(7, b'{"number":"R 0805","pins":2}', revision=1, state=(2, 3), schema=(1, 2),
                   created=ANNA, label=5),
            effect(8, b"[]", state=(1, 0), schema=(2, 0), created=ANNA),
        ]),
        (salt(0xA2), "footprints", [
            effect("R_0805 (2012 \u00b5m)", b"{}", created=ANNA, label=2),
        ]),
    ],
}

SECOND = {
    "title": "commit 2", "seq": 2, "at": BERT[0], "madeAt": BERT[0] - 5000, "deviceSeq": 17,
    "changeID": "0198c5f27b1e7c3a9d55000000000011", "jobID": "0198c5f27b1e7c3a9d55000000000012",
    "digest": "00112233445566778899aabbccddeeff",
    "user": "bert", "device": "PC-2", "extensions": b"", "details": None,
    "blocks": [
        (salt(0xB1), "footprints", [
            effect("R_0805 (2012 \u00b5m)", None, label=4, previous=1),
        ]),
        (salt(0xB2), "_borrows/parts", [
            effect(BORROW, b'{"tree":"parts"}', created=BERT, label=8),
        ]),
    ],
}

THIRD = {
    "title": "commit 3", "seq": 3, "at": BERT[0], "madeAt": 0, "deviceSeq": 0,
    "changeID": "0198c5f27b1e7c3a9d55000000000013", "jobID": "0" * 32, "digest": "0" * 32,
    "user": "bert", "device": "PC-2", "extensions": b"\x01\x02\x00hi\x02\x00\x00",
    "details": None,
    "blocks": [
        (salt(0xC1), "bins", [
            effect(1, b"null", created=BERT, extensions=b"\x7f\x01\x00\xff"),
        ]),
    ],
}

COMMITS = [FIRST, SECOND, THIRD]


class Writer:
    """Bytes with the words that explain them."""

    def __init__(self):
        self.data = b""
        self.rows = []

    def put(self, data, words):
        self.rows.append((len(self.data), data, words))
        self.data += data

    def little(self, size, value, words):
        self.put(value.to_bytes(size, "little"), words)

    def extend(self, other):
        """Takes what another has written, which lies behind."""
        for offset, data, words in other.rows:
            self.rows.append((len(self.data) + offset, data, words))
        self.data += other.data


def quoted(text):
    return '"' + text + '"'


def write_effect(out, change):
    is_set, identifier = change["value"] is not None, change["id"]
    is_number = isinstance(identifier, int)
    name = b"" if is_number else identifier.encode()
    kind, number = change["state"]
    at, user, device = change["created"]
    out.put(bytes([1 if is_set else 2, change["label"], kind, 1 if is_number else 2]),
            f"effect: {'set' if is_set else 'remove'}, label {change['label']}, "
            f"{['plain', 'draft', 'released'][kind]}, key is a {'number' if is_number else 'name'}")
    out.put(struct.pack("<II", change["revision"], number),
            f"revision {change['revision']}, state number {number}")
    out.little(4, len(change["value"] or b""), "length of the value")
    out.little(8, change["previous"], f"seq of the version before: {change['previous'] or 'none'}")
    out.little(8, identifier if is_number else len(name),
               f"id {identifier}" if is_number else f"length of the name: {len(name)}")
    out.little(8, at, "created at" if is_set else "created: not for a removal")
    major, minor = change["schema"]
    out.put(struct.pack("<HH", major, minor),
            "no schema" if (major, minor) == NO_SCHEMA else f"schema {major}.{minor}")
    out.put(struct.pack("<HHHH", len(user), len(device), len(change["extensions"]), 0),
            "lengths of user, device, extensions; zero")
    if name:
        out.put(name, quoted(identifier))
    if is_set:
        out.put((user + device).encode(), quoted(user) + " " + quoted(device))
    if change["extensions"]:
        out.put(change["extensions"], "extensions")
    if is_set:
        out.put(change["value"], change["value"].decode())


def write_section(out, hashes, what, fill):
    body = Writer()
    fill(body)
    hashes.append(section_hash(body.data))
    out.little(4, 1, f"{what}: visible")
    out.little(4, len(body.data), f"length of the body: {len(body.data)}")
    out.put(hashes[-1], "hash of the body")
    out.extend(body)


def write_details(body, details):
    details_salt, app, why = details
    body.put(details_salt, "salt")
    body.put(struct.pack("<HH", len(app), len(why)), "lengths of app and why")
    body.put(app.encode(), quoted(app))
    body.put(why.encode(), quoted(why))


def write_block(body, block):
    block_salt, name, effects = block
    body.put(block_salt, "salt")
    body.put(struct.pack("<IHH", len(effects), len(name), 0),
             f"effects: {len(effects)}; length of the name; zero")
    body.put(name.encode(), quoted(name))
    for change in effects:
        write_effect(body, change)


def content(commit, previous_chain):
    """The content as a Writer, its chain, and its section hashes."""
    sections, hashes = Writer(), []
    if commit["details"]:
        write_section(sections, hashes, "details",
                      lambda body: write_details(body, commit["details"]))
    for block in commit["blocks"]:
        write_section(sections, hashes, "block", lambda body, block=block: write_block(body, block))
    out = Writer()
    out.put(bytes([1, 1 if commit["details"] else 0]),
            "format 1; flags: " + ("details follow" if commit["details"] else "none"))
    out.little(2, len(commit["blocks"]), f"blocks: {len(commit['blocks'])}")
    out.little(4, 0, "epoch index")
    out.little(8, commit["seq"], f"seq: {commit['seq']}")
    out.little(8, commit["at"], f"at: {commit['at']}")
    out.little(8, commit["madeAt"], f"made at: {commit['madeAt'] or 'unknown'}")
    for name in ("changeID", "jobID", "digest"):
        none = "" if int(commit[name], 16) else ": none"
        words = {"changeID": "change id", "jobID": "job id", "digest": "digest"}[name]
        out.put(bytes.fromhex(commit[name]), words + none)
    out.little(8, commit["deviceSeq"], f"device seq: {commit['deviceSeq'] or 'none'}")
    texts = (commit["user"] + commit["device"]).encode()
    out.put(struct.pack("<HHHH", len(commit["user"]), len(commit["device"]),
                        len(commit["extensions"]), 0),
            "lengths of user, device, extensions; zero")
    chain = section_hash(previous_chain + out.data + texts + commit["extensions"]
                         + b"".join(hashes))
    out.put(chain, "chain")
    out.put(texts, quoted(commit["user"]) + " " + quoted(commit["device"]))
    if commit["extensions"]:
        out.put(commit["extensions"], "extensions")
    out.extend(sections)
    return out, chain, hashes


def projection(commit, previous_chain, permitted):
    """The bytes that a node is sent that may see the permitted blocks alone."""
    whole, chain, hashes = content(commit, previous_chain)
    texts = commit["user"] + commit["device"]
    data = whole.data[:112 + len(texts) + len(commit["extensions"])]
    offset, names = len(data), []
    if commit["details"]:
        names.append(None)
    names += [name for _, name, _ in commit["blocks"]]
    isAnyVisible = any(name in permitted for name in names)
    for name, digest in zip(names, hashes):
        length = 24 + int.from_bytes(whole.data[offset + 4:offset + 8], "little")
        if name in permitted or name is None and isAnyVisible:
            data += whole.data[offset:offset + length]
        else:
            data += bytes(8) + digest
        offset += length
    return data


CRC_INPUTS = [
    (0, bytes(32)), (0, b"\xff" * 32), (0, bytes(range(32))), (0, b"123456789"),
    (0x8902_5CC1, b"123456789"), (0x8902_5CC1, b""), (0xFFFF_FFFF, b"first"),
]


def hexadecimal(data):
    return " ".join(f"{byte:02x}" for byte in data)


def tables():
    """Everything that stands in the section as (heading, text before, rows)."""
    crc = [f"crc32c {seed:08x} {crc32c(data, seed):08x} {data.hex() or '-'}"
           for seed, data in CRC_INPUTS]
    chain, dumps, hashes, records = bytes(16), [], [], []
    tree_sums = {}
    live = {}
    for commit in COMMITS:
        written, after, sections = content(commit, chain)
        rows = [commit["title"]]
        for offset, data, words in written.rows:
            for start in range(0, len(data), 16):
                part = hexadecimal(data[start:start + 16])
                rows.append(f"{offset + start:04x}  {part:<47}  {words if start == 0 else ''}"
                            .rstrip())
        dumps.append(rows)
        names = (["details"] if commit["details"] else []) + [b[1] for b in commit["blocks"]]
        for name, digest in zip(names, sections):
            hashes.append(f"section {commit['seq']} {digest.hex()} {name}")
        hashes.append(f"chain {commit['seq']} {after.hex()}")
        for permitted in [[], ["footprints"], ["parts"]]:
            data = projection(commit, chain, permitted)
            hashes.append(f"projection {commit['seq']} {section_hash(data).hex()} {len(data)} "
                          + (permitted[0] if permitted else "-"))
        for _, block, effects in commit["blocks"]:
            for change in effects:
                key = (block, change["id"], change["revision"])
                live.pop(key, None)
                if change["value"] is not None:
                    digest = record_hash(block, change, commit["seq"])
                    live[key] = digest
                    records.append(f"record {commit['seq']} {digest.hex()} {block} "
                                   f"{change['id']}.{change['revision']}")
        tree_sums = {}
        for (block, _, _), digest in live.items():
            total = tree_sums.get(block, 0) + int.from_bytes(digest, "big")
            tree_sums[block] = total & ((1 << 128) - 1)
        for _, block, _ in commit["blocks"]:
            records.append(f"tree {commit['seq']} {tree_sums.get(block, 0):032x} {block}")
        chain = after
    folds = [f"fold {seed:016x} {FoldHash(seed).bytes(data).value():016x} {data.hex() or '-'}"
             for seed in (0, SEEDS[0]) for data in (b"", b"\x00", b"12345678", b"123456789")]
    return crc, dumps, hashes, folds, records


def section():
    crc, dumps, hashes, folds, records = tables()
    lines = ["## Test vectors", ""]
    lines += ["`Tests/Tools/format_vectors.py` computes them from the text above and prints this "
              "section; tests compare it with",
              "what is printed, and with what the product computes. All values are hexadecimal.",
              "",
              "CRC-32C: what it begins with (a segment's salt, or 0), the checksum, the bytes.", "",
              "```", *crc, "```", "",
              "Three commits that follow each other. The third has extensions of a later version, "
              "none of them critical.", ""]
    for rows in dumps:
        lines += ["```", *rows, "```", ""]
    lines += ["Hashes of their sections (commit, hash, which), the chain after each commit, and "
              "their projections (commit, hash of",
              "its bytes, how many, which block is permitted; `-`: none).", "",
              "```", *hashes, "```", "",
              "FoldHash (seed, value, the bytes taken), record hashes (commit, hash, block, key), "
              "and the set hash of each block after",
              "the commit.", "",
              "```", *folds, *records, "```", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    print(section())
