# SPDX-License-Identifier: Apache-2.0
"""Both verifiers of logs, src/verify and docs/verify_log.py, say the same of honest and of tampered logs.

The logs of tests/lib/logstories.py are made anew; the one in tests/vectors/log stays what it was. Then bytes of
that one are changed, each of them in `make check-long`, and the Python verifier must notice;
tests/unit/unit_verify.c does so in C.
"""

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SRCDIR = Path(os.environ["CS_SRCDIR"])
VERIFIER = Path(os.environ["CS_BUILDDIR"]) / "tests" / "lib-c" / "verify_file"
VECTORS = SRCDIR / "tests" / "vectors" / "log"
sys.path.insert(0, str(SRCDIR / "docs"))

import logstories  # noqa: E402
import verify_log  # noqa: E402


def by_python(arguments):
    """Exit code and rules found."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        code = verify_log.run(verify_log.options().parse_args(arguments))
    return code, [line.split()[1] for line in output.getvalue().splitlines()[:-1]]


def by_c(arguments, directory):
    run = subprocess.run([VERIFIER, *arguments], cwd=directory, text=True, capture_output=True, check=False)
    return run.returncode, [line.split()[1] for line in run.stdout.splitlines()[:-1]]


def compare(directory, expected):
    """What one of the two says otherwise than expected."""
    os.chdir(directory)
    for case in expected:
        arguments = [*case["arguments"], case["log"]]
        for name, (code, rules) in (("verify_log.py", by_python(arguments)), ("verify_file", by_c(arguments, directory))):
            if code != case["exit"] or rules[:1] != ([case["rule"]] if case["rule"] else []):
                yield f"{case['name']} ({case['log']}): {name} exits {code} with {rules[:5]}, expected " \
                      f"{case['exit']} with {case['rule']}"


def unnoticed(lines, step):
    """Which of every `step` bytes may change without the Python verifier noticing?

    A change of a line is noticed there, or by the next line's prev at the latest, or for the last line by the
    known head; so the log is verified once, and at each byte taken back to the line before.
    """
    last = verify_log.sha256(b"\0" + lines[-1])
    log = verify_log.Log([("", len(lines), last)])
    for number, line in enumerate(lines):
        for at in range(number % step, len(line), step):
            changed = line[:at] + bytes([line[at] ^ 1 << at % 8]) + line[at + 1:]
            del log.hashes[number:], log.findings[:]
            log.line(changed)
            if number + 1 == len(lines):
                noticed = log.finish() == 1
            else:
                log.line(lines[number + 1])
                noticed = (number + 2, "prev") in log.findings
            if not noticed:
                yield f"byte {at} of line {number + 1}"
        del log.hashes[number:]
        log.line(line)


def main():
    with tempfile.TemporaryDirectory() as name:
        made = logstories.write(Path(name))
        problems = list(compare(Path(name), made))
    kept = json.loads((VECTORS / "expected.json").read_text(encoding="utf-8"))
    problems += compare(VECTORS, kept)
    lines = (VECTORS / "everything.ndjson").read_bytes().splitlines()
    step = 1 if "CS_FULL" in os.environ else 29
    problems += unnoticed(lines, step)
    for problem in problems:
        print(problem)
    print(f"{len(made) + len(kept)} logs, {sum(map(len, lines)) // step} changed bytes, "
          f"{len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
