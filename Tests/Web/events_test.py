#!/usr/bin/env python3
"""A browser's own EventSource reads commits, and goes on by itself where it was cut.

Runs as viewer_test.py does.
"""

import unittest

from browser import BrowserTests
from served import Server, wait_until

LISTEN = """(since) => {
  window.got = []; window.opened = 0; window.bye = [];
  window.source = new EventSource("/v1/changes?since=" + since);
  source.onopen = () => { window.opened += 1; };
  source.addEventListener("commit", (event) => {
    window.got.push([event.lastEventId, JSON.parse(event.data).seq]);
  });
  source.addEventListener("bye", (event) => window.bye.push(JSON.parse(event.data).code));
}"""


class EventSourceTests(BrowserTests):
    # Connections fail while the server is away; an icon is asked for, and there is none.
    expected = "ERR_|status of 404"

    def setUp(self):
        self.server = self.enterContext(Server("--heartbeat", "0.5"))
        self.anna = self.server.client("anna", "PC-12")
        self.addCleanup(self.anna.close)
        self.anna.put("/v1/trees/notes", {"keys": "name"})
        self.page = self.new_page()
        # A page of the server that does nothing itself.
        self.page.goto(self.server.url + "/livez")
        self.epoch = self.anna.get("/v1").document["epoch"]
        self.page.evaluate(LISTEN, f"{self.epoch}:0")

    def write(self, *names):
        for name in names:
            reply = self.anna.put(f"/v1/records/notes/{name}", 1, if_none_match="*")
            self.assertEqual(reply.status, 201, reply)

    def expect(self, count):
        """Waits until so many commits have come: each once, in order, by its position."""
        wait_until(lambda: self.page.evaluate("got.length") >= count, f"{count} commits")
        self.assertEqual(
            self.page.evaluate("got"),
            [[f"{self.epoch}:{seq}", seq] for seq in range(1, count + 1)])

    def test_commits_come_as_they_are_made(self):
        self.expect(1)
        self.write("a", "b", "c")
        self.expect(4)

    def test_it_goes_on_after_a_stop_and_after_a_kill(self):
        self.write("a", "b")
        self.expect(3)
        self.server.stop()
        self.anna.close()
        wait_until(lambda: self.page.evaluate("bye") == [1012], "the goodbye")
        self.server.start()
        self.write("c")
        self.expect(4)
        self.server.kill()
        self.anna.close()
        self.server.start()
        self.write("d", "e")
        self.expect(6)
        self.assertGreaterEqual(self.page.evaluate("opened"), 3)

    def test_a_source_that_is_closed_is_forgotten(self):
        self.expect(1)
        clients = lambda count: (
            f"\nholdfast_feed_clients {count}\n".encode() in self.anna.get("/metrics").body)
        wait_until(lambda: clients(1), "a client")
        self.page.evaluate("source.close()")
        wait_until(lambda: clients(0), "no client")


if __name__ == "__main__":
    unittest.main()
