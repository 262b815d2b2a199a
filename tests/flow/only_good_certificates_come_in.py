# SPDX-License-Identifier: Apache-2.0
"""Who gets in: nothing is answered before a client certificate is known to be good, and what is refused is
told to the audit log with its reason."""

import datetime
import socket
import ssl
import unittest
import warnings

import edge
import pki
from cryptography.hazmat.primitives import hashes


def hour(n):
    return pki.now() + datetime.timedelta(hours=n)


warnings.simplefilter("ignore", DeprecationWarning)  # old TLS versions are what is tested


class Certificates(unittest.TestCase):
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

    def refused(self, identity, reason, **more):
        """No request is answered, and the reason is told."""
        self.edge.forget()
        try:
            with self.edge.client(identity, **more) as client:
                self.assertIsNone(client.get("/v1/health"))
        except (ssl.SSLError, ConnectionError):
            pass
        self.assertTrue(self.edge.wait_for("auth-refused").endswith(reason), self.edge.told)

    def test_refused_in_the_handshake(self):
        issue, know = self.root.issue, self.know
        stranger = pki.Authority("another CA")
        namesake = pki.Authority("test CA")  # same name, other key
        middle = pki.Authority("issuing CA", parent=self.root)
        below_limit = pki.Authority("CA below", parent=pki.Authority("CA of no CAs", parent=self.root, path_length=0))
        not_a_ca = issue("no CA", key=middle.key)
        cases = {
            "no certificate": (None, "no-certificate"),
            "unknown CA": (know("a", stranger.issue("a")), "unknown-ca"),
            "CA of the same name": (know("b", namesake.issue("b")), "unknown-ca"),
            "CA of the same name, sent along": (know("c", namesake.issue("c", send=[namesake])), "unknown-ca"),
            "self-signed": (know("d", self_signed()), "unknown-ca"),
            "the CA itself": (know("e", pki.Identity(self.root.certificate, self.root.key)), "wrong-purpose"),
            "intermediate not sent": (know("f", middle.issue("f")), "unknown-ca"),
            "issued by a client certificate": (know("g", issued_by(not_a_ca)), "unknown-ca"),
            "below a path length of 0": (know("h", below_limit.issue("h", send=[below_limit, below_limit.parent])), "invalid"),
            "expired": (know("i", issue("i", start=hour(-48), end=hour(-1))), "expired"),
            "expired a second ago": (know("j", issue("j", end=pki.now() - datetime.timedelta(seconds=1))), "expired"),
            "not yet valid": (know("k", issue("k", start=hour(1))), "not-yet-valid"),
            "for servers": (know("l", issue("l", usage=(pki.SERVER,))), "wrong-purpose"),
            "for any purpose": (know("m", issue("m", usage=(pki.ANY,))), "wrong-purpose"),
            "for no stated purpose": (know("n", issue("n", usage=None)), "wrong-purpose"),
            "for e-mail": (know("o", issue("o", usage=(pki.EMAIL,))), "wrong-purpose"),
            "a CA's certificate": (know("p", issue("p", is_ca=True)), "wrong-purpose"),
            "RSA of 1024 bits": (know("q", issue("q", key=pki.new_key("rsa-1024"))), "weak"),
            "RSA of 2047 bits": (know("r", issue("r", key=pki.new_key("rsa-2047"))), "weak"),
            "P-224": (know("s", issue("s", key=pki.new_key("p-224"))), "no-certificate"),  # no TLS signature fits it
            "SHA-1": (know("t", self.root.issue_sha1("t")), "weak"),
            "SAN of 256 bytes": (know("u", issue("u", uris=["urn:" + "x" * 252])), "malformed"),
            "nine SAN URIs": (know("v", issue("v", uris=[f"urn:x:{n}" for n in range(9)])), "malformed"),
            "a chain of six": (know("w", long_chain(self.root)), "malformed"),
        }
        self.edge.write_access()
        self.start()
        for name, (identity, reason) in cases.items():
            with self.subTest(name):
                context = ssl.create_default_context()
                context.set_ciphers("DEFAULT@SECLEVEL=0")
                self.refused(identity, reason, context=context)
        with self.edge.client() as client:
            self.assertEqual(client.get("/v1/health").status, 200)

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
            "SHA-384": know("i", issue("i", hash_=hashes.SHA384())),
            "eight SAN URIs": know("j", issue("j", uris=[f"urn:x:{n}" for n in range(8)])),
        }
        self.edge.write_access()
        self.start()
        for name, identity in good.items():
            with self.subTest(name), self.edge.client(identity) as client:
                self.assertEqual(client.get("/v1/health").status, 200)

    def test_old_protocols(self):
        self.start()
        for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            context = ssl.create_default_context()
            context.set_ciphers("DEFAULT@SECLEVEL=0")
            context.minimum_version = context.maximum_version = version
            with self.subTest(version.name), self.assertRaises((ssl.SSLError, ConnectionError)):
                self.edge.client(context=context)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = ssl.create_default_context()
            context.minimum_version = context.maximum_version = version
            with self.subTest(version.name), self.edge.client(context=context) as client:
                self.assertEqual(client.get("/v1/health").status, 200)

    def test_weak_ciphers(self):
        self.start()
        for ciphers in ("ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384", "AES128-GCM-SHA256"):
            context = ssl.create_default_context()
            context.set_ciphers(ciphers + ":@SECLEVEL=0")
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            with self.subTest(ciphers), self.assertRaises((ssl.SSLError, ConnectionError)):
                self.edge.client(context=context)

    def test_plain_http(self):
        self.start()
        with socket.create_connection(("127.0.0.1", self.edge.port), timeout=5) as plain:
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


def self_signed():
    authority = pki.Authority("self")
    return pki.Identity(authority.certificate, authority.key)


def issued_by(identity):
    """A certificate signed with a client's key; the client's certificate is sent along."""
    authority = pki.Authority("x")
    authority.key, authority.name, authority.certificate = identity.key, identity.certificate.subject, identity.certificate
    return authority.issue("below", send=[authority])


def long_chain(root):
    chain, parent = [], root
    for n in range(5):
        parent = pki.Authority(f"CA {n}", parent=parent)
        chain.insert(0, parent)
    return parent.issue("deep", send=chain)


if __name__ == "__main__":
    unittest.main(verbosity=2)
