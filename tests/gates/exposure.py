# SPDX-License-Identifier: Apache-2.0
"""The units are hardened: systemd's own measure stays below what is promised, and no line is misspelt."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

UNITS = {"countersignd.service": 1.5, "countersign-signer@.service": 1.0}
# what no score covers; each line must stand in the unit as it is
LINES = {
    "countersignd.service": ["WatchdogSignal=SIGKILL", "LimitCORE=0"],
    "countersign-signer@.service": ["WatchdogSignal=SIGKILL", "LimitCORE=0", "PrivateNetwork=yes",
                                    "ReloadPropagatedFrom=countersignd.service", "StateDirectoryMode=0700"],
}


def exposure(path):
    """The overall level that systemd-analyze gives a unit."""
    out = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", path],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    match = re.search(r"Overall exposure level for \S+: ([0-9.]+)", out.stdout)
    if not match:
        raise SystemExit(f"systemd-analyze security {path}: {out.stderr}{out.stdout[-500:]}")
    return float(match[1])


def problems(path, limit, lines):
    """What is wrong with a unit."""
    text = path.read_text()
    level = exposure(str(path))
    print(f"{path.name}: exposure {level}, limit {limit}")
    if level > limit:
        yield f"{path.name}: exposure {level} is over {limit}"
    for line in lines:
        if line not in text.splitlines():
            yield f"{path.name}: {line} is missing"
    if re.search(r"^PrivateUsers=", text, re.M):
        yield f"{path.name}: PrivateUsers= hides who is at the other end of a socket"
    if re.search(r"^SetCredential|@[a-z]+@", text, re.M):
        yield f"{path.name}: a PIN in the unit, or a name that was not replaced"


def misspelt(path):
    """Lines that systemd would ignore. Programs need not be installed here."""
    out = subprocess.run(["systemd-analyze", "verify", "--recursive-errors=no", "--man=no", path],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return [line for line in out.stdout.splitlines()
            if re.search(r"Unknown|Failed to parse|Invalid|ignoring", line) and "is not executable" not in line]


def selfcheck(directory):
    """A unit that opens itself up is found."""
    path = directory / "weak.service"
    path.write_text("[Service]\nExecStart=/bin/true\nPrivateUsers=yes\nNoSuchLine=1\n")
    found = list(problems(path, 1.0, ["LimitCORE=0"]))
    return len(found) == 3 and misspelt(str(path))


def main():
    if not shutil.which("systemd-analyze"):
        print("no systemd-analyze here (package systemd)")
        return 77
    systemd = Path(os.environ["CS_BUILDDIR"]) / "systemd"
    if not (systemd / "countersignd.service").exists():
        print("configured without units")
        return 77
    with tempfile.TemporaryDirectory() as directory:
        if not selfcheck(Path(directory)):
            print("the gate does not see a weak unit")
            return 1
    found = []
    for name, limit in UNITS.items():
        found += list(problems(systemd / name, limit, LINES[name]))
        found += misspelt(str(systemd / name))
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
