# SPDX-License-Identifier: Apache-2.0
"""countersign-signer(8) has every option and command that --help prints, and no other."""

import os
import re
import subprocess
import sys
from pathlib import Path


def from_help(text):
    return set(re.findall(r"^  (--[a-z-]+|[a-z]+)(?= )", text, re.M))


def from_man(text):
    """Names of the two lists, which are mdoc tags."""
    body = re.search(r"^\.Ss Options\n(.*?)^\.Ss The policy", text, re.M | re.S)[1]
    options = {"--" + name for name in re.findall(r"^\.It Fl -([a-z-]+)", body, re.M)}
    return options | set(re.findall(r"^\.It Cm ([a-z]+)", body, re.M))


def compare(help_text, man_text):
    ours, theirs = from_help(help_text), from_man(man_text)
    return [f"{name}: not in the man page" for name in sorted(ours - theirs)] + \
           [f"{name}: only in the man page" for name in sorted(theirs - ours)]


def main():
    program = Path(os.environ["CS_BUILDDIR"]) / "countersign-signer"
    help_text = subprocess.run([program, "--help"], stdout=subprocess.PIPE, check=True, text=True).stdout
    man_text = (Path(os.environ["CS_SRCDIR"]) / "man/countersign-signer.8").read_text(encoding="utf-8")
    planted = compare(help_text + "  --planted X\n", man_text.replace(".It Fl -token", ".It Fl -other"))
    if len(planted) != 3:
        print(f"the gate does not see planted differences: {planted}")
        return 1
    found = compare(help_text, man_text)
    print("\n".join(found))
    return 1 if found or len(from_help(help_text)) < 20 else 0


if __name__ == "__main__":
    sys.exit(main())
