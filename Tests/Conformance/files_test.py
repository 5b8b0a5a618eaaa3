#!/usr/bin/env python3
"""Files against the real server: large ones, cut ones, a killed server, full memory, and clients
nobody here wrote."""

import hashlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

import requests

from server import Server, wait_until
from table import Row, ServedTable

MEBIBYTE = 1 << 20


def private_kib(process):
    """Memory of a process that is no file's."""
    with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon"))


class FilesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="holdfast-files-")
        cls.data = os.path.join(cls.folder, "data")
        cls.server = Server(data=cls.data)

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == 0
        shutil.rmtree(cls.folder)

    def make(self, name, size):
        """A file of bytes nobody has: its path, and where it is uploaded."""
        path = os.path.join(self.folder, name)
        digest = hashlib.sha256()
        with open(path, "wb") as file:
            for _ in range(max(1, size // MEBIBYTE)):
                block = os.urandom(min(size, MEBIBYTE))
                digest.update(block)
                file.write(block)
        return path, self.url(digest.hexdigest())

    def url(self, digest):
        return f"http://{self.server.host}:{self.server.port}/v1/files/{digest}"

    def curl(self, *arguments):
        """Runs curl; the status it got."""
        done = subprocess.run(
            ["curl", "-s", "-o", os.path.join(self.folder, "out"), "-w", "%{http_code}",
             *arguments], capture_output=True, text=True, timeout=120)
        return int(done.stdout or 0)

    def uploads(self):
        folder = os.path.join(self.data, "files", "uploads")
        return sorted(os.listdir(folder)) if os.path.isdir(folder) else []

    def test_a_large_file_costs_no_memory(self):
        path, url = self.make("large", 200 * MEBIBYTE)
        process = self.server.process
        before = private_kib(process)
        peak = 0
        for arguments in (["-T", path, url], [url], ["-r", "1000-199999999", url]):
            with subprocess.Popen(["curl", "-s", "-o", "/dev/null", *arguments]) as curl:
                while curl.poll() is None:
                    peak = max(peak, private_kib(process))
                    time.sleep(0.005)
                self.assertEqual(curl.returncode, 0)
        self.assertLess(peak - before, 16 << 10, "KiB more while 200 MiB went through")
        got = hashlib.sha256()
        with requests.get(url, stream=True, timeout=30) as reply:
            for block in reply.iter_content(MEBIBYTE):
                got.update(block)
        self.assertEqual(got.hexdigest(), url.rpartition("/")[2])

    def test_a_download_that_was_cut_goes_on(self):
        path, url = self.make("down", 3 * MEBIBYTE)
        self.assertEqual(self.curl("-T", path, url), 201)
        part = os.path.join(self.folder, "part")
        with open(path, "rb") as whole, open(part, "wb") as file:
            file.write(whole.read(MEBIBYTE + 7))
        subprocess.run(["curl", "-s", "-C", "-", "-o", part, url], check=True, timeout=60)
        with open(path, "rb") as whole, open(part, "rb") as file:
            self.assertEqual(whole.read(), file.read())

    def begin(self, path, url, count):
        """Sends the head of an upload and its first bytes; the connection, still open."""
        connection = http.client.HTTPConnection(self.server.host, self.server.port, timeout=30)
        connection.putrequest("PUT", "/v1/files/" + url.rpartition("/")[2])
        connection.putheader("Content-Length", str(os.path.getsize(path)))
        connection.endheaders()
        with open(path, "rb") as file:
            connection.send(file.read(count))
        return connection

    def offset(self, url):
        reply = requests.head(url, timeout=30)
        self.assertEqual(reply.status_code, 404)
        return int(reply.headers.get("Upload-Offset", -1))

    def test_an_upload_whose_client_dies_goes_on(self):
        path, url = self.make("cut", 3 * MEBIBYTE)
        connection = self.begin(path, url, MEBIBYTE + 12345)
        connection.close()
        wait_until(lambda: self.offset(url) == MEBIBYTE + 12345, "the first piece")
        self.assertEqual(self.curl("-C", str(self.offset(url)), "-T", path, url), 201)
        self.assertEqual(self.curl(url), 200)
        self.assertEqual(self.uploads(), [])

    def test_an_upload_goes_on_after_the_server_was_killed(self):
        path, url = self.make("killed", 5 * MEBIBYTE)
        connection = self.begin(path, url, 4 * MEBIBYTE)
        wait_until(lambda: self.offset(url) > 3 * MEBIBYTE, "3 MiB to be there")
        self.server.process.send_signal(signal.SIGKILL)
        self.server.process.wait(timeout=30)
        self.server.stop()
        connection.close()
        type(self).server = Server(data=self.data)
        url = self.url(url.rpartition("/")[2])
        offset = self.offset(url)
        self.assertGreater(offset, 3 * MEBIBYTE)
        self.assertEqual(self.curl("-C", str(offset), "-T", path, url), 201)
        with open(path, "rb") as file:
            self.assertEqual(requests.get(url, timeout=30).content, file.read())

    def test_who_waits_is_told_before_the_body(self):
        path, url = self.make("waits", MEBIBYTE)
        self.assertEqual(self.curl("-T", path, url), 201)
        with socket.create_connection((self.server.host, self.server.port), 30) as stream:
            stream.sendall(
                f"PUT /v1/files/{url.rpartition('/')[2]} HTTP/1.1\r\nHost: localhost\r\n"
                f"Content-Length: {MEBIBYTE}\r\nExpect: 100-continue\r\n\r\n".encode())
            self.assertTrue(stream.recv(4096).startswith(b"HTTP/1.1 200 "))

    def test_chunks_of_unknown_length(self):
        content = os.urandom(700_001)
        digest = hashlib.sha256(content).hexdigest()
        pieces = (content[at:at + 65_537] for at in range(0, len(content), 65_537))
        reply = requests.put(self.url(digest), data=pieces, timeout=30)
        self.assertEqual(reply.status_code, 201)
        self.assertEqual(reply.json()["size"], len(content))
        self.assertEqual(requests.get(self.url(digest), timeout=30).content, content)


class SmallFilesTest(ServedTable):
    """A server that takes small files alone."""

    flags = ("--max-file", "1000")

    def test_the_limit(self):
        exact, more = b"a" * 1000, b"a" * 1001
        self.run_rows([
            Row("as much as a file may have", "POST", "/v1/files", 201, body=exact, commits=1),
            Row("a byte more", "POST", "/v1/files", 413, "too-large", body=more),
            Row("a byte more, named", "PUT", f"/v1/files/{hashlib.sha256(more).hexdigest()}", 413,
                "too-large", body=more),
        ])
        self.assertEqual(os.listdir(os.path.join(self.server.data, "files", "uploads")), [])

    def test_the_limit_of_chunks(self):
        url = f"http://{self.server.host}:{self.server.port}/v1/files"
        reply = requests.post(url, data=iter([b"a" * 600] * 2), timeout=30)
        self.assertEqual((reply.status_code, reply.json()["code"]), (413, "too-large"))
        folder = os.path.join(self.server.data, "files", "uploads")
        self.assertEqual(os.listdir(folder), [], "nothing is kept once that is said")


if __name__ == "__main__":
    unittest.main()
