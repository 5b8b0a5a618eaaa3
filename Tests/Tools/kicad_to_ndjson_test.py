#!/usr/bin/env python3
"""Tests of the converter and of the sample, on libraries written here.

    python3 Tests/Tools/kicad_to_ndjson_test.py
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest
import uuid

import kicad_to_ndjson as converter

sys.path.insert(0, str(pathlib.Path(converter.__file__).parents[2] / "sdk" / "sample"))
import changes  # noqa: E402
import stockroom  # noqa: E402

GATES = r'''
(kicad_symbol_lib (version 20211014) (generator made_by_hand)
  (symbol "Gate" (pin_names (offset 1.016)) (in_bom yes) (on_board yes)
    (property "Reference" "U" (id 0) (at 0 1.27 0) (effects (font (size 1.27 1.27))))
    (property "Value" "Gate" (id 1) (at 0 -1.27 0))
    (property "Footprint" "Package:DIP-14 (wide)" (id 2) (at 0 0 0))
    (property "Datasheet" "~" (id 3) (at 0 0 0))
    (property "ki_description" "two \"gates\" (at 5 V), 10 \\ 2" (id 5) (at 0 0 0))
    (property "ki_keywords" "logic  gate" (id 4) (at 0 0 0))
    (symbol "Gate_0_1" (polyline (pts (xy 5.08 0) (xy -5.08 5.08)) (fill (type none))))
    (symbol "Gate_1_1"
      (pin input line (at -7.62 0 0) (length 3.81) (name "A" (effects)) (number "1" (effects))
        (alternate "B" output line))
      (pin output inverted (at 7.62 0 180) (length 3.81) hide (name "~{Q}") (number "2")))
    (symbol "Gate_1_2"
      (pin input inverted (at -7.62 0 0) (length 3.81) (name "A") (number "1")))
    (symbol "Gate_2_0"
      (pin power_in line (at 0 0 0) (length 3.81) (name "VCC") (number "14"))))
  (symbol "GateFast" (extends "Gate")
    (property "Reference" "U" (id 0) (at 0 0 0))
    (property "Value" "GateFast" (id 1) (at 0 0 0))
    (property "Footprint" "" (id 2) (at 0 0 0))
    (property "Datasheet" "https://example.com/fast.pdf" (id 3) (at 0 0 0))))
'''

OTHER = '''(kicad_symbol_lib (version 20211014) (generator made_by_hand)
  (symbol "Gate" (property "Value" "Gate" (id 1)) (symbol "Gate_1_1")))'''


class Folder:
    """A temporary folder of libraries."""

    def __init__(self, **texts):
        self.held = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.held.name)
        for name, text in texts.items():
            (self.path / f"{name}.kicad_sym").write_text(text, encoding="utf-8")

    def __enter__(self):
        return self.path

    def __exit__(self, *_):
        self.held.cleanup()


def convert(path, *options):
    """The changes the command line prints for a folder."""
    ran = subprocess.run(
        [sys.executable, converter.__file__, str(path), *options],
        capture_output=True, check=True)
    return ran.stdout, [json.loads(line) for line in ran.stdout.splitlines()]


class ConverterTests(unittest.TestCase):
    def parts(self, text, name="Logic"):
        with Folder(**{name: text}) as path:
            return converter.parts(path / f"{name}.kicad_sym")

    def test_a_symbol_becomes_a_part_with_nested_pins(self):
        self.assertEqual(self.parts(GATES)[0], {
            "number": "Logic:Gate",
            "title": "Gate",
            "stock": 0,
            "description": 'two "gates" (at 5 V), 10 \\ 2',
            "keywords": ["logic", "gate"],
            "footprint": "Package:DIP-14 (wide).0",
            "library": "Logic",
            "pins": [
                {"number": "1", "name": "A", "type": "input"},
                {"number": "2", "name": "~{Q}", "type": "output"},
                {"number": "14", "name": "VCC", "type": "power_in"},
            ],
        })

    def test_an_extending_symbol_takes_over_what_it_leaves_unsaid(self):
        base, fast = self.parts(GATES)
        self.assertEqual(fast["extends"], "Logic:Gate")
        self.assertEqual(fast["pins"], base["pins"])
        self.assertEqual(fast["description"], base["description"])
        self.assertEqual(fast["footprint"], base["footprint"])
        self.assertEqual(fast["title"], "GateFast")
        self.assertEqual(fast["datasheet"], "https://example.com/fast.pdf")

    def test_equal_symbol_names_of_two_libraries_are_two_parts(self):
        with Folder(Logic=GATES, Other=OTHER) as path:
            _, lines = convert(path)
        numbers = [
            operation["put"]["value"]["number"]
            for line in lines for operation in line["operations"]
            if operation["put"]["tree"] == "parts"
        ]
        self.assertEqual(numbers, ["Logic:Gate", "Logic:GateFast", "Other:Gate"])

    def test_footprints_come_first_and_once(self):
        with Folder(Logic=GATES) as path:
            _, lines = convert(path)
        self.assertEqual(lines[0]["operations"], [{"put": {
            "tree": "footprints",
            "key": {"name": "Package:DIP-14 (wide)", "revision": 0},
            "expects": "absent",
            "value": {"title": "DIP-14 (wide)", "library": "Package"},
        }}])

    def test_the_same_libraries_give_the_same_bytes(self):
        with Folder(Logic=GATES, Other=OTHER) as path:
            self.assertEqual(convert(path)[0], convert(path)[0])

    def test_a_batch_bounds_the_puts_of_a_change_and_changes_have_ids_of_their_own(self):
        with Folder(Logic=GATES, Other=OTHER) as path:
            _, lines = convert(path, "--batch", "1")
        self.assertEqual([len(line["operations"]) for line in lines], [1, 1, 1, 1])
        self.assertEqual(len({line["id"] for line in lines}), 4)

    def test_one_library_alone(self):
        with Folder(Logic=GATES, Other=OTHER) as path:
            _, lines = convert(path, "--library", "Other")
        self.assertEqual([len(line["operations"]) for line in lines], [1])

    def test_a_large_change_is_closed_before_its_count(self):
        large = {"put": {"value": "x" * (converter.CHANGE_BYTE_COUNT_MAX // 2)}}
        self.assertEqual([len(run) for run in converter.batches([large] * 3, 100)], [1, 1, 1])

    def test_a_broken_library_is_named_and_refused(self):
        broken = {
            "2 lists are not closed": GATES.rstrip()[:-2],
            "a list is closed": GATES + ")",
            "not a KiCad symbol library": "(footprint)",
            "extends Gone": GATES.replace('extends "Gate"', 'extends "Gone"'),
        }
        for reason, text in broken.items():
            with self.subTest(reason), self.assertRaises(SystemExit) as refused:
                self.parts(text)
            self.assertIn(reason, str(refused.exception))
            self.assertIn("Logic.kicad_sym", str(refused.exception))


class ChangeTests(unittest.TestCase):
    def test_an_id_is_a_uuid_of_version_8_and_of_the_content(self):
        first = changes.change("why", [changes.create("bins", {"label": "A1"})])
        again = changes.change("why", [changes.create("bins", {"label": "A1"})])
        other = changes.change("why", [changes.create("bins", {"label": "A2"})])
        self.assertEqual(first, again)
        self.assertNotEqual(first["id"], other["id"])
        self.assertEqual(uuid.UUID(first["id"]).version, 8)
        self.assertEqual(uuid.UUID(first["id"]).variant, uuid.RFC_4122)


class SampleTests(unittest.TestCase):
    def test_quantities_are_written_in_engineering_notation(self):
        written = {
            (10, 0, "Ω"): "10 Ω", (47, 2, "Ω"): "4.7 kΩ", (91, 4, "Ω"): "910 kΩ",
            (10, -12, "F"): "10 pF", (22, -7, "F"): "2.2 µF", (15, -10, "F"): "1.5 nF",
            (68, -9, "F"): "68 nF", (10, 5, "Ω"): "1 MΩ",
        }
        for (mantissa, exponent, unit), text in written.items():
            self.assertEqual(stockroom.quantity(mantissa, exponent, unit), text)

    def test_about_200_parts_with_numbers_of_their_own_lie_in_ten_bins(self):
        parts = list(stockroom.parts())
        self.assertEqual(len(parts), 197)
        self.assertEqual(len({part["number"] for part in parts}), len(parts))
        self.assertEqual({part["bin"] for part in parts}, set(stockroom.BINS))
        self.assertEqual(
            {part["footprint"] for part in parts},
            {name + ".0" for name in stockroom.FOOTPRINTS})

    def test_the_stock_of_a_part_that_moved_is_the_sum_of_its_moves(self):
        stock, moved, last_id = {}, {}, 0

        def post(batch):
            nonlocal last_id
            replies = []
            for change in batch:
                results = []
                for operation in change["operations"]:
                    put = operation.get("put", {"tree": None})
                    last_id += 1
                    key = {"id": last_id, "revision": 0}
                    results.append({"key": key})
                    if put["tree"] == "parts":
                        stock[changes.reference(key)] = put["value"]["stock"]
                    elif put["tree"] == "moves":
                        part = put["value"]["part"]
                        moved[part] = moved.get(part, 0) + put["value"]["quantity"]
                replies.append((f"epoch:{last_id}", results))
            return replies

        stockroom.load(post)
        self.assertEqual(len(stock), 197)
        self.assertEqual(len(moved), 25)
        for part, quantity in moved.items():
            self.assertEqual(stock[part], quantity)


if __name__ == "__main__":
    unittest.main()
