"""Lists: bounds, conditions, orders, chosen fields; what is looked up and what is walked through.

A server of its own, whose tree `items` has a field of every type that can be asked for.
"""

import hashlib
import re
import urllib.parse

from table import ANY, Row

NDJSON = {"Accept": "application/x-ndjson"}
BIG = 9007199254740993

ITEMS = {"keys": "id", "versioned": True, "borrow": "optional", "schema": {
    "version": "1.0", "fields": [
        {"name": "number", "type": "string", "unique": True},
        {"name": "serial", "type": "int64", "optional": True, "unique": True},
        {"name": "stock", "type": "int64", "default": 5},
        {"name": "mass", "type": "uint64", "optional": True},
        {"name": "ratio", "type": "double", "optional": True},
        {"name": "small", "type": "float", "optional": True},
        {"name": "active", "type": "bool", "optional": True},
        {"name": "seen", "type": "date", "optional": True},
        {"name": "maker", "type": "uuid", "optional": True},
        {"name": "price", "type": "decimal", "optional": True},
        {"name": "link", "type": "url", "optional": True},
        {"name": "print", "type": {"key": "names"}, "optional": True},
        {"name": "raw", "type": "data", "optional": True},
        {"name": "kind", "optional": True, "type": {"enum": {
            "raw": "string", "cases": ["bolt", "nut"], "open": False}}},
        {"name": "grade", "optional": True, "type": {"enum": {
            "raw": "int64", "cases": [1, 2, 30], "open": False}}},
        {"name": "tags", "type": {"array": "string"}, "optional": True},
        {"name": "size", "optional": True, "type": {"struct": [
            {"name": "width", "type": "int32"}, {"name": "unit", "type": "string"}]}},
        {"name": "prices", "type": {"dictionary": "int64"}, "optional": True},
        {"name": "photo", "type": "file", "optional": True},
        {"name": "a.b", "type": "int32", "optional": True},
        {"name": "a:b", "type": "int32", "optional": True},
        {"name": "more", "type": "any", "optional": True}]}}
PHOTO = hashlib.sha256(b"a photo").hexdigest()
VALUES = {
    "A": {"number": "A", "serial": BIG, "stock": 10, "mass": 18446744073709551615, "ratio": 0.5,
          "small": 0.1, "active": True, "seen": "2026-01-01T00:00:00Z",
          "maker": "0193c2a0-5b7e-7d31-9c44-0f6b2a9e1d10", "price": "10.50",
          "link": "https://a.example/x", "print": "R.0", "raw": "AAE=", "kind": "bolt", "grade": 30,
          "tags": ["red", "round"], "size": {"width": 3, "unit": "mm"}, "prices": {"a.b": 4},
          "photo": {"$file": PHOTO, "size": 7, "type": "image/png", "name": "a.png"},
          "a.b": 1, "a:b": 2, "more": {"x": 1}},
    "B": {"number": "B", "serial": BIG - 1, "stock": -3, "mass": 0, "ratio": -0.0,
          "active": False, "seen": "2026-01-01T00:00:00.001Z", "price": "9.5",
          "maker": "0193C2A0-5B7E-7D31-9C44-0F6B2A9E1D11", "kind": "nut", "grade": 2,
          "tags": ["blue"], "size": None, "prices": {"k": 9}},
    "C": {"number": "C\u0301,1", "price": "-0.001", "link": "relative"},
    "D": {"number": "\u0106\"", "stock": 10, "ratio": 1e300, "price": "0.0", "tags": [], "active": True},
}


def declare(name, definition):
    """A row that declares a tree."""
    return Row(f"declare {name}", "PUT", f"/v1/trees/{name}", 201, json=definition, commits=1)


def make(name):
    """A row that makes an item."""
    return Row(f"item {name}", "POST", "/v1/records/items", 201, json=VALUES[name], commits=1,
               save={name: "header:Holdfast-Key", name + ".v": "version"})


PREPARE = [
    Row("a photo", "POST", "/v1/files", 201, body=b"a photo", type="image/png",
        has={"$file": PHOTO}, commits=1),
    declare("items", ITEMS),
    declare("names", {"keys": "name", "schema": {"version": "1.0", "fields": [
        {"name": "n", "type": "int32"}]}}),
    declare("loose", {"keys": "name"}),
    *(make(name) for name in VALUES),
    Row("A is released", "POST", "/v1/records/items/${A}/release?revision=0", 200, json={},
        headers={"If-Match": '"${A.v}"'}, commits=1),
    Row("A is revised", "POST", "/v1/records/items/${A}/revise?revision=0", 201, json={},
        save={"A.1": "version"}, commits=1),
    Row("its second revision has less", "PATCH", "/v1/records/items/${A}?revision=1", 200,
        json={"stock": 11}, type="application/merge-patch+json", headers={"If-Match": '"${A.1}"'},
        commits=1),
    *(Row(f"name {name}", "PUT", f"/v1/records/names/{name}", 201, json={"n": number}, commits=1,
          headers={"If-None-Match": "*"}) for number, name in enumerate(("a", "b", "ba", "bb", "c"))),
    Row("a loose one", "PUT", "/v1/records/loose/x", 201, commits=1,
        json={"a": {"b": 1, "c": 2}, "d": 3, "e": [4]}, headers={"If-None-Match": "*"}),
    Row("a loose one that is no object", "PUT", "/v1/records/loose/y", 201, json=[1], commits=1,
        headers={"If-None-Match": "*"}),
]


def query(**parameters):
    """A query string; a list gives a parameter several times."""
    return urllib.parse.urlencode(
        {name.rstrip("_"): value for name, value in parameters.items()}, doseq=True)


def finds(condition, found, **more):
    """A condition, or several, and the items it finds, as a page and as a stream."""
    parameters = query(where=condition, **more)
    path = f"/v1/records/items?{parameters}"
    numbers = [VALUES[name]["number"] for name in found]
    return [
        Row(f"{parameters}", "GET", path, 200, lacks=("next",),
            has={"records/#": len(found),
                 **{f"records/{i}/value/number": n for i, n in enumerate(numbers)}}),
        Row(f"{parameters} as a stream", "GET", path, 200, headers=NDJSON,
            lines=[{"value/number": n} for n in numbers]),
    ]


def refuses(condition, words, tree="items"):
    """A condition that cannot be asked, and words of the detail."""
    return Row(f"where={condition} in {tree}", "GET",
               f"/v1/records/{tree}?{query(where=condition)}", 400, "bad-parameter",
               has={"field": "where", "detail": re.compile(re.escape(words))})


FOUND = [
    *finds("number:eq:A", "A"), *finds("number:eq:C\u0301,1", "C"), *finds("number:eq:D", ""),
    *finds("number:in:B,A,X,A", "AB"), *finds("number:in:C\u0301\\,1", "C"),
    *finds('number:eq:\u0106"', "D"),
    # Composed and decomposed letters are different bytes.
    *finds("number:prefix:C", "C"), *finds("number:contains:,", "C"),
    *finds("number:gt:B", "CD"), *finds("number:le:B", "AB"), *finds("number:ne:A", "BCD"),
    *finds(f"serial:eq:{BIG}", "A"), *finds(f"serial:eq:{BIG - 1}", "B"),
    *finds(f"serial:lt:{BIG}", "B"), *finds(f"serial:ne:{BIG}", "BCD"),
    # An absent value is the default; without one it equals nothing.
    *finds("stock:eq:5", "C"), *finds("stock:ge:5", "ACD"), *finds("stock:lt:0", "B"),
    *finds("stock:in:10,11", "AD"), *finds("stock:eq:11", "A"),
    *finds("mass:eq:18446744073709551615", "A"), *finds("mass:lt:1", "B"),
    *finds("ratio:eq:0", "B"), *finds("ratio:gt:0", "AD"), *finds("ratio:eq:5e-1", "A"),
    *finds("ratio:lt:1e299", "AB"), *finds("small:eq:0.1", "A"),
    *finds("small:eq:0.10000000149011612", "A"),
    *finds("active:eq:true", "AD"), *finds("active:ne:true", "BC"), *finds("active:eq:false", "B"),
    *finds("seen:eq:2026-01-01T00:00:00.000Z", "A"), *finds("seen:gt:2026-01-01T00:00:00Z", "B"),
    *finds("maker:eq:0193C2A0-5B7E-7D31-9C44-0F6B2A9E1D10", "A"),
    *finds("maker:gt:0193c2a0-5b7e-7d31-9c44-0f6b2a9e1d10", "B"),
    *finds("price:eq:10.5", "A"), *finds("price:lt:10.5", "BCD"), *finds("price:lt:0", "C"),
    *finds("price:eq:-0", "D"), *finds("price:ge:0", "ABD"),
    *finds("link:prefix:https:", "A"), *finds("link:contains:lat", "C"),
    *finds("print:eq:R.0", "A"), *finds("raw:eq:AAE=", "A"), *finds("kind:eq:nut", "B"),
    *finds("kind:in:nut,bolt", "AB"), *finds("grade:gt:2", "A"),
    *finds("tags:contains:blue", "B"), *finds("tags:contains:re", ""),
    *finds("size.width:eq:3", "A"), *finds("size.width:ne:3", "BCD"), *finds("prices.a.b:eq:4", "A"),
    *finds("prices.k:ge:9", "B"), *finds("photo.name:prefix:a.", "A"), *finds("photo.size:eq:7", "A"),
    *finds("a.b:eq:1", "A"), *finds("a:b:eq:2", "A"),
    *finds(["stock:ge:5", "active:eq:true", "number:gt:A"], "D"), *finds(["number:eq:A", "stock:eq:5"], ""),
    *finds("number:eq:A", "A", state="draft"), *finds("number:eq:A", "", state="released"),
    *finds("number:eq:A", "AA", revisions="all"), *finds("stock:eq:10", "AD", revisions="all"),
    *finds("stock:eq:10", "A", revisions="released"), *finds("number:in:A,B", "A", revisions="released"),
    *finds("stock:ge:-9", "ADCB", sort="-stock"), *finds("stock:ge:-9", "BCDA", sort="stock"),
    *finds("number:in:A,B,C\u0301\\,1", "BA", sort="-number", to="3"),
    *finds("number:in:A,B", "B", **{"from": "2"}),
]

REFUSED = [
    refuses("nothing:eq:1", "no field 'nothing'"), refuses("stock", "field:operator:value"),
    refuses("stock:eq", "field:operator:value"), refuses("stock:is:1", "no operator 'is'"),
    refuses("stock:EQ:1", "no operator 'EQ'"), refuses("stock:prefix:1", "no operator prefix"),
    refuses("active:lt:true", "it has eq ne in"), refuses("active:eq:yes", "whose type is bool"),
    refuses("stock:eq:ten", "whose type is int64"), refuses("stock:eq:", "whose type is int64"),
    refuses("stock:eq:1.0", "whose type is int64"), refuses("stock:eq:null", "whose type is int64"),
    refuses("stock:eq:01", "whose type is int64"), refuses("stock:eq:1 2", "whose type is int64"),
    refuses("stock:in:1,", "whose type is int64"),
    refuses("stock:eq:9223372036854775808", "whose type is int64"),
    refuses("mass:eq:-1", "whose type is uint64"), refuses("ratio:eq:1e999", "whose type is double"),
    refuses("seen:gt:yesterday", "whose type is date"), refuses("maker:eq:x", "whose type is uuid"),
    refuses("price:eq:1e3", "whose type is decimal"), refuses("kind:eq:screw", "whose type is enum"),
    refuses("kind:lt:nut", "no operator lt"), refuses("tags:eq:red", "array has no operator eq"),
    refuses("tags:contains", "field:operator:value"), refuses("size:eq:3", "struct has no operator"),
    refuses("size.depth:eq:3", "no field"), refuses("number.x:eq:3", "no field"),
    refuses("more:eq:3", "any has no operator"), refuses("more.x:eq:1", "no field"),
    refuses("d:eq:3", "has no schema", "loose"), refuses("state:eq:held", "has no schema", "_borrows"),
    Row("a state of no kind", "GET", "/v1/records/items?state=draft(0)", 400, "bad-parameter",
        has={"field": "state", "detail": "state is plain, draft or released."}),
    Row("two states", "GET", "/v1/records/items?state=draft&state=plain", 400, "bad-parameter",
        has={"field": "state"}),
    Row("an order by nothing", "GET", "/v1/records/items?sort=nothing", 400, "bad-parameter",
        has={"field": "sort"}),
    Row("an order by many", "GET", "/v1/records/items?sort=tags", 400, "bad-parameter",
        has={"field": "sort"}),
    Row("an order of a tree without schema", "GET", "/v1/records/loose?sort=d", 400,
        "bad-parameter", has={"field": "sort"}),
    Row("fields there are not", "GET", "/v1/records/items?fields=number,nothing", 400,
        "bad-parameter", has={"field": "fields"}),
    Row("fields without a name", "GET", "/v1/records/items?fields=number,", 400, "bad-parameter",
        has={"field": "fields"}),
    Row("a bound of another kind", "GET", "/v1/records/items?from=a", 400, "bad-parameter",
        has={"field": "from"}),
    Row("another", "GET", "/v1/records/names?to=%07", 400, "bad-parameter", has={"field": "to"}),
    Row("a parameter nobody knows", "GET", "/v1/records/items?filter=1", 400,
        "unsupported-parameter", has={"field": "filter"}),
]

BOUNDS = [
    Row("from a key on", "GET", "/v1/records/names?from=b", 200,
        has={"records/#": 4, "records/0/key/name": "b"}),
    Row("up to a key", "GET", "/v1/records/names?to=ba", 200,
        has={"records/#": 2, "records/1/key/name": "b"}),
    Row("between keys that are not there", "GET", "/v1/records/names?from=aa&to=bab", 200,
        has={"records/#": 2, "records/0/key/name": "b", "records/1/key/name": "ba"}),
    Row("a prefix within bounds", "GET", "/v1/records/names?prefix=b&from=ba&to=bb", 200,
        has={"records/#": 1, "records/0/key/name": "ba"}),
    Row("a prefix that begins after the bound", "GET", "/v1/records/names?prefix=b&from=a", 200,
        has={"records/#": 3, "records/0/key/name": "b"}),
    Row("a prefix that ends before the bound", "GET", "/v1/records/names?prefix=a&from=b", 200,
        has={"records": []}),
    Row("nothing between", "GET", "/v1/records/names?from=c&to=c", 200, has={"records": []}),
    Row("as a stream", "GET", "/v1/records/names?from=b&to=c", 200, headers=NDJSON,
        lines=[{"key/name": name} for name in ("b", "ba", "bb")]),
    Row("ids from", "GET", "/v1/records/items?from=2&to=4", 200,
        has={"records/#": 2, "records/0/value/number": "B"}),
    Row("ids, whose first page", "GET", "/v1/records/items?from=2&limit=1", 200,
        has={"records/#": 1, "records/0/key/id": 2}, save={"next": "next"},
        reply={"Link": re.compile("^</v1/records/items[?]limit=1&from=2&cursor=")}),
    Row("has a second", "GET", "/v1/records/items?from=2&limit=1&cursor=${next}", 200,
        has={"records/0/key/id": 3}),
    Row("of the same list alone", "GET", "/v1/records/items?from=1&limit=1&cursor=${next}", 400,
        "bad-parameter", has={"field": "cursor"}),
]

STATES = [
    Row("released", "GET", "/v1/records/items?state=released", 200, has={"records": []}),
    Row("released, of all revisions", "GET", "/v1/records/items?state=released&revisions=all", 200,
        has={"records/#": 1, "records/0/key": {"id": 1, "revision": 0}}),
    Row("drafts", "GET", "/v1/records/items?state=draft", 200,
        has={"records/#": 4, "records/0/key": {"id": 1, "revision": 1}}),
    Row("plain", "GET", "/v1/records/names?state=plain", 200, has={"records/#": 5}),
    Row("no drafts here", "GET", "/v1/records/names?state=draft", 200, has={"records": []}),
]

FIELDS = [
    Row("some fields", "GET", "/v1/records/items?fields=stock,number,serial&where=number:eq:A", 200,
        has={"records/0/value": {"number": "A", "serial": BIG, "stock": 11},
             "records/0/version": ANY, "records/0/created/by": ANY}),
    Row("some of a plain list", "GET", "/v1/records/items?fields=number&limit=1", 200,
        has={"records/0/value": {"number": "A"}}, reply={"Link": re.compile("fields=number")}),
    Row("some inside", "GET", "/v1/records/items?fields=size.width,photo.name,prices.a.b,a.b", 200,
        has={"records/0/value": {"size": {"width": 3}, "prices": {"a.b": 4}, "a.b": 1,
                                 "photo": {"name": "a.png"}},
             "records/1/value": {"size": None, "prices": {}}, "records/2/value": {}}),
    Row("a whole and a part of it", "GET", "/v1/records/items?fields=size,size.unit&to=2", 200,
        has={"records/0/value": {"size": {"width": 3, "unit": "mm"}}}),
    Row("in a stream", "GET", "/v1/records/names?fields=n&from=c", 200, headers=NDJSON,
        lines=[{"value": {"n": 4}, "key/name": "c"}]),
    Row("without a schema any", "GET", "/v1/records/loose?fields=a.c,e,zz", 200,
        has={"records/0/value": {"a": {"c": 2}, "e": [4]}, "records/1/value": {}}),
]


def sorted_pages(parameter, order):
    """Pages of one item each, in order."""
    rows = []
    for index, name in enumerate(order):
        cursor = "&cursor=${next}" if index else ""
        is_last = index == len(order) - 1
        rows.append(Row(
            f"sort={parameter}, item {index + 1}", "GET",
            f"/v1/records/items?sort={parameter}&limit=1{cursor}", 200,
            has={"records/#": 1, "records/0/value/number": VALUES[name]["number"]},
            lacks=("next",) if is_last else (), save={} if is_last else {"next": "next"}))
    rows.append(Row(
        f"sort={parameter} as a stream", "GET", f"/v1/records/items?sort={parameter}", 200,
        headers=NDJSON, lines=[{"value/number": VALUES[name]["number"]} for name in order]))
    return rows


SORTED = [
    *sorted_pages("number", "ABCD"), *sorted_pages("-number", "DCBA"),
    *sorted_pages("stock", "BCDA"), *sorted_pages("-stock", "ADCB"),
    # Without a value last, by key, whichever way.
    *sorted_pages("mass", "BACD"), *sorted_pages("-mass", "ABCD"), *sorted_pages("price", "CDBA"),
    *sorted_pages("active", "BADC"), *sorted_pages("-size.width", "ABCD"),
    Row("a cursor of another order", "GET", "/v1/records/items?sort=number&limit=1&cursor=${next}",
        400, "bad-parameter", has={"field": "cursor"}),
    Row("a cursor of no order", "GET", "/v1/records/items?limit=1&cursor=${next}",
        400, "bad-parameter", has={"field": "cursor"}),
    Row("HEAD of what is searched for", "HEAD", "/v1/records/items?where=stock:eq:10&limit=1", 200),
]
