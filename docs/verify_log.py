#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Verify an exported audit log of countersign by the rules of docs/PROTOCOL.log, which explains the names of findings.

Independent of countersign's own code: needs Python 3.9, its package "cryptography", and beside this file verify_form.py
(what is in a log) and verify_journal.py (signers' journals). Prints findings as "seq rule", seq 0 for the whole log.
Exit codes: 0 anchored, 3 consistent but not anchored, 1 failed, 2 wrong usage.
"""
import argparse
import re
import sys
from base64 import b64decode
from collections import Counter
from datetime import datetime
from types import SimpleNamespace as Record
from verify_form import (DIGEST_INFO, SHAPES, Broken, fits, head, lines, load_policy, need, opened, parse, raw,
                         restored, sha256, verify)
from verify_journal import Journal


class Log:
    def __init__(self, heads=(), trusted=()):
        self.heads, self.trusted, self.journal = heads, trusted, Journal()
        self.hashes, self.findings, self.requests, self.policy = [], [], {}, None
        self.instance, self.time, self.running, self.starts, self.uses = None, "", False, 0, Counter()

    def line(self, data):
        self.hashes.append(sha256(b"\0" + data))
        try:
            self.event(data, len(self.hashes))
        except Broken as broken:
            self.findings.append((len(self.hashes), *broken.args))

    def event(self, data, size):
        ev = parse(data, "event", "line")
        kind, d, back = ev["kind"], ev["detail"], ev["time"] < self.time
        need("line", "." in kind and kind in SHAPES and fits(d, kind))
        need("line", bool(ev["request"]) == kind.startswith(("request.", "sign.")) or kind == "request.denied")
        need("seq", ev["seq"] == size)
        need("prev", ev["prev"] == (self.hashes[-2] if size > 1 else "0" * 64))
        need("first", (size == 1) == (kind == "log.created"))
        self.time = ev["time"]
        need("time", not back or d.get("jump_us", 0) < 0)
        self.instance = d.get("instance", self.instance)  # log.created has it
        getattr(self, re.sub("[.-]", "_", kind), lambda *_: None)(Record(**ev), Record(**d))
        self.journal.event(ev)

    def daemon_started(self, ev, d):
        was, self.running = self.running, ev.kind == "daemon.started"
        self.starts += self.running
        need("restart", was != self.running, getattr(d, "last_seq", 0) < ev.seq)
    daemon_stopped = daemon_unclean_stop = daemon_started
    log_restored = restored

    def policy_loaded(self, ev, d):
        policy, last = load_policy(b64decode(d.resolved), self.instance), self.policy
        need("policy", (policy.digest, policy.version) == (d.digest, d.version))
        need("policy-version", not last or policy.version > last.version or policy.cited == last.cited)
        self.policy = policy
        need("policy-untrusted", not self.trusted or d.digest in self.trusted)

    def count(self, r, rule, time=None):
        """What the decisions make of a request under the policy in force; `time`: and may it be used then?"""
        needed, words = Counter(), {}
        need(rule, r.doc["instance"] == self.instance, not time or r.doc["created"] <= time < r.doc["expires"])
        wait = datetime.fromisoformat(r.doc["expires"][:-1]) - datetime.fromisoformat(r.doc["created"][:-1])
        for a in r.doc["artifacts"]:
            need(rule, a["key"]["name"] in self.policy.keys)
            k, named = self.policy.keys[a["key"]["name"]], a["key"]
            need(rule, k.id == named["spki_sha256"], (k.algorithm, k.hash) == (named["algorithm"], named["hash"]),
                 (k.format, k.hash, k.environment) == (a["format"], a["digest"]["algorithm"], r.doc["environment"]))
            need(rule, not time or getattr(k, "not_before", "") <= time <= getattr(k, "not_after", "9"))
            need(rule, not time or not k.disabled and wait.total_seconds() <= k.max_wait)
            for q in k.quorum + r.doc["quorum"]:
                needed[q["group"]] = max(q["count"], needed[q["group"]])
        for key_id, _, _, word in r.votes:
            voter = self.policy.approvers.get(key_id)
            words.update({voter.person: (word, voter.group)} if voter else {})
        have = Counter(group for word, group in words.values() if word == "approve")
        met = all(have[group] >= n for group, n in needed.items())
        return "rejected" if "reject" in dict(words.values()) else "approved" if met else "pending"

    def live(self, ev, waiting=True):
        """The request of an event that may come now; waiting: only while no intent is open."""
        r = self.requests.get(ev.request)
        need("request", r)
        need("outcome", ev.kind == "sign.unknown" or not any(s.open and s.start < self.starts for s in r.slots))
        need("signed", ev.kind == "request.signed" or not all(s.done for s in r.slots))
        need("state", not waiting or not any(s.open for s in r.slots))
        return r

    def request_created(self, ev, d):
        need("request", ev.request not in self.requests)
        if ev.kind == "request.denied":
            return self.requests.update({ev.request: None} if ev.request else {})
        doc = parse(b64decode(d.document), "request", "document")
        need("document", (doc["id"], doc["requester"]["principal"]) == (ev.request, ev.actor))
        need("document", self.policy and doc["policy"] == self.policy.cited, doc["artifacts"])
        slots = [Record(attempt=0, open=False, done=None, unknown=False, spent=False) for _ in doc["artifacts"]]
        names, digest = {a["name"] for a in doc["artifacts"]}, sha256(b64decode(d.document))
        r = Record(doc=doc, id=digest, names=names, votes=[], keys=self.policy.keys, slots=slots)
        self.count(r, "document", ev.time)
        self.requests[ev.request] = r
        self.request_rejudged(ev, d)
    request_denied = request_created

    def request_rejudged(self, ev, d):
        r = self.live(ev)
        r.state = self.count(r, "state")
        self.requests[ev.request] = r if r.state != "rejected" else None
        need("state", d.state == r.state)

    def request_decision(self, ev, d):
        r = self.live(ev)
        said, key = opened(d.envelope, "decision", self.policy.approvers, "decision")
        need("decision", key.person == d.person, d.person not in r.doc["requester"]["persons"])
        need("decision", said["request_sha256"] == r.id, {*said["images_checked"]} <= r.names)
        need("decision", said["n"] > max([0] + [n for _, person, n, _ in r.votes if person == d.person]))
        need("decision-log", said["log"]["id"] == self.hashes[0], 0 < said["log"]["size"] < ev.seq)
        need("decision-log", said["log"]["head"] == self.hashes[said["log"]["size"] - 1])
        r.votes.append((key.id, d.person, said["n"], said["decision"]))
        self.request_rejudged(ev, d)

    def request_expired(self, ev, d):
        r = self.live(ev)
        need("state", ev.kind != "request.failed" or any(s.attempt for s in r.slots))
        self.requests[ev.request] = None
        need("actor", ev.kind != "request.cancelled" or ev.actor in ("daemon", r.doc["requester"]["principal"]))
    request_cancelled = request_failed = request_expired

    def sign_intent(self, ev, d):
        r = self.live(ev, waiting=False)
        need("intent-quorum", self.count(r, "intent-quorum", ev.time) == "approved")
        need("state", r.state == "approved")
        need("intent", d.artifact < len(r.slots))
        s, a = r.slots[d.artifact], r.doc["artifacts"][d.artifact]
        info = DIGEST_INFO[a["digest"]["algorithm"]] if a["format"] == "rsa-pkcs1" else b""
        need("intent", not s.done, not s.open, not s.spent, d.attempt == s.attempt + 1)
        need("intent", d.spki_sha256 == a["key"]["spki_sha256"], d.token == self.policy.keys[a["key"]["name"]].token,
             d.tbs_sha256 == sha256(info + bytes.fromhex(a["digest"]["value"])))
        most = getattr(self.policy.keys[a["key"]["name"]], "max_uses", None)
        need("intent-uses", not most or self.uses[d.spki_sha256] < most)
        s.attempt, s.open, s.start, s.counted = d.attempt, True, self.starts, [d.spki_sha256] if most else []
        self.uses.update(s.counted)

    def sign_done(self, ev, d):
        r, unknown = self.live(ev, waiting=False), ev.kind == "sign.unknown"
        s = dict(enumerate(r.slots)).get(d.artifact, Record(open=False, attempt=0))
        need("outcome", s.open, s.attempt == d.attempt)
        s.open, s.done, reached = False, d if ev.kind == "sign.done" else None, getattr(d, "reached_hsm", False)
        self.uses.subtract(s.counted if not (s.done or unknown or reached) else [])
        s.spent, s.unknown = s.unknown and (unknown or reached), s.unknown or unknown
    sign_failed = sign_unknown = sign_done

    def request_signed(self, ev, d):
        r = self.live(ev, waiting=False)
        need("signed", all(s.done for s in r.slots), len(d.signatures) == len(r.slots))
        self.requests[ev.request] = None
        for a, s, sig in zip(r.doc["artifacts"], r.slots, map(b64decode, d.signatures)):
            need("signature", sha256(sig) == s.done.signature_sha256)
            algorithm, digest = a["digest"]["algorithm"], bytes.fromhex(a["digest"]["value"])
            verify(r.keys[a["key"]["name"]], a["format"], algorithm, digest, sig, "signature")
            need("signature", sha256(raw(a["key"]["algorithm"], sig)) == s.done.raw_sha256)

    def finish(self):
        known = [kept for kept in self.heads if kept[0] in ("", *self.hashes[:1])]
        self.findings += [(size, "head") for _, size, kept in known if self.hashes[size - 1:size] != [kept]]
        self.findings += [(0, "empty")] * (not self.hashes) + [(0, "head")] * (bool(self.heads) and not known)
        self.findings[:0] = [(0, rule) for rule in self.journal.finish(self.time)]
        return 1 if self.findings else 0 if known else 3


def run(args):
    known = [head(text) for text in args.head]
    known += [head(line.decode(), "([0-9a-f]{64}) ([1-9][0-9]*) ([0-9a-f]{64})")
              for path in args.heads for line in lines(path) if line and line[:1] != b"#"]
    log = Log(known, args.policy)
    for line in (line for path in args.journal for line in lines(path)):
        log.journal.line(line)
    for line in lines(args.log):
        log.line(line)
    code = log.finish()
    verdict = {0: "anchored", 1: "failed", 3: "consistent, not anchored"}[code]
    print(*(f"{seq} {rule}" for seq, rule in log.findings), verdict, sep="\n")
    return code


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name, what in (("head", "SIZE:HASH"), ("heads", "FILE"), ("policy", "DIGEST"), ("journal", "FILE")):
        parser.add_argument(f"--{name}", action="append", default=[], metavar=what)
    parser.add_argument("log", metavar="LOG")
    return parser


if __name__ == "__main__":
    try:
        sys.exit(run(options().parse_args()))
    except (Broken, OSError, UnicodeDecodeError) as error:
        options().error(str(error))
