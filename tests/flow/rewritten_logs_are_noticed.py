# SPDX-License-Identifier: Apache-2.0
"""R21: a log that was cut or rewritten by somebody with the database, who hashes everything after it again, is noticed
with any later head that somebody kept; without one the verdict is "consistent, not anchored", with an exit code of its
own.

Later heads are in decisions, which the attacker cannot sign again, in approvers' files of heads, and where an auditor
wrote one down. Negative controls: the honest log passes with each of them, and so does every forged one without.
"""

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import unittest
from contextlib import closing
from pathlib import Path

import cli
from cli import Cli
from instance import Instance

ANCHORED, FAILED, CONSISTENT = 0, 1, 3
SCRIPT = Path(os.environ.get("CS_SRCDIR", ".")) / "docs" / "verify_log.py"


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


class Forger:
    """Has a copy of the database and every right on it."""

    def __init__(self, it, name):
        self.database = it.directory / f"{name}.db"
        shutil.copy(it.database, self.database)

    def forge(self, change):
        """`change` gets the events as a list and gives another; numbers and hashes are made anew."""
        with closing(sqlite3.connect(self.database)) as db, db:
            for name, in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                db.execute(f"DROP TRIGGER {name}")
            events = [json.loads(row[0]) for row in db.execute("SELECT bytes FROM event ORDER BY seq")]
            db.execute("PRAGMA foreign_keys = OFF")
            db.execute("DELETE FROM event")
            prev = bytes(32)
            for seq, event in enumerate(change(events), 1):
                line = canonical({**event, "seq": seq, "prev": prev.hex()})
                digest = hashlib.sha256(b"\0" + line).digest()
                db.execute("INSERT INTO event (seq, bytes, hash, prev) VALUES (?, ?, ?, ?)", (seq, line, digest, prev))
                prev = digest
        return self


def without(request):
    """Nothing ever happened to this request."""
    return lambda events: [e for e in events if e["request"] != request]


def cut_before(kind, request):
    """The log ends before the last event of this kind about the request."""
    def change(events):
        last = max(n for n, e in enumerate(events) if (e["kind"], e["request"]) == (kind, request))
        return events[:last]
    return change


def with_another_pid(events):
    """One number of an event before everything else is another."""
    return [{**e, "detail": {**e["detail"], "pid": 1}} if e["kind"] == "daemon.started" else e for e in events]


class RewrittenLogs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.it = Instance()
        cls.addClassCleanup(cls.it.end)
        it, agent = cls.it, cls.it.agent
        cls.dev = [agent.submit("app-dev", b"early").json["id"]]
        cls.prod = cls.approved(b"first")
        cls.between = it.head()
        cls.prod2 = cls.approved(b"second")
        cls.dev.append(agent.submit("app-dev", b"late").json["id"])
        cls.last = it.head()
        agent.submit("app-dev", b"afterwards")
        cls.heads = it.directory / "cli-approver2" / "heads"
        assert it.stop() == 0, it.log_file.read_text()

    @classmethod
    def approved(cls, image):
        request = cls.it.agent.submit("app-prod", image).json["id"]
        for person in ("approver1", "approver2"):
            done = Cli(cls.it, person).run("approve", "--no-image", "--yes", request)
            assert done.status == cli.OK, done.err
        cls.it.wait_state(request, "signed")
        return request

    def verdict(self, change, *known):
        """What both verifiers say of the exported log after this forgery: exit code."""
        forger = Forger(self.it, "forged").forge(change)
        log = self.it.directory / "forged.ndjson"
        log.unlink(missing_ok=True)
        status, output = self.it.run("--export", log, "--database", forger.database)
        self.assertEqual(status, 0, output)
        codes = [subprocess.run([*command, *map(str, known), log], capture_output=True, check=False).returncode
                 for command in ([cli.PROGRAM, "audit", "verify"], [sys.executable, SCRIPT])]
        self.assertEqual(codes[0], codes[1], "the verifiers disagree")
        return codes[0]

    def known(self, head):
        return "--head", f"{head['size']}:{head['head']}"

    def noticed(self, change, *known):
        self.assertEqual(self.verdict(change, *known), FAILED)

    def test_the_honest_log_passes_with_every_head(self):
        self.assertEqual(self.verdict(lambda events: events), CONSISTENT)
        for known in (self.known(self.between), self.known(self.last), ("--heads", self.heads)):
            self.assertEqual(self.verdict(lambda events: events, *known), ANCHORED)

    def test_a_decision_notices_what_was_rewritten_before_it(self):
        """With no head but those that decisions name."""
        self.noticed(without(self.dev[0]))
        self.noticed(with_another_pid)
        self.noticed(lambda events: [events[0], *events[2:]])

    def test_a_file_of_heads_notices_that_decisions_are_gone(self):
        """The forger takes the approvals along that would give him away: who made one kept a head that holds it."""
        for change in (cut_before("request.decision", self.prod2), cut_before("request.created", self.prod2),
                       lambda events: with_another_pid(without(self.prod2)(without(self.prod)(events)))):
            self.assertEqual(self.verdict(change), CONSISTENT, "nothing in the log itself tells")
            self.noticed(change, "--heads", self.heads)

    def test_a_kept_head_notices_what_was_rewritten_or_cut_before_it(self):
        for change in (without(self.dev[1]), cut_before("request.created", self.dev[1])):
            self.assertEqual(self.verdict(change), CONSISTENT, "nothing in the log itself tells")
            self.noticed(change, *self.known(self.last))
            self.assertEqual(self.verdict(change, *self.known(self.between)), ANCHORED, "an earlier head cannot tell")
            self.noticed(change, *self.known(self.between), *self.known(self.last))

    def test_a_log_that_was_made_anew_is_another_log(self):
        def anew(events):
            return [{**events[0], "time": "2026-01-01T00:00:00.000000Z"}]

        self.assertEqual(self.verdict(anew), CONSISTENT)
        self.noticed(anew, "--heads", self.heads)
        self.noticed(anew, *self.known(self.last))


if __name__ == "__main__":
    if not unittest.main(exit=False).result.wasSuccessful():
        sys.exit(1)
    print("promise R21: cut, rewritten and replaced logs, hashed again: noticed by decisions, files of heads and --head; "
          "without one exit 3")
