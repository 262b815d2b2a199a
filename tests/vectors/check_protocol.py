# SPDX-License-Identifier: Apache-2.0
"""docs/PROTOCOL.decision says what the code does: limits, closed lists, moves of states, test vectors."""

import hashlib
import os
import re
import sys
from pathlib import Path

SRCDIR = Path(os.environ["CS_SRCDIR"])
TEXT = (SRCDIR / "docs/PROTOCOL.decision").read_text(encoding="utf-8")
VECTORS = SRCDIR / "tests/vectors/decision"

# limits that other documents state
ELSEWHERE = {"CS_REASON_MAX", "CS_PRINCIPALS_MAX", "CS_IDEMPOTENCY_KEY_MAX", "CS_EVENT_MAX"}

# list in the document: (source, table)
LISTS = {
    "environment": ("model/names.c", "env_names"),
    "format": ("model/names.c", "format_names"),
    "decision": ("model/names.c", "verdict_names"),
    "method": ("model/names.c", "method_names"),
    "state": ("model/state.c", "state_names"),
    "artifact state": ("model/state.c", "artifact_state_names"),
}
# list in the document: words of model/field.h, which unit_model compares with base/
WORDS = {"algorithm": "CS_ALG_WORDS", "hash algorithm": "CS_HASH_WORDS"}


def source(name):
    return (SRCDIR / "src" / name).read_text(encoding="utf-8")


def table(name, array):
    """The initialiser of an array, as text."""
    return re.search(r"\b" + array + r"\[[^]]*\] = \{\n(.*?)\n\};", source(name), re.S)[1]


def number(expression):
    """A limit's value: integers, their products and shifts."""
    plain = re.sub(r"INT64_C\((\d+)\)", r"\1", expression).replace("U", "").strip("() ")
    for operator, combine in (("<<", lambda a, b: a << b), ("*", lambda a, b: a * b)):
        if operator in plain:
            left, right = plain.split(operator)
            return combine(number(left), number(right))
    return int(plain)


def limits():
    stated = {name: int(value) for name, value in re.findall(r"^    (CS_\w+) +(\d+) ", TEXT, re.M)}
    defined = {name: number(value) for name, value
               in re.findall(r"^#define (CS_\w+) +([^/\n]*[^/\s])", source("model/limits.h"), re.M)}
    for name in sorted(stated.keys() | defined.keys() - ELSEWHERE):
        if stated.get(name) != defined.get(name):
            yield f"{name}: the document says {stated.get(name)}, limits.h says {defined.get(name)}"


def lists():
    section = TEXT.split("2. Closed lists")[1].split("3. Limits")[0]
    defined = {name: re.findall(r'"([^"]*)"', table(path, array)) for name, (path, array) in LISTS.items()}
    for name, words in WORDS.items():
        defined[name] = re.search(r"#define " + words + r' "(.*)"', source("model/field.h"))[1].split(", ")
    for name, names in defined.items():
        stated = re.search(r"^    " + name + r"  +(.*)$", section, re.M)[1].split(", ")
        if stated != names:
            yield f"{name}: the document says {stated}, the code says {names}"


def moves():
    section = TEXT.split("13. States")[1].split("14. Test vectors")[0]
    for part, prefix, array in ((section.split("artifacts:")[0], "CS_ST_", "next_state"),
                                (section.split("artifacts:")[1], "CS_AS_", "next_artifact_state")):
        stated = {row[0]: set(row[1].split(", ")) for row in re.findall(r"^    (\w+) +may become (.*)$", part, re.M)}
        rows = re.findall(r"\[" + prefix + r"(\w+)\] =(.*?),\n", table("model/state.c", array) + "\n", re.S)
        defined = {state.lower(): {to.lower() for to in re.findall(r"TO\(" + prefix + r"(\w+)\)", to_states)}
                   for state, to_states in rows}
        if stated != defined:
            yield f"{array}: the document says {stated}, state.c says {defined}"


def rules():
    stated = re.findall(r"^    ([\w-]+) ", TEXT.split("11. Before a signature")[1].split("12. Formats")[0], re.M)
    text = source("quorum/document.c")
    defined = [rule for rules_table in re.findall(r"_rules\[\] = \{\n(.*?)\n\};", text, re.S)
               for rule in re.findall(r'\{ "([\w-]+)"', rules_table)]
    if stated != defined:
        yield f"rules: the document says {stated}, document.c says {defined}"


def vectors():
    section = TEXT.split("14. Test vectors")[1]
    blocks = re.findall(r"^(\S+), (\d+) bytes, SHA-256\n    ([0-9a-f]{64})\n\n((?:    .*\n)+)", section, re.M)
    if len(blocks) < 3:
        yield f"only {len(blocks)} test vectors in the document"
    for name, size, digest, lines in blocks:
        data = (VECTORS / name).read_bytes()
        if "".join(line[4:] for line in lines.splitlines()).encode() != data:
            yield f"{name}: the document shows other bytes"
        if int(size) != len(data) or hashlib.sha256(data).hexdigest() != digest:
            yield f"{name}: the document has another size or hash"


problems = [problem for check in (limits, lists, moves, rules, vectors) for problem in check()]
for problem in problems:
    print(problem)
print(f"{len(problems)} differences")
sys.exit(1 if problems else 0)
