# SPDX-License-Identifier: Apache-2.0
"""`countersign key disable` stops a key in daemon and signers with one command, and lists all that it signed.

It changes signing.yaml by two places and nothing else, whatever the file looks like, and works with the daemon down.
"""

import csv
import io
import json
import stat
import subprocess
import unittest
from pathlib import Path

import approvals
import cli
import signers
from instance import CLI, DAEMON, Instance
from signer_client import Connection


class Disabled(unittest.TestCase):
    def setUp(self):
        self.it = Instance()
        self.addCleanup(self.it.end)
        self.policy_file = self.it.directory / "signing.yaml"
        self.signed = {}

    def sign(self, key, image):
        """A signature over the image; prod keys with both approvals."""
        reply = self.it.agent.submit(key, image)
        request = reply.json["id"]
        if key.endswith("-prod"):
            self.it.approve(request, "approver1", "approver2")
        self.it.wait_state(request, "signed")
        self.signed.setdefault(key, []).append(request)
        return request

    def reload_command(self):
        """What systemd would do: signers read the same file, and all are told."""
        lines = ["set -e"]
        for signer in self.it.signers.values():
            lines.append(f"cat {self.policy_file} >{signer.policy_file}")
            lines.append(f"kill -HUP {signer.process.pid}")
        lines.append(f"kill -HUP {self.it.process.pid}")
        script = self.it.directory / "reload.sh"
        script.write_text("\n".join(lines) + "\n")
        return f"sh {script}"

    def disable(self, *more, reload=None, status=0):
        done = subprocess.run([CLI, "key", "disable", "--config", self.it.directory / "countersignd.conf", "--program-dir",
                               DAEMON.parent, "--reload", reload or self.reload_command(), *more],
                              text=True, capture_output=True, timeout=60, check=False)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done

    def listed(self, done, outcome="released"):
        rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        return [row["request"] for row in rows if row["outcome"] == outcome]

    def test_a_disabled_key_signs_nothing_and_its_uses_are_listed(self):
        for n in range(3):
            self.sign("app-prod", b"prod %d" % n)
            self.sign("app-dev", b"dev %d" % n)
        waiting = self.it.agent.submit("app-prod", b"waits").json["id"]
        self.it.approve(waiting, "approver1")
        document = self.it.client("auditor1").get(f"/v1/requests/{waiting}/document").body
        before = self.policy_file.stat()
        done = self.disable("app-prod", "--reason", "lost card", "--encoding", "ndjson")
        self.assertEqual(self.listed(done), self.signed["app-prod"])
        row = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))
        self.assertEqual((row["principal"], row["persons"], row["approvers"]), ("ci", ["developer1"],
                                                                                ["approver1", "approver2"]))
        self.assertIn("In force for the daemon since event", done.stderr)
        self.assertRegex(done.stderr, r"waiting: +1 requests")
        after = self.policy_file.stat()
        self.assertEqual((after.st_uid, after.st_gid, stat.S_IMODE(after.st_mode)),
                         (before.st_uid, before.st_gid, stat.S_IMODE(before.st_mode)))
        # the daemon
        reply = self.it.agent.submit("app-prod", b"new")
        self.assertEqual(reply.status, 403)
        self.assertEqual(reply.json["rule"], "key-disabled")
        self.it.decide(waiting, "approver2")
        self.assertNotIn(self.it.request(waiting)["state"], ("signed", "signing"))
        # the signer, asked by somebody in the daemon's place
        prod = self.it.signers["prod"]
        prod.wait_log("reloaded")
        envelopes = [self.it.envelope(waiting, person) for person in ("approver1", "approver2")]
        self.assertEqual(self.it.stop(), 0)
        with Connection(prod.socket) as connection:
            [result] = connection.sign(document, envelopes)
            self.assertIn("disabled", str(result))
        self.assertEqual(len([line for line in prod.journal() if line["event"] == "sign-begin"]), 3)
        self.it.policy["version"] = 2  # as the command left it
        next(key for key in self.it.policy["keys"] if key["name"] == "app-prod")["disabled"] = True
        self.it.start()
        # other keys sign on
        self.sign("app-dev", b"after")
        lines, head = self.it.export()
        self.assertEqual(self.it.verify(lines, head)[0], 0)
        [policy] = [json.loads(line) for line in lines if b'"kind":"policy.loaded"' in line][1:]
        self.assertIn(b"key app-prod disabled: lost card", approvals.base64.b64decode(policy["detail"]["yaml"]))
        # once more changes nothing
        content = self.policy_file.read_bytes()
        again = self.disable("app-prod", "--encoding", "csv")
        self.assertEqual(self.policy_file.read_bytes(), content)
        self.assertIn("disabled already", again.stderr)
        self.assertEqual([row["request"] for row in csv.DictReader(io.StringIO(again.stdout))], self.signed["app-prod"])

    def test_with_the_daemon_down_it_is_disabled_from_the_next_start_on(self):
        self.sign("app-dev", b"image")
        self.assertEqual(self.it.stop(), 0)
        signers_only = [line for line in self.reload_command().split()]
        script = Path(signers_only[1])
        script.write_text("\n".join(script.read_text().splitlines()[:-1]) + "\n")
        done = self.disable("app-dev", "--encoding", "ndjson", reload=f"sh {script}", status=cli.PENDING)
        self.assertEqual(self.listed(done), self.signed["app-dev"])
        self.assertIn("has not loaded this policy", done.stderr)
        self.it.policy["version"] += 1
        self.it.policy["keys"][0]["disabled"] = True
        self.it.start(ready=False)
        self.assertEqual(self.it.agent.submit("app-dev", b"new").status, 403)

    def test_a_dry_run_changes_nothing(self):
        self.sign("app-dev", b"image")
        content = self.policy_file.read_bytes()
        done = self.disable("app-dev", "--dry-run", "--encoding", "ndjson", reload="touch /nonexistent/x")
        self.assertEqual(self.policy_file.read_bytes(), content)
        self.assertIn("disabled: false -> true", done.stderr)
        self.assertEqual(self.listed(done), self.signed["app-dev"])
        self.sign("app-dev", b"still")

    def test_a_reload_that_fails_is_loud(self):
        done = self.disable("app-dev", reload="exit 3", status=cli.UNAVAILABLE)
        self.assertIn("send SIGHUP to the daemon and to each signer NOW", done.stderr)
        self.assertIn("disabled: true", self.policy_file.read_text())

    def test_mistakes(self):
        content = self.policy_file.read_bytes()
        done = self.disable("app-pord", status=cli.NO_INPUT)
        self.assertIn("no key app-pord", done.stderr)
        self.disable("app-dev", "--reason", "a\nb", status=cli.USAGE)
        self.assertEqual(self.policy_file.read_bytes(), content)
        self.policy_file.write_text(content.decode().replace("version: 1", "version: 1\nverison: 2"))
        done = self.disable("app-dev", status=cli.CONFIG)
        self.assertIn("verison", done.stderr)


class Edited(unittest.TestCase):
    """Layouts of signing.yaml: two places change, and every other byte stays."""

    @classmethod
    def setUpClass(cls):
        cls.it = Instance(start=False)
        cls.addClassCleanup(cls.it.end)
        cls.it.start_signers()
        cls.it.start()
        cls.it.stop()
        cls.path = cls.it.directory / "signing.yaml"

    def edit(self, text, name="app-dev", status=cli.PENDING):
        self.path.write_text(text)
        done = subprocess.run([CLI, "key", "disable", name, "--config", self.it.directory / "countersignd.conf",
                               "--program-dir", DAEMON.parent, "--reload", "true"],
                              text=True, capture_output=True, timeout=60, check=False)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return self.path.read_text()

    def changed(self, before, after):
        """Lines that are gone and lines that are new."""
        old, new = before.splitlines(), after.splitlines()
        return [line for line in old if line not in new], [line for line in new if line not in old]

    def test_block_style(self):
        before = "# our policy\n" + signers.to_yaml(self.it.policy) + "  # the end\n"
        gone, new = self.changed(before, self.edit(before))
        self.assertEqual(gone, ["version: 1"])
        self.assertEqual(len(new), 3)
        self.assertRegex(new[0], r"^# 2.*Z: key app-dev disabled$")
        self.assertEqual([line.strip() for line in new[1:]], ["version: 2", "disabled: true"])

    def test_json_is_yaml(self):
        before = json.dumps(self.it.policy)
        after = self.edit(before)
        self.assertEqual(after.splitlines()[1].replace('disabled: true, ', '').replace('"version": 2', '"version": 1'),
                         before)

    def test_a_flag_that_is_there(self):
        policy = json.loads(json.dumps(self.it.policy))
        policy["keys"][0]["disabled"] = False
        before = signers.to_yaml(policy) + "\n"
        gone, new = self.changed(before, self.edit(before))
        self.assertEqual([line.strip() for line in gone], ["version: 1", "disabled: false"])
        self.assertEqual([line.strip() for line in new[1:]], ["version: 2", "disabled: true"])

    def test_names_before_it_that_are_no_ascii(self):
        before = "# \u00e4\u00f6\u00fc \u2014 \u65e5\u672c\n" + signers.to_yaml(self.it.policy) + "\n"
        gone, new = self.changed(before, self.edit(before))
        self.assertEqual((len(gone), len(new)), (1, 3))

    def test_lines_that_end_as_elsewhere(self):
        before = (signers.to_yaml(self.it.policy) + "\n").replace("\n", "\r\n")
        self.path.write_bytes(before.encode())
        after = self.edit(before)
        self.assertIn("disabled: true", after)

    def test_a_link_stays_a_link(self):
        real = self.it.directory / "real.yaml"
        real.write_text(signers.to_yaml(self.it.policy) + "\n")
        real.chmod(0o640)
        self.path.unlink()
        self.path.symlink_to(real)
        done = subprocess.run([CLI, "key", "disable", "app-dev", "--config", self.it.directory / "countersignd.conf",
                               "--program-dir", DAEMON.parent, "--reload", "true"],
                              text=True, capture_output=True, timeout=60, check=False)
        self.assertEqual(done.returncode, cli.PENDING, done.stderr)
        self.assertTrue(self.path.is_symlink())
        self.assertIn("disabled: true", real.read_text())
        self.assertEqual(stat.S_IMODE(real.stat().st_mode), 0o640)
        self.path.unlink()


if __name__ == "__main__":
    unittest.main()
