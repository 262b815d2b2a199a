# SPDX-License-Identifier: Apache-2.0
"""R4: whichever call on a file fails, nobody is told what is not on disk, and every refusal says what is wrong.

The main flow (start, a dev signature, a prod signature with two approvals, stop) runs again and again; in each run
the n-th open, read, write, sync, truncation or mapping of a file fails, once or for ever, for every n that the flow
has. A sample of the runs; all of them with CS_FULL=1 (make check-fault).
"""

import concurrent.futures
import http.client
import os
import signal
import subprocess
import time

import evidence
import faults
from faults import FOR_EVER, LIE, MAP, OPEN, READ, SYNC, TRUNCATE, WRITE
from instance import CLI, Instance

FULL = bool(os.environ.get("CS_FULL"))
SAMPLE = 12  # runs of a kind without CS_FULL
RIGS = 4 if FULL else 2  # side by side: a run waits more than it works
EIO, ENOSPC, EMFILE, ENOMEM = 5, 28, 24, 12
KINDS = (("open", OPEN, (EIO, ENOSPC, EMFILE)), ("read", READ, (EIO,)), ("write", WRITE, (EIO, ENOSPC)),
         ("sync", SYNC, (EIO, ENOSPC)), ("truncate", TRUNCATE, (EIO, ENOSPC)), ("map", MAP, (ENOMEM,)))
STATUSES = (0, 1, 74, 78)  # of countersignd(8): stopped, could not start, the log is broken, configuration
VERIFY_EVERY = 10
START_SECONDS = 60
FAULT_SECONDS = 0.5


class Rig:
    """An instance whose daemon lives for one run at a time; the signers stay."""

    def __init__(self):
        self.it = Instance(start=False, config={"signer-timeout": "2s"})
        self.it.start_signers()
        self.it.write_files()
        self.control = faults.Control(self.it.directory / "control")
        # a name of its own: neither the control file nor what the test itself writes may fail
        self.env = faults.preload(faults.IO_SHIM, CS_SHIM_NAME=self.it.directory, CS_FAULT_CONTROL=self.control.path)
        self.runs = 0

    def fresh(self):
        for path in self.it.directory.glob("log.db*"):
            path.unlink()
        self.it.log_file.unlink(missing_ok=True)
        self.told = evidence.Evidence()
        self.complaints = []
        self.began = time.monotonic_ns()

    def listens(self):
        """Start; does it come to listen? Not, when it ended before."""
        with open(self.it.log_file, "ab") as log:
            self.it.process = subprocess.Popen(self.it.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                               env={**os.environ, **self.env})
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            listening = [line for line in self.it.log() if line["event"] == "listening"]
            if listening:
                self.it.port = int(listening[-1]["message"].rsplit(" ", 1)[1])
                return True
            if self.it.process.poll() is not None:
                return False
            time.sleep(0.005)
        self.complaints.append(f"it neither listens nor ends within {START_SECONDS} s")
        return False

    def wait(self, condition):
        """Wait; after a fault not for long, because what it waits for may never come."""
        begin = time.monotonic()
        while not condition() and time.monotonic() < begin + (FAULT_SECONDS if self.control.failed else START_SECONDS):
            time.sleep(0.01)

    def flow(self):
        """What clients do; they go on after a refusal, and stop when the daemon has ended."""
        client = {name: evidence.Witness(self.it, name, self.told, timeout=60)
                  for name in ("ci", "approver1", "approver2", "auditor1")}
        operator = self.it.client("operator1")
        self.wait(lambda: operator.get("/v1/ready").status == 200)
        dev = client["ci"].submit("app-dev", b"dev %d" % self.runs)
        if dev.status == 202:  # a slow machine, or the fault
            self.wait(lambda: b'"state":"signed"' in client["ci"].get(f"/v1/requests/{dev.json['id']}").body)
        prod = client["ci"].submit("app-prod", b"prod %d" % self.runs)
        if prod.status == 202:
            for person in ("approver1", "approver2"):
                self.decide(client, prod.json["id"], person)
            self.wait(lambda: b'"state":"signed"' in client["ci"].get(f"/v1/requests/{prod.json['id']}").body)
        client["auditor1"].get("/v1/audit/head")

    def decide(self, client, request_id, person):
        document = client["auditor1"].get(f"/v1/requests/{request_id}/document")
        head = client["auditor1"].get("/v1/audit/head")
        if document.status == head.status == 200:
            approver = next(a for a in self.it.people if a.person == person)
            client[person].decide(approver, request_id, document.body, head.json)

    def after(self):
        """The fault is over: it signs again."""
        client = evidence.Witness(self.it, "ci", self.told, timeout=60)
        end = time.monotonic() + 60
        while (reply := client.submit("app-dev", b"after %d" % self.runs)).status not in (200, 201):
            if time.monotonic() > end:
                self.complaints.append(f"it does not recover: {reply.status} {reply.body}")
                return
            time.sleep(0.1)

    def run(self, call, at, times, error):
        """One run: what was wrong with it."""
        self.fresh()
        self.runs += 1
        self.control.arm(call, at, times, error)
        if self.listens():
            try:
                self.flow()
                if self.control.failed and times:
                    self.control.disarm()
                    self.after()
            except (OSError, http.client.HTTPException) as e:
                if not self.ends():
                    self.complaints.append(f"no answer, although the daemon goes on: {e!r}")
        self.check_end()
        self.control.disarm()
        return self.complaints + self.check_log()

    def ends(self):
        try:
            self.it.process.wait(10)
        except subprocess.TimeoutExpired:
            return False
        return True

    def check_end(self):
        if self.it.process.poll() is None:
            self.it.process.send_signal(signal.SIGTERM)
        try:
            status = self.it.process.wait(60)
        except subprocess.TimeoutExpired:
            self.it.process.kill()
            status = self.it.process.wait()
        errors = [line for line in self.it.log() if line["level"] == "error"]
        if status not in STATUSES:
            self.complaints.append(f"it ended with {status}: {self.it.log_file.read_text()[-2000:]}")
        elif status and not errors:
            self.complaints.append(f"it ended with {status} and no word about it")

    def check_log(self):
        for name in ("dev", "prod"):
            self.told.take_journal(self.it.signers[name].journal(), self.began)
        try:
            found = self.told.complaints(evidence.from_database(self.it.database))
        except evidence.sqlite3.Error as e:
            return [f"the database cannot be read: {e}"] if self.told.claims else []
        if self.runs % VERIFY_EVERY == 0 and self.told.claims:
            exported = subprocess.run(self.it.command("--export", "-"), timeout=120, capture_output=True)
            verified = subprocess.run([CLI, "audit", "verify", "-"], input=exported.stdout, timeout=120,
                                      capture_output=True)
            if exported.returncode or verified.returncode != 3:
                found.append(f"export or verification failed: {exported.stderr} {verified.stderr}")
        return found

    def count(self, call):
        """How many calls of a kind the flow makes."""
        found = self.run(call, 0, 1, 0)
        assert not found, found
        assert self.told.signatures() == 2, "the flow did not come to its signatures"
        return self.control.seen


def sweep(rigs, name, call, errors):
    """(calls of the flow, runs in which one failed, runs that went wrong)"""
    calls, hit, wrong = rigs[0].count(call), [], []
    cases = [(at, times, error) for at in range(1, calls + 1) for times in (1, FOR_EVER) for error in errors]
    if not FULL:
        cases = cases[::max(1, len(cases) // SAMPLE)]

    def work(rig, own):
        for at, times, error in own:
            found = rig.run(call, at, times, error)
            hit.append(rig.control.failed > 0)
            if found:
                wrong.append(f"{name} {at} of {calls}, {'once' if times else 'for ever'}, errno {error}: {found}")

    with concurrent.futures.ThreadPoolExecutor() as pool:
        jobs = [pool.submit(work, rig, cases[number::len(rigs)]) for number, rig in enumerate(rigs)]
    for job in jobs:
        job.result()
    return calls, sum(hit), wrong


def lies_are_seen(rig):
    """A write that is lost and reported as done: the runs that noticed."""
    calls = rig.count(WRITE)
    return sum(bool(rig.run(WRITE, at, 1, LIE)) for at in range(calls * 2 // 3, calls, max(1, calls // 20)))


def main():
    rigs = []
    try:
        for _ in range(RIGS):
            rigs.append(Rig())
        figures, wrong = [], []
        for name, call, errors in KINDS:
            calls, hit, found = sweep(rigs, name, call, errors)
            figures.append(f"{hit} {name} of {calls} calls")
            wrong += found
        assert not wrong, f"{len(wrong)} runs went wrong:\n" + "\n".join(wrong)
        noticed = lies_are_seen(rigs[0])
        assert noticed, "no lost write was noticed: the test sees nothing"
        print(f"promise R4: no answer without its rows, no crash, in runs with failing calls: {', '.join(figures)}; "
              f"{noticed} runs with a lost write were noticed")
    finally:
        for rig in rigs:
            rig.it.end()


main()
