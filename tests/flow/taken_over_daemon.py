# SPDX-License-Identifier: Apache-2.0
"""Whoever takes over countersignd gets no production signature that approvers did not approve.

Speaks the signer's protocol directly, as the daemon's user. The signer's policy wants one approval by
each of two groups; every row below falls short of that, or asks for something else than what was approved.
"""

import hashlib
import json
import os
import tempfile
import unittest
from pathlib import Path

import approvals
import signer_client
import signers
import softhsm
from approvals import Approver, artifact, document
from verify_signature import verify

DAEMON_UID = 64124  # whom the signer serves when the test is root
QUORUM = [{"group": "release", "count": 1}, {"group": "security", "count": 1}]
RELEASE = Approver("approver1", "release")
SECURITY = Approver("approver2", "security")
OTHER_RELEASE = Approver("approver3", "release")
SECOND_KEY = Approver("approver1", "release", "approver1-second")
STRANGER = Approver("stranger", "release")
APPROVERS = [RELEASE, SECURITY, OTHER_RELEASE]


def setUpModule():
    global work, signer, policy, key, rsa, other, separate
    work = tempfile.TemporaryDirectory(prefix="cs", dir="/tmp")
    os.chmod(work.name, 0o755)
    token = softhsm.make(Path(work.name) / "prod", "prod")
    key, rsa = signers.make_keys(token, "p-256", "rsa-3072", quorum=QUORUM)
    other = dict(key, name="elsewhere", token="other", cka_id="09", quorum=QUORUM, public_key=other_spki())
    policy = signers.policy(token, "prod", [key, rsa, other], APPROVERS, version=5, software_token=True)
    policy["tokens"].append({"name": "other", "label": "other", "serial": "1", "environment": "prod"})
    policy["approvers"][0]["keys"].append({"public_key": approvals.b64(SECOND_KEY.spki),
                                           "enrolment": approvals.b64(SECOND_KEY.enrolment("test"))})
    separate = signers.may_separate()
    signer = signers.Signer(token, policy, "prod", peer_user=DAEMON_UID if separate else None)
    if separate:
        os.seteuid(DAEMON_UID)


def tearDownModule():
    if os.getuid() == 0:
        os.seteuid(0)
    signer.end()
    work.cleanup()


def other_spki():
    pem = (approvals.KEYS / "p-256.pem").read_bytes()
    private = approvals.serialization.load_pem_private_key(pem, None)
    return approvals.b64(private.public_key().public_bytes(approvals.serialization.Encoding.DER,
                                                           approvals.serialization.PublicFormat.SubjectPublicKeyInfo))


def make(**changes):
    """A document as the daemon would make it; `changes` are the attack."""
    artifacts = changes.pop("artifacts", None) or [artifact(key)]
    return document(policy, artifacts, QUORUM, **{"environment": "prod", **changes})


def both(doc):
    return [RELEASE.decide(doc), SECURITY.decide(doc)]


def forged(doc):
    """An envelope that names approver2's key, signed by somebody else."""
    envelope = json.loads(STRANGER.decide(doc))
    envelope["signatures"][0]["keyid"] = SECURITY.keyid
    return approvals.canonical(envelope)


def changed_artifact(**changes):
    return [{**artifact(key), **changes}]


def changed_key(**changes):
    value = artifact(key)
    value["key"].update(changes)
    return [value]


def signatures():
    """How many times the token was asked to sign something that is not a self-test."""
    if separate:
        os.seteuid(0)
    try:
        return sum(line["event"] == "sign-begin" for line in signer.journal())
    finally:
        if separate:
            os.seteuid(DAEMON_UID)


# Each row: what is tried, the decisions for it, the rule that says no.
DECISION_ROWS = [
    ("no decision", lambda d: [], "quorum"),
    ("too few", lambda d: [RELEASE.decide(d)], "quorum"),
    ("two of one group", lambda d: [RELEASE.decide(d), OTHER_RELEASE.decide(d)], "quorum"),
    ("one person twice", lambda d: [RELEASE.decide(d), RELEASE.decide(d, n=2)], "quorum"),
    ("one person under two keys", lambda d: [RELEASE.decide(d), SECOND_KEY.decide(d)], "quorum"),
    ("the same envelope twice", lambda d: [RELEASE.decide(d)] * 2, "quorum"),
    ("of a stranger", lambda d: [RELEASE.decide(d), STRANGER.decide(d)], "quorum"),
    ("withdrawn", lambda d: [*both(d), SECURITY.decide(d, "withdraw", 2)], "quorum"),
    ("rejected", lambda d: [*both(d), OTHER_RELEASE.decide(d, "reject")], "rejected"),
    ("rejected by who approved", lambda d: [*both(d), RELEASE.decide(d, "reject", 2)], "rejected"),
    ("replayed from another request", lambda d: both(make()), "decision"),
    ("forged", lambda d: [RELEASE.decide(d), forged(d)], "decision"),
    ("not an envelope", lambda d: [RELEASE.decide(d), b"{}"], "decision"),
    ("an enrolment instead", lambda d: [RELEASE.decide(d), SECURITY.enrolment("test")], "decision"),
    ("names an image that is not there", lambda d: [RELEASE.decide(d), SECURITY.decide(d, checked=["x"])],
     "decision"),
]

# Each row: what is tried, the document, which both approvers approved, the rule that says no.
DOCUMENT_ROWS = [
    ("another instance", lambda: make(instance="elsewhere"), "instance"),
    ("dev", lambda: make(environment="dev"), "environment"),
    ("expired", lambda: make(created=approvals.now(hours=-2), expires=approvals.now(seconds=-1)), "expired"),
    ("created in the future", lambda: make(created=approvals.now(minutes=5)), "created-in-future"),
    ("waits too long", lambda: make(expires=approvals.now(hours=73)), "max-wait"),
    ("a newer policy", lambda: make(policy={"digest": "33" * 32, "version": 6}), "policy-version"),
    ("the requester's own approval", lambda: make(requester={"method": "mtls", "persons": ["approver1"],
                                                             "principal": "approver1"}), "quorum"),
    ("the owner of a robot", lambda: make(requester={"method": "mtls", "persons": ["approver2", "developer1"],
                                                     "principal": "ci"}), "quorum"),
    ("another key under the name", lambda: make(artifacts=changed_key(spki_sha256="44" * 32)), "key-replaced"),
    ("an unknown key", lambda: make(artifacts=changed_key(name="nobody")), "key-unknown"),
    ("another hash", lambda: make(artifacts=[artifact(dict(rsa, hash="sha512"))]), "key-hash"),
    ("another format", lambda: make(artifacts=[artifact(dict(rsa, format="rsa-pkcs1"))]), "key-format"),
    ("a hash that the key cannot sign", lambda: make(artifacts=[artifact(dict(key, hash="sha512"))]), "document"),
    ("a longer digest", lambda: make(artifacts=changed_artifact(digest={"algorithm": "sha384", "value": "55" * 48})),
     "document"),
    ("a format that the key cannot make", lambda: make(artifacts=changed_artifact(format="rsa-pss")), "document"),
    ("another token's key", lambda: make(artifacts=[artifact(other)]), "token"),
    ("not canonical", lambda: make() + b"\n", "document"),
    ("not a document", lambda: b"x", "document"),
    ("a member too many", lambda: make(force=True), "document"),
]


class TakenOverDaemon(unittest.TestCase):
    def refused(self, doc, decisions, rule, artifacts=((0, 1),)):
        before = signatures()
        with signer.connect() as c:
            for result in c.sign(doc, decisions, artifacts):
                self.assertEqual((result.outcome, result.code, result.raw), (signer_client.REFUSED, rule, b""),
                                 result.message)
        self.assertEqual(signatures(), before)

    def test_decisions_fall_short(self):
        for name, decisions, rule in DECISION_ROWS:
            with self.subTest(name):
                doc = make()
                self.refused(doc, decisions(doc), rule)

    def test_approved_is_something_else(self):
        for name, doc, rule in DOCUMENT_ROWS:
            with self.subTest(name):
                doc = doc()
                self.refused(doc, both(doc), rule)

    def test_changed_after_the_approval(self):
        """Every member of the document is covered: another digest, size, name, lifetime …"""
        doc = make()
        for old, new in ((b'"value":"', b'"value":"00'), (b'"size":1000', b'"size":1001'), (b"image", b"imagf"),
                         (b"developer1", b"developer2"), (b'"principal":"ci"', b'"principal":"cj"')):
            with self.subTest(new):
                changed = doc.replace(old, new)
                if b"value" in old:
                    digest = hashlib.sha256(b"another image").hexdigest().encode()
                    changed = doc.replace(json.loads(doc)["artifacts"][0]["digest"]["value"].encode(), digest)
                self.assertNotEqual(doc, changed)
                self.refused(changed, both(doc), "decision")

    def test_the_quorum_of_the_document_is_not_enough(self):
        doc = document(policy, [artifact(key)], [], environment="prod")
        self.refused(doc, [], "quorum")
        self.refused(doc, [RELEASE.decide(doc)], "quorum")

    def test_the_quorum_of_the_document_counts_too(self):
        doc = document(policy, [artifact(key)], [{"group": "release", "count": 2}], environment="prod")
        self.refused(doc, both(doc), "quorum")

    def test_an_artifact_that_is_not_there(self):
        doc = make()
        self.refused(doc, both(doc), "artifact", [(1, 1)])

    def test_one_artifact_in_disorder_stops_all(self):
        doc = make(artifacts=[artifact(key, "a"), artifact(other, "b")])
        self.refused(doc, both(doc), "token", [(0, 1), (1, 1)])

    def test_no_file_of_the_signer_can_be_read(self):
        if not separate:
            self.skipTest("needs root to have separate users")
        for path in (signer.token.pin_file, signer.state, signer.token.store):
            with self.subTest(path), self.assertRaises(PermissionError):
                path.read_bytes() if path == signer.token.pin_file else os.listdir(path)

    def test_other_users_are_not_served(self):
        if not separate:
            self.skipTest("needs root to have separate users")
        os.seteuid(0)
        try:
            os.seteuid(DAEMON_UID + 1)
            with self.assertRaises(signer_client.Closed):
                signer.connect()
        finally:
            os.seteuid(0)
            os.seteuid(DAEMON_UID)

    def test_what_was_approved_is_signed(self):
        """The control: the rows above fail for what they say and nothing else."""
        doc = make()
        before = signatures()
        with signer.connect() as c:
            result, = c.sign(doc, both(doc))
        self.assertEqual(result.outcome, signer_client.OK, result.message)
        verify(key, json.loads(doc)["artifacts"][0], result.raw)
        self.assertEqual(signatures(), before + 1)


if __name__ == "__main__":
    unittest.main()
