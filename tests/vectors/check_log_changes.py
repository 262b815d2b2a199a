# SPDX-License-Identifier: Apache-2.0
"""R11: every changed byte and every deleted, swapped, doubled or cut row of a log of 1,000 rows is found by both
verifiers, and neither finds anything in honest logs.

Of the bytes some are changed, and of the honest logs there are 60; each byte and 1,000 logs with CS_FULL=1
(make check-long). tests/lib-c/tamper_file.c changes logs for src/verify, what is here for docs/verify_log.py.

Negative controls: without a known head, and with a verifier that does not look at `prev`, something goes unnoticed.
"""

import os
import random
import subprocess
import sys
import tempfile
from multiprocessing import Pool
from pathlib import Path

from check_log import VECTORS, by_c, by_python, verify_log
from logstories import anything, event_hash

TAMPER = Path(os.environ["CS_BUILDDIR"]) / "tests" / "lib-c" / "tamper_file"
FULL = "CS_FULL" in os.environ
HONEST_LOGS = 1000 if FULL else 60
C_STEP, PYTHON_STEP = (1, 1) if FULL else (13, 499)
CUTS = 7  # of the bytes at which Python changes a row, every how many it cuts one, too
ROWS = 1000


def head_of(lines):
    return f"{len(lines)}:{event_hash(lines[-1])}"


class Tamper:
    """One log for docs/verify_log.py, row by row as tests/lib-c/tamper_file.c does."""

    def __init__(self, lines, known):
        self.lines, self.unnoticed, self.count = lines, [], 0
        self.log = verify_log.Log([("", len(lines), event_hash(lines[-1]))] if known else [])

    def take_back(self, size):
        del self.log.hashes[size:], self.log.findings[:]

    def row(self, number, changed, what):
        """Something else stood in the place of this row."""
        self.count += 1
        self.log.line(changed)
        noticed = self.log.findings == [(number + 1, "line")]
        if not noticed and number + 1 == len(self.lines):
            noticed = self.log.finish() == 1
        elif not noticed:
            self.log.line(self.lines[number + 1])
            noticed = (number + 2, "prev") in self.log.findings
        self.take_back(number)
        if not noticed:
            self.unnoticed.append(f"{what} of row {number + 1}")

    def moved(self, number, other, what):
        """Another row stood in the place of this one."""
        self.count += 1
        self.log.line(self.lines[other])
        if self.log.findings != [(number + 1, "seq")]:
            self.unnoticed.append(f"{what}: row {other + 1} in the place of row {number + 1}")
        self.take_back(number)

    def all(self, step, rows=None):
        """Every row, or only those of a range; the ones before are read as they are."""
        for number, line in enumerate(self.lines):
            if rows is None or number in rows:
                self.one(number, line, step)
            self.log.line(line)
            self.take_back(number + 1)
            if rows is None or number in rows:
                time = self.log.time
                self.moved(number + 1, number, "doubled")
                self.log.time = time
        return self.count, self.unnoticed

    def one(self, number, line, step):
        time = self.log.time
        for at in range(number % step, len(line), step):
            self.row(number, line[:at] + bytes([line[at] ^ 1 << at % 8]) + line[at + 1:], f"byte {at}")
            if at // step % CUTS == 0:
                self.row(number, line[:at], f"cut at byte {at}")
            self.log.time = time
        self.row(number, line + b"\v" + self.lines[number + 1] if number + 1 < len(self.lines) else line + b"\v",
                 "the newline")
        self.log.time = time
        for other in range(number + 1, len(self.lines), max(1, step // 2)):
            self.moved(number, other, "deleted" if other == number + 1 else "swapped")
            self.log.time = time
        self.count += 1
        if self.log.finish() != 1:
            self.unnoticed.append(f"without row {number + 1} and all after it")
        self.take_back(number)


def one_part(part):
    lines, step, rows = part
    return Tamper(lines, True).all(step, rows)


def changes_by_python(lines, step):
    """(what was tried, what went unnoticed), on as many processors as there are."""
    parts = os.cpu_count() * (8 if FULL else 1)
    ranges = [range(part, len(lines), parts) for part in range(parts)]
    with Pool() as pool:
        found = pool.map(one_part, [(lines, step, rows) for rows in ranges], chunksize=1)
    return sum(count for count, _ in found), [what for _, unnoticed in found for what in unnoticed]


def changes_by_c(lines, step, path, known=True):
    """(exit code, its lines): the last one has the figures."""
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    command = [TAMPER, path, str(step), *([head_of(lines)] if known else [])]
    run = subprocess.run(command, text=True, stdout=subprocess.PIPE, check=False)
    return run.returncode, run.stdout.splitlines()


def check_changes(name, lines, directory):
    """A report of what both verifiers were asked about one log."""
    code, told = changes_by_c(lines, C_STEP, directory / "log")
    assert code == 0, f"{name}: src/verify: {told[:5]}"
    count, unnoticed = changes_by_python(lines, PYTHON_STEP)
    assert not unnoticed, f"{name}: docs/verify_log.py: {unnoticed[:5]}"
    return f"{name}: src/verify: {told[-1]}; docs/verify_log.py: {count} changes, 0 unnoticed"


def honest(seed):
    """A false alarm, or None. Half of the logs with their head known."""
    lines = anything(seed, random.Random(seed).randrange(5, 60))
    known = ["--head", head_of(lines)] if seed % 2 else []
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        path = Path(directory) / "log"
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        for code, rules in (by_c([*known, str(path)], directory), by_python([*known, str(path)])):
            if code != (0 if known else 3) or rules:
                return f"seed {seed}: exit {code}, {rules}"
    return None


def check_honest():
    with Pool() as pool:
        alarms = [alarm for alarm in pool.map(honest, range(1, HONEST_LOGS + 1), chunksize=8) if alarm]
    assert not alarms, f"false alarms: {alarms[:5]}"


def check_the_checker(directory):
    """What a verifier misses must be reported."""
    lines, end = anything(0, 60), range(50, 60)
    code, told = changes_by_c(lines, 13, directory / "log", known=False)
    assert code == 1 and "without row 60 and all after it" in told, f"src/verify without a head: {code} {told[-5:]}"
    _, unnoticed = Tamper(lines, False).all(97, end)
    assert "without row 60 and all after it" in unnoticed, f"docs/verify_log.py without a head: {unnoticed[-5:]}"
    careful = verify_log.need
    verify_log.need = lambda rule, *conditions: None if rule == "prev" else careful(rule, *conditions)
    try:
        _, unnoticed = Tamper(lines, True).all(97, end)
    finally:
        verify_log.need = careful
    assert any(what.startswith("byte") for what in unnoticed), "a verifier that does not look at prev passes"
    assert honest_is_refused(lines), "an alarm in an honest log goes unnoticed"


def honest_is_refused(lines):
    log = verify_log.Log([("", len(lines), "0" * 64)])
    for line in lines:
        log.line(line)
    return log.finish() == 1


def main():
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        directory = Path(name)
        check_the_checker(directory)
        print(check_changes("everything", (VECTORS / "everything.ndjson").read_bytes().splitlines(), directory))
        report = check_changes(f"{ROWS} rows", anything(0, ROWS), directory)
    check_honest()
    print(f"promise R11: {report}; 0 false alarms on {HONEST_LOGS} honest logs, by both")
    return 0


if __name__ == "__main__":
    sys.exit(main())
