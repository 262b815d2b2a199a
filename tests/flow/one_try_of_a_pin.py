# SPDX-License-Identifier: Apache-2.0
"""A wrong PIN is tried once in all: not by every child, not after a restart, not after a crash."""

import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import signers
import softhsm

CANARY = "9183-4471-canary"
CKR_PIN_INCORRECT = 0xA0
EXIT_PIN = 77


def setUpModule():
    global work, token, policy
    work = tempfile.TemporaryDirectory(prefix="cs", dir="/tmp")
    os.chmod(work.name, 0o755)
    token = softhsm.make(Path(work.name) / "dev", "dev")
    policy = signers.policy(token, "dev", signers.make_keys(token, "p-256"))


def tearDownModule():
    work.cleanup()


def new(**more):
    return signers.Signer(token, policy, shim=True, start=False, **more)


def write_pin(signer, pin):
    """As an editor would: a new file in the old one's place."""
    fresh = signer.token.pin_file.with_suffix(".new")
    fresh.write_text(pin + "\n")
    fresh.chmod(0o600)
    shutil.chown(fresh, signer.token.directory.owner() if signer.user is None else signer.user)
    fresh.replace(signer.token.pin_file)


def marker(signer):
    path = signer.state / "pin-marker"
    return json.loads(path.read_text())["state"] if path.exists() else None


class OneTry(unittest.TestCase):
    def refused(self, signer, logins):
        status, output = signer.run()
        self.assertEqual(status, EXIT_PIN, output)
        self.assertEqual(len(signer.calls("C_Login")), logins)
        self.assertNotIn(CANARY, output)
        return output

    def test_wrong_pin(self):
        for children in (1, 4):
            with self.subTest(children=children), new(children=children) as signer:
                write_pin(signer, CANARY)
                self.assertIn("CKR_PIN_INCORRECT", self.refused(signer, 1))
                self.assertEqual(signer.calls("C_Login"), [CKR_PIN_INCORRECT])
                self.assertEqual(marker(signer), "refused")
                for _ in range(3):
                    self.assertIn("--clear-pin-refusal", self.refused(signer, 1))
                self.assertIn("not tried again", signer.check()[1])
                # the right PIN in the file makes the marker meaningless
                write_pin(signer, softhsm.PIN)
                signer.start()
                self.assertIsNone(marker(signer))
                self.assertEqual(len(signer.calls("C_Login")), 1 + children)

    def test_clearing_allows_one_more(self):
        with new() as signer:
            write_pin(signer, CANARY)
            self.refused(signer, 1)
            done = subprocess.run([softhsm.SIGNER, "--clear-pin-refusal", "--state", signer.state], check=True,
                                  stdout=subprocess.PIPE, text=True)
            self.assertIn("once more", done.stdout)
            self.refused(signer, 2)
            self.refused(signer, 2)

    def test_a_copy_of_the_pin_is_no_new_pin(self):
        """systemd copies a credential afresh at each start: --pin-origin says where it came from."""
        with new() as signer:
            origin = signer.directory / "origin"
            origin.write_text("")
            signer.options = ("--pin-origin", origin)
            write_pin(signer, CANARY)
            self.refused(signer, 1)
            write_pin(signer, CANARY)
            self.refused(signer, 1)
            os.utime(origin, (1, 1))
            self.refused(signer, 2)

    def test_killed_in_the_login(self):
        """`trying` on disk allows one more try, unless the token shows that tries were lost."""
        with new() as signer:
            signer.rules("C_Login hang 60000")
            signer.start(wait=False)
            signer.wait(lambda: marker(signer) == "trying", "marker")
            child, = signer.child_pids()
            signer.process.kill()
            os.kill(child, 9)
            signer.process.wait()
            signer.rules()
            signer.start()
            self.assertEqual(len(signer.calls("C_Login")), 1)
            self.assertIsNone(marker(signer))

    def test_unknown_end_with_few_tries_left(self):
        with new() as signer:
            write_pin(signer, CANARY)
            self.refused(signer, 1)  # the token's flags show it now
            path = signer.state / "pin-marker"
            path.write_text(path.read_text().replace("refused", "trying"))
            self.assertIn("few tries left", self.refused(signer, 1))

    def test_locked_token(self):
        with new() as signer:
            write_pin(signer, CANARY)
            signer.rules("C_Login return 164")  # CKR_PIN_LOCKED
            self.refused(signer, 1)
            self.refused(signer, 1)

    def test_unreadable_marker_blocks(self):
        with new() as signer:
            (signer.state / "pin-marker").write_text("{")
            signer.own()
            self.assertIn("cannot be read", self.refused(signer, 0))

    def test_token_trouble_is_no_refusal(self):
        with new() as signer:
            signer.rules("C_Login return 48 1")  # CKR_DEVICE_ERROR in the first call of each process
            signer.start(wait=False)
            signer.wait(lambda: len(signer.calls("C_Login")) >= 2, "second login")
            self.assertEqual(marker(signer), "trying")
            signer.rules()
            signer.wait_log("child-ready")
            self.assertIsNone(marker(signer))

    def test_the_pin_is_nowhere(self):
        with new() as signer:
            write_pin(signer, CANARY)
            self.refused(signer, 1)
            for root, _, files in os.walk(signer.directory):
                for name in files:
                    path = Path(root, name)
                    if path != signer.token.pin_file:
                        self.assertNotIn(CANARY.encode(), path.read_bytes(), path)


if __name__ == "__main__":
    unittest.main()
