#!/usr/bin/env python3
"""The viewer in a real browser, against a real server process.

    HOLDFAST_BIN=.build/release/holdfast python3 Tests/Web/viewer_test.py

What it needs stands in browser.py. Every request the page
makes is recorded, so that a test can say which ones were not made. Nothing here sleeps: each test
waits for what it expects to see.
"""

import json
import re
import unittest
import urllib.parse
import urllib.request
import uuid

from playwright.sync_api import expect

from browser import BrowserTests, declare_sample
import load
from served import Server, record_path, seq_of


class ViewerTests(BrowserTests):
    """Each test has a server of its own with the sample in it, and a page of its own."""

    # Connections fail while the server is away.
    expected = r"ERR_CONNECTION|WebSocket connection to|status of 401"

    def setUp(self):
        self.server = self.enterContext(Server())
        load.load_sample(declare_sample(self.server), load.Progress())
        self.anna = self.server.client("anna", "PC-12")
        self.addCleanup(self.anna.close)
        self.page = self.open_page()

    def open_page(self, **options):
        """A page that records its requests, the frames it sends, and whatever goes wrong in it."""
        page = self.new_page(**options)
        self.requests, self.starts, self.received = [], [], []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("websocket", self.watch)
        return page

    def watch(self, socket):
        def sent(frame):
            message = json.loads(frame)
            if "start" in message:
                self.starts.append(message["start"])

        def received(frame):
            message = json.loads(frame)
            if "commit" in message:
                self.received.append(message["commit"]["seq"])

        socket.on("framesent", sent)
        socket.on("framereceived", received)

    def go(self, address):
        self.page.goto(f"{self.server.url}/{address}")
        self.expect_live()

    def expect_live(self):
        expect(self.page.locator("hf-connection[data-state=live]")).to_be_visible()

    def row(self, key):
        """The row of one record in a record list."""
        return self.page.locator(f'hf-records tr[data-key="{key}"]')

    def api_requests(self):
        """The paths of the REST requests made so far, without the feed."""
        urls = (urllib.parse.urlsplit(url) for url in self.requests)
        return [url.path for url in urls if url.path.startswith("/v1") and url.path != "/v1/feed"]

    def rename(self, number, title):
        """Changes one part's title over REST; gives the seq of the commit."""
        path = record_path("parts", number, 0)
        tag = self.anna.get(path).headers["ETag"]
        reply = self.anna.patch(path, {"title": title}, if_match=tag, holdfast_why="test")
        self.assertEqual(reply.status, 200, reply)
        return seq_of(reply.position)

    def shown_seqs(self):
        """The seqs of the activity list, newest first, as they stand on the page."""
        return self.page.locator("hf-feed li[data-seq]").evaluate_all(
            "rows => rows.map((row) => Number(row.dataset.seq))")

    def expect_first_seq(self, seq):
        expect(self.page.locator("hf-feed li").first).to_have_attribute("data-seq", str(seq))

    # What is on the page.

    def test_the_page_loads_and_shows_the_latest_changes(self):
        self.go("")
        head = seq_of(self.anna.get("/v1").document["head"])
        self.expect_first_seq(head)
        expect(self.page).to_have_title(re.compile("Holdfast"))
        expect(self.page.locator("#application")).to_have_text("stockroom")
        expect(self.page.locator("hf-navigation")).to_contain_text("footprints")
        seqs = self.shown_seqs()
        self.assertEqual(seqs, list(range(head, head - len(seqs), -1)))

    def test_its_policy_allows_no_inline_code_and_no_foreign_source(self):
        reply = self.page.goto(self.server.url)
        policy = reply.headers["content-security-policy"]
        self.assertIn("default-src 'self'", policy)
        self.assertNotIn("unsafe", policy)
        self.expect_live()
        hosts = {urllib.parse.urlsplit(url).netloc for url in self.requests}
        self.assertEqual(hosts, {self.server.address})

    def test_records_are_listed_by_cursor_and_shown_one_by_one(self):
        self.go("#/records/parts")
        rows = self.page.locator("hf-records tbody tr")
        expect(rows).to_have_count(100)
        self.page.get_by_role("button", name="Load more").click()
        expect(rows).to_have_count(197)
        expect(self.page.get_by_role("button", name="Load more")).to_have_count(0)
        keys = rows.evaluate_all("rows => rows.map((row) => Number(row.dataset.key))")
        self.assertEqual(keys, sorted(set(keys)))

        rows.first.get_by_role("link").first.click()
        expect(self.page.locator("hf-record h1")).to_have_text("R-0603-10")
        expect(self.page.locator("hf-record .badge")).to_have_text("released")
        expect(self.page.locator("hf-record .items tbody tr")).to_have_count(2)
        self.page.get_by_role("link", name="R-0603", exact=True).click()
        expect(self.page.locator("hf-record h1")).to_contain_text("Chip resistor")
        self.page.go_back()
        expect(self.page.locator("hf-record h1")).to_have_text("R-0603-10")

    def test_names_are_found_by_their_beginning_and_the_address_says_so(self):
        self.go("#/records/footprints")
        rows = self.page.locator("hf-records tbody tr")
        expect(rows).to_have_count(6)
        self.page.get_by_role("searchbox").fill("CP")
        self.page.keyboard.press("Enter")
        expect(rows).to_have_count(2)
        self.assertIn("prefix=CP", self.page.url)

    def test_an_id_is_gone_to_from_the_keyboard(self):
        self.go("#/records/parts")
        expect(self.row(1)).to_be_visible()
        self.page.keyboard.press("/")
        box = self.page.get_by_role("searchbox", name="Go to id")
        expect(box).to_be_focused()
        box.fill("2")
        self.page.keyboard.press("Enter")
        expect(self.page.locator("hf-record[key='2'] h1")).to_be_visible()
        self.assertTrue(self.page.url.endswith("#/records/parts/2"))

    def test_what_a_record_says_is_text_and_never_markup(self):
        attack = '<img src=x onerror="document.title=1"><script>document.title=2</script>'
        value = {"label": attack, "title": attack}
        reply = self.anna.post("/v1/records/bins", value, holdfast_why=urllib.parse.quote(attack))
        self.assertEqual(reply.status, 201, reply)
        key = reply.headers["Location"].split("?")[0].rsplit("/", 1)[1]
        for address in ("#/feed", "#/records/bins", f"#/records/bins/{key}"):
            with self.subTest(address):
                self.go(address)
                expect(self.page.get_by_text(attack).first).to_be_visible()
                self.assertEqual(self.page.locator("main img, main script").count(), 0)

    def test_a_missing_record_is_said_to_be_missing(self):
        self.go("#/records/parts/999999")
        expect(self.page.get_by_role("alert")).to_be_visible()
        # The browser itself reports the 404 as an error of the page.
        self.complaints = [text for text in self.complaints if "404" not in text]

    def test_everything_can_be_reached_by_keyboard_on_a_phone(self):
        self.page = self.open_page(viewport={"width": 360, "height": 740})
        self.go("#/feed")
        self.page.keyboard.press("Tab")
        expect(self.page.get_by_role("link", name="Skip to content")).to_be_focused()
        for _ in range(20):
            self.page.keyboard.press("Tab")
            name = self.page.evaluate("document.activeElement.textContent")
            if name == "parts":
                break
        self.page.keyboard.press("Enter")
        expect(self.row(1)).to_be_visible()
        width = self.page.evaluate("document.documentElement.scrollWidth")
        self.assertLessEqual(width, 360)

    # What changes while it is there.

    def test_a_change_made_over_rest_appears_without_a_reload(self):
        self.go("#/feed")
        seq = self.rename(20, "renamed while watched")
        self.expect_first_seq(seq)
        first = self.page.locator("hf-feed li").first
        for text in ("anna", "PC-12", "patch", "parts/20", "test"):
            expect(first).to_contain_text(text)

    def test_the_record_list_follows_changes(self):
        self.go("#/records/bins")
        expect(self.page.locator("hf-records tbody tr")).to_have_count(10)
        before = self.api_requests()
        reply = self.anna.post("/v1/records/bins", {"label": "D1", "title": "Diodes"})
        key = reply.headers["Location"].split("?")[0].rsplit("/", 1)[1]
        expect(self.row(key)).to_contain_text("Diodes")
        path = record_path("bins", key)
        tag = self.anna.get(path).headers["ETag"]
        replaced = self.anna.put(path, {"label": "D1", "title": "Diodes and LEDs"}, if_match=tag)
        expect(self.row(key)).to_contain_text("Diodes and LEDs")
        self.anna.delete(path, if_match=replaced.headers["ETag"])
        expect(self.row(key)).to_have_count(0)
        expect(self.page.locator("hf-records tbody tr")).to_have_count(10)
        self.assertEqual(self.api_requests(), before)

    def test_an_open_record_follows_changes_and_tells_its_end(self):
        self.go("#/records/parts/30")
        expect(self.page.locator("hf-record h1")).to_be_visible()
        self.rename(30, "renamed while open")
        expect(self.page.locator("hf-record")).to_contain_text("renamed while open")
        path = record_path("parts", 30, 0)
        self.anna.delete(path, if_match=self.anna.get(path).headers["ETag"])
        expect(self.page.get_by_text("Deleted by anna")).to_be_visible()

    def test_borrows_show_the_holder_and_the_line(self):
        self.go("#/borrows")
        expect(self.page.get_by_text("Nothing is borrowed.")).to_be_visible()
        first, second = str(uuid.uuid4()), str(uuid.uuid4())
        robot = self.server.client("robot", "PnP-3")
        self.addCleanup(robot.close)
        key = {"id": 12, "revision": 0}
        body = {"tree": "parts", "key": key, "kind": "held", "note": "shelf 4", "queue": True}
        self.anna.put(f"/v1/borrows/{first}", body)
        robot.put(f"/v1/borrows/{second}", body)
        line = self.page.locator("hf-borrows tbody tr")
        for text in ("parts/12", "anna", "PC-12", "held", "shelf 4", "robot", "PnP-3"):
            expect(line).to_contain_text(text)
        self.page.reload()
        expect(line).to_have_attribute("data-borrow", first)
        expect(line.locator(".line li")).to_have_count(1)
        self.anna.post(f"/v1/borrows/{first}/return")
        expect(line).to_have_attribute("data-borrow", second)
        expect(line).to_contain_text("granted")
        expect(line).not_to_contain_text("anna")

    # What happens when the server goes away and comes back.

    def fill_a_gap(self, leave):
        """The list of parts and the activity through a restart, with changes nobody could see.

        They are made at another address, while the page finds nobody at the one it knows: what it
        shows afterwards can only have come from catching up.
        """
        self.go("#/records/parts")
        rows = self.page.locator("hf-records tbody tr")
        expect(rows).to_have_count(100)
        self.page.get_by_role("button", name="Load more").click()
        expect(rows).to_have_count(197)
        last = self.rename(50, "before the restart")
        expect(self.row(50)).to_contain_text("before the restart")
        listed = self.api_requests()
        starts = len(self.starts)
        chain = self.chain(last)

        leave()
        expect(self.page.locator("hf-connection[data-state=offline]")).to_be_visible()
        self.server.start(elsewhere=True)
        self.anna.close()
        seqs = [self.rename(number, f"unseen {number}") for number in range(40, 60)]
        seqs += self.make_and_delete()
        self.server.stop()
        self.server.start()
        self.anna.close()

        self.expect_live()
        for number in range(40, 60):
            expect(self.row(number)).to_contain_text(f"unseen {number}")
        self.rename(61, "seen again")
        expect(self.row(61)).to_contain_text("seen again")
        self.assertEqual(self.api_requests(), listed, "something was listed again")
        resumed = self.starts[starts:]
        self.assertEqual(resumed[0]["since"].split(":")[1], str(last))
        self.assertEqual(resumed[0]["chain"], chain)
        self.assertEqual(self.received, list(range(self.received[0], seqs[-1] + 2)))
        # No row is missing, none is there twice, none is left over: the page shows the list.
        _, envelopes = self.anna.lines("/v1/records/parts")
        keys = rows.evaluate_all("rows => rows.map((row) => Number(row.dataset.key))")
        self.assertEqual(keys, [each["key"]["id"] for each in envelopes])
        for each in envelopes:
            if each["key"]["id"] in range(40, 62):
                expect(self.row(each["key"]["id"])).to_contain_text(each["value"]["title"])

        self.page.get_by_role("link", name="Activity").click()
        self.expect_first_seq(seqs[-1] + 1)
        shown = self.shown_seqs()
        self.assertEqual(shown, list(range(shown[0], shown[0] - len(shown), -1)))
        self.assertGreater(len(shown), len(seqs))

    def make_and_delete(self):
        """Makes a part and deletes another; gives the seqs of the two commits."""
        value = self.anna.get(record_path("parts", 30, 0)).document
        made = self.anna.post("/v1/records/parts", {**value, "number": "made-unseen"})
        self.assertEqual(made.status, 201, made)
        path = record_path("parts", 30, 0)
        deleted = self.anna.delete(path, if_match=self.anna.get(path).headers["ETag"])
        self.assertEqual(deleted.status, 204, deleted)
        return [seq_of(made.position), seq_of(deleted.position)]

    def chain(self, seq):
        """The chain of a commit, from the server."""
        epoch = self.anna.get("/v1").document["epoch"]
        reply = self.anna.get(f"/v1/changes?since={epoch}:{seq - 1}&limit=1")
        return reply.document["commits"][0]["chain"]

    def test_the_gap_of_a_restart_is_filled_without_listing(self):
        self.fill_a_gap(self.server.stop)

    def test_the_gap_of_a_kill_is_filled_without_listing(self):
        self.fill_a_gap(self.server.kill)

    def test_it_reconnects_by_itself_again_and_again(self):
        self.go("#/feed")
        for round_number in range(3):
            self.server.kill()
            expect(self.page.locator("hf-connection[data-state=offline]")).to_be_visible()
            self.server.start()
            self.anna.close()
            self.expect_live()
            self.expect_first_seq(self.rename(70 + round_number, f"round {round_number}"))
        shown = self.shown_seqs()
        self.assertEqual(shown, list(range(shown[0], shown[0] - len(shown), -1)))

    # On a server with tokens.

    def token(self, rights, bearer=None, user="anna"):
        """Makes a token; gives its text and its id."""
        names = {} if bearer else dict(self.anna.names)
        shown = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        reply = self.call("POST", "/v1/tokens", {**names, **shown}, {
            "user": user, "integration": "a browser", "rights": rights})
        return reply["token"], reply["id"]

    def call(self, method, path, headers, document=None):
        body = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(self.server.url + path, body, {
            "Content-Type": "application/json", **headers}, method=method)
        with urllib.request.urlopen(request, timeout=30) as reply:
            return json.loads(reply.read() or b"null")

    def sign_in(self, token):
        self.page.get_by_label("Token").fill(token)
        self.page.get_by_role("button", name="Sign in").click()

    def expect_signed_out(self):
        expect(self.page.locator("hf-sign-in")).to_be_visible()
        expect(self.page.locator("hf-connection[data-state=signedOut]")).to_be_visible()
        self.assertIsNone(self.page.evaluate("sessionStorage.getItem('holdfast.token')"))

    def put_part(self, token, number, title):
        """Changes a part as a token's caller; gives the commit's seq."""
        shown = {"Authorization": f"Bearer {token}"}
        path = f"/v1/records/parts/{number}"
        version = self.call("GET", f"{path}?meta=true", shown)["version"]
        change = {"operations": [{"patch": {
            "tree": "parts", "key": {"id": number, "revision": 0}, "expects": version,
            "value": {"title": title}}}]}
        return seq_of(self.call("POST", "/v1/changes", shown, change)["position"])

    def test_signing_in_and_out(self):
        self.go("#/records/parts")
        expect(self.row("2")).to_be_visible()
        # From the first token on the server wants one: what is open ends, and asks.
        admin, _ = self.token({"*": ["read", "write", "seize", "migrate", "admin"]})
        self.expect_signed_out()
        expect(self.page.locator("hf-records")).to_have_count(0)
        expect(self.page.locator("hf-navigation")).not_to_contain_text("footprints")
        self.sign_in("hf_" + "0" * 64)
        expect(self.page.get_by_role("alert")).to_contain_text("token")
        self.sign_in(admin)
        self.expect_live()
        expect(self.row("2")).to_be_visible()
        expect(self.page.locator("hf-navigation")).to_contain_text("footprints")
        self.put_part(admin, 70, "changed by a token")
        expect(self.row("70")).to_contain_text("changed by a token")
        # A reload and a restart of the server need no other signing in.
        self.page.reload()
        self.expect_live()
        self.server.kill()
        expect(self.page.locator("hf-connection[data-state=offline]")).to_be_visible()
        self.server.start()
        self.expect_live()
        self.put_part(admin, 70, "changed after a restart")
        expect(self.row("70")).to_contain_text("changed after a restart")
        self.page.get_by_role("button", name="Sign out").click()
        self.expect_signed_out()
        self.page.reload()
        self.expect_signed_out()
        self.assertFalse([url for url in self.requests if admin in url], "no address tells it")

    def test_a_token_of_few_rights_shows_what_it_opens_until_it_is_revoked(self):
        admin, _ = self.token({"*": ["read", "write", "seize", "migrate", "admin"]})
        reader, identity = self.token({"parts": ["read"]}, admin, "ben")
        self.page.goto(f"{self.server.url}/#/feed")
        self.expect_signed_out()
        self.sign_in(reader)
        self.expect_live()
        navigation = self.page.locator("hf-navigation")
        expect(navigation).to_contain_text("parts")
        expect(navigation).not_to_contain_text("footprints")
        # What it does not open passes by, and the feed stays what it is.
        shown = {"Authorization": f"Bearer {admin}"}
        for number in range(3):
            self.call("POST", "/v1/changes", shown, {"operations": [{"put": {
                "tree": "footprints", "key": {"name": f"hidden {number}"}, "expects": "absent",
                "value": {"title": "hidden"}}}]})
        seq = self.put_part(admin, 70, "seen by ben")
        self.expect_first_seq(seq)
        expect(self.page.locator("hf-feed")).not_to_contain_text("hidden")
        self.assertEqual(len(self.starts), 1, "one connection, without a break")
        self.call("DELETE", f"/v1/tokens/{identity}", shown)
        self.expect_signed_out()


if __name__ == "__main__":
    unittest.main(verbosity=2)
