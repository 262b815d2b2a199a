# SPDX-License-Identifier: Apache-2.0
"""R3: a power cut at any moment loses nothing that anybody was told.

A daemon works under tests/lib/power_shim.c, which writes down what it does to its database. Each cut is a moment of
that record: half of them right after an answer, half between two operations of the daemon. What the cut left is
opened and compared with all answers before it. Then the daemon goes on with what one of the cuts left.

With synchronous=NORMAL the same must fail, and that is checked too.

30 cuts; 1,000 with CS_FULL=1 (make check-fault); CS_CUTS sets another number, CS_SEED another seed.
"""

import http.client
import os
import random
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import evidence
import power
from instance import CLI, DAEMON, Instance

CUTS = int(os.environ.get("CS_CUTS", "1000" if os.environ.get("CS_FULL") else "30"))
CUTS_PER_ROUND = 50 if CUTS > 100 else 10
EXPORT_EVERY = 5  # each fifth image also goes through countersignd --export and countersign audit verify
CONTROL_CUTS = 10
AGENTS = 3
LOAD_SECONDS = 0.6
ANSWERS = 20  # and not before so many


class Round:
    """One life of a daemon, from what the last cut left to its end; then its cuts."""

    def __init__(self, it, files, told, env=None):
        self.it, self.told = it, told
        self.directory = it.database.parent
        self.record = it.directory / "record"
        self.medium = power.Medium(files)
        shutil.rmtree(self.directory, ignore_errors=True)
        self.record.unlink(missing_ok=True)
        power.write(files, self.directory)
        self.env = {"LD_PRELOAD": str(power.SHIM), "CS_POWER_DIRECTORY": str(self.directory),
                    "CS_POWER_RECORD": str(self.record),
                    "ASAN_OPTIONS": "verify_asan_link_order=0:" + os.environ.get("ASAN_OPTIONS", ""), **(env or {})}
        self.stopping = threading.Event()

    def client(self, name):
        return evidence.Witness(self.it, name, self.told)

    def submit(self, number):
        client, count = self.client("ci"), 0
        while not self.stopping.is_set():
            client.submit("app-dev", f"{self.record} {number} {count} {random.random()}".encode())
            count += 1

    def approve(self):
        """Prod requests with their decisions, and heads of the log."""
        agent, auditor = self.client("ci"), self.client("auditor1")
        while not self.stopping.is_set():
            request_id = agent.submit("app-prod", str(random.random()).encode()).json["id"]
            for person in ("approver1", "approver2"):
                assert self.it.decide(request_id, person, client=self.client(person)).status == 200
                auditor.get("/v1/audit/head")
            auditor.get(f"/v1/requests/{request_id}?wait=5")

    def run(self, clean):
        """Start, work, and end: by a stop, or at once."""
        begin = time.monotonic_ns()
        self.it.start(env=self.env)
        failures = []

        def guarded(work, *arguments):
            try:
                work(*arguments)
            except (OSError, http.client.HTTPException) as e:
                if not self.stopping.is_set():
                    failures.append(e)

        threads = [threading.Thread(target=guarded, args=(self.submit, number)) for number in range(AGENTS)]
        threads.append(threading.Thread(target=guarded, args=(self.approve,)))
        for thread in threads:
            thread.start()
        before = len(self.told.claims)
        time.sleep(LOAD_SECONDS)
        self.it.wait(lambda: failures or len(self.told.claims) >= before + ANSWERS, "answers")
        self.stopping.set()
        if not clean:
            self.it.kill()
        for thread in threads:
            thread.join()
        if clean:
            assert self.it.stop() == 0
        assert not failures, failures
        for signer in self.it.signers.values():
            self.told.take_journal(signer.journal(), begin)

    def cuts(self, rng, count):
        """(moment, {name: content}) for `count` cuts, in the order of time."""
        operations = power.read(self.record)
        begin, end = operations[0][0], operations[-1][0]
        after_answers = [when + 1 for when, _, _ in self.told.claims if begin <= when <= end]
        anywhere = [operation[0] for operation in operations]
        moments = sorted(rng.choices(after_answers, k=count // 2) + rng.choices(anywhere, k=count - count // 2))
        at = 0
        for moment in moments:
            while at < len(operations) and operations[at][0] <= moment:
                self.medium.take(*operations[at][1:])
                at += 1
            yield moment, self.medium.cut(rng.random())


def check_with_programs(it, path):
    """countersignd exports it, countersign verifies the export: what is wrong."""
    config = it.directory / "export.conf"
    config.write_text((it.directory / "countersignd.conf").read_text().replace(str(it.database), str(path)))
    exported = subprocess.run([DAEMON, "--config", config, "--export", "-"], timeout=120, capture_output=True)
    if exported.returncode:
        return [f"countersignd --export: {exported.stderr.decode()}"]
    verified = subprocess.run([CLI, "audit", "verify", "-"], input=exported.stdout, timeout=120, capture_output=True)
    return [] if verified.returncode == 3 else [f"countersign audit verify: {verified.stderr.decode()}"]


def check(it, files, told, moment, with_programs):
    """What a cut lost or broke."""
    with tempfile.TemporaryDirectory(prefix="csp", dir="/tmp") as directory:
        path = Path(directory) / "cut" / it.database.name
        power.write(files, path.parent)
        of_nothing = told.complaints(evidence.Log([]), moment)
        if it.database.name not in files:  # before there was one
            return of_nothing
        complaints = []
        if with_programs and of_nothing:  # before anybody was told anything it may be an empty one, which is not exported
            complaints += check_with_programs(it, path)
        try:
            complaints += told.complaints(evidence.from_database(path), moment)
        except evidence.sqlite3.Error as e:
            if of_nothing:
                complaints.append(f"the database cannot be read: {e}")
        return complaints


def cut_many(count, seed, env=None):
    """(the complaints about each cut that lost something; how many claims there were)"""
    rng = random.Random(seed)
    it = Instance(start=False)
    it.database = it.directory / "db" / "log.db"
    told, files, lost, done = evidence.Evidence(), {}, [], 0
    claims = 0
    try:
        it.start_signers()
        while done < count:
            life = Round(it, files, told, env)
            life.run(clean=rng.random() < 0.5)
            images = []
            for moment, files in life.cuts(rng, min(CUTS_PER_ROUND, count - done)):
                complaints = check(it, files, told, moment, done % EXPORT_EVERY == 0)
                lost += [complaints] if complaints else []
                images.append((moment, files))
                done += 1
            claims += len(told.claims)
            moment, files = rng.choice(images)
            told.claims = [claim for claim in told.claims if claim[0] < moment]
            claims -= len(told.claims)
    finally:
        it.end()
    return lost, claims + len(told.claims)


def main():
    seed = os.environ.get("CS_SEED", "1")
    lost, claims = cut_many(CUTS, seed)
    assert not lost, f"{len(lost)} of {CUTS} cuts (CS_SEED={seed}) lost something, the first: {lost[0][:3]}"
    without, _ = cut_many(CONTROL_CUTS, seed, {"CS_POWER_NORMAL": "yes"})
    assert without, "with synchronous=NORMAL nothing was lost either: the test sees nothing"
    print(f"promise R3: {CUTS} power cuts lost none of {claims} answers, decisions, heads and intents; with "
          f"synchronous=NORMAL {len(without)} of {CONTROL_CUTS} cuts lost some")


main()
