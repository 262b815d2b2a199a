#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Give the example files public keys, hashes and enrolments that are real and worth nothing.

    etc/rekey.py etc/small-team etc/company

Rewrites signing.yaml and access.yaml in place and keeps the comments. Each `public_key:` becomes a new
key of the same kind (or of the algorithm that stands there instead), signed for by its `enrolment:`,
and each hash the hash of a new key. The private halves end with this program.
"""

import base64
import datetime
import hashlib
import json
import re
import sys
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

ENROLMENT = "application/vnd.countersign.enrolment+json"

MAKERS = {
    "p-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "rsa-3072": lambda: rsa.generate_private_key(65537, 3072),
    "rsa-4096": lambda: rsa.generate_private_key(65537, 4096),
}


def spki(key):
    return key.public_key().public_bytes(serialization.Encoding.DER,
                                         serialization.PublicFormat.SubjectPublicKeyInfo)


def algorithm(value):
    """Of a public key in base64, or the name of an algorithm."""
    if value in MAKERS:
        return value
    key = serialization.load_der_public_key(base64.b64decode(value))
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "ed25519"
    return f"rsa-{key.key_size}" if isinstance(key, rsa.RSAPublicKey) else f"p-{key.key_size}"


def sign(key, message):
    """As base/dsse.h has it."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    if isinstance(key, rsa.RSAPrivateKey):
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        return key.sign(message, pss, hashes.SHA256())
    digest = hashes.SHA384() if key.key_size == 384 else hashes.SHA256()
    return key.sign(message, ec.ECDSA(digest))


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def enrolment(key, person, instance):
    """The envelope that `countersign enroll` prints."""
    now = datetime.datetime.now(datetime.timezone.utc)
    keyid = hashlib.sha256(spki(key)).hexdigest()
    payload = canonical({"instance": instance, "person": person, "spki_sha256": keyid,
                         "time": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "type": ENROLMENT, "v": 1})
    pae = b"DSSEv1 %d %s %d %s" % (len(ENROLMENT), ENROLMENT.encode(), len(payload), payload)
    envelope = canonical({
        "payload": base64.b64encode(payload).decode(), "payloadType": ENROLMENT,
        "signatures": [{"keyid": keyid, "sig": base64.b64encode(sign(key, pae)).decode()}]})
    return base64.b64encode(envelope).decode()


class Rekey:
    """Goes through a file line by line and remembers what the next value depends on."""

    def __init__(self):
        self.instance = self.person = self.key = None
        self.hashes = {}  # old value: new value, so that one CA stays one CA

    def value(self, field, old):
        if field == "instance":
            self.instance = old
        elif field == "person":
            self.person = old
        elif field == "public_key":
            self.key = MAKERS[algorithm(old)]()
            return base64.b64encode(spki(self.key)).decode()
        elif field == "enrolment":
            return enrolment(self.key, self.person, self.instance)
        elif field in ("spki_sha256", "ca_spki_sha256"):
            if old not in self.hashes:
                self.hashes[old] = hashlib.sha256(spki(MAKERS["p-256"]())).hexdigest()
            return self.hashes[old]
        return old

    def line(self, line):
        match = re.fullmatch(r"(\s*(?:- )?)(\w+): (\S+)(.*)", line, re.DOTALL)
        if not match or line.lstrip().startswith("#"):
            return line
        indent, field, old, rest = match.groups()
        return f"{indent}{field}: {self.value(field, old)}{rest}"


for directory in sys.argv[1:]:
    for name in ("signing.yaml", "access.yaml"):
        path = Path(directory) / name
        rekey = Rekey()
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text("".join(map(rekey.line, lines)), encoding="utf-8")
