# SPDX-License-Identifier: Apache-2.0
"""The restore drill, on a log of 20,000 events, or 1,000,000 with CS_FULL=1.

A database of that size is backed up beside its daemon, events are lost, the backup is put back, noticed, accepted,
and the daemon is ready again. Then the register of a key is asked for, offline and from the daemon.
"""

import json
import os
import re
import subprocess
import time
import unittest

import approvals
from cli import Cli
from filled import fill
from instance import CLI, Instance

FULL = bool(os.environ.get("CS_FULL"))
EVENTS = 1000000 if FULL else 20000
RESTORE_SECONDS = 60  # promise R20
REGISTER_SECONDS = 60  # control C12
BEGIN = 1769860800  # the time of the first event of tests/lib-c/fill_log.c; one a second


def moment(event):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(BEGIN + event))


class Stopwatch:
    """Runs programs that must succeed, and remembers how long each took."""

    def __init__(self):
        self.seconds = {}

    def run(self, what, command, stdout=subprocess.PIPE, status=0, **more):
        begin = time.monotonic()
        done = subprocess.run([str(word) for word in command], stdout=stdout, stderr=subprocess.PIPE, timeout=1500, **more)
        self.seconds[what] = time.monotonic() - begin
        assert done.returncode == status, (command, done.returncode, done.stderr.decode()[-2000:])
        return (done.stdout or b"").decode() + done.stderr.decode()


class Drill(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.it = Instance(start=False)
        cls.addClassCleanup(cls.it.end)
        cls.watch = Stopwatch()
        fill(cls.it, EVENTS)
        cls.it.start_signers()
        cls.it.start()
        cls.export = cls.it.directory / "log.ndjson"
        cls.watch.run("export", cls.it.command("--export", cls.export))

    def requests(self, key, first=0, last=EVENTS):
        """(seconds of the sign.done, artifact) of each request in the log for a key of the policy it was filled under."""
        found, document = [], {}
        with open(self.export, encoding="utf-8") as lines:
            for line in lines:
                if '"kind":"request.created"' in line:
                    document = json.loads(approvals.base64.b64decode(json.loads(line)["detail"]["document"]))
                elif '"kind":"sign.done"' in line and document["artifacts"][0]["key"]["name"] == key:
                    seq = json.loads(line)["seq"]
                    if first <= seq - 1 < last:
                        found.append(document["artifacts"][0]["name"])
        return found

    def test_a_restore_is_quick_and_an_old_backup_is_noticed(self):
        it, copy = self.it, self.it.directory / "copy.db"
        printed = self.watch.run("backup", it.command("--backup", copy))
        kept = int(re.search(r"^head (\d+):", printed, re.M)[1])
        self.assertGreaterEqual(kept, EVENTS)
        for n in range(3):
            self.assertEqual(it.agent.submit("app-dev", b"lost %d" % n).status, 201)
        self.assertEqual(it.stop(), 0)
        begin = time.monotonic()
        for part in ("", "-wal", "-shm"):
            old = it.directory / f"log.db{part}"
            if old.exists():
                old.rename(it.directory / f"old.db{part}")
        self.watch.run("restore", it.command("--database", copy, "--backup", it.database))
        refused = self.watch.run("refuse", it.command(), status=78)
        self.assertIn("is older than what was served last", refused)
        plain = it.command
        it.command = lambda *more: plain("--accept-restore", *more)
        it.start()
        it.command = plain
        restored = time.monotonic() - begin
        self.assertEqual(it.agent.submit("app-dev", b"after").status, 201)
        print(f"promise R20: {EVENTS} events ({copy.stat().st_size >> 20} MiB): backup {self.watch.seconds['backup']:.1f} s "
              f"beside the daemon and checked; restored, checked and ready in {restored:.1f} s; the old backup was refused "
              f"after {self.watch.seconds['refuse']:.1f} s")
        self.assertLess(restored, RESTORE_SECONDS)

    def test_the_register_is_complete_and_quick(self):
        first, last = EVENTS // 4, EVENTS // 2
        between = ["--key", "old-prod", "--from", moment(first), "--to", moment(last), "--encoding", "ndjson"]
        offline = self.watch.run("offline", [CLI, "audit", "register", *between, self.export])
        auditor = Cli(self.it, "auditor1")
        online = self.watch.run("online", [CLI, "audit", "register", *between], env=auditor.env)
        wanted = self.requests("old-prod", first, last)
        for printed in (offline, online):
            rows = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
            self.assertEqual([row["artifact"] for row in rows], wanted)
            self.assertEqual({(row["principal"], *row["approvers"]) for row in rows}, {("ci", "approver1", "approver2")})
            self.assertEqual({row["outcome"] for row in rows}, {"released"})
        self.assertGreater(len(wanted), EVENTS // 100)
        print(f"promise C12: {len(wanted)} signatures of a key between two times, of {EVENTS} events: "
              f"{self.watch.seconds['offline']:.1f} s from an export, {self.watch.seconds['online']:.1f} s from the daemon")
        self.assertLess(max(self.watch.seconds["offline"], self.watch.seconds["online"]), REGISTER_SECONDS)

    @unittest.skipIf(FULL, "takes minutes")
    def test_the_filled_log_is_valid(self):
        """Otherwise the figures would be worth nothing."""
        self.assertEqual(self.it.verify(self.export.read_bytes().splitlines())[0], 3)


if __name__ == "__main__":
    unittest.main()
