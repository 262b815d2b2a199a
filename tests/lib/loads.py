# SPDX-License-Identifier: Apache-2.0
"""Runs the load generator against an instance, and reads what processes have used."""

import json
import os
import subprocess
from pathlib import Path

LOAD = Path(os.environ.get("CS_BUILDDIR", ".")) / "tests/bench/load"
TICK_US = 1000000 // os.sysconf("SC_CLK_TCK")
WARMUP_MS = 300


def cpu_us(pid):
    """CPU time of a process with all its threads, in µs."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_US


def peak_kib(pid):
    """The most memory that a process ever had resident."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")))


class Load:
    """A running load of new requests by the agent `ci`. It is past its warm-up when the constructor returns."""

    def __init__(self, instance, key, connections, seconds, rate=None, warmup_ms=WARMUP_MS):
        body = instance.directory / f"{key}.body"
        body.write_text(json.dumps({  # as the command line writes it
            "artifacts": [{"name": "app", "key": key, "size": 1048576,
                           "digest": {"algorithm": "sha256", "value": "@DIGEST@"}}],
            "build": {"commit": "0" * 40, "pipeline": "build/1234", "repository": "git.example.com/firmware"},
            "release": {"component": "app", "product": "thermostat", "security_version": 7, "version": "1.4.2"}},
            sort_keys=True, separators=(",", ":")))
        options = {"--port": instance.port, "--ca": instance.ca_file, "--certificate": instance.directory / "ci.pem",
                   "--key": instance.directory / "ci.key", "--body": body, "--connections": connections,
                   "--milliseconds": int(seconds * 1000), "--warmup": warmup_ms}
        if rate:
            options["--rate"] = rate
        words = [str(word) for option in options.items() for word in option]
        self.process = subprocess.Popen([LOAD, *words], stdout=subprocess.PIPE, text=True)
        word, _, count = self.process.stdout.readline().partition(" ")
        if word != "begin":
            raise AssertionError(f"the load generator ended with {self.process.wait()} before it measured: {word}")
        self.before = int(count)  # answers of the warm-up

    def result(self):
        """Wait for the end; what it measured."""
        out, _ = self.process.communicate(timeout=900)
        if not out:
            raise AssertionError(f"the load generator ended with {self.process.returncode} and no result")
        return json.loads(out)
