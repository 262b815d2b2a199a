# SPDX-License-Identifier: Apache-2.0
"""Build agents that submit as fast as they can, whatever happens to the server meanwhile."""

import http.client
import itertools
import threading
import time
from collections import namedtuple

import machine

Answer = namedtuple("Answer", "begin end status")
NONE = 0  # the status of an answer that did not come
IMAGES = itertools.count()  # one image twice would be a replay, also when another agent had it


class Agent(threading.Thread):
    """Asks for signatures under one key until it is told to stop.

    `received` has the signature of each request that was answered with one, `waiting` the requests that
    were not signed at once, `refused` the answers that no fault explains, `answers` when each one came (or
    did not), `slowest` the longest wait, without what the machine lost.
    """

    def __init__(self, it, key="app-dev", pause=0):
        super().__init__()
        self.it, self.key, self.pause = it, key, pause
        self.received, self.waiting, self.refused, self.answers = {}, [], [], []
        self.slowest = 0
        self.stopping = False

    def run(self):
        client, image = None, next(IMAGES)
        while not self.stopping:
            begin = time.monotonic()
            try:
                client = client or self.it.agent
                reply = client.submit(self.key, b"image %d" % image)
                image = next(IMAGES)
                self.note(time.monotonic() - reply.elapsed, reply.status)
                self.take(reply)
            except (OSError, http.client.HTTPException):
                client = None
                self.note(begin, NONE)
                time.sleep(0.01)
            time.sleep(self.pause)

    def note(self, begin, status):
        self.answers.append(Answer(begin, time.monotonic(), status))
        self.slowest = max(self.slowest, machine.seconds(begin, self.answers[-1].end))

    def take(self, reply):
        if reply.status == 201:
            self.received[reply.json["id"]] = reply.json["signatures"][0]
        elif reply.status in (200, 202):
            self.waiting.append(reply.json["id"])
        elif reply.status not in (429, 503):
            self.refused.append((reply.status, reply.body))


class Agents:
    """Several agents for as long as a `with` block lasts."""

    def __init__(self, it, *keys, pause=0):
        self.all = [Agent(it, key, pause) for key in keys]

    def __enter__(self):
        for agent in self.all:
            agent.start()
        return self

    def __exit__(self, *exc):
        for agent in self.all:
            agent.stopping = True
        for agent in self.all:
            agent.join()
        refused = [answer for agent in self.all for answer in agent.refused]
        assert not refused, refused

    @property
    def received(self):
        # a copy is made at once, where a walk would meet what an agent receives meanwhile
        return {key: value for agent in self.all for key, value in agent.received.copy().items()}

    @property
    def slowest(self):
        return max(agent.slowest for agent in self.all)
