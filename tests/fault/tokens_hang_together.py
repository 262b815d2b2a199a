# SPDX-License-Identifier: Apache-2.0
"""R6: a request over two tokens that both hang is answered within 5 s, not after one wait for each."""

import os
import tempfile
import threading
import time
from pathlib import Path

import machine
import signers
import softhsm
from instance import Instance

ANSWER, RECOVERY = 5, 10


def second_token(work):
    """Another token for dev, with a key of its own."""
    token = softhsm.make(Path(work) / "dev2", "dev2")
    return token, signers.key("app-dev2", "dev2", "01", "p-256", token.keygen("app-dev2", "01", "p-256"))


def add(token, key):
    """What a policy with it says."""
    def change(policy):
        policy["tokens"].append({"name": "dev2", "label": "dev2", "serial": token.serial, "environment": "dev",
                                 "software_token": True})
        policy["keys"].append(key)
    return change


def ask(it, image):
    digest = {"algorithm": "sha256", "value": image.hex() * 32}
    return it.agent.post("/v1/requests", {"artifacts": [
        {"name": name, "digest": digest, "size": 1, "key": name} for name in ("app-dev", "app-dev2")]})


def states(it, request_id):
    return [artifact["state"] for artifact in it.request(request_id)["artifacts"]]


def both_hang(it, both):
    for signer in both:
        signer.rules("C_Sign hang 60000")
    reply = ask(it, b"\1")
    assert reply.status == 202 and reply.took <= ANSWER + machine.disk(5), (reply.status, reply.took, reply.body)
    for signer in both:
        signer.rules()
    back = time.monotonic()
    it.wait_state(reply.json["id"], "signed")
    return reply.took, machine.seconds(back)


def one_hangs(it, both):
    """The other one's signature is made at once, and kept."""
    both[1].rules("C_Sign hang 60000")
    replies = []
    client = threading.Thread(target=lambda: replies.append(ask(it, b"\2")))
    client.start()
    it.wait(lambda: any(line["event"] == "sign-end" and line["rc"] == "CKR_OK" for line in both[0].journal()[-1:]),
            "the signature of the token that works")
    client.join()
    assert replies[0].status == 202 and replies[0].took <= ANSWER + machine.disk(5), replies[0].body
    assert states(it, replies[0].json["id"])[0] == "signed", states(it, replies[0].json["id"])
    both[1].rules()
    it.wait_state(replies[0].json["id"], "signed")
    return replies[0].took


def main():
    with tempfile.TemporaryDirectory(prefix="cs", dir="/tmp") as work:
        os.chmod(work, 0o755)
        token, key = second_token(work)
        with Instance(start=False, shim=True, change_policy=add(token, key)) as it:
            it.start_signers()
            it.signers["dev2"] = signers.Signer(token, it.policy, environment="dev", shim=True)
            it.start()
            assert ask(it, b"\0").status == 201
            both = [it.signers["dev"], it.signers["dev2"]]
            answer, recovery = both_hang(it, both)
            answer = max(answer, one_hangs(it, both))
            lines, head = it.export()
            status, output = it.verify(lines, head)
            assert status == 0, output
            print(f"promise R6: two tokens of one request hang: slowest answer {answer:.2f} s of {ANSWER}, both signed "
                  f"{recovery:.2f} s after they are back")
            assert recovery <= RECOVERY + machine.disk(10), recovery


main()
