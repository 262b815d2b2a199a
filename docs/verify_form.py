# SPDX-License-Identifier: Apache-2.0
"""The form of what a log of countersign holds: canonical JSON, closed lists of members, keys, envelopes, signatures.

The part of docs/verify_log.py that knows bytes; the rules are there. See docs/PROTOCOL.log and docs/PROTOCOL.decision.
"""
import hashlib
import json
import re
from base64 import b64decode
from collections import Counter
from datetime import datetime
from types import SimpleNamespace as Record

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

HASHES = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
DIGEST_INFO = {name: bytes.fromhex(f"30{size + 17:x}300d060960864801650304020{n}050004{size:x}")
               for name, size, n in (("sha256", 32, 1), ("sha384", 48, 2), ("sha512", 64, 3))}
FITS = re.compile("rsa-(pkcs1|pss) rsa-(3072|4096) sha(256|384|512)|ecdsa p-(256 sha256|384 sha384)|"
                  "ed25519-digest ed25519 sha(256|512)")  # format, algorithm of the key, hash
TYPE = "application/vnd.countersign.%s+json"
STRINGS = {
    "name": "[A-Za-z0-9._+/@:-]{1,64}", "actor": "[A-Za-z0-9._+/@:-]{1,71}", "hash": "[0-9a-f]{64}",
    "hex": "([0-9a-f]{2})+", "env": "dev|prod", "verdict": "approve|reject|withdraw", "method": "mtls",
    "hashname": "sha256|sha384|sha512",
    "text": "[^\0-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e"
            "\u2060-\u206f\ufeff\ufff0-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
            "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]{0,256}",
    "bytes": "([A-Za-z0-9+/]{4})*([A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?",
    "uuid": "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "id": "([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?",
    "state": "denied|pending|approved|signing|signed|rejected|expired|cancelled|failed",
    "time": "[2-9][0-9]{3}(-[0-9]{2}){2}T([01][0-9]|2[0-3])(:[0-5][0-9]){2}[.][0-9]{6}Z"}
MOST = 2**53 - 1
INTEGERS = {"int": (-MOST, MOST), "size": (0, MOST), "count": (1, MOST), "few": (1, 16), "artifact": (0, 15),
            "one": (1, 1)}
# what a name stands for: members and their types; "x?" may be absent, [x] is a list, +x 1 to 16, {x} an ordered set
SHAPES = """
event: actor actor, detail object, kind name, prev hash, request id, seq count, time time, type name, v one
log.created: instance name
daemon.started: pid count, version text
daemon.stopped:
daemon.unclean-stop: last_seq count
policy.loaded: digest hash, resolved bytes, version count, yaml bytes
access.loaded: digest hash, principals size
auth.refused: count count, reason text, source text
access.refused: count count, method text, path text, role text
request.denied: fingerprint hash, reason text, rule text
request.created: document bytes, state state
request.decision: envelope bytes, person name, state state
request.rejudged: reason text, state state
request.cancelled: reason text
request.expired:
request.signed: signatures +bytes
request.failed: reason text
sign.intent: artifact artifact, attempt count, spki_sha256 hash, tbs_sha256 hash, token name
sign.done: artifact artifact, attempt count, raw_sha256 hash, signature_sha256 hash
sign.failed: artifact artifact, attempt count, code text, message text, reached_hsm bool
sign.unknown: artifact artifact, attempt count, code text, message text, reached_hsm bool
log.exported: from count, to count
log.restored: head hash, id hash, kept_head hash, kept_id hash, kept_size count, size size
signer.lost: message text, token name
signer.back: message text, token name
signer.selftest: failed size, keys size, ok bool, token name
clock.jump: jump_us int
disk.low: free_bytes size, watermark_bytes size
disk.back: free_bytes size, watermark_bytes size
log.damaged: message text, seq count
request: artifacts +artifacts, build? build, comment_sha256? hash, created time, environment env, expires time, \
id uuid, instance name, policy cited, quorum {line}, release? release, requester requester, type name, v one
artifacts: digest digest, format name, key key, name name, size count
digest: algorithm hashname, value hex
key: algorithm name, hash hashname, name name, spki_sha256 hash
build: commit? words, pipeline? words, repository? words
cited: digest hash, version count
line: count few, group name
release: component? words, product? words, security_version? size, version? words
requester: method method, persons {name}, principal name
decision: comment_sha256? hash, decision verdict, images_checked {name}, log log, n few, request_sha256 hash, \
time time, type name, v one
log: head hash, id hash, size count
envelope: payload bytes, payloadType name, signatures +signature
signature: keyid hash, sig bytes
enrolment: instance name, person name, spki_sha256 hash, time time, type name, v one
policy: approvers {approver}, instance name, keys {policykey}, tokens {token}, type name, v one, version count
approver: group name, keys [approvalkey], person name
approvalkey: algorithm name, enrolment bytes, spki bytes
policykey: algorithm name, cka_id hex, disabled bool, environment env, format name, hash hashname, imported bool, \
max_uses? count, max_wait count, name name, not_after? time, not_before? time, quorum {line}, spki bytes, token name
token: environment env, label text, name name, serial name, software_token bool
"""
SHAPES = {name: [member.split() for member in members.split(",") if member.strip()] for name, members in
          (shape.split(":") for shape in SHAPES.strip().split("\n"))}


class Broken(Exception):
    """The argument is the rule that something breaks."""


def need(rule, *conditions):
    if not all(conditions):
        raise Broken(rule)


def head(text, form="()([1-9][0-9]*):([0-9a-f]{64})"):
    """A known head: the log's id or "", size, hash."""
    found = re.fullmatch(form, text)
    need(f"not a known head: {text}", found)
    return found[1], int(found[2]), found[3]


def lines(path):
    """The lines of a file without their newlines."""
    with open(path, "rb") as file:
        for line in file:
            yield line[:-1] if line.endswith(b"\n") else line


def head(text, form="()([1-9][0-9]*):([0-9a-f]{64})"):
    """A known head: the log's id or "", size, hash."""
    found = re.fullmatch(form, text)
    need(f"not a known head: {text}", found)
    return found[1], int(found[2]), found[3]


def restored(log, ev, d):
    """The rule of log.restored: the two heads that it names; the second is not of this log."""
    need("restored", d.id == log.hashes[0], d.size < ev.seq)
    need("restored", d.head == (log.hashes[d.size - 1] if d.size else "0" * 64))
    need("restored", d.kept_head not in log.hashes[d.kept_size - 1:d.kept_size])


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def is_date(text):
    try:
        return bool(datetime.fromisoformat(text))
    except ValueError:
        return False


def is_set(values):
    """Ascending by what names them, and nothing twice."""
    names = [v if isinstance(v, str) else v.get("person") or v.get("name") or v["group"] for v in values]
    return names == sorted(set(names))


def fits(value, kind):
    if kind in SHAPES:
        known = {name.rstrip("?"): of for name, of in SHAPES[kind]}
        return (isinstance(value, dict) and value.keys() <= known.keys() and
                value.keys() >= {name for name, _ in SHAPES[kind] if name[-1] != "?"} and
                all(fits(v, known[name]) for name, v in value.items()))
    if kind[0] in "[{+":
        good = isinstance(value, list) and all(fits(v, kind.strip("[{+}]")) for v in value)
        return good and (kind[0] != "{" or is_set(value)) and (kind[0] != "+" or 0 < len(value) <= 16)
    if kind == "words":
        return value != "" and fits(value, "text")
    if kind in STRINGS:
        return (isinstance(value, str) and re.fullmatch(STRINGS[kind], value) is not None and
                (kind != "time" or is_date(value[:10])))
    if kind in INTEGERS:
        return type(value) is int and INTEGERS[kind][0] <= value <= INTEGERS[kind][1]
    return type(value) is {"bool": bool, "object": dict}[kind]


def parse(data, kind, rule):
    """Canonical JSON of a shape. A key that is there twice is written once; a real number or null fits nowhere."""
    try:
        value = json.loads(data.decode())
        same = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() == data
    except (ValueError, RecursionError):
        raise Broken(rule)
    need(rule, same, fits(value, kind))
    need(rule, value.get("type", TYPE % kind) == TYPE % kind)
    if kind == "request":
        names, digests = {a["name"] for a in value["artifacts"]}, [a["digest"] for a in value["artifacts"]]
        need(rule, len(names) == len(digests), value["requester"]["persons"])
        need(rule, value.get("build") != {}, value.get("release") != {})
        need(rule, all(len(d["value"]) == 2 * HASHES[d["algorithm"]].digest_size for d in digests))
    return value


def load_key(entry):
    """A public key of a policy with its entry; its algorithm must be what the entry says."""
    spki = b64decode(entry["spki"])
    try:
        public = serialization.load_der_public_key(spki)
    except (ValueError, UnsupportedAlgorithm):
        raise Broken("policy")
    if isinstance(public, rsa.RSAPublicKey):
        name = f"rsa-{public.key_size}"
    elif isinstance(public, ec.EllipticCurvePublicKey):
        name = {"secp256r1": "p-256", "secp384r1": "p-384"}.get(public.curve.name)
    else:
        name = "ed25519" if isinstance(public, ed25519.Ed25519PublicKey) else None
    need("policy", name == entry["algorithm"])
    return Record(**entry, public=public, id=sha256(spki))


def verify(key, scheme, hashed, digest, signature, rule):
    """For Ed25519 the digest is the message."""
    h = HASHES[hashed]
    try:
        key.public.verify(signature, digest, *{
            "ecdsa": [ec.ECDSA(utils.Prehashed(h))], "rsa-pkcs1": [padding.PKCS1v15(), utils.Prehashed(h)],
            "rsa-pss": [padding.PSS(padding.MGF1(h), h.digest_size), utils.Prehashed(h)], "ed25519-digest": []}[scheme])
    except InvalidSignature:
        raise Broken(rule)


def raw(algorithm, signature):
    """The token's output for what is released."""
    size = {"p-256": 32, "p-384": 48}.get(algorithm)
    return b"".join(n.to_bytes(size, "big") for n in utils.decode_dss_signature(signature)) if size else signature


def opened(text, kind, keys, rule):
    """The payload of a DSSE envelope, and which of the keys (by id) signed it."""
    envelope = parse(b64decode(text), "envelope", rule)
    body, name = b64decode(envelope["payload"]), envelope["payloadType"]
    need(rule, len(envelope["signatures"]) == 1, name == TYPE % kind)
    [signature] = envelope["signatures"]
    need(rule, signature["keyid"] in keys)
    key, pae = keys[signature["keyid"]], b"DSSEv1 %d %s %d %s" % (len(name), name.encode(), len(body), body)
    scheme = {"p-": "ecdsa", "rs": "rsa-pss", "ed": "ed25519-digest"}[key.algorithm[:2]]
    hashed = "sha384" if key.algorithm == "p-384" else "sha256"
    digest = pae if scheme == "ed25519-digest" else hashlib.new(hashed, pae).digest()
    verify(key, scheme, hashed, digest, b64decode(signature["sig"]), rule)
    return parse(body, kind, rule), key


def load_policy(data, instance):
    """A resolved policy that keeps the rules of policies. `cited` is how documents name it."""
    p = parse(data, "policy", "policy")
    tokens, sizes = {t["name"]: t["environment"] for t in p["tokens"]}, Counter(a["group"] for a in p["approvers"])
    approvers = {key.id: key for a in p["approvers"] for key in (load_key({**a, **entry}) for entry in a["keys"])}
    keys = {entry["name"]: load_key(entry) for entry in p["keys"]}
    need("policy", p["instance"] == instance)
    for key in approvers.values():
        said, _ = opened(key.enrolment, "enrolment", {key.id: key}, "policy")
        need("policy", (said["instance"], said["person"], said["spki_sha256"]) == (instance, key.person, key.id))
    for key in keys.values():
        need("policy", FITS.fullmatch(f"{key.format} {key.algorithm} {key.hash}"))
        need("policy", tokens.get(key.token) == key.environment)
        need("policy", key.environment == "dev" or sum(q["count"] for q in key.quorum) >= 2)
        need("policy", all(q["count"] <= sizes[q["group"]] for q in key.quorum))
    return Record(version=p["version"], digest=sha256(data), keys=keys, approvers=approvers,
                  cited={"digest": sha256(data), "version": p["version"]})
