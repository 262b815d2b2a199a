# SPDX-License-Identifier: Apache-2.0
"""R22, C10: floods of strangers and of people who may come in. One agent signs all the time; neither does a flood stop
her, nor does it fill the log, the daemon's messages or the places to wait.

Each flood lasts 2 s; 20 s with CS_FULL=1.
"""

import collections
import contextlib
import json
import multiprocessing
import os
import signal
import socket
import sqlite3
import ssl
import threading
import time

import machine
import pki
from instance import Instance

SECONDS = 20 if os.environ.get("CS_FULL") else 2
THREADS = 8
RATE, READ_RATE, POLLS, PLACES = 60, 600, 8, 40
FAILURES = 100  # of one address a minute
REFUSALS = 256  # events a minute, whoever is refused
LONGEST = 60  # seconds more until somebody is told that it is too much, where little gets done in a second
SERVED = 2  # signatures beside a flood, or right after it where the disk is slow
PATIENCE = 20  # seconds that a signature may take on a machine that is busy with its own floods
HEAD = "{} {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}"


def ask(method, path, body=""):
    text = body if isinstance(body, str) else json.dumps(body)
    return HEAD.format(method, path, len(text), text).encode()


def submission(key, n):
    return {"artifacts": [{"name": "app", "digest": {"algorithm": "sha256", "value": f"{n:064x}"}, "size": 1, "key": key}]}


# --- floods ---

class Flood:
    """Threads of a process of its own that do `once` until the time is over; counts what it returns."""

    def __init__(self, it, name, source):
        self.it, self.name, self.source = it, name, source

    def context(self, who=None):
        context = ssl.create_default_context(cafile=self.it.ca_file)
        if who:
            context.load_cert_chain(self.it.directory / f"{who}.pem", self.it.directory / f"{who}.key")
        return context

    def connect(self):
        # a moment as an address of one's own costs attackers, too
        return socket.create_connection(("127.0.0.1", self.it.port), 10, (self.source, 0))

    def once(self, _state):
        raise NotImplementedError

    def is_enough(self, _told):
        """May the flood end, when its time is over?"""
        return True

    def thread(self, end, told, lock):
        state = {}
        while time.monotonic() < end or (not self.is_enough(told) and time.monotonic() < end + LONGEST):
            try:
                what = self.once(state)
            except OSError:
                state.clear()
                what = collections.Counter(ended=1)
            with lock:
                told.update(what)

    def process(self, results):
        told, lock, end = collections.Counter(), threading.Lock(), time.monotonic() + SECONDS
        threads = [threading.Thread(target=self.thread, args=(end, told, lock)) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        results.put(told)

    def run(self):
        results = multiprocessing.Queue()
        process = multiprocessing.Process(target=self.process, args=(results,))
        process.start()
        told = results.get()
        process.join()
        return told


class Strangers(Flood):
    """Handshakes without a certificate, or with one of an unknown CA; or no handshake at all."""

    def __init__(self, it, name, source, who):
        super().__init__(it, name, source)
        self.who = who

    def once(self, state):
        if "context" not in state:
            state["context"] = self.context(self.who)
        with self.connect() as raw:
            if self.who == "":
                raw.sendall(b"GET / HTTP/1.1\r\n\r\n" * 10)
                raw.recv(100)
            else:
                with state["context"].wrap_socket(raw, server_hostname="localhost") as tls:
                    tls.recv(1)
        return collections.Counter(connections=1)


class Members(Flood):
    """Requests of somebody who may come in, many on each connection."""

    def __init__(self, it, name, source, who, request, batch=40):
        super().__init__(it, name, source)
        self.who, self.request, self.batch = who, request, batch
        self.is_limited = name not in ("what is for others", "submissions that are none")

    def is_enough(self, told):
        return told[429] > 0 or not self.is_limited

    def once(self, state):
        if "tls" not in state:
            state["tls"] = self.context(self.who).wrap_socket(self.connect(), server_hostname="localhost")
        tls, told = state["tls"], collections.Counter()
        tls.sendall(self.request * self.batch)
        for _ in range(self.batch):
            told[answer(tls)] += 1
        return told


def answer(tls):
    """The status of the next response, which is read to its end."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += receive(tls, 1)
    head = data.decode("latin-1").lower()
    length = int(head.split("content-length: ")[1].split("\r")[0])
    while length > 0:
        length -= len(receive(tls, min(length, 65536)))
    return int(head.split(" ")[1])


def receive(tls, count):
    data = tls.recv(count)
    if not data:
        raise ConnectionError("the server hung up")
    return data


def floods(it):
    """Each with the statuses that may come of it."""
    ci2 = submission("app-prod", 1)  # she may use app-dev only
    yield Strangers(it, "handshakes without a certificate", "127.0.8.1", None)
    yield Strangers(it, "certificates of an unknown CA", "127.0.8.2", "stranger")
    yield Strangers(it, "no handshake", "127.0.8.3", "")
    yield Members(it, "submissions over the rate", "127.0.8.4", "ci2", ask("POST", "/v1/requests", submission("app-dev", 2)))
    yield Members(it, "submissions that the policy denies", "127.0.8.4", "ci2", ask("POST", "/v1/requests", ci2))
    yield Members(it, "submissions that are none", "127.0.8.4", "ci2", ask("POST", "/v1/requests", "[" * 4000))
    yield Members(it, "lists", "127.0.8.5", "auditor1", ask("GET", "/v1/requests?limit=200"))
    yield Members(it, "exports", "127.0.8.5", "auditor1", ask("GET", "/v1/audit/events?from=1"), 4)
    yield Members(it, "what is for others", "127.0.8.4", "ci2", ask("GET", "/v1/audit/events?from=1"))
    yield Members(it, "decisions that are refused", "127.0.8.6", "approver1",
                  ask("POST", f"/v1/requests/{it.waiting}/decisions", {"envelope": "AAAA"}))


# --- who must not notice ---

class Victim(threading.Thread):
    """Signs, one request after the other, on a connection that she has already."""

    def __init__(self, it):
        super().__init__()
        self.client, self.stop, self.took, self.failure, self.number = it.client("ci"), False, [], None, 0

    def run(self):
        while not self.stop:
            self.number += 1
            start = time.monotonic()
            try:
                reply = self.client.submit("app-dev", b"victim %d" % self.number)
            except OSError as error:
                self.failure = repr(error)
                return
            if reply.status != 201:
                self.failure = (reply.status, reply.body)
            self.took.append(machine.seconds(start))

    def wait(self, since):
        """Until she was served, or has waited too long."""
        end = time.monotonic() + PATIENCE
        while len(self.took) < since + SERVED and not self.failure and time.monotonic() < end:
            time.sleep(0.05)

    def check(self, since, what):
        """Was she served since?"""
        took = self.took[since:]
        assert not self.failure, f"{what}: {self.failure}"
        assert len(took) >= SERVED, f"{what}: {len(took)} signatures"
        assert max(took) < PATIENCE, f"{what}: a signature took {max(took):.1f} s"
        return len(took)


def check_events(events, minutes):
    """What the floods left in the log has a bound, however long and from how many places they come."""
    kinds = collections.Counter(event["kind"] for event in events)
    refusals = [kinds["auth.refused"], kinds["access.refused"]]
    assert sum(refusals) <= REFUSALS * minutes, f"{refusals} events of refusals in {minutes} min"
    mine = [event for event in events if event["actor"] in ("ci2", "auditor1", "approver1")
            and event["kind"] != "access.refused"]
    # a bucket is full at the start: three principals, each with one minute's worth beside what passes
    assert len(mine) <= 3 * RATE * (minutes + 1), f"{len(mine)} events of the floods in {minutes} min"
    return sum(refusals) + len(mine)


def spread(events):
    """A log without counting: an event for each refusal."""
    for event in events:
        count = event["detail"].get("count", 1) if event["kind"].endswith(".refused") else 1
        yield from [event] * count


def fails(check, *arguments):
    try:
        check(*arguments)
    except AssertionError:
        return True
    return False


def make():
    def change(access):
        for principal in access["principals"]:
            if principal["name"] != "ci":
                principal.update(rate=RATE, read_rate=READ_RATE)

    it = Instance(start=False, change_access=change,
                  config={"long-polls-max": PLACES, "long-polls-per-principal": POLLS, "auth-failures": FAILURES})
    # who waits for changes here has nothing to do with rates
    next(p for p in it.access["principals"] if p["name"] == "operator1")["read_rate"] = 1000000
    pki.Authority("another CA").issue("stranger").write(it.directory, "stranger")
    it.start_signers()
    it.start()
    it.waiting = it.agent.submit("app-prod", b"waiting").json["id"]
    return it


def run_floods(it, victim):
    for flood in floods(it):
        before = len(victim.took)
        told = flood.run()
        victim.wait(before)
        served = victim.check(before, flood.name)
        print(f"{flood.name}: {dict(told)}; the agent beside them: {served} signatures, the longest "
              f"{max(victim.took[before:]) * 1000:.0f} ms", flush=True)
        assert sum(told.values()) > 0
        assert flood.is_enough(told), told


def many_sources(it):
    """Refusals of more addresses than are listed; and one address that is not even listened to any more."""
    for n in range(300):
        with contextlib.suppress(OSError), socket.create_connection(
                ("127.0.0.1", it.port), 10, (f"127.0.{16 + n // 200}.{1 + n % 200}", 0)) as raw:
            raw.sendall(b"x" * 5)
            raw.recv(1)
    for _ in range(2 * FAILURES):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", it.port), 10, ("127.0.8.7", 0)) as raw:
            raw.sendall(b"GET / HTTP/1.1\r\n\r\n")
            raw.recv(1)
    with socket.create_connection(("127.0.0.1", it.port), 10, ("127.0.8.7", 0)) as raw:
        raw.settimeout(15)
        try:
            assert raw.recv(1) == b"", "the address that failed too often is listened to"
        except ConnectionError:
            pass
    # others come in meanwhile, from their own addresses
    assert it.client("operator1").get("/v1/health").status == 200


def long_polls(it):
    """One principal with many connections does not get all places."""
    statuses = []
    with contextlib.ExitStack() as stack:
        context = Flood(it, "", "").context("auditor1")
        request = ask("GET", f"/v1/requests/{it.waiting}?wait=60")
        waiting = []
        for n in range(3 * POLLS):
            raw = stack.enter_context(socket.create_connection(("127.0.0.1", it.port), 10, ("127.0.8.8", 0)))
            tls = stack.enter_context(context.wrap_socket(raw, server_hostname="localhost"))
            tls.sendall(request)
            waiting.append(tls)
        for tls in waiting:
            tls.settimeout(0.5 if statuses.count(503) >= 2 * POLLS else 5)
            try:
                statuses.append(answer(tls))
            except TimeoutError:
                statuses.append(None)
        # somebody else still waits, and is told of the change
        other = threading.Thread(target=lambda: it.client("ci").get(f"/v1/requests/{it.waiting}?wait=20"))
        other.start()
        other.join(1)
        assert other.is_alive(), "there is no place to wait for anybody else"
        assert it.client("ci").post(f"/v1/requests/{it.waiting}/cancel", None).status == 200
        other.join(60)
        assert not other.is_alive()
    assert statuses.count(None) <= POLLS and statuses.count(503) >= 2 * POLLS, statuses
    return statuses.count(None), statuses.count(503)


def stopped_daemon(it, victim):
    """The check sees an agent who is not served."""
    before = len(victim.took)
    it.process.send_signal(signal.SIGSTOP)
    time.sleep(1.5)
    caught = fails(victim.check, before + 1, "stopped daemon")
    it.process.send_signal(signal.SIGCONT)
    assert caught, "the check does not see that nobody is served"


def main():
    start = time.monotonic()
    with make() as it:
        victim = Victim(it)
        victim.start()
        try:
            run_floods(it, victim)
            many_sources(it)
            stopped_daemon(it, victim)
        finally:
            victim.stop = True
            victim.join()
        waited, busy = long_polls(it)
        signed = len(victim.took)
        lines = len(it.log())
        assert it.stop() == 0
        with sqlite3.connect(it.database) as database:
            events = [json.loads(text) for text, in database.execute("SELECT bytes FROM event")]
    minutes = int((time.monotonic() - start) // 60) + 2  # begun ones
    left = check_events(events, minutes)
    refused = sum(event["detail"]["count"] for event in events if event["kind"] == "auth.refused")
    reasons = {event["detail"]["reason"] for event in events if event["kind"] == "auth.refused"}
    assert "too-many-failures" in reasons, reasons
    assert lines < 100, f"{lines} lines of messages"
    assert fails(check_events, list(spread(events)), 1), "the check does not see a log that is filled"
    print(f"promise R22: {signed} signatures beside 11 floods, none refused; {refused} refused connections and all else "
          f"left {left} events and {lines} lines; {waited} of one principal's long polls wait, {busy} are sent away; a "
          f"log without counting and a stopped daemon are caught")


main()
