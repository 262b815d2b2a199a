# SPDX-License-Identifier: Apache-2.0
"""How large a function or a file may be. The targets are lower: 60 lines, complexity 12, 600 lines."""

import shutil
import subprocess

import gatelib

FUNCTION_LINES = 100
COMPLEXITY = 20  # pmccabe's modified McCabe number: a switch counts once
FILE_LINES = 900

# (file, function or None): the reason why it may be larger
EXCEPTIONS = {}
# file: a limit of its own
FILE_LIMITS = {"docs/verify_log.py": 200}  # an auditor reads it in one sitting


def function_findings(root):
    names = [str(path) for path in gatelib.c_files(root) if path.suffix == ".c"]
    if not names:
        return
    output = subprocess.run(["pmccabe", *names], cwd=root, check=True, text=True,
                            capture_output=True).stdout
    for row in output.splitlines():
        complexity, _, _, _, lines, where, function = row.split(None, 6)
        path = where.split("(")[0]
        if int(lines) > FUNCTION_LINES:
            yield (path, function), f"{where}: {function} has {lines} lines, limit {FUNCTION_LINES}"
        if int(complexity) > COMPLEXITY:
            yield (path, function), f"{where}: {function} has complexity {complexity}, limit {COMPLEXITY}"


def file_findings(root):
    for path in gatelib.files(root, ("src", "include", "tests", "docs"), (".c", ".h", ".py")):
        limit = FILE_LIMITS.get(str(path), FILE_LINES)
        lines = (root / path).read_text(encoding="utf-8").count("\n")
        if lines > limit:
            yield (str(path), None), f"{path}: {lines} lines, limit {limit}"


def find(root, exceptions=None):
    findings = []
    unused = dict(EXCEPTIONS if exceptions is None else exceptions)
    allowed = set(unused)
    for key, text in [*function_findings(root), *file_findings(root)]:
        unused.pop(key, None)
        if key not in allowed:
            findings.append(text)
    if root == gatelib.srcdir():
        findings += [f"exception without use, remove it: {key}" for key in unused]
    return findings


def body(lines):
    return "int f(int a);\nint f(int a)\n{\n" + "\ta++;\n" * lines + "\treturn a;\n}\n"


PLANTS = [
    ({"src/base/a.c": body(90)}, None),
    ({"src/base/a.c": body(120)}, "f has 124 lines"),
    ({"tests/unit/a.c": body(120)}, "f has 124 lines"),
    ({"src/base/a.c": "int f(int a)\n{\n" + "\tif (a)\n\t\ta++;\n" * 21 + "\treturn a;\n}\n"},
     "f has complexity 22"),
    ({"src/base/a.h": "\n" * 901}, "901 lines, limit 900"),
    ({"docs/verify_log.py": "\n" * 201}, "201 lines, limit 200"),
]

if __name__ == "__main__":
    if not shutil.which("pmccabe"):
        gatelib.skip("pmccabe is not installed (scripts/deps installs it)")
    gatelib.main(find, PLANTS)
