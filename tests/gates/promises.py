# SPDX-License-Identifier: Apache-2.0
"""Every promise has its row in docs/PROMISES.md, with tests that exist and run, and a negative control.

    CS_SRCDIR=. tests/gates/promises.py --update

writes the README's short table, which must agree.
"""

import re
import sys

import gatelib

PAGE, README = "docs/PROMISES.md", "README.md"
NAMES = [f"R{n}" for n in range(1, 24)] + [f"C{n}" for n in range(1, 18)]
# not tested yet, and their rows say so; what has a test leaves this list
OPEN = {"R19"}
TARGETS = {"check", "check-fault", "check-slow", "check-fuzz", "check-long", "by hand"}
COLUMNS = ("#", "promise", "tests", "negative control", "runs in", "figure")
MARKED = re.compile(r"(<!-- from docs/PROMISES.md -->\n)(.*?)(<!-- end -->\n)", re.DOTALL)


def rows(root):
    """Every row of the page, as cells by column."""
    text = (root / PAGE).read_text(encoding="utf-8")
    for line in text.split("\n"):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if re.fullmatch("[RC][0-9]+", cells[0]):
            yield dict(zip(COLUMNS, cells + [""] * len(COLUMNS)))


def paths(row):
    return re.findall("`(tests/[^`]+)`", row["tests"])


def wrong_tests(root, row, makefile):
    """A test exists and is listed in Makefile.am."""
    for path in paths(row):
        if not (root / path).exists():
            yield f"{path} does not exist"
        elif not re.search(rf"(?<![\w/]){re.escape(path)}(?![\w/])", makefile):
            yield f"{path} is not in Makefile.am"


def wrong(root, row, makefile):
    name = row["#"]
    if (row["tests"] == "open") != (name in OPEN):
        yield "its tests say open, OPEN does not" if row["tests"] == "open" else f"{name} is in OPEN and has tests"
    if row["tests"] != "open" and not paths(row):
        yield "no test is named"
    yield from wrong_tests(root, row, makefile)
    if row["negative control"] in ("", "-", "–", "none") or (row["negative control"] == "open" and name not in OPEN):
        yield "no negative control"
    targets = {target.strip() for target in row["runs in"].split(",")}
    if not targets <= TARGETS:
        yield f"runs in {row['runs in']!r}: not one of {', '.join(sorted(TARGETS))}"
    if row["figure"] != "–" and not re.match(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}: .", row["figure"]):
        yield "the figure is no date and what was measured then, or –"


def short_table(root):
    """The README's table: promise, tests, figure."""
    lines = ["| | promise | test | last figure |", "|---|---|---|---|"]
    for row in rows(root):
        lines.append(f"| {row['#']} | {row['promise']} | {row['tests']} | {row['figure']} |")
    return "\n".join(lines) + "\n"


def find(root):
    makefile = (root / "Makefile.am").read_text(encoding="utf-8")
    table = list(rows(root))
    names = [row["#"] for row in table]
    findings = [f"{PAGE}: {name} has {names.count(name)} rows" for name in NAMES if names.count(name) != 1]
    findings += [f"{PAGE}: {name} is no promise" for name in names if name not in NAMES]
    for row in table:
        findings += [f"{PAGE}: {row['#']}: {what}" for what in wrong(root, row, makefile)]
    shown = MARKED.search((root / README).read_text(encoding="utf-8"))
    if not shown or shown[2] != short_table(root):
        findings.append(f"{README}: the table of promises is out of date; run tests/gates/promises.py --update")
    return findings


def update(root):
    text = (root / README).read_text(encoding="utf-8")
    fresh = MARKED.sub(lambda match: match[1] + short_table(root) + match[3], text)
    (root / README).write_text(fresh, encoding="utf-8")


def plants():
    """The page of the tree, broken in one place each."""
    page = (gatelib.srcdir() / PAGE).read_text(encoding="utf-8")
    makefile = (gatelib.srcdir() / "Makefile.am").read_text(encoding="utf-8")
    tests = {path: "" for row in rows(gatelib.srcdir()) for path in paths(row)}
    marks = "<!-- from docs/PROMISES.md -->\n{}<!-- end -->\n"
    good = short_table(gatelib.srcdir())
    r1 = next(line for line in page.split("\n") if line.startswith("| R1 |"))
    cells = r1.split(" | ")

    def tree(old, new, **more):
        assert old in page
        return {PAGE: page.replace(old, new, 1), "Makefile.am": makefile, README: marks.format(good), **tests, **more}

    return [
        ({PAGE: page, "Makefile.am": makefile, README: marks.format(good), **tests}, None),
        (tree(r1 + "\n", ""), "R1 has 0 rows"),
        (tree(r1, r1 + "\n" + r1), "R1 has 2 rows"),
        (tree("| R1 |", "| R99 |"), "R99 is no promise"),
        (tree(cells[2], "`tests/flow/kill_ten.py`"), "kill_ten.py does not exist"),
        (tree("", "", **{"Makefile.am": makefile.replace("tests/flow/kill_nine.py", "")}), "kill_nine.py is not in Makefile.am"),
        (tree(cells[2], "by reading it"), "R1: no test is named"),
        (tree(cells[2], "open"), "R1: its tests say open"),
        (tree(cells[3], "–"), "R1: no negative control"),
        (tree(cells[4], "at night"), "R1: runs in 'at night'"),
        (tree(r1, " | ".join(cells[:5] + ["fine |"])), "R1: the figure"),
        (tree("", "", **{README: marks.format("")}), "the table of promises is out of date"),
        (tree("", "", **{README: "no table"}), "the table of promises is out of date"),
    ]


if __name__ == "__main__":
    if sys.argv[1:] == ["--update"]:
        update(gatelib.srcdir())
        sys.exit(0)
    gatelib.main(find, plants())
