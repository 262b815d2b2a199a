# SPDX-License-Identifier: Apache-2.0
"""What clients were told and what signers did, and whether a log bears it out.

An answer claims: this request, these votes and signatures, this head of the log are recorded. The journal of a
signer claims: this intent was recorded before the module was asked. Complaints name what a log does not have.
"""

import base64
import contextlib
import datetime
import hashlib
import json
import sqlite3
import time

import approvals
import instance


class Log:
    """A log's lines, for lookups. `faults` lists where it contradicts itself."""

    def __init__(self, lines):
        self.events, self.hashes, self.faults = [], [], []
        self.created, self.signed = {}, {}
        self.intents, self.done, self.votes = set(), {}, set()
        previous = "0" * 64
        for number, line in enumerate(lines, 1):
            try:
                event = json.loads(line)
            except ValueError:
                self.faults.append(f"event {number} cannot be read, nor is what follows looked at")
                break
            if event["seq"] != number or event["prev"] != previous:
                self.faults.append(f"event {number} does not follow the one before")
            previous = hashlib.sha256(b"\0" + line).hexdigest()
            self.hashes.append(previous)
            self.events.append(event)
            self.take(event)

    def take(self, event):
        request, detail = event["request"], event["detail"]
        if event["kind"] == "request.created":
            self.created[request] = hashlib.sha256(base64.b64decode(detail["document"])).hexdigest()
        elif event["kind"] == "request.decision":
            envelope = json.loads(base64.b64decode(detail["envelope"]))
            payload = json.loads(base64.b64decode(envelope["payload"]))
            self.votes.add((request, event["actor"], payload["n"], payload["decision"]))
        elif event["kind"] == "sign.intent":
            self.intents.add((request, detail["artifact"], detail["attempt"]))
        elif event["kind"] == "sign.done":
            if (request, detail["artifact"], detail["attempt"]) not in self.intents:
                self.faults.append(f"event {event['seq']}: an outcome without an intent")
            self.done[request, detail["artifact"]] = detail["signature_sha256"]
        elif event["kind"] == "request.signed":
            self.signed[request] = detail["signatures"]
            for artifact, signature in enumerate(detail["signatures"]):
                if self.done.get((request, artifact)) != hashlib.sha256(base64.b64decode(signature)).hexdigest():
                    self.faults.append(f"event {event['seq']}: signature {artifact} has no outcome")


def from_database(path):
    """The log of a database that no daemon has open, with what the other tables contradict among its faults."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        def all_of(sql):
            return db.execute(sql).fetchall()

        log = Log([bytes(row[0]) for row in all_of("SELECT bytes FROM event ORDER BY seq")])
        log.faults += [row[0] for row in all_of("PRAGMA integrity_check") if row[0] != "ok"]
        created = {row[0]: row[1].hex() for row in all_of("SELECT id, sha256 FROM request JOIN document ON num = request")}
        signed = {}
        for request, signature in all_of("SELECT id, bytes FROM request JOIN signature ON num = request "
                                         "WHERE state = 'signed' ORDER BY idx"):
            signed.setdefault(request, []).append(base64.b64encode(signature).decode())
        votes = set(all_of("SELECT id, person, n, verdict FROM request JOIN decision ON num = request"))
    for what, rows, events in (("requests", created, log.created), ("signatures", signed, log.signed),
                               ("decisions", votes, log.votes)):
        if rows != events:
            log.faults.append(f"the rows of {what} are not those of the events")
    return log


def about_request(view, log):
    """What a log lacks of an answer that shows a request."""
    request = view["id"]
    if log.created.get(request) != view["document_sha256"]:
        yield "is not in the log"
    revision = view["revision"]
    if revision > len(log.events) or log.events[revision - 1]["request"] != request:
        yield f"has no event {revision}"
    for vote in view["votes"]:
        if (request, vote["person"], vote["n"], vote["decision"]) not in log.votes:
            yield f"has no decision {vote['n']} of {vote['person']}"
    if "signatures" in view and log.signed.get(request) != view["signatures"]:
        yield "was released with signatures that the log does not have"


def about_head(head, log):
    if head["size"] > len(log.hashes) or log.hashes[head["size"] - 1] != head["head"]:
        yield "is not in the log"


def about_intent(intent, log):
    if intent not in log.intents:
        yield "reached the module without an intent"


CLAIMS = {"request": (about_request, lambda view: view["id"]), "head": (about_head, lambda head: f"size {head['size']}"),
          "signature": (about_intent, lambda intent: f"{intent[0]} artifact {intent[1]} attempt {intent[2]}")}


class Evidence:
    """Claims with the time of each, in ns of CLOCK_MONOTONIC. Threads may add to it."""

    def __init__(self):
        self.claims = []
        self.refusals = []
        self.bad_refusals = []

    def take(self, path, reply):
        """Note an answer that just came."""
        now = time.monotonic_ns()
        if reply.status >= 400:
            self.refusals.append(reply)
            if not is_problem(reply):
                self.bad_refusals.append((path, reply.status, reply.body))
        elif path == "/v1/audit/head":
            self.claims.append((now, "head", reply.json))
        elif reply.headers["Content-Type"] == "application/json" and "document_sha256" in reply.json:
            self.claims.append((now, "request", reply.json))

    def take_journal(self, entries, since=0):
        """Note what a signer did since a moment; its clock is the wall's."""
        offset = time.time_ns() - time.monotonic_ns()
        for entry in entries:
            if entry["event"] == "sign-begin":
                when = datetime.datetime.fromisoformat(entry["time"].replace("Z", "+00:00"))
                moment = (when - EPOCH) // datetime.timedelta(microseconds=1) * 1000 - offset
                if moment >= since:
                    claim = entry["request"], entry["artifact"], entry["attempt"]
                    self.claims.append((moment, "signature", claim))

    def signatures(self):
        """How many requests were released to somebody."""
        return len({claim["id"] for _, kind, claim in self.claims if kind == "request" and "signatures" in claim})

    def complaints(self, log, until=None):
        """What is wrong with a log, after everything that was told before `until`."""
        found = list(log.faults)
        found += [f"{path}: {status} without a clear problem: {body}" for path, status, body in self.bad_refusals]
        for when, kind, claim in self.claims:
            if until is None or when < until:
                check, name = CLAIMS[kind]
                found += [f"{kind} {name(claim)}: {lack}" for lack in check(claim, log)]
        return found


EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def is_problem(reply):
    """A refusal in the form of RFC 9457 that says what is wrong."""
    if reply.headers["Content-Type"] != "application/problem+json":
        return False
    problem = reply.json
    return problem.get("status") == reply.status and all(problem.get(name) for name in ("type", "title", "detail"))


class Witness(instance.Client):
    """A client that notes every answer."""

    def __init__(self, it, name, evidence, **more):
        super().__init__(it.port, it.ca_file, it.directory / f"{name}.pem", it.directory / f"{name}.key", **more)
        self.evidence = evidence

    def request(self, method, path, body=None, headers=None):
        reply = super().request(method, path, body, headers)
        self.evidence.take(path, reply)
        return reply

    def decide(self, approver, request_id, document, head):
        """The first decision of an approver, over the document and head that she was shown: yes."""
        payload = {"decision": "approve", "images_checked": [], "log": head, "n": 1,
                   "request_sha256": hashlib.sha256(document).hexdigest(), "time": approvals.now(),
                   "type": approvals.TYPE % "decision", "v": 1}
        envelope = base64.b64encode(approver.envelope("decision", payload)).decode()
        return self.post(f"/v1/requests/{request_id}/decisions", {"envelope": envelope})
