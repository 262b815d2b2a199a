# SPDX-License-Identifier: Apache-2.0
"""A second reading of docs/PROTOCOL.decision, against the files of tests/vectors/decision.

Knows nothing of the C code: canonical form, hashes, envelopes, enrolments, who counts, and the released
signature, by Python's cryptography package. Then the same with something wrong, which must be noticed.
"""

import base64
import hashlib
import json
import os
import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

VECTORS = Path(os.environ["CS_SRCDIR"]) / "tests" / "vectors" / "decision"
PREFIX = "application/vnd.countersign."
FILES = ("approver1.envelope.json", "approver1.payload.json", "approver2.envelope.json", "approver2.payload.json",
         "image.bin", "policy.json", "request.json", "signature.der")


class Wrong(Exception):
    """What does not hold."""


def hold(condition, what):
    if not condition:
        raise Wrong(what)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def parse(data, kind):
    value = json.loads(data)
    again = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    hold(again == data, f"{kind}: not canonical")
    if kind:
        hold(value["type"] == PREFIX + kind + "+json" and value["v"] == 1, f"{kind}: not of this type")
    return value


def verify(spki, message, signature):
    key = serialization.load_der_public_key(spki)
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, message)
        else:
            digest = hashes.SHA384() if key.curve.name == "secp384r1" else hashes.SHA256()
            key.verify(signature, message, ec.ECDSA(digest))
    except InvalidSignature:
        raise Wrong("signature does not verify") from None


def open_envelope(data, kind, spki_by_id):
    """The payload of an envelope, once it verified, and the id of the key that signed it."""
    value = parse(data, "")
    (signature,) = value["signatures"]
    payload = base64.b64decode(value["payload"], validate=True)
    payload_type = value["payloadType"].encode()
    hold(payload_type.decode() == PREFIX + kind + "+json", f"{kind}: another payload type")
    hold(signature["keyid"] in spki_by_id, f"{kind}: key is not enrolled")
    pae = b"DSSEv1 %d %s %d %s" % (len(payload_type), payload_type, len(payload), payload)
    verify(spki_by_id[signature["keyid"]], pae, base64.b64decode(signature["sig"], validate=True))
    return parse(payload, kind), signature["keyid"]


def enrolled(policy):
    """Key id → (SPKI, approver), each proved by its enrolment."""
    keys = {}
    for approver in policy["approvers"]:
        for key in approver["keys"]:
            spki = base64.b64decode(key["spki"], validate=True)
            record, _ = open_envelope(base64.b64decode(key["enrolment"], validate=True), "enrolment",
                                      {sha256(spki): spki})
            hold(record["person"] == approver["person"] and record["instance"] == policy["instance"] and
                 record["spki_sha256"] == sha256(spki), "enrolment of another person, instance or key")
            keys[sha256(spki)] = (spki, approver)
    return keys


def approvals(files, request, policy):
    """Group → persons whose last word is an approval."""
    keys = enrolled(policy)
    last = {}
    for name in ("approver1", "approver2"):
        decision, keyid = open_envelope(files[f"{name}.envelope.json"], "decision",
                                        {id_: spki for id_, (spki, _) in keys.items()})
        approver = keys[keyid][1]
        hold(decision["request_sha256"] == sha256(files["request.json"]), "decision on another request")
        hold(approver["person"] not in request["requester"]["persons"], "the requester's own decision")
        hold(set(decision["images_checked"]) <= {a["name"] for a in request["artifacts"]}, "unknown image")
        hold(decision["decision"] != "reject", "rejected")
        if decision["n"] > last.get(approver["person"], (0,))[0]:
            last[approver["person"]] = (decision["n"], decision["decision"], approver["group"])
    groups = {}
    for person, (_, verdict, group) in last.items():
        if verdict == "approve":
            groups.setdefault(group, set()).add(person)
    return groups


def check(files):
    for line in files["sha256"].decode().splitlines():
        digest, name = line.split("  ")
        hold(sha256(files[name]) == digest, f"{name}: another hash")
    policy = parse(files["policy.json"], "policy")
    request = parse(files["request.json"], "request")
    hold(request["policy"] == {"digest": sha256(files["policy.json"]), "version": policy["version"]},
         "made under another policy")
    hold(request["instance"] == policy["instance"], "another instance")
    (artifact,) = request["artifacts"]
    (key,) = [k for k in policy["keys"] if k["name"] == artifact["key"]["name"]]
    spki = base64.b64decode(key["spki"], validate=True)
    hold(sha256(spki) == artifact["key"]["spki_sha256"], "another key")
    groups = approvals(files, request, policy)
    for line in request["quorum"] + key["quorum"]:
        hold(len(groups.get(line["group"], ())) >= line["count"], f"too few of {line['group']}")
    hold(hashlib.sha384(files["image.bin"]).hexdigest() == artifact["digest"]["value"], "another image")
    verify(spki, files["image.bin"], files["signature.der"])


def refused(files, name, change):
    """Is the change noticed, with the list of hashes made anew?"""
    changed = dict(files)
    changed[name] = change(files[name])
    hold(changed[name] != files[name], f"{name}: the change changes nothing")
    changed["sha256"] = "".join(f"{sha256(changed[n])}  {n}\n" for n in FILES).encode()
    try:
        check(changed)
    except (Wrong, ValueError):
        return True
    return False


CHANGES = [
    ("approver1.envelope.json", lambda data: files["approver2.envelope.json"]),
    ("approver2.envelope.json", lambda data: data.replace(b'"sig":"', b'"sig":"AA')),
    ("approver2.envelope.json", lambda data: data.replace(b'"payloadType"', b' "payloadType"')),
    ("request.json", lambda data: data.replace(b'"size":35', b'"size":36')),
    ("policy.json", lambda data: data.replace(b'"count":1', b'"count":2')),
    ("policy.json", lambda data: data.replace(b'"person":"approver2"', b'"person":"approver3"')),
    ("image.bin", lambda data: data + b"x"),
    ("signature.der", lambda data: data[:-1] + bytes([data[-1] ^ 1])),
]

files = {name: (VECTORS / name).read_bytes() for name in (*FILES, "sha256")}
check(files)
missed = [name for name, change in CHANGES if not refused(files, name, change)]
for name in missed:
    print(f"{name}: a change was not noticed")
print(f"{len(files)} files, {len(CHANGES)} changes, {len(missed)} missed")
sys.exit(1 if missed else 0)
