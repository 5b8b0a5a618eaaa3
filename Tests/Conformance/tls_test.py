#!/usr/bin/env python3
"""TLS against clients nobody here wrote: curl, openssl, requests, ssl, websockets; and our own."""

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import unittest

import requests
import websockets.sync.client

from certificates import Certificates
from server import Server, run, wait_until


def tool(*words, given=b""):
    """Runs a program to its end: exit code, both outputs."""
    done = subprocess.run(words, input=given, capture_output=True, timeout=60, check=False)
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


class TLSTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="holdfast-tls-")
        cls.files = Certificates(cls.folder)
        cls.own = cls.files.pair("server")
        cls.server = cls.serve(cls.own, "--head-timeout", "1")
        cls.url = f"https://localhost:{cls.server.port}"

    @classmethod
    def tearDownClass(cls):
        code = cls.server.stop()
        shutil.rmtree(cls.folder)
        assert code == 0, code

    @staticmethod
    def serve(pair, *flags):
        return Server("--tls-certificate", pair[0], "--tls-key", pair[1], *flags)

    def context(self, **more):
        context = ssl.create_default_context(cafile=self.files.authority)
        for name, value in more.items():
            setattr(context, name, value)
        return context

    def secure(self, server=None, **more):
        """A TLS connection by Python's ssl."""
        raw = socket.create_connection(("localhost", (server or self.server).port), timeout=30)
        return self.context(**more).wrap_socket(raw, server_hostname="localhost")

    def wait_for(self, word, server):
        """Waits until the server's log has a word."""
        wait_until(lambda: word in server.errors(), f"{word} in the log")

    def test_versions_and_ciphers(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.secure(minimum_version=version, maximum_version=version) as connection:
                self.assertEqual(connection.version(), version.name.replace("_", "."))
                self.assertIn("GCM", connection.cipher()[0])
                self.assertIsNone(connection.compression())
        for words in (["-tls1_1"], ["-tls1"], ["-tls1_2", "-cipher", "AES128-SHA"]):
            code, _, errors = tool(
                "openssl", "s_client", "-connect", f"localhost:{self.server.port}",
                *(["-cipher", "DEFAULT@SECLEVEL=0"] if len(words) == 1 else []), *words)
            self.assertNotEqual(code, 0, words)
            self.assertIn("alert", errors, words)

    def test_protocols_offered(self):
        for offered, wanted in ((["h2", "http/1.1"], "http/1.1"), ([], None)):
            context = self.context()
            if offered:
                context.set_alpn_protocols(offered)
            raw = socket.create_connection(("localhost", self.server.port), timeout=30)
            with context.wrap_socket(raw, server_hostname="localhost") as connection:
                self.assertEqual(connection.selected_alpn_protocol(), wanted)
        context = self.context()
        context.set_alpn_protocols(["h2"])
        raw = socket.create_connection(("localhost", self.server.port), timeout=30)
        with raw, self.assertRaises(ssl.SSLError):
            context.wrap_socket(raw, server_hostname="localhost")

    def test_no_renegotiation_and_sessions_resume(self):
        _, out, errors = tool(
            "openssl", "s_client", "-connect", f"localhost:{self.server.port}", "-tls1_2",
            given=b"R\n")
        self.assertIn("no renegotiation", out + errors)
        with self.secure(maximum_version=ssl.TLSVersion.TLSv1_2) as first:
            session, context = first.session, first.context
        raw = socket.create_connection(("localhost", self.server.port), timeout=30)
        with context.wrap_socket(raw, server_hostname="localhost", session=session) as second:
            self.assertTrue(second.session_reused)

    def test_curl(self):
        code, out, errors = tool("curl", "-sS", "--cacert", self.files.authority, self.url + "/v1")
        self.assertEqual(code, 0, errors)
        self.assertEqual(json.loads(out)["databaseID"], self.server.database_id)
        code, _, _ = tool("curl", "-sS", self.url + "/v1")
        self.assertEqual(code, 60, "nobody vouches for it")

    def test_requests_and_large_bodies(self):
        with requests.Session() as session:
            # The environment may name other authorities.
            session.trust_env = False
            session.verify = self.files.authority
            tree = session.put(self.url + "/v1/trees/notes", json={"keys": "name"})
            self.assertIn(tree.status_code, (200, 201))
            value = json.dumps("x" * 900_000)
            for number in range(8):
                made = session.put(
                    f"{self.url}/v1/records/notes/n{number}", data=value,
                    headers={"Content-Type": "application/json", "If-None-Match": "*"})
                self.assertEqual(made.status_code, 201, made.text)
            self.assertEqual(session.get(self.url + "/v1/records/notes/n3").text, value)
            listed = session.get(
                self.url + "/v1/records/notes", headers={"Accept": "application/x-ndjson"})
            self.assertEqual(len(listed.text.splitlines()), 8)
            page = session.get(self.url + "/")
            self.assertIn("<html", page.text)

    def test_websocket_feed(self):
        with websockets.sync.client.connect(
                f"wss://localhost:{self.server.port}/v1/feed", ssl=self.context(),
                subprotocols=["holdfast.feed.v1"], origin=self.url) as feed:
            self.assertIn("hello", json.loads(feed.recv(timeout=30)))
            feed.send(json.dumps({"start": {}}))
            self.assertIn("started", json.loads(feed.recv(timeout=30)))
            requests.put(
                self.url + "/v1/trees/fed", json={"keys": "name"}, verify=self.files.authority,
                timeout=30)
            messages = (json.loads(feed.recv(timeout=30)) for _ in range(1000))
            self.assertTrue(any("commit" in message for message in messages))

    def test_pages_of_the_same_host_without_tls_are_others(self):
        for origin, status in ((self.url, 200), (self.url.replace("https", "http"), 403)):
            reply = requests.get(
                self.url + "/v1/trees", headers={"Origin": origin}, verify=self.files.authority,
                timeout=30)
            self.assertEqual(reply.status_code, status, origin)

    def test_http_on_the_port_is_told(self):
        reply = requests.get(self.url.replace("https", "http") + "/v1", timeout=30)
        self.assertEqual(reply.status_code, 400)
        self.assertEqual(reply.json()["code"], "bad-request")
        self.assertIn("use https", reply.json()["detail"])
        self.wait_for("spoke plain HTTP", self.server)

    def test_silence_and_noise_hold_up_nobody(self):
        silent = [socket.create_connection(("localhost", self.server.port)) for _ in range(200)]
        with socket.create_connection(("localhost", self.server.port), timeout=30) as noise:
            noise.sendall(os.urandom(4000))
            self.assertLess(len(noise.recv(1000)), 16)
        with self.secure() as connection:
            connection.sendall(b"GET /v1 HTTP/1.1\r\nhost: localhost\r\n\r\n")
            self.assertTrue(connection.recv(100).startswith(b"HTTP/1.1 200"))
        for connection in silent:
            connection.settimeout(30)
            self.assertEqual(connection.recv(1), b"")
            connection.close()
        self.wait_for("not made in time", self.server)

    def test_the_certificate_is_renewed_under_open_connections(self):
        pair = self.files.path("live.pem"), self.files.path("live.key")
        for source, target in zip(self.files.pair("first"), pair):
            shutil.copy(source, target)
        server = self.serve(pair)
        try:
            with self.secure(server) as connection:
                before = connection.getpeercert()["subject"]
                for source, target in zip(self.files.pair("second"), pair):
                    shutil.copy(source, target)
                server.process.send_signal(signal.SIGHUP)
                self.wait_for("serve.tls.reloaded", server)
                with self.secure(server) as other:
                    self.assertNotEqual(other.getpeercert()["subject"], before)
                with open(pair[0], "w", encoding="utf-8") as file:
                    file.write("broken")
                server.process.send_signal(signal.SIGHUP)
                self.wait_for("serve.tls.kept", server)
                with self.secure(server) as third:
                    self.assertIn((("commonName", "second"),), third.getpeercert()["subject"])
                connection.sendall(b"GET /v1 HTTP/1.1\r\nhost: localhost\r\n\r\n")
                self.assertTrue(connection.recv(100).startswith(b"HTTP/1.1 200"))
        finally:
            self.assertEqual(server.stop(), 0)

    def test_clients_with_certificates(self):
        known = self.files.pair("desk", "DNS:desk.example")
        stranger = self.files.pair("stranger", "DNS:desk.example", by="other")
        server = self.serve(self.own, "--tls-client-ca", self.files.authority)
        url = f"https://localhost:{server.port}"
        try:
            reply = requests.get(
                url + "/v1", verify=self.files.authority, cert=known, timeout=30)
            self.assertEqual(reply.status_code, 200)
            for pair in (None, stranger):
                with self.assertRaises(requests.exceptions.ConnectionError):
                    requests.get(url + "/v1", verify=self.files.authority, cert=pair, timeout=30)
            trust = ("--url", url, "--ca", self.files.authority)
            code, _, errors = run("ls", "nothing", *trust)
            self.assertEqual(code, 69)
            self.assertIn("--client-certificate", errors)
            code, _, errors = run(
                "ls", "nothing", *trust, "--client-certificate", known[0], "--client-key", known[1])
            self.assertIn("unknown-tree", errors)
        finally:
            self.assertEqual(server.stop(), 0)

    def test_our_commands(self):
        trust = ("--url", self.url, "--ca", self.files.authority)
        code, _, errors = run("ls", "nothing", *trust)
        self.assertIn("unknown-tree", errors)
        code, _, errors = run("ls", "nothing", "--url", self.url)
        self.assertEqual(code, 69)
        self.assertIn("--ca or HOLDFAST_CA", errors)
        code, _, errors = run(
            "ls", "nothing", environment={
                "HOLDFAST_URL": self.url, "HOLDFAST_CA": self.files.authority})
        self.assertIn("unknown-tree", errors)
        code, _, errors = run("ls", "nothing", "--url", self.url, "--ca", "/nowhere")
        self.assertEqual(code, 78)
        self.assertIn("/nowhere", errors)
        code, _, errors = run(
            "ls", "nothing", "--url", "http://192.0.2.1:7070",
            environment={"HOLDFAST_TOKEN": "hf_secret"})
        self.assertEqual(code, 64)
        self.assertIn("could read the token", errors)

    def test_our_commands_tell_which_check_failed(self):
        for pair, word in (
                (self.files.pair("old", days=-1), "has ended"),
                (self.files.pair("elsewhere", "DNS:elsewhere.example"), "for elsewhere.example"),
                (self.files.pair("foreign", by="other"), "vouched for by nobody")):
            server = self.serve(pair)
            try:
                code, _, errors = run(
                    "ls", "nothing", "--url", f"https://localhost:{server.port}", "--ca",
                    self.files.authority, environment={"HOLDFAST_TOKEN": "hf_secret"})
                self.assertEqual(code, 69)
                self.assertIn(word, errors)
            finally:
                self.assertEqual(server.stop(), 0)

    def test_wrong_flags(self):
        serve = ("serve", "--data", self.files.path("none"), "--application", "a",
                 "--listen", "127.0.0.1:0")
        other = self.files.pair("another")
        for flags, code, word in (
                (("--tls-certificate", self.own[0]), 64, "--tls-key"),
                (("--tls-client-ca", self.files.authority), 64, "--tls-certificate"),
                (("--tls-certificate", self.own[0], "--tls-key", self.own[1], "--without-tls"), 64,
                 "not both"),
                (("--tls-certificate", self.own[0], "--tls-key", "/nowhere"), 78, "/nowhere"),
                (("--tls-certificate", self.own[0], "--tls-key", other[1]), 78, "does not belong"),
                (("--tls-certificate", self.own[1], "--tls-key", self.own[1]), 78, "PEM")):
            found, _, errors = run(*serve, *flags)
            self.assertEqual(found, code, errors)
            self.assertIn(word, errors)
            self.assertFalse(os.path.exists(self.files.path("none")), "nothing was made")

    def test_other_addresses_need_no_flag(self):
        server = self.serve_everywhere()
        try:
            reply = requests.get(
                f"https://127.0.0.1:{server.port}/v1", verify=self.files.authority, timeout=30)
            self.assertEqual(reply.status_code, 200)
        finally:
            self.assertEqual(server.stop(), 0)

    def serve_everywhere(self):
        return Server("--tls-certificate", self.own[0], "--tls-key", self.own[1],
                      listen="0.0.0.0:0")


if __name__ == "__main__":
    unittest.main()
