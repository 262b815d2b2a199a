# SPDX-License-Identifier: Apache-2.0
"""Signers' journals against the log: docs/PROTOCOL.log, "Journals". The part of docs/verify_log.py for --journal."""
from types import SimpleNamespace as Record

from verify_form import SHAPES, Broken, need, parse

BASE, KEY = "child size, event name, seq count, time time, token name", "spki_sha256 hash, tbs_sha256 hash"
SIGN, END = "artifact artifact, attempt count, request uuid", "rc name, raw_sha256? hash"
EVENTS = {"note": f"{BASE}, message text", "selftest-begin": f"{BASE}, {KEY}", "selftest-end": f"{BASE}, {KEY}, {END}",
          "sign-begin": f"{BASE}, {KEY}, {SIGN}", "sign-end": f"{BASE}, {KEY}, {SIGN}, {END}"}
SHAPES.update({event: [member.split() for member in members.split(",")] for event, members in EVENTS.items()})


class Journal:
    """All journals first, then the events of the log."""

    def __init__(self):
        self.streams, self.uses, self.findings, self.torn = {}, {}, [], False

    def note(self, rule, fine):
        if not fine:
            self.findings.append(rule)

    def line(self, data):
        torn, line = self.torn, {}
        for event in EVENTS:
            try:
                line = parse(data, event, "journal")
                need("journal", line["event"] == event, (line.get("rc") == "CKR_OK") == ("raw_sha256" in line))
                break
            except Broken:
                line = {}
        self.torn = not line
        self.note("journal", not torn or line.get("message") == "cut line")
        if line:
            self.order(line, line["event"].endswith("-end"))

    def order(self, line, ends):
        use = (line.get("request"), line.get("artifact"), line.get("attempt"))
        same = (*use, line.get("spki_sha256"), line.get("tbs_sha256"), line["event"].split("-")[0])
        stream = self.streams.setdefault((line["token"], line["child"]), Record(
            complete_from=line["time"] if line["seq"] > 1 else "", seq=line["seq"] - 1, begun=None))
        if line["seq"] != stream.seq + 1:
            self.note("journal-seq", False)
        else:
            self.note("journal-order", not ends or stream.begun in (None, same))
        stream.seq, stream.begun = line["seq"], () if ends else same
        if use[0]:
            self.note("journal-intent", ends or use not in self.uses)
            self.uses.setdefault(use, Record(line=line, matched=False, intent=None)).raw = line.get("raw_sha256")

    def event(self, ev):
        """An event that the log allows: an intent, or what became of it."""
        kind, d = ev["kind"], ev["detail"]
        if not self.streams or not kind.startswith("sign."):
            return
        key = (ev["request"], d["artifact"], d["attempt"])
        use = self.uses.setdefault(key, Record(line=None, matched=True, raw=None, intent=None))
        if kind == "sign.intent":
            use.matched, use.intent = True, ev
            same = ("spki_sha256", "tbs_sha256", "token")
            need("journal-intent", not use.line or all(use.line[member] == d[member] for member in same))
            return
        token = use.intent["detail"]["token"]
        since = [stream.complete_from for (name, _), stream in self.streams.items() if name == token]
        if since and use.intent["time"] >= max(since) and kind != "sign.unknown":
            need("journal-outcome", d.get("reached_hsm") or use.raw == d.get("raw_sha256"))

    def finish(self, last):
        """The findings, once the log has ended at this time."""
        self.note("journal", not self.torn)
        for use in self.uses.values():
            self.note("journal-intent", use.matched or use.line["time"] > last)
        return self.findings
