# SPDX-License-Identifier: Apache-2.0
"""Reconciles what a token was asked to sign with the log and the signers' journals.

Three witnesses: the PKCS#11 module in front of the token writes a line before each C_Sign (p11_shim.c),
the signer two lines around it (its journal), the daemon an intent before and an outcome after (the log).
"""

import json
from collections import Counter


class Evidence:
    """What the three say. `it` is an Instance with shim=True whose signers have stopped."""

    def __init__(self, it, lines):
        self.events = [json.loads(line) for line in lines]
        self.signs = {name: signer.signs() for name, signer in it.signers.items()}
        self.journals = {name: [line for path in journal_files(signer) for line in read_journal(path)]
                         for name, signer in it.signers.items()}

    def without(self, event):
        """The same, with one event of the log left out."""
        other = object.__new__(Evidence)
        other.__dict__.update(self.__dict__, events=[e for e in self.events if e is not event])
        return other


def journal_files(signer):
    return sorted(signer.state.glob("journal-*.ndjson"))


def read_journal(path):
    """The lines that can be read; a kill may have cut one."""
    for line in path.read_bytes().splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            pass


def use_of(event):
    """Request, artifact and attempt: what an intent, its outcome and the journal's lines have in common."""
    detail = event.get("detail", event)
    return event["request"], detail["artifact"], detail["attempt"]


def of_kind(events, *kinds):
    return [event for event in events if event.get("kind", event.get("event")) in kinds]


def excess(more, less):
    return sum((Counter(more) - Counter(less)).values())


def reconcile(evidence):
    """What does not agree, as sentences; and the figures."""
    findings = []
    intents = {use_of(event): event["detail"] for event in of_kind(evidence.events, "sign.intent")}
    outcomes = of_kind(evidence.events, "sign.done", "sign.failed", "sign.unknown")
    figures = {"calls": 0, "self-tests": 0, "intents": len(intents),
               **{kind: len(of_kind(outcomes, kind)) for kind in ("sign.done", "sign.failed", "sign.unknown")}}

    def find(count, what):
        if count:
            findings.append(f"{count} {what}")

    ended = Counter(use_of(event) for event in outcomes)
    find(sum(ended[use] != 1 for use in intents), "intents without exactly one outcome")
    find(len(set(ended) - set(intents)), "outcomes without an intent")
    for token, signs in evidence.signs.items():
        journal = evidence.journals[token]
        tests = [line["tbs_sha256"] for line in of_kind(journal, "selftest-begin")]
        begun = of_kind(journal, "sign-begin")
        allowed = [detail["tbs_sha256"] for detail in intents.values() if detail["token"] == token]
        done = [intents[use_of(event)]["tbs_sha256"] for event in of_kind(outcomes, "sign.done")
                if use_of(event) in intents and intents[use_of(event)]["token"] == token]
        find(excess(signs, tests + allowed), f"calls of C_Sign on token {token} without an intent or a self-test")
        find(excess(signs, tests + [line["tbs_sha256"] for line in begun]),
             f"calls of C_Sign on token {token} that its journal does not have")
        find(sum(use_of(line) not in intents for line in begun), f"uses in the journal of {token} without an intent")
        find(excess(map(use_of, begun), set(map(use_of, begun))), f"intents of token {token} used more than once")
        find(excess(done, signs), f"signatures of token {token} in the log that it was never asked for")
        find(len(tests) > 0 and not [e for e in of_kind(evidence.events, "signer.selftest")
                                     if e["detail"]["token"] == token], f"token {token} without a self-test in the log")
        figures["calls"] += len(signs)
        figures["self-tests"] += len(set(tests) & set(signs))
    return findings, figures
