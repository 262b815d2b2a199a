# SPDX-License-Identifier: Apache-2.0
"""R16: the PIN stands in the PIN file and in a signer's memory, and nowhere else: not in logs, databases, journals, the
environment, command lines or cores, after whatever crash."""

import base64
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import machine
import softhsm

CAP_SYS_PTRACE = 19
CANARY = "canary-4417-pin-9083"
softhsm.PIN = CANARY  # before anybody makes a token

from instance import Instance  # noqa: E402

CRASHES = (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGQUIT)


def spellings(text):
    """A text as it is, in UTF-16, hex, and base64 at each of the three places that it can begin at."""
    raw = text.encode()
    yield raw
    yield text.encode("utf-16-le")
    yield raw.hex().encode()
    yield raw.hex().upper().encode()
    for skip in range(3):
        whole = base64.b64encode(b"\0" * skip + raw)
        # without the characters that depend on the neighbours
        yield whole[4 * (skip > 0):len(whole) // 4 * 4 - 4]


NEEDLES = list(spellings(CANARY))


def holds_canary(data):
    return any(needle in data for needle in NEEDLES)


def hits(tops, allowed=()):
    """Files below these directories that hold the canary; and how many were read."""
    found, count = [], 0
    for top in tops:
        for root, _, files in os.walk(top):
            for name in files:
                path = Path(root, name)
                if path in allowed or not path.is_file():
                    continue
                count += 1
                if holds_canary(path.read_bytes()):
                    found.append(path)
    return found, count


def processes(it):
    """Every process of an instance by its part in it."""
    yield "daemon", it.process.pid
    for name, signer in it.signers.items():
        yield f"signer {name}", signer.process.pid
        for child in signer.child_pids():
            yield f"child of signer {name}", child


def may_trace():
    """Root, unless a container has taken the right away."""
    status = Path("/proc/self/status").read_text()
    rights = int(next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")), 16)
    return rights >> CAP_SYS_PTRACE & 1


def shown(pid, file):
    """What a process shows of itself in /proc: of a signer, only to who may trace any process."""
    try:
        return Path(f"/proc/{pid}/{file}").read_bytes()
    except PermissionError:
        assert not may_trace()
        return b""


def check_environments(it):
    for name, pid in processes(it):
        for file in ("environ", "cmdline"):
            assert not holds_canary(shown(pid, file)), f"{file} of the {name}"


def cores(directory):
    return [path for path in Path(directory).iterdir() if path.name.startswith("core")]


def crash_all(it, work):
    """Each process, by each signal; after each a look at everything. Returns crashes and files read."""
    crashes, read = 0, 0
    pin_files = [signer.token.pin_file for signer in it.signers.values()]
    for number in CRASHES:
        for part in [name for name, _ in processes(it)]:
            pid = dict(processes(it))[part]
            check_environments(it)
            assert it.agent.submit("app-dev", f"{number} {part}".encode()).status in (200, 201, 202)
            children = [child for name, child in processes(it) if name == f"child of {part}"]
            os.kill(pid, number)
            recover(it, part, pid, children)
            crashes += 1
            found, count = hits([it.directory, work, *(s.directory for s in it.signers.values())], pin_files)
            read += count
            assert not found, f"{part} after {number.name}: {found}"
            assert not cores(work), f"{part} after {number.name} left {cores(work)}"
    return crashes, read


def recover(it, part, pid, children):
    """What a service manager would do. A signer's children use its state until they have noticed."""
    if part == "daemon":
        it.process.wait()
        it.start(ready=False)
    elif part.startswith("signer"):
        signer = it.signers[part.split(" ")[1]]
        signer.process.wait()
        for child in children:
            it.wait(lambda c=child: not machine.lives(c), "end of its children")
        before = len(signer.events("child-ready"))
        signer.start(wait=False)
        signer.wait(lambda: len(signer.events("child-ready")) > before, "signer")
    else:
        signer = it.signers[part.rsplit(" ", 1)[1]]
        it.wait(lambda: pid not in signer.child_pids() and signer.child_pids(), "another child")
    it.wait(lambda: it.client("operator1").get("/v1/ready").status == 200, "ready")


def negative_controls(work):
    """The look finds what it must: the PIN in a file however it is spelt, and in the core of a process that is not
    hardened."""
    count = 0
    for n, needle in enumerate(NEEDLES):
        path = Path(work, f"planted-{n}")
        path.write_bytes(b"before" + needle + b"after")
        assert hits([work])[0] == [path], needle
        path.unlink()
        count += 1
    pattern = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if pattern.startswith(("|", "/")):
        return count, f"none (core_pattern is {pattern})"
    program = "import os, resource, sys; resource.setrlimit(resource.RLIMIT_CORE, (-1, -1)); pin = sys.stdin.read(); " \
        "os.kill(os.getpid(), 11)"
    subprocess.run([sys.executable, "-c", program], input=CANARY, text=True, cwd=work, check=False)
    found = cores(work)
    if not found:
        return count, "none (this machine writes no cores)"
    assert hits([work])[0] == found
    for path in found:
        path.unlink()
    return count, "found in the core of a process without protection"


def main():
    with tempfile.TemporaryDirectory(prefix="cs", dir="/tmp") as work:
        os.chmod(work, 0o777)
        os.chdir(work)  # where a core would be
        spelt, core = negative_controls(work)
        with Instance() as it:
            crashes, read = crash_all(it, work)
            assert sum(holds_canary(s.token.pin_file.read_bytes()) for s in it.signers.values()) == 2
            assert it.agent.submit("app-dev", b"last").status == 201
        os.chdir("/")
    print(f"promise R16: {crashes} crashes ({', '.join(s.name for s in CRASHES)} of daemon, signers and their children), "
          f"{read} looks into files, 0 hits, 0 cores; planted in {spelt} spellings: all found; a PIN in memory: {core}")


main()
