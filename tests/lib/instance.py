# SPDX-License-Identifier: Apache-2.0
"""A whole instance: PKI, two SoftHSM tokens, signers, countersignd, and clients to talk to it.

    with Instance() as it:
        reply = it.agent.submit("app-dev", b"image")
        it.approve(reply.json["id"], "approver1")

Everything lives in one directory under /tmp and ends with the `with` block.
"""

import atexit
import base64
import copy
import functools
import hashlib
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import approvals
import machine
import pki
import signers
import softhsm

DAEMON = Path(os.environ.get("CS_BUILDDIR", ".")) / "countersignd"
CLI = Path(os.environ.get("CS_BUILDDIR", ".")) / "countersign"
PEOPLE = {"approver1": "security", "approver2": "release", "approver3": "release"}
QUORUM = [{"group": "release", "count": 1}, {"group": "security", "count": 1}]


class Reply:
    """Status, headers and body of an answer."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()
        self.elapsed = None
        self.took = None  # the same without what the machine lost

    @property
    def json(self):
        return json.loads(self.body)


class Client:
    """HTTPS with a client certificate; one kept connection, made anew when it broke."""

    def __init__(self, port, ca, certificate, key, timeout=60):
        self.connection = None
        self.port = port
        self.context = ssl.create_default_context(cafile=ca)
        self.context.load_cert_chain(certificate, key)
        self.timeout = timeout

    def connect(self):
        self.connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context,
                                                      timeout=self.timeout)
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def __del__(self):
        self.close()

    def request(self, method, path, body=None, headers=None):
        """One exchange; `body` that is no bytes is sent as JSON."""
        headers = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        if not self.connection:
            self.connect()
        try:
            start = time.monotonic()
            self.connection.request(method, path, body, headers)
            reply = Reply(self.connection.getresponse())
            reply.elapsed = time.monotonic() - start
            reply.took = machine.seconds(start, start + reply.elapsed)
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        return reply

    def get(self, path, **headers):
        return self.request("GET", path, headers=headers)

    def post(self, path, body, key=None):
        return self.request("POST", path, body, {"Idempotency-Key": key} if key else {})

    def submit(self, key_name, image=b"image", key=None, hash_name="sha256", **more):
        """Ask for a signature over an image."""
        digest = hashlib.new(hash_name, image).hexdigest()
        return self.post("/v1/requests", {
            "artifacts": [{"name": "app", "digest": {"algorithm": hash_name, "value": digest}, "size": len(image),
                           "key": key_name}], **more}, key)


@functools.cache
def token_template(label):
    """A token with the keys of its environment, made once a process: signers work on copies."""
    directory = tempfile.TemporaryDirectory(prefix="cst", dir="/tmp")
    atexit.register(directory.cleanup)
    os.chmod(directory.name, 0o755)
    token = softhsm.make(Path(directory.name) / label, label)
    keys = []
    for number, (algorithm, use) in enumerate((("p-256", "app"), ("rsa-3072", "boot")), 1):
        name = f"{use}-{label}"
        spki = token.keygen(name, f"{number:02x}", algorithm)
        more = {} if label == "dev" else {"quorum": QUORUM}
        keys.append(signers.key(name, label, f"{number:02x}", algorithm, spki, **more))
    return token, keys


class Instance:
    """countersignd with the signers of tokens dev and prod; `template` makes a token and its keys, by label."""

    def __init__(self, children=1, config=None, start=True, change_policy=None, change_access=None,
                 template=token_template, **signer_more):
        self.directory = Path(tempfile.mkdtemp(prefix="csi", dir="/tmp"))
        self.directory.chmod(0o755)
        self.log_file = self.directory / "daemon.log"
        self.database = self.directory / "log.db"
        # with a limit of open files that every machine allows, and hardly any room on its disk
        self.config = {"signer-timeout": "4s", "connections-max": 256, "disk-watermark": "1MiB", **(config or {})}
        self.people = [approvals.Approver(person, group) for person, group in PEOPLE.items()]
        self.process = None
        self.port = 0
        self.signers = {}
        self.make_pki()
        self.make_policy(template, change_policy)
        self.make_access(change_access)
        self.signer_arguments = {"children": children, **signer_more}
        if start:
            try:
                self.start_signers()
                self.start()
            except BaseException:
                self.end()
                raise

    # --- files ---

    def make_pki(self):
        self.ca = pki.Authority("client CA")
        server = self.ca.issue("countersignd", usage=(pki.SERVER,), hosts=("localhost", "127.0.0.1"))
        self.ca_file = self.directory / "ca.pem"
        self.ca_file.write_bytes(self.ca.pem())
        self.server_files = server.write(self.directory, "server")
        self.identities = {}
        for name in ("ci", "ci2", *PEOPLE, "auditor1", "operator1"):
            self.identities[name] = self.ca.issue(name)
            self.identities[name].write(self.directory, name)
        self.crl_file = self.directory / "crl.pem"
        self.crl_file.write_bytes(self.ca.crl())

    def make_policy(self, template=token_template, change=None):
        self.tokens = {}
        keys, tokens = [], []
        for label in ("dev", "prod"):
            self.tokens[label], own = template(label)
            keys += copy.deepcopy(own)
            tokens.append({"name": label, "label": label, "serial": self.tokens[label].serial, "environment": label,
                           "software_token": True})
        self.policy = {"version": 1, "instance": "test", "tokens": tokens, "keys": keys,
                       "approvers": self.approver_entries("test")}
        if change:
            change(self.policy)

    def approver_entries(self, name):
        """The approvers as signing.yaml of the instance `name` has them."""
        return [{"person": a.person, "group": a.group,
                 "keys": [{"public_key": approvals.b64(a.spki), "enrolment": approvals.b64(a.enrolment(name))}]}
                for a in self.people]

    def make_access(self, change=None):
        def principal(name, role, **more):
            return {"name": name, "role": role, "read_rate": 1000000,
                    "certificates": [{"spki_sha256": self.identities[name].spki}], **more}

        keys = [key["name"] for key in self.policy["keys"]]
        self.access = {"principals": [
            principal("ci", "agent", owners=["developer1"], keys=keys, rate=1000000, open_requests=10000),
            principal("ci2", "agent", person="developer2", keys=["app-dev"], rate=1000000, open_requests=10000),
            *(principal(name, "approver", person=name) for name in PEOPLE),
            principal("auditor1", "auditor", person="auditor1"),
            principal("operator1", "operator", person="operator1")]}
        if change:
            change(self.access)

    def write_files(self):
        """All three files as they stand in self.policy, self.access and self.config."""
        for signer in self.signers.values():
            signer.write_policy(self.policy)
        (self.directory / "signing.yaml").write_text(signers.to_yaml(self.policy) + "\n")
        (self.directory / "access.yaml").write_text(signers.to_yaml(self.access) + "\n")
        settings = {
            "listen": "127.0.0.1:0", "tls-certificate": self.server_files[0], "tls-key": self.server_files[1],
            "client-ca": str(self.ca_file), "client-crl": str(self.crl_file), "database": str(self.database),
            **self.config,
            "signers": [{"token": name, "socket": str(s.socket), "connections": s.children}
                        for name, s in self.signers.items()]}
        settings = {name: value for name, value in settings.items() if value is not None}
        (self.directory / "countersignd.conf").write_text(signers.to_yaml(settings) + "\n")

    # --- processes ---

    def start_signers(self):
        for name, token in self.tokens.items():
            self.signers[name] = signers.Signer(token, self.policy, environment=name, **self.signer_arguments)

    def command(self, *more):
        return [str(DAEMON), "--config", str(self.directory / "countersignd.conf"), *map(str, more)]

    def run(self, *more):
        """Run countersignd to its end: (exit status, output)."""
        self.write_files()
        done = subprocess.run(self.command(*more), timeout=120, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        return done.returncode, done.stdout

    def start(self, ready=True, prefix=(), env=None):
        self.write_files()
        before = len(self.log())
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen([*prefix, *self.command()], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env={**os.environ, **(env or {})})
        self.wait(lambda: any(line["event"] == "listening" for line in self.log()[before:]), "listening")
        line = [line for line in self.log()[before:] if line["event"] == "listening"][-1]
        self.port = int(line["message"].rsplit(" ", 1)[1])
        if ready:
            self.wait(lambda: self.client("operator1").get("/v1/ready").status == 200, "ready")

    def log(self):
        """Log lines so far, as objects."""
        if not self.log_file.exists():
            return []
        return [json.loads(line) for line in self.log_file.read_text().splitlines() if line.startswith("{")]

    def wait(self, condition, what, seconds=60):
        end = time.monotonic() + seconds
        while not condition():
            if self.process and self.process.poll() is not None:
                raise AssertionError(f"countersignd ended ({self.process.returncode}) while a test waited for {what}:\n"
                                     f"{self.log_file.read_text()}")
            if time.monotonic() > end:
                raise AssertionError(f"no {what} within {seconds} s:\n{self.log_file.read_text()}")
            time.sleep(0.02)

    def reload(self):
        """Write the files and tell daemon and signers; returns when all use the policy's version."""
        self.write_files()
        for signer in self.signers.values():
            signer.signal(signal.SIGHUP)
        self.process.send_signal(signal.SIGHUP)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """Ask the daemon to end; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def end(self):
        try:
            if self.process and self.process.poll() is None:
                assert self.stop() == 0, self.log_file.read_text()
        finally:
            if self.process and self.process.poll() is None:
                self.kill()
            for signer in self.signers.values():
                signer.end()
            subprocess.run(["rm", "-rf", str(self.directory)], check=False)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.end()

    # --- clients ---

    def client(self, name, **more):
        return Client(self.port, self.ca_file, self.directory / f"{name}.pem", self.directory / f"{name}.key", **more)

    @property
    def agent(self):
        return self.client("ci")

    def request(self, request_id):
        return self.client("auditor1").get(f"/v1/requests/{request_id}").json

    def wait_state(self, request_id, state, seconds=60):
        self.wait(lambda: self.request(request_id)["state"] == state, f"state {state} of {request_id}", seconds)

    def head(self):
        return self.client("auditor1").get("/v1/audit/head").json

    def envelope(self, request_id, person, decision="approve", n=1, key=None, **changes):
        """A signed decision as the command line makes it."""
        document = self.client("auditor1").get(f"/v1/requests/{request_id}/document").body
        approver = key or next(a for a in self.people if a.person == person)
        payload = {"decision": decision, "images_checked": [], "log": self.head(), "n": n,
                   "request_sha256": hashlib.sha256(document).hexdigest(), "time": approvals.now(),
                   "type": approvals.TYPE % "decision", "v": 1}
        payload.update(changes)
        return approver.envelope("decision", payload)

    def decide(self, request_id, person, decision="approve", n=1, client=None, **changes):
        envelope = self.envelope(request_id, person, decision, n, **changes)
        return (client or self.client(person)).post(f"/v1/requests/{request_id}/decisions",
                                                    {"envelope": base64.b64encode(envelope).decode()})

    def approve(self, request_id, *people):
        for person in people:
            reply = self.decide(request_id, person)
            assert reply.status == 200, reply.body

    # --- the log ---

    def export(self):
        """The whole log as a list of lines, through the API, and the last head."""
        auditor, lines, at = self.client("auditor1"), [], 1
        while True:
            page = auditor.get(f"/v1/audit/events?from={at}" + ("&resume=true" if at > 1 else "")).body
            *events, last = page.splitlines()
            head = json.loads(last)
            lines += events
            if head["next"] > head["size"]:
                return lines, head
            at = head["next"]

    def verify(self, lines, head=None, journals=()):
        """Let both verifiers judge an export, with journals of signers; they must agree: (exit status, output)."""
        path = self.directory / "export.ndjson"
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        known = ["--head", f"{head['size']}:{head['head']}"] if head else []
        known += [word for journal in journals for word in ("--journal", str(journal))]
        script = Path(os.environ.get("CS_SRCDIR", ".")) / "docs" / "verify_log.py"
        results = []
        for command in ([str(CLI), "audit", "verify"], [sys.executable, str(script)]):
            done = subprocess.run([*command, *known, str(path)], timeout=300, text=True, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT)
            results.append((done.returncode, done.stdout))
        assert results[0][0] == results[1][0], f"the verifiers disagree: {results}"
        return results[0]
