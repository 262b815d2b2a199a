# SPDX-License-Identifier: Apache-2.0
"""A test PKI in memory and in files: CAs, certificates of every flaw, CRLs.

Keys are P-256 unless asked otherwise: they cost nothing to make.
"""

import datetime
import hashlib
import ipaddress
import os
import pathlib
import subprocess
import tempfile

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
SERVER = ExtendedKeyUsageOID.SERVER_AUTH
ANY = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE
EMAIL = ExtendedKeyUsageOID.EMAIL_PROTECTION


def now():
    return datetime.datetime.utcnow().replace(microsecond=0)


def days(n):
    return datetime.timedelta(days=n)


def new_key(kind="p-256"):
    if kind.startswith("rsa-"):
        return rsa.generate_private_key(public_exponent=65537, key_size=int(kind[4:]))
    return ec.generate_private_key({"p-192": ec.SECP192R1, "p-224": ec.SECP224R1, "p-256": ec.SECP256R1, "p-384": ec.SECP384R1}[kind]())


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def key_usage(**used):
    """keyUsage with the named bits, for example digital_signature=True."""
    bits = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
            "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{bit: used.get(bit, False) for bit in bits})


def pem_of_key(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def spki_sha256(public_key):
    der = public_key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


class Identity:
    """A certificate, its key and the certificates to send along."""

    def __init__(self, certificate, key, chain=()):
        self.certificate, self.key, self.chain = certificate, key, list(chain)

    @property
    def spki(self):
        return spki_sha256(self.certificate.public_key())

    def pem(self):
        certificates = [self.certificate, *self.chain]
        return b"".join(c.public_bytes(serialization.Encoding.PEM) for c in certificates)

    def der(self):
        """Each certificate, its own first."""
        return [c.public_bytes(serialization.Encoding.DER) for c in (self.certificate, *self.chain)]

    def write(self, directory, stem):
        """STEM.pem and STEM.key, the key for its owner only; returns both paths."""
        directory = pathlib.Path(directory)
        certificate, key = directory / f"{stem}.pem", directory / f"{stem}.key"
        certificate.write_bytes(self.pem())
        with open(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as f:
            f.write(pem_of_key(self.key))
        return str(certificate), str(key)


class Authority:
    """A CA; below another one when `parent` is given. `extensions`: pairs of an extension and whether it is critical."""

    def __init__(self, common_name="test CA", parent=None, key=None, path_length=None, is_ca=True, start=None, end=None,
                 extensions=()):
        self.key = key or new_key()
        self.parent = parent
        issuer = parent or self
        self.name = name(common_name)
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(parent.name if parent else self.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start or now() - days(2))
            .not_valid_after(end or now() + days(365))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=path_length), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        self.certificate = builder.sign(issuer.key, hashes.SHA256())

    def pem(self):
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def issue(
        self,
        common_name,
        usage=(CLIENT,),
        uris=(),
        key=None,
        start=None,
        end=None,
        hash_=None,
        hosts=(),
        is_ca=False,
        send=None,
        extensions=(),
        serial=None,
    ):
        """A certificate; usage None leaves extendedKeyUsage out. `send`: CAs to send along."""
        key = key or new_key()
        builder = (
            x509.CertificateBuilder()
            .subject_name(name(common_name))
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(serial or x509.random_serial_number())
            .not_valid_before(start or now() - days(1))
            .not_valid_after(end or now() + days(30))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        )
        if usage is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage(list(usage)), critical=False)
        names = [x509.UniformResourceIdentifier(u) for u in uris]
        for host in hosts:
            try:
                names.append(x509.IPAddress(ipaddress.ip_address(host)))
            except ValueError:
                names.append(x509.DNSName(host))
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        certificate = builder.sign(self.key, hash_ or hashes.SHA256())
        return Identity(certificate, key, [a.certificate for a in (send or [])])

    def issue_over(self, hash_name, common_name, key=None):
        """A client certificate signed over "sha1" or "md5", by openssl: Python's library refuses."""
        key = key or new_key()
        with tempfile.TemporaryDirectory(prefix="cs", dir="/tmp") as directory:
            directory = pathlib.Path(directory)
            (directory / "ca.pem").write_bytes(self.pem())
            (directory / "ca.key").write_bytes(pem_of_key(self.key))
            (directory / "key").write_bytes(pem_of_key(key))
            subprocess.run(
                ["openssl", "req", "-x509", f"-{hash_name}", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "5", "-key", "key",
                 "-out", "pem", "-subj", f"/CN={common_name}", "-addext", "basicConstraints=CA:FALSE", "-addext",
                 "extendedKeyUsage=clientAuth"],
                cwd=directory, check=True, capture_output=True)
            return Identity(x509.load_pem_x509_certificate((directory / "pem").read_bytes()), key)

    def crl(self, revoked=(), last=None, until=None, key=None, critical=False):
        """A CRL in PEM over identities or certificates."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.name)
            .last_update(last or now() - days(1))
            .next_update(until or now() + days(7))
        )
        for item in revoked:
            certificate = getattr(item, "certificate", item)
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(certificate.serial_number)
                .revocation_date(now() - days(1))
                .build()
            )
        if critical:
            builder = builder.add_extension(
                x509.IssuingDistributionPoint(
                    full_name=None,
                    relative_name=None,
                    only_contains_user_certs=True,
                    only_contains_ca_certs=False,
                    only_some_reasons=None,
                    indirect_crl=False,
                    only_contains_attribute_certs=False,
                ),
                critical=True,
            )
        return builder.sign(key or self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
