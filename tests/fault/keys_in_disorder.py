# SPDX-License-Identifier: Apache-2.0
"""R6: a key in disorder is set aside alone: the others sign, its child lives on, and it comes back by itself.

With CS_FULL=1 all codes, and the cases that take long.
"""

import os
import tempfile
import time
import unittest
from pathlib import Path

import machine
import signer_client
import signers
import softhsm
from approvals import artifact, document

CKR_GENERAL_ERROR = 5
CKR_DEVICE_ERROR = 0x30
FULL = "CS_FULL" in os.environ
DOUBTFUL = (CKR_GENERAL_ERROR, *((CKR_DEVICE_ERROR, 0x02, 0x06, 0x80001234) if FULL else ()))


def setUpModule():
    global work, token, keys, policy
    work = tempfile.TemporaryDirectory(prefix="cs", dir="/tmp")
    os.chmod(work.name, 0o755)
    token = softhsm.make(Path(work.name) / "dev", "dev")
    keys = [signers.key(f"key{n}", "dev", f"{n:02x}", "p-256", token.keygen(f"key{n}", f"{n:02x}", "p-256"))
            for n in range(1, 6)]
    policy = signers.policy(token, "dev", keys)


def tearDownModule():
    work.cleanup()


def new(*rules, **more):
    signer = signers.Signer(token, policy, shim=True, start=False, **more)
    signer.rules(*rules)
    return signer


def sign(c, number):
    """Sign with the NUMBER-th key; the result."""
    return c.sign(document(policy, [artifact(keys[number - 1])]))[0]


class SetAside(unittest.TestCase):
    def works(self, c, *numbers):
        for number in numbers:
            result = sign(c, number)
            self.assertEqual(result.outcome, signer_client.OK, (number, result))

    def is_set_aside(self, c, *numbers):
        for number in numbers:
            result = sign(c, number)
            self.assertEqual((result.outcome, result.code), (signer_client.NOT_TRIED, "key"), (number, result))

    def tries(self, signer):
        """How many self-tests did not return."""
        return len([line for line in signer.events("child-killed") if "hung" in line["message"]])

    def test_from_the_start(self):
        """More keys in a row than errors that condemn a token, and the last one works."""
        for rv in DOUBTFUL:
            with self.subTest(rv=hex(rv)), new(*(f"C_Sign return {rv} id:0{n}" for n in (1, 2, 3, 4))) as signer:
                signer.start(wait=False)
                signer.wait_log("keys-not-usable")
                with signer.connect() as c:
                    self.works(c, 5)
                    self.is_set_aside(c, 1, 2, 3, 4)
                    self.assertEqual((c.status().ready, c.status().failed), (False, 4))
                    signer.rules()
                    signer.wait(lambda: c.status().ready, "keys that are back")
                    self.works(c, 1, 2, 3, 4, 5)
                self.assertEqual(len(signer.calls("C_Login")), 1)

    def test_in_the_middle(self):
        """It worked, then it does not: one request fails, the next ones are told, the others never notice."""
        with new() as signer:
            signer.start()
            with signer.connect() as c:
                signer.rules(f"C_Sign return {CKR_GENERAL_ERROR} id:02")
                self.assertEqual(sign(c, 2).outcome, signer_client.FAILED)
                for _ in range(4):
                    self.works(c, 1, 3, 4, 5)
                    self.is_set_aside(c, 2)
                signer.rules()
                signer.wait(lambda: c.status().ready, "the key that is back")
                self.works(c, 2)
            self.assertEqual(len(signer.calls("C_Login")), 1)

    def test_that_hang(self):
        """Each costs a child when it is tried, and is tried less and less often: in between all the others sign."""
        hung = (1, 4)
        with new(*(f"C_Sign hang 60000 id:0{n}" for n in hung), options=("--call-timeout", "300")) as signer:
            signer.start(wait=False)
            signer.wait(lambda: self.tries(signer) >= 2 * len(hung), "second tries")
            quiet = time.monotonic() + 5  # the third are 8 s after the second, or later
            before = None
            while time.monotonic() < quiet:
                with signer.connect() as c:
                    self.works(c, 2, 3, 5)
                    self.is_set_aside(c, *hung)
                    self.assertIn("does not return", c.status().message)
                self.assertIn(before, (None, signer.child_pids()))
                before = signer.child_pids()
            signer.rules()
            with signer.connect() as c:
                signer.wait(lambda: c.status().ready, "the keys that are back", 120)
                self.works(c, 1, 2, 3, 4, 5)

    def test_all_that_hang_are_the_token(self):
        """The control: none is set aside, and all are back when the first one is."""
        with new("C_Sign hang 60000", options=("--call-timeout", "300")) as signer:
            signer.start(wait=False)
            signer.wait(lambda: self.tries(signer) >= 15, "tries")
            self.assertFalse(signer.events("keys-not-usable"))
            signer.rules()
            back = time.monotonic()
            signer.wait_log("child-ready")
            self.assertLess(machine.seconds(back), 10)
            with signer.connect() as c:
                self.works(c, 1, 2, 3, 4, 5)

    @unittest.skipUnless(FULL, "takes long")
    def test_while_nobody_signs(self):
        """Its failures alone, one after the other, say nothing of the token."""
        with new(f"C_Sign return {CKR_GENERAL_ERROR} id:01") as signer:
            signer.start(wait=False)
            signer.wait_log("keys-not-usable")
            signer.wait(lambda: signer.calls("C_Sign").count(CKR_GENERAL_ERROR) >= 4, "more failures", 30)
            with signer.connect() as c:
                self.works(c, 2)
            self.assertEqual(len(signer.calls("C_Login")), 1)

    @unittest.skipUnless(FULL, "takes long")
    def test_slow_to_fail(self):
        """Keys that fail after seconds, each within its deadline, do not keep the others waiting for ever."""
        with new(*(f"C_Sign {action} id:0{n}" for n in (1, 2) for action in ("hang 2600", "return 5"))) as signer:
            start = time.monotonic()
            signer.start(wait=False)
            signer.wait_log("keys-not-usable")
            self.assertLess(time.monotonic() - start, 8)
            with signer.connect() as c:
                for _ in range(20):
                    start = time.monotonic()
                    self.works(c, 3)
                    self.assertLess(time.monotonic() - start, 4)
                    time.sleep(0.4)

    def test_all_of_them_is_the_token(self):
        """The control: when none works any more, a fresh process is tried, and works when the token does."""
        with new() as signer:
            signer.start()
            child = signer.child_pids()
            with signer.connect() as c:
                signer.rules(f"C_Sign return {CKR_DEVICE_ERROR}")
                self.assertEqual(sign(c, 1).outcome, signer_client.FAILED)
                signer.wait(lambda: signer.child_pids() != child, "a fresh child")
            signer.rules()
            signer.wait_log("child-ready", 2)


if __name__ == "__main__":
    result = unittest.main(exit=False).result
    if result.wasSuccessful():
        print(f"promise R6: up to 4 of 5 keys in disorder by {len(DOUBTFUL)} codes are set aside alone, the others "
              "sign, with one login")
    raise SystemExit(not result.wasSuccessful())
