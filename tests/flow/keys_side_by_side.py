# SPDX-License-Identifier: Apache-2.0
"""Keys of every kind on one token sign side by side; a key that is not as pinned is not used."""

import json
import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

import approvals
import signer_client
import signers
import softhsm
from approvals import artifact, document
from verify_signature import verify

ALGORITHMS = ("rsa-3072", "rsa-4096", "p-256", "p-384", "ed25519")


def setUpModule():
    global work, token, keys
    work = tempfile.TemporaryDirectory(prefix="cs", dir="/tmp")
    os.chmod(work.name, 0o755)
    token = softhsm.make(Path(work.name) / "dev", "dev")
    keys = signers.make_keys(token, *ALGORITHMS)


def tearDownModule():
    work.cleanup()


def import_pem(pem, label, cka_id):
    """Put a key from outside on the token, as a restored one would be: CKA_LOCAL is false."""
    subprocess.run(["softhsm2-util", "--import", approvals.KEYS / pem, "--token", token.label, "--pin", softhsm.PIN,
                    "--label", label, "--id", cka_id], env={**os.environ, **token.env}, check=True,
                   stdout=subprocess.DEVNULL)


def pkcs11_tool(*arguments):
    subprocess.run(["pkcs11-tool", "--module", softhsm.MODULE, "--token-label", "dev", "--login", "--pin",
                    softhsm.PIN, *arguments], env={**os.environ, **token.env}, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class SideBySide(unittest.TestCase):
    def test_each_signs(self):
        policy = signers.policy(token, "dev", keys)
        with signers.Signer(token, policy) as signer, signer.connect() as c:
            health = c.status()
            self.assertEqual((health.ready, health.keys, health.failed, health.message), (True, 5, 0, ""))
            artifacts = [artifact(key, key["name"]) for key in keys]
            wanted = [(3, 1), (0, 1), (4, 2), (1, 1), (2, 7)]
            results = c.sign(document(policy, artifacts), artifacts=wanted)
            self.assertEqual([r.index for r in results], [index for index, _ in wanted])
            for result in results:
                with self.subTest(keys[result.index]["name"]):
                    self.assertEqual((result.outcome, result.code, result.message), (signer_client.OK, "", ""))
                    verify(keys[result.index], artifacts[result.index], result.raw)
            lines = [line for line in signer.journal() if line["event"].startswith("sign-")]
            self.assertEqual([(line["event"], line["artifact"], line["attempt"]) for line in lines],
                             [(event, *pair) for pair in wanted for event in ("sign-begin", "sign-end")])

    def test_both_paddings_and_all_hashes(self):
        rows = [("rsa-pss", "sha256"), ("rsa-pss", "sha384"), ("rsa-pss", "sha512"), ("rsa-pkcs1", "sha256"),
                ("rsa-pkcs1", "sha384"), ("rsa-pkcs1", "sha512")]
        for fmt, hash_name in rows:
            with self.subTest(fmt, hash=hash_name):
                key = dict(keys[0], format=fmt, hash=hash_name)
                policy = signers.policy(token, "dev", [key])
                with signers.Signer(token, policy) as signer, signer.connect() as c:
                    wanted = artifact(key)
                    result, = c.sign(document(policy, [wanted]))
                    self.assertEqual(result.outcome, signer_client.OK, result.message)
                    verify(key, wanted, result.raw)


class NotAsPinned(unittest.TestCase):
    def unusable(self, key, problem):
        """The key is not used, the signer says why, and the key beside it still signs."""
        policy = signers.policy(token, "dev", [key, keys[2]])
        signer = signers.Signer(token, policy, start=False)
        with signer:
            signer.start(wait=False)
            signer.wait_log("keys-not-usable")
            with signer.connect() as c:
                health = c.status()
                self.assertEqual((health.ready, health.keys, health.failed), (False, 2, 1))
                self.assertIn(problem, health.message)
                artifacts = [artifact(key, "bad"), artifact(keys[2], "good")]
                bad, good = c.sign(document(policy, artifacts), artifacts=[(0, 1), (1, 1)])
                self.assertEqual((bad.outcome, bad.code), (signer_client.NOT_TRIED, "key"))
                self.assertIn(problem, bad.message)
                self.assertEqual(good.outcome, signer_client.OK)

    def test_missing(self):
        self.unusable(dict(keys[3], cka_id="77"), "no private key on the token has its CKA_ID")

    def test_changed(self):
        wrong = dict(keys[0], public_key=approvals.b64(approvals.Approver("approver5", "x", "rsa-3072").spki))
        self.unusable(wrong, "it is another key")

    def test_not_made_on_this_token(self):
        import_pem("p-384.pem", "restored", "aa")
        spki = approvals.b64(approvals.Approver("restored", "x", "p-384").spki)
        key = signers.key("restored", "dev", "aa", "p-384", spki)
        self.unusable(key, "CKA_LOCAL")
        policy = signers.policy(token, "dev", [dict(key, imported=True)])
        with signers.Signer(token, policy) as signer, signer.connect() as c:
            self.assertEqual(len(signer.events("imported-key")), 1)
            wanted = artifact(key)
            result, = c.sign(document(policy, [wanted]))
            self.assertEqual(result.outcome, signer_client.OK, result.message)
            verify(key, wanted, result.raw)

    def test_attributes(self):
        rows = [("c1", "--extractable", "CKA_EXTRACTABLE"), ("c2", "--always-auth", "CKA_ALWAYS_AUTHENTICATE")]
        for cka_id, option, problem in rows:
            with self.subTest(problem):
                pkcs11_tool("--keypairgen", "--key-type", "EC:prime256v1", "--id", cka_id, "--sensitive",
                            "--label", problem, "--usage-sign", option)
                out = token.tool("describe").stdout.split(f'cka_id: "{cka_id}"')[1]
                public_key = re.search(r"public_key: (\S+)", out)[1]
                self.assertIn("# refused", out.split("  - name: ")[0])
                self.unusable(signers.key("odd", "dev", cka_id, "p-256", public_key), problem)

    def test_disabled(self):
        policy = signers.policy(token, "dev", [dict(keys[3], disabled=True), keys[2]])
        with signers.Signer(token, policy) as signer, signer.connect() as c:
            self.assertEqual(c.status().keys, 1)
            result, = c.sign(document(policy, [artifact(keys[3])]))
            self.assertEqual((result.outcome, result.code), (signer_client.REFUSED, "key-disabled"))


class Tools(unittest.TestCase):
    def test_keygen_refuses_a_taken_id(self):
        done = token.tool("keygen", "--name", "again", "--id", "03", "--algorithm", "p-256", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("has this CKA_ID already", done.stderr)

    def test_describe_prints_what_keygen_printed(self):
        out = token.tool("describe").stdout
        self.assertIn(f'serial: "{token.serial}"', out)
        entries = {entry.split("\n")[0]: entry for entry in out.split("  - name: ")[2:]}
        for key in keys:
            entry = entries[key["name"]]
            self.assertIn(f'cka_id: "{key["cka_id"]}"\n    algorithm: {key["algorithm"]}\n', entry)
            self.assertTrue(entry.endswith(f'public_key: {key["public_key"]}\n'), entry)

    def test_bench_measures(self):
        out = token.tool("bench", "--id", "03", "--seconds", "1", "--children", "2").stdout
        line = json.loads(out)
        self.assertEqual((line["algorithm"], line["processes"]), ("p-256", 2))
        self.assertGreater(line["signatures"], 0)

    def test_prod_keys_in_software_need_a_word(self):
        quorum = [{"group": "release", "count": 2}]
        people = [approvals.Approver(f"approver{n}", "release") for n in (1, 2)]
        policy = signers.policy(token, "prod", [dict(keys[2], quorum=quorum)], people)
        with signers.Signer(token, policy, "prod", start=False) as signer:
            status, output = signer.run()
            self.assertEqual(status, 78)
            self.assertIn("software_token: true", output)
            self.assertIn("software_token: true", signer.check()[1])
        policy = signers.policy(token, "prod", [dict(keys[2], quorum=quorum)], people, software_token=True)
        with signers.Signer(token, policy, "prod") as signer, signer.connect() as c:
            self.assertTrue(c.hello.software_token)
            self.assertEqual(len(signer.events("software-token")), 1)


if __name__ == "__main__":
    unittest.main()
