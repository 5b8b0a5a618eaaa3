#!/usr/bin/env python3
"""FORMAT.md against a second computation: its test vectors and its worked example.

    python3 Tests/Tools/format_vectors_test.py
"""

import pathlib
import re
import unittest

import format_vectors as vectors

FORMAT = pathlib.Path(__file__).parents[2] / "Sources" / "CommitLog" / "FORMAT.md"


def part(title):
    """A section of FORMAT.md, without what follows it."""
    found = re.search(rf"^## {title}\n.*?(?=^## |\Z)", FORMAT.read_text(), re.M | re.S)
    assert found, f"FORMAT.md has no section {title}"
    return found.group(0)


def worked_example():
    """The files of the worked example."""
    files, name = {}, None
    for line in part("Worked example").splitlines():
        if line.startswith("file "):
            name = line.split()[1]
            files[name] = b""
        elif re.match(r"[0-9a-f]{4}  ", line):
            assert int(line[:4], 16) == len(files[name]), line
            files[name] += bytes.fromhex(line[4:].strip().split("  ")[0])
    return files


class Vectors(unittest.TestCase):
    maxDiff = None

    def test_section_is_what_is_computed(self):
        computed = vectors.section().strip()
        self.assertEqual(part("Test vectors").strip(), computed,
                         "FORMAT.md and Tests/Tools/format_vectors.py disagree")

    def test_published_checksums(self):
        # RFC 3720, appendix B.4; and the check value of the catalogue of CRCs.
        self.assertEqual(vectors.crc32c(bytes(32)), 0x8A9136AA)
        self.assertEqual(vectors.crc32c(b"\xff" * 32), 0x62A8AB43)
        self.assertEqual(vectors.crc32c(bytes(range(32))), 0x46DD794E)
        self.assertEqual(vectors.crc32c(b"123456789"), 0xE3069283)

    def test_a_changed_byte_changes_the_chain(self):
        first, chain, _ = vectors.content(vectors.FIRST, bytes(16))
        _, other, _ = vectors.content({**vectors.FIRST, "device": "PC-2"}, bytes(16))
        self.assertNotEqual(chain, other)
        self.assertEqual(first.data[96:112], chain)


class WorkedExample(unittest.TestCase):
    def test_identity(self):
        identity = worked_example()["IDENTITY"]
        text, crc = identity.rsplit(b"crc32c ", 1)
        self.assertEqual(crc, b"%08x\n" % vectors.crc32c(text))

    def test_segment(self):
        data = worked_example()["log/0000000000000001.seg"]

        def number(offset, size=4):
            return int.from_bytes(data[offset:offset + size], "little")

        self.assertEqual(data[:8], b"HOLDFAST")
        length, salt = number(0x10), number(0x14)
        self.assertEqual(number(8), vectors.crc32c(data[12:length]))
        offset, kinds = length, []
        while offset < len(data):
            size = number(offset + 8)
            kinds.append(data[offset:offset + 4])
            self.assertEqual(number(offset + 4), vectors.crc32c(data[offset + 8:offset + size], salt))
            self.assertEqual(number(offset + size - 8), size)
            self.assertEqual(data[offset + size - 4:offset + size], b"HLFE")
            offset += size
        self.assertEqual(offset, len(data))
        self.assertEqual(kinds, [b"HLFM", b"HLFC", b"HLFC", b"HLFM"])


if __name__ == "__main__":
    unittest.main()
