# SPDX-License-Identifier: Apache-2.0
"""The main flows with a module that is not SoftHSM: a TPM, as swtpm plays it.

So that one module's quirks do not become the specification. Skipped where swtpm is not installed.
"""

import base64
import json
import os
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import signer_client
import signers
import softhsm
import tpm
from approvals import artifact, document
from instance import QUORUM, Instance, token_template
from reconcile import journal_files, of_kind
from verify_signature import verify, verify_released

ALGORITHMS = ("p-256", "rsa-3072")
PATIENT = ("--call-timeout", "20000")  # an RSA signature of a TPM on a busy machine
WRONG = "9999"
EXIT_PIN = 77
CKR_PIN_INCORRECT, CKR_PIN_LOCKED = 0xA0, 0xA4


class AnotherModule(unittest.TestCase):
    def setUp(self):
        self.work = tempfile.TemporaryDirectory(prefix="cs", dir="/tmp")
        self.addCleanup(self.work.cleanup)

    def token(self, label="dev"):
        token = tpm.Tpm(Path(self.work.name) / label, label)
        self.addCleanup(token.close)
        return token

    def signer(self, token, key, **more):
        return signers.Signer(token, signers.policy(token, "dev", [key]), separate=False, options=PATIENT, **more)


class Keys(AnotherModule):
    def test_keys_are_made_found_and_used(self):
        """One key at a time: without a resource manager the TPM has no room for two."""
        for algorithm in ALGORITHMS:
            with self.subTest(algorithm):
                token = self.token(algorithm)
                key = token.make_key(algorithm, algorithm)
                with self.signer(token, key) as signer, signer.connect() as c:
                    health = c.status()
                    self.assertEqual((health.ready, health.keys), (True, 1), health.message)
                    wanted = artifact(key)
                    result, = c.sign(document(signer.value, [wanted]))
                    self.assertEqual(result.outcome, signer_client.OK, result.message)
                    verify(key, wanted, result.raw)


class Flows(AnotherModule):
    def template(self, tpm_label):
        """One token is on a TPM, the other on SoftHSM: this module gives all its tokens the same serial."""
        def make(label):
            if label != tpm_label:
                return token_template(label)
            token = self.token(label)
            more = {} if label == "dev" else {"quorum": QUORUM}
            return token, [token.make_key(f"app-{label}", "p-256", **more)]
        return make

    def signed(self, it, reply):
        key, = [key for key in it.policy["keys"] if key["name"] == reply.json["artifacts"][0]["key"]]
        it.wait_state(reply.json["id"], "signed")
        view = it.request(reply.json["id"])
        verify_released(key, view["artifacts"][0], base64.b64decode(view["signatures"][0]))

    def selftests(self, it, label):
        return sum(event["detail"]["token"] == label
                   for event in of_kind(map(json.loads, it.export()[0]), "signer.selftest"))

    def test_main_flows(self):
        """At once or after two approvals, self-tests, restarts; both verifiers agree, with the journals."""
        for label in ("dev", "prod"):
            with self.subTest(label), Instance(template=self.template(label), separate=False,
                                               options=(*PATIENT, "--selftest-interval", "3")) as it:
                self.sign_and_restart(it, label)

    def ask(self, it, label, image):
        """A request under the TPM's key, approved if it has to be."""
        reply = it.agent.submit(f"app-{label}", image)
        if label == "prod":
            self.assertEqual((reply.status, reply.json["state"]), (202, "pending"), reply.body)
            it.approve(reply.json["id"], "approver1")
            self.assertEqual(it.request(reply.json["id"])["state"], "pending")
            it.approve(reply.json["id"], "approver2")
        return reply

    def sign_and_restart(self, it, label):
        reply = self.ask(it, label, b"image")
        self.assertEqual(reply.status, 201 if label == "dev" else 202, reply.body)
        self.signed(it, reply)
        before = self.selftests(it, label)
        it.wait(lambda: self.selftests(it, label) > before, "another self-test")

        signer = it.signers[label]
        os.kill(signer.child_pids()[0], signal.SIGTERM)  # SIGKILL leaves its objects in a TPM without a manager
        self.signed(it, self.ask(it, label, b"after the end of the child"))
        self.assertEqual(signer.stop(), 0)
        waiting = self.ask(it, label, b"while it is away")
        self.assertEqual(waiting.status, 202, waiting.body)
        signer.start(wait=False)
        self.signed(it, waiting)
        self.assertEqual(it.stop(), 0)
        it.start()
        self.signed(it, self.ask(it, label, b"after a restart"))
        lines, head = it.export()
        status, output = it.verify(lines, head, [path for s in it.signers.values() for path in journal_files(s)])
        self.assertEqual(status, 0, output)


class OneTry(AnotherModule):
    def setUp(self):
        super().setUp()
        self.tpm = self.token()
        self.key = self.tpm.make_key("app", "p-256")

    def refused(self, signer, times=3):
        for _ in range(times):
            self.assertEqual(signer.run()[0], EXIT_PIN)

    def works(self, signer):
        ready = len(signer.events("child-ready"))
        signer.start(wait=False)
        signer.wait_log("child-ready", ready + 1)
        with signer.connect() as c:
            self.assertEqual(c.sign(document(signer.value, [artifact(self.key)]))[0].outcome, signer_client.OK)
        signer.stop()

    def test_wrong_pin(self):
        """The TPM itself counts one refused PIN, whatever the number of starts."""
        with self.signer(self.tpm, self.key, shim=True, start=False) as signer:
            self.tpm.write_pin(WRONG)
            self.refused(signer)
            self.assertEqual((self.tpm.refused_pins(), signer.calls("C_Login")), (1, [CKR_PIN_INCORRECT]))
            self.tpm.write_pin(softhsm.PIN)
            self.works(signer)
            # the control: who tries it each time is counted each time
            self.tpm.pkcs11_tool("--token-label", "dev", "--login", "--pin", WRONG, "--list-objects", check=False)
            self.assertEqual(self.tpm.refused_pins(), 2)

    def test_pin_changed_on_the_token(self):
        with self.signer(self.tpm, self.key, shim=True) as signer:
            self.assertEqual(signer.stop(), 0)
            self.tpm.pkcs11_tool("--token-label", "dev", "--login", "--pin", softhsm.PIN, "--change-pin", "--new-pin",
                                 WRONG)
            self.refused(signer)
            self.assertEqual((self.tpm.refused_pins(), signer.calls("C_Login")), (1, [0, CKR_PIN_INCORRECT]))
            self.tpm.write_pin(WRONG)  # which is the right one now
            self.works(signer)

    def test_locked(self):
        """A TPM that others have locked is asked once, and works when it was unlocked and the refusal cleared."""
        with self.signer(self.tpm, self.key, shim=True, start=False) as signer:
            for _ in range(3):
                self.tpm.pkcs11_tool("--token-label", "dev", "--login", "--pin", WRONG, "--list-objects", check=False)
            self.refused(signer)
            self.assertEqual(signer.calls("C_Login"), [CKR_PIN_LOCKED])
            self.tpm.forget_refused_pins()
            self.refused(signer, 1)
            subprocess.run([softhsm.SIGNER, "--clear-pin-refusal", "--state", signer.state], check=True,
                           stdout=subprocess.DEVNULL)
            self.works(signer)
            self.assertEqual(self.tpm.refused_pins(), 0)


if __name__ == "__main__":
    if not tpm.is_there():
        print("SKIP-OK: swtpm, libtpm2-pkcs11-1 or opensc is not installed")
        sys.exit(77)
    result = unittest.main(exit=False).result
    if result.wasSuccessful():
        print("promise R6: a TPM, which counts refused PINs itself, counted one in all; the main flows run on it")
    sys.exit(not result.wasSuccessful())
