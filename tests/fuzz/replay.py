# SPDX-License-Identifier: Apache-2.0
"""Every fuzz target survives its corpus: seeds, and each input that once crashed it."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

SRCDIR = Path(os.environ["CS_SRCDIR"])
BUILDDIR = Path(os.environ["CS_BUILDDIR"])


def planted():
    """A crash must be noticed."""
    with tempfile.NamedTemporaryFile() as fault:
        fault.write(b"fault\n")
        fault.flush()
        run = subprocess.run([BUILDDIR / "tests/fuzz/fuzz_planted", fault.name], check=False, capture_output=True,
                             timeout=60)
    return None if run.returncode != 0 else "the planted crash was not noticed"


def replay(target):
    """Run one target over its corpus; return what went wrong, or None."""
    name = Path(target).name.removeprefix("fuzz_")
    corpus = SRCDIR / "tests" / "fuzz" / "corpus" / name
    inputs = sorted(str(path) for path in corpus.glob("*") if path.is_file())
    if not inputs:
        return f"{name}: no corpus in {corpus}"
    run = subprocess.run([BUILDDIR / target, *inputs], check=False, text=True, errors="replace",
                         capture_output=True, timeout=300)
    if run.returncode != 0:
        return f"{name}: exit {run.returncode}\n{run.stderr[-4000:]}"
    print(f"{name}: {len(inputs)} inputs")
    return None


targets = os.environ["CS_FUZZ_TARGETS"].split()
problems = [problem for problem in [planted(), *map(replay, targets)] if problem]
for problem in problems:
    print(problem)
print(f"{len(targets)} targets, {len(problems)} failed")
sys.exit(1 if problems or not targets else 0)
