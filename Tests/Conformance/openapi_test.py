#!/usr/bin/env python3
"""`/v1/openapi.json`: a valid document, with the trees of the caller, whose schemas say of values what
the server says.

The last is tried on random descriptors and values ($HOLDFAST_SEED, $HOLDFAST_DESCRIPTORS): the server
accepts a value exactly when its schema does.
"""

import json
import os
import random
import re
import sys
import unittest

import jsonschema
import schemathesis
from schemathesis.specs.openapi.definitions import OPENAPI_31

import check
import values
from contract import METHODS, Contract
from rows_rights import as_, give
from table import Row, ServedTable

import contract_text  # of Tests/Tools, whose place server.py knows

PARTS = {"keys": "id", "versioned": True, "borrow": "optional", "schema": {
    "version": "1.0", "fields": [
        {"name": "number", "type": "string", "unique": True},
        {"name": "stock", "type": "uint8", "indexed": True},
        {"name": "footprint", "type": {"key": "footprints"}, "optional": True},
        {"name": "since", "type": "date", "default": "2026-01-01T00:00:00Z"},
        {"name": "size", "type": {"struct": [{"name": "width", "type": "float"}]},
         "optional": True}]}}


def pattern(validator, expected, instance, schema):
    """Patterns of ECMA 262: to Python's, `$` would stand before a last line end too."""
    expected = re.sub(r"\$$", r"\\Z", expected)
    if validator.is_type(instance, "string") and not re.search(expected, instance):
        yield jsonschema.ValidationError(f"{instance!r} does not match {expected!r}")


Validator = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"pattern": pattern})


class Document:
    """What came, and its schemas."""

    def __init__(self, reply):
        self.tag = reply.headers.get("etag")
        self.text = reply.body
        self.content = check.parse(reply.body)

    def validator(self, name):
        return Validator({"$ref": f"#/components/schemas/{name}",
                          "components": self.content["components"]})

    def accepts(self, name, value):
        return self.validator(name).is_valid(value)


class ContractTest(ServedTable):
    """A server of its own: which trees there are is counted."""

    def document(self, **headers):
        reply = self.send(Row("the contract", "GET", "/v1/openapi.json", 200, headers=headers))
        self.assertEqual(reply.status, 200, reply.body[:500])
        self.assertEqual(reply.headers["content-type"], "application/json")
        return Document(reply)

    def check_valid(self, document):
        """It is OpenAPI 3.1, its references lead somewhere, its names are one operation's each."""
        errors = jsonschema.Draft202012Validator(OPENAPI_31).iter_errors(document.content)
        self.assertEqual([error.message[:200] for error in errors], [])
        names = [
            operation["operationId"] for item in document.content["paths"].values()
            for method, operation in item.items() if method in METHODS]
        self.assertEqual(len(names), len(set(names)))
        loaded = schemathesis.openapi.from_dict(document.content)
        found = [result.ok() for result in loaded.get_all_operations()]
        self.assertEqual(len(found), len(names))
        for schema in document.content["components"]["schemas"].values():
            jsonschema.Draft202012Validator.check_schema(schema)
        for reference in references(document.content):
            node = document.content
            for part in reference.removeprefix("#/").split("/"):
                node = node[part]

    def test_0_the_source_is_what_the_contract_gives(self):
        self.assertEqual(contract_text.main(["--check"]), 0)

    def test_1_without_trees_it_is_the_contract(self):
        document = self.document()
        self.check_valid(document)
        self.assertEqual(document.content, contract_text.document())
        self.assertEqual(set(document.content["paths"]), set(Contract(check.SPEC).document["paths"]))

    def test_2_trees_stand_in_it_as_soon_as_they_are_declared(self):
        before = self.document()
        self.run_rows([
            Row("parts", "PUT", "/v1/trees/parts", 201, json=PARTS, commits=1),
            Row("notes", "PUT", "/v1/trees/notes-2_x", 201, json={"keys": "name"}, commits=1)])
        document = self.document()
        self.check_valid(document)
        self.assertNotEqual(document.tag, before.tag)
        new = set(document.content["paths"]) - set(before.content["paths"])
        self.assertEqual(new, {
            "/v1/records/parts", "/v1/records/parts/{key}",
            "/v1/records/notes-2_x", "/v1/records/notes-2_x/{key}"})
        paths = document.content["paths"]
        self.assertEqual(set(paths["/v1/records/parts"]), {"get", "post", "delete"})
        self.assertEqual(set(paths["/v1/records/notes-2_x"]), {"get", "delete"})
        one = paths["/v1/records/parts/{key}"]
        self.assertEqual(set(one), {"parameters", "get", "put", "patch", "delete"})
        reference = lambda node, kind="application/json": node["content"][kind]["schema"]["$ref"]
        self.assertEqual(reference(one["put"]["requestBody"]), "#/components/schemas/parts.Value")
        self.assertEqual(reference(one["get"]["responses"]["200"]), "#/components/schemas/parts.Stored")
        listed = paths["/v1/records/parts"]["get"]["responses"]["200"]
        self.assertEqual(reference(listed), "#/components/schemas/parts.RecordList")
        self.assertEqual(reference(listed, "application/x-ndjson"),
                         "#/components/schemas/parts.Envelope")
        # What is not a tree's stands as it stood.
        for name, schema in before.content["components"]["schemas"].items():
            self.assertEqual(document.content["components"]["schemas"][name], schema)

    def test_3_schemas_say_what_is_declared(self):
        schema = self.document().content["components"]["schemas"]["parts.Value"]
        self.assertEqual(schema["required"], ["number", "stock"])
        self.assertIs(schema["additionalProperties"], False)
        properties = schema["properties"]
        self.assertEqual(properties["stock"], {
            "type": "integer", "format": "uint8", "minimum": 0, "maximum": 255, "x-indexed": True})
        self.assertEqual(properties["number"], {"type": "string", "x-unique": True})
        self.assertEqual(properties["footprint"]["x-tree"], "footprints")
        self.assertEqual(properties["since"]["default"], "2026-01-01T00:00:00Z")
        self.assertEqual(properties["size"]["type"], ["object", "null"])

    def test_4_what_is_read_is_of_the_schemas(self):
        good = {"number": "a", "stock": 255, "footprint": "R.0", "size": {"width": 1.5}}
        self.run_rows([
            Row("a part", "POST", "/v1/records/parts", 201, json=good, commits=1),
            Row("another", "POST", "/v1/records/parts", 201, commits=1,
                json={"number": "b", "stock": 0, "size": None})])
        document = self.document()
        page = self.send(Row("the page", "GET", "/v1/records/parts", 200)).json
        self.assertEqual(len(page["records"]), 2)
        document.validator("parts.RecordList").validate(page)
        # They do not take just anything.
        self.assertFalse(document.accepts("parts.Stored", {**good, "stock": 256}))
        self.assertFalse(document.accepts("parts.Envelope", {**page["records"][0], "tree": "bins"}))
        wrong = {**page["records"][0], "value": {"number": 1, "stock": 0}}
        self.assertFalse(document.accepts("parts.RecordList", {"records": [wrong]}))

    def test_5_values_of_older_versions_are_read_and_not_written(self):
        old = {"number": "a", "stock": 255}
        new = {"code": 7}
        self.run_rows([Row("a new major version", "PUT", "/v1/trees/parts", 200, commits=1, json={
            **PARTS, "schema": {"version": "2.0", "fields": [{"name": "code", "type": "int32"}]}})])
        document = self.document()
        self.check_valid(document)
        page = self.send(Row("the page", "GET", "/v1/records/parts", 200)).json
        document.validator("parts.RecordList").validate(page)
        for value, written in ((old, False), (new, True)):
            self.assertEqual(document.accepts("parts.Value", value), written)
            self.assertTrue(document.accepts("parts.Stored", value))
            status = self.send(Row("a write", "POST", "/v1/records/parts?dryRun=true", 200, json=value))
            self.assertEqual(status.status == 200, written)
        self.assertFalse(document.accepts("parts.Stored", {**old, **new}))

    def test_6_conditional_and_head(self):
        self.saved["tag"] = self.document().tag
        rows = [
            Row("the same", "GET", "/v1/openapi.json", 304, headers={"If-None-Match": "${tag}"},
                reply={"ETag": "${tag}"}),
            Row("one of several", "GET", "/v1/openapi.json", 304,
                headers={"If-None-Match": '"other", W/${tag}'}),
            Row("any", "GET", "/v1/openapi.json", 304, headers={"If-None-Match": "*"}),
            Row("another", "GET", "/v1/openapi.json", 200, headers={"If-None-Match": '"other"'}),
            Row("a tag that is none", "GET", "/v1/openapi.json", 400, "bad-header",
                headers={"If-None-Match": "tag"}),
            Row("its head", "HEAD", "/v1/openapi.json", 200, reply={"ETag": "${tag}"}),
            Row("the head of the same", "HEAD", "/v1/openapi.json", 304,
                headers={"If-None-Match": "${tag}"}),
            Row("as YAML", "GET", "/v1/openapi.json", 400, "unsupported-parameter",
                headers={"Accept": "application/yaml"}),
            Row("a write", "PUT", "/v1/openapi.json", 405, "method-not-allowed", json={},
                reply={"Allow": "GET, HEAD"}),
            Row("something below", "GET", "/v1/openapi.json/paths", 404, "no-route"),
            Row("with a slash", "GET", "/v1/openapi.json/", 404, "no-route"),
        ]
        self.run_rows(rows)
        # A declaration that changes nothing changes no tag; one that does, does.
        self.run_rows([Row("the same again", "PUT", "/v1/trees/notes-2_x", 200, json={"keys": "name"})])
        self.assertEqual(self.document().tag, self.saved["tag"])
        self.run_rows([Row("a record", "PUT", "/v1/records/notes-2_x/a", 201, json=1, commits=1,
                           headers={"If-None-Match": "*"})])
        self.assertEqual(self.document().tag, self.saved["tag"])

    def test_7_each_caller_is_told_of_its_trees(self):
        self.run_rows([Row("hidden", "PUT", "/v1/trees/hidden", 201, json={"keys": "name"}, commits=1)])
        before = self.document().tag
        rights = ["read", "write", "seize", "migrate", "admin"]
        self.run_rows([
            Row("a token for admin", "POST", "/v1/tokens", 201, commits=1, save={"token:admin": "token"},
                json={"user": "admin", "integration": "a rig", "rights": {"*": rights}})])
        self.run_rows([give(caller) for caller in ("reader", "watcher", "other")])
        trees = {"reader": {"parts"}, "other": set(),
                 "watcher": {"parts", "notes-2_x", "hidden"}, "admin": {"parts", "notes-2_x", "hidden"}}
        tags = {}
        for caller, expected in trees.items():
            with self.subTest(caller):
                document = self.document(**self.fill(as_(caller)))
                self.check_valid(document)
                schemas = document.content["components"]["schemas"]
                self.assertEqual({name.split(".")[0] for name in schemas if "." in name}, expected)
                self.assertEqual("hidden" in json.dumps(document.content), "hidden" in expected)
                tags[caller] = document.tag
        self.assertEqual(tags["admin"], before)
        self.assertEqual(tags["watcher"], tags["admin"])
        self.assertEqual(len(set(tags.values())), 3)
        self.saved["tag"] = before
        # The tag of one is not another's.
        self.run_rows([
            Row("another's tag", "GET", "/v1/openapi.json", 200,
                headers={**as_("reader"), "If-None-Match": "${tag}"}),
            Row("nobody", "GET", "/v1/openapi.json", 401, "token-missing"),
            Row("the page is everybody's", "GET", "/docs", 200,
                reply={"Content-Type": re.compile("^text/html"),
                       "Content-Security-Policy": re.compile("default-src 'self'")},
                save={"page": "header:ETag"}),
            Row("the same page", "GET", "/docs", 304, headers={"If-None-Match": "${page}"})])

    def head(self):
        """As an administrator, where tokens are asked for."""
        headers = as_("admin") if "token:admin" in self.saved else {}
        reply = self.send(Row("the head", "GET", "/v1", 200, headers=headers)).json
        return int(reply["head"].split(":")[1]), reply["chain"]


class ValueTest(ServedTable):
    """The server's word and the schema's, on values at random."""

    def judge(self, tree, texts):
        """Whether the server would take each value, by a job that does nothing."""
        lines = [
            '{"operations":[{"put":{"tree":"%s","expects":"absent","value":%s}}]}' % (tree, text)
            for text in texts]
        reply = self.send(Row("values", "POST", "/v1/changes?dryRun=true", 200,
                              body="\n".join(lines).encode(), type="application/x-ndjson"))
        self.assertEqual(reply.status, 200, reply.body[:300])
        answers = reply.lines[:-1]
        self.assertEqual(len(answers), len(texts))
        for answer in answers:
            if answer["status"] != 200:
                self.assertIn(answer["problem"]["code"],
                              ("invalid-field", "unknown-field", "file-missing"), answer)
        # A file that is not there is no matter of the value's shape.
        return [(answer["status"] == 200 or answer["problem"]["code"] == "file-missing", answer)
                for answer in answers]

    def test_the_server_accepts_what_the_schema_does(self):
        seed = int(os.environ.get("HOLDFAST_SEED", "0")) or random.randrange(1 << 32)
        count = int(os.environ.get("HOLDFAST_DESCRIPTORS", "60"))
        dice = random.Random(seed)
        print(f"seed {seed}, {count} descriptors", file=sys.stderr)
        accepted = refused = 0
        kinds = set()
        for number in range(count):
            tree = f"t{number}"
            fields = values.fields(dice, depth=3, kinds=kinds)
            definition = {"keys": "id", "schema": {"version": "1.0", "fields": fields}}
            reply = self.send(Row("a tree", "PUT", f"/v1/trees/{tree}", 201, json=definition))
            self.assertEqual(reply.status, 201, (seed, reply.body, json.dumps(definition)))
            texts = [values.value(dice, fields) for _ in range(40)]
            texts += values.edges(dice, fields)
            document = Document(self.send(Row("the contract", "GET", "/v1/openapi.json", 200)))
            validator = document.validator(f"{tree}.Value")
            for text, (is_taken, answer) in zip(texts, self.judge(tree, texts)):
                is_valid = validator.is_valid(json.loads(text))
                # A member $file names a file wherever it stands, in what has no shape too.
                if is_valid and not is_taken and answer["problem"]["detail"].startswith("$file"):
                    self.assertRegex(json.dumps(fields), '"(any|dictionary)"')
                    continue
                self.assertEqual(is_valid, is_taken, (
                    f"seed {seed}", json.dumps(definition["schema"]["fields"]), text, answer,
                    [error.message for error in validator.iter_errors(json.loads(text))][:3]))
                accepted += is_taken
                refused += not is_taken
        # Both were tried, and every type was.
        self.assertGreater(accepted, count * 5)
        self.assertGreater(refused, count * 20)
        self.assertEqual(kinds, values.KINDS)


def references(node):
    """Every `$ref` of a document, but for what is an example's or a value's own."""
    if isinstance(node, list):
        for each in node:
            yield from references(each)
    elif isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for name, each in node.items():
            if name not in ("examples", "example", "default"):
                yield from references(each)


if __name__ == "__main__":
    unittest.main()
