# SPDX-License-Identifier: Apache-2.0
"""R8: who gets in. Nothing happens before a client certificate is known to be good: no answer, no row, no event
but the count of refusals with their source and reason. The cases are in tests/lib/certificates.py."""

import collections
import datetime
import hashlib
import json
import re
import signal
import socket
import sqlite3
import ssl
import tempfile
import time
import unittest

import certificates
import edge
import lax_tls
import machine
import pki
from cryptography.hazmat.primitives import hashes
from instance import Instance

IMAGE = hashlib.sha256(b"image").hexdigest()
BODY = json.dumps({"artifacts": [{"name": "app", "digest": {"algorithm": "sha256", "value": IMAGE}, "size": 5,
                                  "key": "app-dev"}]}).encode()
POST = b"POST /v1/requests HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" \
    b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
# what a daemon does without any client
BY_ITSELF = {"log.created", "daemon.started", "daemon.stopped", "policy.loaded", "access.loaded", "signer.lost",
             "signer.back", "signer.selftest", "clock.jump", "auth.refused"}


def hour(n):
    return pki.now() + datetime.timedelta(hours=n)


def answer_to(port, case, priority, source):
    """All that a server says to a submission by this client; b"" when it lets her say nothing."""
    said = b""
    try:
        with lax_tls.Client(port, case.chain, case.key, priority, case.server_name, source) as client:
            if case.renegotiate:
                client.renegotiate(case.renegotiate.chain, case.renegotiate.key)
            client.send(POST)
            said = client.receive()
            while said and not is_whole(said):
                said += client.receive()
    except OSError:
        pass
    return said


def is_whole(said):
    head, _, body = said.partition(b"\r\n\r\n")
    length = re.search(rb"\r\nContent-Length: ([0-9]+)", head)
    return length is None or len(body) >= int(length[1])


def is_shut_out(said):
    """Nothing, or that she is nobody, and nothing after it."""
    return said == b"" or (said.startswith(b"HTTP/1.1 403 ") and b":unauthenticated" in said
                           and b"Connection: close" in said)


class Matrix(unittest.TestCase):
    """The whole server: what is in its log and tables afterwards is the proof."""

    def setUp(self):
        self.sources = {}
        self.open_cases = 0
        self.it = Instance(start=False, config={"auth-failures": 1000000, "handshake-timeout": "6s"})
        self.addCleanup(self.it.end)
        self.serial = 4711
        self.uncovered = pki.Authority("CA without a list", key=pki.new_key("rsa-2048"))
        self.it.ca_file.write_bytes(self.it.ca.pem() + self.uncovered.pem())
        self.write_crl()
        self.cases = certificates.Cases(self.it.ca, self.uncovered, self.serial)
        self.it.access["principals"].append({
            "name": "client", "role": "agent", "owners": ["developer3"], "keys": ["app-dev"],
            "certificates": [{"spki_sha256": spki} for spki in self.cases.known_keys()]})
        self.it.start_signers()

    def write_crl(self, revoked=(), **more):
        self.it.crl_file.write_bytes(self.it.ca.crl([*revoked, Serial(self.serial)], **more))

    def reload(self):
        before = len(self.it.log())
        self.it.write_files()
        self.it.process.send_signal(signal.SIGHUP)
        self.it.wait(lambda: any(line["event"] == "reloaded" for line in self.it.log()[before:]), "reload")

    def source(self, name, reasons):
        """An address of its own for each attempt, so that the log tells them apart."""
        number = len(self.sources) + 1
        source = f"127.0.{1 + number // 250}.{1 + number % 250}"
        self.sources[source] = (name, reasons)
        return source

    def shut_out(self, name, case, priority):
        said = answer_to(self.it.port, case, priority, self.source(name, case.reasons))
        self.assertTrue(is_shut_out(said), f"{name}: {said!r}")

    def connect(self, name, reasons, identity=None, version=None):
        """A good client on an open connection, of whom the server has heard already."""
        identity = identity or self.cases.issue()
        context = ssl.create_default_context()
        if version:
            context.maximum_version = version
        client = edge.Client(self.it.port, self.it.ca, identity, context=context, source=self.source(name, reasons))
        self.addCleanup(client.close)
        self.assertEqual(client.get("/v1/health").status, 200, name)
        return client

    def shut_out_open(self, client):
        client.send(POST)
        response = client.read()
        if response:
            self.assertEqual((response.status, response.problem, response.closes), (403, "unauthenticated", True))
        self.assertEqual(client.rest(), b"")
        self.open_cases += 1

    def test_all(self):
        chains, others = list(self.cases.chains()), self.cases.all()
        self.it.config["client-crl"] = None
        self.it.start()
        attempts = self.each(chains)
        self.it.stop()
        del self.it.config["client-crl"]
        self.it.start()
        attempts += self.each(others)
        self.unproven()
        self.changes_on_open_connections()
        self.outdated_list()
        found = self.lax_server(attempts)
        self.check_log(good=0)
        self.negative_control()
        count = len(attempts) + self.open_cases
        self.assertGreaterEqual(count, 40)
        print(f"promise R8: {count} clients that must not get in ({len(chains) + len(others) + self.open_cases} flaws): 0 answers, "
              f"0 rows, 0 events but the refusals; a lax server is caught in {found} cases")

    def each(self, cases):
        attempts = [(name, case, priority) for case in cases for name, priority in case.attempts()]
        for name, case, priority in attempts:
            with self.subTest(name):
                self.shut_out(name, case, priority)
        return attempts

    def unproven(self):
        """A stolen certificate, and then silence: no more time than a handshake has."""
        for version, name in ((ssl.TLSVersion.TLSv1_2, "TLS 1.2"), (ssl.TLSVersion.TLSv1_3, "TLS 1.3")):
            start = time.monotonic()
            silent_thief(self.it.port, self.cases.issue(), version,
                         self.source(f"a certificate without the proof, {name}", ("key-not-proven", "no-certificate")))
            self.assertLess(machine.seconds(start), 15)  # 6 s and a busy machine; an idle client has 20 s
            self.open_cases += 1

    def changes_on_open_connections(self):
        revoked = self.it.ca.issue("client", key=self.cases.key)
        opened = [self.connect("revoked on an open connection", ("revoked",), revoked)]
        sessions = []
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context, session = session_of(self.it, revoked, version)
            sessions.append((context, session))
        short = self.cases.issue(end=pki.now() + datetime.timedelta(seconds=6))
        brief = self.connect("expired on an open connection", ("expired",), short)
        self.write_crl([revoked])
        self.reload()
        for client in opened:
            self.shut_out_open(client)
        for number, (context, session) in enumerate(sessions):
            self.resume(context, session, self.source(f"a session of a revoked certificate, {number}", ("revoked",)))
        removed = self.connect("removed on an open connection", ("nobody",))
        entry = self.it.access["principals"].pop()
        self.reload()
        self.shut_out_open(removed)
        self.shut_out("not in the access list", Case("", ("nobody",), self.cases), certificates.TLS13)
        self.open_cases += 1
        self.it.access["principals"].append(entry)
        self.reload()
        while pki.now() < short.certificate.not_valid_after:
            time.sleep(0.1)
        self.shut_out_open(brief)

    def resume(self, context, session, source):
        """The server keeps no sessions, and if it did, the certificate would be looked at again."""
        try:
            with socket.create_connection(("127.0.0.1", self.it.port), 10, (source, 0)) as raw, \
                    context.wrap_socket(raw, server_hostname="127.0.0.1", session=session) as tls:
                self.assertFalse(tls.session_reused)
                tls.sendall(POST)
                said = tls.recv(65536)
        except OSError:
            said = b""
        self.assertTrue(is_shut_out(said), said)
        self.open_cases += 1

    def outdated_list(self):
        """A list past its time lets nobody in, and nobody on."""
        clients = [self.connect("list outdated on an open connection", ("crl-stale",))]
        self.write_crl(until=pki.now() + datetime.timedelta(seconds=8))
        self.reload()
        self.it.wait(lambda: any(line["event"] == "crl-stale" for line in self.it.log()), "an outdated list")
        for client in clients:
            self.shut_out_open(client)
        self.shut_out("list outdated", Case("", ("crl-stale",), self.cases), certificates.TLS12)
        self.open_cases += 1
        self.write_crl()
        self.reload()

    def lax_server(self, attempts):
        """The check itself must find a server that lets everybody in."""
        found = 0
        with lax_tls.server(agree) as (port, _):
            for _, case, priority in attempts:
                found += not is_shut_out(answer_to(port, case, priority, "127.0.0.1"))
        self.assertGreater(found, 40)
        return found

    def check_log(self, good):
        self.assertEqual(self.it.stop(), 0)
        with sqlite3.connect(self.it.database) as database:
            rows, = database.execute("SELECT count(*) FROM request").fetchone()
            events = [json.loads(text) for text, in database.execute("SELECT bytes FROM event")]
        self.assertEqual(rows, good)
        self.assertEqual({event["kind"] for event in events} - BY_ITSELF, set() if not good else {
            "request.created", "sign.intent", "sign.done", "request.signed"})
        told = collections.defaultdict(set)
        for event in events:
            if event["kind"] == "auth.refused" and event["detail"]["source"] in self.sources:
                told[event["detail"]["source"]].add(event["detail"]["reason"])
        for source, (name, reasons) in self.sources.items():
            with self.subTest(name):
                if reasons:
                    self.assertTrue(told[source] and told[source] <= set(reasons),
                                    f"the log says {told[source]}, and not {reasons}")
                else:
                    self.assertEqual(told[source], set())

    def negative_control(self):
        """The same checks find a client that gets in."""
        self.it.start()
        with self.assertRaises(AssertionError):
            self.shut_out("good", self.cases.good(), certificates.TLS13)
        self.check_log(good=1)
        self.it.start()


def agree(tls):
    """Whatever was asked."""
    while tls.recv(65536):
        tls.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")


class Serial:
    """A revoked certificate, of which only the number counts."""

    def __init__(self, number):
        self.serial_number = number


class Case(certificates.Case):
    """A good certificate that is refused for what the server knows by now."""

    def __init__(self, name, reasons, cases):
        good = cases.good()
        super().__init__(name, reasons, good.chain, good.key)


def session_of(it, identity, version):
    """A context and a session that a client may want to resume."""
    context = ssl.create_default_context()
    context.maximum_version = version
    with edge.Client(it.port, it.ca, identity, context=context) as client:
        assert client.get("/v1/health").status == 200
        return context, client.socket.session


def silent_thief(port, identity, version, source):
    """Says all of the handshake up to the client's certificate; returns when the server hangs up."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    with tempfile.TemporaryDirectory(prefix="cs", dir="/tmp") as directory:
        context.load_cert_chain(*identity.write(directory, "me"))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing)
    flights = 0
    with socket.create_connection(("127.0.0.1", port), 30, (source, 0)) as raw:
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                pass
            flight = outgoing.read()
            flights += bool(flight)
            raw.sendall(flight if flights == 1 else up_to_certificate(flight, version))
            try:
                said = raw.recv(65536)
            except ConnectionError:
                return
            if not said:
                return
            incoming.write(said)


def up_to_certificate(flight, version):
    """The records before the proof: with TLS 1.3 the first that is encrypted, with 1.2 two in the clear."""
    kept, records = b"", 0
    while flight and records < (2 if version == ssl.TLSVersion.TLSv1_2 else 1):
        length = 5 + int.from_bytes(flight[3:5], "big")
        records += flight[0] in (22, 23)
        kept, flight = kept + flight[:length], flight[length:]
    return kept


class Certificates(unittest.TestCase):
    """Each against http/ alone."""

    def setUp(self):
        self.edge = edge.Edge(crl=False)
        self.root = self.edge.ca

    def start(self):
        self.edge.__enter__()
        self.addCleanup(self.edge.__exit__, None, None, None)

    def know(self, name, identity, role="agent"):
        """Put it into the access list: only the certificate can be what is wrong."""
        self.edge.people[name] = (role, identity)
        return identity

    def test_clients_are_told_why(self):
        """By the alert of TLS; under 1.3 it comes with the first read."""
        cases = {
            "expired": self.root.issue("a", start=hour(-48), end=hour(-1)),
            "unknown ca": pki.Authority("another CA").issue("b"),
            "unsupported certificate": self.root.issue("c", usage=(pki.SERVER,)),
            "revoked": self.root.issue("d"),
        }
        self.edge.write_crl([cases["revoked"]])
        self.start()
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            for alert, identity in cases.items():
                context = ssl.create_default_context()
                context.maximum_version = version
                with self.subTest(f"{version.name}: {alert}"), self.assertRaisesRegex(ssl.SSLError, alert):
                    with self.edge.client(identity, context=context) as client:
                        client.socket.recv(1)

    def test_accepted(self):
        issue, know = self.root.issue, self.know
        middle = pki.Authority("issuing CA", parent=self.root)
        deep = pki.Authority("deeper CA", parent=middle)
        good = {
            "P-256": know("a", issue("a")),
            "P-384": know("b", issue("b", key=pki.new_key("p-384"))),
            "RSA of 2048 bits": know("c", issue("c", key=pki.new_key("rsa-2048"))),
            "two purposes": know("d", issue("d", usage=(pki.SERVER, pki.CLIENT))),
            "below an intermediate": know("e", middle.issue("e", send=[middle])),
            "below two": know("f", deep.issue("f", send=[deep, middle])),
            "chain in the wrong order": know("g", deep.issue("g", send=[middle, deep])),
            "with the root": know("h", middle.issue("h", send=[middle, self.root])),
            "keyUsage for signing": know("k", issue("k", extensions=[(pki.key_usage(digital_signature=True), True)])),
            "SHA-384": know("i", issue("i", hash_=hashes.SHA384())),
            "eight SAN URIs": know("j", issue("j", uris=[f"urn:x:{n}" for n in range(8)])),
        }
        self.edge.write_access()
        self.start()
        for name, identity in good.items():
            with self.subTest(name), self.edge.client(identity) as client:
                self.assertEqual(client.get("/v1/health").status, 200)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = ssl.create_default_context()
            context.minimum_version = context.maximum_version = version
            with self.subTest(version.name), self.edge.client(context=context) as client:
                self.assertEqual(client.get("/v1/health").status, 200)

    def test_plain_http(self):
        self.start()
        with socket.create_connection(("127.0.0.1", self.edge.port), timeout=60) as plain:
            plain.sendall(b"GET /v1/health HTTP/1.1\r\nHost: a\r\n\r\n")
            data = b""
            try:
                while more := plain.recv(1000):
                    data += more
            except ConnectionError:
                pass
        self.assertNotIn(b"HTTP/", data)
        self.assertTrue(self.edge.wait_for("auth-refused").endswith("no-certificate"))

    def test_certificate_of_nobody(self):
        """A good certificate that the access list does not know: 403, and the end."""
        self.start()
        with self.edge.client(self.root.issue("stranger")) as client:
            response = client.get("/v1/health")
            self.assertEqual((response.status, response.problem), (403, "unauthenticated"))
            self.assertTrue(response.closes)
            self.assertEqual(client.rest(), b"")
        self.assertTrue(self.edge.wait_for("auth-refused").endswith("nobody"))

    def test_nobody_learns_nothing(self):
        """Every path looks alike to a certificate of nobody."""
        self.start()
        answers = set()
        for target in ("/v1/health", "/v1/keys", "/v1/nothing", "/v1/requests/" + edge.PENDING, "/v1/keys?x=1"):
            with self.edge.client(self.root.issue("stranger")) as client:
                response = client.get(target)
                answers.add((response.status, response.json["title"]))
        self.assertEqual(len(answers), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
