# SPDX-License-Identifier: Apache-2.0
"""The signer takes a policy only from a trusted file, only a newer one, and only what its unit allows."""

import copy
import os
import signal
import tempfile
import unittest
from pathlib import Path

import signer_client
import signers
import softhsm
from approvals import Approver, artifact, document

EXIT_CONFIG = 78
PEOPLE = [Approver(f"approver{n}", "release") for n in (1, 2, 3)]


def setUpModule():
    global work, token, keys, base
    work = tempfile.TemporaryDirectory(prefix="cs", dir="/tmp")
    os.chmod(work.name, 0o755)
    token = softhsm.make(Path(work.name) / "dev", "dev")
    keys = signers.make_keys(token, "p-256")
    base = signers.policy(token, "dev", keys, version=3)


def tearDownModule():
    work.cleanup()


def new(value=None, **more):
    return signers.Signer(token, value or base, start=False, **more)


def changed(version, **key):
    """Another policy: its key's max_wait differs."""
    value = copy.deepcopy(base)
    value["version"] = version
    value["keys"][0].update(max_wait="5h", **key)
    return value


class AtStart(unittest.TestCase):
    def refused(self, signer, *words, status=EXIT_CONFIG):
        for run in (signer.run, signer.check):
            got, output = run()
            self.assertEqual(got, status if run == signer.run else 1, output)
            for word in words:
                self.assertIn(word, output)

    def test_others_may_write(self):
        rows = [("policy_file", 0o664, "group or others may write"), ("policy_file", 0o646, "group or others may write"),
                ("directory", 0o775, "group or others may write"), ("directory", 0o757, "group or others may write")]
        for name, mode, message in rows:
            with self.subTest(name, mode=oct(mode)), new() as signer:
                getattr(signer, name).chmod(mode)
                self.refused(signer, message)

    def test_a_stranger_owns_it(self):
        if os.geteuid() != 0:
            self.skipTest("needs root to give a file away")
        with new() as signer:
            try:
                os.chown(signer.policy_file, 64999, 64999)
            except OSError as error:  # a container that has no such user
                self.skipTest(str(error))
            self.refused(signer, "it must belong to root or user")

    def test_start_up_arguments_pin(self):
        rows = [(("--environment", "prod"), "environment dev"), (("--label", "dev2"), "label dev"),
                (("--serial", "0123456789abcdef"), "serial"), (("--token", "other"), "no token named other"),
                (("--least-quorum", "1"), "--least-quorum 1")]
        for (option, value), message in rows:
            with self.subTest(option), new() as signer:
                signer.options = (option, value)
                got, output = signer.run(without=(option,))
                self.assertEqual(got, EXIT_CONFIG, output)
                self.assertIn(message, output)

    def test_the_least_quorum_only_tightens(self):
        key = dict(keys[0], quorum=[{"group": "release", "count": 2}])
        value = signers.policy(token, "prod", [key], PEOPLE, software_token=True)
        with new(value, environment="prod", options=("--least-quorum", "3")) as signer:
            got, output = signer.run()
            self.assertEqual(got, EXIT_CONFIG, output)
        with new(value, environment="prod", options=("--least-quorum", "1")) as signer:
            signer.start()
            doc = document(value, [artifact(key)], [], environment="prod")
            with signer.connect() as c:
                result, = c.sign(doc, [PEOPLE[0].decide(doc)])
                self.assertEqual((result.outcome, result.code), (signer_client.REFUSED, "quorum"))

    def test_an_older_policy_came_back(self):
        with new() as signer:
            signer.start()
            signer.stop()
            signer.write_policy(changed(2))
            self.refused(signer, "version 2", "3 was accepted before")

    def test_another_policy_of_the_same_version(self):
        with new() as signer:
            signer.start()
            signer.stop()
            signer.write_policy(changed(3))
            self.refused(signer, "its version is still 3")
            signer.write_policy(base)
            signer.start()

    def test_the_record_is_never_guessed(self):
        with new() as signer:
            signer.start()
            signer.stop()
            (signer.state / "accepted-policy").write_text("{}")
            status, output = signer.run()
            self.assertNotEqual(status, 0)
            self.assertIn("accepted-policy", output)

    def test_every_problem_has_its_line(self):
        with new() as signer:
            signer.policy_file.write_text(signer.policy_file.read_text().replace("ecdsa", "none-such"))
            self.refused(signer, "signing.yaml", "format")

    def test_the_state_directory_is_private(self):
        with new() as signer:
            signer.state.chmod(0o755)
            status, output = signer.run()
            self.assertEqual(status, EXIT_CONFIG)
            self.assertIn("mode 0700", output)

    def test_two_signers_of_one_state(self):
        with new() as signer:
            signer.start()
            status, output = signer.run()
            self.assertEqual(status, EXIT_CONFIG)
            self.assertIn("another signer uses the state directory", output)


class OnReload(unittest.TestCase):
    def test_a_newer_policy_replaces_the_children(self):
        with new(children=2) as signer:
            signer.start()
            old = set(signer.child_pids())
            with signer.connect() as c:
                first = c.hello
                signer.write_policy(changed(4))
                signer.signal(signal.SIGHUP)
                signer.wait_log("reloaded")
                with self.assertRaises(signer_client.Closed):
                    c.status()
            self.assertFalse(old & set(signer.child_pids()))
            with signer.connect() as a, signer.connect() as b:
                for hello in (a.hello, b.hello):
                    self.assertEqual(hello.policy_version, 4)
                    self.assertNotEqual(hello.policy_digest, first.policy_digest)

    def test_nothing_changes_when_it_is_refused(self):
        rows = [("older", changed(2), "an older policy is never taken"), ("same version", changed(3), "still 3"),
                ("key that needs approval no more", None, "mapping")]
        for name, value, message in rows:
            with self.subTest(name), new() as signer:
                signer.start()
                pids = signer.child_pids()
                if value:
                    signer.write_policy(value)
                else:
                    signer.policy_file.write_text("- x\n")
                signer.signal(signal.SIGHUP)
                signer.wait_log("reload-refused")
                if value:
                    self.assertIn(message, signer.events("reload-refused")[0]["message"])
                self.assertEqual(signer.child_pids(), pids)
                with signer.connect() as c:
                    self.assertEqual(c.hello.policy_version, 3)
                    result, = c.sign(document(base, [artifact(keys[0])]))
                    self.assertEqual(result.outcome, signer_client.OK, result.message)

    def test_an_emergency_stop_works_at_once(self):
        with new() as signer:
            signer.start()
            signer.write_policy(changed(4, disabled=True))
            signer.signal(signal.SIGHUP)
            signer.wait_log("reloaded")
            with signer.connect() as c:
                result, = c.sign(document(base, [artifact(keys[0])]))
                self.assertEqual((result.outcome, result.code), (signer_client.REFUSED, "key-disabled"))


if __name__ == "__main__":
    unittest.main()
