# SPDX-License-Identifier: Apache-2.0
"""A small model of a request's life, which replays a log and says whether the log and the answers of clients fit it.

Nothing here comes from src/model, src/verify or docs/verify_log.py: no chain, no form, no envelope is verified, for
that they are there. What may happen to a request, in which order, under which policy, is written down once more.
"""

import base64
import hashlib
import json
from bisect import bisect_right
from datetime import datetime, timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

WAITS = ("pending", "approved")
# an answer that says so needs no reason within the request: the server could not, now
UNABLE = (429, 503, 504, 507)


class Outside(Exception):
    """Something that the model does not allow; the first argument is the name of the rule."""


def need(rule, condition, what):
    if not condition:
        raise Outside(rule, what)


def when(text):
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z")


def payload_of(envelope):
    """What a decision says, and the id of the key that signed it."""
    outer = json.loads(base64.b64decode(envelope))
    return json.loads(base64.b64decode(outer["payload"])), outer["signatures"][0]["keyid"]


class Policy:
    """What a resolved policy means for requests."""

    def __init__(self, resolved):
        value = json.loads(base64.b64decode(resolved))
        self.keys, self.voters = {}, {}
        for key in value["keys"]:
            spki = base64.b64decode(key["spki"])
            self.keys[key["name"]] = {**key, "id": hashlib.sha256(spki).hexdigest(), "der": spki}
        for approver in value["approvers"]:
            for key in approver["keys"]:
                key_id = hashlib.sha256(base64.b64decode(key["spki"])).hexdigest()
                self.voters[key_id] = (approver["person"], approver["group"])

    def knows(self, document):
        """Does every name of a key still mean the key that the document names?"""
        return all(a["key"]["name"] in self.keys and self.keys[a["key"]["name"]]["id"] == a["key"]["spki_sha256"]
                   for a in document["artifacts"])

    def asked(self, document):
        """Per group the most that the document or today's keys ask."""
        asked = {}
        for lines in [self.keys[a["key"]["name"]]["quorum"] for a in document["artifacts"]] + [document["quorum"]]:
            for line in lines:
                asked[line["group"]] = max(asked.get(line["group"], 0), line["count"])
        return asked

    def judge(self, document, votes):
        """pending or approved, each person once."""
        asked, last = self.asked(document), {}
        for key_id, word in votes:
            if key_id in self.voters:
                person, group = self.voters[key_id]
                last[person] = (word, group)
        have = [group for word, group in last.values() if word == "approve"]
        return "approved" if all(have.count(group) >= count for group, count in asked.items()) else "pending"

    def takes_request(self, name, persons):
        """Is the key in use, and are there enough others to approve what these persons ask?"""
        groups = [group for person, group in {voter for voter in self.voters.values() if voter[0] not in persons}]
        return not self.keys[name]["disabled"] and all(
            groups.count(line["group"]) >= line["count"] for line in self.keys[name]["quorum"])

    def takes_no_word(self, key_id, document):
        """Nobody's key, a person of a group that is not asked, or a key's name that means another key."""
        _, group = self.voters.get(key_id, (None, None))
        return not self.knows(document) or group not in self.asked(document)

    def may_use(self, document, time):
        """May the document's keys be used at this time?"""
        lasts = when(document["expires"]) - when(document["created"])
        return all(not k["disabled"] and lasts <= timedelta(seconds=k["max_wait"]) and
                   when(k.get("not_before", "2000-01-01T00:00:00.000000Z")) <= time <=
                   when(k.get("not_after", "2999-01-01T00:00:00.000000Z"))
                   for k in (self.keys[a["key"]["name"]] for a in document["artifacts"]))


class Request:
    """One request while the log is replayed, and its history afterwards."""

    def __init__(self, document, seq, state):
        self.document = document
        self.sha256 = None
        self.votes = []  # (key id, word), in the order of the log
        self.numbers = {}  # person: (seq, n), …
        self.history = [(seq, state)]
        self.open, self.done, self.unknowns = set(), {}, {}
        self.signatures = None
        self.ended_by = None

    @property
    def state(self):
        return self.history[-1][1]

    def move(self, seq, state):
        self.history.append((seq, state))

    def at(self, seq):
        """The state after event `seq`; None before its first event."""
        index = bisect_right(self.history, seq, key=lambda entry: entry[0])
        return self.history[index - 1][1] if index else None

    def states_in(self, first, last):
        """Every state that it had at some moment from event `first` to event `last`."""
        begin = max(0, bisect_right(self.history, first, key=lambda entry: entry[0]) - 1)
        return {state for seq, state in self.history[begin:] if seq <= last}

    def last_number(self, person, seq):
        return max([n for at, n in self.numbers.get(person, []) if at <= seq], default=0)


class Model:
    """Replays events; `events` are the parsed lines of an export."""

    def __init__(self, events):
        self.policies = []  # (seq, Policy)
        self.requests, self.decisions, self.denied = {}, {}, 0
        self.size = 0
        for event in events:
            self.size += 1
            need("seq", event["seq"] == self.size, f"event {event['seq']} in place {self.size}")
            handler = getattr(self, "on_" + event["kind"].replace(".", "_").replace("-", "_"), None)
            if handler:
                handler(event, event["detail"], event["seq"])

    @property
    def policy(self):
        return self.policies[-1][1]

    def policies_in(self, first, last):
        index = max(0, bisect_right(self.policies, first, key=lambda entry: entry[0]) - 1)
        return [policy for seq, policy in self.policies[index:] if seq <= last]

    def live(self, event, *states):
        request = self.requests.get(event["request"])
        need("request", request, f"event {event['seq']}: {event['kind']} of a request that there is not")
        need("after-end", not request.ended_by,
             f"event {event['seq']}: {event['kind']} after {request.ended_by} of {event['request']}")
        need("state", request.state in states,
             f"event {event['seq']}: {event['kind']} while {event['request']} is {request.state}")
        return request

    def end(self, event, state, *states):
        request = self.live(event, *states)
        request.move(event["seq"], state)
        request.ended_by = event["kind"]
        return request

    # --- events ---

    def on_policy_loaded(self, event, detail, seq):
        self.policies.append((seq, Policy(detail["resolved"])))

    def on_request_denied(self, event, detail, seq):
        self.denied += 1

    def on_request_created(self, event, detail, seq):
        need("request", event["request"] not in self.requests, f"event {seq}: {event['request']} twice")
        raw = base64.b64decode(detail["document"])
        request = Request(json.loads(raw), seq, detail["state"])
        request.sha256 = hashlib.sha256(raw).hexdigest()
        need("state", self.policy.knows(request.document) and
             detail["state"] == self.policy.judge(request.document, []), f"event {seq}: created as {detail['state']}")
        need("key", self.policy.may_use(request.document, when(event["time"])), f"event {seq}: key not in use")
        self.requests[event["request"]] = request

    def on_request_decision(self, event, detail, seq):
        request = self.live(event, *WAITS)
        said, key_id = payload_of(detail["envelope"])
        person, _ = self.policy.voters.get(key_id, (None, None))
        need("decision", person == detail["person"], f"event {seq}: the key is {person}'s")
        need("decision", said["request_sha256"] == request.sha256, f"event {seq}: about another request")
        need("decision", person not in request.document["requester"]["persons"],
             f"event {seq}: {person} is behind the request")
        need("decision", said["n"] > request.last_number(person, seq), f"event {seq}: n is {said['n']} again")
        request.votes.append((key_id, said["decision"]))
        request.numbers.setdefault(person, []).append((seq, said["n"]))
        state = "rejected" if said["decision"] == "reject" else self.policy.judge(request.document, request.votes)
        need("state", detail["state"] == state, f"event {seq}: {detail['state']} is written, it is {state}")
        self.decisions[detail["envelope"]] = seq
        request.move(seq, state)
        if state == "rejected":
            request.ended_by = "a rejection"

    def on_request_rejudged(self, event, detail, seq):
        request = self.live(event, *WAITS)
        state = self.policy.judge(request.document, request.votes)
        need("state", detail["state"] == state, f"event {seq}: {detail['state']} is written, it is {state}")
        request.move(seq, state)

    def on_request_cancelled(self, event, detail, seq):
        request = self.end(event, "cancelled", *WAITS)
        request.cancelled = seq
        need("actor", event["actor"] == request.document["requester"]["principal"] or
             event["actor"] == "daemon" and not self.policy.knows(request.document),
             f"event {seq}: cancelled by {event['actor']}")

    def on_request_expired(self, event, detail, seq):
        request = self.end(event, "expired", *WAITS)
        need("expired", when(event["time"]) >= when(request.document["expires"]), f"event {seq}: too early")

    def on_request_failed(self, event, detail, seq):
        request = self.end(event, "failed", "signing", "approved")
        need("state", not request.open, f"event {seq}: failed with an open intent")

    def on_sign_intent(self, event, detail, seq):
        request = self.live(event, "approved", "signing")
        artifact, time = detail["artifact"], when(event["time"])
        need("quorum", self.policy.knows(request.document) and
             self.policy.judge(request.document, request.votes) == "approved",
             f"event {seq}: an intent without a quorum")
        need("key", self.policy.may_use(request.document, time), f"event {seq}: an intent, the key is not in use")
        need("expired", when(request.document["created"]) <= time < when(request.document["expires"]),
             f"event {seq}: an attempt begins outside the request's life")
        need("intent", artifact not in request.open and artifact not in request.done,
             f"event {seq}: a second intent")
        need("intent", request.unknowns.get(artifact, 0) < 2, f"event {seq}: a third try after no answer")
        request.open.add(artifact)
        request.move(seq, "signing")

    def outcome(self, event, detail):
        request = self.live(event, "signing")
        need("outcome", detail["artifact"] in request.open, f"event {event['seq']}: an outcome without an intent")
        request.open.remove(detail["artifact"])
        return request

    def on_sign_done(self, event, detail, seq):
        self.outcome(event, detail).done[detail["artifact"]] = detail["signature_sha256"]

    def on_sign_failed(self, event, detail, seq):
        request = self.outcome(event, detail)
        if event["kind"] == "sign.unknown" or detail["reached_hsm"]:
            request.unknowns[detail["artifact"]] = request.unknowns.get(detail["artifact"], 0) + 1
        if not request.open:
            request.move(seq, "approved")

    on_sign_unknown = on_sign_failed

    def on_request_signed(self, event, detail, seq):
        request = self.end(event, "signed", "signing")
        request.signatures = [base64.b64decode(text) for text in detail["signatures"]]
        need("signature", not request.open and len(request.done) == len(request.document["artifacts"]) and
             [hashlib.sha256(s).hexdigest() for s in request.signatures] ==
             [request.done[n] for n in sorted(request.done)], f"event {seq}: not the signatures that were made")

    # --- answers ---

    def judge(self, answers):
        """Every answer must be one that the model allows at some moment between its request and itself."""
        order = Order(answers, self)
        for answer in answers:
            first, last = order.window(answer, self.size)
            need("order", answer.seq is None or first <= answer.seq,
                 f"{answer}: its event {answer.seq} is before event {first}, which was known before it was asked")
            getattr(self, "judge_" + answer.op)(answer, first, last)
        asked = sum(a.op == "submit" and a.problem == "denied" for a in answers)
        need("denied", asked == self.denied, f"{asked} submissions were denied, the log has {self.denied}")
        owned = sum(a.op == "decide" and a.status == 200 for a in answers)
        need("decision", owned == len(self.decisions), f"{owned} decisions were taken, the log has "
             f"{len(self.decisions)}")

    def view(self, answer, body):
        request = self.requests.get(body["id"])
        need("answer", request, f"{answer}: shows {body['id']}, which is not in the log")
        need("answer", request.at(body["revision"]) == body["state"],
             f"{answer}: shows {body['state']} at {body['revision']}, it was {request.at(body['revision'])}")
        shown = [base64.b64decode(text) for text in body.get("signatures", [])]
        need("signature", not shown or body["state"] == "signed" and shown == request.signatures,
             f"{answer}: signatures of a request that is {body['state']}")
        return request

    def judge_submit(self, answer, first, last):
        if answer.status in (200, 201, 202):
            request = self.view(answer, answer.body)
            need("answer", request.document["artifacts"][0]["digest"]["value"] == answer.digest,
                 f"{answer}: another request")
        else:
            need("refusal", answer.status in UNABLE or answer.problem == "denied" and not all(
                policy.takes_request(answer.key, answer.persons) for policy in self.policies_in(first, last)),
                f"{answer}: refused without a reason")

    def judge_view(self, answer, first, last):
        need("refusal", answer.status == 200 or answer.status in UNABLE, f"{answer}: not shown")
        if answer.status == 200:
            self.view(answer, answer.body)

    def over(self, answer, first, last):
        """Was there a moment at which the request took no decision and no cancellation?"""
        request = self.requests[answer.request]
        return (request.states_in(first, last) - set(WAITS) or answer.until >= when(request.document["expires"]))

    def judge_decide(self, answer, first, last):
        request = self.requests[answer.request]
        if answer.status == 200:
            need("decision", answer.envelope in self.decisions, f"{answer}: the decision is not in the log")
            self.view(answer, answer.body)
            return
        need("decision", answer.envelope not in self.decisions, f"{answer}: refused, but in the log")
        said, key_id = payload_of(answer.envelope)
        need("refusal", answer.status in UNABLE or self.over(answer, first, last) or
             answer.person in request.document["requester"]["persons"] or
             said["n"] <= request.last_number(answer.person, last) or
             said["decision"] == "withdraw" and not request.last_number(answer.person, first) or
             any(policy.takes_no_word(key_id, request.document) for policy in self.policies_in(first, last)),
             f"{answer}: refused without a reason")

    def judge_cancel(self, answer, first, last):
        request = self.requests[answer.request]
        if answer.status == 200:
            need("answer", request.ended_by == "request.cancelled", f"{answer}: but it ended by {request.ended_by}")
            self.view(answer, answer.body)
        else:
            need("refusal", answer.status in UNABLE or self.over(answer, first, last),
                 f"{answer}: refused without a reason")

    def judge_signature(self, answer, first, last):
        request = self.requests[answer.request]
        if answer.status == 200:
            need("signature", request.signatures and answer.body == request.signatures[0],
                 f"{answer}: a signature that the log has not released")
            check_signature(answer, request, self.policies)
        else:
            need("refusal", answer.status in UNABLE or request.states_in(first, last) - {"signed"},
                 f"{answer}: a signed request without its signature")


def check_signature(answer, request, policies):
    """Does what the client got verify under the key that the document names? ECDSA P-256 with SHA-256 only."""
    artifact = request.document["artifacts"][0]
    key = next(key for _, policy in policies for key in policy.keys.values()
               if key["id"] == artifact["key"]["spki_sha256"])
    public = serialization.load_der_public_key(key["der"])
    try:
        public.verify(answer.body, bytes.fromhex(artifact["digest"]["value"]),
                      ec.ECDSA(utils.Prehashed(hashes.SHA256())))
    except InvalidSignature:
        raise Outside("signature", f"{answer}: the signature does not verify") from None


class Answer:
    """What a client asked, when, and what it was told."""

    def __init__(self, op, request=None, **more):
        self.op, self.request = op, request
        self.sent = self.received = 0.0  # by the client's monotonic clock
        self.until = None  # wall clock at the answer, with a little more for its fractions
        self.status, self.body, self.problem, self.seq = None, None, None, None
        self.envelope = self.person = self.digest = self.key = self.persons = None
        self.__dict__.update(more)

    def __str__(self):
        return f"{self.op} of {self.request} ({self.person or '-'}), {self.status} {self.problem or ''} {self.body}"


class Order:
    """What was known when: who was answered before another asked is before it in the log, too."""

    def __init__(self, answers, model):
        for answer in answers:
            answer.seq = self.own_event(answer, model)
        self.received, self.known = [], []
        highest = 0
        for answer in sorted(answers, key=lambda a: a.received):
            seen = answer.body["revision"] if isinstance(answer.body, dict) and "revision" in answer.body else 0
            highest = max(highest, answer.seq or 0, seen)
            self.received.append(answer.received)
            self.known.append(highest)
        self.sent, self.later, lowest = [], [], model.size
        for answer in sorted(answers, key=lambda a: -a.sent):
            lowest = min(lowest, answer.seq - 1 if answer.seq else lowest)
            self.sent.append(-answer.sent)
            self.later.append(lowest)

    @staticmethod
    def own_event(answer, model):
        """The event that this answer's request caused."""
        if answer.op == "decide" and answer.status == 200:
            return model.decisions.get(answer.envelope)
        request = model.requests.get(answer.request)
        if answer.op == "submit" and answer.status in (201, 202) and request:
            return request.history[0][0]
        if answer.op == "cancel" and answer.status == 200 and request and request.ended_by == "request.cancelled":
            return request.cancelled
        return None

    def window(self, answer, size):
        """The first and the last event that may have been the log's end while this was answered."""
        index = bisect_right(self.received, answer.sent)
        first = self.known[index - 1] if index else 0
        index = bisect_right(self.sent, -answer.received)
        last = self.later[index - 1] if index else size
        return first, last
