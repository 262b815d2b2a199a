# SPDX-License-Identifier: Apache-2.0
"""R4 for signers: whichever call on their files fails, the HSM is asked for nothing that the journal does not have.

A signer starts, signs for a daemon, and stops, again and again; in each run the n-th open, read, write or
sync of a file in its state directory fails, once or for ever. Afterwards it signs again. A sample of the runs;
all of them with CS_FULL=1 (make check-fault).
"""

import os
import time

import evidence
import faults
from faults import FOR_EVER, LIE, OPEN, READ, SYNC, WRITE
from instance import Instance

FULL = bool(os.environ.get("CS_FULL"))
SAMPLE = 4  # runs of a kind without CS_FULL
EIO, ENOSPC = 5, 28
KINDS = (("open", OPEN, (EIO, ENOSPC)), ("read", READ, (EIO,)), ("write", WRITE, (EIO, ENOSPC)),
         ("sync", SYNC, (EIO,)))
STATUSES = (0, 74, 75, 78)  # of countersign-signer(8): stopped, the state directory, the token, the policy
SECONDS = 60
FAULT_SECONDS = 2  # what waits after a fault may never come


class Rig:
    """An instance whose signer for dev lives for one run at a time."""

    def __init__(self):
        self.it = Instance(shim=True, config={"signer-timeout": "3s"})
        self.signer = self.it.signers["dev"]
        self.control = faults.Control(self.it.directory / "control")
        self.signer.env.update(faults.preload(faults.IO_SHIM, CS_SHIM_NAME=self.signer.state,
                                              CS_FAULT_CONTROL=self.control.path))
        self.told = evidence.Evidence()
        self.number = 0

    def submit(self):
        self.number += 1
        return evidence.Witness(self.it, "ci", self.told, timeout=60).submit("app-dev", b"image %d" % self.number)

    def ready(self):
        """Start, and wait: does it come to serve?"""
        before = len(self.signer.events("child-ready"))
        self.signer.start(wait=False)
        begin = time.monotonic()
        while len(self.signer.events("child-ready")) == before:
            limit = FAULT_SECONDS if self.control.failed else SECONDS
            if self.signer.process.poll() is not None or time.monotonic() > begin + limit:
                return False
            time.sleep(0.01)
        return True

    def unrecorded(self):
        """Calls of C_Sign that the journal does not have, of this signer so far."""
        begun = [line for line in self.signer.journal() if line["event"] in ("sign-begin", "selftest-begin")]
        return len(self.signer.calls("C_Sign")) - len(begun)

    def run(self, call, at, times, error):
        """What was wrong with a run."""
        self.signer.stop()
        known = self.unrecorded()
        self.control.arm(call, at, times, error)
        if self.ready():
            self.submit()
        status = self.signer.stop()
        self.control.disarm()
        found = [] if status in STATUSES else [f"it ended with {status}"]
        found += [line["message"] for line in self.signer.events("child-killed")]
        if self.unrecorded() > known:
            found.append(f"{self.unrecorded() - known} calls of C_Sign are not in the journal")
        return found + self.recovers()

    def recovers(self):
        self.signer.start()
        end = time.monotonic() + SECONDS
        while (reply := self.submit()).status not in (200, 201):
            if time.monotonic() > end:
                return [f"it does not sign again: {reply.status} {reply.body}"]
            time.sleep(0.1)
        return []


def sweep(rig, name, call, errors):
    """(calls of a run, runs in which one failed, runs that went wrong)"""
    found = rig.run(call, 0, 1, 0)
    assert not found, found
    calls, hit, wrong = rig.control.seen, 0, []
    cases = [(at, times, error) for at in range(1, calls + 1) for times in (1, FOR_EVER) for error in errors]
    if not FULL:
        cases = cases[::max(1, -(-len(cases) // SAMPLE))]
    for at, times, error in cases:
        found = rig.run(call, at, times, error)
        hit += rig.control.failed > 0
        if found:
            wrong.append(f"{name} {at} of {calls}, {'once' if times else 'for ever'}, errno {error}: {found}")
    return calls, hit, wrong


def main():
    rig = Rig()
    try:
        figures, wrong = [], []
        for name, call, errors in KINDS:
            calls, hit, found = sweep(rig, name, call, errors)
            figures.append(f"{hit} {name} of {calls} calls")
            wrong += found
        assert not wrong, f"{len(wrong)} runs went wrong:\n" + "\n".join(wrong)
        for signer in rig.it.signers.values():
            rig.told.take_journal(signer.journal())
        assert rig.it.stop() == 0
        complaints = rig.told.complaints(evidence.from_database(rig.it.database))
        assert not complaints, complaints
        rig.it.start()
        assert rig.run(WRITE, 1, FOR_EVER, LIE), "lost lines of the journal were not noticed: the test sees nothing"
        print(f"promise R4: a signer signs nothing without its journal, in runs with failing calls: "
              f"{', '.join(figures)}; a journal that lost lines was noticed")
    finally:
        rig.it.end()


main()
