# SPDX-License-Identifier: Apache-2.0
"""C16: while the log cannot be written, the HSM is not asked for a signature, and nobody gets one."""

import http.client
import time

import evidence
import faults
from faults import FOR_EVER, LIE, WRITE
from instance import Instance

EIO, ENOSPC = 5, 28
LOG_BROKEN = 74
RETRY_SECONDS = 1.5  # what waits is tried again by a timer


def c_sign(it):
    """Calls of C_Sign so far, in both tokens."""
    return sum(len(signer.calls("C_Sign")) for signer in it.signers.values())


def ask(it, told, waiting, before):
    """A dev request, a prod request, and the decision that another one waits for: what was answered."""
    decision = it.envelope(waiting, "approver2")
    before()
    answers = []
    for act in (lambda: evidence.Witness(it, "ci", told).submit("app-dev", b"dev"),
                lambda: evidence.Witness(it, "ci", told).submit("app-prod", b"prod"),
                lambda: evidence.Witness(it, "approver2", told).post(
                    f"/v1/requests/{waiting}/decisions", {"envelope": evidence.base64.b64encode(decision).decode()})):
        try:
            answers.append(act().status)
        except (OSError, http.client.HTTPException):
            answers.append(None)  # the daemon has ended
    return answers


def without_a_log(error):
    """Writes of the database fail: (answers, calls of C_Sign, complaints about the log, the daemon's exit status)"""
    it = Instance(start=False, shim=True)
    try:
        control, told = faults.Control(it.directory / "control"), evidence.Evidence()
        it.start_signers()
        it.start(env=faults.preload(faults.IO_SHIM, CS_SHIM_NAME=it.database, CS_FAULT_CONTROL=control.path))
        waiting = it.agent.submit("app-prod", b"waiting").json["id"]
        it.approve(waiting, "approver1")
        begin, calls = time.monotonic_ns(), c_sign(it)
        answers = ask(it, told, waiting, lambda: control.arm(WRITE, 1 if error is not None else 0, FOR_EVER, error or 0))
        time.sleep(RETRY_SECONDS)
        if error is None:
            it.wait(lambda: c_sign(it) == calls + 2, "both signatures")
        status = it.process.poll()
        if status is None:
            it.kill()  # what is not on disk now never will be
        for signer in it.signers.values():
            told.take_journal(signer.journal(), begin)
        try:
            complaints = told.complaints(evidence.from_database(it.database))
        except evidence.sqlite3.Error as e:
            complaints = [str(e)]
        return answers, c_sign(it) - calls, complaints, status
    finally:
        it.end()


def main():
    answers, calls, complaints, _ = without_a_log(None)
    assert (answers, calls, complaints) == ([201, 202, 200], 2, []), (answers, calls, complaints)

    answers, calls, complaints, status = without_a_log(ENOSPC)
    assert calls == 0 and not complaints, (calls, complaints)
    assert status is None and all(answer in (503, 507) for answer in answers), (status, answers)

    answers, calls, complaints, status = without_a_log(EIO)
    assert calls == 0 and not complaints, (calls, complaints)
    assert status == LOG_BROKEN and not any(answers), (status, answers)

    _, calls, complaints, _ = without_a_log(LIE)
    assert calls and complaints, "a log that only claims to be written was not noticed: the test sees nothing"
    print("promise C16: with a full and with a broken disk 0 calls of C_Sign and 0 signatures, with a good one "
          f"2; a disk that lies was noticed ({len(complaints)} complaints)")


main()
