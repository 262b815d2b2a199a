# SPDX-License-Identifier: Apache-2.0
"""R1: kill -9 at any moment. Whatever a client received is in the log with intent and outcome, and the chain verifies.

25 kills; 300 with CS_FULL=1 (make check-long); CS_CYCLES sets another number.
"""

import base64
import hashlib
import http.client
import json
import os
import random
import threading
import time

from instance import Instance

CYCLES = int(os.environ.get("CS_CYCLES", "300" if os.environ.get("CS_FULL") else "25"))
AGENTS = 4


class Agent(threading.Thread):
    """Submits as fast as it can until it is told to stop; remembers what it received."""

    def __init__(self, it, number):
        super().__init__()
        self.it, self.number = it, number
        self.received = {}
        self.stopping = False
        self.failure = None

    def run(self):
        client, count = None, 0
        while not self.stopping:
            try:
                client = client or self.it.agent
                reply = client.submit("app-dev", b"image %d %d" % (self.number, count))
                count += 1
                if reply.status == 201:
                    self.received[reply.json["id"]] = reply.json["signatures"][0]
                elif reply.status not in (200, 202, 503):
                    self.failure = (reply.status, reply.body)
            except (OSError, http.client.HTTPException):
                client = None
                time.sleep(0.01)


def check_log(it, lines, received):
    """Every signature that a client has must stand in the log after an intent."""
    intents, done, signed = set(), {}, {}
    for line in lines:
        event = json.loads(line)
        key = event["request"], event["detail"].get("artifact")
        if event["kind"] == "sign.intent":
            intents.add(key)
        elif event["kind"] == "sign.done":
            assert key in intents, f"outcome without an intent: {event}"
            done[key] = event["detail"]["signature_sha256"]
        elif event["kind"] == "request.signed":
            signed[event["request"]] = event["detail"]["signatures"]
    for request_id, signature in received.items():
        assert signed.get(request_id) == [signature], f"{request_id} was released and is not in the log"
        assert done[request_id, 0] == hashlib.sha256(base64.b64decode(signature)).hexdigest()


def main():
    rng = random.Random(1)
    with Instance(children=2) as it:
        agents = [Agent(it, number) for number in range(AGENTS)]
        for agent in agents:
            agent.start()
        try:
            for _ in range(CYCLES):
                time.sleep(rng.uniform(0.02, 0.25))
                it.kill()
                it.start(ready=False)
            it.wait(lambda: it.client("operator1").get("/v1/ready").status == 200, "ready")
            time.sleep(0.5)
        finally:
            for agent in agents:
                agent.stopping = True
            for agent in agents:
                agent.join()
        assert not any(agent.failure for agent in agents), [agent.failure for agent in agents]
        received = {key: value for agent in agents for key, value in agent.received.items()}
        assert len(received) > CYCLES, "the agents received too little for the test to mean anything"
        it.wait(lambda: not [r for r in it.client("auditor1").get("/v1/requests?state=approved").json["requests"]],
                "an end of everything that was under way")
        lines, head = it.export()
        check_log(it, lines, received)
        try:
            check_log(it, lines, {**received, "never-signed": ""})
        except AssertionError:
            pass
        else:
            raise AssertionError("the check finds no signature that is missing")
        status, output = it.verify(lines, head)
        assert status == 0, output
        unclean = sum(b'"kind":"daemon.unclean-stop"' in line for line in lines)
        print(f"{CYCLES} kills, {unclean} unclean stops in the log, {len(received)} signatures received, "
              f"{len(lines)} events")
        assert unclean == CYCLES


main()
