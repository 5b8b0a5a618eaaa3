#!/usr/bin/env python3
"""Where a server listens: IPv6, several addresses, a Unix socket; and who may call it there."""

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import unittest

from server import BINARY, run

WAIT = 30
HAS_IPV6 = os.path.exists("/proc/net/if_inet6") and "00000000000000000000000000000001" in open(
    "/proc/net/if_inet6", encoding="ascii").read()


class ListenTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hf-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.data = os.path.join(self.folder, "data")
        self.path = os.path.join(self.folder, "socket")

    def serve(self, *addresses, flags=()):
        """A server, and the URL of its `ready` line."""
        log = open(os.path.join(self.folder, "log"), "a", encoding="utf-8")
        self.addCleanup(log.close)
        listen = [word for address in addresses for word in ("--listen", address)]
        process = subprocess.Popen(
            [BINARY, "serve", "--data", self.data, "--application", "a", *listen, *flags],
            stdout=subprocess.PIPE, stderr=log, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(lambda: process.poll() is None and process.kill())
        line = process.stdout.readline()
        self.assertTrue(line.startswith("ready "), self.log())
        return process, line.split()[1]

    def log(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8") as file:
            return file.read()

    def stop(self, process):
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(WAIT), 0, self.log())

    def exchange(self, family, address, host, path="/v1"):
        with socket.socket(family, socket.SOCK_STREAM) as stream:
            stream.settimeout(WAIT)
            stream.connect(address)
            stream.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
                           .encode())
            received = b""
            while part := stream.recv(65536):
                received += part
        return int(received.split()[1])

    @unittest.skipUnless(HAS_IPV6, "this machine has no IPv6")
    def test_ipv6(self):
        process, url = self.serve("[::1]:0")
        port = int(re.fullmatch(r"http://\[::1\]:(\d+)", url)[1])
        for host, status in ((f"[::1]:{port}", 200), ("localhost", 200), ("[::2]", 403),
                             ("evil.example", 403)):
            self.assertEqual(self.exchange(socket.AF_INET6, ("::1", port), host), status, host)
        code, _, errors = run("ls", "nothing", "--url", url)
        self.assertEqual(code, 66, errors)
        self.stop(process)

    def test_several_addresses(self):
        process, url = self.serve("127.0.0.1:0", "unix:" + self.path, "127.0.0.2:0")
        port = int(re.fullmatch(r"http://127\.0\.0\.1:(\d+)", url)[1])
        self.assertIn(f"serve.listening address=unix:{self.path}", self.log())
        other = int(re.search(r"serve.listening address=127\.0\.0\.2:(\d+)", self.log())[1])
        self.assertEqual(self.exchange(socket.AF_INET, ("127.0.0.1", port), "localhost"), 200)
        self.assertEqual(self.exchange(socket.AF_INET, ("127.0.0.2", other), "localhost"), 200)
        self.assertEqual(self.exchange(socket.AF_UNIX, self.path, "localhost"), 200)
        self.stop(process)
        # One address that cannot be had, and none is taken.
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            code, out, errors = run(
                "serve", "--data", self.data, "--listen", "unix:" + self.path,
                "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
        self.assertEqual((code, out), (75, ""), errors)
        self.assertFalse(os.path.exists(self.path))

    def test_a_unix_socket(self):
        process, url = self.serve("unix:" + self.path, flags=("--socket-mode", "600"))
        self.assertEqual(url, "http+unix://" + self.path)
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)
        for host, status in (("localhost", 200), ("127.0.0.1", 200), ("evil.example", 403)):
            self.assertEqual(self.exchange(socket.AF_UNIX, self.path, host), status, host)
        note = os.path.join(self.folder, "note.json")
        with open(note, "w", encoding="utf-8") as file:
            file.write('"by a socket"')
        curl = subprocess.run(
            ["curl", "-sSw", "%{http_code}", "--unix-socket", self.path, "-X", "PUT", "-d", '{"keys":"name"}',
             "-H", "Content-Type: application/json", "http://localhost/v1/trees/notes"],
            capture_output=True, timeout=WAIT, check=True)
        self.assertTrue(curl.stdout.endswith(b"201"), curl.stdout)
        encoded = "http+unix://" + self.path.replace("/", "%2F")
        for number, given in enumerate(("unix:" + self.path, url, encoded)):
            code, _, errors = run("put", "notes", f"n{number}", note, "--create", "--url", given)
            self.assertEqual(code, 0, errors)
            code, out, _ = run("get", "notes", f"n{number}", environment={"HOLDFAST_URL": given})
            self.assertEqual((code, out), (0, '"by a socket"\n'))
        code, out, errors = run("export", "--url", url)
        self.assertEqual(code, 0, errors)
        self.assertEqual(out.count("by a socket"), 3)
        self.stop(process)
        self.assertFalse(os.path.exists(self.path), "its file goes with it")
        code, _, errors = run("get", "notes", "n0", "--url", url)
        self.assertEqual(code, 69)
        self.assertIn(self.path, errors)

    def test_a_socket_left_behind_is_replaced_and_one_in_use_is_not(self):
        process, url = self.serve("unix:" + self.path)
        code, _, errors = run(
            "serve", "--data", self.data + "2", "--application", "a", "--listen",
            "unix:" + self.path)
        self.assertEqual(code, 75, errors)
        self.assertEqual(run("ls", "nothing", "--url", url)[0], 66)
        process.kill()
        process.wait()
        self.assertTrue(os.path.exists(self.path))
        again, url = self.serve("unix:" + self.path)
        self.assertEqual(run("ls", "nothing", "--url", url)[0], 66)
        self.stop(again)
        with open(self.path, "w", encoding="utf-8") as file:
            file.write("dear")
        code, _, errors = run("serve", "--data", self.data, "--listen", "unix:" + self.path)
        self.assertNotEqual(code, 0)
        self.assertIn(self.path, errors)
        with open(self.path, encoding="utf-8") as file:
            self.assertEqual(file.read(), "dear")

    def test_urls_that_are_none(self):
        for url in ("unix:", "unix:relative", "http+unix://%zz", "unix:/" + "x" * 200):
            code, _, errors = run("ls", "notes", "--url", url)
            self.assertEqual(code, 64, url)
            self.assertIn("unix:/PATH", errors)


if __name__ == "__main__":
    unittest.main()
