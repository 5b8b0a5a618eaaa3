"""What tests in a real browser share: Chromium, and a page that tells what goes wrong in it.

Needs Debian's chromium (`apt-get install --no-install-recommends chromium fonts-dejavu-core`) and
playwright from PyPI (Tests/requirements.txt); no browser is downloaded.
"""

import json
import pathlib
import re
import sys
import unittest

from playwright.sync_api import expect, sync_playwright

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "Tests" / "Tools"), str(ROOT / "sdk" / "sample")]

import load  # noqa: E402

CHROMIUM = "/usr/bin/chromium"
WAIT_MILLISECONDS = 30_000


def declare_sample(server):
    """Declares the sample's trees; what loads its records."""
    loader = load.Server(server.url)
    loader.declare(json.loads(load.TREES.read_text()))
    return loader


class BrowserTests(unittest.TestCase):
    """One browser for the class; each test opens pages of its own."""

    # Errors the page may report, as a pattern.
    expected = "status of 401"

    @classmethod
    def setUpClass(cls):
        cls.playwright = cls.enterClassContext(sync_playwright())
        cls.browser = cls.playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"])
        cls.addClassCleanup(cls.browser.close)
        expect.set_options(timeout=WAIT_MILLISECONDS)

    def new_page(self, **options):
        """A page that keeps whatever goes wrong in it."""
        context = self.browser.new_context(**options)
        self.addCleanup(context.close)
        page = context.new_page()
        page.set_default_timeout(WAIT_MILLISECONDS)
        self.complaints = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self.hear)
        return page

    def hear(self, message):
        if message.type == "error" and not re.search(self.expected, message.text):
            self.complaints.append(message.text)

    def tearDown(self):
        self.assertEqual(self.complaints, [])
