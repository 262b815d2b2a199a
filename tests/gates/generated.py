# SPDX-License-Identifier: Apache-2.0
"""Lists in the manual pages and documents are those of the tables that the programs use.

    CS_SRCDIR=. CS_BUILDDIR=build tests/gates/generated.py --update

puts the lists into the pages, between the comments that mark their place.
"""

import re
import subprocess
import sys

import gatelib

# a comment of mdoc, or of Markdown
MARKED = re.compile(r'((?:\.\\"|<!--) generated: (\w+) [^\n]*\n)(.*?)((?:\.\\"|<!--) end of generated text[^\n]*\n)',
                    re.DOTALL)


def described(name):
    run = subprocess.run([gatelib.builddir() / "tests/gates/describe", name], check=True, text=True,
                         capture_output=True)
    return run.stdout


def pages(root):
    return [*gatelib.files(root, ["man"], {f".{section}" for section in range(1, 9)}),
            *gatelib.files(root, ["docs"], {".md"})]


def find(root):
    findings = []
    for path in pages(root):
        text = (root / path).read_text(encoding="utf-8")
        for _, name, body, _ in MARKED.findall(text):
            if body != described(name):
                findings.append(f"{path}: the list of {name} is out of date; run tests/gates/generated.py --update")
    return findings


def update(root):
    for path in pages(root):
        text = (root / path).read_text(encoding="utf-8")
        fresh = MARKED.sub(lambda match: match[1] + described(match[2]) + match[4], text)
        if fresh != text:
            (root / path).write_text(fresh, encoding="utf-8")


def page(body):
    return f'.Dd\n.\\" generated: rules (x)\n{body}.\\" end of generated text\n.Sh Y\n'


if __name__ == "__main__":
    if sys.argv[1:] == ["--update"]:
        update(gatelib.srcdir())
        sys.exit(0)
    CURRENT = described("rules")
    PLANTS = [
        ({"man/a.5": page(CURRENT)}, None),
        ({"man/a.5": page(CURRENT.replace(".It Cm quorum\n", ".It Cm quorums\n"))}, "a.5: the list of rules"),
        ({"man/a.8": page("")}, "a.8: the list of rules is out of date"),
        ({"docs/A.md": "<!-- generated: rules (x) -->\n<!-- end of generated text -->\n"}, "A.md: the list of rules"),
    ]
    gatelib.main(find, PLANTS)
