# SPDX-License-Identifier: Apache-2.0
"""Both verifiers of logs, src/verify and docs/verify_log.py, say the same of honest and of tampered logs.

The logs of tests/lib/logstories.py are made anew; the one in tests/vectors/log stays what it was. Rows that were
changed and not hashed again are in check_log_changes.py.
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


def main():
    with tempfile.TemporaryDirectory() as name:
        made = logstories.write(Path(name))
        problems = list(compare(Path(name), made))
    kept = json.loads((VECTORS / "expected.json").read_text(encoding="utf-8"))
    problems += compare(VECTORS, kept)
    for problem in problems:
        print(problem)
    print(f"{len(made) + len(kept)} logs, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
