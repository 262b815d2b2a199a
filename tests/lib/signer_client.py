# SPDX-License-Identifier: Apache-2.0
"""The daemon's side of docs/PROTOCOL.signer, with nothing checked for the caller's sake."""

import socket
import struct
from collections import namedtuple

HELLO, SIGN, RESULT, DONE, STATUS, HEALTH, ERROR = range(1, 8)
OK, REFUSED, NOT_TRIED, FAILED = range(4)

Hello = namedtuple("Hello", "protocol instance token environment serial software_token policy_version policy_digest")
Result = namedtuple("Result", "index outcome code message raw")
Health = namedtuple("Health", "ready selftest_time keys failed restarts message")


class Closed(Exception):
    """The signer closed the connection."""


class Refused(Exception):
    """The signer answered ERROR; its text."""


def string(data):
    return struct.pack(">I", len(data)) + data


def sign_body(document, decisions=(), artifacts=((0, 1),)):
    return b"".join([string(document), struct.pack(">I", len(decisions)), *map(string, decisions),
                     struct.pack(">I", len(artifacts)), *(struct.pack(">II", *a) for a in artifacts)])


class Reader:
    def __init__(self, data):
        self.data = data

    def number(self, code):
        size = struct.calcsize(code)
        value, = struct.unpack(code, self.data[:size])
        self.data = self.data[size:]
        return value

    def string(self):
        size = self.number(">I")
        value, self.data = self.data[:size], self.data[size:]
        assert len(value) == size, "string is cut"
        return value

    def text(self):
        return self.string().decode()

    def end(self, value):
        assert not self.data, "bytes after the last field"
        return value


class Connection:
    """One connection to one child; `hello` is what it said first."""

    def __init__(self, path, timeout=60):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        try:
            self.socket.connect(str(path))
            kind, body = self.receive()
        except Exception:
            self.socket.close()
            raise
        assert kind == HELLO, kind
        r = Reader(body)
        self.hello = r.end(Hello(r.number(">I"), r.text(), r.text(), r.text(), r.text(), bool(r.number("B")),
                                 r.number(">Q"), r.string()))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.socket.close()

    def exactly(self, size):
        data = b""
        while len(data) < size:
            try:
                part = self.socket.recv(size - len(data))
            except ConnectionError:
                part = b""
            if not part:
                raise Closed()
            data += part
        return data

    def receive(self):
        size, kind = struct.unpack(">IB", self.exactly(5))
        return kind, self.exactly(size - 1)

    def send(self, kind, body=b""):
        try:
            self.socket.sendall(struct.pack(">IB", len(body) + 1, kind) + body)
        except ConnectionError:
            pass  # the answer that it sent before it closed can still be read

    def exchange(self, kind, body=b""):
        """Send a frame; every frame up to DONE."""
        self.send(kind, body)
        answers = []
        while True:
            answer = self.receive()
            if answer[0] == ERROR:
                raise Refused(answer[1].decode())
            if answer[0] == DONE:
                assert answer[1] == b""
                return answers
            answers.append(answer)

    def sign(self, document, decisions=(), artifacts=((0, 1),)):
        results = []
        for kind, body in self.exchange(SIGN, sign_body(document, decisions, artifacts)):
            assert kind == RESULT, kind
            r = Reader(body)
            results.append(r.end(Result(r.number(">I"), r.number("B"), r.text(), r.text(), r.string())))
        return results

    def status(self):
        (kind, body), = self.exchange(STATUS)
        assert kind == HEALTH, kind
        r = Reader(body)
        return r.end(Health(bool(r.number("B")), r.number(">Q"), r.number(">I"), r.number(">I"), r.number(">Q"),
                            r.text()))
