# SPDX-License-Identifier: Apache-2.0
"""Tells the preload libraries of the tests which call fails: io_shim.c for files, malloc_shim.c for memory."""

import mmap
import os
import struct
from pathlib import Path

LIBRARIES = Path(os.environ.get("CS_BUILDDIR", ".")) / "tests/lib/.libs"
IO_SHIM = LIBRARIES / "io_shim.so"
MALLOC_SHIM = LIBRARIES / "malloc_shim.so"
OPEN, READ, WRITE, SYNC, TRUNCATE, MAP = range(1, 7)  # enum kind of io_shim.c
ALLOCATION = 16  # of malloc_shim.c
NO_MEMORY, CRASH, LEAK = 12, 1000, 1001  # what an allocation does: enum instead of malloc_shim.c
LIE = 0  # instead of an errno: the call does nothing and claims success
FOR_EVER = 0
CONTROL = struct.Struct("=6I")  # struct fault_control


def preload(library, **more):
    """The environment of a process that runs with a library in front."""
    return {"LD_PRELOAD": str(library), **{name: str(value) for name, value in more.items()},
            # a sanitizer minds who is first; others do not read this
            "ASAN_OPTIONS": "verify_asan_link_order=0:" + os.environ.get("ASAN_OPTIONS", "")}


class Control:
    """The file of fault_control.h."""

    def __init__(self, path):
        self.path = path
        path.write_bytes(bytes(CONTROL.size))
        path.chmod(0o666)
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), CONTROL.size)

    def arm(self, call, at, times=1, error=0):
        """From now on count calls of a kind; the `at`-th fails (0 = none does), and `times` - 1 after it."""
        self.memory[:] = CONTROL.pack(0, at, times, error, 0, 0)
        self.memory[:4] = struct.pack("=I", call)

    def disarm(self):
        self.memory[:4] = bytes(4)

    @property
    def seen(self):
        return CONTROL.unpack(self.memory[:])[4]

    @property
    def failed(self):
        return CONTROL.unpack(self.memory[:])[5]
