# SPDX-License-Identifier: Apache-2.0
"""Every file under version control is in the release, or named here with the reason why not."""

import os
import subprocess
from pathlib import Path

import gatelib

NOT_SHIPPED = {
    ".ci/": "runs from a checkout",
    ".gitignore": "for a checkout",
}


def shipped(name, listed):
    """The file itself or a directory above it is listed."""
    return name in listed or any(str(parent) in listed for parent in Path(name).parents)


def missing(names, listed):
    return [f"{name}: not in the release; add it to Makefile.am" for name in names
            if not shipped(name, listed) and not name.startswith(tuple(NOT_SHIPPED))]


def tracked(root):
    run = subprocess.run(["git", "-c", "safe.directory=*", "ls-files", "-z"], cwd=root, check=True,
                         text=True, capture_output=True)
    return [name for name in run.stdout.split("\0") if name]


def listed(path):
    """The words of $(DISTFILES), as paths below the source directory."""
    prefix = os.environ["CS_SRCDIR_PREFIX"]
    return {name.removeprefix(prefix).rstrip("/") for name in path.read_text().split()}


def find(root):
    if (root / "tracked").exists():  # a planted tree brings both lists
        return missing((root / "tracked").read_text().split(), listed(root / "distfiles"))
    return missing(tracked(root), listed(gatelib.builddir() / "distfiles"))


PLANTS = [
    ({"tracked": "a.c d/e/f .gitignore .ci/run", "distfiles": "a.c d"}, None),
    ({"tracked": "a.c b.c", "distfiles": "a.c"}, "b.c: not in the release"),
    ({"tracked": "d/a.c", "distfiles": "d/a.h"}, "d/a.c: not in the release"),
]

if __name__ == "__main__":
    if not (gatelib.srcdir() / ".git").exists():
        gatelib.skip("not a git checkout, so there is no list of files to compare with")
    gatelib.main(find, PLANTS)
