#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Run a program under the system call filter of a systemd unit, without systemd: `filtered.py UNIT COMMAND ...`.

What the unit would refuse with an error ends the program here with SIGSYS, so that no test overlooks it.
"""

import ctypes
import functools
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

KILL_PROCESS, ALLOW = 0x80000000, 0x7FFF0000
EQUAL = 4
PR_SET_NO_NEW_PRIVS = 38
UNKNOWN = -1  # __NR_SCMP_ERROR


class Compare(ctypes.Structure):
    """struct scmp_arg_cmp"""
    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


@functools.cache
def group(name):
    """System calls of a group, as systemd has it."""
    out = subprocess.run(["systemd-analyze", "syscall-filter", name], stdout=subprocess.PIPE, text=True, check=True).stdout
    names = [line.strip() for line in out.splitlines()[1:] if line.startswith("    ") and not line.strip().startswith("#")]
    return expand(names)


def expand(words):
    calls = set()
    for word in words:
        calls |= group(word) if word.startswith("@") else {word}
    return calls


def allowed(text):
    """Calls that a unit's SystemCallFilter= lines leave, and the address families; None where it names none."""
    calls = None
    for line in re.findall(r"^SystemCallFilter=(.*)$", text, re.M):
        if line.startswith("~"):
            calls -= expand(line[1:].split())
        else:
            calls = (calls or set()) | expand(line.split())
    # what systemd always leaves to a program, so that it can be started
    calls |= group("@default") | {"execve"}
    families = re.search(r"^RestrictAddressFamilies=(.*)$", text, re.M)
    return calls, [getattr(socket, name) for name in families[1].split()] if families else None


def install(calls, families):
    """From here on, for this process and what it starts."""
    seccomp = ctypes.CDLL("libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(seccomp.seccomp_init(ctypes.c_uint32(KILL_PROCESS)))

    def allow(number, *compare):
        array = (Compare * len(compare))(*compare)
        if seccomp.seccomp_rule_add_array(context, ctypes.c_uint32(ALLOW), number, len(compare), array) != 0:
            raise OSError(f"seccomp: no rule for system call {number}")

    for name in sorted(calls):
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number == UNKNOWN:
            continue
        if name == "socket" and families is not None:
            for family in families:
                allow(number, Compare(0, EQUAL, int(family), 0))
        else:
            allow(number)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 or seccomp.seccomp_load(context) != 0:
        raise OSError("the filter cannot be put in force")


def main():
    calls, families = allowed(Path(sys.argv[1]).read_text(encoding="utf-8"))
    install(calls, families)
    os.execv(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
