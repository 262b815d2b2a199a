# SPDX-License-Identifier: Apache-2.0
"""R9: mutated requests in a row on one connection, each followed by a marker. When a marker is answered, a strict
parser of the test's own saw as many requests up to it in the same bytes. So nobody smuggles a request past what the
server has read.

    CS_MUTATIONS=1000000 (CS_FULL=1, make check-long) is the long run; CS_SEED another one.
"""

import collections
import multiprocessing
import os
import random
import re
import ssl
import unittest

import edge
import lax_tls

FULL = "1000000" if os.environ.get("CS_FULL") else "6000"
COUNT = int(os.environ.get("CS_MUTATIONS", FULL))
SEED = int(os.environ.get("CS_SEED", "1"))
PROCESSES = 4
ROW = 32  # requests on a connection, if none of them ends it
HARD = 0.08  # of the mutations do not care for the grammar

GET = b"GET /v1/health HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n"
HEAD = b"POST /v1/requests HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
SEEDS = [
    GET,
    GET + GET,
    HEAD + b"Content-Length: 2\r\n\r\n{}",
    HEAD + b"Content-Length: 2\r\n\r\n{}" + GET,
    HEAD + b"Content-Length: 0\r\n\r\n",
    HEAD + b"Content-Length: 52\r\n\r\n" + GET,
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    b"GET /v1/keys?x=1 HTTP/1.1\r\nHost: a\r\nX: " + GET[:-4].replace(b"\r\n", b"  ") + b"\r\n\r\n",
]
PIECES = [
    b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b",", b"0", b"1", b"9", b"+", b"-", b"%00", b"%0d%0a", b"/", b"?",
    b"\r\n ", b"\r\n\t", b"\r\n\r\n", b"0\r\n\r\n", b"Host: a\r\n", b"Content-Length: 0\r\n", b"Content-Length: 5\r\n",
    b"Content-Length : 5\r\n", b"content-length: 2\r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding:chunked\r\n",
    b"Transfer-Encoding: x\r\n", b"\x0b", b"\x85", b"\xff", b"HTTP/1.1", b"HTTP/1.0", GET, b"Expect: 100-continue\r\n",
    b"Connection: close\r\n", b"Connection: keep-alive\r\n",
]
# ends whatever is open: a body, a head
KICK = b"x" * 66000 + b"\r\n\r\n"
TEXT = (b"abcXYZ019-._~!*'();@&=+$,/?[]{} \t\"<>^|" * 8)[:256]  # a table: any byte becomes one of these

LINE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+ (/[!-~]*) HTTP/1\.1")
HEADER = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]((?:[!-~][\t -~]*)?)")
ONCE = (b"host", b"content-length", b"transfer-encoding")


# --- the reference ---

def head_at(stream, pos):
    """(target, headers by lower-case name, position behind the head) of a strictly written request; or None."""
    end = stream.find(b"\r\n\r\n", pos)
    if end < 0:
        return None
    line, *fields = stream[pos:end].split(b"\r\n")
    match = LINE.fullmatch(line)
    if not match:
        return None
    target, headers = match[1], {}
    for field in fields:
        match = HEADER.fullmatch(field)
        if not match or (match[1].lower() in ONCE and match[1].lower() in headers):
            return None
        headers[match[1].lower()] = match[2]
    return (target, headers, end + 4) if b"host" in headers else None


def requests(stream):
    """Targets of the requests, in order, as far as they are strictly written and whole and go on."""
    # what libmicrohttpd hides (see guard.c): NUL LF for CR LF, a colon with LF for the empty line, and at the end
    # of a head four bytes of which one is NUL
    stream = stream.replace(b"\0\n", b"\r\n").replace(b"\n:\n", b"\n\r\n")
    stream = re.sub(rb"(?:(?<!\r)\n|\r)\0\r\n|\0(?:[^\r\n][\r\n]{2}|\r\n[\r\n]|[\r\n]\r\n)", b"\r\n\r\n", stream)
    pos, targets = 0, []
    while True:
        # empty lines between requests are skipped, also those of a lone LF (RFC 9112 2.2)
        while stream.startswith((b"\r\n", b"\n"), pos):
            pos += 2 if stream.startswith(b"\r", pos) else 1
        head = head_at(stream, pos)
        if not head:
            return targets
        target, headers, pos = head
        length = headers.get(b"content-length", b"0")
        if b"transfer-encoding" in headers or not re.fullmatch(rb"0|[1-9][0-9]{0,9}", length):
            return targets
        pos += int(length)
        if pos > len(stream):
            return targets
        targets.append(target)


# --- mutations ---

def hard(rng):
    data = bytearray(rng.choice(SEEDS))
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(4)
        if kind == 0:
            data[at:at] = rng.choice(PIECES)
        elif kind == 1:
            data[at:at + rng.randrange(1, 4)] = b""
        elif kind == 2:
            data[at:at + 1] = rng.choice(PIECES)
        else:
            other = rng.randrange(len(data) + 1)
            data[at:at] = data[min(at, other):max(at, other)]
    return bytes(data)


def text(rng, most):
    return rng.randbytes(rng.randrange(most)).translate(TEXT)


def soft(rng):
    """What the grammar allows: any header, case, order, and bodies that look like requests."""
    headers = [b"X-%d: x%sx" % (n, text(rng, 40)) for n in range(rng.randrange(5))] + [b"hOsT: a"]
    body, method, target = b"", b"GET", rng.choice((b"/v1/health", b"/v1/keys", b"/v1/keys/x?y=1", b"/v1/nothing"))
    if rng.random() < 0.5:
        body = rng.choice((GET, b"{}", text(rng, 200), KICK[:rng.randrange(400)], b"0\r\n\r\n" + GET))
        method, target = b"POST", b"/v1/requests"
        headers += [b"Content-Length: %d" % len(body), b"Content-type: application/json"]
    rng.shuffle(headers)
    return b"%s %s HTTP/1.1\r\n%s\r\n\r\n%s" % (method, target, b"\r\n".join(headers), body)


def row(number):
    """A row of mutated requests with their markers: (bytes, how many mutated)."""
    rng = random.Random(SEED * 10**9 + number)
    data = b""
    for n in range(ROW):
        data += hard(rng) if rng.random() < HARD else soft(rng)
        data += b"GET /v1/keys/marker-%d-%d HTTP/1.1\r\nHost: a\r\n\r\n" % (number, n)
    return data


# --- the comparison ---

def answers(client):
    """Bodies of the responses, in order, up to the end of the connection."""
    bodies = []
    try:
        while response := client.read():
            if response.status != 100:
                bodies.append(response.body)
    except (AssertionError, ValueError, IndexError, OSError):  # cut off, or libmicrohttpd's own refusal
        pass
    return bodies


def compare(stream, bodies):
    """(markers answered, what a marker's answer and the reference do not agree on or None)."""
    targets = requests(stream)
    answered = 0
    for index, body in enumerate(bodies):
        match = re.fullmatch(rb'\{"name":"(marker-[0-9-]+)"\}', body)
        if not match:
            continue
        answered += 1
        if index >= len(targets) or targets[index] != b"/v1/keys/" + match[1]:
            seen = targets[index] if index < len(targets) else "no request"
            return answered, f"answer {index + 1} is {match[1].decode()}'s, the reference has {seen}"
    return answered, None


Result = collections.namedtuple("Result", "mutated answered found")


def run_row(connect, number):
    data = row(number)
    try:
        client = connect()
    except OSError:  # a busy machine: the handshake took too long
        return Result(0, 0, [])
    with client:
        try:
            client.send(data)
            client.send(KICK)
        except (ssl.SSLError, OSError):
            pass
        bodies = answers(client)
    answered, wrong = compare(data + KICK, bodies)
    # of the mutated requests, those before an answered marker and the one that ended it were read
    return Result(min(answered + 1, ROW), answered, [(number, wrong, data)] if wrong else [])


class Connections:
    """Makes connections of one identity; its files are read once."""

    def __init__(self, port, ca, identity):
        self.port, self.ca, self.identity = port, ca, identity
        self.context = None

    def __call__(self):
        if not self.context:
            self.context = ssl.create_default_context()
            with edge.Client(self.port, self.ca, self.identity, context=self.context):
                pass
        return edge.Client(self.port, None, None, context=self.context)


def work(connect, first, mutated, results):
    """A process: every PROCESSES-th row until enough was mutated."""
    total, found, number = [0, 0], [], first
    while total[0] < mutated and len(found) < 10 and number < mutated:
        result = run_row(connect, number)
        total[0] += result.mutated
        total[1] += result.answered
        found += result.found
        number += PROCESSES
    results.put((*total, found))


def run(connect, mutated):
    """Result of so many mutated requests."""
    results = multiprocessing.Queue()
    processes = [multiprocessing.Process(target=work, args=(connect, first, mutated // PROCESSES, results))
                 for first in range(PROCESSES)]
    for process in processes:
        process.start()
    parts = [results.get() for _ in processes]
    for process in processes:
        process.join()
    return Result(sum(p[0] for p in parts), sum(p[1] for p in parts), [x for p in parts for x in p[2]])


# --- a parser as many are ---

def lenient(tls):
    """Takes LF for CR LF, the first of two lengths, spaces before a colon; knows no chunks."""
    data = b""
    while True:
        match = re.search(rb"\r?\n\r?\n", data)
        length = re.search(rb"(?i)\ncontent-length\s*:\s*\+?([0-9]{1,5})", data[:match.end()] if match else b"")
        end = match.end() + (int(length[1]) if length else 0) if match else None
        if end is None or len(data) < end:
            more = tls.recv(65536)
            if not more:
                return
            data += more
            continue
        name = re.match(rb"\s*GET /v1/keys/([a-z0-9-]+) ", data)
        body = b'{"name":"%s"}' % name[1] if name else b"{}"
        tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        data = data[end:]


class Mutations(unittest.TestCase):
    def test_no_desynchronisation(self):
        with edge.Edge(patience=2) as daemon:
            result = run(Connections(daemon.port, daemon.ca, daemon.who["agent"]), COUNT)
        self.assertEqual(result.found, [], "\n".join(map(str, result.found)))
        self.assertGreater(result.answered, COUNT // 2)  # else nothing was tested
        with lax_tls.server(lenient) as (port, authority):
            control = run(Connections(port, authority, None), 400)
        self.assertGreater(len(control.found), 0, "a lenient parser was not noticed")
        print(f"promise R9: {result.mutated} mutated pipelined requests, {result.answered} markers answered, "
              f"0 desynchronisations; a lenient parser is caught {len(control.found)} times in {control.mutated}")

    def test_reference(self):
        """The reference itself, on streams that parsers read in two ways."""
        whole = {
            GET * 3: 3, HEAD + b"Content-Length: %d\r\n\r\n" % len(GET) + GET + GET: 2, b"\r\n\n" + GET: 1, GET + b"GET / HTTP/1.1\r\n": 1,
            GET.replace(b"\r\nA", b"\nA"): 0, GET.replace(b"Host:", b"Host :"): 0, GET.replace(b"Accept", b"Host"): 0,
            HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}" + GET: 0, HEAD + b"Content-Length: +2\r\n\r\n{}": 0,
            HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET: 0,
            GET + GET.replace(b"1.1", b"1.0") + GET: 1, HEAD + b"Content-Length: 999\r\n\r\n" + GET: 0,
        }
        for stream, count in whole.items():
            with self.subTest(stream):
                self.assertEqual(len(requests(stream)), count)


if __name__ == "__main__":
    unittest.main(verbosity=2)
