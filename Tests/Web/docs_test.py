#!/usr/bin/env python3
"""The page of the API in a real browser: it shows the contract of the server it comes from.

Runs as viewer_test.py does.
"""

import json
import re
import subprocess
import unittest
import urllib.error
import urllib.parse
import urllib.request

from playwright.sync_api import expect

from browser import ROOT, BrowserTests, declare_sample
from served import Server

ALL = ["read", "write", "seize", "migrate", "admin"]


class DocumentationTests(BrowserTests):
    def setUp(self):
        self.server = self.enterContext(Server())
        declare_sample(self.server)
        self.page = self.open_page()

    def open_page(self, **options):
        page = self.new_page(**options)
        self.hosts = set()
        page.on("request", lambda request: self.hosts.add(urllib.parse.urlsplit(request.url).netloc))
        return page

    def tearDown(self):
        super().tearDown()
        self.assertLessEqual(self.hosts, {self.server.address}, "nothing comes from elsewhere")

    def go(self, place=""):
        # The address alone would only move within the page that is open.
        self.page.goto("about:blank")
        self.hosts.clear()
        self.page.goto(f"{self.server.url}/docs{place}")
        expect(self.page.locator("main h1")).to_be_visible()

    def call(self, method, path, document=None, token=None):
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        body = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(self.server.url + path, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return reply.status, json.loads(reply.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def contract(self):
        return self.call("GET", "/v1/openapi.json")[1]

    def links(self):
        """What the contents show."""
        return self.page.locator("#contents a")

    def found(self):
        return self.links().evaluate_all("links => links.map((link) => link.getAttribute('href'))")

    def search(self, text):
        self.page.keyboard.press("/")
        box = self.page.get_by_role("searchbox", name="Search the API")
        expect(box).to_be_focused()
        box.fill(text)

    # What is shown.

    def test_every_operation_schema_and_code_has_its_page(self):
        contract = self.contract()
        self.go()
        expect(self.page).to_have_title(re.compile("Holdfast API"))
        operations = [
            (operation, path, method) for path, item in contract["paths"].items()
            for method, operation in item.items() if isinstance(operation, dict)]
        self.assertGreater(len(operations), 60)
        for operation, path, method in operations:
            self.visit(f"#/operation/{operation['operationId']}")
            expect(self.page.locator("main h1")).to_have_text(f"{method.upper()} {path}")
            codes = {code for codes in operation.get("x-codes", {}).values() for code in codes}
            shown = self.page.locator("#refusals > ul [data-code]").evaluate_all(
                "items => items.map((item) => item.dataset.code)")
            if "_" not in operation["operationId"]:
                self.assertEqual(set(shown), codes, path)
            body = operation.get("requestBody", {}).get("content", {})
            self.assertEqual(self.page.locator("#body > .body").count(), len(body), path)
        for name in contract["components"]["schemas"]:
            self.visit(f"#/schema/{name}")
            expect(self.page.locator("main h1")).to_have_text(name)
            self.assertEqual(self.page.locator("main pre.example").count(), 1, name)
        for code, status in contract["x-code-status"].items():
            self.visit(f"#/code/{code}")
            expect(self.page.locator("main h1")).to_have_text(code)
            expect(self.page.locator("main .path")).to_have_text(f"status {status}")
            self.assertGreater(self.page.locator("main > p, main > ul li").count(), 0, code)

    def visit(self, place):
        self.page.evaluate("place => { location.hash = place; }", place)
        self.page.wait_for_function(
            "place => document.title.startsWith(decodeURIComponent(place.split('/')[2]))", arg=place)

    def test_an_operation_shows_parameters_bodies_replies_and_codes(self):
        self.go("#/operation/putRecord")
        main = self.page.locator("main")
        for name in ("tree", "key", "If-Match", "dryRun"):
            expect(main.locator(f"[data-parameter='{name}']")).to_have_count(1)
        expect(main.locator("[data-parameter=key]")).to_contain_text("required")
        example = main.locator("#body .example")
        self.assertEqual(json.loads(example.inner_text()), json.loads(
            (ROOT / "openapi" / "examples" / "Value.json").read_text()))
        expect(main.locator("#replies")).to_contain_text("201")
        expect(main.locator("#refusals > ul")).to_contain_text("423 borrowed")
        main.get_by_role("link", name="borrowed", exact=True).click()
        expect(main.locator("h1")).to_have_text("borrowed")
        expect(main).to_contain_text("/v1/records/{tree}/{key}")

    def test_what_is_shown_for_curl_works(self):
        self.go("#/operation/postRange")
        command = self.page.locator("#curl pre").inner_text()
        done = subprocess.run(
            ["bash", "-c", "TOKEN=; " + command.replace('-H "Authorization: Bearer $TOKEN"', "")],
            capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["tree"], "parts", done.stdout)

    def test_trees_are_shown_and_their_example_is_a_value(self):
        self.go("#/tree/parts")
        members = self.page.locator("main .members").first
        expect(members.locator("[data-member=stock]").first).to_contain_text("int64")
        expect(members.locator("[data-member=footprint]")).to_contain_text("into footprints")
        example = json.loads(self.page.locator("main pre.example").inner_text())
        status, reply = self.call("POST", "/v1/records/parts?dryRun=true", example)
        self.assertEqual((status, reply.get("dryRun")), (200, True), reply)
        self.visit("#/operation/createRecord_parts")
        shown = json.loads(self.page.locator("#body .example").inner_text())
        self.assertEqual(shown, example)
        # What is declared later stands there after a reload.
        self.call("PUT", "/v1/trees/later", {"keys": "name"})
        self.page.reload()
        expect(self.page.locator("#contents")).to_contain_text("later")

    def test_a_tree_may_be_called_as_a_group_is(self):
        self.call("PUT", "/v1/trees/records", {"keys": "name"})
        self.go("#/tree/records")
        operations = self.page.locator("main .operations li")
        expect(operations.first).to_contain_text("/v1/records/records")
        expect(operations).to_have_count(6)
        self.visit("#/group/records")
        expect(operations.first).to_contain_text("/v1/records/{tree}")
        expect(self.page.locator("main")).not_to_contain_text("/v1/records/records")

    def test_addresses_lead_to_parts_of_a_page_and_back(self):
        self.go("#/operation/listRecords/refusals")
        heading = self.page.locator("#refusals h2")
        expect(heading).to_be_in_viewport()
        self.assertGreater(self.page.evaluate("window.scrollY"), 100)
        expect(self.page.locator("#contents a[aria-current=page]")).to_have_attribute(
            "href", "#/operation/listRecords")
        self.page.locator("#refusals").get_by_role("link", name="unknown-tree").click()
        expect(self.page.locator("main h1")).to_have_text("unknown-tree")
        self.page.go_back()
        expect(heading).to_be_visible()
        self.page.evaluate("location.hash = '#/operation/nothing'")
        expect(self.page.get_by_role("alert")).to_contain_text("no such place")

    # Search and keys.

    def test_the_search_finds_operations_members_and_codes(self):
        self.go()
        everything = self.links().count()
        self.search("setHolder")
        self.assertEqual(self.found()[0], "#/operation/setHolderOfBorrow")
        self.search("takenAt")
        self.assertIn("#/schema/BorrowFacts", self.found())
        self.search("423")
        self.assertIn("#/code/borrowed", self.found())
        self.search("borrow seize")
        self.assertEqual(self.found()[0], "#/operation/seizeBorrow")
        self.search("qwertyuiop")
        expect(self.page.get_by_text("Nothing is found.")).to_be_visible()
        self.page.keyboard.press("Escape")
        expect(self.links()).to_have_count(everything)

    def test_it_is_used_by_keyboard_alone(self):
        self.go()
        self.search("ranges")
        self.page.keyboard.press("ArrowDown")
        self.page.keyboard.press("ArrowDown")
        expect(self.links().nth(1)).to_be_focused()
        self.page.keyboard.press("ArrowUp")
        expect(self.links().nth(0)).to_be_focused()
        self.page.keyboard.press("Enter")
        expect(self.page.locator("main h1")).to_contain_text("/v1/ranges")
        self.search("GET /v1/trees")
        self.page.keyboard.press("Enter")
        expect(self.page.locator("main h1")).to_have_text("GET /v1/trees")
        self.go()
        self.page.keyboard.press("Tab")
        expect(self.page.get_by_role("link", name="Skip to content")).to_be_focused()
        self.page.keyboard.press("Enter")
        expect(self.page.locator("main")).to_be_focused()

    # How it looks.

    def test_dark_and_light(self):
        colours = {}
        for scheme in ("light", "dark"):
            self.page = self.open_page(color_scheme=scheme)
            self.go("#/operation/putRecord")
            colours[scheme] = self.page.evaluate(
                "[document.body, document.querySelector('main h1')].map((element) => {"
                "  const style = getComputedStyle(element);"
                "  return [style.backgroundColor, style.color];"
                "}).flat()")
        self.assertNotEqual(colours["light"][0], colours["dark"][0])
        self.assertNotEqual(colours["light"][3], colours["dark"][3])

    def test_it_fits_a_phone(self):
        self.page = self.open_page(viewport={"width": 360, "height": 740})
        for place in ("", "#/operation/putRecord", "#/schema/parts.Value", "#/code/stale"):
            self.go(place)
            width = self.page.evaluate("document.documentElement.scrollWidth")
            self.assertLessEqual(width, 360, place)

    def test_its_policy_allows_no_inline_code(self):
        reply = self.page.goto(f"{self.server.url}/docs")
        policy = reply.headers["content-security-policy"]
        self.assertIn("default-src 'self'", policy)
        self.assertNotIn("unsafe", policy)
        expect(self.page.locator("main h1")).to_be_visible()

    def test_what_a_schema_says_is_text_and_never_markup(self):
        attack = '<img src=x onerror="document.title=1">'
        status, reply = self.call("PUT", "/v1/trees/attack", {"keys": "id", "schema": {
            "version": "1.0", "fields": [{"name": attack, "type": {
                "enum": {"raw": "string", "cases": [attack]}}}]}})
        self.assertEqual(status, 201, reply)
        self.go("#/tree/attack")
        expect(self.page.get_by_text(attack).first).to_be_visible()
        self.assertEqual(self.page.locator("main img").count(), 0)

    # On a server with tokens.

    def test_signing_in_and_out(self):
        _, admin = self.call("POST", "/v1/tokens", {
            "user": "anna", "integration": "a browser", "rights": {"*": ALL}})
        _, reader = self.call("POST", "/v1/tokens", {
            "user": "ben", "integration": "a browser", "rights": {"parts": ["read"]}}, admin["token"])
        self.page.goto(f"{self.server.url}/docs#/operation/getRecord")
        expect(self.page.locator("hf-sign-in")).to_be_visible()
        expect(self.page.locator("hf-contents")).to_be_hidden()
        self.page.get_by_label("Token").fill("hf_" + "0" * 64)
        self.page.keyboard.press("Enter")
        expect(self.page.get_by_role("alert")).to_contain_text("token")
        self.page.get_by_label("Token").fill(reader["token"])
        self.page.keyboard.press("Enter")
        expect(self.page.locator("main h1")).to_have_text("GET /v1/records/{tree}/{key}")
        expect(self.page.locator("#contents")).to_contain_text("parts")
        expect(self.page.locator("#contents")).not_to_contain_text("footprints")
        # The viewer knows the token too, in this tab.
        self.page.get_by_role("link", name="Holdfast", exact=True).click()
        expect(self.page.locator("hf-connection[data-state=live]")).to_be_visible()
        self.page.get_by_role("link", name="API", exact=True).click()
        expect(self.page.locator("#contents")).to_contain_text("parts")
        self.page.get_by_role("button", name="Sign out").click()
        expect(self.page.locator("hf-sign-in")).to_be_visible()
        self.assertIsNone(self.page.evaluate("sessionStorage.getItem('holdfast.token')"))
        expect(self.page.locator("hf-contents")).to_be_hidden()


if __name__ == "__main__":
    unittest.main(verbosity=2)
