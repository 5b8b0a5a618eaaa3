#!/usr/bin/env python3
"""Turns KiCad symbol libraries (*.kicad_sym) into changes for `POST /v1/changes`, one a line.

    kicad_to_ndjson.py DIRECTORY [--batch 100] [--library NAME ...] > parts.ndjson

First come the footprints the symbols name, then the parts, library after library. A part's number
is `library:symbol`, since 105 symbol names occur in two libraries. A symbol that extends another
takes over its pins and whatever it leaves unsaid, and says in `extends` whom.

Invariants: the same libraries give the same bytes, change ids included, so that sending them again
adds nothing; no change mixes two libraries; every symbol of every file becomes one part.

Source: KiCad, "Symbol library file format", format 20211014.
"""

import argparse
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "sdk" / "sample"))
from changes import change, create, encode, reference  # noqa: E402

CHANGE_BYTE_COUNT_MAX = 1 << 19
"""A change is closed at this size also when it could take more puts: far below the server's
16 MiB for a commit, so that one huge library does not become one huge commit."""

DRAWING = "at|xy|offset|size|length|width|color|id|start|mid|end|radius|center|stroke|fill|pts"

TOKEN = re.compile(
    rf'\((?:{DRAWING})\b[^()"]*\)'  # a list of numbers that only says where to draw: left out
    r'|([()]|"(?:[^"\\]|\\.)*"|[^\s()"]+)',
    re.DOTALL,
)

ESCAPE = re.compile(r"\\(.)", re.DOTALL)
ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


class SyntaxProblem(Exception):
    """A library that is not a well-formed S-expression, or not a symbol library."""


def parse(text):
    """The nested lists of an S-expression; strings without their quotes, drawing left out."""
    root = []
    stack = []
    current = root
    for token in TOKEN.findall(text):
        if token == "(":
            inner = []
            current.append(inner)
            stack.append(current)
            current = inner
        elif token == ")":
            if not stack:
                raise SyntaxProblem("a list is closed that was never opened")
            current = stack.pop()
        elif token[:1] == '"':
            if len(token) < 2 or token[-1] != '"':
                raise SyntaxProblem("a string is not closed")
            current.append(unescape(token[1:-1]))
        elif token:
            current.append(token)
    if stack:
        raise SyntaxProblem(f"{len(stack)} lists are not closed")
    if len(root) != 1 or root[0][:1] != ["kicad_symbol_lib"]:
        raise SyntaxProblem("not a KiCad symbol library")
    return root[0]


def unescape(text):
    """The text of a quoted string."""
    if "\\" not in text:
        return text
    return ESCAPE.sub(lambda match: ESCAPES.get(match[1], match[1]), text)


def lists(node, head):
    """The lists directly inside a list that begin with this word."""
    return [item for item in node if isinstance(item, list) and item[:1] == [head]]


def pins(symbol):
    """A symbol's pins in file order, without those of its alternative (De Morgan) drawing.

    A symbol is made of bodies named `NAME_UNIT_STYLE`. Style 2 shows the same pins again.
    """
    found = []
    for body in lists(symbol, "symbol"):
        if body[1].rsplit("_", 1)[-1] == "2":
            continue
        for pin in lists(body, "pin"):
            found.append(
                {
                    "number": lists(pin, "number")[0][1],
                    "name": lists(pin, "name")[0][1],
                    "type": pin[1],
                }
            )
    return found


def properties(symbol):
    """A symbol's properties; empty ones and KiCad's `~` for nothing are left out."""
    pairs = ((item[1], item[2].strip()) for item in lists(symbol, "property"))
    return {name: text for name, text in pairs if text not in ("", "~")}


def part(library, symbol, by_name, made):
    """The value of the part one symbol stands for, with what it inherits.

    `made` remembers the parts already made by symbol name, since many extend the same one.
    """
    if symbol[1] in made:
        return made[symbol[1]]
    own = properties(symbol)
    chosen = pins(symbol)
    extended = [item[1] for item in lists(symbol, "extends")]
    if extended:
        base = by_name.get(extended[0])
        if base is None:
            raise SyntaxProblem(f"{symbol[1]} extends {extended[0]}, which is not here")
        inherited = part(library, base, by_name, made)
        chosen = chosen or inherited["pins"]
        own = {**properties(base), **own}
    value = {
        "number": f"{library}:{symbol[1]}",
        "title": own.get("Value", symbol[1]),
        "stock": 0,
        "description": own.get("ki_description"),
        "keywords": own.get("ki_keywords", "").split(),
        "datasheet": own.get("Datasheet"),
        "footprint": None,
        "library": library,
        "extends": f"{library}:{extended[0]}" if extended else None,
        "pins": chosen,
    }
    if "Footprint" in own:
        value["footprint"] = reference({"name": own["Footprint"], "revision": 0})
    made[symbol[1]] = {name: member for name, member in value.items() if member is not None}
    return made[symbol[1]]


def parts(path):
    """The parts of one library file, in file order."""
    try:
        library = parse(path.read_text(encoding="utf-8"))
        symbols = lists(library, "symbol")
        by_name = {symbol[1]: symbol for symbol in symbols}
        made = {}
        return [part(path.stem, symbol, by_name, made) for symbol in symbols]
    except (SyntaxProblem, UnicodeDecodeError, IndexError) as problem:
        raise SystemExit(f"{path}: {problem}") from problem


def footprint(name):
    """The value of the footprint with this name, `library:footprint`."""
    library, _, title = name.rpartition(":")
    return {"title": title, "library": library} if library else {"title": title}


def batches(operations, count_max):
    """The operations cut into runs no longer than `count_max` and no larger than a change."""
    run, byte_count = [], 0
    for operation in operations:
        size = len(encode(operation))
        if run and (len(run) == count_max or byte_count + size > CHANGE_BYTE_COUNT_MAX):
            yield run
            run, byte_count = [], 0
        run.append(operation)
        byte_count += size
    if run:
        yield run


def changes(paths, count_max):
    """All changes of these libraries: the footprints, then the parts of each library."""
    values = {path.stem: parts(path) for path in paths}
    names = sorted(
        {value["footprint"] for library in values.values() for value in library
         if "footprint" in value}
    )
    created = [create("footprints", footprint(name[:-2]), name[:-2]) for name in names]
    for run in batches(created, count_max):
        yield change("import of the footprints KiCad's symbols name", run)
    for library, members in values.items():
        for run in batches([create("parts", value) for value in members], count_max):
            yield change(f"import of KiCad's library {library}", run)


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=pathlib.Path, help="where the *.kicad_sym files are")
    parser.add_argument("--batch", type=int, default=100, metavar="N", help="puts in one change")
    parser.add_argument("--library", action="append", help="only this library (may be repeated)")
    options = parser.parse_args(arguments)
    if options.batch < 1:
        parser.error("--batch must be 1 at least")
    paths = sorted(options.directory.glob("*.kicad_sym"), key=lambda path: path.name)
    if options.library:
        paths = [path for path in paths if path.stem in options.library]
    if not paths:
        raise SystemExit(f"{options.directory}: no *.kicad_sym file there")
    part_count = change_count = 0
    for line in changes(paths, options.batch):
        sys.stdout.write(encode(line) + "\n")
        change_count += 1
        part_count += sum(item["put"]["tree"] == "parts" for item in line["operations"])
    print(f"{part_count} parts of {len(paths)} libraries in {change_count} changes",
          file=sys.stderr)


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    main(sys.argv[1:])
