# SPDX-License-Identifier: Apache-2.0
"""Runs countersign-signer in a directory of its own: token, policy, state, socket."""

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import approvals
import softhsm
from signer_client import Connection

FORMATS = {"rsa-3072": ("rsa-pss", "sha256"), "rsa-4096": ("rsa-pkcs1", "sha512"), "p-256": ("ecdsa", "sha256"),
           "p-384": ("ecdsa", "sha384"), "ed25519": ("ed25519-digest", "sha256")}
SHIM = Path(os.environ.get("CS_BUILDDIR", ".")) / "tests/lib/.libs/p11_shim.so"
SIGNER_UID = 64123  # who signs when the test is root


@functools.cache
def may_separate():
    """Can signers have a user of their own? Not without root, nor where that user does not get at the programs."""
    if os.geteuid() != 0:
        return False
    try:
        done = subprocess.run(["sh", "-c", 'test -x "$1" && test -r "$2" && test -r "$3"', "sh", softhsm.SIGNER, SHIM, __file__],
                              user=SIGNER_UID, group=SIGNER_UID, extra_groups=[], check=False)
        separate = done.returncode == 0
    except (OSError, subprocess.SubprocessError):  # a container that has no such user
        separate = False
    if not separate:
        print(f"signers run as root: user {SIGNER_UID} cannot run {softhsm.SIGNER}", file=sys.stderr)
    return separate


def key(name, token, cka_id, algorithm, public_key, **more):
    """One key of signing.yaml, in the format that its algorithm has here."""
    fmt, hash_name = FORMATS[algorithm]
    return {"name": name, "token": token, "cka_id": cka_id, "algorithm": algorithm, "hash": hash_name,
            "format": fmt, "public_key": public_key, **more}


def make_keys(token, *algorithms, **more):
    """Make keys on a token; their entries, named by algorithm."""
    return [key(algorithm, token.label, f"{number:02x}", algorithm,
                token.keygen(algorithm, f"{number:02x}", algorithm), **more)
            for number, algorithm in enumerate(algorithms, 1)]


def policy(token, environment, keys, approvers=(), version=1, **token_more):
    """signing.yaml as a value: JSON is YAML."""
    instance = "test"
    return {"version": version, "instance": instance,
            "tokens": [{"name": token.label, "label": token.label, "serial": token.serial,
                        "environment": environment, **token_more}],
            "keys": keys,
            "approvers": [{"person": a.person, "group": a.group,
                           "keys": [{"public_key": approvals.b64(a.spki),
                                     "enrolment": approvals.b64(a.enrolment(instance))}]} for a in approvers]}


def to_yaml(value, indent=0):
    """Block style; strings quoted. A value is a map, a list, or a scalar."""
    pad = "  " * indent
    lines = []
    for name, item in value.items():
        if isinstance(item, list) and item:
            lines.append(f"{pad}{name}:")
            for entry in item:
                text = to_yaml(entry, indent + 2).lstrip() if isinstance(entry, dict) else json.dumps(entry)
                lines.append(f"{pad}  - {text}")
        elif isinstance(item, (list, dict)):
            lines.append(f"{pad}{name}: []")
        else:
            lines.append(f"{pad}{name}: {json.dumps(item)}")
    return "\n".join(lines)


class Signer:
    """A signer with a copy of a pristine token. Stops when the `with` block ends.

    With shim=True tests/lib/p11_shim.c stands in front of the module; see rules() and calls(). It records calls
    and signatures unless record=False.
    """

    def __init__(self, token, value, environment="dev", children=1, module=None, options=(), env=None,
                 start=True, separate=True, peer_user=None, shim=False, record=True, prefix=()):
        self.directory = Path(tempfile.mkdtemp(prefix="cs", dir="/tmp"))
        self.directory.chmod(0o755)
        self.token = token.copy(self.directory / "hsm")
        self.state = self.directory / "state"
        self.state.mkdir(mode=0o700)
        self.policy_file = self.directory / "signing.yaml"
        self.socket = self.directory / "s"
        self.log_file = self.directory / "log"
        self.value = value
        self.environment = environment
        self.children = children
        self.module = module or token.module
        self.options = options
        self.env = env or {}
        self.user = SIGNER_UID if separate and may_separate() else None
        self.peer_user = os.geteuid() if peer_user is None else peer_user
        self.prefix = tuple(prefix)  # of the command line that starts it
        self.process = None
        if shim:
            self.put_shim(record)
        self.write_policy(value)
        self.own()
        if start:
            try:
                self.start()
            except BaseException:
                self.end()
                raise

    def put_shim(self, record):
        self.rules_file = self.directory / "rules"
        self.calls_file = self.directory / "calls"
        self.signs_file = self.directory / "signs"
        for path in (self.rules_file, self.calls_file, self.signs_file):
            path.touch()
            path.chmod(0o666)
        self.env.update(CS_SHIM_MODULE=str(self.module), CS_SHIM_RULES=str(self.rules_file))
        if record:
            self.env.update(CS_SHIM_CALLS=str(self.calls_file), CS_SHIM_SIGNS=str(self.signs_file))
        self.module = SHIM

    def rules(self, *lines):
        """What goes wrong from now on; p11_shim.c has the words."""
        fresh = self.directory / "rules.new"
        fresh.write_text("".join(line + "\n" for line in lines))
        fresh.chmod(0o666)
        for counted in self.directory.glob("rules.C_*"):
            counted.unlink(missing_ok=True)
        fresh.replace(self.rules_file)

    def calls(self, function):
        """Return values of every call of a function so far, in all processes."""
        return [int(line.split()[2]) for line in self.calls_file.read_text().splitlines()
                if line.split()[1] == function]

    def signs(self):
        """SHA-256 of what the token was asked to sign, in order: self-tests too, whatever came of it."""
        return [line.split()[1] for line in self.signs_file.read_text().splitlines()]

    def own(self):
        """Hand the token and the state to the signer's user, and to nobody else."""
        if self.user is None:
            return
        os.chown(self.directory, self.user, -1)  # the socket is made here
        for top in (self.token.directory, self.state):
            for root, _, files in os.walk(top):
                os.chown(root, self.user, self.user)
                os.chmod(root, 0o700)
                for name in files:
                    os.chown(os.path.join(root, name), self.user, self.user)

    def write_policy(self, value, mode=0o644):
        self.value = value
        self.policy_file.write_text(to_yaml(value) + "\n")
        self.policy_file.chmod(mode)

    def command(self, *more, without=()):
        options = {"--token": self.token.label, "--module": self.module, "--label": self.token.label,
                   "--serial": self.token.serial, "--environment": self.environment,
                   "--policy": self.policy_file, "--pin-file": self.token.pin_file, "--socket": self.socket,
                   "--state": self.state, "--children": self.children, "--peer-user": self.peer_user}
        words = [word for name, value in options.items() if name not in without for word in (name, value)]
        return [str(word) for word in (softhsm.SIGNER, *words, *self.options, *more)]

    def check(self, *more):
        """--check: (exit status, output)."""
        return self.run("--check", *more, without=("--socket", "--peer-user"))

    def run(self, *more, without=()):
        """Run it to its end: (exit status, standard error)."""
        done = subprocess.run(self.command(*more, without=without), env=self.environ(), timeout=120, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **self.as_user())
        return done.returncode, done.stdout

    def environ(self):
        return {**os.environ, **self.token.env, **self.env}

    def as_user(self):
        return {} if self.user is None else {"user": self.user, "group": self.user, "extra_groups": []}

    def start(self, wait=True):
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen([*self.prefix, *self.command()], env=self.environ(),
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, **self.as_user())
        if wait:
            self.wait_log("child-ready", self.children)

    def log(self):
        """Log lines so far, as objects."""
        if not self.log_file.exists():
            return []
        return [json.loads(line) for line in self.log_file.read_text().splitlines() if line.startswith("{")]

    def events(self, name):
        return [line for line in self.log() if line["event"] == name]

    def wait_log(self, event, count=1, seconds=60):
        self.wait(lambda: len(self.events(event)) >= count, f"{count} times {event} in the log", seconds)

    def wait(self, condition, what, seconds=60):
        end = time.monotonic() + seconds
        while not condition():
            if self.process and self.process.poll() is not None and not condition():
                raise AssertionError(f"the signer ended while a test waited for {what}:\n{self.log_file.read_text()}")
            if time.monotonic() > end:
                raise AssertionError(f"no {what} within {seconds} s:\n{self.log_file.read_text()}")
            time.sleep(0.01)

    def connect(self, timeout=60):
        return Connection(self.socket, timeout)

    def child_pids(self):
        path = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        return [int(pid) for pid in Path(path).read_text().split()]

    def journal(self, slot=0):
        """Lines of a child's journal that can be read."""
        lines = []
        for line in (self.state / f"journal-{slot}.ndjson").read_bytes().splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                pass
        return lines

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        """Ask it to end; its exit status."""
        if self.process and self.process.poll() is None:
            self.signal(signal.SIGTERM)
        return self.process.wait(60) if self.process else 0

    def end(self):
        try:
            return self.stop()
        finally:
            if self.process and self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.end()
