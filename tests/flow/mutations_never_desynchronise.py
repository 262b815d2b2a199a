# SPDX-License-Identifier: Apache-2.0
"""Mutated requests, each followed by a marker: when the marker is answered, a strict parser of its own saw the same
number of requests in the same bytes. So nobody smuggles a request past what the server has read.

    CS_MUTATIONS=1000000 makes it a long run; CS_SEED another one.
"""

import os
import random
import re
import ssl
import socket
import threading
import unittest

import edge

COUNT = int(os.environ.get("CS_MUTATIONS", "600"))
SEED = int(os.environ.get("CS_SEED", "1"))
THREADS = 12

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

LINE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+ /[!-~]* HTTP/1\.1")
HEADER = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]((?:[!-~][\t -~]*)?)")
ONCE = (b"host", b"content-length", b"transfer-encoding")


class Malformed(Exception):
    pass


def head_at(stream, pos):
    """(headers by lower-case name, position behind the head) of a strictly written request."""
    end = stream.find(b"\r\n\r\n", pos)
    if end < 0:
        raise Malformed
    line, *fields = stream[pos:end].split(b"\r\n")
    if not LINE.fullmatch(line):
        raise Malformed
    headers = {}
    for field in fields:
        match = HEADER.fullmatch(field)
        if not match or (match[1].lower() in ONCE and match[1].lower() in headers):
            raise Malformed
        headers[match[1].lower()] = match[2]
    if b"host" not in headers:
        raise Malformed
    return headers, end + 4


def count(stream):
    """Requests in a stream of strictly written ones, all complete; no request may end the connection before the
    last one."""
    pos = requests = 0
    while pos < len(stream):
        # empty lines between requests are skipped, also those of a lone LF (RFC 9112 2.2)
        if stream.startswith((b"\r\n", b"\n"), pos):
            pos += 2 if stream.startswith(b"\r", pos) else 1
            continue
        headers, pos = head_at(stream, pos)
        length = headers.get(b"content-length", b"0")
        if b"transfer-encoding" in headers or not re.fullmatch(rb"0|[1-9][0-9]{0,9}", length):
            raise Malformed
        pos += int(length)
        if pos > len(stream):
            raise Malformed
        requests += 1
    return requests


def mutate(rng):
    data = bytearray(rng.choice(SEEDS))
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
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


def answers(client, marker):
    """How many responses came up to the marker's; 0 when that never came."""
    number = 0
    try:
        while response := client.read():
            if response.status == 100:
                continue
            number += 1
            if response.headers.get("content-type") == "application/json" and response.json == {"name": marker}:
                return number
    except (AssertionError, ValueError, OSError):  # cut off, or libmicrohttpd's own refusal
        pass
    return 0


class Mutations(unittest.TestCase):
    def test_no_desynchronisation(self):
        found, answered, lock = [], [0], threading.Lock()

        def work(daemon, first):
            for number in range(first, COUNT, THREADS):
                rng = random.Random(SEED * 10**9 + number)
                data, marker = mutate(rng), f"marker-{number}"
                stream = data + f"GET /v1/keys/{marker} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
                with daemon.client(timeout=10) as client:
                    try:
                        client.send(stream)
                    except (ssl.SSLError, ConnectionError, socket.timeout):
                        pass
                    got = answers(client, marker)
                try:
                    # what libmicrohttpd hides: NUL LF for CR LF, and a colon with LF for the empty line
                    expected = count(stream.replace(b"\0\n", b"\r\n").replace(b"\n:\n", b"\n\r\n"))
                except Malformed:
                    expected = None
                with lock:
                    answered[0] += got > 0
                    if got and got != expected:
                        found.append((number, got, expected, data))

        with edge.Edge() as daemon:
            threads = [threading.Thread(target=work, args=(daemon, n)) for n in range(THREADS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.assertEqual(found, [], "\n".join(map(str, found)))
        self.assertGreater(answered[0], COUNT // 20)  # else nothing was tested
        print(f"{COUNT} streams, {answered[0]} markers answered")


if __name__ == "__main__":
    unittest.main(verbosity=2)
