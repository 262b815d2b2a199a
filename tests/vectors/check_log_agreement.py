# SPDX-License-Identifier: Apache-2.0
"""Whatever is done to a log at random and hashed again, both verifiers say the same of it.

Events are dropped, doubled and swapped; members of events, details, documents, decisions and policies are
changed, removed and added; decisions are signed again. No expectation but agreement: verdict and first finding.
"""

import base64
import json
import os
import random
import sys
import tempfile
from pathlib import Path

from check_log import by_c, by_python
from logmaker import APPROVERS, b64, canonical, event_hash, sha256
from logstories import everything, live, short

ROUNDS = 1000 if "CS_FULL" in os.environ else 60
VALUES = [0, 1, -1, 2, 99, 2**53, True, False, "", "x", "0" * 64, "pending", "approved", "rejected", "approver1",
          "agent1", "prod", "dev", [], {}, ["x"], "2026-11-21T08:00:00.000000Z", "2027-11-21T08:00:00.000000Z",
          "2026-02-31T08:00:00.000000Z", "sha256", "sha384", "p-256", "ecdsa", "\u202e", "a\nb"]
EMBEDDED = ("document", "envelope", "resolved")


def places(value):
    """Every member and element of a JSON value, as its container and key."""
    if isinstance(value, (dict, list)):
        for key in (list(value) if isinstance(value, dict) else range(len(value))):
            yield value, key
            yield from places(value[key])


def change(value, dice):
    """One member or element somewhere within becomes another, goes, or gets company."""
    where = list(places(value))
    if not where:
        return
    holder, key = dice.choice(where)
    old, turn = holder[key], dice.random()
    if turn < 0.15:
        del holder[key]
    elif turn < 0.25 and isinstance(holder, dict):
        holder["extra"] = dice.choice(VALUES)
    elif turn < 0.35 and isinstance(old, str) and old:
        at = dice.randrange(len(old))
        holder[key] = old[:at] + dice.choice("0aZ_/=\u00e9") + old[at + 1:]
    elif turn < 0.45 and type(old) is int:
        holder[key] = old + dice.choice([-1, 1, 100])
    else:
        holder[key] = dice.choice(VALUES)


def change_embedded(event, dice):
    """A document, a decision or a policy changes within its event; decisions are signed again, mostly."""
    detail = event["detail"]
    name = next(name for name in EMBEDDED if name in detail)
    value = json.loads(base64.b64decode(detail[name]))
    if name == "envelope" and dice.random() < 0.7:
        payload = json.loads(base64.b64decode(value["payload"]))
        change(payload, dice)
        value = APPROVERS[detail["person"]][1].envelope("decision", payload)
    else:
        change(value, dice)
    detail[name] = b64(canonical(value))
    if name == "resolved" and dice.random() < 0.8:
        detail["digest"] = sha256(canonical(value))


def tamper(events, dice):
    turn, at = dice.random(), dice.randrange(len(events))
    if turn < 0.1:
        del events[at]
    elif turn < 0.2:
        events.insert(dice.randrange(len(events)), json.loads(json.dumps(events[at])))
    elif turn < 0.3:
        other = dice.randrange(len(events))
        events[at], events[other] = events[other], events[at]
    elif turn < 0.6:
        holders = [e for e in events if any(name in e["detail"] for name in EMBEDDED)]
        if holders:
            change_embedded(dice.choice(holders), dice)
    else:
        change(events[at]["detail"] if turn < 0.8 else events[at], dice)


def link(events):
    """Hash again: what somebody with access to the database can do."""
    lines, prev = [], "0" * 64
    for event in events:
        event = {**event, "prev": prev, "seq": len(lines) + 1}
        lines.append(canonical(event))
        prev = event_hash(lines[-1])
    return lines


def main():
    dice = random.Random(1)
    logs = [[json.loads(line) for line in make().chain()] for make in (short, short, short, everything, live)]
    found, problems = set(), 0
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        for number in range(ROUNDS):
            events = json.loads(json.dumps(dice.choice(logs)))
            tamper(events, dice)
            Path("log").write_bytes(b"".join(line + b"\n" for line in link(events)))
            ours, theirs = by_c(["log"], name), by_python(["log"])
            found.update(ours[1][:1])
            if (ours[0], ours[1][:1]) != (theirs[0], theirs[1][:1]):
                problems += 1
                print(f"log {number}: src/verify {ours[0]} {ours[1][:3]}, verify_log.py {theirs[0]} {theirs[1][:3]}")
        os.chdir("/")
    print(f"{ROUNDS} logs, {len(found)} rules found something, {problems} disagreements")
    return 1 if problems or not found else 0


if __name__ == "__main__":
    sys.exit(main())
