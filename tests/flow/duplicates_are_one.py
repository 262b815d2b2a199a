# SPDX-License-Identifier: Apache-2.0
"""R12: 100 parallel duplicates with one idempotency key are one attempt, one call of the HSM, one signature."""

import json
import threading

from instance import Instance
from reconcile import of_kind

COUNT = 100


def all_at_once(it, ask):
    """COUNT answers to requests that are sent at the same moment, each over a connection of its own."""
    replies, barrier = [None] * COUNT, threading.Barrier(COUNT)

    def work(number):
        client = it.agent
        client.get("/v1/health")  # the connection stands before the race begins
        barrier.wait()
        replies[number] = ask(client, number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(COUNT)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return replies


def problems(it, replies, signs):
    """Why these answers are not those of one request that the HSM signed once."""
    ids = {reply.json.get("id") for reply in replies}
    events = [e for e in map(json.loads, it.export()[0]) if e["request"] in ids]
    counts = {
        "requests": len(ids), "calls of the HSM": len(signs), "intents": len(of_kind(events, "sign.intent")),
        "outcomes": len(of_kind(events, "sign.done")), "ends": len(of_kind(events, "request.signed")),
        "creations": len(of_kind(events, "request.created")),
        "signatures": len({it.request(i)["signatures"][0] for i in ids if i}),
    }
    return [f"{count} {what}" for what, count in counts.items() if count != 1]


def race(it, dev, ask):
    """Run it; the answers, what is wrong with them, and the slowest."""
    before = len(dev.signs())
    replies = all_at_once(it, ask)
    assert {reply.status for reply in replies} <= {200, 201, 202}, {reply.status for reply in replies}
    for request_id in {reply.json["id"] for reply in replies}:
        it.wait_state(request_id, "signed")
    return replies, problems(it, replies, dev.signs()[before:])


def check(it, dev, name, ask):
    replies, wrong = race(it, dev, ask)
    assert not wrong, f"{name}: {wrong}"
    created = [reply for reply in replies if "Idempotent-Replay" not in reply.headers]
    assert len(created) == 1, f"{name}: {len(created)} answers say that they are the first"


def main():
    with Instance(children=2, shim=True, config={"workers": 16}) as it:
        dev = it.signers["dev"]
        check(it, dev, "a fast token", lambda client, n: client.submit("app-dev", b"fast", key="key-1"))
        dev.rules("C_Sign hang 700")
        check(it, dev, "a slow token", lambda client, n: client.submit("app-dev", b"slow", key="key-2"))
        dev.rules()
        check(it, dev, "after the signature", lambda client, n: client.submit("app-dev", b"fresh", key="key-3"))
        again = it.agent.submit("app-dev", b"another image", key="key-1")
        assert again.status == 422, again.body
        check(it, dev, "without a key", lambda client, n: client.submit("app-dev", b"no key"))

        # the control: the same race under as many keys is as many signatures, and the check says so
        replies, wrong = race(it, dev, lambda client, n: client.submit("app-dev", b"%d" % n, key=f"own-{n}"))
        counts = {what: int(count) for count, what in (word.split(" ", 1) for word in wrong)}
        # more where the token is slow, and some are tried again
        assert min(counts.get("calls of the HSM", 1), counts.get("intents", 1)) >= COUNT, wrong
        print(f"promise R12: {COUNT} parallel duplicates, 4 races: one intent, one call of C_Sign, one signature each; "
              f"under as many keys {COUNT} calls")


main()
