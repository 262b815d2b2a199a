# SPDX-License-Identifier: Apache-2.0
"""What the gates share: a rule of the tree, proved on planted violations before it judges the tree.

A gate is a function find(root) that returns findings as text, and PLANTS, a list of small trees
that break the rule with a part of the finding each must cause. A gate that misses its plant fails.
"""

import os
import re
import sys
import tempfile
from pathlib import Path

SKIP = 77

_TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL)


def srcdir():
    return Path(os.environ["CS_SRCDIR"])


def builddir():
    return Path(os.environ["CS_BUILDDIR"])


def skip(reason):
    """End with automake's code for a skipped test; the reason makes it acceptable in CI."""
    print(f"SKIP-OK: {reason}")
    sys.exit(SKIP)


def files(root, directories, suffixes):
    """Regular files with one of the suffixes below the directories, as sorted paths below root."""
    found = []
    for directory in directories:
        for path in sorted((root / directory).rglob("*")):
            if path.suffix in suffixes and path.is_file():
                found.append(path.relative_to(root))
    return found


def c_files(root):
    """Every C file of the tree, as paths below root."""
    return files(root, ("src", "include", "tests"), (".c", ".h"))


def blank(text, strings=True):
    """C text with comments (and strings) blanked out, line numbers kept."""
    def replace(match):
        token = match.group()
        if token[0] in "\"'" and not strings:
            return token
        return re.sub(r"[^\n]", " ", token)
    return _TOKEN.sub(replace, text)


def comments(text):
    """(line number, comment) of each comment in C text."""
    for match in _TOKEN.finditer(text):
        if match.group().startswith(("//", "/*")):
            yield text.count("\n", 0, match.start()) + 1, match.group()


def numbered(text):
    return enumerate(text.split("\n"), start=1)


def plant(root, tree):
    for name, text in tree.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def prove(find, plants):
    """Run find() on each planted tree; return what it did not notice."""
    missed = []
    for tree, expected in plants:
        with tempfile.TemporaryDirectory(prefix="cs-gate.") as name:
            root = Path(name)
            plant(root, tree)
            findings = find(root)
        if expected is None and findings:
            missed.append(f"self-test: {sorted(tree)} is in order, but found: {findings}")
        elif expected is not None and not any(expected in f for f in findings):
            missed.append(f"self-test: {sorted(tree)} did not cause {expected!r}: {findings}")
    return missed


def main(find, plants, root=None):
    """Prove the gate, then judge the tree. A plant with None instead of a finding is in order."""
    findings = prove(find, plants) + find(root or srcdir())
    for finding in findings:
        print(finding)
    print(f"{len(plants)} self-tests, {len(findings)} findings")
    sys.exit(1 if findings else 0)
