# SPDX-License-Identifier: Apache-2.0
"""Write tests/vectors/decision: an image, a policy, a request, two approvals and the signature, and show
some of them in section 14 of docs/PROTOCOL.decision.

Independent of the C code: canonical JSON and DSSE as docs/PROTOCOL.decision describes them, signatures
by Python's cryptography package with the keys of tests/keys. Run by hand, in the source directory, when
the format changes; ECDSA signatures differ each time. check_decision.py and unit_vectors read the files.
"""

import base64
import hashlib
import json
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

TESTS = Path(__file__).resolve().parent.parent
OUT = TESTS / "vectors" / "decision"
PROTOCOL = TESTS.parent / "docs" / "PROTOCOL.decision"
SHOWN = ("request.json", "approver2.payload.json", "approver2.envelope.json")
WIDTH = 96
INSTANCE = "acme"
COMMENT = "compared with the build server's image"


def canonical(value):
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def private_key(name):
    return serialization.load_pem_private_key((TESTS / "keys" / f"{name}.pem").read_bytes(), None)


def spki(key):
    return key.public_key().public_bytes(serialization.Encoding.DER,
                                         serialization.PublicFormat.SubjectPublicKeyInfo)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def sign(key, message):
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    digest = hashes.SHA384() if key.curve.name == "secp384r1" else hashes.SHA256()
    return key.sign(message, ec.ECDSA(digest))


def envelope(key, payload_type, payload):
    pae = b"DSSEv1 %d %s %d %s" % (len(payload_type), payload_type.encode(), len(payload), payload)
    return canonical({
        "payload": base64.b64encode(payload).decode(),
        "payloadType": payload_type,
        "signatures": [{"keyid": sha256(spki(key)), "sig": base64.b64encode(sign(key, pae)).decode()}],
    })


def enrolment(key, person):
    kind = "application/vnd.countersign.enrolment+json"
    return envelope(key, kind, canonical({
        "instance": INSTANCE,
        "person": person,
        "spki_sha256": sha256(spki(key)),
        "time": "2026-01-01T00:00:00.000000Z",
        "type": kind,
        "v": 1,
    }))


def approver(person, group, algorithm):
    key = private_key(person)
    return {
        "group": group,
        "keys": [{
            "algorithm": algorithm,
            "enrolment": base64.b64encode(enrolment(key, person)).decode(),
            "spki": base64.b64encode(spki(key)).decode(),
        }],
        "person": person,
    }


def make_policy(key):
    return canonical({
        "approvers": [approver("approver1", "firmware", "p-256"), approver("approver2", "security", "ed25519")],
        "instance": INSTANCE,
        "keys": [{
            "algorithm": "p-384",
            "cka_id": "a001",
            "disabled": False,
            "environment": "prod",
            "format": "ecdsa",
            "hash": "sha384",
            "imported": False,
            "max_wait": 259200,
            "name": "fw-prod",
            "not_before": "2026-01-01T00:00:00.000000Z",
            "quorum": [{"count": 1, "group": "firmware"}, {"count": 1, "group": "security"}],
            "spki": base64.b64encode(spki(key)).decode(),
            "token": "prod",
        }],
        "tokens": [{
            "environment": "prod",
            "label": "prod token",
            "name": "prod",
            "serial": "0123456789abcdef",
            "software_token": True,
        }],
        "type": "application/vnd.countersign.policy+json",
        "v": 1,
        "version": 7,
    })


def make_request(key, image, policy):
    return canonical({
        "artifacts": [{
            "digest": {"algorithm": "sha384", "value": hashlib.sha384(image).hexdigest()},
            "format": "ecdsa",
            "key": {"algorithm": "p-384", "hash": "sha384", "name": "fw-prod", "spki_sha256": sha256(spki(key))},
            "name": "app",
            "size": len(image),
        }],
        "build": {"commit": "8f3c2a91", "repository": "https://git.example/lock"},
        "created": "2026-01-31T12:00:00.000000Z",
        "environment": "prod",
        "expires": "2026-02-03T12:00:00.000000Z",
        "id": "019c13f4-9e00-7a31-8f5e-2f1d7a6b3c40",
        "instance": INSTANCE,
        "policy": {"digest": sha256(policy), "version": 7},
        "quorum": [{"count": 1, "group": "firmware"}, {"count": 1, "group": "security"}],
        "release": {"product": "Türschloss", "security_version": 3, "version": "1.2 rc1"},
        "requester": {"method": "mtls", "persons": ["owner1"], "principal": "ci"},
        "type": "application/vnd.countersign.request+json",
        "v": 1,
    })


def make_decision(request, minute, comment):
    payload = {
        "decision": "approve",
        "images_checked": ["app"],
        "log": {"head": sha256(b"head"), "id": sha256(b"id"), "size": 41},
        "n": 1,
        "request_sha256": sha256(request),
        "time": f"2026-01-31T12:{minute:02}:00.000000Z",
        "type": "application/vnd.countersign.decision+json",
        "v": 1,
    }
    if comment:
        payload["comment_sha256"] = sha256(comment.encode())
    return canonical(payload)


def wrapped(text):
    """Lines of at most WIDTH, ended after a comma where there is one."""
    while len(text) > WIDTH:
        end = text.rfind(",", WIDTH // 6, WIDTH) + 1 or WIDTH
        yield text[:end]
        text = text[end:]
    yield text


def show(files):
    """Put the vectors of SHOWN at the end of the document, in place of those that are there."""
    text = PROTOCOL.read_text(encoding="utf-8")
    text = text[:text.index(f"\n{SHOWN[0]}, ")]
    for name in SHOWN:
        lines = "".join(f"    {line}\n" for line in wrapped(files[name].decode()))
        text += f"\n{name}, {len(files[name])} bytes, SHA-256\n    {sha256(files[name])}\n\n{lines}"
    PROTOCOL.write_text(text, encoding="utf-8")


def main():
    key = private_key("p-384")
    image = b"firmware image of the test vectors\n"
    policy = make_policy(key)
    request = make_request(key, image, policy)
    files = {"image.bin": image, "policy.json": policy, "request.json": request,
             "signature.der": sign(key, image)}
    for minute, person, comment in ((30, "approver1", COMMENT), (45, "approver2", None)):
        payload = make_decision(request, minute, comment)
        files[f"{person}.payload.json"] = payload
        files[f"{person}.envelope.json"] = envelope(private_key(person),
                                                    "application/vnd.countersign.decision+json", payload)
    files["sha256"] = "".join(f"{sha256(data)}  {name}\n" for name, data in sorted(files.items())).encode()
    for name, data in files.items():
        (OUT / name).write_bytes(data)
    show(files)


main()
