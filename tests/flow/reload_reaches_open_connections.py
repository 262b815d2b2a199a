# SPDX-License-Identifier: Apache-2.0
"""What a reload changes works on the next request, on open connections too: removed people, revoked
certificates, another CA. A reload with anything wrong changes nothing."""

import datetime
import ssl
import time
import unittest

import edge
import pki


class Reload(unittest.TestCase):
    crl = False

    def setUp(self):
        self.edge = edge.Edge(self.crl)
        self.edge.__enter__()
        self.addCleanup(self.edge.__exit__, None, None, None)

    def open(self, who="agent"):
        client = self.edge.client(who)
        self.addCleanup(client.close)
        self.assertEqual(client.get("/v1/health").status, 200)
        return client

    def assert_out(self, client, reason):
        response = client.get("/v1/health")
        self.assertEqual((response.status, response.problem), (403, "unauthenticated"))
        self.assertEqual(client.rest(), b"")
        self.assertTrue(self.edge.wait_for("auth-refused").endswith(reason), self.edge.told)

    def assert_cannot_come_in(self, who, reason):
        self.edge.forget()
        try:
            with self.edge.client(who) as client:
                self.assertIsNone(client.get("/v1/health"))
        except (ssl.SSLError, ConnectionError):
            pass
        self.assertTrue(self.edge.wait_for("auth-refused").endswith(reason), self.edge.told)


class Access(Reload):
    def test_removed_person_on_an_open_connection(self):
        removed, stays = self.open("approver"), self.open("agent")
        del self.edge.people["approver1"]
        self.edge.write_access()
        self.assertEqual(self.edge.reload(), "ok")
        self.assert_out(removed, "nobody")
        self.assertEqual(stays.get("/v1/health").status, 200)

    def test_removed_person_who_waits(self):
        """She is told nothing of what happened after she was removed."""
        waiting = self.open("approver")
        waiting.send(f"GET /v1/requests/{edge.PENDING}?wait=20 HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        del self.edge.people["approver1"]
        self.edge.write_access()
        self.assertEqual(self.edge.reload(), "ok")
        self.assertEqual(self.open().ask("POST", f"/v1/requests/{edge.PENDING}/cancel", b"").status, 200)
        self.assertEqual(waiting.read().problem, "unauthenticated")

    def test_changed_role(self):
        client = self.open("auditor")
        self.assertEqual(client.get("/v1/audit/events").status, 200)
        self.edge.people["auditor1"] = ("operator", self.edge.who["auditor"])
        self.edge.write_access()
        self.assertEqual(self.edge.reload(), "ok")
        self.assertEqual(client.get("/v1/audit/events").problem, "forbidden")
        self.assertEqual(client.get("/v1/health").status, 200)

    def test_person_who_comes_back(self):
        client = self.open("approver")
        del self.edge.people["approver1"]
        self.edge.write_access()
        self.assertEqual(self.edge.reload(), "ok")
        self.edge.people["approver1"] = ("approver", self.edge.who["approver"])
        self.edge.write_access()
        self.edge.reload()
        self.assertEqual(client.get("/v1/health").status, 200)


class Authorities(Reload):
    def test_replaced_ca(self):
        client = self.open()
        other = pki.Authority("another CA")
        (self.edge.directory / "ca.pem").write_bytes(other.pem())
        self.assertEqual(self.edge.reload(), "ok")
        self.assert_out(client, "unknown-ca")

    def test_added_ca(self):
        other = pki.Authority("another CA")
        self.edge.people["new1"] = ("auditor", other.issue("new"))
        self.edge.write_access()
        self.assert_cannot_come_in(self.edge.people["new1"][1], "unknown-ca")
        (self.edge.directory / "ca.pem").write_bytes(self.edge.ca.pem() + other.pem())
        self.assertEqual(self.edge.reload(), "ok")
        self.open(self.edge.people["new1"][1])

    def test_renewed_server_certificate(self):
        client = self.open()
        before = client.socket.getpeercert(True)
        self.edge.ca.issue("renewed", usage=(pki.SERVER,), hosts=("127.0.0.1",)).write(self.edge.directory, "server")
        self.assertEqual(self.edge.reload(), "ok")
        self.assertEqual(client.get("/v1/health").status, 200)
        self.assertNotEqual(self.open().socket.getpeercert(True), before)

    def test_broken_files_change_nothing(self):
        directory = self.edge.directory
        ca, key, certificate = (directory / n for n in ("ca.pem", "server.key", "server.pem"))
        weak = pki.Authority("weak", key=pki.new_key("rsa-1024"))
        cases = {
            "empty CA": (ca, b"", "ca.pem"),
            "no PEM": (ca, b"nothing", "no CA certificates"),
            "client certificate as CA": (ca, self.edge.who["agent"].pem(), "is not a CA"),
            "weak CA": (ca, self.edge.ca.pem() + weak.pem(), "certificate 2"),
            "key of another": (key, pki.pem_of_key(pki.new_key()), "server.key"),
            "no key": (key, b"", "server.key"),
            "PKCS#11 URI as key": (key, b"pkcs11:token=x", "server.key"),
            "no certificate": (certificate, b"", "server.pem"),
        }
        client = self.open()
        for name, (path, content, message) in cases.items():
            with self.subTest(name):
                good = path.read_bytes()
                path.write_bytes(content)
                self.assertIn(message, self.edge.reload())
                self.assertEqual(client.get("/v1/health").status, 200)
                self.open()
                path.write_bytes(good)
        key.chmod(0o644)
        self.assertIn("chmod o=", self.edge.reload())
        key.chmod(0o600)
        ca.unlink()
        self.assertIn("ca.pem", self.edge.reload())
        self.open()


class Revocation(Reload):
    crl = True

    def test_revoked(self):
        client, other = self.open("approver"), self.open("agent")
        self.edge.write_crl([self.edge.who["approver"]])
        self.assertEqual(self.edge.reload(), "ok")
        self.assert_out(client, "revoked")
        self.assert_cannot_come_in("approver", "revoked")
        self.assertEqual(other.get("/v1/health").status, 200)
        self.open("agent")

    def test_no_crl_of_the_issuer(self):
        """With a CRL configured, a certificate that none covers could never be revoked."""
        middle = pki.Authority("issuing CA", parent=self.edge.ca)
        self.edge.people["new1"] = ("auditor", middle.issue("new", send=[middle]))
        self.edge.write_access()
        self.assertEqual(self.edge.reload(), "ok")
        self.assert_cannot_come_in(self.edge.people["new1"][1], "crl-missing")
        crls = self.edge.ca.crl() + middle.crl()
        (self.edge.directory / "crl.pem").write_bytes(crls)
        self.assertIn("not signed by a CA", self.edge.reload())
        (self.edge.directory / "ca.pem").write_bytes(self.edge.ca.pem() + middle.pem())
        self.assertEqual(self.edge.reload(), "ok")
        self.open(self.edge.people["new1"][1])

    def test_revoked_intermediate(self):
        middle = pki.Authority("issuing CA", parent=self.edge.ca)
        self.edge.people["new1"] = ("auditor", middle.issue("new", send=[middle]))
        self.edge.write_access()
        (self.edge.directory / "ca.pem").write_bytes(self.edge.ca.pem())
        self.edge.write_crl([middle.certificate])
        self.assertEqual(self.edge.reload(), "ok")
        self.assert_cannot_come_in(self.edge.people["new1"][1], "crl-missing")

    def test_bad_lists_change_nothing(self):
        hours = datetime.timedelta
        ca = self.edge.ca
        cases = {
            "outdated": (ca.crl(until=pki.now() - hours(hours=1)), "outdated"),
            "of the future": (ca.crl(last=pki.now() + hours(hours=1)), "future"),
            "signed by another": (ca.crl(key=pki.new_key()), "not signed"),
            "of another CA": (pki.Authority("another CA").crl(), "not signed"),
            "one good, one outdated": (ca.crl() + ca.crl(until=pki.now() - hours(hours=1)), "outdated"),
            "not the whole list": (ca.crl(critical=True), "critical extension 2.5.29.28"),
            "empty": (b"", "crl.pem"),
            "no PEM": (b"nothing", "no CRLs"),
        }
        client = self.open()
        for name, (content, message) in cases.items():
            with self.subTest(name):
                (self.edge.directory / "crl.pem").write_bytes(content)
                self.assertIn(message, self.edge.reload())
                self.assertEqual(client.get("/v1/health").status, 200)
                self.open()

    def test_list_that_runs_out(self):
        """Everybody is refused, readiness says so, and a new list lets everybody in again."""
        client = self.open()
        end = pki.now() + datetime.timedelta(seconds=6)
        self.edge.write_crl(until=end)
        self.assertEqual(self.edge.reload(), "ok")
        self.edge.wait_for("check crl a client CRL is outdated")
        self.assert_out(client, "crl-stale")
        self.assert_cannot_come_in("agent", "crl-stale")
        self.edge.write_crl()
        self.assertEqual(self.edge.reload(), "ok")
        self.edge.wait_for("check crl ")
        self.open()


class Expiry(unittest.TestCase):
    def test_certificate_that_expires_on_an_open_connection(self):
        with edge.Edge() as daemon:
            # no longer than needed to come in before the end
            short = daemon.ca.issue("short", end=pki.now() + datetime.timedelta(seconds=6))
            daemon.people["short1"] = ("agent", short)
            daemon.write_access()
            self.assertEqual(daemon.reload(), "ok")
            client = daemon.client(short)
            self.addCleanup(client.close)
            self.assertEqual(client.get("/v1/health").status, 200)
            end = time.monotonic() + 60
            while (response := client.get("/v1/health")).status == 200 and time.monotonic() < end:
                time.sleep(0.2)
            self.assertEqual((response.status, response.problem), (403, "unauthenticated"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
