# SPDX-License-Identifier: Apache-2.0
"""R13: approve, withdraw, reject, expire, cancel and policy changes race against signing; no signature is outside the
model.

Lanes send what shall race at once, over a connection for each principal, while the policy is reloaded again and again.
Afterwards tests/lib/racemodel.py replays the log and judges it and every answer. 300 races; 10,000 with CS_FULL=1
(make check-long). CS_SEED makes other races, CS_RACES another number.

Negative controls: doctored logs and answers, each of which the model must refuse by the rule that it breaks.
"""

import base64
import copy
import heapq
import json
import os
import random
import ssl
import sys
import threading
import time
from datetime import datetime, timedelta, timezone

import approvals
import edge
import instance
from racemodel import Answer, Model, Order, Outside, Policy, payload_of

SEED = int(os.environ.get("CS_SEED", "1"))
RACES = int(os.environ.get("CS_RACES", "10000" if os.environ.get("CS_FULL") else "300"))
LANES = 6
MORE_PEOPLE = {"approver4": "security", "approver5": "release"}
AGENTS = {"ci": "developer1", "ci2": "approver3"}  # an approver's own robot: she cannot approve what it asks
QUORUMS = [[("release", 1), ("security", 1)], [("release", 2), ("security", 1)], [("release", 1), ("security", 2)]]
# names, how often they are asked for, seconds that a request may wait
KEYS = {"app-prod": (8, 30), "short-prod": (4, 1), "swap-prod": (3, 30), "one-dev": (3, 30), "app-dev": (1, 30)}
SHORT = timedelta(seconds=1)
PREFIX = 3000  # events that are doctored; all of them twenty times would take long
FRESH = 15  # seconds; the server ends idle connections after 20


def quorum(lines):
    return [{"group": group, "count": count} for group, count in lines]


class Changes:
    """The policy, and how it changes."""

    def __init__(self):
        self.dice = random.Random(f"{SEED} policy")
        prod, _ = instance.token_template("prod")
        dev, _ = instance.token_template("dev")
        self.swaps = [(f"{n:02x}", prod.keygen(f"swap-{n}", f"{n:02x}", "p-256")) for n in (5, 6)]
        self.more = [("short-prod", "prod", "04", prod.keygen("short-prod", "04", "p-256")),
                     ("swap-prod", "prod", *self.swaps[0]),
                     ("one-dev", "dev", "03", dev.keygen("one-dev", "03", "p-256"))]
        self.second = approvals.Approver("approver1", "security", "approver1-second")

    def first(self, policy):
        policy["keys"] = [key for key in policy["keys"] if key["name"].startswith("app-")]
        policy["keys"] += [instance.signers.key(name, token, cka_id, "p-256", spki)
                           for name, token, cka_id, spki in self.more]
        for key in policy["keys"]:
            key["max_wait"] = f"{KEYS[key['name']][1]}s"
            if key["token"] == "prod":
                key["quorum"] = quorum(QUORUMS[0])
        self.key(policy, "one-dev")["quorum"] = quorum([("release", 1)])

    def access(self, it):
        def change(access):
            for principal in access["principals"]:
                principal["rate"] = 1000000
                if principal["role"] == "agent":
                    principal.update(keys=list(KEYS), open_requests=10000)
                    principal.pop("owners", None)
                    principal.pop("person", None)
                    principal["owners"] = [AGENTS[principal["name"]]]
        it.make_access(change)

    @staticmethod
    def key(policy, name):
        return next(key for key in policy["keys"] if key["name"] == name)

    def next(self, it):
        """Everything is thrown anew, so that what was removed comes back."""
        dice, policy = self.dice, copy.deepcopy(it.policy)
        policy["version"] += 1
        lines = dice.choice(QUORUMS)
        self.key(policy, "app-prod")["quorum"] = quorum(lines)
        self.key(policy, "short-prod")["disabled"] = dice.random() < 0.15
        self.key(policy, "one-dev")["disabled"] = dice.random() < 0.15
        cka_id, spki = self.swaps[dice.random() < 0.3]
        self.key(policy, "swap-prod").update(cka_id=cka_id, public_key=spki)
        everybody = it.approver_entries("test")
        if dice.random() < 0.3:
            everybody[0]["keys"] = [{"public_key": approvals.b64(self.second.spki),
                                     "enrolment": approvals.b64(self.second.enrolment("test"))}]
        gone = dice.choice(["approver2", "approver3", "approver4", "approver5", None, None])
        if gone == "approver4" and ("security", 2) in lines:
            gone = None
        policy["approvers"] = [entry for entry in everybody if entry["person"] != gone]
        it.policy = policy
        self.access(it)
        it.access["principals"] = [p for p in it.access["principals"] if p["name"] != gone]


class Changer(threading.Thread):
    """Reloads the policy until it is told to stop."""

    def __init__(self, it, changes):
        super().__init__()
        self.it, self.changes, self.stopping, self.failure = it, changes, threading.Event(), None

    def run(self):
        try:
            operator = self.it.client("operator1")
            while not self.stopping.wait(self.changes.dice.uniform(0.1, 0.8)):
                before = self.reloads()
                self.changes.next(self.it)
                self.it.reload()
                self.it.wait(lambda: self.reloads() > before, "reloaded")
                self.it.wait(lambda: operator.get("/v1/ready").status == 200, "ready")
        except Exception as error:  # for the main thread to raise
            self.failure = error

    def reloads(self):
        return self.it.log_file.read_text().count('"event":"reloaded"')


class Lane(threading.Thread):
    """Races, one after the other, and those that wait for their requests to expire in between."""

    def __init__(self, it, number, races, head):
        super().__init__()
        self.it, self.number, self.races, self.head = it, number, races, head
        self.dice = random.Random(f"{SEED} {number}")
        self.free, self.answers, self.due, self.failure = {}, [], [], None
        self.people = {a.person: a for a in it.people}

    def run(self):
        try:
            made = count = 0
            while made < self.races:
                made += self.race(count)
                count += 1
                self.run_due(time.time())
            while self.due:
                time.sleep(max(0, self.due[0][0] - time.time()))
                self.run_due(time.time())
        except Exception as error:  # for the main thread to raise
            self.failure = error

    def run_due(self, now):
        while self.due and self.due[0][0] <= now:
            self.volley(heapq.heappop(self.due)[2])

    # --- talking ---

    def connection(self, who):
        while self.free.get(who):
            client, since = self.free[who].pop()
            if time.monotonic() < since + FRESH:
                return client
            client.close()
        return edge.Client(self.it.port, self.it.ca, self.it.identities[who], timeout=60)

    def send(self, who, answer, method, path, body=None):
        """Ask; the answer is taken later, so that others may be asked meanwhile."""
        data = b""
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
        if body is not None:
            data = json.dumps(body).encode()
            lines.append("Content-Type: application/json")
        if method == "POST":
            lines.append(f"Content-Length: {len(data)}")
        answer.sent = time.monotonic()
        try:
            client = self.connection(who)
            client.send("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
        except (OSError, ssl.SSLError):
            client = None  # who was removed is not let in
        return who, client, answer

    def take(self, who, client, answer):
        response = client.read() if client else None
        answer.received = time.monotonic()
        answer.until = datetime.now(timezone.utc) + timedelta(milliseconds=1)
        self.answers.append(answer)
        if not response:
            answer.status, answer.problem = 403, "unauthenticated"
            return answer
        answer.status = response.status
        is_json = response.headers.get("content-type", "").startswith("application/json")
        answer.body = response.json if is_json else response.body
        if response.status >= 400:
            answer.problem = response.problem
        if response.closes:
            client.close()
        else:
            self.free.setdefault(who, []).append((client, answer.received))
        return answer

    def ask(self, *what):
        return self.take(*self.send(*what))

    def volley(self, what):
        """All at once, or with small gaps; then the answers."""
        sent = []
        for one in what:
            sent.append(self.send(*one))
            if self.dice.random() < 0.3:
                time.sleep(self.dice.random() * 0.004)
        for one in sent:
            self.take(*one)

    # --- one race ---

    def race(self, count):
        """True, unless the request was denied."""
        name = self.dice.choices(list(KEYS), [weight for weight, _ in KEYS.values()])[0]
        agent = "ci2" if self.dice.random() < 0.15 else "ci"
        request = Race(self, name, agent, f"{SEED} {self.number} {count}")
        if not request.id:
            return False
        for person in self.dice.sample(list(self.people), self.dice.choice([0, 1, 1, 2])):
            self.ask(*request.decide(person, "approve"))
        what = request.what_races()
        if name == "short-prod":
            at = time.time() + SHORT.total_seconds() - 0.02 + self.dice.gauss(0, 0.02)
            heapq.heappush(self.due, (at, count, what))
        else:
            self.volley(what)
            if self.dice.random() < 0.2:
                self.ask(*request.look(f"?wait={self.dice.choice([0, 1])}"))
            self.ask(*request.signature())
        return True


class Race:
    """One request and what may be said to it."""

    def __init__(self, lane, key, agent, image):
        self.lane, self.agent, self.numbers = lane, agent, {}
        digest = approvals.hashlib.sha256(image.encode()).hexdigest()
        artifact = {"name": "app", "digest": {"algorithm": "sha256", "value": digest}, "size": 1, "key": key}
        answer = lane.ask(agent, Answer("submit", digest=digest, key=key, persons=[AGENTS[agent]]), "POST",
                          "/v1/requests", {"artifacts": [artifact]})
        self.id = answer.request = answer.body["id"] if answer.status in (201, 202) else None
        self.sha256 = answer.body["document_sha256"] if self.id else None

    def what_races(self):
        dice, what = self.lane.dice, []
        people = dice.sample(list(self.lane.people), 4)
        for person in people[:dice.choice([1, 2, 2, 3])]:
            what.append(self.decide(person, "approve"))
        if dice.random() < 0.35:
            what.append(self.decide(dice.choice(list(self.numbers)), "withdraw"))
        if dice.random() < 0.2:
            what.append(self.decide(dice.choice(people), "reject"))
        if dice.random() < 0.2:
            what.append(self.cancel())
        if dice.random() < 0.5:
            what.append(dice.choice([self.look, self.signature])())
        dice.shuffle(what)
        return what

    def decide(self, person, word):
        self.numbers[person] = number = self.numbers.get(person, 0) + 1
        approver = self.lane.people[person]
        if person == "approver1" and self.lane.dice.random() < 0.3:
            approver = self.lane.it.changes.second
        envelope = approvals.b64(approver.envelope("decision", {
            "decision": word, "images_checked": [], "log": self.lane.head, "n": number,
            "request_sha256": self.sha256, "time": approvals.now(), "type": approvals.TYPE % "decision", "v": 1}))
        return (person, Answer("decide", self.id, envelope=envelope, person=person), "POST",
                f"/v1/requests/{self.id}/decisions", {"envelope": envelope})

    def cancel(self):
        return self.agent, Answer("cancel", self.id), "POST", f"/v1/requests/{self.id}/cancel"

    def look(self, query=""):
        return self.agent, Answer("view", self.id), "GET", f"/v1/requests/{self.id}{query}"

    def signature(self):
        return self.agent, Answer("signature", self.id), "GET", f"/v1/requests/{self.id}/signatures/0"


# --- negative controls ---


def everybody():
    """Who may have signed a decision."""
    return [approvals.Approver(person, group) for person, group in instance.PEOPLE.items()] + [
        approvals.Approver("approver1", "security", "approver1-second")]


def insert(events, at, kind, detail, request="", actor="daemon"):
    """The log with one event more before event `at`."""
    event = {**events[at - 1], "kind": kind, "detail": detail, "request": request, "actor": actor}
    return renumber(events[:at - 1] + [event] + events[at - 1:])


def renumber(events):
    return [{**event, "seq": number} for number, event in enumerate(events, 1)]


def doctored(events):
    """(name, rule, log) of logs that no honest server writes."""
    events = events[:PREFIX]
    signed = next(e for e in events if e["kind"] == "request.signed" and any(
        d["kind"] == "request.decision" and d["request"] == e["request"] for d in events))
    own = [event for event in events if event["request"] == signed["request"]]
    intent = next(event for event in own if event["kind"] == "sign.intent")
    done = next(event for event in own if event["kind"] == "sign.done")
    votes = [event for event in own if event["kind"] == "request.decision"]
    document = base64.b64decode(own[0]["detail"]["document"])
    loaded = [event for event in events if event["kind"] == "policy.loaded" and event["seq"] < intent["seq"]][-1]

    def vote(word, state, n=9):
        person = votes[-1]["detail"]["person"]
        approver = next(a for a in everybody() if a.person == person and
                        a.keyid in Policy(loaded["detail"]["resolved"]).voters)
        envelope = approver.envelope("decision", {
            "decision": word, "n": n, "request_sha256": approvals.hashlib.sha256(document).hexdigest()})
        return insert(events, intent["seq"], "request.decision", {
            "envelope": approvals.b64(envelope), "person": person, "state": state}, signed["request"], person)

    def policy(change):
        value = json.loads(base64.b64decode(loaded["detail"]["resolved"]))
        change(value)
        resolved = approvals.b64(approvals.canonical(value))
        return insert(events, intent["seq"], "policy.loaded", {**loaded["detail"], "resolved": resolved})

    def edited(event, **members):
        return [{**e, **members} if e is event else e for e in events]

    def key(value):
        name = json.loads(document)["artifacts"][0]["key"]["name"]
        return next(k for k in value["keys"] if k["name"] == name)

    def without_voter(value):
        value["approvers"] = [a for a in value["approvers"] if a["person"] != votes[-1]["detail"]["person"]]

    other = next(k for k in json.loads(base64.b64decode(loaded["detail"]["resolved"]))["keys"]
                 if k["name"] != json.loads(document)["artifacts"][0]["key"]["name"])
    late = json.loads(document)["expires"]
    yield "a signature after a rejection", "after-end", vote("reject", "rejected")
    yield "a rejection that counts for nothing", "state", vote("reject", "approved")
    yield "a signature after the withdrawal of an approval", "state", vote("withdraw", "pending")
    yield "a withdrawal that counts for nothing", "state", vote("withdraw", "approved")
    yield "the same n twice", "decision", vote("approve", "approved", 1)
    yield "a signature after expiry", "after-end", insert(edited(intent, time=late), intent["seq"], "request.expired", {},
                                                          signed["request"])
    yield "an attempt that begins when the request is over", "expired", edited(intent, time=late)
    yield "a signature after a cancellation", "after-end", insert(
        events, intent["seq"], "request.cancelled", {"reason": ""}, signed["request"], own[0]["actor"])
    yield "a cancellation by somebody else", "actor", insert(
        events, intent["seq"], "request.cancelled", {"reason": ""}, signed["request"], "ci9")
    yield "a signature by a removed approver's word", "quorum", policy(without_voter)
    yield "a signature under a raised quorum", "quorum", policy(
        lambda value: key(value).update(quorum=quorum([("release", 9)])))
    yield "a signature by a key that was replaced", "quorum", policy(lambda value: key(value).update(spki=other["spki"]))
    yield "a signature by a disabled key", "key", policy(lambda value: key(value).update(disabled=True))
    yield "a signature without the last approval", "state", renumber([e for e in events if e is not votes[-1]])
    yield "a signature without an intent", "state", renumber([e for e in events if e is not intent])
    yield "a second intent", "intent", insert(events, done["seq"], "sign.intent", intent["detail"], signed["request"])
    yield "a second outcome", "outcome", insert(events, done["seq"] + 1, "sign.done", done["detail"], signed["request"])
    yield "an intent after the end", "after-end", insert(events, signed["seq"] + 1, "sign.intent", intent["detail"],
                                                         signed["request"])
    yield "a release after the release", "after-end", insert(events, signed["seq"] + 1, "request.signed",
                                                             signed["detail"], signed["request"])
    yield "a release of something else", "signature", edited(
        signed, detail={"signatures": [approvals.b64(b"something else")]})
    yield "an event that is missing", "seq", [e for e in events if e is not done]


def false_answers(model, answers):
    """(name, rule, answers) of clients who were told what the log does not bear out."""
    def changed(find, **members):
        found = next(a for a in answers if find(a))
        fake = copy.copy(found)
        fake.__dict__.update(members)
        return [fake if a is found else a for a in answers]

    def is_over(*ends):
        return lambda a: a.op == "signature" and a.status != 200 and model.requests[a.request].state in ends

    taken = next(a for a in answers if a.op == "decide" and a.status == 200 and a.body["state"] == "pending")
    got = next(a for a in answers if a.op == "signature" and a.status == 200)
    yield "a signature of a rejected request", "signature", changed(is_over("rejected"), status=200, body=got.body)
    yield "a signature of an expired request", "signature", changed(is_over("expired", "cancelled"), status=200,
                                                                    body=got.body)
    yield "another signature", "signature", changed(lambda a: a is got, body=got.body[:-1] + b"\0")
    yield "a view of another state", "answer", changed(lambda a: a is taken, body={**taken.body, "state": "approved"})
    yield "a decision that was refused and is in the log", "decision", changed(lambda a: a is taken, status=409,
                                                                               problem="conflict", body=b"")
    yield "a decision that was taken and is not in the log", "decision", changed(
        lambda a: a.op == "decide" and a.status == 409, status=200, body=taken.body)
    yield "a cancellation that did not happen", "answer", changed(
        lambda a: a.op == "cancel" and a.status == 409 and model.requests[a.request].state == "signed", status=200,
        body=taken.body)
    yield "an answer before its event", "order", changed(
        lambda a: a is taken, sent=answers[-1].received + 1, received=answers[-1].received + 2)
    yield "a denial that the log does not have", "refusal", changed(
        lambda a: a.op == "submit" and a.status == 202, status=403, problem="denied", body=b"", request=None)
    order = Order(answers, model)

    def could_have_been_taken(a):
        first, last = order.window(a, model.size)
        return (a.op == "decide" and a.status == 200 and not model.over(a, first, last) and
                len(model.policies_in(first, last)) == 1)

    fine = next(filter(could_have_been_taken, answers))
    approver = next(a for a in everybody() if a.keyid == payload_of(fine.envelope)[1])
    refused = copy.copy(fine)
    refused.__dict__.update(status=409, problem="conflict", body=b"", envelope=approvals.b64(
        approver.envelope("decision", {"decision": "approve", "n": 99})))
    yield "a refusal without a reason", "refusal", answers + [refused]


def must_refuse(name, rule, judge):
    try:
        judge()
    except Outside as outside:
        assert outside.args[0] == rule, f"{name}: refused by {outside.args}, expected {rule}"
    else:
        raise AssertionError(f"the model allows {name}")


def check_the_checker(events, model, answers):
    """A model that allows everything would have found nothing, too."""
    count = 0
    for name, rule, log in doctored(events):
        must_refuse(name, rule, lambda: Model(log))
        count += 1
    for name, rule, told in false_answers(model, answers):
        must_refuse(name, rule, lambda: model.judge(told))
        count += 1
    return count


def run_races(it, changes):
    """Every answer that clients got."""
    head = it.head()
    changer = Changer(it, changes)
    lanes = [Lane(it, number, -(-RACES // LANES), head) for number in range(LANES)]
    for thread in (changer, *lanes):
        thread.start()
    for lane in lanes:
        lane.join()
    changer.stopping.set()
    changer.join()
    for thread in (changer, *lanes):
        if thread.failure:
            raise thread.failure
    return sorted((answer for lane in lanes for answer in lane.answers), key=lambda a: a.received)


def main():
    start = time.monotonic()
    instance.PEOPLE.update(MORE_PEOPLE)
    changes = Changes()
    with instance.Instance(children=2, start=False, change_policy=changes.first,
                           config={"auth-failures": 1000000}) as it:
        it.changes = changes
        changes.access(it)
        it.start_signers()
        it.start()
        answers = run_races(it, changes)
        raced = time.monotonic() - start
        lines, head = it.export()
        status, output = it.verify(lines, head)
        assert status == 0, output
    events = [json.loads(line) for line in lines]
    model = Model(events)
    model.judge(answers)
    ends = {}
    for request in model.requests.values():
        ends[request.state] = ends.get(request.state, 0) + 1
    controls = check_the_checker(events, model, answers)
    refused = sum(a.status >= 400 for a in answers)
    got = sum(a.op == "signature" and a.status == 200 for a in answers)
    assert min(ends.get(state, 0) for state in ("signed", "rejected", "expired", "cancelled")) > 0, ends
    print(f"promise R13: {len(model.requests)} races (seed {SEED}), {len(model.policies)} policies, {len(answers)} "
          f"answers of which {refused} refusals, {got} signatures received, ends {ends}: nothing outside the model; "
          f"{len(events)} events; {controls} doctored logs and answers refused; raced for {raced:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
