"""openapi.yaml as lookups: which operation a request means, what it may be answered.

The document is the only source. Its own extensions:

x-codes          per operation: status -> problem codes its rules give
x-any-operation  status -> codes that every operation may answer besides
x-any-read       the same for operations that only read
x-any-write      the same for operations that write
x-code-status    code -> its status
x-more-statuses  code -> other statuses it has, of HTTP's own
x-closing        codes after which the connection ends; they may come before a path is known
x-later          code -> why nothing produces it yet
x-variants       per response: another content and header set when the query is as said
x-body           per response: its body is there only with `Prefer: return=representation`
x-any-depth      per path: its last parameter may hold slashes
"""

import json
import re
import urllib.parse

import jsonschema
import yaml

METHODS = ("get", "put", "post", "patch", "delete")


class Operation:
    """One method of one path."""

    def __init__(self, contract, path, method, item, node):
        self.contract = contract
        self.path = path
        self.method = method.upper()
        self.id = node["operationId"]
        self.writes = method != "get"
        self.codes = {int(s): list(c) for s, c in node.get("x-codes", {}).items()}
        self.responses = {
            int(status): contract.resolve(response)
            for status, response in node["responses"].items()
            if status != "default"
        }
        parameters = item.get("parameters", []) + node.get("parameters", [])
        self.parameters = [contract.resolve(parameter) for parameter in parameters]
        self.body = node.get("requestBody")

    def named(self, place):
        """Parameters of `path`, `query` or `header`, by name; header names in lower case."""
        return {
            p["name"].lower() if place == "header" else p["name"]: p
            for p in self.parameters
            if p["in"] == place
        }

    def codes_for(self, status):
        """Every code that may come with a status: the operation's own, then the common ones."""
        codes = list(self.codes.get(status, []))
        codes += self.contract.any_operation.get(status, [])
        table = self.contract.any_write if self.writes else self.contract.any_read
        codes += table.get(status, [])
        return codes

    def response(self, status, query):
        """The documented response, its variant for this query, or None."""
        response = self.responses.get(status)
        if response is None:
            return None
        for variant in response.get("x-variants", []):
            if all(query.get(k) == v for k, v in variant["query"].items()):
                return variant
        return response


class Contract:
    """The whole document."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.document = yaml.safe_load(file)
        by_status = lambda name: {int(s): c for s, c in self.document.get(name, {}).items()}
        self.any_operation = by_status("x-any-operation")
        self.any_read = by_status("x-any-read")
        self.any_write = by_status("x-any-write")
        self.mirror_alone = by_status("x-mirror-alone")
        self.code_status = self.document["x-code-status"]
        self.more_statuses = self.document.get("x-more-statuses", {})
        self.closing = set(self.document.get("x-closing", []))
        self.later = self.document.get("x-later", {})
        self.validators = {}
        self.operations = []
        self.paths = []
        for path, item in self.document["paths"].items():
            operations = {
                method.upper(): Operation(self, path, method, item, item[method])
                for method in METHODS
                if method in item
            }
            self.operations += operations.values()
            self.paths.append((template(path, item.get("x-any-depth")), operations))

    def resolve(self, node):
        """Follows a `$ref` into this document."""
        while "$ref" in node:
            target = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            node = target
        return node

    def path_operations(self, path):
        """Operations by method of the path a request names, and its decoded path parameters."""
        for pattern, operations in self.paths:
            match = pattern.fullmatch(path)
            if match:
                values = {k: urllib.parse.unquote(v) for k, v in match.groupdict().items()}
                return operations, values
        return {}, {}

    def complaints(self, schema, value):
        """What is wrong with a value, as sentences; empty when nothing is."""
        name = json.dumps(schema, sort_keys=True)
        validator = self.validators.get(name)
        if validator is None:
            whole = {**schema, "components": self.document["components"]}
            validator = jsonschema.Draft202012Validator(whole)
            self.validators[name] = validator
        found = []
        for error in validator.iter_errors(value):
            error = jsonschema.exceptions.best_match([error])
            where = "/".join(str(part) for part in error.absolute_path) or "the value"
            found.append(f"{where}: {shorten(error.message)}")
        return found

    def unlisted(self):
        """Disagreements of the document with itself."""
        found = []
        codes = set(self.document["components"]["schemas"]["Code"]["enum"])
        for code in codes ^ set(self.code_status):
            found.append(f"{code} is not both in Code and in x-code-status")
        tables = [("x-any-operation", self.any_operation), ("x-any-read", self.any_read),
                  ("x-any-write", self.any_write),
                  ("x-mirror-alone", self.mirror_alone)]
        tables += [(operation.id, operation.codes) for operation in self.operations]
        used = set()
        for name, table in tables:
            for status, listed in table.items():
                used |= set(listed)
                for code in listed:
                    more = self.more_statuses.get(code, [])
                    if self.code_status.get(code) != status and status not in more:
                        found.append(f"{name}: {code} under {status}")
        for code in codes - used:
            found.append(f"{code} is listed nowhere")
        for operation in self.operations:
            errors = {status for status in operation.responses if status >= 400}
            for status in errors ^ set(operation.codes):
                found.append(f"{operation.id}: {status} is not both a response and in x-codes")
        return found


def template(path, any_depth):
    """A path with parameters as a pattern over raw, undecoded paths."""
    pattern = ""
    for part in re.split(r"(\{[^}]+\})", path):
        if part.startswith("{"):
            pattern += f"(?P<{part[1:-1]}>" + (".+" if any_depth else "[^/]+") + ")"
        else:
            pattern += re.escape(part)
    if any_depth:
        pattern = "(?!/v1(?:/|$))" + pattern
    return re.compile(pattern)


def shorten(text, limit=240):
    """A sentence that fits a report."""
    return text if len(text) <= limit else text[: limit - 3] + "..."
