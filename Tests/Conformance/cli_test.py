#!/usr/bin/env python3
"""Exit codes and messages of `holdfast`: what operators and scripts build on."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
import unittest

from server import BINARY, Server, run

MARK = "a-value-that-is-easy-to-find-in-the-log"


def crc32c(data):
    """CRC-32C of a difference: neither begun nor ended with ones."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc


class CommandLineTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="holdfast-cli-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.data = os.path.join(self.folder, "data")

    def check(self, code, result, *words):
        """The exit code, a message on stderr that names what it is about, and no `ready` line."""
        found, out, errors = result
        self.assertEqual(found, code, errors)
        self.assertNotIn("ready", out)
        self.assertTrue(errors.strip(), "a failure says why")
        for word in words:
            self.assertIn(word, errors)

    def database(self):
        """A stopped database with three commits."""
        server = Server(data=self.data)
        for number in range(3):
            connection = server.connection()
            if number == 0:
                connection.request("PUT", "/v1/trees/notes", body='{"keys":"name"}',
                                   headers={"Content-Type": "application/json"})
            else:
                connection.request("PUT", f"/v1/records/notes/n{number}", body=f'"{MARK}"',
                                   headers={"Content-Type": "application/json",
                                            "If-None-Match": "*"})
            self.assertEqual(connection.getresponse().status, 201)
            connection.close()
        self.assertEqual(server.stop(), 0)

    def damage(self):
        """Flips one bit of the first value in the log."""
        folder = os.path.join(self.data, "log")
        name, = [name for name in os.listdir(folder) if name.endswith(".seg")]
        path = os.path.join(folder, name)
        with open(path, "r+b") as file:
            place = file.read().index(MARK.encode())
            file.seek(place)
            byte = file.read(1)[0]
            file.seek(place)
            file.write(bytes([byte ^ 1]))
        return name

    def forge(self):
        """Changes one bit of the first value in the log and makes its frame's checksum fit."""
        folder = os.path.join(self.data, "log")
        name, = [name for name in os.listdir(folder) if name.endswith(".seg")]
        path = os.path.join(folder, name)
        with open(path, "r+b") as file:
            log = bytearray(file.read())
            place = log.index(MARK.encode())
            start = log.rindex(b"HLFC", 0, place)
            length = int.from_bytes(log[start + 8:start + 12], "little")
            log[place] ^= 1
            # A checksum changes by the checksum of the difference, whatever seeded it.
            change = crc32c(b"\1" + bytes(start + length - place - 1))
            found = int.from_bytes(log[start + 4:start + 8], "little")
            log[start + 4:start + 8] = (found ^ change).to_bytes(4, "little")
            file.seek(0)
            file.write(log)
        return name, start

    def test_help(self):
        for arguments in [["--help"]] + [
            [command, "--help"] for command in (
                "serve", "get", "put", "ls", "import", "export", "tail", "verify", "log",
                "salvage", "compact", "backup", "restore", "heal")
        ]:
            with self.subTest(arguments):
                code, out, errors = run(*arguments)
                self.assertEqual((code, errors), (0, ""))
                self.assertIn("holdfast", out)

    def test_usage(self):
        listen = ["--listen", "127.0.0.1:0"]
        rows = [
            ("no command", []),
            ("an unknown command", ["frobnicate"]),
            ("an unknown flag", ["serve", "--nonsense"]),
            ("a flag without its value", ["serve", "--data"]),
            ("no data", ["serve", *listen]),
            ("an address that is none",
             ["serve", "--data", self.data, "--application", "a", "--listen", "nowhere"]),
            ("a port that is none",
             ["serve", "--data", self.data, "--application", "a", "--listen", "127.0.0.1:99999"]),
            ("a durability that is none", ["serve", "--data", self.data, "--application", "a",
                                           *listen, "--durability", "maybe"]),
            ("a new directory without an application", ["serve", "--data", self.data, *listen]),
            ("get without a key", ["get", "notes"]),
            ("put without what it expects", ["put", "notes", "a", "-"]),
            ("ls without a tree", ["ls"]),
            ("verify without data", ["verify"]),
            ("log without data", ["log"]),
            ("salvage without data", ["salvage", "--to", self.data]),
            ("salvage without a place", ["salvage", "--data", self.data]),
            ("compact with a server and a history", ["compact", "--history-days", "1"]),
            ("compact with a server and a memory", ["compact", "--memory-days", "40"]),
            ("compact with a server and tombstones", ["compact", "--tombstone-days", "40"]),
            ("tombstones of no days",
             ["compact", "--data", self.data, "--tombstone-days", "-1"]),
            ("a memory shorter than promised",
             ["compact", "--data", self.data, "--memory-days", "29"]),
            ("compact with a history that is none",
             ["compact", "--data", self.data, "--history-days", "-1"]),
            ("a history that is none", ["serve", "--data", self.data, "--application", "a",
                                        *listen, "--history-days", "long"]),
            ("segments that are too short", ["serve", "--data", self.data, "--application", "a",
                                             *listen, "--segment-bytes", "10"]),
        ]
        for name, arguments in rows:
            with self.subTest(name):
                self.check(64, run(*arguments))
                self.assertFalse(os.path.exists(self.data), "nothing is made")

    def test_another_address_than_loopback_is_refused(self):
        result = run("serve", "--data", self.data, "--application", "a", "--listen", "0.0.0.0:0")
        self.check(78, result, "loopback", "0.0.0.0:0")
        self.assertFalse(os.path.exists(self.data), "nothing is made")

    def test_a_configuration_file(self):
        path = os.path.join(self.folder, "holdfast.json")
        rows = [
            ("no such member", '{"lissten": "127.0.0.1:0"}', "lissten"),
            ("no JSON", '{"listen": ', "JSON"),
            ("a member twice", '{"loops": 1, "loops": 2}', "twice"),
            ("another type", '{"loops": "many"}', "loops"),
            ("a value out of bounds", '{"loops": 0}', "loops"),
            ("an address beyond loopback", '{"listen": "0.0.0.0:0"}', "loopback"),
        ]
        command = ["serve", "--data", self.data, "--application", "a", "--config", path]
        for name, text, word in rows:
            with self.subTest(name):
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
                self.check(78, run(*command), path if "0.0.0.0" not in text else word, word)
                self.assertFalse(os.path.exists(self.data), "nothing is made")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"application": "b", "loops": 1, "headTimeout": 2.5, "listen": "nowhere",
                       "hostName": ["parts.example"]}, file)
        server = Server("--config", path, data=self.data, application=None)
        self.assertEqual(server.stop(), 0)
        self.check(78, run(*command, "--listen", "127.0.0.1:0"), "'b'")

    def test_a_directory_of_something_else(self):
        os.mkdir(self.data)
        with open(os.path.join(self.data, "letter.txt"), "w", encoding="utf-8"):
            pass
        self.check(73, run("serve", "--data", self.data, "--application", "a",
                           "--listen", "127.0.0.1:0"), "letter.txt")
        self.assertEqual(os.listdir(self.data), ["letter.txt"])

    def test_directory_in_use(self):
        server = Server(data=self.data)
        try:
            self.check(75, run("serve", "--data", self.data, "--listen", "127.0.0.1:0"), self.data)
        finally:
            self.assertEqual(server.stop(), 0)

    def test_port_in_use(self):
        server = Server()
        try:
            address = f"127.0.0.1:{server.port}"
            self.check(75, run("serve", "--data", self.data, "--application", "a",
                               "--listen", address), str(server.port))
        finally:
            self.assertEqual(server.stop(), 0)

    def test_a_directory_that_cannot_be_made(self):
        path = os.path.join(self.folder, "file")
        with open(path, "w", encoding="utf-8"):
            pass
        self.check(73, run("serve", "--data", os.path.join(path, "data"), "--application", "a",
                           "--listen", "127.0.0.1:0"))

    def test_a_damaged_log(self):
        self.database()
        self.assertEqual(run("verify", "--data", self.data)[0], 0)
        name = self.damage()
        for command in (["serve", "--listen", "127.0.0.1:0"], ["verify"]):
            with self.subTest(command[0]):
                self.check(65, run(command[0], "--data", self.data, *command[1:]), name)

    def test_a_forged_log(self):
        self.database()
        name, place = self.forge()
        self.check(65, run("verify", "--data", self.data), name, f"byte {place}", "the hash at byte")

    # MARK: Salvage

    def segment(self):
        """The only segment of the database."""
        folder = os.path.join(self.data, "log")
        name, = [name for name in os.listdir(folder) if name.endswith(".seg")]
        return os.path.join(folder, name)

    def change(self, change):
        """Puts other bytes in place of the segment's."""
        with open(self.segment(), "r+b") as file:
            log = bytearray(file.read())
            change(log)
            file.seek(0)
            file.write(log)
            file.truncate()

    def files(self):
        """Every file of the database, with its bytes and when it was changed."""
        found = {}
        for folder, _, names in os.walk(self.data):
            for name in names:
                path = os.path.join(folder, name)
                with open(path, "rb") as file:
                    found[path] = (file.read(), os.stat(path).st_mtime_ns)
        return found

    def exchange(self, server, method, path, body=None, **fields):
        connection = server.connection()
        connection.request(method, path, body=body,
                           headers={"Content-Type": "application/json", **fields})
        response = connection.getresponse()
        answer = response.read().decode()
        connection.close()
        return response.status, answer, response.headers.get("ETag")

    def story(self):
        """A stopped database whose second commit makes n1, and which goes on with it."""
        server = Server(data=self.data)
        absent = {"If-None-Match": "*"}
        put = lambda name, value, **fields: self.exchange(
            server, "PUT", f"/v1/records/notes/{name}", value, **fields)
        status, answer, _ = self.exchange(server, "PUT", "/v1/trees/notes", '{"keys":"name"}')
        self.assertEqual(status, 201, answer)
        versions = {}
        for name in ("n1", "n2", "n3"):
            status, answer, versions[name] = put(name, f'"{MARK}"', **absent)
            self.assertEqual(status, 201, answer)
        status, answer, _ = put("n1", '"changed"', **{"If-Match": versions["n1"]})
        self.assertEqual(status, 200, answer)
        status, answer, _ = self.exchange(server, "DELETE", "/v1/records/notes/n2",
                                          **{"If-Match": versions["n2"]})
        self.assertEqual(status, 204, answer)
        epoch, database = server.epoch, server.database_id
        self.assertEqual(server.stop(), 0)
        return epoch, database

    def head(self, log):
        """Ruins the head of the segment, the salt included."""
        for place in range(8, 40):
            log[place] ^= 0x55

    def last_frame(self, log):
        """Cuts the log in its last commit: nothing says that it was synced."""
        del log[log.rindex(b"HLFC") + 60:]

    def first_value(self, log):
        log[log.index(MARK.encode())] ^= 1

    def test_salvage(self):
        # The last version of each: seq, name, value.
        later = [(4, "n3", MARK), (5, "n1", "changed"), (6, "n2", None)]
        # What is damaged, the last commit kept, what is found behind, whether there is damage.
        rows = [
            ("a bit of the first value", lambda: self.change(self.first_value), 1, later, True),
            ("a forged value", self.forge, 1, later, True),
            ("the head", lambda: self.change(self.head), 0, later, True),
            ("a torn tail", lambda: self.change(self.last_frame), 5, [], False),
            ("nothing", lambda: None, 6, [], False),
        ]
        for name, damage, kept, found, is_damaged in rows:
            with self.subTest(name):
                shutil.rmtree(self.data, ignore_errors=True)
                target = os.path.join(self.folder, name.replace(" ", "-"))
                epoch, database = self.story()
                copy = target + "-copy"
                shutil.copytree(self.data, copy)
                damage()
                before = self.files()
                code, out, errors = run("salvage", "--data", self.data, "--to", target)
                self.assertEqual((code, errors), (0, ""), out)
                self.assertEqual(self.files(), before, "the damaged database is only read")
                self.assertIn("none\n" if kept == 0 else f"commits 1 to {kept}\n", out)
                self.assertEqual(" at byte " in out, is_damaged, out)
                code, report, errors = run("verify", "--data", target)
                self.assertEqual(code, 0, errors)
                self.assertEqual(f"epoch        {epoch}\n" not in report, is_damaged, report)
                self.check_salvaged(target, epoch, found, is_damaged)
                if is_damaged:
                    self.check_healed(target, copy, kept)
                    code, _, errors = run("heal", "--discard", "--data", target)
                    self.assertEqual(code, 0, errors)
                self.check_served(target, epoch, database, kept, is_damaged)

    def check_healed(self, target, copy, kept):
        """It takes no writes, and a copy brings back every commit behind the damage."""
        again = target + "-healed"
        shutil.copytree(target, again)
        server = Server(data=again)
        try:
            status, answer, _ = self.exchange(
                server, "PUT", "/v1/trees/others", '{"keys":"name"}')
            self.assertEqual((status, json.loads(answer)["code"]), (503, "healing"))
            _, about, _ = self.exchange(server, "GET", "/v1")
            made = json.loads(about)["healing"]["restored"]
            self.assertEqual(made.split(":")[1], str(kept))
        finally:
            self.assertEqual(server.stop(), 0)
        code, out, errors = run("heal", "--from", copy, "--data", again)
        self.assertEqual(code, 0, out + errors)
        server = Server(data=again)
        try:
            self.assertEqual(self.exchange(server, "GET", "/v1/records/notes/n1")[1], '"changed"')
            self.assertEqual(self.exchange(server, "GET", "/v1/records/notes/n2")[0], 410)
            status, answer, _ = self.exchange(
                server, "PUT", "/v1/trees/others", '{"keys":"name"}')
            self.assertEqual(status, 201, answer)
        finally:
            self.assertEqual(server.stop(), 0)
        commits = lambda data: run("log", "--data", data, "--json")[1].splitlines()
        self.assertEqual(commits(again)[:6], commits(copy), "the commits that were lost, as they were")

    def check_salvaged(self, target, epoch, found, is_damaged):
        """The list of what is behind the damage; no file where there is nothing."""
        path = os.path.join(target, "salvaged.ndjson")
        if not is_damaged:
            self.assertFalse(os.path.exists(path))
            return
        with open(path, encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        for line in lines:
            self.assertIn("modified", line)
            if line["tree"] == "notes":
                self.assertEqual(("value" in line, "state" in line, "created" in line),
                                 ("removed" not in line,) * 3, line)
        self.assertEqual(
            [(f"{epoch}:{seq}", name, value) for seq, name, value in found],
            [(line["version"], line["key"]["name"], line.get("value"))
             for line in lines if line["tree"] == "notes"])

    def check_served(self, target, epoch, database, kept, is_damaged):
        """The new database is the old one in another epoch, and takes back what is put back."""
        server = Server(data=target)
        try:
            self.assertEqual(server.database_id, database)
            for name, seq in (("n1", 2), ("n3", 4)):
                status, answer, _ = self.exchange(server, "GET", f"/v1/records/notes/{name}")
                self.assertEqual(status, 200 if kept >= seq else 404, answer)
            if not is_damaged:
                return
            # As README says.
            with open(os.path.join(target, "salvaged.ndjson"), encoding="utf-8") as file:
                lines = [json.loads(line) for line in file]
            if kept == 0:
                self.assertEqual(
                    self.exchange(server, "PUT", "/v1/trees/notes", '{"keys":"name"}')[0], 201)
            back = os.path.join(self.folder, "back.ndjson")
            with open(back, "w", encoding="utf-8") as file:
                for line in lines:
                    if line["tree"] == "notes" and "value" in line:
                        put = {name: line[name] for name in ("tree", "key", "value")}
                        change = {"operations": [{"put": {**put, "expects": "absent"}}]}
                        file.write(json.dumps(change) + "\n")
            url = ["--url", f"http://127.0.0.1:{server.port}"]
            code, _, errors = run("import", back, *url)
            self.assertEqual(code, 0, errors)
            self.assertEqual(run("get", "notes", "n1", *url)[1], '"changed"\n')
            self.assertNotIn(epoch, run("ls", "notes", "--meta", *url)[1])
        finally:
            self.assertEqual(server.stop(), 0)
        self.assertEqual(run("verify", "--data", target)[0], 0)

    def test_salvage_refuses(self):
        target = os.path.join(self.folder, "new")
        used = os.path.join(self.folder, "used")
        os.mkdir(used)
        with open(os.path.join(used, "letter.txt"), "w", encoding="utf-8"):
            pass
        nothing = os.path.join(self.folder, "nothing")
        mirror = os.path.join(self.folder, "mirror")
        os.mkdir(nothing)
        os.makedirs(os.path.join(mirror, "outbox"))
        self.story()
        identity = os.path.join(self.data, "IDENTITY")

        def spoil():
            with open(identity, "r+b") as file:
                file.seek(30)
                file.write(b"x")

        def cut():
            self.change(lambda log: log.__delitem__(slice(50, None)))

        rows = [
            ("a directory that is not empty", None, self.data, used, 73, "letter.txt"),
            ("a file", None, self.data, os.path.join(used, "letter.txt"), 73, "letter.txt"),
            ("the database itself", None, self.data, self.data, 64, self.data),
            ("a directory in it", None, self.data, os.path.join(self.data, "a", "b"), 64, "read"),
            ("no directory", None, os.path.join(self.folder, "gone"), target, 66, "gone"),
            ("no database", None, nothing, target, 66, nothing),
            ("a mirror", None, mirror, target, 78, "connect anew"),
            ("an IDENTITY that is damaged", spoil, self.data, target, 65, "IDENTITY is damaged"),
            ("no IDENTITY", lambda: os.remove(identity), self.data, target, 65,
             "IDENTITY is missing"),
            ("nothing whole", cut, self.data, target, 65, "no commit is whole"),
        ]
        whole = os.path.join(self.folder, "whole")
        shutil.copytree(self.data, whole)
        for name, damage, data, to, code, word in rows:
            with self.subTest(name):
                shutil.rmtree(self.data)
                shutil.copytree(whole, self.data)
                if damage:
                    damage()
                before = self.files()
                self.check(code, run("salvage", "--data", data, "--to", to), word)
                self.assertEqual(self.files(), before)
                self.assertFalse(os.path.exists(target), "nothing is made")
                self.assertEqual(os.listdir(used), ["letter.txt"])
        shutil.rmtree(self.data)
        shutil.copytree(whole, self.data)
        server = Server(data=self.data)
        try:
            self.check(75, run("salvage", "--data", self.data, "--to", target), self.data)
            self.assertFalse(os.path.exists(target), "nothing is made")
        finally:
            self.assertEqual(server.stop(), 0)

    def test_salvage_that_ends_early_leaves_no_database(self):
        self.story()
        self.change(self.first_value)
        target = os.path.join(self.folder, "new")
        # A file of a megabyte at most: the new epoch's segment is longer.
        limited = 'trap "" XFSZ; ulimit -f 1024; exec "$@"'
        done = subprocess.run(
            ["bash", "-c", limited, "bash", BINARY, "salvage", "--data", self.data,
             "--to", target], capture_output=True, text=True, timeout=30)
        self.check(74, (done.returncode, done.stdout, done.stderr), "not finished", target)
        self.check(73, run("serve", "--data", target, "--application", "conformance",
                           "--listen", "127.0.0.1:0"), "not empty")
        self.check(66, run("verify", "--data", target))
        self.check(73, run("salvage", "--data", self.data, "--to", target), "not empty")

    def test_no_database_there(self):
        os.mkdir(self.data)
        for command in ("verify", "log"):
            with self.subTest(command):
                self.check(66, run(command, "--data", self.data))

    def test_each_write_gets_a_sync_of_its_own(self):
        server = Server("--durability", "each", data=self.data)
        try:
            def exchange(method, path, body=None, kind="application/json"):
                connection = server.connection()
                connection.request(method, path, body=body, headers={"Content-Type": kind})
                response = connection.getresponse()
                answer = response.read().decode()
                connection.close()
                self.assertLess(response.status, 300, answer)
                return answer

            def syncs():
                found = re.search(r"^holdfast_sync_duration_seconds_count (\d+)$",
                                  exchange("GET", "/metrics"), re.MULTILINE)
                return int(found[1])

            exchange("PUT", "/v1/trees/notes", '{"keys":"name"}')
            before = syncs()
            # They come together: by default many of them would share a sync.
            lines = [{"operations": [{"put": {
                "tree": "notes", "key": {"name": f"n{number}"}, "expects": "absent",
                "value": number}}]}
                     for number in range(60)]
            answers = exchange("POST", "/v1/changes",
                               "".join(json.dumps(line) + "\n" for line in lines),
                               "application/x-ndjson")
            self.assertEqual(json.loads(answers.splitlines()[-1])["done"]["accepted"], 60, answers)
            self.assertEqual(syncs() - before, 60)
        finally:
            self.assertEqual(server.stop(), 0)

    def test_flags_by_environment(self):
        self.check(64, run("serve", environment={
            "HOLDFAST_DATA": self.data, "HOLDFAST_LISTEN": "127.0.0.1:0"}), "application")

    def test_the_log_is_printed_beside_a_live_server(self):
        self.database()
        server = Server(data=self.data)
        try:
            code, out, _ = run("log", "--data", self.data)
            self.assertEqual(code, 0)
            self.assertIn("notes", out)
            self.assertEqual(run("verify", "--data", self.data)[0], 0)
        finally:
            self.assertEqual(server.stop(), 0)

    def test_compact(self):
        self.check(66, run("compact", "--data", self.data), self.data)
        server = Server("--segment-bytes", "65536", "--history-days", "0", data=self.data)
        url = f"http://{server.host}:{server.port}"
        try:
            connection = server.connection()
            connection.request("PUT", "/v1/trees/notes", body='{"keys":"name"}',
                               headers={"Content-Type": "application/json"})
            reply = connection.getresponse()
            reply.read()
            self.assertEqual(reply.status, 201)
            for number in range(60):
                body = '"%s"' % (MARK * (10_000 // len(MARK)))
                connection.request("PUT", f"/v1/records/notes/n{number}", body=body, headers={
                    "Content-Type": "application/json", "If-None-Match": "*"})
                reply = connection.getresponse()
                reply.read()
                self.assertEqual(reply.status, 201)
                if number == 5:
                    connection.request("DELETE", "/v1/records/notes/n5", headers={
                        "If-Match": reply.headers["ETag"]})
                    reply = connection.getresponse()
                    reply.read()
                    self.assertLess(reply.status, 300)
            connection.close()
            self.check(75, run("compact", "--data", self.data), self.data)
            code, out, errors = run("compact", "--url", url)
            self.assertEqual((code, errors), (0, ""))
            self.assertRegex(out, r"snapshot  \S+:62\n")
            self.assertRegex(out, r"oldest    \S+:[1-9]")
            self.assertRegex(out, r"freed     [1-9]\d{5,} bytes")
            self.assertIn("was deleted", run("get", "notes", "n5", "--url", url)[2])
        finally:
            self.assertEqual(server.stop(), 0)
        # Nobody serves it: what can go goes when no history is wanted, and nothing by default.
        for flags, freed in ((), r"freed     0 bytes"), (
                ("--history-days", "0", "--tombstone-days", "0"), "oldest"):
            code, out, errors = run("compact", "--data", self.data, *flags)
            self.assertEqual((code, errors), (0, ""))
            self.assertRegex(out, freed)
        self.assertRegex(out, r"oldest    \S+:[1-9]")
        self.assertEqual(run("verify", "--data", self.data)[0], 0)
        server = Server(data=self.data)
        try:
            code, out, _ = run("get", "notes", "n0", "--url",
                               f"http://{server.host}:{server.port}")
            self.assertEqual((code, out[:1]), (0, '"'))
            # That it was deleted is forgotten.
            errors = run("get", "notes", "n5", "--url", f"http://{server.host}:{server.port}")[2]
            self.assertNotIn("deleted", errors)
            self.assertNotEqual(errors, "")
        finally:
            self.assertEqual(server.stop(), 0)

    def test_a_folder_that_may_not_be_written_is_read(self):
        self.database()

        def state():
            found = {}
            for folder, _, names in os.walk(self.data):
                for name in names:
                    path = os.path.join(folder, name)
                    with open(path, "rb") as file:
                        found[path] = (file.read(), os.stat(path).st_mtime_ns)
            return found

        before = state()
        for folder, _, names in os.walk(self.data):
            for name in names:
                os.chmod(os.path.join(folder, name), 0o444)
            os.chmod(folder, 0o555)
        os.chmod(self.folder, 0o755)

        def drop_rights():
            # To the superuser every directory can be written.
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)

        try:
            for command in (["verify"], ["log"], ["log", "--reverse"]):
                with self.subTest(command):
                    done = subprocess.run(
                        [BINARY, command[0], "--data", self.data, *command[1:]],
                        capture_output=True, text=True, timeout=30, preexec_fn=drop_rights)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assertIn("whole" if command[0] == "verify" else "notes", done.stdout)
            done = subprocess.run(
                [BINARY, "serve", "--data", self.data, "--application", "conformance",
                 "--listen", "127.0.0.1:0"],
                capture_output=True, text=True, timeout=30, preexec_fn=drop_rights)
            self.assertNotEqual(done.returncode, 0, "it cannot be served")
        finally:
            for folder, _, _ in os.walk(self.data):
                os.chmod(folder, 0o755)
        self.assertEqual(state(), before)

    def test_damage_at_the_end_of_the_log_is_told_by_every_reader(self):
        self.database()
        self.damage()
        for command in (["verify"], ["log"], ["log", "--reverse"]):
            with self.subTest(command):
                self.check(65, run(command[0], "--data", self.data, *command[1:]), "damaged")

    def test_beside_compactions_nothing_is_taken_for_damage(self):
        self.database()
        # Segments of a few records each, so that some go every time.
        server = Server("--segment-bytes", "65536", "--history-days", "0", data=self.data)
        url = ["--url", f"http://127.0.0.1:{server.port}"]
        done = threading.Event()
        failures = []

        def compact():
            number = 0
            while not done.is_set():
                number += 1
                connection = server.connection()
                connection.request("PUT", f"/v1/records/notes/c{number}", 
                                   body='"%s"' % (MARK * (30_000 // len(MARK))),
                                   headers={"Content-Type": "application/json",
                                            "If-None-Match": "*"})
                status = connection.getresponse().status
                connection.close()
                code, _, errors = run("compact", *url)
                if status != 201 or code != 0:
                    failures.append((status, code, errors))
                    return

        thread = threading.Thread(target=compact)
        thread.start()
        try:
            for _ in range(12):
                code, out, errors = run("verify", "--data", self.data)
                self.assertEqual(code, 0, errors)
                self.assertIn("whole", out)
                self.assertEqual(run("log", "--data", self.data, "--reverse")[0], 0)
        finally:
            done.set()
            thread.join()
            self.assertEqual(server.stop(), 0)
        self.assertEqual(failures, [])

    def test_reading_and_writing(self):
        server = Server(data=self.data)
        try:
            url = ["--url", f"http://127.0.0.1:{server.port}"]
            connection = server.connection()
            connection.request("PUT", "/v1/trees/notes", body='{"keys":"name"}',
                               headers={"Content-Type": "application/json"})
            self.assertEqual(connection.getresponse().status, 201)
            connection.close()
            path = os.path.join(self.folder, "value.json")
            with open(path, "w", encoding="utf-8") as file:
                file.write('{"a": 1}')
            code, out, errors = run("put", "notes", "n", path, "--create", *url)
            self.assertEqual((code, errors), (0, ""))
            position = out.strip()
            self.assertEqual(run("get", "notes", "n", *url), (0, '{"a":1}\n', ""))
            self.assertEqual(run("ls", "notes", *url), (0, "n\n", ""))
            self.assertIn(position, run("ls", "notes", "--meta", *url)[1])
            code, out, errors = run("put", "notes", "n", path, "--create", *url)
            self.assertEqual((code, out), (1, ""))
            self.assertTrue(errors.startswith("exists: "), errors)
            self.assertEqual(run("put", "notes", "n", path, "--if-match", position, *url)[0], 0)
            code, _, errors = run("put", "notes", "n", path, "--if-match", position, *url)
            self.assertEqual(code, 1)
            self.assertTrue(errors.startswith("stale: "), errors)
            code, _, errors = run("get", "notes", "nothing", *url)
            self.assertEqual(code, 66)
            self.assertTrue(errors.startswith("not-found: "), errors)
            self.assertEqual(run("get", "nothing", "n", *url)[0], 66)
            environment = {"HOLDFAST_URL": url[1]}
            self.assertEqual(run("get", "notes", "n", environment=environment)[0], 0)
        finally:
            self.assertEqual(server.stop(), 0)
        self.check(69, run("get", "notes", "n", *url))
        self.check(64, run("get", "notes", "", *url))
        for bad in ("http://[::1", "http://::1:7070", "http://anna:secret@127.0.0.1:1",
                    "http://127.0.0.1:7070/v1", "http://127.0.0.1:99999", "ftp://127.0.0.1"):
            with self.subTest(bad):
                self.check(64, run("get", "notes", "n", "--url", bad))
        self.check(69, run("get", "notes", "n", "--url", "http://[::1]:1"))


if __name__ == "__main__":
    unittest.main()
