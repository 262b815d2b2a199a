# SPDX-License-Identifier: Apache-2.0
"""R7: a signature with one bit flipped by the token never leaves; the request fails, the next one is signed.

Some bits of each kind of signature; with CS_FULL=1 every bit of a P-256 signature, every 8th of an RSA one.
"""

import base64
import json
import os

from cryptography.exceptions import InvalidSignature

from instance import Instance
from reconcile import of_kind
from verify_signature import verify_released

FULL = "CS_FULL" in os.environ
BITS = {"app-dev": range(0, 512, 1 if FULL else 37), "boot-dev": range(0, 3072, 8 if FULL else 331)}


class Clients:
    """An agent and an auditor, and every signature that they get."""

    def __init__(self, it):
        self.it = it
        self.agent, self.auditor = it.client("ci"), it.client("auditor1")

    def all_signatures(self, reply):
        """In any answer about a request: the POST's, both views, the signature itself."""
        path = f"/v1/requests/{reply.json['id']}"
        found = [s for answer in (reply, self.agent.get(path), self.auditor.get(path))
                 for s in answer.json.get("signatures", [])]
        alone = self.agent.get(f"{path}/signatures/0")
        return found + ([base64.b64encode(alone.body).decode()] if alone.status == 200 else [])

    def submit(self, name, image):
        """The answer, whether each signature that leaves is good, and the key."""
        reply = self.agent.submit(name, image)
        key, = [key for key in self.it.policy["keys"] if key["name"] == name]
        return reply, [is_good(key, reply.json["artifacts"][0], s) for s in self.all_signatures(reply)], key

    def state(self, reply):
        return self.auditor.get(f"/v1/requests/{reply.json['id']}").json["state"]


def is_good(key, artifact, signature):
    try:
        verify_released(key, artifact, base64.b64decode(signature))
    except InvalidSignature:
        return False
    return True


def flip(signature):
    data = bytearray(base64.b64decode(signature))
    data[len(data) // 2] ^= 1
    return base64.b64encode(data).decode()


def check_key(clients, dev, name):
    good, verdicts, key = clients.submit(name, b"before")
    assert good.status == 201 and verdicts == [True] * 4, (good.body, verdicts)
    # the control: a bad one would be seen
    assert not is_good(key, good.json["artifacts"][0], flip(good.json["signatures"][0]))
    ids = []
    for bit in BITS[name]:
        dev.rules(f"C_Sign flip {bit}")
        bad, verdicts, _ = clients.submit(name, b"bit %d" % bit)
        assert bad.status in (201, 202) and verdicts == [], f"bit {bit}: {bad.body} {verdicts}"
        assert clients.state(bad) == "failed", bad.body
        ids.append(bad.json["id"])
    dev.rules()
    good, verdicts, _ = clients.submit(name, b"after")
    assert good.status == 201 and verdicts == [True] * 4, (good.body, verdicts)
    return ids


def main():
    with Instance(shim=True) as it:
        dev = it.signers["dev"]
        clients = Clients(it)
        ids = {request for name in BITS for request in check_key(clients, dev, name)}
        lines, head = it.export()
        events = [json.loads(line) for line in lines]
        failed = [e for e in of_kind(events, "sign.failed") if e["detail"]["code"] == "bad-signature"]
        assert {e["request"] for e in failed} == ids and all(e["detail"]["reached_hsm"] for e in failed)
        assert not {e["request"] for e in of_kind(events, "sign.done", "request.signed")} & ids
        assert len([line for line in it.log() if line["event"] == "bad-signature"]) == len(ids)
        status, output = it.verify(lines, head)
        assert status == 0, output
        print(f"promise R7: {len(ids)} signatures with one bit flipped ({', '.join(BITS)}), none left, in no answer and "
              "not in the log; a flipped one is told from a good one")


main()
