# SPDX-License-Identifier: Apache-2.0
"""R10: 1,000 clients that trickle handshakes, heads and bodies, or take no answers. Good clients do not notice, the
daemon stays small, and every slow connection has ended after 30 s, with the limits that countersignd.conf has by itself.

The daemon's side is measured: a connection has ended when no descriptor of it is left, whatever its client does.
"""

import concurrent.futures
import contextlib
import multiprocessing
import os
import random
import resource
import socket
import ssl
import sys
import threading
import time

from instance import Instance

CLIENTS = int(os.environ.get("CS_SLOW_CLIENTS", "1000"))
LATEST = 30  # seconds
P99_MS, MEMORY_MB = 500, 200
CONTROL = 24  # clients of the daemon that is too patient
HEAD = b"POST /v1/requests HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
READ = b"GET /v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 60


class Slow:
    """One slow client: a socket, what it trickles, and when it began."""

    def __init__(self, it, number, context, kind):
        self.kind = kind
        self.socket = socket.socket()
        if kind == "reader":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        # addresses as of several attackers: one has a fourth of the places at most
        self.socket.bind((f"127.0.9.{1 + number % 5}", 0))
        self.socket.settimeout(60)
        self.socket.connect(("127.0.0.1", it.port))
        self.port = self.socket.getsockname()[1]
        self.began = time.monotonic()
        self.ended = None
        self.rest = b""
        {"handshake": self.hello, "head": self.head, "body": self.body, "reader": self.read}[kind](context)
        self.socket.setblocking(False)

    def hello(self, context):
        out = ssl.MemoryBIO()
        tls = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost")
        with contextlib.suppress(ssl.SSLWantReadError):
            tls.do_handshake()
        self.rest = out.read()

    def greet(self, context, data):
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self.socket.sendall(data)

    def head(self, context):
        self.greet(context, HEAD)
        self.rest = b"X-Slow: y\r\n" * 1000

    def body(self, context):
        self.greet(context, HEAD + b"Content-Length: 5000\r\n\r\n")
        self.rest = b" " * 5000

    def read(self, context):
        self.greet(context, READ)

    def trickle(self):
        """One byte more."""
        if not self.rest or self.ended:
            return
        with contextlib.suppress(OSError, ssl.SSLError):
            self.socket.send(self.rest[:1])
            self.rest = self.rest[1:]


def open_ports(port):
    """Ports of clients whose connections a process on `port` still holds."""
    found = set()
    with open("/proc/net/tcp", encoding="ascii") as table:
        for line in list(table)[1:]:
            field = line.split()
            if int(field[1].split(":")[1], 16) == port and field[9] != "0":
                found.add(int(field[2].split(":")[1], 16))
    return found


def good_clients(it, seconds, results):
    """A process: sign and read until the time is over; latencies in seconds."""
    end, took, number = time.monotonic() + seconds, [], 0
    client = it.client("ci")
    while time.monotonic() < end:
        number += 1
        start = time.monotonic()
        reply = client.submit("app-dev", b"good %d %d" % (os.getpid(), number)) if number % 2 else client.get("/v1/health")
        took.append(time.monotonic() - start)
        assert reply.status in (200, 201), reply.body
        time.sleep(0.02)
    results.put(took)


def memory_mb(pid):
    """The most that a process ever had in memory."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmHWM:"))


def crowd(it, count, clients):
    """Fill a list with clients, many at a time."""
    context = ssl.create_default_context(cafile=it.ca_file)
    context.load_cert_chain(it.directory / "ci2.pem", it.directory / "ci2.key")
    kinds = ("handshake", "head", "body", "reader")
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        for client in pool.map(lambda n: Slow(it, n, context, kinds[n % len(kinds)]), range(count)):
            clients.append(client)


class Watch(threading.Thread):
    """Trickles and notes when the daemon gave a client up, and how many there were at the same time."""

    def __init__(self, *crowds):
        super().__init__()
        self.crowds, self.at_once, self.stop = crowds, 0, False

    def run(self):
        rng = random.Random(1)
        while not self.stop:
            for it, clients in self.crowds:
                there = open_ports(it.port)
                for client in list(clients):
                    if not client.ended and client.port not in there:
                        client.ended = time.monotonic()
                    elif rng.random() < 0.1:
                        client.trickle()
            self.at_once = max(self.at_once, sum(not client.ended for client in self.crowds[0][1]))
            time.sleep(0.1)

    def ended(self):
        return all(client.ended for _, clients in self.crowds for client in clients)


def too_late(clients):
    """Those that had more time than they may; a tick of the reaper and of this test on top."""
    return [c for c in clients if not c.ended or c.ended - c.began > LATEST + 1]


def main():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 3 * CLIENTS + 200
    if hard != resource.RLIM_INFINITY and hard < needed:
        print(f"SKIP-OK: {needed} descriptors are needed, ulimit -Hn is {hard}")
        return 77
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
    many = {"connections-max": max(256, CLIENTS + 24)}
    patient = {**many, "handshake-timeout": "600s", "request-timeout": "600s", "idle-timeout": "600s"}
    with Instance(config=many) as it, Instance(config=patient) as control:
        results = multiprocessing.Queue()
        good = [multiprocessing.Process(target=good_clients, args=(it, LATEST + 10, results)) for _ in range(2)]
        for process in good:
            process.start()
        slow, patients = [], []
        watch = Watch((it, slow), (control, patients))
        watch.start()
        crowd(control, CONTROL, patients)
        crowd(it, CLIENTS, slow)
        end = time.monotonic() + LATEST + 5
        while time.monotonic() < end and not watch.ended():
            time.sleep(0.1)
        watch.stop = True
        watch.join()
        took = sorted(x for _ in good for x in results.get())
        for process in good:
            process.join()
            assert process.exitcode == 0
        memory = memory_mb(it.process.pid)
        late, control_late = too_late(slow), too_late(patients)
        longest = {kind: max((c.ended or time.monotonic()) - c.began for c in slow if c.kind == kind)
                   for kind in ("handshake", "head", "body", "reader")}
    p99 = took[len(took) * 99 // 100] * 1000
    print(", ".join(f"{kind}: {seconds:.1f} s" for kind, seconds in longest.items()))
    print(f"promise R10: {CLIENTS} slow clients ({watch.at_once} at once), p99 of {len(took)} good requests {p99:.0f} ms, "
          f"at most {memory} MB, the longest slow connection {max(longest.values()):.1f} s; a daemon without time-outs "
          f"is caught with {len(control_late)} of {CONTROL}")
    assert watch.at_once > CLIENTS * 9 // 10, "the slow clients were not there at the same time"
    assert not late, f"{len(late)} connections go on, the first is a {late[0].kind}"
    assert p99 < P99_MS and memory < MEMORY_MB and len(took) > 100
    assert len(control_late) == CONTROL, "the check does not see connections that go on"
    return 0


if __name__ == "__main__":
    sys.exit(main())
