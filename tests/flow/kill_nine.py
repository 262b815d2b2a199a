# SPDX-License-Identifier: Apache-2.0
"""R1: kill -9 at any moment. Whatever a client received is in the log with intent and outcome, and the chain verifies.

25 kills; 300 with CS_FULL=1 (make check-long); CS_KILLS sets another number (10,000 take two hours).
"""

import http.client
import json
import os
import random
import threading
import time

import evidence
import logmaker
from instance import Instance

KILLS = int(os.environ.get("CS_KILLS", "300" if os.environ.get("CS_FULL") else "25"))
AGENTS = 4


class Agent(threading.Thread):
    """Submits as fast as it can until it is told to stop."""

    def __init__(self, it, told, number):
        super().__init__()
        self.it, self.told, self.number = it, told, number
        self.stopping = False

    def run(self):
        client, count = None, 0
        while not self.stopping:
            try:
                client = client or evidence.Witness(self.it, "ci", self.told)
                client.submit("app-dev", b"image %d %d" % (self.number, count))
                count += 1
            except (OSError, http.client.HTTPException):
                client = None
                time.sleep(0.01)


def without(lines, kind, request_id):
    """The log of somebody who took an event out and made the chain fit again."""
    events = [json.loads(line) for line in lines]
    kept = [event for event in events if (event["kind"], event["request"]) != (kind, request_id)]
    assert len(kept) < len(events)
    return logmaker.chain(kept)


def faults_are_seen(told, lines):
    """The negative control: a log that lacks an event of a signature that somebody has."""
    view = next(claim for _, kind, claim in told.claims if kind == "request" and "signatures" in claim)
    for kind in ("request.created", "sign.intent", "sign.done", "request.signed"):
        found = told.complaints(evidence.Log(without(lines, kind, view["id"])))
        assert found, f"a log without a {kind} was not noticed: the test sees nothing"
    assert any("released with signatures" in complaint for complaint in found), found


def main():
    rng, told = random.Random(1), evidence.Evidence()
    with Instance(children=2) as it:
        agents = [Agent(it, told, number) for number in range(AGENTS)]
        for agent in agents:
            agent.start()
        try:
            for number in range(KILLS):
                if number % 2:  # on a slow machine the others may end before anybody was answered
                    before = told.signatures()
                    it.wait(lambda: told.signatures() > before, "a signature")
                time.sleep(rng.uniform(0.02, 0.25))
                it.kill()
                it.log_file.unlink()  # it is read often, and would grow
                it.start(ready=False)
            it.wait(lambda: it.client("operator1").get("/v1/ready").status == 200, "ready")
            before = told.signatures()
            it.wait(lambda: told.signatures() > before, "a signature after the last kill")
        finally:
            for agent in agents:
                agent.stopping = True
            for agent in agents:
                agent.join()
        strange = [reply.body for reply in told.refusals if reply.status != 503]
        assert not strange, strange
        assert told.signatures() > KILLS // 2, "the agents received too little for the test to mean anything"
        it.wait(lambda: not it.client("auditor1").get("/v1/requests?state=approved").json["requests"],
                "an end of everything that was under way")
        lines, head = it.export()
        complaints = told.complaints(evidence.Log(lines))
        assert not complaints, complaints
        faults_are_seen(told, lines)
        status, output = it.verify(lines, head)
        assert status == 0, output
        unclean = sum(b'"kind":"daemon.unclean-stop"' in line for line in lines)
        assert unclean == KILLS, f"{unclean} unclean stops in the log"
        print(f"promise R1: {KILLS} kills, {told.signatures()} signatures received, each with intent and outcome in a "
              f"log of {len(lines)} events that verifies; four doctored logs were noticed")


main()
