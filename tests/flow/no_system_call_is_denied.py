# SPDX-License-Identifier: Apache-2.0
"""R17: daemon and signers do all they do under the system call filters and address families of their units. A call
that is denied ends the process here."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import filtered
from instance import Instance

UNITS = Path(os.environ["CS_BUILDDIR"]) / "systemd"
FILTERED = Path(filtered.__file__).resolve()

# the signers' user may not be able to read the interpreter that runs this
PYTHON = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable


def under(unit):
    return (PYTHON, "-B", str(FILTERED), str(unit))


def run_everything(daemon, signer):
    """A day in the life of an instance. Returns how many requests were signed."""
    with Instance(start=False, children=2, prefix=under(signer)) as it:
        it.start_signers()
        it.start(prefix=under(daemon))
        for process in (it.process.pid, *(pid for s in it.signers.values() for pid in (s.process.pid, *s.child_pids()))):
            assert "Seccomp:\t2" in Path(f"/proc/{process}/status").read_text()
        signed = [it.agent.submit(key, b"image").status for key in ("app-dev", "boot-dev")].count(201)
        request = it.agent.submit("app-prod", b"release").json["id"]
        it.approve(request, "approver1", "approver2")
        it.wait_state(request, "signed")
        signed += 1
        for path in ("/v1/keys", "/v1/requests", f"/v1/requests/{request}", f"/v1/requests/{request}/document",
                     "/v1/audit/head", "/v1/ready", "/v1/openapi.json"):
            assert it.client("auditor1").get(path).status == 200, path
        assert it.client("auditor1").get("/v1/requests?wait=1").status == 200
        reload_all(it)
        os.kill(it.signers["dev"].child_pids()[0], signal.SIGKILL)
        it.wait(lambda: len(it.signers["dev"].child_pids()) == 2, "another child")
        it.kill()
        it.start(prefix=under(daemon))
        signed += it.agent.submit("app-dev", b"after a crash").status == 201
        lines, head = it.export()
        assert it.verify(lines, head)[0] == 0
        assert it.stop() == 0
        for signer in it.signers.values():
            assert signer.stop() == 0, signer.log_file.read_text()
        return signed


def reload_all(it):
    it.policy["version"] += 1
    ready = {name: len(s.events("child-ready")) for name, s in it.signers.items()}
    it.reload()
    it.wait(lambda: any(line["event"] == "reloaded" for line in it.log()), "reload")
    for name, signer in it.signers.items():
        signer.wait(lambda n=name, s=signer: len(s.events("child-ready")) > ready[n], "new children")
    it.wait(lambda: it.client("operator1").get("/v1/ready").status == 200, "ready")


def for_root(unit, work):
    """SQLite run by root gives its files to the owner of the database; the unit's user is never root."""
    copy = work / unit.name
    copy.write_text(unit.read_text() + "\n[Service]\nSystemCallFilter=fchown\n")
    return copy


def negative_controls(daemon, signer, work):
    """The filter is in force, and a unit that leaves out what is needed is noticed."""
    chown = subprocess.run([*under(signer), PYTHON, "-c", "import os; os.chown('/nowhere', 0, 0)"],
                           stderr=subprocess.DEVNULL, check=False)
    assert chown.returncode == -signal.SIGSYS, chown
    network = subprocess.run([*under(signer), PYTHON, "-c", "import socket; socket.socket()"],
                             stderr=subprocess.DEVNULL, check=False)
    assert network.returncode == -signal.SIGSYS, network
    poor = work / "poor.service"
    poor.write_text(daemon.read_text() + "\n[Service]\nSystemCallFilter=~fdatasync fsync\n")
    with Instance(start=False) as it:
        it.start_signers()
        try:
            it.start(prefix=under(poor))
        except AssertionError as error:
            assert f"({-signal.SIGSYS})" in str(error), error
        else:
            raise AssertionError("a filter without fsync is not noticed")


def main():
    daemon, signer = UNITS / "countersignd.service", UNITS / "countersign-signer@.service"
    if not shutil.which("systemd-analyze") or not daemon.exists():
        print("SKIP-OK: no systemd-analyze here, or configured without units")
        return 77
    with tempfile.TemporaryDirectory(prefix="cs", dir="/tmp") as work:
        os.chmod(work, 0o755)
        if os.geteuid() == 0:
            daemon = for_root(daemon, Path(work))
        negative_controls(daemon, signer, Path(work))
        signed = run_everything(daemon, signer)
    counts = [len(filtered.allowed(path.read_text())[0]) for path in (UNITS / "countersignd.service", signer)]
    print(f"promise R17: {signed} requests signed, reload, crash, restart, export under the units' filters ({counts[0]} "
          f"system calls of the daemon, {counts[1]} of the signer): 0 denied; a filter without fsync is caught")
    return 0


if __name__ == "__main__":
    sys.exit(main())
