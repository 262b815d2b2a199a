# SPDX-License-Identifier: Apache-2.0
"""R2, R23: nothing is signed without an intent, and the HSM's own record agrees with the log.

Under load, with faults of the token and kill -9 of daemon and signers. What the module in front of the
token wrote down before each C_Sign is reconciled with the log and the journals, and both verifiers judge
the log with the journals. Then each control leaves something out or adds something: the checkers must see it.

24 faults; 200 with CS_FULL=1; CS_CYCLES sets another number.
"""

import base64
import contextlib
import json
import os
import random
import signal
import time

from agents import Agents
from approvals import artifact, document
from instance import Instance
from reconcile import Evidence, journal_files, of_kind, reconcile, use_of

CYCLES = int(os.environ.get("CS_CYCLES", "200" if os.environ.get("CS_FULL") else "24"))
CODES = (0x30, 0x32, 0x05, 0x06, 0xB3, 0x101, 0xE0, 0x02)
UNFINISHED = ("approved", "signing")


class Trouble:
    """One fault after another, each survived before the next."""

    def __init__(self, it, rng):
        self.it, self.rng = it, rng
        self.plugged = dict.fromkeys(it.signers, 0)
        self.counts = {}

    def rules(self, token, *lines):
        self.it.signers[token].rules(f"token plugged {self.plugged[token]}", *lines)

    def kill_child(self, token):
        signer = self.it.signers[token]
        logged_in = {int(line.split()[0]) for line in signer.calls_file.read_text().splitlines()
                     if line.split()[1:] == ["C_Login", "0"]}
        # SoftHSM can lose its token to a kill within the login
        children = [pid for pid in signer.child_pids() if pid in logged_in]
        if children:
            with contextlib.suppress(ProcessLookupError):  # its own deadline was faster
                os.kill(self.rng.choice(children), signal.SIGKILL)

    def kill_daemon(self, _token):
        self.it.kill()
        self.it.start(ready=False)

    def crash(self, token):
        self.rules(token, "C_Sign crash 0 all:1")

    def hang(self, token):
        self.rules(token, "C_Sign hang 60000 all:1")

    def answer_too_late(self, token):
        self.rules(token, "C_Sign hang 1200 all:1")

    def fail(self, token):
        function = self.rng.choice(("C_SignInit", "C_Sign"))
        self.rules(token, f"{function} return {self.rng.choice(CODES)} all:{self.rng.randint(1, 9)}")

    def unplug(self, token):
        self.rules(token, "token lost")
        time.sleep(self.rng.uniform(0, 0.5))
        self.plugged[token] += 1
        self.rules(token)

    def once(self, number):
        kinds = (self.kill_child, self.kill_daemon, self.crash, self.hang, self.answer_too_late, self.fail,
                 self.unplug, self.kill_child)
        kind = kinds[number % len(kinds)]
        self.counts[kind.__name__] = self.counts.get(kind.__name__, 0) + 1
        kind("prod" if number % 5 == 4 else "dev")


def approved(it, number):
    """A prod request that two people approved, on its way."""
    reply = it.agent.submit("app-prod", b"release %d" % number)
    it.approve(reply.json["id"], "approver1", "approver2")
    return reply.json["id"]


def settle(it):
    """Until nothing is under way any more."""
    def unfinished():
        auditor = it.client("auditor1")
        return [r for state in UNFINISHED for r in auditor.get(f"/v1/requests?state={state}").json["requests"]]

    it.wait(lambda: not unfinished(), "an end of everything that was under way", 120)


def run(it, rng):
    trouble = Trouble(it, rng)
    with Agents(it, "app-dev", "app-dev", "app-dev", "boot-dev") as agents:
        for number in range(CYCLES):
            if number % 5 == 4:
                approved(it, number)
            time.sleep(rng.uniform(0.02, 0.2))
            trouble.once(number)
            before = len(agents.received)
            it.wait(lambda: len(agents.received) > before, f"a signature after fault {number}")
    for token in it.signers:
        trouble.rules(token)
    settle(it)
    return agents, trouble


def must_find(findings, word, what):
    assert any(word in finding for finding in findings), f"{what} was not found: {findings}"


def control_left_out(evidence):
    """An intent that is not in the log."""
    signed = of_kind(evidence.events, "sign.done")
    for event in (signed[0], signed[len(signed) // 2], signed[-1]):
        intent, = [e for e in of_kind(evidence.events, "sign.intent") if use_of(e) == use_of(event)]
        findings, _ = reconcile(evidence.without(intent))
        must_find(findings, "without an intent or a self-test", "an intent that was left out")


def control_token_signs_more(it, trouble):
    """The token signs once more for itself: no journal has it, and nobody but the module's record."""
    trouble.rules("dev", "C_Sign twice 0 all:1")
    reply = it.agent.submit("app-dev", b"twice")
    assert reply.status == 201, reply.body
    trouble.rules("dev")


def control_signer_is_asked_past_the_daemon(it):
    """Who took the daemon over lets the signer sign a dev image of his own: the log knows nothing of it."""
    key, = [key for key in it.policy["keys"] if key["name"] == "app-dev"]
    with it.signers["dev"].connect() as c:
        result, = c.sign(document(it.policy, [artifact(key, "forged")]))
    assert result.outcome == 0, result


def stop(it):
    """Stop all; the log, its head, and what everybody says."""
    it.agent.submit("app-dev", b"after %d" % time.monotonic_ns())  # so that the log is younger than all uses
    lines, head = it.export()
    for signer in it.signers.values():
        signer.stop()
    return lines, head, Evidence(it, lines)


def all_journals(it):
    return [path for signer in it.signers.values() for path in journal_files(signer)]


def start_again(it):
    for signer in it.signers.values():
        ready = len(signer.events("child-ready"))
        signer.start(wait=False)
        signer.wait_log("child-ready", ready + signer.children)
    it.wait(lambda: it.client("operator1").get("/v1/ready").status == 200, "ready")


def check_receipts(lines, received):
    signed = {event["request"]: event["detail"]["signatures"]
              for event in of_kind(map(json.loads, lines), "request.signed")}
    missing = [request for request, signature in received.items() if signed.get(request) != [signature]]
    assert not missing, f"released and not in the log: {missing}"
    assert all(base64.b64decode(signature) for signature in received.values())


def main():
    rng = random.Random(int(os.environ.get("CS_SEED", "1")))
    with Instance(children=2, shim=True, options=("--call-timeout", "1500"), config={"signer-timeout": "1s"}) as it:
        agents, trouble = run(it, rng)
        lines, head, evidence = stop(it)
        findings, figures = reconcile(evidence)
        assert not findings, findings
        check_receipts(lines, agents.received)
        status, output = it.verify(lines, head, all_journals(it))
        assert status == 0, output
        control_left_out(evidence)

        start_again(it)
        control_token_signs_more(it, trouble)
        lines, head, evidence = stop(it)
        findings, _ = reconcile(evidence)
        must_find(findings, "that its journal does not have", "a token that signed once more")
        must_find(findings, "without an intent or a self-test", "a token that signed once more")

        start_again(it)
        control_signer_is_asked_past_the_daemon(it)
        lines, head, evidence = stop(it)
        findings, _ = reconcile(evidence)
        must_find(findings, "uses in the journal of dev without an intent", "a signature past the daemon")
        status, output = it.verify(lines, head, all_journals(it))
        assert status == 1 and "journal-intent" in output, output
        assert it.verify(lines, head)[0] == 0, "the log alone has nothing to show of it"

        faults = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in sorted(trouble.counts.items()))
        print(f"promise R2: {figures['calls']} calls of C_Sign, {figures['self-tests']} of them self-tests, the others "
              f"within {figures['intents']} intents ({figures['sign.done']} done, {figures['sign.failed']} failed, "
              f"{figures['sign.unknown']} unknown) under load and {CYCLES} faults ({faults}); "
              "an intent left out and a token that signs once more are found")
        print(f"promise R23: {len(all_journals(it))} journals agree with {len(lines)} events by both verifiers; "
              "a signature past the daemon is found by both")


main()
