#!/usr/bin/env python3
"""Makes Sources/Server/ContractText.swift of openapi/openapi.yaml: the contract as the server has it.

    contract_text.py            writes the file
    contract_text.py --check    says whether it is what openapi.yaml gives

The server reads no YAML. It has the document as JSON text, cut where it adds the trees that are
declared: after the last path and after the last schema. What it adds for a tree is cut at the tree's
name, and is made here of the operations of /v1/records, so that openapi.yaml stays the only source.

Two things differ from openapi.yaml: examples are in the document instead of files beside it, each
schema with its own, and `servers` is the one that is asked.
"""

import copy
import json
import pathlib
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
SPEC = ROOT / "openapi" / "openapi.yaml"
OUTPUT = ROOT / "Sources" / "Server" / "ContractText.swift"

# Stands for the name of a tree; no text of the contract holds it.
NAME = "\x1a"
SCHEMAS = "#/components/schemas/"
# What says of a tree's record what the contract says of any.
ABOUT_TREE = ("Envelope", "RecordList")


def document():
    """The contract as one document."""
    with open(SPEC, encoding="utf-8") as file:
        found = yaml.safe_load(file)
    found = json.loads(json.dumps(found))
    inline_examples(found)
    found["servers"] = [{"url": "/"}]
    schemas = found["components"].pop("schemas")
    found["components"]["schemas"] = schemas
    for name, schema in schemas.items():
        schema["examples"] = [example(f"examples/{name}.json")]
    return found


def example(name):
    return json.loads((SPEC.parent / name).read_text(encoding="utf-8"))


def inline_examples(node):
    """Puts example files where they are named."""
    if isinstance(node, list):
        for each in node:
            inline_examples(each)
    elif isinstance(node, dict):
        name = node.pop("externalValue", None)
        if name is not None:
            node["value"] = example(name)
        for each in node.values():
            inline_examples(each)


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def members(value):
    """The members of an object, one a line, without its braces."""
    return ",\n".join(f"{compact(name)}:{compact(member)}" for name, member in value.items())


def pieces(contract):
    """The document in three parts: up to the last path, up to the last schema, and the rest."""
    names = list(contract)
    assert names.index("paths") + 1 == names.index("components"), "components follow paths"
    before = {name: contract[name] for name in names[: names.index("paths")]}
    after = {name: contract[name] for name in names[names.index("components") + 1 :]}
    components = dict(contract["components"])
    schemas = components.pop("schemas")
    return (
        "{" + members(before) + ',\n"paths":{\n' + members(contract["paths"]),
        '},\n"components":{' + members(components) + ',\n"schemas":{\n' + members(schemas),
        "}},\n" + members(after) + "}\n",
    )


# The part of one tree


def tree_paths(contract, keys):
    """The paths of a tree's records, as members that follow others."""
    found = {}
    for path in ("/v1/records/{tree}", "/v1/records/{tree}/{key}"):
        item = copy.deepcopy(contract["paths"][path])
        item["parameters"] = [
            parameter for parameter in item["parameters"]
            if not parameter["$ref"].endswith("/tree")]
        if not item["parameters"]:
            del item["parameters"]
        if keys == "name":
            item.pop("post", None)
        for method, operation in item.items():
            if method != "parameters":
                item[method] = tree_operation(operation)
        found[path.replace("{tree}", NAME)] = item
    return ",\n" + members(found)


def tree_operation(operation):
    """An operation on the records of one tree; what holds of all trees is said where all are."""
    node = without_words(copy.deepcopy(operation))
    node["operationId"] = f"{operation['operationId']}_{NAME}"
    node["summary"] = operation["summary"]
    # Not the name alone: a tree may be called as a group of operations is.
    node["tags"] = [f"tree {NAME}"]
    for content in node.get("requestBody", {}).get("content", {}).items():
        kind, body = content
        if kind == "application/merge-patch+json":
            # A part of a value is no value.
            body["schema"] = {"type": "object"}
        elif body["schema"].get("$ref") == SCHEMAS + "Value":
            body["schema"] = {"$ref": f"{SCHEMAS}{NAME}.Value"}
    for response in node["responses"].values():
        of_tree(response)
    return node


def of_tree(node):
    """Turns what a reply says of any record into what it says of the tree's."""
    if isinstance(node, list):
        for each in node:
            of_tree(each)
    elif isinstance(node, dict):
        reference = node.get("$ref", "")
        if reference == SCHEMAS + "Value":
            node["$ref"] = f"{SCHEMAS}{NAME}.Stored"
        elif reference.removeprefix(SCHEMAS) in ABOUT_TREE:
            node["$ref"] = f"{SCHEMAS}{NAME}.{reference.removeprefix(SCHEMAS)}"
        for each in node.values():
            of_tree(each)


def without_words(node):
    """Leaves out what is said of the same operation on any tree: examples and long texts."""
    if isinstance(node, list):
        return [without_words(each) for each in node]
    if not isinstance(node, dict):
        return node
    is_response = "headers" in node or "content" in node and "required" not in node
    return {
        name: without_words(each) for name, each in node.items()
        if name not in ("examples", "example", "x-codes") and (name != "description" or is_response)}


def tree_schemas(contract):
    """The schemas of a tree's records but for their value, as members that follow others."""
    schemas = contract["components"]["schemas"]
    found = {}
    for name in ABOUT_TREE:
        schema = copy.deepcopy(schemas[name])
        del schema["examples"]
        of_tree(schema)
        found[f"{NAME}.{name}"] = schema
    properties = found[f"{NAME}.Envelope"]["properties"]
    properties["tree"] = {"const": NAME}
    properties["value"] = {"$ref": f"{SCHEMAS}{NAME}.Stored"}
    return ",\n" + members(found)


# Swift


def literal(text):
    """A text as a raw literal of Swift."""
    assert '"""#' not in text and "\\#" not in text
    indented = text.replace("\n", "\n        ")
    return f'#"""\n        {indented}\n        """#'


def constant(name, words, value):
    return f"    /// {words}\n    static let {name}{value}\n"


def swift(contract):
    """The source file."""
    paths, schemas, rest = pieces(contract)
    parts = {
        "idPaths": ("The paths of a tree of ids, cut where its name stands.",
                    tree_paths(contract, "id")),
        "namePaths": ("The paths of a tree of names, cut where its name stands.",
                      tree_paths(contract, "name")),
        "treeSchemas": ("The schemas of a tree but for its value, cut where its name stands.",
                        tree_schemas(contract)),
    }
    out = [
        "// swift-format-ignore-file\n"
        "// The contract as JSON, made of openapi/openapi.yaml by Tests/Tools/contract_text.py: change\n"
        "// that file, and run `make contract-text`.\n\n"
        "/// The text of the contract, cut where the server adds the trees there are.\n"
        "enum ContractText {\n"]
    for name, words, text in (
            ("upToPaths", "The beginning, up to the last path.", paths),
            ("upToSchemas", "What follows the paths, up to the last schema.", schemas),
            ("rest", "What follows the schemas.", rest)):
        out.append(constant(name, words, f": StaticString = {literal(text)}\n"))
    for name, (words, text) in parts.items():
        cut = ",\n".join("        " + literal(piece) for piece in split(text))
        out.append(constant(name, words, f": [StaticString] = [\n{cut},\n    ]\n"))
    return "\n".join(out).rstrip("\n") + "\n}\n"


def split(text):
    """A text cut at each name of the tree."""
    return text.split(compact(NAME)[1:-1])


def main(arguments):
    made = swift(document())
    if arguments == ["--check"]:
        stands = OUTPUT.read_text(encoding="utf-8") if OUTPUT.exists() else ""
        if stands == made:
            return 0
        print(f"{OUTPUT.relative_to(ROOT)} is not what openapi.yaml gives: make contract-text")
        return 1
    if arguments:
        print(__doc__)
        return 64
    OUTPUT.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
