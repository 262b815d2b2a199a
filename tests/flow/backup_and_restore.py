# SPDX-License-Identifier: Apache-2.0
"""A backup beside a running daemon is whole; a database that is not the one served last is noticed.

Who puts back an older database, another one or none is told so, and goes on with --accept-restore only, which the
log notes with both heads.
"""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import unittest

from instance import CLI, Instance
from loads import Load

PARTS = ("", "-wal", "-shm")


class Backup(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.it = Instance(children=2)
        cls.addClassCleanup(cls.it.end)
        assert cls.it.agent.submit("app-dev", b"before").status == 201

    def files(self):
        """What is there, but for the copies of the head that the daemon writes all the time, and renames."""
        return sorted(path for path in self.it.directory.iterdir() if not path.name.startswith("log.db-head."))

    def backup(self, name, *more):
        file = self.it.directory / name
        return file, self.it.run("--backup", file, *more)

    def figures(self, output):
        """Size and head as --backup prints them."""
        found = re.search(r"^bytes (\d+)\nlog ([0-9a-f]{64})\nhead (\d+):([0-9a-f]{64})$", output, re.M)
        self.assertTrue(found, output)
        return int(found[1]), {"id": found[2], "size": int(found[3]), "head": found[4]}

    def test_backups_under_load_are_whole_and_disturb_nobody(self):
        load = Load(self.it, "app-dev", connections=8, seconds=4)
        copies = []
        for n in range(3):
            file, (status, output) = self.backup(f"load-{n}.db")
            self.assertEqual(status, 0, output)
            copies.append((file, *self.figures(output)))
        result = load.result()
        self.assertEqual((list(result["statuses"]), result["lost"]), (["201"], 0), result)
        self.assertGreater(result["signatures"], 10)
        sizes = [head["size"] for _, _, head in copies]
        self.assertEqual(sizes, sorted(set(sizes)), "nothing was signed while the backups were made")
        for file, size, head in copies:
            self.assertEqual(file.stat().st_size, size)
            self.assertEqual(file.stat().st_mode & 0o777, 0o600)
            there = self.it.client("auditor1").get(f"/v1/audit/head?size={head['size']}").json
            self.assertEqual(there, head, "the backup holds another log than the daemon")
            self.assertEqual([str(path) for path in self.it.directory.glob(f"{file.name}?*")], [])
            out = self.it.directory / f"{file.name}.ndjson"
            status, output = self.it.run("--export", out, "--database", file)
            self.assertEqual(status, 0, output)
            self.assertEqual(self.it.verify(out.read_bytes().splitlines(), head)[0], 0)
        lines, head = self.it.export()
        self.assertEqual(self.it.verify(lines, head)[0], 0)

    def test_nothing_is_overwritten(self):
        for part in (*PARTS, "-journal"):
            with self.subTest(part=part):
                there = self.it.directory / f"there.db{part}"
                there.write_text("precious")
                status, output = self.backup("there.db")[1]
                self.assertEqual(status, 1)
                self.assertIn(f"there.db{part}: is there already", output)
                self.assertEqual(there.read_text(), "precious")
                there.unlink()

    def test_what_fails_leaves_nothing_behind(self):
        before = self.files()
        status, output = self.backup("no/such/directory/copy.db")[1]
        self.assertEqual(status, 1)
        self.assertIn("No such file", output)
        self.assertEqual(self.backup("copy.db", "--database", self.it.directory / "none.db")[1][0], 1)
        self.assertEqual(self.files(), before)

    def test_a_damaged_database_is_not_backed_up(self):
        file = self.backup("damaged.db")[0]
        doctored = sqlite3.connect(file)
        doctored.executescript("DROP TRIGGER event_update")
        doctored.execute("UPDATE event SET bytes = CAST(replace(bytes, 'daemon', 'dAemon') AS BLOB) WHERE seq = 3")
        doctored.commit()
        doctored.close()
        status, output = self.backup("of-damaged.db", "--database", file)[1]
        self.assertEqual(status, 74, output)
        self.assertIn("event 3: its bytes do not have its hash", output)
        self.assertFalse(list(self.it.directory.glob("of-damaged.db*")))
        file, (status, output) = self.backup("torn.db")
        self.assertEqual(status, 0)
        content = bytearray(file.read_bytes())
        content[4096:4160] = b"\xff" * 64
        file.write_bytes(content)
        status, output = self.backup("of-torn.db", "--database", file)[1]
        self.assertEqual(status, 74, output)
        self.assertFalse(list(self.it.directory.glob("of-torn.db*")))

    def test_usage(self):
        self.assertEqual(self.it.run("--backup")[0], 2)
        self.assertEqual(self.it.run("--backup", "x", "--accept-restore")[0], 2)


class Restore(unittest.TestCase):
    images = 0

    @classmethod
    def setUpClass(cls):
        cls.it = Instance()
        cls.addClassCleanup(cls.it.end)
        cls.head_file = cls.it.directory / "log.db-head"
        cls.copy = cls.it.directory / "copy.db"

    def setUp(self):
        for path in (*self.it.directory.glob("copy.db*"), *self.it.directory.glob("old.db*")):
            path.unlink()
        self.sign("before")

    def sign(self, image):
        Restore.images += 1
        self.assertEqual(self.it.agent.submit("app-dev", f"{self.images} {image}".encode()).status, 201)

    def backup(self):
        status, output = self.it.run("--backup", self.copy)
        self.assertEqual(status, 0, output)

    def put_back(self, source=None):
        """As docs/operating.md says: move the old parts away, and let a backup of the backup be the database."""
        for part in PARTS:
            old = self.it.directory / f"log.db{part}"
            if old.exists():
                old.rename(self.it.directory / f"old.db{part}")
        if source:
            status, output = self.it.run("--database", source, "--backup", self.it.database)
            self.assertEqual(status, 0, output)

    def refused(self, *words):
        content = self.head_file.read_bytes()
        status, output = self.it.run()
        self.assertEqual(status, 78, output)
        for word in words:
            self.assertIn(word, output)
        self.assertEqual(self.head_file.read_bytes(), content, "a refused start changed the head file")

    def accept(self):
        """Start once with --accept-restore; the newest event that says so."""
        plain = self.it.command
        self.it.command = lambda *more: plain("--accept-restore", *more)
        self.it.start()
        self.it.command = plain
        lines, head = self.it.export()
        self.assertEqual(self.it.verify(lines, head)[0], 0)
        return [event for event in map(json.loads, lines) if event["kind"] == "log.restored"][-1]

    def kept(self):
        log_id, size, head = self.head_file.read_text().split()
        return {"id": log_id, "size": int(size), "head": head}

    def restarts_without_a_word(self):
        self.assertEqual(self.it.stop(), 0)
        self.it.start()
        lines, head = self.it.export()
        self.assertEqual(self.it.verify(lines, head)[0], 0)
        self.sign("after the restore")

    def test_the_head_is_kept_within_seconds_and_at_the_stop(self):
        self.sign("one more")
        now = self.it.head()
        self.it.wait(lambda: self.kept()["size"] >= now["size"], "kept head", seconds=30)
        self.assertEqual(self.head_file.stat().st_mode & 0o777, 0o600)
        self.it.stop()
        kept = self.kept()
        self.it.start()
        self.assertEqual(self.it.client("auditor1").get(f"/v1/audit/head?size={kept['size']}").json, kept)
        event = json.loads(self.it.export()[0][kept["size"] - 1])
        self.assertEqual(event["kind"], "daemon.stopped")

    def test_an_older_database_is_refused_until_it_is_accepted(self):
        self.backup()
        self.sign("lost")
        self.it.stop()
        last = self.kept()
        self.put_back(self.copy)
        self.refused("is older than what was served last", "--accept-restore", f"event {last['size']}, head {last['head']}")
        self.refused("is older than")
        detail = self.accept()["detail"]
        self.assertEqual((detail["kept_id"], detail["kept_size"], detail["kept_head"]),
                         (last["id"], last["size"], last["head"]))
        found = self.it.client("auditor1").get(f"/v1/audit/head?size={detail['size']}").json
        self.assertEqual({name: detail[name] for name in ("id", "size", "head")}, found)
        self.assertLess(detail["size"], last["size"])
        lines, _ = self.it.export()
        self.assertEqual(self.it.verify(lines, last)[0], 1, "an auditor who kept the lost head must find that")
        self.restarts_without_a_word()

    def test_the_crash_of_a_daemon_is_no_restore(self):
        self.sign("not kept yet")
        self.it.kill()
        self.it.start()
        self.restarts_without_a_word()

    def test_a_backup_of_the_stopped_daemon_goes_on(self):
        self.it.stop()
        self.backup()
        self.put_back(self.copy)
        self.it.start()
        self.restarts_without_a_word()

    def test_another_log_is_refused_until_it_is_accepted(self):
        self.it.stop()
        last = self.kept()
        self.put_back()
        self.head_file.rename(self.it.directory / "aside")
        self.it.start()
        self.sign("in another log")
        self.it.stop()
        (self.it.directory / "aside").rename(self.head_file)
        self.refused("holds another log than")
        event = self.accept()
        self.assertEqual(event["detail"]["kept_id"], last["id"])
        self.assertNotEqual(event["detail"]["id"], last["id"])
        self.restarts_without_a_word()

    def test_a_log_that_went_on_otherwise_is_refused(self):
        """The same beginning, but not the events that were served last."""
        self.backup()
        self.sign("lost")
        self.it.stop()
        kept = self.head_file.read_bytes()
        self.put_back(self.copy)
        self.head_file.unlink()
        self.it.start()
        for n in range(8):
            self.sign(f"other {n}")
        self.it.stop()
        self.head_file.write_bytes(kept)
        self.refused("contradicts")
        event = self.accept()
        self.assertGreater(event["detail"]["size"], event["detail"]["kept_size"])
        self.restarts_without_a_word()

    def test_a_lost_database_is_no_new_beginning(self):
        self.it.stop()
        last = self.kept()
        self.put_back()
        self.refused("is empty, unlike what was served last")
        event = self.accept()
        self.assertEqual((event["detail"]["size"], event["detail"]["head"]), (0, "0" * 64))
        self.assertEqual(event["detail"]["kept_id"], last["id"])
        self.restarts_without_a_word()

    def test_without_the_file_it_starts_and_says_so(self):
        self.it.stop()
        self.head_file.unlink()
        before = len(self.it.log())
        self.it.start()
        self.assertIn("head-missing", [line["event"] for line in self.it.log()[before:]])
        self.assertTrue(self.head_file.exists())

    def test_a_broken_file_is_refused(self):
        self.it.stop()
        good = self.head_file.read_text()
        for broken in ("", "x", good[:-1], good + good, good.replace(" ", "  "), good.upper(), "0" * 300):
            with self.subTest(content=broken):
                self.head_file.write_text(broken)
                self.refused("log.db-head: is not a line of log id, size and head")
        plain = self.it.command
        self.it.command = lambda *more: plain("--accept-restore", *more)
        self.refused("log.db-head: is not a line")
        self.it.command = plain
        self.head_file.write_text(good)
        self.it.start()

    def test_a_head_that_cannot_be_kept_stops_nothing(self):
        self.it.stop()
        self.head_file.unlink()
        self.head_file.mkdir()
        (self.head_file / "in the way").touch()
        status, output = self.it.run()
        self.assertEqual(status, 1)
        self.assertIn("log.db-head: not a regular file", output)
        shutil.rmtree(self.head_file)
        self.it.start()
        self.head_file.unlink()
        self.head_file.mkdir()
        (self.head_file / "in the way").touch()
        self.sign("all the same")
        self.it.wait(lambda: "head-not-kept" in [line["event"] for line in self.it.log()], "complaint")
        self.sign("and again")
        shutil.rmtree(self.head_file)
        self.it.wait(self.head_file.exists, "kept head")

    def test_the_heads_file_of_an_auditor(self):
        """What the daemon keeps is a heads file: `audit verify --heads` reads it."""
        self.it.stop()
        out = self.it.directory / "out.ndjson"
        self.assertEqual(self.it.run("--export", out)[0], 0)
        done = subprocess.run([CLI, "audit", "verify", "--heads", self.head_file, out], text=True,
                              stdout=subprocess.PIPE, env={**os.environ})
        self.assertEqual(done.returncode, 0, done.stdout)
        self.it.start()


if __name__ == "__main__":
    unittest.main()
