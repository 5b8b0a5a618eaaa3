"""Random descriptors, and random values as JSON text that may or may not fit them.

What JSON Schema cannot say is left out: a whole number written with a fraction or an exponent, `-0`,
names measured in bytes.
"""

import json
import string

KINDS = {
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float", "double",
    "string", "date", "uuid", "data", "url", "decimal", "file", "any", "key", "array", "struct",
    "dictionary", "texts", "numbers", "payload"}

DIGEST = "ab" * 32
GOOD = {
    "bool": ["true", "false"],
    "float": ["0.5", "-3.4e38", "1e-60", "12", "1.25E2"],
    "double": ["0.1", "1.7976931348623157e308", "-2.5e-300", "7"],
    "string": ['""', '"a"', '"\\u00e9\\n"', '"12"', '"\\ud83d\\ude00"'],
    "date": ['"2026-11-20T10:00:00Z"', '"2026-11-20T10:00:00.1Z"', '"2024-02-29T23:59:59.999Z"',
             '"2000-02-29T00:00:00Z"', '"0000-01-01T00:00:00Z"'],
    "uuid": ['"6b1b36ce-2d3f-4c7e-9d39-0b1f1f6b0a11"', '"6B1B36CE-2D3F-4C7E-9D39-0B1F1F6B0A11"'],
    "data": ['""', '"AAEC"', '"AAE="', '"AA=="', '"+/+/"'],
    "url": ['"https://holdfast.example/a?b#c"', '"/a%20b"', '"x"', '"[::1]"'],
    "decimal": ['"0"', '"-12.50"', '"0.' + "0" * 126 + '1"', '"' + "9" * 38 + '"', '"-0.0"',
                '"0.000' + "7" * 38 + '"'],
    "key": ['"12.0"', '"a.b.c.7"', '"\\u00e9.4294967295"', '" .1"', '"....2"'],
    "file": [json.dumps({"$file": DIGEST, "size": 3, "type": "text/plain", "name": "a"}),
             json.dumps({"name": "", "type": "", "$file": DIGEST, "size": (1 << 53) - 1})],
    "any": ["null", "1", '"a"', "[]", '{"a":[1.5]}'],
}
# Whatever else there is: each is given to every type.
ODD = [
    "null", "true", "0", "1", "-1", "127", "128", "-128", "-129", "255", "256", "32767", "32768", "-32769",
    "65535", "65536", "2147483647", "2147483648", "-2147483649", "4294967295", "4294967296",
    "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
    "18446744073709551615", "18446744073709551616", "0.5", "3.5e38", "-3.5e38", "1e308",
    '""', '"a"', '"true"', '"1"', "[]", "{}", '[1]', '{"a":1}',
    '"2026-11-20T10:00:00+00:00"', '"2026-13-20T10:00:00Z"', '"2026-02-29T10:00:00Z"',
    '"1900-02-29T10:00:00Z"', '"2026-04-31T10:00:00Z"', '"2026-11-20T24:00:00Z"',
    '"2026-11-20T10:00:60Z"', '"2026-11-20T10:00:00.1234Z"', '"2026-11-20T10:00:00.Z"',
    '"2026-11-20t10:00:00z"', '"2026-11-20 10:00:00Z"', '"2026-11-20T10:00:00Z\\n"',
    '"6b1b36ce2d3f4c7e9d390b1f1f6b0a11"', '"6b1b36ce-2d3f-4c7e-9d39-0b1f1f6b0a1g"',
    '"AAF="', '"AB=="', '"A"', '"A==="', '"===="', '"AA==AA=="', '"AA\\n=="', '"AA-_"',
    '"a b"', '"#"', '"a##"', '"a#b#c"', '"%"', '"%2"', '"%zz"', '"\\u00e9"', '"a\\\\b"', '"{a}"', '"<a>"',
    '"-"', '"."', '"1."', '".5"', '"00"', '"-01"', '"1e3"', '"+1"', '"0.' + "0" * 128 + '"',
    '"' + "9" * 39 + '"', '"' + "1" * 19 + "." + "1" * 20 + '"', '"0.' + "7" * 39 + '"', '"1,5"',
    '"12"', '"12."', '".0"', '"..0"', '"...0"', '"12.00"', '"12.4294967296"', '"12.01"', '"a\\u0085.1"',
    '"a\\n.1"', '"a\\u00a0.1"', '"' + "a" * 512 + '.0"', '"' + "a" * 513 + '.0"',
    '{"$file":"ab","size":1,"type":"","name":""}',
    json.dumps({"$file": DIGEST, "size": 3, "type": "text/plain"}),
    json.dumps({"$file": DIGEST.upper(), "size": 3, "type": "", "name": ""}),
    json.dumps({"$file": DIGEST, "size": -1, "type": "", "name": ""}),
    json.dumps({"$file": DIGEST, "size": 1 << 53, "type": "", "name": ""}),
]


def fields(dice, depth, kinds, count=None):
    """The fields of an object; the kinds of their types are noted."""
    names = dice.sample(["a", "b", "caf\u00e9", "two words", "x.y", "e\"q", "\\", "_v", "A"],
                        count or dice.randint(2, 6))
    return [field(dice, name, depth, kinds) for name in names]


def field(dice, name, depth, kinds):
    found = {"name": name, "type": type_(dice, depth, kinds)}
    if dice.random() < 0.4:
        found["optional"] = True
    if dice.random() < 0.3:
        text = one(dice, found["type"])
        # A default names no file that must be there; null is none.
        if "$file" not in text and text != "null":
            found["default"] = json.loads(text)
    return found


def type_(dice, depth, kinds):
    """A type at random."""
    simple = sorted(KINDS - {"array", "struct", "dictionary", "payload"})
    kind = dice.choice(simple if depth == 0 or dice.random() < 0.6
                       else ["array", "struct", "dictionary", "payload"])
    kinds.add(kind)
    inner = lambda: type_(dice, depth - 1, kinds)
    members = lambda: fields(dice, depth - 1, kinds, dice.randint(0, 3) or 1)
    if kind == "key":
        return {"key": "others"}
    if kind == "array":
        return {"array": inner()}
    if kind == "dictionary":
        return {"dictionary": inner()}
    if kind == "struct":
        return {"struct": members()}
    is_open = dice.random() < 0.5
    if kind == "texts":
        return {"enum": {"raw": "string", "cases": ["red", "gr\u00fcn", "a \"b\"", "1"], "open": is_open}}
    if kind == "numbers":
        return {"enum": {"raw": "int64", "cases": [1, -5, (1 << 63) - 1], "open": is_open}}
    if kind == "payload":
        return {"enum": {"open": is_open, "payload": [
            {"name": "off", "fields": []}, {"name": "on", "fields": members()}]}}
    return kind


def value(dice, of):
    """A value of these fields as text; more often than not something in it is of another type."""
    return object_(dice, of, dice.choice([0, 0.1, 0.3]))


def edges(dice, of):
    """Good values in which one member is each of the odd ones."""
    chosen = dice.choice(of)
    return [object_(dice, of, 0, {chosen["name"]: text}) for text in ODD]


def object_(dice, of, wrong, given={}):
    members = []
    for each in of:
        name = each["name"]
        if name in given:
            members.append((name, given[name]))
            continue
        may_miss = each.get("optional") or "default" in each
        if dice.random() < (0.3 if may_miss else wrong / 3):
            continue
        if each.get("optional") and dice.random() < 0.2:
            members.append((name, "null"))
        elif dice.random() < wrong:
            members.append((name, dice.choice(ODD)))
        else:
            members.append((name, one(dice, each["type"], wrong)))
    if dice.random() < wrong / 3:
        members.append(("nobody", "1"))
    dice.shuffle(members)
    return "{" + ",".join(f"{json.dumps(name)}:{text}" for name, text in members) + "}"


def one(dice, type_, wrong=0):
    """A value of a type as text."""
    if isinstance(type_, str):
        if type_ in GOOD:
            return dice.choice(GOOD[type_])
        bits = int(type_.removeprefix("u").removeprefix("int"))
        low, high = (0, (1 << bits) - 1) if type_[0] == "u" else (-(1 << bits - 1), (1 << bits - 1) - 1)
        return str(dice.choice([low, high, 0, dice.randint(low, high)]))
    kind, inner = next(iter(type_.items()))
    some = range(dice.randint(0, 3))
    if kind == "key":
        return dice.choice(GOOD["key"])
    if kind == "array":
        return "[" + ",".join(part(dice, inner, wrong) for _ in some) + "]"
    if kind == "dictionary":
        names = dice.sample(string.ascii_letters, len(some))
        return "{" + ",".join(f'"{name}":{part(dice, inner, wrong)}' for name in names) + "}"
    if kind == "struct":
        return object_(dice, inner, wrong)
    if "cases" in inner:
        return json.dumps(dice.choice(inner["cases"]))
    cases = dice.sample(inner["payload"], 1 if dice.random() >= wrong else dice.randint(0, 2))
    return "{" + ",".join(
        f'"{case["name"]}":{object_(dice, case["fields"], wrong)}' for case in cases) + "}"


def part(dice, type_, wrong):
    return dice.choice(ODD) if dice.random() < wrong / 2 else one(dice, type_, wrong)
