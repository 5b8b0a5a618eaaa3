#!/usr/bin/env python3
"""Compares recorded exchanges with openapi.yaml, in both directions.

    check.py [--spec FILE] [--no-coverage] FOLDER...

Every exchange must be as documented: method, path, parameters, bodies, status, headers, media type,
problem code. And everything documented must have been seen: each status of each operation, each
problem code of each operation, each common code once; but for what the document lists as later.

Recordings are files `*.ndjson` anywhere below the folders, an exchange a line:
    {"method", "target", "requestHeaders": [[name, value]...] or {name: value},
     "requestBody": base64, "status", "headers", "body": base64, "test": "its name",
     "truncated": true where the end of a body was left out,
     "requestTruncated": true where it was the request's}
Exit: 0 all well, 1 something differs, 64 usage.
"""

import argparse
import base64
import collections
import json
import os
import sys
import urllib.parse

from contract import Contract, shorten

HERE = os.path.dirname(os.path.abspath(__file__))
SPEC = os.path.join(HERE, "..", "..", "openapi", "openapi.yaml")

# Headers of the transport, not of the contract.
TRANSPORT_HEADERS = {
    "date", "server", "connection", "keep-alive", "content-length", "content-type",
    "transfer-encoding", "cache-control", "vary", "x-content-type-options", "x-accel-buffering",
}
# Request headers that are the contract's and therefore must be documented where they are sent.
CONTRACT_REQUEST_HEADERS = ("holdfast-", "if-", "idempotency-key", "prefer")
# Statuses that say the request itself was wrong: it is not held against the document.
REQUEST_FAULTS = {400, 403, 404, 405, 408, 413, 415, 421, 422, 426, 428, 431, 500, 501}


class Exchange:
    """One recorded request and its reply."""

    def __init__(self, line, where):
        self.where = where
        self.test = line.get("test", "")
        self.method = line["method"]
        self.target = line["target"]
        self.path, _, query = self.target.partition("?")
        pairs = urllib.parse.parse_qsl(query, keep_blank_values=True)
        self.query = dict(pairs)
        self.request_headers = headers(line.get("requestHeaders") or {})
        self.request_body = base64.b64decode(line.get("requestBody") or "")
        self.status = line["status"]
        self.headers = headers(line.get("headers") or {})
        self.body = base64.b64decode(line.get("body") or "")
        self.truncated = line.get("truncated", False)
        self.request_truncated = line.get("requestTruncated", False)


def headers(recorded):
    """Headers by lower-case name; a repeated one is joined by commas."""
    pairs = recorded.items() if isinstance(recorded, dict) else recorded
    found = {}
    for name, value in pairs:
        name = name.lower()
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def media_type(value):
    """A Content-Type without its parameters."""
    return (value or "").partition(";")[0].strip().lower()


def unique_members(pairs):
    """An object, unless it names a member twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member stands twice")
    return found


def parse(text):
    """JSON as the contract has it: UTF-8, no member twice, no NaN."""
    def refuse(constant):
        raise ValueError(f"{constant} is not JSON")
    return json.loads(
        text.decode("utf-8"), object_pairs_hook=unique_members, parse_constant=refuse)


class Checker:
    """Collects faults and what was seen."""

    def __init__(self, contract):
        self.contract = contract
        self.faults = collections.OrderedDict()
        self.count = 0
        self.statuses = collections.Counter()
        self.codes = set()

    # One exchange

    def check(self, exchange):
        """Holds an exchange against the document."""
        self.count += 1
        operations, values = self.contract.path_operations(exchange.path)
        method = "GET" if exchange.method == "HEAD" else exchange.method
        operation = operations.get(method)
        if operation is None:
            self.check_unrouted(exchange, operations)
            return
        self.statuses[operation.id, exchange.status] += 1
        if exchange.status < 400 or exchange.status not in REQUEST_FAULTS:
            self.check_request(exchange, operation, values)
        response = operation.response(exchange.status, exchange.query)
        if response is not None:
            self.check_headers(exchange, response)
            self.check_body(exchange, operation, response)
        elif operation.codes_for(exchange.status):
            self.check_problem(exchange, operation)
        else:
            self.fault(exchange, f"{operation.id}: status {exchange.status} is not documented")

    def check_unrouted(self, exchange, operations):
        """A request that means no operation is refused as the common table says."""
        allowed = self.contract.any_operation.get(exchange.status, [])
        code = self.problem_code(exchange)
        if code not in allowed:
            self.fault(exchange, f"{exchange.method} {exchange.path}: no such operation, and "
                                 f"answered {exchange.status} {code or 'without a code'}")
            return
        if code == "no-route" and operations:
            self.fault(exchange, f"{exchange.path} is a route, but no-route was answered")
        self.check_problem(exchange, None)

    def check_request(self, exchange, operation, values):
        """Parameters are known and valid, and so is the body."""
        given = {"path": values, "query": exchange.query, "header": exchange.request_headers}
        for place, sent in given.items():
            known = operation.named(place)
            for name, value in sent.items():
                if name in known:
                    for wrong in self.contract.complaints(known[name]["schema"], value):
                        self.fault(exchange, f"{operation.id}: {place} {name}: {wrong}")
                elif place == "query" or (
                    place == "header" and name.startswith(CONTRACT_REQUEST_HEADERS)
                ):
                    self.fault(exchange, f"{operation.id}: {place} {name} is not documented")
            for name, parameter in known.items():
                if parameter.get("required") and name not in sent:
                    self.fault(exchange, f"{operation.id}: {place} {name} is missing")
        self.check_request_body(exchange, operation)

    def check_request_body(self, exchange, operation):
        body = operation.body
        if body and exchange.request_truncated:
            return
        if not exchange.request_body:
            if body and body.get("required"):
                self.fault(exchange, f"{operation.id}: accepted without its body")
            return
        if body is None:
            self.fault(exchange, f"{operation.id}: accepted a body it does not document")
            return
        kind = media_type(exchange.request_headers.get("content-type"))
        content = body["content"].get(kind)
        if "*/*" in body["content"]:
            return
        if content is None:
            self.fault(exchange, f"{operation.id}: accepted the media type {kind or 'none'}")
            return
        for wrong in self.body_complaints(exchange, kind, content, exchange.request_body, True):
            self.fault(exchange, f"{operation.id}: request body: {wrong}")

    def check_headers(self, exchange, response):
        """Documented headers are valid, required ones there, no others."""
        documented = {
            name.lower(): self.contract.resolve(node)
            for name, node in response.get("headers", {}).items()
        }
        for name, node in documented.items():
            value = exchange.headers.get(name)
            if value is None:
                if node.get("required") and not self.excused(exchange, name):
                    self.fault(exchange, f"{exchange.status}: header {name} is missing")
            else:
                for wrong in self.contract.complaints(node["schema"], value):
                    self.fault(exchange, f"{exchange.status}: header {name}: {wrong}")
        for name in exchange.headers:
            if name not in documented and name not in TRANSPORT_HEADERS:
                self.fault(exchange, f"{exchange.status}: header {name} is not documented")

    def excused(self, exchange, name):
        """Holdfast-Position is owed under /v1, once the head could be read."""
        if name != "holdfast-position":
            return False
        under = exchange.path == "/v1" or exchange.path.startswith("/v1/")
        return not under or self.problem_code(exchange) in self.contract.closing

    def check_body(self, exchange, operation, response):
        content = response.get("content")
        if exchange.method == "HEAD":
            if exchange.body:
                self.fault(exchange, "a reply to HEAD has a body")
            return
        if response.get("x-body"):
            prefer = exchange.request_headers.get("prefer", "")
            wanted = "return=representation" in prefer.replace(" ", "")
            replayed = "idempotency-replayed" in exchange.headers
            if not wanted or replayed:
                if exchange.body:
                    self.fault(exchange, f"{operation.id}: {exchange.status} has a body unasked")
                return
        if not content:
            if exchange.body:
                self.fault(exchange, f"{operation.id}: {exchange.status} has a body")
            return
        kind = media_type(exchange.headers.get("content-type"))
        if "*/*" in content:
            return
        if kind not in content:
            self.fault(exchange, f"{operation.id}: {exchange.status}: media type {kind or 'none'}"
                                 f" is not documented ({', '.join(content)} are)")
            return
        for wrong in self.body_complaints(exchange, kind, content[kind], exchange.body, False):
            self.fault(exchange, f"{operation.id}: {exchange.status}: {wrong}")
        if kind == "application/problem+json":
            self.check_code(exchange, operation)

    def check_problem(self, exchange, operation):
        """A refusal from the common tables."""
        node = self.contract.document["components"]["responses"]
        name = {401: "Unauthorized", 405: "NotAllowed", 429: "Later", 503: "Later"}.get(
            exchange.status, "Problem")
        self.check_headers(exchange, node[name])
        if exchange.method == "HEAD":
            return
        kind = media_type(exchange.headers.get("content-type"))
        if kind != "application/problem+json":
            self.fault(exchange, f"{exchange.status} is {kind or 'nothing'}, not a problem")
            return
        schema = {"$ref": "#/components/schemas/Problem"}
        for wrong in self.body_complaints(exchange, kind, {"schema": schema}, exchange.body, False):
            self.fault(exchange, f"problem: {wrong}")
        self.check_code(exchange, operation)

    def check_code(self, exchange, operation):
        """The code is documented here, with this status, and is what `type` says."""
        try:
            problem = parse(exchange.body)
        except ValueError:
            return
        self.see_problem(exchange, operation, problem, exchange.status)

    def see_problem(self, exchange, operation, problem, status):
        code = problem.get("code")
        name = operation.id if operation else "no operation"
        allowed = (operation.codes_for(status) if operation
                   else self.contract.any_operation.get(status, []))
        if problem.get("status") != status:
            self.fault(exchange, f"{name}: the problem says {problem.get('status')}, not {status}")
        if code not in allowed:
            self.fault(exchange, f"{name}: code {code} is not documented for {status}")
        if not str(problem.get("type", "")).endswith(f"/{code}"):
            self.fault(exchange, f"{name}: type and code of the problem differ")
        self.codes.add((operation.id if operation else None, status, code))

    def body_complaints(self, exchange, kind, content, body, is_request):
        """What is wrong with a body of this media type."""
        schema = content.get("schema", {})
        if kind == "application/x-ndjson":
            return self.line_complaints(exchange, schema, body, is_request)
        if kind == "text/event-stream":
            return self.event_complaints(schema, body)
        if kind.endswith("json"):
            if exchange.truncated and not is_request:
                return []
            try:
                value = parse(body)
            except (ValueError, RecursionError) as error:
                return [f"not JSON: {error}"]
            return self.contract.complaints(schema, value)
        return []

    def line_complaints(self, exchange, schema, body, is_request):
        """What is wrong with the lines of NDJSON; a job's refused lines are not held against it."""
        if is_request:
            return []
        if body and not body.endswith(b"\n") and not exchange.truncated:
            return ["the last line has no line end"]
        found = []
        operation = self.contract.path_operations(exchange.path)[0].get(exchange.method)
        for number, line in enumerate(body.split(b"\n")[:-1], 1):
            try:
                value = parse(line)
            except ValueError as error:
                found.append(f"line {number}: not JSON: {error}")
                continue
            for wrong in self.contract.complaints(schema, value):
                found.append(f"line {number}: {wrong}")
            if isinstance(value, dict) and "problem" in value and "status" in value:
                self.see_problem(exchange, operation, value["problem"], value["status"])
                self.statuses[operation.id, value["status"]] += 1
        return found

    def event_complaints(self, schema, body):
        """What is wrong with server-sent events: blocks of known lines, commits of their shape."""
        found = []
        for number, block in enumerate(body.decode().split("\n\n")[:-1], 1):
            lines = dict(line.split(":", 1) for line in block.split("\n"))
            kind = lines.get("event", " none").strip()
            for wrong in set(lines) - {"", "id", "event", "data"}:
                found.append(f"event {number}: the field {wrong}")
            if kind not in ("commit", "bye", "none") or ("data" in lines) != (kind != "none"):
                found.append(f"event {number}: {kind} with the fields {', '.join(lines)}")
            if kind == "commit":
                complaints = self.contract.complaints(schema, parse(lines["data"].encode()))
                found += [f"event {number}: {wrong}" for wrong in complaints]
        return found

    def problem_code(self, exchange):
        """The code of a problem, or None; of a HEAD's reply the first that could be meant."""
        if exchange.method == "HEAD" and not exchange.body:
            return (self.contract.any_operation.get(exchange.status) or [None])[0]
        try:
            problem = parse(exchange.body)
        except ValueError:
            return None
        return problem.get("code") if isinstance(problem, dict) else None

    def fault(self, exchange, text):
        """Keeps a fault; the same one of many exchanges is one."""
        entry = self.faults.setdefault(shorten(text), [0, exchange])
        entry[0] += 1

    # Coverage

    def missing(self):
        """What is documented and was never seen, as sentences."""
        later = self.contract.later
        found = []
        for operation in self.contract.operations:
            for status in sorted(operation.responses):
                codes = operation.codes.get(status, [])
                if codes and all(code in later for code in codes):
                    continue
                if not self.statuses[operation.id, status]:
                    found.append(f"{operation.id}: {status} was never answered")
                    continue
                for code in codes:
                    if code not in later and (operation.id, status, code) not in self.codes:
                        found.append(f"{operation.id}: {status} {code} was never answered")
        seen = {(status, code) for _, status, code in self.codes}
        common = self.contract.any_operation, self.contract.any_read, self.contract.any_write
        for table in common:
            for status, codes in sorted(table.items()):
                for code in codes:
                    if (status, code) not in seen and code not in later:
                        found.append(f"any operation: {status} {code} was never answered")
        return found


def recordings(folders):
    """Every exchange below the folders."""
    for folder in folders:
        for root, _, names in sorted(os.walk(folder)):
            for name in sorted(names):
                if not name.endswith(".ndjson"):
                    continue
                path = os.path.join(root, name)
                with open(path, encoding="utf-8") as file:
                    for number, line in enumerate(file, 1):
                        if line.strip():
                            yield Exchange(json.loads(line), f"{name}:{number}")


def report(checker, missing, out):
    """Prints what was found; the number of faults."""
    for text, (count, exchange) in checker.faults.items():
        print(f"DIFFERS  {text}", file=out)
        times = f", {count} times" if count > 1 else ""
        print(f"         {exchange.method} {shorten(exchange.target, 100)} -> {exchange.status}"
              f"  [{exchange.test or 'no test named'}; {exchange.where}{times}]", file=out)
    for text in missing:
        print(f"UNSEEN   {text}", file=out)
    operations = {operation for operation, _ in checker.statuses}
    print(f"{checker.count} exchanges, {len(operations)} of "
          f"{len(checker.contract.operations)} operations, {len(checker.codes)} refusals; "
          f"{len(checker.faults)} differ, {len(missing)} unseen", file=out)
    return len(checker.faults) + len(missing)


def main(arguments, out=sys.stdout):
    """Runs the check; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--spec", default=SPEC)
    parser.add_argument("--no-coverage", action="store_true")
    parser.add_argument("folders", nargs="+")
    try:
        options = parser.parse_args(arguments)
    except SystemExit as exit:
        return 64 if exit.code else 0
    contract = Contract(options.spec)
    for text in contract.unlisted():
        print(f"SPEC     {text}", file=out)
        return 1
    checker = Checker(contract)
    for exchange in recordings(options.folders):
        checker.check(exchange)
    if checker.count == 0:
        print("no recording was found", file=out)
        return 1
    missing = [] if options.no_coverage else checker.missing()
    return 1 if report(checker, missing, out) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
