# SPDX-License-Identifier: Apache-2.0
"""A database that the first release wrote goes on under this one: after a verified copy, nothing of its log is lost.

tests/vectors/release-1.sql.gz was made by that release, with a request that is signed without approvals, one with two,
one that waits for its second, and one that was rejected.
"""

import gzip
import json
import os
import sqlite3
import unittest
from pathlib import Path

from instance import Instance

FROZEN = Path(os.environ.get("CS_SRCDIR", ".")) / "tests/vectors/release-1.sql.gz"


def events(path):
    """The log's rows, and the schema's version."""
    with sqlite3.connect(path) as db:
        return db.execute("SELECT seq, bytes, hash, prev FROM event ORDER BY seq").fetchall(), \
            db.execute("PRAGMA user_version").fetchone()[0]


class Upgrade(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.it = Instance(start=False)
        cls.addClassCleanup(cls.it.end)
        with sqlite3.connect(cls.it.database) as db:
            db.executescript(gzip.decompress(FROZEN.read_bytes()).decode())
        db.close()
        cls.frozen, version = events(cls.it.database)
        assert version == 1
        cls.it.policy["version"] = 2  # with other keys than those of then
        cls.it.start_signers()
        cls.it.start()

    def requests(self):
        """Ids by state, as the log of then tells it."""
        found = {}
        for _, line, _, _ in self.frozen:
            event = json.loads(line)
            if event["request"]:
                found[event["request"]] = event["kind"]
        return found

    def test_a_copy_of_the_old_database_is_kept(self):
        copy, version = events(f"{self.it.database}-schema-1")
        self.assertEqual((copy, version), (self.frozen, 1))

    def test_the_log_goes_on_from_where_it_was(self):
        self.assertEqual(self.it.agent.submit("app-dev", b"new").status, 201)
        lines, head = self.it.export()
        self.assertEqual(lines[:len(self.frozen)], [line for _, line, _, _ in self.frozen])
        self.assertEqual(self.it.verify(lines, head)[0], 0)
        self.assertEqual(json.loads(lines[len(self.frozen)])["kind"], "daemon.started")

    def test_what_was_signed_can_be_fetched(self):
        signed = [request for request, kind in self.requests().items() if kind == "request.signed"]
        self.assertEqual(len(signed), 2)
        for request in signed:
            self.assertEqual(self.it.request(request)["state"], "signed")
            self.assertEqual(self.it.agent.get(f"/v1/requests/{request}/signatures/0").status, 200)
        listed = self.it.client("auditor1").get("/v1/requests?limit=50").json["requests"]
        self.assertLessEqual(set(self.requests()), {request["id"] for request in listed})

    def test_what_waited_is_judged_anew(self):
        """Its key's name means another key now; much later, its time would be over."""
        [waiting] = [request for request, kind in self.requests().items()
                     if kind == "request.decision" and self.it.request(request)["state"] != "rejected"]
        self.assertIn(self.it.request(waiting)["state"], ("cancelled", "expired"))
        decisions = self.it.client("auditor1").get(f"/v1/requests/{waiting}/decisions").json["decisions"]
        self.assertEqual([d["person"] for d in decisions], ["approver1"])

    def test_z_the_next_start_migrates_nothing(self):
        copy = Path(f"{self.it.database}-schema-1")
        before = copy.stat().st_mtime_ns
        self.assertEqual(self.it.stop(), 0)
        self.it.start()
        self.assertEqual(copy.stat().st_mtime_ns, before)
        self.assertEqual(events(self.it.database)[1], 2)


if __name__ == "__main__":
    unittest.main()
