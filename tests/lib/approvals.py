# SPDX-License-Identifier: Apache-2.0
"""Request documents and signed decisions, made in Python from docs/PROTOCOL.decision.

Nothing here comes from the C code: what both sides agree on is the text.
"""

import base64
import hashlib
import json
import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding

KEYS = Path(__file__).resolve().parent.parent / "keys"
TYPE = "application/vnd.countersign.%s+json"
HEAD = {"head": "11" * 32, "id": "22" * 32, "size": 7}


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def b64(data):
    return base64.b64encode(data).decode()


def now(**delta):
    return (datetime.now(timezone.utc) + timedelta(**delta)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def uuid7():
    value = int(datetime.now().timestamp() * 1000) << 80 | uuid.uuid4().int & (1 << 80) - 1
    value = value & ~(0xF000 << 64) | 0x7000 << 64
    value = value & ~(0xC000 << 48) | 0x8000 << 48
    return str(uuid.UUID(int=value))


class Approver:
    """A person with an approval key of tests/keys."""

    def __init__(self, person, group, key=None):
        self.person = person
        self.group = group
        self.private = serialization.load_pem_private_key((KEYS / f"{key or person}.pem").read_bytes(), None)
        self.spki = self.private.public_key().public_bytes(serialization.Encoding.DER,
                                                           serialization.PublicFormat.SubjectPublicKeyInfo)
        self.keyid = hashlib.sha256(self.spki).hexdigest()

    def raw_sign(self, message):
        if isinstance(self.private, ed25519.Ed25519PrivateKey):
            return self.private.sign(message)
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            wide = self.private.curve.name == "secp384r1"
            return self.private.sign(message, ec.ECDSA(hashes.SHA384() if wide else hashes.SHA256()))
        return self.private.sign(message, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())

    def envelope(self, kind, payload):
        payload_type = TYPE % kind
        body = canonical(payload)
        pae = b"DSSEv1 %d %s %d %s" % (len(payload_type), payload_type.encode(), len(body), body)
        return canonical({"payload": b64(body), "payloadType": payload_type,
                          "signatures": [{"keyid": self.keyid, "sig": b64(self.raw_sign(pae))}]})

    def enrolment(self, instance):
        return self.envelope("enrolment", {"instance": instance, "person": self.person, "spki_sha256": self.keyid,
                                           "time": now(), "type": TYPE % "enrolment", "v": 1})

    def decide(self, document, decision="approve", n=1, checked=()):
        """A signed decision on the exact bytes of a request document."""
        return self.envelope("decision", {
            "decision": decision, "images_checked": sorted(checked), "log": HEAD, "n": n,
            "request_sha256": hashlib.sha256(document).hexdigest(), "time": now(),
            "type": TYPE % "decision", "v": 1})


def artifact(key, name="image", digest=None):
    """One artifact of a document for a key of signing_yaml."""
    value = digest or hashlib.new(key["hash"], name.encode()).hexdigest()
    return {"digest": {"algorithm": key["hash"], "value": value}, "format": key["format"],
            "key": {"algorithm": key["algorithm"], "hash": key["hash"], "name": key["name"],
                    "spki_sha256": hashlib.sha256(base64.b64decode(key["public_key"])).hexdigest()},
            "name": name, "size": 1000}


def document(signing, artifacts, quorum=(), persons=("developer1",), **changes):
    """A request document; `changes` replace its members."""
    value = {
        "artifacts": artifacts, "created": now(seconds=-1), "environment": "dev", "expires": now(hours=1),
        "id": uuid7(), "instance": signing["instance"], "policy": {"digest": "33" * 32, "version": signing["version"]},
        "quorum": list(quorum),
        "requester": {"method": "mtls", "persons": list(persons), "principal": "ci"},
        "type": TYPE % "request", "v": 1,
    }
    value.update(changes)
    return canonical(value)
