# SPDX-License-Identifier: Apache-2.0
"""Honest logs, and logs that somebody tampered with, each with the rule that must find it.

`python3 logstories.py write DIR` makes them all anew as files, with what verifiers must say in expected.json;
`keep` made the one in tests/vectors/log.
"""

import base64
import copy
import functools
import json
import random
import sys
from pathlib import Path

import logmaker
from logmaker import APPROVERS, KEYS, STRANGER, Key, Log, Policy, b64, canonical, chain, event_hash, sha256

HONEST, ANCHORED, FAILED = 3, 0, 1  # exit codes; honest logs without a known head are "consistent"


def everything():
    """About 200 events with every kind of event and every turn that a request may take."""
    log = Log()
    log.start(Policy())
    log.add("auth.refused", {"count": 3, "reason": "certificate expired", "source": "192.0.2.7"})
    log.add("access.refused", {"count": 1, "method": "GET", "path": "/v1/audit/head\\x1b", "role": "agent"}, actor="agent1")
    log.add("request.denied", {"fingerprint": sha256(b"x"), "reason": "agent1 may not use os-prod",
                               "rule": "key-not-allowed"}, actor="agent1")
    log.add("request.denied", {"fingerprint": sha256(b"y"), "reason": "no key \u00fcber-prod", "rule": "key-unknown"},
            "019aa5e7-3c1f-7a3e-9d55-ffffffffffff", "agent1")

    for keys in (["app-dev"], ["radio-dev"], ["app-dev", "radio-dev"]):
        log.request(keys, state="approved").sign()

    several = log.request(["app-prod", "boot-prod", "modem-prod", "os-prod"])
    several.decide("approver5", "approve", "pending")
    several.decide("approver3", "approve", "approved", lag=3)
    several.sign()

    changed_mind = log.request(["app-prod"])
    changed_mind.approve()
    changed_mind.decide("approver2", "withdraw", "pending")
    changed_mind.decide("approver3", "approve", "approved")
    changed_mind.decide("approver2", "approve", "approved")
    changed_mind.sign()

    rejected = log.request(["boot-prod"])
    rejected.decide("approver1", "approve", "pending")
    rejected.decide("approver3", "reject", "rejected")

    log.request(["app-prod"], lifetime=60).end("request.expired")
    log.request(["app-prod"]).end("request.cancelled", "agent1", reason="wrong image")

    retried = log.request(["app-prod", "boot-prod"])
    retried.approve()
    retried.intent(0)
    retried.intent(1, token=False)
    retried.done(0)
    retried.not_done(1, "sign.failed", "CKR_SESSION_HANDLE_INVALID", False)
    log.add("signer.lost", {"message": "connection refused", "token": "prod"})
    log.add("signer.back", {"message": "after 2 s", "token": "prod"})
    retried.intent(1)
    retried.done(1)
    retried.release()

    failed = log.request(["boot-prod"])
    failed.approve()
    failed.intent(0, token=None)
    failed.not_done(0, "sign.failed", "CKR_DEVICE_ERROR", True)
    failed.end("request.failed", reason="CKR_DEVICE_ERROR")

    interrupted = log.request(["app-prod", "os-prod"])
    interrupted.approve()
    interrupted.intent(0)
    interrupted.intent(1, token=False)
    interrupted.done(0)
    log.add("daemon.unclean-stop", {"last_seq": len(log.recipes)})
    log.start(log.policy)
    interrupted.not_done(1, "sign.unknown", "restart", False)
    interrupted.intent(1, token=False)
    interrupted.not_done(1, "sign.failed", "CKR_TOKEN_NOT_PRESENT", False)
    interrupted.intent(1)
    interrupted.done(1)
    interrupted.release()

    log.add("disk.low", {"free_bytes": 1024, "watermark_bytes": 4096})
    log.add("disk.back", {"free_bytes": 8192, "watermark_bytes": 4096})
    log.add("log.damaged", {"message": "its bytes do not have its hash", "seq": 3})
    log.add("log.exported", {"from": 1, "to": len(log.recipes)}, actor="auditor1")

    before = log.request(["app-prod"])
    before.decide("approver2", "approve", "pending")
    before.decide("approver1", "approve", "approved")
    replaced = log.request(["modem-prod"])

    def leaves(policy):
        policy["approvers"] = [a for a in policy["approvers"] if a["person"] != "approver2"]
        modem = next(k for k in policy["keys"] if k["name"] == "modem-prod")
        modem.update(hash="sha512")

    log.load(Policy().changed(2, leaves))
    before.end("request.rejudged", reason="approver2 is no approver any more", state="pending")
    replaced.end("request.cancelled", reason="key modem-prod has another hash")
    before.decide("approver3", "approve", "approved")
    before.sign()

    log.add("clock.jump", {"jump_us": -5000000}, after=-5)
    log.add("clock.jump", {"jump_us": 2500000}, after=2.5)
    for _ in range(6):
        log.request(["app-dev"], state="approved").sign()
        request = log.request(["app-prod"])
        request.decide("approver1", "approve", "pending")
        request.decide("approver3", "approve", "approved")
        request.sign()
    log.add("daemon.stopped")
    log.start(log.policy)
    for _ in range(6):
        log.request(["radio-dev"], state="approved").sign()
    log.add("daemon.stopped")
    log.start(log.policy, restored=lambda known: {"kept_size": 4711})
    log.add("daemon.stopped")
    log.start(log.policy, restored=lambda known: {"kept_id": sha256(b"another log")})
    log.add("daemon.stopped")
    return log


def limited(uses):
    """A key that may make three signatures from some policy on, and is used so many times."""
    log = Log()
    log.start(Policy())
    log.request(["app-dev"], state="approved").sign()
    log.load(Policy().changed(2, lambda value: value["keys"][0].update(max_uses=3)))
    for number in range(uses):
        request = log.request(["app-dev"], state="approved")
        request.intent(0, token=False)
        request.not_done(0, "sign.failed", "CKR_TOKEN_NOT_PRESENT", False)
        if number != 1:
            request.sign()
            continue
        request.intent(0)
        request.not_done(0, "sign.unknown", "connection", False)
        request.end("request.failed", reason="the signer gave no answer")
    return log


NOISE = [  # events that concern no request
    ("auth.refused", {"count": 3, "reason": "certificate expired", "source": "192.0.2.7"}),
    ("access.refused", {"count": 1, "method": "GET", "path": "/v1/audit/head", "role": "agent"}),
    ("request.denied", {"fingerprint": sha256(b"x"), "reason": "agent1 may not use os-prod", "rule": "key-not-allowed"}),
    ("log.exported", {"from": 1, "to": 2}),
    ("signer.lost", {"message": "connection refused", "token": "prod"}),
    ("signer.back", {"message": "after 2 s", "token": "prod"}),
    ("signer.selftest", {"failed": 0, "keys": 3, "ok": True, "token": "dev"}),
    ("clock.jump", {"jump_us": 1500000}),
    ("disk.low", {"free_bytes": 1024, "watermark_bytes": 4096}),
    ("disk.back", {"free_bytes": 8192, "watermark_bytes": 4096}),
]


def turns(dice, log):
    """A request that takes turns by chance, one step each; yields whether the daemon may stop there."""
    name = dice.choices(["app-dev", "radio-dev", "app-prod", "os-prod", "boot-prod"], [6, 4, 6, 3, 1])[0]
    if name.endswith("dev"):
        request = log.request([name], state="approved")
        yield True
    else:
        request = log.request([name] if dice.random() < 0.8 else [name, "app-prod" if name != "app-prod" else "os-prod"])
        yield True
        if (yield from deliberation(dice, request)):
            return
    while True:
        asked = dice.random() > 0.1
        for index in range(len(request.keys)):
            request.intent(index, token=asked)
            yield False
        for index in range(len(request.keys)):
            if asked:
                request.done(index)
            else:
                request.not_done(index, "sign.failed", "CKR_TOKEN_NOT_PRESENT", False)
            yield index + 1 == len(request.keys) and not asked
        if asked:
            request.release()
            return


def deliberation(dice, request):
    """Decisions until the request is approved; True when it ended before."""
    people = [dice.choice(["approver1", "approver1", "approver1", "approver5"]),
              dice.choice(["approver2", "approver3"])]
    dice.shuffle(people)
    first, second = people
    if dice.random() < 0.1:
        request.end(*dice.choice([("request.cancelled", "agent1"), ("request.cancelled", "daemon")]), reason="wrong image")
        return True
    request.decide(first, "approve", "pending")
    yield True
    if dice.random() < 0.15:
        request.decide(first, "withdraw", "pending")
        yield True
        request.decide(first, "approve", "pending", lag=1)
        yield True
    turn = dice.random()
    if turn < 0.1:
        request.decide(second, "reject", "rejected")
    elif turn < 0.2:
        request.end("request.expired")
    else:
        request.decide(second, "approve", "approved", lag=2)
        yield True
    return turn < 0.2


@functools.cache
def first_policy():
    """Made once: its enrolments cost more than a short log."""
    return Policy()


def anything(seed, size):
    """The first `size` events of a log in which many requests take turns by chance: another one for each seed."""
    dice = random.Random(seed)
    log, live = Log(), []
    log.start(first_policy())
    while len(log.recipes) < size:
        turn = dice.random()
        if turn < 0.03 and all(may_stop for _, may_stop in live):
            log.add("daemon.stopped")
            if dice.random() < 0.5:
                log.policy = log.policy.changed(log.policy.version + 1, lambda value: None)
            log.start(log.policy)
        elif turn < 0.08:
            kind, detail = dice.choice(NOISE)
            log.add(kind, detail)
        elif turn < 0.3 and len(live) < 6 or not live:
            live.append((turns(dice, log), True))
        else:
            at = dice.randrange(len(live))
            request, _ = live.pop(at)
            try:
                live.append((request, next(request)))
            except StopIteration:
                pass
    return log.chain()[:size]


def short():
    """One prod request with two artifacts, one dev request."""
    log = Log()
    log.start(Policy())
    log.first = log.request(["app-prod", "boot-prod"])
    log.first.approve()
    log.first.sign()
    log.second = log.request(["app-dev"], state="approved")
    log.second.sign()
    log.add("daemon.stopped")
    return log


def live():
    """Ends within an attempt."""
    log = Log()
    log.start(Policy())
    log.first = log.request(["app-dev"], state="approved")
    log.first.intent(0)
    return log


# --- tampering, hashed again afterwards --------------------------------------------------------


def at(log, kind, nth=0):
    """Index of the nth recipe of a kind."""
    return [n for n, recipe in enumerate(log.recipes) if recipe["kind"] == kind][nth]


def edit(kind, nth=0, /, **members):
    """Change members of a detail."""
    def tamper(log):
        log.recipes[at(log, kind, nth)]["detail"].update(members)
    return tamper


def drop(kind, nth=0):
    def tamper(log):
        del log.recipes[at(log, kind, nth)]
    return tamper


def forge(kind, nth=0, /, **members):
    """Change members of the event itself."""
    def tamper(log):
        log.recipes[at(log, kind, nth)].update(members)
    return tamper


def again(kind, nth=0, last=None):
    """The same event once more, right behind or at the end."""
    def tamper(log):
        where = at(log, kind, nth)
        to = where + 1 if last is None else len(log.recipes)
        log.recipes.insert(to, {**log.recipes[where], "time": log.recipes[to - 1]["time"]})
    return tamper


def decided(nth, change):
    """Let a function change the nth decision's finished detail."""
    def tamper(log):
        recipe = log.recipes[at(log, "request.decision", nth)]
        make = recipe["detail"]
        recipe["detail"] = lambda known: change(log, make(known))
    return tamper


def story(tell):
    """A log of its own instead of a changed short()."""
    def tamper(log):
        other = Log()
        tell(other)
        log.recipes, log.journals = other.recipes, other.journals
    return tamper


def break_signature(_, detail):
    envelope = json.loads(base64.b64decode(detail["envelope"]))
    signature = bytearray(base64.b64decode(envelope["signatures"][0]["sig"]))
    signature[-1] ^= 1
    envelope["signatures"][0]["sig"] = b64(bytes(signature))
    return {**detail, "envelope": b64(canonical(envelope))}


def second_decision(**changes):
    """The second approval of the request made with other arguments."""
    def tell(log):
        log.start(Policy())
        request = log.request(["app-prod"], **changes.pop("request", {}))
        request.decide("approver1", "approve", "pending")
        request.decide(**{"person": "approver2", "decision": "approve", "state": "approved", **changes})
        request.sign()
    return story(tell)


def policy_after(version, change):
    """Another policy loaded at the end of the log."""
    def tamper(log):
        log.add("policy.loaded", Policy().changed(version, change).detail())
    return tamper


def one_approval(policy):
    policy["keys"][1]["quorum"] = [{"count": 1, "group": "release"}]


def stolen_enrolment(policy):
    policy["approvers"][1]["keys"][0] = Policy.approver("approver2", "security", STRANGER)["keys"][0]
    policy["approvers"][1]["keys"][0]["enrolment"] = Policy().value["approvers"][1]["keys"][0]["enrolment"]


def disabled(policy):
    for key in policy["keys"]:
        key["disabled"] = True


def reload_before_signing(change):
    """The approved request is signed although the policy does not allow it any more."""
    def tell(log):
        log.start(Policy())
        request = log.request(["app-prod"])
        request.approve()
        log.load(Policy().changed(2, change))
        request.sign()
    return story(tell)


def without_approver2(policy):
    policy["approvers"] = [a for a in policy["approvers"] if a["person"] != "approver2"]


def other_signature(log):
    """Another valid signature of the same bytes."""
    signed = log.recipes[at(log, "request.signed")]["detail"]["signatures"]
    artifact = log.first.doc["artifacts"][0]
    signed[0] = b64(KEYS["app-prod"][1].sign("ecdsa", bytes.fromhex(artifact["digest"]["value"]), "sha256"))


def other_image(log):
    """A signature of another digest, with its sign.done to match."""
    signature = KEYS["app-prod"][1].sign("ecdsa", bytes(32), "sha256")
    log.recipes[at(log, "request.signed")]["detail"]["signatures"][0] = b64(signature)
    log.recipes[at(log, "sign.done")]["detail"].update(
        signature_sha256=sha256(signature), raw_sha256=sha256(KEYS["app-prod"][1].raw(signature)))


def sign_again(log):
    """One more intent for an artifact that is signed."""
    done, intent = log.recipes[at(log, "sign.done")], log.recipes[at(log, "sign.intent")]
    log.recipes.insert(log.recipes.index(done) + 1,
                       {**intent, "time": done["time"], "detail": {**intent["detail"], "attempt": 2}})


def sign_before_approval(log):
    first, last = at(log, "request.decision"), at(log, "request.signed")
    decisions = log.recipes[first:first + 2]
    log.recipes[first:last] = log.recipes[first + 2:last] + decisions


def interrupted(outcome):
    """A start of the daemon with an intent open, and what follows."""
    def tell(log):
        log.start(Policy())
        request = log.request(["app-prod"])
        request.approve()
        request.intent(0)
        log.add("daemon.unclean-stop", {"last_seq": len(log.recipes)})
        log.start(log.policy)
        outcome(request)
    return story(tell)


def unknown_twice(request):
    request.not_done(0, "sign.unknown", "restart", False)
    request.intent(0, token=False)
    request.not_done(0, "sign.unknown", "timeout", True)
    request.intent(0)


def too_late(log):
    log.start(Policy())
    request = log.request(["app-prod"], lifetime=60)
    request.approve()
    request.sign()


def while_signing(log):
    log.start(Policy())
    request = log.request(["app-prod"])
    request.approve()
    request.intent(0)
    request.decide("approver2", "withdraw", "pending")


def wrong_actor(log):
    log.start(Policy())
    log.request(["app-prod"]).end("request.cancelled", "agent2", reason="not hers")


def never_tried(log):
    log.start(Policy())
    log.request(["app-prod"]).end("request.failed", reason="no reason")


def kept_back(log):
    log.start(Policy())
    request = log.request(["app-dev"], state="approved")
    request.intent(0)
    request.done(0)
    request.end("request.expired")


def badly_judged(log):
    log.start(Policy())
    log.request(["app-prod"]).end("request.rejudged", reason="because", state="approved")


def after_rejection(log):
    log.start(Policy())
    request = log.request(["app-prod"])
    request.decide("approver1", "reject", "rejected")
    request.decide("approver2", "approve", "pending")


def restored(change):
    """A start with a database that was restored, and what the event says else."""
    def tell(log):
        log.start(Policy())
        log.add("daemon.stopped")
        log.start(log.policy, restored=change)
    return story(tell)


def document(**changes):
    """A request whose document has other members."""
    def tell(log):
        log.start(Policy())
        log.request(["app-dev"], state="approved", change=lambda doc: doc.update(changes))
    return story(tell)


def foreign_key(doc):
    doc["artifacts"][0]["key"]["spki_sha256"] = STRANGER.id


def unsigned_key(log):
    log.start(Policy())
    log.request(["app-dev"], state="approved", change=foreign_key)


def wrong(**members):
    return lambda payload: payload.update(members)


def wrong_head(**members):
    return lambda payload: payload["log"].update(members)


TAMPERED = {  # what was done: how, and the rule that finds it
    "a decision is missing": (drop("request.decision", 1), "intent-quorum"),
    "both decisions are missing": (lambda log: [drop("request.decision")(log) for _ in "12"], "intent-quorum"),
    "one approval is called a quorum": (
        lambda log: (edit_state(log), drop("request.decision", 1)(log)), "state"),
    "a decision's signature is broken": (decided(1, break_signature), "decision"),
    "a decision by a key that nobody enrolled": (second_decision(key=STRANGER), "decision"),
    "a decision under somebody else's name": (
        second_decision(person="approver2", key=APPROVERS["approver3"][1]), "decision"),
    "the same person approves twice": (
        second_decision(person="approver1", decision="approve"), "state"),
    "two of the same group approve": (second_decision(person="approver5"), "state"),
    "the requester approves": (second_decision(request={"persons": ("approver2", "x")}), "decision"),
    "a decision on another document": (second_decision(change=wrong(request_sha256="0" * 64)), "decision"),
    "a decision of an unknown word": (second_decision(change=wrong(decision="maybe")), "decision"),
    "a decision with another member": (second_decision(change=wrong(extra=1)), "decision"),
    "a decision is posted twice": (again("request.decision"), "decision"),
    "a decision with n again": (second_decision(person="approver1", n=1), "decision"),
    "a decision that saw another head": (second_decision(change=wrong_head(head="1" * 64)), "decision-log"),
    "a decision that saw another log": (second_decision(change=wrong_head(id="1" * 64)), "decision-log"),
    "a decision that saw the future": (second_decision(change=wrong_head(size=99)), "decision-log"),
    "a decision within an attempt": (story(while_signing), "state"),
    "a decision after the end": (again("request.decision", last=True), "request"),
    "a decision after the rejection": (story(after_rejection), "request"),
    "a rejection is called pending": (second_decision(decision="reject", state="pending"), "state"),
    "signed before it was approved": (sign_before_approval, "intent-quorum"),
    "created as approved": (edit("request.created", state="approved"), "state"),
    "created twice": (again("request.created"), "request"),
    "never created": (drop("request.created"), "request"),
    "created by another": (forge("request.created", actor="agent2"), "document"),
    "a document of another request": (forge("request.created", request="019aa5e7-3c1f-7a3e-9d55-0000000000ff"),
                                      "document"),
    "a document of another instance": (document(instance="other"), "document"),
    "a document under another policy": (document(policy={"digest": "0" * 64, "version": 1}), "document"),
    "a document with another member": (document(extra=True), "document"),
    "a document of another environment": (document(environment="prod"), "document"),
    "a document from the future": (document(created="2026-11-21T23:00:00.000000Z"), "document"),
    "a document that waits too long": (document(expires="2026-12-01T00:00:00.000000Z"), "document"),
    "a document with another key": (story(unsigned_key), "document"),
    "judged again, wrongly": (story(badly_judged), "state"),
    "cancelled by another agent": (story(wrong_actor), "actor"),
    "failed without an attempt": (story(never_tried), "state"),
    "a restore of another log": (restored(lambda known: {"id": "1" * 64}), "restored"),
    "a restore that found another head": (restored(lambda known: {"head": "1" * 64}), "restored"),
    "a restore that found the future": (restored(lambda known: {"size": 99}), "restored"),
    "a restore after nothing was lost": (restored(lambda known: {"kept_head": known[1], "kept_size": 2}), "restored"),
    "an intent is missing": (drop("sign.intent"), "outcome"),
    "an intent twice": (again("sign.intent"), "intent"),
    "an intent with another attempt": (edit("sign.intent", attempt=2), "intent"),
    "an intent for another key": (edit("sign.intent", spki_sha256="0" * 64), "intent"),
    "an intent for other bytes": (edit("sign.intent", tbs_sha256="0" * 64), "intent"),
    "an intent on another token": (edit("sign.intent", token="dev"), "intent"),
    "an intent for no artifact": (edit("sign.intent", 2, artifact=1), "intent"),
    "a second signature": (sign_again, "intent"),
    "an intent after the end": (again("sign.intent", last=True), "request"),
    "a third attempt after two without an answer": (interrupted(unknown_twice), "intent"),
    "an outcome is missing": (drop("sign.done", 1), "signed"),
    "an outcome twice": (again("sign.done"), "outcome"),
    "an outcome of another attempt": (edit("sign.done", attempt=2), "outcome"),
    "an interrupted intent is called done": (interrupted(lambda request: request.done(0)), "outcome"),
    "signed after it expired": (story(too_late), "intent-quorum"),
    "signed with a disabled key": (reload_before_signing(disabled), "intent-quorum"),
    "signed after an approver was removed": (reload_before_signing(without_approver2), "intent-quorum"),
    "the release is missing": (lambda log: (drop("request.signed")(log), log.first.end("request.expired")), "signed"),
    "expired instead of released": (story(kept_back), "signed"),
    "a signature too few": (edit("request.signed", 1, signatures=[b64(b"x"), b64(b"y")]), "signed"),
    "another signature of the same bytes": (other_signature, "signature"),
    "a signature of another image": (other_image, "signature"),
    "an outcome names another signature": (edit("sign.done", signature_sha256="0" * 64), "signature"),
    "an outcome names another raw signature": (edit("sign.done", raw_sha256="0" * 64), "signature"),
    "a policy with a lower version": (lambda log: (policy_after(3, lambda p: None)(log),
                                                   policy_after(2, lambda p: None)(log)), "policy-version"),
    "another policy with the same version": (policy_after(1, disabled), "policy-version"),
    "a policy with another digest": (edit("policy.loaded", digest="0" * 64), "policy"),
    "a policy with another version": (edit("policy.loaded", version=2), "policy"),
    "a policy of another instance": (policy_after(2, lambda p: p.update(instance="other")), "policy"),
    "a policy with another member": (policy_after(2, lambda p: p.update(extra=1)), "policy"),
    "a policy with a quorum of one": (policy_after(2, one_approval), "policy"),
    "a policy with a stolen enrolment": (policy_after(2, stolen_enrolment), "policy"),
    "a policy with a group too small": (policy_after(2, lambda p: p["approvers"].pop(0) and p["approvers"].pop(-1)),
                                        "policy"),
    "time goes back": (forge("daemon.stopped", time="2026-11-21T07:00:00.000000Z"), "time"),
    "a log without its beginning": (drop("log.created"), "first"),
    "a log that begins twice": (again("log.created"), "first"),
    "a start without a stop": (again("daemon.started"), "restart"),
    "a stop without a start": (again("daemon.stopped"), "restart"),
    "an unknown kind": (forge("daemon.stopped", kind="daemon.paused"), "line"),
    "an unknown member": (forge("daemon.stopped", extra=1), "line"),
    "an unknown member of a detail": (edit("access.loaded", extra=1), "line"),
    "a member of a detail is missing": (lambda log: log.recipes[at(log, "access.loaded")]["detail"].pop("digest"),
                                        "line"),
    "a number where text belongs": (edit("daemon.started", version=1), "line"),
    "a number out of range": (edit("sign.intent", artifact=16), "line"),
    "bidirectional text": (edit("daemon.started", version="\u202e1.0"), "line"),
    "an actor with a space": (forge("daemon.stopped", actor="the daemon"), "line"),
    "a time without microseconds": (forge("daemon.stopped", time="2026-11-21T09:00:00Z"), "line"),
    "a request where none belongs": (forge("daemon.stopped", request="019aa5e7-3c1f-7a3e-9d55-000000000001"), "line"),
    "no request where one belongs": (forge("sign.intent", request=""), "line"),
}


def edit_state(log):
    """The first decision claims that it was enough."""
    decided(0, lambda _, detail: {**detail, "state": "approved"})(log)


# --- tampering with the lines as they are: the chain itself --------------------------------------


def rehash(lines):
    """Number and link again without signing again: what somebody with the database alone can do."""
    return chain([{k: v for k, v in json.loads(line).items() if k not in ("seq", "prev")} for line in lines])


LINES = {  # what was done to the lines: how, and the rule that finds it
    "a byte is changed": (lambda l: [*l[:3], l[3].replace(b"access", b"excess"), *l[4:]], "line"),
    "a letter in free text is changed": (lambda l: [l[0], l[1].replace(b"0.1.0", b"0.1.1"), *l[2:]], "prev"),
    "a line is deleted": (lambda l: l[:5] + l[6:], "seq"),
    "two lines are swapped": (lambda l: [*l[:4], l[5], l[4], *l[6:]], "seq"),
    "a line is doubled": (lambda l: [*l[:4], l[4], *l[4:]], "seq"),
    "a line is empty": (lambda l: [*l[:4], b"", *l[4:]], "line"),
    "white space is added": (lambda l: [*l[:4], l[4] + b" ", *l[5:]], "line"),
    "a key is doubled": (lambda l: [*l[:4], l[4].replace(b'{"actor":', b'{"actor":"x","actor":'), *l[5:]], "line"),
    "a number has a fraction": (lambda l: [l[0], l[1].replace(b"4711", b"4711.0"), *l[2:]], "line"),
    "invalid UTF-8": (lambda l: [l[0], l[1].replace(b"0.1.0", b"0.\xff.0"), *l[2:]], "line"),
    "nothing is left": (lambda l: [], "empty"),
    "an early event is dropped and all is hashed again": (lambda l: rehash(l[:3] + l[4:]), "decision-log"),
}


# --- what the auditor knows besides ---------------------------------------------------------------


def head(lines, size):
    return f"{size}:{event_hash(lines[size - 1])}"


def heads_line(lines, size):
    return f"{event_hash(lines[0])} {size} {event_hash(lines[size - 1])}\n"


OPTIONS = {  # what is known: function of log and lines → lines, options; exit code and rule
    "its last head": (lambda g, l: (l, {"head": [head(l, len(l))]}), ANCHORED, None),
    "an earlier head": (lambda g, l: (l, {"head": [head(l, 7)]}), ANCHORED, None),
    "two heads": (lambda g, l: (l, {"head": [head(l, 7), head(l, 9)]}), ANCHORED, None),
    "another head": (lambda g, l: (l, {"head": ["7:" + "0" * 64]}), FAILED, "head"),
    "a head that was cut off": (lambda g, l: (l[:-1], {"head": [head(l, len(l))]}), FAILED, "head"),
    "a head, and the last line is changed": (
        lambda g, l: ([*l[:-1], l[-1].replace(b'"daemon"', b'"daemen"')], {"head": [head(l, len(l))]}), FAILED, "head"),
    "a heads file": (lambda g, l: (l, {"heads": "# kept\n\n" + heads_line(l, 5) + heads_line(l, 9)}), ANCHORED, None),
    "a heads file with another log's too": (
        lambda g, l: (l, {"heads": heads_line(short().chain(), 9).replace("9 ", "9999 ", 1).replace(
            event_hash(l[0])[:4], "ffff", 1) + heads_line(l, 9)}), ANCHORED, None),
    "a heads file of another log only": (
        lambda g, l: (l, {"heads": f"{'1' * 64} 9 {'2' * 64}\n"}), FAILED, "head"),
    "its policy": (lambda g, l: (l, {"policy": [sha256(g.policy.bytes)]}), HONEST, None),
    "another policy": (lambda g, l: (l, {"policy": ["0" * 64]}), FAILED, "policy-untrusted"),
}


# --- journals -------------------------------------------------------------------------------------


def journal(change):
    """Options with the prod and dev journals after a change to their lines."""
    def options(log, lines):
        log = copy.deepcopy(log)
        change(log.journals)
        return lines, {"journal": list(log.journal_files().values())}
    return options


def prod(journals):
    return journals[("prod", 1)]


def use_without_intent(journals):
    lines = journals[("dev", 1)]
    for line in lines[:2]:
        lines.append({**line, "seq": len(lines) + 1, "request": "019aa5e7-3c1f-7a3e-9d55-0000000000ee"})


def same_use_twice(journals):
    lines = journals[("dev", 1)]
    for line in lines[:2]:
        lines.append({**line, "seq": len(lines) + 1})


def other_members(**members):
    def change(journals):
        for line in prod(journals)[:2]:
            line.update(members)
    return change


def older_file_gone(journals):
    del prod(journals)[:2]
    for number, line in enumerate(prod(journals), 8):
        line["seq"] = number
    journals[("prod", 1)].insert(0, {"child": 1, "event": "note", "message": "start", "seq": 7, "token": "prod",
                                     "time": "2026-11-21T23:00:00.000000Z"})


def later_use(journals):
    use_without_intent(journals)
    for line in journals[("dev", 1)][-2:]:
        line["time"] = "2026-11-21T23:00:00.000000Z"


def cut(note):
    def options(log, lines):
        lines, options = journal(lambda journals: None)(log, lines)
        after = {"child": 0, "event": "note", "message": note, "seq": 1, "time": "2026-11-21T07:00:00.000000Z",
                 "token": "old"}
        options["journal"].append(b'{"artifact":0,"atte\n' + canonical(after) + b"\n")
        return lines, options
    return options


JOURNALS = {
    "honest": (journal(lambda journals: None), HONEST, None),
    "a self-test too": (journal(lambda j: j[("dev", 1)].extend(
        {"child": 1, "event": f"selftest-{e}", "seq": 3 + n, "spki_sha256": "0" * 64, "tbs_sha256": "0" * 64,
         "time": "2026-11-21T08:30:00.000000Z", "token": "dev", **more}
        for n, (e, more) in enumerate([("begin", {}), ("end", {"rc": "CKR_OK", "raw_sha256": "0" * 64})]))),
        HONEST, None),
    "a use that the log does not have": (journal(use_without_intent), FAILED, "journal-intent"),
    "a use after the end of the export": (journal(later_use), HONEST, None),
    "the same use twice": (journal(same_use_twice), FAILED, "journal-intent"),
    "other bytes": (journal(other_members(tbs_sha256="0" * 64)), FAILED, "journal-intent"),
    "another key": (journal(other_members(spki_sha256="0" * 64)), FAILED, "journal-intent"),
    "another signature": (journal(lambda j: prod(j)[1].update(raw_sha256="0" * 64)), FAILED, "journal-outcome"),
    "the token failed": (journal(lambda j: (prod(j)[1].update(rc="CKR_DEVICE_ERROR"), prod(j)[1].pop("raw_sha256"))),
                         FAILED, "journal-outcome"),
    "a use is missing": (journal(lambda j: j.update({("prod", 1): [
        {"child": 1, "event": "note", "message": "start", "seq": 1, "time": "2026-11-21T07:00:00.000000Z",
         "token": "prod"}]})), FAILED, "journal-outcome"),
    "an older file is gone": (journal(older_file_gone), HONEST, None),
    "a line is missing": (journal(lambda j: prod(j).append({**prod(j)[0], "seq": 4, "attempt": 9,
                                                            "time": "2026-11-21T23:00:00.000000Z"})),
                          FAILED, "journal-seq"),
    "an end of something else": (journal(lambda j: prod(j)[1].update(attempt=2)), FAILED, "journal-order"),
    "a line is cut, with its note": (cut("cut line"), HONEST, None),
    "a line is cut, without a note": (cut("start"), FAILED, "journal"),
    "a line with another member": (journal(other_members(extra=1)), FAILED, "journal"),
    "an end without its result": (journal(lambda j: prod(j)[1].pop("rc")), FAILED, "journal"),
}


def cases():
    """(name, lines, options, exit code, rule) of every log."""
    for make in (everything, short, live):
        log = make()
        lines = log.chain()
        yield f"honest: {make.__name__}", lines, {}, HONEST, None
        yield (f"honest: {make.__name__}, all known", lines,
               {"head": [head(lines, len(lines))], "journal": list(log.journal_files().values())}, ANCHORED, None)
    yield "honest: a key with a limit", limited(3).chain(), {}, HONEST, None
    yield "tampered: a key beyond its limit", limited(4).chain(), {}, FAILED, "intent-uses"
    for name, (tamper, rule) in TAMPERED.items():
        log = short()
        tamper(log)
        yield f"tampered: {name}", log.chain(), {}, FAILED, rule
    log = short()
    lines = log.chain()
    for name, (tamper, rule) in LINES.items():
        yield f"lines: {name}", tamper(list(lines)), {}, FAILED, rule
    for name, (options, code, rule) in OPTIONS.items():
        yield f"known: {name}", *options(log, list(lines)), code, rule
    for name, (options, code, rule) in JOURNALS.items():
        yield f"journal: {name}", *options(log, list(lines)), code, rule


def write(directory):
    """Every log as a file, and what verifiers must say of it."""
    expected = []
    for number, (name, lines, options, code, rule) in enumerate(cases()):
        (directory / f"{number:03}.ndjson").write_bytes(b"".join(line + b"\n" for line in lines))
        arguments = []
        for digest in options.get("policy", []):
            arguments += ["--policy", digest]
        for known in options.get("head", []):
            arguments += ["--head", known]
        if "heads" in options:
            (directory / f"{number:03}.heads").write_text(options["heads"], encoding="ascii")
            arguments += ["--heads", f"{number:03}.heads"]
        for n, content in enumerate(options.get("journal", [])):
            (directory / f"{number:03}.{n}.journal").write_bytes(content)
            arguments += ["--journal", f"{number:03}.{n}.journal"]
        expected.append({"name": name, "log": f"{number:03}.ndjson", "arguments": arguments, "exit": code, "rule": rule})
    (directory / "expected.json").write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")
    return expected


def keep(directory):
    """The log with everything in it, as it stays in tests/vectors/log."""
    log = everything()
    lines = log.chain()
    files = {"everything.ndjson": b"".join(line + b"\n" for line in lines),
             "heads": heads_line(lines, len(lines)).encode()}
    files.update({f"{token}-{child}.journal": content for (token, child), content in log.journal_files().items()})
    for name, content in files.items():
        (directory / name).write_bytes(content)
    journals = [argument for name in sorted(files) if name.endswith(".journal") for argument in ("--journal", name)]
    expected = [
        {"name": "kept", "log": "everything.ndjson", "arguments": [], "exit": HONEST, "rule": None},
        {"name": "kept, all known", "log": "everything.ndjson", "arguments": ["--heads", "heads", *journals],
         "exit": ANCHORED, "rule": None}]
    (directory / "expected.json").write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    {"write": write, "keep": keep}[sys.argv[1]](Path(sys.argv[2]))
