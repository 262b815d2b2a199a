# SPDX-License-Identifier: Apache-2.0
"""Clients that must not get in, one for each flaw of a certificate, a chain, a proof or a protocol.

Every certificate is for a key that the access list knows, so that only the flaw keeps the client out. A case names
the reasons that the log may give; it has none where there is nobody to blame yet, or nobody any more.
"""

import dataclasses
import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed448

import lax_tls
import pki

TLS12 = lax_tls.PRIORITY.replace("+VERS-TLS-ALL", "-VERS-ALL:+VERS-TLS1.2")
TLS13 = lax_tls.PRIORITY.replace("+VERS-TLS-ALL", "-VERS-ALL:+VERS-TLS1.3")
BOTH = (TLS12, TLS13)
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\x05\x00")
BLOB = x509.ObjectIdentifier("1.3.6.1.4.1.55555.2")


@dataclasses.dataclass
class Case:
    """Who comes, how, and for which reasons she may be refused."""
    name: str
    reasons: tuple
    chain: list = ()
    key: object = None
    priorities: tuple = BOTH
    server_name: bytes = None
    renegotiate: "Case" = None

    def attempts(self):
        return [(f"{self.name}, {'TLS 1.3' if p == TLS13 else 'TLS 1.2' if p == TLS12 else 'as it is'}", p)
                for p in self.priorities]


def hours(n):
    return pki.now() + datetime.timedelta(hours=n)


class Cases:
    """Makes the cases with one client key, under a CA that the server trusts and has a CRL of."""

    def __init__(self, root, uncovered, revoked_serial):
        self.root, self.uncovered = root, uncovered
        self.revoked_serial = revoked_serial
        self.key = pki.new_key()
        self.weak = {kind: pki.new_key(kind) for kind in ("rsa-1024", "rsa-2047", "p-192", "p-224")}
        self.weak["ed448"] = ed448.Ed448PrivateKey.generate()

    def known_keys(self):
        """SPKI hashes for the access list."""
        return [pki.spki_sha256(key.public_key()) for key in (self.key, *self.weak.values())]

    def issue(self, by=None, **more):
        return (by or self.root).issue("client", **{"key": self.key, **more})

    def case(self, name, reasons, identity=None, **more):
        reasons = (reasons,) if isinstance(reasons, str) else reasons
        if identity:
            more = {"chain": identity.der(), "key": identity.key, **more}
        return Case(name, reasons, **more)

    def all(self):
        """For a server with a CRL of the root; chains() are for one without any, where it would be in the way."""
        return [*self.trust(), *self.purposes(), *self.times(), *self.strengths(), *self.forms(), *self.proofs(),
                *self.protocols()]

    def good(self):
        return self.case("a good certificate", (), self.issue())

    def trust(self):
        issue, case = self.issue, self.case
        stranger, namesake = pki.Authority("another CA"), pki.Authority("client CA")
        copycat = pki.Authority("client CA", key=stranger.key)
        own = pki.Authority("self", key=self.key)
        yield case("no certificate", "no-certificate")
        yield case("an unknown CA", "unknown-ca", issue(stranger))
        yield case("an unknown CA, sent along", "unknown-ca", issue(stranger, send=[stranger]))
        yield case("a CA of the same name", "unknown-ca", issue(namesake))
        yield case("a CA of the same name, sent along", "unknown-ca", issue(namesake, send=[namesake]))
        yield case("a CA of the same name, the real one sent along", "unknown-ca", issue(copycat, send=[self.root]))
        yield case("self-signed", "unknown-ca", pki.Identity(own.certificate, self.key))
        yield case("a CA whose revocations nobody knows", "crl-missing", issue(self.uncovered))
        yield case("revoked", "revoked", issue(serial=self.revoked_serial))
        yield case("revoked, with the root sent along", "revoked", issue(serial=self.revoked_serial, send=[self.root]))

    def purposes(self):
        issue, case, usage = self.issue, self.case, pki.key_usage
        signs, agrees = usage(digital_signature=True), usage(key_agreement=True, key_encipherment=True)
        ca = usage(key_cert_sign=True, crl_sign=True)
        yield case("for servers", "wrong-purpose", issue(usage=(pki.SERVER,)))
        yield case("for e-mail", "wrong-purpose", issue(usage=(pki.EMAIL,)))
        yield case("for any purpose", "wrong-purpose", issue(usage=(pki.ANY,)))
        yield case("for servers and any purpose", "wrong-purpose", issue(usage=(pki.SERVER, pki.ANY)))
        yield case("for no stated purpose", "wrong-purpose", issue(usage=None))
        yield case("a CA's certificate", "wrong-purpose", issue(is_ca=True))
        yield case("a CA's certificate that may sign", "wrong-purpose", issue(is_ca=True, extensions=[(signs, True)]))
        # a proof with such a key is none
        may_not = ("wrong-purpose", "key-not-proven")
        yield case("a key that may not sign", may_not, issue(extensions=[(agrees, True)]))
        yield case("a key that may not sign, says no critical extension", may_not,
                   issue(extensions=[(agrees, False)]))
        yield case("a key for certificates only", may_not, issue(extensions=[(ca, True)]))

    def times(self):
        issue, case = self.issue, self.case
        second = datetime.timedelta(seconds=1)
        old = pki.Authority("old CA", parent=self.root, start=hours(-48), end=hours(-24))
        new = pki.Authority("new CA", parent=self.root, start=hours(24), end=hours(48))
        yield case("expired", "expired", issue(start=hours(-48), end=hours(-1)))
        yield case("expired a second ago", "expired", issue(end=pki.now() - second))
        yield case("not yet valid", "not-yet-valid", issue(start=hours(1)))
        yield case("valid in thirty years", "not-yet-valid", issue(start=hours(262800), end=hours(262801)))
        yield case("below an expired CA", "expired", issue(old, send=[old]))
        yield case("below a CA of tomorrow", "not-yet-valid", issue(new, send=[new]))

    def strengths(self):
        issue, case, weak = self.issue, self.case, self.weak
        small = pki.Authority("small CA", parent=self.root, key=weak["rsa-1024"])
        yield case("RSA of 1024 bits", "weak", issue(key=weak["rsa-1024"]))
        yield case("RSA of 2047 bits", "weak", issue(key=weak["rsa-2047"]))
        # no signature of TLS fits these keys, so what comes first is the certificate or the missing proof
        for kind in ("p-192", "p-224", "ed448"):
            yield case(f"{kind.upper()}", ("weak", "key-not-proven"), issue(key=weak[kind]), key=self.key)
        yield case("signed over SHA-1", "weak", self.over("sha1", self.root))
        yield case("signed over MD5", "weak", self.over("md5", self.uncovered))
        yield case("below a CA of 1024 bits", "weak", issue(small, send=[small]))

    def over(self, hash_name, root):
        return root.issue_over(hash_name, "client", self.key)

    def chains(self):
        issue, case, root = self.issue, self.case, self.root
        middle = pki.Authority("issuing CA", parent=root)
        no_cas = pki.Authority("CA of no CAs", parent=root, path_length=0)
        below = pki.Authority("CA below", parent=no_cas)
        no_ca = pki.Authority("no CA", parent=root, is_ca=False)
        no_signer = pki.Authority("no signer", parent=root, extensions=[(pki.key_usage(digital_signature=True), True)])
        servers = pki.Authority("CA for servers", parent=root, extensions=[(x509.ExtendedKeyUsage([pki.SERVER]), False)])
        names = pki.Authority("CA of one domain", parent=root, extensions=[
            (x509.NameConstraints([x509.DNSName("good.example")], None), True)])
        strange = pki.Authority("strange CA", parent=root, extensions=[(UNKNOWN, True)])
        client, not_issued = issue(), ("unknown-ca", "invalid")
        by_client = pki.Authority("x", key=client.key)
        by_client.name, by_client.certificate = client.certificate.subject, client.certificate
        yield case("an intermediate that is not sent", "unknown-ca", issue(middle))
        yield case("another intermediate sent", "unknown-ca", issue(middle, send=[below]))
        yield case("below a path length of 0", "invalid", issue(below, send=[below, no_cas]))
        yield case("an intermediate that is no CA", not_issued, issue(no_ca, send=[no_ca]))
        yield case("an intermediate that may not sign certificates", not_issued,
                   issue(no_signer, send=[no_signer]))
        yield case("an intermediate for servers", "wrong-purpose", issue(servers, send=[servers]))
        yield case("a name outside the intermediate's constraints", not_issued,
                   issue(names, send=[names], hosts=("bad.example",)))
        yield case("an intermediate with an unknown critical extension", not_issued, issue(strange, send=[strange]))
        yield case("issued by a client's certificate", not_issued, issue(by_client, send=[by_client]))
        yield case("a chain of six", "malformed", self.deep(5))
        yield case("a chain of a hundred", ("malformed", "no-certificate", "key-not-proven"), client,
                   chain=client.der() * 100)
        yield case("somebody else's certificate behind one's own", "unknown-ca",
                   issue(pki.Authority("another CA")), chain=issue(pki.Authority("another CA")).der() + client.der())

    def deep(self, count):
        chain, parent = [], self.root
        for n in range(count):
            parent = pki.Authority(f"CA {n}", parent=parent)
            chain.insert(0, parent)
        return self.issue(parent, send=chain)

    def forms(self):
        issue, case = self.issue, self.case
        good = issue()
        der = good.der()[0]
        flipped = bytearray(der)
        flipped[-1] ^= 1
        huge = x509.UnrecognizedExtension(BLOB, bytes(60000))
        uri = x509.UniformResourceIdentifier
        nul = issue(extensions=[(x509.UnrecognizedExtension(
            x509.SubjectAlternativeName.oid, b"\x30\x0d\x86\x0burn:x:a\0urn"), False)])
        broken = ("malformed", "no-certificate", "key-not-proven")
        yield case("an unknown critical extension", ("unknown-ca", "invalid"), issue(extensions=[(UNKNOWN, True)]))
        yield case("a subject name with a NUL byte", "malformed", nul)
        yield case("a subject name of 256 bytes", "malformed", issue(extensions=[
            (x509.SubjectAlternativeName([uri("urn:" + "x" * 252)]), False)]))
        yield case("nine subject names", "malformed", issue(uris=[f"urn:x:{n}" for n in range(9)]))
        yield case("a flipped bit of the signature", ("unknown-ca", *broken), good, chain=[bytes(flipped)])
        yield case("bytes behind the certificate", broken, good, chain=[der + b"\0\0"])
        yield case("half a certificate", broken, good, chain=[der[:len(der) // 2]])
        yield case("no certificate but text", broken, good, chain=[b"certificate"])
        yield case("a certificate of no bytes", broken, good, chain=[b""])
        yield case("a certificate of 60,000 bytes of extension", broken, issue(extensions=[(huge, False)]))
        yield case("16 MiB announced", broken, good, chain=[der] + [bytes(65000)] * 16)

    def proofs(self):
        good = self.issue()
        yield self.case("somebody else's certificate", "key-not-proven", good, key=pki.new_key())
        yield self.case("somebody else's certificate, an RSA key", ("key-not-proven", "no-certificate"), good,
                        key=pki.new_key("rsa-2048"))
        yield self.case("another server's name, and no certificate", "no-certificate", server_name=b"other.example")
        yield self.case("another server's name, and an unknown CA", "unknown-ca", self.issue(pki.Authority("another CA")),
                        server_name=b"other.example")
        yield self.case("a server's name with a NUL byte, and an unknown CA", ("unknown-ca", "no-certificate"),
                        self.issue(pki.Authority("another CA")), server_name=b"localhost\0other")
        yield self.case("renegotiation, then an unknown CA", (), good, priorities=(TLS12,),
                        renegotiate=self.case("", (), self.issue(pki.Authority("another CA"))))
        yield self.case("renegotiation with the same certificate", (), good, priorities=(TLS12,),
                        renegotiate=self.case("", (), good))

    def protocols(self):
        def only(text):
            return lax_tls.PRIORITY + ":" + text

        ways = {
            "TLS 1.0": only("-VERS-ALL:+VERS-TLS1.0"),
            "TLS 1.1": only("-VERS-ALL:+VERS-TLS1.1"),
            "CBC with SHA-1": TLS12 + ":-CIPHER-ALL:+AES-128-CBC:-MAC-ALL:+SHA1",
            "CBC with SHA-256": TLS12 + ":-CIPHER-ALL:+AES-128-CBC:-MAC-ALL:+SHA256",
            "3DES": TLS12 + ":-CIPHER-ALL:+3DES-CBC:-MAC-ALL:+SHA1",
            "RC4": TLS12 + ":-CIPHER-ALL:+ARCFOUR-128:-MAC-ALL:+SHA1",
            "no cipher": TLS12 + ":-CIPHER-ALL:+NULL:-MAC-ALL:+SHA1",
            "AES-CCM with 8 bytes": TLS12 + ":-CIPHER-ALL:+AES-128-CCM-8",
            "RSA without forward secrecy": TLS12 + ":-KX-ALL:+RSA",
            "DHE": TLS12 + ":-KX-ALL:+DHE-RSA",
            "anonymous ECDH": TLS12 + ":-KX-ALL:+ANON-ECDH",
            "signatures over SHA-1": TLS12 + ":-SIGN-ALL:+SIGN-ECDSA-SHA1:+SIGN-RSA-SHA1",
            "a small curve, TLS 1.2": TLS12 + ":-GROUP-ALL:+GROUP-SECP192R1:+GROUP-SECP224R1",
            "finite fields, TLS 1.3": TLS13 + ":-GROUP-ALL:+GROUP-FFDHE2048",
        }
        good = self.issue()
        for name, priority in ways.items():
            yield self.case(name, "no-certificate", good, priorities=(priority,))
