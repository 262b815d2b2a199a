# SPDX-License-Identifier: Apache-2.0
"""countersignd --check passes the examples, names every mistake with its line, and explains itself."""

import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import pki

DAEMON = Path(os.environ["CS_BUILDDIR"]) / "countersignd"
EXAMPLES = Path(os.environ["CS_SRCDIR"]) / "etc"
EXIT_CONFIG = 78


def request(key, algorithm="sha256"):
    length = {"sha256": 64, "sha384": 96}[algorithm]
    return json.dumps({"artifacts": [{"name": "firmware", "key": key, "size": 1,
                                      "digest": {"algorithm": algorithm, "value": length * "a"}}]})


class ConfigurationIsChecked(unittest.TestCase):
    def setUp(self):
        self.work = tempfile.TemporaryDirectory(prefix="cs", dir="/tmp")
        self.addCleanup(self.work.cleanup)

    def example(self, name):
        """A copy of an example with the TLS files that it asks for."""
        self.directory = Path(self.work.name) / name
        shutil.copytree(EXAMPLES / name, self.directory, copy_function=shutil.copy)
        tls = self.directory / "tls"
        tls.mkdir()
        authority = pki.Authority()
        authority.issue("server", usage=[pki.SERVER], hosts=["localhost"]).write(tls, "server")
        (tls / "client-ca.pem").write_bytes(authority.pem())
        (tls / "client-ca.crl").write_bytes(authority.crl())

    def run_daemon(self, *arguments):
        return subprocess.run([DAEMON, "--config", self.directory / "countersignd.conf", *arguments],
                              check=False, text=True, capture_output=True, timeout=60)

    def edit(self, name, old, new):
        path = self.directory / name
        text = path.read_text(encoding="utf-8")
        self.assertIn(old, text)
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def explain(self, principal, text):
        path = self.directory / "request.json"
        path.write_text(text, encoding="utf-8")
        return self.run_daemon("--explain", path, "--as", principal)

    def test_the_examples_pass(self):
        for name in ("small-team", "company"):
            with self.subTest(name):
                self.example(name)
                run = self.run_daemon("--check")
                self.assertEqual((run.returncode, run.stderr), (0, ""))
                self.assertIn("ok: instance example", run.stdout)

    def test_every_file_has_its_say_in_one_run(self):
        self.example("small-team")
        self.edit("signing.yaml", "group: maintainers, count: 2", "group: maintainers, count: 9")
        self.edit("signing.yaml", "hash: sha256", "hash: sha1")
        self.edit("access.yaml", "role: operator", "role: root")
        run = self.run_daemon("--check")
        self.assertEqual(run.returncode, EXIT_CONFIG)
        for problem in ("signing.yaml:37:11: keys[0].hash", "signing.yaml:50:9: ",
                        "9 approvals of group maintainers can never be met, it has 3 persons",
                        '"root" is none of: agent, approver, auditor, operator'):
            self.assertIn(problem, run.stderr)
        self.assertEqual(run.stdout, "")

    def test_a_token_without_a_signer_is_noticed(self):
        self.example("company")
        self.edit("countersignd.conf", "token: router-prod", "token: router-pord")
        run = self.run_daemon("--check")
        self.assertEqual(run.returncode, EXIT_CONFIG)
        self.assertIn("none for token router-prod", run.stderr)
        self.assertIn("the signing policy has no token router-pord", run.stderr)

    def test_verdicts_are_explained(self):
        self.example("small-team")
        for principal, key, verdict, rule in (("ci", "thermostat-dev", "approved", "no-quorum"),
                                              ("ci", "thermostat-prod", "pending", "quorum"),
                                              ("dev1", "thermostat-prod", "denied", "key-not-allowed"),
                                              ("auditor1", "thermostat-dev", "denied", "role")):
            with self.subTest(principal=principal, key=key):
                run = self.explain(principal, request(key))
                self.assertEqual(run.returncode, 0, run.stderr)
                self.assertIn(f"verdict: {verdict}\nrule: {rule}: ", run.stdout)
        run = self.explain("ci", request("thermostat-dev", "sha384"))
        self.assertIn("rule: hash-mismatch: ", run.stdout)
        self.assertNotEqual(self.explain("nobody", request("thermostat-dev")).returncode, 0)

    def test_a_change_is_shown(self):
        self.example("small-team")
        old = self.directory / "old.yaml"
        shutil.copy(self.directory / "signing.yaml", old)
        self.edit("signing.yaml", "version: 1", "version: 2")
        self.edit("signing.yaml", "max_wait: 48h", "disabled: true")
        run = self.run_daemon("--diff", old)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(run.stdout, "version: 1 -> 2\n"
                         "key thermostat-prod: max_wait: 48h -> 72h\n"
                         "key thermostat-prod: disabled: false -> true\n")

    def test_what_is_printed_can_be_read_back(self):
        self.example("company")
        first = self.run_daemon("--print-config")
        self.assertEqual(first.returncode, 0, first.stderr)
        (self.directory / "countersignd.conf").write_text(first.stdout, encoding="utf-8")
        self.assertEqual(self.run_daemon("--print-config").stdout, first.stdout)
        self.assertEqual(self.run_daemon("--check").returncode, 0)


if __name__ == "__main__":
    unittest.main()
