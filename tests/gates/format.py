# SPDX-License-Identifier: Apache-2.0
"""clang-format decides how C looks. `make format` applies what this gate asks for."""

import re
import shutil
import subprocess

import gatelib

MAJOR = "14"  # other versions lay out some constructs differently


def tool():
    for name in (f"clang-format-{MAJOR}", "clang-format"):
        path = shutil.which(name)
        if path:
            version = subprocess.run([path, "--version"], check=True, text=True,
                                     capture_output=True).stdout
            if re.search(rf"version {MAJOR}\.", version):
                return path
    return None


def find(root):
    names = [str(path) for path in gatelib.c_files(root)]
    if not names:
        return []
    style = gatelib.srcdir() / ".clang-format"
    run = subprocess.run([tool(), f"--style=file:{style}", "--dry-run", "-Werror", *names],
                         cwd=root, check=False, text=True, capture_output=True)
    places = sorted(set(re.findall(r"^(\S+?:\d+):", run.stderr, re.MULTILINE)))
    if run.returncode != 0 and not places:
        return [f"clang-format failed: {run.stderr.strip()}"]
    return [f"{place}: not formatted (make format)" for place in places]


PLANTS = [
    ({"src/base/a.c": "int f(int a)\n{\n\treturn a;\n}\n"}, None),
    ({"src/base/a.c": "int f (int a) {\n  return a; }\n"}, "src/base/a.c:1: not formatted"),
    ({"tests/unit/a.h": "int  f(void);\n"}, "tests/unit/a.h:1: not formatted"),
]

if __name__ == "__main__":
    if not tool():
        gatelib.skip(f"clang-format {MAJOR} is not installed (scripts/deps installs it)")
    gatelib.main(find, PLANTS)
