# SPDX-License-Identifier: Apache-2.0
"""What this machine, and not the programs on it, costs: moments at which nobody had a processor, and a slow disk.

A promise in seconds is about the programs. On a machine that stands still for a second at a time, or whose disk takes
its time, a test subtracts what it took itself. Where nothing of the kind happens nothing is subtracted.
"""

import os
import socket
import statistics
import tempfile
import threading
import time

TICK = 0.05  # seconds
STALL = 0.1  # a wake-up so many seconds late is one
PORTS = range(20000, 32000)  # below those that the kernel gives to whoever asks for any


class Stalls(threading.Thread):
    """Sleeps all the time, and notes when it woke up late: (end, seconds)."""

    def __init__(self):
        super().__init__(daemon=True)
        self.found = []

    def run(self):
        while True:
            begin = time.monotonic()
            time.sleep(TICK)
            end = time.monotonic()
            if end - begin > TICK + STALL:
                self.found.append((end, end - begin - TICK))

    def lost(self, begin, end):
        """Seconds between two moments of time.monotonic()."""
        return sum(max(0, min(woke, end) - max(woke - late, begin)) for woke, late in self.found.copy())


STALLS = Stalls()
STALLS.start()


def seconds(begin, end=None):
    """From one moment of time.monotonic() to another, now if there is none, without those of the machine."""
    end = time.monotonic() if end is None else end
    return end - begin - STALLS.lost(begin, end)


def disk(syncs):
    """Seconds that so many fsyncs in a row take here."""
    took = []
    with tempfile.TemporaryFile(dir="/tmp") as file:
        for _ in range(5):
            file.write(bytes(4096))
            file.flush()
            begin = time.monotonic()
            os.fsync(file.fileno())
            took.append(time.monotonic() - begin)
    return syncs * statistics.median(took)


def lives(pid):
    """Is it there and no zombie? What loses its parent is one for ever where the first process collects nobody."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def free_port():
    """A port to listen on that nobody is given by chance, as one of bind(2) with port 0 would be when it is free again."""
    start = int.from_bytes(os.urandom(2), "big") % len(PORTS)
    for port in (*PORTS[start:], *PORTS[:start]):
        with socket.socket() as taken:
            try:
                taken.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")
