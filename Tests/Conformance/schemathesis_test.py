#!/usr/bin/env python3
"""Schemathesis, which nobody here wrote, tries openapi.yaml on the running server with all its checks.

How, and what may be refused, stands in schemathesis.toml: the cases are the same at every run.
"""

import os
import re
import subprocess
import sys
import unittest

import check
from rows_rights import schema
from server import HERE
from table import Row, ServedTable

SCHEMATHESIS = os.path.join(os.path.dirname(sys.executable), "st")


class SchemathesisTest(ServedTable):
    def test_no_check_fails(self):
        self.run_rows([
            Row("parts", "PUT", "/v1/trees/parts", 201, json=schema(0), commits=1),
            Row("notes", "PUT", "/v1/trees/notes", 201, json={"keys": "name"}, commits=1),
            Row("a part", "POST", "/v1/records/parts", 201, json={"n": "bolt"}, commits=1),
            Row("a note", "PUT", "/v1/records/notes/a", 201, json={}, commits=1,
                headers={"If-None-Match": "*"})])
        done = subprocess.run(
            [SCHEMATHESIS, "--config-file", os.path.join(HERE, "schemathesis.toml"), "run",
             check.SPEC, "--checks", "all", "--url", f"http://{self.server.host}:{self.server.port}", "--no-color"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
        # Values of the greatest length would fill the screen.
        said = re.sub(r"(.)\1{40,}", r"\1...", done.stdout)
        self.assertEqual(done.returncode, 0, said[-20_000:])
        cases = int(re.search(r"(\d+) generated", said)[1])
        self.assertGreater(cases, 1000, said)
        self.assertIsNone(self.server.process.poll(), "the server runs")
        self.assertNotIn("error", self.server.errors())


if __name__ == "__main__":
    unittest.main()
