# SPDX-License-Identifier: Apache-2.0
"""A second daemon, and databases that are damaged, foreign, newer or another instance's, refuse to start."""

import shutil
import sqlite3
import unittest

from instance import Instance


class Refused(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.it = Instance()
        cls.addClassCleanup(cls.it.end)
        for n in range(3):
            assert cls.it.agent.submit("app-dev", b"%d" % n).status == 201

    def setUp(self):
        self.copy = self.it.directory / "copy.db"
        self.keep = dict(self.it.config)

    def tearDown(self):
        self.it.config = self.keep
        for path in self.it.directory.glob("copy.db*"):
            path.unlink()

    def stopped_copy(self):
        self.it.stop()
        shutil.copy(self.it.database, self.copy)
        self.it.start()

    def fails(self, *words):
        """Starting a daemon on the copy fails with these words in its last log line."""
        self.it.config["database"] = str(self.copy)
        status, output = self.it.run()
        self.assertNotEqual(status, 0)
        for word in words:
            self.assertIn(word, output)

    def sql(self, statement):
        db = sqlite3.connect(self.copy)
        db.execute(statement)
        db.commit()
        db.close()

    def test_a_second_daemon(self):
        status, output = self.it.run()
        self.assertNotEqual(status, 0)
        self.assertIn("another countersignd uses this database", output)
        self.assertEqual(self.it.agent.submit("app-dev", b"still there").status, 201)

    def test_a_foreign_file(self):
        self.copy.write_bytes(b"this is no database\n" * 500)
        self.fails("not a countersign database", "copy.db")

    def test_another_programs_database(self):
        self.sql("CREATE TABLE t (x)")
        self.fails("another program")

    def test_a_newer_schema(self):
        self.stopped_copy()
        self.sql("PRAGMA user_version = 3")
        self.fails("schema 3", "newer countersignd")

    def test_another_instance(self):
        self.stopped_copy()
        good = self.it.policy
        self.it.policy = {**good, "instance": "other", "approvers": self.it.approver_entries("other")}
        try:
            self.fails("belongs to instance test")
        finally:
            self.it.policy = good

    def test_a_damaged_page(self):
        self.stopped_copy()
        content = bytearray(self.copy.read_bytes())
        for at in range(4096, len(content), 4096):
            content[at:at + 64] = b"\xff" * 64
        self.copy.write_bytes(content)
        self.fails("damaged")

    def test_an_older_policy(self):
        self.stopped_copy()
        self.it.policy["keys"][0]["max_wait"] = "1h"
        try:
            self.fails("raise the version")
        finally:
            del self.it.policy["keys"][0]["max_wait"]


class Export(unittest.TestCase):
    def test_the_log_of_a_daemon_of_a_stopped_one_and_of_a_copy(self):
        with Instance() as it:
            assert it.agent.submit("app-dev", b"image").status == 201
            head = it.head()
            out = it.directory / "out.ndjson"
            status, output = it.run("--export", out)
            self.assertEqual(status, 0, output)
            self.assertEqual(it.verify(out.read_bytes().splitlines(), head)[0], 0)
            out.unlink()
            it.stop()
            status, output = it.run("--export", out)
            self.assertEqual(status, 0, output)
            lines = out.read_bytes().splitlines()
            self.assertIn(b'"kind":"daemon.stopped"', lines[-1])
            self.assertEqual(it.verify(lines, head)[0], 0)
            status, output = it.run("--export", out)
            self.assertNotEqual(status, 0, "an existing file was overwritten")


if __name__ == "__main__":
    unittest.main()
