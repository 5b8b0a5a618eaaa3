#!/usr/bin/env python3
"""How a server ends and reads its settings again: real processes, real signals."""

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import time
import unittest

import raw
from server import BINARY, REPOSITORY, Server, wait_until

sys.path.append(os.path.join(REPOSITORY, "Tests", "Scenario"))

from mirrors import Mirror  # noqa: E402

WAIT = 30


class Ending(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="holdfast-stop-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.data = os.path.join(self.folder, "data")

    def serve(self, *flags):
        server = Server(*flags, data=self.data)
        self.addCleanup(self.end, server)
        return server

    @staticmethod
    def end(server):
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()
        server.process.stdout.close()
        server.log.close()

    def ask(self, server, method, path, body=None, **headers):
        connection = server.connection()
        headers = {"Content-Type": "application/json", **headers}
        connection.request(method, path, body=body, headers=headers)
        reply = connection.getresponse()
        content = reply.read()
        connection.close()
        return reply.status, content

    def half(self, server, head, body=b""):
        """A connection that has sent a part of a request, which the server has begun to read."""
        stream = socket.create_connection((server.host, server.port), timeout=WAIT)
        self.addCleanup(stream.close)
        # The answer to the first request shows that this end is served.
        stream.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertIn(b"200", stream.recv(4096))
        stream.sendall(head + body)
        return stream

    def everything(self, stream):
        received = b""
        while part := stream.recv(65536):
            received += part
        return received

    def stopping(self, server):
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "serve.stopping" in server.errors(), server.errors())
        wait_until(lambda: not self.accepts(server), "it accepts still")

    @staticmethod
    def accepts(server):
        try:
            socket.create_connection((server.host, server.port), timeout=WAIT).close()
            return True
        except ConnectionRefusedError:
            return False


class StopTest(Ending):
    def test_a_write_in_flight_is_answered_and_kept(self):
        server = self.serve()
        self.assertEqual(self.ask(server, "PUT", "/v1/trees/notes", '{"keys":"name"}')[0], 201)
        body = b'"written while it stops"'
        head = (b"PUT /v1/records/notes/late HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: *\r\n"
                b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
        writer = self.half(server, head, body[:5])
        probe = self.half(server, b"GET /readyz HTTP/1.1\r\nHost: loc")
        self.stopping(server)
        probe.sendall(b"alhost\r\n\r\n")
        answer = self.everything(probe)
        raw.record([b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n"],
                   raw.split(answer, []), "readyz of a server that stops")
        self.assertIn(b"HTTP/1.1 503", answer)
        self.assertIn(b'"code":"stopping"', answer)
        self.assertIn(b"connection: close", answer)
        self.assertIsNone(server.process.poll(), "it waits for the writer")
        writer.sendall(body[5:])
        answer = self.everything(writer)
        self.assertIn(b"HTTP/1.1 201", answer)
        self.assertIn(b"connection: close", answer)
        self.assertEqual(server.process.wait(WAIT), 0)
        self.assertNotIn("serve.cut", server.errors())
        again = self.serve()
        self.assertEqual(self.ask(again, "GET", "/v1/records/notes/late"), (200, body))
        self.assertEqual(again.stop(), 0)

    def test_a_feed_gets_what_is_its_and_then_1012(self):
        server = self.serve()
        feed = raw.WebSocket(server)
        feed.wait_for("hello")
        feed.send({"start": {"since": f"{server.epoch}:0"}})
        feed.wait_for("live")
        self.assertEqual(self.ask(server, "PUT", "/v1/trees/notes", '{"keys":"name"}')[0], 201)
        server.process.send_signal(signal.SIGTERM)
        commit, _ = feed.wait_for("commit")
        self.assertEqual(commit["seq"], 1)
        bye, _ = feed.wait_for("bye")
        self.assertEqual(bye["code"], 1012)
        self.assertEqual(feed.end(), 1012)
        feed.close()
        self.assertEqual(server.process.wait(WAIT), 0)

    def test_who_waits_for_a_position_is_answered(self):
        server = self.serve()
        reader = self.half(server, (
            b"GET /v1/trees HTTP/1.1\r\nHost: localhost\r\nPrefer: wait=60\r\n"
            b"Holdfast-Min-Position: " + f"{server.epoch}:9".encode() + b"\r\n\r\n"))
        # Behind it, on the same loop or another, everything is served.
        wait_until(lambda: self.ask(server, "GET", "/livez")[0] == 200, "livez")
        server.process.send_signal(signal.SIGTERM)
        answer = self.everything(reader)
        self.assertTrue(answer == b"" or b"HTTP/1.1 503" in answer, answer)
        self.assertEqual(server.process.wait(WAIT), 0)

    def test_the_time_to_finish_is_bounded(self):
        server = self.serve("--drain-seconds", "0.2")
        stuck = self.half(server, b"PUT /v1/records/notes/x HTTP/1.1\r\nHost: ")
        server.process.send_signal(signal.SIGTERM)
        self.assertEqual(server.process.wait(WAIT), 0)
        self.assertIn("serve.cut connections=1", server.errors())
        self.assertEqual(stuck.recv(100), b"")

    def test_a_second_signal_ends_it_at_once_and_keeps_what_was_acknowledged(self):
        server = self.serve("--drain-seconds", "3600")
        self.assertEqual(self.ask(server, "PUT", "/v1/trees/notes", '{"keys":"name"}')[0], 201)
        self.half(server, b"PUT /v1/records/notes/x HTTP/1.1\r\nHost: ")
        self.stopping(server)
        # Settings are not read any more.
        server.process.send_signal(signal.SIGHUP)
        server.process.send_signal(signal.SIGTERM)
        self.assertEqual(server.process.wait(WAIT), -signal.SIGTERM)
        again = self.serve()
        self.assertEqual(self.ask(again, "GET", "/v1/trees/notes")[0], 200)
        self.assertEqual(again.stop(), 0)


    def test_mirrors_are_told_and_come_back(self):
        server = self.serve()
        self.assertEqual(self.ask(server, "PUT", "/v1/trees/bins", '{"keys":"name"}')[0], 201)
        peer = raw.WebSocket(server, "holdfast.mirror.v1", path="/v1/mirror")
        with Mirror(os.path.join(self.folder, "mirror"), f"http://127.0.0.1:{server.port}",
                    "anna", "--application", "conformance") as anna:
            anna.wait_for_status("live")
            server.process.send_signal(signal.SIGTERM)
            self.assertEqual(peer.end(), 1012)
            peer.close()
            self.assertEqual(server.process.wait(WAIT), 0)
            self.assertNotIn("serve.cut", server.errors())
            anna.wait_for_status("offline")
            again = Server(data=self.data, application="conformance",
                           listen=f"127.0.0.1:{server.port}")
            self.addCleanup(self.end, again)
            anna.wait_for_status("live")
            anna.close()
        self.assertEqual(again.stop(), 0)

    def test_it_ends_with_its_terminal(self):
        master, slave = os.openpty()
        process = subprocess.Popen(
            [BINARY, "serve", "--data", self.data, "--application", "a", "--listen", "127.0.0.1:0"],
            stdin=slave, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            preexec_fn=lambda: (os.setsid(), fcntl.ioctl(0, termios.TIOCSCTTY, 0)))
        os.close(slave)
        self.addCleanup(process.stdout.close)
        self.addCleanup(lambda: process.poll() is None and process.kill())
        self.assertTrue(process.stdout.readline().startswith(b"ready "))
        os.close(master)
        self.assertEqual(process.wait(WAIT), 0)


class ReloadTest(Ending):
    def setUp(self):
        super().setUp()
        self.file = os.path.join(self.folder, "holdfast.json")

    def configure(self, **members):
        with open(self.file, "w", encoding="utf-8") as file:
            json.dump(members, file)

    def reload(self, server, event):
        count = server.errors().count(event)
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: server.errors().count(event) > count, server.errors())

    def test_limits_change_while_it_runs(self):
        self.configure(maxBody=4096, maxTarget=200)
        server = self.serve("--config", self.file)
        large = json.dumps("x" * 3000)
        absent = {"If-None-Match": "*"}
        self.assertEqual(self.ask(server, "PUT", "/v1/trees/notes", '{"keys":"name"}')[0], 201)
        self.assertEqual(self.ask(server, "PUT", "/v1/records/notes/a", large, **absent)[0], 201)
        self.configure(maxBody=1024, maxTarget=100, loops=7, logLevel="debug")
        self.reload(server, "serve.reload.done")
        self.assertIn("serve.reload.needsRestart settings=loops", server.errors())
        self.assertIn("changed=max-target,max-body,log-level", server.errors())
        self.assertEqual(self.ask(server, "PUT", "/v1/records/notes/b", large, **absent)[0], 413)
        self.assertEqual(self.ask(server, "GET", "/v1/records/notes/" + "x" * 100)[0], 414)
        # What the file does not say any more is the default again.
        self.configure()
        self.reload(server, "serve.reload.done")
        self.assertEqual(self.ask(server, "PUT", "/v1/records/notes/b", large, **absent)[0], 201)
        self.assertEqual(server.stop(), 0)

    def test_rates_change_while_it_runs(self):
        def asked(server):
            return [self.ask(server, "GET", "/v1")[0] for _ in range(5)]
        self.configure()
        server = self.serve("--config", self.file)
        self.assertEqual(asked(server), [200] * 5)
        # The next one is let in a minute later.
        self.configure(addressRate=0.0167)
        self.reload(server, "serve.reload.done")
        self.assertEqual(asked(server), [200, 429, 429, 429, 429])
        self.configure()
        self.reload(server, "serve.reload.done")
        self.assertEqual(asked(server), [200] * 5)
        self.assertEqual(server.stop(), 0)

    def test_a_file_with_a_mistake_changes_nothing(self):
        self.configure(maxBody=1024)
        server = self.serve("--config", self.file)
        for text, word in (('{"maxBody": 1}', "256"), ('{"maxBodies": 5}', "no such setting"),
                           ('{"maxBody": ', "JSON")):
            with open(self.file, "w", encoding="utf-8") as file:
                file.write(text)
            self.reload(server, "serve.reload.kept")
            self.assertIn(word, server.errors().split("serve.reload.kept")[-1])
            self.assertEqual(self.ask(server, "PUT", "/v1/trees/notes", " " * 1025)[0], 413)
        self.assertEqual(server.stop(), 0)

    def test_without_a_file_it_goes_on(self):
        server = self.serve()
        self.reload(server, "serve.reload.done")
        self.assertEqual(self.ask(server, "GET", "/readyz")[0], 200)
        self.assertEqual(server.stop(), 0)


class Manager:
    """What systemd does for a service of Type=notify: a datagram socket it is told on."""

    def __init__(self, folder, name=None):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.name = name or os.path.join(folder, "notify")
        self.socket.bind("\0" + name[1:] if name else self.name)
        self.socket.settimeout(WAIT)

    def next(self, but=()):
        """The next message as a dictionary, others of `but` passed over."""
        while True:
            said = dict(line.split("=", 1)
                        for line in self.socket.recv(4096).decode().splitlines())
            if not set(said) & set(but):
                return said


class ServiceTest(Ending):
    def start(self, manager, **environment):
        process = subprocess.Popen(
            [BINARY, "serve", "--data", self.data, "--application", "a", "--listen", "127.0.0.1:0"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, "NOTIFY_SOCKET": manager.name, **environment})
        self.addCleanup(process.stdout.close)
        self.addCleanup(lambda: process.poll() is None and process.kill())
        return process

    def test_systemd_is_told_of_its_life(self):
        for name in (None, f"@holdfast-test-{os.getpid()}"):
            manager = Manager(self.folder, name)
            process = self.start(manager)
            self.assertEqual(manager.next()["READY"], "1")
            self.assertTrue(process.stdout.readline().startswith("ready "))
            before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            process.send_signal(signal.SIGHUP)
            said = manager.next()
            self.assertEqual(said["RELOADING"], "1")
            after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            self.assertTrue(before <= int(said["MONOTONIC_USEC"]) <= after, said)
            self.assertEqual(manager.next()["READY"], "1")
            process.send_signal(signal.SIGTERM)
            self.assertEqual(manager.next()["STOPPING"], "1")
            self.assertEqual(process.wait(WAIT), 0)
            manager.socket.close()

    def test_it_says_that_it_lives_when_asked_to(self):
        manager = Manager(self.folder)
        process = self.start(manager, WATCHDOG_USEC="100000")
        self.assertEqual(manager.next(but=["WATCHDOG"])["READY"], "1")
        for _ in range(5):
            self.assertEqual(manager.next(), {"WATCHDOG": "1"})
        # Stopped as a whole it is silent, as it would be if it hung.
        process.send_signal(signal.SIGSTOP)
        self.drain(manager)
        process.send_signal(signal.SIGCONT)
        self.assertEqual(manager.next(), {"WATCHDOG": "1"})
        process.send_signal(signal.SIGTERM)
        self.assertEqual(manager.next(but=["WATCHDOG"])["STOPPING"], "1")
        self.assertEqual(process.wait(WAIT), 0)
        manager.socket.close()

    @staticmethod
    def drain(manager):
        manager.socket.settimeout(0.5)
        try:
            while True:
                manager.socket.recv(4096)
        except TimeoutError:
            manager.socket.settimeout(WAIT)

    def test_the_watchdog_of_another_process_is_not_ours(self):
        manager = Manager(self.folder)
        process = self.start(manager, WATCHDOG_USEC="1000", WATCHDOG_PID="1")
        self.assertEqual(manager.next()["READY"], "1")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(manager.next()["STOPPING"], "1")
        self.assertEqual(process.wait(WAIT), 0)
        manager.socket.close()


if __name__ == "__main__":
    unittest.main()
