# SPDX-License-Identifier: Apache-2.0
"""Makes audit logs with software keys: what an honest daemon and signer would have written.

Nothing here comes from the C code or from docs/verify_log.py: the bytes follow docs/PROTOCOL.log,
docs/PROTOCOL.decision and docs/PROTOCOL.signer. A log is a list of recipes until it is chained, so that
a test may tamper with it first and hash it again, as somebody with access to the database would.
"""

import base64
import copy
import hashlib
import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils

KEYS_DIR = Path(__file__).resolve().parent.parent / "keys"
TYPE = "application/vnd.countersign.%s+json"
HASHES = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
DIGEST_INFO = {"sha256": "3031300d060960864801650304020105000420", "sha384": "3041300d060960864801650304020205000430",
               "sha512": "3051300d060960864801650304020305000440"}


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def b64(data):
    return base64.b64encode(data).decode()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def event_hash(line):
    return hashlib.sha256(b"\0" + line).hexdigest()


def text(time):
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Key:
    """A private key of tests/keys, under the name that policies have for its algorithm."""

    def __init__(self, algorithm, name):
        self.algorithm = algorithm
        self.private = serialization.load_pem_private_key((KEYS_DIR / f"{name}.pem").read_bytes(), None)
        self.spki = self.private.public_key().public_bytes(serialization.Encoding.DER,
                                                           serialization.PublicFormat.SubjectPublicKeyInfo)
        self.id = sha256(self.spki)

    def sign(self, scheme, digest, algorithm):
        """What is released: scheme over a digest, or over the digest as a message (Ed25519)."""
        prehashed = utils.Prehashed(HASHES[algorithm])
        if scheme == "ed25519-digest":
            return self.private.sign(digest)
        if scheme == "ecdsa":
            return self.private.sign(digest, ec.ECDSA(prehashed))
        pad = padding.PKCS1v15()
        if scheme == "rsa-pss":
            pad = padding.PSS(padding.MGF1(HASHES[algorithm]), HASHES[algorithm].digest_size)
        return self.private.sign(digest, pad, prehashed)

    def raw(self, signature):
        """The token's output for what is released."""
        if not self.algorithm.startswith("p-"):
            return signature
        size = 32 if self.algorithm == "p-256" else 48
        return b"".join(n.to_bytes(size, "big") for n in utils.decode_dss_signature(signature))

    def envelope(self, kind, payload):
        """A DSSE envelope around a payload."""
        body, name = canonical(payload), TYPE % kind
        pae = b"DSSEv1 %d %s %d %s" % (len(name), name.encode(), len(body), body)
        if self.algorithm == "ed25519":
            signature = self.private.sign(pae)
        elif self.algorithm.startswith("p-"):
            curve_hash = hashes.SHA256() if self.algorithm == "p-256" else hashes.SHA384()
            signature = self.private.sign(pae, ec.ECDSA(curve_hash))
        else:
            signature = self.private.sign(pae, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
        return {"payload": b64(body), "payloadType": name, "signatures": [{"keyid": self.id, "sig": b64(signature)}]}


APPROVERS = {  # person: group, key
    "approver1": ("release", Key("p-256", "approver1")),
    "approver2": ("security", Key("ed25519", "approver2")),
    "approver3": ("security", Key("p-384", "approver3")),
    "approver5": ("release", Key("rsa-3072", "approver5")),
}
TWO = [{"count": 1, "group": "release"}, {"count": 1, "group": "security"}]
KEYS = {  # name: token, key, format, hash, quorum
    "app-dev": ("dev", Key("p-256", "approver1-second"), "ecdsa", "sha256", []),
    "app-prod": ("prod", Key("p-256", "p-256"), "ecdsa", "sha256", TWO),
    "boot-prod": ("prod", Key("rsa-3072", "rsa-3072"), "rsa-pkcs1", "sha256", TWO),
    "modem-prod": ("prod", Key("rsa-4096", "rsa-4096"), "rsa-pss", "sha384", TWO),
    "os-prod": ("prod", Key("p-384", "p-384"), "ecdsa", "sha384", TWO),
    "radio-dev": ("dev", Key("ed25519", "ed25519"), "ed25519-digest", "sha512", []),
}
STRANGER = Key("ed25519", "stranger")


class Policy:
    """A resolved signing.yaml as a value to change, and its canonical form."""

    def __init__(self, version=1):
        self.value = {
            "approvers": [self.approver(p, g, k) for p, (g, k) in sorted(APPROVERS.items())],
            "instance": "acme", "keys": [], "type": TYPE % "policy", "v": 1, "version": version,
            "tokens": [{"environment": t, "label": f"acme-{t}", "name": t, "serial": f"00{n}", "software_token": True}
                       for n, t in enumerate(("dev", "prod"))]}
        for number, (name, (token, key, form, digest, quorum)) in enumerate(sorted(KEYS.items())):
            self.value["keys"].append({
                "algorithm": key.algorithm, "cka_id": f"{number:02x}", "disabled": False, "environment": token,
                "format": form, "hash": digest, "imported": False, "max_wait": 259200, "name": name,
                "quorum": copy.deepcopy(quorum), "spki": b64(key.spki), "token": token})

    @staticmethod
    def approver(person, group, key):
        enrolment = {"instance": "acme", "person": person, "spki_sha256": key.id,
                     "time": "2026-11-01T09:00:00.000000Z", "type": TYPE % "enrolment", "v": 1}
        entry = {"algorithm": key.algorithm, "enrolment": b64(canonical(key.envelope("enrolment", enrolment))),
                 "spki": b64(key.spki)}
        return {"group": group, "keys": [entry], "person": person}

    def changed(self, version, change):
        other = copy.deepcopy(self)
        other.value["version"] = version
        change(other.value)
        return other

    def key(self, name):
        return next(k for k in self.value["keys"] if k["name"] == name)

    @property
    def bytes(self):
        return canonical(self.value)

    @property
    def version(self):
        return self.value["version"]

    def detail(self):
        return {"digest": sha256(self.bytes), "resolved": b64(self.bytes), "version": self.version,
                "yaml": b64(f"version: {self.version}\n".encode())}


class Log:
    """The story of a log, one recipe per event, and the journals of its signers."""

    def __init__(self):
        self.now = datetime(2026, 11, 21, 8, 0, 0, 0, timezone.utc)
        self.recipes, self.policy, self.requests, self.intents = [], None, 0, 0
        self.journals = {}  # (token, child): [line, …]
        self.add("log.created", {"instance": "acme"})

    def add(self, kind, detail=None, request="", actor="daemon", after=0.010203):
        self.now += timedelta(seconds=after)
        self.recipes.append({"kind": kind, "detail": detail or {}, "request": request, "actor": actor,
                             "time": text(self.now)})

    def start(self, policy, restored=None):
        """A start of the daemon; `restored`: with a database that lost what was served last, and what it says else."""
        size = len(self.recipes)
        self.add("daemon.started", {"pid": 4711, "version": "0.1.0"}, after=3)
        if restored:
            self.add("log.restored", lambda known: {
                "head": known[size - 1], "id": known[0], "kept_head": sha256(b"lost"), "kept_id": known[0],
                "kept_size": size - 1, "size": size, **restored(known)})
        self.load(policy)
        self.add("access.loaded", {"digest": sha256(b"access"), "principals": 6})
        for token in ("dev", "prod"):
            self.add("signer.selftest", {"failed": 0, "keys": 3, "ok": True, "token": token})

    def load(self, policy):
        self.policy = policy
        self.add("policy.loaded", policy.detail())

    def journal(self, token, child, members):
        lines = self.journals.setdefault((token, child), [])
        self.now += timedelta(microseconds=211)
        lines.append({**members, "child": child, "seq": len(lines) + 1, "time": text(self.now), "token": token})

    def request(self, keys, **changes):
        return Request(self, keys, **changes)

    def chain(self):
        return chain(self.recipes)

    def journal_files(self):
        """One file per child, as bytes."""
        return {name: b"".join(canonical(line) + b"\n" for line in lines) for name, lines in self.journals.items()}


def chain(recipes):
    """Number and link events; details that depend on the log so far are made now."""
    lines, prev, first = [], "0" * 64, ""
    for recipe in recipes:
        detail = recipe["detail"]
        if callable(detail):
            detail = detail([event_hash(line) for line in lines])
        event = {**recipe, "detail": detail, "prev": prev, "seq": len(lines) + 1, "type": TYPE % "event", "v": 1}
        line = canonical(event)
        lines.append(line)
        prev = event_hash(line)
        first = first or prev
    return lines


class Request:
    """One request's way through the log."""

    def __init__(self, log, keys, principal="agent1", persons=("developer1",), state="pending", lifetime=259200,
                 change=None):
        self.log, self.keys, self.n, self.signed = log, keys, {}, {}
        self.attempts = [0] * len(keys)
        log.requests += 1
        self.id = f"019aa5e7-3c1f-7a3e-9d55-{log.requests:012x}"
        created = log.now + timedelta(microseconds=50)
        policy = log.policy
        quorum = {}
        for key in keys:
            for line in policy.key(key)["quorum"]:
                quorum[line["group"]] = max(line["count"], quorum.get(line["group"], 0))
        self.doc = {
            "artifacts": [self.artifact(n, key) for n, key in enumerate(keys)],
            "build": {"commit": f"{log.requests:040x}", "repository": "https://git.example/fw"},
            "created": text(created), "environment": policy.key(keys[0])["environment"],
            "expires": text(created + timedelta(seconds=lifetime)), "id": self.id, "instance": "acme",
            "policy": {"digest": sha256(policy.bytes), "version": policy.version},
            "quorum": [{"count": c, "group": g} for g, c in sorted(quorum.items())],
            "release": {"product": "doorbell", "version": f"1.{log.requests}"},
            "requester": {"method": "mtls", "persons": sorted(persons), "principal": principal},
            "type": TYPE % "request", "v": 1}
        if change:
            change(self.doc)
        self.bytes = canonical(self.doc)
        log.add("request.created", {"document": b64(self.bytes), "state": state}, self.id, principal)

    def artifact(self, n, name):
        entry = self.log.policy.key(name)
        digest = hashlib.new(entry["hash"], f"image {self.log.requests}.{n}".encode())
        return {"digest": {"algorithm": entry["hash"], "value": digest.hexdigest()}, "format": entry["format"],
                "key": {"algorithm": entry["algorithm"], "hash": entry["hash"], "name": name,
                        "spki_sha256": sha256(base64.b64decode(entry["spki"]))},
                "name": f"image{n}", "size": 4096 + n}

    def decide(self, person, decision, state, key=None, n=None, lag=0, change=None):
        """A decision that names the log as it is just before, or `lag` events earlier."""
        self.n[person] = n or self.n.get(person, 0) + 1
        key, number = key or APPROVERS[person][1], self.n[person]
        time = text(self.log.now)

        def detail(known):
            size = len(known) - lag
            payload = {"decision": decision, "images_checked": [a["name"] for a in self.doc["artifacts"]],
                       "log": {"head": known[size - 1], "id": known[0], "size": size}, "n": number,
                       "request_sha256": sha256(self.bytes), "time": time, "type": TYPE % "decision", "v": 1}
            if change:
                change(payload)
            return {"envelope": b64(canonical(key.envelope("decision", payload))), "person": person, "state": state}

        self.log.add("request.decision", detail, self.id, person, after=37.5)

    def approve(self):
        """By both groups."""
        self.decide("approver1", "approve", "pending")
        self.decide("approver2", "approve", "approved", lag=1)

    def tbs(self, index):
        artifact = self.doc["artifacts"][index]
        digest = bytes.fromhex(artifact["digest"]["value"])
        if artifact["format"] == "rsa-pkcs1":
            return bytes.fromhex(DIGEST_INFO[artifact["digest"]["algorithm"]]) + digest
        return digest

    def token(self, index):
        return KEYS[self.keys[index]][0]

    def intent(self, index, token=True):
        """An intent, and what the token does of it: True signs, False is not asked, None fails there."""
        artifact = self.doc["artifacts"][index]
        self.attempts[index] += 1
        members = {"artifact": index, "attempt": self.attempts[index],
                   "spki_sha256": artifact["key"]["spki_sha256"], "tbs_sha256": sha256(self.tbs(index))}
        self.log.add("sign.intent", {**members, "token": self.token(index)}, self.id)
        if token is False:
            return
        self.log.intents += 1
        child = self.log.intents % 2
        use = {**members, "request": self.id}
        self.log.journal(self.token(index), child, {**use, "event": "sign-begin"})
        if token is None:
            self.log.journal(self.token(index), child, {**use, "event": "sign-end", "rc": "CKR_DEVICE_ERROR"})
            return
        key = KEYS[self.keys[index]][1]
        signature = key.sign(artifact["format"], bytes.fromhex(artifact["digest"]["value"]),
                             artifact["digest"]["algorithm"])
        self.signed[index] = (signature, key.raw(signature))
        self.log.journal(self.token(index), child, {**use, "event": "sign-end", "rc": "CKR_OK",
                                                    "raw_sha256": sha256(self.signed[index][1])})

    def done(self, index):
        signature, raw = self.signed[index]
        self.log.add("sign.done", {"artifact": index, "attempt": self.attempts[index], "raw_sha256": sha256(raw),
                                   "signature_sha256": sha256(signature)}, self.id)

    def not_done(self, index, kind, code, reached):
        self.log.add(kind, {"artifact": index, "attempt": self.attempts[index], "code": code,
                            "message": f"{code} of the token", "reached_hsm": reached}, self.id)

    def release(self):
        self.log.add("request.signed",
                     {"signatures": [b64(self.signed[n][0]) for n in range(len(self.keys))]}, self.id)

    def sign(self):
        """The whole attempt of one frame: all intents, then each outcome."""
        for index in range(len(self.keys)):
            self.intent(index)
        for index in range(len(self.keys)):
            self.done(index)
        self.release()

    def end(self, kind, actor="daemon", **detail):
        self.log.add(kind, detail, self.id, actor)
