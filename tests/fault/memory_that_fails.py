# SPDX-License-Identifier: Apache-2.0
"""R5: whichever allocation fails, nothing crashes or leaks, and nothing is signed that the log does not have.

Daemon and signers run under tests/lib/malloc_shim.c. While they live, the n-th allocation of one action fails, once
or for ever, for every n that the action has; the start fails at a sample of its allocations, in a process each. A
sample of n; with CS_FULL=1 (make check-fault) all of them, up to 2,000 for one action, 200 under sanitizers.
"""

import base64
import http.client
import os
import signal
import subprocess
import time

import cli
import evidence
import faults
import signers
from faults import ALLOCATION, CRASH, FOR_EVER, LEAK, NO_MEMORY
from instance import DAEMON, Instance

FULL = bool(os.environ.get("CS_FULL"))
SANITIZED = "address" in os.environ.get("CS_INSTRUMENT", "")
SAMPLE = (200 if SANITIZED else 2000) if FULL else 12  # numbers of an action
STARTS, PROCESSES = (150 if SANITIZED else 600,) * 2 if FULL else (6, 6)
PROCESS_SECONDS = 120
SILENT = (0, 3, 75)  # they need no word on standard error
COMMAND_STATUSES = (0, 1, 2, 3, 65, 66, 69, 70, 74, 75, 76, 77, 78)  # of countersign(1)
# Libraries that end the process without memory, or write into what they did not get: what they ask for themselves is
# always there, and handshakes, which are theirs, are left out. OpenSSL does so only when it is used first, so it is
# excepted where a process begins.
EXCEPT = "libgmp libgnutls libhogweed libnettle libtasn1"
EXCEPT_AT_START = EXCEPT + " libcrypto libsofthsm2 libstdc++"
MARGIN = 1.1  # actions do not make the same number of allocations each time


class Rig:
    """An instance with a control for the daemon's memory and one for each signer's."""

    def __init__(self):
        self.it = Instance(start=False, config={"signer-timeout": "3s"})
        self.control = {}
        self.told = evidence.Evidence()
        self.broken = 0  # connections that ended without an answer
        self.number = 0

    def start(self):
        for name, token in self.it.tokens.items():
            self.it.signers[name] = signers.Signer(token, self.it.policy, environment=name, env=self.preload(name))
        self.it.start(env=self.preload("daemon", EXCEPT))
        self.connect()

    def preload(self, name, but=EXCEPT_AT_START):
        self.control[name] = faults.Control(self.it.directory / f"control-{name}")
        return faults.preload(faults.MALLOC_SHIM, CS_FAULT_CONTROL=self.control[name].path, CS_FAULT_EXCEPT=but,
                              UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1")

    def connect(self):
        self.clients = {name: evidence.Witness(self.it, name, self.told)
                        for name in ("ci", "approver1", "approver2", "auditor1", "operator1")}

    # --- actions: each prepares what must not fail and returns what may ---

    def submission(self):
        self.number += 1
        image = b"image %d" % self.number
        return lambda: self.clients["ci"].submit("app-dev", image)

    def release(self):
        """Two artifacts of two tokens' keys would be two environments: two keys of one."""
        self.number += 1
        artifacts = [{"name": key, "digest": {"algorithm": "sha256", "value": f"{self.number:064x}"}, "size": 1,
                      "key": key} for key in ("app-dev", "boot-dev")]
        return lambda: self.clients["ci"].post("/v1/requests", {"artifacts": artifacts})

    def pending(self):
        self.number += 1
        return self.clients["ci"].submit("app-prod", b"image %d" % self.number).json["id"]

    def decision(self, person="approver1"):
        request_id = self.pending()
        envelope = base64.b64encode(self.it.envelope(request_id, person)).decode()
        return lambda: self.clients[person].post(f"/v1/requests/{request_id}/decisions", {"envelope": envelope})

    def last_decision(self):
        """The one after which the attempt begins: it is waited for."""
        request_id = self.pending()
        self.it.approve(request_id, "approver1")
        envelope = base64.b64encode(self.it.envelope(request_id, "approver2")).decode()

        def act():
            self.clients["approver2"].post(f"/v1/requests/{request_id}/decisions", {"envelope": envelope})
            self.clients["ci"].get(f"/v1/requests/{request_id}?wait=1")

        return act

    def export(self):
        return lambda: self.clients["auditor1"].get("/v1/audit/events?from=1")

    def reading(self):
        def act():
            for path in ("/v1/requests?limit=20", "/v1/keys", "/v1/audit/head", f"/v1/requests/{self.some_id()}"):
                self.clients["auditor1"].get(path)
        return act

    def some_id(self):
        return next(claim["id"] for _, kind, claim in self.told.claims if kind == "request")

    def reload(self):
        before = self.reloads()

        def act():
            self.it.process.send_signal(signal.SIGHUP)
            self.it.wait(lambda: self.reloads() > before, "a word about the reload")
        return act

    def reloads(self):
        return len([line for line in self.it.log() if line["event"] in ("reloaded", "reload-failed", "configuration")])

    # --- one failing allocation ---

    def run(self, action, name, at, times, error=NO_MEMORY):
        """Let the `at`-th allocation of a process fail while an action runs. @return allocations that it made"""
        act = action()
        control = self.control[name]
        control.arm(ALLOCATION, at, times, error)
        try:
            act()
        except TimeoutError:
            raise AssertionError("no answer, and the connection stays open") from None
        except (OSError, http.client.HTTPException):
            self.broken += 1
            self.connect()
        finally:
            control.disarm()
        return control.seen

    def alive(self):
        """What has ended that should live."""
        found = []
        if self.it.process.poll() is not None:
            found.append(f"countersignd ended with {self.it.process.returncode}")
        found += [line["message"] for line in self.it.log() if line["event"] == "bad-signature"]  # a false alarm
        for name, signer in self.it.signers.items():
            if signer.process.poll() is not None:
                found.append(f"signer {name} ended with {signer.process.returncode}")
            found += [f"signer {name}: {line['message']}" for line in signer.events("child-killed")]
        return found

    def sweep(self, action, name):
        """Each n of an action. @return (allocations of the action, runs)"""
        self.run(action, name, 0, 1)
        calls = int(self.run(action, name, 0, 1) * MARGIN)
        step = max(1, calls // SAMPLE)
        numbers = list(range(1, calls + 1, step))
        for at in numbers:
            self.run(action, name, at, 1)
            self.check(action, name, at, "once")
        rest = numbers[::10]
        for at in rest:
            self.run(action, name, at, FOR_EVER)
            self.check(action, name, at, "for ever")
        return calls, len(numbers) + len(rest)

    def check(self, action, name, at, how):
        found = self.alive()
        assert not found, (f"{action.__name__}, allocation {at} of {name} {how}: {found}\n"
                           f"{self.it.log_file.read_text()[-6000:]}\n{self.signer_logs()}")

    def signer_logs(self):
        return "\n".join(signer.log_file.read_text()[-4000:] for signer in self.it.signers.values())

    def end(self):
        """Stop all; what was wrong."""
        found = []
        status = self.it.stop()
        if status:
            found.append(f"countersignd ended with {status}: {self.it.log_file.read_text()[-8000:]}")
        for signer in self.it.signers.values():
            self.told.take_journal(signer.journal())
            status = signer.stop()
            if status:
                found.append(f"a signer ended with {status}: {signer.log_file.read_text()[-8000:]}")
        return found + self.told.complaints(evidence.from_database(self.it.database))


def starts(rig):
    """Fail one allocation, or all after one, of each of some starts of countersignd. @return allocations of a start"""
    command = [DAEMON, "--config", rig.it.directory / "countersignd.conf", "--check"]
    return processes(rig, "start", STARTS, lambda number: command, (0, 1, 78))


def processes(rig, name, count, command, statuses, env=None):
    """Fail an allocation in each of `count` processes. @return how many one makes"""
    env = {**os.environ, **(env or {}), **rig.preload(name)}
    control = rig.control[name]

    def run(number, at, times):
        control.arm(ALLOCATION, at, times, NO_MEMORY)
        done = subprocess.run([str(word) for word in command(number)], env=env, timeout=PROCESS_SECONDS,
                              stdin=subprocess.DEVNULL, capture_output=True)
        told = (done.stderr + done.stdout).decode()
        assert done.returncode in statuses, f"{name}, allocation {at}: ended with {done.returncode}: {told[-4000:]}"
        assert done.returncode in SILENT or told, f"{name}, allocation {at}: {done.returncode} and no word about it"
        return control.seen

    calls = run(0, 0, 1)
    for number in range(1, count + 1):
        run(number, 1 + (number - 1) * calls // count, FOR_EVER if number % 4 == 0 else 1)
    return calls


def commands(rig):
    """The command line's main commands: (name, whose they are, its words for the n-th run)."""
    it = rig.it
    image = it.directory / "image"
    image.write_bytes(b"image")
    lines, _ = it.export()
    export = it.directory / "export"
    export.write_bytes(b"".join(line + b"\n" for line in lines))
    request_id = rig.pending()
    return (("sign", "ci", lambda n: ("sign", "--key", "app-dev", "--again", "--output", f"{image}.{n}", image)),
            ("show", "ci", lambda n: ("show", request_id)),
            ("approve", "approver1", lambda n: ("approve", "--no-image", "--yes", request_id)),
            ("audit verify", "auditor1", lambda n: ("audit", "verify", export)))


def crash_is_seen():
    """The negative control: a crash and, where a sanitizer looks, a leak are noticed, and so is a doctored log."""
    rig = Rig()
    try:
        rig.start()
        rig.run(rig.submission, "daemon", 0, 1)
        rig.run(rig.submission, "daemon", 20, 1, CRASH)
        rig.it.process.wait(60)  # a sanitizer takes its time to say something
        assert rig.alive(), "a crash was not noticed: the test sees nothing"
        log = evidence.from_database(rig.it.database)
        assert not rig.told.complaints(log)
        log.signed.clear()
        assert rig.told.complaints(log), "a signature without its event was not noticed: the test sees nothing"
    finally:
        rig.it.end()


def leak_is_seen():
    rig = Rig()
    try:
        rig.start()
        rig.run(rig.submission, "daemon", 20, 1, LEAK)
        assert rig.end(), "a leak was not noticed: the test sees nothing"
    finally:
        rig.it.end()


def sweep_all(rig):
    """Everything that the promise is about: what was run, in words."""
    figures = []
    for name, action in (("daemon", rig.submission), ("daemon", rig.release), ("daemon", rig.decision),
                         ("daemon", rig.last_decision), ("daemon", rig.reading), ("daemon", rig.export),
                         ("daemon", rig.reload), ("dev", rig.submission), ("prod", rig.last_decision)):
        calls, runs = rig.sweep(action, name)
        figures.append(f"{runs} at the {calls} of {name}'s {action.__name__.replace('_', ' ')}")
    for name, who, words in commands(rig):
        line = cli.Cli(rig.it, who)
        calls = processes(rig, f"countersign-{name.replace(' ', '-')}", PROCESSES,
                          lambda n: (cli.PROGRAM, *words(n)), COMMAND_STATUSES, line.env)
        figures.append(f"{PROCESSES} at the {calls} of countersign {name}")
    figures.append(f"{STARTS} at the {starts(rig)} of a start")
    return figures


def main():
    crash_is_seen()
    if SANITIZED:
        leak_is_seen()
    rig = Rig()
    try:
        rig.start()
        figures = sweep_all(rig)
        found = rig.end()
        assert not found, "\n".join(found)
        print(f"promise R5: no crash, no leak{'' if SANITIZED else ' looked for'}, no signature without its events; "
              f"failed allocations: {', '.join(figures)}")
    finally:
        rig.it.end()


main()
