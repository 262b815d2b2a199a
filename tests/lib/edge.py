# SPDX-License-Identifier: Apache-2.0
"""Raw HTTPS clients, and the daemon they talk to: http/ on a fake core (tests/unit/fake_daemon.c).

Nothing here is an HTTP library: tests must be able to say every wrong byte.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pki

PENDING = "01900000-0000-7000-8000-000000000001"
SIGNED = "01900000-0000-7000-8000-000000000002"
ROLES = ("agent", "approver", "auditor", "operator")


def builddir():
    return Path(os.environ["CS_BUILDDIR"])


class Response:
    """A parsed response: status, headers by lower-case name, body as bytes."""

    def __init__(self, head, body):
        line, *fields = head.decode("latin-1").split("\r\n")
        self.status = int(line.split(" ")[1])
        self.headers = {k.lower(): v.strip() for k, v in (f.split(":", 1) for f in fields)}
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def problem(self):
        """The last part of the problem's type."""
        assert self.headers["content-type"] == "application/problem+json", self.headers
        assert self.json["status"] == self.status
        return self.json["type"].rsplit(":", 1)[1]

    @property
    def closes(self):
        return self.headers.get("connection", "").lower() == "close"


class Client:
    """One TLS connection. `identity` is a pki.Identity, or None for no certificate, or for that of `context`, which
    may know the CA, too."""

    def __init__(self, port, ca, identity=None, timeout=60, context=None, source=None):
        self.received = b""
        context = context or ssl.create_default_context()
        if ca:
            context.load_verify_locations(cadata=ca.pem().decode())
        if identity:
            with tempfile.TemporaryDirectory(prefix="cs", dir="/tmp") as files:
                context.load_cert_chain(*identity.write(files, "me"))
        raw = socket.create_connection(("127.0.0.1", port), timeout, (source, 0) if source else None)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.socket = context.wrap_socket(raw, server_hostname="127.0.0.1")
        except BaseException:
            raw.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def offer(self, data):
        """Send what the server may refuse, and close on, before it has read all of it."""
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            self.send(data)

    def _more(self):
        data = self.socket.recv(65536)
        self.received += data
        return bool(data)

    def read(self):
        """The next response; None when the connection ends before one has begun."""
        while b"\r\n\r\n" not in self.received:
            try:
                if not self._more():
                    assert not self.received, self.received
                    return None
            except (ConnectionError, ssl.SSLError):
                return None
        head, self.received = self.received.split(b"\r\n\r\n", 1)
        response = Response(head, b"")
        length = int(response.headers.get("content-length", 0))
        while len(self.received) < length:
            assert self._more(), "connection ended inside a body"
        response.body, self.received = self.received[:length], self.received[length:]
        return response

    def rest(self, seconds=15):
        """What still comes until the server ends the connection; fails when it does not in this time."""
        self.socket.settimeout(seconds)
        try:
            while self._more():
                pass
        except socket.timeout:
            raise AssertionError(f"the connection goes on after {seconds} s") from None
        except (ConnectionError, ssl.SSLError):
            pass
        return self.received

    def ask(self, method, target, body=None, headers=(), chunked=False):
        lines = [f"{method} {target} HTTP/1.1", "Host: localhost", *headers]
        data = body or b""
        if body is not None and not any(h.startswith("Content-Type") for h in headers):
            lines.append("Content-Type: application/json")
        if chunked:
            lines.append("Transfer-Encoding: chunked")
            data = b"%x\r\n" % len(data) + data + b"\r\n0\r\n\r\n"
        elif body is not None:
            lines.append(f"Content-Length: {len(data)}")
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
        return self.read()

    def get(self, target):
        return self.ask("GET", target)


class Edge:
    """The fake daemon with a PKI: one identity of each role, in `who`. `patience`: the seconds that a handshake,
    a request and silence may last."""

    def __init__(self, crl=False, patience=20):
        self.patience = patience
        self.directory = Path(tempfile.mkdtemp(prefix="cs", dir="/tmp"))
        self.ca = pki.Authority()
        self.who = {role: self.ca.issue(role) for role in ROLES}
        self.people = {f"{role}1": (role, self.who[role]) for role in ROLES}
        (self.directory / "ca.pem").write_bytes(self.ca.pem())
        self.ca.issue("server", usage=(pki.SERVER,), hosts=("127.0.0.1",)).write(self.directory, "server")
        if crl:
            self.write_crl()
        self.write_access()

    def write_crl(self, revoked=(), **more):
        (self.directory / "crl.pem").write_bytes(self.ca.crl(revoked, **more))

    def write_access(self):
        (self.directory / "access").write_text(
            "".join(f"{name} {role} {identity.spki}\n" for name, (role, identity) in self.people.items())
        )

    def __enter__(self):
        self.process = subprocess.Popen(
            [builddir() / "tests/unit/fake_daemon", self.directory, str(self.patience)], stdout=subprocess.PIPE, text=True
        )
        self.told = []
        self.changed = threading.Condition()
        first = self.process.stdout.readline().split(" ", 1)
        if first[0] != "listening":
            # what was said before the port, of the CRL's check
            first = self.process.stdout.readline().split(" ", 1)
        assert first[0] == "listening", first
        self.port = int(first[1])
        self.reader = threading.Thread(target=self._listen, daemon=True)
        self.reader.start()
        return self

    def _listen(self):
        for line in self.process.stdout:
            with self.changed:
                self.told.append(line.rstrip("\n"))
                self.changed.notify_all()

    def wait_for(self, text, seconds=60):
        """Wait until the daemon has said a line that holds `text`; returns the line."""
        end = time.monotonic() + seconds
        with self.changed:
            while True:
                for line in self.told:
                    if text in line:
                        return line
                left = end - time.monotonic()
                assert left > 0, f"not said within {seconds} s: {text!r}; said: {self.told}"
                self.changed.wait(left)

    def forget(self):
        with self.changed:
            self.told.clear()

    def reload(self):
        """SIGHUP; returns what came of it."""
        self.forget()
        self.process.send_signal(signal.SIGHUP)
        return self.wait_for("reloaded").split(" ", 1)[1]

    def client(self, who="agent", **more):
        identity = self.who[who] if isinstance(who, str) else who
        return Client(self.port, self.ca, identity, **more)

    def __exit__(self, exc_type, *exc):
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self.reader.join()
        self.process.stdout.close()
        shutil.rmtree(self.directory)
        if exc_type is None:
            assert status == 0, f"the daemon ended with status {status}"
